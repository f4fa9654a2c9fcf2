//! `gander hub serve`.

use std::fs::File;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use tokio::signal::unix::{SignalKind, signal};

use super::super::{Failure, Global, Kind};
use super::open;
use crate::hub::serve::{Limits, Server};

/// Serve a hub to the koji command line, to composers and to builders of mirrors, until SIGTERM or SIGINT.
///
/// Calls go to /kojihub, files are below /kojifiles/. The address is the first line of stdout. The server speaks plain
/// HTTP: where others than this machine shall reach it, put a proxy with TLS in front of it.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The hub's folder; a new one gets an empty hub.
    folder: PathBuf,
    /// Where to listen; port 0 is any that is free.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Write the port's number to a file once the server listens.
    #[arg(long, value_name = "FILE")]
    port_file: Option<PathBuf>,
}

/// Runs the command.
pub fn run(global: &Global, args: &Args) -> Result<ExitCode, Failure> {
    let methods = Arc::new(open(&args.folder)?);
    let _alone = lock(args)?;
    methods.clear_uploads().map_err(|error| {
        Failure::from_error(Kind::Surroundings, &error).hint("the hub's uploads cannot be removed")
    })?;
    if !args.listen.ip().is_loopback() {
        global.say(format_args!(
            "warning: {} is reachable from elsewhere, and passwords travel in clear: use a proxy with TLS",
            args.listen
        ));
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::from_error(Kind::Surroundings, &error))?;
    runtime.block_on(serve(global, args, methods))?;
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

async fn serve(
    global: &Global,
    args: &Args,
    methods: Arc<crate::hub::methods::Methods>,
) -> Result<(), Failure> {
    let failed = |what: String| {
        move |error: std::io::Error| Failure::new(Kind::Surroundings, what).hint(error.to_string())
    };
    let broken = |error: std::io::Error| Failure::from_error(Kind::Surroundings, &error);
    // Before anybody is told the address, so that no signal is missed.
    let mut terminate = signal(SignalKind::terminate()).map_err(broken)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(broken)?;
    let topdir = args.folder.join("topdir");
    let server = Server::bind(args.listen, methods, topdir, Limits::default()).await;
    let server = server.map_err(failed(format!("cannot listen at {}", args.listen)))?;
    let address = server.address().map_err(broken)?;
    if let Some(path) = &args.port_file {
        let written = write_port(path, address.port());
        written.map_err(failed(format!("cannot write '{}'", path.display())))?;
    }
    println!("http://{address}/kojihub");
    global.say(format_args!("serving the hub in '{}' at http://{address}/kojihub", args.folder.display()));
    server
        .run(async {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        })
        .await;
    global.say("the hub has ended");
    Ok(())
}

/// Appears whole, so that a script may wait for it.
fn write_port(path: &std::path::Path, port: u16) -> std::io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let mut file = tempfile::NamedTempFile::new_in(folder.unwrap_or(std::path::Path::new(".")))?;
    writeln!(file, "{port}")?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}
