//! When a signature is accepted.
//!
//! - It is a signature over a binary document (type 0), in cleartext messages also over text (type 1).
//!   Version 3 packets count like others, since Fedora's, EL's and SUSE's header signatures are of that
//!   version; [`Verified::version`] tells. SHA-1 and MD5 are understood, and refused as weak.
//! - A key of one of the certificates made it: one that may sign, is bound, not revoked and not expired at the
//!   time of judgement, which is the time given or else the signature's own creation time. A hard
//!   revocation (key compromised, or no reason given) counts for all times.
//!   A certificate whose bindings were all renewed later (vendors drop the old ones) is judged from its
//!   oldest binding on, but never before the key was made.
//! - Key ids can be made to collide: every key that the signature may mean is tried.
//! - Hash and key are strong enough by sequoia's standard policy as of [`POLICY_DATE`], or as of another day.

use std::time::SystemTime;

use sequoia_openpgp::KeyHandle;
use sequoia_openpgp::cert::amalgamation::key::{ErasedKeyAmalgamation, PrimaryKey as _};
use sequoia_openpgp::cert::amalgamation::{ValidAmalgamation as _, ValidateAmalgamation as _};
use sequoia_openpgp::crypto::hash::Context;
use sequoia_openpgp::packet::Signature;
use sequoia_openpgp::packet::key::PublicParts;
use sequoia_openpgp::policy::{HashAlgoSecurity, Policy as _, StandardPolicy};
use sequoia_openpgp::types::{HashAlgorithm, RevocationStatus};

use super::certificate::{Certificate, Fingerprint, algorithm, seconds};
use super::packet::{self, SignatureInfo};
use super::verify::{Verified, VerifyError};

/// The day whose judgement of algorithms counts (2026-01-01), in seconds since 1970. Raising it can
/// turn old signatures weak, so it is a release note when it changes.
pub const POLICY_DATE: i64 = 1_767_225_600;

/// The policy as of [`POLICY_DATE`].
pub(super) fn policy() -> StandardPolicy<'static> {
    Judgement::at(None).policy()
}

/// At which time signatures and their keys are judged, and by which day's standards their algorithms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Judgement {
    time: Option<i64>,
    standards: i64,
}

impl Default for Judgement {
    fn default() -> Self {
        Self::at(None)
    }
}

impl Judgement {
    /// At this time, or with none at each signature's own creation time; algorithms as of [`POLICY_DATE`].
    pub fn at(time: Option<i64>) -> Self {
        Self { time, standards: POLICY_DATE }
    }

    /// As on this day, algorithms included: an old day takes what was held strong then, SHA-1 for one.
    pub fn as_of(time: i64) -> Self {
        Self { time: Some(time), standards: time }
    }

