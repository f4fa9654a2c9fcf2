//! What is read of packages that the tests make themselves: every part of the model, payloads behind every
//! compressor, and payloads that are not what their headers say.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod sample;

use std::io::Read as _;

use gander::base::digest::hex;
use gander::openpgp::{Hashing, Judgement};
use gander::rpm::dependency::Kind;
use gander::rpm::payload::{Member, PayloadError};
use gander::rpm::scriptlets::{Moment, TriggerKind};
use gander::rpm::stated::Covered;
use gander::rpm::verify::{Covers, verify};
use gander::rpm::{Format, Headers, Package, Payload, identify};
use sample::{COMPRESSORS, Value, digest, everything, package, whole};

fn relations(package: &Package<'_>, kind: Kind) -> Vec<(String, u32, String)> {
    let list = package.dependencies(kind).iter();
    list.map(|one| (one.name.into_owned(), one.flags, one.evr.into_owned())).collect()
}

#[test]
fn packages_are_read() {
    for compressor in COMPRESSORS {
        let bytes = everything(compressor);
        let headers = Headers::read(&bytes[..]).unwrap();
        let package = headers.package().unwrap();
        assert_eq!(package.format, if compressor.is_none() { Format::V6 } else { Format::V4 });
        assert_eq!(package.nevra.to_string(), "gander-2:1~rc1-1.x86_64");
        assert!(package.has_epoch && !package.is_source);
        assert_eq!(package.sourcerpm.as_deref(), Some("gander-1~rc1-1.src.rpm"));
        assert_eq!(package.description, "It honks: Ä.");
        assert_eq!((package.installed_size, package.buildtime), (207, 1_793_491_200));
        assert_eq!(
            &bytes[package.header_range.start as usize..package.header_range.end as usize],
            headers.main.bytes()
        );
        let requires = relations(&package, Kind::Requires);
        assert_eq!(requires[1], ("goose".into(), 12, "1:2-3".into()));
        assert_eq!(requires[2].0, "((pond if water) or (lake with fish >= 1:2-3))");
        assert_eq!(relations(&package, Kind::Conflicts), [("fox".into(), 2, "3".into())]);
        assert_eq!(relations(&package, Kind::Obsoletes), [("goslings".into(), 2, "1".into())]);
        assert_eq!(relations(&package, Kind::Recommends), [("feathers".into(), 0, String::new())]);
        assert_eq!(relations(&package, Kind::Enhances)[0].0, "(flock unless winter)");
        assert!(relations(&package, Kind::Suggests).is_empty());
        let log: Vec<_> = package.changelogs.iter().map(|entry| (entry.time, entry.text)).collect();
        assert_eq!(log, [(1_793_491_200, "- honk".into()), (1_793_404_800, "- hiss".into())]);
    }
}

#[test]
fn files_are_read() {
    let bytes = everything(Some("zstd"));
    let headers = Headers::read(&bytes[..]).unwrap();
    let package = headers.package().unwrap();
    let files: Vec<_> = package.files.iter().collect();
    let paths: Vec<_> = files.iter().map(|file| file.path()).collect();
    assert_eq!(
        paths,
        [
            "/usr/share/gander",
            "/usr/share/gander/goose",
            "/usr/share/gander/link",
            "/usr/bin/gander",
            "/usr/bin/honk",
            "/usr/share/gander/ghost"
        ]
    );
    assert!(files[0].is_directory() && files[2].is_link() && files[5].is_ghost());
    assert_eq!(
        (&*files[2].link_to, &*files[4].capabilities, &*files[1].language),
        ("goose", "cap_net_raw=ep", "de")
    );
    assert_eq!((files[1].size, files[1].mode, files[1].flags, files[3].colour), (200, 0o100_644, 2, 2));
    assert_eq!((files[3].inode, files[4].inode, &*files[5].user), (4, 4, "goose"));
    assert_eq!(package.files.digest_algorithm, 8);
    assert_eq!(files[3].digest, files[4].digest);
    let listed: Vec<_> = package.files.listing().collect();
    assert!(listed.iter().eq(files.iter().map(|file| &file.listed)));
}

