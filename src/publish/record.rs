//! Our own record of what was published: the only thing that decides what is kept. Two kinds of UTF-8 files, a record a
//! line, fields between TABs; the first line names the format and its version.
//!
//! `record` has the releases in the order of their numbers. `public` is the one that DEST showed when the file was
//! written (0: none): one with a higher number was laid out, and perhaps switched in, which the link itself says.
//!
//! ```text
//! gander-published  1
//! public            7
//! 6  2026-11-01T12:00:00Z  6  sha256:…  Gosling-1-20261101.0      number, time, whose content, list, compose id
//! 7  2026-11-08T12:00:00Z  7  sha256:…  Gosling-1-20261108.0
//! ```
//!
//! `N.files` has the files of release N itself, without what it carries of earlier ones; its digest stands in `record`.
//!
//! ```text
//! gander-release-files  1
//! package  sha256:…  23422  1793491200  compose/BaseOS/x86_64/os/Packages/g/goose-1-1.noarch.rpm
//! ```

use std::fmt::Write as _;

use crate::base::{Digest, RelPath, SourceDate};

const RECORD: &str = "gander-published\t1";
const FILES: &str = "gander-release-files\t1";

/// What a file's name promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Class {
    /// A package that a repository's metadata names: never changes, and is carried on.
    Package,
    /// A file that a repomd.xml names, with its digest in its name: the same.
    Metadata,
    /// An image with a name of its own: never changes, and ends with its release.
    Medium,
    /// Everything else: another release has other bytes under the name.
    Mutable,
}

impl Class {
    const ALL: [(Self, &str); 4] = [
        (Self::Package, "package"),
        (Self::Metadata, "metadata"),
        (Self::Medium, "medium"),
        (Self::Mutable, "mutable"),
    ];

    fn name(self) -> &'static str {
        Self::ALL.iter().find(|(class, _)| *class == self).map_or("", |(_, name)| name)
    }

    /// Whether the bytes under the name never change.
    pub(super) fn is_fixed(self) -> bool {
        self != Self::Mutable
    }

    /// Whether later releases carry it for clients that hold superseded metadata.
    pub(super) fn is_carried(self) -> bool {
        matches!(self, Self::Package | Self::Metadata)
    }
}

/// A file of a release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FileRecord {
    pub path: RelPath,
    pub class: Class,
    pub digest: Digest,
    pub size: u64,
    /// Its time, in seconds since 1970.
    pub mtime: i64,
}

/// A release that was published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release {
    /// Its number, counted from 1; one that goes back to an earlier one has a number of its own.
    pub number: u32,
    /// When it was published: what changed under a mutable name has this time.
    pub time: SourceDate,
    /// The release whose content it has: itself, or the one that it went back to.
    pub of: u32,
    /// The id of its compose.
    pub id: String,
    /// The digest of the list of its files.
    pub(super) list: Digest,
}

/// All releases that are kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Record {
    pub public: u32,
    pub releases: Vec<Release>,
}

/// More than any compose id has.
const LONGEST_ID: usize = 255;

/// A compose id as it may stand in a record.
pub(super) fn is_id(text: &str) -> bool {
    (1..=LONGEST_ID).contains(&text.len()) && !text.contains(char::is_control)
}

impl Record {
    pub(super) fn to_text(&self) -> String {
        let mut text = format!("{RECORD}\npublic\t{}\n", self.public);
        for Release { number, time, of, id, list } in &self.releases {
            // Writing into memory cannot fail.
            let _ = writeln!(text, "{number}\t{time}\t{of}\t{list}\t{id}");
        }
        text
    }

    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut lines = text.lines();
        if lines.next() != Some(RECORD) {
            return Err(format!("its first line is not '{}'", RECORD.replace('\t', " ")));
        }
        let public = lines.next().and_then(|line| line.strip_prefix("public\t")?.parse().ok());
        let mut record =
            Self { public: public.ok_or("line 2 names no public release")?, releases: Vec::new() };
        for (place, line) in lines.enumerate() {
            let release = release(line).filter(|release| {
                let last = record.releases.last().map(|last| (last.number, last.time));
                last.is_none_or(|last| last.0 < release.number && last.1 < release.time)
            });
            record.releases.push(release.ok_or_else(|| format!("line {} is no release", place + 3))?);
        }
        if text.ends_with('\n') { Ok(record) } else { Err("its end is missing".into()) }
    }

    pub(super) fn find(&self, number: u32) -> Option<&Release> {
        self.releases.iter().find(|release| release.number == number)
    }

    /// Those that clients may still hold when another one is published at a time: at least `keep` of them, and all
    /// that were superseded within the last `days`. The newest is superseded by the one to come.
    pub(super) fn held(&self, now: SourceDate, keep: u32, days: u32) -> &[Release] {
        let earliest = now.seconds() - i64::from(days) * 86_400;
        let fresh =
            |place: usize| self.releases.get(place + 1).is_none_or(|next| next.time.seconds() >= earliest);
        let count = self.releases.len();
        let enough = count.saturating_sub(usize::try_from(keep).unwrap_or(usize::MAX));
        let first = (0..count).find(|place| fresh(*place)).unwrap_or(count).min(enough);
        self.releases.get(first..).unwrap_or_default()
    }
}

