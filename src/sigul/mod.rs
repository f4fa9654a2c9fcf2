//! Sigul's protocol, version 1: what is on the wire, the client, the bridge and the server.
//!
//! A client never speaks to the server that has the keys: both connect to a *bridge*, which pairs them. Within the TLS
//! connections to the bridge, client and server have a TLS connection of their own for the secrets, which the bridge
//! passes on without reading it.

pub mod authority;
pub mod bridge;
pub mod client;
pub mod init;
pub mod server;
pub mod service;
pub mod stream;
pub mod wire;
