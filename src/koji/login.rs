//! Logins with a client certificate, or with a ticket of Kerberos.
//!
//! The call `sslLogin` goes to `/ssllogin` below the hub's address, the one place where Koji's usual configuration of
//! httpd asks for a certificate. It asks once it has read the request: by a new handshake under TLS 1.2, by
//! post-handshake authentication under 1.3. Both need OpenSSL; what follows the login needs no certificate any more.
//! Proxies are not used for it. With a ticket the same call goes to the same place, whose `Negotiate` asks for it.

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue, USER_AGENT, WWW_AUTHENTICATE};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::error::KojiError;
use super::negotiate::Negotiation;
use super::profile::Profile;
use super::session::Granted;
use super::tls;
use super::transport::Ticket;
use crate::base::chain;
use crate::format::xmlrpc::{Limits, read_answer};

/// Bytes of an answer to a login.
const LARGEST: usize = 1 << 20;

/// What shows who somebody is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Proof {
    /// The profile's certificate.
    Certificate,
    /// A ticket of Kerberos.
    Kerberos,
}

/// Logs in.
pub(super) async fn by(
    proof: Proof,
    profile: &Profile,
    call: Vec<u8>,
    expired: Option<&Ticket>,
) -> Result<Granted, KojiError> {
    let url = format!("{}/ssllogin", profile.server.trim_end_matches('/'));
    let exchange = exchange(proof, profile, &url, call, expired);
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
    proof: Proof,
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
        return Err(impossible("it is sent over https only".into()));
    };
    let settings =
        tls::settings(profile, proof == Proof::Certificate).map_err(|error| impossible(chain(&error)))?;
    // An IPv6 address stands in brackets there.
    let plain = host.trim_start_matches('[').trim_end_matches(']');
    let tcp = TcpStream::connect((plain, port)).await.map_err(|error| broken(error.to_string(), false))?;
    let stream = tls::handshake(&settings, plain, tcp).await.map_err(|reason| {
        let certificate = reason.contains("certificate verify failed");
        broken(reason, certificate)
    })?;
    // Whoever gets a token is known to be the host before there is one.
    let begun = match proof {
        Proof::Certificate => None,
        Proof::Kerberos => {
            let (profile, host) = (profile.clone(), plain.to_owned());
            let begin = tokio::task::spawn_blocking(move || Negotiation::begin(&profile, &host)).await;
            let begun = begin.map_err(|error| KojiError::Reading(error.to_string()))?;
            Some(begun.map_err(impossible)?)
        }
    };
    let (negotiation, token) = begun.unzip();
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
    if let Some(mut token) = token.and_then(|token| HeaderValue::from_str(&token).ok()) {
        token.set_sensitive(true);
        request = request.header(AUTHORIZATION, token);
    }
    let request = request.body(Full::new(Bytes::from(call))).map_err(|error| impossible(chain(&error)))?;
    let response = sender.send_request(request).await.map_err(|error| broken(chain(&error), false))?;
    let status = response.status();
    let answers: Vec<String> = response
        .headers()
        .get_all(WWW_AUTHENTICATE)
        .iter()
        .filter_map(|value| Some(value.to_str().ok()?.to_owned()))
        .collect();
    let body = Limited::new(response.into_body(), LARGEST).collect().await;
    driver.abort();
    let body = body.map_err(|error| broken(error.to_string(), false))?.to_bytes();
    if !status.is_success() {
        let text = String::from_utf8_lossy(&body);
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(200).collect();
        return Err(KojiError::Status { url: url.into(), status: status.as_u16(), text });
    }
    if let Some(negotiation) = negotiation {
        negotiation.finish(&answers).map_err(impossible)?;
    }
    Ok(body)
}
