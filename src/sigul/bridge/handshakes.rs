//! Handshakes that have not come to an end: no more than some at a time, and none for long.

use std::collections::VecDeque;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::task::AbortHandle;

/// Those that have not come to an end, the oldest first.
#[derive(Clone, Debug)]
pub(super) struct Handshakes {
    open: Arc<Mutex<Open>>,
    most: usize,
}

#[derive(Debug, Default)]
struct Open {
    tasks: VecDeque<(u64, AbortHandle)>,
    next: u64,
}

/// A handshake has come to an end when this is dropped.
#[derive(Debug)]
pub(super) struct Done {
    all: Handshakes,
    number: u64,
}

impl Handshakes {
    pub(super) fn new(most: usize) -> Self {
        Self { open: Arc::default(), most: most.max(1) }
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many have not come to an end.
    pub(super) fn len(&self) -> usize {
        self.open().tasks.len()
    }

    /// Begins one. Where there are too many the oldest is given up: an honest one is over by then, and whoever opens
    /// connections to leave them keeps out nobody else.
    pub(super) fn spawn<F>(&self, patience: Duration, handshake: impl FnOnce(Done) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let mut open = self.open();
        open.next += 1;
        let number = open.next;
        let handshake = handshake(Done { all: self.clone(), number });
        // It cannot end before it is known here: that takes the lock.
        let task = tokio::spawn(async move { drop(tokio::time::timeout(patience, handshake).await) });
        open.tasks.push_back((number, task.abort_handle()));
        let oldest = if open.tasks.len() > self.most { open.tasks.pop_front() } else { None };
        drop(open);
        if let Some((_, oldest)) = oldest {
            oldest.abort();
        }
    }
}

impl Drop for Done {
    fn drop(&mut self) {
        let mut open = self.all.open();
        if let Ok(place) = open.tasks.binary_search_by_key(&self.number, |(number, _)| *number) {
            drop(open.tasks.remove(place));
        }
    }
}
