//! Codecs, bytes to types and back: comps, repodata, XML.

pub mod comps;
pub mod repodata;
pub mod xml;