#[test]
fn scriptlets_triggers_and_digests_are_read() {
    let bytes = everything(Some("xz"));
    let headers = Headers::read(&bytes[..]).unwrap();
    let scriptlets = headers.scriptlets().unwrap();
    let found: Vec<_> =
        scriptlets.iter().map(|(moment, script)| (*moment, script.program.join(" "))).collect();
    assert_eq!(found, [(Moment::PreInstall, "/bin/sh -e".into()), (Moment::PostInstall, "<lua>".into())]);
    assert_eq!(scriptlets[1].1.body.as_deref(), Some("print('postin')"));
    let triggers = headers.triggers().unwrap();
    let found: Vec<_> =
        triggers.iter().map(|trigger| (trigger.kind, trigger.moment(), trigger.conditions.len())).collect();
    assert_eq!(
        found,
        [(TriggerKind::Package, "in", 2), (TriggerKind::Package, "un", 1), (TriggerKind::File, "in", 1)]
    );
    assert_eq!(triggers[0].conditions[1].evr, "1");
    assert_eq!((triggers[2].priority, &*triggers[2].script.program[0]), (Some(1_000_000), "/sbin/ldconfig"));
    let digests = headers.digests().unwrap();
    let covered: Vec<_> = digests.iter().map(|digest| (digest.covered, digest.algorithm)).collect();
    assert_eq!(
        covered,
        [(Covered::Header, 2), (Covered::Header, 8), (Covered::HeaderAndPayload, 1), (Covered::Payload, 8)]
    );
    assert!(headers.signatures().unwrap().is_empty());
}

#[test]
fn payload_digests_have_the_function_of_their_tag() {
    let payload = b"payload";
    let made = |tag: u32, number: u8, named: u32| {
        let value = hex(&digest(number, &[payload]));
        let (values, named) = ([&*value], [named]);
        let value = if tag == 5092 { Value::Texts(&values) } else { Value::Text(&value) };
        let mut tags = vec![(1000, Value::Text("goose")), (tag, value), (5093, Value::Int32(&named))];
        tags.sort_by_key(|(tag, _)| *tag);
        whole("goose-1-1", &tags, payload, &[0; 64])
    };
    let (sha256, sha512) = (Hashing::SHA256, Hashing::SHA512);
    for (tag, number, named, right) in [
        (5092, sha256, 8, true),
        // As rpm 4.18 has it: whatever 5093 says.
        (5092, sha256, 10, true),
        (5092, sha512, 10, false),
        (5121, sha512, 8, true),
        (5121, sha256, 8, false),
        (5123, Hashing::SHA3_256, 8, true),
    ] {
        let file = made(tag, number, named);
        let verified = verify(&file[..], None, Judgement::default()).unwrap();
        let payload = verified.checks.iter().find(|check| check.covers == Covers::Payload).unwrap();
        assert_eq!(payload.is_good(), right, "{tag} {number} {named}");
        match identify(&file[..]) {
            Ok((_, identity)) => assert!(right && identity.covers_payload(), "{tag} {number} {named}"),
            Err(error) => {
                let name = if tag == 5092 { "SHA256" } else { "SHA512" };
                let words = format!("the package is corrupt: the {name} of its payload is ");
                assert!(!right && error.to_string().starts_with(&words), "{error}");
            }
        }
    }
}

fn list(bytes: &[u8]) -> Result<Vec<(Member, Vec<u8>)>, String> {
    let words = |error: PayloadError| error.to_string();
    let mut rest = bytes;
    let headers = Headers::read(&mut rest).unwrap();
    let package = headers.package().unwrap();
    let mut payload = Payload::open(&headers.main, &package.files, rest).map_err(words)?;
    let mut found = Vec::new();
    while let Some(member) = payload.next_member().map_err(words)? {
        let mut content = Vec::new();
        payload.read_to_end(&mut content).map_err(|error| error.to_string())?;
        found.push((member, content));
    }
    assert!(payload.next_member().unwrap().is_none());
    Ok(found)
}

