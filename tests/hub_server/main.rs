//! The embedded hub as a server: the genuine koji command line uses it, and attackers do.
//!
//! The command line is the `koji` beside `GANDER_PEER_KOJI`, where `ci/test` installs it; packages come from
//! `GANDER_ORACLE`/koji. Without one of them the tests say so and end; with `CI=true` they fail.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail")]
#![allow(clippy::disallowed_methods, reason = "tests read the environment and start the peers")]

mod attack;
mod commands;
mod full;
mod kills;
mod offline;
mod recorded;
mod replay;
mod script;
mod service;
mod sessions;
mod world;

#[path = "../cli/bench.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod bench;
#[path = "../hub_setup/mod.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod hub_setup;
