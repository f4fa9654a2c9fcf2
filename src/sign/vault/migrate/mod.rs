//! From a sigul server: its database and GnuPG home become a vault's users, keys and accesses.
//!
//! Users keep their passwords and passphrases: sigul's database has the former as crypt(3) strings and, for each access, the
//! key's passphrase under the user's as `gpg --symmetric` seals it, just as the vault has them. So all of it is taken
//! over as it is. Only the keys themselves must be opened once, which needs the passphrase of one user each.
//!
//! Read: sigul 1.2 (`server_common.py`); tried with a database and home of its server.

mod sigul;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::PoisonError;

use rusqlite::{Connection, OpenFlags, params};
use zeroize::Zeroizing;

use super::material::{self, Material};
use super::unlock::check_name;
use super::{Vault, VaultError, clock, database, keyfile, password};
use crate::runner::GnupgHome;
use crate::sign::agent::request::Refusal;
use crate::sign::key::wrap;
use crate::sign::ledger::{Entry, Event};
use crate::sign::token::{Modules, Pin};
use sigul::{Contents, Key};

/// The most bytes that an access seals a passphrase in.
const LARGEST_SEALED: usize = 64 << 10;

/// Why nothing was taken over.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// A file cannot be read. Trying again helps once that is mended.
    #[error("'{}' cannot be read", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It is no database of sigul's, or in use. Trying again helps against the latter.
    #[error("'{}' cannot be read as the database of a sigul server", path.display())]
    Sigul {
        /// The database.
        path: PathBuf,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// The GnuPG home cannot be copied. Trying again helps once that is mended.
    #[error("the GnuPG home '{}' cannot be copied", path.display())]
    Home {
        /// The home.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The list of passphrases cannot be understood. Trying again cannot help.
    #[error("line {0} of the passphrases is not a key, a user and their passphrase, with a tab between them")]
    Line(usize),
    /// A passphrase is for a key that there is not. Trying again cannot help.
    #[error("the passphrases name the key '{0}', which sigul does not have (or not of the type gnupg)")]
    NoKey(String),
    /// Nobody's passphrase was given for a key. Trying again cannot help.
    #[error(
        "no passphrase opens the key '{0}': give one of a user's, or leave the key out (--without '{0}')"
    )]
    NoPassphrase(String),
    /// The passphrase of a user does not open their access.
    #[error("the key '{key}' is not opened by the passphrase of '{user}': {detail}")]
    Access {
        /// The key.
        key: String,
        /// The user.
        user: String,
        /// Why not.
        detail: &'static str,
    },
    /// A key cannot be used here; it can be left out.
    #[error("the key '{key}' cannot be taken over ({detail}); mend it, or leave it out (--without '{key}')")]
    Key {
        /// The key.
        key: String,
        /// What is wrong.
        detail: String,
    },
    /// A name that no field of the protocol could hold.
    #[error("sigul's database has the name '{0}', which has not 1 to 255 printable ASCII characters")]
    Name(String),
    /// An access is to a key, or of a user, that there is not.
    #[error("sigul's database is damaged: an access belongs to a key or user that it does not have")]
    Damaged,
    /// The store has such names already: as after a second run. Trying again cannot help.
    #[error("the store has {0} already: nothing was taken over (was this run before? else take a new store)")]
    There(String),
    /// The store cannot be used.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// A file of the store cannot be written. Trying again helps once that is mended: nothing was taken over.
    #[error("a key cannot be written into the store")]
    Write(#[source] io::Error),
    /// The ledger takes no entry. Trying again helps once that is mended: nothing was taken over.
    #[error("the store's ledger cannot be written: {0}")]
    Record(Refusal),
}

/// One user's passphrase for a key.
struct Given {
    user: String,
    passphrase: Zeroizing<Vec<u8>>,
}

/// Passphrases of users, one for each key.
#[derive(Default)]
pub struct Passphrases(BTreeMap<String, Given>);

