//! Codecs, bytes to types and back: comps, kickstart, repodata, XML.

pub mod comps;
pub mod kickstart;
pub mod repodata;
pub mod xml;
