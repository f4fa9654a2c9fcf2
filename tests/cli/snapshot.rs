//! Expected texts, kept as plain files in `snapshots/`.

use super::bench::package_root;

/// Compares a text with `snapshots/NAME`. With `GANDER_UPDATE_SNAPSHOTS=1` it is written instead, and the
/// change is reviewed like any other.
#[track_caller]
pub fn assert_snapshot(name: &str, text: &str) {
    let path = package_root().join("tests/cli/snapshots").join(name);
    if std::env::var_os("GANDER_UPDATE_SNAPSHOTS").is_some_and(|value| value == "1") {
        std::fs::write(&path, text).unwrap();
        return;
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    let first = expected.lines().zip(text.lines()).position(|(old, new)| old != new);
    let first = first.unwrap_or_else(|| expected.lines().count().min(text.lines().count()));
    let line = |text: &str| text.lines().nth(first).unwrap_or("(the end)").to_string();
    assert!(
        expected == text,
        "{name} differs from its snapshot at line {}\n  expected: {}\n  got:      {}\n\
         If the change is wanted, run the test with GANDER_UPDATE_SNAPSHOTS=1 and review the difference.",
        first + 1,
        line(&expected),
        line(text),
    );
}