impl std::fmt::Debug for Passphrases {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Passphrases({:?})", self.0.keys())
    }
}

impl Passphrases {
    /// Reads lines of a key's name, a user's name and the user's passphrase for the key, with a tab between them. Empty
    /// lines do not count; a later line for the same key takes the place of an earlier one.
    pub fn parse(text: &[u8]) -> Result<Self, MigrateError> {
        let mut given = BTreeMap::new();
        for (number, line) in text.split(|byte| *byte == b'\n').enumerate() {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if line.is_empty() {
                continue;
            }
            let mut parts = line.splitn(3, |byte| *byte == b'\t');
            let mut name = || parts.next().and_then(|name| String::from_utf8(name.to_vec()).ok());
            let (key, user) = (name(), name());
            let passphrase = parts.next().filter(|passphrase| !passphrase.is_empty());
            let (Some(key), Some(user), Some(passphrase)) = (key, user, passphrase) else {
                return Err(MigrateError::Line(number + 1));
            };
            given.insert(key, Given { user, passphrase: Zeroizing::new(passphrase.to_vec()) });
        }
        Ok(Self(given))
    }
}

/// Where to take from.
#[derive(Debug)]
pub struct Source<'a> {
    /// The sigul server's database.
    pub database: &'a Path,
    /// Its GnuPG home.
    pub home: &'a Path,
    /// For each key, the passphrase of one user.
    pub passphrases: &'a Passphrases,
    /// Keys that are left out.
    pub without: &'a [String],
}

/// A key that is taken over.
#[derive(Debug)]
struct Carried {
    name: String,
    fingerprint: String,
    algorithm: String,
    /// Its file: the key under its old passphrase.
    file: Zeroizing<Vec<u8>>,
    /// Users by their places in the list of users; whether they administer it; what their passphrase seals.
    accesses: Vec<(usize, bool, Vec<u8>)>,
}

/// What is to be taken over, all of it read and tried.
#[derive(Debug)]
pub struct Migration {
    users: Vec<sigul::User>,
    keys: Vec<Carried>,
    left: Vec<String>,
}

impl Migration {
    /// Reads a sigul server's database and home, and opens each key once.
    pub fn prepare(source: &Source<'_>) -> Result<Self, MigrateError> {
        let contents = Contents::read(source.database)?;
        let names =
            contents.users.iter().map(|user| &user.name).chain(contents.keys.iter().map(|key| &key.name));
        for name in names {
            check_name(name).map_err(|_| MigrateError::Name(name.escape_debug().take(300).collect()))?;
        }
        for access in &contents.accesses {
            let key = contents.keys.iter().any(|key| key.id == access.key);
            if !key || contents.user(access.user).is_none() {
                return Err(MigrateError::Damaged);
            }
        }
        let mut left = Vec::new();
        let mut wanted: Vec<&Key> = Vec::new();
        for key in &contents.keys {
            if source.without.contains(&key.name) {
                left.push(format!("key '{}': left out as you said", key.name));
            } else if key.keytype != "gnupg" {
                left.push(format!("key '{}': of the type {}, which is not kept here", key.name, key.keytype));
            } else {
                wanted.push(key);
            }
        }
        let unknown =
            source.passphrases.0.keys().find(|name| !contents.keys.iter().any(|key| key.name == **name));
        let unknown = unknown.or_else(|| {
            source.without.iter().find(|name| !contents.keys.iter().any(|key| key.name == **name))
        });
        if let Some(name) = unknown {
            return Err(MigrateError::NoKey(name.escape_debug().take(300).collect()));
        }
        let home = GnupgHome::copy_of(source.home)
            .map_err(|error| MigrateError::Home { path: source.home.into(), source: error })?;
        let mut keys = Vec::new();
        for key in wanted {
            keys.push(carry(&contents, key, &home, source.passphrases, &mut left)?);
        }
        for user in &contents.users {
            if user.password.as_deref().is_some_and(|string| !password::is_usable(string)) {
                let new = "an administrator must set a new one (modify-user)";
                left.push(format!("password of '{}': no crypt(3) string of SHA-512; {new}", user.name));
            }
        }
        Ok(Self { users: contents.users, keys, left })
    }

