//! Recorded reads (`GANDER_ORACLE`/koji/transcripts): the embedded hub, loaded up to the moment at which a Koji hub was
//! asked, gives the same values, types and faults.

#![allow(clippy::panic, reason = "a test may fail")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use gander::format::xmlrpc::{Arguments, Fault, Limits, Value, read_answer, read_call, write_answer};
use gander::hub::{
    ArchiveFilter, BuildFilter, ChecksumType, History, Hub, PackageFilter, QueryOptions, Read, RpmFilter,
    TaggedFilter, Time,
};
use serde::Serialize;

use super::hub_arguments::{Bound, member};
use super::hub_setup::Setup;
use super::{Tally, folder};

/// What is no read of the hub's state: sessions, files and their headers, the server itself, and writes.
const ELSEWHERE: &[&str] = &[
    "HEAD",
    "GET",
    "upload",
    "checkUpload",
    "login",
    "sslLogin",
    "logout",
    "getLoggedInUser",
    "showSession",
    "hello",
    "echo",
    "getAPIVersion",
    "getKojiVersion",
    "getRPMHeaders",
    "listRPMFiles",
    "getRPMDeps",
    "getRPMFile",
    "getChangelogEntries",
    "getBuildLogs",
    "system.methodHelp",
    "nosuchmethod",
    "nosuch",
    "readFullInheritance",
    "importRPM",
    "addRPMSig",
    "writeSignedRPM",
    "createTag",
    "packageListAdd",
    "tagBuild",
    "hasPerm",
    "getActiveRepos",
    "getTaskDescendents",
    "getTagGroups",
];

/// Lists whose order is the database's whim with Koji.
const UNORDERED: &[&str] = &["listTaggedRPMS", "getLatestRPMS", "queryHistory"];

/// What a row becomes on the wire, read again.
fn sent(value: impl Serialize) -> Result<Value, Fault> {
    let written = write_answer(&value).unwrap();
    Ok(read_answer(&*written, &Limits::default()).unwrap().unwrap())
}

const TAGGED: &[&str] =
    &["tag", "event", "inherit", "prefix", "latest", "package", "owner", "type", "strict", "extra", "draft"];
const TAGGED_RPMS: &[&str] = &[
    "tag", "event", "inherit", "latest", "package", "arch", "rpmsigs", "owner", "type", "strict", "extra",
    "draft",
];

