//! Whether the packages are there, intact, signed, and what their records say they are.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::super::load::{self, What, open_file};
use super::{
    Error, Finding, Information, LoadError, Looked, Options, Place, Repository, Severity, Warning, record,
};
use crate::base::{RelPath, chain};
use crate::fetch::{FetchError, Fetcher, Wanted};
use crate::format::repodata::{Entry, Packages, Verifier};
use crate::openpgp::Keyring;
use crate::rpm::verify::{self, Level, Problem, Requirements, UnverifiableError, Verification};
use crate::rpm::{Headers, PackageError};

/// Packages that are looked at at a time.
const WORKERS: usize = 4;
/// Entries of a field that are named.
const NAMED: usize = 20;

/// Checks a repository's packages.
pub(super) async fn check(
    repository: &Repository,
    options: &Options,
    fetcher: &Fetcher,
    findings: &mut Vec<Finding>,
) -> Result<Looked, LoadError> {
    let Some(packages) = &repository.packages else { return Ok(Looked::Nothing) };
    let mut inside: Vec<Entry<'_>> = Vec::new();
    for package in packages.iter() {
        match package.base() {
            None => inside.push(package),
            Some(base) => {
                let message = format!("it lies outside of the repository, at {base}, and was not looked at");
                let kind = (Information, "package-elsewhere");
                findings.push(Finding::new(kind, &repository.name, subject(package), message));
            }
        }
    }
    // The same file once for the same record; that there are more was said.
    let key = |package: &Entry<'_>| (package.href().to_owned(), package.nevra().clone(), *package.checksum());
    inside.sort_by_cached_key(key);
    inside.dedup_by_key(|package| key(package));
    if let Place::Remote(_) = &repository.place {
        let gone = match options.download {
            true => download(repository, &inside, fetcher, findings).await?,
            false => {
                if options.keys.is_some() && !inside.is_empty() {
                    let message = "signatures of packages were not looked at; --download looks at them";
                    findings.push(unsigned(repository, message));
                }
                return sizes(repository, &inside, fetcher, findings).await;
            }
        };
        inside.retain(|package| !gone.iter().any(|href| href == package.href()));
    }
    if options.keys.is_none() && !inside.is_empty() {
        findings.push(unsigned(repository, "signatures were not looked at: no keys were named"));
    }
    findings.extend(contents(repository, packages, &inside, options)?);
    Ok(Looked::Content)
}

/// That signatures of packages were left out.
fn unsigned(repository: &Repository, message: &str) -> Finding {
    Finding::new((Information, "signatures-not-checked"), &repository.name, "packages", message)
}

fn subject(package: Entry<'_>) -> String {
    package.nevra().to_string()
}

