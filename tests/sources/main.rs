//! Repositories as sources of packages: mirrors that misbehave, and from a repository to a compose and back.
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
mod bundle;
mod flow;
mod genuine;
mod hostile;
mod hub;
mod mirrors;
#[allow(dead_code, reason = "shared with other tests")]
#[path = "../sample/mod.rs"]
mod sample;
mod server;
mod tags;
mod world;
