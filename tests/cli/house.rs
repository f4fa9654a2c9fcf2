//! The rules of the house that no compiler checks: which room may know which, how long a file may be,
//! what must not lie in the tree.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::bench::{package_root, run};

/// Lines that a source file may have; a longer one is to be divided.
const LINES: usize = 600;
/// Packages in the normal dependency tree. Raising it takes a reason that names what was gained.
const DEPENDENCIES: usize = 330;

/// Every file below a folder, sorted, without what is built or made.
fn files(folder: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![package_root().join(folder)];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
            let entry = entry.unwrap();
            let made = [".git", "target", "out", "again", "__pycache__"]
                .iter()
                .any(|made| entry.file_name() == *made);
            match entry.file_type().unwrap() {
                _ if made => {}
                kind if kind.is_dir() => open.push(entry.path()),
                kind if kind.is_file() => found.push(entry.path()),
                _ => {}
            }
        }
    }
    found.sort();
    assert!(!found.is_empty(), "{folder}");
    found
}

fn sources(folder: &str) -> impl Iterator<Item = (PathBuf, String)> {
    let rust = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "rs");
    files(folder).into_iter().filter(rust).map(|path| {
        let text = fs::read_to_string(&path).unwrap();
        (path.strip_prefix(package_root()).unwrap().to_path_buf(), text)
    })
}

/// The rooms in the order of `src/lib.rs`, which is the order of dependence.
fn rooms() -> Vec<String> {
    let map = fs::read_to_string(package_root().join("src/lib.rs")).unwrap();
    map.lines()
        .filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'))
        .map(String::from)
        .collect()
}

/// Code without comments, so that prose may speak of any room.
fn code(text: &str) -> String {
    text.lines()
        .map(|line| line.split_once("//").map_or(line, |(code, _)| code))
        .collect::<Vec<_>>()
        .join("\n")
}

fn first_word(text: &str) -> &str {
    text.split(|char: char| !char.is_alphanumeric() && char != '_').next().unwrap_or_default()
}

/// The names right below the crate that a file mentions: `crate::NAME`, `crate::{NAME, NAME}`.
fn mentioned(code: &str) -> BTreeSet<&str> {
    let mut found = BTreeSet::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        let Some(group) = rest.strip_prefix('{') else {
            found.insert(first_word(rest));
            continue;
        };
        let (mut depth, mut at_start) = (0, true);
        for (at, char) in group.char_indices() {
            match char {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' if depth == 0 => at_start = true,
                char if at_start && !char.is_whitespace() => {
                    found.insert(first_word(&group[at..]));
                    at_start = false;
                }
                _ => {}
            }
        }
    }
    found
}

