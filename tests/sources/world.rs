//! Small repositories, and a store to open them into.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use gander::base::{Digest, SourceDate};
use gander::fetch::Fetcher;
use gander::openpgp::{Certificate, armor_detached};
use gander::recipe::Addresses;
use gander::repo::open::{Location, OpenError, Opened, open};
use gander::rpm::signature::Item;
use gander::rpm::{Headers, edit};
use gander::sign::{LocalSigner, Signer, demonstration};
use gander::store::Store;
use tempfile::TempDir;

use super::sample;

pub fn date() -> SourceDate {
    SourceDate::from_seconds(1_577_836_800).unwrap()
}

pub fn signer() -> &'static LocalSigner {
    static SIGNER: OnceLock<LocalSigner> = OnceLock::new();
    SIGNER.get_or_init(|| demonstration("goose", date(), "Goose Linux").unwrap())
}

pub fn stranger() -> &'static LocalSigner {
    static SIGNER: OnceLock<LocalSigner> = OnceLock::new();
    SIGNER.get_or_init(|| demonstration("stranger", date(), "Goose Linux").unwrap())
}

/// Objects in the store after a repository was opened: primary, filelists, their packages in gander's form, its manifest.
pub const OPENED: usize = 4;

pub fn write(path: &Path, bytes: impl AsRef<[u8]>) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

/// A package with a signature of its main header, whatever that covers.
pub fn signed(package: &[u8], signer: &LocalSigner) -> Vec<u8> {
    let headers = Headers::read(package).unwrap();
    let packet = signer.sign_detached(headers.main.bytes(), date()).unwrap();
    let item = Item::for_packet(&packet).unwrap();
    let header = edit::edit(&headers.signature, &[], &[item]).unwrap();
    let mut signed = Vec::new();
    edit::splice(package, &header, &mut signed).unwrap();
    signed
}

/// The packages of a version, signed.
pub fn packages(version: &str) -> BTreeMap<String, Vec<u8>> {
    ["goose", "pond", "swan"]
        .into_iter()
        .map(|name| {
            let path = format!("Packages/{name}-{version}-1.noarch.rpm");
            (path, signed(&sample::installable(name, version), signer()))
        })
        .collect()
}

/// Makes a repository of packages by their paths, with its signature.
pub fn make(folder: &Path, packages: &BTreeMap<String, Vec<u8>>) {
    sample::repository::make(folder, packages, None, date());
    sign(folder, signer());
}

/// Signs a repository's repomd.xml.
pub fn sign(folder: &Path, signer: &LocalSigner) {
    let repomd = fs::read(folder.join("repodata/repomd.xml")).unwrap();
    let packet = signer.sign_detached(&repomd, date()).unwrap();
    write(&folder.join("repodata/repomd.xml.asc"), armor_detached(&packet));
}

/// A folder with repositories, a store and what opens them.
pub struct World {
    folder: TempDir,
    pub store: Store,
    runtime: tokio::runtime::Runtime,
    pub now: i64,
}

impl World {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("store")).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Self { folder, store, runtime, now: date().seconds() + 1 }
    }

    /// The same with an empty store.
    pub fn with_new_store(mut self) -> Self {
        self.store = Store::open(&self.path("another store")).unwrap();
        self
    }

    pub fn path(&self, below: &str) -> PathBuf {
        self.folder.path().join(below)
    }

    /// A repository of a version in a folder of this name.
    pub fn repository(&self, name: &str, version: &str) -> PathBuf {
        let folder = self.path(name);
        make(&folder, &packages(version));
        folder
    }

    pub fn open(&self, addresses: Addresses, keys: Option<Vec<Certificate>>) -> Result<Opened, OpenError> {
        let location = Location { id: "goose".into(), addresses, keys };
        let fetcher = Fetcher::new(&self.store, false).unwrap();
        self.runtime.block_on(open(&location, self.now, &fetcher, &self.store, &()))
    }

    /// Opens a repository at its addresses.
    pub fn at(&self, urls: &[&str]) -> Result<Opened, OpenError> {
        self.open(base(urls), None)
    }

    /// Opens one whose signature is demanded.
    pub fn checked(&self, urls: &[&str]) -> Result<Opened, OpenError> {
        self.open(base(urls), Some(vec![signer().certificate().clone()]))
    }

    /// Opens one by a metalink in a file.
    pub fn by_metalink(&self, metalink: &str) -> Result<Opened, OpenError> {
        write(&self.path("metalink.xml"), metalink);
        let url = format!("file://{}", self.path("metalink.xml").display());
        self.open(Addresses::Metalink(url.parse().unwrap()), None)
    }

    /// How many objects the store has, and that all of them are what they are called.
    pub fn objects(&self) -> usize {
        assert!(self.store.verify(false).unwrap().faults.is_empty());
        let mut found = 0;
        let mut open = vec![self.store.root().join("objects")];
        while let Some(folder) = open.pop() {
            for entry in fs::read_dir(folder).into_iter().flatten().map(Result::unwrap) {
                if entry.file_type().unwrap().is_dir() {
                    open.push(entry.path());
                } else {
                    found += 1;
                }
            }
        }
        found
    }
}

pub fn base(urls: &[&str]) -> Addresses {
    Addresses::Base(urls.iter().map(|url| url.parse().unwrap()).collect())
}

/// The version that an opened repository has.
#[track_caller]
pub fn version(opened: &Opened) -> String {
    assert_eq!(opened.packages.len(), 3);
    let versions: Vec<_> = opened.packages.iter().map(|entry| entry.nevra().evr.version.clone()).collect();
    assert!(versions.iter().all(|version| *version == versions[0]));
    versions[0].clone()
}

/// A metalink: the folders whose repomd.xml is current or an alternate (with a time), and mirrors in their order.
pub fn metalink(current: &Path, alternates: &[(i64, &Path)], mirrors: &[&str]) -> String {
    let version = |folder: &Path| {
        let repomd = fs::read(folder.join("repodata/repomd.xml")).unwrap();
        format!(
            "<size>{}</size><verification><hash type=\"sha256\">{}</hash></verification>",
            repomd.len(),
            Digest::of(&repomd).hex()
        )
    };
    let alternates: String = alternates
        .iter()
        .map(|(time, folder)| {
            let version = version(folder);
            format!("<mm0:alternate><mm0:timestamp>{time}</mm0:timestamp>{version}</mm0:alternate>")
        })
        .collect();
    let urls: String = mirrors
        .iter()
        .enumerate()
        .map(|(place, url)| {
            let preference = 100 - place;
            format!("<url protocol=\"http\" preference=\"{preference}\">{url}/repodata/repomd.xml</url>")
        })
        .collect();
    format!(
        "<metalink version=\"3.0\"><files><file name=\"repomd.xml\"><mm0:timestamp>99</mm0:timestamp>{}\
         <mm0:alternates>{alternates}</mm0:alternates><resources>{urls}</resources></file></files></metalink>",
        version(current)
    )
}
