//! Whether packages that come in two arches can be installed beside each other.
//!
//! rpm (4.18, tried) installs two packages with a path in common if either owns it as `%ghost`, or both have the same:
//! kind, mode (but of links), owner, group, and the content of files, the target of links, the number of devices. That holds for
//! folders, too, and `%config` makes no difference. Files that are ELF of different colours (32 and 64 bit) never conflict: the
//! one of the preferred colour is installed.

use std::collections::BTreeMap;
use std::io::BufReader;

use super::{Error, Finding, LoadError, Repository, packages};
use crate::base::arch::TreeArch;
use crate::format::repodata::Entry;
use crate::rpm::Headers;

/// rpm's mask of colours.
const COLOURS: u32 = 3;
const KIND: u16 = 0o170_000;
const LINK: u16 = 0o120_000;

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

/// Compares the packages of a repository that come in a native and a secondary arch, in one version.
pub(super) fn check(repository: &Repository, findings: &mut Vec<Finding>) -> Result<(), LoadError> {
    let Some(all) = &repository.packages else { return Ok(()) };
    let mut versions: BTreeMap<_, Vec<Entry<'_>>> = BTreeMap::new();
    for package in all.iter().filter(|package| !package.nevra().is_source() && package.base().is_none()) {
        let nevra = package.nevra();
        versions.entry((&nevra.name, &nevra.evr)).or_default().push(package);
    }
    let trees: Vec<_> = TreeArch::names().filter_map(TreeArch::find).collect();
    for group in versions.values().filter(|group| group.len() > 1) {
        for native in group {
            for other in group {
                let beside = |tree: &&&TreeArch| {
                    tree.native.contains(&&*native.nevra().arch) && tree.is_multilib(&other.nevra().arch)
                };
                if trees.iter().any(|tree| beside(&tree)) {
                    findings.extend(pair(repository, *native, *other)?);
                }
            }
        }
    }
    Ok(())
}

fn pair(repository: &Repository, native: Entry<'_>, other: Entry<'_>) -> Result<Option<Finding>, LoadError> {
    let (left, right) = (owned(repository, native)?, owned(repository, other)?);
    let mut conflicts = Vec::new();
    for (path, left) in &left {
        if let Some(why) = right.get(path).and_then(|right| left.conflict(right)) {
            conflicts.push(format!("{path}: {why}"));
        }
    }
    let (native, other) = (native.nevra(), other.nevra());
    let message =
        format!("it cannot be installed beside {other}: they conflict in {} files", conflicts.len());
    let finding = Finding::new((Error, "multilib-conflict"), &repository.name, native.to_string(), message);
    Ok((!conflicts.is_empty()).then(|| finding.with(conflicts)))
}

/// The paths of a package. What cannot be read was found before.
fn owned(repository: &Repository, package: Entry<'_>) -> Result<BTreeMap<String, Owned>, LoadError> {
    let Ok(file) = packages::open(repository, package) else { return Ok(BTreeMap::new()) };
    let Ok(headers) = Headers::read(BufReader::new(file)) else { return Ok(BTreeMap::new()) };
    let Ok(package) = headers.package() else { return Ok(BTreeMap::new()) };
    let algorithm = package.files.digest_algorithm;
    let file = |file: crate::rpm::File<'_>| {
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
    Ok(package.files.iter().map(file).collect())
}
