//! The command line: one file per subcommand, arguments in, rendering out, no logic.
//!
//! stdout is data, stderr is narration. A command returns [`Failure`], whose kind decides the exit
//! code; every library error becomes one in the file of the command that meets it.

/// Writes data to stdout, see [`output`].
macro_rules! print {
    ($($arg:tt)*) => { $crate::cli::output::write(format_args!($($arg)*)) };
}
/// Writes a line of data to stdout, see [`output`].
macro_rules! println {
    ($($arg:tt)*) => { $crate::cli::output::write(format_args!("{}\n", format_args!($($arg)*))) };
}

mod boot;
mod build;
mod bundle;
mod completions;
mod compose;
mod explain;
mod failure;
mod global;
mod hub_at;
mod hub;
mod image;
mod import;
mod jail;
mod key;
mod koji;
mod lock;
mod man;
mod network;
mod output;
mod plan;
mod publish;
mod repo;
mod rpm;
mod run;
mod select;
mod session;
mod sign;
mod sigul;
mod store;
mod timings;

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

pub use failure::{Failure, Kind};
pub use global::Global;

/// Compose releases of RPM distributions: hermetic, reproducible, from a lock.
#[derive(Debug, Parser)]
#[command(name = "gander", version, max_term_width = 100)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Compose(compose::Args),
    Publish(publish::Args),
    Lock(lock::Args),
    Bundle(bundle::Args),
    Plan(plan::Args),
    Select(select::Args),
    Explain(explain::Args),
    Build(build::Args),
    Run(run::Args),
    Boot(boot::Args),
    Image(image::Args),
    Store(store::Args),
    Key(key::Args),
    Sign(sign::Args),
    Repo(repo::Args),
    Koji(koji::Args),
    Import(import::Args),
    Hub(hub::Args),
    Rpm(rpm::Args),
    Sigul(sigul::Args),
    Completions(completions::Args),
    Man(man::Args),
    /// Carry out one step inside its jail (started by gander itself).
    #[command(hide = true)]
    Jail(jail::Args),
}

/// Runs the command line of this process. A panic is a bug and has the exit code of one.
pub fn main() -> ExitCode {
    std::panic::catch_unwind(command_line).unwrap_or_else(|_| {
        Failure::new(Kind::Bug, "gander stopped at something that it did not expect")
            .hint("report this with the lines above")
            .report(false)
    })
}

fn command_line() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return failure::usage(&error),
    };
    let global = &cli.global;
    let result = match cli.command {
        Command::Compose(args) => compose::run(global, args),
        Command::Publish(args) => publish::run(global, args),
        Command::Lock(args) => lock::run(global, args),
        Command::Bundle(args) => bundle::run(global, args),
        Command::Plan(args) => plan::run(global, args),
        Command::Select(args) => select::run(global, args),
        Command::Explain(args) => explain::run(global, args),
        Command::Build(args) => build::run(global, args),
        Command::Run(args) => run::run(global, args),
        Command::Boot(args) => boot::run(global, args),
        Command::Image(args) => image::run(global, args),
        Command::Store(args) => store::run(global, args),
        Command::Key(args) => key::run(global, args),
        Command::Sign(args) => sign::run(&args),
        Command::Repo(args) => repo::run(global, args),
        Command::Koji(args) => koji::run(global, args),
        Command::Import(args) => import::run(global, args),
        Command::Hub(args) => hub::run(global, args),
        Command::Rpm(args) => rpm::run(global, args),
        Command::Sigul(args) => sigul::run(global, args),
        Command::Completions(args) => completions::run(&args),
        Command::Man(args) => man::run(&args),
        Command::Jail(args) => return jail::run(args),
    };
    match result {
        Ok(code) => code,
        Err(failure) => failure.report(global.colour()),
    }
}

/// The whole command tree, for completions and man pages.
fn command() -> clap::Command {
    Cli::command()
}
