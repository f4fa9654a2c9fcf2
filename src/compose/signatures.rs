//! Signing at resolve and compose time, and the check of what a lock has.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};

use super::error::ComposeError;
use super::execute::{Executed, Session};
use super::harvest;
use super::inputs::RecipeFiles;
use super::lower::{Demand, Lowered};
use crate::base::{Digest, Nevra, SourceDate};
use crate::lock::{Header, Lock, LockError, SignatureKind, Signatures};
use crate::openpgp::{Certificate, inspect, verify_detached, verify_header, verify_text};
use crate::recipe::{OutsidePath, Recipe, Sign};
use crate::sign::token::KeyFile;
use crate::sign::{self, KeyError, LocalSigner, Signer as _};
use crate::sigul::client::{RemoteError, RemoteKey};
use crate::sigul::service::FileError;
use crate::store::Store;

/// No file that is signed as a whole is larger.
const LARGEST: u64 = 64 << 20;

/// What signs a release.
#[derive(Debug)]
pub(super) enum Backend {
    /// A key in this process, or on a token that it is logged in to.
    Local(Box<LocalSigner>),
    /// A key on a server.
    Remote(Box<RemoteKey>),
}

impl Backend {
    /// The certificate that its signatures verify with.
    pub(super) fn certificate(&self) -> &Certificate {
        match self {
            Self::Local(signer) => signer.certificate(),
            Self::Remote(key) => key.certificate(),
        }
    }

    /// The fingerprint of that.
    pub(super) fn fingerprint(&self) -> String {
        self.certificate().fingerprint().to_string()
    }
}

/// What signs a release: the key that signs packages and metadata, then those that sign metadata besides.
#[derive(Debug, Default)]
pub(super) struct Signers {
    backends: Vec<Backend>,
    /// Whether the recipe names keys that are not on this machine.
    absent: bool,
}

impl Signers {
    /// The key that signs packages.
    pub(super) fn of_packages(&self) -> Option<&Backend> {
        self.backends.first()
    }

    /// The certificates of all, in the order of their signatures.
    fn certificates(&self) -> impl Iterator<Item = &Certificate> {
        self.backends.iter().map(Backend::certificate)
    }

    /// Writes who signs metadata into a lock's header, and the certificates to those of all keys.
    pub(super) fn name(&self, header: &mut Header, keys: &mut BTreeMap<String, Certificate>) {
        let mut fingerprints = self.certificates().map(|known| known.fingerprint().to_string());
        header.metadata_key = fingerprints.next();
        header.further_metadata_keys = fingerprints.collect();
        keys.extend(self.certificates().map(|known| (known.fingerprint().to_string(), known.clone())));
    }

    /// The one that can fulfil a demand.
    fn of(&self, fingerprint: &str) -> Option<&Backend> {
        self.backends.iter().find(|backend| backend.certificate().fingerprint().as_str() == fingerprint)
    }

    /// Whether every demand can be fulfilled. Keys that are absent lack; those that are there may be others than wanted.
    pub(super) fn check(&self, demands: &[Demand]) -> Result<(), ComposeError> {
        let lacking = demands.iter().filter(|demand| self.of(&demand.fingerprint).is_none());
        let lacking: Vec<_> = lacking.cloned().collect();
        match lacking.first() {
            None => Ok(()),
            Some(_) if self.absent || self.backends.is_empty() => Err(missing(&lacking)),
            Some(other) => {
                let found: Vec<_> =
                    self.certificates().map(|known| known.fingerprint().to_string()).collect();
                Err(ComposeError::OtherKey { wanted: other.fingerprint.clone(), found: found.join(", ") })
            }
        }
    }
}

/// Opens the recipe's signing keys; none where nothing is signed. A demonstration key is refused where it has no
/// business, and so are a key that is compromised and one that has expired.
pub(super) fn open(
    recipe: &Recipe,
    source_date: SourceDate,
    home: Option<&Path>,
) -> Result<Signers, ComposeError> {
    let mut signers = Signers::default();
    for key in recipe.sign.iter().chain(&recipe.also) {
        let backend = open_one(recipe, key, source_date, home)?;
        let fingerprint = backend.certificate().fingerprint();
        if signers.of(fingerprint.as_str()).is_some() {
            return Err(ComposeError::SameKey(fingerprint.to_string()));
        }
        signers.backends.push(backend);
    }
    Ok(signers)
}

