//! Attacks on the built binary: kills, full disks, and inputs that are wrong or hostile.
//!
//! Everything works on a small recipe of its own. The builder's Debian packages are downloaded once, from the
//! host's mirror, and then served from this machine.
#![allow(clippy::disallowed_methods, reason = "tests drive programs and look at the host")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used, reason = "a test may fail")]

mod base;
mod bench;
mod disk;
mod folders;
mod hostile;
mod inputs;
mod kills;
mod mirror;
mod programs;
mod snapshot;
