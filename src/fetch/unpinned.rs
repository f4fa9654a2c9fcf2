//! Downloads of files whose digest nobody stated: it is found out on the way.

use std::io::Write as _;
use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::error::{Attempt, FetchError, Reason};
use super::pace::Pace;
use super::{Fetcher, file};
use crate::base::Digest;
use crate::store::ObjectWriter;

impl Fetcher {
    /// Downloads a file of at most `limit` bytes into the store; its digest and size. Whether it is the right one is for
    /// the caller to find out. Where the connection broke it begins anew, a few times.
    pub async fn unpinned(&self, url: &str, limit: u64) -> Result<(Digest, u64), FetchError> {
        let failed = |reason| FetchError::Small(Attempt { url: url.into(), reason });
        let mut pauses = self.pauses.iter();
        loop {
            match self.download(url, limit).await {
                Ok(found) => return Ok(found),
                Err(reason) => match pauses.next() {
                    Some(pause) if reason.is_transient() => tokio::time::sleep(*pause).await,
                    _ => return Err(failed(reason)),
                },
            }
        }
    }

    /// The same for many files, `parallel` of them at a time; the answers in the order of the questions.
    pub async fn all_unpinned(
        &self,
        places: Vec<(String, u64)>,
        parallel: usize,
    ) -> Vec<Result<(Digest, u64), FetchError>> {
        let turns = Arc::new(Semaphore::new(parallel.max(1)));
        let mut tasks = JoinSet::new();
        for (place, (url, limit)) in places.into_iter().enumerate() {
            let (fetcher, turns) = (self.clone(), turns.clone());
            tasks.spawn(async move {
                let turn = turns.acquire().await;
                let found = fetcher.unpinned(&url, limit).await;
                drop(turn);
                (place, found)
            });
        }
        let mut found = Vec::new();
        while let Some(joined) = tasks.join_next().await {
            found.push(
                joined.unwrap_or_else(|error| (usize::MAX, Err(FetchError::Client(error.to_string())))),
            );
        }
        found.sort_by_key(|(place, _)| *place);
        found.into_iter().map(|(_, found)| found).collect()
    }

    async fn download(&self, url: &str, limit: u64) -> Result<(Digest, u64), Reason> {
        if let Some(path) = file::path(url) {
            let found = file::open(&path?)?;
            let size = found.metadata().map_err(|error| file::failed(&error))?.len();
            return if size > limit {
                Err(Reason::TooLarge { limit })
            } else {
                Ok(self.store.put_reader(found)?)
            };
        }
        if self.offline {
            return Err(Reason::Offline);
        }
        let mut response = self.client.get(url).send().await.map_err(Reason::from)?;
        Reason::of_status(response.status())?;
        let announced = response.content_length();
        let mut writer: ObjectWriter = self.store.writer()?;
        let (mut received, mut pace) = (0, Pace::new(self.limits));
        while let Some(chunk) = response.chunk().await? {
            pace.take(chunk.len())?;
            received += chunk.len() as u64;
            if received > limit {
                return Err(Reason::TooLarge { limit });
            }
            let path = || url.to_owned();
            writer.write_all(&chunk).map_err(|source| Reason::Write { path: path(), source })?;
        }
        if let Some(wanted) = announced.filter(|wanted| *wanted != received) {
            return Err(Reason::Cut { received, wanted });
        }
        Ok(writer.finish(None)?)
    }
}
