//! The whole way through Koji: what was built is imported into a hub of gander's own, tagged, and composed from its tag at
//! an event.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use gander::base::Digest;
use gander::koji::Snapshot;
use gander::lock::Packages;
use gander::sign::{Signer as _, demonstration};
use gander::store::Store;

use super::folder::Folder;
use super::world::{First, Order, Place, Said, first, run, say};

const TAG: &str = "gosling-1-compose";

/// A place with the store of the first compose, so that nothing is done twice.
fn place(first: &First, name: &str) -> Place {
    let place = Place::new(name, Order::Forward);
    run(Command::new("cp").arg("-a").arg(first.place.store()).arg(place.store())).good();
    place
}

fn packages(place: &Place) -> Packages {
    Packages::parse(&fs::read_to_string(place.lock().join("packages")).unwrap()).unwrap()
}

fn content(packages: &Packages) -> Vec<(String, Digest)> {
    packages.0.iter().map(|(nevra, package)| (nevra.to_string(), package.content)).collect()
}

/// Imports packages into the hub beside the recipe and tags their builds; the last event.
fn import<'p>(place: &Place, files: impl IntoIterator<Item = &'p Path>) -> String {
    let mut import = place.gander(None);
    import.args(["hub", "import", "--tag", TAG, "--time", "2026-11-01T00:00:00Z"]);
    let said = run(import.arg(place.folder.join("recipes/hub")).args(files)).good();
    said.out.trim().strip_prefix("event ").unwrap_or_else(|| panic!("{}", said.all())).to_owned()
}

/// The same recipe, but for where its packages come from.
fn from_tag(place: &Place, more: &str, after: &str) {
    let text = fs::read_to_string(place.recipe()).unwrap();
    let (before, rest) = text.split_once("[[source]]\n").unwrap();
    let (_, rest) = rest.split_once("on-unsigned = \"sign\"\n").unwrap();
    let koji = format!("koji = {{ hub = \"embedded\", files = \"hub\", tag = \"{TAG}\"{more} }}\n{after}\n");
    fs::write(place.recipe(), [before, "[[source]]\n", &koji, rest].concat()).unwrap();
}

/// Composes; nothing is built, and each package has the tag as its first origin.
fn compose(place: &Place, event: &str) -> (Packages, Said) {
    let said = run(place.gander(None).arg("--offline").args(place.compose())).good();
    assert!(said.steps().iter().all(|step| !step.starts_with("rpmbuild ")), "{:?}", said.steps());
    let lock = fs::read_to_string(place.lock().join("lock.toml")).unwrap();
    assert!(lock.contains(&format!("tag = \"{TAG}\"\nevent = {event}\n")), "{lock}");
    let tagged = packages(place);
    let origin = format!("koji:{TAG}:");
    assert!(tagged.0.values().all(|package| package.origins[0].to_string().starts_with(&origin)));
    (tagged, said)
}

/// Builds that nobody signed yet, which the recipe's key signs, from its tag at an event and from a bundle.
#[test]
fn built_imported_tagged_and_composed() {
    let first = first();
    let place = place(first, "tagged");

    // The packages as they came out of their builds.
    let store = Store::open(&place.store()).unwrap();
    let built = packages(&first.place);
    let folder = place.folder.join("built");
    fs::create_dir(&folder).unwrap();
    for (nevra, package) in &built.0 {
        fs::copy(store.object_path(&package.unsigned), folder.join(nevra.file_name())).unwrap();
    }
    drop(store);
    let event = import(&place, [folder.as_path()]);
    from_tag(&place, &format!(", event = {event}"), "on-unsigned = \"sign\"");
    let (tagged, said) = compose(&place, &event);
    assert_eq!(content(&tagged), content(&built));
    // Signed by the backend that [sign] names: the same key for each package, and the same signatures.
    let keys = |packages: &Packages| -> BTreeSet<Vec<String>> {
        packages.0.values().map(|package| package.keys.clone()).collect()
    };
    assert_eq!(keys(&tagged), keys(&built));
    assert!(keys(&tagged).iter().all(|keys| keys.len() == 1), "{:?}", keys(&tagged));
    for table in ["signatures", "signed"] {
        let [ours, theirs] = [&place, &first.place].map(|place| fs::read(place.lock().join(table)).unwrap());
        assert_eq!(ours, theirs, "{table}");
    }
    let (count, steps) = (tagged.0.len(), said.steps().len());
    say(format_args!("composed from a tag of {count} packages at event {event}: {steps} steps"));
    Folder::read(&first.place.output()).assert_same(&Folder::read(&place.output()));

    // With the hub gone, from a bundle and the lock, in an empty store.
    let bundle = place.folder.join("bundle");
    let mut keep = place.gander(None);
    run(keep.args(["--offline", "bundle", "--output"]).arg(&bundle).arg(place.lock())).good();
    fs::remove_dir_all(place.folder.join("recipes/hub")).unwrap();
    fs::remove_dir_all(&folder).unwrap();
    fs::remove_dir_all(place.store()).unwrap();
    let again = place.folder.join("again");
    let mut compose = place.gander(None);
    compose.arg("--bundle").arg(&bundle).args(["--offline", "compose", "--locked"]).arg(place.recipe());
    run(compose.arg("--output").arg(&again)).good();
    Folder::read(&place.output()).assert_same(&Folder::read(&again));
    fs::remove_dir_all(&place.folder).unwrap();
}

