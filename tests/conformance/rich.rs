//! What rich requirements mean: [`Expression::holds`] against `rpm -i --test` (rpm 4.18, `lib/depends.c`).
//!
//! Packages that ask for something each are installed beside every set of others, and rpm says which of them lack it.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use gander::base::Digest;
use gander::rpm::Headers;
use gander::select::{Candidate, Expression};

use super::repodata::there;
use super::sample::made::{Order, order};
use super::{Tally, skip};

/// What the others are: by these names and versions.
fn others() -> [Order; 3] {
    [
        order("goose", "noarch").provides(&["bird = 1"]),
        order("duck", "noarch").provides(&["bird = 2"]),
        order("swan", "noarch"),
    ]
}

/// Requirements, nested two deep; rpm reads more of them than rpmbuild writes.
fn requirements() -> Vec<String> {
    let mut all: Vec<String> = [
        "(bird with goose)",
        "(bird without goose)",
        "(bird without duck)",
        "(bird > 1 with bird < 3)",
        "(goose)",
    ]
    .map(String::from)
    .into();
    let simple: Vec<String> = ["and", "or", "if", "unless"]
        .iter()
        .flat_map(|operator| {
            let plain = format!("(goose {operator} duck)");
            let other =
                matches!(*operator, "if" | "unless").then(|| format!("(goose {operator} duck else swan)"));
            [plain].into_iter().chain(other)
        })
        .collect();
    for inner in &simple {
        all.push(inner.clone());
        for operator in ["and", "or", "if", "unless"] {
            for other in ["swan", "goose", "duck"] {
                all.push(format!("({inner} {operator} {other})"));
                all.push(format!("({other} {operator} {inner})"));
            }
            if matches!(operator, "if" | "unless") {
                all.push(format!("({inner} {operator} swan else duck)"));
                all.push(format!("(swan {operator} {inner} else duck)"));
                all.push(format!("(duck {operator} swan else {inner})"));
            }
        }
    }
    all
}

#[test]
fn rich_requirements_are_met_where_rpm_finds_them_met() {
    if !there("rpm", &["--version"]) {
        return skip("rich_requirements_are_met_where_rpm_finds_them_met", "rpm is not installed");
    }
    let scratch = tempfile::tempdir().unwrap();
    let asking: Vec<Order> = requirements()
        .iter()
        .enumerate()
        .map(|(place, requirement)| order(&format!("asking{place}"), "noarch").requires(&[requirement]))
        .collect();
    let others = others();
    for order in asking.iter().chain(&others) {
        fs::write(scratch.path().join(order.file_name()), order.make()).unwrap();
    }
    let candidates: Vec<Candidate> = others.iter().map(candidate).collect();
    let mut tally = Tally::new("rich requirements judged by rpm");
    let mut lacking = 0;
    for set in 0..8usize {
        let there = |place: usize| set >> place & 1 == 1;
        let beside = others.iter().enumerate().filter(|(place, _)| there(*place)).map(|(_, order)| order);
        let mut command = Command::new("rpm");
        command.args(["-i", "--test", "--nosignature", "--root"]).arg(scratch.path());
        command.args(asking.iter().chain(beside).map(|order| scratch.path().join(order.file_name())));
        let output = command.env("LC_ALL", "C.UTF-8").output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        let lack: BTreeSet<&str> = said
            .lines()
            .filter_map(|line| line.rsplit_once(" is needed by "))
            .map(|(_, package)| package.split('-').next().unwrap())
            .collect();
        assert!(output.status.success() || !lack.is_empty(), "{said}");
        lacking += lack.len();
        for order in &asking {
            let requirement = &order.requires[0];
            let met = |part: &Expression| {
                candidates.iter().enumerate().any(|(place, other)| there(place) && other.meets_alone(part))
            };
            let (here, rpm) =
                (Expression::parse(requirement).unwrap().holds(&met), !lack.contains(&*order.name));
            let wrong = (here != rpm).then(|| format!("rpm {rpm}, here {here}"));
            tally.case(&format!("{requirement} beside set {set:03b}"), wrong);
        }
    }
    // Some of both.
    assert!(lacking > asking.len() && lacking < 7 * asking.len(), "{lacking}");
    tally.finish();
}

/// The package as selections see it.
fn candidate(order: &Order) -> Candidate {
    let file = order.make();
    let headers = Headers::read(&file[..]).unwrap();
    Candidate::from_package(&headers.package().unwrap(), Digest::of(&file))
}
