//! What every request needs: a configuration, and secrets.

use std::path::{Path, PathBuf};

use super::super::{Failure, Kind};
use super::secrets::{Secrets, Which};
use crate::runner::leave_no_core;
use crate::sigul::client::{Client, ClientError, Config, RemoteError, Request};
use crate::sigul::stream::TlsError;
use crate::sigul::wire::{Code, Fields};

/// The largest answer that is kept in memory: keys, lists of names.
const LARGEST: u64 = 16 << 20;

/// An operation with what every request needs.
#[derive(Debug, clap::Args)]
pub struct Asked<T: clap::Args> {
    #[command(flatten)]
    pub what: T,
    #[command(flatten)]
    pub asking: Asking,
}

/// An operation that needs nothing.
#[derive(Debug, clap::Args)]
pub struct Nothing {}

/// Who asks whom.
#[derive(Debug, clap::Args)]
pub struct Asking {
    /// The configuration file (default: `gander/sigul.toml` below the XDG configuration folder, else /etc/gander/sigul.toml).
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Ask as this user (default: as the configuration or the certificate says).
    #[arg(short, long, value_name = "NAME")]
    user: Option<String>,
    #[command(flatten)]
    secrets: Secrets,
}

/// A configuration that was read, and a runtime to ask in.
pub struct Session<'a> {
    asking: &'a Asking,
    pub config: Config,
    pub client: Client,
    pub runtime: tokio::runtime::Runtime,
}

impl Asking {
    /// Reads the configuration.
    pub fn begin(&self) -> Result<Session<'_>, Failure> {
        let path = match &self.config {
            Some(path) => path.clone(),
            None => default_config(),
        };
        // Passphrases are about to be read. Its memory cannot be hidden more: secrets may come from /dev/fd.
        leave_no_core().map_err(|error| Failure::from_error(Kind::Surroundings, &error))?;
        let mut config = Config::read(&path)?;
        if let Some(user) = &self.user {
            config.settings.user = Some(user.clone());
        }
        let client = Client::new(config.settings.clone())?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| Failure::from_error(Kind::Surroundings, &error))?;
        Ok(Session { asking: self, config, client, runtime })
    }
}

impl Session<'_> {
    /// Puts a secret into a request.
    pub fn prove<'r>(&self, request: Request<'r>, which: Which) -> Result<Request<'r>, Failure> {
        let key = request.fields.optional_text("key").ok().flatten().unwrap_or_default();
        let configured = self.config.passphrases.get(key).map(PathBuf::as_path);
        let (name, prompt) = match which {
            Which::Password => ("password", "Administrator's password: "),
            Which::Passphrase => ("passphrase", "Passphrase for the key: "),
            Which::New if ["new-user", "modify-user"].contains(&request.operation) => {
                ("new-password", "New password: ")
            }
            // A new key's first passphrase has another name on the wire.
            Which::New if request.operation == "new-key" => ("passphrase", "Passphrase for the new key: "),
            Which::New => ("new-passphrase", "New passphrase: "),
        };
        let secret = self.asking.secrets.get(which, prompt, configured)?;
        Ok(request.secret(name, &secret))
    }

    /// Asks.
    pub fn ask(&self, request: Request<'_>) -> Result<(Fields, Vec<u8>), Failure> {
        Ok(self.runtime.block_on(self.client.call(request, LARGEST))?)
    }
}

#[allow(clippy::disallowed_methods, reason = "where the configuration lies reaches no output")]
fn default_config() -> PathBuf {
    let folder = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let own = folder("XDG_CONFIG_HOME").or_else(|| Some(folder("HOME")?.join(".config")));
    let own = own.map(|folder| folder.join("gander/sigul.toml")).filter(|path| path.exists());
    own.unwrap_or_else(|| Path::new("/etc/gander/sigul.toml").into())
}

impl From<TlsError> for Failure {
    fn from(error: TlsError) -> Self {
        let kind = match &error {
            TlsError::File { .. } | TlsError::Name => Kind::Input,
            TlsError::OpenSsl(_) | TlsError::Handshake { .. } => Kind::Surroundings,
        };
        Self::from_error(kind, &error)
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        let kind = match &error {
            ClientError::Tls(_)
            | ClientError::Unreachable { .. }
            | ClientError::Ended { .. }
            | ClientError::Silent(_)
            | ClientError::File { what: "written", .. } => Kind::Surroundings,
            ClientError::Request(_) => Kind::Usage,
            ClientError::Refused { code, .. } => match Code::of(*code) {
                Some(Code::UnknownError) | None => Kind::Surroundings,
                Some(_) => Kind::Verdict,
            },
            ClientError::File { .. }
            | ClientError::Forged(_)
            | ClientError::TooLarge { .. }
            | ClientError::Unexpected(_) => Kind::Input,
        };
        let failure = Self::from_error(kind, &error);
        match &error {
            ClientError::Ended { .. } => failure
                .hint("the bridge may have no server at hand, or refuse the request; its log says which"),
            _ => failure,
        }
    }
}

impl From<RemoteError> for Failure {
    fn from(error: RemoteError) -> Self {
        use RemoteError as E;
        match error {
            E::Config(error) => error.into(),
            E::Passphrase(error) => error.into(),
            E::Tls(error) => error.into(),
            E::Client(error) => error.into(),
            E::NoPassphrase { .. } => {
                Self::from_error(Kind::Usage, &error).hint("name it in the table [passphrases] of that file")
            }
            E::System(_) => Self::from_error(Kind::Surroundings, &error),
            E::NoCertificate { .. }
            | E::OtherKey { .. }
            | E::Package { .. }
            | E::Refused(_)
            | E::Packet(_)
            | E::Text(_)
            | E::NotAccepted(_) => Self::from_error(Kind::Input, &error),
        }
    }
}
