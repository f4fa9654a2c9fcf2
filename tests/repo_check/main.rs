//! `gander repo check` and `gander repo diff`: each finding comes from one damage and is not there without it.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "tests may panic, and start programs"
)]

#[path = "../cli/bench.rs"]
#[allow(dead_code, reason = "what tests of a room need comes and goes with them")]
mod bench;
#[path = "../sample/mod.rs"]
mod sample;
#[path = "../publish/server.rs"]
#[allow(dead_code, reason = "the other tests ask it more")]
mod server;

mod attacks;
mod difference;
mod findings;
mod locked;
mod remote;
mod repository;