#[test]
fn payloads_of_all_compressors_are_read() {
    for compressor in COMPRESSORS {
        let found = list(&everything(compressor)).unwrap();
        let contents: Vec<_> =
            found.iter().map(|(member, content)| (member.file, member.size, content.len())).collect();
        // A link's target is compared, not handed out; of two hard links the last has the content.
        assert_eq!(contents, [(0, 0, 0), (1, 200, 200), (2, 5, 0), (3, 0, 0), (4, 2, 2)], "{compressor:?}");
        assert_eq!(found[1].1, b"honk\n".repeat(40));
    }
}

#[test]
fn members_may_be_skipped_and_come_in_any_order() {
    let bytes = everything(Some("gzip"));
    let mut rest = &bytes[..];
    let headers = Headers::read(&mut rest).unwrap();
    let package = headers.package().unwrap();
    let mut payload = Payload::open(&headers.main, &package.files, rest).unwrap();
    assert_eq!(payload.announced(), 207);
    let mut count = 0;
    while payload.next_member().unwrap().is_some() {
        count += 1;
    }
    assert_eq!(count, 5);

    // The heads of two empty members, exchanged.
    let mut bytes = everything(None);
    let start = Headers::read(&bytes[..]).unwrap().main_range().end as usize;
    let head = |bytes: &[u8], place: &str| {
        let magic = format!("07070X{place:0>8}");
        start + bytes[start..].windows(14).position(|window| window == magic.as_bytes()).unwrap()
    };
    let (first, second) = (head(&bytes, "0") + 13, head(&bytes, "3") + 13);
    bytes.swap(first, second);
    let order: Vec<_> = list(&bytes).unwrap().iter().map(|(member, _)| member.file).collect();
    assert_eq!(order, [3, 1, 2, 0, 4]);
}

#[test]
fn payloads_that_are_not_what_the_header_says_are_refused() {
    let whole = everything(None);
    let start = Headers::read(&whole[..]).unwrap().main_range().end as usize;
    let refused = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = whole.clone();
        change(&mut bytes);
        list(&bytes).map(|_| ()).unwrap_err()
    };
    let find = |bytes: &[u8], text: &str| {
        start + bytes[start..].windows(text.len()).position(|window| window == text.as_bytes()).unwrap()
    };
    let replace = |from: &'static str, to: &'static str| {
        move |bytes: &mut Vec<u8>| {
            let at = find(bytes, from);
            bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
        }
    };
    for (change, error) in [
        (
            &|bytes: &mut Vec<u8>| bytes.truncate(start) as _,
            "the payload ends inside its archive, after 0 bytes",
        ),
        (
            &|bytes: &mut Vec<u8>| bytes.truncate(start + 40),
            "the payload ends inside its archive, after 40 bytes",
        ),
        (&|bytes: &mut Vec<u8>| bytes.push(1), "something follows the payload's archive"),
        (
            &|bytes: &mut Vec<u8>| bytes.resize(bytes.len() + 70_000, 0),
            "something follows the payload's archive",
        ),
        (
            &replace("07070X00000003", "07070X00000000"),
            "the payload's '/usr/share/gander' is not what the header says: it stands there twice",
        ),
        (
            &replace("07070X00000003", "07070X00000009"),
            "the payload holds 'file number 9', which the header does not list",
        ),
        (
            &replace("07070X00000003", "07070X00000005"),
            "the payload lacks '/usr/bin/gander', which the header lists",
        ),
        (
            &replace("07070X00000003", "07070Y00000003"),
            "the payload's archive is malformed: of the member at byte 256, it does not start with a magic number of cpio",
        ),
        (
            &replace("07070X00000003", "07070X0000000x"),
            "the payload's archive is malformed: of the member at byte 256, a number in it is not hexadecimal",
        ),
        (
            &replace("goose", "geese"),
            "the payload's '/usr/share/gander/link' is not what the header says: it points elsewhere",
        ),
    ] as [(&dyn Fn(&mut Vec<u8>), &str); 10]
    {
        assert_eq!(refused(change), error);
    }
    // Zeros may follow, as in archives that are padded to blocks.
    let mut padded = whole.clone();
    padded.resize(padded.len() + 512, 0);
    assert_eq!(list(&padded).unwrap().len(), 5);
    // What is no archive at all.
    assert_eq!(list(&package()).unwrap_err(), "the payload cannot be decompressed");
}
