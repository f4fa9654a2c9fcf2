//! One answer of a server, or one file of this machine, into a partial file.

use std::path::Path;

use super::error::Reason;
use super::pace::Pace;
use super::partial::Partial;
use super::{Event, Fetcher, News, file};

impl Fetcher {
    /// Adds to a partial file what an address has of it.
    pub(super) async fn receive(
        &self,
        url: &str,
        wanted: Option<u64>,
        limit: u64,
        partial: &mut Partial,
        events: &News,
    ) -> Result<(), Reason> {
        if let Some(path) = file::path(url) {
            return copy(&path?, limit, partial, events).await;
        }
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
        // A server whose file has another size has another file. What came before from elsewhere stays.
        let found = match response.status() {
            // It may send less than the rest at a time.
            reqwest::StatusCode::PARTIAL_CONTENT => total(&response),
            _ => response.content_length(),
        };
        match (found, wanted) {
            (Some(found), _) if found > limit => return Err(Reason::TooLarge { limit }),
            (Some(found), Some(wanted)) if found < wanted => return Err(Reason::Size { found, wanted }),
            _ => {}
        }
        let mut pace = Pace::new(self.limits);
        while let Some(chunk) = response.chunk().await? {
            append(partial, &chunk, limit, events)?;
            pace.take(chunk.len())?;
        }
        Ok(())
    }
}

/// The size of the file of which a part is sent, where it is stated.
fn total(response: &reqwest::Response) -> Option<u64> {
    let range = response.headers().get(reqwest::header::CONTENT_RANGE)?.to_str().ok()?;
    range.rsplit_once('/')?.1.parse().ok()
}

/// Copies a file of this machine.
async fn copy(path: &Path, limit: u64, partial: &mut Partial, events: &News) -> Result<(), Reason> {
    use std::io::Read as _;
    restart(partial, events)?;
    let failed = |error| file::failed(&error);
    let mut file = file::open(path)?;
    let mut buffer = vec![0; 1 << 18];
    loop {
        match file.read(&mut buffer).map_err(failed)? {
            0 => return Ok(()),
            read => append(partial, buffer.get(..read).unwrap_or_default(), limit, events)?,
        }
        tokio::task::yield_now().await;
    }
}

fn append(partial: &mut Partial, bytes: &[u8], limit: u64, events: &News) -> Result<(), Reason> {
    if partial.length() + bytes.len() as u64 > limit {
        restart(partial, events)?;
        return Err(Reason::TooLarge { limit });
    }
    partial.append(bytes)?;
    events.tell(Event::Advance(signed(bytes.len() as u64)));
    Ok(())
}

/// Throws away what has come.
pub(super) fn restart(partial: &mut Partial, events: &News) -> Result<(), Reason> {
    events.tell(Event::Advance(-signed(partial.length())));
    partial.restart()
}

pub(super) fn signed(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}
