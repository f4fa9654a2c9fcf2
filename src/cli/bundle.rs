//! `gander bundle`.

use std::path::PathBuf;
use std::process::ExitCode;

use super::output::Format;
use super::session::{self, Jobs};
use super::{Failure, Global};
use crate::compose::{bundle, lock_folder};

/// Keep every input of a lock in a folder, so that it can be composed when its sources are gone.
///
/// Packages, sources, the builder's packages or image and what was answered when the lock was made are written by
/// their digests, after each was checked. What is there already stays; a run that was stopped is gone on with. The
/// bundle is used with --bundle DIR, which every command takes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The lock, or the recipe that it belongs to.
    lock: PathBuf,
    /// The folder of the bundle; it may have the inputs of other locks already.
    #[arg(short, long, value_name = "DIR")]
    output: PathBuf,
    #[command(flatten)]
    jobs: Jobs,
    /// How the result is written to stdout.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Runs the command.
pub fn run(global: &Global, args: Args) -> Result<ExitCode, Failure> {
    let lock = match args.lock.extension() {
        Some(extension) if extension == "toml" => lock_folder(&args.lock),
        _ => args.lock,
    };
    let done = session::with(global, &args.jobs, |session, downloads| {
        bundle(session, downloads, &lock, &args.output)
    })?;
    match args.format {
        Format::Text => println!(
            "bundle {}: {} files, {} bytes, {} of them new",
            args.output.display(),
            done.files,
            done.bytes,
            done.written
        ),
        Format::Json => {
            let result = serde_json::json!({
                "output": args.output,
                "files": done.files,
                "bytes": done.bytes,
                "written": done.written,
            });
            println!("{result:#}");
        }
    }
    Ok(ExitCode::SUCCESS)
}
