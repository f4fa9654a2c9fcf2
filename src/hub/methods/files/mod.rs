//! Methods that deal with files: uploads, imports, signatures and what headers say.

pub(super) mod header_tags;
pub(super) mod headers;
pub(super) mod import;
pub(super) mod package;
pub(super) mod placement;
pub(super) mod signing;
pub(super) mod uploads;