/// Opens those of the recipe's signing keys that are at hand: not those whose file, or the configuration of the way to
/// which, is not on this machine.
pub(super) fn at_hand(
    recipe: &Recipe,
    source_date: SourceDate,
    home: Option<&Path>,
) -> Result<Signers, ComposeError> {
    let absent = |source: &std::io::Error| source.kind() == ErrorKind::NotFound;
    let mut signers = Signers::default();
    for key in recipe.sign.iter().chain(&recipe.also) {
        match open_one(recipe, key, source_date, home) {
            Err(ComposeError::Key(KeyError::File { source, .. })) if absent(&source) => signers.absent = true,
            Err(ComposeError::Remote(RemoteError::Config(FileError::Read { source, .. })))
                if absent(&source) =>
            {
                signers.absent = true;
            }
            opened => signers.backends.push(opened?),
        }
    }
    Ok(signers)
}

fn open_one(
    recipe: &Recipe,
    key: &Sign,
    source_date: SourceDate,
    home: Option<&Path>,
) -> Result<Backend, ComposeError> {
    let locate = |path: &OutsidePath| {
        path.resolve(home).ok_or_else(|| {
            ComposeError::read(Path::new("~"), std::io::Error::other("no home folder is known"))
        })
    };
    let backend = match key {
        Sign::Demonstration { phrase } => {
            Backend::Local(Box::new(sign::demonstration(phrase, source_date, &recipe.release.name)?))
        }
        Sign::KeyFile { key, passphrase } => {
            let passphrase = match passphrase {
                Some(file) => Some(sign::key::read_passphrase(&locate(file)?)?),
                None => None,
            };
            let passphrase = passphrase.as_ref().map(|phrase| phrase.as_slice());
            Backend::Local(Box::new(LocalSigner::open(&locate(key)?, passphrase)?))
        }
        Sign::Token { key, pin } => {
            let pin =
                pin.as_ref().map(|file| Ok::<_, ComposeError>(sign::key::read_passphrase(&locate(file)?)?));
            let pin = pin.transpose()?;
            let file = KeyFile::read(&locate(key)?)?;
            Backend::Local(Box::new(file.open(pin.as_ref().map(|pin| pin.as_slice()))?.signer()?))
        }
        Sign::Sigul { config, key, fingerprint } => {
            let wanted = fingerprint.as_ref().map(|fingerprint| fingerprint.as_str());
            Backend::Remote(Box::new(RemoteKey::open(&locate(config)?, key, wanted)?))
        }
    };
    let certificate = backend.certificate();
    refuse_demonstration(recipe, certificate)?;
    refuse_compromised(recipe, certificate)?;
    if let Ok(Some(expires)) = certificate.expiry()
        && expires <= source_date.seconds()
        && let Ok(expires) = SourceDate::from_seconds(expires)
    {
        let fingerprint = certificate.fingerprint().to_string();
        return Err(ComposeError::Expired { fingerprint, expires, when: source_date });
    }
    Ok(backend)
}

/// The only release that a demonstration key may sign.
const DEMONSTRATED: &str = "Gosling Linux";

/// Refuses a demonstration key in any other release.
pub(super) fn refuse_demonstration(recipe: &Recipe, certificate: &Certificate) -> Result<(), ComposeError> {
    if recipe.release.name != DEMONSTRATED && sign::is_demonstration(certificate) {
        return Err(ComposeError::Demonstration(certificate.fingerprint().to_string()));
    }
    Ok(())
}

/// Refuses a certificate of which any key is compromised.
fn refuse_compromised(recipe: &Recipe, certificate: &Certificate) -> Result<(), ComposeError> {
    let keys = certificate.key_fingerprints();
    match keys.iter().find(|key| recipe.is_compromised(key.as_str())) {
        Some(key) => Err(ComposeError::Compromised(key.to_string())),
        None => Ok(()),
    }
}

/// What demanded signatures cover.
pub(super) enum Covered<'a> {
    /// Main headers of packages: what the plan makes, and what was made.
    Packages(&'a Lowered, &'a Executed),
    /// Files in the store.
    Files,
}

impl Covered<'_> {
    /// The bytes that a signature covers.
    fn bytes(&self, store: &Store, demand: &Demand) -> Result<Vec<u8>, ComposeError> {
        match self {
            Self::Packages(lowered, done) => header_bytes(store, lowered, done, demand),
            Self::Files => file_bytes(store, &demand.digest),
        }
    }
}

/// Makes the demanded signatures and adds them to the table.
pub(super) fn make(
    session: &Session<'_>,
    signers: &Signers,
    demands: &[Demand],
    covered: &Covered<'_>,
    created: SourceDate,
    table: &mut Signatures,
) -> Result<(), ComposeError> {
    signers.check(demands)?;
    for backend in &signers.backends {
        let fingerprint = backend.certificate().fingerprint();
        let own = demands.iter().filter(|demand| demand.fingerprint == fingerprint.as_str());
        make_by(session, backend, &own.cloned().collect::<Vec<_>>(), covered, created, table)?;
    }
    Ok(())
}

