//! Packages of repositories: offered by their metadata, downloaded once they are selected.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use super::error::ComposeError;
use super::execute::Session;
use super::flow::Downloads;
use super::harvest::{Harvest, Harvested, Offered, Seen, read};
use super::inputs::RecipeFiles;
use super::modules::Modular;
use super::signatures::{self, Accepted};
use crate::base::{Digest, Nevra, RelPath, chain};
use crate::fetch::Wanted;
use crate::format::repodata;
use crate::lock::{Header, Lock, Origin, Repository};
use crate::recipe::{OnUnsigned, Origin as Where, Recipe, RepoSource, Source};
use crate::repo::open::{Filter, HeaderOf, Location, Opened, Pinned, is_same, url};
use crate::rpm::dependency::Kind;
use crate::select::Visible;

/// A package that only a repository's metadata tell of.
#[derive(Clone, Debug)]
pub struct Listed {
    /// The digest of its file.
    pub file: Digest,
    /// Bytes of its file, where they are stated.
    pub size: Option<u64>,
    /// Where its main header begins and ends in the file.
    pub header: (u64, u64),
    /// Where the metadata say it is, if that is outside of the repository.
    pub outside: Option<String>,
}

/// A repository with its place among the recipe's sources.
pub(super) type Place<'r> = (usize, &'r RepoSource, Opened);

/// Opens the repositories of a recipe, each in the state of a lock where there is one; the lock's header and objects say
/// what was opened.
pub(super) fn open<'r>(
    session: &Session<'_>,
    downloads: &dyn Downloads,
    files: &'r RecipeFiles,
    before: Option<&Lock>,
    (header, objects): (&mut Header, &mut BTreeMap<Digest, Vec<u8>>),
) -> Result<Vec<Place<'r>>, ComposeError> {
    let mut all = Vec::new();
    for (source, repo) in repositories(files) {
        let keys = match repo.repo_gpgcheck {
            true => {
                let accepted = signatures::accepted(files, source)?;
                Some(accepted.into_iter().map(|accepted| accepted.certificate).collect())
            }
            false => None,
        };
        let location = Location { id: repo.id.clone(), addresses: repo.addresses.clone(), keys };
        let pinned = before.map(|lock| pinned(files, source, repo, lock)).transpose()?;
        let opened = session.timed("metadata", || downloads.repository(location, pinned))?;
        for refused in &opened.refused {
            session.note(format!("note: a mirror of {} was passed over: {refused}", repo.id));
        }
        if opened.older {
            let id = &repo.id;
            session.note(format!(
                "warning: no mirror of {id} has the state that its metalink calls the current one; an older one was taken"
            ));
        }
        if opened.unlisted > 0 {
            let (count, id) = (opened.unlisted, &repo.id);
            session.note(format!(
                "warning: filelists of {id} has nothing on {count} of its packages: only the files that primary names are known"
            ));
        }
        let repomd = session.store.put_bytes(&opened.repomd)?;
        objects.insert(repomd, opened.repomd.clone());
        let (id, mirrors) = (repo.id.clone(), opened.mirrors.clone());
        header.repositories.push(Repository { id, mirrors, repomd });
        all.push((source, repo, opened));
    }
    Ok(all)
}

