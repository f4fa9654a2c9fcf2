//! Koji: packages that requests name instead of bringing them, and signatures that go to a hub.
//!
//! A package is looked for by name, version, release and arch, has to have the MD5 that the request names, and goes from
//! the hub's files to the server while it arrives. Of a signed package the signature header goes to the hub by
//! `addRPMSig`; writing the signed copy is left to whoever asked.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use openssl::hash::{Hasher, MessageDigest};
use reqwest::{Certificate, Client, Response};
use serde::Deserialize;
use zeroize::Zeroizing;

use super::config::private;
use crate::base::chain;
use crate::base::digest::hex;
use crate::format::xmlrpc::Value;
use crate::koji::paths::BuildPath;
use crate::koji::rows::Rpm;
use crate::koji::{Credentials, Hub, KojiError, NoSignatureHeader, Profile, Retry, SignatureHeader};
use crate::rpm::headers::LEAD;
use crate::rpm::{Extent, extent};
use crate::sigul::wire::{Fields, FieldsError};

/// Bytes of the largest signature header: with its package it is in memory.
pub(super) const LARGEST_HEADER: usize = 16 << 20;
/// Of a signature header's beginning, what says how long it is.
pub(super) const INTRO: usize = 16;
/// How long a hub, or its files, may be silent.
const PATIENCE: Duration = Duration::from_secs(60);
/// Calls that failed are made again so often and so far apart.
const RETRY: (u32, Duration) = (3, Duration::from_secs(2));

/// A hub, as the configuration has it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct InstanceFile {
    profile: Option<String>,
    server: Option<String>,
    topurl: Option<String>,
    authtype: Option<String>,
    cert: Option<PathBuf>,
    serverca: Option<PathBuf>,
    principal: Option<String>,
    user: Option<String>,
    password_file: Option<PathBuf>,
    clients: Option<Vec<String>>,
    #[serde(default)]
    proxy_user: bool,
}

/// A hub of a bridge.
#[derive(Clone, Debug)]
pub struct Instance {
    profile: Profile,
    topurl: String,
    /// User and the file with the password.
    password: Option<(String, PathBuf)>,
    /// Who may use it; everybody where it does not say.
    clients: Option<Vec<String>>,
    /// Whether calls are made as the client.
    proxy_user: bool,
}

impl InstanceFile {
    pub(super) fn check(self, name: &str, folder: &Path, reasons: &mut Vec<String>) -> Option<Instance> {
        let mut profile = match self.profile.as_deref().map(Profile::named) {
            Some(Ok(profile)) => profile,
            Some(Err(error)) => {
                reasons.push(format!("'koji.{name}': {}", chain(&error)));
                return None;
            }
            None => Profile::at(""),
        };
        let beside = |path: Option<PathBuf>| path.map(|path| folder.join(path));
        profile.server = self.server.unwrap_or(profile.server);
        profile.authtype = self.authtype.or(profile.authtype);
        profile.cert = beside(self.cert).or(profile.cert);
        profile.serverca = beside(self.serverca).or(profile.serverca);
        profile.principal = self.principal.or(profile.principal);
        profile.timeout = PATIENCE;
        profile.retry = Retry { most: RETRY.0, interval: RETRY.1, ..Retry::default() };
        let before = reasons.len();
        let mut wrong = |reason: &str| reasons.push(format!("'koji.{name}': {reason}"));
        if profile.server.is_empty() {
            wrong("it needs 'server' or 'profile'");
        }
        let topurl = self.topurl.or_else(|| profile.topurl.clone()).unwrap_or_default();
        if topurl.is_empty() {
            wrong("it needs 'topurl', where the hub's files are");
        }
        let password = match (self.user, beside(self.password_file)) {
            (Some(user), Some(file)) => Some((user, file)),
            (None, None) => None,
            _ => {
                wrong("'user' and 'password-file' belong together");
                None
            }
        };
        match Credentials::of(&profile) {
            _ if password.is_some() && self.proxy_user => {
                wrong("'proxy-user' needs a login by a certificate or a ticket, not by a password");
            }
            _ if password.is_some() => {}
            Ok(None) if self.proxy_user => wrong("'proxy-user' needs a login, and 'authtype' is 'noauth'"),
            Ok(_) => {}
            Err(error) => wrong(&error.to_string()),
        }
        let secrets = profile.cert.iter().chain(password.as_ref().map(|(_, file)| file));
        secrets.for_each(|secret| private(secret, reasons));
        let (clients, proxy_user) = (self.clients, self.proxy_user);
        (reasons.len() == before).then_some(Instance { profile, topurl, password, clients, proxy_user })
    }
}

