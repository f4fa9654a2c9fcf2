//! What a tag has at one event, in few calls.
//!
//! Everything is asked as of one event: the one that is named, or the last one, asked for once. An event that the hub has not
//! reached would silently mean now, so it is refused. The list of packages comes from one listTaggedRPMS, whose rows have
//! no order; signatures and digests come in batches. Drafts are left out where the hub knows them (from 1.34).

use std::collections::{BTreeMap, BTreeSet};

use super::connection::Hub;
use super::error::{FaultKind, KojiError, Version};
use super::snapshot::{Build, Checksum, Head, Signature, Snapshot, Tag};
use super::state_rows::{
    BuildRow, Event, ExternalRow, HistoryRow, LinkRow, PackageRow, RpmRow, SignatureRow, TagRow,
};
use crate::format::xmlrpc::{Arguments, Fault, Value};

/// From this version on builds may be drafts.
const DRAFTS: Version = Version(1, 34);
/// From this version on the hub has digests of files.
const CHECKSUMS: Version = Version(1, 32);

/// What is asked about a tag.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// The tag.
    pub tag: &'a str,
    /// The event; the last one where there is none.
    pub event: Option<i64>,
    /// Whether builds of inherited tags count.
    pub inherit: bool,
    /// Whether only the latest build of each package counts.
    pub latest: bool,
    /// Builds (name-version-release) that must be tagged, latest or not.
    pub held: &'a [String],
    /// Builds (name-version-release) that need not be tagged.
    pub forced: &'a [String],
}

/// What a hub says of a tag.
#[derive(Clone, Debug, Default)]
pub struct TagState {
    /// What it has, without signatures and checksums.
    pub snapshot: Snapshot,
    /// Draft builds, which were left out.
    pub drafts: Vec<String>,
    /// Builds that were tagged at the event and have been deleted since: the hub no longer counts them.
    pub deleted: Vec<String>,
}

/// Why a tag cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum TagError {
    /// A call failed.
    #[error(transparent)]
    Koji(#[from] KojiError),
    /// One of many calls failed. Retrying cannot help.
    #[error("the hub refuses {what}")]
    Fault {
        /// What was asked.
        what: String,
        /// What it says.
        #[source]
        fault: Fault,
    },
    /// There is no such tag. Retrying cannot help.
    #[error("the hub has no tag '{tag}' at event {event}")]
    NoTag {
        /// The tag.
        tag: String,
        /// The event.
        event: i64,
    },
    /// The event is yet to come. Retrying helps once it has.
    #[error("the hub has not reached event {event}: its last one is {last}")]
    Beyond {
        /// The event.
        event: i64,
        /// The hub's last one.
        last: i64,
    },
    /// There is no such event. Retrying cannot help.
    #[error("the hub knows no event {0}")]
    NoEvent(i64),
    /// Builds that are to be held are not tagged. Retrying cannot help.
    #[error("to be held back, but not tagged in '{tag}' at event {event}: {}", .builds.join(", "))]
    NotTagged {
        /// The tag.
        tag: String,
        /// The event.
        event: i64,
        /// The builds.
        builds: Vec<String>,
    },
    /// Builds that are demanded are not there, or not complete. Retrying cannot help.
    #[error("demanded by 'force', but not to be had from the hub: {}", .0.join(", "))]
    NoBuild(Vec<String>),
    /// The hub's answers contradict each other. Retrying cannot help.
    #[error("the hub's answers contradict each other: {0}")]
    Contradiction(String),
}

impl TagError {
    /// Whether a call failed, rather than the question being wrong.
    pub fn koji(&self) -> Option<&KojiError> {
        match self {
            Self::Koji(error) => Some(error),
            _ => None,
        }
    }
}

