//! Who asks is who they say, and may ask: sigul's four ways to authenticate.

use std::sync::Arc;

use super::database::{self, Access, Key, User};
use super::unlocked::{Known, Unlocked};
use super::{Secrets, Vault, failed, material, password};
use crate::sign::agent::request::{Code, LONGEST_NAME, Refusal, Secret};
use crate::sign::log::say;

/// A user with access to a key, which their passphrase has opened.
#[derive(Debug)]
pub(super) struct Entrance {
    pub key: Key,
    pub access: Access,
    pub unlocked: Arc<Unlocked>,
}

/// Names are fields of sigul's protocol: 1 to 255 printable ASCII characters.
pub(super) fn check_name(name: &str) -> Result<(), Refusal> {
    let printable = name.bytes().all(|byte| (0x20..=0x7e).contains(&byte));
    if (1..=LONGEST_NAME).contains(&name.len()) && printable {
        return Ok(());
    }
    Err(Refusal::because(Code::InvalidRequest, "a name must have 1 to 255 printable ASCII characters"))
}

fn denied(reason: &'static str) -> Refusal {
    // Only the log of the signer says why: who guesses is told nothing.
    say(format_args!("authentication failed: {reason}"));
    Code::AuthenticationFailed.into()
}

impl Vault {
    /// An administrator, by their password.
    pub(super) fn administrator(&self, user: &str, secrets: &Secrets) -> Result<User, Refusal> {
        let given = secrets.get(Secret::Password).ok_or_else(|| denied("no password was given"))?;
        check_name(user)?;
        let who = (user.to_owned(), String::new());
        let user = database::user(&self.database(), user).map_err(failed("look for a user"))?;
        let user = self.limits.attempt(
            &who,
            |who, failures| self.keep_failures(who, failures),
            || {
                let string = user.as_ref().and_then(|user| user.password.as_deref());
                if password::verify(given, string) { user } else { None }
            },
        )?;
        if user.admin { Ok(user) } else { Err(denied("the user is no administrator")) }
    }

    /// A user with access to a key, by their passphrase.
    pub(super) fn key_user(&self, user: &str, key: &str, secrets: &Secrets) -> Result<Entrance, Refusal> {
        let passphrase = secrets.get(Secret::Passphrase).ok_or_else(|| denied("no passphrase was given"))?;
        check_name(user)?;
        check_name(key)?;
        let who = (user.to_owned(), key.to_owned());
        let found = self.find(user, key)?;
        let known = |known: &Option<(Key, Access)>| {
            known.as_ref().map_or(Known::Nothing, |(_, access)| self.cache.find(access.id, passphrase))
        };
        if !self.limits.is_failing(&who) {
            match (known(&found), found.clone()) {
                (Known::Right(unlocked), Some((key, access))) => {
                    return Ok(Entrance { key, access, unlocked });
                }
                // Else many guesses at once could all be tried against a key that is unlocked.
                (Known::Wrong, _) => self.limits.suspect(&who),
                _ => {}
            }
        }
        self.limits.attempt(
            &who,
            |who, failures| self.keep_failures(who, failures),
            || {
                if let Known::Right(unlocked) = known(&found) {
                    let (key, access) = found?;
                    return Some(Entrance { key, access, unlocked });
                }
                let any = || database::any_sealed(&self.database()).ok().flatten();
                // Where there is no access, another one serves: so it takes as long, whatever program sealed them.
                let sealed = match &found {
                    Some((_, access)) => access.sealed.clone(),
                    None => any().unwrap_or_else(|| self.nothing.clone()),
                };
                let inner = material::unseal(&sealed, passphrase)?;
                let (key, access) = found?;
                if inner.starts_with(b"{") || inner.starts_with(b"[") {
                    say("an access is bound to hardware, which is not offered");
                    return None;
                }
                let unlocked = Arc::new(Unlocked::new(inner));
                // If the access or its passphrase changed meanwhile, this one must not be found again.
                let database = self.database();
                let now = database::key(&database, &key.name).ok().flatten();
                let now =
                    now.and_then(|key| database::access_of(&database, key.id, access.id).ok().flatten());
                if now.is_some_and(|now| now.sealed == access.sealed) {
                    self.cache.keep(access.id, passphrase, &unlocked);
                }
                drop(database);
                Some(Entrance { key, access, unlocked })
            },
        )
    }

    /// A user who administers a key, by their passphrase.
    pub(super) fn key_administrator(
        &self,
        user: &str,
        key: &str,
        secrets: &Secrets,
    ) -> Result<Entrance, Refusal> {
        let entrance = self.key_user(user, key, secrets)?;
        if entrance.access.admin { Ok(entrance) } else { Err(denied("the user does not administer the key")) }
    }

    /// An administrator by their password, or else a user of the key by their passphrase, who must administer it if
    /// that is asked.
    pub(super) fn either(
        &self,
        user: &str,
        key: &str,
        secrets: &Secrets,
        key_admin: bool,
    ) -> Result<Key, Refusal> {
        if secrets.get(Secret::Password).is_none() {
            let entrance = self.key_user(user, key, secrets)?;
            if key_admin && !entrance.access.admin {
                return Err(denied("the user does not administer the key"));
            }
            return Ok(entrance.key);
        }
        self.administrator(user, secrets)?;
        check_name(key)?;
        let found = database::key(&self.database(), key).map_err(failed("look for a key"))?;
        // As sigul does: who could not ask for the key is not told whether there is one.
        found.ok_or_else(|| denied("there is no such key"))
    }

    fn find(&self, user: &str, key: &str) -> Result<Option<(Key, Access)>, Refusal> {
        let database = self.database();
        let look = || -> rusqlite::Result<_> {
            let (user, key) = (database::user(&database, user)?, database::key(&database, key)?);
            let (Some(user), Some(key)) = (user, key) else { return Ok(None) };
            Ok(database::access(&database, key.id, user.id)?.map(|access| (key, access)))
        };
        look().map_err(failed("look for a user's access"))
    }

    fn keep_failures(&self, who: &super::limit::Who, failures: super::limit::Failures) {
        if let Err(error) = database::keep_failures(&self.database(), who, failures) {
            say(format_args!("failures cannot be kept: {error}"));
        }
    }
}
