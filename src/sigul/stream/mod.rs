//! The connections to a bridge: TLS, and within it two streams.

mod divide;
mod messages;
mod tls;

pub use divide::{Channel, Divided, Ended, Incoming, Outgoing, Sent, divide};
pub use messages::{StreamError, read_fields, read_mac, read_u32, read_u64};
pub use tls::{Connector, Identity, Tls, TlsError, common_name};
