//! Genuine kickstarts (`GANDER_REALDATA`/kickstarts): each is accepted, or refused for what can be seen in the
//! file itself. What is read is counted again by other means, and what is written reads back the same.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use gander::format::kickstart::{
    Dialect, Included, Kickstart, KickstartError, PackagesSection, Problem, Purpose, ScriptKind, Wanted,
};

use gander::root::{ConfigurationError, configuration};

use super::{Tally, folder, skip};

fn kickstarts(root: &Path) -> Vec<PathBuf> {
    let index = fs::read_to_string(root.join("INDEX.tsv")).unwrap();
    let names = index.lines().skip(1).filter_map(|line| line.split('\t').next());
    names.filter(|name| name.ends_with(".ks") || name.ends_with(".cfg")).map(|name| root.join(name)).collect()
}

/// Included files beside the one that asks; those that the data lacks count as empty, and are noted.
fn read(path: &Path, dialect: Dialect, lacking: &mut BTreeSet<String>) -> Result<Kickstart, Vec<Problem>> {
    let mut includes = |wanted: &Wanted| {
        let path = Path::new(wanted.from).parent().unwrap().join(wanted.target);
        let text = fs::read(&path).unwrap_or_else(|_| {
            lacking.insert(wanted.target.to_owned());
            Vec::new()
        });
        Ok(Included { name: path.to_string_lossy().into_owned(), text })
    };
    Kickstart::parse(&path.to_string_lossy(), &fs::read(path).unwrap(), dialect, &mut includes)
        .map_err(|KickstartError::Invalid(problems)| problems)
}

/// What genuine files have that no dialect, or not every one, knows any more: how the line begins, and what it has.
const GONE: &[(&str, &str)] = &[
    ("install", ""),
    ("auth", ""),
    ("authconfig", ""),
    ("device", ""),
    ("key", ""),
    ("zerombr", " y"),
    ("xconfig", " --depth"),
    ("timezone", " --isUtc"),
    ("url", " --repourl"),
    ("part", "btrfs"),
    ("btrfs", ""),
    ("%packages", " --nobase"),
    ("%packages", " --instLangs"),
    ("%packages", " --resolvedeps"),
    ("%packages", " --ignoredeps"),
    // A line broken in two, and a comment that lost its mark.
    ("--grow", ""),
    ("--size=512", ""),
    ("--size=1000", ""),
    ("version=F38", ""),
];

/// Whether the line that is complained about shows why.
fn is_explained(problem: &Problem) -> bool {
    let text = fs::read_to_string(&*problem.place.file).unwrap();
    let line = text.lines().nth(usize::try_from(problem.place.line).unwrap() - 1).unwrap().trim();
    let word = line.split_whitespace().next().unwrap_or_default();
    // No %end before the next section or the end of the file.
    let mut later = text.lines().skip(usize::try_from(problem.place.line).unwrap());
    let next = later.find(|line| ["%end", "%p"].iter().any(|begin| line.starts_with(begin)));
    let open = problem.message.contains("does not end with %end") && next.is_none_or(|line| line != "%end");
    open && word.starts_with('%')
        || line.ends_with('\\')
        || GONE.iter().any(|(name, part)| *name == word && line.contains(part))
}

/// The bodies of a file's own sections of a name, found with plain string search.
fn bodies(text: &str, name: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut lines = text.split_inclusive('\n');
    while let Some(line) = lines.next() {
        if line.split_whitespace().next() == Some(name) {
            let body = lines.by_ref().take_while(|line| !line.starts_with("%end"));
            let body: String = body.filter(|line| !line.starts_with("%include")).collect();
            if !body.trim().is_empty() {
                found.push(body);
            }
        }
    }
    found
}

