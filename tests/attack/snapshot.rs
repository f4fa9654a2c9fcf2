//! Expected messages, kept as plain files in `snapshots/`.

use std::path::Path;

/// Compares a text with `snapshots/NAME`. With `GANDER_UPDATE_SNAPSHOTS=1` it is written instead, and the change
/// is reviewed like any other.
#[track_caller]
pub fn assert_snapshot(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/attack/snapshots").join(name);
    if std::env::var_os("GANDER_UPDATE_SNAPSHOTS").is_some_and(|value| value == "1") {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        return;
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        expected == text,
        "{name} differs from its snapshot\n--- expected\n{expected}\n--- got\n{text}\n---\nIf the change is wanted, \
         run the test with GANDER_UPDATE_SNAPSHOTS=1 and review the difference."
    );
}
