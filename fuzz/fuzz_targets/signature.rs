//! A signature header: its packets are found, and it can be edited.
#![no_main]

use gander::rpm::{Header, Part, edit, signature};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(header) = Header::parse(Part::Signature, bytes) else { return };
    drop((signature::packets(&header), signature::legacy_packets(&header)));
    if let Ok(edited) = edit::edit(&header, &[], &[]) {
        assert!(Header::parse(Part::Signature, &edited).is_ok());
    }
});
