//! A key on a server, as what signs a release: from files and texts to packets that were verified.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use zeroize::Zeroizing;

use super::{Client, ClientError, Config, Package, Payload, Request, RpmsOptions, Signed};
use crate::openpgp::{
    Certificate, CleartextError, Fingerprint, KeyringError, PacketError, VerifyError, dearmor, signature_of,
    verify_detached, verify_header, verify_text,
};
use crate::rpm::header::Part;
use crate::rpm::{Header, Headers, PackageError, signature};
use crate::sign::KeyError;
use crate::sign::key::read_passphrase;
use crate::sigul::service::FileError;
use crate::sigul::stream::TlsError;

/// How often packages are sent again that got no answer.
const ATTEMPTS: u32 = 3;
/// The pause before the first repetition.
const PAUSE: Duration = Duration::from_secs(1);
/// The largest certificate.
const LARGEST_CERTIFICATE: u64 = 1 << 20;
/// What a message is longer than its text, at most: escapes at each line, and signatures.
const LARGEST_MESSAGE: u64 = 256 << 20;

/// Why a key on a server does not sign. A retry helps where the connection failed.
#[derive(Debug, thiserror::Error)]
pub enum RemoteError {
    /// The configuration cannot be used.
    #[error(transparent)]
    Config(#[from] FileError),
    /// The configuration has no passphrase for the key.
    #[error("'{config}' names no file with the passphrase for the key '{key}'")]
    NoPassphrase {
        /// The configuration file.
        config: PathBuf,
        /// The key.
        key: String,
    },
    /// The passphrase cannot be read.
    #[error(transparent)]
    Passphrase(#[from] KeyError),
    /// The certificates cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The server did not answer, or refused.
    #[error("the signing server did not sign")]
    Client(#[from] ClientError),
    /// The system refused.
    #[error("no connection can be made")]
    System(#[from] std::io::Error),
    /// What the server calls the public key is none.
    #[error("the public key of '{key}' is not usable")]
    NoCertificate {
        /// The key.
        key: String,
        /// Why.
        source: KeyringError,
    },
    /// The server's key is not the one that is wanted.
    #[error("the server's key '{key}' is {found}, not {wanted}")]
    OtherKey {
        /// The key's name.
        key: String,
        /// Its fingerprint.
        found: Fingerprint,
        /// That of the one that is wanted.
        wanted: String,
    },
    /// A package cannot be read.
    #[error("the package '{path}' cannot be read")]
    Package {
        /// The file.
        path: PathBuf,
        /// Why.
        source: PackageError,
    },
    /// Packages were not signed.
    #[error("{} of the packages were not signed; the first: {}", .0.len(), .0.first().map_or("", String::as_str))]
    Refused(Vec<String>),
    /// The answer is no signature.
    #[error("the server's answer is no signature")]
    Packet(#[from] PacketError),
    /// The text is none that can be signed.
    #[error("the text cannot be signed")]
    Text(#[from] CleartextError),
    /// The signature is not good, or not of the wanted key.
    #[error("the server's signature is not accepted")]
    NotAccepted(#[source] VerifyError),
}

/// A key on a server.
#[derive(Debug)]
pub struct RemoteKey {
    client: Client,
    key: String,
    passphrase: Zeroizing<Vec<u8>>,
    head_signing: bool,
    certificate: Certificate,
    runtime: tokio::runtime::Runtime,
}

impl RemoteKey {
    /// Reads a configuration, and gets the key's certificate from the server. With `wanted` that has to be the one.
    pub fn open(config: &Path, key: &str, wanted: Option<&str>) -> Result<Self, RemoteError> {
        let path = config;
        let config = Config::read(path)?;
        let Some(passphrase) = config.passphrases.get(key) else {
            return Err(RemoteError::NoPassphrase { config: path.into(), key: key.into() });
        };
        let passphrase = read_passphrase(passphrase)?;
        let client = Client::new(config.settings)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let request = Request::new("get-public-key").field("key", key).secret("passphrase", &passphrase);
        let (_, armored) = runtime.block_on(client.call(request, LARGEST_CERTIFICATE))?;
        let certificate = Certificate::parse(&armored)
            .map_err(|source| RemoteError::NoCertificate { key: key.into(), source })?;
        let found = certificate.fingerprint();
        if let Some(wanted) = wanted.filter(|wanted| *wanted != found.as_str()) {
            return Err(RemoteError::OtherKey { key: key.into(), found, wanted: wanted.into() });
        }
        let head_signing = config.head_signing;
        Ok(Self { client, key: key.into(), passphrase, head_signing, certificate, runtime })
    }

    /// The key's certificate.
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    fn request<'r>(&self, operation: &'r str, payload: &'r [u8]) -> Request<'r> {
        let request = Request::new(operation).field("key", &self.key).secret("passphrase", &self.passphrase);
        request.payload(Payload::Bytes(payload))
    }

    /// A detached signature of data.
    pub fn sign_data(&self, data: &[u8]) -> Result<Vec<u8>, RemoteError> {
        let request = self.request("sign-data", data);
        let (_, answer) = self.runtime.block_on(self.client.call(request, LARGEST_CERTIFICATE))?;
        let packet = dearmor(&answer)?;
        verify_detached(&self.certificate, &packet, data, None).map_err(RemoteError::NotAccepted)?;
        Ok(packet)
    }

    /// A signature of a text, as [`clearsign`](crate::openpgp::clearsign) takes it.
    pub fn sign_text(&self, text: &[u8]) -> Result<Vec<u8>, RemoteError> {
        let request = self.request("sign-text", text);
        let (_, message) = self.runtime.block_on(self.client.call(request, LARGEST_MESSAGE))?;
        let packet = dearmor(signature_of(&message).map_err(RemoteError::NotAccepted)?)?;
        // Over the text as it is here, whatever the message says.
        verify_text(&self.certificate, &packet, text, None).map_err(RemoteError::NotAccepted)?;
        Ok(packet)
    }

    /// Signatures of the main headers of packages, in their order. `told` hears of each repetition.
    pub fn sign_packages(
        &self,
        paths: &[PathBuf],
        told: &dyn Fn(String),
    ) -> Result<Vec<Vec<u8>>, RemoteError> {
        let spool = tempfile::tempdir()?;
        let options = RpmsOptions { head_signing: self.head_signing, ..RpmsOptions::default() };
        let mut packets: Vec<Option<Vec<u8>>> = vec![None; paths.len()];
        for attempt in 1.. {
            let open: Vec<usize> =
                (0..paths.len()).filter(|place| packets.get(*place) == Some(&None)).collect();
            if open.is_empty() {
                break;
            }
            let packages: Vec<Package> =
                open.iter().filter_map(|place| paths.get(*place)).cloned().map(Package::File).collect();
            let folder = tempfile::tempdir_in(spool.path())?;
            let mut outcomes = BTreeMap::new();
            let sent = self.runtime.block_on(self.client.sign_rpms(
                &self.key,
                &self.passphrase,
                &options,
                &packages,
                folder.path(),
                |place, outcome| drop(outcomes.insert(place, outcome)),
            ));
            let mut refused = Vec::new();
            for (place, outcome) in outcomes {
                let Some(place) = open.get(place) else { continue };
                let (Some(path), Some(packet)) = (paths.get(*place), packets.get_mut(*place)) else {
                    continue;
                };
                match outcome {
                    Ok(signed) => *packet = Some(self.packet(path, signed)?),
                    Err(reason) => refused.push(format!("'{}': {reason}", path.display())),
                }
            }
            if !refused.is_empty() {
                return Err(RemoteError::Refused(refused));
            }
            match sent {
                Ok(()) if packets.iter().all(Option::is_some) => break,
                Ok(()) if attempt >= ATTEMPTS => {
                    return Err(RemoteError::Refused(vec!["no answer came for some".into()]));
                }
                Err(error) if attempt >= ATTEMPTS || !may_pass(&error) => return Err(error.into()),
                Ok(()) => told("some packages got no answer and are sent again".into()),
                Err(error) => told(format!("{error}; what got no answer is sent again")),
            }
            std::thread::sleep(PAUSE * attempt);
        }
        Ok(packets.into_iter().flatten().collect())
    }

    /// The signature in what came back for a package, when it is one by this key over the package that is here.
    fn packet(&self, path: &Path, signed: Signed) -> Result<Vec<u8>, RemoteError> {
        let unreadable = |source| RemoteError::Package { path: path.into(), source };
        let open = |path: &Path| std::fs::File::open(path).map(std::io::BufReader::new);
        let headers = Headers::read(open(path)?).map_err(unreadable)?;
        let header = match signed {
            Signed::Header(raw) => {
                Header::parse(Part::Signature, &raw).map_err(PackageError::from).map_err(unreadable)?
            }
            Signed::File(file) => Headers::read(open(&file)?).map_err(unreadable)?.signature,
            Signed::Nothing => return Err(PacketError::NoSignature.into()),
        };
        let mut last = RemoteError::Packet(PacketError::NoSignature);
        for (_, packet) in signature::packets(&header).unwrap_or_default() {
            match verify_header(&self.certificate, &packet, headers.main.bytes(), None) {
                Ok(_) => return Ok(packet),
                Err(error) => last = RemoteError::NotAccepted(error),
            }
        }
        Err(last)
    }
}

/// Whether trying again may help.
fn may_pass(error: &ClientError) -> bool {
    matches!(error, ClientError::Unreachable { .. } | ClientError::Ended { .. } | ClientError::Silent(_))
}
