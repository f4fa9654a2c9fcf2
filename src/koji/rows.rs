//! What hubs answer, as far as a composer needs it (hub 1.35.3). Members that are not listed are passed over; those that
//! older hubs do not send may be missing.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::format::xmlrpc::Value;

/// A text of a row: as long as it is, and no more.
pub type Text = Box<str>;

/// `getLastEvent`, `getEvent`.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
pub struct Event {
    /// Its number; later ones are higher.
    pub id: i64,
    /// Seconds since 1970.
    pub ts: f64,
}

/// `getTag`.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct Tag {
    /// Its number.
    pub id: i64,
    /// Its name.
    pub name: Text,
    /// Arches, separated by spaces. Without them those of its parents hold.
    pub arches: Option<Text>,
    /// Whether it is locked.
    pub locked: bool,
    /// Settings.
    #[serde(default)]
    pub extra: BTreeMap<String, Value>,
}

/// A row of `getFullInheritance`: a parent, near or far, in the order in which they count.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Link {
    /// The tag that has the parent.
    pub child_id: i64,
    /// The parent.
    pub parent_id: i64,
    /// The parent's name.
    pub name: Text,
    /// Of several parents the one with the lower number counts first.
    pub priority: i64,
    /// Levels behind the parent that count.
    pub maxdepth: Option<i64>,
    /// Whether it counts for the child alone.
    pub intransitive: bool,
    /// Whether builds are inherited, but not settings.
    pub noconfig: bool,
    /// Packages that are inherited, a regular expression; all where there is none.
    pub pkg_filter: Option<Text>,
    /// Levels from the tag that was asked for.
    pub currdepth: i64,
    /// Levels that count behind it.
    pub nextdepth: Option<i64>,
    /// All filters on the way.
    #[serde(default)]
    pub filter: Vec<Text>,
}

/// A build: `getBuild`, a row of `listTagged`, or one of the builds of `listTaggedRPMS`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Build {
    /// Its number.
    pub build_id: i64,
    /// The package.
    pub package_id: i64,
    /// The package's name.
    pub package_name: Text,
    /// Version.
    pub version: Text,
    /// Release.
    pub release: Text,
    /// Epoch; none is not 0.
    pub epoch: Option<u32>,
    /// Name, version and release.
    pub nvr: Text,
    /// 0 building, 1 complete, 2 deleted, 3 failed, 4 cancelled.
    pub state: i64,
    /// A build that may be replaced (Koji 1.34).
    #[serde(default)]
    pub draft: bool,
    /// Where its files are.
    pub volume_id: i64,
    /// That volume's name.
    pub volume_name: Text,
    /// Whose it is.
    pub owner_id: i64,
    /// That user's name.
    pub owner_name: Text,
    /// The task that made it.
    pub task_id: Option<i64>,
    /// The event at which it began to be.
    pub creation_event_id: i64,
    /// When that was, as the hub writes times.
    pub creation_time: Text,
    /// When it was begun.
    pub start_time: Option<Text>,
    /// When it was complete.
    pub completion_time: Option<Text>,
    /// Of a row of what is tagged: the tag that it comes from.
    #[serde(default)]
    pub tag_id: Option<i64>,
    /// Of a row of what is tagged: that tag's name.
    #[serde(default)]
    pub tag_name: Option<Text>,
    /// Of a row of what is tagged: the event at which it was tagged.
    #[serde(default)]
    pub create_event: Option<i64>,
    /// What else there is to say; only `getBuild` says it.
    #[serde(default)]
    pub extra: Option<Extra>,
}

/// `extra` of a build, as far as it says what kind of build it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct Extra {
    /// By kind.
    #[serde(default)]
    pub typeinfo: Option<TypeInfo>,
}

/// What a build of a kind is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct TypeInfo {
    /// Of a module.
    #[serde(default)]
    pub module: Option<ModuleInfo>,
}

/// The build of a module.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct ModuleInfo {
    /// The module's name.
    pub name: Text,
    /// Its stream.
    pub stream: Text,
    /// Its version.
    pub version: Text,
    /// Its context.
    pub context: Text,
    /// The tag that has its packages.
    pub content_koji_tag: Text,
    /// What it says of itself: YAML.
    #[serde(default)]
    pub modulemd_str: Option<Text>,
}

