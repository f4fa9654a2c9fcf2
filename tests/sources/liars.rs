//! Hubs whose every word fits the files that they serve, and files that fit no word: what a lock is made of is checked to
//! the last byte.

use std::fs;

use gander::base::Digest;
use gander::base::digest::hex;
use gander::rpm::Headers;

use super::flow::{files, gander, restated};
use super::hub::{Hub, md5, sigkey, signature_header};
use super::sample;
use super::tags::{bench, birds, fingerprint, lock, recipe, signed_path};
use super::world::{signed, signer};

/// Serves this as the signed copy of the goose, and says of it what is true of it.
fn serve(hub: &Hub, copy: &[u8]) {
    fs::write(hub.file(&signed_path("goose", "1")), copy).unwrap();
    let header = signature_header(copy);
    let headers = Headers::read(copy).unwrap();
    let mut koji = hub.koji.lock().unwrap();
    let rpm = &mut koji.builds[0].rpms[0];
    rpm.payloadhash = hex(headers.signature.binary(1004).unwrap().unwrap());
    rpm.copies.insert(sigkey(signer()), (md5(&header), Digest::of(copy).hex()));
}

fn goose() -> Vec<u8> {
    signed(&sample::installable("goose", "1"), signer())
}

/// Such a hub is refused, and the update that failed leaves the lock alone.
fn refused(hub: &Hub, says: &[&str]) {
    let honest = birds();
    let bench = bench(&honest, "");
    lock(&bench).exits(0);
    let before = files(&bench.path("r.lock"));
    recipe(&bench, hub, "", &format!("keys = [\"{}\"]", fingerprint()));
    // What the first store has already need not be had of this hub.
    let mut said = gander(&bench, "other", &["lock", "--update", "r.toml"]).exits(3).says("goose");
    for text in says {
        said = said.says(text);
    }
    assert_eq!(files(&bench.path("r.lock")), before);
}

#[test]
fn a_copy_that_does_not_match_its_checksum_is_refused() {
    // The copy is good, what the hub states is not.
    let hub = birds();
    let stated = Digest::of("another").hex();
    hub.koji.lock().unwrap().builds[0].rpms[0].copies.get_mut(&sigkey(signer())).unwrap().1 = stated.clone();
    refused(&hub, &["goose-1-1.noarch.rpm", "the file is another one: expected", &stated]);
    // What is stated is good, the copy is not: a byte of the payload, one too many, one too few.
    type Change = (fn(&mut Vec<u8>), &'static str);
    let changes: [Change; 3] = [
        (|copy| *copy.last_mut().unwrap() ^= 1, "the package is corrupt"),
        (|copy| copy.push(0), "the package is corrupt"),
        (|copy| copy.truncate(copy.len() - 1), "the package is truncated"),
    ];
    for (change, why) in changes {
        let hub = birds();
        let mut copy = goose();
        change(&mut copy);
        fs::write(hub.file(&signed_path("goose", "1")), &copy).unwrap();
        refused(&hub, &["goose-1-1.noarch.rpm", &Digest::of(goose()).hex()]);
        // A hub that states no digests: what the package says of itself.
        hub.koji.lock().unwrap().version = "1.31.0".into();
        refused(&hub, &["goose-0:1-1.noarch", why]);
    }
}

#[test]
fn a_hub_whose_lies_fit_each_other_is_found_out() {
    // Another payload behind a header that was signed, with nothing unsigned that tells: only the digest in the signed
    // header does.
    let good = goose();
    let spoilt = |bytes: &[u8]| {
        let mut copy = bytes.to_vec();
        *copy.last_mut().unwrap() ^= 1;
        copy
    };
    let hub = birds();
    serve(&hub, &restated(&good, spoilt(&good)));
    refused(&hub, &["the package is corrupt"]);
    // A header that states that payload: no longer the one that was signed.
    let payload = usize::try_from(Headers::read(&good[..]).unwrap().main_range().end).unwrap();
    let mut copy = spoilt(&good);
    let of = |bytes: &[u8]| Digest::of(&bytes[payload..]).hex().into_bytes();
    let (before, after) = (of(&good), of(&copy));
    let place = copy.windows(before.len()).position(|bytes| bytes == before).unwrap();
    copy[place..place + before.len()].copy_from_slice(&after);
    let hub = birds();
    serve(&hub, &restated(&good, copy));
    refused(&hub, &["what it calls one by an accepted key is none"]);
    // The payloadhash that the file states, when that is another one than of what follows.
    let hub = birds();
    serve(&hub, &spoilt(&good));
    refused(&hub, &["the package is corrupt"]);
    // A payloadhash of nothing that is there.
    let hub = birds();
    let none = "0".repeat(32);
    hub.koji.lock().unwrap().builds[0].rpms[0].payloadhash = none.clone();
    refused(&hub, &[&format!("but the hub says that its payloadhash is {none}")]);
    // Sizes: of a package that is to be signed here, the hub's is the file's.
    let hub = birds();
    hub.koji.lock().unwrap().builds[0].rpms[0].size += 1;
    let bench = bench(&hub, "");
    recipe(&bench, &hub, "", "on-unsigned = \"sign\"");
    lock(&bench).exits(3).says("goose-1-1.noarch.rpm");
    assert!(!bench.path("r.lock").exists());
}
