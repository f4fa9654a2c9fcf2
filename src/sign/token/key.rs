//! Key pairs on a token: found, made, and signing.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use cryptoki::mechanism::Mechanism;
use cryptoki::mechanism::eddsa::{EddsaParams, EddsaSignatureScheme};
use cryptoki::object::{Attribute, AttributeType, ObjectClass, ObjectHandle};
use openssl::pkey::{Id, PKey};
use sequoia_openpgp::crypto::mpi;
use sequoia_openpgp::packet::Key;
use sequoia_openpgp::packet::key::{Key4, PrimaryRole, PublicParts, UnspecifiedRole};
use sequoia_openpgp::types::{Curve, HashAlgorithm};

use super::{KeyFile, Session, TokenError, shown};
use crate::base::digest::hex;
use crate::openpgp::Certificate;
use crate::sign::key::{Algorithm, Keeper, KeyError, Private, SecretKey, Spec, acceptable, check};
use crate::sign::packet;

/// The object identifier of Ed25519 in DER (RFC 8410, section 3).
const ED25519: &[u8] = &[0x06, 0x03, 0x2b, 0x65, 0x70];
/// The most keys of a token that are looked at.
const MOST: usize = 1000;

/// What a token calls a key pair: CKA_ID, CKA_LABEL, or both.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyName {
    /// The id, any bytes.
    pub id: Option<Vec<u8>>,
    /// The label.
    pub label: Option<String>,
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.id, &self.label) {
            (None, None) => f.write_str("any name"),
            (Some(id), None) => write!(f, "the id {}", hex(id)),
            (None, Some(label)) => write!(f, "the label '{}'", shown(label)),
            (Some(id), Some(label)) => write!(f, "the id {} and the label '{}'", hex(id), shown(label)),
        }
    }
}

impl KeyName {
    fn template(&self, class: ObjectClass) -> Vec<Attribute> {
        let mut template = vec![Attribute::Class(class), Attribute::Token(true)];
        template.extend(self.id.clone().map(Attribute::Id));
        template.extend(self.label.as_ref().map(|label| Attribute::Label(label.as_bytes().to_vec())));
        template
    }
}

/// A key pair on a token, as far as it can be seen.
#[derive(Clone, Debug)]
pub struct Pair {
    /// Its name; a part that is empty is left out.
    pub name: KeyName,
    /// `RSA 4096`, `Ed25519`, or none where the public part is of another kind or cannot be read.
    pub algorithm: Option<String>,
    /// Whether the private key can be seen: only after a login, on most tokens.
    pub private: bool,
    /// Whether its secret can be copied from the token, where that tells.
    pub extractable: Option<bool>,
}

impl Session {
    /// The key pairs that can be seen, at most 1000, in the order of their ids and labels.
    pub fn pairs(&self) -> Result<Vec<Pair>, TokenError> {
        let mut pairs: Vec<Pair> = Vec::new();
        for (class, private) in [(ObjectClass::PRIVATE_KEY, true), (ObjectClass::PUBLIC_KEY, false)] {
            for object in self.find(&KeyName::default(), class)? {
                let name = self.name_of(object)?;
                if !pairs.iter().any(|pair| pair.private && pair.name == name) {
                    let numbers = if private { self.public(object) } else { self.numbers(object) };
                    let algorithm = numbers.ok().flatten().map(|numbers| match numbers.bits() {
                        Some(bits) if matches!(numbers, mpi::PublicKey::RSA { .. }) => format!("RSA {bits}"),
                        _ => "Ed25519".into(),
                    });
                    let extractable = match self.attributes(object, &[AttributeType::Extractable])?.as_slice()
                    {
                        [Attribute::Extractable(extractable)] if private => Some(*extractable),
                        _ => None,
                    };
                    pairs.push(Pair { name, algorithm, private, extractable });
                }
            }
        }
        pairs.sort_by(|one, other| (&one.name.id, &one.name.label).cmp(&(&other.name.id, &other.name.label)));
        Ok(pairs)
    }

    fn find(&self, name: &KeyName, class: ObjectClass) -> Result<Vec<ObjectHandle>, TokenError> {
        let objects = self.inner.iter_objects(&name.template(class)).map_err(|error| self.failed(&error))?;
        objects.take(MOST).collect::<Result<_, _>>().map_err(|error| self.failed(&error))
    }

    fn attributes(
        &self,
        object: ObjectHandle,
        wanted: &[AttributeType],
    ) -> Result<Vec<Attribute>, TokenError> {
        self.inner.get_attributes(object, wanted).map_err(|error| self.failed(&error))
    }

