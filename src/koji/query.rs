//! What a composer asks, with what older hubs lack.

use std::collections::BTreeMap;

use super::connection::Hub;
use super::error::{FaultKind, KojiError, Version};
use super::rows::{
    Archive, Build, Checksums, Event, ExternalRepo, Link, Package, Rpm, Signature, Tag, TaggedRpms,
    TaggingHistory,
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
    ) -> Result<Vec<Build>, KojiError> {
        let Some(arguments) = self.which(tag, which).await? else { return Ok(Vec::new()) };
        self.call("listTagged", arguments).await
    }

    /// RPMs in a tag, in no order, and their builds.
    pub async fn tagged_rpms(&self, tag: impl Into<Value>, which: &Tagged) -> Result<TaggedRpms, KojiError> {
        let Some(arguments) = self.which_rpms(tag, which).await? else {
            return Ok(TaggedRpms(vec![], vec![]));
        };
        match self.call("listTaggedRPMS", arguments.clone()).await {
            Err(error) if which.lean && is_unknown(&error) => {
                self.call("listTaggedRPMS", without_extra(arguments)).await
            }
            answer => answer,
        }
    }

    /// RPMs in many tags, by number, in the order of the tags.
    pub async fn tags_rpms(&self, tags: &[i64], which: &Tagged) -> Result<Vec<TaggedRpms>, KojiError> {
        let Some(arguments) = self.which_rpms("", which).await? else {
            return Ok(tags.iter().map(|_| TaggedRpms(vec![], vec![])).collect());
        };
        let of = |arguments: Arguments| {
            move |tag: &i64| Arguments { positional: vec![(*tag).into()], ..arguments.clone() }
        };
        match self.each("listTaggedRPMS", tags, of(arguments.clone())).await {
            Err(error) if which.lean && is_unknown(&error) => {
                self.each("listTaggedRPMS", tags, of(without_extra(arguments))).await
            }
            answer => answer,
        }
    }

    async fn which_rpms(
        &self,
        tag: impl Into<Value>,
        which: &Tagged,
    ) -> Result<Option<Arguments>, KojiError> {
        let Some(mut arguments) = self.which(tag, which).await? else { return Ok(None) };
        if !which.arches.is_empty() {
            arguments = arguments.with("arch", which.arches.clone());
        }
        if which.signatures {
            arguments = arguments.with("rpmsigs", true);
        }
        Ok(Some(if which.lean { arguments.with("extra", false) } else { arguments }))
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

    /// Calls a method about each of many things and gives the answers in their order; a fault of one is that of all, and
    /// says which.
    async fn each<T, W>(
        &self,
        method: &str,
        of: &[W],
        arguments: impl Fn(&W) -> Arguments,
    ) -> Result<Vec<T>, KojiError>
    where
        T: serde::de::DeserializeOwned + Send + 'static,
        W: std::fmt::Display,
    {
        let calls = of.iter().map(|one| (method.to_owned(), arguments(one))).collect();
        let answers = self.batch(calls).await?.into_iter().zip(of);
        let refused = |one: &W, fault| KojiError::Fault { method: format!("{method} of {one}"), fault };
        answers.map(|(answer, one)| answer.map_err(|fault| refused(one, fault))).collect()
    }

    /// Many tags, by number or name, in their order; none where there was none at the event.
    pub async fn tags<W>(&self, tags: &[W], event: Option<i64>) -> Result<Vec<Option<Tag>>, KojiError>
    where
        W: std::fmt::Display + Clone + Into<Value>,
    {
        self.each("getTag", tags, |tag| Arguments::of(tag.clone()).with_some("event", event)).await
    }

    /// Signatures of RPMs, by number, in the order of the RPMs.
    pub async fn signatures(&self, rpms: &[i64]) -> Result<Vec<Vec<Signature>>, KojiError> {
        self.each("queryRPMSigs", rpms, |rpm| Arguments::of(*rpm)).await
    }

    /// Digests of RPMs' files, by number, in the order of the RPMs; empty for a build that was deleted. Hubs before 1.32
    /// cannot tell.
    pub async fn checksums(&self, rpms: &[i64]) -> Result<Vec<Checksums>, KojiError> {
        let hub = self.version().await?;
        if hub < CHECKSUMS {
            return Err(KojiError::TooOld { hub, what: "asking for checksums", needs: CHECKSUMS });
        }
        self.each("getRPMChecksums", rpms, |rpm| Arguments::of(*rpm)).await
    }

    /// Tags of RPMs' headers, by number, in the order of the RPMs. The hub reads each file for it.
    pub async fn headers(
        &self,
        rpms: &[i64],
        tags: &[&str],
    ) -> Result<Vec<BTreeMap<String, Value>>, KojiError> {
        let of = |rpm: &i64| Arguments::none().with("rpmID", *rpm).with("headers", tags.to_vec());
        self.each("getRPMHeaders", rpms, of).await
    }

    /// A build, by number or name-version-release; none where there is none.
    pub async fn build(&self, build: impl Into<Value>) -> Result<Option<Build>, KojiError> {
        self.call("getBuild", Arguments::of(build)).await
    }

    /// Many builds, by number or name-version-release, in their order; none where there is none.
    pub async fn builds<W>(&self, builds: &[W]) -> Result<Vec<Option<Build>>, KojiError>
    where
        W: std::fmt::Display + Clone + Into<Value>,
    {
        self.each("getBuild", builds, |build| Arguments::of(build.clone())).await
    }

    /// An RPM, by number or name-version-release.arch; none where there is none.
    pub async fn rpm(&self, rpm: impl Into<Value>) -> Result<Option<Rpm>, KojiError> {
        self.call("getRPM", Arguments::of(rpm)).await
    }

    /// Many RPMs, by number or name-version-release.arch, in their order; none where there is none.
    pub async fn rpms<W>(&self, rpms: &[W]) -> Result<Vec<Option<Rpm>>, KojiError>
    where
        W: std::fmt::Display + Clone + Into<Value>,
    {
        self.each("getRPM", rpms, |rpm| Arguments::of(rpm.clone())).await
    }

    /// The RPMs of builds, by number, in the order of the builds.
    pub async fn build_rpms(&self, builds: &[i64]) -> Result<Vec<Vec<Rpm>>, KojiError> {
        self.each("listBuildRPMs", builds, |build| Arguments::of(*build)).await
    }

    /// Repositories that builds of the tag see besides it, those of its parents included.
    pub async fn external_repos(
        &self,
        tag: impl Into<Value>,
        event: Option<i64>,
    ) -> Result<Vec<ExternalRepo>, KojiError> {
        self.call("getExternalRepoList", Arguments::of(tag).with_some("event", event)).await
    }

    /// Files of builds, by number, that are no RPMs, of one kind (`module`, `image` …), in the order of the builds.
    pub async fn archives(&self, builds: &[i64], kind: &str) -> Result<Vec<Vec<Archive>>, KojiError> {
        let of = |build: &i64| Arguments::none().with("buildID", *build).with("type", kind);
        self.each("listArchives", builds, of).await
    }

    /// The package lists of tags, by number, without those of their parents, in the order of the tags.
    pub async fn own_packages(
        &self,
        tags: &[i64],
        event: Option<i64>,
    ) -> Result<Vec<Vec<Package>>, KojiError> {
        let of = |tag: &i64| {
            Arguments::none().with("tagID", *tag).with("inherited", false).with_some("event", event)
        };
        self.each("listPackages", tags, of).await
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

    /// What was ever tagged in tags, by number, before an event, in the order of the tags.
    pub async fn tagging_history(
        &self,
        tags: &[i64],
        before: i64,
    ) -> Result<Vec<Vec<TaggingHistory>>, KojiError> {
        let of = |tag: &i64| {
            let arguments = Arguments::none().with("tables", vec!["tag_listing"]).with("tag", *tag);
            arguments.with("beforeEvent", before)
        };
        let tables: Vec<BTreeMap<String, Vec<TaggingHistory>>> = self.each("queryHistory", tags, of).await?;
        Ok(tables.into_iter().map(|tables| tables.into_values().flatten().collect()).collect())
    }

    /// Whether any of these tags changed behind an event.
    pub async fn changed_since(&self, event: i64, tags: &[i64]) -> Result<bool, KojiError> {
        self.call("tagChangedSinceEvent", Arguments::of(event).and(tags.to_vec())).await
    }
}

/// Whether a hub is too old for one of the arguments.
fn is_unknown(error: &KojiError) -> bool {
    matches!(error.fault(), Some((FaultKind::Parameter, _)))
}

fn without_extra(mut arguments: Arguments) -> Arguments {
    arguments.keywords.remove("extra");
    arguments
}
