//! Who is logged in: sessions as Koji has them (hub 1.35.3). They are in memory, and what changes of them is kept with the
//! hub's state ([`crate::hub::sessions`]), so that they outlive the server; when one was only used is not.
//!
//! A login makes a session with a number and a random key, bound to the client's address. Each call names both and may
//! carry a call number, which rises: a number that a change was made under is refused when it comes again (1009), a
//! lower one always (1008), so that a client that repeats a call after a lost answer changes nothing twice. A session
//! that was not renewed for a day has expired (1007): its owner logs in again with `renew`, which gives it a new key.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use openssl::sha::sha256;

use crate::format::xmlrpc::Fault;
use crate::hub::Time;
use crate::hub::sessions::Session;

/// Fault codes of sessions.
pub const AUTH_ERROR: i64 = 1002;
const AUTH_EXPIRED: i64 = 1007;
const SEQUENCE_ERROR: i64 = 1008;
const RETRY_ERROR: i64 = 1009;

/// Microseconds that a session is good for: Koji's default of SessionRenewalTimeout, 1440 minutes.
const LIFETIME: i64 = 86_400_000_000;
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
struct Open {
    kept: Session,
    /// When it was used last.
    used: Time,
    /// Held by the call that is being answered.
    turn: Arc<Mutex<()>>,
}

impl Open {
    fn new(kept: Session) -> Self {
        Self { used: kept.updated, kept, turn: Arc::default() }
    }

    /// Whether a ticket has its key.
    fn has(&self, ticket: &Ticket) -> bool {
        let digest = sha256(ticket.key.as_bytes());
        self.kept.digest.len() == digest.len() && openssl::memcmp::eq(&self.kept.digest, &digest)
    }

    fn is_expired(&self, now: Time) -> bool {
        now.micros() > self.kept.renewed.unwrap_or(self.kept.started).micros() + LIFETIME
    }
}

/// A session that was opened or renewed.
#[derive(Clone, Debug)]
pub struct Opened {
    /// As it is to be kept.
    pub session: Session,
    /// Its key.
    pub key: String,
    /// The session that had to go for it.
    pub ended: Option<i64>,
}

/// All sessions of a hub.
#[derive(Debug, Default)]
pub struct Sessions {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    open: BTreeMap<i64, Open>,
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

    /// The sessions that a hub kept, and the number of the last one.
    pub fn of(kept: Vec<Session>, last: i64) -> Self {
        let open = kept.into_iter().map(|kept| (kept.id, Open::new(kept))).collect();
        Self { state: Mutex::new(State { open, next: last }) }
    }

