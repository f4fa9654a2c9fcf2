//! `gander publish`: what clients and mirrors see before, during and after a switch, and what a kill leaves.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "tests may panic, and start programs, read folders and the environment"
)]

#[allow(dead_code, reason = "shared with the tests of the command line")]
#[path = "../cli/bench.rs"]
mod bench;
mod clients;
mod compose;
mod kills;
mod mirrors;
mod refusals;
mod releases;
#[path = "../sample/mod.rs"]
mod sample;
mod server;
