//! Signing backends and keys.
