//! Logins: sessions, their call numbers, their renewal and their end.
//!
//! A hub answers a login with the session's id and a secret key, which come with every call from then on: in headers, or
//! in the address on hubs before Koji 1.31, which do not say `header-auth`. Calls are numbered, and a hub carries out a
//! change with the same number only once, so that a call whose answer was lost can be sent again. A session that has
//! expired (fault 1007) is renewed by the same login. Keys and passwords are wiped from memory and shown nowhere.

use std::fmt;
use std::sync::{Arc, PoisonError};

use serde::Deserialize;
use zeroize::{Zeroize as _, Zeroizing};

use super::connection::Hub;
use super::error::KojiError;
use super::login::{self, Proof};
use super::negotiate;
use super::profile::Profile;
use super::transport::{Request, Ticket};
use crate::format::xmlrpc::{Arguments, Value, write_call};

/// What somebody logs in with.
#[derive(Clone)]
pub enum Credentials {
    /// A name and a password.
    Password {
        /// The user.
        user: String,
        /// The password.
        password: Zeroizing<String>,
    },
    /// The profile's client certificate, whose name is that of the user.
    Certificate,
    /// A ticket of Kerberos of the profile's `principal`, or of whoever has one; it needs the feature `gssapi`.
    Kerberos,
}

impl Credentials {
    /// What a profile says that somebody logs in with, as the koji program has it; nothing where nobody does.
    ///
    /// # Errors
    /// `authtype` is not known, or is one that this build, or a profile alone, does not do.
    pub fn of(profile: &Profile) -> Result<Option<Self>, KojiError> {
        let no = |reason: String| Err(KojiError::Login { url: profile.server.clone(), reason });
        match profile.authtype.as_deref() {
            Some("noauth") => Ok(None),
            Some("ssl") => Ok(Some(Self::Certificate)),
            None if profile.cert.is_some() => Ok(Some(Self::Certificate)),
            Some("kerberos" | "gssapi") | None if negotiate::HERE => Ok(Some(Self::Kerberos)),
            Some("kerberos" | "gssapi") => no(negotiate::LACKS.into()),
            None => no(format!("the profile names neither 'authtype' nor 'cert', and {}", negotiate::LACKS)),
            Some("password") => no("a profile has no password: give a user and a password".into()),
            Some(other) => no(format!(
                "'authtype' is '{}': known are noauth, ssl, password, kerberos and gssapi",
                other.escape_debug()
            )),
        }
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Password { user, .. } => write!(f, "Password({user:?})"),
            Self::Certificate => f.write_str("Certificate"),
            Self::Kerberos => f.write_str("Kerberos"),
        }
    }
}

/// A login that a hub accepted.
pub(super) struct Session {
    id: i64,
    key: Zeroizing<String>,
    /// The number of the next call.
    next: u64,
    in_url: bool,
    login: Login,
}

/// How a session was begun, and is renewed.
#[derive(Clone)]
struct Login {
    credentials: Credentials,
    /// Whom it is for, where that is somebody else.
    user: Option<String>,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Session {{ id: {} }}", self.id)
    }
}

/// A hub's answer to a login.
#[derive(Deserialize)]
pub(super) struct Granted {
    #[serde(rename = "session-id")]
    id: i64,
    #[serde(rename = "session-key")]
    key: String,
    #[serde(rename = "header-auth", default)]
    header_auth: bool,
}

impl Hub {
    /// Logs in. Every later call is made as that user.
    pub async fn login(&self, credentials: Credentials) -> Result<(), KojiError> {
        self.enter(Login { credentials, user: None }, None).await
    }

    /// Logs in by a certificate or a ticket for somebody else (`proxyuser`), which the hub allows few (`ProxyDNs`,
    /// `ProxyPrincipals`). Every later call is made as that user. A password serves its own user alone.
    pub async fn login_for(&self, user: &str, credentials: Credentials) -> Result<(), KojiError> {
        self.enter(Login { credentials, user: Some(user.into()) }, None).await
    }

    /// Ends the session.
    pub async fn logout(&self) -> Result<(), KojiError> {
        if self.is_logged_in() {
            self.call::<Option<i64>>("logout", Arguments::none()).await?;
            drop(self.session().take());
        }
        Ok(())
    }

    /// Whether calls are made as somebody.
    pub fn is_logged_in(&self) -> bool {
        self.session().is_some()
    }

    fn session(&self) -> std::sync::MutexGuard<'_, Option<Session>> {
        // A session is replaced as a whole: there is no half of one.
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The session that the next call belongs to, with the call's number.
    pub(super) fn ticket(&self) -> Option<Ticket> {
        let mut session = self.session();
        let session = session.as_mut()?;
        let number = session.next;
        session.next += 1;
        Some(Ticket { id: session.id, key: session.key.clone(), number, in_url: session.in_url })
    }

    /// Renews the session that a call belonged to, which has expired, and gives the call's new ticket. Another call may
    /// have renewed it before.
    pub(super) async fn renew(&self, expired: Ticket) -> Result<Option<Ticket>, KojiError> {
        let login =
            self.session().as_ref().map(|session| (session.login.clone(), *session.key != *expired.key));
        match login {
            None => return Ok(None),
            Some((_, true)) => {}
            Some((login, false)) => self.enter(login, Some(expired)).await?,
        }
        Ok(self.ticket())
    }

    async fn enter(&self, login: Login, expired: Option<Ticket>) -> Result<(), KojiError> {
        let renews = expired.is_some().then_some(true);
        let impossible = |reason: &str| KojiError::Login { url: self.name().into(), reason: reason.into() };
        let granted: Granted = match (&login.credentials, &login.user) {
            (Credentials::Password { .. }, Some(_)) => {
                return Err(impossible("a password serves its own user alone"));
            }
            (Credentials::Password { user, password }, None) => {
                let arguments =
                    Arguments::of(user.as_str()).and(password.as_str()).with_some("renew", renews);
                let mut params = arguments.into_params();
                let body = Arc::new(Zeroizing::new(write_call("login", &params)));
                for param in &mut params {
                    if let Value::Text(text) = param {
                        text.zeroize();
                    }
                }
                let request = Request { body, session: expired };
                self.exchange("login", request).await?
            }
            (Credentials::Certificate | Credentials::Kerberos, user) => {
                let proof = match login.credentials {
                    Credentials::Kerberos => Proof::Kerberos,
                    _ => Proof::Certificate,
                };
                let profile = self.profile.as_ref().ok_or_else(|| impossible("there is no profile"))?;
                let arguments = match user {
                    Some(user) => Arguments::of(user.as_str()),
                    None => Arguments::none(),
                };
                let call = write_call("sslLogin", &arguments.with_some("renew", renews).into_params());
                login::by(proof, profile, call, expired.as_ref()).await?
            }
        };
        let key = Zeroizing::new(granted.key);
        let session = Session { id: granted.id, key, next: 0, in_url: !granted.header_auth, login };
        *self.session() = Some(session);
        Ok(())
    }
}
