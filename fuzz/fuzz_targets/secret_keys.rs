//! Key files: a key that is read can be written and read again, and put to use or refused.
#![no_main]

use gander::sign::Signer as _;
use gander::sign::key::{SecretKey, check};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(key) = SecretKey::parse(bytes, Some(b"secret")) else { return };
    let written = key.protected(None).unwrap();
    let again = SecretKey::parse(&written, None).unwrap();
    assert_eq!(again.certificate().fingerprint(), key.certificate().fingerprint());
    let date = "2026-11-01T00:00:00Z".parse().unwrap();
    drop(check(key.certificate(), date));
    drop(key.signer().and_then(|signer| Ok(signer.sign_detached(b"data", date))));
    drop(key.decrypt(bytes));
});