/// Asks what a tag has. The name is what a lock calls the hub.
pub async fn state(hub: &Hub, name: &str, question: &Question<'_>) -> Result<TagState, TagError> {
    let last: Event = hub.call("getLastEvent", Arguments::none()).await?;
    let event = match question.event {
        None => last,
        Some(event) if event > last.id => return Err(TagError::Beyond { event, last: last.id }),
        Some(event) if event == last.id => last,
        Some(event) => match hub.call("getEvent", Arguments::of(event)).await {
            Ok(event) => event,
            Err(KojiError::Fault { .. }) => return Err(TagError::NoEvent(event)),
            Err(error) => return Err(error.into()),
        },
    };
    let version = hub.version().await?;
    let asking = Asking { hub, question, event: event.id, version };
    let no_tag = || TagError::NoTag { tag: question.tag.into(), event: event.id };
    // Without `strict` a tag that is not there is nil; hubs before 1.23 have it strict.
    let tag: Option<TagRow> = hub.call("getTag", asking.at(question.tag)).await?;
    let tag = tag.ok_or_else(no_tag)?;
    let mut found = asking.list().await?;
    found.snapshot.head = Head {
        version: 0,
        hub: name.into(),
        koji: koji_version(hub, version).await,
        event: event.id,
        time: event.microseconds(),
        tag: tag.id,
        inherit: question.inherit,
        latest: question.latest,
    };
    asking.surroundings(&tag, &mut found).await?;
    found.snapshot.sort();
    Ok(found)
}

/// The hub's version as it says it.
async fn koji_version(hub: &Hub, version: Version) -> String {
    let text = hub.call::<String>("getKojiVersion", Arguments::none()).await;
    text.ok()
        .filter(|text| text.len() < 64 && !text.contains(char::is_control))
        .unwrap_or_else(|| version.to_string())
}

struct Asking<'a> {
    hub: &'a Hub,
    question: &'a Question<'a>,
    event: i64,
    version: Version,
}