/// Takes in what repositories offer.
pub(super) fn offer(
    session: &Session<'_>,
    opened: &[Place<'_>],
    visible: &Visible<'_>,
    harvest: &mut Harvest,
) -> Result<(), ComposeError> {
    for (repository, place) in opened.iter().enumerate() {
        for pattern in add(repository, place, visible, harvest)? {
            session.note(format!("warning: '{pattern}' means no package of {}", place.1.id));
        }
    }
    harvest.check_conflicts()
}

/// The state of a repository that a lock has, if the recipe asked for it in the same way then.
fn pinned(
    files: &RecipeFiles,
    source: usize,
    repo: &RepoSource,
    lock: &Lock,
) -> Result<Pinned, ComposeError> {
    let text = lock.objects.get(&lock.header.recipe_text).and_then(|text| std::str::from_utf8(text).ok());
    let then = text.and_then(|text| Recipe::parse(text, &files.path.display().to_string()).ok());
    let alike = |now: &Source| {
        let mut then = then.iter().flat_map(|then| &then.sources);
        then.any(|then| then.origin == now.origin && then.keys == now.keys)
    };
    let known = lock.header.repositories.iter().find(|known| known.id == repo.id);
    let repomd = known.and_then(|known| lock.objects.get(&known.repomd));
    match (known, repomd) {
        (Some(known), Some(repomd)) if files.recipe.sources.get(source).is_some_and(alike) => {
            Ok(Pinned { mirrors: known.mirrors.clone(), repomd: repomd.clone() })
        }
        _ => Err(ComposeError::AllMove(repo.id.clone())),
    }
}

/// The repositories of a recipe with their places among its sources.
fn repositories(files: &RecipeFiles) -> impl Iterator<Item = (usize, &RepoSource)> {
    files.recipe.sources.iter().enumerate().filter_map(|(place, source)| match &source.origin {
        Where::Repo(repo) => Some((place, repo)),
        Where::Build(_) | Where::Dir(_) | Where::Koji(_) => None,
    })
}

/// Takes in what a repository offers. Gives the patterns that mean none of it.
fn add<'r>(
    repository: usize,
    (source, repo, opened): &Place<'r>,
    visible: &Visible<'_>,
    harvest: &mut Harvest,
) -> Result<Vec<&'r str>, ComposeError> {
    let filter = Filter { include: &repo.includepkgs, exclude: &repo.excludepkgs };
    let nevras: Vec<_> = opened.packages.iter().map(repodata::Entry::nevra).collect();
    let (counts, idle) = filter.apply(nevras.into_iter());
    let counted = opened.packages.iter().enumerate().zip(counts).filter(|(_, counts)| *counts);
    for ((package, entry), _) in counted {
        let nevra = entry.nevra();
        let provides = entry.dependencies(Kind::Provides).map(|provided| provided.name);
        if !repo.module_hotfixes && !visible.shows(nevra, provides) {
            continue;
        }
        let file = entry.checksum().sha256().ok_or_else(|| ComposeError::WeakChecksum {
            repository: repo.id.clone(),
            package: nevra.to_string(),
            kind: entry.checksum().kind(),
        })?;
        let numbers = entry.numbers();
        let (size, header) = (Some(numbers.size).filter(|size| *size > 0), numbers.header);
        let outside = entry.base().map(|base| format!("{base}/{}", entry.href()));
        let harvested = Harvested {
            offered: Offered::Listed(Listed { file, size, header, outside }),
            origin: Origin::Repo { repository: repo.id.clone(), path: RelPath::new(entry.href())? },
            more: Vec::new(),
            source: *source,
            build_time: numbers.build_time,
        };
        // Selection takes the key for what it is: something that tells packages apart.
        harvest.add(nevra, harvested, || Seen::Listed { repository, package, key: file });
    }
    Ok(idle)
}

/// Downloads the selected packages that only metadata told of, and reads them.
pub(super) fn obtain(
    session: &Session<'_>,
    downloads: &dyn Downloads,
    files: &RecipeFiles,
    header: &Header,
    selected: &BTreeSet<Nevra>,
    modules: &Modular,
    harvest: &mut Harvest,
) -> Result<(), ComposeError> {
    let mut listed: Vec<(&Nevra, &Harvested, &Listed, Vec<String>)> = Vec::new();
    let mut outside = Vec::new();
    for (nevra, harvested) in harvest.packages.iter().filter(|(nevra, _)| selected.contains(*nevra)) {
        let Offered::Listed(package) = &harvested.offered else { continue };
        if let Some(place) = &package.outside {
            outside.push(format!("{nevra}: {place}"));
        }
        listed.push((nevra, harvested, package, urls(header, &harvested.origin)));
    }
    if !outside.is_empty() {
        return Err(ComposeError::Outside(outside));
    }
    let absent: Vec<_> = listed.iter().filter(|(.., package, _)| !session.store.has(&package.file)).collect();
    look_ahead(session, downloads, files, &absent)?;
    let wanted = listed.iter().map(|(nevra, _, package, urls)| Wanted {
        label: nevra.file_name(),
        urls: urls.clone(),
        digest: package.file,
        size: package.size,
    });
    session.timed("fetch", || downloads.files(wanted.collect()))?;

    let mut broken = Vec::new();
    let mut read_ones = Vec::new();
    for (nevra, harvested, package, _) in listed {
        match read(session.store, &package.file, &nevra.file_name()) {
            Ok((headers, identity)) => {
                let name = headers.package().map(|found| found.nevra);
                match name {
                    Ok(_) if must_cover(files, harvested.source) && !identity.covers_payload() => {
                        broken.push(format!(
                            "{}: it has no digest of its payload, so that no signature covers that",
                            harvested.origin
                        ));
                    }
                    Ok(found) if !modules.explains(&headers, &found) => broken.push(format!(
                        "{}: it belongs to a module, but no active stream has it",
                        harvested.origin
                    )),
                    Ok(found) if is_same(&found, nevra) => {
                        read_ones.push((nevra.clone(), identity));
                    }
                    Ok(found) => broken.push(format!("{}: it is the package {found}", harvested.origin)),
                    Err(error) => broken.push(format!("{}: {}", harvested.origin, chain(&error))),
                }
            }
            Err(ComposeError::Package { source, .. }) => {
                broken.push(format!("{}: {}", harvested.origin, chain(&source)));
            }
            Err(error) => return Err(error),
        }
    }
    if !broken.is_empty() {
        return Err(ComposeError::BrokenPackages(broken));
    }
    for (nevra, identity) in read_ones {
        if let Some(harvested) = harvest.packages.get_mut(&nevra) {
            harvested.offered = Offered::Read(identity);
        }
    }
    Ok(())
}

