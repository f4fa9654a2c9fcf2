//! Modules of tags: from builds of modules on a hub in a folder to a compose that carries them, and later without the hub.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Stdio};

use gander::base::Digest;
use gander::base::digest::hex;
use gander::hub::{
    BuildKey, ChecksumType, Hub, Json, LinkChange, NewArchive, NewBuild, NewRpm, NewTag, PackageUpdate,
    Stamp, TagConfig, Time, Write,
};
use gander::rpm::Headers;
use serde_json::json;

use super::bench::Bench;
use super::flow::{files, gander};
use super::hub::md5;
use super::modules::composed;
use super::sample;

const ADMIN: i64 = 1;

fn stamp() -> Stamp {
    Stamp::new(Time::from_seconds(1_700_000_000.0).unwrap(), ADMIN)
}

/// A build of a module: `NAME:STREAM:VERSION:CONTEXT`, and the packages of its content tag, each with the version that
/// tells it apart.
struct Module<'m> {
    nsvc: &'m str,
    content: &'m [(&'m str, &'m str)],
    /// What its modulemd lists.
    artifacts: &'m [&'m str],
    /// The arches that it has a modulemd for.
    arches: &'m [&'m str],
}

impl Module<'_> {
    fn parts(&self) -> [&str; 4] {
        self.nsvc.split(':').collect::<Vec<_>>().try_into().unwrap()
    }

    fn nvr(&self) -> String {
        let [name, stream, version, context] = self.parts();
        format!("{name}-{}-{version}.{context}", stream.replace('-', "_"))
    }

    fn modulemd(&self, arch: Option<&str>) -> String {
        let [name, stream, version, context] = self.parts();
        let of_arch = arch.map(|arch| format!("\n  arch: {arch}")).unwrap_or_default();
        let artifacts = arch.map(|_| format!("\n  artifacts: {{rpms: [{}]}}", self.artifacts.join(", ")));
        format!(
            "---\ndocument: modulemd\nversion: 2\ndata:\n  name: {name}\n  stream: '{stream}'\n  version: {version}\n  \
             context: {context}{of_arch}\n  summary: Birds\n  description: Birds\n  license: {{module: [MIT]}}{}\n...\n",
            artifacts.unwrap_or_default()
        )
    }
}

/// A bench with a hub in the folder `hub`.
struct Koji {
    bench: Bench,
    hub: Hub,
}

impl Koji {
    fn new() -> Self {
        let bench = Bench::new();
        fs::create_dir_all(bench.path("hub")).unwrap();
        let hub = Hub::open(&bench.path("hub")).unwrap();
        let koji = Self { bench, hub };
        koji.change(|write| {
            assert_eq!(write.create_user(None, "goose", 0, 0).unwrap(), ADMIN);
            write.grant_permission(&stamp(), &ADMIN.into(), &"admin".into(), false).unwrap();
            write.add_btype(&stamp(), None, "module").unwrap();
        });
        for tag in ["base", "birds"] {
            koji.tag(tag);
        }
        koji.change(|write| {
            let parent_id = write.tag_id(&"base".into()).unwrap();
            let link = LinkChange { parent_id, ..LinkChange::plain(0) };
            write.set_inheritance(&stamp(), &"birds".into(), &[link], false).unwrap();
        });
        koji
    }

