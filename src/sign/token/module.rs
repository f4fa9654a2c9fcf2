//! Modules, the tokens behind them, and sessions with one.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error, RvError};
use cryptoki::session::UserType;
use cryptoki::slot::{Slot, TokenInfo};
use cryptoki::types::AuthPin;

use super::{TokenError, shown};

/// The modules of this process. One can be started only once in a process, so none is ever unloaded.
static LOADED: Mutex<BTreeMap<PathBuf, Library>> = Mutex::new(BTreeMap::new());

struct Library {
    functions: Pkcs11,
    started: bool,
}

/// Which token, behind which module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// The absolute path of the module's library.
    pub module: PathBuf,
    /// The token's label, if that matters.
    pub label: Option<String>,
    /// Its serial number, if that matters.
    pub serial: Option<String>,
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.label, &self.serial) {
            (Some(label), None) => write!(f, "the label '{}'", shown(label)),
            (None, Some(serial)) => write!(f, "the serial number '{}'", shown(serial)),
            (Some(label), Some(serial)) => {
                write!(f, "the label '{}' and the serial number '{}'", shown(label), shown(serial))
            }
            (None, None) => write!(f, "any label"),
        }
    }
}

/// A token that is there.
#[derive(Clone, Debug)]
pub struct Token {
    /// Its label.
    pub label: String,
    /// Its serial number.
    pub serial: String,
    /// Who made it.
    pub manufacturer: String,
    /// Its model.
    pub model: String,
    slot: Slot,
}

/// The tokens behind a module that are set up, in the order of their serial numbers.
pub fn tokens(module: &Path) -> Result<Vec<Token>, TokenError> {
    let library = load(module, true)?;
    let failed = |error: Error| TokenError::Module { path: module.into(), detail: error.to_string() };
    let mut tokens = Vec::new();
    for slot in library.get_slots_with_token().map_err(failed)? {
        // One that is pulled at this moment, or of a reader that fails, hides no other.
        let Ok(info) = library.get_token_info(slot) else { continue };
        if info.token_initialized() {
            tokens.push(Token {
                label: info.label().into(),
                serial: info.serial_number().into(),
                manufacturer: info.manufacturer_id().into(),
                model: info.model().into(),
                slot,
            });
        }
    }
    tokens.sort_by(|one, other| (&one.serial, &one.label).cmp(&(&other.serial, &other.label)));
    Ok(tokens)
}

/// Loads a module, and starts it if that is asked.
pub(super) fn load(path: &Path, start: bool) -> Result<Pkcs11, TokenError> {
    let failed = |error: Error| TokenError::Module { path: path.into(), detail: error.to_string() };
    let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
    let library = match loaded.entry(path.into()) {
        // Its file may be out of sight by now.
        Entry::Occupied(library) => library.into_mut(),
        // A name without a folder would be looked for wherever the loader looks.
        Entry::Vacant(_) if !path.is_absolute() || !path.is_file() => {
            return Err(TokenError::NoModule(path.into()));
        }
        Entry::Vacant(place) => {
            let functions = Pkcs11::new(path).map_err(failed)?;
            place.insert(Library { functions, started: false })
        }
    };
    if start && !library.started {
        match library.functions.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
            // The same one under another path.
            Ok(()) | Err(Error::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => library.started = true,
            Err(error) => return Err(failed(error)),
        }
    }
    Ok(library.functions.clone())
}

/// A session with a token. It is closed, and the login with the last one of them ended, when it goes.
pub struct Session {
    pub(super) inner: cryptoki::session::Session,
    library: Pkcs11,
    token: Token,
    address: Address,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Session({:?})", self.address)
    }
}

impl Session {
    /// Opens a session with the one token that has the address; `writing` is needed to make keys. What is public can be
    /// seen without a login.
    pub fn open(address: &Address, writing: bool) -> Result<Self, TokenError> {
        let library = load(&address.module, true)?;
        let all = tokens(&address.module)?;
        let names = |tokens: &[Token]| {
            let name =
                |token: &Token| format!("'{}' (serial number {})", shown(&token.label), shown(&token.serial));
            let names: Vec<_> = tokens.iter().take(10).map(name).collect();
            if names.is_empty() { "none".into() } else { names.join(", ") }
        };
        let fits =
            |wanted: &Option<String>, found: &str| wanted.as_ref().is_none_or(|wanted| wanted == found);
        let fitting = all
            .iter()
            .filter(|token| fits(&address.label, &token.label) && fits(&address.serial, &token.serial));
        let fitting: Vec<Token> = fitting.cloned().collect();
        let wanted = address.to_string();
        let token = match fitting.as_slice() {
            [] => return Err(TokenError::NoToken { wanted, found: names(&all) }),
            [token] => token.clone(),
            several => return Err(TokenError::SeveralTokens { wanted, found: names(several) }),
        };
        let opened =
            if writing { library.open_rw_session(token.slot) } else { library.open_ro_session(token.slot) };
        let inner = opened.map_err(|error| failure(&token.label, &error))?;
        let address = Address {
            module: address.module.clone(),
            label: Some(token.label.clone()),
            serial: Some(token.serial.clone()),
        };
        Ok(Self { inner, library, token, address })
    }

