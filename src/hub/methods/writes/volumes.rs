//! Volumes: parts of the topdir, `vol/NAME/`, that builds can lie on.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use super::super::call::{Call, Outcome};
use super::super::files::import::{build_folder, folder_on};
use super::super::files::placement::Note;
use super::super::table::Method;
use super::super::{generic, internal};
use crate::format::xmlrpc::Fault;
use crate::hub::Named;

/// The volume that every hub has.
const DEFAULT: &str = "DEFAULT";

/// The folder of a volume, with the link `toplink` to the topdir that Koji has in each.
fn volume_folder(topdir: &Path, name: &str) -> Result<PathBuf, Fault> {
    let folder = topdir.join("vol").join(name);
    if !folder.is_dir() {
        return Err(generic("please create the volume directory first"));
    }
    let link = folder.join("toplink");
    match (link.symlink_metadata(), link.canonicalize()) {
        (Err(_), _) => {
            let topdir = topdir.canonicalize().map_err(internal)?;
            symlink(topdir, &link).map_err(internal)?;
        }
        (Ok(found), _) if !found.is_symlink() => {
            return Err(generic(format!("Not a symlink: vol/{name}/toplink")));
        }
        (Ok(_), Err(_)) => return Err(generic(format!("Broken volume toplink: vol/{name}/toplink"))),
        (Ok(_), Ok(end)) if end != topdir.canonicalize().map_err(internal)? => {
            return Err(generic(format!("Invalid volume toplink: vol/{name}/toplink")));
        }
        (Ok(_), Ok(_)) => {}
    }
    Ok(folder)
}

fn add_volume(call: &mut Call<'_, '_>) -> Outcome {
    let (name, strict, stamp) = (call.needed_text("name")?, call.flag("strict"), call.stamp()?);
    crate::hub::check_part("volume", &name)?;
    volume_folder(call.methods.files.topdir(), &name)?;
    if let (false, Some(found)) = (strict, call.view()?.volume(&name.as_str().into(), false)?) {
        return call.answer(&found);
    }
    let id = call.write()?.0.add_volume(&stamp, None, &name)?;
    call.answer(&Named { id, name })
}

/// Copies a build's files to another volume, and removes them where they were once the hub says so.
fn change_build_volume(call: &mut Call<'_, '_>) -> Outcome {
    let (key, volume, strict) = (call.build("build")?, call.key("volume")?, call.flag("strict"));
    let stamp = call.stamp()?;
    let topdir = call.methods.files.topdir().to_owned();
    let (write, placement) = call.write()?;
    let none = || generic(format!("No such entry in table volume: {}", volume.plain()));
    let volume = write.volume(&volume, true)?.ok_or_else(none)?;
    let build = write.build(&key, true)?.ok_or_else(|| generic("No such build"))?;
    if build.row.volume_id == volume.id && !strict {
        return call.answer(&());
    }
    write.change_build_volume(&stamp, &key, &volume.id.into())?;
    if volume.name != DEFAULT && !topdir.join("vol").join(&volume.name).is_dir() {
        return Err(generic(format!("Directory entry missing for volume {}", volume.name)));
    }
    let (from, to) = (build_folder(&build), folder_on(&volume.name, &build));
    if !topdir.join(&from).is_dir() {
        return Err(generic(format!("Build directory missing: {}", from.display())));
    }
    let old_link = topdir.join(&to);
    if volume.name == DEFAULT && old_link.is_symlink() {
        fs::remove_file(&old_link).map_err(internal)?;
    }
    let id = build.id;
    placement.copy(&from, Note::Arrival { path: to.clone(), id, volume: volume.id })?;
    placement.remove(Note::Departure { path: from, id, volume: build.row.volume_id })?;
    if volume.name != DEFAULT {
        let link = topdir.join(folder_on(DEFAULT, &build));
        // Of packages/NAME/VERSION/RELEASE; clients know the volume, the link is for people.
        let target = Path::new("../../..").join(to);
        placement.later(move || {
            if link.is_symlink() {
                drop(fs::remove_file(&link));
            }
            drop(link.parent().map(fs::create_dir_all));
            drop(symlink(target, link));
        });
    }
    call.answer(&())
}

/// The methods.
pub const METHODS: &[Method] = &[
    Method::write("addVolume", "add_volume", "name, strict=True", "admin", add_volume),
    Method::write("removeVolume", "remove_volume", "volume", "admin", |call| {
        let (volume, stamp) = (call.key("volume")?, call.stamp()?);
        call.write()?.0.remove_volume(&stamp, &volume)?;
        call.answer(&())
    }),
    Method::write(
        "changeBuildVolume",
        "change_build_volume",
        "build, volume, strict=True",
        "admin",
        change_build_volume,
    ),
];
