//! The rules of a Koji hub, each in a case that a wrong rule fails.

use std::collections::BTreeMap;

use gander::hub::{
    BuildState, History, Json, LinkChange, NewBuild, NewTag, PackageUpdate, QueryOptions, RpmKey, Snapshot,
    Stamp, TagConfig, TagEdit, TaggedFilter,
};
use serde_json::json;

use super::world::{ADMIN, PACKAGER, World, link, rpm, stamp};

#[test]
fn the_latest_build_is_the_one_that_was_tagged_last() {
    let world = World::new();
    world.tags(&["t"], &["a"]);
    for nvr in ["a-1-1", "a-10-1", "a-2-1"] {
        world.build(nvr);
    }
    // Neither the highest version nor the highest id nor the oldest tagging.
    for nvr in ["a-2-1", "a-10-1", "a-1-1"] {
        world.put("t", nvr);
    }
    assert_eq!(world.latest("t"), ["a-1-1@t"]);
    assert_eq!(world.all("t"), ["a-1-1@t", "a-10-1@t", "a-2-1@t"]);
    let two = TaggedFilter { latest: Some(2), ..TaggedFilter::default() };
    assert_eq!(world.tagged("t", two), ["a-1-1@t", "a-10-1@t"]);
    // Tagged again by force, the oldest is the latest.
    assert!(
        world.try_change(|write| write.tag_build(&stamp(), &"t".into(), &"a-2-1".into(), false)).is_err()
    );
    world.change(|write| write.tag_build(&stamp(), &"t".into(), &"a-2-1".into(), true));
    assert_eq!(world.latest("t"), ["a-2-1@t"]);
    world.change(|write| write.untag_build(&stamp(), &"t".into(), &"a-2-1".into(), true, false));
    assert_eq!(world.latest("t"), ["a-1-1@t"]);
}

#[test]
fn of_builds_tagged_at_one_event_the_one_with_the_highest_id_comes_first() {
    let world = World::new();
    world.tags(&["t"], &["a"]);
    world.build("a-1-1");
    world.build("a-2-1");
    let together = Stamp { event: Some(world.event() + 1), ..stamp() };
    for nvr in ["a-2-1", "a-1-1"] {
        world.change(|write| write.tag_build(&together, &"t".into(), &nvr.into(), false));
    }
    assert_eq!(world.all("t"), ["a-2-1@t", "a-1-1@t"]);
}

#[test]
fn the_first_tag_with_a_build_of_a_package_wins() {
    let world = World::new();
    world.tags(&["compose", "updates", "override", "base"], &["a", "b"]);
    world.inherit("compose", "override", link(10));
    world.inherit("compose", "updates", link(0));
    world.inherit("updates", "base", link(0));
    assert_eq!(world.ancestors("compose"), ["updates", "base", "override"], "depth first, by priority");
    world.put_new("base", &["a-1-1", "b-1-1"]);
    world.put_new("override", &["a-3-1", "b-3-1"]);
    // The grandparent wins over the parent that comes later, whenever they were tagged.
    assert_eq!(world.latest("compose"), ["b-1-1@base", "a-1-1@base"]);
    world.put_new("updates", &["a-2-1"]);
    assert_eq!(world.latest("compose"), ["a-2-1@updates", "b-1-1@base"]);
    // A build in two tags is listed twice, and counts twice.
    world.put("compose", "a-1-1");
    let two = TaggedFilter { latest: Some(2), package: Some("a".to_owned()), ..TaggedFilter::latest() };
    assert_eq!(world.tagged("compose", two.clone()), ["a-1-1@compose", "a-2-1@updates"]);
    let three = TaggedFilter { latest: Some(3), ..two };
    assert_eq!(world.tagged("compose", three), ["a-1-1@compose", "a-2-1@updates", "a-1-1@base"]);
    // Its RPMs are listed once.
    let read = world.hub.read().unwrap();
    let all = TaggedFilter { inherit: true, package: Some("a".to_owned()), ..TaggedFilter::default() };
    let (rpms, builds) = read.tagged_rpms(read.tag_id(&"compose".into()).unwrap(), &all).unwrap();
    assert_eq!((rpms.len(), builds.len()), (6, 4));
}

