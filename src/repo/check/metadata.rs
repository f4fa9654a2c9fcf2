//! Whether the lists agree with each other, and with what is there.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::super::load::{self, Facts, REPOMD};
use super::{Error, Finding, Information, LoadError, Options, Place, Repository, Warning};
use crate::base::{RelPath, chain};
use crate::fetch::Fetcher;
use crate::format::repodata::{Data, List, Packages};
use crate::format::xml::Element;
use crate::openpgp::verify_detached;

/// Where the signature of `repomd.xml` is.
const SIGNATURE: &str = "repodata/repomd.xml.asc";
/// Paths that are named of a folder's other files.
const MOST_FILES: usize = 1_000_000;

/// Checks a repository's metadata.
pub(super) async fn check(
    repository: &mut Repository,
    options: &Options,
    fetcher: &Fetcher,
    findings: &mut Vec<Finding>,
) -> Result<(), LoadError> {
    others(repository, options, fetcher, findings).await?;
    signature(repository, options, fetcher, findings).await?;
    let Some(packages) = &repository.packages else { return Ok(()) };
    let name = &repository.name;
    for (list, facts) in &repository.facts {
        counts(name, *list, facts, findings);
        if *list != List::Primary {
            same(name, packages, *list, facts, findings);
        }
    }
    unique(name, packages, findings);
    primary_files(repository, packages, findings);
    if let Place::Folder(root) = &repository.place {
        findings.extend(unnamed(repository, root, packages)?);
    }
    Ok(())
}

/// The files of the metadata that were not read yet.
async fn others(
    repository: &mut Repository,
    options: &Options,
    fetcher: &Fetcher,
    findings: &mut Vec<Finding>,
) -> Result<(), LoadError> {
    let read = |data: &&Data| !List::ALL.iter().any(|list| list.name() == data.kind);
    let others: Vec<Data> = repository.repomd.data.iter().filter(read).cloned().collect();
    if let Place::Remote(remote) = repository.place.clone() {
        let (all, sized): (Vec<_>, Vec<_>) =
            others.into_iter().partition(|data| options.download || data.kind.starts_with("group"));
        repository.download(&all, fetcher).await?;
        let urls = sized.iter().map(|data| remote.url(&data.location)).collect();
        for (data, answer) in sized.iter().zip(fetcher.sizes(urls, load::PARALLEL).await) {
            let location = data.location.as_str();
            match load::said(answer)? {
                Ok(Some(found)) if data.size.is_some_and(|stated| stated != found) => {
                    let stated = data.size.unwrap_or_default();
                    repository.faults.push(load::Fault::new(location, load::What::Size { stated, found }));
                }
                Ok(_) => {
                    let message = "only its size was looked at; --download compares its checksum, too";
                    findings.push(Finding::new(
                        (Information, "checksum-not-checked"),
                        &repository.name,
                        location,
                        message,
                    ));
                }
                Err(what) => repository.faults.push(load::Fault::new(location, what)),
            }
        }
        for data in all {
            repository.content_digest(&data)?;
        }
    } else {
        for data in others {
            repository.content_digest(&data)?;
        }
    }
    // Groups were read already, and what is wrong with them was said.
    repository.faults.sort();
    repository.faults.dedup();
    Ok(())
}

async fn signature(
    repository: &Repository,
    options: &Options,
    fetcher: &Fetcher,
    findings: &mut Vec<Finding>,
) -> Result<(), LoadError> {
    let Some(keys) = &options.keys else { return Ok(()) };
    if repository.repomd_bytes.is_empty() {
        return Ok(());
    }
    let mut add =
        |kind, message: String| findings.push(Finding::new(kind, &repository.name, REPOMD, message));
    match repository.small(SIGNATURE, fetcher).await? {
        Some(signature) => {
            if let Err(error) =
                verify_detached(keys, &signature, &*repository.repomd_bytes, options.policy_time)
            {
                add((Error, "repomd-signature"), format!("{SIGNATURE} does not sign it: {}", chain(&error)));
            }
        }
        None if options.unsigned_repomd => add((Information, "repomd-unsigned"), "it is not signed".into()),
        None => add((Error, "repomd-unsigned"), format!("it is not signed: there is no {SIGNATURE}")),
    }
    Ok(())
}

fn counts(name: &str, list: List, facts: &Facts, findings: &mut Vec<Finding>) {
    if facts.stated != Some(facts.packages) {
        let message = match facts.stated {
            Some(stated) => format!("it says that it has {stated} packages, and has {}", facts.packages),
            None => format!("it does not say how many packages it has; it has {}", facts.packages),
        };
        findings.push(Finding::new((Error, "list-count"), name, list.name(), message));
    }
}

