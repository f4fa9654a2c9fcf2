//! What a composer asks, with what older hubs lack.

use std::collections::BTreeMap;

use super::connection::Hub;
use super::error::{FaultKind, KojiError, Version};
use super::rows::{
    Archive, Build, Checksums, Event, ExternalRepo, History, Link, Package, Rpm, Signature, Tag, TaggedBuild,
    TaggedRpms,
};
use crate::format::xmlrpc::{Arguments, Value};

/// Which of a package's builds in a tag.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Latest {
    /// All of them.
    #[default]
    All,
    /// The one that was tagged last.
    One,
    /// That many that were tagged last; one that is in several tags counts for each.
    Most(u32),
}

impl From<Latest> for Value {
    fn from(latest: Latest) -> Self {
        match latest {
            Latest::All => Self::Bool(false),
            Latest::One => Self::Bool(true),
            Latest::Most(count) => Self::Int(count.into()),
        }
    }
}

/// What of a tag.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tagged {
    /// As it was at this event; now where there is none.
    pub event: Option<i64>,
    /// What its parents have, too.
    pub inherit: bool,
    /// Which builds of a package.
    pub latest: Latest,
    /// Of this package alone.
    pub package: Option<String>,
    /// Of this kind alone, such as `module`.
    pub kind: Option<String>,
    /// Without drafts (false), or nothing but them (true). Hubs before 1.34 have none.
    pub draft: Option<bool>,
    /// RPMs of these arches alone; `noarch` and `src` are arches like any other.
    pub arches: Vec<String>,
    /// A row for each key that signed an RPM.
    pub signatures: bool,
    /// Without the settings of RPMs and builds, which nothing here reads.
    pub lean: bool,
}

/// The first version whose `listTagged` and `listTaggedRPMS` know drafts.
const DRAFTS: Version = Version(1, 34);
/// The first version that has `getRPMChecksums`.
const CHECKSUMS: Version = Version(1, 32);

impl Hub {
    /// The last event; with a time (seconds since 1970), the last one before it.
    pub async fn last_event(&self, before: Option<f64>) -> Result<Event, KojiError> {
        self.call("getLastEvent", Arguments::none().with_some("before", before)).await
    }

    /// An event. One that is not there is a fault.
    pub async fn event(&self, id: i64) -> Result<Event, KojiError> {
        self.call("getEvent", Arguments::of(id)).await
    }

    /// A tag, by name or number; none where there was none at the event.
    pub async fn tag(&self, tag: impl Into<Value>, event: Option<i64>) -> Result<Option<Tag>, KojiError> {
        self.call("getTag", Arguments::of(tag).with_some("event", event)).await
    }

    /// The tag's parents, near and far, in the order in which they count.
    pub async fn inheritance(
        &self,
        tag: impl Into<Value>,
        event: Option<i64>,
    ) -> Result<Vec<Link>, KojiError> {
        self.call("getFullInheritance", Arguments::of(tag).with_some("event", event)).await
    }

    /// Builds in a tag, in the hub's order.
    pub async fn tagged_builds(
        &self,
        tag: impl Into<Value>,
        which: &Tagged,
    ) -> Result<Vec<TaggedBuild>, KojiError> {
        let Some(arguments) = self.which(tag, which).await? else { return Ok(Vec::new()) };
        self.call("listTagged", arguments).await
    }

    /// RPMs in a tag, in no order, and their builds.
    pub async fn tagged_rpms(&self, tag: impl Into<Value>, which: &Tagged) -> Result<TaggedRpms, KojiError> {
        let Some(mut arguments) = self.which(tag, which).await? else {
            return Ok(TaggedRpms(vec![], vec![]));
        };
        if !which.arches.is_empty() {
            arguments = arguments.with("arch", which.arches.clone());
        }
        if which.signatures {
            arguments = arguments.with("rpmsigs", true);
        }
        if !which.lean {
            return self.call("listTaggedRPMS", arguments).await;
        }
        match self.call("listTaggedRPMS", arguments.clone().with("extra", false)).await {
            // A hub that is too old for the argument.
            Err(error) if matches!(error.fault(), Some((FaultKind::Parameter, _))) => {
                self.call("listTaggedRPMS", arguments).await
            }
            answer => answer,
        }
    }

    /// The arguments; none where the hub is too old to have any such thing.
    async fn which(&self, tag: impl Into<Value>, which: &Tagged) -> Result<Option<Arguments>, KojiError> {
        let mut arguments = Arguments::of(tag)
            .with_some("event", which.event)
            .with("inherit", which.inherit)
            .with("latest", which.latest)
            .with_some("package", which.package.clone())
            .with_some("type", which.kind.clone());
        if let Some(draft) = which.draft {
            if self.is_at_least(DRAFTS).await? {
                arguments = arguments.with("draft", draft);
            } else if draft {
                return Ok(None);
            }
        }
        Ok(Some(arguments))
    }