#[test]
fn an_event_shows_what_was_then() {
    let world = World::new();
    world.tags(&["t", "base"], &["a"]);
    world.inherit("t", "base", link(0));
    world.put_new("base", &["a-1-1"]);
    let first = world.event();
    world.put_new("base", &["a-2-1"]);
    let second = world.event();
    world.change(|write| write.untag_build(&stamp(), &"base".into(), &"a-2-1".into(), true, false));
    let untagged = world.event();
    assert_eq!(world.latest_at("t", first - 1), [""; 0]);
    assert_eq!(world.latest_at("t", first), ["a-1-1@base"], "in force at its event");
    assert_eq!(world.latest_at("t", second - 1), ["a-1-1@base"]);
    assert_eq!(world.latest_at("t", second), ["a-2-1@base"]);
    assert_eq!(world.latest_at("t", untagged), ["a-1-1@base"], "not any more at the event that ends it");
    assert_eq!(world.latest_at("t", i64::MAX), ["a-1-1@base"], "beyond the last event is now");
    // Links, package lists and arches are what they were, too.
    let remove = LinkChange { delete: true, ..link(0) };
    world.inherit("t", "base", remove);
    world.change(|write| write.remove_package(&stamp(), &"base".into(), &"a".into()));
    let arches = Some(Some("aarch64".to_owned()));
    world.change(|write| {
        write.edit_tag(&stamp(), &"t".into(), &TagEdit { arches, locked: Some(true), ..TagEdit::default() })
    });
    assert_eq!(world.latest("t"), [""; 0]);
    assert_eq!(world.latest_at("t", second), ["a-2-1@base"]);
    let read = world.hub.read().unwrap();
    let (then, now) = (Some(second), None);
    let tag = |event| read.tag(&"t".into(), event, true).unwrap().unwrap().row;
    assert_eq!((tag(then).arches.as_deref(), tag(then).locked), (Some("x86_64"), false));
    assert_eq!((tag(now).arches.as_deref(), tag(now).locked), (Some("aarch64"), true));
}

#[test]
fn some_things_are_as_now_at_every_event() {
    let world = World::new();
    world.tags(&["t"], &["a"]);
    world.put_new("t", &["a-1-1", "a-2-1"]);
    let then = world.event();
    world.change(|write| write.untag_build(&stamp(), &"t".into(), &"a-2-1".into(), true, false));
    assert_eq!(world.latest_at("t", then), ["a-2-1@t"]);
    assert!(world.change(|write| write.delete_build(&stamp(), &"a-2-1".into())));
    assert_eq!(world.latest_at("t", then), ["a-1-1@t"], "a deleted build is missing in the past");
    assert!(!world.change(|write| write.delete_build(&stamp(), &"a-2-1".into())), "it is deleted already");
    // A name holds for the past, the old one for nothing.
    let name = Some("u".to_owned());
    world.change(|write| write.edit_tag(&stamp(), &"t".into(), &TagEdit { name, ..TagEdit::default() }));
    assert_eq!(world.latest_at("u", then), ["a-1-1@u"]);
    let read = world.hub.read().unwrap();
    assert_eq!(read.tag(&"t".into(), Some(then), false).unwrap(), None);
    let rpms = read.tagged_rpms(1, &TaggedFilter { event: Some(then), ..TaggedFilter::latest() }).unwrap().0;
    assert_eq!(rpms.len(), 2);
}

#[test]
fn depths_are_counted_behind_the_parent() {
    let world = World::new();
    world.tags(&["t", "a", "b", "c", "d"], &[]);
    for (tag, parent) in [("a", "b"), ("b", "c"), ("c", "d")] {
        world.inherit(tag, parent, link(0));
    }
    let limited = |depth| LinkChange { maxdepth: Some(depth), ..link(0) };
    for (depth, wanted) in
        [(0, &["a"][..]), (1, &["a", "b"]), (2, &["a", "b", "c"]), (9, &["a", "b", "c", "d"])]
    {
        world.inherit("t", "a", limited(depth));
        assert_eq!(world.ancestors("t"), wanted, "maxdepth {depth}");
    }
    // Nested: the smaller of both, less one.
    world.inherit("t", "a", limited(5));
    world.inherit("a", "b", limited(2));
    assert_eq!(world.ancestors("t"), ["a", "b", "c"]);
    assert_eq!(world.ancestors("a"), ["b", "c", "d"]);
}

