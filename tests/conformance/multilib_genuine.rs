//! Multilib on genuine metadata (`GANDER_REALDATA`/metadata): repositories with file lists and a table of what their
//! distribution really shipped for the secondary arch beside each 64-bit package.
//!
//! The decisions have to be those of the table. Where these differ from what was shipped, the reason is computed from
//! the metadata, and `docs/multilib.md` has to have it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use gander::base::Digest;
use gander::format::repodata::{Content, Packages};
use gander::select::multilib::{Judge, Judged, Method, Profile, Rule, Verdict};
use gander::select::{Candidate, Expression, PackagedFile, Relation};

use super::{Tally, folder, skip};

const ENDING: &str = "-multilib-truth.tsv";
const DOCS: &str = include_str!("../../docs/multilib.md");

/// One distribution: what it shipped, and the table of what rules say of it.
struct Shipped {
    name: String,
    packages: Vec<Candidate>,
    rows: Vec<BTreeMap<String, String>>,
}

fn sorted(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

fn content(path: &Path) -> impl Read + use<> {
    Content::open(BufReader::new(File::open(path).unwrap()), None).unwrap()
}

/// Every table with the repositories beside it whose names begin like its own.
fn all(test: &str) -> Vec<Shipped> {
    let Some(real) = folder("GANDER_REALDATA", test) else { return Vec::new() };
    let paths = sorted(&real.join("metadata"));
    let tables = paths.iter().filter_map(|path| {
        let name = path.file_name()?.to_str()?.strip_suffix(ENDING)?;
        let mut packages = Vec::new();
        for repository in paths.iter().filter(|path| path.is_dir()) {
            if repository.file_name()?.to_str()?.strip_prefix(name).is_some_and(|rest| rest.starts_with('-'))
            {
                packages.extend(candidates(&repository.join("repodata")));
            }
        }
        let text = fs::read_to_string(path).unwrap();
        let mut lines = text.lines().map(|line| line.split('\t').map(str::to_owned));
        let heads: Vec<_> = lines.next().unwrap().collect();
        let rows = lines.map(|cells| heads.iter().cloned().zip(cells).collect()).collect();
        Some(Shipped { name: name.to_owned(), packages, rows })
    });
    let tables: Vec<_> = tables.collect();
    if tables.is_empty() {
        skip(test, "no table of what was shipped");
    }
    tables
}

fn candidates(repodata: &Path) -> Vec<Candidate> {
    let list = |kind: &str| {
        let fits = |path: &PathBuf| path.to_string_lossy().contains(&format!("-{kind}.xml"));
        content(&sorted(repodata).into_iter().find(fits).unwrap())
    };
    let mut packages = Packages::read(list("primary")).unwrap();
    packages.add_filelists(list("filelists")).unwrap();
    let read = packages.iter().map(|entry| {
        assert!(entry.has_all_files(), "{}", entry.nevra());
        Candidate::from_entry(entry, Digest::of(entry.checksum().hex()))
    });
    read.collect()
}

impl Shipped {
    fn find(&self, name: &str, is_native: bool) -> Option<&Candidate> {
        self.packages.iter().find(|package| {
            let arch = package.nevra.arch.as_str();
            package.nevra.name == name && arch != "noarch" && (arch == "x86_64") == is_native
        })
    }

    fn secondary(&self) -> impl Iterator<Item = &Candidate> {
        self.packages.iter().filter(|package| !["x86_64", "noarch"].contains(&&*package.nevra.arch))
    }

    /// What a profile says of a 64-bit package: of itself or of its twin.
    fn verdict(&self, profile: Profile, native: &Candidate) -> Verdict {
        let methods = match profile.default_methods() {
            [] => &[Method::Devel],
            methods => methods,
        };
        let judge = Judge::new(profile, methods.iter().copied());
        if judge.judged() == Judged::Native {
            return judge.judge(native);
        }
        match self.find(&native.nevra.name, false) {
            Some(twin) => judge.judge(twin),
            None => judge.judge(&imagined(native)),
        }
    }

    /// The first requirement of a secondary package that a rule selects which only this package meets.
    fn wanted(&self, package: &Candidate) -> Option<(&Candidate, &Relation)> {
        let judge = Judge::new(Profile::Pungi, [Method::Devel]);
        let selected = move |other: &&Candidate| judge.judge(other).selected;
        let only = |wanted: &Relation| {
            package.meets(wanted)
                && !self.packages.iter().any(|other| other.nevra != package.nevra && other.meets(wanted))
        };
        let asking = self.secondary().filter(|other| other.nevra != package.nevra).filter(selected);
        asking.flat_map(|other| other.requires.iter().map(move |wanted| (other, wanted))).find(
            |(_, wanted)| match Expression::of(wanted) {
                Ok(Expression::Simple(relation)) => only(&relation),
                Ok(Expression::If(relation, ..)) => relation.relations().into_iter().any(only),
                _ => false,
            },
        )
    }
}

/// The twin of a package that was not shipped for the secondary arch: the same below `lib`.
fn imagined(native: &Candidate) -> Candidate {
    let mut twin = native.clone();
    twin.nevra.arch = "i686".into();
    let narrow =
        |PackagedFile(kind, path): &PackagedFile| PackagedFile(*kind, path.replacen("lib64", "lib", 1));
    twin.files = native.files.iter().map(narrow).collect();
    for provided in &mut twin.provides {
        provided.name = provided.name.replace("()(64bit)", "").replace("(64bit)", "");
    }
    twin
}

/// The table's word for a rule; none for one that it has no word for.
fn word(rule: Rule) -> Option<&'static str> {
    match rule {
        Rule::Soname => Some("so"),
        Rule::PluginFolder => Some("dir"),
        Rule::LinkerConfiguration => Some("ldconf"),
        Rule::Kernel64 => Some("kernel-base"),
        Rule::Debugger => Some("prefer64"),
        _ => None,
    }
}

