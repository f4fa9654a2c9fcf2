use super::*;

const FILE: &str = "---
document: modulemd-defaults
version: 1
data:
  module: goose
  stream: 2.0
  profiles: {}
...
---
document: modulemd
version: 2
data:
  name: goose
  stream: \"2.0\" # no number
  version: 820240126110506
  context: deadbeef
  arch: x86_64
  description: >-
    Lines
    --- that are no document
  dependencies:
  - buildrequires: {platform: [el9]}
    requires: {platform: [el9], pond: [], lake: ['1', -2]}
  - requires:
      platform: []
  artifacts:
    rpms: [\"goose-0:2.0-1.x86_64\", goose-0:2.0-1.src]
...
---
document: modulemd
version: 1
data:
  name: pond
  stream: f27
  version: 1
  dependencies:
    requires: {platform: f27}
---
document: modulemd-obsoletes
version: 1
data: {module: pond, stream: f27, message: gone}
";

#[test]
fn documents_are_read_and_keep_their_text() {
    let modules = Modules::parse(FILE.as_bytes()).unwrap();
    let [defaults, goose, pond, obsoletes] = modules.documents.as_slice() else { panic!("{modules:?}") };
    assert_eq!((&*defaults.module, &defaults.content), ("goose", &Content::Defaults(Some("2.0".into()))));
    assert_eq!((&*obsoletes.module, &obsoletes.content), ("pond", &Content::Other));
    let list = |streams: &[&str]| streams.iter().map(|stream| stream.to_string()).collect::<Vec<_>>();
    let Content::Stream(stream) = &goose.content else { panic!("{goose:?}") };
    assert_eq!((&*stream.name, stream.version, &*stream.context), ("2.0", 820_240_126_110_506, "deadbeef"));
    let needs = BTreeMap::from([
        ("platform".to_owned(), list(&["el9"])),
        ("pond".to_owned(), list(&[])),
        ("lake".to_owned(), list(&["1", "-2"])),
    ]);
    assert_eq!(stream.needs, [needs, BTreeMap::from([("platform".to_owned(), list(&[]))])]);
    let artifacts: Vec<_> = stream.artifacts.iter().map(Nevra::to_string).collect();
    assert_eq!(artifacts, ["goose-0:2.0-1.x86_64", "goose-0:2.0-1.src"]);
    let Content::Stream(stream) = &pond.content else { panic!("{pond:?}") };
    assert_eq!(stream.needs, [BTreeMap::from([("platform".to_owned(), list(&["f27"]))])]);
    let texts: String = modules.documents.iter().map(|document| document.text.as_str()).collect();
    assert_eq!(texts, FILE);
    assert!(pond.text.starts_with("---\ndocument: modulemd\nversion: 1\n"), "{}", pond.text);
}

#[test]
fn what_has_no_meaning_is_refused() {
    for (text, expected) in [
        ("document: modulemd\nversion: 2\n", "it has no 'data'"),
        ("document: modulemd\nversion: 3\ndata: {}\n", "a 'modulemd' of version 3 is not known"),
        ("document: modulemd\nversion: 2\ndata: {name: a}\n", "it has no 'version'"),
        ("document: modulemd\nversion: 2\ndata: {name: a, version: x}\n", "the version 'x' is no number"),
        (
            "document: modulemd\nversion: 2\ndata: {name: a, stream: b, version: 1, artifacts: {rpms: [c]}}\n",
            "the artifact 'c' is no",
        ),
        ("a: &x 1\nb: *x\n", "aliases are not read"),
        ("a: 1\na: 2\n", "a member is there twice"),
        ("[a]: 1\n", "a member has no name"),
        ("a: [\n", "line 2"),
        (&"[".repeat(40), "nested too deeply"),
    ] {
        let error = Modules::parse(text.as_bytes()).unwrap_err().to_string();
        assert!(error.contains(expected), "{text}: {error}");
    }
    assert_eq!(Modules::parse(b"\xff"), Err(ModulemdError::Text));
    assert_eq!(Modules::parse(b"").unwrap(), Modules::default());
}
