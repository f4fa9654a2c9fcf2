use super::*;

/// A document of a stream for x86_64: its name, version and context, what it needs, its packages.
fn stream(name: &str, version: u64, context: &str, needs: &str, artifacts: &[&str]) -> String {
    let (module, stream) = name.split_once(':').unwrap();
    let artifacts = artifacts.join(", ");
    format!(
        "---\ndocument: modulemd\nversion: 2\ndata:\n  name: {module}\n  stream: '{stream}'\n  version: {version}\n  \
         context: '{context}'\n  arch: x86_64\n  dependencies:\n  - requires: {{platform: [el9]{needs}}}\n  artifacts:\n    rpms: [{artifacts}]\n"
    )
}

fn default(module: &str, stream: &str) -> String {
    format!("---\ndocument: modulemd-defaults\nversion: 1\ndata: {{module: {module}, stream: '{stream}'}}\n")
}

fn choices(texts: &[&str]) -> Vec<ModuleChoice> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

/// The active streams, and which of these packages are seen.
fn seen(file: &str, asked: &[&str], packages: &[&str]) -> (Vec<String>, Vec<String>) {
    let modules = Modules::parse(file.as_bytes()).unwrap();
    let choices = choices(asked);
    let visible = visible(&[&modules], &choices).unwrap();
    let shown = packages.iter().filter(|package| visible.shows(&package.parse().unwrap(), [""; 0]));
    let active = visible.active.values().flatten().cloned().collect();
    (active, shown.map(|package| package.to_string()).collect())
}

fn problems(file: &str, asked: &[&str]) -> Vec<String> {
    let modules = Modules::parse(file.as_bytes()).unwrap();
    let choices = choices(asked);
    let problems = visible(&[&modules], &choices).unwrap_err();
    problems.iter().map(ModularProblem::to_string).collect()
}

#[test]
fn only_packages_of_the_active_stream_are_seen_and_they_hide_others() {
    let file = [
        stream("goose:1", 1, "a", "", &["goose-0:1-1.x86_64", "goose-0:1-1.src"]),
        stream("goose:1", 2, "a", "", &["goose-0:1-2.x86_64", "goose-0:1-2.src", "wing-0:1-2.x86_64"]),
        stream("goose:2", 9, "a", "", &["goose-0:2-1.x86_64"]),
    ]
    .concat();
    let packages = [
        "goose-0:1-1.x86_64",
        "goose-0:1-2.x86_64",
        "goose-0:2-1.x86_64",
        "goose-0:3-1.x86_64",
        "goose-0:3-1.src",
        "wing-0:9-1.x86_64",
        "wing-0:9-1.src",
        "pond-0:1-1.noarch",
    ];
    let none =
        ["goose-0:3-1.x86_64", "goose-0:3-1.src", "wing-0:9-1.x86_64", "wing-0:9-1.src", "pond-0:1-1.noarch"];
    assert_eq!(seen(&file, &[], &packages), (vec![], none.map(String::from).into()));
    let one = ["goose-0:1-1.x86_64", "goose-0:1-2.x86_64", "wing-0:9-1.src", "pond-0:1-1.noarch"];
    assert_eq!(seen(&file, &["goose:1"], &packages), (vec!["goose:1".into()], one.map(String::from).into()));
    let modules = Modules::parse(file.as_bytes()).unwrap();
    let asked = choices(&["goose:1"]);
    let visible = visible(&[&modules], &asked).unwrap();
    let swan = "swan-0:1-1.noarch".parse().unwrap();
    assert!(visible.shows(&swan, ["swan"]) && !visible.shows(&swan, ["swan", "wing"]));
    assert!(visible.is_modular(&"wing-0:1-2.x86_64".parse().unwrap()) && !visible.is_modular(&swan));
}

#[test]
fn default_streams_are_active_unless_something_else_is_said() {
    let file = [
        default("goose", "1"),
        stream("goose:1", 1, "a", "", &["goose-0:1-1.x86_64"]),
        stream("goose:2", 1, "a", "", &["goose-0:2-1.x86_64"]),
    ]
    .concat();
    let packages = ["goose-0:1-1.x86_64", "goose-0:2-1.x86_64", "goose-0:3-1.x86_64"];
    let first = |asked| seen(&file, asked, &packages).1;
    assert_eq!(first(&[]), ["goose-0:1-1.x86_64"]);
    assert_eq!(first(&["goose:2"]), ["goose-0:2-1.x86_64"]);
    assert_eq!(first(&["!goose"]), ["goose-0:3-1.x86_64"]);
}

