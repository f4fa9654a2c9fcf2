//! Tests of the universe: what goes in comes out, in one order and in one form.

use super::super::candidate::{Candidate, FileKind, PackagedFile};
use super::super::relation::{Relation, Sense};
use super::{List, Offer, Universe, UniverseError};
use crate::base::Digest;

fn candidate(nevra: &str) -> Candidate {
    let mut candidate = Candidate::new(nevra.parse().unwrap(), Digest::of(nevra));
    candidate.provides.push(Relation::versioned("x", Sense::EQUAL, "0:1-1"));
    candidate.files.push(PackagedFile(FileKind::Ghost, "/var/log/é".into()));
    candidate
}

/// Candidates with something of everything.
fn candidates() -> Vec<Candidate> {
    let names = ["b-0:1-1.x86_64", "a-0:2-1.x86_64", "a-0:10-1.i686", "a-0:2-1.i686", "c-3:1~b^1-1.src"];
    let mut all: Vec<Candidate> = names.into_iter().map(candidate).collect();
    let lookaside = Candidate { lookaside: true, ..all[1].clone() };
    all.push(lookaside);
    for (number, candidate) in all.iter_mut().enumerate() {
        let said =
            |word: &str| Relation::versioned(word, Sense::GREATER.and(Sense::EQUAL), number.to_string());
        candidate.requires = vec![said("x"), Relation::any("(a if b)"), said("x"), Relation::any("")];
        candidate.conflicts = vec![said("x86_64")];
        candidate.obsoletes = vec![said("a")];
        candidate.recommends = vec![said("recommended"), Relation::any("/usr/bin/x")];
        candidate.supplements = vec![said("1")];
        let paths = ["/usr/bin/x", "/usr/bin/", "plain", "", "/", "/usr/bin/x"];
        let kinds = [FileKind::File, FileKind::Directory];
        let files = paths.iter().zip(kinds.iter().cycle());
        candidate.files.extend(files.map(|(path, kind)| PackagedFile(*kind, (*path).to_owned())));
        if number % 2 == 0 {
            candidate.source = Some(format!("a-{number}.src.rpm"));
            candidate.not_for = vec!["aarch64".into(), "x86_64".into()];
        }
    }
    all
}

fn sorted() -> Vec<Candidate> {
    let mut all = candidates();
    all.sort_by_key(|candidate| (candidate.nevra.clone(), candidate.lookaside));
    all
}

fn form() -> Vec<u8> {
    Universe::new(candidates()).unwrap().to_bytes().unwrap()
}

#[test]
fn what_goes_in_comes_out() {
    let universe = Universe::new(candidates()).unwrap();
    let order: Vec<_> = universe.members().map(|member| member.nevra().to_string()).collect();
    let expected = [
        "a-0:2-1.i686",
        "a-0:2-1.x86_64",
        "a-0:2-1.x86_64",
        "a-0:10-1.i686",
        "b-0:1-1.x86_64",
        "c-3:1~b^1-1.src",
    ];
    assert_eq!(order, expected);
    let all: Vec<_> = universe.members().map(super::Member::to_candidate).collect();
    assert_eq!(all, sorted());
    for (member, candidate) in universe.members().zip(&all) {
        assert_eq!(universe.text(member.name_id()), candidate.nevra.name);
        assert_eq!(member.source_id().map(|source| universe.text(source)), candidate.source.as_deref());
        assert_eq!(member.file_ids().count(), candidate.files.len());
        let names = member.list(List::Requires).iter().map(|id| universe.text(universe.name_of(*id)));
        assert!(names.eq(candidate.requires.iter().map(|relation| relation.name.as_str())));
        assert_eq!(universe.at(member.place()).map(|there| there.key()), Some(member.key()));
    }
    let found = universe.find(["x", "/usr/bin/", "nobody has it"]);
    assert_eq!(found.keys().copied().collect::<Vec<_>>(), ["/usr/bin/", "x"]);
    assert!(found.iter().all(|(text, id)| universe.text(*id) == *text));
}

#[test]
fn the_order_of_what_is_offered_does_not_matter() {
    let expected = form();
    let mut offered = candidates();
    offered.extend(candidates());
    for round in 0_u32..50 {
        offered.sort_by_cached_key(|one| Digest::of(format!("{round} {} {}", one.nevra, one.lookaside)));
        offered.rotate_left(round as usize % 5);
        assert_eq!(Universe::new(offered.clone()).unwrap().to_bytes().unwrap(), expected, "{round}");
    }
    // Of two descriptions of one content, the same one counts however they come.
    let one = candidate("a-0:1-1.noarch");
    let other = Candidate { requires: vec![Relation::any("y")], ..one.clone() };
    let both = [vec![one.clone(), other.clone()], vec![other, one]].map(|both| Universe::new(both).unwrap());
    assert_eq!(both[0], both[1]);
}

#[test]
fn two_contents_of_one_name_are_refused() {
    let mut other = candidate("a-0:1-1.noarch");
    other.key = Digest::of("other");
    let offers = [candidate("a-0:1-1.noarch"), other].map(Box::new).map(Offer::Candidate);
    assert!(
        matches!(Universe::of(offers.into()), Err(UniverseError::Different(names)) if names == ["a-0:1-1.noarch"])
    );
}