impl Asking<'_> {
    /// One argument, at the event.
    fn at(&self, value: impl Into<Value>) -> Arguments {
        Arguments::of(value).with("event", self.event)
    }

    /// A question about what is tagged, without drafts.
    fn tagged(&self) -> Arguments {
        let arguments = self.at(self.question.tag).with("inherit", self.question.inherit);
        if self.version >= DRAFTS { arguments.with("draft", false) } else { arguments }
    }

    /// Builds and RPMs.
    async fn list(&self) -> Result<TagState, TagError> {
        let mut found = TagState::default();
        let arguments = self.tagged().with("latest", self.question.latest);
        // A row of an RPM without `extra` is shorter, but old hubs do not know the argument.
        let arguments = if self.version >= CHECKSUMS { arguments.with("extra", false) } else { arguments };
        let (rpms, builds): (Vec<RpmRow>, Vec<BuildRow>) = self.hub.call("listTaggedRPMS", arguments).await?;
        take(&mut found.snapshot, rpms, builds);
        for held in self.question.held {
            if found.snapshot.builds.iter().any(|build| build.nvr() == *held) {
                continue;
            }
            let arguments = self.tagged().with("latest", false).with("package", package_of(held));
            let (mut rpms, mut builds): (Vec<RpmRow>, Vec<BuildRow>) =
                self.hub.call("listTaggedRPMS", arguments).await?;
            builds.retain(|row| row.nvr() == *held);
            let ids: BTreeSet<i64> = builds.iter().map(BuildRow::id).collect();
            rpms.retain(|row| ids.contains(&row.build_id));
            take(&mut found.snapshot, rpms, builds);
        }
        let is_there = |nvr: &&String| found.snapshot.builds.iter().any(|build| build.nvr() == **nvr);
        let missing: Vec<_> = self.question.held.iter().filter(|nvr| !is_there(nvr)).cloned().collect();
        if !missing.is_empty() {
            let tag = self.question.tag.to_owned();
            return Err(TagError::NotTagged { tag, event: self.event, builds: missing });
        }
        self.forced(&mut found.snapshot).await?;
        let builds: BTreeSet<i64> = found.snapshot.builds.iter().map(|build| build.id).collect();
        if let Some(rpm) = found.snapshot.rpms.iter().find(|rpm| !builds.contains(&rpm.build)) {
            let text =
                format!("{} is of build {}, which is not in the list of builds", rpm.file_name(), rpm.build);
            return Err(TagError::Contradiction(text));
        }
        Ok(found)
    }

    /// Builds that are taken whether they are tagged or not.
    async fn forced(&self, snapshot: &mut Snapshot) -> Result<(), TagError> {
        let calls =
            self.question.forced.iter().map(|nvr| ("getBuild".to_owned(), Arguments::of(nvr.as_str())));
        let rows: Vec<Result<Option<BuildRow>, Fault>> = self.hub.batch(calls.collect()).await?;
        let mut missing = Vec::new();
        let mut builds: Vec<Build> = Vec::new();
        for (nvr, row) in self.question.forced.iter().zip(rows) {
            let row = row.map_err(|fault| TagError::Fault { what: format!("getBuild of {nvr}"), fault })?;
            match row.map(BuildRow::build).filter(|build| build.state == 1 && !build.draft) {
                Some(build) => builds.push(build),
                None => missing.push(nvr.clone()),
            }
        }
        if !missing.is_empty() {
            return Err(TagError::NoBuild(missing));
        }
        let calls = builds.iter().map(|build| ("listBuildRPMs".to_owned(), Arguments::of(build.id)));
        let rows: Vec<Result<Vec<RpmRow>, Fault>> = self.hub.batch(calls.collect()).await?;
        for (build, rows) in builds.into_iter().zip(rows) {
            let what = || format!("listBuildRPMs of {}", build.nvr());
            let rows = rows.map_err(|fault| TagError::Fault { what: what(), fault })?;
            snapshot.rpms.extend(rows.into_iter().map(RpmRow::rpm));
            snapshot.builds.push(build);
        }
        Ok(())
    }

    /// All but builds and RPMs.
    async fn surroundings(&self, tag: &TagRow, found: &mut TagState) -> Result<(), TagError> {
        let (hub, event) = (self.hub, self.event);
        let snapshot = &mut found.snapshot;
        let links: Vec<LinkRow> = hub.call("getFullInheritance", self.at(tag.id)).await?;
        let ids: BTreeSet<i64> = links.iter().map(|link| link.parent_id).chain([tag.id]).collect();
        let calls = ids.iter().map(|id| ("getTag".to_owned(), self.at(*id)));
        let rows: Vec<Result<Option<TagRow>, Fault>> = hub.batch(calls.collect()).await?;
        for (id, row) in ids.iter().zip(rows) {
            let row = row.map_err(|fault| TagError::Fault { what: format!("getTag of {id}"), fault })?;
            let row = row.ok_or_else(|| {
                TagError::Contradiction(format!("there is no tag {id}, which is inherited"))
            })?;
            snapshot.tags.push(row.into());
        }
        snapshot.links = links.into_iter().map(LinkRow::link).collect();
        let arguments = Arguments::none().with("tagID", tag.id).with("inherited", true).with("event", event);
        let packages: Vec<PackageRow> = hub.call("listPackages", arguments).await?;
        snapshot.packages = packages.into_iter().map(PackageRow::package).collect();
        let externals: Vec<ExternalRow> = hub.call("getExternalRepoList", self.at(tag.id)).await?;
        snapshot.externals = externals.into_iter().map(ExternalRow::external).collect();
        self.modules(snapshot).await?;
        if self.version >= DRAFTS {
            let arguments = self.at(tag.id).with("inherit", self.question.inherit).with("draft", true);
            let drafts: Vec<BuildRow> = hub.call("listTagged", arguments).await?;
            found.drafts = drafts.iter().map(BuildRow::nvr).collect();
            found.drafts.sort();
            found.drafts.dedup();
        }
        if self.question.event.is_some() {
            found.deleted = self.deleted(&ids).await?;
        }
        Ok(())
    }

    /// Builds of modules. A hub whose administrators never added that kind of build refuses to list it, and has none.
    async fn modules(&self, snapshot: &mut Snapshot) -> Result<(), TagError> {
        let arguments = self.tagged().with("latest", self.question.latest).with("type", "module");
        let rows: Vec<BuildRow> = match self.hub.call("listTagged", arguments).await {
            Err(error) if matches!(error.fault(), Some((FaultKind::Generic, _))) => Vec::new(),
            rows => rows?,
        };
        let builds: BTreeMap<i64, String> = rows.iter().map(|row| (row.id(), row.nvr())).collect();
        let calls = builds.keys().map(|id| ("getBuild".to_owned(), Arguments::of(*id)));
        let rows: Vec<Result<Option<BuildRow>, Fault>> = self.hub.batch(calls.collect()).await?;
        for ((id, nvr), row) in builds.into_iter().zip(rows) {
            let row = row.map_err(|fault| TagError::Fault { what: format!("getBuild of {nvr}"), fault })?;
            let module = row.filter(|row| row.id() == id).and_then(|row| row.module());
            snapshot.modules.push(module.ok_or_else(|| {
                TagError::Contradiction(format!("{nvr} is the build of a module, but which one is not said"))
            })?);
        }
        Ok(())
    }

    /// Builds that these tags had at the event and that are deleted. Every entry that was in force is in the history of
    /// its tag, whatever became of the build.
    async fn deleted(&self, tags: &BTreeSet<i64>) -> Result<Vec<String>, TagError> {
        let tables = Value::Array(vec!["tag_listing".into()]);
        let calls = tags.iter().map(|id| {
            let arguments = Arguments::none().with("tables", tables.clone()).with("tag", *id);
            ("queryHistory".to_owned(), arguments.with("beforeEvent", self.event + 1))
        });
        let answers: Vec<Result<BTreeMap<String, Vec<HistoryRow>>, Fault>> =
            self.hub.batch(calls.collect()).await?;
        let mut found = BTreeSet::new();
        for (id, tables) in tags.iter().zip(answers) {
            let tables = tables
                .map_err(|fault| TagError::Fault { what: format!("queryHistory of tag {id}"), fault })?;
            let rows = tables.into_values().flatten();
            found.extend(rows.filter(|row| row.is_deleted(self.event)).map(|row| row.nvr()));
        }
        Ok(found.into_iter().collect())
    }
}

