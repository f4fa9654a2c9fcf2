//! What bridge and server have in common: their certificates, their log, their figures, how they are told
//! to end.

mod certificates;
mod connections;
mod files;
mod log;
mod signals;
mod status;

pub use certificates::Certificates;
pub use connections::{keep_alive, ready};
pub use files::{FileError, private, read};
pub use log::{Form, Log};
pub use signals::Signals;
pub use status::{Figures, serve};