    fn name_of(&self, object: ObjectHandle) -> Result<KeyName, TokenError> {
        let mut name = KeyName::default();
        for attribute in self.attributes(object, &[AttributeType::Id, AttributeType::Label])? {
            match attribute {
                Attribute::Id(id) if !id.is_empty() => name.id = Some(id),
                Attribute::Label(label) if !label.is_empty() => {
                    name.label = Some(String::from_utf8_lossy(&label).into_owned());
                }
                _ => {}
            }
        }
        Ok(name)
    }

    /// The one private key that has a name.
    fn private(&self, name: &KeyName) -> Result<ObjectHandle, TokenError> {
        match self.find(name, ObjectClass::PRIVATE_KEY)?.as_slice() {
            [] => {
                let has = self.pairs()?.into_iter().filter(|pair| pair.private).take(10);
                let has: Vec<_> = has.map(|pair| pair.name.to_string()).collect();
                let found = if has.is_empty() { "none".into() } else { has.join(", ") };
                Err(TokenError::NoKey { token: self.name(), wanted: name.to_string(), found })
            }
            [key] => {
                let asks = self.attributes(*key, &[AttributeType::AlwaysAuthenticate])?;
                match asks.contains(&Attribute::AlwaysAuthenticate(true)) {
                    true => Err(self.unusable(name, "it wants the PIN again for each signature")),
                    false => Ok(*key),
                }
            }
            _ => Err(TokenError::SeveralKeys { token: self.name(), wanted: name.to_string() }),
        }
    }

    fn unusable(&self, name: &KeyName, detail: &str) -> TokenError {
        TokenError::Unusable { token: self.name(), wanted: name.to_string(), detail: detail.into() }
    }

    /// The public numbers of a private key: of the public key that has its id or, without one, its label; else what the
    /// private key itself tells. None where nothing does.
    fn public(&self, private: ObjectHandle) -> Result<Option<mpi::PublicKey>, TokenError> {
        let mut name = self.name_of(private)?;
        if name.id.is_some() {
            name.label = None;
        }
        let public = match name == KeyName::default() {
            true => Vec::new(),
            false => self.find(&name, ObjectClass::PUBLIC_KEY)?,
        };
        for object in public.into_iter().chain([private]) {
            if let Some(numbers) = self.numbers(object)? {
                return Ok(Some(numbers));
            }
        }
        Ok(None)
    }

    /// The public numbers that an object tells.
    fn numbers(&self, object: ObjectHandle) -> Result<Option<mpi::PublicKey>, TokenError> {
        use AttributeType as A;
        let wanted = [A::Modulus, A::PublicExponent, A::EcParams, A::EcPoint, A::PublicKeyInfo];
        let (mut n, mut e, mut curve, mut point, mut info) = (None, None, None, None, None);
        for attribute in self.attributes(object, &wanted)? {
            match attribute {
                Attribute::Modulus(bytes) => n = Some(bytes),
                Attribute::PublicExponent(bytes) => e = Some(bytes),
                Attribute::EcParams(bytes) => curve = Some(bytes),
                Attribute::EcPoint(bytes) => point = Some(bytes),
                Attribute::PublicKeyInfo(bytes) => info = Some(bytes),
                _ => {}
            }
        }
        Ok(match (n, e, curve, point) {
            (Some(n), Some(e), ..) if !n.is_empty() && !e.is_empty() => Some(rsa(&n, &e)),
            (_, _, Some(curve), Some(point)) if is_ed25519(&curve) => raw_point(&point).map(ed25519),
            _ => info.and_then(|info| of_info(&info)),
        })
    }
}

fn rsa(n: &[u8], e: &[u8]) -> mpi::PublicKey {
    mpi::PublicKey::RSA { n: mpi::MPI::new(n), e: mpi::MPI::new(e) }
}

fn ed25519(point: &[u8]) -> mpi::PublicKey {
    mpi::PublicKey::EdDSA { curve: Curve::Ed25519, q: mpi::MPI::new_compressed_point(point) }
}

/// CKA_EC_PARAMS: the object identifier, that of before RFC 8410, or the name as PKCS #11 3.0, section 2.3.10, has it.
fn is_ed25519(params: &[u8]) -> bool {
    const OLD: &[u8] = &[0x06, 0x09, 0x2b, 0x06, 0x01, 0x04, 0x01, 0xda, 0x47, 0x0f, 0x01];
    params == ED25519 || params == OLD || params == b"\x13\x0cedwards25519"
}

