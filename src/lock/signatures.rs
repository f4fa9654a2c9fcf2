//! `signatures` and `signed`.
//!
//! ```text
//! gander-signatures 1
//! KIND  DIGEST  FINGERPRINT  PACKET
//! ```
//!
//! `KIND` is `rpm-header` (`DIGEST` is the sha256 of the main header), `detached` (of the file) or `clearsign` (of
//! the file before it was signed); `PACKET` is the OpenPGP signature packet in base64. Records are only ever added.
//!
//! ```text
//! gander-signed 1
//! NEVRA  SHA256  SIZE
//! ```

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use super::{LockError, field, records};
use crate::base::{Digest, Nevra};

const FILE: &str = "signatures";
const FIRST: &str = "gander-signatures 1";
const SIGNED_FILE: &str = "signed";
const SIGNED_FIRST: &str = "gander-signed 1";

/// What a signature covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SignatureKind {
    /// The main header of an RPM file.
    RpmHeader,
    /// A whole file; the signature stands beside it.
    Detached,
    /// A text that people can read; the signature stands around it.
    Clearsign,
}

impl fmt::Display for SignatureKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::RpmHeader => "rpm-header",
            Self::Detached => "detached",
            Self::Clearsign => "clearsign",
        })
    }
}

impl FromStr for SignatureKind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "rpm-header" => Ok(Self::RpmHeader),
            "detached" => Ok(Self::Detached),
            "clearsign" => Ok(Self::Clearsign),
            _ => Err(format!("'{text}' is no kind of signature that this gander knows")),
        }
    }
}

/// The lock's table of signatures.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Signatures(BTreeMap<(SignatureKind, Digest, String), Vec<u8>>);

impl Signatures {
    /// The packet by which this key signed exactly these bytes.
    pub fn get(&self, kind: SignatureKind, digest: &Digest, fingerprint: &str) -> Option<&[u8]> {
        self.0.get(&(kind, *digest, fingerprint.to_owned())).map(Vec::as_slice)
    }

    /// Adds a signature. One that is there already stays.
    pub fn add(&mut self, kind: SignatureKind, digest: Digest, fingerprint: &str, packet: Vec<u8>) {
        self.0.entry((kind, digest, fingerprint.to_owned())).or_insert(packet);
    }

    /// Takes over all signatures of another table.
    pub fn merge(&mut self, other: &Self) {
        for (key, packet) in &other.0 {
            self.0.entry(key.clone()).or_insert_with(|| packet.clone());
        }
    }

    /// Those of a kind by these keys.
    #[must_use]
    pub fn only(&self, kind: SignatureKind, fingerprints: &[&str]) -> Self {
        let mut only = Self::default();
        for ((of, digest, by), packet) in &self.0 {
            if *of == kind && fingerprints.contains(&by.as_str()) {
                only.add(kind, *digest, by, packet.clone());
            }
        }
        only
    }

    /// Every packet with the fingerprint of its key.
    pub fn packets(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.0.iter().map(|((_, _, fingerprint), packet)| (fingerprint.as_str(), packet.as_slice()))
    }

    /// How many of each kind and by each key there are that another table has not.
    pub fn more_than(&self, other: &Self) -> BTreeMap<(SignatureKind, &str), usize> {
        let mut counts = BTreeMap::new();
        for (kind, _, by) in self.0.keys().filter(|key| !other.0.contains_key(*key)) {
            *counts.entry((*kind, by.as_str())).or_insert(0) += 1;
        }
        counts
    }

    /// Number of signatures.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Parses the file.
    pub fn parse(text: &str) -> Result<Self, LockError> {
        let mut table = BTreeMap::new();
        for (line, fields) in records(FILE, FIRST, text)? {
            let problem = |problem: &str| LockError::Line { file: FILE, line, problem: problem.into() };
            let [kind, digest, fingerprint, packet] = fields.as_slice() else {
                return Err(problem("expected 4 fields"));
            };
            if !fingerprint.bytes().all(|byte| byte.is_ascii_digit() || (b'A'..=b'F').contains(&byte)) {
                return Err(problem("the fingerprint is not upper-case hexadecimal"));
            }
            let digest = Digest::from_hex(digest).map_err(|error| problem(&error.to_string()))?;
            let packet = base64_decode(packet).ok_or_else(|| problem("the packet is not base64"))?;
            table.insert((field(FILE, line, kind)?, digest, (*fingerprint).to_owned()), packet);
        }
        Ok(Self(table))
    }
}

impl fmt::Display for Signatures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{FIRST}")?;
        for ((kind, digest, fingerprint), packet) in &self.0 {
            writeln!(f, "{kind}\t{}\t{fingerprint}\t{}", digest.hex(), base64_encode(packet))?;
        }
        Ok(())
    }
}

/// sha256 and size of each package as shipped.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Signed(pub BTreeMap<Nevra, (Digest, u64)>);

impl Signed {
    /// Parses the file.
    pub fn parse(text: &str) -> Result<Self, LockError> {
        let mut table = BTreeMap::new();
        for (line, fields) in records(SIGNED_FILE, SIGNED_FIRST, text)? {
            let problem = |problem: String| LockError::Line { file: SIGNED_FILE, line, problem };
            let [nevra, digest, size] = fields.as_slice() else {
                return Err(problem("expected 3 fields".into()));
            };
            let digest = Digest::from_hex(digest).map_err(|error| problem(error.to_string()))?;
            table.insert(field(SIGNED_FILE, line, nevra)?, (digest, field(SIGNED_FILE, line, size)?));
        }
        Ok(Self(table))
    }
}

impl fmt::Display for Signed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{SIGNED_FIRST}")?;
        for (nevra, (digest, size)) in &self.0 {
            writeln!(f, "{nevra}\t{}\t{size}", digest.hex())?;
        }
        Ok(())
    }
}

fn base64_encode(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

fn base64_decode(text: &str) -> Option<Vec<u8>> {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.decode(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_forms_round_trip() {
        let mut signatures = Signatures::default();
        signatures.add(SignatureKind::RpmHeader, Digest::of("a"), "AB12", b"packet".to_vec());
        signatures.add(SignatureKind::Detached, Digest::of("a"), "AB12", b"other".to_vec());
        signatures.add(SignatureKind::Clearsign, Digest::of("a"), "AB12", b"third".to_vec());
        assert_eq!(Signatures::parse(&signatures.to_string()).unwrap(), signatures);
        let signed = Signed(BTreeMap::from([("a-0:1-1.src".parse().unwrap(), (Digest::of("x"), 9))]));
        assert_eq!(Signed::parse(&signed.to_string()).unwrap(), signed);
    }

    #[test]
    fn what_was_signed_once_is_not_replaced() {
        let mut signatures = Signatures::default();
        for packet in ["first", "second"] {
            signatures.add(SignatureKind::Detached, Digest::of("a"), "AB", packet.into());
        }
        let found = signatures.get(SignatureKind::Detached, &Digest::of("a"), "AB");
        assert_eq!(found, Some(&b"first"[..]));
    }

    #[test]
    fn malformed_records_are_refused() {
        let digest = Digest::of("").hex();
        for bad in [
            format!("rpm-header\t{digest}\tAB\t!!\n"),
            format!("clear\t{digest}\tAB\tAA==\n"),
            format!("detached\t{digest}\tab\tAA==\n"),
            "detached\t00\tAB\tAA==\n".to_owned(),
        ] {
            assert!(Signatures::parse(&format!("{FIRST}\n{bad}")).is_err(), "{bad}");
        }
    }
}
