//! RPM files: bounded header reader, dependency model, signature-header editor.
//!
//! A package file is a lead of 96 bytes, a signature header padded to a multiple of 8 bytes, the main
//! header and the payload. Only the signature header changes when a package is signed. The
//! crate `rpm` panics on hostile headers, so everything here is read by our own [`header`].

pub mod header;
pub mod identity;
pub mod package;
pub mod signature;
pub mod tags;

pub use header::{Header, HeaderError, Part};
pub use identity::{Identity, IdentityError, identify};
pub use package::{Changelog, Dependency, File, Headers, Package, PackageError, sense};