    /// Calls a method for each of many things and gives the answers in their order; a fault of one is that of all.
    async fn each<T>(
        &self,
        method: &str,
        arguments: impl Iterator<Item = Arguments>,
    ) -> Result<Vec<T>, KojiError>
    where
        T: serde::de::DeserializeOwned + Send + 'static,
    {
        let calls = arguments.map(|arguments| (method.to_owned(), arguments)).collect();
        let refused = |fault| KojiError::Fault { method: method.into(), fault };
        self.batch(calls).await?.into_iter().map(|answer| answer.map_err(refused)).collect()
    }

    /// Signatures of RPMs, by number, in the order of the RPMs.
    pub async fn signatures(&self, rpms: &[i64]) -> Result<Vec<Vec<Signature>>, KojiError> {
        self.each("queryRPMSigs", rpms.iter().map(|rpm| Arguments::of(*rpm))).await
    }

    /// Digests of RPMs' files, by number, in the order of the RPMs; empty for a build that was deleted. Hubs before 1.32
    /// cannot tell.
    pub async fn checksums(&self, rpms: &[i64]) -> Result<Vec<Checksums>, KojiError> {
        let hub = self.version().await?;
        if hub < CHECKSUMS {
            return Err(KojiError::TooOld { hub, what: "asking for checksums", needs: CHECKSUMS });
        }
        self.each("getRPMChecksums", rpms.iter().map(|rpm| Arguments::of(*rpm))).await
    }

    /// Tags of RPMs' headers, by number, in the order of the RPMs. The hub reads each file for it.
    pub async fn headers(
        &self,
        rpms: &[i64],
        tags: &[&str],
    ) -> Result<Vec<BTreeMap<String, Value>>, KojiError> {
        let tags: Vec<&str> = tags.to_vec();
        let of = |rpm: &i64| Arguments::none().with("rpmID", *rpm).with("headers", tags.clone());
        self.each("getRPMHeaders", rpms.iter().map(of)).await
    }

    /// A build, by number or name-version-release; none where there is none.
    pub async fn build(&self, build: impl Into<Value>) -> Result<Option<Build>, KojiError> {
        self.call("getBuild", Arguments::of(build)).await
    }

    /// Many builds, by number, in their order.
    pub async fn builds(&self, builds: &[i64]) -> Result<Vec<Option<Build>>, KojiError> {
        self.each("getBuild", builds.iter().map(|build| Arguments::of(*build))).await
    }

    /// An RPM, by number or name-version-release.arch; none where there is none.
    pub async fn rpm(&self, rpm: impl Into<Value>) -> Result<Option<Rpm>, KojiError> {
        self.call("getRPM", Arguments::of(rpm)).await
    }

    /// The RPMs of a build.
    pub async fn build_rpms(&self, build: i64) -> Result<Vec<Rpm>, KojiError> {
        self.call("listBuildRPMs", Arguments::of(build)).await
    }

    /// Repositories that builds of the tag see besides it, those of its parents included.
    pub async fn external_repos(
        &self,
        tag: impl Into<Value>,
        event: Option<i64>,
    ) -> Result<Vec<ExternalRepo>, KojiError> {
        self.call("getExternalRepoList", Arguments::of(tag).with_some("event", event)).await
    }

    /// Files of a build that are no RPMs.
    pub async fn archives(&self, build: i64) -> Result<Vec<Archive>, KojiError> {
        self.call("listArchives", Arguments::of(build)).await
    }

    /// The tag's package list with that of its parents, blocked packages included.
    pub async fn packages(
        &self,
        tag: impl Into<Value>,
        event: Option<i64>,
    ) -> Result<Vec<Package>, KojiError> {
        let arguments =
            Arguments::none().with("tagID", tag).with("inherited", true).with_some("event", event);
        self.call("listPackages", arguments).await
    }

    /// What changed in tables (`tag_listing`, `tag_inheritance` …) for a tag behind one event and up to another.
    pub async fn history(
        &self,
        tables: &[&str],
        tag: impl Into<Value>,
        after: Option<i64>,
        before: Option<i64>,
    ) -> Result<History, KojiError> {
        let arguments = Arguments::none()
            .with("tables", tables.to_vec())
            .with("tag", tag)
            .with_some("afterEvent", after)
            .with_some("beforeEvent", before);
        self.call("queryHistory", arguments).await
    }

    /// Whether any of these tags changed behind an event.
    pub async fn changed_since(&self, event: i64, tags: &[i64]) -> Result<bool, KojiError> {
        self.call("tagChangedSinceEvent", Arguments::of(event).and(tags.to_vec())).await
    }
}
