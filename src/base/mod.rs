//! Values without I/O: digests, versions, names, arch tables, the source date,
//! safe relative paths and the canonical encoding that identities are hashed from.

pub mod arch;
pub mod canonical;
pub mod digest;
pub mod evr;
pub mod fnmatch;
pub mod nevra;
pub mod relpath;
pub mod source_date;

pub use canonical::Encoder;
pub use digest::{Digest, Hasher};
pub use evr::Evr;
pub use nevra::Nevra;
pub use relpath::RelPath;
pub use source_date::SourceDate;
