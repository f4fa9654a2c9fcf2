//! `gander koji tag`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::ExitCode;

use super::super::hub_at::HubAt;
use super::super::{Failure, Global, Kind, image};
use crate::compose::{ComposeError, Hub as _};
use crate::koji::snapshot::{Build, Snapshot};
use crate::koji::{Profile, Question, TagState};
use crate::recipe::HubPlace;

/// Show what a recipe would take from a tag: builds, the tags that have them, keys, and what is left out.
///
/// Everything is asked as of one event. Builds are those that were tagged last, of each package one; inherited tags
/// count.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The tag.
    tag: String,
    /// The hub: profile:NAME, https://…/kojihub or embedded:FOLDER (default: the profile that koji takes).
    #[arg(long, value_name = "HUB")]
    hub: Option<String>,
    /// The event (default: the last one).
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(1..))]
    event: Option<i64>,
    /// Leave out what the tag inherits.
    #[arg(long)]
    no_inherit: bool,
    /// Show all builds of a package, not only the one that was tagged last.
    #[arg(long)]
    all: bool,
    /// How the result is written to stdout; snapshot: as a lock keeps it.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Clone, Copy, Debug, Default, clap::ValueEnum)]
enum Format {
    #[default]
    Text,
    Json,
    Snapshot,
}

/// Runs the command.
pub fn run(global: &Global, args: Args) -> Result<ExitCode, Failure> {
    let place = match &args.hub {
        Some(text) => HubPlace::parse(text).map_err(|error| Failure::new(Kind::Usage, error.to_string()))?,
        None => HubPlace::Profile(Profile::usual_name()),
    };
    let runtime = image::runtime()?;
    let hub = HubAt::open(&place, Path::new("."), global, &runtime)?;
    let question = Question {
        tag: &args.tag,
        event: args.event,
        inherit: !args.no_inherit,
        latest: !args.all,
        held: &[],
        forced: &[],
        modules: &[],
    };
    let failed = |source| ComposeError::Hub { id: args.tag.clone(), source };
    let mut state = hub.tagged(&question).map_err(failed)?;
    let ids: Vec<_> = state.snapshot.rpms.iter().map(|rpm| rpm.id).collect();
    state.snapshot.signatures = hub.signatures(&ids).map_err(failed)?;
    state.snapshot.sort();
    match args.format {
        Format::Text => text(&args.tag, &state),
        Format::Json => println!("{:#}", json(&args.tag, &state)),
        Format::Snapshot => print!("{}", state.snapshot.to_text()),
    }
    Ok(ExitCode::SUCCESS)
}

/// A build as it is shown.
struct Row<'s> {
    build: &'s Build,
    /// Tag and event for each tagging.
    taggings: Vec<(&'s str, i64)>,
    /// How many RPMs of each arch.
    rpms: BTreeMap<&'s str, usize>,
    /// The keys that signed all of its RPMs, then those that signed only some.
    keys: (BTreeSet<&'s str>, BTreeSet<&'s str>),
}

fn rows(snapshot: &Snapshot) -> Vec<Row<'_>> {
    let mut taggings: BTreeMap<i64, Vec<(&str, i64)>> = BTreeMap::new();
    for tagging in &snapshot.taggings {
        let tag = snapshot.tag(tagging.tag).map_or("?", |tag| tag.name.as_str());
        taggings.entry(tagging.build).or_default().push((tag, tagging.event));
    }
    let mut rpms: BTreeMap<i64, Vec<_>> = BTreeMap::new();
    for rpm in &snapshot.rpms {
        rpms.entry(rpm.build).or_default().push(rpm);
    }
    let mut rows: Vec<_> = snapshot
        .builds
        .iter()
        .map(|build| {
            let of = rpms.remove(&build.id).unwrap_or_default();
            let (mut arches, mut keys) = (BTreeMap::new(), BTreeMap::<&str, usize>::new());
            for rpm in &of {
                *arches.entry(rpm.arch.as_str()).or_default() += 1;
                for signature in
                    snapshot.signatures_of(rpm.id).iter().filter(|found| !found.sigkey.is_empty())
                {
                    *keys.entry(signature.sigkey.as_str()).or_default() += 1;
                }
            }
            let (all, some): (Vec<_>, Vec<_>) = keys.into_iter().partition(|(_, count)| *count == of.len());
            let keys = (
                all.into_iter().map(|(key, _)| key).collect(),
                some.into_iter().map(|(key, _)| key).collect(),
            );
            Row { build, taggings: taggings.remove(&build.id).unwrap_or_default(), rpms: arches, keys }
        })
        .collect();
    rows.sort_by(|left, right| (&left.build.name, left.build.id).cmp(&(&right.build.name, right.build.id)));
    rows
}

