//! `gander import`: one file per composer whose configurations are read.

mod mash;
mod pungi;

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::output::{Format, quoted, visible};
use super::rpm::write;
use super::{Failure, Global, Kind};
use crate::convert::{Conversion, NoteKind};
use crate::recipe::Fingerprint;

/// Write a recipe from the configuration of another composer.
///
/// What could not be carried over is said on stderr, all of it. A recipe that lacks something which the configuration
/// does not say is written, too: it begins with what is to be done.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    composer: Composer,
}

#[derive(Debug, clap::Subcommand)]
enum Composer {
    Mash(mash::Args),
    Pungi(pungi::Args),
}

/// Runs the command.
pub fn run(global: &Global, args: Args) -> Result<ExitCode, Failure> {
    match args.composer {
        Composer::Mash(args) => mash::run(global, &args),
        Composer::Pungi(args) => pungi::run(global, &args),
    }
}

/// What both have in common.
#[derive(Debug, clap::Args)]
struct Outcome {
    /// Where to write the recipe (default: stdout).
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Replace the output file if it exists.
    #[arg(long, requires = "output")]
    force: bool,
    /// How the result is written to stdout: the recipe, or recipe and notes in one JSON document.
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
    /// Fingerprint of a key whose id the configuration names (can be repeated).
    #[arg(long = "key", value_name = "FINGERPRINT")]
    keys: Vec<Fingerprint>,
}

impl Outcome {
    /// Writes the recipe, and says what was not carried over.
    fn show(&self, global: &Global, conversion: &Conversion) -> Result<ExitCode, Failure> {
        if let Some(path) = &self.output {
            write::file(path, self.force, |file| {
                file.write_all(conversion.recipe.as_bytes()).map_err(|error| write::failed(path, error))
            })?;
        }
        match self.format {
            Format::Text if self.output.is_none() => print!("{}", conversion.recipe),
            Format::Text => {}
            Format::Json => println!("{:#}", json(conversion)),
        }
        for note in &conversion.notes {
            global.say(format_args!("{}: {}", note.kind.name(), visible(&note.to_string())));
        }
        let count = |kind| conversion.notes.iter().filter(|note| note.kind == kind).count();
        global.say(format_args!(
            "{} to do, {} lost, {} changed, {} without effect",
            count(NoteKind::Todo),
            count(NoteKind::Lost),
            count(NoteKind::Changed),
            count(NoteKind::NoEffect)
        ));
        Ok(ExitCode::SUCCESS)
    }
}

fn json(conversion: &Conversion) -> serde_json::Value {
    let notes = conversion.notes.iter().map(|note| {
        serde_json::json!({
            "kind": note.kind.name(),
            "file": note.place.as_ref().map(|place| &*place.file),
            "line": note.place.as_ref().map(|place| place.line),
            "subject": note.subject,
            "text": note.text,
        })
    });
    serde_json::json!({
        "version": 1,
        "recipe": conversion.recipe,
        "missing-keys": conversion.missing_keys,
        "notes": notes.collect::<Vec<_>>(),
    })
}

/// Reads a file of at most so many bytes, and one more where it is longer: for whoever parses it to refuse.
fn read(path: &Path, most: usize) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(most as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The same for a file that must be there.
fn read_input(path: &Path, most: usize) -> Result<Vec<u8>, Failure> {
    read(path, most).map_err(|error| about(Kind::Input, path, error))
}

/// A failure of reading a file, and its cause.
fn about(kind: Kind, path: &Path, error: impl std::error::Error + 'static) -> Failure {
    super::rpm::about(kind, "no recipe can be made of", path, error)
}

/// The folder that a file lies in.
fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// What messages call a file.
fn name(path: &Path) -> String {
    quoted(path)
}
