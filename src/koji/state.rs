//! What a tag has at one event, in few calls.
//!
//! Everything is asked as of one event: the one that is named, or the last one, asked for once. An event that the hub has not
//! reached would silently mean now, so it is refused. The list of packages comes from one listTaggedRPMS, whose rows have
//! no order; signatures and digests come in batches. Drafts are left out where the hub knows them (from 1.34). What does
//! not depend on an answer is asked at the same time.

use std::collections::BTreeSet;

use super::connection::Hub;
use super::error::{KojiError, Version};
use super::query::{Latest, Tagged};
use super::rows::{self, TaggedRpms};
use super::snapshot::{Build, Checksum, External, Head, Link, Package, Rpm, Signature, Snapshot, Tag};
use crate::format::xmlrpc::Arguments;
use crate::recipe::ModuleChoice;

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
    /// Streams of modules whose packages are asked for, and modules that are left out. Where there are none, builds of
    /// modules are only listed.
    pub modules: &'a [ModuleChoice],
}

/// What a hub says of a tag.
#[derive(Clone, Debug, Default)]
pub struct TagState {
    /// What it has, without signatures and checksums, and without the texts of files of modules.
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
    /// The tag with the packages of a module is not there. Retrying cannot help.
    #[error("the hub has no tag '{tag}' at event {event}, where the packages of {module} should be")]
    NoContent {
        /// The build of the module.
        module: String,
        /// The tag.
        tag: String,
        /// The event.
        event: i64,
    },
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
    let last = hub.last_event(None).await?;
    let event = match question.event {
        None => last,
        Some(event) if event > last.id => return Err(TagError::Beyond { event, last: last.id }),
        Some(event) if event == last.id => last,
        Some(event) => match hub.event(event).await {
            Ok(event) => event,
            Err(KojiError::Fault { .. }) => return Err(TagError::NoEvent(event)),
            Err(error) => return Err(error.into()),
        },
    };
    let version = hub.version().await?;
    let no_tag = || TagError::NoTag { tag: question.tag.into(), event: event.id };
    // Without `strict` a tag that is not there is nil; hubs before 1.23 have it strict.
    let tag = hub.tag(question.tag, Some(event.id)).await?.ok_or_else(no_tag)?;
    let asking = Asking { hub, question, event: event.id, tag: tag.id };
    let (mut snapshot, (tags, links, deleted), packages, externals, modules, drafts, koji) = tokio::try_join!(
        asking.list(),
        asking.inheritance(),
        asking.packages(),
        asking.externals(),
        asking.listed_modules(),
        asking.drafts(),
        koji_version(hub, version),
    )?;
    snapshot.head = Head {
        version: 0,
        hub: name.into(),
        koji,
        event: event.id,
        time: event.microseconds(),
        tag: tag.id,
        inherit: question.inherit,
        latest: question.latest,
    };
    (snapshot.tags, snapshot.links, snapshot.packages) = (tags, links, packages);
    snapshot.externals = externals;
    asking.modules(modules, &mut snapshot).await?;
    snapshot.sort();
    Ok(TagState { snapshot, drafts, deleted })
}

/// The hub's version as it says it.
async fn koji_version(hub: &Hub, version: Version) -> Result<String, TagError> {
    let text = hub.call::<String>("getKojiVersion", Arguments::none()).await;
    let plain = text.ok().filter(|text| text.len() < 64 && !text.contains(char::is_control));
    Ok(plain.unwrap_or_else(|| version.to_string()))
}

/// What is asked about a tag that is there.
pub(super) struct Asking<'a> {
    pub(super) hub: &'a Hub,
    pub(super) question: &'a Question<'a>,
    pub(super) event: i64,
    pub(super) tag: i64,
}

