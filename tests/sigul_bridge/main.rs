//! The bridge as a process: honest clients and servers, such that are not, and such that vanish.

#![allow(clippy::unwrap_used, reason = "a test may fail")]
#![allow(clippy::disallowed_methods, reason = "tests read the environment and start the peers")]

mod attack;

mod large;
mod peers;
mod requests;
mod restart;
mod vanish;
mod world;
