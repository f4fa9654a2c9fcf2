//! The hub for those who have none, and the one that answers for a lock: Koji as its clients know it, in one file of SQLite.
//!
//! [`Hub`] is the state: `hub.sqlite` in a folder, beside `topdir/` with the files as Koji lays them out ([`schema`]).
//! [`Hub::read`] gives one consistent state with a method for each question of a Koji hub, whose rows have the members
//! that a Koji hub 1.35 sends; [`Hub::write`] gives one transaction with a method for each change. What a Koji hub
//! refuses is refused with its fault.
//!
//! The state is in `store` (the file, its tables and transactions), `tags` and `builds`; `people`, `history`, `search`,
//! `tasks` and `repos` are a table or a question each. Koji's methods on it are in [`methods`], its server in [`serve`].
//! `inside` calls the methods in this process, and `replay` fills a hub from a lock.
//!
//! Rules that are easy to get wrong stand where they are kept: the order of inheritance in `tags/inheritance`, which
//! builds count and which is the latest in `tags/tagged`, what events freeze in `store/events`.

mod builds;
mod history;
mod inside;
pub mod methods;
mod people;
mod replay;
mod repos;
mod search;
mod sessions;
pub mod serve;
mod store;
mod tags;
mod tasks;

pub use builds::archives::{Archive, ArchiveFilter, NewArchive, NewBuildroot};
pub use builds::build::{Build, BuildFilter, BuildState, ListedBuild, UntaggedBuild};
pub use builds::changes::NewBuild;
pub(in crate::hub) use builds::changes::check_part;
pub use builds::checksums::{ChecksumType, Checksums};
pub use builds::rpms::{ListedRpm, NewRpm, Rpm, RpmFilter, Signature};
pub use history::History;
pub use inside::Inside;
pub use people::{Permission, User, UserFilter};
pub use repos::{NewRepo, Repo};
pub use search::Found;
pub use store::change::{Stamp, Write};
pub use store::database::{Hub, Read, View};
pub use store::error::HubError;
pub use store::events::Event;
pub use store::names::{BuildKey, Key, RpmKey};
pub use store::query::{Json, Listing, QueryOptions};
pub use store::schema;
pub use store::time::{Seconds, Time};
pub use tags::external::{ExternalRepo, TagExternalRepo};
pub use tags::groups::{Group, GroupFilter, GroupPackage, GroupRequirement, GroupRow, GroupSettings, Member};
pub use tags::inheritance::{Ancestor, Descendant, Link, LinkChange};
pub use tags::packages::{PackageEntry, PackageFilter, PackageName, PackageUpdate};
pub use tags::tag::{BuildConfig, Named, NewTag, PackageTagRow, Tag, TagConfig, TagEdit, TagRow};
pub use tags::tagged::{TaggedArchive, TaggedBuild, TaggedFilter, TaggedRpm};
pub use tags::tagging::Snapshot;
pub use tags::targets::BuildTarget;
pub use tasks::{ListedTask, NewTask, Task, TaskFilter};
