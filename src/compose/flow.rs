//! The two flows that people start: make or update a lock, and compose from one.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use super::assemble;
use super::changes::changes;
use super::deliver::{check_place, deliver};
use super::error::ComposeError;
use super::execute::{Executed, Session, execute};
use super::folder::{self, lock_folder};
use super::images;
use super::inputs::RecipeFiles;
use super::koji::{self, Hub};
use super::lower::{Demand, Lowered, debian_list, lower};
use super::metadata;
use super::repositories;
use super::resign;
use super::resolve::{Resolved, fetch_lists, resolve};
use super::signatures::{self, Covered, Signers};
use crate::base::{Digest, RelPath};
use crate::debian;
use crate::fetch::{FetchError, Wanted};
use crate::koji::{CopyError, Head, HeadOf};
use crate::lock::{Lock, Origin, Signed};
use crate::plan::{Input, Plan};
use crate::recipe::HubPlace;
use crate::repo::open::{HeaderError, HeaderOf, Location, Opened, Pinned};
use crate::rpm::Headers;

/// Gets what a lock names. The command line has one made of sockets.
pub trait Downloads {
    /// Gets these Debian packages into the store.
    fn debian(&self, list: &debian::Lock) -> Result<(), ComposeError>;
    /// Gets an image into the store.
    fn image(&self, reference: &str, digest: &Digest) -> Result<(), ComposeError>;
    /// Gets these files into the store.
    fn files(&self, wanted: Vec<Wanted>) -> Result<(), ComposeError>;
    /// Gets objects that are nowhere but in stores and bundles, where a bundle has them.
    fn kept(&self, digests: Vec<Digest>) -> Result<(), ComposeError>;
    /// Opens a repository, as of now or in the state that a lock has.
    fn repository(&self, location: Location, pinned: Option<Pinned>) -> Result<Opened, ComposeError>;
    /// Reads the headers of packages, in the order of what is asked for.
    fn headers(&self, wanted: Vec<HeaderOf>) -> Vec<Result<Headers, HeaderError>>;
    /// A hub; the folder is the recipe's, for one that lies beside it.
    fn hub<'d>(&'d self, place: &HubPlace, folder: &Path) -> Result<Box<dyn Hub + 'd>, ComposeError>;
    /// Reads the headers of copies of RPMs below a hub's files, and hands over each as it comes.
    fn heads(
        &self,
        wanted: Vec<HeadOf>,
        take: &mut dyn FnMut(usize, Result<Head, CopyError>) -> ControlFlow<()>,
    );
    /// Gets files whose digests nobody states into the store, each of at most so many bytes; digests and sizes, in the
    /// order of what is asked for.
    fn unpinned(&self, places: Vec<(String, u64)>) -> Vec<Result<(Digest, u64), FetchError>>;
}

/// What a person asks of a compose.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where the compose goes.
    pub output: PathBuf,
    /// Whether the lock must be there and must not change.
    pub locked: bool,
    /// Whether the release of the lock is signed again first, with the keys that the recipe has now.
    pub resign: bool,
    /// The home folder, for key files below it.
    pub home: Option<PathBuf>,
}

/// What was composed.
#[derive(Clone, Debug)]
pub struct Composed {
    /// The digest of the whole compose.
    pub tree: Digest,
    /// Its trees.
    pub trees: Vec<TreeSummary>,
    /// Its media.
    pub media: Vec<MediumSummary>,
    /// Where the release was signed again: what became other by that, a line each.
    pub resigned: Vec<String>,
    /// Steps in the plan, and how many of them ran.
    pub steps: usize,
    /// Steps that ran instead of being answered by the store.
    pub ran: usize,
    /// Whether the output folder was written; it is left alone when it holds the compose already.
    pub written: bool,
}

/// One tree of a compose, for people.
#[derive(Clone, Debug)]
pub struct TreeSummary {
    /// Its path in the compose.
    pub path: RelPath,
    /// How many packages it has of each arch.
    pub packages: BTreeMap<String, usize>,
    /// The digest of its repomd.xml.
    pub repomd: Digest,
}