#[test]
fn intransitive_links_are_followed_from_their_tag_only() {
    let world = World::new();
    world.tags(&["t", "a", "b", "c"], &[]);
    world.inherit("t", "a", link(0));
    world.inherit("a", "b", LinkChange { intransitive: true, ..link(0) });
    world.inherit("b", "c", link(0));
    assert_eq!(world.ancestors("t"), ["a"]);
    assert_eq!(world.ancestors("a"), ["b", "c"]);
    let read = world.hub.read().unwrap();
    let tag = |name: &str| read.tag_id(&name.into()).unwrap();
    let down = |name| serde_json::to_value(read.descendants(tag(name), None).unwrap()).unwrap();
    let names: Vec<_> = down("c").as_array().unwrap().iter().map(|row| row["name"].clone()).collect();
    assert_eq!(names, ["b", "a"], "an intransitive link ends the way back");
}

#[test]
fn a_tag_is_listed_again_where_an_earlier_row_does_not_suffice() {
    let world = World::new();
    world.tags(&["t", "a", "b", "base"], &["p"]);
    world.inherit("a", "base", link(0));
    world.inherit("b", "base", link(0));
    world.inherit("t", "a", link(0));
    world.inherit("t", "b", link(1));
    assert_eq!(world.ancestors("t"), ["a", "base", "b"], "once is enough");
    world.inherit("t", "a", LinkChange { pkg_filter: "x".to_owned(), ..link(0) });
    assert_eq!(world.ancestors("t"), ["a", "base", "b", "base"], "the first row has a filter");
    world.put_new("base", &["p-1-1"]);
    assert_eq!(world.all("t"), ["p-1-1@base", "p-1-1@base"], "its builds are listed again");
    world.inherit("t", "a", LinkChange { maxdepth: Some(1), ..link(0) });
    assert_eq!(world.ancestors("t"), ["a", "base", "b", "base"], "the first row reaches less deep");
    world.inherit("t", "a", link(0));
    world.inherit("a", "base", LinkChange { noconfig: true, ..link(0) });
    assert_eq!(world.ancestors("t"), ["a", "base", "b", "base"], "the first row gives no configuration");
    world.inherit("t", "a", LinkChange { noconfig: true, ..link(0) });
    assert_eq!(world.ancestors("t"), ["a", "base", "b"], "nor does what comes after a link without");
    // Loops are passed over.
    world.inherit("base", "t", link(0));
    assert_eq!(world.ancestors("t"), ["a", "base", "b"]);
}

#[test]
fn filters_are_for_package_lists_from_the_beginning_of_names() {
    let world = World::new();
    world.tags(&["t", "a", "base"], &["lib", "lib-x", "my-lib", "tool"]);
    world.inherit("a", "base", link(0));
    world.inherit("t", "a", LinkChange { pkg_filter: "lib".to_owned(), ..link(0) });
    assert_eq!(world.packages("t"), ["lib", "lib-x"], "neither in the middle nor to the end");
    world.inherit("a", "base", LinkChange { pkg_filter: ".*-x|tool".to_owned(), ..link(0) });
    assert_eq!(world.packages("a"), ["lib-x", "tool"]);
    assert_eq!(world.packages("t"), ["lib-x"], "all filters on the way");
    world.inherit("t", "a", LinkChange { pkg_filter: r"lib\Z".to_owned(), ..link(0) });
    world.inherit("a", "base", link(0));
    assert_eq!(world.packages("t"), ["lib"]);
    // A build of a package that another way lists comes through all the same.
    world.put_new("base", &["tool-1-1"]);
    assert_eq!(world.all("t"), [""; 0]);
    world.list("t", "tool");
    assert_eq!(world.all("t"), ["tool-1-1@base"]);
    let bad = LinkChange { parent_id: 2, pkg_filter: "(".to_owned(), ..link(0) };
    assert!(world.try_change(|write| write.set_inheritance(&stamp(), &"t".into(), &[bad], false)).is_err());
}

