//! Version 4 signature packets (RFC 9580, section 5.2.3) put together by hand.
//!
//! sequoia's own builder adds 32 random bytes to every signature, so nothing it signs comes out the
//! same twice. Here a packet has, in this order: *hashed* the signature creation time (2, critical for
//! data as RFC 9580 advises), the issuer fingerprint (33) and, in a binding, key flags (27),
//! preferred hash functions (21), key expiration time (9) and a signing subkey's back signature (32); *unhashed* the issuer's key id (16).
//! Koji wants exactly one of 16, so there is exactly one. In a binding nothing is critical: rpm 4.18
//! refuses to import keys with critical subpackets that it does not know.
//!
//! The hash is SHA-256 for every kind of key. rpm since 4.6 and gpg know it, and a stronger one would
//! add nothing: what is signed is a header that itself names its payload by SHA-256.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sequoia_openpgp::Packet;
use sequoia_openpgp::crypto::hash::{Context, Hash as _};
use sequoia_openpgp::crypto::{Signer as _, mpi};
use sequoia_openpgp::packet::key::{PrimaryRole, PublicParts, SubordinateRole};
use sequoia_openpgp::packet::signature::Signature4;
use sequoia_openpgp::packet::signature::subpacket::{Subpacket, SubpacketArea, SubpacketValue};
use sequoia_openpgp::packet::{Key, Signature, UserID};
use sequoia_openpgp::serialize::SerializeInto as _;
use sequoia_openpgp::types::{
    Features, HashAlgorithm, KeyFlags, SignatureType, SymmetricAlgorithm, Timestamp,
};

use super::key::Private;
use super::{SignError, TokenError};

const HASH: HashAlgorithm = HashAlgorithm::SHA256;

fn failed(error: impl std::fmt::Display) -> SignError {
    SignError::Library(error.to_string())
}

pub(super) fn time(seconds: i64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(u64::try_from(seconds).unwrap_or(0))
}

/// Signs what `cover` hashes: it gets the context and the signature's own fields, and has to hash both.
fn sign(
    pair: &Private,
    kind: SignatureType,
    hashed: Vec<Subpacket>,
    cover: impl FnOnce(&mut Context, &Signature4) -> Result<(), SignError>,
) -> Result<Signature4, SignError> {
    let mut pair = pair.clone();
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
    let mpis = pair.sign(HASH, &digest).map_err(|error| match error.downcast::<TokenError>() {
        Ok(error) => SignError::Token(error),
        Err(error) => failed(error),
    })?;
    let prefix = match digest.as_slice() {
        [first, second, ..] => [*first, *second],
        _ => [0; 2],
    };
    Ok(build(prefix, mpis))
}

/// A signature over a document, as a packet. That over text gets it with CR LF between its lines.
pub(super) fn document(
    pair: &Private,
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
    pair: &Private,
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

/// What a binding states of its key; nothing of it is critical.
pub(super) fn terms(flags: KeyFlags, lifetime: Option<Duration>) -> Result<Vec<SubpacketValue>, SignError> {
    let mut terms = vec![SubpacketValue::KeyFlags(flags)];
    terms.extend(lifetime.map(expiry).transpose()?);
    Ok(terms)
}

/// After how long a key expires.
pub(super) fn expiry(lifetime: Duration) -> Result<SubpacketValue, SignError> {
    Ok(SubpacketValue::KeyExpirationTime(lifetime.try_into().map_err(failed)?))
}

/// The hash functions that the owner of a key would like to see.
pub(super) fn preferences() -> SubpacketValue {
    SubpacketValue::PreferredHashAlgorithms(vec![HASH, HashAlgorithm::SHA512])
}

/// How others are to encrypt: without it, gpg takes Triple DES.
pub(super) fn ciphers() -> [SubpacketValue; 2] {
    [
        SubpacketValue::PreferredSymmetricAlgorithms(vec![
            SymmetricAlgorithm::AES256,
            SymmetricAlgorithm::AES128,
        ]),
        SubpacketValue::Features(Features::empty().set_seipdv1()),
    ]
}

/// What binds a part to its certificate, or takes it back.
pub(super) enum Bound<'a> {
    /// The primary key's signature over its own user id.
    UserId(&'a UserID),
    /// The primary key's signature over a subkey.
    Subkey(&'a Key<PublicParts, SubordinateRole>),
    /// A signing subkey's own signature, which says that it belongs to the primary key.
    Back(&'a Key<PublicParts, SubordinateRole>),
    /// The end of the primary key.
    Revoked,
}

/// A signature in a certificate.
pub(super) fn binding(
    pair: &Private,
    key: &Key<PublicParts, PrimaryRole>,
    bound: &Bound<'_>,
    created: i64,
    terms: Vec<SubpacketValue>,
) -> Result<Signature, SignError> {
    let mut hashed = common(pair, created, false)?;
    for value in terms {
        hashed.push(Subpacket::new(value, false).map_err(failed)?);
    }
    let kind = match bound {
        Bound::UserId(_) => SignatureType::PositiveCertification,
        Bound::Subkey(_) => SignatureType::SubkeyBinding,
        Bound::Back(_) => SignatureType::PrimaryKeyBinding,
        Bound::Revoked => SignatureType::KeyRevocation,
    };
    let signature = sign(pair, kind, hashed, |context, fields| {
        key.hash(context).map_err(failed)?;
        match bound {
            Bound::UserId(user_id) => user_id.hash(context).map_err(failed)?,
            Bound::Subkey(subkey) | Bound::Back(subkey) => subkey.hash(context).map_err(failed)?,
            Bound::Revoked => {}
        }
        fields.hash(context).map_err(failed)
    })?;
    Ok(signature.into())
}

fn common(pair: &Private, created: i64, critical: bool) -> Result<Vec<Subpacket>, SignError> {
    let created = Timestamp::try_from(time(created)).map_err(failed)?;
    let created = Subpacket::new(SubpacketValue::SignatureCreationTime(created), critical);
    let issuer = Subpacket::new(SubpacketValue::IssuerFingerprint(pair.public().fingerprint()), false);
    Ok(vec![created.map_err(failed)?, issuer.map_err(failed)?])
}
