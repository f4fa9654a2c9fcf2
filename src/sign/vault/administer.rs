//! Operations on users, keys and accesses. Each is recorded before it is done, so that none is done unrecorded.

use std::sync::{MutexGuard, PoisonError};

use rusqlite::params;
use zeroize::Zeroizing;

use super::database::{self, User};
use super::material::{self, Material, MaterialError};
use super::unlock::check_name;
use super::{Reply, Secrets, Vault, approvals, clock, failed, keyfile, password};
use crate::base::SourceDate;
use crate::sign::agent::request::{Answer, Bindings, Code, Operation as Op, Refusal, Request, Secret};
use crate::sign::key::check;
use crate::sign::ledger::{Entry, Event};
use crate::sign::log::say;
use crate::sign::token::Pin;
use crate::sign::vault::database::Key;

/// Answers, with sigul's checks in sigul's order.
pub(super) fn answer(
    vault: &Vault,
    request: &Request,
    secrets: &Secrets,
    data: &[u8],
) -> Result<Reply, Refusal> {
    let asking = Asking { vault, request, secrets, user: &request.user };
    match &request.operation {
        Op::ListUsers {} => {
            asking.administrator()?;
            asking.names("SELECT name FROM users ORDER BY name", [])
        }
        Op::NewUser { name, admin } => asking.new_user(name, *admin),
        Op::DeleteUser { name } => asking.delete_user(name),
        Op::UserInfo { name } => {
            asking.administrator()?;
            Ok(Answer::User { admin: asking.user_named(name)?.admin }.into())
        }
        Op::ModifyUser { name, admin, new_name } => asking.modify_user(name, *admin, new_name.as_deref()),
        Op::KeyUserInfo { name, key } => {
            asking.administrator()?;
            let (_, _, access) = asking.access_of(name, key)?;
            Ok(Answer::KeyUser { key_admin: access.admin }.into())
        }
        Op::ModifyKeyUser { name, key, key_admin } => {
            asking.administrator()?;
            let _alone = asking.alone();
            let (_, _, access) = asking.access_of(name, key)?;
            if let Some(key_admin) = key_admin {
                asking.record(format!("{name}: key-admin={key_admin}"))?;
                let values = params![key_admin, access.id];
                asking.change("UPDATE key_accesses SET key_admin = ? WHERE id = ?", values)?;
                vault.cache.withdraw(access.id);
            }
            Ok(done())
        }
        Op::ListKeys {} => {
            asking.administrator()?;
            asking.names("SELECT name || ' (' || keytype || ')' FROM keys ORDER BY name", [])
        }
        Op::NewKey { .. } => asking.new_key(),
        Op::ImportKey { key, keytype, initial_key_admin } => {
            asking.import_key(key, keytype.as_deref(), initial_key_admin.as_deref(), data)
        }
        Op::DeleteKey { key } => asking.delete_key(key),
        Op::ModifyKey { key, new_name } => asking.modify_key(key, new_name.as_deref()),
        Op::ListKeyUsers { key } => {
            let key = vault.either(asking.user, key, secrets, true)?;
            let sql = "SELECT name FROM users WHERE id IN
                (SELECT user_id FROM key_accesses WHERE key_id = ?) ORDER BY name";
            asking.names(sql, [key.id])
        }
        Op::GrantKeyAccess { key, name, bindings } => asking.grant(key, name, bindings),
        Op::RevokeKeyAccess { key, name } => asking.revoke(key, name),
        Op::ChangeKeyExpiration { key, subkey, expire_date } => {
            asking.change_expiration(key, *subkey, expire_date.as_deref())
        }
        Op::GetPublicKey { key } => {
            let key = vault.either(asking.user, key, secrets, false)?;
            let bytes = asking.read_key(&key)?;
            let certificate = material::certificate(&bytes).ok_or_else(|| asking.unusable(&key))?;
            let payload = Zeroizing::new(certificate.armored().into_bytes());
            Ok(Reply { answer: Answer::PublicKey {}, payload })
        }
        Op::ChangePassphrase { key, bindings } => {
            let entrance = vault.key_user(asking.user, key, secrets)?;
            asking.secret(Secret::NewPassphrase)?;
            bindable(bindings)?;
            let _alone = asking.alone();
            let sealed = asking.seal(&entrance.unlocked.passphrase, Secret::NewPassphrase)?;
            asking.record(String::new())?;
            let values = params![sealed, entrance.access.id];
            asking.change("UPDATE key_accesses SET encrypted_passphrase = ? WHERE id = ?", values)?;
            vault.cache.withdraw(entrance.access.id);
            Ok(done())
        }
        Op::ListBindingMethods {} => {
            asking.administrator()?;
            Ok(Answer::Names { count: 0 }.into())
        }
        Op::Approve { key, id } => asking.approve(key, id),
        Op::ListApprovals { key } => {
            let key = vault.either(asking.user, key, secrets, false)?;
            let found = approvals::list(&vault.database(), &key.fingerprint, clock::now());
            let (count, text) = found.map_err(failed("list requests"))?;
            Ok(Reply { answer: Answer::Pending { count }, payload: Zeroizing::new(text.into_bytes()) })
        }
        Op::LedgerHead {} => {
            asking.administrator()?;
            let head = vault.record(vault.entry(Event::Change, request))?;
            Ok(Answer::Head { count: head.count, hash: head.hash.hex() }.into())
        }
        Op::Health {} => Ok(vault.health(0).into()),
        Op::SignText { .. }
        | Op::SignData { .. }
        | Op::SignGitTag { .. }
        | Op::SignContainer { .. }
        | Op::SignRpmHeaders { .. }
        | Op::Decrypt { .. } => Err(Code::UnknownOp.into()),
    }
}