/// CKA_EC_POINT: 32 bytes, which most modules put into an OCTET STRING and some into a BIT STRING.
fn raw_point(point: &[u8]) -> Option<&[u8]> {
    let raw = match point {
        [0x04, 0x20, raw @ ..] | [0x03, 0x21, 0x00, raw @ ..] if point.len() > 32 => raw,
        raw => raw,
    };
    (raw.len() == 32).then_some(raw)
}

/// CKA_PUBLIC_KEY_INFO: a SubjectPublicKeyInfo in DER.
fn of_info(info: &[u8]) -> Option<mpi::PublicKey> {
    let key = PKey::public_key_from_der(info).ok()?;
    match key.id() {
        Id::RSA => key.rsa().ok().map(|key| rsa(&key.n().to_vec(), &key.e().to_vec())),
        Id::ED25519 => key.raw_public_key().ok().map(|point| ed25519(&point)),
        _ => None,
    }
}

/// A private key on a token, found once.
struct TokenKey {
    session: Mutex<Session>,
    object: ObjectHandle,
    name: KeyName,
    public: Key<PublicParts, UnspecifiedRole>,
}

impl TokenKey {
    fn signature(&self, hash: HashAlgorithm, digest: &[u8]) -> Result<mpi::Signature, TokenError> {
        let session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        let unusable = |detail: &dyn fmt::Display| session.unusable(&self.name, &detail.to_string());
        let sign = |mechanism: &Mechanism<'_>, data: &[u8]| {
            session.inner.sign(mechanism, self.object, data).map_err(|error| session.failed(&error))
        };
        let signature = match self.public.mpis() {
            mpi::PublicKey::RSA { .. } => {
                let info = [hash.oid().map_err(|error| unusable(&error))?, digest].concat();
                mpi::Signature::RSA { s: mpi::MPI::new(&sign(&Mechanism::RsaPkcs, &info)?) }
            }
            mpi::PublicKey::EdDSA { .. } => {
                let mechanism = Mechanism::Eddsa(EddsaParams::new(EddsaSignatureScheme::Ed25519));
                let made = sign(&mechanism, digest)?;
                let (r, s) =
                    made.split_at_checked(32).ok_or_else(|| unusable(&"its signature is too short"))?;
                mpi::Signature::EdDSA { r: mpi::MPI::new(r), s: mpi::MPI::new(s) }
            }
            _ => return Err(unusable(&"only RSA and Ed25519 sign here")),
        };
        match self.public.verify(&signature, hash, digest) {
            Ok(()) => Ok(signature),
            Err(_) => Err(TokenError::OtherKey { token: session.name(), wanted: self.name.to_string() }),
        }
    }
}

impl Keeper for TokenKey {
    fn sign(&self, hash: HashAlgorithm, digest: &[u8]) -> sequoia_openpgp::Result<mpi::Signature> {
        Ok(self.signature(hash, digest)?)
    }

    fn key_file(&self, certificate: &Certificate) -> String {
        let session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        KeyFile {
            address: session.address().clone(),
            key: self.name.clone(),
            certificate: certificate.clone(),
        }
        .to_string()
    }
}

/// The private key on a token that a certificate's primary key belongs to.
pub(super) fn open(
    session: Session,
    name: &KeyName,
    certificate: &Certificate,
) -> Result<SecretKey, TokenError> {
    let object = session.private(name)?;
    let public = certificate.cert().primary_key().key().clone().role_into_unspecified();
    // Where the token does not tell, the first signature does.
    if session.public(object)?.is_some_and(|numbers| numbers != *public.mpis()) {
        return Err(TokenError::OtherKey { token: session.name(), wanted: name.to_string() });
    }
    Ok(SecretKey::kept(certificate.clone(), private(session, object, name, public)))
}

fn private(
    session: Session,
    object: ObjectHandle,
    name: &KeyName,
    public: Key<PublicParts, UnspecifiedRole>,
) -> Private {
    let key = TokenKey { session: Mutex::new(session), object, name: name.clone(), public: public.clone() };
    Private::kept(public, Arc::new(key))
}

