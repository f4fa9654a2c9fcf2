//! `gander jail`: the inside of a step, started by the runner, never by a person.

use std::error::Error;
use std::process::ExitCode;

use crate::oci;
use crate::plan::StepIo;
use crate::runner;

/// Carry out one step inside its jail (started by gander itself).
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Runs the inside of a jail; the runner reads its exit code.
pub fn run(_args: Args) -> ExitCode {
    runner::enter(&native)
}

fn native(kind: &str, io: &StepIo) -> Result<(), Box<dyn Error>> {
    match kind {
        oci::KIND => Ok(oci::execute(io)?),
        _ => Err(format!("unknown native step kind '{kind}'").into()),
    }
}