/// Why a package was not had, or a signature not given. A retry helps where a hub or its files had temporary troubles.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The request names an instance that is not configured, or that the client may not use.
    #[error("{0}")]
    Instance(String),
    /// The request does not say which package it is.
    #[error("the request does not name its package: {0}")]
    Fields(#[from] FieldsError),
    /// The hub has no such package.
    #[error("the hub has no package {0}")]
    None(String),
    /// The hub's package is another one.
    #[error("the hub's {nevra} has the MD5 {found}, not {wanted}")]
    Differs {
        /// The package.
        nevra: String,
        /// What the hub, or the file, says.
        found: String,
        /// What it has to be.
        wanted: String,
    },
    /// The hub fails.
    #[error("the hub cannot be asked")]
    Hub(#[from] KojiError),
    /// The file cannot be had.
    #[error("'{url}' cannot be had: {reason}")]
    File {
        /// Where.
        url: String,
        /// Why.
        reason: String,
    },
    /// The signature cannot be given to the hub.
    #[error("{0}")]
    Signature(String),
}

/// What one request has to do with Koji.
#[derive(Debug)]
pub(super) struct Desk {
    instance: Result<Instance, String>,
    /// Who asks, by the certificate.
    client: String,
    /// Logs in where it has to.
    writer: tokio::sync::Mutex<Option<Hub>>,
}

/// A signature that a hub has.
#[derive(Debug)]
pub(super) struct Imported {
    pub(super) sigkey: String,
    pub(super) sighash: String,
    /// Whether the hub did not have it before.
    pub(super) is_new: bool,
}

/// A package's file that begins to arrive.
pub(super) struct Download {
    response: Response,
    url: String,
    nevra: String,
    wanted: String,
    /// What arrived and was not handed out yet.
    pub(super) start: Vec<u8>,
    /// Bytes that are handed out.
    pub(super) size: u64,
    /// Whether the whole file is.
    whole: bool,
    hasher: Hasher,
    /// Bytes in front of what the MD5 covers.
    skip: u64,
}

impl Desk {
    /// Finds the instance that a request names; else the only one, or that which is called `default`.
    pub(super) fn new(all: &BTreeMap<String, Instance>, fields: &Fields, client: &str) -> Self {
        let named = fields.optional_text("koji-instance").ok().flatten();
        let only = all.values().next().filter(|_| all.len() == 1);
        let found = match named {
            Some(name) => all.get(name),
            None => all.get("default").or(only),
        };
        let name = named.unwrap_or("default");
        let instance = match found {
            None => Err(format!("the Koji instance '{name}' is not configured")),
            Some(Instance { clients: Some(clients), .. }) if !clients.iter().any(|one| one == client) => {
                Err(format!("the client '{client}' may not use the Koji instance '{name}'"))
            }
            Some(instance) => Ok(instance.clone()),
        };
        Self { instance, client: client.into(), writer: tokio::sync::Mutex::default() }
    }

    /// Whether there is an instance.
    pub(super) fn is_open(&self) -> Result<(), FetchError> {
        self.instance().map(drop)
    }

    fn instance(&self) -> Result<&Instance, FetchError> {
        self.instance.as_ref().map_err(|reason| FetchError::Instance(reason.clone()))
    }

    /// The package that fields name.
    async fn find(&self, hub: &Hub, fields: &Fields) -> Result<Rpm, FetchError> {
        let mut key = BTreeMap::new();
        for name in ["name", "version", "release", "arch"] {
            key.insert(name.to_owned(), Value::from(fields.text(&format!("rpm-{name}"))?));
        }
        let nevra = nevra(fields);
        let rpm: Option<Rpm> = hub.rpm(Value::Struct(key)).await?;
        let rpm = rpm.ok_or_else(|| FetchError::None(nevra.clone()))?;
        match fields.get("rpm-sigmd5").map(hex) {
            Some(wanted) if wanted != *rpm.payloadhash => {
                Err(FetchError::Differs { nevra, found: rpm.payloadhash.into(), wanted })
            }
            _ => Ok(rpm),
        }
    }

    /// Begins to fetch the package that fields name; its headers alone, if that is enough.
    pub(super) async fn open(&self, fields: &Fields, headers_only: bool) -> Result<Download, FetchError> {
        let instance = self.instance()?;
        let hub = Hub::open(&instance.profile)?;
        let rpm = self.find(&hub, fields).await?;
        let nevra = nevra(fields);
        let build = match rpm.build_id {
            Some(id) => hub.build(id).await?,
            None => None,
        };
        let build = build.ok_or_else(|| FetchError::None(nevra.clone()))?;
        let path = BuildPath::from(&build).rpm(&rpm);
        let path = path.map_err(|error| FetchError::None(format!("{nevra}: {error}")))?;
        let url = format!("{}/{path}", instance.topurl.trim_end_matches('/'));
        let no = |reason: String| FetchError::File { url: url.clone(), reason };
        let client = client(&instance.profile).map_err(&no)?;
        let response = client.get(&url).send().await.map_err(|error| no(chain(&error.without_url())))?;
        if !response.status().is_success() {
            return Err(no(format!("status {}", response.status().as_u16())));
        }
        let size = response.content_length().ok_or_else(|| no("it has no Content-Length".into()))?;
        let md5 = Hasher::new(MessageDigest::md5()).map_err(|error| no(error.to_string()))?;
        let mut download = Download {
            response,
            url: url.clone(),
            nevra,
            wanted: rpm.payloadhash.into(),
            start: Vec::new(),
            size,
            whole: !headers_only,
            hasher: md5,
            skip: 0,
        };
        download.begin(headers_only).await?;
        Ok(download)
    }

    /// Gives the signature header of a package to the hub, unless it has it, and says which it was.
    pub(super) async fn import(&self, fields: &Fields, header: &[u8]) -> Result<Imported, FetchError> {
        let instance = self.instance()?;
        let mut writer = self.writer.lock().await;
        let hub = match &*writer {
            Some(hub) => hub.clone(),
            None => writer.insert(instance.enter(&self.client).await?).clone(),
        };
        let rpm = self.find(&hub, fields).await?;
        let header =
            SignatureHeader::parse(header).map_err(|error| FetchError::Signature(no_header(&error)))?;
        let nevra = nevra(fields);
        if header.sigkey.is_empty() {
            return Err(FetchError::Signature(format!("{nevra} came back without a signature")));
        }
        let sigmd5 = header.sigmd5.as_deref().unwrap_or_default();
        if sigmd5 != &*rpm.payloadhash {
            let wanted = rpm.payloadhash.into();
            return Err(FetchError::Differs { nevra, found: sigmd5.into(), wanted });
        }
        let known = hub.signatures_by(rpm.id, &header.sigkey).await?;
        if let Some(other) = known.iter().find(|known| *known.sighash != *header.sighash) {
            return Err(FetchError::Signature(format!(
                "the hub has another signature of {nevra} by the key {}: {}, not {}",
                header.sigkey, other.sighash, header.sighash
            )));
        }
        if known.is_empty() {
            hub.add_signature(rpm.id, &header).await?;
        }
        Ok(Imported { sigkey: header.sigkey, sighash: header.sighash, is_new: known.is_empty() })
    }

    /// Ends the session, if there is one.
    pub(super) async fn close(&self) {
        if let Some(hub) = self.writer.lock().await.take() {
            // A session that is not ended expires.
            drop(tokio::time::timeout(PATIENCE, hub.logout()).await);
        }
    }
}

/// Why a signature header cannot be given to a hub.
fn no_header(error: &NoSignatureHeader) -> String {
    format!("the signature header cannot be given to a hub: {}", chain(error))
}

impl Instance {
    /// Logs in, for the client where it is configured so.
    async fn enter(&self, client: &str) -> Result<Hub, FetchError> {
        let hub = Hub::open(&self.profile)?;
        let credentials = match &self.password {
            None => Credentials::of(&self.profile)?,
            Some((user, file)) => {
                let unread = |error: std::io::Error| {
                    FetchError::Instance(format!("'{}' cannot be read: {error}", file.display()))
                };
                let mut text = Zeroizing::new(std::fs::read_to_string(file).map_err(unread)?);
                let length = text.trim_end_matches(['\r', '\n']).len();
                text.truncate(length);
                Some(Credentials::Password { user: user.clone(), password: text })
            }
        };
        match credentials {
            Some(credentials) if self.proxy_user => hub.login_for(client, credentials).await?,
            Some(credentials) => hub.login(credentials).await?,
            None => {}
        }
        Ok(hub)
    }
}

impl Download {
    /// Reads so much that it is known how long the headers are.
    async fn begin(&mut self, headers_only: bool) -> Result<(), FetchError> {
        self.more(LEAD + INTRO).await?;
        let length = header_length(self.start.get(LEAD..).unwrap_or_default());
        let length = length.ok_or_else(|| self.no("it is no package"))?;
        let main = LEAD + length.next_multiple_of(8);
        self.more(main).await?;
        let header = self.start.get(LEAD..main).unwrap_or_default();
        let header = SignatureHeader::parse(header).map_err(|error| self.no(&no_header(&error)))?;
        self.skip = main as u64;
        if let Some(found) = header.sigmd5.filter(|found| *found != self.wanted) {
            let (nevra, wanted) = (self.nevra.clone(), self.wanted.clone());
            return Err(FetchError::Differs { nevra, found, wanted });
        }
        if headers_only {
            self.more(main + INTRO).await?;
            let Ok(Extent::Whole(end)) = extent(&self.start) else { return Err(self.no("it is no package")) };
            if end > self.size {
                return Err(self.no("it ends within its headers"));
            }
            self.size = end;
        }
        Ok(())
    }

    /// Reads until there are so many bytes in the start.
    async fn more(&mut self, wanted: usize) -> Result<(), FetchError> {
        if wanted > LARGEST_HEADER {
            return Err(self.no("its signature header is too large"));
        }
        while self.start.len() < wanted {
            let Some(piece) = self.chunk().await? else { return Err(self.no("it ends within its headers")) };
            self.start.extend_from_slice(&piece);
        }
        Ok(())
    }

    async fn chunk(&mut self) -> Result<Option<hyper::body::Bytes>, FetchError> {
        let piece = tokio::time::timeout(PATIENCE, self.response.chunk()).await;
        match piece {
            Ok(Ok(piece)) => Ok(piece),
            Ok(Err(error)) => Err(self.no(&chain(&error.without_url()))),
            Err(_) => Err(self.no("nothing came in time")),
        }
    }

    /// The next piece; none at the end. The last one comes only where the whole file had the right MD5.
    pub(super) async fn next(&mut self, left: u64) -> Result<Option<Vec<u8>>, FetchError> {
        let mut piece = std::mem::take(&mut self.start);
        if left == 0 {
            return Ok(None);
        }
        if piece.is_empty() {
            let Some(chunk) = self.chunk().await? else { return Err(self.no("it is cut off")) };
            piece = chunk.to_vec();
        }
        piece.truncate(usize::try_from(left).unwrap_or(usize::MAX));
        let covered = piece.get(usize::try_from(self.skip).unwrap_or(usize::MAX).min(piece.len())..);
        let covered = covered.unwrap_or_default();
        let hashed = self.hasher.update(covered).map_err(|error| error.to_string());
        self.skip -= (piece.len() - covered.len()) as u64;
        hashed.map_err(|error| self.no(&error))?;
        if self.whole && piece.len() as u64 == left {
            let found = self.hasher.finish().map(|found| hex(&found)).unwrap_or_default();
            if found != self.wanted {
                let (nevra, wanted) = (self.nevra.clone(), self.wanted.clone());
                return Err(FetchError::Differs { nevra, found, wanted });
            }
        }
        Ok(Some(piece))
    }

    fn no(&self, reason: &str) -> FetchError {
        FetchError::File { url: self.url.clone(), reason: reason.into() }
    }
}

/// How long a header is, by its first 16 bytes; none where it is no header.
pub(super) fn header_length(intro: &[u8]) -> Option<usize> {
    let intro = intro.strip_prefix(&[0x8e, 0xad, 0xe8, 0x01, 0, 0, 0, 0])?;
    let number = |at: usize| {
        let bytes = intro.get(at..)?.first_chunk()?;
        usize::try_from(u32::from_be_bytes(*bytes)).ok()
    };
    number(0)?.checked_mul(16)?.checked_add(number(4)?)?.checked_add(INTRO)
}

/// What a package is called in messages.
pub(super) fn nevra(fields: &Fields) -> String {
    let part = |name: &str| fields.text(name).unwrap_or("?");
    let [name, version, release, arch] = ["rpm-name", "rpm-version", "rpm-release", "rpm-arch"].map(part);
    format!("{name}-{version}-{release}.{arch}")
}

fn client(profile: &Profile) -> Result<Client, String> {
    let mut builder = Client::builder()
        .user_agent("koji/1")
        .http1_only()
        .redirect(reqwest::redirect::Policy::limited(5))
        .connect_timeout(PATIENCE)
        .read_timeout(PATIENCE);
    if let Some(path) = &profile.serverca {
        let pem = std::fs::read(path).map_err(|error| format!("'{}': {error}", path.display()))?;
        builder = builder.tls_certs_only(Certificate::from_pem_bundle(&pem).map_err(|error| chain(&error))?);
    }
    builder.build().map_err(|error| chain(&error))
}
