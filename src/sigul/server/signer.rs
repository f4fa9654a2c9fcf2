//! Where the signer is: a socket, or a child of this process.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
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
    Child { started: Mutex<Started>, store: std::path::PathBuf },
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

#[allow(clippy::disallowed_methods, reason = "it is this very program, which confines itself")]
fn start(store: &Path) -> io::Result<Started> {
    let (ours, theirs) = UnixStream::pair()?;
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["sigul", "signer", "--stdin", "--store"]).arg(store);
    command.env_clear().stdin(Stdio::from(OwnedFd::from(theirs))).stdout(Stdio::null());
    let child = command.spawn()?;
    Ok(Started { child, client: Client::child(ours) })
}
