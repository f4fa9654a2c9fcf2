//! Downloads checked by digest: nothing enters the store before its size and digest matched.
//!
//! A download is written to `STORE/partial/HEX`, locked by the process that writes it, and resumed from
//! there (by `Range`) after a lost connection or a killed run; the digest covers the whole file, so it
//! does not matter which mirror a part came from. What is wrong is deleted. Lost connections, stalls
//! and a server's temporary troubles are tried again a few times, then the next address is tried; all
//! failures are collected and reported together.
//!
//! Proxies are taken from `http_proxy`, `https_proxy`, `all_proxy` and `no_proxy`.

mod error;
mod partial;
mod probe;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;

pub use error::{Attempt, Failed, FetchError, Reason};

use crate::base::Digest;
use crate::store::Store;
use partial::Partial;

/// The most bytes of a file whose size nobody announced.
const MAX_SIZE: u64 = 64 << 30;

/// Connecting may take this long.
const CONNECT: Duration = Duration::from_secs(30);

/// A server may be silent for this long.
const STALL: Duration = Duration::from_secs(60);

/// Pauses before an address is tried again.
const PAUSES: [Duration; 3] = [Duration::from_millis(500), Duration::from_secs(2), Duration::from_secs(6)];

/// A file to be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// What people call it.
    pub label: String,
    /// Where it is, in order of preference.
    pub urls: Vec<String>,
    /// The digest of its bytes.
    pub digest: Digest,
    /// Its size, if it is known.
    pub size: Option<u64>,
}

/// Is told how downloads go on. `()` ignores everything.
pub trait Progress {
    /// So many files are to be downloaded, of so many bytes as far as sizes are known.
    fn begin(&self, _files: usize, _bytes: u64) {}
    /// More bytes have come (negative: bytes were thrown away).
    fn advance(&self, _bytes: i64) {}
    /// A file is complete and in the store.
    fn complete(&self, _label: &str) {}
}

impl Progress for () {}

/// Downloads files into a store.
#[derive(Clone, Debug)]
pub struct Fetcher {
    store: Store,
    offline: bool,
    client: reqwest::Client,
    pauses: Vec<Duration>,
}

/// Tells the task that waits for all downloads what happens to one.
#[derive(Clone)]
struct News(mpsc::UnboundedSender<Event>);

impl News {
    fn tell(&self, event: Event) {
        // Nobody listens any more when the whole download was given up.
        drop(self.0.send(event));
    }
}

enum Event {
    Advance(i64),
    Complete(String),
}

