//! Who may have packages signed: the user of the key, and of the key for the files in them if there is to be one.

use super::Shared;
use super::operations::{refused, secrets};
use super::packages::Refused;
use super::reply::Answered;
use super::request::{RequestError, open, timely};
use crate::sign::agent::Session;
use crate::sign::agent::request::{Operation, Refusal, Request as Asked, Secret};
use crate::sigul::wire::{Code, Fields};

/// Whoever asks may have packages signed.
pub(super) struct Entered {
    /// With the signer, who waits for main headers.
    pub(super) session: Session,
    /// Why nothing is signed nevertheless: signatures of the files in packages are wanted. sigul makes them by keys that
    /// are RSA or ECC, and says this of others, once the package is found to be good.
    pub(super) no_file_signing: Option<Refused>,
}

/// Asks the signer who may enter; else there is an answer.
pub(super) async fn enter(
    shared: &Shared,
    asked: &Asked,
    fields: &Fields,
    inner: &Fields,
) -> Result<Result<Entered, Answered>, RequestError> {
    let turned_away = |refusal: Refusal| {
        refused(&refusal).map(Err).ok_or_else(|| RequestError::Senseless(refusal.to_string()))
    };
    let session = match prove(shared, asked, secrets(inner)).await? {
        Ok(session) => session,
        Err(refusal) => return turned_away(refusal),
    };
    let mut no_file_signing = None;
    if let Some(key) = fields.optional_text("file-signing-key")?.filter(|key| !key.is_empty()) {
        // That they may use it is all that counts: the session ends here.
        let operation = Operation::SignRpmHeaders { key: key.into(), created: None };
        let asked = Asked { user: asked.user.clone(), operation };
        let passphrase = inner.get("file-signing-key-passphrase").map(|secret| (Secret::Passphrase, secret));
        if let Err(refusal) = prove(shared, &asked, passphrase.into_iter()).await? {
            return turned_away(refusal);
        }
        let words = "signatures of the files in packages are not offered";
        no_file_signing = Some((Code::UnknownError, Some(words.into())));
    }
    Ok(Ok(Entered { session, no_file_signing }))
}

async fn prove(
    shared: &Shared,
    asked: &Asked,
    secrets: impl Iterator<Item = (Secret, &[u8])>,
) -> Result<Result<Session, Refusal>, RequestError> {
    let idle = shared.config.idle;
    let mut session = open(shared, asked).await?;
    for (which, secret) in secrets {
        timely(idle, session.secret(which, secret)).await?;
    }
    Ok(timely(idle, session.finish()).await?.map(|_| session))
}
