//! The vault: users, keys, accesses, policies, approvals; who may do what, exactly as sigul 1.2 has it.
//!
//! # The store
//! A folder of the signer's user, mode 0700, which only one process has open at a time:
//!
//! - `vault.sqlite`: the database (`database.rs`), sigul's tables first;
//! - `keys/FINGERPRINT.key`: each key, armored, under a random passphrase of 64 characters, mode 0600; of a key on a token,
//!   what finds it there ([`KeyFile`](crate::sign::token::KeyFile)). Files are named by fingerprint, so no name of a key
//!   can lead anywhere;
//! - `policy.toml`: what each key may sign ([`policy`]); may be missing;
//! - `ledger/`: the [ledger](crate::sign::ledger).
//!
//! # Secrets
//! A key's passphrase, or its token's PIN, is kept once for each user who has access, under the user's passphrase, as
//! `gpg --symmetric` does. Administrators' passwords are crypt(3) strings. A wrong secret takes as long whether there is
//! such a user or key, or not, and delays the next try (`limit.rs`).
//!
//! # What differs from sigul
//! Its operations behave as sigul's do, with these exceptions, which are defects there: without a `name-real` a new key
//! has the key's name in its user id; `delete-key` deletes; a decryption that fails is answered once. Besides, keys that are
//! weak, expired or revoked are not imported, empty passwords and passphrases cannot be set, names have 1 to 255 printable
//! ASCII characters, and bindings of passphrases (TPM, PKCS#11) are not offered.

mod administer;
mod approvals;
pub(super) mod clock;
mod database;
mod keyfile;
mod limit;
mod material;
pub mod migrate;
mod password;
pub mod policy;
mod unlock;
mod unlocked;
mod work;

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use rusqlite::Connection;
use zeroize::Zeroizing;

use super::agent::request::{Answer, Code, Operation, Refusal, Request, Secret};
use super::ledger::{Entry, Event, Head, Keep, Ledger, LedgerError, ROTATE_AT, Receipt};
use limit::Limits;
use policy::{Policy, PolicyError};
use unlocked::Cache;

use crate::sign::log::say;
use crate::sign::token::Modules;
use work::Subject;
pub use work::{Made, Opened};

/// Why a vault cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// A file or folder cannot be used. Trying again helps once that is mended.
    #[error("the store's '{}' cannot be used", path.display())]
    File {
        /// The path.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Somebody else's: what is made in it here, its owner could not read. Trying again cannot help.
    #[error("the store '{}' belongs to the user {owner}, so only that user can use it", path.display())]
    Owner {
        /// The store.
        path: PathBuf,
        /// Its owner's id.
        owner: u32,
    },
    /// Another process has it open. Trying again helps once that has ended.
    #[error("another signer has the store '{}' open", .0.display())]
    Locked(PathBuf),
    /// The database cannot be used. Trying again helps against a full disk only.
    #[error("the store's database cannot be used")]
    Database(#[from] rusqlite::Error),
    /// The ledger cannot be used.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The machine gives no randomness, or a library fails. Trying again may help.
    #[error("{0}")]
    Library(String),
}

/// How a vault works.
#[derive(Debug)]
pub struct Options {
    /// How long a key stays unlocked that nobody uses.
    pub idle: Duration,
    /// How large a file of the ledger grows, in bytes.
    pub rotate_at: u64,
    /// What tokens that have keys of the vault are reached by.
    pub modules: Modules,
}

impl Default for Options {
    fn default() -> Self {
        Self { idle: Duration::from_secs(60), rotate_at: ROTATE_AT, modules: Modules::default() }
    }
}

/// The secrets of a request.
#[derive(Default)]
pub struct Secrets([Option<Zeroizing<Vec<u8>>>; Secret::ALL.len()]);

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Secrets({})", self.0.iter().flatten().count())
    }
}

impl Secrets {
    /// Adds one; false if it is there already.
    pub fn add(&mut self, which: Secret, secret: Zeroizing<Vec<u8>>) -> bool {
        match self.0.get_mut(which as usize - 1) {
            Some(place @ None) => {
                *place = Some(secret);
                true
            }
            _ => false,
        }
    }

    fn get(&self, which: Secret) -> Option<&[u8]> {
        self.0.get(which as usize - 1)?.as_ref().map(|secret| secret.as_slice())
    }
}

/// An answer with its payload.
#[derive(Debug)]
pub struct Reply {
    /// The answer.
    pub answer: Answer,
    /// Its payload.
    pub payload: Zeroizing<Vec<u8>>,
}

impl From<Answer> for Reply {
    fn from(answer: Answer) -> Self {
        Self { answer, payload: Zeroizing::default() }
    }
}

