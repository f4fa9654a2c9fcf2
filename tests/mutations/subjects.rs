//! What is done to each mutation, and what has to hold.

use std::cmp::Ordering;
use std::io::Read as _;

use gander::base::Evr;
use gander::rpm::dependency::Kind;
use gander::rpm::{Header, Headers, Part, Payload, Rich, edit, identify, signature};

use super::mutant::texts::{nearly_rich_text, version_text};
use super::mutant::{Base, Random};
use super::sample::{self, COMPRESSORS};
use super::{lists, messages, signing, universes};

/// Something that is read.
pub struct Subject {
    /// Its name.
    pub name: &'static str,
    /// How many mutations there are in each run.
    pub count: u64,
    /// Makes what is needed, then gives the work for a seed; whether the mutation was accepted.
    pub prepare: fn() -> Box<dyn FnMut(u64) -> bool>,
}

/// All of them.
pub const SUBJECTS: [Subject; 17] = [
    Subject { name: "headers", count: 200_000, prepare: headers },
    Subject { name: "payloads", count: 60_000, prepare: payloads },
    Subject { name: "rich", count: 200_000, prepare: rich },
    Subject { name: "versions", count: 200_000, prepare: versions },
    Subject { name: "lists", count: 40_000, prepare: lists::lists },
    Subject { name: "forms", count: 60_000, prepare: lists::forms },
    Subject { name: "universes", count: 60_000, prepare: universes::universes },
    Subject { name: "packed", count: 30_000, prepare: lists::packed },
    Subject { name: "messages", count: 100_000, prepare: messages::messages },
    Subject { name: "wire", count: 100_000, prepare: signing::wire },
    Subject { name: "chunks", count: 6_000, prepare: signing::chunks },
    Subject { name: "ledgers", count: 6_000, prepare: signing::ledgers },
    Subject { name: "keys", count: 2_000, prepare: signing::keys },
    Subject { name: "sealed", count: 10_000, prepare: signing::sealed },
    Subject { name: "vaults", count: 120, prepare: signing::vaults },
    Subject { name: "bombs", count: 36, prepare: lists::bombs },
    Subject { name: "glutton", count: 1, prepare: glutton },
];

/// Both headers of a package and everything that is made of them.
fn headers() -> Box<dyn FnMut(u64) -> bool> {
    let mut bases: Vec<Base> =
        COMPRESSORS.iter().map(|compressor| Base::new(&sample::everything(*compressor), true)).collect();
    bases.truncate(2);
    bases.push(Base::new(&sample::package(), false));
    bases.extend(real());
    Box::new(move |seed| {
        let bytes = bases[seed as usize % bases.len()].mutate(seed);
        drop(identify(&bytes[..]));
        let Ok(headers) = Headers::read(&bytes[..]) else { return false };
        drop((signature::packets(&headers.signature), signature::legacy_packets(&headers.signature)));
        if let Ok(edited) = edit::edit(&headers.signature, &[], &[]) {
            assert!(Header::parse(Part::Signature, &edited).is_ok());
        }
        look(&headers, bytes.get(headers.main_range().end as usize..).unwrap_or_default())
    })
}

/// Small packages of `GANDER_REALDATA`, for what the made ones do not have.
fn real() -> Vec<Base> {
    let Some(root) = std::env::var_os("GANDER_REALDATA") else { return Vec::new() };
    let entries = std::fs::read_dir(std::path::Path::new(&root).join("rpms")).unwrap();
    let mut paths: Vec<_> =
        entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_file()).collect();
    paths.sort();
    let read = |path: &std::path::PathBuf| std::fs::read(path).unwrap();
    let small =
        |bytes: &Vec<u8>| Headers::read(&bytes[..]).is_ok_and(|headers| headers.main_range().end < 6_000);
    paths.iter().map(read).filter(small).map(|bytes| Base::new(&bytes, false)).collect()
}

