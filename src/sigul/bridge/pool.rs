//! Connections of servers that wait for a request, and clients that wait for one of them: first come, first served.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::oneshot;

use crate::sigul::stream::Divided;

/// A server's connection.
#[derive(Debug)]
pub(super) struct Server {
    /// Its number in the pool, which gives it.
    pub(super) number: u64,
    /// The name that it is known by.
    pub(super) name: String,
    pub(super) connection: Divided,
}

#[derive(Debug, Default)]
struct State {
    idle: VecDeque<Server>,
    waiting: VecDeque<oneshot::Sender<Server>>,
    next: u64,
    closed: bool,
}

/// What waits, on both sides. Never do both.
#[derive(Debug)]
pub(super) struct Pool {
    most: usize,
    state: Mutex<State>,
}

impl Pool {
    pub(super) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { most, state: Mutex::default() })
    }

    /// Takes in a server, and lets go of it as soon as it is gone. One too many is not taken.
    pub(super) fn offer(self: &Arc<Self>, mut server: Server) -> bool {
        let mut ended = server.connection.ended.clone();
        let number = {
            let mut state = self.state();
            while let Some(client) = state.waiting.pop_front() {
                // A client that waits no more gives it back.
                match client.send(server) {
                    Ok(()) => return true,
                    Err(back) => server = back,
                }
            }
            if state.closed || state.idle.len() >= self.most {
                return false;
            }
            state.next += 1;
            server.number = state.next;
            state.idle.push_back(server);
            state.next
        };
        let pool = self.clone();
        tokio::spawn(async move {
            ended.wait().await;
            pool.state().idle.retain(|server| server.number != number);
        });
        true
    }

    /// A server, as soon as there is one. To be dropped where nobody waits any more.
    pub(super) async fn take(self: &Arc<Self>) -> Server {
        loop {
            let waiting = {
                let mut state = self.state();
                while let Some(server) = state.idle.pop_front() {
                    if !server.connection.ended.is_so() {
                        return server;
                    }
                }
                let (sender, receiver) = oneshot::channel();
                state.waiting.retain(|client| !client.is_closed());
                state.waiting.push_back(sender);
                receiver
            };
            let mut given = Given { pool: self.clone(), waiting };
            // A sender that is dropped is none that happens; then the next turn waits again.
            if let Ok(server) = (&mut given.waiting).await
                && !server.connection.ended.is_so()
            {
                return server;
            }
        }
    }

    /// Idle servers.
    pub(super) fn len(&self) -> usize {
        self.state().idle.len()
    }

    /// Lets all go, and takes none any more.
    pub(super) fn close(&self) {
        let mut state = self.state();
        state.closed = true;
        state.idle.clear();
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place in the line. Who leaves it just when a server was given passes the server on.
struct Given {
    pool: Arc<Pool>,
    waiting: oneshot::Receiver<Server>,
}

impl Drop for Given {
    fn drop(&mut self) {
        self.waiting.close();
        if let Ok(server) = self.waiting.try_recv() {
            self.pool.offer(server);
        }
    }
}
