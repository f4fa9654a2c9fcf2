//! `gander repo diff`.

use std::process::ExitCode;

use super::super::output::{Format, visible};
use super::super::{Failure, Global, Kind};
use super::{Access, damaged};
use crate::base::Nevra;
use crate::repo::Change;
use crate::repo::diff::{self, Diff, Update};
use crate::repo::load::{self, Lists};

/// Show what differs between two repositories.
///
/// Packages are compared by what the metadata say of them, whatever their order and however they are compressed: those
/// that were added, removed, upgraded, downgraded or rebuilt, and each field that changed. So are groups, other metadata,
/// revision and tags. Times of files are not compared. Exit code 0 if nothing differs, 1 if something does, 3 if metadata are
/// missing or damaged, 4 if a server does not answer.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The one repository: a folder that holds repodata/, or its address (file:, http:, https:).
    #[arg(value_name = "DIR|URL")]
    before: String,
    /// The other one.
    #[arg(value_name = "DIR|URL")]
    after: String,
    /// How the result is written to stdout.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Values that are shown of a field without --verbose.
const VALUES: usize = 5;

/// Runs the command.
pub fn run(global: &Global, args: &Args) -> Result<ExitCode, Failure> {
    let access = Access::new(global, [&args.before, &args.after].into_iter())?;
    let load = |name: &str| {
        let work = load::load(name, Lists::All, &access.fetcher, &access.store);
        access.runtime.block_on(work)
    };
    let mut both = [load(&args.before)?, load(&args.after)?];
    let [before, after] = &mut both;
    let Some(diff) = diff::diff(before, after)? else { return Err(damaged(&both)) };
    match args.format {
        Format::Text => text(&diff, global.verbose > 0),
        Format::Json => match serde_json::to_value(&diff) {
            Ok(document) => println!("{document:#}"),
            Err(error) => return Err(Failure::from_error(Kind::Bug, &error)),
        },
    }
    Ok(if diff.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(Kind::Verdict as u8) })
}

fn text(diff: &Diff, verbose: bool) {
    changes("", &diff.repository, verbose);
    let names = |mark: &str, all: &[Nevra]| all.iter().for_each(|nevra| println!("{mark} {nevra}"));
    names("added", &diff.added);
    names("removed", &diff.removed);
    let updates = |mark: &str, all: &[Update]| {
        all.iter().for_each(|update| println!("{mark} {} to {}", update.before, update.after.evr));
    };
    updates("upgraded", &diff.upgraded);
    updates("downgraded", &diff.downgraded);
    for changed in &diff.changed {
        println!("{} {}", if changed.rebuilt { "rebuilt" } else { "changed" }, changed.nevra);
        changes("  ", &changed.changes, verbose);
    }
    changes("", &diff.groups, verbose);
    changes("", &diff.data, verbose);
}

fn changes(indent: &str, changes: &[Change], verbose: bool) {
    for change in changes {
        println!("{indent}{}", change.field);
        for (sign, values) in [("-", &change.before), ("+", &change.after)] {
            let shown = if verbose { values.len() } else { VALUES };
            for value in values.iter().take(shown) {
                println!("{indent}  {sign} {}", visible(value));
            }
            if let Some(more) = values.len().checked_sub(shown).filter(|more| *more > 0) {
                println!("{indent}  {sign} {more} more (--verbose shows them)");
            }
        }
    }
}