#[test]
fn the_list_of_the_tag_that_is_asked_for_decides() {
    let world = World::new();
    world.tags(&["child", "t", "base"], &[]);
    world.inherit("child", "t", link(0));
    world.inherit("t", "base", link(0));
    world.put_new("base", &["a-1-1"]);
    assert_eq!(world.all("base"), [""; 0], "not listed where it is tagged");
    world.list("child", "a");
    assert_eq!(world.all("child"), ["a-1-1@base"]);
    assert_eq!(world.all("t"), [""; 0]);
    // The nearest entry wins, a block as well as none.
    world.list("base", "a");
    assert_eq!(world.all("t"), ["a-1-1@base"]);
    world.change(|write| write.block_package(&stamp(), &"t".into(), &"a".into(), false));
    assert_eq!((world.all("t"), world.all("child")), (Vec::new(), vec!["a-1-1@base".to_owned()]));
    assert_eq!(world.packages("t"), ["!a"]);
    world.change(|write| write.remove_package(&stamp(), &"child".into(), &"a".into()));
    assert_eq!(world.packages("child"), ["!a"], "the next one counts");
    assert_eq!(world.all("child"), [""; 0]);
    // A block of the tag itself is lifted by ending it, an inherited one by an entry.
    let own = |tag: &str| {
        let read = world.hub.read().unwrap();
        let tag = Some(read.tag_id(&tag.into()).unwrap());
        let filter = gander::hub::PackageFilter { tag, ..gander::hub::PackageFilter::default() };
        read.packages(&filter).unwrap().len()
    };
    world.change(|write| write.unblock_package(&stamp(), &"child".into(), &"a".into()));
    assert_eq!((own("child"), world.packages("child")), (1, vec!["a".to_owned()]));
    world.change(|write| write.unblock_package(&stamp(), &"t".into(), &"a".into()));
    assert_eq!((own("t"), world.packages("t")), (0, vec!["a".to_owned()]));
    let again = world.try_change(|write| write.unblock_package(&stamp(), &"t".into(), &"a".into()));
    assert_eq!(again.unwrap_err().text, "package a NOT blocked in tag t");
    let read = world.hub.read().unwrap();
    let listing = read.tags_of_package(&"a".into(), &QueryOptions::default()).unwrap().rows();
    let names: Vec<_> =
        listing.iter().map(|row| (row.name.as_str(), row.blocked, row.owner_name.as_str())).collect();
    assert_eq!(names, [("child", false, "admin"), ("base", false, "admin")]);
}

#[test]
fn what_changes_nothing_takes_no_event() {
    let world = World::new();
    world.tags(&["t", "base"], &["a"]);
    world.inherit("t", "base", link(0));
    world.change(|write| write.block_package(&stamp(), &"base".into(), &"a".into(), false));
    let before = world.event();
    let same = PackageUpdate { owner: Some(ADMIN.into()), ..PackageUpdate::default() };
    world.change(|write| write.add_package(&stamp(), &"t".into(), &"a".into(), &same));
    world.inherit("t", "base", link(0));
    world.change(|write| write.edit_tag(&stamp(), &"t".into(), &TagEdit::default()));
    assert_eq!((world.event(), world.packages("t")), (before, vec!["!a".to_owned()]));
    // Listing it explicitly is refused while it is blocked.
    let listed = PackageUpdate { block: Some(false), ..same.clone() };
    let fault = world.try_change(|write| write.add_package(&stamp(), &"t".into(), &"a".into(), &listed));
    assert_eq!(fault.unwrap_err().text, "package a is blocked in tag t");
    // An owner without an entry for the package means nothing.
    let owner = PackageUpdate { owner: Some(PACKAGER.into()), update: true, ..PackageUpdate::default() };
    world.change(|write| write.add_package(&stamp(), &"t".into(), &"a".into(), &owner));
    assert_eq!(world.event(), before + 1);
    let read = world.hub.read().unwrap();
    let entry = read.package_config(1, 1, None).unwrap().unwrap();
    assert_eq!((entry.owner_name.as_deref(), entry.tag_name.as_str()), (Some("admin"), "base"));
}