fn blocked(snapshot: &Snapshot) -> BTreeSet<&str> {
    snapshot.packages.iter().filter(|entry| entry.blocked).map(|entry| entry.name.as_str()).collect()
}

fn tag_name(snapshot: &Snapshot, id: i64) -> &str {
    snapshot.tag(id).map_or("?", |tag| tag.name.as_str())
}

fn text(tag: &str, state: &TagState) {
    let snapshot = &state.snapshot;
    let head = &snapshot.head;
    println!("tag {tag} at event {} of {} (Koji {})", head.event, head.hub, head.koji);
    for link in &snapshot.links {
        let (child, parent) = (tag_name(snapshot, link.child), tag_name(snapshot, link.parent));
        println!("inherits {parent} by {child}, priority {}", link.priority);
    }
    for row in rows(snapshot) {
        let from: Vec<_> = row.taggings.iter().map(|(tag, event)| format!("{tag} at {event}")).collect();
        let rpms: Vec<_> = row.rpms.iter().map(|(arch, count)| format!("{count} {arch}")).collect();
        let (all, some) = &row.keys;
        let keys: Vec<_> = all
            .iter()
            .map(|key| (*key).to_owned())
            .chain(some.iter().map(|key| format!("{key} (not all)")))
            .collect();
        let keys =
            if keys.is_empty() { "not signed".to_owned() } else { format!("signed by {}", keys.join(", ")) };
        println!("build {} from {}: {}; {keys}", row.build.nvr(), from.join(", "), rpms.join(", "));
    }
    let lists: [(&str, Vec<String>); 5] = [
        ("blocked", blocked(snapshot).into_iter().map(str::to_owned).collect()),
        ("draft, left out:", state.drafts.clone()),
        ("deleted since:", state.deleted.clone()),
        (
            "module",
            snapshot
                .modules
                .iter()
                .map(|module| {
                    format!("{}:{}:{}:{}", module.name, module.stream, module.version, module.context)
                })
                .collect(),
        ),
        (
            "external repository, left out:",
            snapshot.externals.iter().map(|external| format!("{} {}", external.name, external.url)).collect(),
        ),
    ];
    for (what, list) in lists {
        for item in list {
            println!("{what} {item}");
        }
    }
    println!("{} builds, {} RPMs", snapshot.builds.len(), snapshot.rpms.len());
}

fn json(tag: &str, state: &TagState) -> serde_json::Value {
    let snapshot = &state.snapshot;
    let head = &snapshot.head;
    let builds = rows(snapshot).into_iter().map(|row| {
        let taggings =
            row.taggings.iter().map(|(tag, event)| serde_json::json!({ "tag": tag, "event": event }));
        serde_json::json!({
            "id": row.build.id,
            "nvr": row.build.nvr(),
            "volume": row.build.volume_name,
            "tagged": taggings.collect::<Vec<_>>(),
            "rpms": row.rpms,
            "sigkeys": row.keys.0,
            "sigkeys-of-some": row.keys.1,
        })
    });
    let links = snapshot.links.iter().map(|link| {
        let (child, parent) = (tag_name(snapshot, link.child), tag_name(snapshot, link.parent));
        serde_json::json!({ "child": child, "parent": parent, "priority": link.priority })
    });
    let externals = snapshot.externals.iter().map(|external| {
        serde_json::json!({ "tag": tag_name(snapshot, external.tag), "name": external.name, "url": external.url })
    });
    let modules = snapshot.modules.iter().map(|module| {
        let nvr = snapshot.build(module.build).map(Build::nvr);
        serde_json::json!({ "build": nvr, "name": module.name, "stream": module.stream,
            "version": module.version, "context": module.context })
    });
    serde_json::json!({
        "hub": head.hub,
        "version": head.koji,
        "tag": tag,
        "event": head.event,
        "time": head.time,
        "inheritance": links.collect::<Vec<_>>(),
        "builds": builds.collect::<Vec<_>>(),
        "rpms": snapshot.rpms.len(),
        "blocked": blocked(snapshot),
        "drafts": state.drafts,
        "deleted": state.deleted,
        "modules": modules.collect::<Vec<_>>(),
        "external-repositories": externals.collect::<Vec<_>>(),
    })
}
