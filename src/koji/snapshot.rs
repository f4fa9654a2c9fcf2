//! What a hub said about one tag at one event: all that a lock needs of it, and a replaying hub.
//!
//! An event does not freeze everything: builds deleted later vanish from it, signatures, volumes, owners and names of tags
//! have no history, and RPMs can be added to builds that are tagged already. So a lock keeps what the hub said.
//!
//! The form is text, one JSON object a line without spaces between its members, which stand in the order of the structs
//! here. The first line is the [`Head`], `{"gander-koji":1,…}`. Each other line has one member, whose name is the kind of
//! record: `tag`, `link`, `package`, `tagging`, `build`, `rpm`, `signature`, `checksum`, `external`, `module` and
//! `modulemd`, in this order. Links stand in the order in which the hub walks the inheritance, records of other kinds are sorted by their
//! members, each of them once. Members that are `null` or an empty list are left out. Stored, the text is a zstd stream.
//!
//! Which records there are:
//! - of the tag that was asked about and of each tag that it inherits from: `tag`, and as `link` the rows of
//!   getFullInheritance;
//! - of each package in its list, inherited ones among them: `package`, blocked or not;
//! - of each build that the tag has, with the options in the head, and of each build that was pinned: `build`, and
//!   `tagging` where the build is tagged (not for forced builds);
//! - of each RPM of these builds: `rpm`; of those that count by the source's options: `signature`;
//! - of the RPMs that were selected, where the hub knows them: `checksum`;
//! - external repositories of any of the tags, and builds of modules: of each stream those of its latest version in the
//!   first tag that has one, with `build` and `tagging`;
//! - where streams were asked for: of all these builds `modulemd`, and of those asked for also what their content tag has:
//!   its `tag`, its `package` list, its `tagging`, `build` and `rpm` records. A content tag is told from the others by
//!   standing in no `link`.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};

use serde::{Deserialize, Serialize};

pub use super::modules::{Module, Modulemd};
use crate::base::Digest;

const VERSION: u32 = 1;
/// More than any hub has to say about a tag: rawhide has some 300,000 RPMs.
const LARGEST: u64 = 2 << 30;
const LONGEST_LINE: u64 = 8 << 20;
const MOST: usize = 20_000_000;
const LEVEL: i32 = 9;

/// What a hub said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// What was asked.
    pub head: Head,
    /// Tags.
    pub tags: Vec<Tag>,
    /// The inheritance, in the order of the walk.
    pub links: Vec<Link>,
    /// The package list.
    pub packages: Vec<Package>,
    /// Which builds are tagged.
    pub taggings: Vec<Tagging>,
    /// Builds.
    pub builds: Vec<Build>,
    /// RPMs.
    pub rpms: Vec<Rpm>,
    /// Which signatures there are.
    pub signatures: Vec<Signature>,
    /// Digests of files.
    pub checksums: Vec<Checksum>,
    /// External repositories.
    pub externals: Vec<External>,
    /// Builds of modules.
    pub modules: Vec<Module>,
    /// What they say of themselves.
    pub modulemd: Vec<Modulemd>,
}

/// What was asked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Head {
    /// The version of this form.
    #[serde(rename = "gander-koji")]
    pub version: u32,
    /// The hub, as a lock names it: the URL that calls go to, or `embedded:FOLDER`.
    pub hub: String,
    /// The hub's version.
    pub koji: String,
    /// The event.
    pub event: i64,
    /// The event's time: microseconds since 1970.
    pub time: i64,
    /// The tag's id.
    pub tag: i64,
    /// Whether builds of inherited tags were asked for.
    pub inherit: bool,
    /// Whether only the latest of each package were asked for.
    pub latest: bool,
}

/// A tag.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tag {
    /// Its id.
    pub id: i64,
    /// Its name.
    pub name: String,
    /// Its arches, separated by spaces; none where it inherits them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arches: Option<String>,
    /// Whether it is locked.
    pub locked: bool,
}

/// A row of getFullInheritance.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Link {
    /// The tag that inherits.
    pub child: i64,
    /// The tag that is inherited from.
    pub parent: i64,
    /// The lower, the sooner.
    pub priority: i64,
    /// How many levels behind the parent count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maxdepth: Option<i64>,
    /// Whether only the child itself inherits.
    pub intransitive: bool,
    /// Whether the tag's configuration is not inherited.
    pub noconfig: bool,
    /// The packages that count, a regular expression; empty for all.
    pub filter: String,
    /// How deep in the walk it is, from 1.
    pub depth: i64,
    /// How many more levels may follow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nextdepth: Option<i64>,
    /// The filters of all links on the way.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub filters: Vec<String>,
}

