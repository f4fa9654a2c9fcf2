//! The demonstration key: anyone can derive it, so it proves nothing, and says so.
//!
//! A demonstration distribution must be signed so that everything a signed release does can be seen,
//! yet no secret file may lie in a repository. So its key is derived from a phrase that its recipe
//! states:
//!
//! - the secret (seed) of an Ed25519 key (version 4, EdDSA) is the SHA-256 of the text
//!   `gander demonstration key 1`, a line feed, and the phrase in UTF-8;
//! - key and binding are made at the source date; the user id ends with [`MARKER`].
//!
//! The same phrase, date and user id give the same certificate bytes everywhere. gander accepts such a
//! key only where the recipe states the phrase; elsewhere [`is_demonstration`] tells it apart.

use sequoia_openpgp::packet::Key;
use sequoia_openpgp::packet::key::Key4;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::key::{Algorithm, KeyError, LocalSigner, SecretKey, Spec, Subkeys};
use super::packet::time;
use crate::base::SourceDate;
use crate::openpgp::Certificate;

/// What the user id of every demonstration key ends with.
pub const MARKER: &str = "demonstration key (public phrase, proves nothing)";

/// Demonstration keys in use, whatever their user ids say.
pub const FINGERPRINTS: &[&str] = &["C30DE807DBB862021B277DFCEB549FC1080E1057"];

const DOMAIN: &str = "gander demonstration key 1\n";

/// Derives a demonstration key. The user id is `WHOSE demonstration key (public phrase, proves nothing)`.
pub fn demonstration(phrase: &str, created: SourceDate, whose: &str) -> Result<LocalSigner, KeyError> {
    let seed =
        Zeroizing::new(<[u8; 32]>::from(Sha256::new().chain_update(DOMAIN).chain_update(phrase).finalize()));
    let key = Key4::import_secret_ed25519(&seed[..], time(created.seconds()))
        .map_err(|error| super::SignError::Library(error.to_string()))?;
    let spec = Spec {
        algorithm: Algorithm::Ed25519,
        user_id: &user_id(whose),
        created,
        expires: None,
        subkeys: Subkeys::default(),
    };
    SecretKey::assemble(&Key::from(key), &spec)?.signer()
}

/// The user id of a demonstration key.
pub fn user_id(whose: &str) -> String {
    let whose = whose.trim();
    if whose.ends_with(MARKER) { whose.into() } else { format!("{whose} {MARKER}") }
}

/// Whether a certificate is a demonstration key: by its fingerprint, or by what its user ids say.
pub fn is_demonstration(certificate: &Certificate) -> bool {
    let known = |fingerprint: &crate::openpgp::Fingerprint| FINGERPRINTS.contains(&fingerprint.as_str());
    certificate.key_fingerprints().iter().any(known)
        || certificate.user_ids().iter().any(|id| id.trim_end().ends_with(MARKER))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sign::Signer as _;

    #[test]
    fn is_the_same_everywhere() {
        let date = SourceDate::from_seconds(1_793_491_200).unwrap();
        let signer = demonstration("the goose is public", date, "Gosling Linux").unwrap();
        let certificate = signer.certificate();
        let packet = signer.sign_detached(b"data", date).unwrap();
        // Changing these makes every committed demonstration signature worthless.
        assert_eq!(
            [
                certificate.fingerprint().to_string(),
                crate::base::Digest::of(certificate.armored()).hex(),
                crate::base::Digest::of(packet).hex(),
            ],
            [
                "4F10AF26E7D07699146E3845C6FC970C288C2281",
                "b902d181c8d91598912b2cada399e702c3fc7c7778f349dc421564d0076eb5d1",
                "12e3f7cf3132566146c588b3e98b83e98f9277acb9d1b5625d65462a73ff1b2e",
            ]
        );
        assert!(is_demonstration(certificate));
        let other = demonstration("another", date, "Gosling Linux").unwrap();
        assert_ne!(other.certificate().fingerprint(), certificate.fingerprint());
    }
}
