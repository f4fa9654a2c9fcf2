//! Keys on PKCS #11 tokens, with softhsm2 as the token: gpg and rpm judge what they sign, and a module of the test's own
//! stands in for tokens that lock, vanish or sign wrongly.
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
mod refused;
mod release;
#[allow(dead_code, reason = "shared with other tests")]
#[path = "../sample/mod.rs"]
mod sample;
mod service;
#[allow(dead_code, reason = "shared with the tests of the signer")]
#[path = "../signer/world.rs"]
mod signer;
mod signing;
mod world;