impl Asking<'_> {
    /// What is tagged, without drafts.
    pub(super) fn tagged(&self) -> Tagged {
        Tagged {
            event: Some(self.event),
            inherit: self.question.inherit,
            latest: if self.question.latest { Latest::One } else { Latest::All },
            draft: Some(false),
            lean: true,
            ..Tagged::default()
        }
    }

    /// Builds and RPMs.
    async fn list(&self) -> Result<Snapshot, TagError> {
        let mut found = Snapshot::default();
        take(&mut found, self.hub.tagged_rpms(self.tag, &self.tagged()).await?)?;
        let is_there = |found: &Snapshot, nvr: &str| found.builds.iter().any(|build| build.nvr() == nvr);
        for held in self.question.held.iter().filter(|nvr| !is_there(&found, nvr)).collect::<Vec<_>>() {
            let which =
                Tagged { latest: Latest::All, package: Some(package_of(held).into()), ..self.tagged() };
            let TaggedRpms(mut rpms, mut builds) = self.hub.tagged_rpms(self.tag, &which).await?;
            builds.retain(|row| *row.nvr == **held);
            let ids: BTreeSet<i64> = builds.iter().map(|row| row.build_id).collect();
            rpms.retain(|row| row.build_id.is_some_and(|build| ids.contains(&build)));
            take(&mut found, TaggedRpms(rpms, builds))?;
        }
        let missing = self.question.held.iter().filter(|nvr| !is_there(&found, nvr));
        let missing: Vec<_> = missing.cloned().collect();
        if !missing.is_empty() {
            let tag = self.question.tag.to_owned();
            return Err(TagError::NotTagged { tag, event: self.event, builds: missing });
        }
        self.forced(&mut found).await?;
        let builds: BTreeSet<i64> = found.builds.iter().map(|build| build.id).collect();
        if let Some(rpm) = found.rpms.iter().find(|rpm| !builds.contains(&rpm.build)) {
            let text =
                format!("{} is of build {}, which is not in the list of builds", rpm.file_name(), rpm.build);
            return Err(TagError::Contradiction(text));
        }
        Ok(found)
    }

    /// Builds that are taken whether they are tagged or not.
    async fn forced(&self, found: &mut Snapshot) -> Result<(), TagError> {
        let rows = self.hub.builds(self.question.forced).await?;
        let usable = |row: Option<rows::Build>| row.filter(|row| row.state == 1 && !row.draft);
        let (mut builds, mut missing) = (Vec::new(), Vec::new());
        for (nvr, row) in self.question.forced.iter().zip(rows) {
            match usable(row) {
                Some(row) => builds.push(row),
                None => missing.push(nvr.clone()),
            }
        }
        if !missing.is_empty() {
            return Err(TagError::NoBuild(missing));
        }
        let ids: Vec<_> = builds.iter().map(|row| row.build_id).collect();
        let rpms = self.hub.build_rpms(&ids).await?.into_iter().flatten().collect();
        for row in &mut builds {
            row.tag_id = None;
        }
        take(found, TaggedRpms(rpms, builds))
    }

    /// The tag and those that it inherits from, the inheritance, and builds that these had at the event and that are
    /// deleted.
    async fn inheritance(&self) -> Result<(Vec<Tag>, Vec<Link>, Vec<String>), TagError> {
        let links = self.hub.inheritance(self.tag, Some(self.event)).await?;
        let ids: BTreeSet<i64> = links.iter().map(|link| link.parent_id).chain([self.tag]).collect();
        let ids: Vec<_> = ids.into_iter().collect();
        let (rows, deleted) =
            tokio::try_join!(async { Ok(self.hub.tags(&ids, Some(self.event)).await?) }, self.deleted(&ids))?;
        let mut tags = Vec::new();
        for (id, row) in ids.iter().zip(rows) {
            let row = row.ok_or_else(|| {
                TagError::Contradiction(format!("there is no tag {id}, which is inherited"))
            })?;
            tags.push(row.into());
        }
        Ok((tags, links.into_iter().map(Link::from).collect(), deleted))
    }

    /// Every entry of a tag that was in force is in its history, whatever became of the build. Of the last event nothing
    /// can have been deleted since.
    async fn deleted(&self, tags: &[i64]) -> Result<Vec<String>, TagError> {
        if self.question.event.is_none() {
            return Ok(Vec::new());
        }
        let rows = self.hub.tagging_history(tags, self.event + 1).await?.into_iter().flatten();
        let deleted = rows.filter(|row| row.is_deleted(self.event));
        Ok(deleted.map(|row| row.nvr()).collect::<BTreeSet<_>>().into_iter().collect())
    }

    async fn packages(&self) -> Result<Vec<Package>, TagError> {
        let rows = self.hub.packages(self.tag, Some(self.event)).await?;
        Ok(rows.into_iter().map(Package::from).collect())
    }

    async fn externals(&self) -> Result<Vec<External>, TagError> {
        let rows = self.hub.external_repos(self.tag, Some(self.event)).await?;
        Ok(rows.into_iter().map(External::from).collect())
    }

    /// Builds that are drafts, by name.
    async fn drafts(&self) -> Result<Vec<String>, TagError> {
        let which = Tagged { latest: Latest::All, draft: Some(true), ..self.tagged() };
        let rows = self.hub.tagged_builds(self.tag, &which).await?;
        let names: BTreeSet<_> = rows.into_iter().map(|row| String::from(row.nvr)).collect();
        Ok(names.into_iter().collect())
    }
}

