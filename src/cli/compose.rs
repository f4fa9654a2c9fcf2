//! `gander compose`.

use std::path::PathBuf;
use std::process::ExitCode;

use super::output::Format;
use super::session::{self, Jobs};
use super::{Failure, Global};
use crate::compose::{Options, compose};

/// Compose a release from a recipe and its lock.
///
/// The lock is made first if there is none. Steps whose inputs did not change are not run again. The output
/// folder is replaced in one step when everything is done.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The recipe.
    recipe: PathBuf,
    /// Where the compose goes; an earlier compose there is replaced.
    #[arg(short, long, value_name = "DIR", default_value = "out")]
    output: PathBuf,
    /// Demand a lock that fits and change nothing in it, not even by adding signatures.
    #[arg(long)]
    locked: bool,
    /// Sign the release that the lock has again, everything in it, by the keys that the recipe has now, and change nothing
    /// else: after a key was compromised (`compromised` under `[sign]`), or when another one takes its place. What became
    /// other by that is listed.
    #[arg(long, conflicts_with = "locked")]
    resign: bool,
    #[command(flatten)]
    jobs: Jobs,
    /// How the result is written to stdout.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Runs the command.
pub fn run(global: &Global, args: Args) -> Result<ExitCode, Failure> {
    let Args { locked, resign, .. } = args;
    let options = Options { output: args.output.clone(), locked, resign, home: session::home() };
    let composed = session::with(global, &args.jobs, |session, downloads| {
        compose(session, downloads, &args.recipe, &options)
    })?;
    let written = if composed.written { "written" } else { "unchanged" };
    global.say(format_args!(
        "{} steps, {} run; {} {written}",
        composed.steps,
        composed.ran,
        args.output.display()
    ));
    match args.format {
        Format::Text => {
            println!("compose {} {}", composed.tree, args.output.display());
            for tree in &composed.trees {
                let counts: Vec<_> =
                    tree.packages.iter().map(|(arch, count)| format!("{count} {arch}")).collect();
                println!("tree {} {}: repomd.xml {}", tree.path, counts.join(", "), tree.repomd);
            }
            for medium in &composed.media {
                println!("medium {} {} bytes: {}", medium.path, medium.size, medium.digest);
            }
            for line in &composed.resigned {
                println!("{line}");
            }
        }
        Format::Json => {
            let trees: Vec<_> = composed
                .trees
                .iter()
                .map(|tree| {
                    serde_json::json!({
                        "path": tree.path,
                        "packages": tree.packages,
                        "repomd": tree.repomd,
                    })
                })
                .collect();
            let media: Vec<_> = composed
                .media
                .iter()
                .map(|medium| {
                    serde_json::json!({
                        "path": medium.path,
                        "size": medium.size,
                        "digest": medium.digest,
                    })
                })
                .collect();
            let mut result = serde_json::json!({
                "digest": composed.tree,
                "output": args.output,
                "trees": trees,
                "media": media,
                "steps": composed.steps,
                "ran": composed.ran,
                "written": composed.written,
            });
            if resign {
                result["resigned"] = composed.resigned.into();
            }
            println!("{result:#}");
        }
    }
    Ok(ExitCode::SUCCESS)
}