/// Whether a list is of the packages of primary.
fn same(name: &str, packages: &Packages, list: List, facts: &Facts, findings: &mut Vec<Finding>) {
    let mut wanted: BTreeMap<String, String> = BTreeMap::new();
    for package in packages.iter() {
        wanted.entry(package.checksum().hex()).or_insert_with(|| package.nevra().to_string());
    }
    let (mut seen, mut twice, mut foreign) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for pkgid in &facts.pkgids {
        if !seen.insert(pkgid.as_str()) {
            twice.insert(pkgid.clone());
        }
        if !wanted.contains_key(pkgid) {
            foreign.insert(pkgid.clone());
        }
    }
    let lacking: Vec<String> = wanted
        .iter()
        .filter(|(pkgid, _)| !seen.contains(pkgid.as_str()))
        .map(|(_, nevra)| nevra.clone())
        .collect();
    let all = wanted.len();
    let mut add = |code, message: String, mut details: Vec<String>| {
        if !details.is_empty() {
            details.sort();
            findings.push(Finding::new((Error, code), name, list.name(), message).with(details));
        }
    };
    add(
        "list-lacks-packages",
        format!("it lacks {} of the {all} packages of primary", lacking.len()),
        lacking,
    );
    let message = format!("it has {} packages that primary does not have", foreign.len());
    add("list-foreign-packages", message, foreign.into_iter().collect());
    add(
        "list-repeats-packages",
        format!("it has {} packages more than once", twice.len()),
        twice.into_iter().collect(),
    );
}

fn unique(name: &str, packages: &Packages, findings: &mut Vec<Finding>) {
    let (mut names, mut places) = (BTreeMap::<_, Vec<_>>::new(), BTreeMap::<_, Vec<_>>::new());
    for package in packages.iter() {
        names.entry(package.nevra()).or_default().push(package);
        places.entry((package.base(), package.href())).or_default().push(package);
    }
    for (nevra, all) in names.into_iter().filter(|(_, all)| all.len() > 1) {
        let sums: BTreeSet<_> = all.iter().map(|package| package.checksum()).collect();
        let mut details: Vec<String> = all.iter().map(|package| package.href().to_owned()).collect();
        details.sort();
        let (kind, message) = match sums.len() {
            1 => ((Warning, "duplicate-package"), "the same package is listed more than once"),
            _ => ((Error, "duplicate-nevra"), "different packages have this name, version and arch"),
        };
        findings.push(Finding::new(kind, name, nevra.to_string(), message).with(details));
    }
    for ((_, href), all) in places.into_iter().filter(|(_, all)| all.len() > 1) {
        let mut details: Vec<String> = all.iter().map(|package| package.nevra().to_string()).collect();
        details.sort();
        let message = format!("{} packages are to be this one file", all.len());
        findings.push(Finding::new((Error, "duplicate-location"), name, href, message).with(details));
    }
}

/// Whether each file of primary is in filelists as well.
fn primary_files(repository: &Repository, packages: &Packages, findings: &mut Vec<Finding>) {
    if repository.primary_files.is_empty() && !packages.is_empty() {
        let message = "primary has too many files for comparing them with filelists";
        let kind = (Information, "primary-files-not-checked");
        findings.push(Finding::new(kind, &repository.name, "primary", message));
    }
    for (package, primary) in packages.iter().zip(&repository.primary_files) {
        if !package.has_all_files() || primary.is_empty() {
            continue;
        }
        let all: BTreeSet<String> = package.files().map(|file| file.path()).collect();
        let mut lacking: Vec<String> = primary.iter().filter(|path| !all.contains(*path)).cloned().collect();
        if !lacking.is_empty() {
            lacking.sort();
            let message = "filelists lacks files of it that primary has";
            let subject = package.nevra().to_string();
            let kind = (Error, "primary-files");
            findings.push(Finding::new(kind, &repository.name, subject, message).with(lacking));
        }
    }
}

/// What lies in the folder and is named by nothing.
fn unnamed(repository: &Repository, root: &Path, packages: &Packages) -> Result<Option<Finding>, LoadError> {
    let mut named: BTreeSet<String> = [REPOMD, SIGNATURE].map(String::from).into();
    // All that repomd.xml names, also what is passed over when it is read.
    let document = Element::parse(&repository.repomd_bytes).ok();
    let data = document.iter().flat_map(|root| &root.children);
    let hrefs = data.filter_map(|data| data.child("location")?.attribute("href"));
    named.extend(hrefs.map(str::to_owned));
    named.extend(
        packages.iter().filter(|package| package.base().is_none()).map(|package| package.href().to_owned()),
    );
    let mut others = Vec::new();
    let mut open: Vec<Option<RelPath>> = vec![None];
    while let Some(folder) = open.pop() {
        let place = folder.as_ref().map_or_else(|| root.to_owned(), |folder| folder.below(root));
        for (name, is_folder) in entries(&place)? {
            let path = match &folder {
                Some(folder) => folder.join(&name),
                None => RelPath::new(name),
            };
            // What no metadata could name is named by none.
            let Ok(path) = path else { continue };
            match is_folder {
                true => open.push(Some(path)),
                false if !named.contains(path.as_str()) && others.len() < MOST_FILES => {
                    others.push(path.as_str().to_owned());
                }
                false => {}
            }
        }
    }
    others.sort();
    let message = format!("{} files lie in the folder that nothing names", others.len());
    let kind = (Information, "unnamed-files");
    let finding = Finding::new(kind, &repository.name, "files", message);
    Ok((!others.is_empty()).then(|| finding.with(others)))
}

/// The names in a folder, and whether they are folders.
#[allow(clippy::disallowed_methods, reason = "what is made of them is sorted")]
fn entries(folder: &Path) -> Result<Vec<(String, bool)>, LoadError> {
    let failed = |source| LoadError::Io { file: folder.display().to_string(), source };
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let kind = entry.file_type().map_err(failed)?;
        found.push((entry.file_name().to_string_lossy().into_owned(), kind.is_dir()));
    }
    Ok(found)
}