/// One medium of a compose, for people.
#[derive(Clone, Debug)]
pub struct MediumSummary {
    /// Its path in the compose.
    pub path: RelPath,
    /// Its size in bytes.
    pub size: u64,
    /// The digest of its bytes.
    pub digest: Digest,
}

/// Resolves a recipe, has headers signed where the key is at hand, shows what changed, a line each, and writes the lock.
/// With `only`, nothing but builds of these packages moves in the recipe's tags, and its repositories stay as they are.
pub fn update(
    session: &Session<'_>,
    downloads: &dyn Downloads,
    recipe: &Path,
    only: &[String],
    home: Option<&Path>,
    show: &mut dyn FnMut(&[String]),
) -> Result<(), ComposeError> {
    let files = RecipeFiles::read(recipe)?;
    let folder = lock_folder(recipe);
    let old = folder::read(&folder)?;
    let lock = session
        .timed("resolve", || resolve_and_sign(session, downloads, &files, old.as_ref(), only, home))?;
    show(&changes(session.store, old.as_ref(), &lock)?);
    folder::write(&folder, &lock)
}

fn resolve_and_sign(
    session: &Session<'_>,
    downloads: &dyn Downloads,
    files: &RecipeFiles,
    old: Option<&Lock>,
    only: &[String],
    home: Option<&Path>,
) -> Result<Lock, ComposeError> {
    session.note(format!("resolving {}", files.path.display()));
    let Resolved { mut lock, done, absent } = resolve(session, downloads, files, old, only, home)?;
    for (tree, group, name) in absent {
        session
            .note(format!("warning: {name} of comps group {group} is not offered by any source of {tree}"));
    }
    let mut lowered = plan(session, &lock)?;
    if !lowered.demands.is_empty() {
        let signers = signatures::open(&files.recipe, lock.header.source_date, home)?;
        sign_headers(session, &signers, &lowered.demands, (&lowered, &done), &mut lock)?;
        lowered = plan(session, &lock)?;
    }
    let done = run_attached(session, &lock, &lowered, done)?;
    lock.signed = signed(session, &lowered, &done)?;
    // Through the text form, so that what is used now is what will be read later.
    let files = lock.to_files().map_err(|source| ComposeError::Lock { path: files.path.clone(), source })?;
    Lock::parse(&files).map_err(|source| ComposeError::Lock { path: "lock.toml".into(), source })
}

/// Has headers signed that the plan demands.
pub(super) fn sign_headers(
    session: &Session<'_>,
    signers: &Signers,
    demands: &[Demand],
    (lowered, done): (&Lowered, &Executed),
    lock: &mut Lock,
) -> Result<(), ComposeError> {
    let covered = Covered::Packages(lowered, done);
    let date = lock.header.source_date;
    session
        .timed("sign", || signatures::make(session, signers, demands, &covered, date, &mut lock.signatures))
}

/// Runs everything up to the packages as they are shipped.
pub(super) fn run_attached(
    session: &Session<'_>,
    lock: &Lock,
    lowered: &Lowered,
    done: Executed,
) -> Result<Executed, ComposeError> {
    for (fingerprint, packet) in lock.signatures.packets() {
        session.store.put_bytes(packet).map_err(|source| {
            session.note(format!("a signature by {fingerprint} cannot be stored"));
            ComposeError::from(source)
        })?;
    }
    let wanted = lowered.shipped.values().chain(lowered.unsigned.values()).filter_map(Input::step);
    execute(session, &lowered.plan, wanted, done)
}

/// Runs everything up to the packages before signatures.
pub(super) fn run_unsigned(session: &Session<'_>, lowered: &Lowered) -> Result<Executed, ComposeError> {
    let wanted = lowered.unsigned.values().filter_map(Input::step);
    execute(session, &lowered.plan, wanted, Executed::default())
}

