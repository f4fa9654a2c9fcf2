//! `gander rpm`: one file per verb.

mod show;

use std::process::ExitCode;

use super::{Failure, Global};

/// Show what package files say about themselves.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    Show(show::Args),
}

/// Runs the command.
pub fn run(_global: &Global, args: Args) -> Result<ExitCode, Failure> {
    match args.verb {
        Verb::Show(args) => show::run(&args),
    }
}