#[test]
fn a_call_that_fails_may_take_an_event() {
    let world = World::new();
    world.tags(&["t"], &["a"]);
    world.build("a-1-1");
    let before = world.event();
    let fault =
        world.try_change(|write| write.untag_build(&stamp(), &"t".into(), &"a-1-1".into(), true, false));
    let fault = fault.unwrap_err();
    assert_eq!((fault.code, fault.text.as_str()), (1003, "build a-1-1 not in tag t"));
    world.put("t", "a-1-1");
    assert_eq!(world.event(), before + 2);
    let read = world.hub.read().unwrap();
    assert_eq!(read.event(before + 1, false).unwrap(), None);
    assert_eq!(read.event(before + 1, true).unwrap_err().text, "query returned no rows");
    drop(read);
    // An event of the past is refused.
    let past = Stamp { event: Some(before), ..stamp() };
    assert!(world.try_change(|write| write.create_tag(&past, "u", &NewTag::default())).is_err());
    let later = Stamp { event: Some(before + 100), ..stamp() };
    world.change(|write| write.create_tag(&later, "u", &NewTag::default()));
    world.tag("v");
    assert_eq!(world.event(), before + 101);
}

#[test]
fn priorities_of_one_tag_differ() {
    let world = World::new();
    world.tags(&["t", "a", "b"], &[]);
    world.inherit("t", "a", link(0));
    let change = LinkChange { parent_id: 3, ..link(0) };
    let fault = world.try_change(|write| {
        write.set_inheritance(&stamp(), &"t".into(), std::slice::from_ref(&change), false)
    });
    let text = "Multiple parent tags ([2, 3]) cannot have the same priority value (0) on child tag 1";
    assert_eq!(fault.unwrap_err().text, text);
    assert_eq!(world.ancestors("t"), ["a"]);
    // Both in one call may change places; `clear` ends what is not named.
    let first = LinkChange { parent_id: 2, ..link(1) };
    world.change(|write| write.set_inheritance(&stamp(), &"t".into(), &[change, first], false));
    assert_eq!(world.ancestors("t"), ["b", "a"]);
    let only = LinkChange { parent_id: 2, ..link(0) };
    world.change(|write| write.set_inheritance(&stamp(), &"t".into(), &[only], true));
    assert_eq!(world.ancestors("t"), ["a"]);
}

#[test]
fn arches_are_inherited_where_they_are_nil_and_extra_where_no_key_is_blocked() {
    let world = World::new();
    world.tags(&["base"], &[]);
    let plain = NewTag::default();
    for name in ["t", "a"] {
        world.change(|write| write.create_tag(&stamp(), name, &plain));
    }
    world.inherit("t", "a", link(0));
    world.inherit("a", "base", link(0));
    let config = || world.hub.read().unwrap().build_config(&"t".into(), None).unwrap();
    assert_eq!(config().tag.row.arches.as_deref(), Some(""), "made without arches: empty, not nil");
    for name in ["t", "a"] {
        let nil = TagEdit { arches: Some(None), ..TagEdit::default() };
        world.change(|write| write.edit_tag(&stamp(), &name.into(), &nil));
    }
    assert_eq!(config().tag.row.arches.as_deref(), Some("x86_64"));
    assert_eq!(config().config_inheritance.arches.map(|tag| tag.name).as_deref(), Some("base"));
    let extra = |pairs: &[(&str, i64)]| -> BTreeMap<String, Json> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), Json(json!(value)))).collect()
    };
    for (name, pairs) in [("base", &[("x", 1), ("y", 1)][..]), ("a", &[("y", 2)])] {
        let edit = TagEdit { extra: extra(pairs), ..TagEdit::default() };
        world.change(|write| write.edit_tag(&stamp(), &name.into(), &edit));
    }
    assert_eq!(config().tag.extra, extra(&[("x", 1), ("y", 2)]));
    let block = TagEdit { block_extra: vec!["x".to_owned()], ..TagEdit::default() };
    world.change(|write| write.edit_tag(&stamp(), &"a".into(), &block));
    assert_eq!(config().tag.extra, extra(&[("y", 2)]), "hidden by a tag on the way");
    let remove = TagEdit { remove_extra: vec!["z".to_owned()], ..TagEdit::default() };
    let fault = world.try_change(|write| write.edit_tag(&stamp(), &"a".into(), &remove)).unwrap_err();
    assert_eq!(fault.text, "Tag: a doesn't have extra: z");
    // Over a link without configuration nothing comes, but what is behind it still does.
    world.inherit("t", "a", LinkChange { noconfig: true, ..link(0) });
    assert_eq!(config().tag.extra, extra(&[("x", 1), ("y", 1)]));
}

