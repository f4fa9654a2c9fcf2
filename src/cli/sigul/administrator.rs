//! `gander sigul administrator`.

use std::path::PathBuf;
use std::process::ExitCode;

use super::super::{Failure, Global, Kind};
use crate::sign::key::read_passphrase;
use crate::sign::vault::{Options, Vault};

/// Make an administrator in a signer's store, or give one a new password; while no signer has it open.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Their name, as their certificate has it.
    name: String,
    /// The store; made if it is not there.
    #[arg(long, value_name = "DIR")]
    store: PathBuf,
    /// The file whose first line is their password.
    #[arg(long, value_name = "FILE")]
    password_file: PathBuf,
}

/// Runs the command.
pub fn run(global: &Global, args: &Args) -> Result<ExitCode, Failure> {
    let password = read_passphrase(&args.password_file)?;
    let vault = Vault::open(&args.store, Options::default())?;
    vault
        .set_administrator(&args.name, &password)
        .map_err(|refusal| Failure::new(Kind::Usage, refusal.to_string()))?;
    global.say(format_args!("'{}' administers the store", args.name.escape_debug()));
    Ok(ExitCode::SUCCESS)
}