/// What the hub answers to a read.
fn answer(hub: &Read<'_>, method: &str, arguments: Arguments) -> Result<Value, Fault> {
    let bind = |names: &[&str], needed: usize| Bound::new(method, names, needed, arguments.clone());
    let bad =
        |value: &Value| Fault { code: 1019, text: format!("Invalid name or id value: {}", python(value)) };
    match method {
        "getTag" => {
            let given = bind(&["tagInfo", "strict", "event", "blocked"], 1)?;
            let tag = given.key("tagInfo").ok_or_else(|| bad(given.value("tagInfo")))?;
            sent(hub.tag(&tag, given.int("event"), given.flag("strict"))?)
        }
        "getBuildConfig" => {
            let given = bind(&["tag", "event"], 1)?;
            sent(hub.build_config(&given.key("tag").unwrap(), given.int("event"))?)
        }
        "getFullInheritance" => {
            let given = bind(&["tag", "event", "reverse"], 1)?;
            let tag = hub.tag_id(&given.key("tag").unwrap())?;
            match given.flag("reverse") {
                true => sent(hub.descendants(tag, given.int("event"))?),
                false => sent(hub.full_inheritance(tag, given.int("event"))?),
            }
        }
        "getInheritanceData" => {
            let given = bind(&["tag", "event"], 1)?;
            sent(hub.inheritance(hub.tag_id(&given.key("tag").unwrap())?, given.int("event"))?)
        }
        "listTags" => {
            let given = bind(&["build", "package", "perms", "queryOpts", "pattern"], 0)?;
            let build = given.0.contains_key("build").then(|| given.build("build"));
            sent(hub.tags(build.as_ref(), given.text("pattern").as_deref(), &given.options())?)
        }
        "listPackages" => {
            let names = [
                "tagID",
                "userID",
                "pkgID",
                "prefix",
                "inherited",
                "with_dups",
                "event",
                "queryOpts",
                "with_owners",
                "with_blocked",
            ];
            let given = bind(&names, 0)?;
            sent(hub.packages(&PackageFilter {
                tag: given.key("tagID").map(|tag| hub.tag_id(&tag)).transpose()?,
                user: None,
                package: given.key("pkgID"),
                prefix: given.text("prefix"),
                inherited: given.flag("inherited"),
                with_dups: given.flag("with_dups"),
                event: given.int("event"),
                with_owners: given.flag_or("with_owners", true),
                with_blocked: given.flag_or("with_blocked", true),
            })?)
        }
        "listTagged" => {
            let given = bind(TAGGED, 1)?;
            let tag =
                hub.tag(&given.key("tag").unwrap(), given.int("event"), given.flag_or("strict", true))?;
            tag.map_or(Ok(Value::Array(Vec::new())), |tag| sent(hub.tagged(tag.row.id, &given.tagged())?))
        }
        "listTaggedRPMS" => {
            let given = bind(TAGGED_RPMS, 1)?;
            let tag =
                hub.tag(&given.key("tag").unwrap(), given.int("event"), given.flag_or("strict", true))?;
            let filter = TaggedFilter { extra: given.flag_or("extra", true), ..given.tagged() };
            tag.map_or(Ok(Value::Array(Vec::new())), |tag| sent(hub.tagged_rpms(tag.row.id, &filter)?))
        }
        "getLatestBuilds" => {
            let given = bind(&["tag", "event", "package", "type", "draft"], 1)?;
            let filter = TaggedFilter { inherit: true, latest: Some(1), ..given.tagged() };
            sent(hub.tagged(hub.tag_id(&given.key("tag").unwrap())?, &filter)?)
        }
        "getLatestRPMS" => {
            let given = bind(&["tag", "package", "arch", "event", "rpmsigs", "type", "draft"], 1)?;
            let filter = TaggedFilter { inherit: true, latest: Some(1), extra: true, ..given.tagged() };
            sent(hub.tagged_rpms(hub.tag_id(&given.key("tag").unwrap())?, &filter)?)
        }
        "getBuild" | "getBuildType" => {
            let given = bind(&["buildInfo", "strict"], 1)?;
            if let Value::Struct(members) = given.value("buildInfo")
                && !["name", "version", "release"].iter().all(|name| members.contains_key(*name))
            {
                return Err(Fault {
                    code: 1000,
                    text: "did not provide name, version, and release".to_owned(),
                });
            }
            let (build, strict) = (given.build("buildInfo"), given.flag("strict"));
            if method == "getBuild" {
                sent(hub.build(&build, strict)?)
            } else {
                sent(hub.build_types(&build, strict)?)
            }
        }
        "listBuilds" => {
            let given = bind(&["packageID", "prefix", "type", "queryOpts", "state", "draft", "pattern"], 0)?;
            let filter = BuildFilter {
                package: given.key("packageID"),
                prefix: given.text("prefix"),
                kind: given.text("type"),
                ..BuildFilter::default()
            };
            sent(hub.builds(&filter, &given.options())?)
        }
        "listBuildRPMs" => {
            let given = bind(&["build"], 1)?;
            let build = hub.find_build(&given.build("build"))?;
            sent(hub.rpms(&RpmFilter { build, ..RpmFilter::default() }, &QueryOptions::default())?)
        }
        "listRPMs" => {
            let given = bind(&["buildID", "buildrootID", "arches", "queryOpts", "draft"], 0)?;
            let filter = RpmFilter {
                build: given.int("buildID"),
                buildroot: given.int("buildrootID"),
                arches: given.texts("arches"),
                draft: None,
            };
            sent(hub.rpms(&filter, &given.options())?)
        }
        "getRPM" => {
            let given = bind(&["rpminfo", "strict", "multi"], 1)?;
            let rpm = given.rpm("rpminfo").unwrap();
            match given.flag("multi") {
                true => sent(hub.rpms_named(&rpm)?),
                false => sent(hub.rpm(&rpm, given.flag("strict"))?),
            }
        }
        "queryRPMSigs" => {
            let given = bind(&["rpm_id", "sigkey", "queryOpts"], 0)?;
            let rpm = given.rpm("rpm_id");
            sent(hub.signatures(rpm.as_ref(), given.text("sigkey").as_deref(), &given.options())?)
        }
        "getRPMChecksums" => {
            let given = bind(&["rpm_id", "checksum_types", "cacheonly"], 1)?;
            let kinds = match given.texts("checksum_types") {
                Some(names) => {
                    names.iter().map(|name| ChecksumType::named(name)).collect::<Result<_, _>>()?
                }
                None => ChecksumType::DEFAULT.to_vec(),
            };
            sent(hub.checksums(given.int("rpm_id").unwrap(), &kinds)?)
        }
        "getEvent" => {
            let given = bind(&["id", "strict"], 1)?;
            sent(hub.event(given.int("id").unwrap(), given.flag_or("strict", true))?)
        }
        "getLastEvent" => {
            let given = bind(&["before", "strict"], 0)?;
            let before = match given.value("before") {
                Value::Double(seconds) => Time::from_seconds(*seconds),
                Value::Int(seconds) => Time::from_seconds(*seconds as f64),
                _ => None,
            };
            sent(hub.last_event(before, given.flag_or("strict", true))?)
        }
        "tagChangedSinceEvent" => {
            let given = bind(&["event", "taglist"], 2)?;
            let Value::Array(tags) = given.value("taglist") else { panic!("no list") };
            let id = |tag: &Value| if let Value::Int(id) = tag { *id } else { panic!("no id: {tag:?}") };
            let tags: Vec<_> = tags.iter().map(id).collect();
            sent(hub.tags_changed_since(given.int("event").unwrap(), &tags)?)
        }
        "tagLastChangeEvent" => {
            let given = bind(&["tag", "before", "inherit"], 1)?;
            let inherit = given.flag_or("inherit", true);
            sent(hub.tag_last_change(&given.key("tag").unwrap(), given.int("before"), inherit)?)
        }
        "tagFirstChangeEvent" => {
            let given = bind(&["tag", "after", "inherit"], 1)?;
            sent(hub.tag_first_change(&given.key("tag").unwrap())?)
        }
        "queryHistory" => {
            let names = ["tables", "tag", "build", "package", "active", "afterEvent", "beforeEvent"];
            let known = |name: &String| names.contains(&name.as_str());
            // Koji passes over what it does not know, as `pkg`.
            let keywords = arguments.keywords.clone().into_iter().filter(|(name, _)| known(name)).collect();
            let given = Bound::new(method, &names, 0, Arguments { keywords, ..arguments.clone() })?;
            sent(hub.history(&History {
                tables: given.texts("tables"),
                tag: given.key("tag"),
                build: given.0.contains_key("build").then(|| given.build("build")),
                package: given.key("package"),
                active: given.0.get("active").map(|active| *active == Value::Bool(true)),
                after_event: given.int("afterEvent"),
                before_event: given.int("beforeEvent"),
                ..History::default()
            })?)
        }
        "repoInfo" => {
            let given = bind(&["repo_id", "strict"], 1)?;
            sent(hub.repo_info(given.int("repo_id").unwrap(), given.flag("strict"))?)
        }
        "getRepo" => {
            let given = bind(&["tag", "state", "event", "dist", "min_event"], 1)?;
            let tag = given.key("tag").unwrap();
            let (state, event, min_event) = (given.int("state"), given.int("event"), given.int("min_event"));
            sent(hub.repo(&tag, state, event, given.flag("dist"), min_event)?)
        }
        "getTagExternalRepos" => {
            let given = bind(&["tag_info", "repo_info", "event"], 0)?;
            let (tag, repo) = (given.key("tag_info"), given.key("repo_info"));
            sent(hub.tag_external_repos(tag.as_ref(), repo.as_ref(), given.int("event"))?)
        }
        "getExternalRepoList" => {
            let given = bind(&["tag_info", "event"], 1)?;
            sent(hub.external_repo_list(&given.key("tag_info").unwrap(), given.int("event"))?)
        }
        "listExternalRepos" => sent(hub.external_repos(None, None, None)?),
        "listVolumes" => sent(hub.volumes()?),
        "getVolume" => sent(hub.volume(&bind(&["volume"], 1)?.key("volume").unwrap(), false)?),
        "listBTypes" => sent(hub.btypes()?),
        "listArchives" => {
            let build = bind(&["buildID"], 1)?.int("buildID");
            sent(
                hub.archives(&ArchiveFilter { build, ..ArchiveFilter::default() }, &QueryOptions::default())?,
            )
        }
        "getPackage" => sent(hub.package(&bind(&["info"], 1)?.key("info").unwrap(), false)?),
        "getUser" => sent(hub.user(&bind(&["userInfo"], 1)?.key("userInfo").unwrap(), false)?),
        "search" => {
            let given = bind(&["terms", "type", "matchType", "queryOpts"], 3)?;
            let [terms, kind, matching] =
                ["terms", "type", "matchType"].map(|name| given.text(name).unwrap());
            sent(hub.search(&terms, &kind, &matching, &given.options())?)
        }
        "getTaskInfo" => {
            let given = bind(&["task_id", "request", "strict"], 1)?;
            let request = given.flag("request");
            match given.value("task_id") {
                Value::Array(ids) => {
                    let task = |id: &Value| match id {
                        Value::Int(id) => sent(hub.task(*id, request, false)?),
                        _ => panic!("no id: {id:?}"),
                    };
                    Ok(Value::Array(ids.iter().map(task).collect::<Result<_, Fault>>()?))
                }
                _ => sent(hub.task(given.int("task_id").unwrap(), request, false)?),
            }
        }
        _ => panic!("a method that is not known: {method}"),
    }
}

