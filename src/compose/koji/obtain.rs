//! The selected packages of tags: their signatures, their digests, their files.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufReader, Seek as _, SeekFrom};

use super::ask::{Opened, names};
use super::known::{At, Known};
use super::{primary_path, signed_path};
use crate::base::{Digest, Nevra, RelPath, chain};
use crate::compose::error::ComposeError;
use crate::compose::execute::Session;
use crate::compose::flow::Downloads;
use crate::compose::harvest::{Harvest, Offered, read};
use crate::compose::inputs::RecipeFiles;
use crate::compose::modules::{Modular, of_tag};
use crate::fetch::{FetchError, Wanted};
use crate::koji::snapshot::{Build, Rpm};
use crate::koji::{self, Snapshot};
use crate::lock::{Header, Koji, Origin};
use crate::recipe::{KojiSource, Noarch, OnUnsigned, Origin as Where, Recipe};
use crate::repo::open::url;
use crate::rpm::{Identity, edit};
use crate::store::Store;

/// A snapshot of at most this many bytes travels in the lock.
const SNAPSHOT_IN_LOCK: usize = 1 << 20;
/// No package file is larger.
const LARGEST: u64 = 64 << 30;
/// What a signed copy may have more than its primary file.
const SIGNATURE: u64 = 64 << 20;

/// A selected package.
struct Selected<'s> {
    nevra: Nevra,
    known: &'s Known,
    build: &'s Build,
    rpm: &'s Rpm,
    /// The key that Koji's index has for the copy; empty for the primary file.
    sigkey: &'s str,
    /// The digest of the wanted copy, where the hub states it.
    digest: Option<Digest>,
}

/// Downloads the packages of tags that were selected; the lock's header and objects say what the hubs said.
pub(in crate::compose) fn obtain(
    session: &Session<'_>,
    downloads: &dyn Downloads,
    files: &RecipeFiles,
    opened: Vec<Opened<'_>>,
    (selected, modules): (&BTreeSet<Nevra>, &Modular),
    (header, objects): (&mut Header, &mut BTreeMap<Digest, Vec<u8>>),
    harvest: &mut Harvest,
) -> Result<(), ComposeError> {
    let mut unsigned = Vec::new();
    for tag in &opened {
        unsigned.extend(not_signed(files, tag, selected, harvest));
    }
    if !unsigned.is_empty() {
        return Err(ComposeError::Unsigned(unsigned));
    }
    for mut tag in opened {
        let Some(Where::Koji(koji)) = files.recipe.sources.get(tag.source).map(|source| &source.origin)
        else {
            continue;
        };
        let failed = |source| ComposeError::Hub { id: koji.id.clone(), source };
        let ids: BTreeSet<_> = wanted(&tag, selected, harvest).map(|(.., rpm)| rpm).collect();
        let mut checksums = std::mem::take(&mut tag.snapshot.checksums);
        checksums.retain(|checksum| ids.contains(&checksum.rpm));
        let had: BTreeSet<_> = checksums.iter().map(|checksum| checksum.rpm).collect();
        let ids: Vec<_> = ids.difference(&had).copied().collect();
        if !ids.is_empty() {
            checksums.extend(session.timed("tag", || tag.hub.checksums(&ids)).map_err(failed)?);
        }
        tag.snapshot.checksums = checksums;
        tag.snapshot.sort();
        get(session, downloads, koji, &tag, (selected, modules), objects, harvest)?;
        header.koji.push(pinned(session, &files.recipe, koji, &tag, objects)?);
    }
    Ok(())
}

/// The selected packages of a tag that are not here yet.
fn wanted<'h>(
    tag: &Opened<'_>,
    selected: &'h BTreeSet<Nevra>,
    harvest: &'h Harvest,
) -> impl Iterator<Item = (&'h Nevra, i64)> {
    let source = tag.source;
    let packages = harvest
        .packages
        .iter()
        .filter(move |(nevra, found)| found.source == source && selected.contains(*nevra));
    packages.filter_map(|(nevra, found)| match found.offered {
        Offered::Tagged { rpm, .. } => Some((nevra, rpm)),
        Offered::Read(_) | Offered::Listed(_) => None,
    })
}

/// The packages that had to be signed by an accepted key and are not, each with what can be done about it.
fn not_signed(
    files: &RecipeFiles,
    tag: &Opened<'_>,
    selected: &BTreeSet<Nevra>,
    harvest: &Harvest,
) -> Vec<String> {
    let Some(source) = files.recipe.sources.get(tag.source) else { return Vec::new() };
    if source.on_unsigned != OnUnsigned::Error {
        return Vec::new();
    }
    let mut lines = Vec::new();
    for (nevra, id) in wanted(tag, selected, harvest) {
        let Some(known) = tag.known.get(&id).filter(|known| known.signed.is_none()) else { continue };
        let build =
            tag.snapshot.rpms.iter().find(|rpm| rpm.id == id).and_then(|rpm| tag.snapshot.build(rpm.build));
        let build = build.map(Build::nvr).unwrap_or_default();
        let sigkeys: Vec<_> =
            tag.snapshot.signatures_of(id).iter().map(|found| found.sigkey.as_str()).collect();
        let signed: Vec<_> = sigkeys.iter().filter(|sigkey| !sigkey.is_empty()).copied().collect();
        let has = match signed.as_slice() {
            [] => "Koji has no signature of it".to_owned(),
            keys => format!("Koji has signatures by {}", keys.join(", ")),
        };
        let bad = match known.which.sighash.is_empty() {
            true => String::new(),
            false => ", but what it calls one by an accepted key is none".into(),
        };
        lines.push(format!("{nevra} of build {build}: {has}{bad}"));
    }
    lines
}

