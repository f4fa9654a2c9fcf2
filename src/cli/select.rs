//! `gander select`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::ExitCode;

use super::output::Format;
use super::{Failure, Global};
use crate::base::Nevra;
use crate::compose::{Selection, SelectionChange};
use crate::lock::TreeRef;
use crate::select::{Decision, Flag};

/// Print which packages a recipe's trees get, and by which way each of them came in.
///
/// The selection is made anew from the universe of the recipe's lock: of a recipe that was changed it shows what the next lock
/// would have, as far as nothing new is built or offered. Of a lock's folder it shows that lock's own. What is wrong with a
/// selection goes to stderr, and the exit code is 1 then.
///
/// With --diff, two locks: what came, went or changed between them and for which reason, the secondary arch apart.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The recipe, or the folder of a lock; two of them with --diff.
    #[arg(required = true, num_args = 1..=2, value_name = "RECIPE|LOCK")]
    places: Vec<PathBuf>,
    /// Compare the selections of two locks.
    #[arg(long)]
    diff: bool,
    /// Only this tree, such as `BaseOS/x86_64`.
    #[arg(long, value_name = "VARIANT/ARCH")]
    tree: Option<String>,
    /// How the selection is written to stdout.
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

/// Runs the command.
pub fn run(global: &Global, args: Args) -> Result<ExitCode, Failure> {
    let read = |place: &PathBuf| Ok::<_, Failure>(Selection::read(place, || global.open_store().ok())?);
    match (args.diff, args.places.as_slice()) {
        (false, [place]) => {
            let selection = read(place)?;
            let mut decisions = BTreeMap::new();
            for tree in trees(&selection, args.tree.as_deref())? {
                decisions.extend(selection.decision(&tree).map(|decision| (tree, decision)));
            }
            match args.format {
                Format::Text => text(&selection, &decisions),
                Format::Json => println!("{:#}", json(&selection, &decisions)),
            }
            Ok(findings(global, &decisions))
        }
        (true, [old, new]) => {
            let (old, new) = (read(old)?, read(new)?);
            let changes = SelectionChange::between(&old, &new);
            let changes: Vec<_> = changes
                .into_iter()
                .filter(|change| args.tree.as_ref().is_none_or(|tree| change.tree.to_string() == *tree))
                .collect();
            match args.format {
                Format::Text => changes.iter().for_each(|change| println!("{change}")),
                Format::Json => println!("{:#}", changes_json(&changes)),
            }
            Ok(ExitCode::SUCCESS)
        }
        (true, _) => Err(Failure::new(super::Kind::Usage, "--diff compares two locks: name both".to_owned())),
        (false, _) => Err(Failure::new(
            super::Kind::Usage,
            "one recipe or lock at a time, or two with --diff".to_owned(),
        )),
    }
}

/// The trees that are asked for.
pub(super) fn trees(selection: &Selection, wanted: Option<&str>) -> Result<Vec<TreeRef>, Failure> {
    let all: Vec<TreeRef> = selection.trees().collect();
    let Some(wanted) = wanted else { return Ok(all) };
    let found: Vec<_> = all.iter().filter(|tree| tree.to_string() == wanted).cloned().collect();
    if found.is_empty() {
        let known = all.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let failure = Failure::new(super::Kind::Usage, format!("there is no tree '{wanted}'"));
        return Err(failure.hint(format!("there are: {known}")));
    }
    Ok(found)
}

/// Flags as a column of text.
pub(super) fn flags(flags: &BTreeSet<Flag>) -> String {
    flags.iter().map(|flag| flag.name()).collect::<Vec<_>>().join(",")
}

/// Everything that a tree gets, in order, with its flags.
fn listed(decision: &Decision) -> impl Iterator<Item = (&Nevra, &BTreeSet<Flag>)> {
    let chosen =
        decision.packages.iter().chain(&decision.debug).map(|(nevra, chosen)| (nevra, &chosen.flags));
    chosen.chain(decision.sources.iter().map(|(nevra, source)| (nevra, &source.flags)))
}

fn text(selection: &Selection, decisions: &BTreeMap<TreeRef, Decision>) {
    for (tree, decision) in decisions {
        for (nevra, found) in listed(decision) {
            let tree = selection.tree_of(tree, decision, nevra);
            println!("{}", format!("{tree} {nevra} {}", flags(found)).trim_end());
        }
    }
}

fn json(selection: &Selection, decisions: &BTreeMap<TreeRef, Decision>) -> serde_json::Value {
    let names = |flags: &BTreeSet<Flag>| flags.iter().map(|flag| flag.name()).collect::<Vec<_>>();
    let trees: serde_json::Map<_, _> = decisions
        .iter()
        .map(|(tree, decision)| {
            let packages: serde_json::Map<_, _> = listed(decision)
                .map(|(nevra, flags)| {
                    let why = decision.explain(nevra).first().map(|(_, why)| why.to_string());
                    let of = selection.tree_of(tree, decision, nevra);
                    let mut package = serde_json::json!({ "flags": names(flags), "why": why });
                    if let (true, Some(package)) = (of != *tree, package.as_object_mut()) {
                        package.insert("tree".into(), of.to_string().into());
                    }
                    (nevra.to_string(), package)
                })
                .collect();
            let problems: Vec<_> = decision.problems.iter().map(ToString::to_string).collect();
            let notes: Vec<_> = decision.notes.iter().map(ToString::to_string).collect();
            let json = serde_json::json!({ "packages": packages, "problems": problems, "notes": notes });
            (tree.to_string(), json)
        })
        .collect();
    serde_json::json!({ "version": 1, "trees": trees })
}

/// Tells what is wrong, and what is worth knowing.
fn findings(global: &Global, decisions: &BTreeMap<TreeRef, Decision>) -> ExitCode {
    let mut code = ExitCode::SUCCESS;
    for (tree, decision) in decisions {
        for problem in &decision.problems {
            eprintln!("{tree}: {problem}");
            code = ExitCode::from(super::Kind::Verdict as u8);
        }
        for note in &decision.notes {
            global.say(format_args!("note: {tree}: {note}"));
        }
    }
    code
}

fn changes_json(changes: &[SelectionChange]) -> serde_json::Value {
    let changes: Vec<_> = changes
        .iter()
        .map(|change| {
            serde_json::json!({
                "tree": change.tree.to_string(),
                "package": change.name,
                "arch": change.arch,
                "multilib": change.multilib,
                "old": change.old.as_ref().map(ToString::to_string),
                "new": change.new.as_ref().map(ToString::to_string),
                "why": change.why,
            })
        })
        .collect();
    serde_json::json!({ "version": 1, "changes": changes })
}