/// Makes the signatures that are demanded of one key.
fn make_by(
    session: &Session<'_>,
    backend: &Backend,
    demands: &[Demand],
    covered: &Covered<'_>,
    created: SourceDate,
    table: &mut Signatures,
) -> Result<(), ComposeError> {
    if demands.is_empty() {
        return Ok(());
    }
    let fingerprint = backend.fingerprint();
    let mut add = |demand: &Demand, packet| table.add(demand.kind, demand.digest, &fingerprint, packet);
    match (backend, covered) {
        // All at once: a package on its way costs less than a connection.
        (Backend::Remote(key), Covered::Packages(lowered, done)) => {
            let path = |demand| {
                header_bytes(session.store, lowered, done, demand)?;
                Ok(session.store.object_path(&unsigned_package(lowered, done, demand)?))
            };
            let paths = demands.iter().map(path).collect::<Result<Vec<_>, ComposeError>>()?;
            let packets = key.sign_packages(&paths, &|words| session.note(words))?;
            demands.iter().zip(packets).for_each(|(demand, packet)| add(demand, packet));
        }
        _ => {
            // One after the other: those of a whole distribution do not fit into memory.
            for demand in demands {
                let data = covered.bytes(session.store, demand)?;
                add(demand, sign_one(backend, demand, &data, created)?);
            }
        }
    }
    session.note(format!("signed {} with key {fingerprint}", demands.len()));
    Ok(())
}

/// Makes one signature.
fn sign_one(
    backend: &Backend,
    demand: &Demand,
    data: &[u8],
    created: SourceDate,
) -> Result<Vec<u8>, ComposeError> {
    let failed = |source| ComposeError::Sign { what: demand.what.clone(), source };
    let clearsigned = demand.kind == SignatureKind::Clearsign;
    match backend {
        Backend::Local(signer) if clearsigned => signer.sign_cleartext(data, created).map_err(failed),
        Backend::Local(signer) => signer.sign_detached(data, created).map_err(failed),
        Backend::Remote(key) if clearsigned => Ok(key.sign_text(data)?),
        Backend::Remote(key) => Ok(key.sign_data(data)?),
    }
}

/// The unsigned package whose header a signature covers.
fn unsigned_package(lowered: &Lowered, done: &Executed, demand: &Demand) -> Result<Digest, ComposeError> {
    let input = demand.what.parse::<Nevra>().ok().and_then(|nevra| lowered.unsigned.get(&nevra));
    input.and_then(|input| done.file(input)).ok_or_else(|| ComposeError::NoOutput {
        step: demand.what.clone(),
        path: "the unsigned package".into(),
    })
}

/// The bytes that a header signature covers, read from the unsigned package.
fn header_bytes(
    store: &Store,
    lowered: &Lowered,
    done: &Executed,
    demand: &Demand,
) -> Result<Vec<u8>, ComposeError> {
    let digest = unsigned_package(lowered, done, demand)?;
    let bytes = harvest::headers(store, &digest, &demand.what)?.main.bytes().to_vec();
    pinned(&demand.what, &bytes, demand.digest)?;
    Ok(bytes)
}

fn pinned(what: &str, bytes: &[u8], wanted: Digest) -> Result<(), ComposeError> {
    let found = Digest::of(bytes);
    if found == wanted { Ok(()) } else { Err(ComposeError::WrongDigest { what: what.into(), found, wanted }) }
}

/// The file that a signature covers.
pub(super) fn file_bytes(store: &Store, digest: &Digest) -> Result<Vec<u8>, ComposeError> {
    Ok(store.read_object(digest, LARGEST)?)
}

/// Names every demand that nothing can fulfil here.
pub(super) fn missing(demands: &[Demand]) -> ComposeError {
    ComposeError::MissingSignatures(
        demands
            .iter()
            .map(|demand| format!("{} of {} by {}", demand.kind, demand.what, demand.fingerprint))
            .collect(),
    )
}

