//! `gander repo`: one file per verb.

mod create;

use std::process::ExitCode;

use super::{Failure, Global};

/// Write repositories of packages.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Create(Box<create::Args>),
}

/// Runs the command.
pub fn run(global: &Global, args: Args) -> Result<ExitCode, Failure> {
    match args.command {
        Command::Create(args) => create::run(global, *args),
    }
}