    /// Looks at the ticket of a request from an address.
    pub fn admit(
        &self,
        ticket: &Ticket,
        address: IpAddr,
        method: &str,
        now: Time,
    ) -> Result<Admitted, Fault> {
        let unknown = || fault(AUTH_ERROR, "Invalid session or bad credentials");
        let mut state = self.state();
        let session = state.open.get_mut(&ticket.id).ok_or_else(unknown)?;
        if !session.has(ticket) || session.kept.address != address.to_string() {
            return Err(unknown());
        }
        let expired = session.is_expired(now);
        if expired && !matches!(method, "login" | "sslLogin") {
            return Err(fault(AUTH_EXPIRED, format!("session \"{}\" has expired", ticket.id)));
        }
        if let (Some(call), Some(last)) = (ticket.call, session.kept.call) {
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
        Ok(Admitted::Login(Login { session: ticket.id, user: session.kept.user, name: String::new() }))
    }

    /// Calls of a session take turns, so that one that is sent again while the first is still being answered is known for
    /// what it is. None where the key is not the session's.
    pub fn turn(&self, ticket: &Ticket) -> Option<Arc<Mutex<()>>> {
        let state = self.state();
        let session = state.open.get(&ticket.id).filter(|session| session.has(ticket))?;
        Some(Arc::clone(&session.turn))
    }

    /// Records that a call changed something.
    pub fn changed(&self, ticket: &Ticket, now: Time) {
        if let (Some(call), Some(session)) = (ticket.call, self.state().open.get_mut(&ticket.id)) {
            let kept = &mut session.kept;
            (kept.call, kept.updated) = (Some(kept.call.map_or(call, |last| last.max(call))), now);
        }
    }

    /// Opens a session, or gives an expired one of the same user a new key.
    pub fn open(&self, user: i64, address: IpAddr, renew: Option<i64>, now: Time) -> Result<Opened, Fault> {
        let key = new_key(user).map_err(|error| fault(1, error.to_string()))?;
        let digest = sha256(key.as_bytes()).to_vec();
        let mut state = self.state();
        if let Some(id) = renew
            && let Some(open) = state.open.get_mut(&id).filter(|open| open.kept.user == user)
        {
            let kept = &mut open.kept;
            (kept.digest, kept.renewed, kept.updated, open.used) = (digest, Some(now), now, now);
            return Ok(Opened { session: kept.clone(), key, ended: None });
        }
        let mut ended = None;
        if state.open.len() >= MOST {
            ended = state.open.iter().min_by_key(|(_, open)| open.used).map(|(id, _)| *id);
            ended.and_then(|id| state.open.remove(&id));
        }
        state.next += 1;
        let session = Session {
            id: state.next,
            user,
            digest,
            address: address.to_string(),
            call: None,
            updated: now,
            started: now,
            renewed: None,
        };
        state.open.insert(session.id, Open::new(session.clone()));
        Ok(Opened { session, key, ended })
    }

    /// Ends a session.
    pub fn close(&self, id: i64) {
        self.state().open.remove(&id);
    }

    /// Whose session this is.
    pub fn owner(&self, id: i64) -> Option<i64> {
        self.state().open.get(&id).map(|open| open.kept.user)
    }

    /// The sessions of a user that have not expired.
    pub fn of_user(&self, user: i64, now: Time) -> Vec<Session> {
        let state = self.state();
        let open = state.open.values().filter(|open| open.kept.user == user && !open.is_expired(now));
        open.map(|open| Session { updated: open.used, ..open.kept.clone() }).collect()
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

    fn at(seconds: i64) -> Time {
        Time::from_micros(seconds * 1_000_000)
    }

    fn opened(opened: Result<Opened, Fault>) -> (i64, String) {
        let opened = opened.unwrap();
        (opened.session.id, opened.key)
    }

    fn code(result: Result<Admitted, Fault>) -> i64 {
        result.unwrap_err().code
    }

    #[test]
    fn a_session_is_its_number_its_key_and_its_address() {
        let sessions = Sessions::default();
        let (id, key) = opened(sessions.open(7, HERE, None, at(0)));
        assert!(key.starts_with("7-") && key.len() == 2 + KEY, "{key}");
        let admitted = sessions.admit(&ticket(id, &key, None), HERE, "getTag", at(1)).unwrap();
        assert_eq!(admitted, Admitted::Login(Login { session: id, user: 7, name: String::new() }));
        let stolen = [ticket(id, "7-x", None), ticket(id, &key[1..], None), ticket(id + 1, &key, None)];
        for stolen in stolen {
            assert_eq!(code(sessions.admit(&stolen, HERE, "getTag", at(1))), AUTH_ERROR);
        }
        assert_eq!(code(sessions.admit(&ticket(id, &key, None), THERE, "getTag", at(1))), AUTH_ERROR);
        sessions.close(id);
        assert_eq!(code(sessions.admit(&ticket(id, &key, None), HERE, "getTag", at(1))), AUTH_ERROR);
    }

    #[test]
    fn a_call_that_changed_something_is_not_repeated() {
        let sessions = Sessions::default();
        let (id, key) = opened(sessions.open(7, HERE, None, at(0)));
        let call = |number| ticket(id, &key, Some(number));
        for number in [5, 5, 3] {
            sessions.admit(&call(number), HERE, "getTag", at(1)).unwrap();
        }
        sessions.changed(&call(5), at(1));
        assert_eq!(code(sessions.admit(&call(5), HERE, "createTag", at(1))), RETRY_ERROR);
        assert_eq!(code(sessions.admit(&call(4), HERE, "createTag", at(1))), SEQUENCE_ERROR);
        sessions.admit(&call(6), HERE, "createTag", at(1)).unwrap();
        sessions.admit(&ticket(id, &key, None), HERE, "createTag", at(1)).unwrap();
    }

    #[test]
    fn an_expired_session_can_be_renewed_by_its_user_only() {
        let sessions = Sessions::default();
        let (id, key) = opened(sessions.open(7, HERE, None, at(0)));
        let late = Time::from_micros(LIFETIME + 1);
        assert_eq!(code(sessions.admit(&ticket(id, &key, None), HERE, "getTag", late)), AUTH_EXPIRED);
        let admitted = sessions.admit(&ticket(id, &key, None), HERE, "login", late).unwrap();
        assert_eq!(admitted, Admitted::Expired(id));
        let (other, _) = opened(sessions.open(8, HERE, Some(id), late));
        assert_ne!(other, id);
        let (same, new) = opened(sessions.open(7, HERE, Some(id), late));
        assert_eq!(same, id);
        assert_eq!(code(sessions.admit(&ticket(id, &key, None), HERE, "getTag", late)), AUTH_ERROR);
        sessions.admit(&ticket(id, &new, None), HERE, "getTag", late).unwrap();
    }

    #[test]
    fn sessions_that_were_kept_go_on() {
        let sessions = Sessions::default();
        let first = sessions.open(7, HERE, None, at(0)).unwrap();
        assert!(!format!("{:?}", first.session).contains(&first.key));
        sessions.changed(&ticket(first.session.id, &first.key, Some(4)), at(1));
        let again = Sessions::of(sessions.of_user(7, at(1)), 5);
        let call = |number| ticket(first.session.id, &first.key, Some(number));
        assert_eq!(code(again.admit(&call(4), HERE, "createTag", at(2))), RETRY_ERROR);
        again.admit(&call(5), HERE, "createTag", at(2)).unwrap();
        assert_eq!(again.open(7, HERE, None, at(2)).unwrap().session.id, 6);
    }

    #[test]
    fn there_is_room_for_so_many_sessions_only() {
        let sessions = Sessions::default();
        let (first, key) = opened(sessions.open(7, HERE, None, at(0)));
        for _ in 0..MOST {
            opened(sessions.open(7, HERE, None, at(1)));
        }
        assert_eq!(sessions.state().open.len(), MOST);
        assert_eq!(code(sessions.admit(&ticket(first, &key, None), HERE, "getTag", at(2))), AUTH_ERROR);
    }
}