/// An open vault.
#[derive(Debug)]
pub struct Vault {
    folder: PathBuf,
    database: Mutex<Connection>,
    /// One change of users, keys and accesses at a time.
    changing: Mutex<()>,
    ledger: Ledger,
    policy: RwLock<Result<Arc<Policy>, PolicyError>>,
    limits: Limits,
    modules: Modules,
    cache: Cache,
    /// Sealed under a passphrase that nobody knows: what is tried where there is no access.
    nothing: Vec<u8>,
    signatures: AtomicU64,
    refusals: AtomicU64,
    /// Why nothing could be recorded the last time.
    unrecorded: Mutex<Option<String>>,
    _lock: File,
}

fn file(path: &Path) -> impl FnOnce(io::Error) -> VaultError {
    let path = path.to_path_buf();
    move |source| VaultError::File { path, source }
}

impl Vault {
    /// Opens the vault in a folder, which is made if it is not there.
    pub fn open(folder: &Path, options: Options) -> Result<Self, VaultError> {
        let make = |path: &Path| match fs::DirBuilder::new().mode(0o700).create(path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(file(path)(error)),
            _ => Ok(()),
        };
        make(folder)?;
        let owner = fs::metadata(folder).map_err(file(folder))?.uid();
        if owner != rustix::process::geteuid().as_raw() {
            return Err(VaultError::Owner { path: folder.into(), owner });
        }
        make(&folder.join("keys"))?;
        let path = folder.join("lock");
        let lock =
            fs::OpenOptions::new().create(true).append(true).mode(0o600).open(&path).map_err(file(&path))?;
        match lock.try_lock() {
            Err(fs::TryLockError::WouldBlock) => return Err(VaultError::Locked(folder.into())),
            Err(fs::TryLockError::Error(error)) => return Err(file(&path)(error)),
            Ok(()) => {}
        }
        let path = folder.join("vault.sqlite");
        let database = database::open(&path)?;
        // A connection of its own, since the ledger's writer must never wait for who waits for it.
        let heads = database::open(&path)?;
        let keep: Keep = Box::new(move |head| {
            database::keep_head(&heads, head).map_err(|error| format!("its head cannot be kept: {error}"))
        });
        let known = database::head(&database)?;
        let ledger = Ledger::open(&folder.join("ledger"), known, clock::now(), options.rotate_at, keep)?;
        let fingerprints = database::names(&database, "SELECT fingerprint FROM keys", [])?;
        for name in keyfile::strangers(folder, &fingerprints).map_err(file(&folder.join("keys")))? {
            // From a signer that was killed while it made or deleted a key, or from before a backup was put back.
            say(format_args!("no key is known to the file '{}' in the store's 'keys'", name.escape_debug()));
        }
        let limits = Limits::new(database::failures(&database)?);
        let nothing = material::seal(&material::random_passphrase()?, &material::random_passphrase()?)?;
        let vault = Self {
            folder: folder.into(),
            database: Mutex::new(database),
            changing: Mutex::new(()),
            ledger,
            policy: RwLock::new(read_policy(folder)),
            limits,
            modules: options.modules,
            cache: Cache::new(options.idle),
            nothing,
            signatures: AtomicU64::new(0),
            refusals: AtomicU64::new(0),
            unrecorded: Mutex::default(),
            _lock: lock,
        };
        vault.ledger.record(Entry::new(Event::Start, clock::now())).wait()?;
        Ok(vault)
    }

    /// Reads the policy again, wipes all unlocked keys, and lets PINs be tried again that tokens have refused. An error
    /// stops signing.
    pub fn reload(&self) -> Result<(), PolicyError> {
        let policy = read_policy(&self.folder);
        let result = policy.as_ref().map(drop).map_err(Clone::clone);
        let mut entry = Entry::new(Event::Change, clock::now());
        entry.operation = Some("reload-policy".into());
        entry.detail = result.as_ref().err().map(|error| error.to_string().chars().take(1000).collect());
        *self.policy.write().unwrap_or_else(PoisonError::into_inner) = policy;
        self.cache.wipe();
        self.modules.forget();
        drop(self.ledger.record(entry));
        result
    }

    /// Why the policy cannot be used.
    pub fn policy_error(&self) -> Option<PolicyError> {
        self.policy.read().unwrap_or_else(PoisonError::into_inner).as_ref().err().cloned()
    }

    /// Wipes unlocked keys that were not used for the idle time. To be called every second or so.
    pub fn wipe_idle(&self) {
        self.cache.wipe_idle();
    }

    /// Wipes all unlocked keys that no session works with.
    pub fn wipe(&self) {
        self.cache.wipe();
    }

