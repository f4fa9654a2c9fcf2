//! What keys are for: signing and decrypting, as the policy allows, on record.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use serde_json::json;
use zeroize::Zeroizing;

use super::approvals::{self, Standing};
use super::material::Material;
use super::policy::{Case, Kind};
use super::unlock::{Entrance, check_name};
use super::unlocked::Unlocked;
use super::{Secrets, Vault, clock, failed, keyfile};
use crate::base::{Digest, Nevra, SourceDate};
use crate::openpgp::armor_detached;
use crate::rpm::header::{Header, Part};
use crate::rpm::package::name_of;
use crate::rpm::tags;
use crate::sign::agent::request::{Answer, Code, Operation, Refusal, Request};
use crate::sign::hashing::Hashing;
use crate::sign::ledger::{Entry, Event, Receipt};
use crate::sign::log::say;
use crate::sign::token::Pin;
use crate::sign::{LocalSigner, SignError, Signer as _};

/// An unlocked key, for as long as a session needs it.
#[derive(Debug)]
pub struct Opened {
    user: String,
    name: String,
    fingerprint: String,
    algorithm: String,
    signer: LocalSigner,
    unlocked: Arc<Unlocked>,
}

/// What is to be signed, as policy and ledger see it.
#[derive(Clone, Debug)]
pub(super) struct Subject {
    kind: Kind,
    digest: Digest,
    size: u64,
    nevra: Option<Nevra>,
    covers_payload: bool,
    reference: Option<String>,
}

impl Subject {
    /// What is held in memory.
    fn held(operation: &Operation, data: &[u8]) -> Result<Self, Refusal> {
        let kind = match operation {
            Operation::SignRpmHeaders { .. } => return Self::header(data),
            Operation::SignText { .. } => Kind::Text,
            Operation::SignGitTag { .. } => {
                check_tag(data)?;
                Kind::GitTag
            }
            Operation::Decrypt { .. } => Kind::Decrypt,
            _ => return Err(Code::UnknownOp.into()),
        };
        Ok(Self::new(kind, Digest::of(data), data.len() as u64))
    }

    /// What was only hashed.
    fn hashed(operation: &Operation, hashing: &Hashing) -> Result<Self, Refusal> {
        let (digest, size) = hashing.digest();
        match operation {
            Operation::SignData { .. } => Ok(Self::new(Kind::Data, digest, size)),
            Operation::SignContainer { docker_reference, .. } => {
                check_name(docker_reference)?;
                let reference = Some(docker_reference.clone());
                Ok(Self { reference, ..Self::new(Kind::Container, digest, size) })
            }
            _ => Err(Code::UnknownOp.into()),
        }
    }

    const fn new(kind: Kind, digest: Digest, size: u64) -> Self {
        Self { kind, digest, size, nevra: None, covers_payload: false, reference: None }
    }

    /// The main header of an RPM.
    fn header(bytes: &[u8]) -> Result<Self, Refusal> {
        let corrupt = |error: &dyn std::fmt::Display| Refusal::because(Code::CorruptRpm, error);
        let header = Header::parse(Part::Main, bytes).map_err(|error| corrupt(&error))?;
        if header.bytes().len() != bytes.len() || !header.has_region() {
            return Err(corrupt(&"more or less was sent than the main header of a package"));
        }
        let nevra = name_of(&header).map_err(|error| corrupt(&error))?;
        let algorithm = header.number(tags::PAYLOADDIGESTALGO).ok().flatten();
        let digests = header.texts(tags::PAYLOADDIGEST).is_ok_and(|digests| !digests.is_empty());
        Ok(Self {
            nevra: Some(nevra),
            // SHA-256, SHA-384, SHA-512 in OpenPGP's numbers.
            covers_payload: digests && matches!(algorithm, Some(8..=10)),
            ..Self::new(Kind::Rpm, Digest::of(bytes), bytes.len() as u64)
        })
    }

    pub(super) fn describe(&self, entry: &mut Entry) {
        entry.digest = Some(self.digest);
        entry.nevra = self.nevra.as_ref().map(ToString::to_string);
        entry.reference.clone_from(&self.reference);
    }
}

/// Something that was made and must not leave before its line was kept.
#[derive(Debug)]
#[must_use]
pub struct Made {
    answer: Answer,
    payload: Zeroizing<Vec<u8>>,
    receipt: Receipt,
}

impl Vault {
    /// Unlocks the key of a request that signs or decrypts.
    pub fn unlock(&self, request: &Request, secrets: &Secrets) -> Result<Opened, Refusal> {
        self.open_key(request, secrets).inspect_err(|refusal| self.refused(request, refusal, None))
    }

