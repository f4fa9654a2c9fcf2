//! The client of Koji hubs: what is tagged at an event, where its files are, who signed them.

mod snapshot;

pub use snapshot::{
    Build, Checksum, External, Head, Link, Module, Package, Rpm, Signature, Snapshot, SnapshotError, Tag,
    Tagging,
};
