//! `gander sigul`: one file per verb.

mod administrator;
mod ledger;
mod signer;

use std::process::ExitCode;

use super::{Failure, Global, Kind};
use crate::sign::ledger::{LedgerError, ReadError};
use crate::sign::vault::VaultError;

/// Sign with sigul's protocol: the signing service.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    Signer(signer::Args),
    Administrator(administrator::Args),
    Ledger(ledger::Args),
}

/// Runs the command.
pub fn run(global: &Global, args: Args) -> Result<ExitCode, Failure> {
    match args.verb {
        Verb::Signer(args) => signer::run(global, &args),
        Verb::Administrator(args) => administrator::run(global, &args),
        Verb::Ledger(args) => ledger::run(global, &args),
    }
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