    fn open_key(&self, request: &Request, secrets: &Secrets) -> Result<Opened, Refusal> {
        let key = request.operation.key().ok_or(Code::UnknownOp)?;
        let Entrance { key, unlocked, .. } = self.key_user(&request.user, key, secrets)?;
        if key.keytype != "gnupg" {
            return Err(Code::UnsupportedKeytype.into());
        }
        let broken = |error: &dyn std::fmt::Display| {
            say(format_args!("the key {} cannot be used: {error}", key.fingerprint));
            Refusal::because(Code::UnknownError, format!("the key {} cannot be used", key.fingerprint))
        };
        if unlocked.material.get().is_none() {
            let bytes = keyfile::read(&self.folder, &key.fingerprint).map_err(|error| broken(&error))?;
            let material = Material::parse(&bytes, &unlocked.passphrase, &self.modules, Pin::Kept);
            let material = material.map_err(|error| broken(&error))?;
            // If two come at once, one of them is in vain.
            drop(unlocked.material.set(material));
        }
        let material = unlocked.material.get().ok_or_else(|| broken(&"it is gone"))?;
        let signer = material.signer().map_err(|error| broken(&error))?;
        let algorithm = signer.certificate().algorithm();
        let (name, fingerprint) = (key.name, key.fingerprint);
        Ok(Opened { user: request.user.clone(), name, fingerprint, algorithm, signer, unlocked })
    }

    /// Signs a text, a git tag or an RPM's header, or decrypts: what is held in memory.
    pub fn work(&self, opened: &Opened, request: &Request, data: &[u8]) -> Result<Made, Refusal> {
        let subject = Subject::held(&request.operation, data);
        let subject = subject.inspect_err(|refusal| self.refused(request, refusal, None))?;
        let made = match subject.kind {
            Kind::Decrypt => self.decrypt(opened, request, &subject, data),
            Kind::Text => {
                self.sign(opened, request, &subject, |created| opened.signer.sign_text(data, created))
            }
            Kind::GitTag => self.sign(opened, request, &subject, |created| {
                opened.signer.sign_detached(data, created).map(|packet| armor_detached(&packet).into_bytes())
            }),
            _ => self.sign(opened, request, &subject, |created| opened.signer.sign_detached(data, created)),
        };
        made.inspect_err(|refusal| self.refused(request, refusal, Some(&subject)))
    }

    /// Signs data or a container's manifest: what was hashed while it came.
    pub fn work_hashed(
        &self,
        opened: &Opened,
        request: &Request,
        hashing: &Hashing,
    ) -> Result<Made, Refusal> {
        let subject = Subject::hashed(&request.operation, hashing);
        let subject = subject.inspect_err(|refusal| self.refused(request, refusal, None))?;
        let armored = matches!(&request.operation, Operation::SignData { armor: true, .. });
        let made = self.sign(opened, request, &subject, |created| match &subject.reference {
            Some(reference) => {
                let json = container(&subject.digest, reference, created);
                opened.signer.inline(json.as_bytes(), created)
            }
            None => {
                let packet = hashing.sign(&opened.signer, created)?;
                Ok(if armored { armor_detached(&packet).into_bytes() } else { packet })
            }
        });
        made.inspect_err(|refusal| self.refused(request, refusal, Some(&subject)))
    }

    /// Waits until what was made is on record; then it may leave.
    pub fn release(&self, made: Made) -> Result<(Answer, Zeroizing<Vec<u8>>), Refusal> {
        self.wait(made.receipt)?;
        self.signatures.fetch_add(1, Ordering::Relaxed);
        Ok((made.answer, made.payload))
    }

    fn sign(
        &self,
        opened: &Opened,
        request: &Request,
        subject: &Subject,
        make: impl FnOnce(SourceDate) -> Result<Vec<u8>, SignError>,
    ) -> Result<Made, Refusal> {
        let (created, approvals) = self.permit(opened, request, subject)?;
        let signature = make(created).map_err(|error| match error {
            SignError::Text(text) => Refusal::because(Code::UnknownError, text),
            error => {
                // One on a token that was pulled is looked for again by the next request.
                if matches!(error, SignError::Token(_)) {
                    self.cache.wipe();
                }
                say(format_args!("the key {} cannot sign: {error}", opened.fingerprint));
                Refusal::because(Code::UnknownError, error)
            }
        })?;
        let mut entry = self.entry(Event::Signature, request);
        entry.signature = Some(Digest::of(&signature));
        entry.created = Some(created.seconds().max(opened.signer.certificate().created()));
        let receipt = self.keep(entry, opened, subject, approvals);
        Ok(Made { answer: Answer::Signature {}, payload: Zeroizing::new(signature), receipt })
    }

    fn decrypt(
        &self,
        opened: &Opened,
        request: &Request,
        subject: &Subject,
        data: &[u8],
    ) -> Result<Made, Refusal> {
        let (_, approvals) = self.permit(opened, request, subject)?;
        let material = opened.unlocked.material.get().ok_or(Code::DecryptFailed)?;
        let payload = material.decrypt(data).map_err(|_| Code::DecryptFailed)?;
        let receipt = self.keep(self.entry(Event::Decryption, request), opened, subject, approvals);
        Ok(Made { answer: Answer::Cleartext {}, payload, receipt })
    }