    /// What comes along, a line each.
    pub fn carried(&self) -> Vec<String> {
        let users = self.users.iter().map(|user| {
            format!("user '{}'{}", user.name, if user.admin { ", an administrator" } else { "" })
        });
        let keys = self.keys.iter().map(|key| {
            let names = key.accesses.iter().map(|(user, admin, _)| {
                let name = self.users.get(*user).map_or("", |user| user.name.as_str());
                format!("{name}{}", if *admin { " (administers it)" } else { "" })
            });
            let names: Vec<_> = names.collect();
            format!("key '{}', {}, {}: {}", key.name, key.algorithm, key.fingerprint, names.join(", "))
        });
        users.chain(keys).collect()
    }

    /// What does not come along, and why, a line each.
    pub fn left_out(&self) -> &[String] {
        &self.left
    }

    /// Whether a store, which may be missing or in use, has none of it yet.
    pub fn check(&self, store: &Path) -> Result<(), MigrateError> {
        let path = store.join("vault.sqlite");
        if !path.exists() {
            return Ok(());
        }
        let database = Connection::open_with_flags(&path, OpenFlags::SQLITE_OPEN_READ_WRITE)
            .map_err(VaultError::from)?;
        let made = "SELECT name FROM sqlite_master WHERE type = 'table' AND name IN ('users', 'keys')";
        let made = database::names(&database, made, []).map_err(VaultError::from)?;
        // One that was killed while it made its first store leaves a database without its tables.
        if made.len() == 2 { self.compare(&database) } else { Ok(()) }
    }

    fn compare(&self, database: &Connection) -> Result<(), MigrateError> {
        let names = |sql: &str| -> Result<BTreeSet<String>, VaultError> {
            Ok(database::names(database, sql, [])?.into_iter().collect())
        };
        let users = names("SELECT name FROM users")?;
        let keys = names("SELECT name FROM keys")?;
        let fingerprints = names("SELECT fingerprint FROM keys")?;
        let key = self.keys.iter().find_map(|key| {
            if keys.contains(&key.name) {
                return Some(format!("a key '{}'", key.name));
            }
            fingerprints.contains(&key.fingerprint).then(|| format!("the key {}", key.fingerprint))
        });
        let user = || self.users.iter().find(|user| users.contains(&user.name));
        match key.or_else(|| user().map(|user| format!("a user '{}'", user.name))) {
            Some(there) => Err(MigrateError::There(there)),
            None => Ok(()),
        }
    }

    /// Puts it into a store that has none of it yet: everything at one moment, or nothing. What a run leaves that is
    /// killed before that moment are files of keys that the store does not know; the next run replaces them.
    pub fn apply(&self, vault: &Vault) -> Result<(), MigrateError> {
        let _alone = vault.changing.lock().unwrap_or_else(PoisonError::into_inner);
        self.compare(&vault.database())?;
        let mut entry = Entry::new(Event::Change, clock::now());
        entry.operation = Some("migrate".into());
        entry.detail = Some(format!("from sigul: {} users, {} keys", self.users.len(), self.keys.len()));
        vault.record(entry).map_err(MigrateError::Record)?;
        for key in &self.keys {
            let mut entry = Entry::new(Event::Change, clock::now());
            entry.operation = Some("migrate".into());
            entry.key = Some(key.name.clone());
            entry.fingerprint = Some(key.fingerprint.clone());
            entry.detail = Some(format!("{}, {} users", key.algorithm, key.accesses.len()));
            vault.record(entry).map_err(MigrateError::Record)?;
            keyfile::remove(&vault.folder, &key.fingerprint).map_err(MigrateError::Write)?;
            keyfile::create(&vault.folder, &key.fingerprint, &key.file).map_err(MigrateError::Write)?;
        }
        self.insert(&mut vault.database()).map_err(|error| {
            for key in &self.keys {
                // What stays is what a run that was killed leaves.
                keyfile::remove(&vault.folder, &key.fingerprint).ok();
            }
            VaultError::from(error).into()
        })
    }

