//! What differs between two records of a package, field by field and whatever their order.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::format::repodata::{Entry, FileKind, Text};
use crate::rpm::dependency::Kind;
use crate::rpm::{Dependency, sense};

/// A field in which two records differ: what only one of them has.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Change {
    /// The field.
    pub field: &'static str,
    /// What only the first has, sorted.
    pub before: Vec<String>,
    /// What only the second has, sorted.
    pub after: Vec<String>,
}

const TEXTS: [(&str, Text); 9] = [
    ("summary", Text::Summary),
    ("description", Text::Description),
    ("packager", Text::Packager),
    ("url", Text::Url),
    ("license", Text::License),
    ("vendor", Text::Vendor),
    ("group", Text::Group),
    ("buildhost", Text::Buildhost),
    ("sourcerpm", Text::Sourcerpm),
];

/// Compares two records of packages of one name. Not compared: the place and the checksum of the file, which are not what
/// the package says, and the time of the file, which is nobody's.
pub(super) fn changes(before: Entry<'_>, after: Entry<'_>, scriptlets: bool) -> Vec<Change> {
    let mut changes = Vec::new();
    for (field, text) in TEXTS {
        changes.extend(single(field, before.text(text), after.text(text)));
    }
    let (old, new) = (before.numbers(), after.numbers());
    for (field, old, new) in [
        ("size", old.size, new.size),
        ("installed-size", old.installed_size, new.installed_size),
        ("archive-size", old.archive_size, new.archive_size),
        ("header-start", old.header.0, new.header.0),
        ("header-end", old.header.1, new.header.1),
    ] {
        changes.extend(single(field, &old.to_string(), &new.to_string()));
    }
    changes.extend(single("build-time", &old.build_time.to_string(), &new.build_time.to_string()));
    for kind in Kind::LISTED {
        let list = |entry: Entry<'_>| {
            entry.dependencies(kind).map(|item| dependency(&item, scriptlets)).collect::<BTreeSet<_>>()
        };
        changes.extend(difference(kind.name(), &list(before), &list(after)));
    }
    changes.extend(difference("files", &files(before), &files(after)));
    if let (Some(old), Some(new)) = (before.changelogs(), after.changelogs()) {
        let old: BTreeSet<_> =
            old.map(|entry| format!("{} {}\n{}", entry.time, entry.author, entry.text)).collect();
        let new: BTreeSet<_> =
            new.map(|entry| format!("{} {}\n{}", entry.time, entry.author, entry.text)).collect();
        changes.extend(difference("changelog", &old, &new));
    }
    changes
}

/// A field of one value; an empty one is none.
pub(super) fn single(field: &'static str, before: &str, after: &str) -> Option<Change> {
    let list = |text: &str| if text.is_empty() { Vec::new() } else { vec![text.to_owned()] };
    (before != after).then(|| Change { field, before: list(before), after: list(after) })
}

/// A field of many values.
pub(super) fn difference(
    field: &'static str,
    before: &BTreeSet<String>,
    after: &BTreeSet<String>,
) -> Option<Change> {
    let only = |one: &BTreeSet<String>, other| one.difference(other).cloned().collect::<Vec<_>>();
    (before != after).then(|| Change { field, before: only(before, after), after: only(after, before) })
}

fn dependency(item: &Dependency<'_>, scriptlets: bool) -> String {
    let mut text = item.name.to_string();
    if !item.comparison().is_empty() {
        text.extend([" ", item.comparison(), " ", &item.evr]);
    }
    if scriptlets && item.flags & sense::PREREQ != 0 {
        text.push_str(" (pre)");
    }
    text
}

/// A package's files with what is said of them.
pub(super) fn files(entry: Entry<'_>) -> BTreeSet<String> {
    entry
        .files()
        .map(|file| match file.kind {
            FileKind::File => file.path(),
            FileKind::Directory => format!("{} (directory)", file.path()),
            FileKind::Ghost => format!("{} (ghost)", file.path()),
        })
        .collect()
}
