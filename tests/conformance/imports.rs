//! Genuine configurations of Pungi (`GANDER_REALDATA`/variants): each is read, what it imports and the variants, too, and
//! the recipe that is made of it is read by `recipe/`. Every option that a file names is a part of the recipe or is noted.

use std::fs;
use std::path::{Path, PathBuf};

use gander::convert::{Companion, MashInput, NoteKind, PungiInput, companion, from_mash, from_pungi};
use gander::format::comps::Comps;
use gander::format::pungi_conf::PungiConf;
use gander::format::{mash_conf, variants_xml};
use gander::recipe::{Fingerprint, Recipe};

use super::{Tally, folder, skip};

/// All files below a folder that end in one of these ways, sorted.
fn files(root: &Path, endings: &[&str]) -> Vec<PathBuf> {
    let (mut found, mut open) = (Vec::new(), vec![root.to_path_buf()]);
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if endings.iter().any(|ending| path.to_string_lossy().ends_with(ending)) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// Options that a text names, found by other means: what stands at the beginning of a line before a '='.
fn named(text: &str) -> Vec<&str> {
    let name = |line: &str| -> Option<usize> {
        let end = line.find(|char: char| !char.is_ascii_alphanumeric() && char != '_')?;
        (end > 0 && line[end..].trim_start().starts_with('=')).then_some(end)
    };
    text.lines().filter_map(|line| Some(&line[..name(line)?])).collect()
}

fn beside(conf: &PungiConf, option: &str, folder: &Path) -> Option<Vec<u8>> {
    match companion(conf.get(option)) {
        Companion::Beside(path) => fs::read(path.below(folder)).ok(),
        _ => None,
    }
}

/// What is wrong with the import of a file; none where all is well.
fn pungi(path: &Path) -> Option<String> {
    let folder = path.parent().unwrap();
    let bytes = fs::read(path).unwrap();
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let parsed =
        PungiConf::parse(&path.to_string_lossy(), &bytes, &mut |path| Ok(fs::read(path.below(folder))?));
    let conf = match parsed {
        Ok(conf) => conf,
        // A composition in parts has another syntax; it must be refused at its first character.
        Err(error) if text.starts_with('[') && error.to_string().contains(":1:1: ") => return None,
        Err(error) => return Some(error.to_string()),
    };
    let lacks: Vec<_> = named(&text).into_iter().filter(|name| !conf.settings.contains_key(*name)).collect();
    if !lacks.is_empty() {
        return Some(format!("not read: {lacks:?}"));
    }
    // What is only imported by others names no variants.
    let variants = beside(&conf, "variants_file", folder)?;
    let variants = match variants_xml::parse(&variants) {
        Ok(variants) => variants,
        Err(error) => return Some(error.to_string()),
    };
    let comps = beside(&conf, "comps_file", folder).map(|comps| Comps::parse(&comps).unwrap());
    let convert = |keys: &[Fingerprint]| {
        from_pungi(&PungiInput {
            name: "it.conf",
            conf: &conf,
            variants_name: "it.xml",
            variants: &variants,
            comps: comps.as_ref(),
            prepopulate: None,
            mapping: None,
            keys,
        })
        .unwrap()
    };
    let without_keys = convert(&[]);
    let key = |id: &String| format!("{}{id}", "0".repeat(40 - id.len())).parse().unwrap();
    let keys: Vec<Fingerprint> = without_keys.missing_keys.iter().map(key).collect();
    let conversion = convert(&keys);
    let todo = conversion.notes.iter().any(|note| note.kind == NoteKind::Todo);
    match Recipe::parse(&conversion.recipe, "it.toml") {
        Err(error) if !todo => Some(format!("{error}\n{}", conversion.recipe)),
        Ok(recipe) if recipe.release.name != conf.get("release_name").unwrap().text().unwrap() => {
            Some(format!("{}: not the name of the release", recipe.release.name))
        }
        _ => None,
    }
}

#[test]
fn genuine_configurations_of_pungi_become_recipes() {
    let Some(root) = folder("GANDER_REALDATA", "import pungi") else { return };
    let found = files(&root.join("variants"), &[".conf"]);
    if found.is_empty() {
        return skip("import pungi", "there are no configurations");
    }
    let mut tally = Tally::new("import pungi");
    for path in &found {
        tally.case(&path.to_string_lossy(), pungi(path));
    }
    tally.finish();
}

#[test]
fn genuine_variants_are_read() {
    let Some(root) = folder("GANDER_REALDATA", "variants XML") else { return };
    let found = files(&root.join("variants"), &["variants.xml"]);
    let mut tally = Tally::new("variants XML");
    for path in &found {
        let bytes = fs::read(path).unwrap();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let parsed = variants_xml::parse(&bytes);
        // Counted by other means: each variant of the type 'variant', wherever it stands.
        let count = text.matches("type=\"variant\"").count();
        let agrees = parsed.as_ref().is_ok_and(|variants| variants.len() == count);
        tally.case(&path.to_string_lossy(), (!agrees).then(|| format!("{count} variants, {parsed:?}")));
    }
    tally.finish();
}

#[test]
fn genuine_configurations_of_mash_become_recipes() {
    let Some(root) = folder("GANDER_REALDATA", "import mash") else { return };
    let found = files(&root.join("variants"), &[".mash"]);
    if found.is_empty() {
        // There need not be any: those of Fedora are gone with mash.
        return println!("import mash: no configuration is there");
    }
    let mut tally = Tally::new("import mash");
    for path in found {
        let sections = mash_conf::parse(&fs::read(&path).unwrap()).unwrap();
        for section in &sections {
            let name = Some(section.name.as_str());
            let convert = |keys: &[Fingerprint]| {
                let input =
                    MashInput { name: "it.mash", section: name, sections: &sections, defaults: None, keys };
                from_mash(&input, &mut |_| None).unwrap()
            };
            let key = |id: &String| format!("{}{id}", "0".repeat(40 - id.len())).parse().unwrap();
            let keys: Vec<Fingerprint> = convert(&[]).missing_keys.iter().map(key).collect();
            let read = Recipe::parse(&convert(&keys).recipe, "it.toml");
            tally.case(&path.to_string_lossy(), read.err().map(|error| error.to_string()));
        }
    }
    tally.finish();
}