    fn keep(&self, mut entry: Entry, opened: &Opened, subject: &Subject, approvals: Vec<String>) -> Receipt {
        entry.key = Some(opened.name.clone());
        entry.fingerprint = Some(opened.fingerprint.clone());
        entry.approvals = approvals;
        subject.describe(&mut entry);
        self.ledger.record(entry)
    }

    /// Whether the policy allows it and enough have approved: the time of the signature and who approved.
    fn permit(
        &self,
        opened: &Opened,
        request: &Request,
        subject: &Subject,
    ) -> Result<(SourceDate, Vec<String>), Refusal> {
        if opened.unlocked.is_withdrawn() {
            return Err(Code::AuthenticationFailed.into());
        }
        let now = clock::now();
        let wish = request.operation.created();
        let policy = self.policy()?;
        let case = Case {
            key: &opened.name,
            algorithm: &opened.algorithm,
            user: &opened.user,
            kind: subject.kind,
            size: subject.size,
            nevra: subject.nevra.as_ref(),
            covers_payload: subject.covers_payload,
            reference: subject.reference.as_deref(),
            wishes_time: wish.is_some(),
            now,
        };
        let approve = policy.judge(&case)?;
        let created = match wish {
            Some(seconds) => SourceDate::from_seconds(seconds).map_err(|_| {
                Refusal::because(Code::InvalidRequest, "the time of the signature is out of range")
            })?,
            None => now,
        };
        let Some(approve) = approve else { return Ok((created, Vec::new())) };
        let waiting = approvals::Subject {
            fingerprint: &opened.fingerprint,
            kind: subject.kind,
            digest: subject.digest,
            nevra: subject.nevra.as_ref().map(ToString::to_string),
            reference: subject.reference.as_deref(),
        };
        let standing = approvals::standing(&self.database(), &waiting, approve, &opened.user, now);
        match standing.map_err(failed("look for approvals"))? {
            Standing::Approved(names) => Ok((created, names)),
            Standing::Waiting { id, given } => {
                let message =
                    format!("{given} of {} approvals were given; the request's id is {id}", approve.needed);
                Err(Refusal { pending: Some(id), ..Refusal::because(Code::ApprovalNeeded, message) })
            }
            Standing::Full => Err(Refusal::because(Code::Unavailable, "too many requests wait for approval")),
        }
    }
}

/// An annotated tag, as `git cat-file tag` gives it.
fn check_tag(data: &[u8]) -> Result<(), Refusal> {
    let mut lines = data.split(|byte| *byte == b'\n');
    let starts: [&[u8]; 4] = [b"object ", b"type commit", b"tag ", b"tagger "];
    if starts.iter().all(|start| lines.next().is_some_and(|line| line.starts_with(start))) {
        return Ok(());
    }
    Err(Refusal::because(Code::InvalidRequest, "the data are no annotated tag of a commit"))
}

/// The JSON of an atomic container signature (github.com/containers/image, docs/containers-signature.5.md).
fn container(manifest: &Digest, reference: &str, created: SourceDate) -> String {
    let manifest = format!("sha256:{}", manifest.hex());
    json!({
        "critical": {
            "type": "atomic container signature",
            "image": { "docker-manifest-digest": manifest },
            "identity": { "docker-reference": reference },
        },
        "optional": { "creator": concat!("gander ", env!("CARGO_PKG_VERSION")), "timestamp": created.seconds() },
    })
    .to_string()
}

impl Operation {
    /// The key that it is about.
    pub fn key(&self) -> Option<&str> {
        match self {
            Self::KeyUserInfo { key, .. }
            | Self::ModifyKeyUser { key, .. }
            | Self::NewKey { key, .. }
            | Self::ImportKey { key, .. }
            | Self::DeleteKey { key }
            | Self::ModifyKey { key, .. }
            | Self::ListKeyUsers { key }
            | Self::GrantKeyAccess { key, .. }
            | Self::RevokeKeyAccess { key, .. }
            | Self::ChangeKeyExpiration { key, .. }
            | Self::GetPublicKey { key }
            | Self::ChangePassphrase { key, .. }
            | Self::SignText { key, .. }
            | Self::SignData { key, .. }
            | Self::SignGitTag { key, .. }
            | Self::SignContainer { key, .. }
            | Self::Decrypt { key }
            | Self::SignRpmHeaders { key, .. }
            | Self::Approve { key, .. }
            | Self::ListApprovals { key } => Some(key),
            _ => None,
        }
    }

    /// The time that is wished for a signature, in seconds since 1970.
    pub const fn created(&self) -> Option<i64> {
        match self {
            Self::SignText { created, .. }
            | Self::SignData { created, .. }
            | Self::SignGitTag { created, .. }
            | Self::SignContainer { created, .. }
            | Self::SignRpmHeaders { created, .. } => *created,
            _ => None,
        }
    }
}
