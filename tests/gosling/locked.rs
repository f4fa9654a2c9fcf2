//! The committed lock carries every signature: it composes without a key, and changes not at all.

use std::fs;

use super::folder::Folder;
use super::world::{Order, Place, committed_lock, copy, first, run, say};

#[test]
fn the_committed_lock_composes_without_a_key() {
    let committed = committed_lock();
    let first = first();
    // Whoever made it, made what is made now.
    Folder::contents(&committed).assert_same(&Folder::contents(&first.place.lock()));

    let place = Place::new("locked", Order::Forward);
    copy(&committed, &place.lock(), Order::Forward);
    let before = Folder::read(&place.lock());
    let compose = |mirror| {
        let mut command = place.gander(mirror);
        command.args(place.compose()).args(["--locked", "--jobs", "1"]);
        run(command.env_remove("HOME").env_remove("XDG_CACHE_HOME"))
    };
    let began = std::time::Instant::now();
    let said = compose(Some(&first.mirror)).good();
    let (seconds, steps) = (began.elapsed().as_secs_f64(), said.steps().len());
    say(format_args!("compose --locked from an empty store: {seconds:.1} s, {steps} steps"));
    assert!(!said.err.contains("signed"), "{}", said.err);
    before.assert_same(&Folder::read(&place.lock()));
    Folder::read(&first.place.output()).assert_same(&Folder::read(&place.output()));

    // That it had the means to sign and did not: without one signature there is no compose, though the key
    // follows from the recipe; without --locked that signature is made again, the same.
    let table = place.lock().join("signatures");
    let whole = fs::read_to_string(&table).unwrap();
    for (kind, what) in [("rpm-header", "bash"), ("detached", "repomd.xml"), ("clearsign", "CHECKSUM")] {
        let lines: Vec<_> = whole.lines().collect();
        let at = lines.iter().position(|line| line.starts_with(kind)).unwrap();
        let without: String = lines
            .iter()
            .enumerate()
            .filter(|(line, _)| *line != at)
            .map(|(_, text)| format!("{text}\n"))
            .collect();
        fs::write(&table, &without).unwrap();
        let before = Folder::read(&place.lock());
        let said = compose(None);
        assert_eq!(said.code, Some(3), "{what}: {}", said.all());
        assert!(said.err.contains(kind), "{}", said.err);
        before.assert_same(&Folder::read(&place.lock()));
        let said = run(place.gander(None).arg("--offline").args(place.compose())).good();
        assert!(said.err.contains("signed 1 with key"), "{}", said.err);
        Folder::contents(&committed).assert_same(&Folder::contents(&place.lock()));
    }
    fs::remove_dir_all(place.folder).unwrap();
}
