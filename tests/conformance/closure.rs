//! Closures of repositories: `gander repo check` against `dnf repoclosure` (dnf 4.14, dnf-plugins-core).
//!
//! Both name the same requirements of the same packages. What dnf (libsolv) does otherwise, for a reason:
//!
//! | requirement | dnf | here (rpm's meaning) |
//! |---|---|---|
//! | `(a if b)`, nothing provides `a` | unresolved | met where nothing provides `b`, at risk where something does |
//! | `(a if b else c)` | unresolved where neither `a` nor `c` is provided | at risk where one is missing and `b` can go either way |
//! | `(a and b)` | unresolved where neither is provided | unresolved where one is not |
//! | `(a unless b)` | as `(a if b)` | `a` has to be provided |
//! | `(a)` | written `a` | written as the package has it |
//!
//! Modules hide packages from dnf; `module_hotfixes` has it see all.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use gander::base::SourceDate;
use gander::format::repodata::Repomd;
use gander::select::Expression;
use serde_json::Value;

use super::repodata::there;
use super::sample::made::{Order, order};
use super::sample::repository::make;
use super::{Tally, folder, skip};

/// Requirements of packages: (package, requirement).
type Requirements = BTreeSet<(String, String)>;

/// What dnf says of repositories, all together.
fn theirs(scratch: &Path, repositories: &[PathBuf]) -> Requirements {
    let mut command = Command::new("dnf");
    command.args(["-q", "-y", "--disableplugin=local", "--forcearch=x86_64", "--releasever=9"]);
    for (option, path) in [("--installroot", "root"), ("--setopt=cachedir", "cache")] {
        command.arg(format!("{option}={}", scratch.join(path).display()));
    }
    command.args(
        ["reposdir=/dev/null", "varsdir=/dev/null", "module_platform_id=platform:x"]
            .map(|set| format!("--setopt={set}")),
    );
    for (place, path) in repositories.iter().enumerate() {
        let id = format!("r{place}");
        command.arg(format!("--repofrompath={id},file://{}", path.display())).arg(format!("--repo={id}"));
        command.args(
            ["module_hotfixes=true", "skip_if_unavailable=false"].map(|set| format!("--setopt={id}.{set}")),
        );
    }
    let output = command.arg("repoclosure").env("LC_ALL", "C.UTF-8").output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() || complaint.contains("Repoclosure ended"), "{complaint}");
    let (mut found, mut package) = (Requirements::new(), String::new());
    for line in said.lines() {
        if let Some(rest) = line.strip_prefix("package: ") {
            package = with_epoch(rest.split(' ').next().unwrap());
        } else if let Some(requirement) = line.strip_prefix("    ") {
            found.insert((package.clone(), requirement.trim().to_owned()));
        }
    }
    found
}

/// A name as dnf has it, with an epoch.
fn with_epoch(name: &str) -> String {
    let (rest, release) = name.rsplit_once('-').unwrap();
    let (name, version) = rest.rsplit_once('-').unwrap();
    let epoch = if version.contains(':') { "" } else { "0:" };
    format!("{name}-{epoch}{version}-{release}")
}

/// What gander says of them: what is unresolved, and what is at risk.
fn ours(repositories: &[PathBuf]) -> [Requirements; 2] {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gander"));
    command
        .args(["repo", "check", "--metadata-only", "--arch", "x86_64", "--format", "json"])
        .args(repositories);
    let output = command.output().unwrap();
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document["arches"], serde_json::json!(["x86_64"]), "{document:#}");
    ["unresolved-requirement", "requirement-at-risk"].map(|code| {
        let findings =
            document["findings"].as_array().unwrap().iter().filter(|finding| finding["code"] == code);
        findings
            .map(|finding| {
                let message = finding["message"].as_str().unwrap();
                let (start, end) = (message.find('\'').unwrap() + 1, message.rfind('\'').unwrap());
                (finding["subject"].as_str().unwrap().to_owned(), message[start..end].to_owned())
            })
            .collect()
    })
}

