//! The metadata of a small repository, byte for byte, and what hostile input does to its readers.

#![allow(clippy::unwrap_used, reason = "a test may fail")]
#![allow(clippy::disallowed_methods, clippy::panic, reason = "tests read folders and start programs")]

mod created;
mod sample;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use gander::base::{Digest, SourceDate};
use gander::format::comps::Comps;
use gander::format::repodata::{CHANGELOGS, Compression, Content, Form, List, Packages, Record, Repomd};
use gander::plan::StepIo;
use gander::repo;
use gander::rpm::Headers;
use gander::select::{Candidate, Universe};

const COMPS: &str = "<?xml version=\"1.0\"?>\n<comps>\n <group><id>core</id><name xml:lang='de'>Kern &amp; so</name>\
    <packagelist><packagereq type=\"mandatory\">goose</packagereq></packagelist></group>\n</comps>\n";

fn date() -> SourceDate {
    SourceDate::from_seconds(1_793_491_200).unwrap()
}

/// Has the step write the metadata of packages in this form. Gives the files by their types.
fn write(scratch: &Path, name: &str, packages: &[&str], form: Form) -> BTreeMap<String, Vec<u8>> {
    let root = scratch.join(name);
    for path in packages {
        let path = root.join("in/packages").join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, sample::package()).unwrap();
    }
    fs::write(root.join("in/comps.xml"), COMPS).unwrap();
    let io = StepIo {
        params: repo::step(name, [], repo::Further::default(), form, date()).unwrap().params,
        source_date: date(),
        inputs: root.join("in"),
        output: root.join("out"),
        scratch: root.join("build"),
    };
    repo::execute(&io).unwrap();
    let repomd = Repomd::parse(&fs::read(root.join("out/repodata/repomd.xml")).unwrap()).unwrap();
    let mut files: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    for data in &repomd.data {
        let bytes = fs::read(data.location.below(&root.join("out"))).unwrap();
        let found = (Digest::of(&bytes).into(), Some(bytes.len() as u64));
        assert_eq!(found, (data.checksum, data.size));
        files.insert(data.kind.clone(), bytes);
    }
    files.insert("repomd".into(), fs::read(root.join("out/repodata/repomd.xml")).unwrap());
    files
}

fn unpack(bytes: &[u8]) -> String {
    std::io::read_to_string(Content::open(bytes, None).unwrap()).unwrap()
}

#[test]
fn a_small_repository_is_pinned() {
    let scratch = tempfile::tempdir().unwrap();
    let paths = ["Packages/g/goose-1-1.noarch.rpm", "Packages/g/again.rpm", "a.rpm"];
    let first = write(scratch.path(), "first", &paths, Form::default());
    let reversed: Vec<_> = paths.iter().rev().copied().collect();
    assert_eq!(
        write(scratch.path(), "second", &reversed, Form::default()),
        first,
        "the order of the files plays a part"
    );
    let primary = unpack(&first["primary"]);
    let places: Vec<_> = primary.lines().filter(|line| line.contains("<location")).map(str::trim).collect();
    assert_eq!(
        places,
        [
            r#"<location href="Packages/g/again.rpm"/>"#,
            r#"<location href="Packages/g/goose-1-1.noarch.rpm"/>"#,
            r#"<location href="a.rpm"/>"#
        ]
    );
    let one = write(scratch.path(), "one", &paths[..1], Form::default());
    let package = sample::package();
    let (sum, size) = (Digest::of(&package).hex(), package.len());
    let header = gander::rpm::Headers::read(&package[..]).unwrap().main_range();
    assert_eq!(
        unpack(&one["primary"]),
        format!(
            r#"<?xml version="1.0" encoding="UTF-8"?>
<metadata xmlns="http://linux.duke.edu/metadata/common" xmlns:rpm="http://linux.duke.edu/metadata/rpm" packages="1">
<package type="rpm">
  <name>goose</name>
  <arch>noarch</arch>
  <version epoch="0" ver="1" rel="1"/>
  <checksum type="sha256" pkgid="YES">{sum}</checksum>
  <summary>A goose</summary>
  <description>It is a goose.</description>
  <packager/>
  <url/>
  <time file="1793491200" build="1793491200"/>
  <size package="{size}" installed="11" archive="344"/>
  <location href="Packages/g/goose-1-1.noarch.rpm"/>
  <format>
    <rpm:license>MIT</rpm:license>
    <rpm:vendor/>
    <rpm:group>Unspecified</rpm:group>
    <rpm:buildhost>localhost</rpm:buildhost>
    <rpm:sourcerpm>goose-1-1.src.rpm</rpm:sourcerpm>
    <rpm:header-range start="{}" end="{}"/>
    <rpm:provides>
      <rpm:entry name="goose" flags="EQ" epoch="0" ver="1" rel="1"/>
      <rpm:entry name="bird"/>
    </rpm:provides>
    <rpm:requires>
      <rpm:entry name="/bin/sh"/>
    </rpm:requires>
    <file>/usr/bin/goose</file>
  </format>
</package>
</metadata>
"#,
            header.start, header.end
        )
    );
    // Other bytes? Raise repo::REVISION: results that lie in stores must not be taken for these.
    let pinned = "c9badc67934655389d73cec1a8fb47279aad2b941960dacd845a155cd78aee4c";
    assert_eq!((repo::REVISION, Digest::of(&first["repomd"]).hex().as_str()), (2, pinned));
}

