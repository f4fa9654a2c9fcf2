//! Packages with flipped bits and cut ends: an answer or an error, never a panic, never more memory
//! than the file warrants.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod sample;

use gander::rpm::signature::{self, Item};
use gander::rpm::{Headers, identify};

/// Marsaglia's xorshift: the same mutations each time.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end as u64) as usize
    }
}

#[test]
fn mutations_never_panic() {
    let whole = sample::package();
    let base = Headers::read(&whole[..]).unwrap();
    let packet = gander::sign::demonstration("goose", "2026-11-01T00:00:00Z".parse().unwrap(), "Goose Linux")
        .and_then(|signer| {
            use gander::sign::Signer as _;
            Ok(signer.sign_detached(base.main.bytes(), "2026-11-01T00:00:00Z".parse().unwrap())?)
        })
        .unwrap();
    let item = Item::for_packet(&packet).unwrap();
    // Mutations belong where the structure is, so the reserve and the payload are made short.
    let small = {
        let removed = [1008];
        let header = signature::edit(&base.signature, &removed, &[]).unwrap();
        let mut bytes = Vec::new();
        signature::splice(&whole[..], &header, &mut bytes).unwrap();
        bytes
    };
    let headers = Headers::read(&small[..]).unwrap().main_range().end as usize;
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let (mut whole_ones, mut readable, mut errors) = (0, 0, 0);
    for round in 0..24_000 {
        let mut bytes = small.clone();
        for _ in 0..1 + random.below(4) {
            // Index entries count most: types, offsets and counts are big-endian words.
            let place = random.below(headers);
            match random.below(4) {
                0 => bytes[place] ^= 1 << random.below(8),
                1 => bytes[place] = random.below(256) as u8,
                2 => bytes[place] = [0, 0x7f, 0x80, 0xff][random.below(4)],
                _ => {
                    let other = random.below(headers);
                    bytes.swap(place, other);
                }
            }
        }
        if round % 5 == 0 {
            bytes.truncate(random.below(bytes.len()));
        }
        match Headers::read(&bytes[..]) {
            Ok(parsed) => {
                readable += 1;
                if let Ok(header) = signature::edit(&parsed.signature, &[], std::slice::from_ref(&item)) {
                    let mut signed = Vec::new();
                    signature::splice(&bytes[..], &header, &mut signed).unwrap();
                    Headers::read(&signed[..]).unwrap();
                }
                drop(signature::packets(&parsed.signature));
                match parsed.package() {
                    Ok(package) => {
                        let paths: usize = package.files.iter().map(|file| file.path().len()).sum();
                        assert!(paths <= 4096 * bytes.len(), "paths out of proportion");
                    }
                    Err(error) => assert!(!error.to_string().is_empty()),
                }
                whole_ones += usize::from(identify(&bytes[..]).is_ok());
            }
            Err(error) => {
                errors += 1;
                assert!(!error.to_string().is_empty());
            }
        }
    }
    println!("{readable} readable, {whole_ones} of them whole; {errors} refused");
    // The mutations must reach what they are to test.
    assert!(readable > 3_000 && errors > 9_000, "{readable} {errors}");
    assert!(whole_ones < readable, "no mutation was noticed");
}

#[test]
fn claims_of_size_cost_nothing() {
    // 256 MiB claimed, 32 bytes there.
    let mut bytes = sample::package();
    let start = Headers::read(&bytes[..]).unwrap().main_range().start as usize;
    bytes.truncate(start + 32);
    bytes[start + 12..start + 16].copy_from_slice(&0x0fff_ffff_u32.to_be_bytes());
    let error = Headers::read(&bytes[..]).unwrap_err();
    assert_eq!(error.to_string(), "the file is truncated: it ends inside its main header");
}
