//! A throw-away authority and the certificates that it gives out.

use openssl::asn1::Asn1Time;
use openssl::bn::BigNum;
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::x509::extension::{BasicConstraints, SubjectAlternativeName};
use openssl::x509::{X509, X509Builder, X509NameBuilder};

pub struct Authority {
    key: PKey<Private>,
    certificate: X509,
}

/// Whom a certificate is for.
pub enum Holder<'n> {
    /// A server of these names.
    Server(&'n [&'n str]),
    /// A user.
    User,
}

fn key() -> PKey<Private> {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap()
}

fn certificate(name: &str, key: &PKey<Private>, days: (i64, i64)) -> X509Builder {
    let mut subject = X509NameBuilder::new().unwrap();
    subject.append_entry_by_text("CN", name).unwrap();
    let subject = subject.build();
    let mut builder = X509::builder().unwrap();
    builder.set_version(2).unwrap();
    let mut serial = BigNum::new().unwrap();
    serial.rand(100, openssl::bn::MsbOption::MAYBE_ZERO, false).unwrap();
    builder.set_serial_number(&serial.to_asn1_integer().unwrap()).unwrap();
    builder.set_subject_name(&subject).unwrap();
    builder.set_pubkey(key).unwrap();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() as i64;
    let day = |days: i64| Asn1Time::from_unix(now + days * 86_400).unwrap();
    builder.set_not_before(&day(days.0)).unwrap();
    builder.set_not_after(&day(days.1)).unwrap();
    builder
}

impl Authority {
    pub fn new(name: &str) -> Self {
        let key = key();
        let mut builder = certificate(name, &key, (-30, 30));
        let issuer = builder_name(name);
        builder.set_issuer_name(&issuer).unwrap();
        builder.append_extension(BasicConstraints::new().critical().ca().build().unwrap()).unwrap();
        builder.sign(&key, MessageDigest::sha256()).unwrap();
        Self { key, certificate: builder.build() }
    }

    pub fn pem(&self) -> Vec<u8> {
        self.certificate.to_pem().unwrap()
    }

    /// A key and its certificate, valid from one day to another, counted from today.
    pub fn give(&self, name: &str, holder: &Holder<'_>, days: (i64, i64)) -> Vec<u8> {
        let key = key();
        let mut builder = certificate(name, &key, days);
        builder.set_issuer_name(self.certificate.subject_name()).unwrap();
        if let Holder::Server(names) = holder {
            let mut alternative = SubjectAlternativeName::new();
            for name in *names {
                alternative.dns(name);
            }
            let extension =
                alternative.build(&builder.x509v3_context(Some(&self.certificate), None)).unwrap();
            builder.append_extension(extension).unwrap();
        }
        builder.sign(&self.key, MessageDigest::sha256()).unwrap();
        [builder.build().to_pem().unwrap(), key.private_key_to_pem_pkcs8().unwrap()].concat()
    }
}

fn builder_name(name: &str) -> openssl::x509::X509Name {
    let mut subject = X509NameBuilder::new().unwrap();
    subject.append_entry_by_text("CN", name).unwrap();
    subject.build()
}