/// Whether signatures of headers alone are what packages are trusted by. Where `repomd.xml` is signed, it covers them wholly.
fn must_cover(files: &RecipeFiles, source: usize) -> bool {
    let source = files.recipe.sources.get(source).map(|source| &source.origin);
    matches!(source, Some(Where::Repo(RepoSource { gpgcheck: true, repo_gpgcheck: false, .. })))
}

/// Looks at the headers of packages that must be signed, so that one which is not is known before all are downloaded.
/// What a header says here is not believed: files that look wrong are downloaded first, and judged by their digests.
fn look_ahead(
    session: &Session<'_>,
    downloads: &dyn Downloads,
    files: &RecipeFiles,
    absent: &[&(&Nevra, &Harvested, &Listed, Vec<String>)],
) -> Result<(), ComposeError> {
    let rule = |source: usize| files.recipe.sources.get(source).map(|source| source.on_unsigned);
    let must: Vec<_> = absent
        .iter()
        .filter(|(_, harvested, ..)| rule(harvested.source) == Some(OnUnsigned::Error))
        .collect();
    if must.is_empty() {
        return Ok(());
    }
    let mut accepted: BTreeMap<usize, Vec<Accepted>> = BTreeMap::new();
    for (_, harvested, ..) in &must {
        if let Entry::Vacant(vacant) = accepted.entry(harvested.source) {
            vacant.insert(signatures::accepted(files, harvested.source)?);
        }
    }
    let wanted = must.iter().map(|(nevra, _, package, urls)| HeaderOf {
        nevra: (*nevra).clone(),
        urls: urls.clone(),
        header: package.header,
    });
    let headers = session.timed("headers", || downloads.headers(wanted.collect()));
    let mut suspects = Vec::new();
    for ((nevra, harvested, package, urls), headers) in must.iter().zip(headers) {
        let known = accepted.get(&harvested.source).map(Vec::as_slice).unwrap_or_default();
        if headers.is_ok_and(|headers| signatures::signed_by(&headers, known).is_some()) {
            continue;
        }
        let (label, digest) = (nevra.file_name(), package.file);
        suspects.push((nevra, known, Wanted { label, urls: urls.clone(), digest, size: package.size }));
    }
    downloads.files(suspects.iter().map(|(.., wanted)| wanted.clone()).collect())?;
    let mut unsigned = Vec::new();
    for (nevra, known, wanted) in suspects {
        // A file that cannot be read is for later, when all of them are told.
        let Ok((headers, _)) = read(session.store, &wanted.digest, &wanted.label) else { continue };
        if signatures::signed_by(&headers, known).is_none() {
            unsigned.push(signatures::unsigned(nevra, &signatures::signers(&headers)));
        }
    }
    if unsigned.is_empty() { Ok(()) } else { Err(ComposeError::Unsigned(unsigned)) }
}

/// Where a package of a repository is, mirror by mirror; nothing for packages of other origins.
fn urls(header: &Header, origin: &Origin) -> Vec<String> {
    let Origin::Repo { repository, path } = origin else { return Vec::new() };
    let named = header.repositories.iter().filter(|known| known.id == *repository);
    named.flat_map(|known| &known.mirrors).map(|mirror| url(mirror, path.as_str())).collect()
}

/// What a lock takes from repositories.
pub(super) fn wanted(lock: &Lock) -> Vec<Wanted> {
    let packages = lock.packages.0.iter().filter_map(|(nevra, package)| {
        let urls: Vec<_> = package.origins.iter().flat_map(|origin| urls(&lock.header, origin)).collect();
        let label = nevra.file_name();
        (!urls.is_empty()).then_some(Wanted {
            label,
            urls,
            digest: package.unsigned,
            size: Some(package.size),
        })
    });
    packages.collect()
}
