//! `gander image`: one file per verb.

mod build;
mod lock;
mod named;
mod pull;
mod push;
mod show;

use std::process::ExitCode;

use super::{Failure, Global};

pub use build::{image_of, image_of_lock};
pub use named::runtime;

/// Lock, build, pull, push and show builder images.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    Lock(lock::Args),
    Build(build::Args),
    Pull(pull::Args),
    Push(push::Args),
    Show(show::Args),
}

/// Runs the command.
pub fn run(global: &Global, args: Args) -> Result<ExitCode, Failure> {
    match args.verb {
        Verb::Lock(args) => lock::run(global, args),
        Verb::Build(args) => build::run(global, args),
        Verb::Pull(args) => pull::run(global, args),
        Verb::Push(args) => push::run(global, args),
        Verb::Show(args) => show::run(global, args),
    }
}