/// As Python prints a list of numbers.
fn python(value: &Value) -> String {
    let Value::Array(all) = value else { return format!("{value:?}") };
    let all: Vec<_> = all
        .iter()
        .map(|value| if let Value::Int(id) = value { id.to_string() } else { String::new() })
        .collect();
    format!("[{}]", all.join(", "))
}

/// Orders what has no order.
fn settle(method: &str, value: Value) -> Value {
    match value {
        Value::Array(mut all) if UNORDERED.contains(&method) => {
            all = all.into_iter().map(|value| settle(method, value)).collect();
            // The two halves of listTaggedRPMS stay where they are.
            if all.iter().any(|value| matches!(value, Value::Struct(_))) {
                all.sort_by_key(|value| format!("{value:?}"));
            }
            Value::Array(all)
        }
        Value::Struct(members) if UNORDERED.contains(&method) => {
            Value::Struct(members.into_iter().map(|(name, value)| (name, settle(method, value))).collect())
        }
        value => value,
    }
}

/// Compares an answer with the recorded one; none where the call is none of the hub's state.
fn compare(
    hub: &Read<'_>,
    method: &str,
    arguments: Arguments,
    wanted: Result<Value, Fault>,
) -> Option<Vec<String>> {
    if ELSEWHERE.contains(&method) {
        return None;
    }
    let ours = answer(hub, method, arguments);
    Some(match (ours, wanted) {
        (Ok(ours), Ok(wanted)) => {
            let (ours, wanted) = (settle(method, ours), settle(method, wanted));
            if ours == wanted { Vec::new() } else { vec![format!("{ours:?} instead of {wanted:?}")] }
        }
        // Python's words about arguments are the method table's.
        (Err(ours), Err(wanted))
            if ours.code == 1019 && ours.text.starts_with("missing") && wanted.code == 1019 =>
        {
            Vec::new()
        }
        (Err(ours), Err(wanted)) if ours == wanted => Vec::new(),
        (ours, wanted) => vec![format!("{ours:?} instead of {wanted:?}")],
    })
}