    /// SHA-1 is accepted in a certificate's own bindings only, where a forger would need a second preimage:
    /// the keys of EL 7 and 8 and of SUSE have no others.
    fn policy(self) -> StandardPolicy<'static> {
        let mut policy = StandardPolicy::at(packet::time(self.standards));
        policy.accept_hash_property(HashAlgorithm::SHA1, HashAlgoSecurity::SecondPreImageResistance);
        policy
    }

    /// Judges one signature, whose data is already hashed.
    pub(super) fn of(
        self,
        certificates: &[Certificate],
        signature: &Signature,
        context: Context,
    ) -> Result<Verified, VerifyError> {
        let unsupported = |error: sequoia_openpgp::anyhow::Error| VerifyError::Unsupported(error.to_string());
        let mut context = context;
        sequoia_openpgp::crypto::hash::Hash::hash(signature, &mut context).map_err(unsupported)?;
        let digest = context.into_digest().map_err(unsupported)?;
        let issuers = signature.get_issuers();
        let names = |handle: &KeyHandle| issuers.iter().any(|issuer| issuer.aliases(handle));
        let mut worst: Option<VerifyError> = None;
        for certificate in certificates {
            for key in certificate.cert().keys().filter(|key| names(&key.key().key_handle())) {
                match self.of_key(certificate, &key, signature, &digest) {
                    Ok(verified) => return Ok(verified),
                    // A key that only has the same id says less than the one that made the signature.
                    Err(error) if matches!(worst, None | Some(VerifyError::Bad { .. })) => {
                        worst = Some(error);
                    }
                    Err(_) => {}
                }
            }
        }
        Err(worst.unwrap_or_else(|| {
            let info = SignatureInfo::of(signature);
            VerifyError::UnknownKey { issuer: info.issuer_name().unwrap_or_else(|| "(unnamed)".into()) }
        }))
    }

    /// Judges a signature by one key that it may be of.
    fn of_key(
        self,
        certificate: &Certificate,
        key: &ErasedKeyAmalgamation<PublicParts>,
        signature: &Signature,
        digest: &[u8],
    ) -> Result<Verified, VerifyError> {
        let name = Fingerprint::of(&key.key().fingerprint());
        // Not every OpenSSL has ML-DSA, and a missing function looks like a signature that does not fit.
        if !key.key().pk_algo().is_supported() {
            let name = SignatureInfo::of(signature).algorithm_name();
            return Err(VerifyError::Unsupported(format!("OpenSSL here has no {name}")));
        }
        if let Err(error) = signature.verify_digest(key.key(), digest) {
            use sequoia_openpgp::Error as E;
            return Err(match error.downcast_ref() {
                Some(E::UnsupportedPublicKeyAlgorithm(_) | E::UnsupportedEllipticCurve(_)) => {
                    VerifyError::Unsupported(error.to_string())
                }
                _ => VerifyError::Bad { key: name },
            });
        }
        let policy = self.policy();
        let hash = policy.signature(signature, HashAlgoSecurity::CollisionResistance).is_err();
        let hash = hash.then(|| format!("hash function {}", SignatureInfo::of(signature).hash_name()));
        let size = self.is_weak(key).then(|| format!("key {}", algorithm(key.key())));
        let weak: Vec<String> = hash.into_iter().chain(size).collect();
        if !weak.is_empty() {
            return Err(VerifyError::Weak { key: name, detail: weak.join(", ") });
        }
        let late = |detail: String| VerifyError::NotAlive { key: name.clone(), detail };
        let created =
            signature.signature_creation_time().ok_or_else(|| late("it has no creation time".into()))?;
        let when = self.time.map_or(created, packet::time);
        if created < key.key().creation_time() {
            return Err(late("it is older than its key".into()));
        }
        signature
            .signature_alive(when, std::time::Duration::ZERO)
            .map_err(|error| late(error.to_string()))?;
        self.bound(certificate, key, &name, when)?;
        Ok(Verified {
            certificate: certificate.fingerprint(),
            key: name,
            created: seconds(created),
            version: signature.version(),
        })
    }

    /// Whether a key's algorithm is too weak for its size.
    fn is_weak(self, key: &ErasedKeyAmalgamation<PublicParts>) -> bool {
        use sequoia_openpgp::policy::AsymmetricAlgorithm as A;
        let algorithm = match (u8::from(key.key().pk_algo()), key.key().mpis().bits()) {
            (1..=3, Some(..2048)) => A::RSA1024,
            (17, Some(..2048)) => A::DSA1024,
            (17, Some(..3072)) => A::DSA2048,
            (17, _) => A::DSA3072,
            _ => return false,
        };
        let until = self.policy().asymmetric_algo_cutoff(algorithm);
        until.is_some_and(|until| until <= packet::time(self.standards))
    }

    /// Whether the key may sign for its certificate at that time.
    fn bound(
        self,
        certificate: &Certificate,
        key: &ErasedKeyAmalgamation<PublicParts>,
        name: &Fingerprint,
        when: SystemTime,
    ) -> Result<(), VerifyError> {
        let policy = self.policy();
        let unbound = |detail: String| VerifyError::NotBound { key: name.clone(), detail };
        let cert = certificate.cert();
        let ids = cert.userids().flat_map(|id| id.self_signatures());
        let primary = oldest(ids.chain(cert.primary_key().self_signatures()));
        let own = if key.primary() { None } else { oldest(key.self_signatures()) };
        let when = [primary, own].into_iter().flatten().fold(when, std::cmp::max);
        let valid = cert.with_policy(&policy, when).map_err(|error| refusal(name, error.chain()))?;
        if matches!(valid.revocation_status(), RevocationStatus::Revoked(_)) {
            return Err(VerifyError::Revoked { key: certificate.fingerprint() });
        }
        let bound = key.clone().with_policy(&policy, when).map_err(|error| refusal(name, error.chain()))?;
        if matches!(bound.revocation_status(), RevocationStatus::Revoked(_)) {
            return Err(VerifyError::Revoked { key: name.clone() });
        }
        if let Err(error) = valid.alive().and_then(|()| bound.alive()) {
            return Err(match error.downcast_ref() {
                Some(sequoia_openpgp::Error::Expired(_)) => VerifyError::Expired { key: name.clone() },
                _ => unbound(error.to_string()),
            });
        }
        // A primary key without key flags (as of old) may sign: rpm and gpg hold it so.
        let unflagged = bound.primary() && bound.key_flags().is_none_or(|flags| flags.is_empty());
        if !(bound.for_signing() || unflagged) {
            return Err(unbound("it is not meant for signing".into()));
        }
        Ok(())
    }
}

/// Why a key does not count: because what binds it is weak, or for another reason.
fn refusal<'a>(
    key: &Fingerprint,
    chain: impl Iterator<Item = &'a (dyn std::error::Error + 'static)>,
) -> VerifyError {
    let (mut weak, mut detail, key) = (false, String::new(), key.clone());
    for error in chain {
        weak |= matches!(error.downcast_ref(), Some(sequoia_openpgp::Error::PolicyViolation(..)));
        detail = error.to_string();
    }
    if weak { VerifyError::Weak { key, detail } } else { VerifyError::NotBound { key, detail } }
}