#[test]
fn a_step_writes_what_gander_repo_create_writes() {
    let scratch = tempfile::tempdir().unwrap();
    let paths = ["Packages/g/goose-1-1.noarch.rpm", "Packages/g/again.rpm"];
    for (place, compression) in Compression::ALL.into_iter().enumerate() {
        let database = place > 0;
        let name = compression.name();
        let files = write(scratch.path(), name, &paths, Form { compression, database });
        let mut kinds = vec!["filelists", "group", "other", "primary", "repomd"];
        if database {
            kinds.extend(["filelists_db", "other_db", "primary_db"]);
        }
        kinds.sort_unstable();
        assert_eq!(files.keys().collect::<Vec<_>>(), kinds);
        assert_eq!(unpack(&files["group"]), COMPS);
        for kind in ["primary", "filelists", "other", "group"] {
            let magic: &[u8] = match compression {
                Compression::Zstd => b"\x28\xb5\x2f\xfd",
                Compression::Gzip => b"\x1f\x8b",
                Compression::Xz => b"\xfd7zXZ\0",
            };
            assert!(files[kind].starts_with(magic), "{kind} as {name}");
        }
        // A tree of the compose, and the file that it was given.
        let (tree, comps) = (scratch.path().join(name).join("in/packages"), "in/comps.xml");
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_gander"));
        command.args([
            "repo",
            "create",
            "--source-date",
            "2026-11-01T00:00:00Z",
            "--general-compress-type",
            name,
        ]);
        command.arg("--groupfile").arg(scratch.path().join(name).join(comps)).arg(&tree);
        command.arg("--store").arg(scratch.path().join("store"));
        if database {
            command.arg("--database");
        }
        assert!(command.status().unwrap().success());
        let created = fs::read_dir(tree.join("repodata")).unwrap().map(|entry| entry.unwrap().path());
        let created: BTreeSet<Vec<u8>> = created.map(|path| fs::read(path).unwrap()).collect();
        assert_eq!(created, files.into_values().collect(), "{name}");
    }
}

#[test]
fn the_step_is_named_by_its_inputs() {
    let path = |text: &str| gander::base::RelPath::new(text).unwrap();
    let input = gander::plan::Input::Object(Digest::of("x"));
    let step = |package: &str, form| {
        let further = repo::Further { comps: Some(input.clone()), ..repo::Further::default() };
        repo::step("BaseOS x86_64", [(path(package), input.clone())], further, form, date())
    };
    let plain = step("Packages/a/a.rpm", Form::default()).unwrap();
    // Other forms are other steps, and the default is named by nothing.
    assert!(plain.params.is_empty());
    let forms = Compression::ALL
        .into_iter()
        .flat_map(|compression| [false, true].map(|database| Form { compression, database }));
    let ids: BTreeSet<_> = forms.map(|form| step("Packages/a/a.rpm", form).unwrap().id()).collect();
    assert_eq!(ids.len(), 6);
    // What would be passed over has no place among packages.
    for place in ["Packages/a/a.txt", "repodata/a.rpm"] {
        assert!(matches!(step(place, Form::default()), Err(repo::RepoError::Place(_))), "{place}");
    }
    let step = plain;
    let inputs: Vec<_> = step.inputs.keys().map(|path| path.as_str()).collect();
    assert_eq!(inputs, ["comps.xml", "packages/Packages/a/a.rpm"]);
    assert_eq!((step.kind.as_str(), step.root.is_none()), (repo::KIND, true));
}

