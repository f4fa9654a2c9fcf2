//! `gander lock`.

use std::path::PathBuf;
use std::process::ExitCode;

use super::session::{self, Jobs};
use super::{Failure, Global, Kind};
use crate::compose::{lock_folder, update};

/// Resolve a recipe into its lock, or update it.
///
/// Packages that are built here are built, the selection is made from what came out, and RPM headers are
/// signed with the recipe's key. The lock is the folder beside the recipe with the extension .lock; what
/// changed in it is printed.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The recipe.
    recipe: PathBuf,
    /// Change a lock that is there already.
    #[arg(long)]
    update: bool,
    #[command(flatten)]
    jobs: Jobs,
}

/// Runs the command.
pub fn run(global: &Global, args: Args) -> Result<ExitCode, Failure> {
    let folder = lock_folder(&args.recipe);
    if folder.exists() && !args.update {
        let message = format!("there is a lock '{}' already", folder.display());
        return Err(Failure::new(Kind::Usage, message).hint("change it with --update"));
    }
    let home = session::home();
    let changes = session::with(global, &args.jobs, |session, downloads| {
        update(session, downloads, &args.recipe, home.as_deref())
    })?;
    for line in &changes {
        println!("{line}");
    }
    global.say(format_args!("{}: {} changes", folder.display(), changes.len()));
    Ok(ExitCode::SUCCESS)
}
