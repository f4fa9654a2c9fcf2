//! The embedded hub, loaded with all writes of a Koji hub, answers for each tag at each event what that hub answered
//! (`GANDER_ORACLE`/koji: setup*.json and the expected*.json of the same ending).

#![allow(clippy::panic, reason = "a test may fail")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use gander::format::xmlrpc::Fault;
use gander::hub::{
    ChecksumType, Hub, LinkChange, PackageFilter, QueryOptions, Read, RpmKey, Snapshot, Stamp, TagEdit,
    TaggedBuild, TaggedFilter, TaggedRpm, Time,
};
use serde::Serialize;
use serde_json::{Value, json};

use super::hub_setup::Setup;
use super::{Tally, folder};

fn json_of(value: impl Serialize) -> Value {
    serde_json::to_value(value).unwrap()
}

/// Some members of rows.
fn pick(row: &impl Serialize, names: &[&str]) -> Value {
    let row = json_of(row);
    names.iter().map(|name| ((*name).to_owned(), row[name].clone())).collect::<serde_json::Map<_, _>>().into()
}

fn sorted(mut all: Vec<Value>) -> Value {
    all.sort_by_key(ToString::to_string);
    all.into()
}

fn sorted_by_name(mut all: Vec<Value>) -> Value {
    all.sort_by(|a, b| a[0].as_str().cmp(&b[0].as_str()).then(a[1].as_str().cmp(&b[1].as_str())));
    all.into()
}

fn builds(all: &[TaggedBuild]) -> Value {
    all.iter().map(|build| pick(build, &["build_id", "create_event", "nvr", "tag_name"])).collect()
}

fn nvra(rpm: &TaggedRpm) -> String {
    let row = &rpm.row;
    format!("{}-{}-{}.{}", row.name, row.version, row.release, row.arch)
}