/// An entry of the package list.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Package {
    /// The tag that has it.
    pub tag: i64,
    /// The package's id.
    pub id: i64,
    /// Its name.
    pub name: String,
    /// The id of its owner.
    pub owner: i64,
    /// The owner's name.
    pub owner_name: String,
    /// Whether it is blocked.
    pub blocked: bool,
    /// Further arches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extra_arches: Option<String>,
}

/// A build in a tag.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tagging {
    /// The tag.
    pub tag: i64,
    /// The build.
    pub build: i64,
    /// The event that it was tagged at.
    pub event: i64,
}

/// A build.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Build {
    /// Its id.
    pub id: i64,
    /// The id of its package.
    pub package: i64,
    /// The name of its package.
    pub name: String,
    /// Its epoch; none is not 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epoch: Option<i64>,
    /// Its version.
    pub version: String,
    /// Its release.
    pub release: String,
    /// 1: complete; 2: deleted.
    pub state: i64,
    /// Whether it is a draft.
    pub draft: bool,
    /// The id of the volume that its files lie on.
    pub volume: i64,
    /// The volume's name; it is a part of the path of the build's files.
    pub volume_name: String,
    /// The id of its owner.
    pub owner: i64,
    /// The owner's name.
    pub owner_name: String,
    /// The task that made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<i64>,
    /// The event that it was created at.
    pub event: i64,
    /// Times, as the hub writes them: of its creation, of its start and of its completion.
    pub creation: String,
    /// See there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<String>,
    /// See there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completion: Option<String>,
}

impl Build {
    /// Its name-version-release.
    pub fn nvr(&self) -> String {
        format!("{}-{}-{}", self.name, self.version, self.release)
    }
}

/// An RPM.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rpm {
    /// Its id.
    pub id: i64,
    /// Its build.
    pub build: i64,
    /// Its name.
    pub name: String,
    /// Its epoch; none is not 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epoch: Option<i64>,
    /// Its version.
    pub version: String,
    /// Its release.
    pub release: String,
    /// Its arch.
    pub arch: String,
    /// The MD5 of main header and payload, equal for all copies; since hub 1.36 `ALGORITHM::HEX` of the main header where
    /// a package has no MD5.
    pub payloadhash: String,
    /// Bytes of the primary file.
    pub size: i64,
    /// When it was built: seconds since 1970.
    pub buildtime: i64,
    /// Where it was built.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub buildroot: Option<i64>,
    /// Whether the hub has no file of it.
    pub metadata_only: bool,
    /// Whether its build is a draft.
    pub draft: bool,
}

impl Rpm {
    /// The name of its file.
    pub fn file_name(&self) -> String {
        format!("{}-{}-{}.{}.rpm", self.name, self.version, self.release, self.arch)
    }
}

/// A signature that the hub keeps.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signature {
    /// The RPM.
    pub rpm: i64,
    /// The last 8 hexadecimal digits of the key's id, lower case; empty for the header without a signature.
    pub sigkey: String,
    /// The MD5 of the signature header.
    pub sighash: String,
}

/// The digests of a copy of an RPM.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Checksum {
    /// The RPM.
    pub rpm: i64,
    /// Which copy: as in [`Signature`].
    pub sigkey: String,
    /// Of the whole file.
    pub sha256: String,
    /// Of the whole file, where the hub states it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub md5: Option<String>,
}

/// An external repository.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct External {
    /// The tag that has it.
    pub tag: i64,
    /// Its place among the tag's.
    pub priority: i64,
    /// Its id.
    pub id: i64,
    /// Its name.
    pub name: String,
    /// Its URL, with `$arch` in it.
    pub url: String,
    /// How it is merged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub merge_mode: Option<String>,
    /// Its arches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arches: Option<String>,
}

