//! The native step `repodata`: packages in, the `repodata` folder of their repository out.
//!
//! Inputs: the packages as `/in/packages/<path>`, where `<path>` is their place in the repository
//! (`Packages/b/bash-….rpm`), and perhaps `/in/comps.xml`. Output: `repodata/` with primary, filelists and other, each
//! named by its checksum, the comps file as it is and compressed, and `repomd.xml`.
//!
//! - The lists are gzip files: every client reads them, dnf and yum of EL 6 to 10, zypper, mirror managers and Pulp.
//!   zstd is smaller, but clients of EL 7 and of early EL 8 cannot read it.
//! - Packages are in the order of their paths. All times (revision, timestamps, the packages' file times) are the
//!   source date. No database files: no client has needed them for ten years.
//! - Packages are read one after the other and nothing but paths is kept, so memory does not grow with the lists.
//! - The comps file is carried byte for byte. Groups that the tree lacks packages for are not filtered.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use flate2::{Compression, GzBuilder, write::GzEncoder};

use crate::base::digest::HashingWriter;
use crate::base::{Digest, Hasher, Nevra, RelPath, SourceDate};
use crate::format::comps::{Comps, CompsError};
use crate::format::repodata::{CHANGELOGS, Data, List, Open, Record, Repomd};
use crate::plan::{Executor, Input, Rights, Step, StepIo};
use crate::rpm::{Headers, PackageError};

/// The step's kind.
pub const KIND: &str = "repodata";
/// Raise it whenever the step's bytes change.
pub const REVISION: u32 = 1;

const COMPS: &str = "comps.xml";
const PACKAGES: &str = "packages";
const MOST_PACKAGES: usize = 1_000_000;
/// Fixed, so that it is part of [`REVISION`].
const LEVEL: u32 = 9;

