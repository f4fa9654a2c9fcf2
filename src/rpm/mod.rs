//! RPM files: bounded header reader, dependency model, signature-header editor.
//!
//! A package file is a lead of 96 bytes, a signature header padded to a multiple of 8 bytes, the main
//! header and the payload. Only the signature header changes when a package is signed. The
//! crate `rpm` panics on hostile headers, so everything here is read by our own [`header`].

pub mod beside;
pub mod dependency;
pub mod edit;
pub mod files;
pub mod header;
pub mod headers;
pub mod identity;
pub mod package;
pub mod payload;
pub mod rich;
pub mod scriptlets;
pub mod signature;
pub mod stated;
pub mod tag_kinds;
pub mod tags;
pub mod values;
pub mod verify;

pub use dependency::{Dependencies, Dependency, sense};
pub use files::{File, Files, Listed};
pub use header::{Header, HeaderError, Part};
pub use headers::{Extent, Format, Headers, extent};
pub use identity::{Identity, IdentityError, identify};
pub use package::{Changelog, Changelogs, Package, PackageError};
pub use payload::{Compressor, Decoder, Payload, PayloadError};
pub use rich::{Rich, RichError};
