//! Connections of servers that wait for a client.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use super::super::stream::Divided;

/// Those that wait, the oldest first.
#[derive(Clone, Debug)]
pub(super) struct Pool {
    spare: Arc<Mutex<Spare>>,
    arrived: Arc<Notify>,
    most: usize,
}

#[derive(Debug, Default)]
struct Spare {
    waiting: VecDeque<(u64, Divided)>,
    next: u64,
    closed: bool,
}

impl Pool {
    /// One that keeps so many.
    pub(super) fn new(most: usize) -> Self {
        Self { spare: Arc::default(), arrived: Arc::new(Notify::new()), most }
    }

    fn spare(&self) -> std::sync::MutexGuard<'_, Spare> {
        self.spare.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.spare().waiting.len()
    }

    /// Takes a connection of a server; one too many is closed. It is dropped as soon as the server is gone.
    pub(super) fn offer(&self, server: Divided) {
        let mut ended = server.ended.clone();
        let number = {
            let mut spare = self.spare();
            if spare.closed || spare.waiting.len() >= self.most {
                return;
            }
            spare.next += 1;
            let number = spare.next;
            spare.waiting.push_back((number, server));
            number
        };
        self.arrived.notify_one();
        let pool = self.clone();
        tokio::spawn(async move {
            ended.wait().await;
            pool.spare().waiting.retain(|(other, _)| *other != number);
        });
    }

    /// A server's connection for a client; none where there is none in time. Whoever waits longest is first.
    pub(super) async fn take(&self, patience: Duration) -> Option<Divided> {
        let waiting = async {
            loop {
                let arrived = self.arrived.notified();
                {
                    let mut spare = self.spare();
                    while let Some((_, server)) = spare.waiting.pop_front() {
                        if !server.ended.is_so() {
                            if !spare.waiting.is_empty() {
                                self.arrived.notify_one();
                            }
                            return server;
                        }
                    }
                }
                arrived.await;
            }
        };
        tokio::time::timeout(patience, waiting).await.ok()
    }

    /// Lets all go, and takes none any more.
    pub(super) fn close(&self) {
        let mut spare = self.spare();
        spare.closed = true;
        spare.waiting.clear();
    }
}
