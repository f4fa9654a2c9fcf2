//! `gander rpm`: one file per verb.

mod extract_signature;
mod insert_signature;
pub(super) mod keys;
mod show;
mod verify;
pub(super) mod write;

use std::error::Error;
use std::path::Path;
use std::process::ExitCode;

use super::output::quoted;
use super::{Failure, Global, Kind};

/// Show and verify package files, take signatures out of them and put them in.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    Show(show::Args),
    Verify(verify::Args),
    InsertSignature(insert_signature::Args),
    ExtractSignature(extract_signature::Args),
}

/// Runs the command.
pub fn run(global: &Global, args: Args) -> Result<ExitCode, Failure> {
    match args.verb {
        Verb::Show(args) => show::run(&args),
        Verb::Verify(args) => verify::run(global, &args),
        Verb::InsertSignature(args) => insert_signature::run(&args),
        Verb::ExtractSignature(args) => extract_signature::run(&args),
    }
}

/// A failure of something to do with a file, and its cause.
pub(super) fn about(kind: Kind, what: &str, path: &Path, error: impl Error + 'static) -> Failure {
    let what = format!("{what} '{}'", quoted(path));
    Failure::from_error(kind, &About { what, source: Box::new(error) })
}

#[derive(Debug, thiserror::Error)]
#[error("{what}")]
struct About {
    what: String,
    source: Box<dyn Error>,
}
