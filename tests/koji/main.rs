//! The client of Koji hubs against hubs that answer as they should, and such that do not.

#![allow(clippy::unwrap_used, reason = "a test may fail")]
#![allow(clippy::disallowed_methods, reason = "tests read the environment and start the peers")]

mod authority;
mod certificates;
mod faults;
mod generator;
mod httpd;
mod kerberos;
mod old;
mod profiles;
#[cfg(feature = "gssapi")]
mod realm;
mod server;
mod sessions;
mod speed;

use std::time::Duration;

use gander::koji::{Hub, Profile, Retry};

/// Skips a test: loudly, and not at all with `CI=true`.
fn skip(test: &str, why: &str) {
    assert!(std::env::var("CI").as_deref() != Ok("true"), "{test} cannot run: {why}");
    eprintln!("SKIPPED {test}: {why}");
}

/// Runs a future to its end.
fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Runtime::new().unwrap().block_on(future)
}

/// A profile for a server of a test: nothing waits long.
fn profile(server: &str) -> Profile {
    let pause = Duration::from_millis(1);
    let retry = Retry { most: 3, interval: pause, offline_interval: pause, ..Retry::default() };
    Profile { retry, timeout: Duration::from_secs(5), ..Profile::at(server) }
}

fn hub(server: &server::Server) -> Hub {
    Hub::open(&profile(&server.url)).unwrap()
}
