//! Where the signer is: a socket, or a child of this process.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::sync::{Mutex, PoisonError};

use super::config::SignerAt;
use crate::sign::agent::Client;

/// Why there is no signer. A retry helps where the reason passes.
#[derive(Debug, thiserror::Error)]
pub enum SignerError {
    /// It did not start.
    #[error("the signer cannot be started")]
    Start(#[source] io::Error),
}

/// A signer that can be asked. One that is a child is started again when it has ended.
#[derive(Debug)]
pub(super) struct Signer {
    place: Place,
}

#[derive(Debug)]
enum Place {
    Socket(Client),
    Child { started: Mutex<Started>, store: PathBuf },
}

/// A child and the way to it.
#[derive(Debug)]
struct Started {
    child: Child,
    client: Client,
}

impl Signer {
    /// Finds the signer, or starts it.
    pub(super) fn new(at: &SignerAt) -> Result<Self, SignerError> {
        let place = match at {
            SignerAt::Socket(path) => Place::Socket(Client::at(path)),
            SignerAt::Store(store) => {
                let started = Mutex::new(start(store).map_err(SignerError::Start)?);
                Place::Child { started, store: store.clone() }
            }
        };
        Ok(Self { place })
    }

    /// The way to the signer. One that died is started again: its store holds all that it has to know.
    pub(super) fn client(&self) -> Result<Client, SignerError> {
        match &self.place {
            Place::Socket(client) => Ok(client.clone()),
            Place::Child { started, store } => {
                let mut started = started.lock().unwrap_or_else(PoisonError::into_inner);
                if !matches!(started.child.try_wait(), Ok(None)) {
                    *started = start(store).map_err(SignerError::Start)?;
                }
                Ok(started.client.clone())
            }
        }
    }
}

fn start(store: &Path) -> io::Result<Started> {
    let store = store.to_str().ok_or_else(|| io::Error::other("the store's path is no UTF-8"))?;
    let arguments = ["sigul", "signer", "--stdin", "--store", store];
    let (child, socket) = crate::runner::start(&std::env::current_exe()?, &arguments)?;
    Ok(Started { child, client: Client::child(socket) })
}
