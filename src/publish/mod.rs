//! A finished compose into a place from which clients and mirrors get it, switched in at one moment.
//!
//! ```text
//! /srv/www/goose            ──▶ .goose.published/7      the public path: a link, replaced by one rename
//! /srv/www/.goose.published/
//!     record                     what was published when: versioned text, see `record.rs`
//!     6.files  7.files           the files of each release, by digest
//!     6/  7/                     releases: the public one and those that clients may still hold
//!     lock                       one publisher at a time
//!     new/  next  part           of a run that is under way or was killed
//! ```
//!
//! **The switch.** A release is laid out beside the others, everything is on the disk (`syncfs`), the record names it,
//! and then a link is renamed over DEST. A request before that gets the old release, one after it the new one. A link
//! and not an exchange of folders: renaming works on every file system, and a reader that is in the old folder
//! (`rsync DEST/ …` stays in the folder that it entered) finishes there. So a mirror gets one release.
//!
//! **What clients hold.** A client that got the old repomd.xml asks for the old lists and packages after the switch.
//! Every release carries, as hard links, the repository metadata and packages of all earlier releases that are *held*:
//! the newest [`Options::keep`] of them, and all that were superseded within [`Options::days`]. The record alone
//! decides that: file times are the source date and say nothing. Held releases are also those that can be gone back to.
//! What is no longer held is removed after the switch.
//!
//! **Names and times.** Packages, hash-named metadata and images never change under their names and keep the time that
//! they have in their compose; one that would change is refused. All other names are mutable: what changed has the time
//! of its release, which is later than every time of earlier releases, so that neither `rsync`, which compares size and
//! time, nor a cache takes it for the old one. What did not change keeps its file and time. The clock is a parameter.
//!
//! **A kill, a full disk, a lost connection.** The order is: files, list, record (which says what is public *now*), switch,
//! record, removal. Whatever the moment, DEST is the old or the new release; the next run sees by the link which, and
//! removes what is left over.
//!
//! **The gap that is left.** repomd.xml and its signature are two requests. A client that asks for one before the switch and for
//! the other after it has a pair that does not fit, and no server that answers by path can help it (it asks again).

mod error;
mod lay;
mod record;
mod state;
mod verify;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::base::{RelPath, SourceDate};
use lay::{Item, Rank};
use record::{Class, FileRecord, Record};
use state::Place;

pub use error::PublishError;
pub use lay::Laid;
pub use record::Release;

/// How to publish.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// The time of publication.
    pub now: SourceDate,
    /// At least so many superseded releases are held.
    pub keep: u32,
    /// Releases that were superseded within so many days are held.
    pub days: u32,
    /// Publish although packages or images change under their names.
    pub replace: bool,
    /// Only say what would be done.
    pub dry_run: bool,
}

/// What was published.
#[derive(Clone, Debug)]
pub struct Published {
    /// The release that is public now.
    pub release: Release,
    /// Whether it was public before.
    pub unchanged: bool,
    /// How many files it has itself.
    pub files: usize,
    /// How many files it carries for clients that hold superseded metadata.
    pub carried: usize,
    /// How they were laid out; in a dry run nothing was.
    pub laid: Laid,
    /// Releases that are held no longer.
    pub removed: Vec<u32>,
}

/// What there is to publish: a compose, or an earlier release.
struct Source {
    folder: PathBuf,
    id: String,
    of: Option<u32>,
    files: Vec<FileRecord>,
}

/// Publishes a compose as `dest`.
pub fn publish(compose: &Path, dest: &Path, options: &Options) -> Result<Published, PublishError> {
    let place = Place::new(dest)?;
    // What is in the way is said before all files are read.
    place.record()?;
    let inside = |folder: &Path| {
        fs::canonicalize(compose)
            .ok()
            .zip(fs::canonicalize(folder).ok())
            .is_some_and(|(one, all)| one.starts_with(all))
    };
    if inside(&place.folder) || inside(&place.dest) {
        return Err(PublishError::SamePlace(compose.into()));
    }
    // Folders above the place may not be there yet.
    let above = place.dest.ancestors().skip(1).find_map(|folder| fs::canonicalize(folder).ok());
    if above.zip(fs::canonicalize(compose).ok()).is_some_and(|(above, compose)| above.starts_with(compose)) {
        return Err(PublishError::Inside(place.dest));
    }
    let _turn = if options.dry_run { None } else { Some(place.turn()?) };
    let found = verify::compose(compose, options.now)?;
    let source = Source { folder: compose.into(), id: found.id, of: None, files: found.files };
    place_in(&place, source, options)
}

