//! Drives the built `gander` as people do, and checks the rules of the house.
//!
//! One binary, so that it links once; a file here that is no module of it is an error (see `house`).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "tests may panic, and start programs, read folders and the environment"
)]

#[allow(dead_code, reason = "what tests of a room need comes and goes with them")]
mod bench;
mod house;
mod import;
mod interface;
mod key;
mod plan;
mod repo_create;
mod rpm_show;
mod rpm_signatures;
#[path = "../sample/mod.rs"]
mod sample;
mod selection;
mod snapshot;
mod store;
