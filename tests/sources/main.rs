//! Repositories as sources of packages: mirrors that misbehave, and from a repository to a compose and back.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "tests may panic, and start programs, read folders and the environment"
)]

mod aside;
#[allow(dead_code, reason = "shared with the tests of the command line")]
#[path = "../cli/bench.rs"]
mod bench;
mod builders;
mod bundle;
mod embedded;
mod flow;
mod genuine;
mod hostile;
mod hub;
mod koji_modules;
mod liars;
mod mirrors;
mod modules;
mod moves;
mod profiles;
#[allow(dead_code, reason = "shared with other tests")]
#[path = "../sample/registry.rs"]
mod registry;
#[allow(dead_code, reason = "shared with other tests")]
#[path = "../sample/mod.rs"]
mod sample;
mod server;
#[allow(dead_code, reason = "shared with the tests of the hub's server")]
#[path = "../hub_server/world.rs"]
mod serving;
mod tags;
mod variants;
mod world;
