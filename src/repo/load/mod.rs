//! Takes a repository in from a folder or an address, with every list verified.
//!
//! Each file that `repomd.xml` names and that is read is compared with its size and checksum first, and its content with
//! `open-size` and `open-checksum` while it is read; both as a stream, so memory is bounded by what
//! [`Packages`] bounds and time by the stated sizes. Whatever is wrong is a [`Fault`]; loading goes on with what is left, so that
//! all faults are known at once. An error is only what may be different when one tries again: a failing network or disk.

mod fault;
mod remote;
mod scan;

use std::fs::File;
use std::io::{self, BufReader, Read, Seek};
use std::path::{Path, PathBuf};

pub use fault::{Fault, LoadError, What};
pub use remote::{PARALLEL, Remote, said};
pub use scan::Facts;

use crate::base::digest::HashingWriter;
use crate::base::{Digest, RelPath, chain};
use crate::fetch::{Fetcher, file_path};
use crate::format::comps::Comps;
use crate::format::repodata::{Content, Data, List, Packages, ReadError, Repomd};
use crate::store::Store;
use scan::Scan;

/// Where `repomd.xml` is.
pub const REPOMD: &str = "repodata/repomd.xml";
/// The largest `repomd.xml`, signature of one, or comps file that is read.
pub const LARGEST: u64 = 32 << 20;

/// The most primary files that are kept beside those of filelists. CentOS Stream 9 AppStream has 36,204.
pub const MOST_PRIMARY_FILES: usize = 4 << 20;

/// Where a repository is.
#[derive(Clone, Debug)]
pub enum Place {
    /// A folder, the one that holds `repodata`.
    Folder(PathBuf),
    /// An address, likewise.
    Remote(Remote),
}

/// What is read of a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lists {
    /// All: primary, filelists, other and groups.
    All,
    /// What is needed to look up what is provided: primary.
    Primary,
    /// The same with all files: primary and filelists.
    Files,
}

impl Lists {
    fn has(self, list: List) -> bool {
        match list {
            List::Primary => true,
            List::Filelists => self != Self::Primary,
            List::Other => self == Self::All,
        }
    }
}

/// A repository.
#[derive(Debug)]
pub struct Repository {
    /// As it was named.
    pub name: String,
    /// Where it is.
    pub place: Place,
    /// The bytes of `repomd.xml`; empty where there is none.
    pub repomd_bytes: Vec<u8>,
    /// `repomd.xml`; empty where it cannot be read.
    pub repomd: Repomd,
    /// The packages; none where primary cannot be read.
    pub packages: Option<Packages>,
    /// Paths of each package's primary files, which filelists then replace; nothing where there are more than
    /// [`MOST_PRIMARY_FILES`] together.
    pub primary_files: Vec<Vec<String>>,
    /// What each list says of its packages.
    pub facts: Vec<(List, Facts)>,
    /// The groups, where there are some that can be read.
    pub comps: Option<Comps>,
    /// What is wrong with the metadata.
    pub faults: Vec<Fault>,
}

/// Opens a repository: a folder, a `file:` address, or one of `http:` or `https:`.
pub async fn load(
    name: &str,
    lists: Lists,
    fetcher: &Fetcher,
    store: &Store,
) -> Result<Repository, LoadError> {
    let scheme = name.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase());
    match scheme.as_deref() {
        Some("http" | "https") => remote::load(name, lists, fetcher, store).await,
        _ => folder(name, lists),
    }
}

/// Reads a repository in a folder, given as a path or as a `file:` address.
pub fn folder(name: &str, lists: Lists) -> Result<Repository, LoadError> {
    let path = match file_path(name) {
        Some(path) => path.map_err(|_| LoadError::Address(name.to_owned()))?,
        None if name.contains("://") => return Err(LoadError::Address(name.to_owned())),
        None => PathBuf::from(name),
    };
    let mut repository = Repository::new(name, Place::Folder(path.clone()));
    let repomd = path.join(REPOMD);
    match open_regular(&repomd).and_then(|file| read_bounded(file, LARGEST)) {
        Ok(bytes) => {
            repository.take_repomd(bytes);
            repository.read_lists(lists)?;
        }
        Err(error) => repository.faults.push(Fault::of_io(REPOMD, error)?),
    }
    Ok(repository)
}

/// Reads all there is, which may be no more than this.
pub fn read_bounded(reader: impl Read, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    reader.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(bytes) }
}

impl Repository {
    fn new(name: &str, place: Place) -> Self {
        Self {
            name: name.to_owned(),
            place,
            repomd_bytes: Vec::new(),
            repomd: Repomd::default(),
            packages: None,
            primary_files: Vec::new(),
            facts: Vec::new(),
            comps: None,
            faults: Vec::new(),
        }
    }

    /// Its folder, where it is in one.
    pub fn root(&self) -> Option<&Path> {
        match &self.place {
            Place::Folder(path) => Some(path),
            Place::Remote(_) => None,
        }
    }

    fn take_repomd(&mut self, bytes: Vec<u8>) {
        match Repomd::parse(&bytes) {
            Ok(repomd) => self.repomd = repomd,
            Err(error) => self.faults.push(Fault::new(REPOMD, What::Unreadable(error.to_string()))),
        }
        self.repomd_bytes = bytes;
    }

    /// Reads the lists, which are at hand.
    fn read_lists(&mut self, lists: Lists) -> Result<(), LoadError> {
        if self.faults.iter().any(|fault| fault.file == REPOMD) {
            return Ok(());
        }
        for list in List::ALL.into_iter().filter(|list| lists.has(*list)) {
            match self.repomd.find(list.name()).cloned() {
                Some(data) => self.read_list(list, &data)?,
                None => self.faults.push(Fault::new(REPOMD, What::NoList(list.name()))),
            }
        }
        if lists == Lists::All {
            let groups = self.repomd.find("group").or(self.repomd.find("group_gz")).cloned();
            if let Some(data) = groups {
                self.read_comps(&data)?;
            }
        }
        Ok(())
    }