#[test]
fn decisions_on_genuine_packages_are_those_of_the_table() {
    for shipped in all("decisions_on_genuine_packages_are_those_of_the_table") {
        let mut tally = Tally::new("multilib decisions on genuine packages");
        let mut outcomes: BTreeMap<&str, usize> = BTreeMap::new();
        let natives = shipped.packages.iter().filter(|package| package.nevra.arch == "x86_64").count();
        assert_eq!(shipped.rows.len(), natives, "{}: a row for each package", shipped.name);
        for row in &shipped.rows {
            let name = row["name"].as_str();
            let package = shipped.find(name, true).unwrap();
            assert_eq!(package.nevra.evr.to_string(), row["evr"], "{name}");
            let there = shipped.find(name, false).is_some();
            let mut wrong = Vec::new();
            for (profile, method) in [Profile::Pungi, Profile::KojiFixed]
                .into_iter()
                .flat_map(|profile| [Method::Runtime, Method::Devel].map(|method| (profile, method)))
            {
                let verdict = Judge::new(profile, [method]).judge(package);
                let (expected, reason) = (&row[&format!("{method}_rule")], &row[&format!("{method}_reason")]);
                let (kind, evidence) = reason.split_once(':').unwrap_or((reason, ""));
                // Of a plug-in the table names the folder.
                let found = verdict.evidence.as_deref().map(|path| match verdict.rule {
                    Some(Rule::PluginFolder) => path.rsplit_once('/').unwrap().0,
                    _ => path,
                });
                let same = verdict.selected == (expected == "yes")
                    && (!verdict.selected || verdict.rule.and_then(word).is_none_or(|word| word == kind))
                    && (evidence.is_empty() || found == Some(evidence));
                if !same {
                    wrong.push(format!("{profile} {method}: '{verdict}' instead of {expected} '{reason}'"));
                }
            }
            let selected = Judge::new(Profile::Pungi, [Method::Devel]).judge(package).selected;
            let outcome = outcome(selected, there);
            *outcomes.entry(outcome).or_default() += 1;
            if (outcome, if there { "yes" } else { "no" }) != (&row["devel_outcome"], &row["shipped_as_i686"])
            {
                wrong.push(format!("{outcome} instead of {}", row["devel_outcome"]));
            }
            tally.case(name, (!wrong.is_empty()).then(|| wrong.join("; ")));
        }
        println!("{}: {outcomes:?}", shipped.name);
        tally.finish();
    }
}

fn outcome(selected: bool, there: bool) -> &'static str {
    match (selected, there) {
        (true, true) => "TP",
        (true, false) => "FP",
        (false, true) => "FN",
        (false, false) => "TN",
    }
}

/// Why a decision is not what was shipped, as `docs/multilib.md` has it.
fn explained(shipped: &Shipped, package: &Candidate, outcome: &str) -> String {
    if outcome == "FP" {
        let rule = Judge::new(Profile::Pungi, [Method::Devel]).judge(package);
        let rule = format!("{}: `{}`", rule.rule.unwrap(), rule.evidence.unwrap());
        if !shipped.verdict(Profile::Pungi, package).selected {
            return format!("{rule} | fires for the 64-bit package only");
        }
        // The epoch and version aside: packages of one source.
        let source = |package: &Candidate| {
            let file = package.source.as_deref().unwrap();
            file.rsplitn(3, '-').nth(2).unwrap().to_owned()
        };
        let siblings = shipped.secondary().filter(|other| source(other) == source(package)).count();
        assert_eq!(siblings, 0, "{}", package.nevra);
        return format!("{rule} | nothing built from `{}` is there for i686", source(package));
    }
    let twin = shipped.find(&package.nevra.name, false).unwrap();
    let asked = match shipped.wanted(twin) {
        Some((by, wanted)) if wanted.is_rich() => {
            let recommends = by.recommends.iter().any(|wished| twin.meets(wished) && !package.meets(wished));
            assert!(recommends, "{}", by.nevra);
            format!("`{}.{}` requires `{wanted}`, and recommends it", by.nevra.name, by.nevra.arch)
        }
        Some((by, wanted)) => {
            format!("`{}.{}` requires `{wanted}`", by.nevra.name, by.nevra.arch)
        }
        None => {
            let fedora = shipped.verdict(Profile::Fedora, package);
            assert_eq!(fedora.rule, Some(Rule::ProfileWhitelist), "{}: {fedora}", package.nevra);
            String::from("nothing requires it; Fedora's whitelist has it")
        }
    };
    let modern = shipped.verdict(Profile::Modern, package);
    let rule = match modern.rule {
        Some(rule) if modern.selected => format!("{rule}: `{}`", modern.evidence.unwrap()),
        _ => String::from("no rule"),
    };
    format!("{asked} | {rule}")
}

