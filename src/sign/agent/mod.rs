//! The signer as a process: what it is asked ([`request`]), how that is framed ([`frame`]), and who asks ([`Client`]).

mod client;
pub mod frame;
pub mod request;

pub use client::{AgentError, Answers, Asking, Client, Outcome, Session};
