//! How fast a server must be, and which servers are better asked last.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::error::Reason;

/// What is asked of a connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Connecting may take this long.
    pub connect: Duration,
    /// A server may be silent for this long.
    pub stall: Duration,
    /// In each span of this length …
    pub window: Duration,
    /// … this many bytes have to come. dnf's default is 1000 bytes a second over 30 seconds (`minrate`, `timeout`).
    pub floor: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(30),
            stall: Duration::from_secs(60),
            window: Duration::from_secs(30),
            floor: 30_000,
        }
    }
}

/// Watches how fast one answer comes.
pub(super) struct Pace {
    limits: Limits,
    since: Instant,
    bytes: u64,
}

impl Pace {
    pub(super) fn new(limits: Limits) -> Self {
        Self { limits, since: Instant::now(), bytes: 0 }
    }

    /// Takes note of bytes that came; an error where they come too slowly.
    pub(super) fn take(&mut self, bytes: usize) -> Result<(), Reason> {
        self.bytes = self.bytes.saturating_add(bytes as u64);
        if self.since.elapsed() < self.limits.window {
            return Ok(());
        }
        if self.bytes < self.limits.floor {
            return Err(Reason::Slow { bytes: self.bytes, seconds: self.since.elapsed().as_secs() });
        }
        *self = Self::new(self.limits);
        Ok(())
    }
}

/// How often each server failed since it last did well. One mirror that is down must not cost every file a wait.
#[derive(Clone, Debug, Default)]
pub(super) struct Standing(Arc<Mutex<BTreeMap<String, u32>>>);

impl Standing {
    fn failures<T>(&self, work: impl FnOnce(&mut BTreeMap<String, u32>) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes note of what came of a request.
    pub(super) fn note(&self, url: &str, good: bool) {
        let server = server(url).to_owned();
        self.failures(|failures| match good {
            true => drop(failures.remove(&server)),
            false => *failures.entry(server).or_default() += 1,
        });
    }

    /// The addresses in their order, those of servers that failed lately behind the others.
    pub(super) fn order<'u>(&self, urls: &'u [String]) -> Vec<&'u str> {
        let mut urls: Vec<&str> = urls.iter().map(String::as_str).collect();
        self.failures(|failures| urls.sort_by_key(|url| failures.get(server(url)).copied().unwrap_or(0)));
        urls
    }
}

/// Scheme, host and port.
fn server(url: &str) -> &str {
    let authority = url.find("://").map_or(0, |scheme| scheme + 3);
    let rest = url.get(authority..).unwrap_or_default();
    let end = authority + rest.find('/').unwrap_or(rest.len());
    url.get(..end).unwrap_or(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_that_failed_come_last_until_they_do_well() {
        let standing = Standing::default();
        let urls = ["http://a/x".to_owned(), "http://b:1/x".to_owned(), "http://c/x".to_owned()];
        standing.note("http://a/y", false);
        assert_eq!(standing.order(&urls), ["http://b:1/x", "http://c/x", "http://a/x"]);
        standing.note("http://b:1/y", false);
        standing.note("http://b:1/y", false);
        assert_eq!(standing.order(&urls), ["http://c/x", "http://a/x", "http://b:1/x"]);
        standing.note("http://b:1/", true);
        assert_eq!(standing.order(&urls), ["http://b:1/x", "http://c/x", "http://a/x"]);
    }
}
