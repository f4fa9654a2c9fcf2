//! Requests to one repository of one registry: where it is, who we are to it, what its refusals mean.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use reqwest::{Client, RequestBuilder, Response, StatusCode, Url};
use zeroize::Zeroizing;

use super::auth::{self, Challenge, Credentials};
use super::reference::Reference;
use super::registry::{Access, RegistryError};
use crate::base::Digest;

/// A registry that says nothing for this long has gone.
pub const SILENCE: Duration = Duration::from_secs(60);

/// One repository of one registry.
pub struct Registry {
    client: Client,
    pub base: Url,
    pub host: String,
    pub repository: String,
    pub plain_http: bool,
    pub credentials: Option<Credentials>,
    /// The header of the requests once we know what the registry wants.
    authorization: Mutex<Option<Zeroizing<String>>>,
}

impl Registry {
    pub fn new(reference: &Reference, access: &Access) -> Result<Self, RegistryError> {
        let credentials = match &access.auth_file {
            None => None,
            Some(path) => {
                let bytes = std::fs::read(path).map(Zeroizing::new);
                let bytes = bytes.map_err(|source| RegistryError::AuthFile { path: path.clone(), source })?;
                auth::find(&bytes, reference.host(), reference.repository())
                    .map_err(|source| RegistryError::Auth { path: path.clone(), source })?
            }
        };
        let plain_http = access.plain_http || reference.is_loopback();
        let scheme = if plain_http { "http" } else { "https" };
        let (host, repository) = (reference.host().to_owned(), reference.repository().to_owned());
        let base = format!("{scheme}://{host}/v2/{repository}/");
        let base = Url::parse(&base).map_err(|error| RegistryError::Protocol {
            doing: "reaching a registry".into(),
            host: host.clone(),
            problem: error.to_string(),
        })?;
        let redirect = reqwest::redirect::Policy::custom(move |attempt| {
            if attempt.previous().len() > 5 {
                attempt.error("it redirects too often")
            } else if attempt.url().scheme() != "https" && !plain_http {
                attempt.error("it redirects to an address without TLS")
            } else {
                attempt.follow()
            }
        });
        let mut client = Client::builder()
            .user_agent(concat!("gander/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(Duration::from_secs(30))
            .redirect(redirect);
        if reference.is_loopback() {
            // No proxy reaches our own loopback device.
            client = client.no_proxy();
        }
        let client = client.build().map_err(RegistryError::Client)?;
        Ok(Self { client, base, host, repository, plain_http, credentials, authorization: Mutex::default() })
    }

    pub fn url(&self, doing: &str, path: &str) -> Result<Url, RegistryError> {
        self.base.join(path).map_err(|error| self.protocol(doing, error.to_string()))
    }

    pub fn protocol(&self, doing: &str, problem: impl Into<String>) -> RegistryError {
        RegistryError::Protocol { doing: doing.into(), host: self.host.clone(), problem: problem.into() }
    }

    pub fn wrong(&self, doing: &str, expected: &Digest, problem: String) -> RegistryError {
        RegistryError::WrongContent {
            doing: doing.into(),
            host: self.host.clone(),
            expected: *expected,
            problem,
        }
    }

    /// Waits, but not for ever. Addresses are left out of errors: they may hold a session's token.
    pub async fn within<T>(
        &self,
        doing: &str,
        limit: Duration,
        work: impl Future<Output = Result<T, reqwest::Error>>,
    ) -> Result<T, RegistryError> {
        match tokio::time::timeout(limit, work).await {
            Ok(result) => result.map_err(|source| RegistryError::Connection {
                doing: doing.into(),
                host: self.host.clone(),
                source: source.without_url(),
            }),
            Err(_) => Err(RegistryError::Silent { doing: doing.into(), host: self.host.clone() }),
        }
    }

    /// Sends a request, with what the registry wants to know of us; asks for that once when it is refused.
    pub async fn send(
        &self,
        doing: &str,
        limit: Duration,
        request: impl Fn(&Client) -> Result<RequestBuilder, RegistryError>,
    ) -> Result<Response, RegistryError> {
        for admitted in [false, true] {
            let mut request = request(&self.client)?.build().map_err(RegistryError::Client)?;
            let header = self.authorization.lock().unwrap_or_else(PoisonError::into_inner).clone();
            // An upload may go to another host; our secrets may not.
            if let Some(header) = header
                && request.url().origin() == self.base.origin()
            {
                let mut value = reqwest::header::HeaderValue::from_str(&header)
                    .map_err(|_| self.protocol(doing, "its token is not a possible header"))?;
                value.set_sensitive(true);
                request.headers_mut().insert(AUTHORIZATION, value);
            }
            let response = self.within(doing, limit, self.client.execute(request)).await?;
            if response.status() != StatusCode::UNAUTHORIZED || admitted {
                return self.check(doing, response).await;
            }
            self.admit(doing, &response).await?;
        }
        Err(self.protocol(doing, "it asks for credentials for ever"))
    }

    /// Turns a refusal into an error, with what the registry says.
    async fn check(&self, doing: &str, response: Response) -> Result<Response, RegistryError> {
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let said = said(&self.at_most(doing, response, 16_384).await.unwrap_or_default());
        let (doing, host) = (doing.into(), self.host.clone());
        Err(match status {
            StatusCode::NOT_FOUND => RegistryError::NotFound { doing, host, said },
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => RegistryError::Denied { doing, host, said },
            _ => RegistryError::Refused { doing, host, status, said },
        })
    }

    /// Gets what the challenge asks for.
    async fn admit(&self, doing: &str, response: &Response) -> Result<(), RegistryError> {
        let denied = |why: &str| RegistryError::Denied {
            doing: doing.into(),
            host: self.host.clone(),
            said: format!(": {why}"),
        };
        let header = response.headers().get(WWW_AUTHENTICATE).and_then(|header| header.to_str().ok());
        let challenge = header.and_then(auth::challenge);
        let header = match challenge
            .ok_or_else(|| denied("it asks for credentials in a way that gander does not know"))?
        {
            Challenge::Basic => {
                use base64::Engine as _;
                let Credentials { user, password } =
                    self.credentials.as_ref().ok_or_else(|| denied("it asks for a user and a password"))?;
                let both = Zeroizing::new(format!("{user}:{}", **password));
                let encoded =
                    Zeroizing::new(base64::engine::general_purpose::STANDARD.encode(both.as_bytes()));
                Zeroizing::new(format!("Basic {}", *encoded))
            }
            Challenge::Bearer { realm, service, scope } => {
                let mut url =
                    Url::parse(&realm).map_err(|_| denied("its token service has no possible address"))?;
                if url.scheme() != "https" && !(self.plain_http && url.scheme() == "http") {
                    return Err(denied("its token service does not use TLS"));
                }
                for (key, value) in [("service", service), ("scope", scope)] {
                    if let Some(value) = value {
                        url.query_pairs_mut().append_pair(key, &value);
                    }
                }
                let mut request = self.client.get(url);
                if let Some(Credentials { user, password }) = &self.credentials {
                    request = request.basic_auth(user, Some(&**password));
                }
                let response = self.within(doing, SILENCE, request.send()).await?;
                let response = self.check(doing, response).await?;
                let bytes = Zeroizing::new(self.at_most(doing, response, 1 << 16).await?);
                let token: Token = serde_json::from_slice(&bytes)
                    .map_err(|_| self.protocol(doing, "its token service sends no token"))?;
                let token = token.token.or(token.access_token).filter(|token| !token.is_empty());
                let token = token.ok_or_else(|| self.protocol(doing, "its token service sends no token"))?;
                Zeroizing::new(format!("Bearer {}", *token))
            }
        };
        *self.authorization.lock().unwrap_or_else(PoisonError::into_inner) = Some(header);
        Ok(())
    }

    pub async fn at_most(
        &self,
        doing: &str,
        mut response: Response,
        limit: u64,
    ) -> Result<Vec<u8>, RegistryError> {
        let mut bytes = Vec::new();
        while let Some(chunk) = self.within(doing, SILENCE, response.chunk()).await? {
            if bytes.len() as u64 + chunk.len() as u64 > limit {
                return Err(self.protocol(doing, format!("it sends more than {limit} bytes")));
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes)
    }
}

#[derive(serde::Deserialize)]
struct Token {
    #[serde(default, deserialize_with = "auth::secret")]
    token: Option<Zeroizing<String>>,
    #[serde(default, deserialize_with = "auth::secret")]
    access_token: Option<Zeroizing<String>>,
}

/// What a registry says about an error: its own codes and messages, cut short.
pub fn said(body: &[u8]) -> String {
    #[derive(serde::Deserialize)]
    struct Said {
        errors: Vec<One>,
    }
    #[derive(serde::Deserialize)]
    struct One {
        code: Option<String>,
        message: Option<String>,
    }
    let Ok(said) = serde_json::from_slice::<Said>(body) else { return String::new() };
    let words = said.errors.into_iter().take(3).filter_map(|one| one.message.or(one.code));
    let words: String = words.collect::<Vec<_>>().join(", ").escape_debug().take(200).collect();
    if words.is_empty() { words } else { format!(": {words}") }
}
