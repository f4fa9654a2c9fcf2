//! Packages with flipped bits and cut ends: an answer or an error, never a panic, never more memory
//! than the file warrants.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod sample;

use gander::openpgp::Judgement;
use gander::rpm::signature::{self, Item};
use gander::rpm::verify::{Requirements, verify};
use gander::rpm::{Header, Headers, Part, edit, identify};
use gander::sign::Signer as _;

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
        let header = edit::edit(&base.signature, &removed, &[]).unwrap();
        let mut bytes = Vec::new();
        edit::splice(&whole[..], &header, &mut bytes).unwrap();
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
                if let Ok(header) = edit::edit(&parsed.signature, &[], std::slice::from_ref(&item)) {
                    let mut signed = Vec::new();
                    edit::splice(&bytes[..], &header, &mut signed).unwrap();
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

/// A mutation at one place, or a few close to it.
fn mutate(bytes: &mut [u8], place: usize, random: &mut Random) {
    match random.below(3) {
        0 => bytes[place] ^= 1 << random.below(8),
        1 => bytes[place] = random.below(256) as u8,
        _ => {
            for byte in bytes.iter_mut().skip(place).take(1 + random.below(8)) {
                *byte = random.below(256) as u8;
            }
        }
    }
}

#[test]
fn no_mutation_of_what_is_signed_passes() {
    let date = "2026-11-01T00:00:00Z".parse().unwrap();
    let signer = gander::sign::demonstration("goose", date, "Goose Linux").unwrap();
    let certificates = [signer.certificate().clone()];
    let whole = sample::package();
    let headers = Headers::read(&whole[..]).unwrap();
    let packet = signer.sign_detached(headers.main.bytes(), date).unwrap();
    let signed = {
        // Both places of a signature, and a short reserve, so that mutations meet what counts.
        let how = edit::How { replace: false, rpmv6: true };
        let header = edit::sign(&headers, &packet, how).unwrap();
        let header = edit::edit(&Header::parse(Part::Signature, &header).unwrap(), &[1008], &[]).unwrap();
        let mut bytes = Vec::new();
        edit::splice(&whole[..], &header, &mut bytes).unwrap();
        bytes
    };
    let good = |bytes: &[u8]| {
        verify(bytes, Some(&certificates), Judgement::default())
            .is_ok_and(|found| found.problems(Requirements::default()).is_empty())
    };
    assert!(good(&signed));
    let start = Headers::read(&signed[..]).unwrap().main_range().start as usize;
    let mut random = Random(0x2545_f491_4f6c_dd1d);
    let (mut outside, mut readable, mut signed_again) = (0, 0, 0);
    for round in 0..6_000 {
        let mut bytes = signed.clone();
        let inside = round % 2 == 0;
        let place = if inside { start + random.below(signed.len() - start) } else { random.below(start) };
        mutate(&mut bytes, place, &mut random);
        if bytes == signed {
            continue;
        }
        if inside || bytes[start..] != signed[start..] {
            assert!(!good(&bytes), "round {round}: what is signed was changed at {place}");
        } else {
            // The lead, the reserve and a packet's unhashed area are not signed.
            outside += usize::from(good(&bytes));
        }
        if let Ok(parsed) = Headers::read(&bytes[..]) {
            readable += 1;
            let how = edit::How { replace: true, rpmv6: true };
            if let Ok(header) = edit::sign(&parsed, &packet, how) {
                signed_again += 1;
                Header::parse(Part::Signature, &header).unwrap();
            }
            drop(edit::adopt(&headers, parsed.signature.bytes()));
        }
    }
    println!(
        "{readable} readable, {signed_again} signed again; {outside} good though changed where nothing is signed"
    );
    assert!(readable > 3_000 && signed_again > 500 && outside < 1_000, "{readable} {signed_again} {outside}");
    for length in 0..signed.len() {
        assert!(!good(&signed[..length]), "{length} bytes");
    }
    assert!(!good(&[&signed[..], b"x"].concat()), "more behind it");
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