    /// Makes an administrator, or gives one a new password; for who owns the store.
    pub fn set_administrator(&self, name: &str, password: &[u8]) -> Result<(), Refusal> {
        administer::set_administrator(self, name, password)
    }

    /// Answers a request that signs and decrypts nothing. A key to be imported comes as `data`.
    pub fn administer(&self, request: &Request, secrets: &Secrets, data: &[u8]) -> Result<Reply, Refusal> {
        administer::answer(self, request, secrets, data)
            .inspect_err(|refusal| self.refused(request, refusal, None))
    }

    /// How the signer is.
    pub fn health(&self, sessions: u32) -> Answer {
        let unrecorded = || self.unrecorded.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let detail = self.policy_error().map(|error| error.to_string()).or_else(unrecorded);
        Answer::Health {
            ready: detail.is_none(),
            detail,
            sessions,
            signatures: self.signatures.load(Ordering::Relaxed),
            refusals: self.refusals.load(Ordering::Relaxed),
        }
    }

    /// Records that a request was refused which never reached the vault.
    pub fn turned_away(&self, request: &Request, refusal: &Refusal) {
        self.refused(request, refusal, None);
    }

    /// Records a refusal, without waiting for it.
    fn refused(&self, request: &Request, refusal: &Refusal, subject: Option<&Subject>) {
        self.refusals.fetch_add(1, Ordering::Relaxed);
        // Who is refused untried could fill the disk; where the ledger fails, there is nothing to write on.
        if matches!(refusal.code, Code::TooManyFailures | Code::Unavailable) {
            return;
        }
        let mut entry = self.entry(Event::Refusal, request);
        if let Some(subject) = subject {
            subject.describe(&mut entry);
        }
        entry.detail = Some(refusal.message.clone().unwrap_or_else(|| refusal.code.text().into()));
        drop(self.ledger.record(entry));
    }

    fn database(&self) -> MutexGuard<'_, Connection> {
        self.database.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn policy(&self) -> Result<Arc<Policy>, Refusal> {
        let policy = self.policy.read().unwrap_or_else(PoisonError::into_inner);
        policy.clone().map_err(|error| Refusal::because(Code::Unavailable, error))
    }

    fn entry(&self, event: Event, request: &Request) -> Entry {
        let mut entry = Entry::new(event, clock::now());
        entry.user = Some(request.user.chars().take(255).collect());
        entry.operation = Some(name_of(&request.operation));
        entry.key = request.operation.key().map(|key| key.chars().take(255).collect());
        entry
    }

    /// Records an entry and waits until it is kept.
    fn record(&self, entry: Entry) -> Result<Head, Refusal> {
        self.wait(self.ledger.record(entry))
    }

    fn wait(&self, receipt: Receipt) -> Result<Head, Refusal> {
        let waited = receipt.wait();
        let trouble = waited.as_ref().err().map(ToString::to_string);
        *self.unrecorded.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
        waited.map_err(|error| {
            say(&error);
            Refusal::because(Code::Unavailable, error)
        })
    }
}

/// The head of the ledger as the database of a store has it, which may be in use.
pub fn noted_head(folder: &Path) -> Result<Option<Head>, VaultError> {
    let path = folder.join("vault.sqlite");
    if !path.exists() {
        return Ok(None);
    }
    let database = Connection::open_with_flags(&path, rusqlite::OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    database.busy_timeout(Duration::from_secs(10))?;
    Ok(database::head(&database)?)
}

/// The name of an operation, as sigul has it.
fn name_of(operation: &Operation) -> String {
    let value = serde_json::to_value(operation).unwrap_or_default();
    value.get("op").and_then(|name| name.as_str()).unwrap_or_default().into()
}

fn read_policy(folder: &Path) -> Result<Arc<Policy>, PolicyError> {
    /// The largest policy that is read, in bytes.
    const LARGEST: u64 = 4 << 20;
    let path = folder.join("policy.toml");
    let read = || -> io::Result<String> {
        if fs::metadata(&path)?.len() > LARGEST {
            return Err(io::Error::other("it has more than 4 MiB"));
        }
        fs::read_to_string(&path)
    };
    match read() {
        Ok(text) => Policy::parse(&text).map(Arc::new),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Arc::default()),
        Err(error) => Err(PolicyError::Read(error.to_string())),
    }
}

/// Something failed here, not there: told to the log in full, to the client in short.
fn failed(what: &str) -> impl Fn(rusqlite::Error) -> Refusal {
    move |error| {
        say(format_args!("{what}: {error}"));
        Refusal::because(Code::UnknownError, format!("{what}: the signer's database failed"))
    }
}
