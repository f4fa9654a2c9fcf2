//! gander's own form says what the XML says, and nothing else is taken for it.

use super::tests::{package, primary};
use super::*;
use crate::rpm::dependency::Kind;

/// Three packages, one with all files, one with a change log, one that lies elsewhere.
fn packages() -> Packages {
    let elsewhere = package("r").replace("<location ", "<location xml:base=\"https://h/a/\" ");
    let document = primary(&(package("p") + &package("q") + &elsewhere));
    let mut packages = Packages::read(document.as_bytes()).unwrap();
    let of = |name: &str, content: &str| {
        format!("<package pkgid=\"{}\">{content}</package>", crate::base::Digest::of(name).hex())
    };
    let files = of("q", "<file>/a/b</file><file type=\"dir\">/é</file>");
    packages.add_filelists(format!("<filelists>{files}</filelists>").as_bytes()).unwrap();
    let log = of("p", "<changelog author=\"A\" date=\"-5\">- x</changelog>");
    packages.add_other(format!("<otherdata>{log}</otherdata>").as_bytes()).unwrap();
    packages
}

/// All that can be seen of packages.
fn seen(packages: &Packages) -> Vec<String> {
    let all = [
        Text::Summary,
        Text::Description,
        Text::Packager,
        Text::Url,
        Text::License,
        Text::Vendor,
        Text::Group,
        Text::Buildhost,
        Text::Sourcerpm,
    ];
    let entries = packages.iter().map(|entry| {
        let texts: Vec<_> = all.iter().map(|text| entry.text(*text)).collect();
        let lists: Vec<Vec<_>> = (Kind::ALL.iter())
            .map(|kind| entry.dependencies(*kind).map(|one| format!("{one:?}")).collect())
            .collect();
        let files: Vec<_> = entry.files().map(|file| (file.path(), file.kind)).collect();
        let log: Option<Vec<_>> = entry.changelogs().map(Iterator::collect);
        let place = (entry.href(), entry.base(), entry.numbers(), entry.has_all_files());
        format!("{entry:?} {place:?} {texts:?} {lists:?} {files:?} {log:?}")
    });
    entries.collect()
}

#[test]
fn it_says_what_the_xml_says() {
    let mut packages = packages();
    let bytes = packages.to_bytes();
    let mut again = Packages::from_bytes(&bytes).unwrap();
    assert_eq!(seen(&again), seen(&packages));
    assert_eq!(again.to_bytes(), bytes);
    // Lists can be added to it.
    let pkgid = crate::base::Digest::of("p").hex();
    let list = format!("<filelists><package pkgid=\"{pkgid}\"><file>/usr/bin/p</file></package></filelists>");
    for packages in [&mut packages, &mut again] {
        packages.add_filelists(list.as_bytes()).unwrap();
    }
    assert_eq!(seen(&again), seen(&packages));
    let none = Packages::read(primary("").as_bytes()).unwrap();
    assert!(Packages::from_bytes(&none.to_bytes()).unwrap().is_empty());
}

#[test]
fn what_is_taken_is_the_form_of_something() {
    let bytes = packages().to_bytes();
    let (mut taken, mut state) = (0, 0x6761_6e64_6572_u64);
    let mut below = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % below as u64).unwrap()
    };
    for round in 0..15_000 {
        let mut bytes = bytes.clone();
        for _ in 0..=round % 3 {
            let place = below(bytes.len());
            match below(8) {
                0 => bytes.truncate(place),
                1 => bytes.insert(place, 0),
                2 => drop(bytes.remove(place)),
                3 => bytes[place] ^= 1 << below(8),
                4 => bytes[place] = 0xff,
                // The numbers that lengths and places begin with.
                _ => bytes[place] = u8::try_from(below(4)).unwrap(),
            }
            if bytes.is_empty() {
                break;
            }
        }
        if let Ok(packages) = Packages::from_bytes(&bytes) {
            taken += 1;
            assert_eq!(seen(&packages).len(), packages.len());
            assert_eq!(packages.to_bytes(), bytes);
        }
    }
    assert!((250..12_000).contains(&taken), "{taken}");
}

#[test]
fn other_versions_and_claims_are_unfit() {
    let bytes = packages().to_bytes();
    let other = [b"gander packages 2\n", &bytes[18..]].concat();
    // A list that is said to have more entries than there are bytes for.
    let mut claims = bytes.clone();
    claims[22..26].copy_from_slice(&u32::MAX.to_le_bytes());
    let mut behind = bytes.clone();
    behind.push(0);
    for bytes in [&b""[..], &other, &claims, &behind, &bytes[..bytes.len() - 1]] {
        assert_eq!(Packages::from_bytes(bytes).map(|_| ()), Err(Unfit));
    }
}
