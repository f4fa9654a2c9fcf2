//! What librpm says, asked through its Python bindings; and seeded questions that both answer: versions, rich
//! dependencies, and packages with mutated headers.

use std::cmp::Ordering;
use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use gander::base::evr::compare_segments;
use gander::rpm::dependency::Kind;
use gander::rpm::{Headers, Rich};
use serde::Serialize;
use serde_json::Value;

use super::mutant::{Base, Random, texts};
use super::{Tally, folder, sample, skip};

const SCRIPT: &str = include_str!("librpm.py");
/// Debian's interpreter, which has librpm's bindings.
const PYTHON: &str = "/usr/bin/python3";

/// librpm's answers; none (said loudly) where its bindings are not installed.
pub fn ask(what: &str, questions: &[impl Serialize], test: &str) -> Option<Vec<Value>> {
    let there = Command::new(PYTHON).args(["-c", "import rpm"]).output();
    if !there.is_ok_and(|output| output.status.success()) {
        skip(test, "librpm's Python bindings are not installed");
        return None;
    }
    let mut child = Command::new(PYTHON)
        .args(["-c", SCRIPT, what])
        .env("LC_ALL", "C.UTF-8")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = questions.iter().map(|question| serde_json::to_string(question).unwrap() + "\n");
    let lines: String = lines.collect();
    let mut stdin = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || stdin.write_all(lines.as_bytes()));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(output.status.success(), "{test}: librpm ended with {}", output.status);
    let lines = String::from_utf8(output.stdout).unwrap();
    let answers: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(answers.len(), questions.len());
    Some(answers)
}

#[test]
fn versions_compare_as_in_librpm() {
    let pairs: Vec<[String; 2]> = (0..20_000)
        .map(|seed| {
            let mut random = Random::new(seed);
            // Python's strings take no NUL, and librpm's labels no empty version.
            std::array::from_fn(|_| texts::version_text(&mut random) + random.of(&["", "0"]))
        })
        .filter(|pair: &[String; 2]| pair.iter().all(|version| !version.is_empty()))
        .collect();
    let Some(answers) = ask("versions", &pairs, "versions_compare_as_in_librpm") else { return };
    let mut tally = Tally::new("versions of seeds 0 to 19999: compared as by librpm 4.18");
    for (pair, theirs) in pairs.iter().zip(&answers) {
        let ours = match compare_segments(&pair[0], &pair[1]) {
            Ordering::Less => -1,
            Ordering::Equal => 0,
            Ordering::Greater => 1,
        };
        tally.case(&pair.join(" "), (theirs != ours).then(|| format!("{ours} instead of {theirs}")));
    }
    tally.finish();
}

#[test]
fn rich_dependencies_are_those_of_rpmbuild() {
    let kinds =
        [("Requires", Kind::Requires), ("Conflicts", Kind::Conflicts), ("Supplements", Kind::Supplements)];
    let questions: Vec<(&str, Kind, String)> = (0..6_000)
        .map(|seed| (kinds[seed as usize % 3], texts::nearly_rich_text(seed)))
        .filter(|(_, text)| {
            // Where one dependency ends, a spec may go on with another.
            let more = "text follows its closing parenthesis";
            let other = !text.starts_with('(')
                || Rich::parse(text).is_err_and(|error| error.to_string().ends_with(more));
            !other && text.len() < 1000
        })
        .map(|((name, kind), text)| (name, kind, text))
        .collect();
    let asked: Vec<_> = questions.iter().map(|(name, _, text)| (name, text)).collect();
    let Some(answers) = ask("rich", &asked, "rich_dependencies_are_those_of_rpmbuild") else { return };
    let mut tally = Tally::new("rich dependencies of seeds 0 to 5999: read as by rpmbuild 4.18");
    let (mut read, mut stricter) = (0, 0);
    for ((name, kind, text), theirs) in questions.iter().zip(&answers) {
        let ours = Rich::parse_for(text, *kind);
        let theirs = theirs.as_array().map(|list| list[0].as_str().unwrap());
        let wrong = match (&ours, theirs) {
            (Ok(rich), Some(theirs)) => {
                read += 1;
                (rich.to_string() != theirs).then(|| format!("'{rich}' instead of '{theirs}'"))
            }
            (Ok(rich), None) => Some(format!("'{rich}', which rpmbuild refuses")),
            (Err(error), Some(theirs)) => {
                let error = error.to_string();
                let known = ["'else' stands without", "is not closed in it", "nested deeper"]
                    .iter()
                    .any(|rule| error.contains(rule));
                stricter += usize::from(known);
                (!known).then(|| format!("{error}; rpmbuild has '{theirs}'"))
            }
            (Err(_), None) => None,
        };
        tally.case(&format!("{name}: {text}"), wrong);
    }
    println!("{read} read by both, {stricter} by rpmbuild only");
    tally.finish();
    assert!(read > 300, "only {read} were read");
}

#[test]
fn what_librpm_refuses_gander_refuses() {
    let test = "what_librpm_refuses_gander_refuses";
    let Some(real) = folder("GANDER_REALDATA", test) else { return };
    let mut bases = vec![
        Base::new(&sample::everything(Some("gzip")), false),
        Base::new(&sample::package(), false),
        Base::new(&sample::everything(None), false),
    ];
    let mut paths: Vec<_> =
        fs::read_dir(real.join("rpms")).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    for path in paths.iter().filter(|path| path.is_file()) {
        let bytes = fs::read(path).unwrap();
        if Headers::read(&bytes[..]).is_ok_and(|headers| headers.package().is_ok()) {
            bases.push(Base::new(&bytes, false));
        }
    }
    let scratch = tempfile::tempdir().unwrap();
    let mut paths: Vec<PathBuf> = Vec::new();
    let mut ours = Vec::new();
    for seed in 0..3_000 {
        let bytes = bases[seed as usize % bases.len()].mutate(seed);
        let path = scratch.path().join(format!("{seed}.rpm"));
        fs::write(&path, &bytes).unwrap();
        paths.push(path);
        let headers = Headers::read(&bytes[..]);
        ours.push(headers.as_ref().ok().and_then(|headers| Some(headers.package().ok()?.nevra.to_string())));
    }
    let Some(answers) = ask("nevras", &paths, test) else { return };
    let mut tally = Tally::new("mutated headers of seeds 0 to 2999: what librpm 4.18 refuses is refused");
    let (mut both, mut stricter) = (0, 0);
    for (seed, (ours, theirs)) in ours.iter().zip(&answers).enumerate() {
        let wrong = match (ours, theirs["refused"].as_str()) {
            (Some(nevra), Some(reason)) => Some(format!("{nevra} was read; librpm: {reason}")),
            (Some(nevra), None) => {
                both += 1;
                (theirs["nevra"] != **nevra).then(|| format!("{nevra} instead of {}", theirs["nevra"]))
            }
            (None, refused) => {
                stricter += usize::from(refused.is_none());
                None
            }
        };
        tally.case(&format!("seed {seed}"), wrong);
    }
    println!("{both} read by both, {stricter} by librpm only");
    tally.finish();
}