    fn read_list(&mut self, list: List, data: &Data) -> Result<(), LoadError> {
        let location = data.location.as_str();
        let Some(content) = self.content(data)? else { return Ok(()) };
        let mut scan = Scan::new(content);
        let read = match (list, self.packages.as_mut()) {
            (List::Primary, _) => Packages::read(&mut scan).map(|packages| {
                self.primary_files = primary_files(&packages);
                self.packages = Some(packages);
            }),
            (_, None) => Ok(()),
            (List::Filelists, Some(packages)) => packages.add_filelists(&mut scan).map(drop),
            (List::Other, Some(packages)) => packages.add_other(&mut scan).map(drop),
        };
        let what = match read {
            // To the end: what the list says of its packages is compared with the others, and its checksum. That it is of
            // others is told by comparing.
            Ok(()) | Err(ReadError::Unlisted { .. }) => {
                io::copy(&mut scan, &mut io::sink()).err().map(|error| chain(&error))
            }
            Err(error) => Some(chain(&error)),
        };
        let what = what.map(What::Unreadable);
        match what {
            Some(what) => self.faults.push(Fault::new(location, what)),
            None => self.facts.push((list, scan.facts())),
        }
        Ok(())
    }

    fn read_comps(&mut self, data: &Data) -> Result<(), LoadError> {
        let Some(content) = self.content(data)? else { return Ok(()) };
        let parsed = read_bounded(content, LARGEST)
            .map_err(|error| chain(&error))
            .and_then(|bytes| Comps::parse(&bytes).map_err(|error| chain(&error)));
        match parsed {
            Ok(comps) => self.comps = Some(comps),
            Err(reason) => self.faults.push(Fault::new(data.location.as_str(), What::Unreadable(reason))),
        }
        Ok(())
    }

    /// The file of some metadata, after its size and checksum were found to be as stated; none (and a fault) where they
    /// are not.
    pub fn verified(&mut self, data: &Data) -> Result<Option<File>, LoadError> {
        let location = data.location.as_str();
        let opened = match &self.place {
            Place::Folder(root) => open_file(root, &data.location),
            Place::Remote(remote) => match remote.open(data) {
                Ok(file) => Ok(file),
                Err(fault) => {
                    self.faults.extend(fault);
                    return Ok(None);
                }
            },
        };
        match opened.and_then(|mut file| verify(&mut file, data).map(|wrong| (file, wrong))) {
            Ok((file, None)) => Ok(Some(file)),
            Ok((_, Some(what))) => {
                self.faults.push(Fault::new(location, what));
                Ok(None)
            }
            Err(error) => {
                self.faults.push(Fault::of_io(location, error)?);
                Ok(None)
            }
        }
    }

    /// The content of some metadata, whose own checksum is verified when it was read to its end.
    pub fn content(&mut self, data: &Data) -> Result<Option<Content<BufReader<File>>>, LoadError> {
        let Some(file) = self.verified(data)? else { return Ok(None) };
        let size = data.open.map_or(data.size, |open| open.size);
        let content = Content::open(BufReader::with_capacity(1 << 16, file), size);
        match content {
            Ok(content) => Ok(Some(match data.open {
                Some(open) => content.verifying(open.checksum),
                None => content,
            })),
            Err(error) => {
                self.faults.push(Fault::new(data.location.as_str(), What::Unreadable(chain(&error))));
                Ok(None)
            }
        }
    }

    /// The SHA-256 of the content of some metadata.
    pub fn content_digest(&mut self, data: &Data) -> Result<Option<Digest>, LoadError> {
        let Some(mut content) = self.content(data)? else { return Ok(None) };
        let mut hashing = HashingWriter::new(io::sink());
        match io::copy(&mut content, &mut hashing) {
            Ok(_) => Ok(Some(hashing.finish().1)),
            Err(error) => {
                self.faults.push(Fault::new(data.location.as_str(), What::Unreadable(chain(&error))));
                Ok(None)
            }
        }
    }
}

fn primary_files(packages: &Packages) -> Vec<Vec<String>> {
    if packages.iter().map(|package| package.files().len()).sum::<usize>() > MOST_PRIMARY_FILES {
        return Vec::new();
    }
    packages.iter().map(|package| package.files().map(|file| file.path()).collect()).collect()
}

/// Opens a regular file of a repository. What is no file (a pipe would be waited for) cannot be one of its.
pub fn open_file(root: &Path, path: &RelPath) -> io::Result<File> {
    open_regular(&path.below(root))
}

/// The same for a path.
pub fn open_regular(path: &Path) -> io::Result<File> {
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a file"));
    }
    File::open(path)
}

/// What is wrong with a file, if anything; leaves it at its start.
fn verify(file: &mut File, data: &Data) -> io::Result<Option<What>> {
    let found = file.metadata()?.len();
    if let Some(stated) = data.size.filter(|stated| *stated != found) {
        return Ok(Some(What::Size { stated, found }));
    }
    let Some(mut verifier) = data.checksum.verifier() else {
        return Ok(Some(What::Weak(data.checksum)));
    };
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer)? {
            0 => break,
            length => verifier.update(buffer.get(..length).unwrap_or_default()),
        }
    }
    file.rewind()?;
    Ok((!verifier.agrees()).then_some(What::Checksum(data.checksum)))
}
