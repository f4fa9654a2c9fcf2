//! Methods that change groups of tags.

use super::super::call::{Call, Outcome};
use super::super::table::Method;
use super::json;
use crate::format::xmlrpc::Fault;
use crate::hub::{GroupSettings, Key, Member, Stamp, Write};

/// What is said of a group beyond what the method names.
fn settings(call: &mut Call<'_, '_>) -> Result<GroupSettings, Fault> {
    let keywords = std::mem::take(&mut call.bound.keywords);
    keywords.into_iter().map(|(name, value)| Ok((name, json(&value)?.0))).collect()
}

fn add_group(call: &mut Call<'_, '_>, block: bool) -> Outcome {
    let (tag, group, stamp) = (call.key("taginfo")?, call.key("grpinfo")?, call.stamp()?);
    let (block, force) = (block || call.flag("block"), call.flag("force"));
    let settings = settings(call)?;
    call.write()?.0.add_group(&stamp, &tag, &group, block, force, settings)?;
    call.answer(&())
}

/// The member of a group that a method is about.
fn member(call: &mut Call<'_, '_>, of: Of) -> Result<Member, Fault> {
    Ok(match of {
        Of::Packages => Member::Package(call.needed_text("pkg_name")?),
        Of::Requirements => Member::Group(call.key("reqinfo")?),
    })
}

#[derive(Clone, Copy)]
enum Of {
    Packages,
    Requirements,
}

fn add_member(call: &mut Call<'_, '_>, of: Of, block: bool) -> Outcome {
    let (tag, group, stamp) = (call.key("taginfo")?, call.key("grpinfo")?, call.stamp()?);
    let member = member(call, of)?;
    let (block, force) = (block || call.flag("block"), call.flag("force"));
    let settings = settings(call)?;
    call.write()?.0.add_to_group(&stamp, &tag, &group, &member, block, force, &settings)?;
    call.answer(&())
}

/// A change of a group's member that takes no more than its name.
fn change_member(
    call: &mut Call<'_, '_>,
    of: Of,
    change: impl FnOnce(&mut Write<'_>, &Stamp, &Key, &Key, &Member) -> Result<(), Fault>,
) -> Outcome {
    let (tag, group, stamp) = (call.key("taginfo")?, call.key("grpinfo")?, call.stamp()?);
    let member = member(call, of)?;
    change(call.write()?.0, &stamp, &tag, &group, &member)?;
    call.answer(&())
}

/// The methods.
pub const METHODS: &[Method] = &[
    Method::write(
        "groupListAdd",
        "grplist_add",
        "taginfo, grpinfo, block=False, force=False, **opts",
        "tag",
        |call| add_group(call, false),
    ),
    Method::write("groupListBlock", "grplist_block", "taginfo, grpinfo", "tag", |call| add_group(call, true)),
    Method::write("groupListRemove", "grplist_remove", "taginfo, grpinfo, force=False", "tag", |call| {
        let (tag, group, stamp) = (call.key("taginfo")?, call.key("grpinfo")?, call.stamp()?);
        let force = call.flag("force");
        call.write()?.0.remove_group(&stamp, &tag, &group, force)?;
        call.answer(&())
    }),
    Method::write("groupListUnblock", "grplist_unblock", "taginfo, grpinfo", "tag", |call| {
        let (tag, group, stamp) = (call.key("taginfo")?, call.key("grpinfo")?, call.stamp()?);
        call.write()?.0.unblock_group(&stamp, &tag, &group)?;
        call.answer(&())
    }),
    Method::write(
        "groupPackageListAdd",
        "grp_pkg_add",
        "taginfo, grpinfo, pkg_name, block=False, force=False, **opts",
        "tag",
        |call| add_member(call, Of::Packages, false),
    ),
    Method::write("groupPackageListBlock", "grp_pkg_block", "taginfo, grpinfo, pkg_name", "tag", |call| {
        add_member(call, Of::Packages, true)
    }),
    Method::write("groupPackageListRemove", "grp_pkg_remove", "taginfo, grpinfo, pkg_name", "tag", |call| {
        change_member(call, Of::Packages, |write, stamp, tag, group, member| {
            write.remove_from_group(stamp, tag, group, member)
        })
    }),
    Method::write(
        "groupPackageListUnblock",
        "grp_pkg_unblock",
        "taginfo, grpinfo, pkg_name",
        "tag",
        |call| {
            change_member(call, Of::Packages, |write, stamp, tag, group, member| {
                write.unblock_in_group(stamp, tag, group, member)
            })
        },
    ),
    Method::write(
        "groupReqListAdd",
        "grp_req_add",
        "taginfo, grpinfo, reqinfo, block=False, force=False, **opts",
        "tag",
        |call| add_member(call, Of::Requirements, false),
    ),
    Method::write("groupReqListBlock", "grp_req_block", "taginfo, grpinfo, reqinfo", "tag", |call| {
        add_member(call, Of::Requirements, true)
    }),
    Method::write(
        "groupReqListRemove",
        "grp_req_remove",
        "taginfo, grpinfo, reqinfo, force=None",
        "tag",
        |call| {
            change_member(call, Of::Requirements, |write, stamp, tag, group, member| {
                write.remove_from_group(stamp, tag, group, member)
            })
        },
    ),
    Method::write("groupReqListUnblock", "grp_req_unblock", "taginfo, grpinfo, reqinfo", "tag", |call| {
        change_member(call, Of::Requirements, |write, stamp, tag, group, member| {
            write.unblock_in_group(stamp, tag, group, member)
        })
    }),
];