#[test]
fn a_room_imports_only_rooms_above_it() {
    let rooms = rooms();
    assert!(rooms.len() > 10, "{rooms:?}");
    let place = |name: &str| rooms.iter().position(|room| room == name);
    let mut broken = Vec::new();
    for (path, text) in sources("src") {
        let parts: Vec<_> = path.iter().skip(1).map(|part| part.to_string_lossy()).collect();
        let [room, .., file] = parts.as_slice() else { continue };
        let own = place(room).unwrap_or_else(|| panic!("{} is in no room of src/lib.rs", path.display()));
        let code = code(&text);
        for name in mentioned(&code) {
            match place(name) {
                Some(other) if other <= own => {}
                Some(_) => broken.push(format!("{}: '{room}' stands above '{name}'", path.display())),
                None => broken.push(format!("{}: 'crate::{name}' is no room", path.display())),
            }
        }
        // Where only `super` is left to say, the crate itself is meant.
        let depth = parts.len() - usize::from(file == "mod.rs");
        let upwards = "super::".repeat(depth);
        for (at, _) in code.match_indices(&upwards) {
            let name = first_word(&code[at + upwards.len()..]);
            if place(name).is_some_and(|other| other > own) {
                broken.push(format!("{}: '{room}' reaches '{name}' through 'super'", path.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn grouped_imports_are_seen() {
    let names =
        mentioned("use crate::{base::{Digest, x}, store::Store, cli}; crate::lock::X; use crate::plan;");
    assert_eq!(names, BTreeSet::from(["base", "store", "cli", "lock", "plan"]));
}

#[test]
fn no_source_file_is_too_long() {
    let long: Vec<_> = sources("src")
        .chain(sources("tests"))
        .map(|(path, text)| (path, text.lines().count()))
        .filter(|(_, lines)| *lines > LINES)
        .collect();
    assert!(long.is_empty(), "more than {LINES} lines, to be divided: {long:?}");
}

#[test]
fn every_source_file_says_what_it_is_for() {
    let silent: Vec<_> = sources("src")
        .chain(sources("tests"))
        .filter(|(path, text)| !text.starts_with("//! ") && !is_unit_test(path))
        .map(|(path, _)| path)
        .collect();
    assert!(silent.is_empty(), "without module documentation: {silent:?}");
}

/// Whether a file holds the tests of the file that takes it in, which says what is tested.
fn is_unit_test(path: &Path) -> bool {
    path.file_stem().is_some_and(|name| name.to_string_lossy().ends_with("tests"))
}

#[test]
fn every_source_file_is_a_module() {
    let mut forgotten = Vec::new();
    for (path, _) in sources("src").chain(sources("tests/cli")) {
        let name = path.file_stem().unwrap().to_str().unwrap();
        let folder = path.parent().unwrap();
        let (module, parents) = match name {
            "main" | "lib" => continue,
            "mod" => (folder.file_name().unwrap().to_str().unwrap(), folder.parent().unwrap()),
            _ => (name, folder),
        };
        // Taken in by the file of the folder, or by a file beside it that names its path.
        let inline = format!("#[path = \"{}\"]", path.file_name().unwrap().to_string_lossy());
        let line = format!("mod {module};");
        let takes_in = |(parent, text): (PathBuf, String)| {
            let of_folder = parent == parents.with_extension("rs") || parent.parent() == Some(parents);
            let by_name = text.lines().any(|text| text.trim_end().ends_with(&line));
            of_folder && (by_name || text.contains(&inline))
        };
        let declared = sources(if path.starts_with("src") { "src" } else { "tests/cli" }).any(takes_in);
        if !declared {
            forgotten.push(path);
        }
    }
    assert!(forgotten.is_empty(), "files that no 'mod' line takes in: {forgotten:?}");
}

#[test]
fn unsafe_code_stays_in_the_runner() {
    // And in the one file that asks OpenSSL for what its crate has no function for.
    let found: Vec<_> = sources("src")
        .filter(|(path, _)| !path.starts_with("src/runner") && path != Path::new("src/koji/tls.rs"))
        .filter(|(_, text)| {
            code(text).contains(concat!("unsafe", " ")) || text.contains(concat!("allow(", "unsafe"))
        })
        .map(|(path, _)| path)
        .collect();
    assert!(found.is_empty(), "{found:?}");
}

#[test]
fn no_room_is_a_drawer() {
    for (path, _) in sources("src") {
        for part in path.iter() {
            let name = Path::new(part).file_stem().unwrap().to_string_lossy();
            let drawer = ["utils", "util", "common", "helpers", "types", "prelude", "misc"].contains(&&*name);
            assert!(!drawer, "{}: a name that says nothing of what is in it", path.display());
        }
    }
}

/// Mirrors and registries come from configuration, and no path is that of one machine.
#[test]
fn the_tree_names_no_mirror_registry_or_machine() {
    let words = [
        concat!("deb.debian", ".org"),
        concat!("ftp.debian", ".org"),
        concat!("security.debian", ".org"),
        concat!("snapshot.debian", ".org"),
        concat!("archive.ubuntu", ".com"),
        concat!("mirrors.fedora", "project.org"),
        concat!("crates", ".io"),
        concat!("pypi", ".org"),
        concat!("python", "hosted.org"),
        concat!("docker", ".io"),
        concat!("quay", ".io"),
        concat!("ghcr", ".io"),
        concat!("/wo", "rk/"),
        concat!("/tmp/", "wt"),
        concat!("/home/", "user"),
    ];
    let mut found = Vec::new();
    for path in files("").iter().filter(|path| !path.ends_with("Cargo.lock")) {
        let text = String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned();
        for word in words.iter().filter(|word| text.contains(**word)) {
            let line = text.lines().position(|line| line.contains(word)).map_or(0, |line| line + 1);
            found.push(format!("{}:{line}: {word}", path.strip_prefix(package_root()).unwrap().display()));
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn no_secret_key_lies_in_the_tree() {
    let marks = [concat!("PRIVATE KEY", " BLOCK-----"), concat!("PRIVATE", " KEY-----")];
    for path in files("") {
        let bytes = fs::read(&path).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        assert!(!marks.iter().any(|mark| text.contains(mark)), "{} holds a secret key", path.display());
    }
    if package_root().join("keys").is_dir() {
        for path in files("keys") {
            // The first packet of a binary secret key: tag 5, in the old or the new format.
            let first = fs::read(&path).unwrap().first().copied().unwrap_or_default();
            assert!(!matches!(first, 0x94..=0x97 | 0xc5), "{} holds a secret key", path.display());
        }
    }
}

#[test]
fn the_dependencies_stay_few() {
    let cargo = std::env::var_os("CARGO").expect("cargo runs this test");
    let tree = run(Command::new(cargo)
        .args(["tree", "--locked", "--offline", "--edges", "normal", "--prefix", "none", "--format", "{p}"])
        .current_dir(package_root()))
    .exits(0);
    let packages: BTreeSet<_> = tree.stdout.lines().map(|line| line.trim_end_matches(" (*)")).collect();
    let count = packages.len().saturating_sub(1);
    println!("{count} dependencies");
    assert!(count > 20, "{tree}");
    assert!(count <= DEPENDENCIES, "{count} dependencies, at most {DEPENDENCIES} are agreed");
}

#[test]
fn every_dependency_says_why_it_is_there() {
    let manifest = fs::read_to_string(package_root().join("Cargo.toml")).unwrap();
    let section = manifest.split("\n[dependencies]\n").nth(1).unwrap().split("\n[").next().unwrap();
    let used: BTreeSet<&str> = section.lines().filter_map(|line| Some(line.split_once(" =")?.0)).collect();
    let page = fs::read_to_string(package_root().join("docs/dependencies.md")).unwrap();
    let named: BTreeSet<&str> = page
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split(" | ").next())
        .flat_map(|crates| crates.split(", "))
        .map(|name| name.trim_matches('`'))
        .collect();
    assert_eq!(named, used, "docs/dependencies.md and Cargo.toml differ");

    // One that no source mentions is to be dropped.
    let text: String = sources("src").map(|(_, text)| code(&text)).collect();
    let idle: Vec<_> =
        used.iter().filter(|name| !text.contains(&format!("{}::", name.replace('-', "_")))).collect();
    assert!(idle.is_empty(), "no source uses {idle:?}");
}
