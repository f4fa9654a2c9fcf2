//! The database: sigul's own tables, so that moving from sigul is a copy, and ours beside them.
//!
//! `users`, `keys` and `key_accesses` are exactly sigul 1.2's (its `sigul_server_create_db`). Ours begin with `gander_`:
//! the ledger's head, failures, and what waits for approval.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;
use std::time::Duration;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::limit::{Failures, Who};
use crate::base::Digest;
use crate::sign::ledger::Head;

const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS users (
    id INTEGER NOT NULL, name TEXT NOT NULL, sha512_password BINARY, admin BOOLEAN NOT NULL,
    PRIMARY KEY (id), UNIQUE (name));
CREATE TABLE IF NOT EXISTS keys (
    id INTEGER NOT NULL, name TEXT NOT NULL, keytype VARCHAR(5) NOT NULL, fingerprint TEXT NOT NULL,
    PRIMARY KEY (id), UNIQUE (name), UNIQUE (fingerprint));
CREATE TABLE IF NOT EXISTS key_accesses (
    id INTEGER NOT NULL, key_id INTEGER NOT NULL, user_id INTEGER NOT NULL,
    encrypted_passphrase BINARY NOT NULL, key_admin BOOLEAN NOT NULL,
    PRIMARY KEY (id), UNIQUE (key_id, user_id),
    FOREIGN KEY(key_id) REFERENCES keys (id), FOREIGN KEY(user_id) REFERENCES users (id));
CREATE TABLE IF NOT EXISTS gander_ledger (
    one INTEGER PRIMARY KEY CHECK (one = 1), count INTEGER NOT NULL, hash TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS gander_failures (
    user TEXT NOT NULL, key TEXT NOT NULL, count INTEGER NOT NULL, until INTEGER NOT NULL,
    PRIMARY KEY (user, key));
CREATE TABLE IF NOT EXISTS gander_pending (
    id TEXT PRIMARY KEY, fingerprint TEXT NOT NULL, kind TEXT NOT NULL, digest TEXT NOT NULL,
    nevra TEXT, reference TEXT, user TEXT NOT NULL, time INTEGER NOT NULL, until INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS gander_approvals (
    pending TEXT NOT NULL REFERENCES gander_pending (id) ON DELETE CASCADE, user TEXT NOT NULL, time INTEGER NOT NULL,
    PRIMARY KEY (pending, user));
";

/// A user.
#[derive(Clone, Debug)]
pub(super) struct User {
    pub id: i64,
    pub name: String,
    /// A crypt(3) string.
    pub password: Option<String>,
    pub admin: bool,
}

/// A key.
#[derive(Clone, Debug)]
pub(super) struct Key {
    pub id: i64,
    pub name: String,
    pub keytype: String,
    pub fingerprint: String,
}

/// A user's access to a key.
#[derive(Clone, Debug)]
pub(super) struct Access {
    pub id: i64,
    /// The key's passphrase, under the user's.
    pub sealed: Vec<u8>,
    pub admin: bool,
}

/// Opens the database, or makes it, for its owner only.
pub(super) fn open(path: &Path) -> rusqlite::Result<Connection> {
    let file = fs::OpenOptions::new().create(true).append(true).mode(0o600).open(path);
    drop(file.map_err(|error| failed(path, &error))?);
    let database = Connection::open(path)?;
    database.busy_timeout(Duration::from_secs(10))?;
    database.pragma_update(None, "journal_mode", "WAL")?;
    // A power cut may lose the newest changes of the head, never the order: the ledger itself is synced before.
    database.pragma_update(None, "synchronous", "NORMAL")?;
    database.pragma_update(None, "foreign_keys", true)?;
    database.pragma_update(None, "secure_delete", true)?;
    database.execute_batch(SCHEMA)?;
    for suffix in ["", "-wal", "-shm"] {
        let path = format!("{}{suffix}", path.display());
        match fs::set_permissions(&path, fs::Permissions::from_mode(0o600)) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(failed(Path::new(&path), &error));
            }
            _ => {}
        }
    }
    Ok(database)
}

fn failed(path: &Path, error: &std::io::Error) -> rusqlite::Error {
    rusqlite::Error::InvalidPath(format!("{}: {error}", path.display()).into())
}

/// Text, or bytes that are text: sigul's versions differ.
fn text(value: ValueRef<'_>) -> Option<String> {
    match value {
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => String::from_utf8(bytes.to_vec()).ok(),
        _ => None,
    }
}

fn user_of(row: &Row<'_>) -> rusqlite::Result<User> {
    Ok(User { id: row.get(0)?, name: row.get(1)?, password: text(row.get_ref(2)?), admin: row.get(3)? })
}

