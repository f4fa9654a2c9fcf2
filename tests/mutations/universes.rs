//! The form in which universes are kept.

use gander::base::Digest;
use gander::select::{Candidate, FileKind, PackagedFile, Relation, Sense, Universe};

use super::mutant::Random;

fn universe() -> Universe {
    let one = |nevra: &str| {
        let mut candidate = Candidate::new(nevra.parse().unwrap(), Digest::of(nevra));
        let version = Relation::versioned("goose", Sense::EQUAL, "1-2");
        candidate.provides = vec![version.clone(), Relation::any("goose(x86-64)")];
        candidate.requires = vec![Relation::any("(a if b)"), Relation::any("/etc/goose"), version];
        let paths = ["/usr/bin/goose", "/etc/goose", "/etc/goose/a"];
        candidate.files = paths.map(|path| PackagedFile(FileKind::File, path.to_owned())).into();
        candidate.not_for = vec!["aarch64".into()];
        candidate
    };
    let mut all = vec![one("goose-0:1-2.x86_64"), one("goose-0:1-2.noarch"), one("pond-1:2-3.noarch")];
    all[0].source = Some("goose-1-2.src.rpm".into());
    all[1].lookaside = true;
    Universe::new(all).unwrap()
}

/// What was stored, mutated behind the compression.
pub fn universes() -> Box<dyn FnMut(u64) -> bool> {
    let whole = zstd::decode_all(&universe().encode().unwrap().bytes[..]).unwrap();
    Box::new(move |seed| {
        let mut random = Random::new(seed);
        let mut bytes = whole.clone();
        for _ in 0..=random.below(3) {
            let place = random.below(bytes.len());
            match random.below(7) {
                0 => bytes.truncate(place.max(1)),
                1 => drop(bytes.remove(place)),
                2 => bytes.insert(place, random.below(256) as u8),
                3 => bytes[place] = random.of(&[0x00, 0x7f, 0x80, 0xff]),
                4 => bytes[place] = random.of(b"/.-az19"),
                _ => bytes[place] = random.below(8) as u8,
            }
            if bytes.is_empty() {
                return false;
            }
        }
        match Universe::decode(&zstd::encode_all(&bytes[..], 1).unwrap()) {
            Ok(universe) => {
                // Nothing but its own form is taken for a universe.
                assert_eq!(universe.encode().unwrap().digest, Digest::of(&bytes));
                let again = universe.members().map(gander::select::Member::to_candidate).collect();
                assert_eq!(Universe::new(again).unwrap(), universe);
                true
            }
            Err(error) => {
                assert!(error.to_string().len() < 1000, "{error}");
                false
            }
        }
    })
}
