//! Methods that change tags, package lists, what is tagged, and builds.

mod groups;
mod settings;
mod volumes;

use std::collections::BTreeMap;

use super::call::{Call, Outcome, build, key};
use super::files::import::{build_folder, folder_on};
use super::files::placement::Note;
use super::table::Method;
use super::{generic, internal, python};
use crate::format::xmlrpc::{Fault, Value};
use crate::hub::store::error::{not_allowed, parameter};
use crate::hub::{
    BuildKey, Json, Key, LinkChange, NewBuild, NewTag, NewTask, PackageUpdate, Snapshot, Stamp, TagConfig,
    TagEdit, TaggedFilter, Write,
};

/// Koji's number of the state of a task that is done.
const CLOSED: i64 = 2;
/// The priority of a task that tags.
const TAGGING: i64 = 10;

fn json(value: &Value) -> Result<Json, Fault> {
    serde_json::to_value(value).map(Json).map_err(internal)
}

/// A struct of values to be kept as JSON; nil is none.
fn extra(call: &mut Call<'_, '_>, name: &str) -> Result<BTreeMap<String, Json>, Fault> {
    match call.value(name) {
        Value::Nil => Ok(BTreeMap::new()),
        Value::Struct(members) => {
            members.iter().map(|(name, value)| Ok((name.clone(), json(value)?))).collect()
        }
        value => Err(parameter(format!("Invalid extra: {}", python::repr(&value)))),
    }
}

/// Arches as Koji takes them: a text or a list.
fn arches(value: Value) -> Result<Option<String>, Fault> {
    match value {
        Value::Nil => Ok(None),
        Value::Text(text) => Ok(Some(text)),
        Value::Array(values) => Ok(Some(values.iter().map(python::plain).collect::<Vec<_>>().join(" "))),
        value => Err(parameter(format!("Invalid type for arches: {}", python::repr(&value)))),
    }
}

fn create_tag(call: &mut Call<'_, '_>) -> Outcome {
    let (name, stamp) = (call.needed_text("name")?, call.stamp()?);
    let new = NewTag {
        id: None,
        config: TagConfig {
            // Without arches they are empty, and not inherited: as with Koji.
            arches: Some(arches(call.value("arches"))?.unwrap_or_default()),
            perm: call.some_key("perm")?,
            locked: call.flag("locked"),
            maven_support: call.flag("maven_support"),
            maven_include_all: call.flag("maven_include_all"),
        },
        parent: call.some_key("parent")?,
        extra: extra(call, "extra")?,
    };
    let id = call.write()?.0.create_tag(&stamp, &name, &new)?;
    call.answer(&id)
}

fn edit_tag(call: &mut Call<'_, '_>) -> Outcome {
    let (tag, stamp) = (call.key("tagInfo")?, call.stamp()?);
    let mut edit = TagEdit::default();
    let names = |value: Value| match value {
        Value::Nil => Ok(Vec::new()),
        Value::Array(values) => Ok(values.iter().map(python::plain).collect()),
        value => Err(parameter(format!("Invalid list of keys: {}", python::repr(&value)))),
    };
    for (name, value) in std::mem::take(&mut call.bound.keywords) {
        match name.as_str() {
            "name" => edit.name = (value != Value::Nil).then(|| python::plain(&value)),
            "arches" => edit.arches = Some(arches(value)?),
            "perm" | "perm_id" => {
                edit.perm = Some(if value == Value::Nil { None } else { Some(key(value)?) });
            }
            "locked" => edit.locked = Some(python::truth(&value)),
            "maven_support" => edit.maven_support = Some(python::truth(&value)),
            "maven_include_all" => edit.maven_include_all = Some(python::truth(&value)),
            "extra" => {
                if let Value::Struct(members) = value {
                    for (name, value) in members {
                        edit.extra.insert(name, json(&value)?);
                    }
                }
            }
            "block_extra" => edit.block_extra = names(value)?,
            "remove_extra" => edit.remove_extra = names(value)?,
            _ => return Err(generic(format!("Invalid option for editTag: {name}"))),
        }
    }
    call.write()?.0.edit_tag(&stamp, &tag, &edit)?;
    call.answer(&())
}

