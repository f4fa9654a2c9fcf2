//! Keys on tokens in a process that holds keys for others: whoever brings such a key names a module, which is a program,
//! and the PIN is kept, so that it would be tried again and again.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use super::{KeyFile, TokenError, module};
use crate::sign::SignError;
use crate::sign::key::{KeyError, SecretKey};

/// Modules that were loaded while this process could still see them, and no others.
#[derive(Debug, Default)]
pub struct Modules {
    paths: Vec<PathBuf>,
    /// One key is opened at a time: else several requests at once would each try a PIN that has become wrong.
    opening: Mutex<()>,
    /// Tokens that have refused the PIN that is kept.
    refused: Mutex<BTreeSet<String>>,
}

/// Where the PIN of a token comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pin {
    /// Somebody gives it: the token has to look at it.
    Given,
    /// It was right when it was given: where it is not any more, it is not tried again.
    Kept,
}

impl Modules {
    /// Loads modules, and starts none of them: that may need what the process sees only later.
    pub fn load(paths: Vec<PathBuf>) -> Result<Self, TokenError> {
        for path in &paths {
            module::load(path, false)?;
        }
        Ok(Self { paths, ..Self::default() })
    }

    /// Opens the bytes of a secret key file by its passphrase, or the key that those of a key file find on a token by the
    /// token's PIN.
    pub fn open_key(&self, bytes: &[u8], secret: &[u8], pin: Pin) -> Result<SecretKey, KeyError> {
        match KeyFile::within(bytes) {
            Some(file) => self.open(&file.map_err(KeyError::Unusable)?, secret, pin),
            None => SecretKey::parse(bytes, Some(secret)),
        }
    }

    fn open(&self, file: &KeyFile, secret: &[u8], pin: Pin) -> Result<SecretKey, KeyError> {
        let module = &file.address.module;
        if !self.paths.contains(module) {
            return Err(TokenError::NotLoaded(module.clone()).into());
        }
        let token = file.address.to_string();
        let _alone = self.opening.lock().unwrap_or_else(PoisonError::into_inner);
        let refused = || self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        if pin == Pin::Kept && refused().contains(&token) {
            return Err(TokenError::Refused(token).into());
        }
        let opened = file.open_by(Some(secret), pin == Pin::Given);
        let is_wrong = matches!(opened, Err(KeyError::Sign(SignError::Token(TokenError::WrongPin(_)))));
        if pin == Pin::Kept && is_wrong {
            refused().insert(token);
        }
        opened
    }

    /// Forgets which tokens have refused a PIN: somebody has seen to that.
    pub fn forget(&self) {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}