/// What is wrong with what was read of a file.
fn wrong(path: &Path, kickstart: &Kickstart) -> Option<String> {
    let text = fs::read_to_string(path).unwrap();
    let here = |file: &str| Path::new(file) == path;
    for kind in ScriptKind::ALL {
        let own = kickstart.scripts.iter().filter(|script| script.kind == kind && here(&script.place.file));
        let own: Vec<_> = own.map(|script| script.body.clone()).collect();
        if own != bodies(&text, kind.section()) {
            return Some(format!("other bodies of {}", kind.section()));
        }
    }
    for (name, place) in kickstart.packages.packages.iter().filter(|(_, place)| here(&place.file)) {
        let line = text.lines().nth(usize::try_from(place.line).unwrap() - 1).unwrap();
        if line.split('#').next().unwrap().trim() != name {
            return Some(format!("{place} is not '{name}'"));
        }
    }
    for command in kickstart.commands.iter().filter(|command| here(&command.place.file)) {
        let line = text.lines().nth(usize::try_from(command.place.line).unwrap() - 1).unwrap();
        if line.split_whitespace().next() != Some(&command.name) {
            return Some(format!("{} is not '{}'", command.place, command.name));
        }
    }
    let scripts: String = kickstart.scripts.iter().map(ToString::to_string).collect();
    let section = PackagesSection(&kickstart.packages, kickstart.dialect).to_string();
    let mut none = |wanted: &Wanted| Err(format!("asks for '{}'", wanted.target));
    let again = match Kickstart::parse(
        "again",
        format!("{section}{scripts}").as_bytes(),
        kickstart.dialect,
        &mut none,
    ) {
        Ok(again) => again,
        Err(error) => return Some(error.to_string()),
    };
    let scripts = |kickstart: &Kickstart| {
        let all = kickstart.scripts.iter();
        all.map(|one| (one.kind, one.in_chroot, one.body.clone(), one.log.clone())).collect::<Vec<_>>()
    };
    (PackagesSection(&again.packages, again.dialect).to_string() != section)
        .then(|| "other packages when written and read again".to_owned())
        .or_else(|| {
            (scripts(&again) != scripts(kickstart)).then(|| "other scripts when read again".to_owned())
        })
}

#[test]
fn genuine_kickstarts_are_read() {
    let test = "genuine_kickstarts_are_read";
    let Some(real) = folder("GANDER_REALDATA", test) else { return };
    let root = real.join("kickstarts");
    if !root.is_dir() {
        return skip(test, "the data has no folder 'kickstarts'");
    }
    let mut tally = Tally::new("kickstarts by dialect");
    let (mut accepted, mut packages, mut groups, mut scripts, mut refusals) = (0, 0, 0, 0, 0);
    let mut lacking = BTreeSet::new();
    for path in kickstarts(&root) {
        for dialect in Dialect::ALL {
            let wrong = match read(&path, dialect, &mut lacking) {
                Ok(kickstart) => {
                    accepted += 1;
                    packages += kickstart.packages.packages.len();
                    groups += kickstart.packages.groups.len();
                    scripts += kickstart.scripts.len();
                    refusals += kickstart.unsupported(Purpose::Live).len();
                    wrong(&path, &kickstart)
                }
                Err(problems) => {
                    problems.iter().find(|problem| !is_explained(problem)).map(ToString::to_string)
                }
            };
            tally.case(&format!("{} ({dialect})", path.display()), wrong);
        }
    }
    println!(
        "accepted {accepted}: {packages} packages, {groups} groups, {scripts} scripts, {refusals} commands \
         refused for a live image; {} included files are not in the data",
        lacking.len()
    );
    tally.finish();
}

/// Every genuine kickstart becomes a configuration, or a list of what an image would lack, with lines.
#[test]
fn genuine_kickstarts_configure_or_say_what_they_ask_for() {
    let test = "genuine_kickstarts_configure_or_say_what_they_ask_for";
    let Some(real) = folder("GANDER_REALDATA", test) else { return };
    let root = real.join("kickstarts");
    if !root.is_dir() {
        return skip(test, "the data has no folder 'kickstarts'");
    }
    let mut tally = Tally::new("configurations by dialect");
    let (mut done, mut refused) = (Vec::new(), BTreeMap::<String, BTreeSet<PathBuf>>::new());
    for path in kickstarts(&root) {
        for dialect in Dialect::ALL {
            let Ok(kickstart) = read(&path, dialect, &mut BTreeSet::new()) else { continue };
            let wrong = match configuration(&kickstart) {
                Ok(configuration) => {
                    done.push(path.clone());
                    let script = &configuration.files.iter().find(|(name, _)| name.as_str() == "commands");
                    let posts = kickstart.scripts.iter().filter(|script| script.kind == ScriptKind::Post);
                    let found = configuration.files.keys().filter(|name| name.as_str().starts_with("post/"));
                    (script.is_none() || posts.count() != found.count()).then(|| "parts are missing".into())
                }
                Err(ConfigurationError::Unsupported(problems)) => {
                    for problem in &problems {
                        // Without what is different from file to file.
                        let message = problem.message.split(['\'', ';', ':']).next().unwrap().to_owned();
                        refused.entry(message).or_default().insert(path.clone());
                    }
                    problems
                        .iter()
                        .find(|problem| problem.place.line == 0 || problem.message.is_empty())
                        .map(ToString::to_string)
                }
            };
            tally.case(&format!("{} ({dialect})", path.display()), wrong);
        }
    }
    let mut table: Vec<_> = refused.iter().map(|(message, files)| (files.len(), message)).collect();
    table.sort_by(|one, other| other.cmp(one));
    for (files, message) in table {
        println!("{files:4} files: {message}");
    }
    done.dedup();
    println!("configured: {} files", done.len());
    tally.finish();
}
