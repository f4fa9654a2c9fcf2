//! A whole package file: headers, everything that is made of them, and the payload.
#![no_main]

use std::io::Read as _;

use gander::rpm::dependency::Kind;
use gander::rpm::{Headers, Payload};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut rest = bytes;
    let Ok(headers) = Headers::read(&mut rest) else { return };
    drop((headers.scriptlets(), headers.triggers(), headers.digests(), headers.signatures()));
    let Ok(package) = headers.package() else { return };
    for kind in Kind::ALL {
        assert_eq!(package.dependencies(kind).iter().count(), package.dependencies(kind).len());
    }
    assert_eq!(package.files.iter().map(|file| file.path()).count(), package.files.len());
    let Ok(mut payload) = Payload::open(&headers.main, &package.files, rest) else { return };
    let (announced, mut total) = (payload.announced(), 0);
    let mut buffer = [0; 4096];
    while let Ok(Some(_)) = payload.next_member() {
        while let Ok(length) = payload.read(&mut buffer) {
            total += length as u64;
            assert!(total <= announced);
            // What is announced may be petabytes.
            if length == 0 || total > 1 << 24 {
                break;
            }
        }
        if total > 1 << 24 {
            break;
        }
    }
});
