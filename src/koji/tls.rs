//! TLS with a client certificate that is asked for late.

use std::pin::Pin;

use openssl::error::ErrorStack;
use openssl::ssl::{SslConnector, SslFiletype, SslMethod, SslOptions, SslVerifyMode};
use tokio::net::TcpStream;
use tokio_openssl::SslStream;

use super::profile::Profile;

/// Why there are no settings.
#[derive(Debug, thiserror::Error)]
pub(super) enum SettingsError {
    /// The profile names no certificate.
    #[error("the profile names no client certificate ('cert')")]
    None,
    /// A file cannot be read, or is not what it has to be.
    #[error("{path} cannot be used as {what}")]
    File {
        /// The file.
        path: String,
        /// As what.
        what: &'static str,
        /// Why.
        #[source]
        source: ErrorStack,
    },
    /// A file cannot be read.
    #[error("{path} cannot be read")]
    Read {
        /// The file.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// OpenSSL fails.
    #[error("OpenSSL cannot be set up")]
    OpenSsl(#[from] ErrorStack),
}

/// Settings for connections that may show the profile's certificate.
pub(super) fn settings(profile: &Profile, show: bool) -> Result<SslConnector, SettingsError> {
    let mut builder = SslConnector::builder(SslMethod::tls_client())?;
    if show {
        let path = profile.cert.as_ref().ok_or(SettingsError::None)?;
        let file = |what| {
            let path = path.display().to_string();
            move |source| SettingsError::File { path, what, source }
        };
        builder.set_certificate_chain_file(path).map_err(file("a client certificate"))?;
        let what = file("the key of a client certificate");
        builder.set_private_key_file(path, SslFiletype::PEM).map_err(what)?;
    }
    if let Some(path) = &profile.serverca {
        // As with Koji: these, and no others.
        let what = "the certificates of authorities";
        let unusable = |source| SettingsError::File { path: path.display().to_string(), what, source };
        let mut store = openssl::x509::store::X509StoreBuilder::new()?;
        let unread = |source| SettingsError::Read { path: path.display().to_string(), source };
        let pem = std::fs::read(path).map_err(unread)?;
        for certificate in openssl::x509::X509::stack_from_pem(&pem).map_err(unusable)? {
            store.add_cert(certificate)?;
        }
        builder.set_cert_store(store.build());
    }
    if profile.no_ssl_verify {
        builder.set_verify(SslVerifyMode::NONE);
    }
    // httpd asks for the certificate by a new handshake, which OpenSSL lets servers begin unless told otherwise.
    builder.clear_options(SslOptions::NO_RENEGOTIATION);
    post_handshake(&mut builder);
    Ok(builder.build())
}

/// Lets a server ask for the certificate after the handshake (TLS 1.3).
#[allow(
    unsafe_code,
    reason = "the openssl crate has no function for it; this is the one place outside of runner/"
)]
fn post_handshake(builder: &mut openssl::ssl::SslContextBuilder) {
    unsafe extern "C" {
        /// OpenSSL 1.1.1 and later; the library is linked by the openssl crate, whose minimum it is for TLS 1.3.
        fn SSL_CTX_set_post_handshake_auth(context: *mut std::ffi::c_void, value: std::ffi::c_int);
    }
    // SAFETY: the pointer is that of a live SSL_CTX, which `builder` owns exclusively here; the function sets a flag in
    // it, keeps no pointer, and takes 0 or 1.
    unsafe { SSL_CTX_set_post_handshake_auth(builder.as_ptr().cast(), 1) }
}

/// Makes a connection. The server has to have the host's name.
pub(super) async fn handshake(
    settings: &SslConnector,
    host: &str,
    tcp: TcpStream,
) -> Result<SslStream<TcpStream>, String> {
    let mut configured = settings.configure().map_err(|error| error.to_string())?;
    if settings.context().verify_mode() == SslVerifyMode::NONE {
        configured.set_verify_hostname(false);
    }
    let ssl = configured.into_ssl(host).map_err(|error| error.to_string())?;
    let mut stream = SslStream::new(ssl, tcp).map_err(|error| error.to_string())?;
    Pin::new(&mut stream).connect().await.map_err(|error| error.to_string())?;
    Ok(stream)
}
