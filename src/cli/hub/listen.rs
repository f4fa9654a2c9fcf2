//! What servers of hubs have in common: where they listen, how they say so, and how they end.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::signal::unix::{SignalKind, signal};

use super::super::{Failure, Global, Kind};
use crate::hub::methods::Methods;
use crate::hub::serve::{Limits, Server};

/// Where a server listens.
#[derive(Debug, clap::Args)]
pub struct Listen {
    /// Where to listen; port 0 is any that is free.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Write the port's number to a file once the server listens.
    #[arg(long, value_name = "FILE")]
    port_file: Option<PathBuf>,
}

impl Listen {
    /// Whether only this machine reaches it.
    pub fn is_loopback(&self) -> bool {
        self.listen.ip().is_loopback()
    }

    /// Where.
    pub fn address(&self) -> SocketAddr {
        self.listen
    }

    /// Serves the methods of a hub, and the files below a folder, until SIGTERM or SIGINT.
    pub fn serve(
        &self,
        global: &Global,
        methods: Arc<Methods>,
        topdir: PathBuf,
        what: &str,
    ) -> Result<(), Failure> {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
        let runtime = runtime.map_err(|error| Failure::from_error(Kind::Surroundings, &error))?;
        runtime.block_on(self.run(global, methods, topdir, what))
    }

    async fn run(
        &self,
        global: &Global,
        methods: Arc<Methods>,
        topdir: PathBuf,
        what: &str,
    ) -> Result<(), Failure> {
        let failed = |what: String| {
            move |error: std::io::Error| Failure::new(Kind::Surroundings, what).hint(error.to_string())
        };
        let broken = |error: std::io::Error| Failure::from_error(Kind::Surroundings, &error);
        // Before anybody is told the address, so that no signal is missed.
        let mut terminate = signal(SignalKind::terminate()).map_err(broken)?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(broken)?;
        let server = Server::bind(self.listen, methods, topdir, Limits::default()).await;
        let server = server.map_err(failed(format!("cannot listen at {}", self.listen)))?;
        let address = server.address().map_err(broken)?;
        if let Some(path) = &self.port_file {
            let written = write_port(path, address.port());
            written.map_err(failed(format!("cannot write '{}'", path.display())))?;
        }
        println!("http://{address}/kojihub");
        global.say(format_args!("serving {what} at http://{address}/kojihub"));
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
}

/// Appears whole, so that a script may wait for it.
fn write_port(path: &Path, port: u16) -> std::io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let mut file = tempfile::NamedTempFile::new_in(folder.unwrap_or(Path::new(".")))?;
    writeln!(file, "{port}")?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}
