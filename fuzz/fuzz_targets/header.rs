//! A main header: what is read is what stands there.
#![no_main]

use gander::rpm::{Header, Part};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(header) = Header::parse(Part::Main, bytes) else { return };
    for entry in header.entries() {
        assert_eq!(header.find(entry.tag), Some(entry));
        let length = header.data(entry).len();
        if let Ok(texts) = header.texts(entry.tag) {
            assert_eq!(texts.raw().map(|text| text.len() + 1).sum::<usize>(), length);
        }
        if let Ok(numbers) = header.numbers(entry.tag) {
            assert_eq!(numbers.iter().count(), entry.count as usize);
        }
    }
});
