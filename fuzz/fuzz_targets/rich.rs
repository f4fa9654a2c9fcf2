//! Rich dependencies: what is read is written in a way that is read the same.
#![no_main]

use gander::rpm::Rich;
use gander::rpm::dependency::Kind;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let Ok(rich) = Rich::parse(text) else { return assert!(Rich::parse_for(text, Kind::Requires).is_err()) };
    assert_eq!(Rich::parse(&rich.to_string()).as_ref(), Ok(&rich));
});
