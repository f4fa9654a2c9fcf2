//! Signing at resolve and compose time, and the check of what a lock has.

use std::io::Read as _;
use std::path::Path;

use super::error::ComposeError;
use super::execute::{Executed, Session};
use super::harvest;
use super::inputs::RecipeFiles;
use super::lower::{Demand, Lowered};
use crate::base::{Digest, SourceDate};
use crate::lock::{Lock, SignatureKind, Signatures};
use crate::openpgp::{Certificate, verify_detached, verify_header};
use crate::recipe::{OutsidePath, Recipe, Sign};
use crate::rpm::tags;
use crate::sign::{self, LocalSigner, Signer};
use crate::store::Store;

/// No file that gets a detached signature is larger.
const LARGEST: u64 = 64 << 20;

/// Opens the recipe's signing key. A demonstration key is refused where it has no business.
pub(super) fn open(
    recipe: &Recipe,
    source_date: SourceDate,
    home: Option<&Path>,
) -> Result<Option<LocalSigner>, ComposeError> {
    let signer = match &recipe.sign {
        None => return Ok(None),
        Some(Sign::Demonstration { phrase }) => {
            sign::demonstration(phrase, source_date, &recipe.release.name)?
        }
        Some(Sign::KeyFile { key, passphrase }) => {
            let locate = |path: &OutsidePath| {
                path.resolve(home).ok_or_else(|| {
                    ComposeError::read(Path::new("~"), std::io::Error::other("no home folder is known"))
                })
            };
            let passphrase = match passphrase {
                Some(file) => Some(sign::key::read_passphrase(&locate(file)?)?),
                None => None,
            };
            LocalSigner::open(&locate(key)?, passphrase.as_ref().map(|phrase| phrase.as_slice()))?
        }
    };
    let certificate = signer.certificate();
    refuse_demonstration(recipe, certificate)?;
    if let Ok(Some(expires)) = certificate.expiry()
        && expires <= source_date.seconds()
        && let Ok(expires) = SourceDate::from_seconds(expires)
    {
        let fingerprint = certificate.fingerprint().to_string();
        return Err(ComposeError::Expired { fingerprint, expires, when: source_date });
    }
    Ok(Some(signer))
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

/// Makes the demanded signatures over these bytes' objects and adds them to the table.
pub(super) fn make(
    session: &Session<'_>,
    signer: &LocalSigner,
    demands: &[(Demand, Vec<u8>)],
    created: SourceDate,
    table: &mut Signatures,
) -> Result<(), ComposeError> {
    let fingerprint = signer.certificate().fingerprint().to_string();
    for (demand, data) in demands {
        if demand.fingerprint != fingerprint {
            return Err(ComposeError::OtherKey { wanted: demand.fingerprint.clone(), found: fingerprint });
        }
        let packet = signer
            .sign_detached(data, created)
            .map_err(|source| ComposeError::Sign { what: demand.what.clone(), source })?;
        table.add(demand.kind, demand.digest, &fingerprint, packet);
    }
    if !demands.is_empty() {
        session.note(format!("signed {} with key {fingerprint}", demands.len()));
    }
    Ok(())
}

/// The bytes that header signatures of these demands cover, read from the unsigned packages.
pub(super) fn header_bytes(
    store: &Store,
    lowered: &Lowered,
    lock: &Lock,
    done: &Executed,
) -> Result<Vec<(Demand, Vec<u8>)>, ComposeError> {
    let mut found = Vec::new();
    for demand in &lowered.demands {
        let package = lock.packages.0.iter().find(|(nevra, _)| nevra.to_string() == demand.what);
        let input = package.and_then(|(nevra, _)| lowered.unsigned.get(nevra));
        let Some(digest) = input.and_then(|input| done.file(input)) else {
            return Err(ComposeError::NoOutput {
                step: demand.what.clone(),
                path: "the unsigned package".into(),
            });
        };
        let bytes = harvest::headers(store, &digest, &demand.what)?.main.bytes().to_vec();
        pinned(&demand.what, &bytes, demand.digest)?;
        found.push((demand.clone(), bytes));
    }
    Ok(found)
}

fn pinned(what: &str, bytes: &[u8], wanted: Digest) -> Result<(), ComposeError> {
    let found = Digest::of(bytes);
    if found == wanted { Ok(()) } else { Err(ComposeError::WrongDigest { what: what.into(), found, wanted }) }
}

/// The file that a detached signature covers.
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
            let certificate =
                certificates.iter().find(|known| known.fingerprint().to_string() == *fingerprint);
            let (Some(packet), Some(certificate)) = (packet, certificate) else { continue };
            verify_header(certificate, packet, headers.main.bytes(), None)
                .map_err(|source| ComposeError::BadSignature { what: nevra.to_string(), source })?;
        }
    }
    Ok(())
}

/// Checks one detached signature of the lock.
pub(super) fn check_detached(
    lock: &Lock,
    demand: &Demand,
    packet: &[u8],
    data: &[u8],
) -> Result<(), ComposeError> {
    let certificates = certificates(lock)?;
    match certificates.iter().find(|known| known.fingerprint().to_string() == demand.fingerprint) {
        Some(certificate) => verify_detached(certificate, packet, data, None)
            .map(drop)
            .map_err(|source| ComposeError::BadSignature { what: demand.what.clone(), source }),
        None => Ok(()),
    }
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

/// The certificates of the keys that a source accepts, from `keys/` beside the recipe or one folder up.
#[allow(clippy::disallowed_methods, reason = "a key is found by its fingerprint, whatever the order")]
pub(super) fn accepted(files: &RecipeFiles, source: usize) -> Result<Vec<Certificate>, ComposeError> {
    let Some(source) = files.recipe.sources.get(source) else { return Ok(Vec::new()) };
    let folders = [files.folder.join("keys"), files.folder.join("../keys")];
    let mut known = Vec::new();
    for folder in folders.iter().filter(|folder| folder.is_dir() && !source.keys.is_empty()) {
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
    let mut accepted = Vec::new();
    for fingerprint in &source.keys {
        let found = known.iter().find(|known| known.fingerprint().to_string() == fingerprint.as_str());
        let found = found.ok_or_else(|| ComposeError::NoCertificate {
            folder: folders[0].clone(),
            fingerprint: fingerprint.to_string(),
        })?;
        refuse_demonstration(&files.recipe, found)?;
        accepted.push(found.clone());
    }
    Ok(accepted)
}

/// The accepted key that signed a package's header, if one did.
pub(super) fn signed_by<'a>(
    headers: &crate::rpm::Headers,
    accepted: &'a [Certificate],
) -> Result<Option<&'a Certificate>, ComposeError> {
    for tag in [tags::SIG_RSA, tags::SIG_DSA] {
        let Ok(Some(packet)) = headers.signature.binary(tag) else { continue };
        let good = |key: &&Certificate| verify_header(key, packet, headers.main.bytes(), None).is_ok();
        if let Some(key) = accepted.iter().find(good) {
            return Ok(Some(key));
        }
    }
    Ok(None)
}
