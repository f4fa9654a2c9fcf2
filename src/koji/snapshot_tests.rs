use super::*;

fn snapshot() -> Snapshot {
    let head = Head {
        version: VERSION,
        hub: "https://h.example/kojihub".into(),
        koji: "1.35.3".into(),
        event: 43,
        time: 1_795_295_654_688_350,
        tag: 3,
        inherit: true,
        latest: true,
    };
    let build = |id: i64, name: &str| Build {
        id,
        package: id,
        name: name.into(),
        version: "1".into(),
        release: "1".into(),
        state: 1,
        volume_name: "DEFAULT".into(),
        owner_name: "a\tb\n\"é\u{1b}".into(),
        event: 8,
        creation: "2026-11-21 21:13:41.544099+00:00".into(),
        ..Build::default()
    };
    let rpm = |id: i64, build: i64| Rpm { id, build, epoch: Some(0), size: 5 << 30, ..Rpm::default() };
    let signature = |rpm: i64, sigkey: &str| Signature { rpm, sigkey: sigkey.into(), sighash: "ab".into() };
    let checksum = |rpm: i64, sigkey: &str| Checksum { rpm, sigkey: sigkey.into(), ..Checksum::default() };
    let link = |child: i64, parent: i64| Link { child, parent, maxdepth: Some(1), ..Link::default() };
    let mut snapshot = Snapshot {
        head,
        tags: vec![Tag { id: 3, arches: Some(String::new()), ..Tag::default() }, Tag::default()],
        links: vec![link(3, 2), link(2, 1), link(3, 4)],
        packages: vec![Package { tag: 1, id: 2, blocked: true, ..Package::default() }],
        taggings: vec![Tagging { tag: 2, build: 9, event: 21 }, Tagging { tag: 1, build: 7, event: 22 }],
        builds: vec![build(9, "b"), build(7, "a"), build(9, "b")],
        rpms: vec![rpm(30, 9), rpm(20, 7)],
        signatures: vec![signature(30, "e4c497f3"), signature(30, ""), signature(20, "")],
        checksums: vec![checksum(30, "e4c497f3"), checksum(30, "")],
        externals: vec![External { tag: 1, url: "http://h/$arch".into(), ..External::default() }],
        modules: vec![Module { build: 9, stream: "s".into(), ..Module::default() }],
        modulemd: vec![
            Modulemd { build: 9, file: Some("modulemd.x86_64.txt".into()), ..Modulemd::default() },
            Modulemd { build: 9, text: "a: b\n".into(), ..Modulemd::default() },
        ],
    };
    snapshot.sort();
    snapshot
}

#[test]
fn the_form_round_trips_and_is_one() {
    let snapshot = snapshot();
    let text = snapshot.to_text();
    assert!(text.starts_with(
        "{\"gander-koji\":1,\"hub\":\"https://h.example/kojihub\",\"koji\":\"1.35.3\",\"event\":43,\
         \"time\":1795295654688350,\"tag\":3,\"inherit\":true,\"latest\":true}\n{\"tag\":{\"id\":0,"
    ));
    assert_eq!(text.lines().count(), 1 + 2 + 3 + 1 + 2 + 2 + 2 + 3 + 2 + 1 + 1 + 2);
    assert_eq!(Snapshot::read(text.as_bytes()).unwrap(), snapshot);
    assert_eq!(Snapshot::decode(&snapshot.encode().unwrap()).unwrap(), snapshot);
    assert_eq!(snapshot.digest(), Digest::of(&text));
    // The order of what was told does not matter.
    let mut other = snapshot.clone();
    other.builds.reverse();
    other.signatures.reverse();
    other.sort();
    assert_eq!(other.to_text(), text);
    assert_eq!(snapshot.build(9).unwrap().nvr(), "b-1-1");
    assert!(snapshot.build(8).is_none());
    let keys =
        |rpm| snapshot.signatures_of(rpm).iter().map(|found| found.sigkey.as_str()).collect::<Vec<_>>();
    assert_eq!((keys(30), keys(20), keys(1)), (vec!["", "e4c497f3"], vec![""], vec![]));
    assert!(snapshot.checksum(30, "e4c497f3").is_some() && snapshot.checksum(20, "").is_none());
}

#[test]
fn what_is_damaged_is_said_with_its_line() {
    let text = snapshot().to_text();
    let lines: Vec<_> = text.lines().collect();
    let swapped = |at: usize| {
        let mut lines = lines.clone();
        lines.swap(at, at + 1);
        lines.join("\n") + "\n"
    };
    let twice = [&lines[..5], &lines[4..]].concat().join("\n") + "\n";
    assert!(twice.contains("link"));
    for (text, line, reason) in [
        (String::new(), 1, "it is empty"),
        (text.replace("\"gander-koji\":1", "\"gander-koji\":2"), 1, "it has version 2"),
        (text[..text.len() - 1].to_owned(), lines.len(), "torn"),
        (swapped(1), 3, "not in their order"),
        (swapped(9), 11, "not in their order"),
        (format!("{text}{}\n", lines[lines.len() - 1]), lines.len() + 1, "not in their order"),
        (format!("{text}{{\"goose\":{{}}}}\n"), lines.len() + 1, "unknown variant"),
        (text.replace("\"locked\":", "\"docked\":"), 2, "unknown field"),
        (text.replace("5368709120", "53687091200000000000"), 12, "invalid"),
    ] {
        match Snapshot::read(text.as_bytes()) {
            Err(SnapshotError::Damaged { line: at, reason: found }) => {
                assert!(at == line && found.contains(reason), "{at} instead of {line}: {found}");
            }
            other => panic!("{reason}: {other:?}"),
        }
    }
    // Links have the hub's order, in which one may come again.
    assert!(Snapshot::read(twice.as_bytes()).is_ok());
    assert!(Snapshot::decode(b"not zstd").is_err());
}
