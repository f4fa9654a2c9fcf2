//! Writes the metadata of a folder of packages, as createrepo_c does.
//!
//! The bytes depend on the packages, their paths and the options, and on nothing else: not on the order in which the
//! system lists them, their files' times, the number of threads, the clock, or on what is remembered of earlier runs.
//! With [`Options::keep_further`] also on the metadata that are there.
//!
//! - The one time in them is the source date, by default that of the latest build of a package. The time of a
//!   package's file in `primary` is that of its build.
//! - Packages are in the order of their paths.
//! - The lists are compressed in pieces (`lists`), so that an unchanged piece is taken from the run before
//!   (`index`).

mod compress;
mod database;
mod error;
mod further;
mod index;
mod lists;
mod read;
mod scan;
mod schema;
mod switch;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

pub use error::{CreateError, Problem, Reason};
pub use read::Rendering;
pub use scan::Filter;

use crate::base::SourceDate;
use crate::format::repodata::{Compression, Data, List, Open, Repomd, Tags};
use error::failed;
use index::{Earlier, Index, Known, Memory};
use lists::{Lists, Source, Written};
use scan::Root;
use switch::Work;

/// How metadata are written. By default: all packages, compressed with Zstandard, nothing further.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The folder that gets `repodata`, if not that of the packages.
    pub output: Option<PathBuf>,
    /// Which packages are wanted.
    pub filter: Filter,
    /// How they are written down.
    pub rendering: Rendering,
    /// What the lists are compressed with.
    pub compression: Compression,
    /// What further metadata are compressed with.
    pub further_compression: Compression,
    /// A comps file, in the folder of the packages or anywhere.
    pub comps: Option<PathBuf>,
    /// Further metadata: type and file.
    pub extras: Vec<(String, PathBuf)>,
    /// Write the lists as databases, too.
    pub databases: bool,
    /// Keep what is no list of the metadata that are there.
    pub keep_further: bool,
    /// Keep the files of the metadata that are there.
    pub retain_old: bool,
    /// Names without a checksum.
    pub simple_names: bool,
    /// The revision, if not the source date in seconds.
    pub revision: Option<String>,
    /// The source date, if not that of the latest build.
    pub source_date: Option<SourceDate>,
    /// Set the files' own times to the source date.
    pub set_times: bool,
    /// What the repository is of.
    pub tags: Tags,
    /// How many threads, the caller's own included (0 means no other, too); nothing else depends on it.
    pub workers: usize,
}

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Created {
    /// Packages in the repository.
    pub packages: usize,
    /// Packages among them that were read.
    pub read: usize,
    /// The source date.
    pub source_date: SourceDate,
}

/// Writes the metadata of the packages below a folder. What `memory` holds is used to do less, and renewed: a folder
/// that belongs to this function alone, and that may be emptied at any time.
pub fn create(dir: &Path, options: &Options, memory: Option<&Path>) -> Result<Created, CreateError> {
    let root = Root::open(dir)?;
    let whole = fs::canonicalize(dir).map_err(failed("opening", dir))?;
    options.extras.iter().try_for_each(|(kind, _)| further::check_kind(kind))?;
    let work = Work::begin(options.output.as_deref().unwrap_or(dir))?;
    let memory =
        memory.map(|folder| Memory::new(folder.into(), &whole, &options.rendering, options.compression));
    match write(&root, &work, options, memory.as_ref(), true) {
        Err(CreateError::Memory) => {
            if let Some(memory) = &memory {
                memory.forget();
            }
            write(&root, &work, options, memory.as_ref(), false)
        }
        done => done,
    }
    .and_then(|(repomd, created)| place(&root, work, options, repomd, created))
}