/// Adds rows to a snapshot.
fn take(snapshot: &mut Snapshot, rpms: Vec<RpmRow>, builds: Vec<BuildRow>) {
    snapshot.rpms.extend(rpms.into_iter().map(RpmRow::rpm));
    for row in builds {
        snapshot.taggings.extend(row.tagging());
        snapshot.builds.push(row.build());
    }
}

/// The package of a build: what stands before its version.
fn package_of(nvr: &str) -> &str {
    let rest = nvr.rsplit_once('-').map_or(nvr, |(rest, _)| rest);
    rest.rsplit_once('-').map_or(rest, |(name, _)| name)
}

/// Asks which signatures there are of RPMs.
pub async fn signatures(hub: &Hub, rpms: &[i64]) -> Result<Vec<Signature>, TagError> {
    let calls = rpms.iter().map(|id| ("queryRPMSigs".to_owned(), Arguments::none().with("rpm_id", *id)));
    let answers: Vec<Result<Vec<SignatureRow>, Fault>> = hub.batch(calls.collect()).await?;
    let mut found = Vec::new();
    for (id, rows) in rpms.iter().zip(answers) {
        let rows =
            rows.map_err(|fault| TagError::Fault { what: format!("queryRPMSigs of RPM {id}"), fault })?;
        found.extend(rows.into_iter().map(|row| row.signature(*id)));
    }
    Ok(found)
}

/// Asks for the digests of all copies of RPMs; none where the hub is too old to have them.
pub async fn checksums(hub: &Hub, rpms: &[i64]) -> Result<Vec<Checksum>, TagError> {
    if rpms.is_empty() || hub.version().await? < CHECKSUMS {
        return Ok(Vec::new());
    }
    let kinds = Value::Array(vec!["md5".into(), "sha256".into()]);
    let calls = rpms.iter().map(|id| {
        let arguments = Arguments::of(*id).with("checksum_types", kinds.clone());
        ("getRPMChecksums".to_owned(), arguments)
    });
    type Copies = BTreeMap<String, BTreeMap<String, String>>;
    let answers: Vec<Result<Copies, Fault>> = hub.batch(calls.collect()).await?;
    let mut found = Vec::new();
    for (id, copies) in rpms.iter().zip(answers) {
        let copies = copies
            .map_err(|fault| TagError::Fault { what: format!("getRPMChecksums of RPM {id}"), fault })?;
        for (sigkey, mut digests) in copies {
            if let Some(sha256) = digests.remove("sha256") {
                found.push(Checksum { rpm: *id, sigkey, sha256, md5: digests.remove("md5") });
            }
        }
    }
    Ok(found)
}

impl From<TagRow> for Tag {
    fn from(row: TagRow) -> Self {
        Self { id: row.id, name: row.name, arches: row.arches, locked: row.locked }
    }
}
