//! A hub in this process: calls of the client go to its methods without a server.

use std::io::Cursor;
use std::path::Path;

use super::Hub;
use super::methods::{Caller, KOJI_VERSION, Methods};
use crate::base::chain;
use crate::koji::{KojiError, Reply, Request, Sending, Transport};

/// The database of a hub in its folder.
const DATABASE: &str = "hub.sqlite";

/// A hub in this process. Nobody is logged in at it.
#[derive(Debug)]
pub struct Inside {
    methods: Methods,
    name: String,
}

impl Inside {
    /// Opens the hub that lies in a folder; `name` is what messages call it. One that is not there is an error.
    pub fn open(folder: &Path, name: &str) -> Result<Self, KojiError> {
        let failed = |reason: String| KojiError::Connection { url: name.into(), reason, certificate: false };
        if !folder.join(DATABASE).is_file() {
            return Err(failed(format!("there is no hub in '{}'", folder.display())));
        }
        let hub = Hub::open(folder).map_err(|error| failed(chain(&error)))?;
        let methods = Methods::new(hub).map_err(|error| failed(chain(&error)))?;
        Ok(Self { methods, name: name.into() })
    }
}

impl Transport for Inside {
    fn send(&self, request: Request) -> Sending<'_> {
        Box::pin(async move {
            let answer = self.methods.answer(&Caller::inside(), &request.body);
            let answer = answer.map_err(|source| KojiError::Answer { method: "a call".into(), source })?;
            Ok(Reply { version: Some(KOJI_VERSION.into()), body: Box::new(Cursor::new(answer)) })
        })
    }

    fn name(&self) -> &str {
        &self.name
    }
}
