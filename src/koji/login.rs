//! Logins with a client certificate.
//!
//! The call `sslLogin` goes to `/ssllogin` below the hub's address, the one place where Koji's usual configuration of
//! httpd asks for a certificate. It asks once it has read the request: by a new handshake under TLS 1.2, by
//! post-handshake authentication under 1.3. Both need OpenSSL; what follows the login needs no certificate any more.
//! Proxies are not used for it.

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::header::{ACCEPT, CONTENT_TYPE, HOST, USER_AGENT};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::error::KojiError;
use super::profile::Profile;
use super::session::Granted;
use super::tls;
use super::transport::Ticket;
use crate::base::chain;
use crate::format::xmlrpc::{Limits, read_answer};

/// Bytes of an answer to a login.
const LARGEST: usize = 1 << 20;

/// Logs in with the profile's certificate.
pub(super) async fn by_certificate(
    profile: &Profile,
    call: Vec<u8>,
    expired: Option<&Ticket>,
) -> Result<Granted, KojiError> {
    let url = format!("{}/ssllogin", profile.server.trim_end_matches('/'));
    let exchange = exchange(profile, &url, call, expired);
    let body = tokio::time::timeout(profile.auth_timeout, exchange).await.map_err(|_| {
        KojiError::Connection { url: url.clone(), reason: "nothing came in time".into(), certificate: false }
    })??;
    match read_answer(&*body, &Limits::default()) {
        Ok(Ok(granted)) => Ok(granted),
        Ok(Err(fault)) => Err(KojiError::Fault { method: "sslLogin".into(), fault }),
        Err(source) => Err(KojiError::Answer { method: "sslLogin".into(), source }),
    }
}

async fn exchange(
    profile: &Profile,
    url: &str,
    call: Vec<u8>,
    expired: Option<&Ticket>,
) -> Result<Bytes, KojiError> {
    let impossible = |reason: String| KojiError::Login { url: url.into(), reason };
    let broken = |reason: String, certificate| KojiError::Connection { url: url.into(), reason, certificate };
    let address: reqwest::Url = url.parse().map_err(|_| impossible("this is no address".into()))?;
    let (Some(host), Some(port), "https") =
        (address.host_str(), address.port_or_known_default(), address.scheme())
    else {
        return Err(impossible("a certificate can be shown over https only".into()));
    };
    let settings = tls::settings(profile).map_err(|error| impossible(chain(&error)))?;
    // An IPv6 address stands in brackets there.
    let plain = host.trim_start_matches('[').trim_end_matches(']');
    let tcp = TcpStream::connect((plain, port)).await.map_err(|error| broken(error.to_string(), false))?;
    let stream = tls::handshake(&settings, plain, tcp).await.map_err(|reason| {
        let certificate = reason.contains("certificate verify failed");
        broken(reason, certificate)
    })?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|error| broken(chain(&error), false))?;
    let driver = tokio::spawn(connection);
    let mut request = hyper::Request::post(address.path())
        .header(HOST, format!("{host}:{port}"))
        .header(USER_AGENT, "koji/1")
        .header(ACCEPT, "*/*")
        .header(CONTENT_TYPE, "text/xml");
    if let Some(ticket) = expired {
        let headers = [
            ("Koji-Session-Id", ticket.id.to_string()),
            ("Koji-Session-Key", ticket.key.to_string()),
            ("Koji-Session-Callnum", ticket.number.to_string()),
        ];
        for (name, value) in headers {
            request = request.header(name, value);
        }
    }
    let request = request.body(Full::new(Bytes::from(call))).map_err(|error| impossible(chain(&error)))?;
    let response = sender.send_request(request).await.map_err(|error| broken(chain(&error), false))?;
    let status = response.status();
    let body = Limited::new(response.into_body(), LARGEST).collect().await;
    driver.abort();
    let body = body.map_err(|error| broken(error.to_string(), false))?.to_bytes();
    if !status.is_success() {
        let text = String::from_utf8_lossy(&body);
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(200).collect();
        return Err(KojiError::Status { url: url.into(), status: status.as_u16(), text });
    }
    Ok(body)
}