fn set_inheritance(call: &mut Call<'_, '_>) -> Outcome {
    let (tag, clear, stamp) = (call.key("tag")?, call.flag("clear"), call.stamp()?);
    let data = match call.value("data") {
        Value::Array(links) => links,
        link @ Value::Struct(_) => vec![link],
        value => return Err(parameter(format!("Invalid inheritance data: {}", python::repr(&value)))),
    };
    let changes: Vec<LinkChange> = data.iter().map(link).collect::<Result<_, _>>()?;
    call.write()?.0.set_inheritance(&stamp, &tag, &changes, clear)?;
    call.answer(&())
}

fn link(value: &Value) -> Result<LinkChange, Fault> {
    let wrong =
        |name: &str| parameter(format!("Invalid inheritance data: {name} of {}", python::repr(value)));
    let number = |name: &str| match value.get(name) {
        None | Some(Value::Nil) => Ok(None),
        Some(Value::Int(number)) => Ok(Some(*number)),
        // The CLI sends the text of what a person typed.
        Some(Value::Text(text)) => text.trim().parse().map(Some).map_err(|_| wrong(name)),
        Some(_) => Err(wrong(name)),
    };
    let flag = |name: &str| value.get(name).is_some_and(python::truth);
    Ok(LinkChange {
        parent_id: number("parent_id")?.ok_or_else(|| wrong("parent_id"))?,
        priority: number("priority")?.unwrap_or(0),
        maxdepth: number("maxdepth")?,
        intransitive: flag("intransitive"),
        noconfig: flag("noconfig"),
        pkg_filter: match value.get("pkg_filter") {
            None | Some(Value::Nil) => String::new(),
            Some(Value::Text(filter)) => filter.clone(),
            Some(_) => return Err(wrong("pkg_filter")),
        },
        delete: flag("delete link"),
    })
}

/// Koji's default policy for package lists: administrators, and those who may tag.
fn lists_packages(call: &mut Call<'_, '_>) -> Result<(), Fault> {
    let may = call.may("tag")?;
    if may { Ok(()) } else { Err(not_allowed("policy violation (package_list)")) }
}

fn add_package(call: &mut Call<'_, '_>) -> Outcome {
    lists_packages(call)?;
    let (tag, package, stamp) = (call.key("taginfo")?, call.key("pkginfo")?, call.stamp()?);
    let update = PackageUpdate {
        owner: call.some_key("owner")?,
        block: call.choice("block"),
        extra_arches: arches(call.value("extra_arches"))?,
        force: call.flag("force"),
        update: call.flag("update"),
    };
    call.write()?.0.add_package(&stamp, &tag, &package, &update)?;
    call.answer(&())
}