/// Changes one or two places of some bytes, again and again.
fn mutated(bytes: &[u8], times: u64) -> impl Iterator<Item = Vec<u8>> {
    let mut state = 88_172_645_463_325_252u64;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as usize
    };
    (0..times).map(move |_| {
        let mut bytes = bytes.to_vec();
        for _ in 0..=random() % 2 {
            let at = random() % bytes.len();
            match random() % 4 {
                0 => bytes[at] ^= 1 << (random() % 8),
                1 => bytes.truncate(at.max(1)),
                2 => drop(bytes.remove(at)),
                _ => bytes.insert(at, b"<>&\"\0\xff/!"[random() % 8]),
            }
        }
        bytes.push(b'\n');
        bytes
    })
}

#[test]
fn readers_survive_hostile_input() {
    let scratch = tempfile::tempdir().unwrap();
    let files = write(scratch.path(), "one", &["a.rpm"], Form::default());
    let headers = gander::rpm::Headers::read(&sample::package()[..]).unwrap();
    let package = headers.package().unwrap();
    let universe = Universe::new(vec![Candidate::from_package(&package, Digest::of("goose"))]).unwrap();
    let mut refused = 0;
    for bytes in mutated(COMPS.as_bytes(), 3_000) {
        refused += usize::from(Comps::parse(&bytes).is_err());
    }
    for bytes in mutated(&files["repomd"], 3_000) {
        refused += usize::from(Repomd::parse(&bytes).is_err());
    }
    let [primary, filelists, other] = ["primary", "filelists", "other"].map(|list| unpack(&files[list]));
    for bytes in mutated(primary.as_bytes(), 3_000) {
        let Ok(mut packages) = Packages::read(&bytes[..]) else {
            refused += 1;
            continue;
        };
        refused += usize::from(packages.add_filelists(filelists.as_bytes()).is_err());
        refused += usize::from(packages.add_other(other.as_bytes()).is_err());
    }
    for list in [filelists, other] {
        for bytes in mutated(list.as_bytes(), 1_000) {
            let mut packages = Packages::read(primary.as_bytes()).unwrap();
            let read = packages.add_filelists(&bytes[..]).is_ok() || packages.add_other(&bytes[..]).is_ok();
            refused += usize::from(!read);
        }
    }
    for compression in Compression::ALL {
        let form = Form { compression, database: false };
        let files = write(scratch.path(), compression.name(), &["a.rpm"], form);
        for bytes in mutated(&files["primary"], 1_000) {
            let content = Content::open(&bytes[..], None).unwrap();
            refused += usize::from(Packages::read(content).is_err());
        }
    }
    for bytes in mutated(&universe.encode().unwrap().bytes, 3_000) {
        refused += usize::from(Universe::decode(&bytes).is_err());
    }
    let text = zstd::decode_all(&universe.encode().unwrap().bytes[..]).unwrap();
    for bytes in mutated(&text, 3_000) {
        refused += usize::from(Universe::decode(&zstd::encode_all(&bytes[..], 1).unwrap()).is_err());
    }
    assert!(refused > 4_000, "only {refused} were refused");
}

/// What metadata tell of a package is what its header tells, apart from what they leave out.
#[test]
fn a_candidate_comes_out_alike_of_header_and_metadata() {
    let key = Digest::of("key");
    for sample in [sample::package(), sample::everything(Some("zstd")), sample::everything(None)] {
        let headers = Headers::read(&sample[..]).unwrap();
        let package = headers.package().unwrap();
        let record = Record {
            package: &package,
            checksum: Digest::of(&sample),
            size: sample.len() as u64,
            file_time: 0,
            href: "a.rpm",
            base: None,
            changelogs: CHANGELOGS,
        };
        let document = |list: List| [&*list.head(1), &*record.write(list), list.tail()].concat();
        let mut packages = Packages::read(document(List::Primary).as_bytes()).unwrap();
        let candidate = |packages: &Packages| Candidate::from_entry(packages.iter().next().unwrap(), key);
        let mut expected = Candidate::from_package(&package, key);
        let all = std::mem::take(&mut expected.files);
        let primary = candidate(&packages).files;
        assert!(!primary.is_empty() && primary.len() < all.len(), "{primary:?}");
        assert!(primary.iter().all(|file| all.contains(file)));
        packages.add_filelists(document(List::Filelists).as_bytes()).unwrap();
        expected.files = all;
        assert_eq!(candidate(&packages), expected);
    }
}
