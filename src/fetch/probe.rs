//! Asking how large files are, without downloading them.

use std::sync::Arc;

use reqwest::header::{CONTENT_LENGTH, CONTENT_RANGE, RANGE};

use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::{Attempt, FetchError, Fetcher, Reason};

impl Fetcher {
    /// How many bytes a file has, as its server says; none where it does not say. HEAD is asked first, and where a server
    /// refuses that, the first byte.
    pub async fn size(&self, url: &str) -> Result<Option<u64>, FetchError> {
        let failed = |reason| FetchError::Small(Attempt { url: url.into(), reason });
        if self.offline {
            return Err(failed(Reason::Offline));
        }
        let mut pauses = self.pauses.iter();
        loop {
            match self.ask_size(url).await {
                Ok(size) => return Ok(size),
                Err(reason) => match pauses.next() {
                    Some(pause) if reason.is_transient() => tokio::time::sleep(*pause).await,
                    _ => return Err(failed(reason)),
                },
            }
        }
    }

    /// The same for many files, `parallel` of them at a time; answers in the order of the questions.
    pub async fn sizes(&self, urls: Vec<String>, parallel: usize) -> Vec<Result<Option<u64>, FetchError>> {
        let turns = Arc::new(Semaphore::new(parallel.max(1)));
        let mut tasks = JoinSet::new();
        for (place, url) in urls.into_iter().enumerate() {
            let (fetcher, turns) = (self.clone(), turns.clone());
            tasks.spawn(async move {
                let turn = turns.acquire().await;
                let size = fetcher.size(&url).await;
                drop(turn);
                (place, size)
            });
        }
        let mut answers = Vec::new();
        while let Some(joined) = tasks.join_next().await {
            answers.push(
                joined.unwrap_or_else(|error| (usize::MAX, Err(FetchError::Client(error.to_string())))),
            );
        }
        answers.sort_by_key(|(place, _)| *place);
        answers.into_iter().map(|(_, answer)| answer).collect()
    }

    async fn ask_size(&self, url: &str) -> Result<Option<u64>, Reason> {
        let head = self.client.head(url).send().await?;
        let number = |text: &str| text.parse::<u64>().ok();
        match Reason::of_status(head.status()) {
            Ok(()) => {
                let length = head.headers().get(CONTENT_LENGTH);
                return Ok(length.and_then(|length| number(length.to_str().ok()?)));
            }
            Err(reason @ (Reason::Gone(_) | Reason::Busy(_))) => return Err(reason),
            Err(_) => {}
        }
        let answer = self.client.get(url).header(RANGE, "bytes=0-0").send().await?;
        Reason::of_status(answer.status())?;
        let range = answer.headers().get(CONTENT_RANGE);
        Ok(match range.and_then(|range| range.to_str().ok()?.rsplit_once('/')) {
            Some((_, total)) => number(total),
            None => answer.content_length(),
        })
    }
}