/// Makes the certificate of a key pair that is on the token already; the specification's algorithm and subkeys do not
/// count. The same pair and specification give the same certificate. Refused are keys that are too weak.
pub fn certify(session: Session, name: &KeyName, spec: &Spec<'_>) -> Result<SecretKey, KeyError> {
    acceptable(spec)?;
    let object = session.private(name)?;
    let numbers = session.public(object)?;
    let none = || session.unusable(name, "its public part cannot be read, or is neither RSA nor Ed25519");
    let numbers = numbers.ok_or_else(none)?;
    // With the whole name it is found even where the like of it is added later.
    let name = session.name_of(object)?;
    let made = packet::time(spec.created.seconds());
    let unusable = |error: sequoia_openpgp::anyhow::Error| session.unusable(&name, &error.to_string());
    let public = primary(numbers, made).map_err(unusable)?;
    let pair = private(session, object, &name, public.clone().role_into_unspecified());
    let key = SecretKey::certify(pair, &public, spec)?;
    check(key.certificate(), spec.created)?;
    Ok(key)
}

/// A version 4 primary key of public numbers.
fn primary(
    numbers: mpi::PublicKey,
    made: SystemTime,
) -> sequoia_openpgp::Result<Key<PublicParts, PrimaryRole>> {
    let algorithm =
        numbers.algo().ok_or_else(|| sequoia_openpgp::anyhow::anyhow!("its kind is not known"))?;
    Ok(Key4::new(made, algorithm, numbers)?.into())
}

/// Makes a key pair on the token, sensitive and not extractable, and its certificate, without subkeys. The session has to
/// be one that writes. Where there is no certificate in the end, no pair is left either.
pub fn generate(session: Session, name: &KeyName, spec: &Spec<'_>) -> Result<SecretKey, KeyError> {
    acceptable(spec)?;
    for class in [ObjectClass::PRIVATE_KEY, ObjectClass::PUBLIC_KEY] {
        for wanted in [KeyName { label: None, ..name.clone() }, KeyName { id: None, ..name.clone() }] {
            if wanted != KeyName::default() && !session.find(&wanted, class)?.is_empty() {
                return Err(TokenError::Present { token: session.name(), wanted: wanted.to_string() }.into());
            }
        }
    }
    let mut public = name.template(ObjectClass::PUBLIC_KEY);
    public.extend([Attribute::Private(false), Attribute::Verify(true)]);
    let mechanism = match spec.algorithm {
        Algorithm::Rsa(bits) => {
            public.push(Attribute::ModulusBits(u64::from(bits).into()));
            public.push(Attribute::PublicExponent(vec![1, 0, 1]));
            Mechanism::RsaPkcsKeyPairGen
        }
        Algorithm::Ed25519 => {
            public.push(Attribute::EcParams(ED25519.to_vec()));
            Mechanism::EccEdwardsKeyPairGen
        }
    };
    let mut secret = name.template(ObjectClass::PRIVATE_KEY);
    secret.extend([
        Attribute::Private(true),
        Attribute::Sensitive(true),
        Attribute::Extractable(false),
        Attribute::Sign(true),
    ]);
    // Opened before: the other one is handed on with the key.
    let tidying = Session::open(session.address(), true)?;
    let made = session.inner.generate_key_pair(&mechanism, &public, &secret);
    let (public, secret) = made.map_err(|error| session.failed(&error))?;
    let certified = match session.attributes(secret, &[AttributeType::Extractable]) {
        Ok(attributes) if attributes.contains(&Attribute::Extractable(false)) => certify(session, name, spec),
        Ok(_) => Err(session.unusable(name, "the token made it extractable").into()),
        Err(error) => Err(error.into()),
    };
    if certified.is_err() {
        // Nothing is left to be done where that fails.
        for object in [public, secret] {
            drop(tidying.inner.destroy_object(object));
        }
    }
    certified
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_and_curves_are_read_in_every_form() {
        let point: Vec<u8> = (0..32).map(|byte| byte ^ 4).collect();
        for start in [&b"\x04\x20"[..], b"\x03\x21\x00", b""] {
            assert_eq!(raw_point(&[start, &point].concat()), Some(&point[..]), "{start:?}");
        }
        // A point that begins as an OCTET STRING would.
        let odd = [&[0x04, 0x20][..], &[7; 30]].concat();
        assert_eq!(raw_point(&odd), Some(&odd[..]));
        for wrong in [&point[..31], &[&point[..], b"x"].concat(), b""] {
            assert_eq!(raw_point(wrong), None);
        }
        assert!(is_ed25519(ED25519) && is_ed25519(b"\x13\x0cedwards25519"));
        assert!(!is_ed25519(b"\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07"), "P-256");
        let info = [&b"\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00"[..], &point].concat();
        assert_eq!(of_info(&info), Some(ed25519(&point)));
        assert_eq!(of_info(b"\x30"), None);
    }
}