/// The calls in a multicall with their answers.
fn calls(params: Vec<Value>, answers: Value) -> Vec<(String, Arguments, Result<Value, Fault>)> {
    let (Some(Value::Array(calls)), Value::Array(answers)) = (params.into_iter().next(), answers) else {
        panic!("no multicall")
    };
    assert_eq!(calls.len(), answers.len());
    let one = |(call, answer): (Value, Value)| {
        let call: gander::format::xmlrpc::Call = call.to_type().unwrap();
        let answer = match answer {
            Value::Array(mut one) => Ok(one.remove(0)),
            Value::Struct(fault) => {
                let Value::Int(code) = fault["faultCode"] else { panic!("no code") };
                Err(Fault { code, text: member(&fault["faultString"]).unwrap() })
            }
            other => panic!("neither answer nor fault: {other:?}"),
        };
        (call.method.clone(), call.arguments(), answer)
    };
    calls.into_iter().zip(answers).map(one).collect()
}

/// Compares a recorded call. The number of answers that were compared, and what is wrong.
fn transcript(hub: &Read<'_>, folder: &Path, name: &str) -> (usize, Vec<String>) {
    let read = |ending: &str| fs::read(folder.join(format!("{name}.{ending}"))).ok();
    let (Some(request), Some(response)) = (read("request.xml"), read("response.xml")) else {
        return (0, Vec::new());
    };
    let Ok(call) = read_call(&request) else { return (0, Vec::new()) };
    let Ok(wanted) = read_answer::<Value>(&*response, &Limits::default()) else { return (0, Vec::new()) };
    let all = match call.method.as_str() {
        "multiCall" | "system.multicall" => calls(call.params, wanted.unwrap()),
        _ => vec![(call.method.clone(), call.arguments(), wanted)],
    };
    let compared =
        all.into_iter().filter_map(|(method, arguments, wanted)| compare(hub, &method, arguments, wanted));
    let compared: Vec<_> = compared.collect();
    (compared.len(), compared.into_iter().flatten().collect())
}