/// Adds rows to a snapshot.
pub(super) fn take(snapshot: &mut Snapshot, TaggedRpms(rpms, builds): TaggedRpms) -> Result<(), TagError> {
    snapshot.rpms.reserve(rpms.len());
    for row in rpms {
        let id = row.id;
        let no_build = || TagError::Contradiction(format!("RPM {id} is of no build, or of no possible size"));
        snapshot.rpms.push(Rpm::of(row).ok_or_else(no_build)?);
    }
    snapshot.taggings.extend(builds.iter().filter_map(rows::Build::tagging));
    snapshot.builds.extend(builds.into_iter().map(Build::from));
    Ok(())
}

/// The package of a build: what stands before its version.
fn package_of(nvr: &str) -> &str {
    let rest = nvr.rsplit_once('-').map_or(nvr, |(rest, _)| rest);
    rest.rsplit_once('-').map_or(rest, |(name, _)| name)
}

/// Asks which signatures there are of RPMs.
pub async fn signatures(hub: &Hub, rpms: &[i64]) -> Result<Vec<Signature>, TagError> {
    let rows = hub.signatures(rpms).await?;
    if let Some((id, row)) = rpms.iter().zip(&rows).find_map(|(id, rows)| {
        let other = rows.iter().find(|row| row.rpm_id != *id)?;
        Some((id, other))
    }) {
        let text = format!("asked for signatures of RPM {id}, it tells one of RPM {}", row.rpm_id);
        return Err(TagError::Contradiction(text));
    }
    Ok(rows.into_iter().flatten().map(Signature::from).collect())
}

/// Asks for the digests of all copies of RPMs; none where the hub is too old to have them.
pub async fn checksums(hub: &Hub, rpms: &[i64]) -> Result<Vec<Checksum>, TagError> {
    let copies = match rpms {
        [] => return Ok(Vec::new()),
        _ => match hub.checksums(rpms).await {
            Err(KojiError::TooOld { .. }) => return Ok(Vec::new()),
            copies => copies?,
        },
    };
    let mut found = Vec::new();
    for (id, copies) in rpms.iter().zip(copies) {
        for (sigkey, mut digests) in copies {
            if let Some(sha256) = digests.remove("sha256") {
                let md5 = digests.remove("md5").map(String::from);
                found.push(Checksum { rpm: *id, sigkey: sigkey.into(), sha256: sha256.into(), md5 });
            }
        }
    }
    Ok(found)
}
