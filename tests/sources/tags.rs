//! From a tag of Koji to a lock and a compose, with the built binary.

use std::fs;

use gander::base::Digest;
use gander::sign::Signer as _;

use super::bench::{Bench, Output};
use super::flow::{files, gander};
use super::hub::{Hub, sigkey};
use super::sample;
use super::world::{signed, signer, stranger};

/// A hub with goose, pond and swan in their first version, tagged and signed.
pub fn birds() -> Hub {
    let hub = Hub::start();
    for name in ["goose", "pond", "swan"] {
        hub.tag(hub.import(name, "1", &sample::installable(name, "1"), &[stranger(), signer()]));
    }
    hub
}

pub fn fingerprint() -> String {
    signer().certificate().fingerprint().to_string()
}

/// A bench with a recipe whose only source is this tag; `more` goes into the source's table.
pub fn bench(hub: &Hub, more: &str) -> Bench {
    let bench = Bench::new();
    recipe(&bench, hub, more, &format!("keys = [\"{}\"]", fingerprint()));
    bench.write("keys/goose.asc", signer().certificate().armored());
    bench
}

pub fn recipe(bench: &Bench, hub: &Hub, more: &str, source: &str) {
    let url = &hub.url;
    bench.write(
        "r.toml",
        format!(
            "[release]\nname = \"Gosling Linux\"\nshort = \"Goose\"\nversion = \"1\"\n\
             source-date = \"2026-11-01T00:00:00Z\"\n\n[[source]]\n{source}\n\
             koji = {{ hub = \"{url}/kojihub\", files = \"{url}/kojifiles\", tag = \"birds\"{more} }}\n\n\
             [variant.Base]\narches = [\"x86_64\"]\npackages = [\"goose\", \"pond\"]\nsources = false\n\n\
             [sign]\ndemonstration = \"goose\"\n"
        ),
    );
}

pub fn lock(bench: &Bench) -> Output {
    gander(bench, "store", &["lock", "--update", "r.toml"])
}

pub fn signed_path(name: &str, version: &str) -> String {
    format!(
        "packages/{name}/{version}/1/data/signed/{}/noarch/{name}-{version}-1.noarch.rpm",
        sigkey(signer())
    )
}

#[test]
fn from_a_tag_to_a_compose_and_back() {
    let hub = birds();
    let bench = bench(&hub, "");
    let output = lock(&bench).exits(0);
    assert!(output.stdout.contains("+ birds: tag birds at event 16\n"), "{output}");
    assert!(output.stdout.contains("+ build swan-1-1\n+ goose-0:1-1.noarch in Base/x86_64\n"), "{output}");
    let asked = hub.asked();
    // One request for each header; of what is selected the signed copies, and no more.
    let headers: Vec<_> = asked.iter().filter(|path| path.ends_with(" 0-65535")).collect();
    let whole: Vec<_> = asked.iter().filter(|path| path.ends_with(".rpm")).collect();
    assert_eq!((headers.len(), whole.len()), (3, 2), "{asked:#?}");
    assert!(whole.iter().all(|path| path.contains("/data/signed/")), "{asked:#?}");
    assert_eq!(asked.iter().filter(|method| *method == "listTaggedRPMS").count(), 1);

    let packages = fs::read_to_string(bench.path("r.lock/packages")).unwrap();
    let goose = signed(&sample::installable("goose", "1"), signer());
    let line = packages.lines().find(|line| line.starts_with("goose-")).unwrap();
    assert!(line.contains(&Digest::of(&goose).hex()), "{line}");
    let origins = format!(
        "\tkoji:birds:{} koji-signed:birds:packages/goose/1/1/noarch/goose-1-1.noarch.rpm:",
        signed_path("goose", "1")
    );
    assert!(line.contains(&origins), "{line}");
    let header = fs::read_to_string(bench.path("r.lock/lock.toml")).unwrap();
    assert!(header.contains("event = 16\ntime = 1795295016500000\nversion = \"1.35.3\"\n"), "{header}");

    gander(&bench, "store", &["compose", "r.toml", "--output", "out"]).exits(0);
    let first = files(&bench.path("out"));
    let shipped = first.iter().find(|(path, _)| path.ends_with("goose-1-1.noarch.rpm")).unwrap();
    assert_eq!(*shipped.1, Digest::of(&goose), "shipped as it was signed");

    // Nothing changed: nothing but the hub is asked, and the lock stays as it is, event and all.
    hub.koji.lock().unwrap().last += 5;
    let before = files(&bench.path("r.lock"));
    hub.asked();
    let again = lock(&bench).exits(0).says("nothing changed");
    assert_eq!((again.stdout.as_str(), files(&bench.path("r.lock"))), ("", before));
    assert!(hub.asked().iter().all(|asked| !asked.contains(".rpm")));

    // From the lock alone, and from a copy that was pruned.
    fs::remove_dir_all(hub.file("packages/goose/1/1/data")).unwrap();
    gander(&bench, "second-store", &["compose", "--locked", "r.toml", "--output", "second"]).exits(0);
    assert_eq!(files(&bench.path("second")), first);
    assert!(hub.asked().iter().all(|asked| asked.contains(".rpm")), "the hub itself is not asked");

    // From a bundle, when all of it is gone.
    gander(&bench, "second-store", &["bundle", "r.lock", "-o", "kept"]).exits(0);
    fs::remove_dir_all(hub.file("packages")).unwrap();
    let compose = |more: &[&str]| {
        let arguments = [more, &["compose", "--locked", "r.toml", "--output", "third"]].concat();
        gander(&bench, "third-store", &arguments)
    };
    compose(&[]).exits(3).says("goose-1-1.noarch.rpm").says("status 404");
    compose(&["--offline", "--bundle", "kept"]).exits(0);
    assert_eq!(files(&bench.path("third")), first);
}

