//! Whether the record of a package tells what its header tells.

use super::super::compare::{self, Change};
use super::{Error, Severity, Warning};
use crate::base::Digest;
use crate::format::repodata::{Entry, List, Packages, Record};
use crate::rpm::Package;

/// Fields by which clients resolve, download and install: a wrong one is an error.
const WEIGHTY: [&str; 9] =
    ["name", "size", "header-start", "header-end", "provides", "requires", "conflicts", "obsoletes", "files"];

/// What a record says otherwise than the header of its package, which has this digest and size. Records of other tools
/// are taken for what they mean: lists in another order, with repeated entries or without the marks of scriptlets are no
/// difference, and change logs may be cut.
pub(super) fn differences(
    package: &Package<'_>,
    checksum: Digest,
    size: u64,
    record: Entry<'_>,
) -> Result<Vec<(Severity, Change)>, String> {
    let rendered =
        Record { package, checksum, size, file_time: record.numbers().file_time, href: record.href() };
    let document = |list: List| [&*list.head(1), &*rendered.write(list), list.tail()].concat();
    let words = |error: crate::format::repodata::ReadError| error.to_string();
    let mut expected = Packages::read(document(List::Primary).as_bytes()).map_err(words)?;
    if record.has_all_files() {
        expected.add_filelists(document(List::Filelists).as_bytes()).map_err(words)?;
    }
    let Some(expected) = expected.get(0) else { return Ok(Vec::new()) };
    let name = compare::single("name", &expected.nevra().to_string(), &record.nevra().to_string());
    let changes = name.into_iter().chain(compare::changes(expected, record, false));
    let weigh = |change: Change| match WEIGHTY.contains(&change.field) {
        true => (Error, change),
        false => (Warning, change),
    };
    Ok(changes.map(weigh).collect())
}
