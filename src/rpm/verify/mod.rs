//! Whether a package file is whole, and who says so: what `rpmkeys --checksig` answers.
//!
//! A package makes claims about itself, each over a part of the file:
//!
//! | claim | tags | covers |
//! |---|---|---|
//! | digests in the signature header | SHA1 (269), SHA256 (273), SHA3-256 (279) | main header |
//! | OpenPGP signatures | DSAHEADER (267), RSAHEADER (268), OPENPGP (278) | main header |
//! | digests in the main header | SHA256 (5092), SHA512 (5121), SHA3-256 (5123) | payload |
//! | the same of the payload before compression | 5097, 5122, 5124 (`ALT`) | payload |
//! | of old | MD5 (1004), OpenPGP signatures PGP (1002) and GPG (1005) | both |
//!
//! Rules, as rpm 6.0 has them (`lib/rpmvs.cc`, rpmkeys(8)), or stricter:
//! - each claim that is there is checked, all of them; what does not fit is BAD. Of a digest and its ALT one has to
//!   fit, since a payload may be stored unpacked;
//! - a digest covers what it covers. A signature does, too, and one of the main header that is good makes the payload
//!   digests in that header as good as signed;
//! - a package with a good signature must be covered by signatures wholly, and
//! - which coverage it must have besides, and whether a signature that could not be checked counts, is for the caller
//!   to say: [`Requirements`].
//!
//! Stricter than rpm: signatures under the older tags are checked also where there are some under OPENPGP; names and
//! paths that could not be used ([`Headers::package`]) are a failure; not tested are signatures of single files.
//!
//! The file is read once, from one open reader: what is checked is what was read, and [`Verification::file`] is its
//! digest.

mod check;
mod verdict;

use std::cmp::Reverse;
use std::io::{self, Read};

pub use check::{Check, Covers, Outcome, Subject};
pub use verdict::{Level, Problem, Requirements};

use super::header::{Header, Type};
use super::headers::{Headers, Tee};
use super::package::PackageError;
use super::signature::{self, SignatureError};
use super::stated::{self, Claim, Covered};
use super::tags;
use crate::base::digest::hex;
use crate::base::{Digest, Nevra};
use crate::openpgp::{Certificate, Hashing, Judgement, Pending};

