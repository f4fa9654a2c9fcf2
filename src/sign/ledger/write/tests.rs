use std::sync::{Arc, Mutex};

use super::*;

fn now() -> SourceDate {
    "2026-11-23T12:00:00Z".parse().unwrap()
}

type Kept = Arc<Mutex<Head>>;

fn open(folder: &Path, kept: &Kept, rotate_at: u64) -> Result<Ledger, LedgerError> {
    let known = *kept.lock().unwrap();
    let copy = kept.clone();
    let keep: Keep = Box::new(move |head| {
        *copy.lock().unwrap() = head;
        Ok(())
    });
    Ledger::open(folder, Some(known), now(), rotate_at, keep)
}

fn entry(number: usize) -> Entry {
    Entry { user: Some(format!("user{number}")), ..Entry::new(Event::Signature, now()) }
}

/// Some 30 entries in several files.
fn filled(folder: &Path) -> Kept {
    let kept = Arc::new(Mutex::new(Head::EMPTY));
    let ledger = open(folder, &kept, 1500).unwrap();
    for number in 0..30 {
        assert_eq!(ledger.record(entry(number)).wait().unwrap().count, number as u64 + 1);
    }
    assert!(files(folder).unwrap().len() > 2);
    kept
}

fn check(folder: &Path, kept: &Kept) -> Vec<Problem> {
    read(folder, 1, &[Noted::Head(*kept.lock().unwrap())], |_, _| {}).unwrap().problems
}

fn lines(path: &Path) -> Vec<String> {
    fs::read_to_string(path).unwrap().lines().map(String::from).collect()
}

fn store(path: &Path, lines: &[String]) {
    fs::write(path, lines.iter().map(|line| format!("{line}\n")).collect::<String>()).unwrap();
}

#[test]
fn what_was_written_is_read_and_goes_on_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let kept = filled(folder.path());
    assert_eq!(check(folder.path(), &kept), []);
    let ledger = open(folder.path(), &kept, 1500).unwrap();
    assert_eq!(ledger.record(entry(30)).wait().unwrap().count, 31);
    let mut users = Vec::new();
    let head = *kept.lock().unwrap();
    let found =
        read(folder.path(), 1, &[Noted::Hash(head.hash)], |line, _| users.push(line.entry.user.clone()));
    assert_eq!((found.unwrap().problems, users.len()), (vec![], 31));
    assert_eq!(users[7], Some("user7".into()));
}

#[test]
fn entries_of_many_threads_are_all_there() {
    let folder = tempfile::tempdir().unwrap();
    let kept = Arc::new(Mutex::new(Head::EMPTY));
    let ledger = open(folder.path(), &kept, ROTATE_AT).unwrap();
    thread::scope(|scope| {
        for thread in 0..8 {
            let ledger = &ledger;
            scope.spawn(move || {
                for number in 0..50 {
                    ledger.record(entry(thread * 100 + number)).wait().unwrap();
                }
            });
        }
    });
    assert_eq!((check(folder.path(), &kept), kept.lock().unwrap().count), (vec![], 400));
}

#[test]
fn every_tampering_is_found() {
    // What is done to the lines of a file, and to which file: 0 the first, 1 one in the middle, 2 the last.
    type Change = fn(&mut Vec<String>);
    let changes: [(&str, Change); 7] = [
        ("changed", |lines| lines[1] = lines[1].replace("user", "User")),
        ("removed", |lines| drop(lines.remove(1))),
        ("first removed", |lines| drop(lines.remove(0))),
        ("doubled", |lines| lines.insert(1, lines[1].clone())),
        ("swapped", |lines| lines.swap(0, 1)),
        ("inserted", |lines| lines.insert(1, "{}".into())),
        ("cut", |lines| drop(lines.pop())),
    ];
    for (name, change) in changes {
        for place in 0..3 {
            let folder = tempfile::tempdir().unwrap();
            let kept = filled(folder.path());
            let all = files(folder.path()).unwrap();
            let (_, path) = &all[[0, all.len() / 2, all.len() - 1][place]];
            let mut text = lines(path);
            if text.len() < 2 {
                continue;
            }
            change(&mut text);
            store(path, &text);
            assert!(!check(folder.path(), &kept).is_empty(), "{name} in file {place} is not seen");
        }
    }
    for place in 0..3 {
        let folder = tempfile::tempdir().unwrap();
        let kept = filled(folder.path());
        fs::remove_file(&files(folder.path()).unwrap()[place].1).unwrap();
        assert!(!check(folder.path(), &kept).is_empty(), "file {place} is not missed");
    }
}

#[test]
fn any_bit_that_flips_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let kept = filled(folder.path());
    let (_, path) = files(folder.path()).unwrap().remove(1);
    let whole = fs::read(&path).unwrap();
    for at in (0..whole.len() * 8).step_by(7) {
        let mut bytes = whole.clone();
        bytes[at / 8] ^= 1 << (at % 8);
        fs::write(&path, &bytes).unwrap();
        assert!(!check(folder.path(), &kept).is_empty(), "bit {at} of {}", whole.len() * 8);
    }
}

#[test]
fn a_cut_end_stops_the_next_start_and_half_a_line_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let kept = filled(folder.path());
    let (_, path) = files(folder.path()).unwrap().pop().unwrap();
    let whole = fs::read(&path).unwrap();
    let mut torn = whole.clone();
    torn.extend_from_slice(b"{\"seq\":31,\"prev\":\"00");
    fs::write(&path, &torn).unwrap();
    assert!(matches!(check(folder.path(), &kept)[..], [Problem::Torn { bytes: 20, .. }]));
    drop(open(folder.path(), &kept, ROTATE_AT).unwrap());
    assert_eq!(check(folder.path(), &kept), []);
    let last = lines(&path).pop().unwrap();
    assert!(last.contains("recovery") && last.contains(r#"{\"seq\":31,\"prev\":\"00"#), "{last}");

    let mut short = lines(&path);
    short.pop();
    store(&path, &short);
    let error = open(folder.path(), &kept, ROTATE_AT).unwrap_err();
    assert!(matches!(error, LedgerError::Changed(Problem::Cut { found: 30, noted: 31 })), "{error}");
    // Cut within the last line, it looks like half a line, but that one was known to be written.
    fs::write(&path, &whole[..whole.len() - 3]).unwrap();
    assert!(matches!(open(folder.path(), &kept, ROTATE_AT), Err(LedgerError::Changed(_))));
}

#[test]
fn a_head_that_cannot_be_kept_keeps_signatures_back() {
    let folder = tempfile::tempdir().unwrap();
    let keep: Keep = Box::new(|_| Err("the database is full".into()));
    let ledger = Ledger::open(folder.path(), None, now(), ROTATE_AT, keep).unwrap();
    assert!(matches!(ledger.record(entry(1)).wait(), Err(LedgerError::Write(_))));
}

#[test]
fn an_entry_that_is_too_long_fails_alone() {
    let folder = tempfile::tempdir().unwrap();
    let kept = Arc::new(Mutex::new(Head::EMPTY));
    let ledger = open(folder.path(), &kept, ROTATE_AT).unwrap();
    let long = Entry { detail: Some("x".repeat(LONGEST_LINE)), ..entry(1) };
    assert!(matches!(ledger.record(long).wait(), Err(LedgerError::Long)));
    assert_eq!(ledger.record(entry(2)).wait().unwrap().count, 1);
    assert_eq!(check(folder.path(), &kept), []);
}
