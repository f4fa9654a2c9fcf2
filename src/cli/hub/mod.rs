//! `gander hub`: one file per verb.

mod import;
mod listen;
mod replay;
mod serve;
mod user;

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use super::{Failure, Global, Kind};
use crate::base::SourceDate;
use crate::format::xmlrpc::Fault;
use crate::hub::methods::Methods;
use crate::hub::{Hub, HubError, Time};

/// Keep a Koji hub of your own: serve it, give it users, import packages; or replay one from a lock.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    Serve(serve::Args),
    User(user::Args),
    Import(import::Args),
    Replay(replay::Args),
}

/// Runs the command.
pub fn run(global: &Global, args: Args) -> Result<ExitCode, Failure> {
    match args.verb {
        Verb::Serve(args) => serve::run(global, &args),
        Verb::User(args) => user::run(global, &args),
        Verb::Import(args) => import::run(global, &args),
        Verb::Replay(args) => replay::run(global, &args),
    }
}

/// Opens the hub in a folder, and puts in order what a dead process left half done there.
fn open(folder: &Path) -> Result<Methods, Failure> {
    let methods = Methods::new(Hub::open(folder)?)?;
    // What is kept of passwords is for nobody else to guess at.
    for name in ["hub.sqlite", "hub.sqlite-wal", "hub.sqlite-shm"] {
        match fs::set_permissions(folder.join(name), fs::Permissions::from_mode(0o600)) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(Failure::from_error(Kind::Surroundings, &error));
            }
            _ => {}
        }
    }
    Ok(methods)
}

/// The time of a change: one that was given, or now.
fn time(given: Option<SourceDate>) -> Result<Time, Failure> {
    let seconds = match given {
        Some(date) => u64::try_from(date.seconds()).ok(),
        None => {
            return now().ok_or_else(|| Failure::new(Kind::Surroundings, "this machine's clock is wrong"));
        }
    };
    let micros = seconds.and_then(|seconds| i64::try_from(seconds.checked_mul(1_000_000)?).ok());
    micros.map(Time::from_micros).ok_or_else(|| Failure::new(Kind::Usage, "the time is no time of an event"))
}

#[allow(clippy::disallowed_methods, reason = "a hub's events have the time at which they happen")]
fn now() -> Option<Time> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
    i64::try_from(since.as_micros()).ok().map(Time::from_micros)
}

impl From<HubError> for Failure {
    fn from(error: HubError) -> Self {
        let kind = match &error {
            HubError::Folder { .. } | HubError::Database { .. } => Kind::Surroundings,
            HubError::Foreign(_) | HubError::Newer { .. } | HubError::Contradiction(_) => Kind::Input,
        };
        Self::from_error(kind, &error).hint_full_disk("the hub's disk")
    }
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        // 1000 and up are refusals of what was asked for; below, and where the hub is offline, it is the hub that failed.
        let kind = if fault.code < 1000 || fault.code == 1014 { Kind::Surroundings } else { Kind::Input };
        Self::new(kind, fault.text).hint_full_disk("the hub's disk")
    }
}