/// Publishes an earlier release once more: the one of a number, or the newest one before the content that is public.
pub fn rollback(dest: &Path, to: Option<u32>, options: &Options) -> Result<Published, PublishError> {
    let place = Place::new(dest)?;
    if place.record()?.public == 0 {
        return Err(PublishError::Nothing(place.dest));
    }
    let _turn = if options.dry_run { None } else { Some(place.turn()?) };
    let record = place.record()?;
    let public = record.find(record.public).ok_or_else(|| PublishError::Nothing(place.dest.clone()))?;
    let chosen = match to {
        Some(number) => record.find(number),
        None => record.releases.iter().rev().find(|release| release.number < public.of),
    };
    let Some(chosen) = chosen else {
        let wanted = to.map(|number| format!("{number} ")).unwrap_or_default();
        let kept: Vec<_> = record.releases.iter().map(|release| release.number.to_string()).collect();
        return Err(PublishError::NoRelease { wanted, kept: kept.join(", ") });
    };
    let files = place.files(chosen)?;
    let folder = place.release(chosen.number);
    // Clients trust what is published: a disk that forgot something must not be published again.
    let mut problems = Vec::new();
    for file in &files {
        match verify::hashed(file.path.clone(), &file.path.below(&folder)) {
            Ok(found) if found.digest == file.digest => {}
            Ok(_) => problems.push(format!("{} is damaged", file.path)),
            Err(error) => problems.push(error.to_string()),
        }
    }
    if !problems.is_empty() {
        return Err(PublishError::Unfinished { path: folder, problems });
    }
    place_in(&place, Source { folder, id: chosen.id.clone(), of: Some(chosen.of), files }, options)
}

/// The releases that are there, in order, and the number of the one that is public.
pub fn list(dest: &Path) -> Result<(Vec<Release>, u32), PublishError> {
    let place = Place::new(dest)?;
    let record = place.record()?;
    match record.public {
        0 => Err(PublishError::Nothing(place.dest)),
        public => Ok((record.releases, public)),
    }
}

fn place_in(place: &Place, source: Source, options: &Options) -> Result<Published, PublishError> {
    let mut record = place.record()?;
    let held: Vec<Release> = record.held(options.now, options.keep, options.days).to_vec();
    let mut lists = BTreeMap::new();
    for release in &held {
        lists.insert(release.number, place.files(release)?);
    }
    let current = lists.get(&record.public).map(Vec::as_slice).unwrap_or_default();
    let content = |files: &[FileRecord]| -> Vec<_> {
        files.iter().map(|file| (file.path.clone(), file.class, file.digest)).collect()
    };
    if let Some(release) = record.find(record.public).filter(|_| content(current) == content(&source.files)) {
        let (release, files) = (release.clone(), current.len());
        let mut removed = Vec::new();
        if !options.dry_run {
            // An earlier run may have been killed after its switch.
            place.write_record(&record)?;
            removed = place.clean(&record)?;
        }
        return Ok(Published { release, unchanged: true, files, carried: 0, laid: Laid::default(), removed });
    }

    let time = later(options.now, &record, &lists)?;
    let plan = Plan::new(place, &source, &lists, record.public, time)?;
    if !plan.conflicts.is_empty() && !options.replace {
        return Err(PublishError::Conflict(plan.conflicts));
    }
    let number = record.public + 1;
    let text = record::files_to_text(&plan.files);
    let mut release = Release {
        number,
        time,
        of: source.of.unwrap_or(number),
        id: source.id,
        list: crate::base::Digest::of(text),
    };
    let (files, mut items) = (plan.files, plan.items);
    let carried = items.iter().filter(|item| item.rank == Rank::Carried).count();
    let mut removed: Vec<u32> = record.releases.iter().map(|release| release.number).collect();
    removed.retain(|number| !lists.contains_key(number));
    if options.dry_run {
        let laid = Laid::default();
        return Ok(Published { release, unchanged: false, files: files.len(), carried, laid, removed });
    }

    place.clean(&record)?;
    let laid = lay::lay_out(&place.new_folder(), &mut items, time).inspect_err(|_| {
        // What was laid out of it is of no use; the error that stopped it says more than one here.
        drop(fs::remove_dir_all(place.new_folder()));
    })?;
    place.keep_new(number)?;
    release.list = place.write_files(number, &files)?;
    record.releases.push(release.clone());
    place.write_record(&record)?;
    place.switch(number)?;
    record.public = number;
    record.releases.retain(|release| release.number == number || lists.contains_key(&release.number));
    place.write_record(&record)?;
    place.clean(&record)?;
    Ok(Published { release, unchanged: false, files: files.len(), carried, laid, removed })
}

