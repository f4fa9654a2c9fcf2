//! What carries calls to a hub: HTTP, or nothing at all where the hub is in the same process.

use std::fmt::Debug;
use std::future::Future;
use std::io::Read;
use std::pin::Pin;
use std::sync::Arc;

use zeroize::Zeroizing;

use super::error::KojiError;

/// Carries calls.
pub trait Transport: Debug + Send + Sync {
    /// Sends a call and gives the answer as soon as it begins.
    fn send(&self, request: Request) -> Sending<'_>;

    /// What the hub is called in messages: its address.
    fn name(&self) -> &str;
}

/// An answer to be.
pub type Sending<'t> = Pin<Box<dyn Future<Output = Result<Reply, KojiError>> + Send + 't>>;

/// A call.
#[derive(Clone)]
pub struct Request {
    /// XML. It may have a password in it.
    pub body: Arc<Zeroizing<Vec<u8>>>,
    /// Who asks; nobody in particular where it is none.
    pub session: Option<Ticket>,
}

impl Debug for Request {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Request {{ {} bytes, {:?} }}", self.body.len(), self.session)
    }
}

/// The session that a call belongs to.
#[derive(Clone)]
pub struct Ticket {
    /// The session.
    pub id: i64,
    /// Its secret.
    pub key: Zeroizing<String>,
    /// The call's number. The hub carries out a change with the same number only once.
    pub number: u64,
    /// The hub (before Koji 1.31) reads these in the address only, not in headers.
    pub in_url: bool,
}

impl Debug for Ticket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Ticket {{ id: {}, number: {} }}", self.id, self.number)
    }
}

/// An answer that begins.
pub struct Reply {
    /// The hub's version, if it says so.
    pub version: Option<String>,
    /// XML, while it arrives. It is read where waiting is no harm.
    pub body: Box<dyn Read + Send>,
}

impl Debug for Reply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reply").field("version", &self.version).finish_non_exhaustive()
    }
}
