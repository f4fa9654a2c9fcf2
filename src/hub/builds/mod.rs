//! Builds, and the files that they consist of.

pub(super) mod archives;
pub(super) mod build;
pub(super) mod changes;
pub(super) mod checksums;
pub(super) mod rpms;