/// What servers say about sizes.
async fn sizes(
    repository: &Repository,
    packages: &[Entry<'_>],
    fetcher: &Fetcher,
    findings: &mut Vec<Finding>,
) -> Result<Looked, LoadError> {
    let Place::Remote(remote) = &repository.place else { return Ok(Looked::Nothing) };
    let plain: Vec<(Entry<'_>, RelPath)> =
        packages.iter().filter_map(|package| Some((*package, RelPath::new(package.href()).ok()?))).collect();
    let urls = plain.iter().map(|(_, path)| remote.url(path)).collect();
    let mut silent = Vec::new();
    for ((package, _), answer) in plain.iter().zip(fetcher.sizes(urls, load::PARALLEL).await) {
        match load::said(answer)? {
            Ok(None) => silent.push(subject(*package)),
            Ok(Some(found)) if found == package.numbers().size => {}
            Ok(Some(found)) => {
                let stated = package.numbers().size;
                findings.push(wrong(repository, *package, &What::Size { stated, found }));
            }
            Err(what) => findings.push(wrong(repository, *package, &what)),
        }
    }
    let message = "of the packages only sizes were looked at; --download looks at all";
    findings.push(Finding::new((Information, "digests-not-checked"), &repository.name, "packages", message));
    if !silent.is_empty() {
        silent.sort();
        let message = format!("the server does not say how large {} packages are", silent.len());
        let kind = (Information, "sizes-not-checked");
        findings.push(Finding::new(kind, &repository.name, "packages", message).with(silent));
    }
    Ok(Looked::Sizes)
}

/// Downloads packages; gives the places of those that could not be had.
async fn download(
    repository: &Repository,
    packages: &[Entry<'_>],
    fetcher: &Fetcher,
    findings: &mut Vec<Finding>,
) -> Result<Vec<String>, LoadError> {
    let Place::Remote(remote) = &repository.place else { return Ok(Vec::new()) };
    let (mut wanted, mut gone) = (Vec::new(), Vec::new());
    for package in packages {
        let path = RelPath::new(package.href()).ok();
        match (package.checksum().sha256(), path) {
            (Some(digest), Some(path)) => wanted.push(Wanted {
                label: package.href().to_owned(),
                urls: vec![remote.url(&path)],
                digest,
                size: Some(package.numbers().size),
            }),
            _ => {
                findings.push(wrong(repository, *package, &What::Foreign(*package.checksum())));
                gone.push(package.href().to_owned());
            }
        }
    }
    match fetcher.all(wanted, load::PARALLEL, &()).await {
        Ok(()) => {}
        Err(FetchError::Failed(failed)) => {
            for file in failed {
                let href = file.label.clone();
                let Err(what) = load::said(Err(FetchError::Failed(vec![file])))? else { continue };
                let named = packages.iter().find(|package| package.href() == href);
                findings.extend(named.map(|package| wrong(repository, *package, &what)));
                gone.push(href);
            }
        }
        Err(error) => return Err(error.into()),
    }
    Ok(gone)
}

/// A finding about a package's file.
fn wrong(repository: &Repository, package: Entry<'_>, what: &What) -> Finding {
    let kind = match what {
        What::Missing => (Error, "package-missing"),
        What::Size { .. } => (Error, "package-size"),
        What::Checksum(_) => (Error, "package-checksum"),
        What::Weak(_) => (Warning, "package-unverifiable"),
        What::Foreign(_) => (Error, "package-unverifiable"),
        What::NoList(_) | What::Unreadable(_) => (Error, "package-unreadable"),
    };
    let message = load::Fault::new(package.href(), what.clone()).to_string();
    Finding::new(kind, &repository.name, subject(package), message)
}

/// Looks at all packages, several at a time.
fn contents(
    repository: &Repository,
    packages: &Packages,
    inside: &[Entry<'_>],
    options: &Options,
) -> Result<Vec<Finding>, LoadError> {
    let next = AtomicUsize::new(0);
    let found = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..WORKERS.min(packages.len()) {
            scope.spawn(|| {
                loop {
                    let place = next.fetch_add(1, Ordering::Relaxed);
                    let Some(package) = inside.get(place) else { break };
                    let result = one(repository, *package, options);
                    if let Ok(mut found) = found.lock() {
                        found.push((place, result));
                    }
                }
            });
        }
    });
    let mut found = found.into_inner().unwrap_or_default();
    found.sort_by_key(|(place, _)| *place);
    let mut findings = Vec::new();
    for (_, result) in found {
        findings.extend(result?);
    }
    Ok(findings)
}

/// Opens the file of a package.
pub(super) fn open(repository: &Repository, package: Entry<'_>) -> io::Result<File> {
    match &repository.place {
        Place::Folder(root) => {
            let path = RelPath::new(package.href())
                .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
            open_file(root, &path)
        }
        Place::Remote(remote) => {
            let digest = package.checksum().sha256().ok_or(io::ErrorKind::NotFound)?;
            remote.object(&digest).map_err(|_| io::ErrorKind::NotFound.into())
        }
    }
}

fn one(repository: &Repository, package: Entry<'_>, options: &Options) -> Result<Vec<Finding>, LoadError> {
    let failed = |error: io::Error| load::Fault::of_io(package.href(), error);
    let stated = package.numbers().size;
    let opened = open(repository, package).and_then(|file| file.metadata().map(|data| (file, data.len())));
    let (file, length) = match opened {
        Ok(opened) => opened,
        Err(error) => return Ok(vec![wrong(repository, package, &failed(error)?.what)]),
    };
    let mut findings = Vec::new();
    let mut reader =
        Tee { inner: BufReader::with_capacity(1 << 16, file), verifier: package.checksum().verifier() };
    let certificates = options.keys.as_ref().map(Keyring::certificates);
    let verified = verify::verify(&mut reader, certificates, options.judgement());
    // To the end, for the checksum, also where it is no package.
    io::copy(&mut reader, &mut io::sink()).map_err(&failed).or_else(|fault| fault.map(|_| 0))?;
    if length != stated {
        findings.push(wrong(repository, package, &What::Size { stated, found: length }));
    }
    let checksum = *package.checksum();
    match reader.verifier.map(Verifier::agrees) {
        None => findings.push(wrong(repository, package, &What::Weak(checksum))),
        Some(true) => {}
        Some(false) => findings.push(wrong(repository, package, &What::Checksum(checksum))),
    }
    let is_other = findings.iter().any(|finding| finding.severity == Error);
    match verified {
        Ok(verified) => {
            findings.extend(claims(repository, package, &verified, options));
            // A record of another file tells nothing.
            if !is_other {
                findings.extend(header(repository, package, &verified)?);
            }
        }
        Err(UnverifiableError::Io(error) | UnverifiableError::Package(PackageError::Io(error))) => {
            findings.push(wrong(repository, package, &failed(error)?.what));
        }
        Err(error) => findings.push(wrong(repository, package, &What::Unreadable(chain(&error)))),
    }
    Ok(findings)
}

/// What a package claims about itself and is not so.
fn claims(
    repository: &Repository,
    package: Entry<'_>,
    verified: &Verification,
    options: &Options,
) -> Vec<Finding> {
    let level = if options.keys.is_some() { Level::All } else { Level::Digest };
    let problems = verified.problems(Requirements { level, any_signature: false });
    let finding = |problem: &Problem<'_>| {
        let code = match problem {
            Problem::Check(check) if check.is_signature() => "package-signature",
            Problem::Check(_) | Problem::NoDigest(_) => "package-digest",
            Problem::Unsigned => "package-unsigned",
            Problem::HalfSigned(_) => "package-signature",
            Problem::Truncated { .. } => "package-truncated",
            Problem::Refused(_) => "package-refused",
        };
        Finding::new((Error, code), &repository.name, subject(package), problem.to_string())
    };
    problems.iter().map(finding).collect()
}

/// What a package's record says otherwise than its header.
fn header(
    repository: &Repository,
    package: Entry<'_>,
    verified: &Verification,
) -> Result<Vec<Finding>, LoadError> {
    let failed = |error: io::Error| load::Fault::of_io(package.href(), error);
    let file = match open(repository, package) {
        Ok(file) => file,
        Err(error) => return Ok(vec![wrong(repository, package, &failed(error)?.what)]),
    };
    // What is wrong with a header was said when the file was verified.
    let Ok(headers) = Headers::read(BufReader::new(file)) else { return Ok(Vec::new()) };
    let Ok(read) = headers.package() else { return Ok(Vec::new()) };
    let differences = match record::differences(&read, verified.file, verified.size, package) {
        Ok(differences) => differences,
        Err(reason) => return Ok(vec![wrong(repository, package, &What::Unreadable(reason))]),
    };
    let finding = |(severity, change): (Severity, super::super::Change)| {
        let code = if severity == Error { "record-differs" } else { "record-text-differs" };
        let message = format!("its record differs from its header in '{}'", change.field);
        let mut details = listed("the header has", &change.before);
        details.extend(listed("the record has", &change.after));
        Finding::new((severity, code), &repository.name, subject(package), message).with(details)
    };
    Ok(differences.into_iter().map(finding).collect())
}

fn listed(who: &str, what: &[String]) -> Vec<String> {
    let mut lines: Vec<String> = what.iter().take(NAMED).map(|item| format!("{who} {item}")).collect();
    if let Some(more) = what.len().checked_sub(NAMED).filter(|more| *more > 0) {
        lines.push(format!("{who} {more} more"));
    }
    lines
}

struct Tee<R> {
    inner: R,
    verifier: Option<Verifier>,
}

impl<R: Read> Read for Tee<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.inner.read(buffer)?;
        if let Some(verifier) = &mut self.verifier {
            verifier.update(buffer.get(..length).unwrap_or_default());
        }
        Ok(length)
    }
}