pub(super) fn signed(
    session: &Session<'_>,
    lowered: &Lowered,
    done: &Executed,
) -> Result<Signed, ComposeError> {
    let mut signed = Signed::default();
    for (nevra, input) in &lowered.shipped {
        if let Some(digest) = done.file(input) {
            signed.0.insert(nevra.clone(), (digest, session.store.size(&digest)?));
        }
    }
    Ok(signed)
}

/// The plan of a recipe's lock, which must be there and fit.
pub fn planned(recipe: &Path) -> Result<(Lock, Plan), ComposeError> {
    let files = RecipeFiles::read(recipe)?;
    let lock = fitting(&files)?.ok_or_else(|| ComposeError::NoLock(lock_folder(recipe)))?;
    let lowered = lower(&lock)?;
    Ok((lock, lowered.plan))
}

/// The lock of a recipe, if there is one; an error if it is stale.
fn fitting(files: &RecipeFiles) -> Result<Option<Lock>, ComposeError> {
    let folder = lock_folder(&files.path);
    match folder::read(&folder)? {
        Some(lock) if lock.header.recipe != files.digest => {
            let gone = gone(files, &lock);
            Err(if gone.is_empty() { ComposeError::Stale(folder) } else { ComposeError::NotPinned(gone) })
        }
        lock => Ok(lock),
    }
}

/// Packages that a lock takes from the recipe's folders and that are not there.
fn gone(files: &RecipeFiles, lock: &Lock) -> Vec<String> {
    let origins = lock.packages.0.values().filter_map(|package| package.origins.first());
    let gone = origins.filter_map(|origin| match origin {
        Origin::Dir(path) if !files.packages.contains(path) => Some(format!("{path} is gone")),
        _ => None,
    });
    gone.collect()
}

/// Composes a release from a recipe's lock, which is made first if there is none.
pub fn compose(
    session: &Session<'_>,
    downloads: &dyn Downloads,
    recipe: &Path,
    options: &Options,
) -> Result<Composed, ComposeError> {
    check_place(&options.output)?;
    let files = RecipeFiles::read(recipe)?;
    let folder = lock_folder(recipe);
    let home = options.home.as_deref();
    let mut old = None;
    let mut lock = if options.resign {
        let old = old.insert(folder::read(&folder)?.ok_or_else(|| ComposeError::NoLock(folder.clone()))?);
        let lock = resign::sign_again(session, downloads, &files, old, home)?;
        folder::write(&folder, &lock)?;
        lock
    } else if let Some(lock) = fitting(&files)? {
        folder::tidy(&folder);
        lock
    } else if options.locked {
        return Err(ComposeError::NoLock(folder));
    } else {
        let lock =
            session.timed("resolve", || resolve_and_sign(session, downloads, &files, None, &[], home))?;
        folder::write(&folder, &lock)?;
        lock
    };
    metadata::check(&lock)?;
    session.timed("fetch", || stock(session, downloads, &files.folder, &lock))?;

    let date = lock.header.source_date;
    let signers = || match options.locked {
        true => Ok(Signers::default()),
        false => signatures::at_hand(&files.recipe, date, home),
    };
    let mut lowered = plan(session, &lock)?;
    let mut done = Executed::default();
    if !lowered.demands.is_empty() {
        let signers = signers()?;
        signers.check(&lowered.demands)?;
        done = run_attached(session, &lock, &lowered, done)?;
        sign_headers(session, &signers, &lowered.demands, (&lowered, &done), &mut lock)?;
        lowered = plan(session, &lock)?;
        folder::write(&folder, &lock)?;
    }
    done = run_attached(session, &lock, &lowered, done)?;
    check_pins(&lock, &lowered, &done)?;
    signatures::check(session.store, &lock, &lowered, &done)?;
    let repositories: Vec<_> = lowered.repositories().map(|(_, repository)| repository.repodata).collect();
    done = execute(session, &lowered.plan, repositories, done)?;
    let demands = assemble::repository_demands(&lock, &lowered, &done)?;
    if sign_files(session, &demands, &signers, &mut lock)? {
        folder::write(&folder, &lock)?;
        lowered = plan(session, &lock)?;
    }
    let treeinfos: Vec<_> = lowered.treeinfos.iter().filter_map(|(_, file)| file.step()).collect();
    done = execute(session, &lowered.plan, treeinfos, done)?;
    let demands = assemble::treeinfo_demands(&lock, &lowered, &done)?;
    if sign_files(session, &demands, &signers, &mut lock)? {
        folder::write(&folder, &lock)?;
        lowered = plan(session, &lock)?;
    }
    let media: Vec<_> = lowered.media.iter().map(|medium| medium.iso).collect();
    done = execute(session, &lowered.plan, media, done)?;
    let images = assemble::images(session.store, &lowered, &done)?;
    let checksums = images::checksums(&images)?;
    let demands = assemble::checksum_demands(session.store, &lock, &checksums)?;
    if sign_files(session, &demands, &signers, &mut lock)? {
        folder::write(&folder, &lock)?;
    }

    let (tree, trees, done) = assemble::assemble(session, &lock, &mut lowered, done, &images, &checksums)?;
    let digest = session.store.put_tree(&tree)?;
    keep(session, &files, &lock, &lowered, &done, digest)?;
    let written = session.timed("deliver", || deliver(session.store, &tree, &options.output))?;
    let media = images.iter().map(|image| {
        let path = RelPath::new(format!("{}/{}", metadata::FOLDER, image.path))?;
        Ok::<_, ComposeError>(MediumSummary { path, size: image.size, digest: image.digest })
    });
    let media = media.collect::<Result<_, _>>()?;
    let resigned = old.map_or(Ok(Vec::new()), |old| resign::differences(&old, &lock))?;
    Ok(Composed {
        tree: digest,
        trees,
        media,
        resigned,
        steps: done.records().len(),
        ran: done.ran(),
        written,
    })
}

