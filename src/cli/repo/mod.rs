//! `gander repo`: one file per verb.

mod check;
mod diff;

use std::process::ExitCode;

use super::{Failure, Global, Kind};
use crate::fetch::Fetcher;
use crate::repo::load::{LoadError, Repository};
use crate::store::Store;

/// Check and compare repositories of packages.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    Check(check::Args),
    Diff(diff::Args),
}

/// Runs the command.
pub fn run(global: &Global, args: Args) -> Result<ExitCode, Failure> {
    match args.verb {
        Verb::Check(args) => check::run(global, args),
        Verb::Diff(args) => diff::run(global, &args),
    }
}

/// What reading repositories takes: something that downloads, into a store. Where nothing is at an address the store is a
/// folder that goes away.
struct Access {
    fetcher: Fetcher,
    store: Store,
    runtime: tokio::runtime::Runtime,
    _passing: Option<tempfile::TempDir>,
}

impl Access {
    fn new<'n>(global: &Global, mut names: impl Iterator<Item = &'n String>) -> Result<Self, Failure> {
        let is_remote = |name: &String| {
            let scheme = name.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase());
            matches!(scheme.as_deref(), Some("http" | "https"))
        };
        let (store, passing) = if names.any(is_remote) {
            (global.open_store()?, None)
        } else {
            let folder = tempfile::tempdir().map_err(|error| {
                Failure::new(Kind::Surroundings, format!("no temporary folder can be made: {error}"))
            })?;
            (Store::open(folder.path())?, Some(folder))
        };
        let fetcher = Fetcher::new(&store, global.offline)?;
        Ok(Self { fetcher, store, runtime: super::image::runtime()?, _passing: passing })
    }
}

/// The failure of a repository whose metadata are damaged, with all that is wrong.
fn damaged(repositories: &[Repository]) -> Failure {
    let faults = repositories.iter().flat_map(|repository| {
        repository.faults.iter().map(move |fault| format!("\n  {}: {fault}", repository.name))
    });
    let lines: Vec<String> = faults.collect();
    Failure::new(Kind::Input, format!("the metadata are damaged:{}", lines.concat()))
}

impl From<LoadError> for Failure {
    fn from(error: LoadError) -> Self {
        match error {
            LoadError::Fetch(error) => error.into(),
            LoadError::Address(_) => Self::from_error(Kind::Usage, &error),
            LoadError::Io { .. } => Self::from_error(Kind::Surroundings, &error),
        }
    }
}
