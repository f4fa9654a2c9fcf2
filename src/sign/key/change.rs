//! What changes in a key's life: its expiry, and its end. Each change is one more signature in the certificate, and the
//! same key, change and time give the same bytes.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sequoia_openpgp::Packet;
use sequoia_openpgp::armor;
use sequoia_openpgp::packet::Signature;
use sequoia_openpgp::packet::signature::subpacket::SubpacketValue;
use sequoia_openpgp::policy::StandardPolicy;
use sequoia_openpgp::serialize::{Serialize as _, SerializeInto as _};
use sequoia_openpgp::types::{ReasonForRevocation, RevocationStatus};

use super::secret::lifetime;
use super::{KeyError, Private, SecretKey, library};
use crate::base::SourceDate;
use crate::openpgp::Certificate;
use crate::sign::packet::{self, Bound};

/// A key of a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// The primary key; with it, the whole certificate.
    Primary,
    /// A subkey, from 0.
    Subkey(usize),
}

/// Why a key is revoked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// No reason is given: no signature by it counts any more, as when it is compromised.
    Unspecified,
    /// Somebody else may have it: no signature by it counts any more, whenever it was made.
    Compromised,
    /// Another key took its place: what it signed before stays good.
    Superseded,
    /// It is no longer used: what it signed before stays good.
    Retired,
}

impl From<Reason> for ReasonForRevocation {
    fn from(reason: Reason) -> Self {
        match reason {
            Reason::Unspecified => Self::Unspecified,
            Reason::Compromised => Self::KeyCompromised,
            Reason::Superseded => Self::KeySuperseded,
            Reason::Retired => Self::KeyRetired,
        }
    }
}

impl SecretKey {
    /// Changes when a key expires, by new bindings of now or, where a binding of now is there already, of a second later.
    /// What the old binding says besides stays.
    pub fn extend(
        &mut self,
        which: Which,
        expires: Option<SourceDate>,
        now: SourceDate,
    ) -> Result<(), KeyError> {
        let pair = self.primary()?;
        let public = self.cert.primary_key().key().clone();
        let mut bindings = Vec::new();
        match which {
            Which::Primary => {
                let lifetime = lifetime(date(public.creation_time())?, expires)?;
                for user_id in self.cert.userids() {
                    // A user id that was revoked stays so.
                    let Some(old) = newest(user_id.self_signatures()) else { continue };
                    if user_id.self_revocations().next().is_none() {
                        let (created, terms) = renewed(old, lifetime, now)?;
                        let bound = Bound::UserId(user_id.userid());
                        bindings.push(packet::binding(&pair, &public, &bound, created, terms)?);
                    }
                }
            }
            Which::Subkey(number) => {
                let subkey = self.cert.keys().subkeys().nth(number);
                let none = || KeyError::Unusable(format!("it has no subkey {}", number.saturating_add(1)));
                let subkey = subkey.ok_or_else(none)?;
                let old = newest(subkey.self_signatures()).ok_or_else(none)?;
                let lifetime = lifetime(date(subkey.key().creation_time())?, expires)?;
                let (created, terms) = renewed(old, lifetime, now)?;
                bindings.push(packet::binding(&pair, &public, &Bound::Subkey(subkey.key()), created, terms)?);
            }
        }
        if bindings.is_empty() {
            return Err(KeyError::Unusable("it has no user id whose binding could be renewed".into()));
        }
        *self = self.with(bindings)?;
        Ok(())
    }

    /// Ends the whole key. `text` is for people to read, and may be empty.
    pub fn revoke(&mut self, reason: Reason, text: &str, now: SourceDate) -> Result<(), KeyError> {
        let revocation = self.revocation_packet(reason, text, now)?;
        *self = self.with([revocation])?;
        Ok(())
    }

    /// A revocation certificate in armor, to be kept for the day on which the key is lost: `gpg --import`
    /// takes it.
    pub fn revocation(&self, reason: Reason, text: &str, now: SourceDate) -> Result<Vec<u8>, KeyError> {
        let revocation = Packet::from(self.revocation_packet(reason, text, now)?);
        let comment = format!("Revocation of {}", self.certificate.fingerprint());
        let mut writer =
            armor::Writer::with_headers(Vec::new(), armor::Kind::PublicKey, [("Comment", comment.as_str())])
                .map_err(library)?;
        revocation.serialize(&mut writer).map_err(library)?;
        writer.finalize().map_err(library)
    }

    fn revocation_packet(&self, reason: Reason, text: &str, now: SourceDate) -> Result<Signature, KeyError> {
        let terms = vec![SubpacketValue::ReasonForRevocation { code: reason.into(), reason: text.into() }];
        let public = self.cert.primary_key().key();
        let created = now.seconds().max(self.certificate.created());
        Ok(packet::binding(&self.primary()?, public, &Bound::Revoked, created, terms)?)
    }

