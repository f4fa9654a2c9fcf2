//! The client of Koji hubs: what is tagged at an event, where its files are, who signed them.

mod copies;
pub mod snapshot;

pub use copies::{CopyError, Head, HeadOf, Place, SignedCopy, check, heads, sighash};
pub use snapshot::{Snapshot, SnapshotError};
