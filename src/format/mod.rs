//! Codecs, bytes to types and back: repodata, comps.