/// What the hub says of a member of a pair.
pub fn answer(hub: &Read<'_>, tag: &str, event: Option<i64>, member: &str) -> Result<Value, Fault> {
    let found = hub.tag(&tag.into(), event, true)?.unwrap();
    let id = found.row.id;
    let tagged = |filter: TaggedFilter| hub.tagged(id, &TaggedFilter { event, ..filter });
    let all = TaggedFilter { event, ..TaggedFilter::default() };
    let latest = TaggedFilter { event, ..TaggedFilter::latest() };
    let listed = |inherited| {
        hub.packages(&PackageFilter { tag: Some(id), inherited, event, ..PackageFilter::default() })
    };
    let ancestors = || hub.full_inheritance(id, event);
    Ok(match member {
        "tag" => json!(found.row.name),
        "event" => event.map_or_else(|| json!("now"), |event| json!(event)),
        "tag_id" => json!(id),
        "arches" => json!(found.row.arches),
        "locked" => json!(found.row.locked),
        "extra" => json_of(found.extra),
        "inheritance" => {
            let members = [
                "currdepth",
                "intransitive",
                "maxdepth",
                "name",
                "noconfig",
                "parent_id",
                "pkg_filter",
                "priority",
            ];
            ancestors()?.iter().map(|row| pick(row, &members)).collect()
        }
        "inheritance_filters" => ancestors()?.iter().map(|row| json!(row.filter)).collect(),
        "inheritance_nextdepth" => ancestors()?.iter().map(|row| json!(row.nextdepth)).collect(),
        "inheritance_child" => ancestors()?.iter().map(|row| json!(row.link.child_id)).collect(),
        "packages" | "own_packages" => {
            let all = listed(member == "packages")?;
            sorted_by_name(all.iter().map(|entry| json!([entry.package_name, entry.blocked])).collect())
        }
        "package_entries" => {
            let all = listed(true)?;
            let entry = all.iter().map(|entry| {
                json!([
                    entry.package_name,
                    entry.tag_name,
                    entry.owner_name,
                    entry.blocked,
                    entry.extra_arches
                ])
            });
            sorted_by_name(entry.collect())
        }
        "build_config" => {
            let config = hub.build_config(&tag.into(), event)?;
            let from = config.config_inheritance;
            let extra: BTreeMap<_, _> = from.extra.into_iter().map(|(key, tag)| (key, tag.name)).collect();
            json!({
                "arches": config.tag.row.arches,
                "extra": json_of(config.tag.extra),
                "config_inheritance": { "arches": from.arches.map(|tag| tag.name), "extra": extra },
            })
        }
        "latest_inherited_builds" => builds(&tagged(TaggedFilter::latest())?),
        "latest_inherited_builds_no_draft" => {
            builds(&tagged(TaggedFilter { draft: Some(false), ..TaggedFilter::latest() })?)
        }
        "latest_own_builds" => builds(&tagged(TaggedFilter { latest: Some(1), ..TaggedFilter::default() })?),
        "all_inherited_builds" => builds(&tagged(TaggedFilter { inherit: true, ..TaggedFilter::default() })?),
        "all_own_builds" => builds(&tagged(TaggedFilter::default())?),
        "latest2_inherited_builds" => {
            builds(&tagged(TaggedFilter { latest: Some(2), ..TaggedFilter::latest() })?)
        }
        "latest_inherited_rpms" => {
            let mut rpms = hub.tagged_rpms(id, &latest)?.0;
            let key = |rpm: &TaggedRpm| {
                let row = rpm.row.clone();
                (row.name, row.epoch, row.version, row.release, row.arch)
            };
            rpms.sort_by_key(key);
            rpms.iter().map(|rpm| json!({"id": rpm.row.id, "nvra": nvra(rpm)})).collect()
        }
        "all_inherited_rpmsigs" => {
            let filter = TaggedFilter { inherit: true, rpmsigs: true, ..all };
            let rpms = hub.tagged_rpms(id, &filter)?.0;
            sorted_by_name(rpms.iter().map(|rpm| json!([nvra(rpm), rpm.sigkey.clone().flatten()])).collect())
        }
        "module_builds" => {
            let kind = "module".to_owned();
            // A hub that never had a module has no such type.
            if !hub.btypes()?.iter().any(|btype| btype.name == kind) {
                return Ok(json!([]));
            }
            let builds = hub.tagged(id, &TaggedFilter { kind: Some(kind), ..all })?;
            sorted(builds.iter().map(|build| json!(build.row.nvr)).collect())
        }
        _ => panic!("a member of a pair that is not known: {member}"),
    })
}

pub fn compare(wrong: &mut Vec<String>, what: &str, ours: &Value, wanted: &Value) {
    if ours != wanted {
        wrong.push(format!("{what}: {ours} instead of {wanted}"));
    }
}

fn pair(hub: &Read<'_>, pair: &Value) -> Vec<String> {
    let tag = pair["tag"].as_str().unwrap();
    let event = pair["event"].as_i64();
    let mut wrong = Vec::new();
    if let Some(fault) = pair.get("fault") {
        match hub.tag(&tag.into(), event, true) {
            Ok(tag) => wrong.push(format!("{tag:?} instead of {fault}")),
            Err(ours) => {
                compare(&mut wrong, "fault", &json!({"code": ours.code, "string": ours.text}), fault);
            }
        }
        assert_eq!(hub.tag(&tag.into(), event, false).unwrap(), None);
        return wrong;
    }
    for (member, wanted) in pair.as_object().unwrap() {
        match answer(hub, tag, event, member) {
            Ok(ours) => compare(&mut wrong, member, &ours, wanted),
            Err(fault) => wrong.push(format!("{member}: {fault}")),
        }
    }
    wrong
}

fn build(hub: &Read<'_>, id: i64, wanted: &Value) -> Vec<String> {
    let ours = json_of(hub.build(&id.into(), true).unwrap());
    let mut wrong = Vec::new();
    for (member, wanted) in wanted.as_object().unwrap() {
        compare(&mut wrong, member, &ours[member], wanted);
    }
    wrong
}

