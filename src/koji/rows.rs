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
    /// Packages that are inherited, a regular expression.
    pub pkg_filter: Text,
    /// Levels from the tag that was asked for.
    pub currdepth: i64,
    /// Levels that count behind it.
    pub nextdepth: Option<i64>,
    /// All filters on the way.
    #[serde(default)]
    pub filter: Vec<Text>,
}

/// A row of `listTagged`: a build and the tag that it is in.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct TaggedBuild {
    /// The build.
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
    /// 1 where it is complete.
    pub state: i64,
    /// The tag that it comes from.
    pub tag_id: i64,
    /// That tag's name.
    pub tag_name: Text,
    /// The event at which it was tagged.
    pub create_event: i64,
    /// Where its files are.
    pub volume_name: Text,
    /// Whose it is.
    pub owner_name: Text,
    /// When it was complete.
    pub completion_time: Option<Text>,
    /// A build that may be replaced (Koji 1.34).
    #[serde(default)]
    pub draft: bool,
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
pub struct TaggedRpms(pub Vec<Rpm>, pub Vec<TaggedBuild>);

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

/// `getBuild`.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct Build {
    /// Its number.
    pub build_id: i64,
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
    /// Where its files are.
    pub volume_name: Text,
    /// Whose it is.
    pub owner_name: Text,
    /// What it was built from.
    #[serde(default)]
    pub source: Option<Text>,
    /// When it was complete, in seconds since 1970.
    #[serde(default)]
    pub completion_ts: Option<f64>,
    /// What else there is to say: `typeinfo.module` of a module.
    #[serde(default)]
    pub extra: Option<BTreeMap<String, Value>>,
    /// A build that may be replaced (Koji 1.34).
    #[serde(default)]
    pub draft: bool,
}

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
    #[serde(default)]
    pub owner_name: Option<Text>,
    /// Arches that it has besides those of the tag.
    #[serde(default)]
    pub extra_arches: Option<Text>,
}

/// A row of `getExternalRepoList`: a repository that builds see and the tag's RPMs do not have.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct ExternalRepo {
    /// The tag that has it.
    pub tag_name: Text,
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

/// `queryHistory`: by table, rows in the hub's order.
pub type History = BTreeMap<String, Vec<BTreeMap<String, Value>>>;