/// Has the files signed whose signatures the lock lacks, and checks those it has. Whether it lacked any.
fn sign_files(
    session: &Session<'_>,
    demands: &[Demand],
    signers: &dyn Fn() -> Result<Signers, ComposeError>,
    lock: &mut Lock,
) -> Result<bool, ComposeError> {
    let lacks =
        |demand: &&Demand| lock.signatures.get(demand.kind, &demand.digest, &demand.fingerprint).is_none();
    let open: Vec<_> = demands.iter().filter(lacks).cloned().collect();
    if !open.is_empty() {
        let date = lock.header.source_date;
        let (signers, table) = (signers()?, &mut lock.signatures);
        session.timed("sign", || signatures::make(session, &signers, &open, &Covered::Files, date, table))?;
    }
    let certificates = signatures::certificates(lock)?;
    for demand in demands {
        let packet = lock.signatures.get(demand.kind, &demand.digest, &demand.fingerprint);
        let packet = packet.ok_or_else(|| signatures::missing(std::slice::from_ref(demand)))?;
        let data = signatures::file_bytes(session.store, &demand.digest)?;
        signatures::check_file(&certificates, demand, packet, &data)?;
    }
    Ok(!open.is_empty())
}

/// Plans a lock and puts the small inputs that planning made into the store.
pub(super) fn plan(session: &Session<'_>, lock: &Lock) -> Result<Lowered, ComposeError> {
    let lowered = lower(lock)?;
    for text in lowered.texts.values() {
        session.store.put_bytes(text)?;
    }
    Ok(lowered)
}

