//! Small signed composes, each with another version of the package `goose`, all of one source date and with files of
//! the same sizes: what a mirror that looks at sizes and times cannot tell apart.

use std::collections::BTreeMap;
use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::{Duration, UNIX_EPOCH};

use gander::base::{Digest, RelPath, SourceDate};
use gander::format::checksum::Checksums;
use gander::format::repodata::Repomd;
use gander::openpgp::{armor_detached, clearsign, verify_detached};
use gander::rpm::{Headers, edit};
use gander::sign::{LocalSigner, Signer, demonstration};

use super::bench::{Bench, Output};
use super::sample;

/// The repository of a compose.
pub const TREE: &str = "compose/Base/noarch/os";

pub fn date() -> SourceDate {
    SourceDate::from_seconds(1_793_491_200).unwrap()
}

pub fn signer() -> &'static LocalSigner {
    static SIGNER: OnceLock<LocalSigner> = OnceLock::new();
    SIGNER.get_or_init(|| demonstration("goose", date(), "Goose Linux").unwrap())
}

pub fn write(path: &Path, bytes: impl AsRef<[u8]>) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
    stamp(path);
}

/// Gives a file the mode and time of one in a compose.
pub fn stamp(path: &Path) {
    fs::set_permissions(path, Permissions::from_mode(0o644)).unwrap();
    let time = UNIX_EPOCH + Duration::from_secs(date().seconds().unsigned_abs());
    File::open(path).unwrap().set_modified(time).unwrap();
}

fn signed(package: &[u8]) -> Vec<u8> {
    let headers = Headers::read(package).unwrap();
    let packet = signer().sign_detached(headers.main.bytes(), date()).unwrap();
    let header = edit::sign(&headers, &packet, edit::How::default()).unwrap();
    let mut signed = Vec::new();
    edit::splice(package, &header, &mut signed).unwrap();
    signed
}

/// Makes the compose of a version (10 to 99, so that all have one length).
pub fn make(folder: &Path, version: u32) -> PathBuf {
    let goose = format!("goose-{version}-1.noarch.rpm");
    let packages = BTreeMap::from([
        (format!("Packages/g/{goose}"), signed(&sample::installable("goose", &version.to_string()))),
        ("Packages/p/pond-1-1.noarch.rpm".to_owned(), signed(&sample::installable("pond", "1"))),
    ]);
    make_of(folder, version, &packages)
}

/// Makes a compose of these packages.
pub fn make_of(folder: &Path, version: u32, packages: &BTreeMap<String, Vec<u8>>) -> PathBuf {
    let tree = folder.join(TREE);
    sample::repository::make(&tree, packages, None, date());
    packages.keys().for_each(|path| stamp(&tree.join(path)));
    for entry in fs::read_dir(tree.join("repodata")).unwrap() {
        stamp(&entry.unwrap().path());
    }
    let repomd = fs::read(tree.join("repodata/repomd.xml")).unwrap();
    let packet = signer().sign_detached(&repomd, date()).unwrap();
    write(&tree.join("repodata/repomd.xml.asc"), armor_detached(&packet));
    write(&tree.join("RPM-GPG-KEY-Goose"), signer().certificate().armored());
    write(&tree.join(".treeinfo"), format!("[general]\nversion = {version}\n"));
    write(&folder.join("COMPOSE_ID"), format!("Goose-{version}-20261101.0"));

    let (image, iso) = (format!("honk {version}").repeat(99), format!("Goose-{version}.iso"));
    write(&tree.with_file_name("iso").join(&iso), &image);
    let mut list = Checksums::default();
    list.add(RelPath::new(iso).unwrap(), Digest::of(&image), image.len() as u64).unwrap();
    let text = list.to_string();
    let packet = signer().sign_cleartext(text.as_bytes(), date()).unwrap();
    let text = clearsign(text.as_bytes(), &packet).unwrap();
    write(&tree.with_file_name("iso").join("CHECKSUM"), text);
    folder.to_owned()
}

/// A bench with composes of these versions, each a folder of that name.
pub fn bench(versions: impl IntoIterator<Item = u32>) -> Bench {
    let bench = Bench::new();
    for version in versions {
        make(&bench.path(&version.to_string()), version);
    }
    bench
}

/// Publishes a version as `www/goose`.
#[track_caller]
pub fn publish(bench: &Bench, version: u32) -> Output {
    bench.run(["publish", &version.to_string(), "www/goose"]).exits(0)
}

/// Every file below a folder with its digest and time; of links, their targets.
pub fn files(folder: &Path) -> BTreeMap<String, (Digest, i64)> {
    use std::os::unix::fs::MetadataExt as _;
    let mut found = BTreeMap::new();
    let mut open = vec![folder.to_owned()];
    while let Some(path) = open.pop() {
        for entry in fs::read_dir(&path).unwrap() {
            let path = entry.unwrap().path();
            let kind = fs::symlink_metadata(&path).unwrap();
            let name = || path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
            if kind.is_dir() {
                open.push(path);
            } else if kind.is_symlink() {
                let target = fs::read_link(&path).unwrap();
                found.insert(name(), (Digest::of(target.as_os_str().as_encoded_bytes()), 0));
            } else {
                found.insert(name(), (Digest::of(fs::read(&path).unwrap()), kind.mtime()));
            }
        }
    }
    found
}

/// The version that a release has, which must be whole: each of the compose's files is there as it is, and the signature
/// fits. Where several are given, exactly one fits.
#[track_caller]
pub fn version(bench: &Bench, public: &Path, versions: impl IntoIterator<Item = u32>) -> u32 {
    let there = files(public);
    let digest = |file: Option<&(Digest, i64)>| file.map(|(digest, _)| *digest);
    let is_whole = |version: &u32| {
        let compose = files(&bench.path(&version.to_string()));
        compose.iter().all(|(path, file)| digest(there.get(path)) == Some(file.0))
    };
    let whole: Vec<u32> = versions.into_iter().filter(is_whole).collect();
    assert_eq!(whole.len(), 1, "{} is of the versions {whole:?}: {there:#?}", public.display());
    let repodata = public.join(TREE).join("repodata");
    let repomd = fs::read(repodata.join("repomd.xml")).unwrap();
    let signature = fs::read(repodata.join("repomd.xml.asc")).unwrap();
    verify_detached(signer().certificate(), &signature, &repomd[..], None).unwrap();
    for data in Repomd::parse(&repomd).unwrap().data {
        let path = format!("{TREE}/{}", data.location);
        assert_eq!(digest(there.get(&path)), data.checksum.sha256(), "{path}");
    }
    whole[0]
}