#[test]
fn what_differs_from_what_was_shipped_is_explained() {
    for shipped in all("what_differs_from_what_was_shipped_is_explained") {
        let mut tally = Tally::new("multilib mismatches explained in docs/multilib.md");
        let mut listed = BTreeSet::new();
        for row in shipped.rows.iter().filter(|row| ["FP", "FN"].contains(&&*row["devel_outcome"])) {
            let package = shipped.find(&row["name"], true).unwrap();
            let outcome = row["devel_outcome"].as_str();
            let line =
                format!("| `{}` | {outcome} | {} |", row["name"], explained(&shipped, package, outcome));
            let found = DOCS.lines().any(|documented| documented.starts_with(&line));
            tally.case(&row["name"], (!found).then(|| format!("docs/multilib.md lacks '{line}'")));
            listed.insert(row["name"].as_str());
        }
        tally.finish();
    }
}

/// How good each profile is, judging the packages that it judges: the table in `docs/multilib.md`.
#[test]
fn profiles_are_as_good_as_documented() {
    for shipped in all("profiles_are_as_good_as_documented") {
        let mut tally = Tally::new("multilib profiles measured in docs/multilib.md");
        for &profile in Profile::ALL {
            let mut found: BTreeMap<&str, usize> = BTreeMap::new();
            let mut wrong = Vec::new();
            for native in shipped.packages.iter().filter(|package| package.nevra.arch == "x86_64") {
                let there = shipped.find(&native.nevra.name, false).is_some();
                let verdict = shipped.verdict(profile, native);
                let outcome = outcome(verdict.selected, there);
                *found.entry(outcome).or_default() += 1;
                if ["FP", "FN"].contains(&outcome) {
                    wrong.push(format!("{outcome} {} {verdict}", native.nevra.name));
                }
            }
            println!("{profile}: {found:?}\n  {}", wrong.join("\n  "));
            let count = |outcome| found.get(outcome).copied().unwrap_or_default();
            let [tp, tn, fp, fnn] = ["TP", "TN", "FP", "FN"].map(count);
            let line = format!("| `{profile}` | {tp} | {tn} | {fp} | {fnn} |");
            let documented = DOCS.lines().any(|documented| documented.starts_with(&line));
            tally.case(profile.name(), (!documented).then(|| format!("docs/multilib.md lacks '{line}'")));
        }
        tally.finish();
    }
}

/// What the rules of the 32-bit packages start, requirements that only one shipped package meets finish, but for what
/// the table of mismatches says.
#[test]
fn requirements_bring_in_the_rest() {
    for shipped in all("requirements_bring_in_the_rest") {
        let all: Vec<_> = shipped.secondary().collect();
        let by_rule =
            |package: &&&Candidate| Judge::new(Profile::Pungi, [Method::Devel]).judge(package).selected;
        let mut inside: BTreeSet<_> = all.iter().filter(by_rule).map(|package| &package.nevra).collect();
        let by_rule = inside.len();
        let outside: Vec<_> = all.iter().filter(|package| !inside.contains(&package.nevra)).collect();
        let mut grown = true;
        while grown {
            grown = false;
            for package in
                outside.iter().filter(|package| !inside.contains(&package.nevra)).collect::<Vec<_>>()
            {
                let only = |wanted: &Relation| {
                    let others = || shipped.packages.iter().filter(|other| other.nevra != package.nevra);
                    !wanted.is_rich() && package.meets(wanted) && !others().any(|other| other.meets(wanted))
                };
                let asking = all.iter().filter(|other| inside.contains(&other.nevra));
                if asking.flat_map(|other| &other.requires).any(only) {
                    grown = inside.insert(&package.nevra);
                }
            }
        }
        let rest: Vec<_> = all
            .iter()
            .filter(|package| !inside.contains(&package.nevra))
            .map(|package| &*package.nevra.name)
            .collect();
        println!(
            "{}: {} by rule, {} required, the rest: {rest:?}",
            shipped.name,
            by_rule,
            inside.len() - by_rule
        );
        let line = format!(
            "{by_rule} of the {} i686 packages come in by rule, {} because one of these requires what only they have",
            all.len(),
            inside.len() - by_rule
        );
        let text = DOCS.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(text.contains(&line), "docs/multilib.md lacks '{line}'");
    }
}
