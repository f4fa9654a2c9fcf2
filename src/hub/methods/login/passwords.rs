//! What a hub keeps of passwords: `pbkdf2-sha512$ROUNDS$SALT$HASH`, the last two in hexadecimal digits.
//!
//! A password is hashed with PBKDF2-HMAC-SHA512 over a random salt, so that whoever gets hold of the database must guess
//! each one slowly.

use std::sync::{Mutex, PoisonError};

use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;

use crate::base::digest::{hex, unhex};

/// Rounds of the hash: what OWASP's password storage cheat sheet (2023) names for PBKDF2-HMAC-SHA512.
const ROUNDS: usize = 210_000;
const KIND: &str = "pbkdf2-sha512";
const SALT: usize = 16;
const HASH: usize = 64;
/// Bytes of the longest password: hashing reads all of it, and anybody may try to log in.
const LONGEST: usize = 1024;

/// A password cannot be kept.
#[derive(Debug, thiserror::Error)]
pub enum PasswordError {
    /// It is empty or too long. Retrying cannot help.
    #[error("a password has 1 to {LONGEST} bytes, in one line")]
    Unfit,
    /// OpenSSL refused. A retry may help.
    #[error("the password cannot be hashed")]
    Openssl(#[from] ErrorStack),
}

/// What is to be kept of a password.
pub fn hash(password: &str) -> Result<String, PasswordError> {
    if password.is_empty() || password.len() > LONGEST || password.contains(['\n', '\r']) {
        return Err(PasswordError::Unfit);
    }
    let mut salt = [0; SALT];
    openssl::rand::rand_bytes(&mut salt)?;
    let hash = derive(password, &salt, ROUNDS)?;
    Ok(format!("{KIND}${ROUNDS}${}${}", hex(&salt), hex(&hash)))
}

fn derive(password: &str, salt: &[u8], rounds: usize) -> Result<[u8; HASH], ErrorStack> {
    let mut hash = [0; HASH];
    openssl::pkcs5::pbkdf2_hmac(password.as_bytes(), salt, rounds, MessageDigest::sha512(), &mut hash)?;
    Ok(hash)
}

/// Checks passwords, one at a time: guesses of many clients must not take more than one core.
#[derive(Debug, Default)]
pub struct Checker(Mutex<()>);

impl Checker {
    /// Whether this is the password of which `kept` is kept. It takes the same time for a user who has none.
    pub fn matches(&self, kept: Option<&str>, password: &str) -> bool {
        if password.is_empty() || password.len() > LONGEST {
            return false;
        }
        let entry = kept.and_then(parse);
        let known = entry.is_some();
        let (rounds, salt, hash) = entry.unwrap_or_else(|| (ROUNDS, vec![0; SALT], vec![0; HASH]));
        let _one = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        derive(password, &salt, rounds).is_ok_and(|found| openssl::memcmp::eq(&found, &hash)) && known
    }
}

fn parse(kept: &str) -> Option<(usize, Vec<u8>, Vec<u8>)> {
    let words: Vec<_> = kept.split('$').collect();
    let [KIND, rounds, salt, hash] = words.as_slice() else { return None };
    let rounds = rounds.parse().ok().filter(|rounds| (1..=100 * ROUNDS).contains(rounds))?;
    Some((rounds, unhex(salt)?, unhex(hash).filter(|hash| hash.len() == HASH)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_known_by_its_hash_alone() {
        let kept = hash("honk").unwrap();
        assert!(!kept.contains("honk"));
        assert_ne!(kept, hash("honk").unwrap(), "each has its own salt");
        let checker = Checker::default();
        assert!(checker.matches(Some(&kept), "honk"));
        for (kept, password) in
            [(Some(&*kept), "Honk"), (Some(&kept), ""), (None, "honk"), (Some("honk"), "honk")]
        {
            assert!(!checker.matches(kept, password), "{kept:?} {password}");
        }
        assert!(hash("").is_err() && hash("a\nb").is_err() && hash(&"x".repeat(LONGEST + 1)).is_err());
    }

    /// Of another implementation: Python's `hashlib.pbkdf2_hmac('sha512', b'honk', bytes(16), 2)`.
    #[test]
    fn the_hash_is_pbkdf2() {
        let python = "cf627d11e634843f745310f9970f2b6b5048ee147a31a97a562b13cd42dafa083714fffa84c59dff9094ffef78d03d40404ecf6c2e14bb75201577638cbaa81a";
        let kept = format!("{KIND}$2${}${python}", "00".repeat(16));
        assert!(Checker::default().matches(Some(&kept), "honk"));
    }
}