#[test]
fn a_deleted_tag_leaves_its_name_and_id() {
    let world = World::new();
    world.tags(&["child", "t"], &["a"]);
    world.inherit("child", "t", link(0));
    world.put_new("t", &["a-1-1"]);
    let then = world.event();
    world.change(|write| write.delete_tag(&stamp(), &"t".into()));
    let gone = world.event();
    let read = world.hub.read().unwrap();
    assert_eq!(read.tag(&"t".into(), None, true).unwrap_err().text, "No such tagInfo: 't'");
    assert_eq!(read.tag_last_change(&"t".into(), None, true).unwrap(), Some(gone));
    drop(read);
    assert_eq!(world.ancestors("child"), [""; 0], "links to it end");
    assert_eq!(world.latest_at("child", then), ["a-1-1@t"]);
    let name = Some("t".to_owned());
    let taken = world.try_change(|write| {
        write.edit_tag(&stamp(), &"child".into(), &TagEdit { name, ..TagEdit::default() })
    });
    assert_eq!(taken.unwrap_err().text, "Name t already taken by tag 2");
    assert_eq!(world.tag("t"), 2);
    assert_eq!((world.all("t"), world.packages("t")), (Vec::new(), Vec::new()));
    assert_eq!(world.latest_at("t", then), ["a-1-1@t"]);
}

#[test]
fn locks_and_permissions_keep_builds_out() {
    let world = World::new();
    world.tags(&["t"], &["a"]);
    world.build("a-1-1");
    let edit = |edit: TagEdit| world.change(|write| write.edit_tag(&stamp(), &"t".into(), &edit));
    let tag = |user: i64, force: bool| {
        let stamp = Stamp { user, ..stamp() };
        world.try_change(|write| write.tag_build(&stamp, &"t".into(), &"a-1-1".into(), force))
    };
    edit(TagEdit { perm: Some(Some("sign".into())), ..TagEdit::default() });
    assert_eq!(tag(PACKAGER, true).unwrap_err().text, "tag requires sign permission");
    world.change(|write| write.grant_permission(&stamp(), &PACKAGER.into(), &"sign".into(), false));
    assert!(tag(PACKAGER, false).is_ok());
    edit(TagEdit { locked: Some(true), ..TagEdit::default() });
    let fault = tag(PACKAGER, true).unwrap_err();
    assert_eq!((fault.code, fault.text.as_str()), (1004, "tag is locked"));
    assert!(tag(ADMIN, false).is_err());
    assert!(tag(ADMIN, true).is_ok());
    let read = world.hub.read().unwrap();
    assert_eq!(
        read.require(Some(PACKAGER), "tag").unwrap_err().text,
        "tag permission required (logged in as packager)"
    );
    assert_eq!(read.require(None, "tag").unwrap_err().text, "tag permission required (user not logged in)");
    assert!(read.require(Some(ADMIN), "tag").is_ok());
    let fault = read.check_tagging(&"t".into(), &"a-1-1".into(), PACKAGER, false).unwrap_err();
    assert_eq!(fault.text, "tag is locked");
}

