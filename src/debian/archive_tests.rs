//! A small archive, signed by a key made here, behind a small server.

use std::io::{BufRead as _, Read as _, Write as _};
use std::net::TcpListener;
use std::sync::Arc;

use openpgp::cert::CertBuilder;
use openpgp::serialize::stream::{Message, Signer};
use sequoia_openpgp as openpgp;

use super::*;

/// A key and what it signs in cleartext.
struct Key(openpgp::Cert);

impl Key {
    fn new() -> Self {
        let (cert, _) =
            CertBuilder::new().add_userid("Goose Archive").add_signing_subkey().generate().unwrap();
        Self(cert)
    }

    fn certificate(&self) -> Certificate {
        use openpgp::serialize::SerializeInto as _;
        let mut certificates = Certificate::parse_all(&self.0.armored().to_vec().unwrap()).unwrap();
        certificates.pop().unwrap()
    }

    fn sign(&self, text: &str) -> Vec<u8> {
        let policy = openpgp::policy::StandardPolicy::new();
        let keys = self.0.keys().with_policy(&policy, None).for_signing().secret();
        let pair = keys.last().unwrap().key().clone().into_keypair().unwrap();
        let mut signed = Vec::new();
        let mut signer = Signer::new(Message::new(&mut signed), pair).unwrap().cleartext().build().unwrap();
        signer.write_all(text.as_bytes()).unwrap();
        signer.finalize().unwrap();
        signed
    }
}

fn packages() -> String {
    let package = |name: &str, more: &str| {
        format!(
            "Package: {name}\nVersion: 1.0\nArchitecture: amd64\nFilename: pool/{name}.deb\nSize: {}\nSHA256: {}\n{more}\n",
            name.len(),
            Digest::of(name).hex()
        )
    };
    [package("aa", "Depends: bb (>= 1)\n"), package("bb", ""), package("cc", "")].concat()
}

fn index() -> Vec<u8> {
    let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 1);
    encoder.write_all(packages().as_bytes()).unwrap();
    encoder.finish().unwrap()
}

fn release_text() -> String {
    let index = index();
    let entry = format!("{} {} main/binary-amd64/Packages.xz", Digest::of(&index).hex(), index.len());
    format!("Origin: Goose\nSuite: stable\nCodename: goose\nSHA256:\n {entry}\n")
}

/// Serves files; all else is not found.
fn serve(files: BTreeMap<String, Vec<u8>>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let files = Arc::new(files);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, files) = (stream.unwrap(), files.clone());
            std::thread::spawn(move || {
                let reader = BufReader::new(stream.try_clone().unwrap()).take(10_000);
                let head: Vec<_> =
                    reader.lines().map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
                let path = head[0].split(' ').nth(1).unwrap();
                let (status, body) = match files.get(path) {
                    Some(body) => ("200 OK", body.as_slice()),
                    None => ("404 Not Found", b"".as_slice()),
                };
                let length = body.len();
                let head =
                    format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
                stream.write_all(head.as_bytes()).unwrap();
                stream.write_all(body).unwrap();
            });
        }
    });
    base
}

struct World {
    keys: Vec<Certificate>,
    mirrors: Mirrors,
    store: Store,
    fetcher: Fetcher,
    runtime: tokio::runtime::Runtime,
    _folder: tempfile::TempDir,
}

impl World {
    fn new(signed: Vec<u8>, key: &Key, index: Vec<u8>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let base = serve(BTreeMap::from([
            ("/dists/goose/InRelease".into(), signed),
            ("/dists/goose/main/binary-amd64/Packages.xz".into(), index),
            ("/pool/aa.deb".into(), b"aa".to_vec()),
            ("/pool/cc.deb".into(), b"xx".to_vec()),
        ]));
        Self {
            keys: vec![key.certificate()],
            mirrors: Mirrors::named(&[format!("{base}/nowhere"), base]).unwrap(),
            fetcher: Fetcher::new(&store, false).unwrap(),
            store,
            runtime: tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap(),
            _folder: folder,
        }
    }

    fn lock(&self, packages: &str) -> Result<Lock, ArchiveError> {
        let text = format!("suite = 'goose'\narches = ['amd64']\npackages = [{packages}]");
        let request = Request::parse(&text).unwrap();
        let Self { keys, mirrors, fetcher, store, .. } = self;
        self.runtime.block_on(lock_by(keys, &request, Digest::of(&text), mirrors, fetcher, store, &()))
    }
}

