//! Reading a part of a file: the headers of a package, without its payload.

use std::ops::Range;

use super::error::{Attempt, FetchError, Reason};
use super::pace::Pace;
use super::{Fetcher, file};

/// No part that is read into memory is larger.
const LARGEST: u64 = 512 << 20;

/// A server without ranges sends the file from its start; this much is thrown away to get at a part.
const MOST_SKIPPED: u64 = 64 << 20;

impl Fetcher {
    /// Reads a part of a file at the first address that has it, into memory. No digest says whether it is the right
    /// one: what was read has to be compared with the whole file later. Of a server that ignores ranges what is needed
    /// is taken and the connection closed.
    pub async fn range(
        &self,
        label: &str,
        urls: &[String],
        range: Range<u64>,
    ) -> Result<Vec<u8>, FetchError> {
        let mut attempts = Vec::new();
        for url in self.standing.order(urls) {
            match self.part(url, &range).await {
                Ok(bytes) => {
                    self.standing.note(url, true);
                    return Ok(bytes);
                }
                Err(reason) => {
                    self.standing.note(url, false);
                    attempts.push(Attempt { url: url.into(), reason });
                }
            }
        }
        Err(FetchError::Part { label: label.into(), attempts })
    }

    /// Reads the start of a file, at most so many bytes of it; fewer where the file ends before. One request, and once
    /// more after a pause where that can help.
    pub async fn start(&self, label: &str, url: &str, most: u64) -> Result<Vec<u8>, FetchError> {
        let mut pauses = self.pauses.iter();
        loop {
            match self.up_to(url, &(0..most)).await {
                Ok(bytes) => return Ok(bytes),
                Err(reason) => match pauses.next() {
                    Some(pause) if reason.is_transient() => tokio::time::sleep(*pause).await,
                    _ => {
                        let attempts = vec![Attempt { url: url.into(), reason }];
                        return Err(FetchError::Part { label: label.into(), attempts });
                    }
                },
            }
        }
    }

    async fn part(&self, url: &str, range: &Range<u64>) -> Result<Vec<u8>, Reason> {
        let bytes = self.up_to(url, range).await?;
        let (received, wanted) = (bytes.len() as u64, range.end.saturating_sub(range.start));
        if received == wanted { Ok(bytes) } else { Err(Reason::Cut { received, wanted }) }
    }

    /// A part of a file, or what there is of it.
    async fn up_to(&self, url: &str, range: &Range<u64>) -> Result<Vec<u8>, Reason> {
        let wanted = range.end.saturating_sub(range.start);
        if wanted == 0 || wanted > LARGEST {
            return Err(Reason::TooLarge { limit: LARGEST });
        }
        if let Some(path) = file::path(url) {
            use std::io::{Read as _, Seek as _, SeekFrom};
            let read = |path| {
                let mut file = std::fs::File::open(path)?;
                file.seek(SeekFrom::Start(range.start))?;
                let mut bytes = Vec::new();
                file.take(wanted).read_to_end(&mut bytes).map(|_| bytes)
            };
            return read(path?).map_err(|error| file::failed(&error));
        }
        if self.offline {
            return Err(Reason::Offline);
        }
        let last = range.end - 1;
        let request = self.client.get(url);
        let request = request.header(reqwest::header::RANGE, format!("bytes={}-{last}", range.start));
        let mut response = request.send().await?;
        Reason::of_status(response.status())?;
        let stated = response.headers().get(reqwest::header::CONTENT_RANGE);
        let stated = stated.and_then(|range| range.to_str().ok());
        let mut skip = match (response.status(), stated) {
            (reqwest::StatusCode::PARTIAL_CONTENT, Some(stated))
                if stated.starts_with(&format!("bytes {}-", range.start)) =>
            {
                0
            }
            (reqwest::StatusCode::PARTIAL_CONTENT, _) => return Err(Reason::OtherRange),
            _ if range.start > MOST_SKIPPED => return Err(Reason::TooLarge { limit: MOST_SKIPPED }),
            _ => range.start,
        };
        let (mut bytes, mut pace) = (Vec::new(), Pace::new(self.limits));
        while (bytes.len() as u64) < wanted {
            let Some(chunk) = response.chunk().await? else { break };
            pace.take(chunk.len())?;
            let passed = skip.min(chunk.len() as u64);
            skip -= passed;
            let chunk = chunk.get(usize::try_from(passed).unwrap_or(usize::MAX)..).unwrap_or_default();
            let more = usize::try_from(wanted - bytes.len() as u64).unwrap_or(usize::MAX).min(chunk.len());
            bytes.extend_from_slice(chunk.get(..more).unwrap_or_default());
        }
        Ok(bytes)
    }
}
