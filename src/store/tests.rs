//! Tests of the store against a real file system.
