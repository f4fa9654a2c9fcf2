//! The signing server as a process, with its signer: the tests are its bridge and its clients.
#![allow(clippy::disallowed_methods, reason = "tests drive programs and look at the host")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used, reason = "a test may fail")]

#[path = "../mutant/mod.rs"]
#[allow(dead_code, reason = "only its random numbers")]
mod mutant;
#[path = "../sample/mod.rs"]
#[allow(dead_code, reason = "not all of it is needed")]
mod sample;

mod approvals;
mod asking;
mod attacks;
mod certificates;
mod disk;
mod killed;
mod kills;
mod many;
mod release;
mod repeated;
mod replay;
mod requests;
mod rpms;
mod secrets;
mod service;
mod through;
mod whole;
mod world;