/// Gets the files, checks each, and takes them in.
fn get(
    session: &Session<'_>,
    downloads: &dyn Downloads,
    koji: &KojiSource,
    tag: &Opened<'_>,
    (selected, modules): (&BTreeSet<Nevra>, &Modular),
    objects: &mut BTreeMap<Digest, Vec<u8>>,
    harvest: &mut Harvest,
) -> Result<(), ComposeError> {
    let mut all = Vec::new();
    for (nevra, id) in wanted(tag, selected, harvest) {
        let snapshot = &tag.snapshot;
        let Ok(place) = snapshot.rpms.binary_search_by_key(&id, |rpm| rpm.id) else { continue };
        let (Some(rpm), Some(known)) = (snapshot.rpms.get(place), tag.known.get(&id)) else { continue };
        let Some(build) = snapshot.build(rpm.build) else { continue };
        let sigkey = snapshot
            .signatures_of(id)
            .iter()
            .find(|signature| !signature.sigkey.is_empty() && signature.sighash == known.which.sighash)
            .map_or("", |signature| signature.sigkey.as_str());
        let digest = stated(snapshot, id, sigkey)?;
        all.push(Selected { nevra: nevra.clone(), known, build, rpm, sigkey, digest });
    }
    let path = |one: &Selected<'_>| match one.known.at {
        At::Signed => signed_path(one.build, one.rpm, one.sigkey),
        At::Primary | At::Apart(_) => primary_path(one.build, one.rpm),
    };
    // What the hub has digests of: the usual way, which goes on where it was interrupted.
    let by_digest = all.iter().filter_map(|one| {
        let digest = match one.known.at {
            At::Apart(_) => stated(&tag.snapshot, one.rpm.id, "").ok().flatten(),
            At::Signed | At::Primary => one.digest,
        };
        let there = one.digest.is_some_and(|digest| session.store.has(&digest));
        let size = match one.known.at {
            At::Signed => None,
            _ => u64::try_from(one.rpm.size).ok(),
        };
        let urls = vec![url(&tag.url, &path(one))];
        (!there).then_some(Wanted { label: one.nevra.file_name(), urls, digest: digest?, size })
    });
    let by_digest = by_digest.collect();
    session.timed("fetch", || downloads.files(by_digest)).map_err(|error| told(error, &koji.id))?;
    let others: Vec<_> = all.iter().filter(|one| one.digest.is_none()).collect();
    let limit = |one: &Selected<'_>| {
        u64::try_from(one.rpm.size).unwrap_or(LARGEST).saturating_add(SIGNATURE).min(LARGEST)
    };
    let places = others.iter().map(|one| (url(&tag.url, &path(one)), limit(one))).collect();
    let found = session.timed("fetch", || downloads.unpinned(places));
    let mut found: BTreeMap<i64, Result<Digest, FetchError>> = others
        .iter()
        .map(|one| one.rpm.id)
        .zip(found.into_iter().map(|one| one.map(|(digest, _)| digest)))
        .collect();

    let mut broken = Vec::new();
    for one in &all {
        let file = match found.remove(&one.rpm.id) {
            Some(Ok(digest)) => Ok(digest),
            Some(Err(error)) => Err(chain(&error)),
            None => match (one.known.at, one.digest) {
                (At::Apart(_), Some(digest)) if session.store.has(&digest) => Ok(digest),
                (At::Apart(_), _) => {
                    stated(&tag.snapshot, one.rpm.id, "")?.ok_or_else(|| "nothing was downloaded".into())
                }
                (_, digest) => digest.ok_or_else(|| "nothing was downloaded".into()),
            },
        };
        let taken = file.and_then(|file| accept(session.store, one, &file, modules));
        match taken {
            Ok((identity, header)) => {
                let Some(there) = harvest.packages.get_mut(&one.nevra) else { continue };
                there.offered = Offered::Read(identity);
                let of = |path: String| RelPath::new(path);
                if !one.sigkey.is_empty() {
                    let digest = Digest::of(&header);
                    objects.insert(digest, header);
                    let primary = of(primary_path(one.build, one.rpm))?;
                    let apart = Origin::KojiSigned { source: koji.id.clone(), path: primary, header: digest };
                    match one.known.at {
                        At::Signed => {
                            let path = of(signed_path(one.build, one.rpm, one.sigkey))?;
                            there.origin = Origin::Koji { source: koji.id.clone(), path };
                            there.more = vec![apart];
                        }
                        At::Apart(_) => there.origin = apart,
                        At::Primary => {}
                    }
                }
            }
            Err(why) => broken.push(format!("{}: {}: {why}", one.nevra, url(&tag.url, &path(one)))),
        }
    }
    if broken.is_empty() { Ok(()) } else { Err(ComposeError::BrokenPackages(broken)) }
}

