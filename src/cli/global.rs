//! Options that every command takes.

use std::io::{IsTerminal as _, Write as _};
use std::path::PathBuf;

use super::failure::{Failure, Kind};
use crate::store::Store;

/// Options that every command takes.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    /// Folder of the store (default: `gander` below the XDG cache folder).
    #[arg(long, global = true, value_name = "DIR")]
    store: Option<PathBuf>,
    /// Base address of a Debian mirror (can be repeated; default: the host's apt sources).
    #[arg(long, global = true, value_name = "URL")]
    pub debian_mirror: Vec<String>,
    /// Folder of a bundle that inputs are taken from before the network is used (can be repeated).
    #[arg(long, global = true, value_name = "DIR")]
    pub bundle: Vec<PathBuf>,
    /// Use what the store has and never the network.
    #[arg(long, global = true)]
    pub offline: bool,
    /// Say nothing but errors (on stderr).
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Say more (can be repeated).
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
}

impl Global {
    /// Whether stderr may be coloured: a terminal, and `NO_COLOR` is not set.
    #[allow(clippy::disallowed_methods, reason = "how stderr looks reaches no output")]
    pub fn colour(&self) -> bool {
        std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
    }

    /// Opens the store.
    pub fn open_store(&self) -> Result<Store, Failure> {
        let path = match &self.store {
            Some(path) => path.clone(),
            None => default_store()?,
        };
        Store::open(&path).map_err(Failure::from)
    }

    /// Says what is going on, unless `--quiet`.
    pub fn say(&self, text: impl std::fmt::Display) {
        if !self.quiet {
            // What cannot be said, to a full disk say, is lost; the work is not.
            drop(writeln!(std::io::stderr(), "{text}"));
        }
    }
}

#[allow(clippy::disallowed_methods, reason = "where the store lies reaches no output")]
fn default_store() -> Result<PathBuf, Failure> {
    let folder = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    folder("XDG_CACHE_HOME")
        .or_else(|| Some(folder("HOME")?.join(".cache")))
        .map(|cache| cache.join("gander"))
        .ok_or_else(|| {
            Failure::new(Kind::Usage, "neither XDG_CACHE_HOME nor HOME is set, so the store has no place")
                .hint("name a folder with --store DIR")
        })
}