/// Names of transcripts in a folder.
fn names(folder: &Path) -> Vec<String> {
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut all: Vec<_> =
        files.filter_map(|name| Some(name.strip_suffix(".request.xml")?.to_owned())).collect();
    all.sort();
    all
}

#[test]
fn the_hub_sends_what_was_recorded() {
    let Some(oracle) = folder("GANDER_ORACLE", "the_hub_sends_what_was_recorded") else { return };
    let transcripts = oracle.join("koji/transcripts");
    let index = fs::read_to_string(transcripts.join("INDEX.md")).unwrap();
    let times: BTreeMap<&str, &str> = index
        .lines()
        .filter_map(|line| {
            let mut cells = line.split('|').map(str::trim).skip(1);
            Some((cells.next()?, cells.next()?)).filter(|(_, time)| ["A", "B", "C", "P"].contains(time))
        })
        .collect();
    let hub = Hub::memory().unwrap();
    let mut setup = Setup::read(&oracle.join("koji/setup.json"));
    let mut tally = Tally::new("recorded reads");
    let mut answers = 0;
    let mut check = |hub: &Hub, folder: &Path, name: &str| {
        let (compared, wrong) = transcript(&hub.read().unwrap(), folder, name);
        answers += compared;
        if compared > 0 {
            tally.case(name, (!wrong.is_empty()).then(|| wrong.join("; ").chars().take(3_000).collect()));
        }
    };
    let mut at = |hub: &Hub, time: &str| {
        for name in names(&transcripts).iter().filter(|name| times.get(name.as_str()) == Some(&time)) {
            check(hub, &transcripts, name);
        }
    };
    // The last event that a hub had when it was asked; B was when repositories had been made, before a tag with 10,000
    // builds came that the list leaves out.
    setup.until(&hub, |operation| operation["event"] == 35);
    at(&hub, "A");
    setup.until(&hub, |operation| operation["event"] == 51);
    at(&hub, "B");
    let session = transcripts.join("cli-session");
    setup.until(&hub, |operation| operation["event"] == 53);
    for name in names(&session) {
        let method = name.split_once('-').unwrap().1;
        // Writes of the session are those of the list.
        if ["importRPM", "addRPMSig", "writeSignedRPM", "createTag", "packageListAdd", "tagBuild"]
            .contains(&method)
        {
            let mut made = false;
            setup.until(&hub, |operation| {
                let first = operation["op"] == "create_build" || !made;
                made |= operation["op"] != "create_build";
                !first
            });
        } else if method == "multiCall" && name.starts_with("041") {
            setup.until(&hub, |operation| operation["op"] != "set_package");
        }
        check(&hub, &session, &name);
    }
    setup.rest(&hub);
    let mut at = |time: &str| {
        for name in names(&transcripts).iter().filter(|name| times.get(name.as_str()) == Some(&time)) {
            check(&hub, &transcripts, name);
        }
    };
    at("C");
    at("P");
    println!("answers in them, those in multicalls included: {answers}");
    tally.finish();
}