/// Makes an administrator, or gives one a new password.
pub(super) fn set_administrator(vault: &Vault, name: &str, password: &[u8]) -> Result<(), Refusal> {
    check_name(name)?;
    let string = hash(password)?;
    let mut entry = Entry::new(Event::Change, clock::now());
    entry.operation = Some("set-administrator".into());
    entry.detail = Some(name.into());
    vault.record(entry)?;
    let sql = "INSERT INTO users (name, sha512_password, admin) VALUES (?, ?, 1)
        ON CONFLICT (name) DO UPDATE SET sha512_password = excluded.sha512_password, admin = 1";
    let values = params![name, string.as_bytes()];
    vault.database().execute(sql, values).map(drop).map_err(failed("make an administrator"))
}

fn hash(password: &[u8]) -> Result<String, Refusal> {
    if password.is_empty() {
        return Err(refused("a password must not be empty"));
    }
    password::hash(password)
        .ok_or_else(|| Refusal::because(Code::UnknownError, "the password cannot be hashed"))
}

fn done() -> Reply {
    Answer::Done {}.into()
}

fn invalid(message: &str) -> Refusal {
    Refusal::because(Code::InvalidRequest, message)
}

/// What makes sense, and is not done.
fn refused(message: impl std::fmt::Display) -> Refusal {
    Refusal::because(Code::UnknownError, message)
}

/// Refuses bindings of the key's passphrase, rather than to leave it unbound in silence. What the client did to its own is
/// its own business.
fn bindable(bindings: &Bindings) -> Result<(), Refusal> {
    let read = |json: &Option<String>| -> Result<serde_json::Value, Refusal> {
        let json = json.as_deref().unwrap_or("[]");
        serde_json::from_str(json).map_err(|_| invalid("a binding is no JSON"))
    };
    read(&bindings.client)?;
    match read(&bindings.server)? {
        serde_json::Value::Array(methods) if methods.is_empty() => Ok(()),
        _ => Err(refused("passphrases cannot be bound on the server: none of the methods is offered")),
    }
}

/// The time of a day on which a key expires: noon UTC, as gpg reads a day.
fn noon(day: &str) -> Result<SourceDate, Refusal> {
    let plain = day.len() == 10 && day.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    let date = plain.then(|| format!("{day}T12:00:00Z").parse::<SourceDate>().ok()).flatten();
    let date = date.ok_or_else(|| invalid("the date is no day such as 2028-12-31"))?;
    if date <= clock::now() { Err(refused("the day of expiry has passed")) } else { Ok(date) }
}

struct Asking<'a> {
    vault: &'a Vault,
    request: &'a Request,
    secrets: &'a Secrets,
    user: &'a str,
}