/// Writes the lists into the work folder.
fn write(
    root: &Root,
    work: &Work,
    options: &Options,
    memory: Option<&Memory>,
    recall: bool,
) -> Result<(Repomd, Created), CreateError> {
    let start = now();
    let mut problems = Vec::new();
    let (earlier, paths) = std::thread::scope(|scope| {
        let earlier = scope.spawn(|| memory.filter(|_| recall).and_then(Memory::recall));
        let paths = scan::find(&root.path, &options.filter, &mut problems);
        (earlier.join().ok().flatten(), paths)
    });
    let paths = paths?;
    let stats = root.stats(&paths, options.workers, &mut problems);
    let places = earlier.as_ref().map(|earlier| earlier.unchanged(&paths, &stats));
    let earlier = earlier.as_ref().zip(places.as_deref());
    let read = paths.len() - earlier.map_or(0, |(_, places)| places.iter().flatten().count());
    let same = earlier.filter(|(earlier, _)| {
        problems.is_empty() && read == 0 && earlier.index.packages.len() == paths.len()
    });
    let (written, latest, files) = match same {
        Some((earlier, _)) => again(earlier, &work.folder)?,
        None => {
            let rendering = &options.rendering;
            let compression = options.compression;
            let source = Source { root, paths: &paths, stats: &stats, rendering, compression, earlier };
            let Lists { facts, chunks, written, files } =
                lists::write(&source, &work.folder, options.workers, problems)?;
            let latest = facts.iter().map(|facts| facts.build_time).max();
            let known = paths.iter().zip(&stats).zip(facts);
            let known = known.map(|((path, stat), facts)| Known {
                path: path.as_str().into(),
                stat: stat.unwrap_or_default(),
                facts,
            });
            let index = Index { start, packages: known.collect(), chunks, lists: written };
            // What cannot be remembered is read again, no more.
            if let Some(memory) = memory
                && memory.keep(&index, &files).is_err()
            {
                memory.forget();
            }
            (written, latest, files)
        }
    };
    let built = SourceDate::from_seconds(latest.map_or(0, i64::from)).unwrap_or(SourceDate::EARLIEST);
    let source_date = options.source_date.unwrap_or(built);
    let seconds = source_date.seconds();
    let revision = options.revision.clone().unwrap_or_else(|| seconds.to_string());
    let mut repomd = Repomd { revision, tags: options.tags.clone(), data: Vec::new() };
    for ((list, written), file) in List::ALL.into_iter().zip(written).zip(files) {
        let name = format!("{}.xml.{}", list.name(), options.compression.ending());
        let location = further::location(options, written.checksum, &name)?;
        let to = work.folder.join(location.file_name());
        fs::rename(&file, &to).map_err(failed("naming", &to))?;
        repomd.data.push(Data {
            kind: list.name().into(),
            checksum: written.checksum.into(),
            size: Some(written.size),
            open: Some(Open { checksum: written.open.into(), size: Some(written.open_size) }),
            location,
            timestamp: seconds,
        });
    }
    if options.databases {
        let databases = database::add(&work.folder, options, &repomd.data, seconds)?;
        repomd.data.extend(databases);
    }
    repomd.data.extend(further::add(&root.path, &work.folder, options, seconds)?);
    Ok((repomd, Created { packages: paths.len(), read, source_date }))
}

/// Where nothing changed, the lists are the earlier ones.
#[allow(clippy::type_complexity, reason = "what the other way gives, too")]
fn again(earlier: &Earlier, folder: &Path) -> Result<([Written; 3], Option<u32>, [PathBuf; 3]), CreateError> {
    let files = List::ALL.map(|list| folder.join(format!(".{}.part", list.name())));
    let mut written = earlier.index.lists;
    for ((file, bytes), list) in files.iter().zip(&earlier.files).zip(&mut written) {
        fs::write(file, bytes).map_err(failed("writing", file))?;
        list.size = bytes.len() as u64;
    }
    Ok((written, earlier.index.packages.iter().map(|known| known.facts.build_time).max(), files))
}

/// Brings the metadata into place.
fn place(
    root: &Root,
    work: Work,
    options: &Options,
    mut repomd: Repomd,
    created: Created,
) -> Result<Created, CreateError> {
    let output = options.output.as_deref().unwrap_or(&root.path);
    let old = further::old(&output.join("repodata"), options)?;
    if let Some(old) = old.as_ref().filter(|_| options.keep_further) {
        let kept = further::kept(output, old, &repomd.data)?;
        repomd.data.extend(kept);
    }
    let time = options.set_times.then(|| created.source_date.seconds());
    work.switch(&repomd, old.as_ref(), options.retain_old, options.simple_names, time)?;
    Ok(created)
}

/// Nanoseconds since 1970.
#[allow(
    clippy::disallowed_methods,
    reason = "tells only which files are read again; no output depends on it"
)]
fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.ok().and_then(|since| i64::try_from(since.as_nanos()).ok()).unwrap_or(0)
}
