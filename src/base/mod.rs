//! Values without I/O: digests, versions, names, arch tables, the words of multilib, the source date, safe relative
//! paths, the canonical encoding that identities are hashed from, and what errors say.

pub mod arch;
pub mod canonical;
pub mod causes;
pub mod digest;
pub mod evr;
pub mod fnmatch;
pub mod gather;
pub mod multilib;
pub mod nevra;
pub mod relpath;
pub mod source_date;

pub use canonical::Encoder;
pub use causes::chain;
pub use digest::{Digest, Hasher};
pub use evr::Evr;
pub use nevra::Nevra;
pub use relpath::RelPath;
pub use source_date::SourceDate;
