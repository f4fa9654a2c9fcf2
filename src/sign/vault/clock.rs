//! The signer's clock: signatures, the ledger and delays have the time at which they happen.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::base::SourceDate;

/// Milliseconds since 1970.
#[allow(clippy::disallowed_methods, reason = "a signing service works in real time; no output of a compose")]
pub(in crate::sign) fn milliseconds() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Now, in whole seconds; 1980 if the clock was never set.
pub(in crate::sign) fn now() -> SourceDate {
    let seconds = i64::try_from(milliseconds() / 1000).unwrap_or(i64::MAX);
    SourceDate::from_seconds(seconds).unwrap_or(SourceDate::EARLIEST)
}
