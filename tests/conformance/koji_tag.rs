//! From the tags of a Koji hub to a lock (`GANDER_ORACLE`/koji): the hub is gander's own, loaded with all writes of a genuine
//! one and asked in this process; what it says of each tag at each event, and which files are taken, is what the genuine
//! hub said and had.

#![allow(clippy::panic, clippy::expect_used, reason = "a test may fail")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use gander::hub::{Hub as Embedded, Inside};
use gander::koji::{self, Hub, Question, Retry, TagError, TagState};
use serde_json::{Value, json};

use super::hub_setup::Setup;
use super::{Tally, folder};

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

/// A hub in a folder, loaded with the writes of a file.
fn load(folder: &Path, setup: &Path) -> Hub {
    let embedded = Embedded::open(folder).unwrap();
    Setup::read(setup).rest(&embedded);
    drop(embedded);
    let inside = Inside::open(folder, "embedded:hub").unwrap();
    Hub::over(Arc::new(inside), Retry { most: 0, ..Retry::default() })
}

/// What a state says in the words of the expected answers.
fn words(state: &TagState, wanted: &Value) -> Value {
    let snapshot = &state.snapshot;
    let name = |id: i64| snapshot.tag(id).unwrap().name.clone();
    let mut builds: Vec<_> = snapshot
        .taggings
        .iter()
        .map(|tagging| {
            let nvr = snapshot.build(tagging.build).unwrap().nvr();
            json!({"build_id": tagging.build, "create_event": tagging.event, "nvr": nvr, "tag_name": name(tagging.tag)})
        })
        .collect();
    builds.sort_by_key(Value::to_string);
    let links = snapshot.links.iter().zip(wanted["inheritance"].as_array().unwrap()).map(|(link, wanted)| {
        let mut row = wanted.clone();
        row["currdepth"] = json!(link.depth);
        row["name"] = json!(name(link.parent));
        row["parent_id"] = json!(link.parent);
        row["priority"] = json!(link.priority);
        row["maxdepth"] = json!(link.maxdepth);
        row["pkg_filter"] = json!(link.filter);
        row
    });
    let links: Vec<_> = links.collect();
    let mut packages: Vec<_> =
        snapshot.packages.iter().map(|entry| json!([entry.name, entry.blocked])).collect();
    packages.sort_by_key(Value::to_string);
    json!({ "builds": builds, "links": links, "count": snapshot.links.len(), "packages": packages })
}

fn expected(pair: &Value) -> Value {
    let sorted = |list: &Value| {
        let mut list = list.as_array().unwrap().clone();
        list.sort_by_key(Value::to_string);
        list
    };
    let builds = pair.get("latest_inherited_builds_no_draft").unwrap_or(&pair["latest_inherited_builds"]);
    let links = &pair["inheritance"];
    json!({ "builds": sorted(builds), "links": links, "count": links.as_array().unwrap().len(),
        "packages": sorted(&pair["packages"]) })
}

#[test]
fn tags_at_events_are_what_the_hub_said() {
    let Some(oracle) = folder("GANDER_ORACLE", "tags of Koji") else { return };
    let mut tally = Tally::new("tags of Koji at events, as a lock keeps them");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut entries: Vec<_> =
        fs::read_dir(oracle.join("koji")).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let Some(rest) = name.strip_prefix("expected").filter(|rest| rest.ends_with(".json")) else {
            continue;
        };
        let place = tempfile::tempdir().unwrap();
        let hub = load(place.path(), &path.with_file_name(format!("setup{rest}")));
        let all: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        for pair in all["pairs"].as_array().unwrap() {
            let (tag, event) = (text(&pair["tag"]), pair["event"].as_i64());
            let question =
                Question { tag, event, inherit: true, latest: true, held: &[], forced: &[], modules: &[] };
            let found = runtime.block_on(koji::state(&hub, "embedded:hub", &question));
            let label = format!("{name} {tag} at {}", pair["event"]);
            let verdict = match (found, pair.get("fault")) {
                (Err(TagError::NoTag { .. }), Some(_)) => None,
                (Err(TagError::NoEvent(_)), None) => continue, // a gap, which no recipe may name
                (Ok(_), Some(fault)) => Some(format!("there should be none: {fault}")),
                (Err(error), _) => Some(format!("{error:?}")),
                (Ok(state), None) => {
                    let again = koji::Snapshot::decode(&state.snapshot.encode().unwrap()).unwrap();
                    assert_eq!(again, state.snapshot);
                    let (ours, theirs) = (words(&state, pair), expected(pair));
                    (ours != theirs).then(|| format!("{ours:#} instead of {theirs:#}"))
                }
            };
            tally.case(&label, verdict);
        }
        let rpms = all["rpms"].as_object().unwrap();
        let ids: Vec<i64> = rpms.keys().map(|id| id.parse().unwrap()).collect();
        let signatures = runtime.block_on(koji::signatures(&hub, &ids)).unwrap();
        let mut keys: BTreeMap<i64, Vec<&str>> = BTreeMap::new();
        for signature in &signatures {
            keys.entry(signature.rpm).or_default().push(&signature.sigkey);
        }
        for (id, rpm) in rpms {
            let id: i64 = id.parse().unwrap();
            let mut found = keys.remove(&id).unwrap_or_default();
            found.sort_unstable();
            let verdict = (json!(found) != rpm["sigkeys"]).then(|| format!("{found:?}"));
            tally.case(&format!("{name}: keys of RPM {id}"), verdict);
        }
    }
    tally.finish();
}

