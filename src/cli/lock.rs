//! `gander lock`.

use std::path::PathBuf;
use std::process::ExitCode;

use super::session::{self, Jobs};
use super::{Failure, Global, Kind};
use crate::compose::{lock_folder, resign, update};

/// Resolve a recipe into its lock, or update it.
///
/// Packages that are built here are built, the selection is made from what came out, and RPM headers are
/// signed with the recipe's key. The lock is the folder beside the recipe with the extension .lock; what
/// changed in it is printed before it is written.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The recipe.
    recipe: PathBuf,
    /// Change a lock that is there already.
    #[arg(long)]
    update: bool,
    /// Have packages of the release that the lock has signed again, by the key that the recipe has now, and change nothing
    /// else: after a key was compromised (`compromised` under `[sign]`), or when another one takes its place. What is signed later
    /// than packages, 'gander compose' signs.
    #[arg(long, conflicts_with = "update")]
    resign: bool,
    /// With --update: move only the builds of these packages in the recipe's tags of Koji, and leave all others at what
    /// the lock has.
    #[arg(value_name = "PACKAGE", requires = "update")]
    packages: Vec<String>,
    #[command(flatten)]
    jobs: Jobs,
}

/// Runs the command.
pub fn run(global: &Global, args: Args) -> Result<ExitCode, Failure> {
    let folder = lock_folder(&args.recipe);
    if folder.exists() && !args.update && !args.resign {
        let message = format!("there is a lock '{}' already", folder.display());
        return Err(Failure::new(Kind::Usage, message)
            .hint("change it with --update, or have the same release signed again with --resign"));
    }
    let home = session::home();
    session::with(global, &args.jobs, |session, downloads| {
        let show = &mut |changes: &[String]| {
            for line in changes {
                println!("{line}");
            }
            global.say(format_args!("{}: {} changes", folder.display(), changes.len()));
        };
        if args.resign {
            return resign(session, downloads, &args.recipe, home.as_deref(), show);
        }
        update(session, downloads, &args.recipe, &args.packages, home.as_deref(), show)
    })?;
    Ok(ExitCode::SUCCESS)
}
