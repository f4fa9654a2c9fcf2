//! Private operations at OpenSSL's own speed, or where the key is kept.
//!
//! sequoia hands OpenSSL an RSA key without the parameters of the Chinese remainder theorem, so that each signature takes
//! four times as long, and builds the key anew each time. Here the key is built once, with them. The signatures are the
//! same, byte for byte. OpenSSL checks each result of the theorem with the public exponent, so that a fault cannot give
//! a factor away, and wipes the key when the last copy of it goes.

use std::sync::Arc;

use openssl::bn::{BigNum, BigNumContext, BigNumRef};
use openssl::error::ErrorStack;
use openssl::md::Md;
use openssl::pkey::{Id, PKey, Private as Secret};
use openssl::pkey_ctx::PkeyCtx;
use openssl::rsa::{Padding, RsaPrivateKeyBuilder};
use sequoia_openpgp::Result;
use sequoia_openpgp::anyhow::anyhow;
use sequoia_openpgp::crypto::mpi::{self, ProtectedMPI, PublicKey, SecretKeyMaterial};
use sequoia_openpgp::crypto::{KeyPair, Signer};
use sequoia_openpgp::packet::Key;
use sequoia_openpgp::packet::key::{self, PublicParts, SecretParts, UnspecifiedRole};
use sequoia_openpgp::types::{Curve, HashAlgorithm};

use crate::openpgp::Certificate;

/// Keeps a private key that nobody can have, and signs with it.
pub(in crate::sign) trait Keeper: Send + Sync {
    /// Signs a digest. The signature is verified before it is handed out.
    fn sign(&self, hash: HashAlgorithm, digest: &[u8]) -> Result<mpi::Signature>;

    /// What finds the key again, as a file without secrets that has this certificate of it.
    fn key_file(&self, certificate: &Certificate) -> String;
}

/// A private key, ready to sign; copies share the secret.
#[derive(Clone)]
pub(in crate::sign) struct Private {
    public: Key<PublicParts, UnspecifiedRole>,
    secret: Kind,
}

#[derive(Clone)]
enum Kind {
    Rsa(PKey<Secret>),
    Ed25519(PKey<Secret>),
    /// Not in memory.
    Kept(Arc<dyn Keeper>),
    /// Kinds that are imported seldom: sequoia's own way.
    Other(Box<KeyPair>),
}

impl Private {
    /// Takes a key whose secret is not protected.
    pub fn new(key: Key<SecretParts, UnspecifiedRole>) -> Result<Self> {
        let public = key.clone().take_secret().0;
        let key::SecretKeyMaterial::Unencrypted(secret) = key.secret() else {
            return Err(anyhow!("the secret key is protected"));
        };
        let kind = secret.map(|secret| -> Result<_> {
            match (public.mpis(), secret) {
                (PublicKey::RSA { e, n }, SecretKeyMaterial::RSA { d, p, q, .. }) => {
                    Ok(Some(Kind::Rsa(rsa(n.value(), e.value(), [d, p, q])?)))
                }
                (PublicKey::EdDSA { curve: Curve::Ed25519, .. }, SecretKeyMaterial::EdDSA { scalar }) => {
                    let seed = scalar.value_padded(32);
                    Ok(Some(Kind::Ed25519(PKey::private_key_from_raw_bytes(&seed, Id::ED25519)?)))
                }
                _ => Ok(None),
            }
        })?;
        let secret = match kind {
            Some(kind) => kind,
            None => Kind::Other(Box::new(key.into_keypair()?)),
        };
        Ok(Self { public, secret })
    }

    /// A key that is kept elsewhere.
    pub fn kept(public: Key<PublicParts, UnspecifiedRole>, keeper: Arc<dyn Keeper>) -> Self {
        Self { public, secret: Kind::Kept(keeper) }
    }

    /// What keeps it, if it is not in memory.
    pub fn keeper(&self) -> Option<&dyn Keeper> {
        match &self.secret {
            Kind::Kept(keeper) => Some(&**keeper),
            _ => None,
        }
    }
}

/// An RSA key of its numbers. What is worked out on the way is wiped, too: OpenSSL wipes secure numbers when they go.
fn rsa(n: &[u8], e: &[u8], secrets: [&ProtectedMPI; 3]) -> Result<PKey<Secret>> {
    let secret = |bytes: &[u8]| {
        let mut number = BigNum::new_secure()?;
        number.copy_from_slice(bytes)?;
        number.set_const_time();
        Ok::<_, ErrorStack>(number)
    };
    let [d, p, q] = secrets;
    let (d, p, q) = (secret(d.value())?, secret(p.value())?, secret(q.value())?);
    let mut context = BigNumContext::new_secure()?;
    let mut exponent = |prime: &BigNumRef| {
        let mut less = secret(&[])?;
        let one = BigNum::from_u32(1)?;
        less.checked_sub(prime, &one)?;
        let mut exponent = secret(&[])?;
        exponent.nnmod(&d, &less, &mut context)?;
        Ok::<_, ErrorStack>(exponent)
    };
    let (dp, dq) = (exponent(&p)?, exponent(&q)?);
    let mut inverse = secret(&[])?;
    inverse.mod_inverse(&q, &p, &mut context)?;
    let key = RsaPrivateKeyBuilder::new(BigNum::from_slice(n)?, BigNum::from_slice(e)?, d)?;
    Ok(PKey::from_rsa(key.set_factors(p, q)?.set_crt_params(dp, dq, inverse)?.build())?)
}