#[test]
fn builds_are_there_once() {
    let world = World::new();
    let id = world.build("a-1-1");
    let new = |state| NewBuild { state, ..NewBuild::new("a", "1", "1", None, ADMIN, stamp().time) };
    assert!(world.try_change(|write| write.create_build(&stamp(), &new(BuildState::Complete))).is_err());
    // A draft is another release; its RPMs may be named as those of a build.
    let draft = NewBuild { draft: true, release: "2".to_owned(), ..new(BuildState::Complete) };
    let draft = world.change(|write| write.create_build(&stamp(), &draft));
    assert_eq!(world.nvr(draft), format!("a-1-2,draft_{draft}"));
    let same = ["a", "1", "1", "noarch"];
    assert!(world.try_change(|write| write.import_rpm(&stamp(), &rpm(id, same))).is_err());
    world.change(|write| write.import_rpm(&stamp(), &rpm(draft, same)));
    let read = world.hub.read().unwrap();
    let found = read.rpm(&RpmKey::Nvra("a-1-1.noarch".to_owned()), true).unwrap().unwrap();
    assert!(!found.draft, "of two of a name the one that is no draft");
    drop(read);
    // One that failed is made again, with the same id.
    let failing = NewBuild { version: "2".to_owned(), ..new(BuildState::Building) };
    let failed = world.change(|write| write.create_build(&stamp(), &failing));
    world.change(|write| write.finish_build(&stamp(), &failed.into(), BuildState::Failed));
    let again = NewBuild { version: "2".to_owned(), ..new(BuildState::Complete) };
    assert_eq!(world.change(|write| write.create_build(&stamp(), &again)), failed);
    // Nothing that is not complete is tagged, nothing that is tagged is deleted.
    world.tags(&["t"], &["a"]);
    let building = NewBuild { version: "3".to_owned(), ..new(BuildState::Building) };
    world.change(|write| write.create_build(&stamp(), &building));
    let fault = world.try_change(|write| write.tag_build(&stamp(), &"t".into(), &"a-3-1".into(), true));
    assert_eq!(fault.unwrap_err().text, "build a-3-1 not complete: state BUILDING");
    world.put("t", "a-1-1");
    let fault = world.try_change(|write| write.delete_build(&stamp(), &"a-1-1".into())).unwrap_err();
    assert_eq!(fault.text, "Cannot delete build, tagged: [{'id': 1, 'name': 't'}]");
}

#[test]
fn signatures_are_there_once_and_end_with_their_build() {
    let world = World::new();
    world.build("a-1-1");
    let key = RpmKey::Nvra("a-1-1.noarch".to_owned());
    let id = world.hub.read().unwrap().rpm(&key, true).unwrap().unwrap().id;
    let hash = "ffeeddccbbaa99887766554433221100";
    world.change(|write| write.add_signature(&stamp(), id, "DEADBEEF", hash));
    let fault = world.try_change(|write| write.add_signature(&stamp(), id, "deadbeef", hash)).unwrap_err();
    assert_eq!(fault.text, "Signature already exists for package a-1-1.noarch, key deadbeef");
    let sha256 = gander::hub::ChecksumType::Sha256;
    world.change(|write| write.keep_checksum(&stamp(), id, "deadbeef", sha256, "00"));
    assert!(world.try_change(|write| write.keep_checksum(&stamp(), id, "deadbeef", sha256, "01")).is_err());
    assert!(world.try_change(|write| write.keep_checksum(&stamp(), id, "12345678", sha256, "00")).is_err());
    let sums = || world.hub.read().unwrap().checksums(id, &[sha256]).unwrap();
    assert_eq!(
        serde_json::to_value(sums()).unwrap(),
        json!({"": {"sha256": null}, "deadbeef": {"sha256": "00"}})
    );
    world.change(|write| write.delete_build(&stamp(), &"a-1-1".into()));
    assert!(sums().is_empty());
    let read = world.hub.read().unwrap();
    assert_eq!(read.rpm(&key, true).unwrap().unwrap().id, id, "the row stays");
}

#[test]
fn a_snapshot_has_what_its_source_inherited_in_the_same_order() {
    let world = World::new();
    world.tags(&["t", "base"], &["a", "b"]);
    world.inherit("t", "base", link(0));
    world.put_new("base", &["a-1-1", "a-2-1", "b-1-1"]);
    world.put_new("t", &["a-3-1"]);
    let (then, wanted) = (world.event(), world.latest("t"));
    world.put_new("t", &["a-4-1"]);
    let at = |event| Snapshot { event, ..Snapshot::default() };
    world.change(|write| write.snapshot_tag(&stamp(), &"t".into(), "now", &at(None)));
    world.change(|write| write.snapshot_tag(&stamp(), &"t".into(), "then", &at(Some(then))));
    assert_eq!(world.latest("now"), ["a-4-1@now", "b-1-1@now"]);
    let renamed: Vec<_> =
        wanted.iter().map(|build| format!("{}@then", build.split('@').next().unwrap())).collect();
    assert_eq!(world.latest("then"), renamed);
    assert_eq!(
        (world.ancestors("now"), world.packages("now")),
        (Vec::new(), vec!["a".to_owned(), "b".to_owned()])
    );
    // Nothing is left of one that fails in the middle.
    let last = world.event();
    let fault = world.try_change(|write| write.snapshot_tag(&stamp(), &"t".into(), "now", &at(None)));
    assert_eq!(fault.unwrap_err().text, "Target tag already exists");
    assert_eq!(world.event(), last);
}

