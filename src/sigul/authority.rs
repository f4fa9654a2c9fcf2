//! A certificate authority for signing services: who may be client, server and bridge.
//!
//! For tests and a first installation; any other authority does as well. Its certificates are what sigul's NSS, OpenSSL
//! and siguldry all accept: P-256 keys, a CA with basic constraints, and for the parties a subject alternative name and
//! both extended key usages, since a server of sigul is the client of the outer TLS connection and the server of the
//! inner one.

use openssl::asn1::{Asn1Integer, Asn1Time};
use openssl::bn::{BigNum, MsbOption};
use openssl::ec::{EcGroup, EcKey};
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::x509::extension::{
    AuthorityKeyIdentifier, BasicConstraints, ExtendedKeyUsage, KeyUsage, SubjectAlternativeName,
    SubjectKeyIdentifier,
};
use openssl::x509::{X509, X509Builder, X509Name};
use zeroize::Zeroizing;

use super::wire::fields::is_printable;

/// Why there is no certificate. Retrying cannot help.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// The name is not usable.
    #[error("'{0}' is no name for a certificate: it has to have 1 to 64 printable characters of ASCII")]
    Name(String),
    /// OpenSSL fails.
    #[error("OpenSSL made no certificate")]
    OpenSsl(#[from] ErrorStack),
}

/// An authority with its secret key.
pub struct Authority {
    certificate: X509,
    key: PKey<Private>,
}

/// A certificate and its secret key, both in PEM.
pub struct Issued {
    /// The certificate.
    pub certificate: Vec<u8>,
    /// The secret key, without a passphrase.
    pub key: Zeroizing<Vec<u8>>,
}

impl std::fmt::Debug for Issued {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Issued")
    }
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Authority")
    }
}

impl Authority {
    /// Makes one, valid from now for some days.
    pub fn create(name: &str, days: u32) -> Result<Self, AuthorityError> {
        let key = new_key()?;
        let mut builder = builder(name, &key, days)?;
        builder.set_issuer_name(subject(name)?.as_ref())?;
        builder.append_extension(BasicConstraints::new().critical().ca().pathlen(0).build()?)?;
        builder.append_extension(KeyUsage::new().critical().key_cert_sign().crl_sign().build()?)?;
        let identifier = SubjectKeyIdentifier::new().build(&builder.x509v3_context(None, None))?;
        builder.append_extension(identifier)?;
        builder.sign(&key, MessageDigest::sha256())?;
        Ok(Self { certificate: builder.build(), key })
    }

    /// Reads one from PEM.
    pub fn read(certificate: &[u8], key: &[u8]) -> Result<Self, AuthorityError> {
        Ok(Self { certificate: X509::from_pem(certificate)?, key: PKey::private_key_from_pem(key)? })
    }

    /// Its own certificate and key.
    pub fn to_pem(&self) -> Result<Issued, AuthorityError> {
        pem(&self.certificate, &self.key)
    }

    /// Makes a certificate for a party, valid from now for some days. Its name is common name and alternative name at
    /// once: that of a host for bridge and server, that of the user for a client.
    pub fn issue(&self, name: &str, days: u32) -> Result<Issued, AuthorityError> {
        let key = new_key()?;
        let mut builder = builder(name, &key, days)?;
        builder.set_issuer_name(self.certificate.subject_name())?;
        builder.append_extension(BasicConstraints::new().critical().build()?)?;
        let usage = KeyUsage::new().critical().digital_signature().key_agreement().build()?;
        builder.append_extension(usage)?;
        builder.append_extension(ExtendedKeyUsage::new().server_auth().client_auth().build()?)?;
        let (identifier, issuer, alternative) = {
            let context = builder.x509v3_context(Some(&self.certificate), None);
            let identifier = SubjectKeyIdentifier::new().build(&context)?;
            let issuer = AuthorityKeyIdentifier::new().keyid(true).build(&context)?;
            (identifier, issuer, SubjectAlternativeName::new().dns(name).build(&context)?)
        };
        builder.append_extension(identifier)?;
        builder.append_extension(issuer)?;
        builder.append_extension(alternative)?;
        builder.sign(&self.key, MessageDigest::sha256())?;
        pem(&builder.build(), &key)
    }
}

fn pem(certificate: &X509, key: &PKey<Private>) -> Result<Issued, AuthorityError> {
    let key = Zeroizing::new(key.private_key_to_pem_pkcs8()?);
    Ok(Issued { certificate: certificate.to_pem()?, key })
}

fn new_key() -> Result<PKey<Private>, ErrorStack> {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1)?;
    PKey::from_ec_key(EcKey::generate(&group)?)
}

fn subject(name: &str) -> Result<X509Name, AuthorityError> {
    if name.is_empty() || name.len() > 64 || !name.bytes().all(is_printable) {
        return Err(AuthorityError::Name(name.escape_debug().take(100).collect()));
    }
    let mut builder = X509Name::builder()?;
    builder.append_entry_by_nid(Nid::COMMONNAME, name)?;
    Ok(builder.build())
}

/// All that the certificates have in common.
fn builder(name: &str, key: &PKey<Private>, days: u32) -> Result<X509Builder, AuthorityError> {
    let mut builder = X509::builder()?;
    builder.set_version(2)?;
    let mut serial = BigNum::new()?;
    serial.rand(127, MsbOption::MAYBE_ZERO, false)?;
    builder.set_serial_number(&*Asn1Integer::from_bn(&serial)?)?;
    builder.set_subject_name(subject(name)?.as_ref())?;
    builder.set_pubkey(key)?;
    builder.set_not_before(&*Asn1Time::days_from_now(0)?)?;
    builder.set_not_after(&*Asn1Time::days_from_now(days)?)?;
    Ok(builder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn issues_what_openssl_verifies() {
        let authority = Authority::create("Test authority", 30).unwrap();
        let issued = authority.issue("bridge.example.org", 30).unwrap();
        let certificate = X509::from_pem(&issued.certificate).unwrap();
        let mut store = openssl::x509::store::X509StoreBuilder::new().unwrap();
        store.add_cert(authority.certificate.clone()).unwrap();
        let mut context = openssl::x509::X509StoreContext::new().unwrap();
        let chain = openssl::stack::Stack::new().unwrap();
        let good = context.init(&store.build(), &certificate, &chain, |context| context.verify_cert());
        assert!(good.unwrap());
        let names = certificate.subject_alt_names().unwrap();
        assert_eq!(names[0].dnsname(), Some("bridge.example.org"));
        for bad in ["", "a\0b", "a\nb", &"x".repeat(65)] {
            assert!(matches!(authority.issue(bad, 1), Err(AuthorityError::Name(_))), "{bad:?}");
        }
    }
}
