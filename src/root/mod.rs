//! A set of packages becomes a root file system with its rpm database, and a kickstart configures it.

mod configuration;
mod configure;
mod crypt;
mod install;

pub use configuration::{Configuration, ConfigurationError, configuration};
pub use configure::{CONFIGURE, Configure, configure};
pub use install::{INSTALL, Install, install};