/// Says where to look when files of a hub are gone.
fn told(error: ComposeError, id: &str) -> ComposeError {
    match error {
        ComposeError::Fetch(source) if source.is_gone() => {
            ComposeError::GoneFromHub { id: id.into(), source }
        }
        error => error,
    }
}

/// The digest of a copy that the hub states.
fn stated(snapshot: &Snapshot, rpm: i64, sigkey: &str) -> Result<Option<Digest>, ComposeError> {
    let Some(checksum) = snapshot.checksum(rpm, sigkey) else { return Ok(None) };
    Ok(Some(Digest::from_hex(&checksum.sha256)?))
}

/// Checks a file against all that the hub and its headers said, puts it together where it has to be; its identity and its
/// signature header with padding.
fn accept(
    store: &Store,
    one: &Selected<'_>,
    file: &Digest,
    modules: &Modular,
) -> Result<(Identity, Vec<u8>), String> {
    let name = one.nevra.file_name();
    let whole = |file: &Digest| read(store, file, &name).map_err(|error| chain(&error));
    let put = |error: &dyn std::error::Error| chain(error);
    let file = match one.known.at {
        At::Apart(header) if Some(*file) != one.digest => {
            let header = store.read_object(&header, SIGNATURE).map_err(|error| put(&error))?;
            put_together(store, file, &header).map_err(|error| chain(&error))?.0
        }
        _ => *file,
    };
    if let Some(stated) = one.digest.filter(|stated| *stated != file) {
        return Err(format!(
            "put together of the primary file and the signature that Koji keeps it is {file}, but the hub says that it is {stated}"
        ));
    }
    let (headers, identity) = whole(&file)?;
    koji::check(&headers, &one.nevra, &one.rpm.payloadhash, "the file").map_err(|error| chain(&error))?;
    if !modules.explains(&headers, &one.nevra) {
        return Err("it belongs to a module, but no active stream has it".into());
    }
    if identity.header != one.known.candidate.key {
        return Err("its header is another one than when it was offered".into());
    }
    let found = koji::sighash(&headers);
    if !one.sigkey.is_empty() && found != one.known.which.sighash {
        let stated = &one.known.which.sighash;
        return Err(format!(
            "its signature header has the MD5 {found}, but the hub says that it is {stated}"
        ));
    }
    if one.sigkey.is_empty() && u64::try_from(one.rpm.size).ok() != Some(identity.size) {
        return Err(format!("it has {} bytes, but the hub says that it has {}", identity.size, one.rpm.size));
    }
    Ok((identity, [headers.signature.bytes(), &headers.padding].concat()))
}

/// Puts a signed copy together of a primary file and a signature header with its padding.
pub(super) fn put_together(
    store: &Store,
    primary: &Digest,
    header: &[u8],
) -> Result<(Digest, u64), ComposeError> {
    let mut package = store.open_object(primary)?;
    let what = || format!("object {}", primary.hex());
    package.seek(SeekFrom::Start(0)).map_err(|error| ComposeError::read(what().as_ref(), error))?;
    let mut writer = store.writer()?;
    edit::splice(BufReader::with_capacity(1 << 17, package), header, &mut writer)
        .map_err(|source| ComposeError::Splice { what: what(), source })?;
    Ok(writer.finish(None)?)
}

/// The tag as the lock has it.
fn pinned(
    session: &Session<'_>,
    recipe: &Recipe,
    koji: &KojiSource,
    tag: &Opened<'_>,
    objects: &mut BTreeMap<Digest, Vec<u8>>,
) -> Result<Koji, ComposeError> {
    let head = &tag.snapshot.head;
    let mut pinned = Koji {
        id: koji.id.clone(),
        hub: head.hub.clone(),
        files: tag.files.clone(),
        tag: koji.tag.clone(),
        event: head.event,
        time: head.time,
        version: head.koji.clone(),
        inherit: koji.inherit,
        latest: koji.latest,
        volumes: koji.volumes.clone(),
        arches: koji.arches.clone(),
        includepkgs: koji.includepkgs.clone(),
        excludepkgs: koji.excludepkgs.clone(),
        noarch: (koji.noarch != Noarch::Header).then(|| koji.noarch.name().to_owned()),
        modules: names(&of_tag(recipe, koji)),
        snapshot: tag.snapshot.digest(),
        snapshot_object: None,
        snapshot_stored: None,
        pins: tag.pins.clone(),
    };
    let encoded = tag.snapshot.encode()?;
    if encoded.len() <= SNAPSHOT_IN_LOCK {
        let digest = Digest::of(&encoded);
        pinned.snapshot_object = Some(digest);
        objects.insert(digest, encoded);
    } else {
        pinned.snapshot_stored = Some(session.store.put_bytes(&encoded)?);
    }
    Ok(pinned)
}
