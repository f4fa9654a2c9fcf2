//! Names and arguments that try to be more than they are.

use gander::hub::{BuildFilter, NewBuild, NewTag, PackageFilter, QueryOptions, RpmKey, TaggedFilter};

use super::world::{ADMIN, World, link, rpm, stamp};

const SQL: &[&str] = &["x'; DROP TABLE tag; --", "' OR '1'='1", "x\" OR 1=1", "%", "\\", "x\0y", "☃", ""];

#[test]
fn texts_stay_texts() {
    let world = World::new();
    world.tags(&["t"], &["a"]);
    world.put_new("t", &["a-1-1"]);
    for text in SQL {
        assert!(
            world.try_change(|write| write.create_tag(&stamp(), text, &NewTag::default())).is_err(),
            "{text}"
        );
        let read = world.hub.read().unwrap();
        assert_eq!(read.tag(&(*text).into(), None, false).unwrap(), None, "{text}");
        assert!(read.tag(&(*text).into(), None, true).unwrap_err().text.starts_with("No such tagInfo: "));
        assert_eq!(read.user(&(*text).into(), false).unwrap(), None);
        assert_eq!(read.rpm(&RpmKey::Nvra(format!("{text}-1-1.noarch")), false).unwrap(), None);
        let filter = TaggedFilter { package: Some(format!("a{text}b")), ..TaggedFilter::default() };
        assert_eq!(read.tagged(1, &filter).unwrap(), []);
        let filter = TaggedFilter { arches: Some(vec![(*text).to_owned()]), ..TaggedFilter::default() };
        assert_eq!(read.tagged_rpms(1, &filter).unwrap().0, []);
        let kind = TaggedFilter { kind: Some((*text).to_owned()), ..TaggedFilter::default() };
        assert!(read.tagged(1, &kind).is_err());
        let options = QueryOptions { order: Some(format!("name{text}x")), ..QueryOptions::default() };
        assert!(read.builds(&BuildFilter::default(), &options).is_err(), "{text}");
        let wild = BuildFilter { prefix: Some(format!("{text}a")), ..BuildFilter::default() };
        let found = read.builds(&wild, &QueryOptions::default()).unwrap().rows().len();
        assert_eq!(found, usize::from(text.is_empty()), "{text}");
    }
    assert_eq!(world.latest("t"), ["a-1-1@t"]);
}

#[test]
fn parts_of_paths_lead_nowhere_else() {
    let world = World::new();
    let new = |name: &str, version: &str, release: &str| {
        NewBuild::new(name, version, release, None, ADMIN, stamp().time)
    };
    for build in [
        new("..", "1", "1"),
        new("a/b", "1", "1"),
        new("a", "..", "1"),
        new("a", "1", "../1"),
        new("a", "", "1"),
    ] {
        assert!(world.try_change(|write| write.create_build(&stamp(), &build)).is_err(), "{build:?}");
    }
    let id = world.build("a-1-1");
    for parts in [
        ["../a", "1", "1", "noarch"],
        ["a", "1", "1", "../x"],
        ["a", "1/2", "1", "noarch"],
        ["a", "1", "1", ""],
    ] {
        assert!(world.try_change(|write| write.import_rpm(&stamp(), &rpm(id, parts))).is_err(), "{parts:?}");
    }
}

#[test]
fn trees_that_grow_without_end_are_given_up() {
    let world = World::new();
    // Every tag inherits the next one twice over, with filters, so that nothing is passed over.
    let names: Vec<_> = (0..40).map(|number| format!("t{number}")).collect();
    for name in &names {
        world.tag(name);
    }
    for (index, pair) in names.windows(3).enumerate() {
        let filter = |priority| gander::hub::LinkChange { pkg_filter: "x".to_owned(), ..link(priority) };
        world.inherit(&pair[0], &pair[1], filter(0));
        if index + 2 < names.len() {
            world.inherit(&pair[0], &pair[2], filter(1));
        }
    }
    let read = world.hub.read().unwrap();
    assert!(read.full_inheritance(1, None).unwrap_err().text.contains("too large"));
    assert!(
        read.packages(&PackageFilter { tag: Some(1), inherited: true, ..PackageFilter::default() }).is_err()
    );
}

#[test]
fn numbers_beyond_all_are_answered() {
    let world = World::new();
    world.tags(&["t"], &["a"]);
    world.put_new("t", &["a-1-1"]);
    let read = world.hub.read().unwrap();
    for number in [i64::MIN, -1, 0, i64::MAX] {
        assert_eq!(read.tag(&number.into(), None, false).unwrap(), None);
        assert_eq!(read.build(&number.into(), false).unwrap(), None);
        assert_eq!(read.event(number, false).unwrap(), None);
        let filter = TaggedFilter { latest: Some(number), ..TaggedFilter::default() };
        assert_eq!(read.tagged(1, &filter).unwrap().len(), usize::from(number > 0));
        let options = QueryOptions { limit: number, offset: number, ..QueryOptions::default() };
        let rows = read.builds(&BuildFilter::default(), &options).unwrap().rows();
        assert_eq!(rows.len(), usize::from(number < 1));
    }
}
