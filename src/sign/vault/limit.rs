//! Wrong secrets cost time: per user and key, twice as long after each one.
//!
//! After the `n`th failure in a row nothing is tried for that user and key for 250 ms × 2^(n−1), at most five minutes.
//! A try that comes shortly before the end waits for it; one that comes earlier is refused untried. Other users and
//! other keys notice nothing. Failures are kept in the database, so a restart forgives none.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use super::clock;
use crate::sign::agent::request::{Code, Refusal};

/// The delay after the first failure, in milliseconds.
const FIRST: u64 = 250;
/// The longest delay, in milliseconds.
const LONGEST: u64 = 300_000;
/// A try waits for at most so many milliseconds.
const WAIT: u64 = 2_000;
/// At most so many wait for the same user and key after a failure.
const WAITING: u32 = 8;
/// So many pairs of user and key are known at once; beyond that, those without failures are forgotten first.
const SLOTS: usize = 4096;

/// User and key; the key is empty for administrators' passwords.
pub(super) type Who = (String, String);

/// What is known of one of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Failures {
    /// In a row.
    pub count: u32,
    /// Nothing is tried before, in milliseconds since 1970.
    pub until: u64,
}

#[derive(Debug, Default)]
struct Slot {
    failures: Mutex<Failures>,
    /// Whether there are failures, for those who must not wait for the lock.
    failing: AtomicBool,
    waiting: AtomicU32,
}

/// All that is known of failures.
#[derive(Debug, Default)]
pub(super) struct Limits {
    slots: Mutex<BTreeMap<Who, Arc<Slot>>>,
}

impl Limits {
    /// Those that were kept.
    pub fn new(kept: impl IntoIterator<Item = (Who, Failures)>) -> Self {
        let slot = |failures: Failures| Slot {
            failing: AtomicBool::new(failures.count > 0),
            failures: Mutex::new(failures),
            waiting: AtomicU32::new(0),
        };
        let slots = kept.into_iter().map(|(who, failures)| (who, Arc::new(slot(failures)))).collect();
        Self { slots: Mutex::new(slots) }
    }

    /// Whether the last try failed.
    pub fn is_failing(&self, who: &Who) -> bool {
        let slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        slots.get(who).is_some_and(|slot| slot.failing.load(Ordering::Acquire))
    }

    /// Has everybody wait for the next try: a secret is known to be wrong, but was not counted yet.
    pub fn suspect(&self, who: &Who) {
        self.slot(who).failing.store(true, Ordering::Release);
    }

    /// Tries, one at a time for each user and key. `keep` is told of each change.
    pub fn attempt<T>(
        &self,
        who: &Who,
        keep: impl Fn(&Who, Failures),
        attempt: impl FnOnce() -> Option<T>,
    ) -> Result<T, Refusal> {
        let slot = self.slot(who);
        let _leave = Leave::enter(&slot)?;
        let mut failures = slot.failures.lock().unwrap_or_else(PoisonError::into_inner);
        // A clock that was set back must not lock anybody out.
        let now = clock::milliseconds();
        let left = failures.until.saturating_sub(now).min(LONGEST);
        if left > WAIT {
            return Err(too_many(left));
        }
        if left > 0 {
            thread::sleep(Duration::from_millis(left));
        }
        let before = failures.count;
        let outcome = attempt();
        *failures = match outcome {
            Some(_) => Failures::default(),
            None => {
                let count = before.saturating_add(1);
                let delay = FIRST.saturating_mul(1 << (count - 1).min(20)).min(LONGEST);
                Failures { count, until: clock::milliseconds() + delay }
            }
        };
        slot.failing.store(failures.count > 0, Ordering::Release);
        if before > 0 || failures.count > 0 {
            keep(who, *failures);
        }
        outcome.ok_or(Code::AuthenticationFailed.into())
    }

    fn slot(&self, who: &Who) -> Arc<Slot> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(slot) = slots.get(who) {
            return slot.clone();
        }
        if slots.len() >= SLOTS {
            slots.retain(|_, slot| slot.failing.load(Ordering::Acquire));
        }
        if slots.len() >= SLOTS {
            slots.pop_first();
        }
        slots.entry(who.clone()).or_default().clone()
    }
}

/// Counts who waits.
struct Leave<'a>(&'a Slot);

impl<'a> Leave<'a> {
    fn enter(slot: &'a Slot) -> Result<Self, Refusal> {
        let waiting = slot.waiting.fetch_add(1, Ordering::AcqRel);
        let this = Self(slot);
        if waiting >= WAITING && slot.failing.load(Ordering::Acquire) {
            return Err(too_many(WAIT));
        }
        Ok(this)
    }
}

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::AcqRel);
    }
}

fn too_many(milliseconds: u64) -> Refusal {
    let seconds = u32::try_from(milliseconds.div_ceil(1000)).unwrap_or(u32::MAX);
    let message = format!("too many wrong secrets in a row; try again in {seconds} s");
    Refusal { retry_after: Some(seconds), ..Refusal::because(Code::TooManyFailures, message) }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::time::Instant;

    use super::*;

    fn who(user: &str) -> Who {
        (user.into(), "key".into())
    }

    #[test]
    fn each_failure_doubles_the_delay_and_others_notice_nothing() {
        let kept = RefCell::new(Vec::new());
        let keep = |who: &Who, failures: Failures| kept.borrow_mut().push((who.clone(), failures));
        let limits = Limits::new([]);
        let start = Instant::now();
        let mut refused = None;
        for _ in 0..6 {
            let refusal = limits.attempt(&who("a"), keep, || None::<()>).unwrap_err();
            if refusal.code == Code::TooManyFailures {
                refused = refusal.retry_after;
            }
        }
        // 250 + 500 + 1000 + 2000 ms were waited for; the fifth failure costs 4 s, for which nobody waits.
        assert!(start.elapsed() >= Duration::from_millis(3750), "{:?}", start.elapsed());
        assert!(refused.is_some_and(|seconds| (3..=4).contains(&seconds)), "{refused:?}");
        let start = Instant::now();
        for user in ["b", "c", "d"] {
            assert_eq!(limits.attempt(&who(user), keep, || Some(7)), Ok(7));
        }
        assert_eq!(limits.attempt(&("a".into(), "other".into()), keep, || Some(7)), Ok(7));
        assert!(start.elapsed() < Duration::from_millis(250));
        assert_eq!(kept.borrow().len(), 5);

        // After a restart it goes on.
        let again = Limits::new([kept.into_inner().pop().unwrap()]);
        let refusal = again.attempt(&who("a"), |_, _| {}, || Some(())).unwrap_err();
        assert_eq!((refusal.code, again.is_failing(&who("a"))), (Code::TooManyFailures, true));
    }

    #[test]
    fn a_success_forgives() {
        let limits = Limits::new([]);
        limits.attempt(&who("a"), |_, _| {}, || None::<()>).unwrap_err();
        limits.attempt(&who("a"), |_, _| {}, || Some(())).unwrap();
        assert!(!limits.is_failing(&who("a")));
    }

    #[test]
    fn many_names_take_bounded_memory() {
        let limits = Limits::new([]);
        for number in 0..SLOTS + 100 {
            let failing = (number % 2 == 0).then_some(());
            drop(limits.attempt(&who(&number.to_string()), |_, _| {}, || failing));
        }
        assert!(limits.slots.lock().unwrap().len() <= SLOTS);
    }
}