/// Why a package file cannot be verified at all. Except for failed reads, retrying cannot help.
#[derive(Debug, thiserror::Error)]
pub enum UnverifiableError {
    /// Its headers cannot be read.
    #[error(transparent)]
    Package(#[from] PackageError),
    /// Its signatures cannot be told apart.
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// Reading failed. A retry may help.
    #[error("the package file cannot be read")]
    Io(#[source] io::Error),
}

/// What was found out about a package file.
#[derive(Debug)]
pub struct Verification {
    /// Its name, or why what it says about itself is refused.
    pub nevra: Result<Nevra, PackageError>,
    /// Digest of the whole file, as it was read.
    pub file: Digest,
    /// Bytes of the whole file.
    pub size: u64,
    /// Bytes behind the signature header, and what the package says they are, where it has less than that.
    pub truncated: Option<(u64, u64)>,
    /// Each claim with what came of it: header, payload, both; signatures first.
    pub checks: Vec<Check>,
}

/// Reads a package file to its end and checks all that it claims, in one pass and without keeping the payload.
/// Without certificates, signatures are left alone.
pub fn verify(
    reader: impl Read,
    certificates: Option<&[Certificate]>,
    judgement: Judgement,
) -> Result<Verification, UnverifiableError> {
    let mut reader = Tee::new(reader);
    let headers = Headers::read(&mut reader)?;
    let main = headers.main.bytes();

    let found = |packets: Result<_, SignatureError>| match certificates {
        Some(_) => packets.map(signatures),
        None => Ok(Vec::new()),
    };
    let mut by_header = found(signature::packets(&headers.signature))?;
    let mut by_both = found(signature::legacy_packets(&headers.signature))?;
    let mut of_header = digests(&headers.signature, &[Covered::Header]);
    let mut of_payload = digests(&headers.main, &[Covered::Payload, Covered::Archive]);
    let mut of_both = digests(&headers.signature, &[Covered::HeaderAndPayload]);
    by_header.iter_mut().chain(&mut by_both).for_each(|found| found.update(main));
    of_header.iter_mut().chain(&mut of_both).for_each(|found| found.update(main));

    let mut length = main.len() as u64;
    let mut buffer = vec![0; 1 << 17];
    loop {
        let read = match reader.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(UnverifiableError::Io(error)),
        };
        let piece = buffer.get(..read).unwrap_or_default();
        length += read as u64;
        by_both.iter_mut().for_each(|found| found.update(piece));
        of_payload.iter_mut().chain(&mut of_both).for_each(|found| found.update(piece));
    }

    let signed = |all: Vec<FoundSignature>, covers| {
        let certificates = certificates.unwrap_or_default();
        all.into_iter().map(move |found| found.check(covers, certificates, judgement))
    };
    let mut checks: Vec<Check> = signed(by_header, Covers::Header).collect();
    checks.extend(of_header.into_iter().filter_map(|found| found.check(Covers::Header)));
    checks.extend(either(of_payload.into_iter().filter_map(|found| found.check(Covers::Payload)).collect()));
    checks.extend(signed(by_both, Covers::Both));
    checks.extend(of_both.into_iter().filter_map(|found| found.check(Covers::Both)));

    let stated = |tag| headers.signature.number(tag).ok().flatten();
    let wanted = stated(tags::SIG_LONGSIZE).or_else(|| stated(tags::SIG_SIZE));
    Ok(Verification {
        nevra: headers.package().map(|package| package.nevra),
        size: reader.file.length(),
        file: reader.file.finish(),
        truncated: wanted.filter(|wanted| length < *wanted).map(|wanted| (length, wanted)),
        checks,
    })
}

/// Checks what a signature header says of a main header.
pub(super) fn header_digests(signature: &Header, main: &[u8]) -> Vec<Check> {
    let mut digests = digests(signature, &[Covered::Header]);
    digests.iter_mut().for_each(|found| found.update(main));
    digests.into_iter().filter_map(|found| found.check(Covers::Header)).collect()
}

/// Of a digest and its alternative one has to fit: the other one says nothing.
fn either(mut checks: Vec<Check>) -> Vec<Check> {
    let good: Vec<Subject> =
        checks.iter().filter(|check| check.is_good()).map(|check| check.subject.clone()).collect();
    checks.retain(|check| {
        let other = match &check.subject {
            Subject::Digest { name, alternative } => Subject::Digest { name, alternative: !alternative },
            Subject::Signature(_) => return true,
        };
        check.is_good() || !good.contains(&other)
    });
    checks
}

/// A digest that a header claims, while the data are read.
struct FoundDigest {
    claim: Claim,
    wanted: Result<String, String>,
    hashing: Option<Hashing>,
}

/// The digests that a header claims of some bytes, the strongest first.
fn digests(header: &Header, covered: &[Covered]) -> Vec<FoundDigest> {
    let mut claims: Vec<&Claim> =
        stated::CLAIMS.iter().filter(|claim| covered.contains(&claim.covered)).collect();
    claims.sort_by_key(|claim| (Reverse(claim.number), claim.covered));
    let found = claims.into_iter().filter_map(|claim| {
        let wanted = wanted(header, claim)?;
        // Where OpenSSL lacks a hash function, the claim is as good as absent: others have to do.
        Some(FoundDigest { claim: *claim, wanted, hashing: Some(Hashing::new(claim.number)?) })
    });
    found.collect()
}

/// A digest as a header states it, in lower-case digits, or what is wrong with it.
fn wanted(header: &Header, claim: &Claim) -> Option<Result<String, String>> {
    let entry = header.find(claim.tag)?;
    if entry.kind != claim.kind {
        return Some(Err(format!("it has type {} instead of {}", entry.kind as u32, claim.kind as u32)));
    }
    if claim.kind == Type::Binary {
        return Some(Ok(hex(header.data(entry))));
    }
    if entry.count != 1 {
        return Some(Err(format!("it is {} texts instead of one", entry.count)));
    }
    let text = header.text(claim.tag).ok().flatten().unwrap_or_default();
    let digits = text.len().is_multiple_of(2) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    Some(if digits { Ok(text.to_ascii_lowercase()) } else { Err("it is not hexadecimal".into()) })
}

impl FoundDigest {
    fn update(&mut self, piece: &[u8]) {
        self.hashing.iter_mut().for_each(|hashing| hashing.update(piece));
    }

    fn check(self, covers: Covers) -> Option<Check> {
        let found = hex(&self.hashing?.finish()?);
        let outcome = match self.wanted {
            Ok(wanted) if wanted == found => Outcome::Good(None),
            Ok(wanted) => Outcome::Bad(format!("it is {found} instead of {}", shortened(&wanted))),
            Err(problem) => Outcome::Bad(problem),
        };
        let Claim { tag, name, covered, .. } = self.claim;
        let alternative = covered == Covered::Archive;
        Some(Check { tag, covers, subject: Subject::Digest { name, alternative }, outcome })
    }
}

fn shortened(digits: &str) -> String {
    digits.chars().take(128).collect()
}

/// A signature, while the data are read.
struct FoundSignature {
    tag: u32,
    pending: Result<Pending, crate::openpgp::PacketError>,
}

fn signatures(packets: Vec<(u32, Vec<u8>)>) -> Vec<FoundSignature> {
    packets.into_iter().map(|(tag, packet)| FoundSignature { tag, pending: Pending::new(&packet) }).collect()
}

impl FoundSignature {
    fn update(&mut self, piece: &[u8]) {
        self.pending.iter_mut().for_each(|pending| pending.update(piece));
    }

    fn check(self, covers: Covers, certificates: &[Certificate], judgement: Judgement) -> Check {
        let info = self.pending.as_ref().ok().map(Pending::info);
        let outcome = match self.pending {
            Ok(pending) => pending.finish(certificates, judgement).into(),
            Err(error) => error.into(),
        };
        Check { tag: self.tag, covers, subject: Subject::Signature(info), outcome }
    }
}
