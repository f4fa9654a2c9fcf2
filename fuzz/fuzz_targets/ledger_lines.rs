//! Files of a ledger: lines are read or refused, and what was read is written as it was.
#![no_main]

use gander::sign::ledger::{Line, read};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    for line in bytes.split(|byte| *byte == b'\n') {
        if let Ok(line) = serde_json::from_slice::<Line>(line) {
            let again = serde_json::to_vec(&line).unwrap();
            assert_eq!(serde_json::from_slice::<Line>(&again).unwrap(), line);
        }
    }
    let folder = tempfile::tempdir_in("/dev/shm").unwrap();
    std::fs::write(folder.path().join("000000000001.jsonl"), bytes).unwrap();
    let mut seen = 0;
    let found = read(folder.path(), 1, &[], |line, raw| {
        seen += 1;
        assert_eq!(serde_json::from_slice::<Line>(raw).unwrap(), *line);
    });
    let found = found.unwrap();
    assert!(found.head.count == seen || !found.is_whole());
});
