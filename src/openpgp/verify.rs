//! Verification of signatures: detached, over an RPM's main header, and in cleartext-signed messages. By which rules a
//! signature is accepted, [`super::judge`] says.

use std::io::{self, Read};

use sequoia_openpgp::crypto::hash::{Context, Hash as _};
use sequoia_openpgp::packet::Signature;
use sequoia_openpgp::types::SignatureType;

use super::certificate::{Certificate, Fingerprint};
use super::cleartext::{self, CleartextError};
use super::judge::Judgement;
use super::packet::{self, PacketError, SignatureInfo};

/// Why a signature is not accepted. Except for a failed read, retrying cannot help.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// The signature cannot be parsed.
    #[error(transparent)]
    Packet(#[from] PacketError),
    /// The signed data could not be read. A retry may help.
    #[error("the signed data cannot be read")]
    Io(#[source] io::Error),
    /// The text is no cleartext-signed message, or holds more than its signed part.
    #[error("the text is no cleartext-signed message: {0}")]
    NoCleartext(&'static str),
    /// The text is none that a cleartext-signed message can hold.
    #[error(transparent)]
    NoText(#[from] CleartextError),
    /// Made by a key that is not in the certificate(s).
    #[error("the signature was made by the key {issuer}, which is not among the trusted ones")]
    UnknownKey {
        /// Fingerprint or key id as the signature names it.
        issuer: String,
    },
    /// It does not fit the data: one of them was changed.
    #[error("the signature by {key} is bad: it does not fit the data")]
    Bad {
        /// The key that it names.
        key: Fingerprint,
    },
    /// The key had expired.
    #[error("the key {key} expired before the time at which the signature is judged")]
    Expired {
        /// The key.
        key: Fingerprint,
    },
    /// The key is revoked.
    #[error("the key {key} is revoked")]
    Revoked {
        /// The key.
        key: Fingerprint,
    },
    /// The signature itself says that it is not valid at that time.
    #[error("the signature by {key} is not valid at the time at which it is judged: {detail}")]
    NotAlive {
        /// The key.
        key: Fingerprint,
        /// sequoia's words.
        detail: String,
    },
    /// The key may not sign, or is not bound to the certificate, at that time.
    #[error("the key {key} could not sign at the time at which the signature is judged: {detail}")]
    NotBound {
        /// The key.
        key: Fingerprint,
        /// sequoia's words.
        detail: String,
    },
    /// It fits the data, but its algorithms are too weak to prove anything.
    #[error("the signature by {key} is too weak to be accepted: {detail}")]
    Weak {
        /// The key.
        key: Fingerprint,
        /// What is weak.
        detail: String,
    },
    /// It uses something that this program does not support.
    #[error("the signature cannot be verified here: {0}")]
    Unsupported(String),
}

/// An accepted signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// The certificate.
    pub certificate: Fingerprint,
    /// The key of it that signed.
    pub key: Fingerprint,
    /// When, in seconds since 1970.
    pub created: i64,
    /// The packet's version: 3, 4 or 6.
    pub version: u8,
}

/// A signature over a binary document that is read piece by piece, so that one pass over the data serves any
/// number of signatures and digests.
pub struct Pending {
    signature: Signature,
    context: Result<Context, VerifyError>,
}

impl Pending {
    /// Starts with exactly one signature packet, in binary.
    pub fn new(packet: &[u8]) -> Result<Self, PacketError> {
        packet::parse_single(packet).map(Self::of)
    }

    fn of(signature: Signature) -> Self {
        let context = match signature.typ() {
            SignatureType::Binary => context(&signature),
            other => Err(VerifyError::Unsupported(format!("its type is {other}"))),
        };
        Self { signature, context }
    }

    /// What the packet says of itself.
    pub fn info(&self) -> SignatureInfo {
        SignatureInfo::of(&self.signature)
    }

    /// Adds a piece of the data.
    pub fn update(&mut self, piece: &[u8]) {
        if let Ok(context) = &mut self.context {
            context.update(piece);
        }
    }

    /// Whether data and packet can belong together: a packet holds the first two bytes of the digest that it signs.
    /// Nothing is proven by that, but a packet of other data is told apart without a key.
    pub fn fits(self) -> Result<bool, VerifyError> {
        let mut context = self.context?;
        let unsupported = |error: sequoia_openpgp::anyhow::Error| VerifyError::Unsupported(error.to_string());
        self.signature.hash(&mut context).map_err(unsupported)?;
        let digest = context.into_digest().map_err(unsupported)?;
        Ok(digest.starts_with(self.signature.digest_prefix()))
    }

    /// Judges the signature when all data were added.
    pub fn finish(
        self,
        certificates: &(impl AsRef<[Certificate]> + ?Sized),
        judgement: Judgement,
    ) -> Result<Verified, VerifyError> {
        judgement.of(certificates.as_ref(), &self.signature, self.context?)
    }
}

impl std::fmt::Debug for Pending {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Pending({:?})", self.info())
    }
}

/// Verifies a detached signature (armored or not) over data by one certificate or several. With several
/// signature packets one good one suffices. The time of judgement is `at`, else each signature's own creation time.
pub fn verify_detached(
    certificates: &(impl AsRef<[Certificate]> + ?Sized),
    signature: &[u8],
    mut data: impl Read,
    at: Option<i64>,
) -> Result<Verified, VerifyError> {
    let mut pending: Vec<Pending> = packet::parse(signature)?.into_iter().map(Pending::of).collect();
    let mut buffer = vec![0; 1 << 16];
    loop {
        match data.read(&mut buffer) {
            Ok(0) => break,
            Ok(length) => {
                let piece = buffer.get(..length).unwrap_or_default();
                pending.iter_mut().for_each(|signature| signature.update(piece));
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(VerifyError::Io(error)),
        }
    }
    best(pending.into_iter().map(|signature| signature.finish(certificates, Judgement::at(at))))
}

/// Verifies one signature packet over a document that was hashed already, by the hash that the packet names and as for a
/// signature of its version; judged at the signature's creation time.
pub(crate) fn verify_hashed(
    certificate: &Certificate,
    packet: &[u8],
    document: Context,
) -> Result<Verified, VerifyError> {
    let signature = packet::parse_single(packet)?;
    Judgement::at(None).of(std::slice::from_ref(certificate), &signature, document)
}

/// Verifies an RPM header signature (one packet, as it stands in the signature header) over the exact
/// bytes of the main header.
pub fn verify_header(
    certificates: &(impl AsRef<[Certificate]> + ?Sized),
    packet: &[u8],
    header: &[u8],
    at: Option<i64>,
) -> Result<Verified, VerifyError> {
    verify_detached(certificates, packet, header, at)
}

/// Verifies a cleartext-signed message (such as Debian's InRelease) and returns the text that is
/// signed: lines without trailing white space, each ended by a line feed. One good signature by one
/// of the certificates suffices, judged at its own creation time.
pub fn verify_cleartext(certificates: &[Certificate], message: &[u8]) -> Result<Vec<u8>, VerifyError> {
    verify_cleartext_at(certificates, message, None).map(|(text, _)| text)
}

/// Like [`verify_cleartext`], judged at a given time; also says who signed.
pub fn verify_cleartext_at(
    certificates: &[Certificate],
    message: &[u8],
    at: Option<i64>,
) -> Result<(Vec<u8>, Verified), VerifyError> {
    let (lines, signature) = cleartext::split(message)?;
    let verified = verify_pieces(certificates, signature, at, |context| {
        for (place, line) in lines.iter().enumerate() {
            context.update(if place > 0 { b"\r\n" } else { b"" });
            context.update(line);
        }
        Ok(())
    })?;
    let text = lines.iter().flat_map(|line| line.iter().chain(b"\n")).copied().collect();
    Ok((text, verified))
}

/// Verifies the signature (armored or not) of a cleartext-signed message over its text, as it was before
/// the message was made.
pub fn verify_text(
    certificates: &(impl AsRef<[Certificate]> + ?Sized),
    signature: &[u8],
    text: &[u8],
    at: Option<i64>,
) -> Result<Verified, VerifyError> {
    verify_pieces(certificates.as_ref(), signature, at, |context| {
        Ok(cleartext::canonical(text, |piece| context.update(piece))?)
    })
}

fn verify_pieces(
    certificates: &[Certificate],
    signature: &[u8],
    at: Option<i64>,
    hash: impl Fn(&mut Context) -> Result<(), VerifyError>,
) -> Result<Verified, VerifyError> {
    let signatures = packet::parse(signature)?;
    best(signatures.iter().map(|signature| {
        if !matches!(signature.typ(), SignatureType::Binary | SignatureType::Text) {
            return Err(VerifyError::Unsupported(format!("its type is {}", signature.typ())));
        }
        let mut context = context(signature)?;
        hash(&mut context)?;
        Judgement::at(at).of(certificates, signature, context)
    }))
}

fn context(signature: &Signature) -> Result<Context, VerifyError> {
    let unsupported = |error: &dyn std::fmt::Display| VerifyError::Unsupported(error.to_string());
    let builder = signature.hash_algo().context().map_err(|error| unsupported(&error))?;
    let mut context = builder.for_signature(signature.version());
    // RFC 9580, section 5.2.4: a version 6 signature hashes its salt first.
    if let Signature::V6(signature) = signature {
        context.update(signature.salt());
    }
    Ok(context)
}

/// The first accepted signature, else the complaint that says most.
fn best(results: impl Iterator<Item = Result<Verified, VerifyError>>) -> Result<Verified, VerifyError> {
    let mut worst: Option<VerifyError> = None;
    for result in results {
        match result {
            Ok(verified) => return Ok(verified),
            // That a key is unknown says less than what is wrong with a known one's signature.
            Err(error) => match &worst {
                Some(known) if !matches!(known, VerifyError::UnknownKey { .. }) => {}
                _ => worst = Some(error),
            },
        }
    }
    Err(worst.unwrap_or(VerifyError::Packet(PacketError::NoSignature)))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use sequoia_openpgp::cert::CertBuilder;
    use sequoia_openpgp::crypto::KeyPair;
    use sequoia_openpgp::serialize::stream;

    use super::super::judge::policy;
    use super::*;

    const MADE: i64 = 1_700_000_000;

    fn key(lifetime: Option<u64>) -> (Certificate, KeyPair) {
        let (cert, _) = CertBuilder::new()
            .add_userid("tester")
            .add_signing_subkey()
            .set_creation_time(packet::time(MADE))
            .set_validity_period(lifetime.map(std::time::Duration::from_secs))
            .generate()
            .unwrap();
        let policy = policy();
        let key = cert.keys().with_policy(&policy, packet::time(MADE)).secret().for_signing().next().unwrap();
        let pair = key.key().clone().into_keypair().unwrap();
        (Certificate::from_cert(&cert), pair)
    }

    /// A cleartext-signed text, at an age of the key.
    fn cleartext(signers: &[&KeyPair], text: &str, age: i64) -> Vec<u8> {
        let mut bytes = Vec::new();
        let message = stream::Message::new(&mut bytes);
        let (first, others) = signers.split_first().unwrap();
        let first = stream::Signer::new(message, (*first).clone()).unwrap();
        let signer = others.iter().fold(first, |signer, pair| signer.add_signer((*pair).clone()).unwrap());
        let mut signer = signer.cleartext().creation_time(packet::time(MADE + age)).build().unwrap();
        signer.write_all(text.as_bytes()).unwrap();
        signer.finalize().unwrap();
        bytes
    }

    #[test]
    fn cleartext_gives_what_is_signed_and_nothing_else() {
        let (certificate, pair) = key(None);
        let (_, stranger) = key(None);
        let text = "Origin: Test\n- dash\n\ntrailing \t\nlast";
        let message = cleartext(&[&stranger, &pair], text, 10);
        let certificates = [certificate];
        let read = String::from_utf8(verify_cleartext(&certificates, &message).unwrap()).unwrap();
        assert_eq!(read, "Origin: Test\n- dash\n\ntrailing\nlast\n");
        let crlf = String::from_utf8(message.clone()).unwrap().replace('\n', "\r\n");
        assert_eq!(verify_cleartext(&certificates, crlf.as_bytes()).unwrap(), read.as_bytes());

        let whole = String::from_utf8(message).unwrap();
        for (what, other) in [
            ("changed text", whole.replace("Origin: Test", "Origin: Tost")),
            ("text in front", format!("Origin: Evil\n{whole}")),
            ("text behind", format!("{whole}Origin: Evil\n")),
            ("another message behind", format!("{whole}{whole}")),
            ("a header that looks like text", whole.replacen('\n', "\nOrigin: Evil\n", 1)),
            ("no signature", whole.split("-----BEGIN PGP SIGNATURE").next().unwrap().into()),
            ("cut signature", whole.split("-----END PGP SIGNATURE").next().unwrap().into()),
            ("nothing", String::new()),
        ] {
            assert!(verify_cleartext(&certificates, other.as_bytes()).is_err(), "{what}");
        }
        let alone = cleartext(&[&stranger], text, 10);
        let error = verify_cleartext(&certificates, &alone).unwrap_err();
        assert!(matches!(error, VerifyError::UnknownKey { .. }), "{error}");
    }

    #[test]
    fn judged_at_its_own_time_unless_told_otherwise() {
        let (certificate, pair) = key(Some(1000));
        let certificates = [certificate];
        let good = cleartext(&[&pair], "x", 10);
        verify_cleartext(&certificates, &good).unwrap();
        let (_, verified) = verify_cleartext_at(&certificates, &good, Some(MADE + 20)).unwrap();
        assert_eq!((verified.created, &verified.certificate), (MADE + 10, &certificates[0].fingerprint()));
        assert_ne!(verified.key, verified.certificate, "a subkey signed");
        let late = verify_cleartext_at(&certificates, &good, Some(MADE + 2000)).unwrap_err();
        assert!(matches!(late, VerifyError::Expired { .. }), "{late}");
        let early = verify_cleartext_at(&certificates, &good, Some(MADE + 5)).unwrap_err();
        assert!(matches!(early, VerifyError::NotAlive { .. }), "{early}");
        let after = cleartext(&[&pair], "x", 2000);
        let error = verify_cleartext(&certificates, &after).unwrap_err();
        assert!(matches!(error, VerifyError::Expired { .. }), "{error}");
    }

    #[test]
    fn garbage_is_an_error() {
        let (certificate, _) = key(None);
        for bytes in
            [&b""[..], b"\x88", b"\xc2\xff\xff\xff\xff\xff", b"-----BEGIN PGP SIGNATURE-----\n", &[0xff; 64]]
        {
            let error = verify_detached(&certificate, bytes, &b"data"[..], None).unwrap_err();
            assert!(matches!(error, VerifyError::Packet(_)), "{bytes:?}: {error}");
            assert!(Certificate::parse_all(bytes).is_err(), "{bytes:?}");
        }
    }
}