fn rpm(hub: &Read<'_>, id: i64, wanted: &Value) -> Vec<String> {
    let mut wrong = Vec::new();
    let row = hub.rpm(&RpmKey::Id(id), true).unwrap().unwrap();
    let nvra = format!("{}-{}-{}.{}", row.name, row.version, row.release, row.arch);
    assert!(hub.rpms_named(&RpmKey::Nvra(nvra.clone())).unwrap().contains(&row), "{nvra}");
    let build = hub.build(&row.build_id.unwrap().into(), true).unwrap().unwrap().row.nvr;
    let signatures = hub.signatures(Some(&RpmKey::Id(id)), None, &QueryOptions::default()).unwrap().rows();
    let sums = hub.checksums(id, &ChecksumType::DEFAULT).unwrap();
    let ours = json_of(row);
    for (member, wanted) in wanted.as_object().unwrap() {
        match member.as_str() {
            "nvra" => compare(&mut wrong, member, &json!(nvra), wanted),
            "build" => compare(&mut wrong, member, &json!(build), wanted),
            "sigkeys" => {
                let keys = signatures.iter().map(|signature| json!(signature.sigkey)).collect();
                compare(&mut wrong, member, &sorted(keys), &sorted(wanted.as_array().unwrap().clone()));
            }
            "primary" => {
                let key =
                    if sums.contains_key("") { Some("") } else { sums.keys().next().map(String::as_str) };
                let ours = key.and_then(|key| sums[key]["sha256"].clone());
                compare(&mut wrong, member, &json!(ours), &wanted["sha256"]);
            }
            "copies" => {
                let copies = wanted.as_object().unwrap();
                compare(&mut wrong, "keys of copies", &json!(sums.len()), &json!(copies.len()));
                for (key, copy) in copies {
                    for kind in ["md5", "sha256"] {
                        let ours = sums.get(key).and_then(|sums| sums[kind].clone());
                        compare(&mut wrong, &format!("{kind} of '{key}'"), &json!(ours), &copy[kind]);
                    }
                    let ours = signatures.iter().any(|signature| signature.sigkey == *key);
                    compare(&mut wrong, "in_queryRPMSigs", &json!(ours), &copy["in_queryRPMSigs"]);
                }
            }
            _ => compare(&mut wrong, member, &ours[member], wanted),
        }
    }
    wrong
}

/// Makes a call that was refused: the fault that it ends in.
fn refused(hub: &Hub, call: &Value) -> Option<Fault> {
    let stamp = &Stamp::new(Time::from_micros(0), 1);
    let arguments = &call["args"];
    let text = |index: usize| arguments[index].as_str().unwrap_or_default();
    let tag = text(0).into();
    let mut write = hub.write().unwrap();
    let done = match call["method"].as_str().unwrap() {
        "setInheritanceData" => {
            let links: Vec<_> = arguments[1].as_array().unwrap().iter().map(link).collect();
            write.set_inheritance(stamp, &tag, &links, false)
        }
        "tagBuildBypass" => write.tag_build(stamp, &tag, &text(1).into(), false),
        "untagBuildBypass" => write.untag_build(stamp, &tag, &text(1).into(), true, false),
        "snapshotTag" => write.snapshot_tag(stamp, &tag, text(1), &Snapshot::default()),
        "editTag2" => {
            let name = call["kwargs"]["name"].as_str().map(str::to_owned);
            write.edit_tag(stamp, &tag, &TagEdit { name, ..TagEdit::default() })
        }
        method => panic!("a refused call that is not known: {method}"),
    };
    write.commit().unwrap();
    done.err()
}

fn link(link: &Value) -> LinkChange {
    LinkChange {
        parent_id: link["parent_id"].as_i64().unwrap(),
        priority: link["priority"].as_i64().unwrap(),
        maxdepth: link["maxdepth"].as_i64(),
        intransitive: link["intransitive"].as_bool().unwrap(),
        noconfig: link["noconfig"].as_bool().unwrap(),
        pkg_filter: link["pkg_filter"].as_str().unwrap().to_owned(),
        delete: link["delete link"].as_bool().unwrap_or_default(),
    }
}