fn digest_of(hash: HashAlgorithm) -> Result<&'static openssl::md::MdRef> {
    match hash {
        HashAlgorithm::SHA256 => Ok(Md::sha256()),
        HashAlgorithm::SHA384 => Ok(Md::sha384()),
        HashAlgorithm::SHA512 => Ok(Md::sha512()),
        other => Err(anyhow!("nothing is signed by {other} here")),
    }
}

impl Signer for Private {
    fn public(&self) -> &Key<PublicParts, UnspecifiedRole> {
        &self.public
    }

    fn sign(&mut self, hash: HashAlgorithm, digest: &[u8]) -> Result<mpi::Signature> {
        match &mut self.secret {
            Kind::Rsa(key) => {
                let mut context = PkeyCtx::new(&*key)?;
                context.sign_init()?;
                context.set_rsa_padding(Padding::PKCS1)?;
                context.set_signature_md(digest_of(hash)?)?;
                let mut signature = Vec::new();
                context.sign_to_vec(digest, &mut signature)?;
                Ok(mpi::Signature::RSA { s: mpi::MPI::new(&signature) })
            }
            Kind::Ed25519(key) => {
                let signature =
                    openssl::sign::Signer::new_without_digest(key)?.sign_oneshot_to_vec(digest)?;
                let (r, s) =
                    signature.split_at_checked(32).ok_or_else(|| anyhow!("OpenSSL made no signature"))?;
                Ok(mpi::Signature::EdDSA { r: mpi::MPI::new(r), s: mpi::MPI::new(s) })
            }
            Kind::Kept(keeper) => keeper.sign(hash, digest),
            Kind::Other(pair) => pair.sign(hash, digest),
        }
    }
}

#[cfg(test)]
mod tests {
    use sequoia_openpgp::packet::key::{Key4, PrimaryRole};

    use super::*;

    #[test]
    fn signs_the_same_bytes_as_sequoia() {
        let keys: [Key4<SecretParts, PrimaryRole>; 4] = [
            Key4::generate_rsa(2048).unwrap(),
            Key4::generate_rsa(3072).unwrap(),
            Key4::generate_ecc(true, Curve::Ed25519).unwrap(),
            // A secret that begins with zeros, which an MPI leaves out.
            Key4::import_secret_ed25519(
                &{
                    let mut seed = [7; 32];
                    seed[..3].fill(0);
                    seed
                },
                None,
            )
            .unwrap(),
        ];
        for key in keys {
            let key = Key::from(key).role_into_unspecified();
            let mut ours = Private::new(key.clone()).unwrap();
            assert!(!matches!(ours.secret, Kind::Other(_)), "{}", key.pk_algo());
            let mut theirs = key.into_keypair().unwrap();
            for (hash, length) in
                [(HashAlgorithm::SHA256, 32), (HashAlgorithm::SHA384, 48), (HashAlgorithm::SHA512, 64)]
            {
                for fill in 0..8 {
                    let digest = vec![fill; length];
                    assert_eq!(ours.sign(hash, &digest).unwrap(), theirs.sign(hash, &digest).unwrap());
                }
            }
        }
        let weak = Key::from(Key4::<SecretParts, PrimaryRole>::generate_rsa(2048).unwrap());
        let mut weak = Private::new(weak.role_into_unspecified()).unwrap();
        assert!(weak.sign(HashAlgorithm::SHA1, &[0; 20]).is_err(), "SHA-1 was used");
    }

    /// Signatures a second on one core, to be compared with `openssl speed -seconds 3 rsa4096 ed25519`:
    /// `cargo test --lib how_many_signatures -- --ignored --nocapture`.
    #[test]
    #[ignore = "a measurement"]
    fn how_many_signatures_a_second() {
        use crate::base::SourceDate;
        use crate::sign::Signer as _;
        use crate::sign::key::{Algorithm, SecretKey, Spec, Subkeys};
        let date: SourceDate = "2026-11-01T00:00:00Z".parse().unwrap();
        let keys: [Key4<SecretParts, PrimaryRole>; 2] =
            [Key4::generate_rsa(4096).unwrap(), Key4::generate_ecc(true, Curve::Ed25519).unwrap()];
        for mut key in keys {
            key.set_creation_time(crate::sign::packet::time(date.seconds())).unwrap();
            let key = Key::from(key);
            let (algorithm, subkeys) = (Algorithm::Ed25519, Subkeys::default());
            let spec = Spec { algorithm, user_id: "Speed", created: date, expires: None, subkeys };
            let signer = SecretKey::assemble(&key, &spec).unwrap().signer().unwrap();
            let mut ours = Private::new(key.clone().role_into_unspecified()).unwrap();
            let mut theirs = key.clone().role_into_unspecified().into_keypair().unwrap();
            let per_second = |work: &mut dyn FnMut()| {
                let begin = std::time::Instant::now();
                let mut done = 0;
                while begin.elapsed().as_secs() < 3 {
                    work();
                    done += 1;
                }
                f64::from(done) / begin.elapsed().as_secs_f64()
            };
            let theirs = per_second(&mut || drop(theirs.sign(HashAlgorithm::SHA256, &[1; 32]).unwrap()));
            let ours = per_second(&mut || drop(ours.sign(HashAlgorithm::SHA256, &[1; 32]).unwrap()));
            let whole = per_second(&mut || drop(signer.sign_detached(&[1; 5000], date).unwrap()));
            eprintln!("{}: sequoia {theirs:.0}, here {ours:.0}, with verification {whole:.0}", key.pk_algo());
        }
    }
}
