//! A sigul server's database as it stands: users, keys, accesses. It is only read.

use std::path::Path;
use std::time::Duration;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags, Row};

use super::MigrateError;

/// The largest database that is read, in bytes.
const LARGEST: u64 = 256 << 20;

/// A user.
#[derive(Debug)]
pub(super) struct User {
    pub id: i64,
    pub name: String,
    /// A crypt(3) string.
    pub password: Option<String>,
    pub admin: bool,
}

/// A key.
#[derive(Debug)]
pub(super) struct Key {
    pub id: i64,
    pub name: String,
    pub keytype: String,
    pub fingerprint: String,
}

/// A user's access to a key.
#[derive(Debug)]
pub(super) struct Access {
    pub key: i64,
    pub user: i64,
    /// The key's passphrase under the user's.
    pub sealed: Vec<u8>,
    pub admin: bool,
}

/// All of them, by their numbers.
#[derive(Debug)]
pub(super) struct Contents {
    pub users: Vec<User>,
    pub keys: Vec<Key>,
    pub accesses: Vec<Access>,
}

impl Contents {
    /// Reads a database at one moment, while its server may run.
    pub fn read(path: &Path) -> Result<Self, MigrateError> {
        let file = |source| MigrateError::File { path: path.into(), source };
        if std::fs::metadata(path).map_err(file)?.len() > LARGEST {
            return Err(file(std::io::Error::other("it has more than 256 MiB")));
        }
        let read = || -> rusqlite::Result<Self> {
            let mut database = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
            database.busy_timeout(Duration::from_secs(10))?;
            let database = database.transaction()?;
            fn rows<T>(
                database: &Connection,
                sql: &str,
                of: fn(&Row<'_>) -> rusqlite::Result<T>,
            ) -> rusqlite::Result<Vec<T>> {
                database.prepare(sql)?.query_map([], of)?.collect()
            }
            Ok(Self {
                users: rows(
                    &database,
                    "SELECT id, name, sha512_password, admin FROM users ORDER BY id",
                    |row| {
                        let password = bytes(row.get_ref(2)?).and_then(|bytes| String::from_utf8(bytes).ok());
                        Ok(User { id: row.get(0)?, name: row.get(1)?, password, admin: row.get(3)? })
                    },
                )?,
                keys: rows(
                    &database,
                    "SELECT id, name, keytype, fingerprint FROM keys ORDER BY id",
                    |row| {
                        Ok(Key {
                            id: row.get(0)?,
                            name: row.get(1)?,
                            keytype: row.get(2)?,
                            fingerprint: row.get::<_, String>(3)?.to_ascii_uppercase(),
                        })
                    },
                )?,
                accesses: rows(
                    &database,
                    "SELECT key_id, user_id, encrypted_passphrase, key_admin FROM key_accesses ORDER BY id",
                    |row| {
                        let sealed = bytes(row.get_ref(2)?).unwrap_or_default();
                        Ok(Access { key: row.get(0)?, user: row.get(1)?, sealed, admin: row.get(3)? })
                    },
                )?,
            })
        };
        read().map_err(|source| MigrateError::Sigul { path: path.into(), source })
    }

    pub fn user(&self, id: i64) -> Option<&User> {
        self.users.iter().find(|user| user.id == id)
    }
}

/// Bytes, or text that is bytes: sigul's versions differ.
fn bytes(value: ValueRef<'_>) -> Option<Vec<u8>> {
    match value {
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => Some(bytes.to_vec()),
        _ => None,
    }
}
