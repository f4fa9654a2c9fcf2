//! Gosling Linux, end to end, from the real archive: composed twice alike, accepted by the programs that use
//! such trees, and nothing done twice.
//!
//! The first compose is shared by all tests; its downloads, and those of the machine that boots media, are the only
//! uses of the network. Every later store
//! begins empty and gets the same Debian packages from a mirror on the loopback device. The tests need some
//! 20 GB below `/var/tmp` (or `TMPDIR`). `GANDER_TEST_MIRROR` may name the mirror for both. While working
//! on a test, `GANDER_TEST_COMPOSED` may name a folder with `recipes`, `store` and `out` of a compose that is there:
//! it is taken for the first one, and must not be in use.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "tests may panic, and start programs, read folders, the environment and the clock"
)]

mod again;
mod alike;
#[allow(dead_code, reason = "shared with other tests")]
#[path = "../cli/bench.rs"]
mod bench;
mod discs;
mod folder;
mod incremental;
mod locked;
mod media;
mod multilib;
mod peers;
mod pulled;
#[allow(dead_code, reason = "shared with other tests")]
#[path = "../sample/registry.rs"]
mod registry;
mod root;
mod tagged;
mod workshop;
mod world;
