//! Extended attributes: which ones are part of a tree, and what ids mean in them.
//!
//! | attribute | in a tree |
//! |---|---|
//! | `user.*` | as it is |
//! | `security.capability` | in its second version, which names no id; a third version must name root of the map |
//! | `system.posix_acl_access`, `system.posix_acl_default` | with ids of the inside |
//! | all else (`security.selinux`, `security.ima`, `trusted.*`, …) | not: the host adds it, not what made the file |
//!
//! The system shows a program inside a map other values than one outside of it. Both give the same tree.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::io;
use std::os::fd::BorrowedFd;

use rustix::fs::XattrFlags;
use rustix::io::Errno;

use super::idmap::IdMap;

const CAPABILITY: &str = "security.capability";
const ACCESS_LISTS: [&str; 2] = ["system.posix_acl_access", "system.posix_acl_default"];

type Attributes = BTreeMap<String, Vec<u8>>;

/// Why an attribute is refused.
pub(super) enum Refusal {
    System(io::Error),
    Because(&'static str),
    Unmapped(&'static str, u32),
}

impl From<Errno> for Refusal {
    fn from(error: Errno) -> Self {
        Self::System(error.into())
    }
}

/// Reads those attributes of an open file that are part of a tree.
pub(super) fn read(file: BorrowedFd<'_>, map: &IdMap) -> Result<Attributes, Refusal> {
    let mut found = Attributes::new();
    // Nearly every file has none, so one call decides.
    let size = match rustix::fs::flistxattr_query(file) {
        Err(Errno::NOTSUP) | Ok(0) => return Ok(found),
        size => size?,
    };
    let mut list = vec![0_u8; size];
    let size = rustix::fs::flistxattr(file, &mut list[..])?;
    list.truncate(size);
    for name in list.split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
        let Ok(name) = std::str::from_utf8(name) else {
            return Err(Refusal::Because("the name of an extended attribute is not UTF-8"));
        };
        if name.starts_with("user.") || name == CAPABILITY || ACCESS_LISTS.contains(&name) {
            let size = rustix::fs::fgetxattr_query(file, name)?;
            let mut value = vec![0_u8; size];
            let size = if size == 0 { 0 } else { rustix::fs::fgetxattr(file, name, &mut value[..])? };
            value.truncate(size);
            found.insert(name.to_owned(), translate(name, value, map, Way::Inside)?);
        }
    }
    Ok(found)
}

/// Gives an open file its attributes.
pub(super) fn write(file: BorrowedFd<'_>, attributes: &Attributes, map: &IdMap) -> Result<(), Refusal> {
    for (name, value) in attributes {
        let value = translate(name, value.clone(), map, Way::Outside)?;
        let name =
            CString::new(name.as_str()).map_err(|_| Refusal::Because("an attribute's name has a NUL"))?;
        rustix::fs::fsetxattr(file, &name, &value, XattrFlags::empty())?;
    }
    Ok(())
}

#[derive(Clone, Copy)]
enum Way {
    Inside,
    Outside,
}

fn translate(name: &str, value: Vec<u8>, map: &IdMap, way: Way) -> Result<Vec<u8>, Refusal> {
    match name {
        CAPABILITY => capability(value, map, way),
        name if ACCESS_LISTS.contains(&name) => access_list(value, map, way),
        _ => Ok(value),
    }
}

/// Capabilities: a little-endian word of version and flags, two pairs of words, and in version 3 the user id
/// outside that is root inside.
fn capability(mut value: Vec<u8>, map: &IdMap, way: Way) -> Result<Vec<u8>, Refusal> {
    let (version, root) = (value.get(3).copied(), value.get(20..24).and_then(|id| id.try_into().ok()));
    match (way, version, value.len(), root.map(u32::from_le_bytes)) {
        (Way::Inside, Some(2), 20, _) => {}
        (Way::Inside, Some(3), 24, Some(root)) => {
            if map.users.to_inside(root) != Some(0) {
                return Err(Refusal::Unmapped("capabilities of user", root));
            }
            value.truncate(20);
            if let Some(version) = value.get_mut(3) {
                *version = 2;
            }
        }
        (Way::Outside, Some(2), 20, _) => match map.users.to_outside(0) {
            Some(0) => {}
            Some(root) => {
                value.extend(root.to_le_bytes());
                if let Some(version) = value.get_mut(3) {
                    *version = 3;
                }
            }
            None => return Err(Refusal::Unmapped("user", 0)),
        },
        _ => return Err(Refusal::Because("its capabilities have an unknown form")),
    }
    Ok(value)
}

/// Access lists: a word of version, then entries of tag, permissions and id, all little endian.
fn access_list(mut value: Vec<u8>, map: &IdMap, way: Way) -> Result<Vec<u8>, Refusal> {
    const USER: u16 = 2;
    const GROUP: u16 = 8;
    let unknown = || Refusal::Because("its access list has an unknown form");
    let (version, entries) = value.split_at_mut_checked(4).ok_or_else(unknown)?;
    if version != [2, 0, 0, 0] || !entries.len().is_multiple_of(8) {
        return Err(unknown());
    }
    for entry in entries.chunks_exact_mut(8) {
        let [tag, tag_high, _, _, id @ ..] = entry else { return Err(unknown()) };
        let [a, b, c, d] = *id else { return Err(unknown()) };
        let old = u32::from_le_bytes([a, b, c, d]);
        let (what, ids) = match u16::from_le_bytes([*tag, *tag_high]) {
            USER => ("user", &map.users),
            GROUP => ("group", &map.groups),
            _ => continue,
        };
        let new = match way {
            Way::Inside => ids.to_inside(old),
            Way::Outside => ids.to_outside(old),
        };
        id.copy_from_slice(&new.ok_or(Refusal::Unmapped(what, old))?.to_le_bytes());
    }
    Ok(value)
}