#[test]
fn a_pruned_copy_is_put_together() {
    let hub = birds();
    let bench = bench(&hub, "");
    fs::remove_file(hub.file(&signed_path("goose", "1"))).unwrap();
    lock(&bench).exits(0);
    let packages = fs::read_to_string(bench.path("r.lock/packages")).unwrap();
    let goose = signed(&sample::installable("goose", "1"), signer());
    let line = packages.lines().find(|line| line.starts_with("goose-")).unwrap();
    assert!(line.contains(&Digest::of(&goose).hex()) && line.contains("\tkoji-signed:birds:"), "{line}");
    gander(&bench, "store", &["compose", "r.toml", "--output", "out"]).exits(0);
    let first = files(&bench.path("out"));
    gander(&bench, "other", &["compose", "--locked", "r.toml", "--output", "second"]).exits(0);
    assert_eq!(files(&bench.path("second")), first);
    // Where Koji's digests are not to be had, the same.
    hub.koji.lock().unwrap().version = "1.31.0".into();
    let older = self::bench(&hub, "");
    lock(&older).exits(0);
    assert_eq!(fs::read_to_string(older.path("r.lock/packages")).unwrap(), packages);
    assert!(!hub.asked().contains(&"getRPMChecksums".to_owned()));
}

#[test]
fn updates_show_what_changes_and_can_move_one_package() {
    let hub = birds();
    let bench = bench(&hub, "");
    lock(&bench).exits(0);
    let newer = |name: &str| hub.tag(hub.import(name, "2", &sample::installable(name, "2"), &[signer()]));
    newer("goose");
    newer("pond");
    let moved = gander(&bench, "store", &["lock", "--update", "r.toml", "goose"]).exits(0);
    assert_eq!(
        moved.stdout,
        "+ moved goose to event 20, goose-2-1\n~ build goose-2-1 instead of goose-1-1\n\
         - goose-0:1-1.noarch in Base/x86_64\n+ goose-0:2-1.noarch in Base/x86_64\n"
    );
    let header = fs::read_to_string(bench.path("r.lock/lock.toml")).unwrap();
    assert!(header.contains("event = 16\n") && header.contains("kind = \"moved\"\nevent = 20\n"), "{header}");
    gander(&bench, "store", &["lock", "--update", "r.toml", "gose"]).exits(2).says("gose");

    // A build that is tagged again is the latest, whatever its version.
    hub.tag(1);
    let all = lock(&bench).exits(0);
    assert_eq!(
        all.stdout,
        "~ birds: tag birds at event 21 instead of tag birds at event 16\n- moved goose to event 20, goose-2-1\n\
         ~ build goose-1-1 instead of goose-2-1\n~ build pond-2-1 instead of pond-1-1\n\
         + goose-0:1-1.noarch in Base/x86_64\n- goose-0:2-1.noarch in Base/x86_64\n\
         - pond-0:1-1.noarch in Base/x86_64\n+ pond-0:2-1.noarch in Base/x86_64\n"
    );

    // At an event that is named, and with builds that are held and forced.
    let forced = hub.import("goose", "3", &sample::installable("goose", "3"), &[signer()]);
    assert_eq!(forced, 6);
    let pins = ", event = 20, hold = [{ build = \"pond-1-1\", reason = \"2 is dry\" }], \
                force = [{ build = \"goose-3-1\", reason = \"faster\" }]";
    recipe(&bench, &hub, pins, &format!("keys = [\"{}\"]", fingerprint()));
    let pinned = lock(&bench).exits(0);
    for line in ["+ held pond, pond-1-1: 2 is dry\n", "+ forced goose, goose-3-1: faster\n"] {
        assert!(pinned.stdout.contains(line), "{pinned}");
    }
    let packages = fs::read_to_string(bench.path("r.lock/packages")).unwrap();
    assert!(
        packages.contains("goose-0:3-1.noarch\t") && packages.contains("pond-0:1-1.noarch\t"),
        "{packages}"
    );
    let source = format!("keys = [\"{}\"]", fingerprint());
    for (more, message) in [
        (", event = 99", "the hub has not reached event 99: its last one is 22"),
        (", hold = [{ build = \"pond-7-1\", reason = \"x\" }]", "to be held back, but not tagged in 'birds'"),
        (", force = [{ build = \"pond-7-1\", reason = \"x\" }]", "not to be had from the hub: pond-7-1"),
    ] {
        recipe(&bench, &hub, more, &source);
        lock(&bench).exits(2).says(message);
    }
}

