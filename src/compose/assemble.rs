//! Puts what steps made together: trees, media, metadata, signatures and keys become one compose.

use std::collections::BTreeMap;

use super::error::ComposeError;
use super::execute::{Executed, Session, execute};
use super::flow::TreeSummary;
use super::images::{self, Medium};
use super::lower::{Demand, Lowered, NATIVE_PLATFORM, Repository};
use super::metadata;
use crate::base::{Digest, RelPath, SourceDate};
use crate::format::productmd::ImageType;
use crate::lock::{Lock, SignatureKind, TreeRef};
use crate::plan::{Input, StepId};
use crate::recipe::MediumKind;
use crate::sign;
use crate::store::{Entry, EntryKind, Store, Tree};

impl Lowered {
    /// Every repository that is planned, with what people call it.
    pub(super) fn repositories(&self) -> impl Iterator<Item = (String, Repository)> {
        let of_trees =
            self.trees.iter().filter_map(|(name, tree)| Some((name.to_string(), tree.repository?)));
        let of_media = self.media.iter();
        of_trees.chain(of_media.filter_map(|medium| Some((medium.name.to_string(), medium.repository?))))
    }
}

/// The repomd.xml files that must be signed.
pub(super) fn repository_demands(
    lock: &Lock,
    lowered: &Lowered,
    done: &Executed,
) -> Result<Vec<Demand>, ComposeError> {
    let mut demands = Vec::new();
    for (name, repository) in lowered.repositories() {
        let (what, kind) = (format!("repomd.xml of {name}"), SignatureKind::Detached);
        let digest = made(done, &repository.repomd()?, &name)?;
        demands.extend(by_each(lock, &what, kind, digest));
    }
    Ok(demands)
}

/// The .treeinfo files that must be signed.
pub(super) fn treeinfo_demands(
    lock: &Lock,
    lowered: &Lowered,
    done: &Executed,
) -> Result<Vec<Demand>, ComposeError> {
    let mut demands = Vec::new();
    for (name, file) in &lowered.treeinfos {
        let what = format!(".treeinfo of {name}");
        demands.extend(by_each(lock, &what, SignatureKind::Detached, made(done, file, name)?));
    }
    Ok(demands)
}

/// A demand by each key that signs metadata.
fn by_each(lock: &Lock, what: &str, kind: SignatureKind, digest: Digest) -> impl Iterator<Item = Demand> {
    let keys = lock.header.metadata_keys();
    keys.map(move |key| Demand { what: what.into(), kind, digest, fingerprint: key.into() })
}

/// The CHECKSUM files that must be signed; their texts are put into the store.
pub(super) fn checksum_demands(
    store: &Store,
    lock: &Lock,
    checksums: &BTreeMap<RelPath, String>,
) -> Result<Vec<Demand>, ComposeError> {
    let mut demands = Vec::new();
    for (path, text) in checksums {
        let digest = store.put_bytes(text.as_bytes())?;
        let (what, kind) = (path.to_string(), SignatureKind::Clearsign);
        demands.extend(by_each(lock, &what, kind, digest));
    }
    Ok(demands)
}

/// The media that were made.
pub(super) fn images(store: &Store, lowered: &Lowered, done: &Executed) -> Result<Vec<Medium>, ComposeError> {
    let media = lowered.media.iter().map(|medium| {
        let digest = made(done, &medium.image()?, &medium.name.to_string())?;
        Ok(Medium {
            variant: medium.name.variant.clone(),
            arch: medium.name.arch.clone(),
            kind: match medium.kind {
                MediumKind::Dvd => ImageType::DVD,
                MediumKind::Live => ImageType::LIVE,
            },
            subvariant: match medium.name.name == medium.kind.name() {
                true => medium.name.variant.clone(),
                false => format!("{}-{}", medium.name.variant, medium.name.name),
            },
            path: medium.path.clone(),
            digest,
            size: store.size(&digest)?,
        })
    });
    media.collect()
}

/// The digest of what a step made.
fn made(done: &Executed, input: &Input, by: &str) -> Result<Digest, ComposeError> {
    let path = match input {
        Input::Output { path: Some(path), .. } => path.to_string(),
        _ => "its output".into(),
    };
    done.file(input).ok_or_else(|| ComposeError::NoOutput { step: by.into(), path })
}

/// Where the loader step has what goes on a medium as it is.
const LOADER: &str = "medium/";

/// The files of a compose, as they come together.
struct Files<'a> {
    store: &'a Store,
    done: &'a Executed,
    files: BTreeMap<RelPath, (Digest, u64)>,
}

impl Files<'_> {
    fn add(&mut self, path: RelPath, input: &Input) -> Result<(), ComposeError> {
        let digest = made(self.done, input, path.as_str())?;
        self.files.insert(path, (digest, self.store.size(&digest)?));
        Ok(())
    }

    /// Adds every file below a folder of an output (all of it where that is empty) below a path.
    fn add_tree(&mut self, path: &RelPath, step: StepId, folder: &str) -> Result<(), ComposeError> {
        for (place, entry) in self.done.tree(step).iter().flat_map(|tree| tree.entries()) {
            if let (EntryKind::File { digest, size }, Some(place)) =
                (&entry.kind, place.as_str().strip_prefix(folder))
            {
                self.files.insert(path.join(place)?, (*digest, *size));
            }
        }
        Ok(())
    }

    fn add_bytes(&mut self, path: RelPath, bytes: &[u8]) -> Result<(), ComposeError> {
        self.files.insert(path, (self.store.put_bytes(bytes)?, bytes.len() as u64));
        Ok(())
    }
}