/// When the oldest of some bindings was made.
fn oldest<'a>(bindings: impl Iterator<Item = &'a Signature>) -> Option<SystemTime> {
    bindings.filter_map(|binding| binding.signature_creation_time()).min()
}

#[cfg(test)]
mod tests {
    use sequoia_openpgp::Cert;
    use sequoia_openpgp::cert::{CertBuilder, CertRevocationBuilder};
    use sequoia_openpgp::packet::signature::SignatureBuilder;
    use sequoia_openpgp::packet::signature::subpacket::{Subpacket, SubpacketValue};
    use sequoia_openpgp::serialize::MarshalInto as _;
    use sequoia_openpgp::types::{KeyFlags, ReasonForRevocation, SignatureType};

    use super::super::{Keyring, Pending};
    use super::*;

    fn cert(name: &str) -> Cert {
        let made = packet::time(1_700_000_000);
        let flags = KeyFlags::empty().set_certification().set_signing();
        let builder = CertBuilder::new().add_userid(name).set_primary_key_flags(flags);
        builder.set_creation_time(made).generate().unwrap().0
    }

    fn sign(cert: &Cert, data: &[u8]) -> Signature {
        let mut pair = cert.primary_key().key().clone().parts_into_secret().unwrap().into_keypair().unwrap();
        let builder = SignatureBuilder::new(SignatureType::Binary);
        let builder = builder.set_signature_creation_time(packet::time(1_700_000_100)).unwrap();
        builder.sign_message(&mut pair, data).unwrap()
    }

    fn judged(keyring: &Keyring, signature: &Signature, data: &[u8]) -> Result<Verified, VerifyError> {
        let packet = sequoia_openpgp::Packet::from(signature.clone()).to_vec().unwrap();
        let mut pending = Pending::new(&packet).unwrap();
        data.chunks(3).for_each(|piece| pending.update(piece));
        pending.finish(keyring, Judgement::default())
    }

    #[test]
    fn every_key_that_may_be_meant_is_tried() {
        let (one, two) = (cert("one"), cert("two"));
        let mut signature = sign(&two, b"data");
        let decoy = Subpacket::new(SubpacketValue::Issuer(one.keyid()), false).unwrap();
        signature.unhashed_area_mut().add(decoy).unwrap();
        for order in [[&one, &two], [&two, &one]] {
            // Whichever comes first in the keyring.
            let keyring = order.map(Certificate::from_cert);
            let packet = sequoia_openpgp::Packet::from(signature.clone()).to_vec().unwrap();
            let mut pending = Pending::new(&packet).unwrap();
            pending.update(b"data");
            let verified = pending.finish(&keyring, Judgement::default()).unwrap();
            assert_eq!(verified.certificate, Certificate::from_cert(&two).fingerprint());
        }
        let alone: Keyring = [Certificate::from_cert(&one)].into_iter().collect();
        assert!(matches!(judged(&alone, &signature, b"data"), Err(VerifyError::Bad { .. })));
        let both: Keyring = [&one, &two].map(Certificate::from_cert).into_iter().collect();
        assert!(matches!(judged(&both, &signature, b"date"), Err(VerifyError::Bad { .. })));
    }

    #[test]
    fn an_older_copy_does_not_undo_a_revocation() {
        let plain = cert("one");
        let mut pair = plain.primary_key().key().clone().parts_into_secret().unwrap().into_keypair().unwrap();
        let revocation = CertRevocationBuilder::new()
            .set_signature_creation_time(packet::time(1_700_000_200))
            .unwrap()
            .set_reason_for_revocation(ReasonForRevocation::KeyCompromised, b"")
            .unwrap()
            .build(&mut pair, &plain, None)
            .unwrap();
        let revoked = plain.clone().insert_packets(revocation).unwrap().0;
        let signature = sign(&plain, b"data");
        let of = |copies: &[&Cert]| -> Keyring {
            copies.iter().map(|cert| Certificate::from_cert(cert)).collect()
        };
        assert!(judged(&of(&[&plain]), &signature, b"data").is_ok());
        for copies in [&[&revoked][..], &[&plain, &revoked], &[&revoked, &plain], &[&plain, &revoked, &plain]]
        {
            let keyring = of(copies);
            assert_eq!(keyring.certificates().len(), 1);
            let error = judged(&keyring, &signature, b"data").unwrap_err();
            assert!(matches!(error, VerifyError::Revoked { .. }), "{error}");
        }
    }

    #[test]
    fn a_packet_of_other_data_is_told_apart_without_its_key() {
        let packet = sequoia_openpgp::Packet::from(sign(&cert("one"), b"data")).to_vec().unwrap();
        for (data, fits) in [(&b"data"[..], true), (b"date", false), (b"", false)] {
            let mut pending = Pending::new(&packet).unwrap();
            pending.update(data);
            assert_eq!(pending.fits().unwrap(), fits);
        }
    }
}