#[test]
fn what_is_not_signed_is_listed_at_once() {
    let hub = Hub::start();
    hub.tag(hub.import("goose", "1", &sample::installable("goose", "1"), &[stranger()]));
    hub.tag(hub.import("pond", "1", &sample::installable("pond", "1"), &[]));
    let bench = bench(&hub, "");
    let key = sigkey(stranger());
    lock(&bench)
        .exits(3)
        .says(&format!("goose-0:1-1.noarch of build goose-1-1: Koji has signatures by {key}"))
        .says("pond-0:1-1.noarch of build pond-1-1: Koji has no signature of it")
        .says("koji import-sig");
    assert!(hub.asked().iter().all(|path| !path.ends_with(".rpm")), "nothing is downloaded for it");
    // Signed here: the unsigned files are taken.
    recipe(&bench, &hub, "", "on-unsigned = \"sign\"");
    lock(&bench).exits(0);
    let packages = fs::read_to_string(bench.path("r.lock/packages")).unwrap();
    let unsigned = Digest::of(sample::installable("goose", "1")).hex();
    assert!(
        packages.contains(&unsigned) && packages.contains("\tkoji:birds:packages/goose/1/1/noarch/"),
        "{packages}"
    );
    recipe(&bench, &hub, "", "on-unsigned = \"allow\"");
    lock(&bench).exits(0);
    let packages = fs::read_to_string(bench.path("r.lock/packages")).unwrap();
    assert!(
        packages.contains(&format!("{unsigned}\t")) && packages.contains("\t-\tkoji:birds:"),
        "{packages}"
    );
}

#[test]
fn a_hub_that_lies_is_found_out() {
    let lie = |change: &dyn Fn(&Hub), code: i32, message: &str| {
        let hub = birds();
        change(&hub);
        lock(&bench(&hub, "")).exits(code).says("goose-0:1-1.noarch").says(message);
    };
    let copy = signed_path("goose", "1");
    lie(
        &|hub| hub.koji.lock().unwrap().builds[0].rpms[0].payloadhash = "0".repeat(32),
        3,
        "the hub says that its payloadhash is 0000",
    );
    lie(&|hub| fs::write(hub.file(&copy), "<html>It is a page</html>").unwrap(), 3, "it is no package");
    lie(
        &|hub| fs::write(hub.file(&copy), signed(&sample::installable("pond", "1"), signer())).unwrap(),
        3,
        "it is the package pond-0:1-1.noarch",
    );
    lie(
        &|hub| fs::write(hub.file(&copy), signed(&sample::installable("goose", "1"), stranger())).unwrap(),
        3,
        "its signature header has the MD5",
    );
    let spoil = |hub: &Hub| {
        let mut bytes = fs::read(hub.file(&copy)).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        fs::write(hub.file(&copy), bytes).unwrap();
    };
    // The payload: against the hub's digest, and without one against what the header states.
    let hub = birds();
    spoil(&hub);
    lock(&bench(&hub, "")).exits(3).says("goose-1-1.noarch.rpm").says("the file is another one: expected");
    let old = |hub: &Hub| hub.koji.lock().unwrap().version = "1.31.2".into();
    lie(&|hub| (spoil(hub), old(hub)).1, 3, "the package is corrupt");
    let missing = |hub: &Hub| {
        fs::remove_file(hub.file(&copy)).unwrap();
        fs::remove_file(hub.file("packages/goose/1/1/noarch/goose-1-1.noarch.rpm")).unwrap();
    };
    lie(&missing, 3, "status 404");
    // What Koji keeps as the signature is another one.
    let other = |hub: &Hub| {
        fs::remove_file(hub.file(&copy)).unwrap();
        let cached =
            format!("packages/goose/1/1/data/sigcache/{}/noarch/goose-1-1.noarch.rpm.sig", sigkey(signer()));
        fs::write(hub.file(&cached), "no header").unwrap();
    };
    lie(&other, 3, "its signature header has the MD5");
    // A signature that is none by the key that it is said to be by.
    let hub = birds();
    {
        let mut koji = hub.koji.lock().unwrap();
        let copies = &mut koji.builds[0].rpms[0].copies;
        let stranger = copies[&sigkey(super::world::stranger())].clone();
        copies.insert(sigkey(signer()), stranger);
    }
    fs::write(hub.file(&copy), signed(&sample::installable("goose", "1"), stranger())).unwrap();
    lock(&bench(&hub, "")).exits(3).says("what it calls one by an accepted key is none");
    // Names that would lead elsewhere.
    let hub = birds();
    hub.koji.lock().unwrap().builds[0].volume = "../../etc".into();
    lock(&bench(&hub, "")).exits(3).says("in a way that no file can be named");
}