/// The packages of a release, as its users have them.
fn released(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        match entry.path() {
            path if path.is_dir() => found.extend(released(&path)),
            path if path.extension().is_some_and(|extension| extension == "rpm") => found.push(path),
            _ => {}
        }
    }
    found.sort();
    found
}

/// What rpms.json says, but for the keys.
fn without_keys(json: &[u8]) -> serde_json::Value {
    fn strip(value: &mut serde_json::Value) {
        let Some(members) = value.as_object_mut() else { return };
        for (name, member) in members {
            match name.as_str() {
                "sigkey" => *member = serde_json::Value::Null,
                _ => strip(member),
            }
        }
    }
    let mut value = serde_json::from_slice(json).unwrap();
    strip(&mut value);
    value
}

/// The way that docs/hub.md tells: the signed packages of a release are imported, and taken by the key that signed them.
#[test]
fn a_release_is_composed_again_from_a_hub_by_its_key() {
    let first = first();
    let place = place(first, "by-key");
    let files = released(&first.place.output().join("compose"));
    let event = import(&place, files.iter().map(PathBuf::as_path));
    let key = first.place.binary().join("RPM-GPG-KEY-Gosling");
    fs::create_dir(place.folder.join("recipes/keys")).unwrap();
    fs::copy(key, place.folder.join("recipes/keys/gosling.asc")).unwrap();
    let built = packages(&first.place);
    let fingerprint = &built.0.values().next().unwrap().keys[0];
    let recipe = fs::read(place.recipe()).unwrap();
    from_tag(&place, "", &format!("keys = [\"{fingerprint}\"]"));
    let (tagged, said) = compose(&place, &event);
    assert_eq!(content(&tagged), content(&built));
    // They are shipped as they are: nothing is signed again but the metadata.
    assert!(tagged.0.values().all(|package| package.keys.is_empty()));
    let signatures = fs::read_to_string(place.lock().join("signatures")).unwrap();
    assert!(!signatures.contains("rpm-header"), "{signatures}");
    let (count, steps) = (tagged.0.len(), said.steps().len());
    say(format_args!("composed from a tag of {count} signed packages at event {event}: {steps} steps"));
    // rpms.json names the keys of packages that are signed here, and no others; all else is the same.
    let [ours, theirs] =
        [&place, &first.place].map(|place| place.output().join("compose/metadata/rpms.json"));
    let keyless = without_keys(&fs::read(&theirs).unwrap());
    assert_eq!(serde_json::from_slice::<serde_json::Value>(&fs::read(&ours).unwrap()).unwrap(), keyless);
    let composed = place.folder.join("composed");
    run(Command::new("cp").arg("-al").arg(place.output()).arg(&composed)).good();
    let copy = composed.join("compose/metadata/rpms.json");
    fs::remove_file(&copy).unwrap();
    run(Command::new("cp").arg("-a").arg(&theirs).arg(&copy)).good();
    Folder::contents(&first.place.output()).assert_same(&Folder::contents(&composed));

    // Each was asked for by that key: it is what the hub has an index of.
    let header = fs::read_to_string(place.lock().join("lock.toml")).unwrap();
    let digest = header.lines().find_map(|line| line.strip_prefix("snapshot-object = \"sha256:")).unwrap();
    let snapshot = place.lock().join("objects").join(digest.trim_end_matches('"'));
    let snapshot = Snapshot::decode(&fs::read(snapshot).unwrap()).unwrap();
    let sigkey = fingerprint[fingerprint.len() - 8..].to_lowercase();
    assert_eq!(snapshot.signatures.len(), tagged.0.len());
    assert!(snapshot.signatures.iter().all(|signature| signature.sigkey == sigkey));

    // By another key there is none, and all are told at once.
    let date = "2026-11-01T00:00:00Z".parse().unwrap();
    let other = demonstration("other", date, "Gosling Linux").unwrap();
    fs::write(place.folder.join("recipes/keys/other.asc"), other.certificate().armored()).unwrap();
    let stranger = other.certificate().fingerprint();
    fs::write(place.recipe(), recipe).unwrap();
    from_tag(&place, "", &format!("keys = [\"{stranger}\"]"));
    let refused = run(place.gander(None).args(["--offline", "lock", "--update"]).arg(place.recipe()));
    assert_eq!(refused.code, Some(3), "{}", refused.all());
    let told = refused.err.matches(&format!("Koji has signatures by {sigkey}")).count();
    assert_eq!(told, tagged.0.len(), "{}", refused.all());
    fs::remove_dir_all(&place.folder).unwrap();
}
