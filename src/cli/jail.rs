//! `gander jail`: the inside of a step, started by the runner, never by a person.

use std::process::ExitCode;

use crate::{compose, runner};

/// Carry out one step inside its jail (started by gander itself).
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Runs the inside of a jail; the runner reads its exit code.
pub fn run(_args: Args) -> ExitCode {
    runner::enter(&compose::native)
}
