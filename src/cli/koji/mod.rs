//! `gander koji`: one file per verb.

mod tag;

use std::process::ExitCode;

use super::{Failure, Global};

/// Ask a hub of Koji.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    Tag(tag::Args),
}

/// Runs the command.
pub fn run(global: &Global, args: Args) -> Result<ExitCode, Failure> {
    match args.verb {
        Verb::Tag(args) => tag::run(global, args),
    }
}
