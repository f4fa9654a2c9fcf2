//! The certificates of a service, which are read again while it works.

use std::sync::{PoisonError, RwLock};

use super::signals::Signal;
use super::{Log, Signals};
use crate::sigul::stream::{Identity, Tls, TlsError};

/// Certificates as they were read last.
#[derive(Debug)]
pub struct Certificates {
    identity: Identity,
    tls: RwLock<Tls>,
}

impl Certificates {
    /// Reads them.
    pub fn read(identity: &Identity) -> Result<Self, TlsError> {
        Ok(Self { identity: identity.clone(), tls: RwLock::new(Tls::new(identity)?) })
    }

    /// What new connections use.
    pub fn tls(&self) -> Tls {
        self.tls.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reads them again whenever the service is told to, until it is told to end. Those that cannot be used change
    /// nothing.
    pub async fn attend(&self, signals: &mut Signals, log: &Log) {
        while signals.next().await == Signal::Reload {
            match Tls::new(&self.identity) {
                Ok(tls) => {
                    *self.tls.write().unwrap_or_else(PoisonError::into_inner) = tls;
                    log.event("certificates-read", &[]);
                }
                Err(error) => log.event("certificates-not-read", &[("reason", &error)]),
            }
        }
    }
}