/// A line, written.
#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum LineOf<'s> {
    Tag(&'s Tag),
    Link(&'s Link),
    Package(&'s Package),
    Tagging(&'s Tagging),
    Build(&'s Build),
    Rpm(&'s Rpm),
    Signature(&'s Signature),
    Checksum(&'s Checksum),
    External(&'s External),
    Module(&'s Module),
    Modulemd(&'s Modulemd),
}

/// A line, read.
#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Line {
    Tag(Tag),
    Link(Link),
    Package(Package),
    Tagging(Tagging),
    Build(Build),
    Rpm(Rpm),
    Signature(Signature),
    Checksum(Checksum),
    External(External),
    Module(Module),
    Modulemd(Modulemd),
}

/// What was stored is no snapshot, or cannot be stored.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// What was stored is none. Retrying cannot help.
    #[error("what is stored of the hub's answers is damaged at line {line}: {reason}")]
    Damaged {
        /// The line, from 1.
        line: usize,
        /// What is wrong.
        reason: String,
    },
    /// Compressing or decompressing failed. Retrying cannot help unless memory was short.
    #[error("what the hub answered cannot be compressed or decompressed")]
    Compression(#[source] std::io::Error),
}

impl Snapshot {
    /// Brings the records into their order; each counts once. To be called when records were added.
    pub fn sort(&mut self) {
        fn order<T: Ord>(list: &mut Vec<T>) {
            list.sort_unstable();
            list.dedup();
        }
        self.head.version = VERSION;
        order(&mut self.tags);
        order(&mut self.packages);
        order(&mut self.taggings);
        order(&mut self.builds);
        order(&mut self.rpms);
        order(&mut self.signatures);
        order(&mut self.checksums);
        order(&mut self.externals);
        order(&mut self.modules);
        order(&mut self.modulemd);
    }

    fn lines(&self) -> impl Iterator<Item = LineOf<'_>> {
        let tags = self.tags.iter().map(LineOf::Tag).chain(self.links.iter().map(LineOf::Link));
        let lists = self.packages.iter().map(LineOf::Package);
        let builds = self.taggings.iter().map(LineOf::Tagging).chain(self.builds.iter().map(LineOf::Build));
        let rpms = self.rpms.iter().map(LineOf::Rpm).chain(self.signatures.iter().map(LineOf::Signature));
        let rest = self.checksums.iter().map(LineOf::Checksum);
        let rest = rest.chain(self.externals.iter().map(LineOf::External));
        let modules = self.modules.iter().map(LineOf::Module);
        let modules = modules.chain(self.modulemd.iter().map(LineOf::Modulemd));
        tags.chain(lists).chain(builds).chain(rpms).chain(rest).chain(modules)
    }

    fn write(&self, mut out: impl Write) -> std::io::Result<()> {
        serde_json::to_writer(&mut out, &self.head)?;
        out.write_all(b"\n")?;
        for line in self.lines() {
            serde_json::to_writer(&mut out, &line)?;
            out.write_all(b"\n")?;
        }
        Ok(())
    }

    /// Its text.
    pub fn to_text(&self) -> String {
        let mut text = Vec::new();
        let written = self.write(&mut text);
        debug_assert!(written.is_ok(), "memory takes all, and all of a snapshot is JSON");
        String::from_utf8(text).unwrap_or_default()
    }

    /// The digest of its text, which does not depend on the compressor.
    pub fn digest(&self) -> Digest {
        Digest::of(self.to_text())
    }

    /// Its text, compressed.
    pub fn encode(&self) -> Result<Vec<u8>, SnapshotError> {
        let encode = || {
            let mut encoder = zstd::Encoder::new(Vec::new(), LEVEL)?;
            self.write(std::io::BufWriter::with_capacity(1 << 16, &mut encoder))?;
            encoder.finish()
        };
        encode().map_err(SnapshotError::Compression)
    }

    /// Reads what [`Snapshot::encode`] wrote.
    pub fn decode(stored: &[u8]) -> Result<Self, SnapshotError> {
        let decoder = zstd::Decoder::with_buffer(stored).map_err(SnapshotError::Compression)?;
        Self::read(BufReader::new(decoder.take(LARGEST)))
    }

    /// Reads its text. Only the text in its one order is taken.
    pub fn read(mut reader: impl BufRead) -> Result<Self, SnapshotError> {
        let mut buffer = Vec::new();
        let empty = || SnapshotError::Damaged { line: 1, reason: "it is empty".into() };
        let head: Head = next(&mut reader, &mut buffer, 1)?.ok_or_else(empty)?;
        if head.version != VERSION {
            let reason = format!("it has version {}, and this gander reads {VERSION}", head.version);
            return Err(SnapshotError::Damaged { line: 1, reason });
        }
        let mut found = Self { head, ..Self::default() };
        let (mut number, mut kind) = (1, 0);
        while let Some(line) = next::<Line>(&mut reader, &mut buffer, number + 1)? {
            number += 1;
            let damaged = |reason: &str| SnapshotError::Damaged { line: number, reason: reason.into() };
            if number > MOST {
                return Err(damaged("there are more records than any hub has"));
            }
            let (this, sorted) = match line {
                Line::Tag(record) => (0, push(&mut found.tags, record)),
                Line::Link(record) => {
                    found.links.push(record);
                    (1, true)
                }
                Line::Package(record) => (2, push(&mut found.packages, record)),
                Line::Tagging(record) => (3, push(&mut found.taggings, record)),
                Line::Build(record) => (4, push(&mut found.builds, record)),
                Line::Rpm(record) => (5, push(&mut found.rpms, record)),
                Line::Signature(record) => (6, push(&mut found.signatures, record)),
                Line::Checksum(record) => (7, push(&mut found.checksums, record)),
                Line::External(record) => (8, push(&mut found.externals, record)),
                Line::Module(record) => (9, push(&mut found.modules, record)),
                Line::Modulemd(record) => (10, push(&mut found.modulemd, record)),
            };
            if !sorted || this < kind {
                return Err(damaged("the records are not in their order"));
            }
            kind = this;
        }
        Ok(found)
    }

    /// A build by its id.
    pub fn build(&self, id: i64) -> Option<&Build> {
        let place = self.builds.binary_search_by_key(&id, |build| build.id).ok()?;
        self.builds.get(place)
    }

    /// A tag by its id.
    pub fn tag(&self, id: i64) -> Option<&Tag> {
        self.tags.iter().find(|tag| tag.id == id)
    }

    /// The builds that only content tags of modules have: the tag that was asked about does not inherit from these.
    pub fn content(&self) -> BTreeSet<i64> {
        let own: BTreeSet<i64> = self.links.iter().map(|link| link.parent).chain([self.head.tag]).collect();
        let (own, others): (Vec<&Tagging>, Vec<_>) =
            self.taggings.iter().partition(|tagging| own.contains(&tagging.tag));
        let own: BTreeSet<i64> = own.iter().map(|tagging| tagging.build).collect();
        others.iter().map(|tagging| tagging.build).filter(|build| !own.contains(build)).collect()
    }

    /// The signatures of an RPM.
    pub fn signatures_of(&self, rpm: i64) -> &[Signature] {
        let start = self.signatures.partition_point(|signature| signature.rpm < rpm);
        let end = self.signatures.partition_point(|signature| signature.rpm <= rpm);
        self.signatures.get(start..end).unwrap_or_default()
    }

    /// The digests of a copy of an RPM.
    pub fn checksum(&self, rpm: i64, sigkey: &str) -> Option<&Checksum> {
        let key = |checksum: &Checksum| (checksum.rpm, checksum.sigkey.as_str()).cmp(&(rpm, sigkey));
        self.checksums.get(self.checksums.binary_search_by(key).ok()?)
    }
}

/// Adds a record; whether it belongs behind the others.
fn push<T: Ord>(list: &mut Vec<T>, record: T) -> bool {
    let sorted = list.last().is_none_or(|last| *last < record);
    list.push(record);
    sorted
}

fn next<T: for<'de> Deserialize<'de>>(
    reader: &mut impl BufRead,
    buffer: &mut Vec<u8>,
    line: usize,
) -> Result<Option<T>, SnapshotError> {
    buffer.clear();
    let damaged = |reason: String| SnapshotError::Damaged { line, reason };
    let read = reader.by_ref().take(LONGEST_LINE).read_until(b'\n', buffer);
    if read.map_err(SnapshotError::Compression)? == 0 {
        return Ok(None);
    }
    if buffer.last() != Some(&b'\n') {
        return Err(damaged("the line is too long or torn".into()));
    }
    serde_json::from_slice(buffer).map(Some).map_err(|error| damaged(error.to_string()))
}

#[cfg(test)]
#[path = "snapshot_tests.rs"]
mod tests;
