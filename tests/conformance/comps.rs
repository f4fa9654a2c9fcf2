//! `realdata/comps`: what Pungi takes out of a comps file for an arch and a variant, what it writes, and genuine files that are
//! written and read again.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use gander::format::comps::{Comps, CompsError, Extent};

/// The folder, or one in it.
fn realdata(below: &str, test: &str) -> Option<PathBuf> {
    Some(super::folder("GANDER_REALDATA", test)?.join(below))
}

type Step = fn(&mut Comps);

/// What Pungi's own tests do to `comps.xml.in` before they compare.
const STEPS: &[(&str, Step)] = &[
    ("filtered-packages", |comps| comps.keep_packages_for("ppc64le", None)),
    ("filtered-packages-variant", |comps| comps.keep_packages_for("ppc64le", Some("Server"))),
    ("filtered-groups", |comps| comps.keep_groups_for("ppc64le", None)),
    ("filtered-groups-variant", |comps| comps.keep_groups_for("ppc64le", Some("Server"))),
    ("filtered-environments", |comps| comps.keep_environments_for("ppc64le", None)),
    ("filtered-environments-variant", |comps| comps.keep_environments_for("ppc64le", Some("Client"))),
    ("cleanup", |comps| comps.clean("ppc64le", &[], &BTreeSet::new())),
    ("cleanup-filter", |comps| {
        comps.keep_packages_for("ppc64le", None);
        comps.clean("ppc64le", &[], &BTreeSet::new());
    }),
    ("cleanup-keep", |comps| {
        comps.keep_packages_for("ppc64le", None);
        comps.clean("ppc64le", &["standard"], &BTreeSet::new());
    }),
    ("cleanup-all", |comps| {
        comps.keep_packages_for("ppc64le", None);
        comps.keep_groups_for("ppc64le", None);
        comps.keep_environments_for("ppc64le", None);
        comps.clean("ppc64le", &[], &BTreeSet::new());
    }),
];

fn read(path: &Path) -> Comps {
    Comps::parse(&std::fs::read(path).unwrap()).unwrap()
}

#[test]
fn comps_are_filtered_as_by_pungi() {
    let Some(folder) = realdata("comps/pungi", "comps_are_filtered_as_by_pungi") else { return };
    let all = read(&folder.join("comps.xml.in"));
    for (name, step) in STEPS {
        let expected = read(&folder.join(format!("comps-{name}.xml")));
        assert_ne!(all, expected, "{name}");
        let mut comps = all.clone();
        step(&mut comps);
        assert_eq!(comps, expected, "{name}");
    }
    println!("comps: {} of {} filtered as by Pungi", STEPS.len(), STEPS.len());
}

/// From the first group on: what comes before is laid out otherwise.
fn body(text: &str) -> &str {
    &text[text.find("<comps>").unwrap()..]
}

#[test]
fn comps_are_written_as_by_pungi() {
    let Some(folder) = realdata("comps/pungi", "comps_are_written_as_by_pungi") else { return };
    // Its library reads no arches, and its writer passes over categories without a group.
    let mut comps = read(&folder.join("comps.xml"));
    comps.groups.iter_mut().for_each(|group| group.arches.clear());
    comps.categories.retain(|category| !category.groups.is_empty());
    let expected = std::fs::read_to_string(folder.join("comps-formatted.xml")).unwrap();
    assert_eq!(body(&comps.to_xml()), body(&expected));
}

#[test]
fn genuine_comps_are_written_and_read_again() {
    let Some(folder) = realdata("", "genuine_comps_are_written_and_read_again") else { return };
    let mut files: Vec<PathBuf> = Vec::new();
    let mut folders = vec![folder.join("comps"), folder.join("metadata")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                folders.push(path);
            } else if name.ends_with(".xml")
                && (name.contains("comps") || path.to_string_lossy().contains("/comps/"))
            {
                files.push(path);
            }
        }
    }
    let (mut written, mut packages) = (0, 0);
    for path in &files {
        let comps = match Comps::parse(&std::fs::read(path).unwrap()) {
            Ok(comps) => comps,
            // Some are there to be refused.
            Err(CompsError::Xml(_) | CompsError::Invalid(_)) => continue,
        };
        let text = comps.to_xml();
        let again = Comps::parse(text.as_bytes()).unwrap();
        assert_eq!(again.to_xml(), text, "{}", path.display());
        let mut sorted = comps.clone();
        sorted.groups.sort_by(|left, right| left.id.cmp(&right.id));
        for group in &mut sorted.groups {
            group.packages.sort_by(|left, right| (left.need, &left.name).cmp(&(right.need, &right.name)));
        }
        assert_eq!(again.groups, sorted.groups, "{}", path.display());
        let whole = comps.for_tree(&Extent { arch: "x86_64", variant: "Server", ..Extent::default() });
        assert!(whole.groups.len() <= comps.groups.len());
        written += 1;
        packages += comps.groups.iter().map(|group| group.packages.len()).sum::<usize>();
    }
    println!("comps: {written} of {} files, {packages} entries, written and read again", files.len());
    assert!(written > 5 && packages > 1_000);
}
