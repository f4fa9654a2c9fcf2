//! Writing a bundle: what a lock names, from the store, which gets first what it lacks.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::read::lines;
use super::{FIRST, INDEX, place};
use crate::base::{Digest, Hasher};
use crate::compose::error::ComposeError;
use crate::compose::execute::Session;
use crate::compose::flow::{Downloads, stock};
use crate::compose::folder;
use crate::compose::lower::debian_list;
use crate::lock::{Lock, Origin};
use crate::oci;
use crate::store::Store;

/// What was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bundled {
    /// Files of the lock.
    pub files: usize,
    /// Bytes in them.
    pub bytes: u64,
    /// Files that were not there yet.
    pub written: usize,
}

/// Writes every input of a lock into a bundle. What is there already is read and checked; what is wrong is written anew. A run
/// that was stopped is gone on with.
pub fn bundle(
    session: &Session<'_>,
    downloads: &dyn Downloads,
    lock_folder: &Path,
    place: &Path,
) -> Result<Bundled, ComposeError> {
    let lock = folder::read(lock_folder)?.ok_or_else(|| ComposeError::NoLock(lock_folder.into()))?;
    // The lines of another lock stay.
    let mut index: BTreeSet<String> = lines(place)?.into_iter().collect();
    let beside = match lock_folder.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    session.timed("fetch", || stock(session, downloads, beside, &lock))?;
    let stored = stored(&lock).map(|(_, digest)| digest).collect();
    downloads.kept(stored)?;

    let mut done = Bundled::default();
    let mut seen = BTreeSet::new();
    let mut missing = Vec::new();
    for (what, digest) in inputs(session.store, &lock)? {
        if !session.store.has(&digest) {
            missing.push(format!("{what}, {digest}"));
            continue;
        }
        let size = session.store.size(&digest)?;
        index.insert(format!("{}\t{size}\t{what}", digest.hex()));
        if seen.insert(digest) {
            done.files += 1;
            done.bytes += size;
            done.written += usize::from(write(session.store, place, &digest)?);
        }
    }
    if !missing.is_empty() {
        return Err(ComposeError::NotStored(missing));
    }
    let mut text = format!("{FIRST}\n");
    for line in index {
        text.extend([line.as_str(), "\n"]);
    }
    whole(&place.join(INDEX), |out| out.write_all(text.as_bytes()))?;
    Ok(done)
}

/// What of a lock lies in the store alone.
fn stored(lock: &Lock) -> impl Iterator<Item = (String, Digest)> {
    let universe = lock.header.universe_stored.map(|digest| ("universe".to_owned(), digest));
    let snapshots = lock.header.koji.iter();
    let snapshots =
        snapshots.filter_map(|koji| Some((format!("snapshot {}", koji.id), koji.snapshot_stored?)));
    universe.into_iter().chain(snapshots)
}

/// Every input of a lock, and what it is.
fn inputs(store: &Store, lock: &Lock) -> Result<Vec<(String, Digest)>, ComposeError> {
    let mut found: Vec<_> = lock.objects.keys().map(|digest| ("object".to_owned(), *digest)).collect();
    found.extend(stored(lock));
    for (nevra, package) in &lock.packages.0 {
        // What is built here comes out of the build again.
        let built = matches!(package.origins.first(), Some(Origin::Build { .. }));
        if !built {
            found.push((format!("package {nevra}"), package.unsigned));
        }
    }
    let sources = lock.header.builds.iter().flat_map(|build| &build.sources);
    let named: BTreeSet<_> = sources.filter(|source| source.debian).map(|source| source.digest).collect();
    let mut debian = Vec::new();
    for list in &lock.header.debian {
        let list = debian_list(lock, Some(*list))?.map(|list| list.packages).unwrap_or_default();
        debian.extend(list.into_iter().filter(|package| named.contains(&package.digest)));
    }
    if let Some(builder) = &lock.header.builder {
        debian.extend(debian_list(lock, builder.debian)?.map(|list| list.packages).unwrap_or_default());
        if builder.reference.is_some() {
            let image = oci::Image::load(store, &builder.image)?;
            found.extend(image.objects().into_iter().map(|digest| ("image".to_owned(), digest)));
        }
    }
    found.extend(debian.into_iter().map(|package| (format!("debian {}", package.path), package.digest)));
    Ok(found)
}

/// Copies an object into a bundle; whether it was not there yet, or not as it should be.
fn write(store: &Store, folder: &Path, digest: &Digest) -> Result<bool, ComposeError> {
    let path = place(folder, digest);
    if let Ok(mut file) = File::open(&path) {
        let found = copy(&mut file, &mut io::sink()).map_err(|error| ComposeError::read(&path, error))?;
        if found == *digest {
            return Ok(false);
        }
    }
    let mut object = store.open_object(digest)?;
    let mut found = None;
    whole(&path, |out| {
        found = Some(copy(&mut object, out)?);
        // A damaged object must not get its name.
        if found == Some(*digest) { Ok(()) } else { Err(io::ErrorKind::InvalidData.into()) }
    })
    .map_err(|error| match found {
        Some(found) if found != *digest => {
            let what = format!("the store's object {}", digest.hex());
            ComposeError::WrongDigest { what, found, wanted: *digest }
        }
        _ => error,
    })?;
    Ok(true)
}

fn copy(from: &mut impl io::Read, to: &mut dyn io::Write) -> io::Result<Digest> {
    let (mut hasher, mut buffer) = (Hasher::new(), vec![0; 1 << 17]);
    loop {
        let count = match from.read(&mut buffer) {
            Ok(0) => return Ok(hasher.finish()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            read => read?,
        };
        let piece = buffer.get(..count).unwrap_or_default();
        hasher.update(piece);
        to.write_all(piece)?;
    }
}

/// Writes a file complete or not at all.
fn whole(path: &Path, fill: impl FnOnce(&mut File) -> io::Result<()>) -> Result<(), ComposeError> {
    let folder = path.parent().map(Path::to_path_buf).unwrap_or_default();
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let fresh: PathBuf = folder.join(format!(".{name}.{}", std::process::id()));
    let write = || {
        fs::create_dir_all(&folder)?;
        let mut file = File::create(&fresh)?;
        fill(&mut file)?;
        file.sync_all()?;
        fs::rename(&fresh, path)
    };
    write().map_err(|error| {
        fs::remove_file(&fresh).ok();
        ComposeError::write(path, error)
    })
}