impl Asking<'_> {
    fn administrator(&self) -> Result<User, Refusal> {
        self.vault.administrator(self.user, self.secrets)
    }

    /// From here on nobody else changes anything. Not before who asks is known: that may take its time.
    fn alone(&self) -> MutexGuard<'_, ()> {
        self.vault.changing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn record(&self, detail: String) -> Result<(), Refusal> {
        let mut entry = self.vault.entry(Event::Change, self.request);
        entry.detail = Some(detail).filter(|detail| !detail.is_empty());
        self.vault.record(entry).map(drop)
    }

    fn change(&self, sql: &str, values: impl rusqlite::Params) -> Result<(), Refusal> {
        self.vault.database().execute(sql, values).map(drop).map_err(failed("change the database"))
    }

    fn names(&self, sql: &str, values: impl rusqlite::Params) -> Result<Reply, Refusal> {
        let names = database::names(&self.vault.database(), sql, values).map_err(failed("list names"))?;
        let payload = names.iter().flat_map(|name| name.bytes().chain([0])).collect();
        let count = u32::try_from(names.len()).unwrap_or(u32::MAX);
        Ok(Reply { answer: Answer::Names { count }, payload: Zeroizing::new(payload) })
    }

    fn find_user(&self, name: &str) -> Result<Option<User>, Refusal> {
        check_name(name)?;
        database::user(&self.vault.database(), name).map_err(failed("look for a user"))
    }

    fn user_named(&self, name: &str) -> Result<User, Refusal> {
        self.find_user(name)?.ok_or_else(|| Code::UserNotFound.into())
    }

    fn find_key(&self, name: &str) -> Result<Option<Key>, Refusal> {
        check_name(name)?;
        database::key(&self.vault.database(), name).map_err(failed("look for a key"))
    }

    fn key_named(&self, name: &str) -> Result<Key, Refusal> {
        self.find_key(name)?.ok_or_else(|| Code::KeyNotFound.into())
    }

    fn access_of(&self, name: &str, key: &str) -> Result<(User, Key, database::Access), Refusal> {
        let (user, key) = (self.user_named(name)?, self.key_named(key)?);
        let access = self.find_access(&key, &user)?.ok_or(Code::KeyUserNotFound)?;
        Ok((user, key, access))
    }

    fn find_access(&self, key: &Key, user: &User) -> Result<Option<database::Access>, Refusal> {
        database::access(&self.vault.database(), key.id, user.id).map_err(failed("look for an access"))
    }

    fn new_user(&self, name: &str, admin: bool) -> Result<Reply, Refusal> {
        self.administrator()?;
        let _alone = self.alone();
        if self.find_user(name)?.is_some() {
            return Err(Code::AlreadyExists.into());
        }
        let password = self.secrets.get(Secret::NewPassword).filter(|password| !password.is_empty());
        let password = password.map(hash).transpose()?;
        self.record(format!("admin={admin}, password={}, name={name}", password.is_some()))?;
        let values = params![name, password.as_ref().map(String::as_bytes), admin];
        self.change("INSERT INTO users (name, sha512_password, admin) VALUES (?, ?, ?)", values)?;
        Ok(done())
    }

    fn delete_user(&self, name: &str) -> Result<Reply, Refusal> {
        self.administrator()?;
        let _alone = self.alone();
        let user = self.user_named(name)?;
        let sql = "SELECT CAST(id AS TEXT) FROM key_accesses WHERE user_id = ? LIMIT 1";
        let accesses = database::names(&self.vault.database(), sql, [user.id]);
        if !accesses.map_err(failed("look for accesses"))?.is_empty() {
            return Err(Code::UserHasKeyAccesses.into());
        }
        self.record(format!("name={name}"))?;
        self.change("DELETE FROM users WHERE id = ?", [user.id])?;
        Ok(done())
    }

    fn modify_user(&self, name: &str, admin: Option<bool>, new_name: Option<&str>) -> Result<Reply, Refusal> {
        self.administrator()?;
        let _alone = self.alone();
        let user = self.user_named(name)?;
        if let Some(new_name) = new_name
            && self.find_user(new_name)?.is_some()
        {
            return Err(Code::AlreadyExists.into());
        }
        let password = self.secrets.get(Secret::NewPassword).map(hash).transpose()?;
        let changes = format!("admin={admin:?}, new-name={new_name:?}, password={}", password.is_some());
        self.record(format!("name={name}, {changes}"))?;
        let sql = "UPDATE users SET admin = coalesce(?, admin), name = coalesce(?, name),
            sha512_password = coalesce(?, sha512_password) WHERE id = ?";
        self.change(sql, params![admin, new_name, password.as_ref().map(String::as_bytes), user.id])?;
        Ok(done())
    }

    /// The checks that new and imported keys share.
    fn room_for_key(&self, key: &str, keytype: Option<&str>, admin: Option<&str>) -> Result<User, Refusal> {
        self.administrator()?;
        if self.find_key(key)?.is_some() {
            return Err(Code::AlreadyExists.into());
        }
        if keytype.is_some_and(|keytype| keytype != "gnupg") {
            return Err(Code::UnsupportedKeytype.into());
        }
        self.user_named(admin.unwrap_or(self.user))
    }

    fn new_key(&self) -> Result<Reply, Refusal> {
        let Op::NewKey {
            key,
            keytype,
            initial_key_admin,
            name_real,
            name_comment,
            name_email,
            expire_date,
            algorithm,
        } = &self.request.operation
        else {
            return Err(Code::UnknownOp.into());
        };
        let admin = self.room_for_key(key, keytype.as_deref(), initial_key_admin.as_deref())?;
        let mut user_id = name_real.clone().unwrap_or_else(|| key.clone());
        for (part, around) in [(name_comment, ['(', ')']), (name_email, ['<', '>'])] {
            if let Some(part) = part {
                user_id = format!("{user_id} {}{part}{}", around[0], around[1]);
            }
        }
        let parts = [name_real, name_comment, name_email];
        let plain = |part: &String| {
            check_name(part).is_ok() && part.trim() == part && !part.contains(['<', '>', '(', ')'])
        };
        if !parts.into_iter().flatten().all(plain) {
            return Err(invalid("a part of the user id is empty or has a character that it cannot have"));
        }
        let expires = expire_date.as_deref().map(noon).transpose()?;
        self.secret(Secret::Passphrase)?;
        let made = Material::generate(algorithm.as_deref(), &user_id, clock::now(), expires);
        let made = made.map_err(|error| invalid(&error.to_string()))?;
        self.add_key(key, &admin, &made, Secret::Passphrase)?;
        let payload = Zeroizing::new(made.certificate().armored().into_bytes());
        Ok(Reply { answer: Answer::PublicKey {}, payload })
    }

    fn import_key(
        &self,
        key: &str,
        keytype: Option<&str>,
        admin: Option<&str>,
        data: &[u8],
    ) -> Result<Reply, Refusal> {
        let admin = self.room_for_key(key, keytype, admin)?;
        let passphrase = self.secret(Secret::Passphrase)?;
        self.secret(Secret::NewPassphrase)?;
        let made = match Material::parse(data, passphrase, &self.vault.modules, Pin::Given) {
            Ok(made) => made,
            Err(MaterialError::Passphrase) => return Err(Code::ImportPassphraseError.into()),
            Err(error) => return Err(Refusal::because(Code::InvalidImport, error)),
        };
        check(&made.certificate(), clock::now())
            .map_err(|error| Refusal::because(Code::InvalidImport, error))?;
        // Of what is kept for users, that would be taken for a passphrase that is bound to hardware.
        if made.is_kept() && (passphrase.starts_with(b"{") || passphrase.starts_with(b"[")) {
            return Err(Refusal::because(Code::InvalidImport, "a PIN cannot begin with a bracket here"));
        }
        let fingerprint = made.certificate().fingerprint();
        let there = database::names(
            &self.vault.database(),
            "SELECT name FROM keys WHERE fingerprint = ?",
            [fingerprint.as_str()],
        );
        if !there.map_err(failed("look for a key"))?.is_empty() {
            return Err(Refusal::because(Code::InvalidImport, "the key is here already, under another name"));
        }
        self.add_key(key, &admin, &made, Secret::NewPassphrase)?;
        Ok(done())
    }

    /// Stores a key under a new random passphrase, or what finds it on a token by its PIN, with its first user.
    fn add_key(&self, name: &str, admin: &User, made: &Material, secret: Secret) -> Result<(), Refusal> {
        let broken = |error: &dyn std::fmt::Display| Refusal::because(Code::UnknownError, error);
        let inner = match made.is_kept() {
            true => Zeroizing::new(self.secret(Secret::Passphrase)?.to_vec()),
            false => material::random_passphrase().map_err(|error| broken(&error))?,
        };
        let sealed = self.seal(&inner, secret)?;
        let _alone = self.alone();
        if self.find_key(name)?.is_some() {
            return Err(Code::AlreadyExists.into());
        }
        let file = made.protected(&inner).map_err(|error| broken(&error))?;
        let fingerprint = made.certificate().fingerprint();
        let mut entry = self.vault.entry(Event::Change, self.request);
        entry.fingerprint = Some(fingerprint.as_str().into());
        entry.detail = Some(format!("{}, first user {}", made.certificate().algorithm(), admin.name));
        self.vault.record(entry)?;
        let folder = &self.vault.folder;
        // What a run left that was killed here: the database knows no such key.
        keyfile::remove(folder, fingerprint.as_str()).map_err(|error| broken(&error))?;
        keyfile::create(folder, fingerprint.as_str(), &file).map_err(|error| broken(&error))?;
        let add = || -> rusqlite::Result<()> {
            let mut database = self.vault.database();
            let transaction = database.transaction()?;
            let values = [name, fingerprint.as_str()];
            transaction
                .execute("INSERT INTO keys (name, keytype, fingerprint) VALUES (?, 'gnupg', ?)", values)?;
            let sql = "INSERT INTO key_accesses (key_id, user_id, encrypted_passphrase, key_admin)
                VALUES (?, ?, ?, 1)";
            transaction.execute(sql, params![transaction.last_insert_rowid(), admin.id, sealed])?;
            transaction.commit()
        };
        add().map_err(failed("add a key")).inspect_err(|_| {
            keyfile::remove(folder, fingerprint.as_str()).ok();
        })
    }

    fn delete_key(&self, name: &str) -> Result<Reply, Refusal> {
        self.administrator()?;
        let _alone = self.alone();
        let key = self.key_named(name)?;
        self.record(format!("fingerprint={}", key.fingerprint))?;
        let delete = || -> rusqlite::Result<Vec<i64>> {
            let mut database = self.vault.database();
            let transaction = database.transaction()?;
            let sql = "SELECT id FROM key_accesses WHERE key_id = ?";
            let accesses =
                transaction.prepare(sql)?.query_map([key.id], |row| row.get(0))?.collect::<Result<_, _>>()?;
            transaction.execute("DELETE FROM key_accesses WHERE key_id = ?", [key.id])?;
            transaction.execute("DELETE FROM keys WHERE id = ?", [key.id])?;
            transaction.execute("DELETE FROM gander_pending WHERE fingerprint = ?", [&key.fingerprint])?;
            transaction.commit()?;
            Ok(accesses)
        };
        let accesses = delete().map_err(failed("delete a key"))?;
        accesses.into_iter().for_each(|access| self.vault.cache.withdraw(access));
        keyfile::remove(&self.vault.folder, &key.fingerprint).map_err(|error| {
            Refusal::because(Code::UnknownError, format!("the key's file stays: {error}"))
        })?;
        Ok(done())
    }

    fn modify_key(&self, name: &str, new_name: Option<&str>) -> Result<Reply, Refusal> {
        self.administrator()?;
        let _alone = self.alone();
        let key = self.key_named(name)?;
        if let Some(new_name) = new_name {
            if self.find_key(new_name)?.is_some() {
                return Err(Code::AlreadyExists.into());
            }
            self.record(format!("new-name={new_name}"))?;
            self.change("UPDATE keys SET name = ? WHERE id = ?", params![new_name, key.id])?;
        }
        Ok(done())
    }

    fn grant(&self, key: &str, name: &str, bindings: &Bindings) -> Result<Reply, Refusal> {
        let entrance = self.vault.key_administrator(self.user, key, self.secrets)?;
        let _alone = self.alone();
        let user = self.user_named(name)?;
        self.secret(Secret::NewPassphrase)?;
        if self.find_access(&entrance.key, &user)?.is_some() {
            return Err(Code::AlreadyExists.into());
        }
        bindable(bindings)?;
        let sealed = self.seal(&entrance.unlocked.passphrase, Secret::NewPassphrase)?;
        self.record(format!("name={name}"))?;
        let sql =
            "INSERT INTO key_accesses (key_id, user_id, encrypted_passphrase, key_admin) VALUES (?, ?, ?, 0)";
        self.change(sql, params![entrance.key.id, user.id, sealed])?;
        Ok(done())
    }

    fn revoke(&self, key: &str, name: &str) -> Result<Reply, Refusal> {
        let key = self.vault.either(self.user, key, self.secrets, true)?;
        let _alone = self.alone();
        let user = self.user_named(name)?;
        let access = self.find_access(&key, &user)?.ok_or(Code::KeyUserNotFound)?;
        let sql = "SELECT CAST(id AS TEXT) FROM key_accesses WHERE key_id = ? LIMIT 2";
        let accesses =
            database::names(&self.vault.database(), sql, [key.id]).map_err(failed("look for accesses"))?;
        if accesses.len() < 2 {
            return Err(Code::OnlyOneKeyUser.into());
        }
        self.record(format!("name={name}"))?;
        self.change("DELETE FROM key_accesses WHERE id = ?", [access.id])?;
        self.vault.cache.withdraw(access.id);
        Ok(done())
    }

    fn change_expiration(&self, key: &str, subkey: Option<u32>, day: Option<&str>) -> Result<Reply, Refusal> {
        let entrance = self.vault.key_administrator(self.user, key, self.secrets)?;
        let _alone = self.alone();
        let expires = day.map(noon).transpose()?;
        let bytes = self.read_key(&entrance.key)?;
        let unusable = |error: MaterialError| Refusal::because(Code::UnknownError, error);
        let passphrase = &entrance.unlocked.passphrase;
        let mut material =
            Material::parse(&bytes, passphrase, &self.vault.modules, Pin::Kept).map_err(unusable)?;
        material.extend(subkey, expires, clock::now()).map_err(refused)?;
        let file = material.protected(passphrase).map_err(unusable)?;
        self.record(format!("subkey={subkey:?}, expires={}", day.unwrap_or("never")))?;
        keyfile::replace(&self.vault.folder, &entrance.key.fingerprint, &file).map_err(|error| {
            Refusal::because(Code::UnknownError, format!("the key's file is as it was: {error}"))
        })?;
        self.vault.cache.wipe();
        Ok(done())
    }

    fn approve(&self, key: &str, id: &str) -> Result<Reply, Refusal> {
        let entrance = self.vault.key_user(self.user, key, self.secrets)?;
        let policy = self.vault.policy()?;
        let approve = policy.approver(&entrance.key.name, self.user).ok_or_else(|| {
            Refusal::because(Code::Policy, "the key's policy does not name this user among those who approve")
        })?;
        let (fingerprint, now) = (&entrance.key.fingerprint, clock::now());
        let requester = approvals::requester(&self.vault.database(), id, fingerprint, now);
        let requester = requester.map_err(failed("look for a request"))?;
        let requester = requester.ok_or_else(|| invalid("no request with that id waits for this key"))?;
        if requester == self.user && !approve.requester {
            return Err(Refusal::because(Code::Policy, "who asked cannot approve"));
        }
        let mut entry = self.vault.entry(Event::Approval, self.request);
        entry.fingerprint = Some(fingerprint.clone());
        entry.detail = Some(format!("request {id} of {requester}"));
        self.vault.record(entry)?;
        let given = approvals::approve(&self.vault.database(), id, self.user, approve, &requester, now);
        Ok(Answer::Approval { given: given.map_err(failed("take an approval"))?, needed: approve.needed }
            .into())
    }

    fn secret(&self, which: Secret) -> Result<&[u8], Refusal> {
        let secret = self.secrets.get(which).filter(|secret| !secret.is_empty());
        secret.ok_or_else(|| invalid("a passphrase that is needed is missing or empty"))
    }

    fn seal(&self, inner: &[u8], under: Secret) -> Result<Vec<u8>, Refusal> {
        material::seal(inner, self.secret(under)?)
            .map_err(|error| Refusal::because(Code::UnknownError, error))
    }

    fn read_key(&self, key: &Key) -> Result<Zeroizing<Vec<u8>>, Refusal> {
        keyfile::read(&self.vault.folder, &key.fingerprint).map_err(|error| {
            say(format_args!("the file of the key {} cannot be read: {error}", key.fingerprint));
            self.unusable(key)
        })
    }

    fn unusable(&self, key: &Key) -> Refusal {
        Refusal::because(
            Code::UnknownError,
            format!("the file of the key {} cannot be read", key.fingerprint),
        )
    }
}