#[test]
fn the_form_comes_back_and_is_the_only_one() {
    for all in [Vec::new(), vec![candidate("a-0:1-1.noarch")], candidates()] {
        let universe = Universe::new(all).unwrap();
        let encoded = universe.encode().unwrap();
        let plain = universe.to_bytes().unwrap();
        assert_eq!(encoded.digest, Digest::of(&plain));
        assert_eq!(Universe::decode(&encoded.bytes).unwrap(), universe);
        assert_eq!(Universe::from_bytes(&plain).unwrap().to_bytes().unwrap(), plain);
    }
}

#[test]
fn the_form_is_pinned() {
    let mut one = candidate("a-1:2-3.noarch");
    one.requires.push(Relation::versioned("x", Sense::EQUAL, "0:1-1"));
    let bytes = Universe::new(vec![one]).unwrap().to_bytes().unwrap();
    let mut expected = b"gander universe 2\n".to_vec();
    let mut put = |numbers: &[u32], text: &[u8]| {
        numbers.iter().for_each(|number| expected.extend(number.to_le_bytes()));
        expected.extend(text);
    };
    put(&[18, 5, 1], b"");
    put(&[1, 1, 5, 9, 2], "ax0:1-1/var/log/é".as_bytes());
    put(&[0, 1, 1], b"2");
    put(&[1], b"3");
    put(&[6], b"noarch");
    put(&[], Digest::of("a-1:2-3.noarch").as_bytes());
    put(&[], &[0]);
    // One provides, which is new, and the same one required.
    put(&[1, 0, 0, 0], &[8]);
    put(&[1, 1, 0, 0, 0, 0], b"");
    put(&[1, 0, 0], &[2]);
    put(&[0], b"");
    // A change here changes every universe's digest: raise the version in the magic with it.
    assert_eq!(bytes, expected);
}

#[test]
fn a_form_that_is_cut_off_or_goes_on_is_damaged() {
    let whole = form();
    for length in 0..whole.len() {
        match Universe::from_bytes(&whole[..length]) {
            Err(UniverseError::Form) => assert!(length < 18),
            Err(UniverseError::Damaged { at, .. }) => assert!(at <= length, "{at} of {length}"),
            other => panic!("{length}: {other:?}"),
        }
        assert!(Universe::decode(&zstd::encode_all(&whole[..length], 1).unwrap()).is_err());
    }
    let longer = [&whole[..], &[0]].concat();
    assert!(
        matches!(Universe::from_bytes(&longer), Err(UniverseError::Damaged { at, .. }) if at == whole.len())
    );
    let stored = Universe::new(candidates()).unwrap().encode().unwrap().bytes;
    for length in 0..stored.len() {
        assert!(Universe::decode(&stored[..length]).is_err(), "{length}");
    }
    assert!(Universe::decode(b"no zstd").is_err());
}

/// Whatever is taken for a universe is its only form, whatever byte is another one.
#[test]
fn a_form_with_another_byte_is_another_universe_or_none() {
    let whole = form();
    let mut taken = 0;
    for at in 0..whole.len() {
        for byte in
            [0, 1, 2, 3, 4, 6, 9, b'/', b'z', 0x7f, 0x80, 0xff, whole[at] ^ 1, whole[at].wrapping_add(1)]
        {
            let mut bytes = whole.clone();
            bytes[at] = byte;
            if let Ok(universe) = Universe::from_bytes(&bytes) {
                assert_eq!(universe.to_bytes().unwrap(), bytes, "{byte} at {at}");
                let again =
                    Universe::new(universe.members().map(super::Member::to_candidate).collect()).unwrap();
                assert_eq!(again, universe, "{byte} at {at}");
                taken += 1;
            }
        }
    }
    // Keys and epochs may be anything.
    assert!(taken > 1000, "{taken}");
}

/// The form of version 1, and of others.
#[test]
fn other_forms_are_told_apart_from_damage() {
    for text in ["", "{}\n", "{\"gander-universe\":1,\"candidates\":0}\n", "gander universe 3\n"] {
        let stored = zstd::encode_all(text.as_bytes(), 1).unwrap();
        assert!(matches!(Universe::decode(&stored), Err(UniverseError::Form)), "{text}");
    }
}

#[test]
fn promises_and_bombs_take_no_memory() {
    let promise = |counts: [u32; 3], zeros: usize| {
        let mut bytes = b"gander universe 2\n".to_vec();
        counts.iter().for_each(|count| bytes.extend(count.to_le_bytes()));
        bytes.resize(bytes.len() + zeros, 0);
        Universe::decode(&zstd::encode_all(&bytes[..], 1).unwrap())
    };
    // It promises more than what is stored can be.
    for counts in [[u32::MAX, 1, 1], [1, u32::MAX, 1], [1, 1, u32::MAX], [u32::MAX; 3]] {
        let error = promise(counts, 0).unwrap_err();
        assert!(matches!(error, UniverseError::Damaged { at: 18, .. }), "{error}");
    }
    assert!(matches!(promise([1000, 10, 0], 0), Err(UniverseError::Damaged { at: 30, .. })));
    // It has what it promises, which is nothing: the second text is the first one again, the list is too long, …
    for (counts, zeros, place) in [
        ([0, 1_000_000, 0], 12_000_000, 34),
        ([0, 1, 0], 4, 30),
        ([0, 0, 100_000], 12_000_000, 30),
        ([0, 0, 0], 12_000_000, 30),
        ([0, 0, 0], 20_000_000, 16 << 20),
    ] {
        let error = promise(counts, zeros).unwrap_err();
        assert!(matches!(error, UniverseError::Damaged { at, .. } if at == place), "{counts:?}: {error}");
    }
}
