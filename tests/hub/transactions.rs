//! Transactions: what readers see, how writers take turns, what is refused when a hub is opened.

use std::fs;
use std::path::Path;
use std::sync::mpsc;
use std::thread;

use gander::hub::{GroupFilter, GroupSettings, Hub, HubError, NewTag, TaggedFilter};
use rusqlite::Connection;
use tempfile::TempDir;

use super::world::{populate, stamp};

fn opened(folder: &TempDir) -> Hub {
    let hub = Hub::open(folder.path()).unwrap();
    populate(&hub);
    hub
}

#[test]
fn what_is_not_committed_never_was() {
    let folder = TempDir::new().unwrap();
    let hub = opened(&folder);
    let mut write = hub.write().unwrap();
    write.create_tag(&stamp(), "t", &NewTag::default()).unwrap();
    assert!(write.tag(&"t".into(), None, false).unwrap().is_some(), "the writer sees it");
    assert_eq!(hub.read().unwrap().tag(&"t".into(), None, false).unwrap(), None, "others do not");
    drop(write);
    assert_eq!(hub.read().unwrap().tag(&"t".into(), None, false).unwrap(), None);
    // A fault in a transaction takes back its own change only.
    let mut write = hub.write().unwrap();
    write.create_tag(&stamp(), "t", &NewTag::default()).unwrap();
    write.create_tag(&stamp(), "t", &NewTag::default()).unwrap_err();
    write
        .create_tag(&stamp(), "u", &NewTag { parent: Some("none".into()), ..NewTag::default() })
        .unwrap_err();
    write.commit().unwrap();
    let again = Hub::open(folder.path()).unwrap();
    let read = again.read().unwrap();
    assert!(read.tag(&"t".into(), None, false).unwrap().is_some());
    assert!(read.tag_id(&"u".into()).is_err(), "not even its name is left");
}

#[test]
fn a_reader_sees_one_state_however_long_it_reads() {
    let folder = TempDir::new().unwrap();
    let hub = opened(&folder);
    let read = hub.read().unwrap();
    let mut write = hub.write().unwrap();
    write.create_tag(&stamp(), "t", &NewTag::default()).unwrap();
    write.commit().unwrap();
    assert_eq!(read.tag(&"t".into(), None, false).unwrap(), None);
    assert_eq!(read.last_event(None, true).unwrap().unwrap().id, 1);
    drop(read);
    assert!(hub.read().unwrap().tag(&"t".into(), None, false).unwrap().is_some());
}

#[test]
fn writers_take_turns_in_and_between_hubs() {
    const EACH: usize = 25;
    let folder = TempDir::new().unwrap();
    drop(opened(&folder));
    // Two of the same folder are as two processes: the lock is one of files.
    let hubs = [Hub::open(folder.path()).unwrap(), Hub::open(folder.path()).unwrap()];
    thread::scope(|scope| {
        for (number, hub) in hubs.iter().enumerate() {
            for thread in 0..2 {
                scope.spawn(move || {
                    for count in 0..EACH {
                        let mut write = hub.write().unwrap();
                        let name = format!("t-{number}-{thread}-{count}");
                        write.create_tag(&stamp(), &name, &NewTag::default()).unwrap();
                        write.commit().unwrap();
                        drop(hub.read().unwrap().tagged(1, &TaggedFilter::default()).unwrap());
                    }
                });
            }
        }
    });
    let read = hubs[0].read().unwrap();
    let all = read.tags(None, None, &gander::hub::QueryOptions::default()).unwrap().rows();
    assert_eq!(all.len(), 4 * EACH);
    // Events have no gaps: nobody took one twice, nobody lost one.
    assert_eq!(read.last_event(None, true).unwrap().unwrap().id as usize, 1 + 4 * EACH);
}

#[test]
fn a_thread_that_dies_in_a_transaction_leaves_nothing() {
    let folder = TempDir::new().unwrap();
    for hub in [opened(&folder), {
        let hub = Hub::memory().unwrap();
        populate(&hub);
        hub
    }] {
        let died = thread::scope(|scope| {
            let thread = scope.spawn(|| {
                let mut write = hub.write().unwrap();
                write.create_tag(&stamp(), "t", &NewTag::default()).unwrap();
                panic!("on purpose");
            });
            thread.join().is_err()
        });
        assert!(died);
        assert_eq!(hub.read().unwrap().tag(&"t".into(), None, false).unwrap(), None);
        let mut write = hub.write().unwrap();
        write.create_tag(&stamp(), "t", &NewTag::default()).unwrap();
        write.commit().unwrap();
        assert_eq!(hub.read().unwrap().last_event(None, true).unwrap().unwrap().id, 2);
    }
}

#[test]
fn many_open_a_fresh_folder_at_once() {
    let folder = TempDir::new().unwrap();
    let (sender, receiver) = mpsc::channel();
    thread::scope(|scope| {
        for _ in 0..8 {
            let (sender, path) = (sender.clone(), folder.path().join("hub"));
            scope.spawn(move || {
                sender.send(Hub::open(&path).map(drop).map_err(|error| error.to_string())).unwrap();
            });
        }
    });
    drop(sender);
    assert_eq!(receiver.iter().collect::<Result<Vec<_>, _>>().map(|all| all.len()), Ok(8));
}

fn refused(folder: &Path) -> HubError {
    Hub::open(folder).map(drop).unwrap_err()
}

#[test]
fn a_hub_of_the_first_version_gets_what_it_lacks() {
    let folder = TempDir::new().unwrap();
    drop(opened(&folder));
    let path = folder.path().join("hub.sqlite");
    let first = Connection::open(&path).unwrap();
    for table in ["group_config", "group_req_listing", "group_package_listing", "groups", "sessions"] {
        first.execute_batch(&format!("DROP TABLE {table}")).unwrap();
    }
    first.execute("DELETE FROM sequence WHERE name = 'session'", []).unwrap();
    first.pragma_update(None, "user_version", 1).unwrap();
    drop(first);
    let hub = Hub::open(folder.path()).unwrap();
    let mut write = hub.write().unwrap();
    write.create_tag(&stamp(), "t", &NewTag::default()).unwrap();
    write.add_group(&stamp(), &"t".into(), &"core".into(), false, false, GroupSettings::new()).unwrap();
    write.commit().unwrap();
    let again = Hub::open(folder.path()).unwrap();
    let groups = again.read().unwrap().tag_groups(&"t".into(), &GroupFilter::default()).unwrap();
    assert_eq!(groups.len(), 1);
}

#[test]
fn what_is_no_hub_of_this_version_is_left_alone() {
    let folder = TempDir::new().unwrap();
    drop(opened(&folder));
    let path = folder.path().join("hub.sqlite");
    Connection::open(&path).unwrap().pragma_update(None, "user_version", 3).unwrap();
    assert!(matches!(refused(folder.path()), HubError::Newer { found: 3, known: 2, .. }));
    for suffix in ["", "-wal", "-shm"] {
        fs::remove_file(folder.path().join(format!("hub.sqlite{suffix}"))).ok();
    }
    Connection::open(&path).unwrap().execute_batch("CREATE TABLE theirs (x)").unwrap();
    let before = fs::read(&path).unwrap();
    assert!(matches!(refused(folder.path()), HubError::Foreign(_)));
    assert_eq!(fs::read(&path).unwrap(), before);
    fs::write(&path, "no database at all, but long enough to be looked at as one").unwrap();
    assert!(matches!(refused(folder.path()), HubError::Foreign(_)));
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert!(matches!(refused(folder.path()), HubError::Database { .. }));
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    assert!(matches!(refused(&file), HubError::Folder { .. }));
}