/// Checks every signature that ships against the certificates in the lock.
pub(super) fn check(
    store: &Store,
    lock: &Lock,
    lowered: &Lowered,
    done: &Executed,
) -> Result<(), ComposeError> {
    let certificates = certificates(lock)?;
    for (nevra, package) in &lock.packages.0 {
        let Some(digest) = lowered.unsigned.get(nevra).and_then(|input| done.file(input)) else { continue };
        if package.keys.is_empty() {
            continue;
        }
        let headers = harvest::headers(store, &digest, &nevra.to_string())?;
        for fingerprint in &package.keys {
            let packet = lock.signatures.get(SignatureKind::RpmHeader, &package.header, fingerprint);
            let Some(packet) = packet else { continue };
            let certificate = certificate(&certificates, fingerprint)?;
            verify_header(certificate, packet, headers.main.bytes(), None)
                .map_err(|source| ComposeError::BadSignature { what: nevra.to_string(), source })?;
        }
    }
    Ok(())
}

/// Checks one signature of a file, detached or clearsigned, that the lock has.
pub(super) fn check_file(
    certificates: &[Certificate],
    demand: &Demand,
    packet: &[u8],
    data: &[u8],
) -> Result<(), ComposeError> {
    let certificate = certificate(certificates, &demand.fingerprint)?;
    let verified = match demand.kind {
        SignatureKind::RpmHeader | SignatureKind::Detached => {
            verify_detached(certificate, packet, data, None)
        }
        SignatureKind::Clearsign => verify_text(certificate, packet, data, None),
    };
    verified.map(drop).map_err(|source| ComposeError::BadSignature { what: demand.what.clone(), source })
}

/// The certificate of a key that the lock demands signatures by. A signature that nothing can check must
/// not pass for a good one.
fn certificate<'a>(
    certificates: &'a [Certificate],
    fingerprint: &str,
) -> Result<&'a Certificate, ComposeError> {
    certificates.iter().find(|known| known.fingerprint().as_str() == fingerprint).ok_or_else(|| {
        ComposeError::Lock { path: "lock.toml".into(), source: LockError::NoCertificate(fingerprint.into()) }
    })
}

/// The certificates that lie in a lock.
pub(super) fn certificates(lock: &Lock) -> Result<Vec<Certificate>, ComposeError> {
    let mut found = Vec::new();
    for key in &lock.header.keys {
        let bytes = lock.objects.get(&key.certificate).map(Vec::as_slice).unwrap_or_default();
        let path = format!("objects/{}", key.certificate.hex()).into();
        found.push(Certificate::parse(bytes).map_err(|source| ComposeError::Keyring { path, source })?);
    }
    Ok(found)
}

/// A key that a source accepts.
#[derive(Clone, Debug)]
pub(super) struct Accepted {
    /// The certificate that it belongs to.
    pub certificate: Certificate,
    /// As the recipe names it: the primary key, for which every key of the certificate may have signed, or
    /// one subkey.
    named: String,
    /// What Koji's index may call its keys: the last 8 hexadecimal digits of their ids, lower case.
    pub sigkeys: Vec<String>,
}

impl Accepted {
    /// Every key of a certificate.
    pub(super) fn any(certificate: Certificate) -> Self {
        let named = certificate.fingerprint().to_string();
        let sigkeys = certificate.key_fingerprints().iter().filter_map(|key| sigkey(key.as_str())).collect();
        Self { certificate, named, sigkeys }
    }

    /// What tells it from others: the key that is named, and its certificate.
    pub(super) fn identity(&self) -> String {
        format!("{} {}", self.named, Digest::of(self.certificate.armored()))
    }
}

/// A key's id: the end of a fingerprint of version 4, and the start of one of version 6.
fn key_id(fingerprint: &str) -> Option<&str> {
    match fingerprint.len() {
        64 => fingerprint.get(..16),
        length => fingerprint.get(length.checked_sub(16)?..),
    }
}

/// What Koji's index calls a key.
fn sigkey(fingerprint: &str) -> Option<String> {
    let id = key_id(fingerprint)?;
    Some(id.get(id.len().checked_sub(8)?..)?.to_ascii_lowercase())
}

/// The certificates in `keys/` beside the recipe and one folder up.
#[allow(clippy::disallowed_methods, reason = "a key is found by its fingerprint, whatever the order")]
pub(super) fn known(files: &RecipeFiles) -> Result<Vec<Certificate>, ComposeError> {
    let mut known = Vec::new();
    for folder in key_folders(files).iter().filter(|folder| folder.is_dir()) {
        for entry in std::fs::read_dir(folder).map_err(|error| ComposeError::read(folder, error))? {
            let path = entry.map_err(|error| ComposeError::read(folder, error))?.path();
            if path.extension().is_some_and(|extension| extension == "asc") {
                let mut bytes = Vec::new();
                std::fs::File::open(&path)
                    .and_then(|file| file.take(LARGEST).read_to_end(&mut bytes))
                    .map_err(|error| ComposeError::read(&path, error))?;
                let keys = Certificate::parse_all(&bytes)
                    .map_err(|source| ComposeError::Keyring { path: path.clone(), source })?;
                known.extend(keys);
            }
        }
    }
    Ok(known)
}

