//! Debian archives, which builder images are made of: from a request through release files, package
//! indexes and dependencies to a lock, and from packages to a root file system.
//!
//! ```text
//! Request ─┐
//!          ├─ resolve ─▶ Lock ─ wanted ─▶ (fetch) ─▶ packages ─ unpack ─▶ root
//! Index  ──┘
//!   ▲ Release, signed by a key of `keys/`
//! ```

mod archive;
mod control;
mod deb;
mod depends;
mod index;
mod lock;
mod mirror;
mod release;
mod request;
mod resolve;
pub mod rules;
mod unpack;
mod version;

pub use archive::{ArchiveError, PackagesError, archive_keys, fetch_all, lock, open_release, wanted};
pub use control::{ControlError, Paragraph, Paragraphs};
pub use deb::{Deb, DebError, Defect, Entry, EntryKind};
pub use depends::{Alternative, Operator, Relation, RelationError};
pub use index::{Candidate, Index, IndexError};
pub use lock::{Lock, LockError, LockedDeb};
pub use mirror::{MirrorError, Mirrors};
pub use release::{Release, ReleaseError};
pub use request::{Request, RequestError};
pub use resolve::{Missing, ResolveError, resolve};
pub use unpack::{UnpackError, unpack};
pub use version::{Version, VersionError};