impl Fetcher {
    /// Prepares downloads into a store; none are made when `offline`.
    pub fn new(store: &Store, offline: bool) -> Result<Self, FetchError> {
        let client = reqwest::Client::builder()
            .user_agent(concat!("gander/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT)
            .read_timeout(STALL)
            .redirect(reqwest::redirect::Policy::limited(10))
            .build()
            .map_err(|error| FetchError::Client(error::chain(&error)))?;
        Ok(Self { store: store.clone(), offline, client, pauses: PAUSES.to_vec() })
    }

    /// Whether downloads are ruled out.
    pub fn is_offline(&self) -> bool {
        self.offline
    }

    /// Sees to it that the store has all these files, downloading `parallel` of them at a time. The error
    /// lists every file that could not be had.
    pub async fn all(
        &self,
        wanted: Vec<Wanted>,
        parallel: usize,
        progress: &dyn Progress,
    ) -> Result<(), FetchError> {
        let mut missing: Vec<Wanted> = Vec::new();
        for file in wanted {
            let known = missing.iter().any(|other| other.digest == file.digest);
            if !known && !self.has(&file) {
                missing.push(file);
            }
        }
        if missing.is_empty() {
            return Ok(());
        }
        if self.offline {
            let failed =
                |file: Wanted| Failed { label: file.label, digest: file.digest, attempts: Vec::new() };
            return Err(FetchError::Offline(missing.into_iter().map(failed).collect()));
        }
        progress.begin(missing.len(), missing.iter().filter_map(|file| file.size).sum());
        let (sender, mut news) = mpsc::unbounded_channel();
        let events = News(sender);
        let turns = Arc::new(Semaphore::new(parallel.max(1)));
        let mut tasks = JoinSet::new();
        for (place, file) in missing.into_iter().enumerate() {
            let (fetcher, turns, events) = (self.clone(), turns.clone(), events.clone());
            tasks.spawn(async move {
                let turn = turns.acquire().await;
                let result = fetcher.one(file, &events).await;
                drop(turn);
                (place, result)
            });
        }
        drop(events);
        while let Some(event) = news.recv().await {
            match event {
                Event::Advance(bytes) => progress.advance(bytes),
                Event::Complete(label) => progress.complete(&label),
            }
        }
        let mut failed = Vec::new();
        while let Some(joined) = tasks.join_next().await {
            match joined {
                Ok((_, Ok(()))) => {}
                Ok((place, Err(failure))) => failed.push((place, failure)),
                Err(error) => return Err(FetchError::Client(error.to_string())),
            }
        }
        failed.sort_by_key(|(place, _)| *place);
        let failed: Vec<_> = failed.into_iter().map(|(_, failure)| failure).collect();
        if failed.is_empty() { Ok(()) } else { Err(FetchError::Failed(failed)) }
    }

    /// Downloads a small file that nothing pins, such as a release file, into memory.
    pub async fn small(&self, url: &str, limit: u64) -> Result<Vec<u8>, FetchError> {
        let failed = |reason| FetchError::Small(Attempt { url: url.into(), reason });
        if self.offline {
            return Err(failed(Reason::Offline));
        }
        let mut pauses = self.pauses.iter();
        loop {
            match self.read_whole(url, limit).await {
                Ok(bytes) => return Ok(bytes),
                Err(reason) => match pauses.next() {
                    Some(pause) if reason.is_transient() => tokio::time::sleep(*pause).await,
                    _ => return Err(failed(reason)),
                },
            }
        }
    }

    async fn read_whole(&self, url: &str, limit: u64) -> Result<Vec<u8>, Reason> {
        let mut response = self.client.get(url).send().await.map_err(Reason::from)?;
        Reason::of_status(response.status())?;
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await? {
            if (bytes.len() + chunk.len()) as u64 > limit {
                return Err(Reason::TooLarge { limit });
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes)
    }

    fn has(&self, wanted: &Wanted) -> bool {
        match self.store.size(&wanted.digest) {
            Ok(size) => wanted.size.is_none_or(|wanted| wanted == size),
            Err(_) => false,
        }
    }

    async fn one(&self, wanted: Wanted, events: &News) -> Result<(), Failed> {
        let mut attempts = Vec::new();
        let failed = |attempts| Failed { label: wanted.label.clone(), digest: wanted.digest, attempts };
        let local = |reason| failed(vec![Attempt { url: String::new(), reason }]);
        let (store, digest) = (self.store.clone(), wanted.digest);
        let opened = blocking(move || Partial::open(&store, &digest)).await.map_err(local)?;
        let mut partial = opened;
        if self.has(&wanted) {
            // Another process had it under way.
            partial.remove();
            events.tell(Event::Complete(wanted.label));
            return Ok(());
        }
        events.tell(Event::Advance(signed(partial.length())));
        for url in &wanted.urls {
            let mut pauses = self.pauses.iter();
            loop {
                let before = partial.length();
                let reason = match self.attempt(url, &wanted, &mut partial, events).await {
                    Ok(()) => {
                        partial.remove();
                        events.tell(Event::Complete(wanted.label));
                        return Ok(());
                    }
                    Err(reason) => reason,
                };
                if reason.is_local() {
                    return Err(failed(vec![Attempt { url: url.clone(), reason }]));
                }
                // A connection that brought something on before it broke deserves as many tries as it takes.
                if reason.is_transient() && partial.length() > before {
                    pauses = self.pauses.iter();
                }
                match pauses.next() {
                    Some(pause) if reason.is_transient() => tokio::time::sleep(*pause).await,
                    _ => {
                        attempts.push(Attempt { url: url.clone(), reason });
                        break;
                    }
                }
            }
        }
        if partial.length() == 0 {
            partial.remove();
        }
        Err(failed(attempts))
    }

    /// One request; on success the file is in the store.
    async fn attempt(
        &self,
        url: &str,
        wanted: &Wanted,
        partial: &mut Partial,
        events: &News,
    ) -> Result<(), Reason> {
        let limit = wanted.size.unwrap_or(MAX_SIZE);
        if partial.length() > limit {
            restart(partial, events)?;
        }
        let resumed = partial.length() > 0;
        if wanted.size.is_none_or(|size| partial.length() < size) {
            self.receive(url, limit, partial, events).await?;
        }
        let (found, size) = partial.so_far();
        if wanted.size.is_some_and(|wanted| wanted > size) {
            return Err(Reason::Cut { received: size, wanted: limit });
        }
        if found != wanted.digest {
            restart(partial, events)?;
            // The older part may be the wrong one: the whole file deserves a try.
            return Err(if resumed {
                Reason::Resumed
            } else {
                Reason::Digest { expected: wanted.digest, found }
            });
        }
        let (store, path, digest) = (self.store.clone(), partial.path().to_owned(), wanted.digest);
        let (found, _) = blocking(move || Ok(store.put_file(&path)?)).await?;
        if found == digest { Ok(()) } else { Err(Reason::Digest { expected: digest, found }) }
    }

    async fn receive(
        &self,
        url: &str,
        limit: u64,
        partial: &mut Partial,
        events: &News,
    ) -> Result<(), Reason> {
        let mut request = self.client.get(url);
        let start = partial.length();
        if start > 0 {
            request = request.header(reqwest::header::RANGE, format!("bytes={start}-"));
        }
        let mut response = request.send().await?;
        if start > 0 {
            let status = response.status();
            if status == reqwest::StatusCode::RANGE_NOT_SATISFIABLE {
                restart(partial, events)?;
                return Err(Reason::Resumed);
            }
            let range = response.headers().get(reqwest::header::CONTENT_RANGE);
            let continues = range
                .and_then(|range| range.to_str().ok())
                .is_some_and(|range| range.starts_with(&format!("bytes {start}-")));
            if status.is_success() && !(status == reqwest::StatusCode::PARTIAL_CONTENT && continues) {
                restart(partial, events)?;
                if status == reqwest::StatusCode::PARTIAL_CONTENT {
                    return Err(Reason::Resumed);
                }
            }
        }
        Reason::of_status(response.status())?;
        if response.content_length().is_some_and(|more| partial.length().saturating_add(more) > limit) {
            restart(partial, events)?;
            return Err(Reason::TooLarge { limit });
        }
        while let Some(chunk) = response.chunk().await? {
            if partial.length() + chunk.len() as u64 > limit {
                restart(partial, events)?;
                return Err(Reason::TooLarge { limit });
            }
            partial.append(&chunk)?;
            events.tell(Event::Advance(signed(chunk.len() as u64)));
        }
        Ok(())
    }
}

fn restart(partial: &mut Partial, events: &News) -> Result<(), Reason> {
    events.tell(Event::Advance(-signed(partial.length())));
    partial.restart()
}

fn signed(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

/// Waiting for locks and hashing big files must not hold up the other downloads.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Reason> + Send + 'static,
) -> Result<T, Reason> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(Reason::Http(error.to_string())),
    }
}

#[cfg(test)]
mod tests;