fn release(line: &str) -> Option<Release> {
    let fields: Vec<&str> = line.split('\t').collect();
    let [number, time, of, list, id] = fields.as_slice() else { return None };
    let number = number.parse().ok().filter(|number| *number > 0)?;
    let of = of.parse().ok().filter(|of| (1..=number).contains(of))?;
    let id = Some(id.to_string()).filter(|id| is_id(id))?;
    Some(Release { number, time: time.parse().ok()?, of, id, list: list.parse().ok()? })
}

/// The text of a list of files.
pub(super) fn files_to_text(files: &[FileRecord]) -> String {
    let mut text = format!("{FILES}\n");
    for FileRecord { path, class, digest, size, mtime } in files {
        let _ = writeln!(text, "{}\t{digest}\t{size}\t{mtime}\t{path}", class.name());
    }
    text
}

/// Reads a list of files.
pub(super) fn parse_files(text: &str) -> Result<Vec<FileRecord>, String> {
    let mut lines = text.lines();
    if lines.next() != Some(FILES) {
        return Err(format!("its first line is not '{}'", FILES.replace('\t', " ")));
    }
    let files = lines
        .enumerate()
        .map(|(place, line)| file(line).ok_or_else(|| format!("line {} is no file of a release", place + 2)));
    files.collect()
}

fn file(line: &str) -> Option<FileRecord> {
    let fields: Vec<&str> = line.split('\t').collect();
    let [class, digest, size, mtime, path] = fields.as_slice() else { return None };
    Some(FileRecord {
        path: RelPath::new(*path).ok()?,
        class: Class::ALL.iter().find(|(_, name)| name == class)?.0,
        digest: digest.parse().ok()?,
        size: size.parse().ok()?,
        mtime: mtime.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400;

    fn date(seconds: i64) -> SourceDate {
        SourceDate::from_seconds(1_793_491_200 + seconds).unwrap()
    }

    /// Releases 3 to 6, published a day after each other.
    fn sample() -> Record {
        let release = |number: u32| Release {
            number,
            time: date(i64::from(number) * DAY),
            of: number.min(5),
            id: format!("Goose-1-{number}"),
            list: Digest::of(number.to_string()),
        };
        Record { public: 6, releases: (3..7).map(release).collect() }
    }

    #[test]
    fn what_is_written_is_read() {
        let record = sample();
        let text = record.to_text();
        assert_eq!(Record::parse(&text).unwrap(), record);
        assert_eq!(Record::parse(&Record::default().to_text()).unwrap(), Record::default());
        for (cut, _) in text.char_indices().skip(1) {
            // Where a whole line is missing at the end, the record is older, not damaged.
            let whole = text[..cut].ends_with('\n') && text[..cut].lines().count() > 1;
            assert_eq!(Record::parse(&text[..cut]).is_ok(), whole, "{:?}", &text[..cut]);
        }
        let lines: Vec<&str> = text.lines().collect();
        let swapped = [lines[0], lines[1], lines[3], lines[2], ""].join("\n");
        assert_eq!(Record::parse(&swapped).unwrap_err(), "line 4 is no release");
        for (old, new) in [("\t1\n", "\t2\n"), ("sha256:", "md5:"), ("Z\t5\t", "Z\t7\t"), ("-3\n", "-\x1b\n")]
        {
            assert!(text.contains(old) && Record::parse(&text.replacen(old, new, 1)).is_err(), "{old:?}");
        }
    }

    #[test]
    fn lists_of_files_are_read_as_written() {
        let file = |path: &str, class| FileRecord {
            path: RelPath::new(path).unwrap(),
            class,
            digest: Digest::of(path),
            size: 7,
            mtime: -1,
        };
        let files = Class::ALL.map(|(class, name)| file(name, class)).to_vec();
        let text = files_to_text(&files);
        assert_eq!(parse_files(&text).unwrap(), files);
        assert!(parse_files(&text.replace("\tmedium", "\t../medium")).is_err());
        assert!(parse_files(&text.replace("medium\t", "mediums\t")).is_err());
        assert!(parse_files("").is_err());
    }

    #[test]
    fn what_clients_may_hold_is_judged_by_the_record() {
        let record = sample();
        let held = |now: i64, keep, days| -> Vec<u32> {
            record.held(date(now), keep, days).iter().map(|release| release.number).collect()
        };
        // Release 4 was superseded on day 5.
        assert_eq!(held(7 * DAY, 1, 2), [4, 5, 6]);
        assert_eq!(held(7 * DAY + 1, 1, 2), [5, 6]);
        assert_eq!(held(99 * DAY, 1, 2), [6], "the newest is superseded only now");
        assert_eq!(held(99 * DAY, 3, 2), [4, 5, 6], "a clock that jumps takes none of those");
        assert_eq!(held(0, 1, 0), [3, 4, 5, 6], "nor one that goes back");
        assert_eq!(held(7 * DAY, 100, 0), [3, 4, 5, 6]);
        assert!(Record::default().held(date(0), 3, 14).is_empty());
    }
}
