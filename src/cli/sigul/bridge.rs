//! `gander sigul bridge`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::signal::unix::{SignalKind, signal};

use super::super::{Failure, Kind};
use crate::sigul::bridge::{Bridge, BridgeError, Config, ConfigError, Log, LogFormat};

/// Run the bridge, where clients and servers of signing services meet.
///
/// It works until SIGTERM or SIGINT, then passes on what is under way and ends. SIGHUP has it read its certificates
/// again. Events go to stderr, one line each.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The configuration file.
    #[arg(long, value_name = "FILE", default_value = "/etc/gander/sigul-bridge.toml")]
    config: PathBuf,
    /// How events are written.
    #[arg(long, value_name = "FORMAT", default_value = "logfmt")]
    log_format: Format,
    /// Look whether the configuration and its certificates can be used, and end.
    #[arg(long)]
    check: bool,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Format {
    Logfmt,
    Json,
}

impl From<Format> for LogFormat {
    fn from(format: Format) -> Self {
        match format {
            Format::Logfmt => Self::Logfmt,
            Format::Json => Self::Json,
        }
    }
}

/// Runs the command.
pub fn run(args: &Args) -> Result<ExitCode, Failure> {
    let config = Config::read(&args.config)?;
    if args.check {
        return Ok(ExitCode::SUCCESS);
    }
    let broken = |error: std::io::Error| Failure::from_error(Kind::Surroundings, &error);
    // Two connections for a request, and those that only wait: more than the usual 1024 descriptors.
    let files = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: files.maximum, maximum: files.maximum });
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(broken)?;
    let done = runtime.block_on(async {
        let log = Arc::new(Log::new(args.log_format.into(), std::io::stderr()));
        // Before it listens, so that no signal is missed.
        let mut terminate = signal(SignalKind::terminate()).map_err(broken)?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(broken)?;
        let mut hang_up = signal(SignalKind::hangup()).map_err(broken)?;
        let bridge = Bridge::bind(config, log)?;
        let reload = bridge.reload();
        let reloading = tokio::spawn(async move {
            while hang_up.recv().await.is_some() {
                reload.certificates();
            }
        });
        bridge
            .run(async {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                }
            })
            .await;
        reloading.abort();
        Ok(ExitCode::SUCCESS)
    });
    // What still hangs had its time.
    runtime.shutdown_background();
    done
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        let kind = match &error {
            ConfigError::File { .. } => Kind::Input,
            ConfigError::Wrong { .. } => Kind::Usage,
        };
        let failure = Self::from_error(kind, &error);
        failure.hint("docs/sigul-bridge.md has an example; --check looks without running")
    }
}

impl From<BridgeError> for Failure {
    fn from(error: BridgeError) -> Self {
        Self::from_error(Kind::Surroundings, &error)
    }
}
