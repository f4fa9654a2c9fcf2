//! The signer as a process: the built binary, asked over its socket.
#![allow(clippy::disallowed_methods, reason = "tests drive programs and look at the host")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used, reason = "a test may fail")]

mod header;
mod keys;
mod migrate;
mod operations;
mod process;
mod start;
mod world;
