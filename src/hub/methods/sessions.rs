//! Who is logged in: sessions as Koji has them (hub 1.35.3), in memory.
//!
//! A login makes a session with a number and a random key, bound to the client's address. Each call names both and may
//! carry a call number, which rises: a number that a change was made under is refused when it comes again (1009), a
//! lower one always (1008), so that a client that repeats a call after a lost answer changes nothing twice. A session
//! that was not renewed for a day has expired (1007): its owner logs in again with `renew`, which gives it a new key.
//! When the hub ends, so do all sessions.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::format::xmlrpc::Fault;

/// Fault codes of sessions.
pub const AUTH_ERROR: i64 = 1002;
const AUTH_EXPIRED: i64 = 1007;
const SEQUENCE_ERROR: i64 = 1008;
const RETRY_ERROR: i64 = 1009;

/// Seconds that a session is good for: Koji's default of SessionRenewalTimeout, 1440 minutes.
const LIFETIME: f64 = 86_400.0;
/// Sessions that are kept; beyond, the one that was not used for longest goes.
const MOST: usize = 10_000;
/// Characters of the random part of a key: 62 to the power of 32 is more than 190 bits.
const KEY: usize = 32;

/// What a request says about its session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// The session's number.
    pub id: i64,
    /// Its key.
    pub key: String,
    /// The number of the call.
    pub call: Option<i64>,
}

/// A user who is logged in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    /// The session's number.
    pub session: i64,
    /// The user's id in the hub.
    pub user: i64,
    /// The user's name.
    pub name: String,
}

#[derive(Clone, Debug)]
struct Session {
    user: i64,
    name: String,
    key: String,
    address: IpAddr,
    /// When it was made or renewed, and used last; seconds since 1970.
    renewed: f64,
    used: f64,
    /// The number of the last call that changed something.
    last: Option<i64>,
    /// Held by the call that is being answered.
    turn: Arc<Mutex<()>>,
}

impl Session {
    /// Whether a ticket has its key.
    fn has(&self, ticket: &Ticket) -> bool {
        self.key.len() == ticket.key.len() && openssl::memcmp::eq(self.key.as_bytes(), ticket.key.as_bytes())
    }
}

/// All sessions of a hub.
#[derive(Debug, Default)]
pub struct Sessions {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    open: BTreeMap<i64, Session>,
    next: i64,
}

/// What a ticket is good for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Admitted {
    /// The session holds.
    Login(Login),
    /// The session has expired: only a login may use it, to renew it.
    Expired(i64),
}

fn fault(code: i64, text: impl Into<String>) -> Fault {
    Fault { code, text: text.into() }
}

impl Sessions {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at the ticket of a request from an address at a time (seconds since 1970).
    pub fn admit(&self, ticket: &Ticket, address: IpAddr, method: &str, now: f64) -> Result<Admitted, Fault> {
        let unknown = || fault(AUTH_ERROR, "Invalid session or bad credentials");
        let mut state = self.state();
        let session = state.open.get_mut(&ticket.id).ok_or_else(unknown)?;
        if !session.has(ticket) || session.address != address {
            return Err(unknown());
        }
        let expired = now > session.renewed + LIFETIME;
        if expired && !matches!(method, "login" | "sslLogin") {
            return Err(fault(AUTH_EXPIRED, format!("session \"{}\" has expired", ticket.id)));
        }
        if let (Some(call), Some(last)) = (ticket.call, session.last) {
            if last > call {
                let text = format!("{last} > {call} (session {})", ticket.id);
                return Err(fault(SEQUENCE_ERROR, text));
            }
            if last == call {
                let text = format!("unable to retry call {call} (method {method}) for session {}", ticket.id);
                return Err(fault(RETRY_ERROR, text));
            }
        }
        if expired {
            return Ok(Admitted::Expired(ticket.id));
        }
        session.used = now;
        Ok(Admitted::Login(Login { session: ticket.id, user: session.user, name: session.name.clone() }))
    }

    /// Calls of a session take turns, so that one that is sent again while the first is still being answered is known for
    /// what it is. None where the key is not the session's.
    pub fn turn(&self, ticket: &Ticket) -> Option<Arc<Mutex<()>>> {
        let state = self.state();
        let session = state.open.get(&ticket.id).filter(|session| session.has(ticket))?;
        Some(Arc::clone(&session.turn))
    }

    /// Records that a call changed something.
    pub fn changed(&self, ticket: &Ticket) {
        if let (Some(call), Some(session)) = (ticket.call, self.state().open.get_mut(&ticket.id)) {
            session.last = Some(session.last.map_or(call, |last| last.max(call)));
        }
    }

    /// Opens a session, or gives an expired one of the same user a new key: its number and its key.
    pub fn open(
        &self,
        user: i64,
        name: &str,
        address: IpAddr,
        renew: Option<i64>,
        now: f64,
    ) -> Result<(i64, String), Fault> {
        let key = new_key(user).map_err(|error| fault(1, error.to_string()))?;
        let mut state = self.state();
        if let Some(id) = renew
            && let Some(session) = state.open.get_mut(&id).filter(|session| session.user == user)
        {
            (session.key, session.renewed, session.used) = (key.clone(), now, now);
            return Ok((id, key));
        }
        if state.open.len() >= MOST {
            let idle = state.open.iter().min_by(|a, b| a.1.used.total_cmp(&b.1.used)).map(|(id, _)| *id);
            idle.and_then(|id| state.open.remove(&id));
        }
        state.next += 1;
        let id = state.next;
        let session = Session {
            user,
            name: name.to_owned(),
            key: key.clone(),
            address,
            renewed: now,
            used: now,
            last: None,
            turn: Arc::default(),
        };
        state.open.insert(id, session);
        Ok((id, key))
    }