#[test]
fn locks_from_a_signed_archive_and_tells_what_is_gone() {
    let key = Key::new();
    let world = World::new(key.sign(&release_text()), &key, index());
    let lock = world.lock("'aa', 'cc'").unwrap();
    let names: Vec<_> = lock.packages.iter().map(|deb| deb.name.as_str()).collect();
    assert_eq!(names, ["aa", "bb", "cc"]);
    let fetch = |lock: &Lock| world.runtime.block_on(fetch_all(lock, &world.mirrors, &world.fetcher, &()));
    // The pool has aa, another file as cc, and bb no more.
    match fetch(&lock) {
        Err(PackagesError::Gone(gone)) => assert_eq!(gone, lock.packages[1..2]),
        other => panic!("{other:?}"),
    }
    assert_eq!(world.store.read_object(&lock.packages[0].digest, 10).unwrap(), b"aa");
    assert!(!world.store.has(&lock.packages[2].digest));
    let rest = Lock { packages: lock.packages[2..].to_vec(), ..lock.clone() };
    match fetch(&rest) {
        Err(PackagesError::Fetch(error)) => {
            assert!(error.to_string().contains("cc_1.0_amd64.deb"), "{error}");
        }
        other => panic!("{other:?}"),
    }
    fetch(&Lock { packages: lock.packages[..1].to_vec(), ..lock }).unwrap();
}

#[test]
fn refuses_a_release_file_that_was_touched_anywhere() {
    let key = Key::new();
    let (signed, keys) = (key.sign(&release_text()), [key.certificate()]);
    let open = |bytes: &[u8]| open_release(bytes, "url", &keys, "goose");
    open(&signed).unwrap();
    let start = signed.windows(6).position(|window| window == b"Origin").unwrap();
    let end = signed
        .windows(10)
        .position(|window| window == b"-----BEGIN" && window.as_ptr() > signed[start..].as_ptr());
    for place in start..end.unwrap() - 1 {
        let mut bytes = signed.clone();
        // A change that is no white space at the end of a line, which is not signed.
        bytes[place] = if bytes[place] == b'x' { b'y' } else { b'x' };
        assert!(matches!(open(&bytes), Err(ReleaseError::Signature { .. })), "{place}");
    }
    let other = [Key::new().certificate()];
    assert!(matches!(open_release(&signed, "url", &other, "goose"), Err(ReleaseError::Signature { .. })));
    assert!(matches!(open(release_text().as_bytes()), Err(ReleaseError::Signature { .. })));
    // What stands before or behind the signed part does not count: it is an error or is not read.
    let framed = [b"Codename: swan\n\n".as_slice(), &signed].concat();
    assert!(matches!(open(&framed), Err(ReleaseError::Signature { .. })));
    assert!(matches!(open_release(&signed, "url", &keys, "swan"), Err(ReleaseError::OtherSuite { .. })));
}

#[test]
fn refuses_an_index_that_is_not_the_signed_one() {
    let key = Key::new();
    let mut wrong = index();
    let middle = wrong.len() / 2;
    wrong[middle] ^= 1;
    let world = World::new(key.sign(&release_text()), &key, wrong);
    assert!(matches!(world.lock("'aa'"), Err(ArchiveError::Fetch(error)) if !error.is_surroundings()));
    let world = World::new(release_text().into_bytes(), &key, index());
    assert!(matches!(world.lock("'aa'"), Err(ArchiveError::Release(ReleaseError::Signature { .. }))));
}

#[test]
fn built_in_keys_are_those_that_the_table_names() {
    let table = include_str!("../../keys/README.md");
    let keys = archive_keys().unwrap();
    assert_eq!(keys.len(), KEYS.len());
    for key in keys {
        assert!(table.contains(key.fingerprint().as_str()), "{}", key.fingerprint().as_str());
    }
}

#[test]
fn the_committed_lock_of_the_builder_answers_its_request() {
    let request = include_str!("../../recipes/images/builder.toml");
    let lock = Lock::parse(include_str!("../../recipes/images/builder.lock")).unwrap();
    assert_eq!(lock.request, Digest::of(request));
    let request = Request::parse(request).unwrap();
    let has = |name: &str| lock.packages.iter().any(|deb| deb.name == name);
    assert!(request.packages.iter().all(|name| has(name)));
    assert!(lock.packages.iter().all(|deb| deb.suite == request.suite && !request.drops(&deb.name)));
}
