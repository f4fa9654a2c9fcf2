//! `gander sigul`: sign through a bridge, administer a signing service, run its parts.

mod answers;
mod asking;
mod bridge;
mod keys;
mod secrets;
mod signing;
mod users;

use std::process::ExitCode;

use super::{Failure, Global};

/// Sign through a bridge that speaks sigul's protocol, and administer what stands behind it.
///
/// The operations have sigul's names. Where the bridge is and who asks stands in a configuration file; passphrases and
/// passwords come from files, file descriptors or the terminal, never from the command line.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    #[command(flatten)]
    Signing(signing::Verb),
    #[command(flatten)]
    Keys(keys::Verb),
    #[command(flatten)]
    Users(users::Verb),
    Bridge(bridge::Args),
}

/// Runs the command.
pub fn run(global: &Global, args: Args) -> Result<ExitCode, Failure> {
    match args.verb {
        Verb::Signing(verb) => signing::run(global, verb)?,
        Verb::Keys(verb) => keys::run(verb)?,
        Verb::Users(verb) => users::run(verb)?,
        Verb::Bridge(args) => return bridge::run(&args),
    }
    Ok(ExitCode::SUCCESS)
}
