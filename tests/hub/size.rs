//! A tag with as many builds as a distribution, and a long history. Says how long things take, and asserts only that
//! they are right.

use std::time::Instant;

use gander::hub::{History, Hub, NewBuild, NewTag, PackageUpdate, QueryOptions, TaggedFilter};

use super::world::{ADMIN, populate, rpm, stamp};

const BUILDS: i64 = 10_000;
const ARCHES: [&str; 6] = ["src", "x86_64", "i686", "noarch", "aarch64", "s390x"];

fn timed<T>(what: &str, act: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let done = act();
    println!("{what}: {:.2} s", start.elapsed().as_secs_f64());
    done
}

#[test]
fn a_tag_with_10_000_builds_and_60_000_rpms() {
    let hub = Hub::memory().unwrap();
    populate(&hub);
    timed("10,000 builds with 60,000 RPMs and 120,000 signatures are written", || {
        let mut write = hub.write().unwrap();
        write.create_tag(&stamp(), "base", &NewTag::default()).unwrap();
        let new = NewTag { parent: Some("base".into()), ..NewTag::default() };
        write.create_tag(&stamp(), "compose", &new).unwrap();
        let update = PackageUpdate { owner: Some(ADMIN.into()), ..PackageUpdate::default() };
        for number in 0..BUILDS {
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
    assert_eq!((rpms.len() as i64, builds.len() as i64), (6 * BUILDS, BUILDS));
    let sent = timed("the same as XML", || gander::format::xmlrpc::write_answer(&(&rpms, &builds)).unwrap());
    println!("{} bytes", sent.len());
    let signed = TaggedFilter { rpmsigs: true, ..latest };
    let rows =
        timed("listTaggedRPMS with signatures", || read.tagged_rpms(tag, &signed).unwrap().0.len() as i64);
    assert_eq!(rows, 12 * BUILDS);
    let then = TaggedFilter { event: Some(BUILDS), ..TaggedFilter::latest() };
    let then = timed("listTagged at an event in the middle", || read.tagged(tag, &then).unwrap().len());
    assert!(then > 1_000 && then < 9_000, "{then}");
    let listed = timed("listPackages", || {
        let filter = gander::hub::PackageFilter {
            tag: Some(tag),
            inherited: true,
            ..gander::hub::PackageFilter::default()
        };
        read.packages(&filter).unwrap().len()
    });
    assert_eq!(listed as i64, BUILDS);
}

#[test]
fn a_history_of_100_000_events() {
    let hub = Hub::memory().unwrap();
    populate(&hub);
    timed("100,000 taggings are written", || {
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
            for _ in 0..2_000 {
                write.tag_build(&stamp(), &"t".into(), &id.into(), true).unwrap();
            }
        }
        write.commit().unwrap();
    });
    let read = hub.read().unwrap();
    let last = read.last_event(None, true).unwrap().unwrap().id;
    assert_eq!(last, 100_102);
    let now = timed("listTagged now", || read.tagged(1, &TaggedFilter::default()).unwrap().len());
    let middle = TaggedFilter { event: Some(last / 2), ..TaggedFilter::default() };
    let middle = timed("listTagged in the middle", || read.tagged(1, &middle).unwrap().len());
    assert_eq!((now, middle), (50, 25));
    let filter = History { tag: Some("t".into()), after_event: Some(last - 1_000), ..History::default() };
    let rows = timed("queryHistory of the last 1,000 events", || {
        read.history(&filter).unwrap()["tag_listing"].len()
    });
    assert_eq!(rows, 1_001);
    let change = timed("tagLastChangeEvent", || read.tag_last_change(&"t".into(), None, true).unwrap());
    assert_eq!(change, Some(last));
    let of_package = History { package: Some("package-7".into()), ..History::default() };
    let rows = timed("queryHistory of a package", || read.history(&of_package).unwrap()["tag_listing"].len());
    assert_eq!(rows, 2_000);
    let count = read.tags(None, None, &QueryOptions { count_only: true, ..QueryOptions::default() }).unwrap();
    assert_eq!(count, gander::hub::Listing::Count(1));
}