/// Whether libsolv finds a requirement met, by the table above. `provided` says what is provided.
fn libsolv(wanted: &Expression, provided: &dyn Fn(&Expression) -> bool) -> bool {
    let solv = |part: &Expression| libsolv(part, provided);
    match wanted {
        Expression::All(parts) | Expression::Any(parts) => parts.iter().any(solv),
        Expression::If(wanted, _, other) | Expression::Unless(wanted, _, other) => {
            solv(wanted) || other.as_deref().is_some_and(solv)
        }
        plain => provided(plain),
    }
}

/// dnf's form of a requirement.
fn as_dnf_writes(requirement: &str) -> String {
    match Expression::parse(requirement) {
        Ok(Expression::All(parts)) if parts.len() == 1 => requirement.trim_matches(['(', ')']).to_owned(),
        _ => requirement.to_owned(),
    }
}

/// A copy of genuine metadata with what is there: dnf takes no repository that lacks files, and of these some do.
fn copy(repository: &Path, to: &Path) {
    let bytes = fs::read(repository.join("repodata/repomd.xml")).unwrap();
    let mut repomd = Repomd::parse(&bytes).unwrap();
    repomd.data.retain(|data| data.location.below(repository).is_file());
    fs::create_dir_all(to.join("repodata")).unwrap();
    for data in &repomd.data {
        fs::copy(data.location.below(repository), data.location.below(to)).unwrap();
    }
    fs::write(to.join("repodata/repomd.xml"), repomd.to_xml()).unwrap();
}

fn ready(test: &str) -> bool {
    // Once, and in a root of its own: two of them that make the system's caches and logs at one moment get in each other's way.
    static THERE: OnceLock<bool> = OnceLock::new();
    let there = *THERE.get_or_init(|| {
        let root = tempfile::tempdir().unwrap();
        let root = format!("--installroot={}", root.path().display());
        there("dnf", &["--disableplugin=local", &root, "--releasever=9", "repoclosure", "--help"])
    });
    if !there {
        skip(test, "dnf repoclosure (dnf-plugins-core) is not installed");
    }
    there
}

#[test]
fn genuine_repositories_lack_what_dnf_says_they_lack() {
    let test = "genuine_repositories_lack_what_dnf_says_they_lack";
    let Some(real) = folder("GANDER_REALDATA", test).filter(|_| ready(test)) else { return };
    let scratch = tempfile::tempdir().unwrap();
    let mut all = Vec::new();
    for entry in fs::read_dir(real.join("metadata")).unwrap() {
        let path = entry.unwrap().path();
        if path.join("repodata/repomd.xml").is_file() {
            let to = scratch.path().join(path.file_name().unwrap());
            copy(&path, &to);
            all.push(to);
        }
    }
    all.sort();
    let mut tally = Tally::new("unresolved requirements of genuine repositories");
    let alone = all.iter().map(|path| vec![path.clone()]);
    for (place, repositories) in alone.chain([all.clone()]).enumerate() {
        let theirs = theirs(&scratch.path().join(format!("dnf{place}")), &repositories);
        let [unresolved, at_risk] = ours(&repositories);
        let mut left = theirs.clone();
        for (package, requirement) in unresolved.iter().chain(&at_risk) {
            let there = left.remove(&(package.clone(), as_dnf_writes(requirement)));
            tally.case(package, (!there).then(|| format!("only gander: {requirement}")));
        }
        // By the first rule: the condition is met by nothing, so what hangs on it is not asked for.
        for (package, requirement) in left {
            let conditional = matches!(Expression::parse(&requirement), Ok(Expression::If(_, _, None)));
            tally.case(&package, (!conditional).then(|| format!("only dnf: {requirement}")));
        }
        println!(
            "{} repositories: {} unresolved, {} at risk",
            repositories.len(),
            unresolved.len(),
            at_risk.len()
        );
    }
    tally.finish();
}

