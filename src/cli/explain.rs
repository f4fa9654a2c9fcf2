//! `gander explain`.

use std::path::PathBuf;
use std::process::ExitCode;

use super::{Failure, Global, Kind, select};
use crate::base::Nevra;
use crate::compose::Selection;
use crate::lock::TreeRef;
use crate::select::{Explanation, Flag, Reason};

/// Say why a package is in a tree, or why it is not.
///
/// For each tree, the chain from an input (a pattern, a group) over each requirement to the package; the rule and the very
/// file that made it multilib; or what keeps it out. The exit code is 1 where no candidate is meant.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The recipe, whose lock must be there, or the folder of a lock.
    #[arg(value_name = "RECIPE|LOCK")]
    place: PathBuf,
    /// The package: NAME, NAME.ARCH or a full name; names are globs.
    package: String,
    /// Only this tree, such as `BaseOS/x86_64`.
    #[arg(long, value_name = "VARIANT/ARCH")]
    tree: Option<String>,
    /// Name the requirements that the package meets, too, and which of them nothing else meets.
    #[arg(long)]
    why_needed: bool,
    /// How the answer is written to stdout.
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

/// How an explanation is written.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Format {
    /// A package and below it, step by step, what brought it in.
    Text,
    /// One JSON document for programs.
    Json,
    /// A graph for Graphviz.
    Dot,
}

/// Runs the command.
pub fn run(global: &Global, args: Args) -> Result<ExitCode, Failure> {
    let selection = Selection::read(&args.place, || global.open_store().ok())?;
    let mut found = Vec::new();
    for tree in select::trees(&selection, args.tree.as_deref())? {
        found.extend(selection.explain(&tree, &args.package).map(|explanation| (tree, explanation)));
    }
    if found.iter().all(|(_, found)| found.selected.is_empty() && found.absent.is_empty()) {
        let message = format!("no candidate is meant by '{}'", args.package);
        let similar = found.iter().find_map(|(_, found)| found.similar.clone());
        let failure = Failure::new(Kind::Verdict, message);
        return Err(match similar {
            Some(similar) => failure.hint(format!("did you mean '{similar}'?")),
            None => failure.hint("no source of the recipe offers such a package".to_owned()),
        });
    }
    match args.format {
        Format::Text => text(&selection, &found, args.why_needed),
        Format::Json => println!("{:#}", json(&found)),
        Format::Dot => dot(&found),
    }
    Ok(ExitCode::SUCCESS)
}

fn flags(explanation: &Explanation, nevra: &Nevra) -> std::collections::BTreeSet<Flag> {
    let decision = &explanation.decision;
    let chosen = decision.packages.get(nevra).or_else(|| decision.debug.get(nevra));
    let source = || decision.sources.get(nevra).map(|source| source.flags.clone());
    chosen.map(|chosen| chosen.flags.clone()).or_else(source).unwrap_or_default()
}

fn text(selection: &Selection, found: &[(TreeRef, Explanation)], why_needed: bool) {
    for (tree, explanation) in found {
        for nevra in &explanation.selected {
            let flags = flags(explanation, nevra);
            let of = selection.tree_of(tree, &explanation.decision, nevra);
            println!("{}", format!("{of}: {nevra} {}", select::flags(&flags)).trim_end());
            if flags.contains(&Flag::Lookaside) {
                println!("  looked aside at: it meets requirements, and is not delivered");
            }
            if flags.contains(&Flag::Replaced) {
                println!("  replaced by what came in after it: it is not delivered");
            }
            for (depth, (package, why)) in explanation.decision.explain(nevra).iter().enumerate() {
                let who = if depth == 0 { String::new() } else { format!("{package}: ") };
                println!("{:indent$}{who}{why}", "", indent = 2 * (depth + 1));
            }
            if why_needed {
                needs(explanation, nevra);
            }
        }
        for (nevra, why) in &explanation.absent {
            println!("{tree}: {nevra} is not selected: {why}");
        }
    }
}

fn needs(explanation: &Explanation, nevra: &Nevra) {
    let needs = explanation.needed.get(nevra).map(Vec::as_slice).unwrap_or_default();
    if needs.is_empty() {
        println!("  no selected package requires it");
    }
    for need in needs {
        let alone = if need.alone { ", which nothing else meets" } else { "" };
        println!("  meets '{}' of {}{alone}", need.requirement, need.by);
    }
}

fn json(found: &[(TreeRef, Explanation)]) -> serde_json::Value {
    let mut answers = Vec::new();
    for (tree, explanation) in found {
        for nevra in &explanation.selected {
            let step = |(package, why): &(Nevra, Reason)| serde_json::json!({ "package": package.to_string(), "why": why.to_string(), "by": why.by().map(ToString::to_string) });
            let chain: Vec<_> = explanation.decision.explain(nevra).iter().map(step).collect();
            let needs = explanation.needed.get(nevra).into_iter().flatten();
            let needs: Vec<_> = needs
                .map(|need| {
                    serde_json::json!({ "by": need.by.to_string(), "requirement": need.requirement, "alone": need.alone })
                })
                .collect();
            let flags: Vec<_> = flags(explanation, nevra).into_iter().map(Flag::name).collect();
            answers.push(serde_json::json!({
                "tree": tree.to_string(), "package": nevra.to_string(), "selected": true,
                "flags": flags, "chain": chain, "needed": needs,
            }));
        }
        for (nevra, why) in &explanation.absent {
            answers.push(serde_json::json!({
                "tree": tree.to_string(), "package": nevra.to_string(), "selected": false, "why": why.to_string(),
            }));
        }
    }
    serde_json::json!({ "version": 1, "packages": answers })
}

fn dot(found: &[(TreeRef, Explanation)]) {
    let quoted = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"");
    println!("digraph explain {{\n  rankdir=LR;\n  node [shape=box];");
    let mut lines = std::collections::BTreeSet::new();
    for (tree, explanation) in found {
        for nevra in &explanation.selected {
            for (package, why) in explanation.decision.explain(nevra) {
                let to = quoted(&format!("{tree} {package}"));
                let why_text = quoted(&why.to_string());
                lines.insert(match why.by() {
                    Some(by) => format!(
                        "  \"{}\" -> \"{to}\" [label=\"{why_text}\"];",
                        quoted(&format!("{tree} {by}"))
                    ),
                    None => format!("  \"{why_text}\" [shape=ellipse];\n  \"{why_text}\" -> \"{to}\";"),
                });
            }
        }
    }
    for line in lines {
        println!("{line}");
    }
    println!("}}");
}