/// Setups with what is expected of each.
pub fn sets(oracle: &Path) -> Vec<(String, PathBuf, PathBuf)> {
    let folder = oracle.join("koji");
    let mut all = Vec::new();
    for entry in fs::read_dir(&folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if let Some(ending) = name.strip_prefix("setup") {
            let expected = folder.join(format!("expected{ending}"));
            assert!(expected.exists(), "{}", expected.display());
            all.push((name.clone(), folder.join(&name), expected));
        }
    }
    all.sort();
    all
}

pub fn verdict(wrong: Vec<String>) -> Option<String> {
    (!wrong.is_empty()).then(|| wrong.join("; "))
}

#[test]
fn the_hub_answers_as_the_one_whose_writes_it_made() {
    let Some(oracle) = folder("GANDER_ORACLE", "the_hub_answers_as_the_one_whose_writes_it_made") else {
        return;
    };
    let (mut pairs, mut rows) = (Tally::new("pairs of tag and event"), Tally::new("builds, RPMs and events"));
    let mut refusals = Tally::new("refused calls");
    for (name, setup, expected) in sets(&oracle) {
        let expected: Value = serde_json::from_slice(&fs::read(expected).unwrap()).unwrap();
        let hub = Hub::memory().unwrap();
        let mut setup = Setup::read(&setup);
        for call in expected["refused"].as_array().into_iter().flatten() {
            let after = call["after_event"].as_i64().unwrap();
            setup.until(&hub, |operation| {
                let (event, behind) = (operation["event"].as_i64(), operation["after_event"].as_i64());
                event.is_some_and(|event| event > after) || behind.is_some_and(|behind| behind >= after)
            });
            let last = hub.read().unwrap().last_event(None, true).unwrap().unwrap().id;
            let ours = refused(&hub, call).map(|fault| json!({"code": fault.code, "string": fault.text}));
            let mut wrong = Vec::new();
            compare(&mut wrong, "fault", &json!(ours), &call["fault"]);
            let now = hub.read().unwrap().last_event(None, true).unwrap().unwrap().id;
            compare(&mut wrong, "last event", &json!(now), &json!(last));
            refusals.case(&format!("{name} {} after {after}", call["method"]), verdict(wrong));
        }
        setup.rest(&hub);
        let hub = hub.read().unwrap();
        for wanted in expected["pairs"].as_array().unwrap() {
            let name = format!("{name} {}@{}", wanted["tag"], wanted["event"]);
            pairs.case(&name, verdict(pair(&hub, wanted)));
        }
        let by_id = |what: &str| {
            let all = expected[what].as_object().unwrap().clone();
            all.into_iter().map(|(id, row)| (id.parse::<i64>().unwrap(), row))
        };
        for (id, wanted) in by_id("builds") {
            rows.case(&format!("{name} build {id}"), verdict(build(&hub, id, &wanted)));
        }
        for (id, wanted) in by_id("rpms") {
            rows.case(&format!("{name} rpm {id}"), verdict(rpm(&hub, id, &wanted)));
        }
        for (id, wanted) in by_id("events") {
            let ours = json_of(hub.event(id, false).unwrap().map(|event| event.ts));
            let mut wrong = Vec::new();
            compare(&mut wrong, "time", &ours, &wanted);
            rows.case(&format!("{name} event {id}"), verdict(wrong));
        }
        let ours = json_of(hub.last_event(None, true).unwrap());
        let mut wrong = Vec::new();
        compare(&mut wrong, "last event", &ours, &expected["hub"]["last_event"]);
        rows.case(&format!("{name} last event"), verdict(wrong));
    }
    let all = [pairs, rows, refusals];
    for tally in &all {
        println!(
            "{}: {} compared, {} agreed",
            tally.name,
            tally.compared,
            tally.compared - tally.failed.len()
        );
    }
    all.into_iter().for_each(Tally::finish);
}