#[test]
fn history_says_who_and_when() {
    let world = World::new();
    world.tags(&["t"], &["a"]);
    world.put_new("t", &["a-1-1"]);
    let began = world.event();
    world.change(|write| write.untag_build(&stamp(), &"t".into(), &"a-1-1".into(), true, false));
    let read = world.hub.read().unwrap();
    let rows = |filter: History| serde_json::to_value(read.history(&filter).unwrap()).unwrap();
    let tables = || Some(vec!["tag_listing".to_owned()]);
    let all = rows(History { tables: tables(), tag: Some("t".into()), ..History::default() });
    let row = &all["tag_listing"][0];
    assert_eq!((&row["create_event"], &row["revoke_event"]), (&json!(began), &json!(began + 1)));
    assert_eq!(
        (&row["active"], &row["revoker_name"], &row["name"]),
        (&json!(null), &json!("admin"), &json!("a"))
    );
    let active = rows(History { tables: tables(), active: Some(true), ..History::default() });
    assert_eq!(active, json!({"tag_listing": []}));
    let after = rows(History { tables: tables(), after_event: Some(began), ..History::default() });
    let row = &after["tag_listing"][0];
    assert_eq!((&row["_created_after_event"], &row["_revoked_after_event"]), (&json!(false), &json!(true)));
    // A filter leaves out the tables that it does not fit.
    let of_build = rows(History { build: Some("a-1-1".into()), ..History::default() });
    assert_eq!(of_build.as_object().unwrap().keys().collect::<Vec<_>>(), ["tag_listing"]);
    assert!(read.history(&History { tables: Some(vec!["users".to_owned()]), ..History::default() }).is_err());
}

#[test]
fn those_who_watch_tags_see_changes_without_history() {
    let world = World::new();
    world.tags(&["t", "base"], &["a"]);
    world.inherit("t", "base", link(0));
    world.put_new("base", &["a-1-1"]);
    let before = world.event();
    world.change(|write| write.add_volume(&stamp(), None, "slow"));
    assert_eq!(world.event(), before);
    world.change(|write| write.change_build_volume(&stamp(), &"a-1-1".into(), &"slow".into()));
    let read = world.hub.read().unwrap();
    let changed = |event, tags: &[i64]| read.tags_changed_since(event, tags).unwrap();
    assert!(changed(before, &[2]) && !changed(before, &[1]) && !changed(before + 1, &[2]));
    assert_eq!(read.tag_last_change(&"t".into(), None, true).unwrap(), Some(before + 1));
    assert!(read.tag_last_change(&"t".into(), None, false).unwrap() < Some(before));
    assert_eq!(read.tag_last_change(&"t".into(), Some(before + 1), true).unwrap(), Some(before));
}

#[test]
fn tags_of_a_config_are_made_as_they_are_said() {
    let world = World::new();
    let arches = Some(" x86_64  i686 ".to_owned());
    let config = TagConfig { arches, perm: Some("sign".into()), ..TagConfig::default() };
    world.tag("base");
    let new = NewTag { config, parent: Some("base".into()), ..NewTag::default() };
    world.change(|write| write.create_tag(&stamp(), "t", &new));
    let read = world.hub.read().unwrap();
    let row = read.tag(&"t".into(), None, true).unwrap().unwrap().row;
    assert_eq!((row.arches.as_deref(), row.perm.as_deref()), (Some("x86_64 i686"), Some("sign")));
    drop(read);
    assert_eq!(world.ancestors("t"), ["base"]);
    let again = world.try_change(|write| write.create_tag(&stamp(), "t", &NewTag::default()));
    assert_eq!(again.unwrap_err().text, "A tag with the name 't' already exists");
}
