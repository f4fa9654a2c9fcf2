//! Frames of the signer: whatever comes is read as frames or refused, and a request is written as it was read.
#![no_main]

use gander::sign::agent::frame::{Kind, LONGEST, read};
use gander::sign::agent::request::Request;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut rest = bytes;
    while let Ok(Some((kind, content))) = read(&mut rest) {
        assert!(content.len() <= LONGEST);
        if kind == Kind::Request
            && let Ok(request) = serde_json::from_slice::<Request>(&content)
        {
            let again = serde_json::to_vec(&request).unwrap();
            assert_eq!(serde_json::from_slice::<Request>(&again).unwrap(), request);
        }
    }
});
