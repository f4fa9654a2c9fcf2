//! The client of Koji hubs: what is tagged at an event, where its files are, who signed them.
//!
//! A [`Hub`] carries calls over a [`Transport`] and reads the answers into [`rows`] while they arrive; [`query`] has
//! what a composer asks. Calls are tried again where that can do no harm: when the connection broke, the answer was cut
//! off or a server has temporary troubles, as often as the [profile](Profile) says, the first time at once. Without a
//! login all calls are reads; with one they are numbered, and the hub carries out each number once.

mod connection;
mod copies;
mod error;
mod http;
mod login;
mod modules;
mod negotiate;
pub mod paths;
mod profile;
pub mod query;
mod records;
pub mod rows;
mod session;
mod signing;
pub mod snapshot;
mod state;
mod state_modules;
mod tls;
mod transport;

pub use connection::{Hub, Watch};
pub use copies::{CopyError, Head, HeadOf, Place, SignedCopy, check, heads, sighash};
pub use error::{FaultKind, KojiError, Version};
pub use http::Http;
pub use profile::{Profile, ProfileError, Retry};
pub use query::{Latest, Tagged};
pub use session::Credentials;
pub use signing::{NoSignatureHeader, SignatureHeader};
pub use snapshot::{Snapshot, SnapshotError};
pub use state::{Question, TagError, TagState, checksums, signatures, state};
pub use transport::{Reply, Request, Sending, Ticket, Transport};