#[test]
fn a_release_is_locked_from_a_tag_of_the_hub() {
    let Some(oracle) = folder("GANDER_ORACLE", "a lock from a tag of Koji") else { return };
    let oracle = oracle.join("koji");
    let place = tempfile::tempdir().unwrap();
    let bench = place.path();
    drop(load(&bench.join("hub"), &oracle.join("setup.json")));
    fs::remove_dir(bench.join("hub/topdir")).ok();
    let copied =
        Command::new("cp").arg("-rT").arg(oracle.join("topdir")).arg(bench.join("hub/topdir")).status();
    assert!(copied.unwrap().success());
    fs::create_dir(bench.join("keys")).unwrap();
    fs::copy(oracle.join("pubkeys.asc"), bench.join("keys/hub.asc")).unwrap();
    let certificates =
        gander::openpgp::Certificate::parse_all(&fs::read(bench.join("keys/hub.asc")).unwrap()).unwrap();
    let mut fingerprints: Vec<_> = certificates.iter().map(|found| found.fingerprint().to_string()).collect();
    // The preferred key signed only some of the packages.
    fingerprints.sort_by_key(|fingerprint| fingerprint.starts_with('2'));
    let mut tally = Tally::new("packages locked from a tag of Koji");
    let all: Value = serde_json::from_slice(&fs::read(oracle.join("expected.json")).unwrap()).unwrap();
    for (round, event) in [(0, 21), (1, 28), (2, 43)] {
        let recipe = format!(
            "[release]\nname = \"Hello\"\nshort = \"Hello\"\nversion = \"9\"\n\n[[source]]\nkeys = {fingerprints:?}\n\
             koji = {{ hub = \"embedded:hub\", tag = \"gander-9-compose\", event = {event}, \
             arches = [\"x86_64\", \"i686\", \"noarch\"] }}\n\n[variant.Base]\narches = [\"x86_64\"]\n\
             packages = [\"libhello*\", \"gander-release\"]\nsources = false\n"
        );
        fs::write(bench.join("r.toml"), recipe).unwrap();
        let gander = |arguments: &[&str]| {
            let mut command = Command::new(env!("CARGO_BIN_EXE_gander"));
            command.current_dir(bench).env("HOME", bench).args(["--store", "store"]).args(arguments);
            let output = command.output().unwrap();
            assert!(output.status.success(), "{event}: {}", String::from_utf8_lossy(&output.stderr));
        };
        gander(&["lock", "--update", "r.toml"]);
        gander(&["compose", "--locked", "r.toml", "--output", "out"]);
        let packages = fs::read_to_string(bench.join("r.lock/packages")).unwrap();
        let pair = all["pairs"]
            .as_array()
            .unwrap()
            .iter()
            .find(|pair| pair["tag"] == "gander-9-compose" && pair["event"] == event);
        let mut locked = 0;
        for rpm in pair.unwrap()["latest_inherited_rpms"].as_array().unwrap() {
            let row = &all["rpms"][rpm["id"].to_string()];
            let nvra = text(&row["nvra"]);
            let epoch = row["epoch"].as_i64().unwrap_or(0);
            let (name, rest) =
                (text(&row["name"]), (text(&row["version"]), text(&row["release"]), text(&row["arch"])));
            let line = format!("{name}-{epoch}:{}-{}.{}\t", rest.0, rest.1, rest.2);
            let Some(line) = packages.lines().find(|found| found.starts_with(&line)) else { continue };
            locked += 1;
            let preferred = ["250310a8", "e4c497f3"].into_iter().find(|key| row["copies"].get(key).is_some());
            let digest = text(&row["copies"][preferred.expect("all are signed")]["sha256"]);
            tally.case(&format!("{nvra} at {event}"), (!line.contains(digest)).then(|| line.to_owned()));
        }
        assert!(locked == 5, "{round}: {packages}");
    }
    tally.finish();
}