/// The time of the release to come: now, or later than every time under a mutable name that anybody may have.
fn later(
    now: SourceDate,
    record: &Record,
    lists: &BTreeMap<u32, Vec<FileRecord>>,
) -> Result<SourceDate, PublishError> {
    let mutable = lists.values().flatten().filter(|file| !file.class.is_fixed()).map(|file| file.mtime);
    let newest = mutable.chain(record.releases.iter().map(|release| release.time.seconds())).max();
    let seconds = newest.map_or(now.seconds(), |newest| now.seconds().max(newest.saturating_add(1)));
    SourceDate::from_seconds(seconds).map_err(|_| PublishError::Time)
}

/// Which file comes from where.
struct Plan {
    items: Vec<Item>,
    files: Vec<FileRecord>,
    conflicts: Vec<String>,
}

impl Plan {
    fn new(
        place: &Place,
        source: &Source,
        lists: &BTreeMap<u32, Vec<FileRecord>>,
        public: u32,
        time: SourceDate,
    ) -> Result<Self, PublishError> {
        // What is there already, the newest of each name.
        let mut known: BTreeMap<&RelPath, (u32, &FileRecord)> = BTreeMap::new();
        for (number, files) in lists.iter().rev() {
            for file in files.iter().filter(|file| file.class.is_fixed() || *number == public) {
                known.entry(&file.path).or_insert((*number, file));
            }
        }
        let mut plan = Self { items: Vec::new(), files: Vec::new(), conflicts: Vec::new() };
        let mut own = std::collections::BTreeSet::new();
        for file in &source.files {
            let mut file = file.clone();
            own.insert(file.path.clone());
            let (from, link) = match known.get(&file.path) {
                Some((number, there)) if there.digest == file.digest => {
                    file.mtime = there.mtime;
                    (place.release(*number), true)
                }
                None if file.class.is_fixed() => (source.folder.clone(), true),
                there => {
                    if let Some((number, there)) = there
                        && (file.class.is_fixed() || there.class.is_fixed())
                    {
                        plan.conflicts.push(format!("{} is another file in release {number}", file.path));
                    }
                    file.mtime = time.seconds();
                    (source.folder.clone(), false)
                }
            };
            plan.items.push(item(&file, &from, link, rank(&file)));
            plan.files.push(file);
        }
        for (path, (number, file)) in known {
            if file.class.is_carried() && !own.contains(path) {
                plan.items.push(item(file, &place.release(number), true, Rank::Carried));
            }
        }
        Ok(plan)
    }
}

fn item(file: &FileRecord, from: &Path, link: bool, rank: Rank) -> Item {
    let FileRecord { path, digest, size, mtime, .. } = file.clone();
    Item { from: path.below(from), path, link, digest, size, mtime, rank }
}

fn rank(file: &FileRecord) -> Rank {
    match file.path.file_name() {
        "repomd.xml" => Rank::Repomd,
        "repomd.xml.asc" => Rank::Signature,
        _ if file.class == Class::Mutable => Rank::Mutable,
        _ => Rank::Fixed,
    }
}