    fn change<T>(&self, act: impl FnOnce(&mut Write<'_>) -> T) -> T {
        let mut write = self.hub.write().unwrap();
        let done = act(&mut write);
        write.commit().unwrap();
        done
    }

    fn tag(&self, name: &str) {
        let config = TagConfig { arches: Some("x86_64".into()), ..TagConfig::default() };
        let new = NewTag { config, ..NewTag::default() };
        self.change(|write| write.create_tag(&stamp(), name, &new).unwrap());
    }

    fn put(&self, tag: &str, nvr: &str) {
        let name = nvr.rsplitn(3, '-').last().unwrap();
        let update = PackageUpdate { owner: Some(ADMIN.into()), ..PackageUpdate::default() };
        self.change(|write| {
            write.add_package(&stamp(), &tag.into(), &name.into(), &update).unwrap();
            write.tag_build(&stamp(), &tag.into(), &BuildKey::from(nvr), false).unwrap();
        });
    }

    fn file(&self, path: &str, bytes: &[u8]) -> PathBuf {
        self.bench.write(&format!("hub/topdir/{path}"), bytes)
    }

    /// A build with one noarch package, tagged.
    fn build(&self, tag: &str, name: &str, version: &str, label: Option<&str>) {
        let package = sample::modular(name, version, label);
        self.file(&format!("packages/{name}/{version}/1/noarch/{name}-{version}-1.noarch.rpm"), &package);
        let headers = Headers::read(&*package).unwrap();
        self.change(|write| {
            let build = NewBuild::new(name, version, "1", None, ADMIN, stamp().time);
            let build_id = write.create_build(&stamp(), &build).unwrap();
            let rpm = NewRpm {
                id: None,
                build_id,
                name: name.into(),
                version: version.into(),
                release: "1".into(),
                epoch: None,
                arch: "noarch".into(),
                payloadhash: hex(headers.signature.binary(1004).unwrap().unwrap()),
                size: package.len() as i64,
                buildtime: 1_793_491_200,
                buildroot_id: None,
                metadata_only: false,
                extra: None,
            };
            let rpm = write.import_rpm(&stamp(), &rpm).unwrap();
            write.add_signature(&stamp(), rpm, "", "0123456789abcdef0123456789abcdef").unwrap();
            for (kind, sum) in
                [(ChecksumType::Sha256, Digest::of(&package).hex()), (ChecksumType::Md5, md5(&package))]
            {
                write.keep_checksum(&stamp(), rpm, "", kind, &sum).unwrap();
            }
        });
        self.put(tag, &format!("{name}-{version}-1"));
    }

    /// A build of a module with its content tag; tagged.
    fn module(&self, tag: &str, module: &Module<'_>) {
        let [name, stream, version, context] = module.parts();
        let content = format!("module-{}", module.nsvc.replace(':', "-"));
        self.tag(&content);
        for (package, version) in module.content {
            self.build(&content, package, version, Some(module.nsvc));
        }
        let (stream_of_build, release) = (stream.replace('-', "_"), format!("{version}.{context}"));
        self.change(|write| {
            let info = json!({ "name": name, "stream": stream, "version": version, "context": context,
                "content_koji_tag": content, "modulemd_str": module.modulemd(None), "module_build_service_id": 1 });
            let build = NewBuild {
                btypes: vec!["module".into()],
                extra: Some(Json(json!({ "typeinfo": { "module": info } }))),
                ..NewBuild::new(name, &stream_of_build, &release, None, ADMIN, stamp().time)
            };
            let build_id = write.create_build(&stamp(), &build).unwrap();
            let kinds = [ChecksumType::Md5, ChecksumType::Sha256];
            for (arch, kind) in [None].into_iter().chain(module.arches.iter().copied().map(Some)).zip(kinds.into_iter().cycle()) {
                let text = module.modulemd(arch);
                let filename = arch.map_or("modulemd.txt".to_owned(), |arch| format!("modulemd.{arch}.txt"));
                let folder = format!("packages/{name}/{stream_of_build}/{release}/files/module");
                self.file(&format!("{folder}/{filename}"), text.as_bytes());
                let checksum = match kind {
                    ChecksumType::Md5 => md5(text.as_bytes()),
                    _ => Digest::of(&text).hex(),
                };
                let archive = NewArchive {
                    id: None,
                    build_id,
                    btype: "module".into(),
                    kind: "txt".into(),
                    filename,
                    size: text.len() as i64,
                    checksum_type: kind,
                    checksum,
                    buildroot_id: None,
                    metadata_only: false,
                    extra: None,
                };
                write.import_archive(&stamp(), &archive).unwrap();
            }
        });
        self.put(tag, &module.nvr());
    }

    /// Closes the hub: from now on it is gander's.
    fn close(self) -> Bench {
        self.bench
    }
}

/// A build of a module for two arches.
fn module<'m>(nsvc: &'m str, content: &'m [(&'m str, &'m str)], artifacts: &'m [&'m str]) -> Module<'m> {
    Module { nsvc, content, artifacts, arches: &["aarch64", "x86_64"] }
}

/// The tag `birds` inherits from `base`. Both have builds of the module goose, in two streams; `birds` has a goose of no
/// module, too, and one of the stream 1 itself.
fn birds() -> Koji {
    let koji = Koji::new();
    koji.build("base", "pond", "1", None);
    koji.build("birds", "goose", "0.9", None);
    koji.module("base", &module("goose:1:5:c0ffee", &[("goose", "1.5")], &["goose-0:1.5-1.noarch"]));
    koji.module("base", &module("goose:1:6:c0ffee", &[("goose", "1.6")], &["goose-0:1.6-1.noarch"]));
    // Tagged last, yet not the latest of its stream; and nothing to those who take streams from the first tag.
    koji.module("base", &module("goose:2-x:8:dead", &[("goose", "2.8")], &["goose-0:2.8-1.noarch"]));
    let content = [("goose", "2.7"), ("feather", "2.7")];
    koji.module(
        "birds",
        &module("goose:2-x:7:c0ffee", &content, &["goose-0:2.7-1.noarch", "wing-0:2-1.noarch"]),
    );
    koji.module("birds", &module("goose:2-x:3:c0ffee", &[("goose", "2.3")], &["goose-0:2.3-1.noarch"]));
    koji.put("birds", "goose-1.6-1");
    koji
}

fn recipe(bench: &Bench, name: &str, hub: &str, more: &str) {
    bench.write(
        name,
        format!(
            "[release]\nname = \"Gosling Linux\"\nshort = \"Goose\"\nversion = \"1\"\nsource-date = \"2026-11-01T00:00:00Z\"\n\n\
             [[source]]\nkoji = {{ {hub}, tag = \"birds\"{more} }}\non-unsigned = \"allow\"\n\n\
             [variant.Base]\narches = [\"x86_64\"]\npackages = [\"goose\", \"pond\"]\nsources = false\n"
        ),
    );
}

const EMBEDDED: &str = "hub = \"embedded:hub\"";

/// A lock's packages by name and version.
fn locked(bench: &Bench, lock: &str) -> Vec<String> {
    let packages = fs::read_to_string(bench.path(lock).join("packages")).unwrap();
    let names = packages.lines().filter_map(|line| line.split(['\t', ' ']).next());
    names.filter(|name| name.ends_with(".noarch")).map(str::to_owned).collect()
}

#[test]
fn packages_of_a_stream_come_from_its_content_tag() {
    let bench = birds().close();
    recipe(&bench, "r.toml", EMBEDDED, ", modules = [\"goose:2-x\"]");
    gander(&bench, "store", &["lock", "--update", "r.toml"])
        .exits(0)
        .says("birds: builds of modules: goose:1:6:c0ffee, goose:2-x:7:c0ffee")
        .says("active modules for x86_64: goose:2-x");
    assert_eq!(locked(&bench, "r.lock"), ["goose-0:2.7-1.noarch", "pond-0:1-1.noarch"]);
    let header = fs::read_to_string(bench.path("r.lock/lock.toml")).unwrap();
    assert!(header.contains("modules = [\"goose:2-x\"]"), "{header}");
    let first = files(&bench.path("r.lock"));
    gander(&bench, "store", &["lock", "--update", "r.toml"]).exits(0).says("nothing changed");
    assert_eq!(files(&bench.path("r.lock")), first);

    // The lock pins builds of modules and what they say.
    let kept = gander::koji::Snapshot::decode(&snapshot(&bench, &header)).unwrap();
    let pinned: Vec<_> =
        kept.modules.iter().map(|module| (module.nsvc(), module.content_tag.as_str())).collect();
    let content = "module-goose-2-x-7-c0ffee";
    assert_eq!(pinned[1], ("goose:2-x:7:c0ffee".to_owned(), content));
    let text = module("goose:2-x:7:c0ffee", &[], &["goose-0:2.7-1.noarch", "wing-0:2-1.noarch"])
        .modulemd(Some("x86_64"));
    let record = kept.modulemd.iter().find(|record| record.text == text).unwrap();
    assert_eq!((record.build, &record.sha256), (kept.modules[1].build, &Digest::of(&text).hex()));
    assert!(kept.taggings.iter().any(|tagging| tagging.build == record.build));
    // What is said of an arch that the recipe has not is known, and not read.
    let other = kept.modulemd.iter().find(|record| record.arch() == Some("aarch64")).unwrap();
    assert!(other.text.is_empty() && other.checksum.is_some());

    gander(&bench, "store", &["compose", "r.toml", "--output", "out"]).exits(0);
    let (packages, said) = composed(&bench);
    assert_eq!(packages, ["goose-2.7-1.noarch.rpm", "pond-1-1.noarch.rpm"]);
    assert_eq!(said.unwrap(), text.trim_end_matches("...\n").to_owned() + "...\n");
    // Without the hub, from a bundle.
    gander(&bench, "store", &["bundle", "r.lock", "-o", "kept"]).exits(0);
    fs::rename(bench.path("hub"), bench.path("gone")).unwrap();
    let offline = ["--offline", "--bundle", "kept", "compose", "--locked", "r.toml", "--output", "again"];
    gander(&bench, "empty", &offline).exits(0);
    assert_eq!(files(&bench.path("again")), files(&bench.path("out")));

    // What the lock keeps is a hub from which the same can be locked.
    let hub = Serving::replay(&bench, "r.lock");
    let port = hub.port;
    let place =
        format!("hub = \"http://127.0.0.1:{port}/kojihub\", files = \"http://127.0.0.1:{port}/kojifiles\"");
    recipe(&bench, "replayed.toml", &place, ", modules = [\"goose:2-x\"]");
    gander(&bench, "replayed", &["lock", "--update", "replayed.toml"]).exits(0);
    assert_eq!(locked(&bench, "replayed.lock"), locked(&bench, "r.lock"));
}

#[test]
fn a_variant_names_streams_that_the_source_does_not() {
    let bench = birds().close();
    recipe(&bench, "r.toml", EMBEDDED, "");
    let text = fs::read_to_string(bench.path("r.toml")).unwrap();
    let other = "[variant.Other]\narches = [\"x86_64\"]\npackages = [\"pond\"]\nsources = false\n";
    let named = "modules = [\"goose:1\", \"goose:2-x\"]\npackages = [\"pond\"]";
    bench.write("r.toml", text.replace("packages = [\"goose\", \"pond\"]", named) + other);
    gander(&bench, "store", &["lock", "--update", "r.toml"])
        .exits(0)
        .says("birds: builds of modules: goose:1:6:c0ffee, goose:2-x:7:c0ffee");
    let geese = ["goose-0:1.6-1.noarch", "goose-0:2.7-1.noarch", "pond-0:1-1.noarch"];
    assert_eq!(locked(&bench, "r.lock"), geese);
    gander(&bench, "store", &["lock", "--update", "r.toml"]).exits(0).says("nothing changed");
    gander(&bench, "store", &["compose", "r.toml", "--output", "out"]).exits(0);
    let (packages, said) = composed(&bench);
    assert_eq!(packages, ["goose-1.6-1.noarch.rpm", "goose-2.7-1.noarch.rpm", "pond-1-1.noarch.rpm"]);
    assert_eq!(said.unwrap().matches("document: modulemd\n").count(), 2);
    assert!(!bench.path("out/compose/Other/x86_64/os/Packages/g").exists());
    // One that the tag has not is told as elsewhere.
    let wrong = fs::read_to_string(bench.path("r.toml")).unwrap().replace("goose:1\"", "goose:9\"");
    bench.write("r.toml", wrong);
    gander(&bench, "store", &["lock", "--update", "r.toml"])
        .exits(2)
        .says("the module 'goose' has no stream '9', only 1, 2-x");
}

/// What a lock keeps of the hub's answers.
fn snapshot(bench: &Bench, header: &str) -> Vec<u8> {
    let line = header.lines().find_map(|line| line.strip_prefix("snapshot-object = \"")).unwrap();
    let digest = line.trim_end_matches('"').trim_start_matches("sha256:");
    let lock = bench.path("r.lock/objects");
    let path = files(&lock).into_keys().find(|path| path.contains(digest)).unwrap();
    fs::read(lock.join(path)).unwrap()
}

#[test]
fn choices_decide_what_is_seen_of_a_tag() {
    let bench = birds().close();
    for (modules, goose) in [
        // What is tagged in 'birds' itself is of no stream that is named, but the goose of no module is.
        ("[\"!goose\"]", "goose-0:0.9-1.noarch"),
        ("[\"goose:1\"]", "goose-0:1.6-1.noarch"),
        // One build, also where it is not the latest, and in any tag of the inheritance.
        ("[\"goose:1:5\"]", "goose-0:1.5-1.noarch"),
        ("[\"goose:2-x:3:c0ffee\"]", "goose-0:2.3-1.noarch"),
        ("[\"goose:2-x:8:dead\"]", "goose-0:2.8-1.noarch"),
    ] {
        recipe(&bench, "r.toml", EMBEDDED, &format!(", latest = false, modules = {modules}"));
        gander(&bench, "store", &["lock", "--update", "r.toml"]).exits(0);
        assert_eq!(locked(&bench, "r.lock"), [goose, "pond-0:1-1.noarch"], "{modules}");
    }
    // Without a word on modules they are told of once.
    recipe(&bench, "r.toml", EMBEDDED, ", latest = false, excludepkgs = [\"goose-1.6*\"]");
    let output = gander(&bench, "store", &["lock", "--update", "r.toml"]).exits(0);
    assert_eq!(output.stderr.matches("goose:2-x:7:c0ffee").count(), 1, "{output}");
    assert_eq!(locked(&bench, "r.lock"), ["goose-0:0.9-1.noarch", "pond-0:1-1.noarch"]);
    // A package of a module without its module is none that anybody could install.
    recipe(&bench, "r.toml", EMBEDDED, ", latest = false, excludepkgs = [\"goose-0.9*\"]");
    gander(&bench, "store", &["lock", "--update", "r.toml"])
        .exits(3)
        .says("goose-0:1.6-1.noarch")
        .says("it belongs to a module, but no active stream has it");
}

#[test]
fn streams_that_cannot_be_had_are_named() {
    let koji = birds();
    koji.module(
        "birds",
        &Module { arches: &["aarch64"], ..module("swan:1:1:a", &[("swan", "1")], &["swan-0:1-1.noarch"]) },
    );
    koji.module("birds", &Module { arches: &[], ..module("duck:1:1:a", &[("duck", "1")], &[]) });
    let bench = koji.close();
    let refused = |modules: &str, code: i32, says: &[&str]| {
        recipe(&bench, "r.toml", EMBEDDED, &format!(", modules = {modules}"));
        let mut output = gander(&bench, "store", &["lock", "r.toml"]).exits(code);
        for text in says {
            output = output.says(text);
        }
        assert!(!bench.path("r.lock").exists());
    };
    refused(
        "[\"goose:9\", \"crow:1\"]",
        2,
        &["the module 'goose' has no stream '9', only 1, 2-x", "no source has the module 'crow'"],
    );
    refused("[\"goose:1:7\"]", 2, &["there is no build goose:1:7, only goose:1:6:c0ffee"]);
    let silent = |nsvc: &str| format!("{nsvc}: nothing on the hub says which packages it has for x86_64");
    refused("[\"goose:1\", \"swan:1\", \"duck:1\"]", 3, &[&silent("swan:1:1:a"), &silent("duck:1:1:a")]);
    // Not the words that the hub has a checksum of.
    let path = bench.path("hub/topdir/packages/goose/2_x/7.c0ffee/files/module/modulemd.x86_64.txt");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("goose-0:2.7", "goose-0:9.9")).unwrap();
    refused("[\"goose:1\"]", 3, &["modulemd.x86_64.txt: its md5 checksum is", "but the hub says that it is"]);
    fs::write(&path, "longer".repeat(1000)).unwrap();
    refused("[\"goose:1\"]", 3, &["it has 6000 bytes, but the hub says that it has"]);
    fs::remove_file(&path).unwrap();
    refused("[\"goose:1\"]", 3, &["2_x/7.c0ffee/files/module/modulemd.x86_64.txt"]);
    fs::write(&path, &text).unwrap();
    recipe(&bench, "r.toml", EMBEDDED, ", modules = [\"goose:1\"]");
    gander(&bench, "store", &["lock", "r.toml"]).exits(0);
}

#[test]
fn a_content_tag_that_is_gone_is_named() {
    let koji = birds();
    koji.change(|write| write.delete_tag(&stamp(), &"module-goose-1-6-c0ffee".into()).unwrap());
    let bench = koji.close();
    recipe(&bench, "r.toml", EMBEDDED, ", modules = [\"goose:1\"]");
    gander(&bench, "store", &["lock", "r.toml"])
        .exits(3)
        .says("the hub has no tag 'module-goose-1-6-c0ffee'")
        .says("where the packages of goose:1:6:c0ffee should be");
    // It is asked for at the lock's event, when it was there.
    recipe(&bench, "r.toml", EMBEDDED, ", modules = [\"goose:2-x\"]");
    gander(&bench, "store", &["lock", "r.toml"]).exits(0);
}

/// What a lock keeps, served.
struct Serving {
    child: Child,
    port: u16,
}

impl Serving {
    fn replay(bench: &Bench, lock: &str) -> Self {
        let mut command = bench.gander();
        command
            .args(["--store", "store", "hub", "replay", lock])
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let port =
            line.trim().strip_prefix("http://127.0.0.1:").and_then(|rest| rest.strip_suffix("/kojihub"));
        let port = port.unwrap_or_else(|| panic!("{line:?}")).parse().unwrap();
        Self { child, port }
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