    /// Ends a session.
    pub fn close(&self, id: i64) {
        self.state().open.remove(&id);
    }

    /// Whose session this is.
    pub fn owner(&self, id: i64) -> Option<i64> {
        self.state().open.get(&id).map(|session| session.user)
    }
}

/// A key as Koji makes them: the user's id and random letters and digits.
fn new_key(user: i64) -> Result<String, openssl::error::ErrorStack> {
    const LETTERS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut key = format!("{user}-");
    let full = key.len() + KEY;
    let mut random = [0; 2 * KEY];
    while key.len() < full {
        openssl::rand::rand_bytes(&mut random)?;
        // Of 256 values, 248 fall evenly on 62 letters; the others are left out.
        let letters = random.iter().filter(|byte| **byte < 248);
        let letters = letters.filter_map(|byte| LETTERS.get(usize::from(byte % 62)));
        key.extend(letters.take(full - key.len()).map(|letter| char::from(*letter)));
    }
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
    const THERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 7));

    fn ticket(id: i64, key: &str, call: Option<i64>) -> Ticket {
        Ticket { id, key: key.to_owned(), call }
    }

    fn code(result: Result<Admitted, Fault>) -> i64 {
        result.unwrap_err().code
    }

    #[test]
    fn a_session_is_its_number_its_key_and_its_address() {
        let sessions = Sessions::default();
        let (id, key) = sessions.open(7, "goose", HERE, None, 0.0).unwrap();
        assert!(key.starts_with("7-") && key.len() == 2 + KEY, "{key}");
        let admitted = sessions.admit(&ticket(id, &key, None), HERE, "getTag", 1.0).unwrap();
        assert_eq!(admitted, Admitted::Login(Login { session: id, user: 7, name: "goose".into() }));
        let stolen = [ticket(id, "7-x", None), ticket(id, &key[1..], None), ticket(id + 1, &key, None)];
        for stolen in stolen {
            assert_eq!(code(sessions.admit(&stolen, HERE, "getTag", 1.0)), AUTH_ERROR);
        }
        assert_eq!(code(sessions.admit(&ticket(id, &key, None), THERE, "getTag", 1.0)), AUTH_ERROR);
        sessions.close(id);
        assert_eq!(code(sessions.admit(&ticket(id, &key, None), HERE, "getTag", 1.0)), AUTH_ERROR);
    }

    #[test]
    fn a_call_that_changed_something_is_not_repeated() {
        let sessions = Sessions::default();
        let (id, key) = sessions.open(7, "goose", HERE, None, 0.0).unwrap();
        let call = |number| ticket(id, &key, Some(number));
        for number in [5, 5, 3] {
            sessions.admit(&call(number), HERE, "getTag", 1.0).unwrap();
        }
        sessions.changed(&call(5));
        assert_eq!(code(sessions.admit(&call(5), HERE, "createTag", 1.0)), RETRY_ERROR);
        assert_eq!(code(sessions.admit(&call(4), HERE, "createTag", 1.0)), SEQUENCE_ERROR);
        sessions.admit(&call(6), HERE, "createTag", 1.0).unwrap();
        sessions.admit(&ticket(id, &key, None), HERE, "createTag", 1.0).unwrap();
    }

    #[test]
    fn an_expired_session_can_be_renewed_by_its_user_only() {
        let sessions = Sessions::default();
        let (id, key) = sessions.open(7, "goose", HERE, None, 0.0).unwrap();
        let late = LIFETIME + 1.0;
        assert_eq!(code(sessions.admit(&ticket(id, &key, None), HERE, "getTag", late)), AUTH_EXPIRED);
        let admitted = sessions.admit(&ticket(id, &key, None), HERE, "login", late).unwrap();
        assert_eq!(admitted, Admitted::Expired(id));
        let (other, _) = sessions.open(8, "duck", HERE, Some(id), late).unwrap();
        assert_ne!(other, id);
        let (same, new) = sessions.open(7, "goose", HERE, Some(id), late).unwrap();
        assert_eq!(same, id);
        assert_eq!(code(sessions.admit(&ticket(id, &key, None), HERE, "getTag", late)), AUTH_ERROR);
        sessions.admit(&ticket(id, &new, None), HERE, "getTag", late).unwrap();
    }

    #[test]
    fn there_is_room_for_so_many_sessions_only() {
        let sessions = Sessions::default();
        let (first, key) = sessions.open(7, "goose", HERE, None, 0.0).unwrap();
        for _ in 0..MOST {
            sessions.open(7, "goose", HERE, None, 1.0).unwrap();
        }
        assert_eq!(sessions.state().open.len(), MOST);
        assert_eq!(code(sessions.admit(&ticket(first, &key, None), HERE, "getTag", 2.0)), AUTH_ERROR);
    }
}
