//! Groups of tags: inheritance, blocks, requirements and events, as Koji has them.

use std::fmt::Write as _;

use gander::format::xmlrpc::Fault;
use gander::hub::{GroupFilter, GroupSettings, Member};
use serde_json::json;

use super::world::{World, link, stamp};

fn package(name: &str) -> Member {
    Member::Package(name.to_owned())
}

fn required(name: &str) -> Member {
    Member::Group(name.into())
}

fn add(world: &World, tag: &str, group: &str, block: bool) {
    world.change(|write| {
        write.add_group(&stamp(), &tag.into(), &group.into(), block, false, GroupSettings::new())
    });
}

fn try_member(
    world: &World,
    tag: &str,
    member: &Member,
    block: bool,
    force: bool,
    settings: serde_json::Value,
) -> Result<(), Fault> {
    let settings: GroupSettings = serde_json::from_value(settings).unwrap();
    world.try_change(|write| {
        write.add_to_group(&stamp(), &tag.into(), &"core".into(), member, block, force, &settings)
    })
}

/// `GROUP(TAG): MEMBER(TAG) …`, a line a group.
fn shown(world: &World, tag: &str, event: Option<i64>) -> String {
    let filter = GroupFilter { event, ..GroupFilter::default() };
    let groups = world.hub.read().unwrap().tag_groups(&tag.into(), &filter).unwrap();
    let mut out = String::new();
    for group in groups {
        write!(out, "{}({}):", group.row.name, group.row.tag_id).unwrap();
        for entry in group.requirements.unwrap() {
            write!(out, " @{}({})", entry.name, entry.tag_id).unwrap();
        }
        for entry in group.packages.unwrap() {
            write!(out, " {}({})", entry.package, entry.tag_id).unwrap();
        }
        out.push('\n');
    }
    out
}

#[test]
fn the_first_entry_on_the_way_counts_at_every_event() {
    let world = World::new();
    let (child, base) = (world.tag("child"), world.tag("base"));
    assert_eq!((child, base), (1, 2));
    world.inherit("child", "base", link(0));
    add(&world, "base", "core", false);
    add(&world, "base", "extra", false);
    for member in [package("bash"), package("zsh"), required("extra")] {
        try_member(&world, "base", &member, false, false, json!({})).unwrap();
    }
    let before = world.event();
    let all = "core(2): @extra(2) bash(2) zsh(2)\nextra(2):\n";
    assert_eq!(shown(&world, "child", None), all);

    try_member(&world, "child", &package("bash"), true, false, json!({})).unwrap();
    try_member(&world, "child", &package("zsh"), false, false, json!({"type": "optional"})).unwrap();
    assert_eq!(shown(&world, "child", None), "core(2): @extra(2) zsh(1)\nextra(2):\n");
    // What a group requires must be there.
    add(&world, "child", "extra", true);
    assert_eq!(shown(&world, "child", None), "core(2): zsh(1)\n");
    assert_eq!(shown(&world, "base", None), all, "the parent has what it had");
    assert_eq!(shown(&world, "child", Some(before)), all, "and so has the past");
    world.change(|write| write.delete_tag(&stamp(), &"base".into()));
    assert_eq!(shown(&world, "child", None), "", "packages without their group are none");
    assert_eq!(shown(&world, "child", Some(before)), all);
}

#[test]
fn what_is_blocked_is_refused_and_what_is_the_same_is_no_change() {
    let world = World::new();
    world.tag("child");
    world.tag("base");
    world.inherit("child", "base", link(0));
    let refused = try_member(&world, "base", &package("bash"), false, false, json!({})).unwrap_err();
    assert!(refused.text.contains("No such entry in table groups: core"), "{refused}");
    add(&world, "base", "core", false);
    let event = world.event();
    add(&world, "child", "core", false);
    assert_eq!(world.event(), event, "the child has the group already");
    try_member(&world, "base", &package("bash"), true, false, json!({})).unwrap();
    let refused = try_member(&world, "child", &package("bash"), false, false, json!({})).unwrap_err();
    assert_eq!(
        (refused.code, refused.text.as_str()),
        (1000, "package bash blocked in group core, tag child")
    );
    try_member(&world, "child", &package("bash"), false, true, json!({})).unwrap();
    assert_eq!(shown(&world, "child", None), "core(2): bash(1)\n");
    let event = world.event();
    try_member(&world, "child", &package("bash"), false, false, json!({"type": "mandatory"})).unwrap();
    assert_eq!(world.event(), event);
    let nonsense = try_member(&world, "child", &package("bash"), false, false, json!({"requires": [1]}));
    assert_eq!(nonsense.unwrap_err().code, 1019);
    let injected = json!({"tag_id": 1, "blocked, type": true, "requires": "x\'; DROP TABLE groups; --"});
    try_member(&world, "base", &package("fish"), false, false, injected).unwrap();
    assert!(shown(&world, "base", None).contains("fish(2)"));

    add(&world, "child", "core", true);
    let refused = try_member(&world, "child", &package("zsh"), false, false, json!({})).unwrap_err();
    assert_eq!(refused.text, "group core is blocked in tag child");
    let again = world.try_change(|write| {
        write.add_group(&stamp(), &"child".into(), &"core".into(), false, false, GroupSettings::new())
    });
    assert_eq!(again.unwrap_err().text, "group core is blocked in tag child");
    world.change(|write| write.unblock_group(&stamp(), &"child".into(), &"core".into()));
    let none = world.try_change(|write| write.unblock_group(&stamp(), &"child".into(), &"core".into()));
    assert_eq!(none.unwrap_err().text, "group core is NOT blocked in tag child");
    let none = world.try_change(|write| write.remove_group(&stamp(), &"child".into(), &"core".into(), false));
    assert_eq!(none.unwrap_err().text, "No group: core found for tag: child");
}