fn key_of(row: &Row<'_>) -> rusqlite::Result<Key> {
    Ok(Key { id: row.get(0)?, name: row.get(1)?, keytype: row.get(2)?, fingerprint: row.get(3)? })
}

pub(super) fn user(database: &Connection, name: &str) -> rusqlite::Result<Option<User>> {
    let sql = "SELECT id, name, sha512_password, admin FROM users WHERE name = ?";
    database.prepare(sql)?.query_row([name], user_of).optional()
}

pub(super) fn key(database: &Connection, name: &str) -> rusqlite::Result<Option<Key>> {
    let sql = "SELECT id, name, keytype, fingerprint FROM keys WHERE name = ?";
    database.prepare(sql)?.query_row([name], key_of).optional()
}

fn access_row(row: &Row<'_>) -> rusqlite::Result<Access> {
    let sealed = match row.get_ref(1)? {
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => bytes.to_vec(),
        _ => Vec::new(),
    };
    Ok(Access { id: row.get(0)?, sealed, admin: row.get(2)? })
}

pub(super) fn access(database: &Connection, key: i64, user: i64) -> rusqlite::Result<Option<Access>> {
    let sql = "SELECT id, encrypted_passphrase, key_admin FROM key_accesses WHERE key_id = ? AND user_id = ?";
    database.prepare(sql)?.query_row([key, user], access_row).optional()
}

/// What the first of all accesses has sealed.
pub(super) fn any_sealed(database: &Connection) -> rusqlite::Result<Option<Vec<u8>>> {
    let sql = "SELECT id, encrypted_passphrase, key_admin FROM key_accesses ORDER BY id LIMIT 1";
    Ok(database.prepare(sql)?.query_row([], access_row).optional()?.map(|access| access.sealed))
}

/// An access by its number, if it is still to that key.
pub(super) fn access_of(database: &Connection, key: i64, access: i64) -> rusqlite::Result<Option<Access>> {
    let sql = "SELECT id, encrypted_passphrase, key_admin FROM key_accesses WHERE key_id = ? AND id = ?";
    database.prepare(sql)?.query_row([key, access], access_row).optional()
}

/// The names that a query of one column gives.
pub(super) fn names(
    database: &Connection,
    sql: &str,
    params: impl rusqlite::Params,
) -> rusqlite::Result<Vec<String>> {
    database.prepare(sql)?.query_map(params, |row| row.get(0))?.collect()
}

pub(super) fn head(database: &Connection) -> rusqlite::Result<Option<Head>> {
    let of = |row: &Row<'_>| {
        let hash: String = row.get(1)?;
        let hash = Digest::from_hex(&hash).map_err(|error| {
            rusqlite::Error::FromSqlConversionFailure(1, rusqlite::types::Type::Text, error.into())
        })?;
        Ok(Head { count: row.get::<_, i64>(0)?.unsigned_abs(), hash })
    };
    database.query_row("SELECT count, hash FROM gander_ledger", [], of).optional()
}

pub(super) fn keep_head(database: &Connection, head: Head) -> rusqlite::Result<()> {
    let sql = "INSERT OR REPLACE INTO gander_ledger (one, count, hash) VALUES (1, ?, ?)";
    database.prepare(sql)?.execute(params![head.count.cast_signed(), head.hash.hex()]).map(drop)
}

pub(super) fn failures(database: &Connection) -> rusqlite::Result<Vec<(Who, Failures)>> {
    let mut found = database.prepare("SELECT user, key, count, until FROM gander_failures LIMIT 4096")?;
    let of = |row: &Row<'_>| {
        let until = row.get::<_, i64>(3)?.unsigned_abs();
        Ok(((row.get(0)?, row.get(1)?), Failures { count: row.get(2)?, until }))
    };
    found.query_map([], of)?.collect()
}

pub(super) fn keep_failures(database: &Connection, who: &Who, failures: Failures) -> rusqlite::Result<()> {
    if failures.count == 0 {
        let sql = "DELETE FROM gander_failures WHERE user = ? AND key = ?";
        return database.prepare(sql)?.execute([&who.0, &who.1]).map(drop);
    }
    // A user with a certificate can name any key: the table stays small all the same.
    database
        .execute("DELETE FROM gander_failures WHERE until < ? - 86400000", [failures.until.cast_signed()])?;
    let sql = "INSERT OR REPLACE INTO gander_failures (user, key, count, until)
        SELECT ?, ?, ?, ? WHERE (SELECT count(*) FROM gander_failures) < 4096";
    let values = params![who.0, who.1, failures.count, failures.until.cast_signed()];
    database.prepare(sql)?.execute(values).map(drop)
}
