//! TLS with certificates on both sides.

use std::path::{Path, PathBuf};
use std::pin::Pin;

use openssl::error::ErrorStack;
use openssl::nid::Nid;
use openssl::ssl::{
    SslContext, SslContextBuilder, SslFiletype, SslMethod, SslMode, SslOptions, SslVerifyMode, SslVersion,
};
use openssl::x509::{X509, X509Ref, X509VerifyResult};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_openssl::SslStream;

use super::super::wire::fields::is_printable;

/// Who one is, and whom one believes: files in PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The certificate, and those between it and the authority's.
    pub certificate: PathBuf,
    /// Its secret key, without a passphrase.
    pub key: PathBuf,
    /// The authorities whose certificates are accepted, and no others.
    pub authority: PathBuf,
}

/// Why there is no TLS connection.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read, or is not what it has to be. Retrying cannot help.
    #[error("'{path}' cannot be used as {what}: {reason}")]
    File {
        /// The file.
        path: PathBuf,
        /// As what.
        what: &'static str,
        /// Why.
        reason: String,
    },
    /// OpenSSL fails. Retrying cannot help.
    #[error("OpenSSL cannot be set up")]
    OpenSsl(#[from] ErrorStack),
    /// The other side is not accepted, or does not accept this one. Retrying cannot help.
    #[error("no TLS connection to {peer}: {reason}")]
    Handshake {
        /// Who the other side should be.
        peer: String,
        /// Why.
        reason: String,
    },
    /// A certificate has no usable name. Retrying cannot help.
    #[error("the certificate has no common name that is one word of printable characters")]
    Name,
}

/// Settings for connections that one begins.
#[derive(Clone)]
pub struct Connector(SslContext);

/// Settings for connections in both directions.
#[derive(Clone)]
pub struct Tls {
    connect: Connector,
    accept: SslContext,
}

impl std::fmt::Debug for Connector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Connector")
    }
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tls")
    }
}

impl Connector {
    /// Reads the files.
    pub fn new(identity: &Identity) -> Result<Self, TlsError> {
        Ok(Self(context(identity, SslMethod::tls_client())?.build()))
    }

    /// The common name in one's own certificate.
    pub fn own_name(&self) -> Result<String, TlsError> {
        self.0.certificate().ok_or(TlsError::Name).and_then(common_name)
    }

    /// Begins a connection, to somebody whose certificate has a given name.
    pub async fn connect<S>(&self, name: &str, stream: S) -> Result<SslStream<S>, TlsError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let mut ssl = openssl::ssl::Ssl::new(&self.0)?;
        ssl.set_hostname(name)?;
        ssl.param_mut().set_host(name)?;
        let mut stream = SslStream::new(ssl, stream)?;
        let done = Pin::new(&mut stream).connect().await;
        done.map_err(|error| failed(name, &stream, &error))?;
        Ok(stream)
    }
}

impl Tls {
    /// Reads the files. Both directions take TLS 1.2 and 1.3: sigul itself has 1.2.
    pub fn new(identity: &Identity) -> Result<Self, TlsError> {
        let connect = Connector::new(identity)?;
        let mut accept = context(identity, SslMethod::tls_server())?;
        accept.set_verify(SslVerifyMode::PEER | SslVerifyMode::FAIL_IF_NO_PEER_CERT);
        // NSS chooses its certificate by these names.
        for authority in authorities(&identity.authority)? {
            accept.add_client_ca(&authority)?;
        }
        // No connection is ever resumed.
        accept.set_num_tickets(0)?;
        accept.set_session_cache_mode(openssl::ssl::SslSessionCacheMode::OFF);
        Ok(Self { connect, accept: accept.build() })
    }

    /// Begins a connection, to somebody whose certificate has a given name.
    pub async fn connect<S>(&self, name: &str, stream: S) -> Result<SslStream<S>, TlsError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        self.connect.connect(name, stream).await
    }

    /// Answers somebody who begins a connection and has a certificate of the authority.
    pub async fn accept<S>(&self, stream: S) -> Result<SslStream<S>, TlsError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let mut stream = SslStream::new(openssl::ssl::Ssl::new(&self.accept)?, stream)?;
        let done = Pin::new(&mut stream).accept().await;
        done.map_err(|error| failed("a caller", &stream, &error))?;
        Ok(stream)
    }
}

/// What went wrong, with the verdict on the certificate where that is the reason.
fn failed<S>(peer: &str, stream: &SslStream<S>, error: &openssl::ssl::Error) -> TlsError {
    let reason = match stream.ssl().verify_result() {
        X509VerifyResult::OK => error.to_string(),
        verdict => format!("its certificate is not accepted: {}", verdict.error_string()),
    };
    TlsError::Handshake { peer: peer.into(), reason }
}

fn context(identity: &Identity, method: SslMethod) -> Result<SslContextBuilder, TlsError> {
    let mut context = SslContext::builder(method)?;
    context.set_min_proto_version(Some(SslVersion::TLS1_2))?;
    // SSL_OP_CLEANSE_PLAINTEXT, for which the crate has no name: secrets go through, so what was decrypted is wiped once it
    // was read (OpenSSL 3.0, SSL_CTX_set_options(3)).
    context.set_options(SslOptions::from_bits_retain(1 << 1));
    // The file holds what is to be sent. Else the authority would be sent too, which each side has, and would have to read.
    context.set_mode(SslMode::NO_AUTO_CHAIN);
    context.set_cipher_list("HIGH:!aNULL:!eNULL:!SHA1:!PSK:!kRSA")?;
    let file = |path: &Path, what| {
        let path = path.to_owned();
        move |source: ErrorStack| TlsError::File { path, what, reason: source.to_string() }
    };
    context
        .set_certificate_chain_file(&identity.certificate)
        .map_err(file(&identity.certificate, "a certificate"))?;
    context
        .set_private_key_file(&identity.key, SslFiletype::PEM)
        .and_then(|()| context.check_private_key())
        .map_err(file(&identity.key, "the key of the certificate"))?;
    let mut store = openssl::x509::store::X509StoreBuilder::new()?;
    for certificate in authorities(&identity.authority)? {
        store.add_cert(certificate)?;
    }
    context.set_cert_store(store.build());
    context.set_verify(SslVerifyMode::PEER);
    Ok(context)
}

fn authorities(path: &Path) -> Result<Vec<X509>, TlsError> {
    let failed = |reason: String| TlsError::File {
        path: path.into(),
        what: "the certificates of authorities",
        reason,
    };
    let pem = std::fs::read(path).map_err(|error| failed(error.to_string()))?;
    let all = X509::stack_from_pem(&pem).map_err(|error| failed(error.to_string()))?;
    if all.is_empty() { Err(failed("it holds no certificate".into())) } else { Ok(all) }
}

/// The one common name in a certificate. A name that holds a NUL or a control character, or stands beside another, is
/// none: who compares it otherwise than whoever signed it takes one for somebody else.
pub fn common_name(certificate: &X509Ref) -> Result<String, TlsError> {
    let mut names = certificate.subject_name().entries_by_nid(Nid::COMMONNAME);
    let (Some(name), None) = (names.next(), names.next()) else { return Err(TlsError::Name) };
    let name = name.data().as_slice();
    let usable = !name.is_empty() && name.len() <= 255 && name.iter().all(|byte| is_printable(*byte));
    match std::str::from_utf8(name) {
        Ok(name) if usable => Ok(name.into()),
        _ => Err(TlsError::Name),
    }
}
