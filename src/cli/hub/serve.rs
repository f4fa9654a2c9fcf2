//! `gander hub serve`.

use std::fs::File;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use super::super::{Failure, Global, Kind};
use super::listen::Listen;
use super::open;

/// Serve a hub to the koji command line, to composers and to builders of mirrors, until SIGTERM or SIGINT.
///
/// Calls go to /kojihub, files are below /kojifiles/. The address is the first line of stdout. The server speaks plain
/// HTTP: where others than this machine shall reach it, put a proxy with TLS in front of it.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The hub's folder; a new one gets an empty hub.
    folder: PathBuf,
    #[command(flatten)]
    listen: Listen,
}

/// Runs the command.
pub fn run(global: &Global, args: &Args) -> Result<ExitCode, Failure> {
    let methods = Arc::new(open(&args.folder)?);
    let _alone = lock(args)?;
    methods.clear_uploads().map_err(|error| {
        Failure::from_error(Kind::Surroundings, &error).hint("the hub's uploads cannot be removed")
    })?;
    if !args.listen.is_loopback() {
        global.say(format_args!(
            "warning: {} is reachable from elsewhere, and passwords travel in clear: use a proxy with TLS",
            args.listen.address()
        ));
    }
    let what = format!("the hub in '{}'", args.folder.display());
    args.listen.serve(global, methods, args.folder.join("topdir"), &what)?;
    Ok(ExitCode::SUCCESS)
}

/// Two servers of one hub would know nothing of each other's sessions and uploads.
fn lock(args: &Args) -> Result<File, Failure> {
    let path = args.folder.join("serve.lock");
    let file = File::options().write(true).create(true).truncate(false).open(&path);
    let file = file.map_err(|error| Failure::from_error(Kind::Surroundings, &error))?;
    file.try_lock().map_err(|_| {
        let message = format!("another gander serves the hub in '{}'", args.folder.display());
        Failure::new(Kind::Surroundings, message).hint("end it first, or use it")
    })?;
    Ok(file)
}