/// Puts everything together.
pub(super) fn assemble(
    session: &Session<'_>,
    lock: &Lock,
    lowered: &mut Lowered,
    done: Executed,
    images: &[Medium],
    checksums: &BTreeMap<RelPath, String>,
) -> Result<(Tree, Vec<TreeSummary>, Executed), ComposeError> {
    let date = lock.header.source_date;
    let clearsigned = clearsign_steps(session.store, lock, lowered, checksums)?;
    let mut wanted: Vec<StepId> = lowered.repositories().filter_map(|(_, found)| found.signature).collect();
    wanted.extend(clearsigned.values());
    for tree in lowered.trees.values() {
        wanted.extend(tree.install.values().filter_map(Input::step).chain(tree.loader));
    }
    let done = execute(session, &lowered.plan, wanted, done)?;

    let mut files = Files { store: session.store, done: &done, files: BTreeMap::new() };
    let below = |path: &str| RelPath::new(format!("{}/{path}", metadata::FOLDER));
    let mut summaries = Vec::new();
    for (name, tree) in &lowered.trees {
        let path = below(metadata::tree_path(&lock.header, name)?.as_str())?;
        let mut counts = BTreeMap::new();
        for (place, input) in &tree.packages {
            files.add(path.join(place.as_str())?, input)?;
            let arch = place.as_str().trim_end_matches(".rpm").rsplit('.').next().unwrap_or_default();
            *counts.entry(arch.to_owned()).or_insert(0) += 1;
        }
        if let Some(step) = tree.loader {
            files.add_tree(&path, step, LOADER)?;
        }
        for (place, input) in &tree.install {
            files.add(path.join(place.as_str())?, input)?;
        }
        if let Some((file, keys)) = metadata::key_file(lock) {
            files.add_bytes(path.join(&file)?, &keys)?;
        }
        let repomd = repository(&mut files, &path, name, tree.repository)?;
        summaries.push(TreeSummary { path, packages: counts, repomd });
    }
    for medium in &lowered.media {
        let path = below(medium.path.as_str())?;
        files.add(RelPath::new(format!("{path}.manifest"))?, &medium.manifest()?)?;
        files.add(path, &medium.image()?)?;
    }
    for (path, text) in checksums {
        let place = below(path.as_str())?;
        match clearsigned.get(path) {
            Some(step) => {
                let name = RelPath::new(path.file_name())?;
                files.add(place, &Input::Output { step: *step, path: Some(name) })?;
            }
            None => files.add_bytes(place, text.as_bytes())?,
        }
    }
    files.add_bytes(
        RelPath::new(super::deliver::COMPOSE_ID)?,
        metadata::identity(&lock.header).id.as_bytes(),
    )?;
    for (name, bytes) in metadata::files(lock)? {
        files.add_bytes(below(&format!("metadata/{name}"))?, &bytes)?;
    }
    if !images.is_empty() {
        let bytes = images::images_json(session.store, &lock.header, images)?;
        files.add_bytes(below("metadata/images.json")?, &bytes)?;
    }
    let tree = tree_of(files.files, date)?;
    Ok((tree, summaries, done))
}

/// Adds a repository's metadata and its signature. Gives the digest of its repomd.xml.
fn repository(
    files: &mut Files<'_>,
    path: &RelPath,
    name: &TreeRef,
    repository: Option<Repository>,
) -> Result<Digest, ComposeError> {
    let absent = || ComposeError::NoOutput { step: name.to_string(), path: "repodata".into() };
    let repository = repository.ok_or_else(absent)?;
    files.add_tree(path, repository.repodata, "")?;
    if let Some(step) = repository.signature {
        let file = Some(RelPath::new("repomd.xml.asc")?);
        files.add(path.join("repodata/repomd.xml.asc")?, &Input::Output { step, path: file })?;
    }
    made(files.done, &repository.repomd()?, &name.to_string())
}

/// Plans the signatures around CHECKSUM files, by path; none where nothing is signed.
fn clearsign_steps(
    store: &Store,
    lock: &Lock,
    lowered: &mut Lowered,
    checksums: &BTreeMap<RelPath, String>,
) -> Result<BTreeMap<RelPath, StepId>, ComposeError> {
    let mut steps = BTreeMap::new();
    let keys: Vec<_> = lock.header.metadata_keys().collect();
    if keys.is_empty() {
        return Ok(steps);
    }
    let table = sign::attach::table(&lock.signatures, SignatureKind::Clearsign, &keys);
    store.put_bytes(&table)?;
    let table = lowered.text(table);
    for (path, text) in checksums {
        let (text, name) = (Input::Object(Digest::of(text)), RelPath::new(path.file_name())?);
        let date = lock.header.source_date;
        let step = sign::attach::clearsign_step(text, table.clone(), &keys, &name, NATIVE_PLATFORM, date);
        steps.insert(path.clone(), lowered.plan.add(step)?);
    }
    Ok(steps)
}

/// A tree of plain files with the folders that they need.
fn tree_of(files: BTreeMap<RelPath, (Digest, u64)>, date: SourceDate) -> Result<Tree, ComposeError> {
    let entry =
        |mode, kind| Entry { mode, uid: 0, gid: 0, mtime: date.seconds(), xattrs: BTreeMap::new(), kind };
    let mut entries = BTreeMap::new();
    for (path, (digest, size)) in files {
        let mut folder = path.parent();
        while let Some(path) = folder {
            folder = path.parent();
            entries.entry(path).or_insert_with(|| entry(0o755, EntryKind::Directory));
        }
        entries.insert(path, entry(0o644, EntryKind::File { digest, size }));
    }
    Ok(Tree::new(entries)?)
}
