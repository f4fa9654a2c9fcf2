//! The bridge as a process: honest clients and servers, such that are not, and such that vanish.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail")]
#![allow(clippy::disallowed_methods, reason = "tests read the environment and start the peers")]

mod attack;
mod koji;
mod koji_tls;
mod large;
mod peers;
mod requests;
mod restart;
mod vanish;
mod world;

#[path = "../cli/bench.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod bench;
#[path = "../hub_server/world.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod hub;
