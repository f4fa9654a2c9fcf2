//! `kill -9` between the statements of writes: what was committed is there, and nothing half done.

use std::env;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use gander::hub::{
    BuildKey, Hub, NewBuild, NewTag, PackageFilter, QueryOptions, RpmFilter, Stamp, TaggedFilter,
};
use tempfile::TempDir;

use super::world::{ADMIN, populate, rpm, stamp};

const VICTIM: &str = "GANDER_TEST_HUB_VICTIM";
const RPMS: i64 = 20;

/// Imports, signs and tags builds for ever, one transaction each, and says which are committed.
#[test]
fn victim() {
    let Some(folder) = env::var_os(VICTIM) else { return };
    let hub = Hub::open(Path::new(&folder)).unwrap();
    let first = hub.read().unwrap().last_event(None, true).unwrap().unwrap().id;
    for number in first.. {
        let mut write = hub.write().unwrap();
        let version = number.to_string();
        let build = NewBuild::new("a", &version, "1", None, ADMIN, stamp().time);
        let id = write.create_build(&stamp(), &build).unwrap();
        for part in 0..RPMS {
            let name = format!("a-{part}");
            let rpm = write.import_rpm(&stamp(), &rpm(id, [&name, &version, "1", "noarch"])).unwrap();
            write.add_signature(&stamp(), rpm, "", "00112233445566778899aabbccddeeff").unwrap();
        }
        write.tag_build(&Stamp { user: ADMIN, ..stamp() }, &"t".into(), &BuildKey::Id(id), false).unwrap();
        write.commit().unwrap();
        println!("done {id}");
    }
}

/// Starts a victim and kills it after a while. The last build that it said was committed.
fn kill(folder: &Path, after: Duration) -> Option<i64> {
    let mut command = Command::new(env::current_exe().unwrap());
    let command = command.args(["kills::victim", "--exact", "--nocapture", "--test-threads=1"]);
    let mut child = command.env(VICTIM, folder).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let reader = thread::spawn(move || {
        let done = lines.map_while(Result::ok).filter_map(|line| line.strip_prefix("done ")?.parse().ok());
        done.last()
    });
    thread::sleep(after);
    child.kill().unwrap();
    child.wait().unwrap();
    reader.join().unwrap()
}

#[test]
fn nothing_is_half_there_and_nothing_is_lost() {
    let folder = TempDir::new().unwrap();
    let hub = Hub::open(folder.path()).unwrap();
    populate(&hub);
    let mut write = hub.write().unwrap();
    write.create_tag(&stamp(), "t", &NewTag::default()).unwrap();
    write
        .add_package(
            &stamp(),
            &"t".into(),
            &"a".into(),
            &gander::hub::PackageUpdate {
                owner: Some(ADMIN.into()),
                ..gander::hub::PackageUpdate::default()
            },
        )
        .unwrap();
    write.commit().unwrap();
    drop(hub);
    let mut committed = 0;
    for round in 0..25 {
        let said = kill(folder.path(), Duration::from_millis(60 + 7 * round)).unwrap_or_default();
        committed = committed.max(said);
        let hub = Hub::open(folder.path()).unwrap();
        let read = hub.read().unwrap();
        let tagged = read.tagged(1, &TaggedFilter::default()).unwrap();
        let builds =
            read.builds(&gander::hub::BuildFilter::default(), &QueryOptions::default()).unwrap().rows();
        assert_eq!(tagged.len(), builds.len(), "a build that is not tagged is half of a write");
        assert!(
            tagged.iter().map(|build| build.row.build_id).max().unwrap_or_default() >= committed,
            "a build is lost"
        );
        for build in tagged.iter().take(3) {
            let filter = RpmFilter { build: Some(build.row.build_id), ..RpmFilter::default() };
            let rpms = read.rpms(&filter, &QueryOptions::default()).unwrap().rows();
            assert_eq!(rpms.len() as i64, RPMS);
            for rpm in rpms {
                assert_eq!(
                    read.signatures(Some(&rpm.id.into()), None, &QueryOptions::default())
                        .unwrap()
                        .rows()
                        .len(),
                    1
                );
            }
        }
        let events = read.last_event(None, true).unwrap().unwrap().id;
        assert_eq!(events as usize, 3 + 2 * builds.len(), "events of writes that were never committed");
        assert_eq!(
            read.packages(&PackageFilter { tag: Some(1), ..PackageFilter::default() }).unwrap().len(),
            1
        );
    }
    assert!(committed > 0, "every victim was killed before its first write");
    let database = rusqlite::Connection::open(folder.path().join("hub.sqlite")).unwrap();
    let verdict: String = database.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(verdict, "ok");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 5, "database, log, its index, lock, topdir");
}