/// Looks at all that a package says; whether it is one.
fn look(headers: &Headers, payload: &[u8]) -> bool {
    drop((headers.scriptlets(), headers.triggers(), headers.digests(), headers.signatures()));
    let package = match headers.package() {
        Ok(package) => package,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return false;
        }
    };
    for kind in Kind::ALL {
        for dependency in package.dependencies(kind).iter() {
            drop(dependency.parsed_evr());
            if dependency.name.starts_with('(') {
                drop(Rich::parse_for(&dependency.name, kind));
            }
        }
        assert_eq!(package.dependencies(kind).iter().count(), package.dependencies(kind).len());
    }
    for file in package.files.iter() {
        let path = file.path();
        assert!(path.starts_with('/') || package.is_source, "{path}");
        assert!(path.split('/').all(|part| part != ".."), "{path}");
    }
    assert_eq!(package.files.iter().count(), package.files.len());
    assert_eq!(package.changelogs.iter().count(), package.changelogs.len());
    list(headers, payload);
    true
}

/// Reads all of a payload; what came out is no more than was announced.
fn list(headers: &Headers, payload: &[u8]) -> Option<u64> {
    let package = headers.package().ok()?;
    let mut payload = Payload::open(&headers.main, &package.files, payload).ok()?;
    let announced = payload.announced();
    let mut total = 0;
    let mut buffer = [0; 4096];
    while let Some(member) = payload.next_member().ok()? {
        let mut size = 0;
        loop {
            match payload.read(&mut buffer).ok()? {
                0 => break,
                length => size += length as u64,
            }
        }
        assert!(size <= member.size);
        total += size;
        assert!(total <= announced, "{total} bytes where {announced} were announced");
    }
    Some(total)
}

/// Payloads of all compressors behind good headers.
fn payloads() -> Box<dyn FnMut(u64) -> bool> {
    let read = |compressor: &Option<&str>| {
        let bytes = sample::everything(*compressor);
        (Headers::read(&bytes[..]).unwrap(), Base::new(&bytes, true))
    };
    let bases: Vec<_> = COMPRESSORS.iter().map(read).collect();
    for (headers, base) in &bases {
        let whole = base.whole();
        assert_eq!(list(headers, &whole[base.payload()..]), Some(202), "the unmutated payload is read");
    }
    Box::new(move |seed| {
        let (headers, base) = &bases[seed as usize % bases.len()];
        let bytes = base.mutate_payload(seed);
        list(headers, &bytes[base.payload().min(bytes.len())..]).is_some()
    })
}

/// Texts that are nearly rich dependencies.
fn rich() -> Box<dyn FnMut(u64) -> bool> {
    Box::new(|seed| {
        let text = nearly_rich_text(seed);
        let Ok(rich) = Rich::parse(&text) else {
            assert!(Rich::parse_for(&text, Kind::Requires).is_err(), "{text}");
            return false;
        };
        let again = rich.to_string();
        assert_eq!(Rich::parse(&again).as_ref(), Ok(&rich), "{text}");
        assert!(!rich.names().is_empty());
        true
    })
}

/// Versions, compared: an order is one.
fn versions() -> Box<dyn FnMut(u64) -> bool> {
    use gander::base::evr::compare_segments;
    Box::new(|seed| {
        let mut random = Random::new(seed);
        let texts: [String; 3] = std::array::from_fn(|_| version_text(&mut random));
        let [a, b, c] = &texts;
        assert_eq!(compare_segments(a, a), Ordering::Equal, "{a}");
        assert_eq!(compare_segments(a, b), compare_segments(b, a).reverse(), "{a} {b}");
        let sorted = |x: &str, y: &str| compare_segments(x, y) != Ordering::Greater;
        if sorted(a, b) && sorted(b, c) {
            assert!(sorted(a, c), "{a} <= {b} <= {c}");
        }
        let evrs = texts.each_ref().map(|text| Evr::parse(text));
        assert_eq!(evrs[0].cmp(&evrs[1]), evrs[1].cmp(&evrs[0]).reverse());
        assert_eq!(evrs[0].compare_as_dependency(&evrs[0]), Ordering::Equal, "{a}");
        compare_segments(a, b) == Ordering::Less
    })
}

/// Takes more than it may.
fn glutton() -> Box<dyn FnMut(u64) -> bool> {
    Box::new(|_| {
        let taken: Vec<u8> = vec![1; 65 << 20];
        std::hint::black_box(&taken).contains(&0)
    })
}
