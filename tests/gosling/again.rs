//! A whole release, media and all, signed again by other keys.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use gander::openpgp::{Certificate, verify_cleartext, verify_detached};

use super::world::{Order, Place, copy, first, run, say};

/// The files below a folder by their names, those of repositories' lists without their digests, that are others than below
/// another folder.
fn different(one: &Path, two: &Path) -> BTreeSet<String> {
    let files = |root: &Path| {
        let mut found = std::collections::BTreeMap::new();
        let mut open = vec![root.to_owned()];
        while let Some(folder) = open.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    open.push(path);
                    continue;
                }
                let name = path.strip_prefix(root).unwrap().to_str().unwrap();
                let name = match name.split_once("repodata/") {
                    Some((above, file)) if file.len() > 65 => format!("{above}repodata/{}", &file[65..]),
                    _ => name.to_owned(),
                };
                found.insert(name, path);
            }
        }
        found
    };
    let (one, two) = (files(one), files(two));
    let read = |path: Option<&std::path::PathBuf>| path.map(|path| fs::read(path).unwrap());
    let names: BTreeSet<_> = one.keys().chain(two.keys()).cloned().collect();
    names.into_iter().filter(|name| read(one.get(name)) != read(two.get(name))).collect()
}

/// The files' own names, packages as one.
fn kinds(names: &BTreeSet<String>) -> BTreeSet<&str> {
    fn kind(path: &str) -> &str {
        match &path[path.rfind('/').map_or(0, |slash| slash + 1)..] {
            package if package.ends_with(".rpm") => ".rpm",
            image if image.ends_with("-live1.iso") => "-live1.iso",
            image if image.ends_with("-dvd1.iso") => "-dvd1.iso",
            manifest if manifest.ends_with("-dvd1.iso.manifest") => "-dvd1.iso.manifest",
            other => other,
        }
    }
    names.iter().map(|path| kind(path)).collect()
}

fn copy_of(out: &Path, name: &str) -> std::path::PathBuf {
    let place = out.with_file_name(name);
    fs::rename(out, &place).unwrap();
    place
}

#[test]
fn media_and_all_are_signed_again() {
    let first = first();
    let place = Place::new("again", Order::Forward);
    copy(&first.place.lock(), &place.lock(), Order::Forward);
    let gander = |arguments: &[&str]| {
        let mut command = first.place.gander(None);
        run(command.arg("--offline").args(arguments).arg(place.recipe())).good()
    };
    let out = place.output();
    let to = out.to_str().unwrap();

    // .treeinfo is signed where the recipe asks for it, and the signature stands beside it, on the DVD, too.
    let text = fs::read_to_string(place.recipe()).unwrap();
    let (above, _) = text.split_once("[sign]").unwrap();
    fs::write(place.recipe(), format!("{text}\ntreeinfo = true\n")).unwrap();
    gander(&["lock", "--update"]);
    let said = gander(&["compose", "--output", to]);
    assert!(said.err.contains("signed 2 with key"), "{}", said.err);
    let plain = different(&first.place.output(), &out);
    let expected = [".treeinfo.asc", "-dvd1.iso", "-dvd1.iso.manifest", "CHECKSUM", "images.json"];
    assert_eq!(kinds(&plain), BTreeSet::from(expected));

    let header = fs::read_to_string(place.lock().join("lock.toml")).unwrap();
    let old = header.split_once("metadata-key = \"").unwrap().1[..40].to_owned();
    let before = copy_of(&out, "before");
    let sign = "demonstration = \"another\"\nalso = [{ demonstration = \"one more\" }]\ntreeinfo = true";
    fs::write(place.recipe(), format!("{above}[sign]\n{sign}\ncompromised = [\"{old}\"]\n")).unwrap();
    let began = std::time::Instant::now();
    let said = gander(&["compose", "--resign", "--output", to]);
    say(format_args!("signed again: {:.1} s, {} steps", began.elapsed().as_secs_f64(), said.steps().len()));
    assert!(said.out.contains(&format!("\n- key {old}\n")), "{}", said.out);

    // Boot loaders, initrds, identifiers and what media are made of stay; what carries signatures does not.
    let expected = [
        ".rpm",
        "RPM-GPG-KEY-Gosling",
        "primary.xml.zst",
        "filelists.xml.zst",
        "other.xml.zst",
        "repomd.xml",
        "repomd.xml.asc",
        "install.img",
        ".treeinfo",
        ".treeinfo.asc",
        "-live1.iso",
        "-dvd1.iso",
        "-dvd1.iso.manifest",
        "CHECKSUM",
        "images.json",
        "rpms.json",
    ];
    assert_eq!(kinds(&different(&before, &out)), BTreeSet::from(expected));

    let tree = place.binary();
    let certificates = Certificate::parse_all(&fs::read(tree.join("RPM-GPG-KEY-Gosling")).unwrap()).unwrap();
    assert_eq!(certificates.len(), 2);
    let checksum = fs::read(tree.join("../iso/CHECKSUM")).unwrap();
    for certificate in certificates {
        assert_ne!(certificate.fingerprint().as_str(), old);
        let one = std::slice::from_ref(&certificate);
        verify_cleartext(one, &checksum).unwrap();
        for file in [".treeinfo", "repodata/repomd.xml"] {
            let signature = fs::read(tree.join(format!("{file}.asc"))).unwrap();
            verify_detached(&certificate, &signature, &fs::read(tree.join(file)).unwrap()[..], None).unwrap();
        }
    }
    fs::remove_dir_all(place.folder).unwrap();
}
