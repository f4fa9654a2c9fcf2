//! `gander sigul`: sign through a bridge, administer a signing service, run its parts.

mod administrator;
mod answers;
mod asking;
mod bridge;
mod init;
mod keys;
mod ledger;
mod migrate;
mod packages;
mod secrets;
mod server;
mod signer;
mod signing;
mod users;

use std::process::ExitCode;

use super::{Failure, Global, Kind};
use crate::sign::ledger::{LedgerError, ReadError};
use crate::sign::vault::VaultError;

/// Sign through a bridge that speaks sigul's protocol, administer what stands behind it, and run its parts.
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
    Init(init::Args),
    Migrate(migrate::Args),
    Bridge(bridge::Args),
    Server(server::Args),
    Signer(signer::Args),
    Administrator(administrator::Args),
    Ledger(ledger::Args),
}

/// Runs the command.
pub fn run(global: &Global, args: Args) -> Result<ExitCode, Failure> {
    match args.verb {
        Verb::Signing(verb) => signing::run(global, verb)?,
        Verb::Keys(verb) => keys::run(verb)?,
        Verb::Users(verb) => users::run(verb)?,
        Verb::Init(args) => init::run(global, &args)?,
        Verb::Migrate(args) => migrate::run(global, &args)?,
        Verb::Bridge(args) => bridge::run(&args)?,
        Verb::Server(args) => server::run(&args)?,
        Verb::Signer(args) => return signer::run(global, &args),
        Verb::Administrator(args) => return administrator::run(global, &args),
        Verb::Ledger(args) => return ledger::run(global, &args),
    }
    Ok(ExitCode::SUCCESS)
}

impl From<VaultError> for Failure {
    fn from(error: VaultError) -> Self {
        let kind = match &error {
            VaultError::Ledger(LedgerError::Changed(_)) => Kind::Verdict,
            _ => Kind::Surroundings,
        };
        Self::from_error(kind, &error).hint_full_disk("the store's disk")
    }
}

impl From<ReadError> for Failure {
    fn from(error: ReadError) -> Self {
        Self::from_error(Kind::Input, &error)
    }
}