/// Packages that ask for every combination of what is there and what is not.
fn asking() -> Vec<Order> {
    let names = ["goose", "duck >= 1", "swan", "duck >= 5"];
    let mut requirements: Vec<String> =
        ["goose", "swan", "duck = 1", "duck > 1", "duck < 2-1", "duck = 1:1", "/usr/bin/none"]
            .map(String::from)
            .into();
    requirements.extend(
        ["libx.so.1()(64bit)", "unversioned >= 7", "range = 5", "range = 9", "tilde >= 1", "tilde < 1"]
            .map(String::from),
    );
    for left in names {
        for right in names {
            for operator in ["and", "or", "if", "with", "without"] {
                requirements.push(format!("({left} {operator} {right})"));
            }
            requirements.push(format!("({left} or (swan unless {right}))"));
            requirements.push(format!("({left} if {right} else goose)"));
            requirements.push(format!("({left} if {right} else swan)"));
            requirements.push(format!("(({left} and {right}) or swan)"));
        }
    }
    let number = |(place, requirement): (usize, &String)| {
        order(&format!("asking{place}"), "noarch").requires(&[requirement])
    };
    let mut packages: Vec<Order> = requirements.iter().enumerate().map(number).collect();
    packages.push(order("goose", "x86_64").provides(&[
        "libx.so.1()(64bit)",
        "unversioned",
        "range >= 5",
        "range < 7",
    ]));
    packages.push(order("duck", "x86_64").version("1-1").provides(&["tilde = 1~rc1"]));
    packages
}

#[test]
fn rich_dependencies_are_judged_as_dnf_does_or_by_a_rule() {
    let test = "rich_dependencies_are_judged_as_dnf_does_or_by_a_rule";
    if !ready(test) {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let output = scratch.path().join("r");
    let packages = asking();
    let files: BTreeMap<_, _> = packages.iter().map(|order| (order.file_name(), order.make())).collect();
    make(&output, &files, None, SourceDate::from_seconds(1_793_491_200).unwrap());
    let theirs = theirs(&scratch.path().join("dnf"), std::slice::from_ref(&output));
    let [unresolved, at_risk] = ours(&[output]);
    let mut tally = Tally::new("requirements judged by dnf repoclosure");
    let (mut same, mut by_rule) = (0, BTreeMap::new());
    let names = |all: &Requirements| all.iter().map(|(package, _)| package.clone()).collect::<BTreeSet<_>>();
    let (theirs, unresolved, at_risk) = (names(&theirs), names(&unresolved), names(&at_risk));
    // Which of the plain ones and of those in one package are met, dnf itself says: they are among the requirements.
    let is_met = |part: &Expression| {
        let text = match part {
            Expression::Simple(relation) => relation.to_string(),
            Expression::With(_) | Expression::Without(..) => return true,
            _ => return false,
        };
        matches!(&*text, "goose" | "duck >= 1" | "/usr/bin/honk")
    };
    for order in &packages {
        let Some(requirement) = order.requires.first() else { continue };
        let name = format!("{}-0:1-1.noarch", order.name);
        let (dnf, here) = (theirs.contains(&name), unresolved.contains(&name));
        if dnf == here && !at_risk.contains(&name) {
            same += 1;
            tally.case(requirement, None);
            continue;
        }
        // What differs is what the table says of libsolv, and has an operator of the table.
        let expression = Expression::parse(requirement);
        let operator = match &expression {
            Ok(Expression::All(_)) => Some("and"),
            Ok(Expression::If(_, _, None)) => Some("if"),
            Ok(Expression::If(..)) => Some("if else"),
            Ok(Expression::Any(_)) => Some("or of those"),
            _ => None,
        };
        let as_said = expression.is_ok_and(|expression| libsolv(&expression, &is_met) != dnf);
        match operator.filter(|_| as_said) {
            Some(operator) => *by_rule.entry(operator).or_insert(0) += 1,
            None => tally.case(requirement, Some(format!("dnf {dnf}, here {here}"))),
        }
    }
    println!("{same} alike, by the rules of the table: {by_rule:?}");
    assert!(same > 60, "{same}");
    tally.finish();
}