fn key_folders(files: &RecipeFiles) -> [PathBuf; 2] {
    [files.folder.join("keys"), files.folder.join("../keys")]
}

/// The keys that a source accepts, with their certificates.
pub(super) fn accepted(files: &RecipeFiles, source: usize) -> Result<Vec<Accepted>, ComposeError> {
    let Some(source) = files.recipe.sources.get(source).filter(|source| !source.keys.is_empty()) else {
        return Ok(Vec::new());
    };
    let known = known(files)?;
    let mut accepted = Vec::new();
    for fingerprint in &source.keys {
        let has = |known: &&Certificate| {
            known.key_fingerprints().iter().any(|key| key.as_str() == fingerprint.as_str())
        };
        let found = known.iter().find(has);
        let found = found.ok_or_else(|| ComposeError::NoCertificate {
            folder: files.folder.join("keys"),
            fingerprint: fingerprint.to_string(),
        })?;
        refuse_demonstration(&files.recipe, found)?;
        refuse_compromised(&files.recipe, found)?;
        let keys = found.key_fingerprints();
        let primary = found.fingerprint().as_str() == fingerprint.as_str();
        let keys = keys.iter().filter(|key| primary || key.as_str() == fingerprint.as_str());
        let sigkeys = keys.filter_map(|key| sigkey(key.as_str())).collect();
        accepted.push(Accepted { certificate: found.clone(), named: fingerprint.to_string(), sigkeys });
    }
    Ok(accepted)
}

/// Who signed a package's header, as its signatures say; nothing of it is verified.
pub(super) fn signers(headers: &crate::rpm::Headers) -> Vec<String> {
    let packets = crate::rpm::signature::packets(&headers.signature).unwrap_or_default();
    let infos = packets.iter().flat_map(|(_, packet)| inspect(packet).unwrap_or_default());
    let names = infos.map(|info| {
        let name = info.issuer.map(|fingerprint| fingerprint.to_string());
        name.or(info.issuer_ids.into_iter().next()).unwrap_or_else(|| "an unnamed key".into())
    });
    names.collect()
}

/// A package that may not be shipped as it is, for people.
pub(super) fn unsigned(nevra: &Nevra, by: &[String]) -> String {
    if by.is_empty() { nevra.to_string() } else { format!("{nevra} (signed by {})", by.join(", ")) }
}

/// The certificate of the accepted key that signed a package's header, if one did; of several the first in
/// the order of the recipe. Header signatures stand under RSAHEADER or DSAHEADER, since rpm 6 under OPENPGP.
pub(super) fn signed_by<'a>(
    headers: &crate::rpm::Headers,
    accepted: &'a [Accepted],
) -> Option<&'a Certificate> {
    // What cannot be read proves nothing.
    let packets = crate::rpm::signature::packets(&headers.signature).unwrap_or_default();
    let signed = |key: &&Accepted| {
        packets.iter().any(|(_, packet)| {
            verify_header(&key.certificate, packet, headers.main.bytes(), None).is_ok_and(|verified| {
                [&verified.certificate, &verified.key].iter().any(|by| by.as_str() == key.named)
            })
        })
    };
    accepted.iter().find(signed).map(|key| &key.certificate)
}

/// The keys whose signatures prove nothing any more.
#[derive(Clone, Debug, Default)]
pub(super) struct Compromised(BTreeSet<String>);

impl Compromised {
    /// Those that the recipe names; with a primary key all keys of its certificate, where that is known.
    pub(super) fn of<'a>(recipe: &Recipe, known: impl IntoIterator<Item = &'a Certificate>) -> Self {
        let mut keys: BTreeSet<_> = recipe.compromised.iter().map(ToString::to_string).collect();
        for certificate in known {
            if recipe.is_compromised(certificate.fingerprint().as_str()) {
                keys.extend(certificate.key_fingerprints().iter().map(ToString::to_string));
            }
        }
        Self(keys)
    }

    /// Whether one of them is a key of this certificate.
    pub(super) fn has(&self, certificate: &Certificate) -> bool {
        certificate.key_fingerprints().iter().any(|key| self.0.contains(key.as_str()))
    }

    /// Whether a package carries a signature that claims to be by one of them.
    pub(super) fn signed(&self, headers: &crate::rpm::Headers) -> bool {
        let is_one = |name: &str| self.0.iter().any(|key| key == name || key_id(key) == Some(name));
        !self.0.is_empty() && signers(headers).iter().any(|name| is_one(name))
    }
}
