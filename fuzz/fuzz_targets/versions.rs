//! Versions: their order is one.
#![no_main]

use std::cmp::Ordering;

use gander::base::Evr;
use gander::base::evr::compare_segments;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|texts: (&str, &str, &str)| {
    let (a, b, c) = texts;
    assert_eq!(compare_segments(a, b), compare_segments(b, a).reverse());
    let sorted = |x: &str, y: &str| compare_segments(x, y) != Ordering::Greater;
    assert!(!sorted(a, b) || !sorted(b, c) || sorted(a, c));
    assert_eq!(Evr::parse(a).cmp(&Evr::parse(a)), Ordering::Equal);
});
