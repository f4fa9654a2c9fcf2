//! The hub for those who have none, and the one that answers for a lock: Koji as its clients know it, in one file of SQLite.
//!
//! [`Hub`] is the state: `hub.sqlite` in a folder, beside `topdir/` with the files as Koji lays them out ([`schema`]).
//! [`Hub::read`] gives one consistent state with a method for each question of a Koji hub, whose rows have the members
//! that a Koji hub 1.35 sends; [`Hub::write`] gives one transaction with a method for each change. What a Koji hub
//! refuses is refused with its fault.
//!
//! Rules that are easy to get wrong stand where they are kept: the order of inheritance in `inheritance`, which builds
//! count and which is the latest in `tagged`, what events freeze in `events`.

mod archives;
mod build_changes;
mod builds;
mod change;
mod checksums;
mod database;
mod error;
mod events;
mod external;
mod history;
mod inheritance;
mod inside;
mod last_change;
pub mod methods;
mod names;
mod packages;
mod people;
mod query;
mod replay;
mod repos;
mod rpms;
pub mod schema;
mod search;
pub mod serve;
mod tagged;
mod tagging;
mod tags;
mod tasks;
mod time;

pub use archives::{Archive, ArchiveFilter, NewArchive, NewBuildroot};
pub use build_changes::NewBuild;
pub use builds::{Build, BuildFilter, BuildState, ListedBuild};
pub use change::{Stamp, Write};
pub use checksums::{ChecksumType, Checksums};
pub use database::{Hub, Read, View};
pub use error::HubError;
pub use events::Event;
pub use external::{ExternalRepo, TagExternalRepo};
pub use history::History;
pub use inheritance::{Ancestor, Descendant, Link, LinkChange};
pub use inside::Inside;
pub use names::{BuildKey, Key, RpmKey};
pub use packages::{PackageEntry, PackageFilter, PackageName, PackageUpdate};
pub use people::{Permission, User};
pub use query::{Json, Listing, QueryOptions};
pub use repos::{NewRepo, Repo};
pub use rpms::{ListedRpm, NewRpm, Rpm, RpmFilter, Signature};
pub use search::Found;
pub use tagged::{TaggedBuild, TaggedFilter, TaggedRpm};
pub use tagging::Snapshot;
pub use tags::{BuildConfig, BuildTarget, Named, NewTag, PackageTagRow, Tag, TagConfig, TagEdit, TagRow};
pub use tasks::{NewTask, Task};
pub use time::{Seconds, Time};
