//! Keys that are unlocked: once for all requests that come within a short time.
//!
//! An unlocked key is found again by a MAC over the user's access and their passphrase, under a random key of this process;
//! neither the passphrase nor anything that it could be guessed from outside this process is kept. It is wiped when
//! nobody has used it for the idle time, when the access or its passphrase changes, and when the policy is read again.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use openssl::hash::MessageDigest;
use openssl::pkey::{PKey, Private};
use openssl::sign::Signer as Mac;
use zeroize::Zeroizing;

use super::material::Material;

/// So many keys are unlocked at once at most; beyond that, the one that was not used for longest is wiped.
const MOST: usize = 256;

/// A key that a user has unlocked.
#[derive(Debug)]
pub(super) struct Unlocked {
    /// The key's own passphrase.
    pub passphrase: Zeroizing<Vec<u8>>,
    /// The key itself, once it was needed.
    pub material: OnceLock<Material>,
    withdrawn: AtomicBool,
}

impl Unlocked {
    pub fn new(passphrase: Zeroizing<Vec<u8>>) -> Self {
        Self { passphrase, material: OnceLock::new(), withdrawn: AtomicBool::new(false) }
    }

    /// Whether the access was taken, or its passphrase changed, while somebody still worked with it.
    pub fn is_withdrawn(&self) -> bool {
        self.withdrawn.load(Ordering::Acquire)
    }
}

struct Held {
    mac: Zeroizing<[u8; 32]>,
    unlocked: Arc<Unlocked>,
    used: Instant,
}

/// All of them, by the number of the access.
pub(super) struct Cache {
    key: Option<PKey<Private>>,
    idle: Duration,
    held: Mutex<BTreeMap<i64, Held>>,
}

impl std::fmt::Debug for Cache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Cache({} unlocked)", self.held().len())
    }
}

/// What the cache knows of a passphrase.
pub(super) enum Known {
    /// It is right.
    Right(Arc<Unlocked>),
    /// Another one is right.
    Wrong,
    /// Nothing.
    Nothing,
}

impl Cache {
    /// One that forgets what was not used for a time; with none, it keeps nothing.
    pub fn new(idle: Duration) -> Self {
        let mut random = Zeroizing::new([0; 32]);
        // Without randomness nothing is kept.
        let key = openssl::rand::rand_bytes(&mut random[..]).and_then(|()| PKey::hmac(&random[..])).ok();
        Self { key: key.filter(|_| !idle.is_zero()), idle, held: Mutex::default() }
    }

    fn held(&self) -> MutexGuard<'_, BTreeMap<i64, Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn mac(&self, access: i64, passphrase: &[u8]) -> Option<Zeroizing<[u8; 32]>> {
        let mut mac = Mac::new(MessageDigest::sha256(), self.key.as_ref()?).ok()?;
        mac.update(&access.to_be_bytes()).ok()?;
        mac.update(passphrase).ok()?;
        let mut out = Zeroizing::new([0; 32]);
        mac.sign(&mut out[..]).ok()?;
        Some(out)
    }

    pub fn find(&self, access: i64, passphrase: &[u8]) -> Known {
        let Some(mac) = self.mac(access, passphrase) else { return Known::Nothing };
        let mut held = self.held();
        match held.get_mut(&access) {
            Some(found) if openssl::memcmp::eq(&found.mac[..], &mac[..]) => {
                found.used = Instant::now();
                Known::Right(found.unlocked.clone())
            }
            Some(_) => Known::Wrong,
            None => Known::Nothing,
        }
    }

    pub fn keep(&self, access: i64, passphrase: &[u8], unlocked: &Arc<Unlocked>) {
        let Some(mac) = self.mac(access, passphrase) else { return };
        let mut held = self.held();
        if held.len() >= MOST
            && let Some(oldest) = held.iter().min_by_key(|(_, held)| held.used).map(|(access, _)| *access)
        {
            held.remove(&oldest);
        }
        held.insert(access, Held { mac, unlocked: unlocked.clone(), used: Instant::now() });
    }

    /// Wipes what an access unlocked; who works with it stops at the next signature.
    pub fn withdraw(&self, access: i64) {
        if let Some(held) = self.held().remove(&access) {
            held.unlocked.withdrawn.store(true, Ordering::Release);
        }
    }

    /// Wipes everything that nobody works with.
    pub fn wipe(&self) {
        self.held().clear();
    }

    /// Wipes what was not used for the idle time.
    pub fn wipe_idle(&self) {
        self.held().retain(|_, held| held.used.elapsed() < self.idle);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn right(known: &Known) -> bool {
        matches!(known, Known::Right(_))
    }

    #[test]
    fn only_the_right_passphrase_finds_a_key_and_only_for_a_while() {
        let cache = Cache::new(Duration::from_millis(50));
        let unlocked = Arc::new(Unlocked::new(Zeroizing::new(b"inner".to_vec())));
        cache.keep(1, b"passphrase", &unlocked);
        assert!(right(&cache.find(1, b"passphrase")));
        assert!(matches!(cache.find(1, b"other"), Known::Wrong));
        assert!(matches!(cache.find(2, b"passphrase"), Known::Nothing));
        std::thread::sleep(Duration::from_millis(80));
        cache.wipe_idle();
        assert!(matches!(cache.find(1, b"passphrase"), Known::Nothing));
        assert_eq!(Arc::strong_count(&unlocked), 1);

        cache.keep(1, b"passphrase", &unlocked);
        cache.withdraw(1);
        assert!(unlocked.is_withdrawn() && !right(&cache.find(1, b"passphrase")));
    }

    #[test]
    fn nothing_is_kept_without_an_idle_time() {
        let cache = Cache::new(Duration::ZERO);
        cache.keep(1, b"passphrase", &Arc::new(Unlocked::new(Zeroizing::default())));
        assert!(!right(&cache.find(1, b"passphrase")));
    }
}
