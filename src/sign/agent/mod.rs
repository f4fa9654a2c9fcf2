//! The signer as a process: what it is asked ([`request`]), how that is framed ([`frame`]), who asks ([`Client`]), and
//! who answers ([`serve()`]).

mod client;
pub mod frame;
pub mod request;
mod serve;
mod session;

pub use client::{AgentError, Answers, Asking, Client, Outcome, Session};
pub use serve::{Allowance, Door, serve};
