//! Version 4 signature packets (RFC 9580, section 5.2.3) put together by hand.
//!
//! sequoia's own builder adds 32 random bytes to every signature, so nothing it signs comes out the
//! same twice. Here a packet has, in this order: *hashed* the signature creation time (2, critical for
//! data as RFC 9580 advises), the issuer fingerprint (33) and, in a binding, key flags (27),
//! preferred hash functions (21) and key expiration time (9); *unhashed* the issuer's key id (16).
//! Koji wants exactly one of 16, so there is exactly one. In a binding nothing is critical: rpm 4.18
//! refuses to import keys with critical subpackets that it does not know.
//!
//! The hash is SHA-256 for every kind of key. rpm since 4.6 and gpg know it, and a stronger one would
//! add nothing: what is signed is a header that itself names its payload by SHA-256.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sequoia_openpgp::Packet;
use sequoia_openpgp::crypto::hash::{Context, Hash as _};
use sequoia_openpgp::crypto::mpi;
use sequoia_openpgp::packet::key::{PrimaryRole, PublicParts};
use sequoia_openpgp::packet::signature::Signature4;
use sequoia_openpgp::packet::signature::subpacket::{Subpacket, SubpacketArea, SubpacketValue};
use sequoia_openpgp::packet::{Key, Signature, UserID};
use sequoia_openpgp::serialize::SerializeInto as _;
use sequoia_openpgp::types::{HashAlgorithm, KeyFlags, SignatureType, Timestamp};

use super::SignError;
use super::engine::Engine;

const HASH: HashAlgorithm = HashAlgorithm::SHA256;

fn failed(error: impl std::fmt::Display) -> SignError {
    SignError::Library(error.to_string())
}

pub(super) fn time(seconds: i64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(u64::try_from(seconds).unwrap_or(0))
}

/// Signs what `cover` hashes: it gets the context and the signature's own fields, and has to hash both.
fn sign(
    pair: &Engine,
    kind: SignatureType,
    hashed: Vec<Subpacket>,
    cover: impl FnOnce(&mut Context, &Signature4) -> Result<(), SignError>,
) -> Result<Signature4, SignError> {
    let algorithm = pair.public().pk_algo();
    let issuer = Subpacket::new(SubpacketValue::Issuer(pair.public().keyid()), false).map_err(failed)?;
    let hashed = SubpacketArea::new(hashed).map_err(failed)?;
    let unhashed = SubpacketArea::new(vec![issuer]).map_err(failed)?;
    let build =
        |prefix, mpis| Signature4::new(kind, algorithm, HASH, hashed.clone(), unhashed.clone(), prefix, mpis);
    let blank = build([0; 2], mpi::Signature::Unknown { mpis: Box::new([]), rest: Box::new([]) });
    let mut context = HASH.context().map_err(failed)?.for_signature(4);
    cover(&mut context, &blank)?;
    let digest = context.into_digest().map_err(failed)?;
    let mpis = pair.sign(HASH, &digest)?;
    let prefix = match digest.as_slice() {
        [first, second, ..] => [*first, *second],
        _ => [0; 2],
    };
    Ok(build(prefix, mpis))
}

/// A signature over a document, as a packet. That over text gets it with CR LF between its lines.
pub(super) fn document(
    pair: &Engine,
    kind: SignatureType,
    data: &[u8],
    created: i64,
) -> Result<Vec<u8>, SignError> {
    let hashed = common(pair, created, true)?;
    let signature = sign(pair, kind, hashed, |context, fields| {
        context.update(data);
        fields.hash(context).map_err(failed)
    })?;
    Packet::from(Signature::from(signature)).to_vec().map_err(failed)
}

/// A signature over a document that was hashed already, as a packet.
pub(super) fn hashed(
    pair: &Engine,
    kind: SignatureType,
    document: &Context,
    created: i64,
) -> Result<Vec<u8>, SignError> {
    let signature = sign(pair, kind, common(pair, created, true)?, |context, fields| {
        *context = document.clone();
        fields.hash(context).map_err(failed)
    })?;
    Packet::from(Signature::from(signature)).to_vec().map_err(failed)
}

/// A primary key's signature over its own user id.
pub(super) fn binding(
    pair: &Engine,
    key: &Key<PublicParts, PrimaryRole>,
    user_id: &UserID,
    created: i64,
    lifetime: Option<Duration>,
) -> Result<Signature, SignError> {
    let mut hashed = common(pair, created, false)?;
    let mut add = |value| {
        hashed.push(Subpacket::new(value, false).map_err(failed)?);
        Ok::<_, SignError>(())
    };
    add(SubpacketValue::KeyFlags(KeyFlags::empty().set_certification().set_signing()))?;
    add(SubpacketValue::PreferredHashAlgorithms(vec![HASH, HashAlgorithm::SHA512]))?;
    if let Some(lifetime) = lifetime {
        add(SubpacketValue::KeyExpirationTime(lifetime.try_into().map_err(failed)?))?;
    }
    let signature = sign(pair, SignatureType::PositiveCertification, hashed, |context, fields| {
        key.hash(context).map_err(failed)?;
        user_id.hash(context).map_err(failed)?;
        fields.hash(context).map_err(failed)
    })?;
    Ok(signature.into())
}

fn common(pair: &Engine, created: i64, critical: bool) -> Result<Vec<Subpacket>, SignError> {
    let created = Timestamp::try_from(time(created)).map_err(failed)?;
    let created = Subpacket::new(SubpacketValue::SignatureCreationTime(created), critical);
    let issuer = Subpacket::new(SubpacketValue::IssuerFingerprint(pair.public().fingerprint()), false);
    Ok(vec![created.map_err(failed)?, issuer.map_err(failed)?])
}
