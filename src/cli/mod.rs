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

// Only the arguments of the command that is asked for are put together: of all of them that would take some 2 ms of each
// start. So the summaries stand here too; a test compares them.
#[derive(Debug, Subcommand)]
#[command(defer = true)]
enum Command {
    /// Compose a release from a recipe and its lock.
    Compose(compose::Args),
    /// Publish a finished compose for clients and mirrors, in one moment.
    Publish(publish::Args),
    /// Resolve a recipe into its lock, or update it.
    Lock(lock::Args),
    /// Keep every input of a lock in a folder, so that it can be composed when its sources are gone.
    Bundle(bundle::Args),
    /// Print the steps of a compose without running any.
    Plan(plan::Args),
    /// Print which packages a recipe's trees get, and by which way each of them came in.
    Select(select::Args),
    /// Say why a package is in a tree, or why it is not.
    Explain(explain::Args),
    /// Build source and binary packages from specs, hermetically.
    Build(build::Args),
    /// Run a command inside an image, without network, as a step would be.
    Run(run::Args),
    /// Boot an image in an emulated machine and wait until its serial console shows a text.
    Boot(boot::Args),
    /// Lock, build, pull, push and show builder images.
    Image(image::Args),
    /// Inspect and clean the store.
    Store(store::Args),
    /// Make, keep, change and show signing keys.
    Key(key::Args),
    /// Sign files by a secret key file, or a key on a token.
    Sign(sign::Args),
    /// Write, check and compare repositories of packages.
    Repo(repo::Args),
    /// Ask a hub of Koji.
    Koji(koji::Args),
    /// Write a recipe from the configuration of another composer.
    Import(import::Args),
    /// Keep a Koji hub of your own: serve it, give it users, import packages; or replay one from a lock.
    Hub(hub::Args),
    /// Show and verify package files, take signatures out of them and put them in.
    Rpm(rpm::Args),
    /// Sign through a bridge that speaks sigul's protocol, administer what stands behind it, and run its parts.
    Sigul(sigul::Args),
    /// Print a shell's completion script.
    Completions(completions::Args),
    /// Write the man pages of all commands into a folder.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_commands_says_what_each_says_of_itself() {
        let (listed, mut built) = (Cli::command(), Cli::command());
        built.build();
        for listed in listed.get_subcommands() {
            let itself = built.find_subcommand(listed.get_name()).unwrap();
            let [listed, itself] = [listed, itself].map(|it| it.get_about().map(ToString::to_string));
            assert!(listed.is_some());
            assert_eq!(listed, itself);
        }
    }
}