    fn insert(&self, database: &mut Connection) -> rusqlite::Result<()> {
        // Other changes may be lost by a power cut; after this one, the old server goes.
        database.pragma_update(None, "synchronous", "FULL")?;
        let transaction = database.transaction()?;
        let mut users = Vec::new();
        for user in &self.users {
            let sql = "INSERT INTO users (name, sha512_password, admin) VALUES (?, ?, ?)";
            let password = user.password.as_ref().map(String::as_bytes);
            transaction.execute(sql, params![user.name, password, user.admin])?;
            users.push(transaction.last_insert_rowid());
        }
        for key in &self.keys {
            let sql = "INSERT INTO keys (name, keytype, fingerprint) VALUES (?, 'gnupg', ?)";
            transaction.execute(sql, params![key.name, key.fingerprint])?;
            let id = transaction.last_insert_rowid();
            for (user, admin, sealed) in &key.accesses {
                let sql = "INSERT INTO key_accesses (key_id, user_id, encrypted_passphrase, key_admin)
                    VALUES (?, ?, ?, ?)";
                transaction.execute(sql, params![id, users.get(*user), sealed, admin])?;
            }
        }
        transaction.commit()
    }
}

/// Opens a key by a user's passphrase and puts it under its own again.
fn carry(
    contents: &Contents,
    key: &Key,
    home: &GnupgHome,
    passphrases: &Passphrases,
    left: &mut Vec<String>,
) -> Result<Carried, MigrateError> {
    let given = passphrases.0.get(&key.name).ok_or_else(|| MigrateError::NoPassphrase(key.name.clone()))?;
    let refused = |detail| MigrateError::Access { key: key.name.clone(), user: given.user.clone(), detail };
    let unusable = |detail: String| MigrateError::Key { key: key.name.clone(), detail };
    let mut accesses = Vec::new();
    let mut inner = None;
    for access in contents.accesses.iter().filter(|access| access.key == key.id) {
        let place = contents.users.iter().position(|user| user.id == access.user);
        let (place, user) = place.zip(contents.user(access.user)).ok_or(MigrateError::Damaged)?;
        if user.name == given.user {
            inner = Some(material::unseal(&access.sealed, &given.passphrase).ok_or_else(|| {
                refused("it is another one, or their access is sealed as gpg no longer does")
            })?);
        }
        if access.sealed.len() > LARGEST_SEALED || !wrap::is_openable(&access.sealed) {
            let why = "sealed as gpg no longer does; grant it anew (grant-key-access)";
            left.push(format!("access of '{}' to the key '{}': {why}", user.name, key.name));
        } else {
            accesses.push((place, access.admin, access.sealed.clone()));
        }
    }
    let inner = inner.ok_or_else(|| refused("they have no access to it"))?;
    if inner.starts_with(b"{") || inner.starts_with(b"[") {
        return Err(refused("their access is bound to hardware (change-passphrase in sigul can unbind it)"));
    }
    let exported = home.export(&key.fingerprint, &inner).map_err(|error| unusable(error.to_string()))?;
    let made = Material::parse(&exported, &inner, &Modules::default(), Pin::Given)
        .map_err(|error| unusable(error.to_string()))?;
    let certificate = made.certificate();
    if certificate.fingerprint().as_str() != key.fingerprint {
        return Err(unusable("the GnuPG home gives another key for its fingerprint".into()));
    }
    let file = made.protected(&inner).map_err(|error| unusable(error.to_string()))?;
    let algorithm = certificate.algorithm();
    Ok(Carried { name: key.name.clone(), fingerprint: key.fingerprint.clone(), algorithm, file, accesses })
}
