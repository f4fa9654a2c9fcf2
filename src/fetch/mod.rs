//! Downloads checked by digest: nothing enters the store before its size and digest matched.
//!
//! A download is written to `STORE/partial/HEX`, locked by the process that writes it, and resumed from
//! there (by `Range`) after a lost connection or a killed run; the digest covers the whole file, so it
//! does not matter which mirror a part came from. What is wrong is deleted. Of several addresses each is tried in
//! turn; those that failed by a lost connection, a stall, a crawl or a server's temporary troubles are tried again after
//! a pause, a few times. A server that failed is asked last for the files that follow. All failures are collected and
//! reported together.
//!
//! `file:` URLs are files of this machine, and read even where the network must not be used.
//!
//! Proxies are taken from `http_proxy`, `https_proxy`, `all_proxy` and `no_proxy`.

mod error;
mod file;
mod pace;
mod partial;
mod probe;
mod range;
mod receive;
mod unpinned;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;

pub use error::{Attempt, Failed, FetchError, Reason};
pub use file::{is_file, path as file_path};

use crate::base::{Digest, chain};
use crate::store::Store;
use pace::{Limits, Pace, Standing};
use partial::Partial;
use receive::{restart, signed};

/// The most bytes of a file whose size nobody announced.
const MAX_SIZE: u64 = 64 << 30;

/// A connection that brought on this much before it broke deserves as many tries as it takes.
const WORTHWHILE: u64 = 64 << 10;

/// Pauses before addresses are tried again.
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
    /// Whether what the store has is downloaded, too.
    afresh: bool,
    client: reqwest::Client,
    pauses: Vec<Duration>,
    limits: Limits,
    standing: Standing,
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
        Self::with(store, offline, Limits::default())
    }

    fn with(store: &Store, offline: bool, limits: Limits) -> Result<Self, FetchError> {
        let client = reqwest::Client::builder()
            .user_agent(concat!("gander/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(limits.connect)
            .read_timeout(limits.stall)
            .redirect(reqwest::redirect::Policy::limited(10))
            .build()
            .map_err(|error| FetchError::Client(chain(&error)))?;
        let (store, pauses, standing) = (store.clone(), PAUSES.to_vec(), Standing::default());
        Ok(Self { store, offline, afresh: false, client, pauses, limits, standing })
    }

    /// The same, but for what a server has: what the store has is downloaded as well, and nothing is resumed that came
    /// from somewhere else.
    pub fn afresh(&self) -> Self {
        Self { afresh: true, ..self.clone() }
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
        let mut known = BTreeSet::new();
        for mut file in wanted {
            // A server has a file twice where it names it twice.
            let urls = if self.afresh { file.urls.clone() } else { Vec::new() };
            if (self.afresh || !self.has(&file)) && known.insert((file.digest, urls)) {
                file.urls.retain(|url| !self.offline || is_file(url));
                missing.push(file);
            }
        }
        if missing.is_empty() {
            return Ok(());
        }
        if self.offline && missing.iter().any(|file| file.urls.is_empty()) {
            missing.retain(|file| file.urls.is_empty());
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
        if self.offline && !is_file(url) {
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

    /// The same with one try and no pauses: where others can be asked instead.
    pub async fn once(&self, url: &str, limit: u64) -> Result<Vec<u8>, FetchError> {
        let answer = match self.offline && !is_file(url) {
            true => Err(Reason::Offline),
            false => self.read_whole(url, limit).await,
        };
        self.standing.note(url, answer.is_ok());
        answer.map_err(|reason| FetchError::Small(Attempt { url: url.into(), reason }))
    }

    async fn read_whole(&self, url: &str, limit: u64) -> Result<Vec<u8>, Reason> {
        if let Some(path) = file::path(url) {
            use std::io::Read as _;
            let mut bytes = Vec::new();
            let read = file::open(&path?)?.take(limit.saturating_add(1)).read_to_end(&mut bytes);
            read.map_err(|error| file::failed(&error))?;
            return if bytes.len() as u64 > limit { Err(Reason::TooLarge { limit }) } else { Ok(bytes) };
        }
        let mut response = self.client.get(url).send().await.map_err(Reason::from)?;
        Reason::of_status(response.status())?;
        let (mut bytes, mut pace) = (Vec::new(), Pace::new(self.limits));
        while let Some(chunk) = response.chunk().await? {
            pace.take(chunk.len())?;
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
        let failed = |attempts| Failed { label: wanted.label.clone(), digest: wanted.digest, attempts };
        let local = |reason| failed(vec![Attempt { url: String::new(), reason }]);
        let (store, digest) = (self.store.clone(), wanted.digest);
        let opened = blocking(move || Partial::open(&store, &digest)).await.map_err(local)?;
        let mut partial = opened;
        if self.afresh {
            partial.restart().map_err(local)?;
        } else if self.has(&wanted) {
            // Another process had it under way.
            partial.remove();
            events.tell(Event::Complete(wanted.label));
            return Ok(());
        }
        events.tell(Event::Advance(signed(partial.length())));
        // The last failure at each address.
        let mut failures: BTreeMap<&str, Reason> = BTreeMap::new();
        let (mut pauses, mut reached) = (self.pauses.iter(), partial.length());
        let mut round = self.standing.order(&wanted.urls);
        while !round.is_empty() {
            let mut again = Vec::new();
            for url in round {
                let mut answer = self.attempt(url, &wanted, &mut partial, events).await;
                if matches!(answer, Err(Reason::Resumed)) {
                    // What was there came from somewhere else, and this address may have the right file.
                    answer = self.attempt(url, &wanted, &mut partial, events).await;
                }
                let reason = match answer {
                    Ok(()) => {
                        self.standing.note(url, true);
                        partial.remove();
                        events.tell(Event::Complete(wanted.label));
                        return Ok(());
                    }
                    Err(reason) => reason,
                };
                if reason.is_local() {
                    return Err(failed(vec![Attempt { url: url.into(), reason }]));
                }
                self.standing.note(url, false);
                if reason.is_transient() {
                    again.push(url);
                }
                failures.insert(url, reason);
            }
            if partial.length() >= reached.saturating_add(WORTHWHILE) {
                (pauses, reached) = (self.pauses.iter(), partial.length());
            }
            match pauses.next() {
                Some(pause) if !again.is_empty() => tokio::time::sleep(*pause).await,
                _ => break,
            }
            round = again;
        }
        if partial.length() == 0 {
            partial.remove();
        }
        let attempt = |url: &String| {
            let reason = failures.remove(url.as_str())?;
            Some(Attempt { url: url.clone(), reason })
        };
        let attempts = wanted.urls.iter().filter_map(attempt).collect();
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
            self.receive(url, wanted.size, limit, partial, events).await?;
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
mod mirror_tests;
#[cfg(test)]
mod tests;
