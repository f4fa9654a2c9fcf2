//! Where the signer is: a socket, or a child of this process.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::Shared;
use super::config::SignerAt;
use crate::base::chain;
use crate::sign::agent::Client;
use crate::sign::agent::request::{Answer, Operation, Request};

/// How often the signer is asked how it is.
const PAUSE: Duration = Duration::from_secs(5);
/// How long it may take to say.
const PATIENCE: Duration = Duration::from_secs(10);

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

/// Asks the signer, every now and then, whether it can sign, and says what is wrong when that changes. One that died is
/// so started again before anybody needs it.
pub(super) async fn watch(shared: Arc<Shared>) {
    let mut known = None;
    loop {
        let trouble = trouble(&shared.signer).await;
        if known.as_ref() != Some(&trouble) {
            let ready = i64::from(trouble.is_none());
            let before = shared.figures.get("signer_ready", "");
            shared.figures.add("signer_ready", "", ready - before);
            match &trouble {
                Some(reason) => shared.log.event("signer-not-ready", &[("reason", reason)]),
                None => shared.log.event("signer-ready", &[]),
            }
            *shared.signer_trouble.lock().unwrap_or_else(PoisonError::into_inner) = trouble.clone();
            known = Some(trouble);
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Why the signer cannot sign.
async fn trouble(signer: &Signer) -> Option<String> {
    let request = Request { user: "gander".into(), operation: Operation::Health {} };
    let asking = async {
        let client = signer.client().map_err(|error| chain(&error))?;
        client.ask(&request, &[]).await.map_err(|error| chain(&error))
    };
    match tokio::time::timeout(PATIENCE, asking).await {
        Err(_) => Some(format!("the signer has not answered for {} seconds", PATIENCE.as_secs())),
        Ok(Err(reason)) => Some(reason),
        Ok(Ok(Err(refusal))) => Some(refusal.to_string()),
        Ok(Ok(Ok((Answer::Health { ready: true, .. }, _)))) => None,
        Ok(Ok(Ok((Answer::Health { detail, .. }, _)))) => {
            Some(detail.unwrap_or_else(|| "the signer cannot sign".into()))
        }
        Ok(Ok(Ok(_))) => Some("the signer does not answer what it is asked".into()),
    }
}

fn start(store: &Path) -> io::Result<Started> {
    let store = store.to_str().ok_or_else(|| io::Error::other("the store's path is no UTF-8"))?;
    let arguments = ["sigul", "signer", "--stdin", "--store", store];
    let (child, socket) = crate::runner::start(&std::env::current_exe()?, &arguments)?;
    Ok(Started { child, client: Client::child(socket) })
}
