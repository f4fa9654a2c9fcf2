//! XML-RPC as Koji speaks it (hub 1.35).

mod value;

pub use value::{Fault, Value};
