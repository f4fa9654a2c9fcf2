//! Reading the lists of packages: streams of hostile XML into a [`Packages`] of bounded size.
//!
//! What is taken over from the readers of others (createrepo_c 0.17, libsolv 0.7), so that all see the same:
//! - a version without an epoch has epoch 0; a dependency without flags asks for any version;
//! - `pre` is set by every value but `0` and `FALSE`;
//! - elements and attributes that are unknown are passed over, so are those of other namespaces;
//! - the number of packages that the root element states is not believed;
//! - a file without a type is a file, link or device; paths of source packages are relative.
//!
//! What is refused, though others take it:
//! - document types, entities, control characters, more of anything than real repositories have;
//! - a second name, arch, version, checksum, location or list of one kind: of two readers one would see the first
//!   and one the second;
//! - names, versions, releases and archs that are not fit for file names, and names that look like an option;
//! - locations that are no plain relative path. One with `xml:base` is read if that is a URL with a scheme: the
//!   file lies outside of the repository then, and it is said so;
//! - paths of files that are not absolute or have a `..`; kinds of files and comparisons that are unknown;
//! - numbers that are none or do not fit into 63 bits; a header that ends before it begins.

mod error;
mod lists;
mod packages;
mod pool;
mod primary;
mod stream;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod token_tests;
mod tokens;

pub use error::{Position, ReadError};
pub use packages::{ChangelogEntry, Entry, FileKind, Numbers, PackageFile, Packages, Text};
