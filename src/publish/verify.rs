//! Reads a compose before it is published: every file by its digest, every repository by what it says of itself.
//! A half compose, a damaged one and one that clients would refuse are told apart here, with everything that is wrong.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufReader, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use serde::de::IgnoredAny;

use super::error::PublishError;
use super::record::{Class, FileRecord, is_id};
use crate::base::{Hasher, RelPath, SourceDate};
use crate::format::checksum::Checksums;
use crate::format::repodata::{Checksum, Content, Entry, Packages, Repomd};
use crate::openpgp::{Certificate, dearmor, verify_cleartext, verify_detached};

const COMPOSE_ID: &str = "COMPOSE_ID";
const METADATA: &str = "compose/metadata/";
const KEY: &str = "RPM-GPG-KEY-";
/// More than any repomd.xml, signature, key or CHECKSUM has.
const LARGEST: u64 = 64 << 20;

/// What is to be published.
#[derive(Debug)]
pub(super) struct Compose {
    pub id: String,
    /// In the order of their paths.
    pub files: Vec<FileRecord>,
}

/// Reads and judges a compose; signatures have to be good at this time.
pub(super) fn compose(folder: &Path, now: SourceDate) -> Result<Compose, PublishError> {
    let place = folder.join(COMPOSE_ID);
    if fs::symlink_metadata(&place).is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
        return Err(PublishError::NoCompose(folder.into()));
    }
    let mut check = Check { folder, now, files: BTreeMap::new(), keys: Vec::new(), problems: Vec::new() };
    check.walk()?;
    let id = bounded(&place)?;
    let id = String::from_utf8_lossy(&id).trim().to_owned();
    if !is_id(&id) {
        check.problems.push("COMPOSE_ID names no compose".into());
    }
    check.keys()?;
    check.repositories()?;
    check.checksums()?;
    check.documents()?;
    match check.problems.is_empty() {
        true => Ok(Compose { id, files: check.files.into_values().collect() }),
        false => Err(PublishError::Unfinished { path: folder.into(), problems: check.problems }),
    }
}

struct Check<'a> {
    folder: &'a Path,
    now: SourceDate,
    files: BTreeMap<RelPath, FileRecord>,
    keys: Vec<Certificate>,
    problems: Vec<String>,
}