/// Sees to it that the store has every input of the lock. The folder is the recipe's.
pub(super) fn stock(
    session: &Session<'_>,
    downloads: &dyn Downloads,
    folder: &Path,
    lock: &Lock,
) -> Result<(), ComposeError> {
    for (digest, bytes) in &lock.objects {
        if !session.store.has(digest) {
            session.store.put_bytes(bytes)?;
        }
    }
    let builder = debian_list(lock, lock.header.builder.as_ref().and_then(|builder| builder.debian))?;
    let mut lists = Vec::new();
    for digest in &lock.header.debian {
        lists.extend(debian_list(lock, Some(*digest))?);
    }
    fetch_lists(downloads, &lock.header, lists.iter().collect(), builder.as_ref())?;
    downloads.files(repositories::wanted(lock))?;
    koji::stock(session, downloads, folder, lock)?;
    let stored = lock.header.koji.iter().filter_map(|koji| koji.snapshot_stored);
    downloads.kept(stored.chain(lock.header.universe_stored).collect())?;
    let mut different = Vec::new();
    for package in lock.packages.0.values() {
        let Some(Origin::Dir(path)) = package.origins.first() else { continue };
        if !session.store.has(&package.unsigned) {
            let (found, size) = session.store.put_file(&path.below(folder))?;
            if found != package.unsigned {
                let (wanted, length) = (package.unsigned, package.size);
                different
                    .push(format!("{path} is {found} of {size} bytes instead of {wanted} of {length} bytes"));
            }
        }
    }
    if different.is_empty() { Ok(()) } else { Err(ComposeError::NotPinned(different)) }
}

/// Compares what was built here with what the lock pins, and lists every difference.
pub(super) fn check_pins(lock: &Lock, lowered: &Lowered, done: &Executed) -> Result<(), ComposeError> {
    let mut different = Vec::new();
    if let (Some(builder), Some(step)) = (&lock.header.builder, lowered.image)
        && let Some(tree) = done.tree(step)
    {
        let found = crate::oci::image_in(tree)?;
        if found != builder.image {
            different.push(format!("the builder image: {found} instead of {}", builder.image));
        }
    }
    for (nevra, package) in &lock.packages.0 {
        let found = lowered.unsigned.get(nevra).and_then(|input| done.file(input));
        if found != Some(package.unsigned) {
            let found = found.map_or("nothing".into(), |found| found.to_string());
            different.push(format!("{nevra}: {found} instead of {}", package.unsigned));
            continue;
        }
        let shipped = lowered.shipped.get(nevra).and_then(|input| done.file(input));
        if let (Some((pinned, _)), Some(found)) = (lock.signed.0.get(nevra), shipped)
            && *pinned != found
        {
            different.push(format!("{nevra}, signed: {found} instead of {pinned}"));
        }
    }
    if different.is_empty() { Ok(()) } else { Err(ComposeError::NotReproduced(different)) }
}

/// Keeps everything that this compose needs from being collected as garbage; what an earlier compose of the
/// same recipe needed alone no longer is.
fn keep(
    session: &Session<'_>,
    files: &RecipeFiles,
    lock: &Lock,
    lowered: &Lowered,
    done: &Executed,
    tree: Digest,
) -> Result<(), ComposeError> {
    let place = std::fs::canonicalize(&files.path).map_err(|error| ComposeError::read(&files.path, error))?;
    let name = format!("compose-{}", &Digest::of(place.as_os_str().as_encoded_bytes()).hex());
    let mut kept: Vec<Digest> = done.records().values().map(|record| record.tree).collect();
    kept.extend(lock.objects.keys().copied());
    kept.extend(lock.header.universe_stored);
    kept.extend(lock.header.koji.iter().filter_map(|koji| koji.snapshot_stored));
    kept.extend(lock.header.builds.iter().flat_map(|build| &build.sources).map(|source| source.digest));
    kept.extend(lowered.texts.keys().copied());
    kept.extend(lock.signatures.packets().map(|(_, packet)| Digest::of(packet)));
    if let Some(builder) = debian_list(lock, lock.header.builder.as_ref().and_then(|builder| builder.debian))?
    {
        kept.extend(builder.packages.iter().map(|package| package.digest));
    }
    kept.push(tree);
    kept.sort();
    kept.dedup();
    kept.retain(|digest| session.store.has(digest));
    Ok(session.store.set_root(&name, &kept)?)
}