/// A change of the package list that takes a tag and a package.
fn change_package(
    call: &mut Call<'_, '_>,
    change: impl FnOnce(&mut Write<'_>, &Stamp, &Key, &Key) -> Result<(), Fault>,
) -> Outcome {
    lists_packages(call)?;
    let (tag, package, stamp) = (call.key("taginfo")?, call.key("pkginfo")?, call.stamp()?);
    change(call.write()?.0, &stamp, &tag, &package)?;
    call.answer(&())
}

/// Tags a build with what Koji checks before it makes a task of it; moves it where it comes from another tag.
fn tag_one(
    write: &mut Write<'_>,
    stamp: &Stamp,
    tag: &Key,
    build: &BuildKey,
    from: Option<&Key>,
    force: bool,
) -> Result<(), Fault> {
    write.check_tagging(tag, build, stamp.user, force)?;
    if let Some(package) = unlisted(write, tag, build)? {
        // Only who may force it gets here.
        let update = PackageUpdate { block: Some(false), force: true, ..PackageUpdate::default() };
        write.add_package(stamp, tag, &package, &update)?;
    }
    if let Some(from) = from {
        write.untag_build(stamp, from, build, true, force)?;
    }
    write.tag_build(stamp, tag, build, force)
}

/// The package of a build, where a tag does not list it.
fn unlisted(write: &Write<'_>, tag: &Key, build: &BuildKey) -> Result<Option<Key>, Fault> {
    let Some(build) = write.build(build, true)? else { return Ok(None) };
    let entry = write.package_config(write.tag_id(tag)?, build.row.package_id, None)?;
    Ok(entry.is_none_or(|entry| entry.blocked).then(|| build.row.package_id.into()))
}

/// The task that stands for a tagging, which is done already.
fn closed_task(
    write: &mut Write<'_>,
    stamp: &Stamp,
    tag: &Key,
    build: &BuildKey,
    from: Option<&Key>,
    force: &Value,
) -> Result<i64, Fault> {
    let id = |key: &Key| write.tag_id(key).map(Value::Int);
    let build = write.build(build, true)?.map_or(Value::Nil, |build| Value::Int(build.id));
    let request = vec![id(tag)?, build, force.clone(), from.map_or(Ok(Value::Nil), id)?];
    let request = json(&Value::Array(request))?;
    let task = NewTask {
        id: None,
        method: "tagBuild".to_owned(),
        request,
        state: 0,
        arch: "noarch".to_owned(),
        priority: TAGGING,
    };
    let task = write.create_task(stamp, &task)?;
    write.end_task(stamp, task, CLOSED, None)?;
    Ok(task)
}

fn tag_build(call: &mut Call<'_, '_>) -> Outcome {
    let (tag, build, from) = (call.key("tag")?, call.build("build")?, call.some_key("fromtag")?);
    let (force, stamp) = (call.value("force"), call.stamp()?);
    let write = call.write()?.0;
    tag_one(write, &stamp, &tag, &build, from.as_ref(), python::truth(&force))?;
    let task = closed_task(write, &stamp, &tag, &build, from.as_ref(), &force)?;
    call.answer(&task)
}

fn untag(call: &mut Call<'_, '_>) -> Outcome {
    let (tag, build, stamp) = (call.key("tag")?, call.build("build")?, call.stamp()?);
    let (strict, force) = (call.flag("strict"), call.flag("force"));
    call.write()?.0.untag_build(&stamp, &tag, &build, strict, force)?;
    call.answer(&())
}

fn move_build(call: &mut Call<'_, '_>) -> Outcome {
    let (from, to, build) = (call.key("tag1")?, call.key("tag2")?, call.build("build")?);
    let (force, stamp) = (call.value("force"), call.stamp()?);
    let write = call.write()?.0;
    tag_one(write, &stamp, &to, &build, Some(&from), python::truth(&force))?;
    let task = closed_task(write, &stamp, &to, &build, Some(&from), &force)?;
    call.answer(&task)
}

/// Moves all builds of a package, oldest tagging first, so that the latest stays the latest.
fn move_all(call: &mut Call<'_, '_>) -> Outcome {
    let (from, to, package) = (call.key("tag1")?, call.key("tag2")?, call.key("package")?);
    let (force, stamp) = (call.value("force"), call.stamp()?);
    let write = call.write()?.0;
    let package = write.package(&package, true)?.map(|package| package.name);
    let filter = TaggedFilter { package, ..TaggedFilter::default() };
    let builds = write.tagged(write.tag_id(&from)?, &filter)?;
    let mut tasks = Vec::new();
    for build in builds.iter().rev() {
        let build = BuildKey::Id(build.row.build_id);
        tag_one(write, &stamp, &to, &build, Some(&from), python::truth(&force))?;
        tasks.push(closed_task(write, &stamp, &to, &build, Some(&from), &force)?);
    }
    call.answer(&tasks)
}

fn mass_tag(call: &mut Call<'_, '_>) -> Outcome {
    let (tag, stamp) = (call.key("tag")?, call.stamp()?);
    let Value::Array(builds) = call.value("builds") else { return Err(parameter("builds is no list")) };
    let builds: Vec<BuildKey> = builds.into_iter().map(build).collect::<Result<_, _>>()?;
    call.write()?.0.mass_tag(&stamp, &tag, &builds)?;
    call.answer(&())
}

fn snapshot(call: &mut Call<'_, '_>) -> Outcome {
    let (from, to, stamp) = (call.key("src")?, call.needed_text("dst")?, call.stamp()?);
    let what = Snapshot {
        config: call.flag("config"),
        packages: call.flag("pkgs"),
        builds: call.flag("builds"),
        groups: call.flag("groups"),
        latest_only: call.flag("latest_only"),
        inherit_builds: call.flag("inherit_builds"),
        event: call.integer("event")?,
        force: call.flag("force"),
    };
    call.write()?.0.snapshot_tag(&stamp, &from, &to, &what)?;
    call.answer(&())
}

fn empty_build(call: &mut Call<'_, '_>) -> Outcome {
    if call.flag("draft") {
        return Err(generic("this hub makes no drafts"));
    }
    let stamp = call.stamp()?;
    let (name, version, release) =
        (call.needed_text("name")?, call.needed_text("version")?, call.needed_text("release")?);
    let (epoch, owner) = (call.integer("epoch")?, call.some_key("owner")?);
    let owner = match owner {
        Some(owner) => call.view()?.known_user(&owner)?.id,
        None => stamp.user,
    };
    let new = NewBuild::new(&name, &version, &release, epoch, owner, stamp.time);
    let id = call.write()?.0.create_build(&stamp, &new)?;
    call.answer(&id)
}

fn delete_build(call: &mut Call<'_, '_>) -> Outcome {
    let (key, stamp) = (call.build("build")?, call.stamp()?);
    let (write, placement) = call.write()?;
    let Some(build) = write.build(&key, true)? else { return Err(generic("No such build")) };
    let deleted = write.delete_build(&stamp, &key)?;
    if deleted {
        placement.remove(Note::Build { path: build_folder(&build), id: build.id })?;
        // Of a build on another volume there is a link in its place on the default one.
        if build.row.volume_id != 0 {
            placement.remove(Note::Build { path: folder_on("DEFAULT", &build), id: build.id })?;
        }
    }
    call.answer(&deleted)
}

fn add_external_repo(call: &mut Call<'_, '_>) -> Outcome {
    let (tag, repo, stamp) = (call.key("tag_info")?, call.key("repo_info")?, call.stamp()?);
    let priority = call.integer("priority")?.ok_or_else(|| parameter("priority is no number"))?;
    let (mode, of_arches) = (call.needed_text("merge_mode")?, arches(call.value("arches"))?);
    call.write()?.0.add_external_repo(&stamp, &tag, &repo, priority, &mode, of_arches.as_deref())?;
    call.answer(&())
}

const TAGS: &[Method] = &[
    Method::write(
        "createTag",
        "create_tag",
        "name, parent=None, arches=None, perm=None, locked=False, maven_support=False, maven_include_all=False, extra=None",
        "tag",
        create_tag,
    ),
    Method::write("editTag2", "edit_tag", "tagInfo, **kwargs", "tag", edit_tag),
    Method::write("deleteTag", "delete_tag", "tagInfo", "tag", |call| {
        let (tag, stamp) = (call.key("tagInfo")?, call.stamp()?);
        call.write()?.0.delete_tag(&stamp, &tag)?;
        call.answer(&())
    }),
    Method::write(
        "setInheritanceData",
        "RootExports.setInheritanceData",
        "tag, data, clear=False",
        "tag",
        set_inheritance,
    ),
    Method::write(
        "snapshotTag",
        "RootExports.snapshotTag",
        "src, dst, config=True, pkgs=True, builds=True, groups=True, latest_only=True, inherit_builds=True, event=None, force=False",
        "tag",
        snapshot,
    ),
    Method::write(
        "createBuildTarget",
        "create_build_target",
        "name, build_tag, dest_tag",
        "target",
        |call| {
            let (name, stamp) = (call.needed_text("name")?, call.stamp()?);
            let (build, dest) = (call.key("build_tag")?, call.key("dest_tag")?);
            call.write()?.0.create_build_target(&stamp, &name, &build, &dest)?;
            call.answer(&())
        },
    ),
    Method::write("createExternalRepo", "create_external_repo", "name, url", "admin", |call| {
        let (name, url, stamp) = (call.needed_text("name")?, call.needed_text("url")?, call.stamp()?);
        let repo = call.write()?.0.create_external_repo(&stamp, None, &name, &url)?;
        call.answer(&repo)
    }),
    Method::write(
        "addExternalRepoToTag",
        "RootExports.addExternalRepoToTag",
        "tag_info, repo_info, priority, merge_mode='koji', arches=None",
        "tag",
        add_external_repo,
    ),
    Method::write(
        "removeExternalRepoFromTag",
        "RootExports.removeExternalRepoFromTag",
        "tag_info, repo_info",
        "tag",
        |call| {
            let (tag, repo, stamp) = (call.key("tag_info")?, call.key("repo_info")?, call.stamp()?);
            call.write()?.0.remove_external_repo(&stamp, &tag, &repo)?;
            call.answer(&())
        },
    ),
];

const PACKAGES: &[Method] = &[
    Method::change(
        "packageListAdd",
        "pkglist_add",
        "taginfo, pkginfo, owner=None, block=None, extra_arches=None, force=False, update=False",
        add_package,
    ),
    Method::change("packageListBlock", "pkglist_block", "taginfo, pkginfo, force=False", |call| {
        let force = call.flag("force");
        change_package(call, |write, stamp, tag, package| write.block_package(stamp, tag, package, force))
    }),
    Method::change("packageListUnblock", "pkglist_unblock", "taginfo, pkginfo, force=False", |call| {
        change_package(call, |write, stamp, tag, package| write.unblock_package(stamp, tag, package))
    }),
    Method::change("packageListRemove", "pkglist_remove", "taginfo, pkginfo, force=False", |call| {
        change_package(call, |write, stamp, tag, package| write.remove_package(stamp, tag, package))
    }),
    Method::change(
        "packageListSetOwner",
        "pkglist_setowner",
        "taginfo, pkginfo, owner, force=False",
        |call| {
            let owner = call.key("owner")?;
            change_package(call, |write, stamp, tag, package| {
                write.set_package_owner(stamp, tag, package, &owner)
            })
        },
    ),
    Method::change(
        "packageListSetArches",
        "pkglist_setarches",
        "taginfo, pkginfo, arches, force=False",
        |call| {
            let extra_arches = Some(arches(call.value("arches"))?.unwrap_or_default());
            change_package(call, |write, stamp, tag, package| {
                let update = PackageUpdate { extra_arches, update: true, ..PackageUpdate::default() };
                write.add_package(stamp, tag, package, &update)
            })
        },
    ),
];

const BUILDS: &[Method] = &[
    Method::change("tagBuild", "RootExports.tagBuild", "tag, build, force=False, fromtag=None", tag_build),
    Method::write(
        "tagBuildBypass",
        "RootExports.tagBuildBypass",
        "tag, build, force=False, notify=False",
        "tag",
        |call| {
            let (tag, build, stamp) = (call.key("tag")?, call.build("build")?, call.stamp()?);
            let force = call.flag("force");
            call.write()?.0.tag_build(&stamp, &tag, &build, force)?;
            call.answer(&())
        },
    ),
    Method::change("untagBuild", "RootExports.untagBuild", "tag, build, strict=True, force=False", untag),
    Method::write(
        "untagBuildBypass",
        "RootExports.untagBuildBypass",
        "tag, build, strict=True, force=False, notify=False",
        "tag",
        untag,
    ),
    Method::change("moveBuild", "RootExports.moveBuild", "tag1, tag2, build, force=False", move_build),
    Method::change(
        "moveAllBuilds",
        "RootExports.moveAllBuilds",
        "tag1, tag2, package, force=False",
        move_all,
    ),
    Method::write("massTag", "RootExports.massTag", "tag, builds", "tag", mass_tag),
    Method::write(
        "createEmptyBuild",
        "RootExports.createEmptyBuild",
        "name, version, release, epoch, owner=None, draft=False",
        "admin",
        empty_build,
    ),
    Method::write(
        "deleteBuild",
        "delete_build",
        "build, strict=True, min_ref_age=604800",
        "admin",
        delete_build,
    ),
    Method::write("setBuildOwner", "RootExports.setBuildOwner", "build, user", "admin", |call| {
        let (build, owner, stamp) = (call.build("build")?, call.key("user")?, call.stamp()?);
        call.write()?.0.set_build_owner(&stamp, &build, &owner)?;
        call.answer(&())
    }),
];

/// The methods.
pub const METHODS: &[&[Method]] =
    &[TAGS, PACKAGES, BUILDS, groups::METHODS, settings::METHODS, volumes::METHODS];