impl Check<'_> {
    /// Takes in every file.
    #[allow(clippy::disallowed_methods, reason = "the files go into a map, and problems are sorted")]
    fn walk(&mut self) -> Result<(), PublishError> {
        let mut open: Vec<Option<RelPath>> = vec![None];
        while let Some(folder) = open.pop() {
            let place =
                folder.as_ref().map_or_else(|| self.folder.to_owned(), |path| path.below(self.folder));
            for entry in fs::read_dir(&place).map_err(PublishError::read(&place))? {
                let entry = entry.map_err(PublishError::read(&place))?;
                let name =
                    entry.file_name().into_string().ok().filter(|name| !name.contains(char::is_control));
                let path = name.and_then(|name| match &folder {
                    Some(folder) => folder.join(&name).ok(),
                    None => RelPath::new(name).ok(),
                });
                let Some(path) = path else {
                    self.problems.push(format!("{:?} has a name that cannot be served", entry.path()));
                    continue;
                };
                let kind = entry.file_type().map_err(PublishError::read(&entry.path()))?;
                if kind.is_dir() {
                    open.push(Some(path));
                } else if kind.is_file() {
                    let file = hashed(path, &entry.path())?;
                    self.files.insert(file.path.clone(), file);
                } else {
                    self.problems.push(format!("{path} is neither a file nor a folder"));
                }
            }
        }
        self.problems.sort();
        Ok(())
    }

    /// The keys that come along.
    fn keys(&mut self) -> Result<(), PublishError> {
        for path in self.named(|path| path.file_name().starts_with(KEY)) {
            match Certificate::parse_all(&self.read(&path)?) {
                Ok(keys) => self.keys.extend(keys),
                Err(error) => self.problems.push(format!("{path} is no key: {error}")),
            }
        }
        Ok(())
    }

    /// Nothing has the digests of the compose's metadata; what is cut off is no JSON.
    fn documents(&mut self) -> Result<(), PublishError> {
        let wanted = |path: &RelPath| path.as_str().starts_with(METADATA) && path.as_str().ends_with(".json");
        for path in self.named(wanted) {
            let place = path.below(self.folder);
            let file = BufReader::new(File::open(&place).map_err(PublishError::read(&place))?);
            match serde_json::from_reader::<_, IgnoredAny>(file) {
                Ok(_) => {}
                Err(error) if error.is_io() => return Err(PublishError::read(&place)(error.into())),
                Err(error) => self.problems.push(format!("{path} is no JSON: {error}")),
            }
        }
        Ok(())
    }

    fn named(&self, wanted: impl Fn(&RelPath) -> bool) -> Vec<RelPath> {
        self.files.keys().filter(|path| wanted(path)).cloned().collect()
    }

    fn read(&self, path: &RelPath) -> Result<Vec<u8>, PublishError> {
        bounded(&path.below(self.folder))
    }

    fn repositories(&mut self) -> Result<(), PublishError> {
        let all = self.named(|path| path.as_str().ends_with("/repodata/repomd.xml"));
        if all.is_empty() {
            self.problems.push("it has no repository".into());
        }
        let is_signed = !self.keys.is_empty() || all.iter().any(|path| self.files.contains_key(&asc(path)));
        for path in all {
            let Some(repository) = path.parent().and_then(|folder| folder.parent()) else { continue };
            let bytes = self.read(&path)?;
            match Repomd::parse(&bytes) {
                Ok(repomd) => self.repository(&repository, &path, &repomd)?,
                Err(error) => self.problems.push(format!("{path}: {error}")),
            }
            if is_signed {
                self.signature(&path, &bytes)?;
            }
        }
        Ok(())
    }

    fn repository(&mut self, root: &RelPath, repomd: &RelPath, says: &Repomd) -> Result<(), PublishError> {
        for data in &says.data {
            let (name, hex) = (&data.location, data.checksum.hex());
            if !name.file_name().contains(&hex) {
                let why = "is not named by its checksum, so clients would find another one under its name";
                self.problems.push(format!("{root}/{name} {why}"));
            }
            self.expect(root, name, &data.checksum, data.size, repomd.as_str(), Class::Metadata);
        }
        let Some(primary) = says.find("primary") else {
            self.problems.push(format!("{repomd} names no primary list"));
            return Ok(());
        };
        let Ok(path) = root.join(primary.location.as_str()) else { return Ok(()) };
        if self.files.get(&path).is_none_or(|file| Some(file.digest) != primary.checksum.sha256()) {
            return Ok(());
        }
        let place = path.below(self.folder);
        let file = BufReader::new(File::open(&place).map_err(PublishError::read(&place))?);
        let size = primary.open.map_or(primary.size, |open| open.size);
        let packages = Content::open(file, size).map_err(|error| error.to_string());
        match packages.and_then(|list| Packages::read(list).map_err(|error| error.to_string())) {
            Ok(packages) => packages.iter().for_each(|package| self.package(root, &path, package)),
            Err(error) => self.problems.push(format!("{path}: {error}")),
        }
        Ok(())
    }

    fn package(&mut self, root: &RelPath, primary: &RelPath, package: Entry<'_>) {
        match (package.base(), RelPath::new(package.href())) {
            (None, Ok(name)) => {
                let size = Some(package.numbers().size);
                self.expect(root, &name, package.checksum(), size, primary.as_str(), Class::Package);
            }
            _ => {
                let name = package.nevra();
                self.problems.push(format!("{name} lies outside of {root}: {primary} names it"));
            }
        }
    }

    /// Finds a file that another one names, and gives it its class.
    fn expect(
        &mut self,
        root: &RelPath,
        name: &RelPath,
        checksum: &Checksum,
        size: Option<u64>,
        by: &str,
        class: Class,
    ) {
        let file = root.join(name.as_str()).ok().and_then(|path| self.files.get_mut(&path));
        match file {
            None => self.problems.push(format!("{root}/{name} is missing: {by} names it")),
            Some(file)
                if Some(file.digest) != checksum.sha256() || size.is_some_and(|size| size != file.size) =>
            {
                self.problems.push(format!("{root}/{name} is not the file that {by} names"));
            }
            Some(file) => file.class = class,
        }
    }

    /// A signature is good when it is made, and has to be good for those who get it now.
    fn signature(&mut self, repomd: &RelPath, bytes: &[u8]) -> Result<(), PublishError> {
        let path = asc(repomd);
        if !self.files.contains_key(&path) {
            self.problems.push(format!("{path} is missing: the compose is signed"));
            return Ok(());
        }
        let armored = self.read(&path)?;
        if self.keys.is_empty() {
            if let Err(error) = dearmor(&armored) {
                self.problems.push(format!("{path} is no signature: {error}"));
            }
            return Ok(());
        }
        let judged = verify_detached(&self.keys, &armored, bytes, None).and_then(|made| {
            let now = self.now.seconds().max(made.created);
            verify_detached(&self.keys, &armored, bytes, Some(now))
        });
        if let Err(error) = judged {
            self.problems.push(format!("{path} does not sign {repomd}: {error}"));
        }
        Ok(())
    }

    /// The images that CHECKSUM files name, and whether they are signed where the repositories are.
    fn checksums(&mut self) -> Result<(), PublishError> {
        for path in self.named(|path| path.file_name() == "CHECKSUM") {
            let Some(folder) = path.parent() else { continue };
            let bytes = self.read(&path)?;
            let text = match self.keys.is_empty() {
                true => Ok(bytes),
                false => verify_cleartext(&self.keys, &bytes),
            };
            let list = text.map_err(|error| error.to_string()).and_then(|text| {
                Checksums::parse(&String::from_utf8_lossy(&text)).map_err(|error| error.to_string())
            });
            let list = match list {
                Ok(list) => list,
                Err(error) => {
                    self.problems.push(format!("{path}: {error}"));
                    continue;
                }
            };
            for (name, checksum) in list.files() {
                let digest = Checksum::Sha256(checksum.digest);
                self.expect(&folder, name, &digest, checksum.size, path.as_str(), Class::Medium);
            }
        }
        Ok(())
    }
}

fn bounded(place: &Path) -> Result<Vec<u8>, PublishError> {
    let mut bytes = Vec::new();
    let read = File::open(place).and_then(|file| file.take(LARGEST).read_to_end(&mut bytes));
    read.map_err(PublishError::read(place))?;
    Ok(bytes)
}

fn asc(repomd: &RelPath) -> RelPath {
    // The longer name of a file in the same folder; where it would be too long, it is not there.
    RelPath::new(format!("{repomd}.asc")).unwrap_or_else(|_| repomd.clone())
}

/// A file with its digest, not yet known to be anything but mutable.
pub(super) fn hashed(path: RelPath, place: &Path) -> Result<FileRecord, PublishError> {
    let read = PublishError::read(place);
    let file = File::open(place).and_then(|file| Ok((file.metadata()?, Hasher::drain(file)?)));
    let (found, (digest, size)) = file.map_err(read)?;
    Ok(FileRecord { path, class: Class::Mutable, digest, size, mtime: found.mtime() })
}
