//! The client: asks a server for something, through a bridge.
//!
//! Each request has a connection of its own. The bridge gets the request and its payload, the server alone the secrets.

mod call;
mod config;
mod koji;
mod remote;
mod rpms;

pub use call::{ClientError, Payload, Request};
pub use config::{Config, address};
pub use koji::{Hubs, NamedError, named};
pub use remote::{RemoteError, RemoteKey};
pub use rpms::{Outcome, Package, PartFailure, RpmsOptions, Signed};

use std::time::Duration;

use super::stream::{Connector, Identity, TlsError};

/// Where the bridge is, and who is who.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The bridge: host and port (sigul's is 44334).
    pub bridge: (String, u16),
    /// The name in the bridge's certificate.
    pub bridge_name: String,
    /// The name in the server's certificate.
    pub server_name: String,
    /// Who asks, where that is not the common name of the certificate; the server compares them.
    pub user: Option<String>,
    /// The user's certificate.
    pub identity: Identity,
    /// How long nothing may happen.
    pub patience: Duration,
}

/// A client. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Client {
    settings: Settings,
    user: String,
    tls: Connector,
}

impl Client {
    /// Reads the certificates.
    pub fn new(settings: Settings) -> Result<Self, TlsError> {
        let tls = Connector::new(&settings.identity)?;
        let user = match &settings.user {
            Some(user) => user.clone(),
            None => tls.own_name()?,
        };
        Ok(Self { settings, user, tls })
    }

    /// Who asks.
    pub fn user(&self) -> &str {
        &self.user
    }
}