#[test]
fn builds_are_taken_of_the_context_whose_needs_are_met() {
    let file = [
        stream("pond:1", 1, "a", "", &[]),
        stream("pond:2", 1, "a", "", &[]),
        stream("goose:1", 7, "of1", ", pond: ['1']", &["goose-0:1-7.x86_64"]),
        stream("goose:1", 8, "of1", ", pond: ['1']", &["goose-0:1-8.x86_64"]),
        stream("goose:1", 9, "of2", ", pond: ['-1']", &["goose-0:1-9.x86_64"]),
    ]
    .concat();
    let packages = ["goose-0:1-7.x86_64", "goose-0:1-8.x86_64", "goose-0:1-9.x86_64"];
    assert_eq!(seen(&file, &["goose:1", "pond:1"], &packages).1, packages[..2]);
    assert_eq!(seen(&file, &["goose:1", "pond:2"], &packages).1, ["goose-0:1-9.x86_64"]);
    assert_eq!(
        problems(&file, &["goose:1"]),
        ["goose:1 (x86_64) needs pond:-1, or pond:1: name them in 'modules', too"]
    );
}

#[test]
fn a_default_stream_whose_needs_are_not_met_is_not_active() {
    let file = [
        default("goose", "1"),
        default("wing", "1"),
        stream("goose:1", 1, "a", ", wing: []", &["goose-0:1-1.x86_64"]),
        stream("wing:1", 1, "a", ", pond: []", &["wing-0:1-1.x86_64"]),
        stream("pond:1", 1, "a", "", &[]),
    ]
    .concat();
    let modules = Modules::parse(file.as_bytes()).unwrap();
    let visible = visible(&[&modules], &[]).unwrap();
    assert!(visible.active.is_empty(), "{:?}", visible.active);
    assert_eq!(Vec::from_iter(&visible.unmet), ["goose:1", "wing:1"]);
    assert_eq!(seen(&file, &["pond:1"], &[]).0, ["goose:1", "pond:1", "wing:1"]);
}

#[test]
fn repositories_carry_what_is_said_of_the_modules_that_they_have() {
    let (goose, wing) = (
        stream("goose:1", 1, "a", "", &["goose-0:1-1.x86_64"]),
        stream("wing:1", 1, "a", "", &["wing-0:1-1.x86_64"]),
    );
    let (said, other) = (default("goose", "1"), default("wing", "1"));
    let older = stream("goose:1", 0, "a", "", &["goose-0:1-0.x86_64"]);
    let modules = Modules::parse([&*wing, &other, &goose, &older, &said].concat().as_bytes()).unwrap();
    let visible = visible(&[&modules, &modules], &[]).unwrap();
    let documents: Vec<_> = visible.documents.iter().copied().cloned().collect();
    assert_eq!(
        carried(&documents, |nevra| nevra.name == "goose", |_, _| false),
        Some([&*older, &goose, &said].concat())
    );
    assert_eq!(carried(&documents, |nevra| nevra.name == "swan", |_, _| false), None);
}

#[test]
fn what_cannot_be_is_told_all_at_once() {
    let file = [stream("goose:1", 1, "a", "", &[]), stream("goose:2", 1, "a", "", &[])].concat();
    assert_eq!(
        problems(&file, &["swan:1", "goose:3", "!duck"]),
        [
            "no source has the module 'duck'",
            "no source has the module 'swan'",
            "the module 'goose' has no stream '3', only 1, 2",
        ]
    );
    assert_eq!(
        problems(&file, &["goose:1", "goose:2"]),
        ["two streams of the module 'goose' are asked for, 1 and 2: only one can be active"]
    );
}

#[test]
fn one_build_of_a_stream_can_be_asked_for() {
    let file = [
        stream("goose:1", 1, "a", "", &["goose-0:1-1.x86_64"]),
        stream("goose:1", 2, "a", "", &["goose-0:1-2.x86_64"]),
        stream("goose:1", 2, "b", "", &["goose-0:1-3.x86_64"]),
    ]
    .concat();
    let packages = ["goose-0:1-1.x86_64", "goose-0:1-2.x86_64", "goose-0:1-3.x86_64"];
    for (choice, places) in
        [("goose:1", &[0, 1][..]), ("goose:1:1", &[0]), ("goose:1:2:b", &[2]), ("goose:1:2", &[1])]
    {
        let expected: Vec<String> = places.iter().map(|place| packages[*place].to_owned()).collect();
        assert_eq!(seen(&file, &[choice], &packages), (vec!["goose:1".into()], expected), "{choice}");
    }
    assert_eq!(
        problems(&file, &["goose:1:1:b"]),
        ["there is no build goose:1:1:b, only goose:1:1:a, goose:1:2:a, goose:1:2:b"]
    );
}
