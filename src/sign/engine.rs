//! The secret operation of a key, at OpenSSL's own speed.
//!
//! sequoia gives OpenSSL an RSA key by its modulus and exponents alone, and anew for each signature. So every signature is
//! one exponentiation with the whole modulus, which takes four times as long as the two with its halves that the factors of
//! the modulus allow (the Chinese remainder theorem; RFC 8017, section 5.1.2). Here the key is built once, with its factors.

use std::sync::Arc;

use openssl::bn::{BigNum, BigNumContext, BigNumRef};
use openssl::error::ErrorStack;
use openssl::md::Md;
use openssl::pkey::{PKey, Private};
use openssl::pkey_ctx::PkeyCtx;
use openssl::rsa::{Padding, RsaPrivateKeyBuilder};
use sequoia_openpgp::crypto::mpi::{PublicKey, SecretKeyMaterial, Signature};
use sequoia_openpgp::crypto::{KeyPair, Signer as _};
use sequoia_openpgp::packet::Key;
use sequoia_openpgp::packet::key::{PublicParts, UnspecifiedRole};
use sequoia_openpgp::types::HashAlgorithm;

use super::SignError;

/// A key pair that signs. Cheap to clone.
#[derive(Clone)]
pub(super) struct Engine {
    pair: KeyPair,
    /// OpenSSL wipes it when the last clone is dropped.
    rsa: Option<Arc<PKey<Private>>>,
}

fn failed(error: impl std::fmt::Display) -> SignError {
    SignError::Library(error.to_string())
}

impl Engine {
    /// Builds it from a key pair that is not protected.
    pub(super) fn new(pair: KeyPair) -> Result<Self, SignError> {
        let rsa = match pair.public().mpis() {
            PublicKey::RSA { e, n } => pair.secret().map(|secret| match secret {
                SecretKeyMaterial::RSA { d, p, q, .. } => {
                    rsa([n.value(), e.value(), d.value(), p.value(), q.value()]).map(Some)
                }
                _ => Ok(None),
            }),
            _ => Ok(None),
        };
        Ok(Self { rsa: rsa.map_err(failed)?.map(Arc::new), pair })
    }

    /// The public key.
    pub(super) fn public(&self) -> &Key<PublicParts, UnspecifiedRole> {
        self.pair.public()
    }

    /// Signs a digest.
    pub(super) fn sign(&self, hash: HashAlgorithm, digest: &[u8]) -> Result<Signature, SignError> {
        match &self.rsa {
            Some(key) => {
                let s = sign_rsa(key, hash, digest)?;
                Ok(Signature::RSA { s: s.into() })
            }
            None => self.pair.clone().sign(hash, digest).map_err(failed),
        }
    }
}

/// PKCS #1 v1.5 (RFC 9580, section 5.2.3.1).
fn sign_rsa(key: &PKey<Private>, hash: HashAlgorithm, digest: &[u8]) -> Result<Vec<u8>, SignError> {
    let function = match hash {
        HashAlgorithm::SHA256 => Md::sha256(),
        HashAlgorithm::SHA384 => Md::sha384(),
        HashAlgorithm::SHA512 => Md::sha512(),
        other => return Err(SignError::Library(format!("nothing is signed with {other}"))),
    };
    let sign = || {
        let mut context = PkeyCtx::new(key)?;
        context.sign_init()?;
        context.set_rsa_padding(Padding::PKCS1)?;
        context.set_signature_md(function)?;
        let mut signature = Vec::new();
        context.sign_to_vec(digest, &mut signature)?;
        Ok::<_, ErrorStack>(signature)
    };
    sign().map_err(failed)
}

/// A key of modulus, public and private exponent, and the factors of the modulus.
fn rsa([n, e, d, p, q]: [&[u8]; 5]) -> Result<PKey<Private>, ErrorStack> {
    let number = BigNum::from_slice;
    let (secret, p, q) = (BigNum::from_slice(d)?, BigNum::from_slice(p)?, BigNum::from_slice(q)?);
    let mut context = BigNumContext::new_secure()?;
    let mut reduced = |factor: &BigNumRef| {
        let (mut below, mut rest) = (BigNum::new_secure()?, BigNum::new_secure()?);
        below.checked_sub(factor, &*BigNum::from_u32(1)?)?;
        rest.checked_rem(&secret, &below, &mut context)?;
        Ok::<_, ErrorStack>(rest)
    };
    let (of_p, of_q) = (reduced(&p)?, reduced(&q)?);
    let mut inverse = BigNum::new_secure()?;
    inverse.mod_inverse(&q, &p, &mut context)?;
    let key = RsaPrivateKeyBuilder::new(number(n)?, number(e)?, secret)?
        .set_factors(p, q)?
        .set_crt_params(of_p, of_q, inverse)?
        .build();
    PKey::from_rsa(key)
}

#[cfg(test)]
mod tests {
    use sequoia_openpgp::packet::key::{Key4, SecretParts};

    use super::*;

    /// What sequoia makes of the same digest, byte for byte.
    #[test]
    fn signs_what_sequoia_signs() {
        let rsa: Key4<SecretParts, UnspecifiedRole> = Key4::generate_rsa(3072).unwrap();
        let eddsa: Key4<SecretParts, UnspecifiedRole> =
            Key4::import_secret_ed25519(&[7; 32], std::time::UNIX_EPOCH).unwrap();
        for (key, is_rsa) in [(rsa, true), (eddsa, false)] {
            let mut pair = Key::from(key).into_keypair().unwrap();
            let engine = Engine::new(pair.clone()).unwrap();
            assert_eq!(engine.rsa.is_some(), is_rsa);
            for (hash, length) in [(HashAlgorithm::SHA256, 32), (HashAlgorithm::SHA512, 64)] {
                let digest = vec![0x5a; length];
                assert_eq!(engine.sign(hash, &digest).unwrap(), pair.sign(hash, &digest).unwrap());
            }
        }
    }
}
