//! Whether two packages can be installed beside each other, by the files that they have in common.
//!
//! rpm (4.18, tried) installs two packages with a path in common if either owns it as `%ghost`, or both have the same:
//! kind, mode (but of links), owner, group, and the content of files, the target of links, the number of devices. That holds for
//! folders, too, and `%config` makes no difference. Files that are ELF of different colours (32 and 64 bit) never conflict: the
//! one of the preferred colour is installed.

use std::collections::BTreeMap;

use super::files::File;
use super::package::Package;

/// rpm's mask of colours.
const COLOURS: u32 = 3;
const KIND: u16 = 0o170_000;
const LINK: u16 = 0o120_000;

/// The paths for which two packages conflict, in order, each with what differs: `/usr/bin/x: their contents differ`.
pub fn conflicts(left: &Package<'_>, right: &Package<'_>) -> Vec<String> {
    let (left, right) = (owned(left), owned(right));
    let differ = left.iter().filter_map(|(path, left)| {
        let why = right.get(path)?.conflict(left)?;
        Some(format!("{path}: {why}"))
    });
    differ.collect()
}

/// What has to be equal of a path.
#[derive(Clone, PartialEq, Eq)]
struct Owned {
    ghost: bool,
    mode: u16,
    owner: [String; 2],
    content: String,
    colour: u32,
}

impl Owned {
    /// What makes two packages with this path conflict.
    fn conflict(&self, other: &Self) -> Option<&'static str> {
        let coloured = self.colour != 0 && other.colour != 0 && self.colour != other.colour;
        if self.ghost || other.ghost || coloured {
            return None;
        }
        let is_link = self.mode & KIND == LINK;
        if self.mode & KIND != other.mode & KIND {
            Some("they are of different kinds")
        } else if self.content != other.content {
            Some(if is_link { "they point elsewhere" } else { "their contents differ" })
        } else if self.mode != other.mode && !is_link {
            Some("their modes differ")
        } else if self.owner != other.owner {
            Some("their owners differ")
        } else {
            None
        }
    }
}

fn owned(package: &Package<'_>) -> BTreeMap<String, Owned> {
    let algorithm = package.files.digest_algorithm;
    let file = |file: File<'_>| {
        let content = match file.mode & KIND {
            0o100_000 => format!("{} {algorithm}:{}", file.size, file.digest),
            LINK => file.link_to.to_string(),
            0o020_000 | 0o060_000 => file.rdev.to_string(),
            _ => String::new(),
        };
        let owned = Owned {
            ghost: file.is_ghost(),
            mode: file.mode,
            owner: [file.user.to_string(), file.group.to_string()],
            content,
            colour: file.colour & COLOURS,
        };
        (file.path(), owned)
    };
    package.files.iter().map(file).collect()
}