    /// The primary key, which alone changes a certificate.
    fn primary(&self) -> Result<Private, KeyError> {
        if let Some(pair) = &self.kept {
            return Ok(pair.clone());
        }
        let key = self.cert.primary_key().key().clone().parts_into_secret();
        let key = key.map_err(|_| KeyError::Unusable("the primary key's secret is not in it".into()))?;
        Private::new(key.role_into_unspecified()).map_err(|error| KeyError::Unusable(error.to_string()))
    }
}

/// What a binding says, with another expiry.
fn renewed(
    old: &Signature,
    lifetime: Option<Duration>,
    now: SourceDate,
) -> Result<(i64, Vec<SubpacketValue>), KeyError> {
    let kept = |value: &SubpacketValue| {
        use SubpacketValue as V;
        matches!(
            value,
            V::KeyFlags(_)
                | V::PreferredHashAlgorithms(_)
                | V::PreferredSymmetricAlgorithms(_)
                | V::PreferredCompressionAlgorithms(_)
                | V::KeyServerPreferences(_)
                | V::Features(_)
                | V::PrimaryUserID(_)
                | V::EmbeddedSignature(_)
        )
    };
    let values =
        old.hashed_area().iter().chain(old.unhashed_area().iter()).map(|subpacket| subpacket.value());
    let mut terms: Vec<SubpacketValue> = values.filter(|value| kept(value)).cloned().collect();
    if let Some(lifetime) = lifetime {
        terms.push(packet::expiry(lifetime)?);
    }
    let before = old.signature_creation_time().map(date).transpose()?;
    let earliest = before.map_or(i64::MIN, |before| before.seconds().saturating_add(1));
    Ok((now.seconds().max(earliest), terms))
}

fn newest<'a>(bindings: impl Iterator<Item = &'a Signature>) -> Option<&'a Signature> {
    bindings.max_by_key(|binding| binding.signature_creation_time())
}

fn date(time: SystemTime) -> Result<SourceDate, KeyError> {
    let seconds = time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    SourceDate::from_seconds(i64::try_from(seconds).unwrap_or(i64::MAX)).map_err(library)
}

/// Whether a key should be used at a time, or why not: RSA of less than 2048 bits, DSA, bindings by SHA-1, expired, revoked.
pub fn check(certificate: &Certificate, now: SourceDate) -> Result<(), KeyError> {
    let cert = certificate.cert();
    let fingerprint = certificate.fingerprint();
    let weak = |detail: String| KeyError::Weak { key: fingerprint.clone(), detail };
    for part in cert.keys() {
        let key = part.key();
        let bits = key.mpis().bits().unwrap_or(0);
        match u8::from(key.pk_algo()) {
            1..=3 if bits < 2048 => {
                return Err(weak(format!("RSA with {bits} bits is too short (2048 at least)")));
            }
            17 => return Err(weak("DSA is not used any more".into())),
            _ => {}
        }
    }
    let policy = StandardPolicy::at(packet::time(crate::openpgp::judge::POLICY_DATE));
    let valid = cert.with_policy(&policy, packet::time(now.seconds()));
    let valid = valid.map_err(|error| weak(error.root_cause().to_string()))?;
    if matches!(valid.revocation_status(), RevocationStatus::Revoked(_)) {
        return Err(weak("it is revoked".into()));
    }
    valid.alive().map_err(|error| weak(error.root_cause().to_string()))
}

/// A certificate as `rpm --import` and a folder of keys want it: the newest binding of each part alone, and neither
/// others' signatures nor revoked user ids.
pub fn minimal(certificate: &Certificate) -> Result<Certificate, KeyError> {
    let cert = certificate.cert();
    let mut packets = vec![Packet::from(cert.primary_key().key().clone())];
    packets.extend(cert.primary_key().self_revocations().cloned().map(Packet::from));
    packets.extend(newest(cert.primary_key().self_signatures()).cloned().map(Packet::from));
    for user_id in cert.userids().filter(|user_id| user_id.self_revocations().next().is_none()) {
        let Some(binding) = newest(user_id.self_signatures()) else { continue };
        packets.extend([Packet::from(user_id.userid().clone()), Packet::from(binding.clone())]);
    }
    for subkey in cert.keys().subkeys() {
        let Some(binding) = newest(subkey.self_signatures()) else { continue };
        packets.push(Packet::from(subkey.key().clone()));
        packets.extend(subkey.self_revocations().cloned().map(Packet::from));
        packets.push(Packet::from(binding.clone()));
    }
    let bytes = packets.into_iter().map(|packet| packet.to_vec()).collect::<Result<Vec<_>, _>>();
    Certificate::parse(&bytes.map_err(library)?.concat()).map_err(library)
}