#[test]
fn a_tag_can_be_looked_at() {
    let hub = birds();
    hub.koji.lock().unwrap().blocked.push("swan".into());
    hub.import("pond", "2", &sample::installable("pond", "2"), &[]);
    let newer = hub.import("goose", "2", &sample::installable("goose", "2"), &[]);
    let event = hub.tag(newer);
    let bench = Bench::new();
    let place = format!("{}/kojihub", hub.url);
    let (key, other) = (sigkey(signer()), sigkey(stranger()));
    let keys = if key < other { format!("{key}, {other}") } else { format!("{other}, {key}") };
    let shown = gander(&bench, "store", &["koji", "tag", "birds", "--hub", &place]).exits(0);
    assert_eq!(
        shown.stdout,
        format!(
            "tag birds at event {event} of {place} (Koji 1.35.3)\n\
             build goose-2-1 from birds at {event}: 1 noarch; not signed\n\
             build pond-1-1 from birds at 14: 1 noarch; signed by {keys}\nblocked swan\n2 builds, 2 RPMs\n"
        )
    );
    let arguments = ["koji", "tag", "birds", "--hub", &place, "--event", "16", "--format", "json"];
    let shown = gander(&bench, "store", &arguments).exits(0);
    let shown: serde_json::Value = serde_json::from_str(&shown.stdout).unwrap();
    assert_eq!(shown["builds"][0]["nvr"], "goose-1-1");
    assert_eq!(shown["builds"][0]["tagged"], serde_json::json!([{ "tag": "birds", "event": 12 }]));
    // Deleted since: the hub no longer counts it, and says so.
    hub.koji.lock().unwrap().builds[1].state = 2;
    let shown = gander(&bench, "store", &["koji", "tag", "birds", "--hub", &place, "--event", "16"]).exits(0);
    assert!(shown.stdout.contains("deleted since: pond-1-1\n"), "{shown}");
    let snapshot =
        gander(&bench, "store", &["koji", "tag", "birds", "--hub", &place, "--format", "snapshot"]).exits(0);
    gander::koji::Snapshot::read(snapshot.stdout.as_bytes()).unwrap();
    let refused = |arguments: &[&str], code: i32, message: &str| {
        gander(&bench, "store", &[&["koji", "tag"], arguments].concat()).exits(code).says(message);
    };
    refused(&["fish", "--hub", &place], 2, "the hub has no tag 'fish' at event 19");
    refused(&["birds", "--hub", &place, "--event", "20"], 2, "has not reached event 20: its last one is 19");
    refused(&["birds", "--hub", "nowhere"], 2, "'nowhere' is no hub");
    refused(&["birds", "--hub", "profile:none"], 2, "there is no profile 'none'");
    refused(&["--offline", "birds", "--hub", &place], 3, "the network is not used");
    hub.koji.lock().unwrap().told.insert("listTaggedRPMS".into(), "what?".into());
    refused(&["birds", "--hub", &place], 3, "the hub's answer to listTaggedRPMS cannot be read");
}
