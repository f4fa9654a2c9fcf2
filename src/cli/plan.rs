//! `gander plan`.

use std::path::PathBuf;
use std::process::ExitCode;

use super::{Failure, Global};
use crate::compose::planned;
use crate::plan::{Executor, Input, Plan};

/// Print the steps of a compose without running any.
///
/// The plan follows from the recipe's lock, which must be there and fit.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The recipe.
    recipe: PathBuf,
    /// How the plan is written to stdout.
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

/// How a plan is written.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Format {
    /// One line a step: id, kind, what it works on, the steps that it needs (where many, their number).
    Text,
    /// Every step with all of its description.
    Json,
    /// A graph for Graphviz.
    Dot,
}

/// Runs the command.
pub fn run(_global: &Global, args: Args) -> Result<ExitCode, Failure> {
    let (_, plan) = planned(&args.recipe)?;
    match args.format {
        Format::Text => text(&plan),
        Format::Json => println!("{:#}", json(&plan)),
        Format::Dot => dot(&plan),
    }
    Ok(ExitCode::SUCCESS)
}

fn needs(step: &crate::plan::Step) -> Vec<String> {
    let mut needs: Vec<_> = step.needs().map(|id| id.short()).collect();
    needs.sort();
    needs.dedup();
    needs
}

/// More needs than this are counted instead of listed in the text.
const MANY: usize = 8;

fn text(plan: &Plan) {
    for (id, step) in plan.steps() {
        let needs = needs(step);
        let needs = if needs.len() > MANY { format!("{} steps", needs.len()) } else { needs.join(" ") };
        println!("{} {:<9} {} [{needs}]", id.short(), step.kind, step.label);
    }
}

fn json(plan: &Plan) -> serde_json::Value {
    let input = |input: &Input| match input {
        Input::Object(digest) => serde_json::json!({ "object": digest }),
        Input::Output { step, path } => serde_json::json!({ "step": step, "path": path }),
    };
    let steps = plan.steps().map(|(id, step)| {
        let inputs: serde_json::Map<_, _> =
            step.inputs.iter().map(|(path, found)| (path.to_string(), input(found))).collect();
        let executor = match &step.executor {
            Executor::Program(argv) => serde_json::json!({ "program": argv }),
            Executor::Native(revision) => serde_json::json!({ "native": revision }),
        };
        serde_json::json!({
            "id": id,
            "kind": step.kind,
            "label": step.label,
            "params": step.params,
            "inputs": inputs,
            "root": step.root.as_ref().map(input),
            "base": step.base.as_ref().map(input),
            "rights": step.rights.name(),
            "platform": step.platform,
            "source-date": step.source_date,
            "executor": executor,
        })
    });
    serde_json::json!({ "version": 1, "steps": steps.collect::<Vec<_>>() })
}

fn dot(plan: &Plan) {
    println!("digraph plan {{\n  rankdir=LR;\n  node [shape=box];");
    for (id, step) in plan.steps() {
        let label = format!("{} {}", step.kind, step.label).replace('\\', "\\\\").replace('"', "\\\"");
        println!("  \"{}\" [label=\"{label}\"];", id.short());
        for need in needs(step) {
            println!("  \"{need}\" -> \"{}\";", id.short());
        }
    }
    println!("}}");
}