    /// Logs in, with one try. Without a PIN the token has to have a keypad of its own. False where another session of
    /// this process is logged in already, so that the token did not look at the PIN.
    pub fn log_in(&self, pin: Option<&[u8]>) -> Result<bool, TokenError> {
        let name = || shown(&self.token.label);
        let info = self.info()?;
        if !info.login_required() {
            return Ok(true);
        }
        if info.user_pin_locked() {
            return Err(TokenError::PinLocked(name()));
        }
        let done = match pin {
            None if info.protected_authentication_path() => self.inner.login(UserType::User, None),
            None | Some([]) => return Err(TokenError::NoPin(name())),
            Some(_) if info.user_pin_final_try() => return Err(TokenError::LastTry(name())),
            Some(pin) => {
                let text = std::str::from_utf8(pin).map_err(|_| TokenError::NoText(name()))?;
                // Wiped when it goes, and never shown.
                self.inner.login(UserType::User, Some(&AuthPin::new(text.into())))
            }
        };
        match done {
            Ok(()) => Ok(true),
            Err(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => Ok(false),
            Err(error) => Err(self.failed(&error)),
        }
    }

    /// Which token it is, by label and serial number.
    pub const fn address(&self) -> &Address {
        &self.address
    }

    /// The token's label, for messages.
    pub(super) fn name(&self) -> String {
        shown(&self.token.label)
    }

    fn info(&self) -> Result<TokenInfo, TokenError> {
        self.library.get_token_info(self.token.slot).map_err(|error| self.failed(&error))
    }

    pub(super) fn failed(&self, error: &Error) -> TokenError {
        failure(&self.token.label, error)
    }
}

/// What a module's answer means (PKCS #11 3.1, section 5.1).
fn failure(token: &str, error: &Error) -> TokenError {
    use RvError as E;
    let (token, detail) = (shown(token), error.to_string());
    let Error::Pkcs11(answer, _) = error else { return TokenError::Failed { token, detail } };
    match answer {
        E::PinIncorrect | E::PinInvalid | E::PinLenRange => TokenError::WrongPin(token),
        E::PinLocked => TokenError::PinLocked(token),
        E::DeviceRemoved
        | E::TokenNotPresent
        | E::TokenNotRecognized
        | E::SlotIdInvalid
        | E::SessionClosed
        | E::SessionHandleInvalid
        | E::KeyHandleInvalid
        | E::ObjectHandleInvalid
        | E::UserNotLoggedIn => TokenError::Removed { token, detail },
        E::MechanismInvalid
        | E::MechanismParamInvalid
        | E::KeySizeRange
        | E::CurveNotSupported
        | E::DomainParamsInvalid
        | E::FunctionNotSupported
        | E::TemplateInconsistent
        | E::KeyTypeInconsistent
        | E::KeyFunctionNotPermitted
        | E::TokenWriteProtected => TokenError::Unsupported { token, detail },
        _ => TokenError::Failed { token, detail },
    }
}

#[cfg(test)]
mod tests {
    use cryptoki::context::Function;

    use super::*;

    #[test]
    fn answers_of_a_module_are_told_apart() {
        let told = |answer| failure("a\nb", &Error::Pkcs11(answer, Function::Sign));
        assert!(matches!(told(RvError::PinIncorrect), TokenError::WrongPin(token) if token == "a\\nb"));
        assert!(matches!(told(RvError::PinLocked), TokenError::PinLocked(_)));
        assert!(matches!(told(RvError::DeviceRemoved), TokenError::Removed { .. }));
        assert!(matches!(told(RvError::TokenNotPresent), TokenError::Removed { .. }));
        assert!(matches!(told(RvError::MechanismInvalid), TokenError::Unsupported { .. }));
        assert!(matches!(told(RvError::GeneralError), TokenError::Failed { .. }));
        assert!(matches!(failure("", &Error::NullFunctionPointer), TokenError::Failed { .. }));
    }

    #[test]
    fn what_is_no_module_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let text = folder.path().join("text.so");
        std::fs::write(&text, "text").unwrap();
        assert!(matches!(tokens(&text), Err(TokenError::Module { .. })));
        assert!(matches!(tokens(&folder.path().join("none.so")), Err(TokenError::NoModule(_))));
        assert!(matches!(tokens(folder.path()), Err(TokenError::NoModule(_))));
        // On every machine, and found by the loader where only its name is given.
        assert!(matches!(tokens(Path::new("libc.so.6")), Err(TokenError::NoModule(_))));
    }
}