/// An RPM: a row of `listTaggedRPMS`, `listRPMs`, `listBuildRPMs`, or `getRPM`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Rpm {
    /// Its number.
    pub id: i64,
    /// Its build. None for one that is not of this hub.
    pub build_id: Option<i64>,
    /// Name.
    pub name: Text,
    /// Version.
    pub version: Text,
    /// Release; of a draft that which it is to have.
    pub release: Text,
    /// Epoch; none is not 0.
    pub epoch: Option<u32>,
    /// Arch; `src` for a source package.
    pub arch: Text,
    /// MD5 of header and payload, equal in all signed copies; no digest of a file.
    pub payloadhash: Text,
    /// Bytes of the file as it was imported.
    pub size: u64,
    /// When it was built, in seconds since 1970.
    pub buildtime: i64,
    /// Where it was built.
    pub buildroot_id: Option<i64>,
    /// It is known but not there.
    #[serde(default)]
    pub metadata_only: bool,
    /// Of a draft build (Koji 1.34).
    #[serde(default)]
    pub draft: bool,
    /// With signatures asked for: a key that signed it, empty for the header without a signature. There is a row for
    /// each key.
    #[serde(default)]
    pub sigkey: Option<Text>,
}

/// `listTaggedRPMS`: RPMs in no order, and the builds that they are of.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct TaggedRpms(pub Vec<Rpm>, pub Vec<Build>);

/// A row of `queryRPMSigs`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Signature {
    /// The RPM.
    pub rpm_id: i64,
    /// The last 8 hex digits of the key's id; empty for the header without a signature.
    pub sigkey: Text,
    /// MD5 of the signature header.
    pub sighash: Text,
}

/// Digests of an RPM's file: by key (see [`Signature`]), then by algorithm (`md5`, `sha256`).
pub type Checksums = BTreeMap<Text, BTreeMap<Text, Text>>;

/// A row of `listPackages`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Package {
    /// The package.
    pub package_id: i64,
    /// Its name.
    pub package_name: Text,
    /// The tag that says so.
    pub tag_id: i64,
    /// That tag's name.
    pub tag_name: Text,
    /// Whether builds of it are left out.
    pub blocked: bool,
    /// Whose it is.
    pub owner_id: i64,
    /// That user's name.
    pub owner_name: Text,
    /// Arches that it has besides those of the tag.
    #[serde(default)]
    pub extra_arches: Option<Text>,
}

/// A row of `getExternalRepoList`: a repository that builds see and the tag's RPMs do not have.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct ExternalRepo {
    /// The tag that has it.
    pub tag_id: i64,
    /// That tag's name.
    pub tag_name: Text,
    /// Its number.
    pub external_repo_id: i64,
    /// Its name.
    pub external_repo_name: Text,
    /// Its address, with `$arch` in it.
    pub url: Text,
    /// Of several the one with the lower number counts first.
    pub priority: i64,
    /// How it is merged.
    #[serde(default)]
    pub merge_mode: Option<Text>,
    /// Arches that have it; all where it says none.
    #[serde(default)]
    pub arches: Option<Text>,
}

/// A row of `listArchives`: a file of a build that is no RPM.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Archive {
    /// Its number.
    pub id: i64,
    /// The build.
    pub build_id: i64,
    /// Its kind: `module`, `image` …
    pub btype: Text,
    /// Its name.
    pub filename: Text,
    /// Bytes.
    pub size: u64,
    /// The digest.
    pub checksum: Text,
    /// 0 for MD5, 1 for SHA-1, 2 for SHA-256.
    pub checksum_type: i64,
}

/// A row of `queryHistory` about what was tagged (`tag_listing`).
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct TaggingHistory {
    /// The package's name.
    pub name: Text,
    /// The build's version.
    pub version: Text,
    /// The build's release.
    pub release: Text,
    /// The state of the build now.
    #[serde(rename = "build.state")]
    pub state: i64,
    /// The event at which it was tagged.
    pub create_event: i64,
    /// The event at which it was untagged.
    pub revoke_event: Option<i64>,
}