/// The metadata cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum RepoError {
    /// A file cannot be read or written. A retry may help once the cause is gone.
    #[error("{doing} '{}' failed", path.display())]
    Io {
        /// What was being done.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A package is not one. Retrying cannot help.
    #[error("the package '{path}' cannot be read")]
    Package {
        /// Its path in the repository.
        path: String,
        /// Why.
        #[source]
        source: PackageError,
    },
    /// The comps file cannot be used. Retrying cannot help.
    #[error(transparent)]
    Comps(#[from] CompsError),
    /// What is among the inputs is no place for a package. Retrying cannot help.
    #[error("'{0}' is no place for a package in a repository: expected a plain path that ends in '.rpm'")]
    Place(String),
    /// There are too many. Retrying cannot help.
    #[error("a repository of more than {MOST_PACKAGES} packages is not supported")]
    TooMany,
    /// The parameters are not the step's; a bug in what made it.
    #[error("the step '{KIND}' takes no parameter, and got '{0}'")]
    Parameter(String),
}

/// A package's place in a repository: `Packages/<first letter, lower case>/<file name>`.
pub fn package_path(nevra: &Nevra) -> Option<RelPath> {
    let file = nevra.file_name();
    let letter = file.chars().next()?.to_ascii_lowercase();
    RelPath::new(format!("Packages/{letter}/{file}")).ok()
}

/// The step that writes the metadata of these packages, given by their places in the repository.
pub fn step(
    label: &str,
    packages: impl IntoIterator<Item = (RelPath, Input)>,
    comps: Option<Input>,
    source_date: SourceDate,
) -> Result<Step, RepoError> {
    let place = |path: String| RelPath::new(path).map_err(|error| RepoError::Place(error.to_string()));
    let mut inputs = BTreeMap::new();
    for (path, input) in packages {
        inputs.insert(place(format!("{PACKAGES}/{path}"))?, input);
    }
    if let Some(comps) = comps {
        inputs.insert(place(COMPS.into())?, comps);
    }
    Ok(Step {
        kind: KIND.into(),
        label: label.into(),
        params: BTreeMap::new(),
        inputs,
        root: None,
        base: None,
        rights: Rights::Plain,
        platform: "noarch".into(),
        source_date,
        executor: Executor::Native(REVISION),
    })
}

/// Carries the step out.
pub fn execute(io: &StepIo) -> Result<(), RepoError> {
    if let Some(name) = io.params.keys().next() {
        return Err(RepoError::Parameter(name.clone()));
    }
    let root = io.inputs.join(PACKAGES);
    let packages = packages(&root)?;
    let folder = io.output.join("repodata");
    fs::create_dir_all(&folder).map_err(failed("creating", &folder))?;
    let seconds = io.source_date.seconds();

    let mut lists = Vec::new();
    for list in List::ALL {
        let mut file = Compressed::create(&folder, list.name())?;
        file.add(&list.head(packages.len()))?;
        lists.push((list, file));
    }
    for path in &packages {
        let file = path.below(&root);
        let (checksum, size) = hash(&file)?;
        let reader = File::open(&file).map_err(failed("opening", &file))?;
        let broken = |source| RepoError::Package { path: path.to_string(), source };
        let headers = Headers::read(BufReader::new(reader)).map_err(broken)?;
        let package = headers.package().map_err(broken)?;
        let record = Record {
            package: &package,
            checksum,
            size,
            file_time: seconds,
            href: path.as_str(),
            base: None,
            changelogs: CHANGELOGS,
        };
        for (list, out) in &mut lists {
            out.add(&record.write(*list))?;
        }
    }
    let mut repomd = Repomd { revision: seconds.to_string(), ..Repomd::default() };
    for (list, mut file) in lists {
        file.add(list.tail())?;
        file.add("\n")?;
        repomd.data.push(file.finish(&folder, &format!("{}.xml.gz", list.name()), seconds)?);
    }
    let comps = io.inputs.join(COMPS);
    if comps.is_file() {
        let bytes = fs::read(&comps).map_err(failed("reading", &comps))?;
        Comps::parse(&bytes)?;
        repomd.data.extend(carry_comps(&folder, &bytes, seconds)?);
    }
    let path = folder.join("repomd.xml");
    fs::write(&path, repomd.to_xml()).map_err(failed("writing", &path))
}

fn carry_comps(folder: &Path, bytes: &[u8], seconds: i64) -> Result<[Data; 2], RepoError> {
    let checksum = Digest::of(bytes);
    let location = named(checksum, COMPS)?;
    let path = folder.join(location.file_name());
    fs::write(&path, bytes).map_err(failed("writing", &path))?;
    let size = bytes.len() as u64;
    let plain = Data {
        kind: "group".into(),
        checksum: checksum.into(),
        size: Some(size),
        open: None,
        location,
        timestamp: seconds,
    };
    let mut file = Compressed::create(folder, "group_gz")?;
    file.write(bytes)?;
    Ok([plain, file.finish(folder, "comps.xml.gz", seconds)?])
}

fn failed(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> RepoError {
    let path = path.to_owned();
    move |source| RepoError::Io { doing, path, source }
}

fn named(checksum: Digest, name: &str) -> Result<RelPath, RepoError> {
    let path = format!("repodata/{}-{name}", checksum.hex());
    RelPath::new(path).map_err(|error| RepoError::Place(error.to_string()))
}

/// The paths of all packages, sorted.
#[allow(clippy::disallowed_methods, reason = "the entries are sorted before anything is written")]
fn packages(root: &Path) -> Result<Vec<RelPath>, RepoError> {
    let mut found = Vec::new();
    // Below a repository without packages there is no folder at all.
    let mut open: Vec<Option<RelPath>> = if root.is_dir() { vec![None] } else { Vec::new() };
    while let Some(folder) = open.pop() {
        let path = folder.as_ref().map_or_else(|| root.to_owned(), |folder| folder.below(root));
        for entry in fs::read_dir(&path).map_err(failed("reading", &path))? {
            let entry = entry.map_err(failed("reading", &path))?;
            let place = || RepoError::Place(entry.path().display().to_string());
            let name = entry.file_name().into_string().map_err(|_| place())?;
            let below = match &folder {
                Some(folder) => folder.join(&name),
                None => RelPath::new(&name),
            };
            let below = below.map_err(|_| place())?;
            // Inputs may be links into the store.
            let kind = fs::metadata(entry.path()).map_err(failed("looking at", &entry.path()))?;
            if kind.is_dir() {
                open.push(Some(below));
            } else if kind.is_file() && name.ends_with(".rpm") {
                found.push(below);
            } else {
                return Err(place());
            }
            if found.len() > MOST_PACKAGES {
                return Err(RepoError::TooMany);
            }
        }
    }
    found.sort();
    Ok(found)
}

fn hash(path: &Path) -> Result<(Digest, u64), RepoError> {
    let file = File::open(path).map_err(failed("opening", path))?;
    Hasher::drain(file).map_err(failed("reading", path))
}

/// A compressed file that gets its name when its checksum is known.
struct Compressed {
    kind: &'static str,
    path: PathBuf,
    out: HashingWriter<GzEncoder<HashingWriter<BufWriter<File>>>>,
}

impl Compressed {
    /// The file starts beside its final place, so that it can be renamed; nothing of that name stays.
    fn create(folder: &Path, kind: &'static str) -> Result<Self, RepoError> {
        let path = folder.join(format!(".{kind}.part"));
        let file = BufWriter::new(File::create(&path).map_err(failed("creating", &path))?);
        // No name, no time, no system in the head: only the content decides the bytes.
        let encoder = GzBuilder::new()
            .mtime(0)
            .operating_system(255)
            .write(HashingWriter::new(file), Compression::new(LEVEL));
        Ok(Self { kind, path, out: HashingWriter::new(encoder) })
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), RepoError> {
        self.out.write_all(bytes).map_err(failed("writing", &self.path))
    }

    fn add(&mut self, text: &str) -> Result<(), RepoError> {
        self.write(text.as_bytes())
    }

    fn finish(self, folder: &Path, name: &str, timestamp: i64) -> Result<Data, RepoError> {
        let (encoder, open, open_size) = self.out.finish();
        let file = encoder.finish().map_err(failed("writing", &self.path))?;
        let (mut file, checksum, size) = file.finish();
        file.flush().map_err(failed("writing", &self.path))?;
        let location = named(checksum, name)?;
        let path = folder.join(location.file_name());
        fs::rename(&self.path, &path).map_err(failed("naming", &path))?;
        Ok(Data {
            kind: self.kind.into(),
            checksum: checksum.into(),
            size: Some(size),
            open: Some(Open { checksum: open.into(), size: Some(open_size) }),
            location,
            timestamp,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places() {
        let path = |text: &str| package_path(&text.parse().unwrap()).unwrap().to_string();
        assert_eq!(path("Archer-2:3-4.x86_64"), "Packages/a/Archer-3-4.x86_64.rpm");
        assert_eq!(path("389-ds-0:1-1.src"), "Packages/3/389-ds-1-1.src.rpm");
    }

    #[test]
    fn an_empty_repository_is_pinned() {
        let scratch = tempfile::tempdir().unwrap();
        let folder = |name: &str| {
            let path = scratch.path().join(name);
            fs::create_dir(&path).unwrap();
            path
        };
        let io = StepIo {
            params: BTreeMap::new(),
            source_date: SourceDate::from_seconds(1_793_491_200).unwrap(),
            inputs: folder("in"),
            output: folder("out"),
            scratch: folder("build"),
        };
        fs::write(io.inputs.join(COMPS), "<comps><group><id>core</id></group></comps>\n").unwrap();
        execute(&io).unwrap();
        let repomd = fs::read(io.output.join("repodata/repomd.xml")).unwrap();
        let parsed = Repomd::parse(&repomd).unwrap();
        let kinds: Vec<_> = parsed.data.iter().map(|data| data.kind.as_str()).collect();
        assert_eq!(kinds, ["primary", "filelists", "other", "group", "group_gz"]);
        for data in &parsed.data {
            let bytes = fs::read(data.location.below(&io.output)).unwrap();
            let found = (Digest::of(&bytes).into(), Some(bytes.len() as u64));
            assert_eq!(found, (data.checksum, data.size));
        }
        for kind in ["primary", "filelists", "other", "group_gz"] {
            assert!(!io.output.join(format!("repodata/.{kind}.part")).exists());
        }
        // Other bytes? Raise REVISION: results of the step that lie in stores must not be taken for these.
        assert_eq!(
            Digest::of(&repomd).hex(),
            "1f1fc30b66758989a36064cd193ed86c6af7b5d5f096ede69370e9ecd103a3ca"
        );
        // What is no package has no place among them.
        fs::create_dir(io.inputs.join(PACKAGES)).unwrap();
        fs::write(io.inputs.join(PACKAGES).join("x.txt"), "").unwrap();
        assert!(matches!(execute(&io), Err(RepoError::Place(_))));
    }
}
