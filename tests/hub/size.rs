//! A tag with many builds, and a long history. Says how long things take, and asserts only that they are right. With
//! `GANDER_TEST_HUB_SIZE=full` there are as many as in a distribution: 10,000 builds, 100,000 events.

use std::time::Instant;

use gander::hub::{History, Hub, NewBuild, NewTag, PackageUpdate, QueryOptions, TaggedFilter};

use super::world::{ADMIN, populate, rpm, stamp};

/// Tenths of the full size.
fn tenths() -> i64 {
    if std::env::var("GANDER_TEST_HUB_SIZE").as_deref() == Ok("full") { 10 } else { 1 }
}

const ARCHES: [&str; 6] = ["src", "x86_64", "i686", "noarch", "aarch64", "s390x"];

fn timed<T>(what: &str, act: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let done = act();
    println!("{what}: {:.2} s", start.elapsed().as_secs_f64());
    done
}

#[test]
fn a_tag_with_many_builds_of_6_rpms() {
    let count = 1_000 * tenths();
    let hub = Hub::memory().unwrap();
    populate(&hub);
    timed(&format!("{count} builds with 6 RPMs and 12 signatures each are written"), || {
        let mut write = hub.write().unwrap();
        write.create_tag(&stamp(), "base", &NewTag::default()).unwrap();
        let new = NewTag { parent: Some("base".into()), ..NewTag::default() };
        write.create_tag(&stamp(), "compose", &new).unwrap();
        let update = PackageUpdate { owner: Some(ADMIN.into()), ..PackageUpdate::default() };
        for number in 0..count {
            let name = format!("package-{number}");
            let id = write
                .create_build(&stamp(), &NewBuild::new(&name, "1.0", "1.el9", None, ADMIN, stamp().time));
            let id = id.unwrap();
            write.add_package(&stamp(), &"base".into(), &name.as_str().into(), &update).unwrap();
            for arch in ARCHES {
                let rpm = write.import_rpm(&stamp(), &rpm(id, [&name, "1.0", "1.el9", arch])).unwrap();
                for key in ["", "deadbeef"] {
                    write.add_signature(&stamp(), rpm, key, "00112233445566778899aabbccddeeff").unwrap();
                }
            }
            write.tag_build(&stamp(), &"base".into(), &id.into(), false).unwrap();
        }
        write.commit().unwrap();
    });
    let read = hub.read().unwrap();
    let tag = read.tag_id(&"compose".into()).unwrap();
    let latest = TaggedFilter::latest();
    let (rpms, builds) = timed("listTaggedRPMS", || read.tagged_rpms(tag, &latest).unwrap());
    assert_eq!((rpms.len() as i64, builds.len() as i64), (6 * count, count));
    let sent = timed("the same as XML", || gander::format::xmlrpc::write_answer(&(&rpms, &builds)).unwrap());
    println!("{} bytes", sent.len());
    let signed = TaggedFilter { rpmsigs: true, ..latest };
    let rows =
        timed("listTaggedRPMS with signatures", || read.tagged_rpms(tag, &signed).unwrap().0.len() as i64);
    assert_eq!(rows, 12 * count);
    let then = TaggedFilter { event: Some(count), ..TaggedFilter::latest() };
    let then = timed("listTagged at an event in the middle", || read.tagged(tag, &then).unwrap().len());
    assert!(then > 0 && (then as i64) < count, "{then}");
    let listed = timed("listPackages", || {
        let filter = gander::hub::PackageFilter {
            tag: Some(tag),
            inherited: true,
            ..gander::hub::PackageFilter::default()
        };
        read.packages(&filter).unwrap().len()
    });
    assert_eq!(listed as i64, count);
}

#[test]
fn a_history_of_many_events() {
    let each = 200 * tenths();
    let hub = Hub::memory().unwrap();
    populate(&hub);
    timed(&format!("{} taggings are written", 50 * each), || {
        let mut write = hub.write().unwrap();
        write.create_tag(&stamp(), "t", &NewTag::default()).unwrap();
        for number in 0..50 {
            let name = format!("package-{number}");
            let build = NewBuild::new(&name, "1.0", "1", None, ADMIN, stamp().time);
            let id = write.create_build(&stamp(), &build).unwrap();
            write
                .add_package(
                    &stamp(),
                    &"t".into(),
                    &name.as_str().into(),
                    &PackageUpdate { owner: Some(ADMIN.into()), ..PackageUpdate::default() },
                )
                .unwrap();
            for _ in 0..each {
                write.tag_build(&stamp(), &"t".into(), &id.into(), true).unwrap();
            }
        }
        write.commit().unwrap();
    });
    let read = hub.read().unwrap();
    let last = read.last_event(None, true).unwrap().unwrap().id;
    assert_eq!(last, 102 + 50 * each);
    let now = timed("listTagged now", || read.tagged(1, &TaggedFilter::default()).unwrap().len());
    let middle = TaggedFilter { event: Some(last / 2), ..TaggedFilter::default() };
    let middle = timed("listTagged in the middle", || read.tagged(1, &middle).unwrap().len());
    assert_eq!((now, middle), (50, 25));
    // The last package was tagged `each` times; of the last half of them one more entry ended than began.
    let filter = History { tag: Some("t".into()), after_event: Some(last - each / 2), ..History::default() };
    let rows =
        timed("queryHistory of the last events", || read.history(&filter).unwrap()["tag_listing"].len());
    assert_eq!(rows as i64, each / 2 + 1);
    let change = timed("tagLastChangeEvent", || read.tag_last_change(&"t".into(), None, true).unwrap());
    assert_eq!(change, Some(last));
    let of_package = History { package: Some("package-7".into()), ..History::default() };
    let rows = timed("queryHistory of a package", || read.history(&of_package).unwrap()["tag_listing"].len());
    assert_eq!(rows as i64, each);
    let count = read.tags(None, None, &QueryOptions { count_only: true, ..QueryOptions::default() }).unwrap();
    assert_eq!(count, gander::hub::Listing::Count(1));
}
