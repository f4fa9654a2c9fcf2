//! Builds.
//!
//! A build of a name, version and release is there once; only one that failed or was cancelled, and left nothing behind,
//! is made again in place. The release of a draft ends in `,draft_` and its id.
//!
//! State, volume and owner are those of now at every event: a deleted build is missing in all the past.

use rusqlite::OptionalExtension;
use serde::Serialize;

use crate::format::xmlrpc::Fault;
use crate::hub::search;
use crate::hub::store::database::View;
use crate::hub::store::error::generic;
use crate::hub::store::names::{BuildKey, Key};
use crate::hub::store::query::{Json, Listing, QueryOptions, Select, row};
use crate::hub::store::time::{Seconds, Time};
use crate::hub::tags::tag::Named;

/// States of builds, with Koji's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BuildState {
    /// Under way.
    Building = 0,
    /// Done.
    Complete = 1,
    /// Its files are gone.
    Deleted = 2,
    /// Failed.
    Failed = 3,
    /// Called off.
    Canceled = 4,
}

impl BuildState {
    const ALL: [(Self, &'static str); 5] = [
        (Self::Building, "BUILDING"),
        (Self::Complete, "COMPLETE"),
        (Self::Deleted, "DELETED"),
        (Self::Failed, "FAILED"),
        (Self::Canceled, "CANCELED"),
    ];

    /// The state of a number.
    pub fn from_number(number: i64) -> Option<Self> {
        Self::ALL.into_iter().map(|(state, _)| state).find(|state| *state as i64 == number)
    }

    /// Its name in Koji's texts.
    pub fn name(self) -> &'static str {
        Self::ALL.into_iter().find(|(state, _)| *state == self).map_or("", |(_, name)| name)
    }
}

row! {
    /// A build in lists (`listBuilds`).
    ListedBuild {
        build_id: i64 = "build.id",
        completion_time: Option<Time> = "build.completion_time",
        completion_ts: Option<Seconds> = "build.completion_time",
        creation_event_id: i64 = "events.id",
        creation_time: Time = "events.time",
        creation_ts: Seconds = "events.time",
        draft: bool = "build.draft",
        epoch: Option<i64> = "build.epoch",
        extra: Option<Json> = "build.extra",
        name: String = "package.name",
        nvr: String = "package.name || '-' || build.version || '-' || build.release",
        owner_id: i64 = "users.id",
        owner_name: String = "users.name",
        package_id: i64 = "package.id",
        package_name: String = "package.name",
        promoter_id: Option<i64> = "promoter.id",
        promoter_name: Option<String> = "promoter.name",
        promotion_time: Option<Time> = "build.promotion_time",
        promotion_ts: Option<Seconds> = "build.promotion_time",
        release: String = "build.release",
        source: Option<String> = "build.source",
        start_time: Option<Time> = "build.start_time",
        start_ts: Option<Seconds> = "build.start_time",
        state: i64 = "build.state",
        task_id: Option<i64> = "build.task_id",
        version: String = "build.version",
        volume_id: i64 = "volume.id",
        volume_name: String = "volume.name",
    }
}

row! {
    /// A build that no tag has (`untaggedBuilds`).
    UntaggedBuild {
        id: i64 = "build.id",
        name: String = "package.name",
        version: String = "build.version",
        release: String = "build.release",
    }
}

row! {
    /// The core of a build.
    Known {
        id: i64 = "build.id",
        nvr: String = "package.name || '-' || build.version || '-' || build.release",
        name: String = "package.name",
        package_id: i64 = "package.id",
        draft: bool = "build.draft",
        state: i64 = "build.state",
        task_id: Option<i64> = "build.task_id",
        volume_id: i64 = "volume.id",
        volume_name: String = "volume.name",
    }
}

/// A build (`getBuild`).
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Build {
    /// What lists show.
    #[serde(flatten)]
    pub row: ListedBuild,
    /// The same as `build_id`.
    pub id: i64,
    /// The content generator that imported it.
    pub cg_id: Option<i64>,
    /// Its name.
    pub cg_name: Option<String>,
}

/// Which builds (`listBuilds`).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BuildFilter {
    /// Of this package.
    pub package: Option<Key>,
    /// Of this owner.
    pub user: Option<Key>,
    /// Of this task; -1: of any.
    pub task: Option<i64>,
    /// Whose packages' names begin so, whatever the case.
    pub prefix: Option<String>,
    /// Whose name-version-release fits, with `*` and `?`, whatever the case.
    pub pattern: Option<String>,
    /// Whose source fits, the same.
    pub source: Option<String>,
    /// In this state.
    pub state: Option<i64>,
    /// On this volume.
    pub volume: Option<i64>,
    /// Made before.
    pub created_before: Option<Time>,
    /// Made after.
    pub created_after: Option<Time>,
    /// Completed before.
    pub completed_before: Option<Time>,
    /// Completed after.
    pub completed_after: Option<Time>,
    /// Of this type.
    pub kind: Option<String>,
    /// Of this content generator.
    pub generator: Option<Key>,
    /// Drafts, or others.
    pub draft: Option<bool>,
}

const BUILDS: &str = "build JOIN events ON build.create_event = events.id
    JOIN package ON build.pkg_id = package.id JOIN volume ON build.volume_id = volume.id
    JOIN users ON build.owner = users.id LEFT JOIN users AS promoter ON build.promoter = promoter.id";

impl View {
    /// A build's id (`findBuildID`): an id is believed.
    ///
    /// # Errors
    /// The text is no name-version-release.
    pub fn find_build(&self, build: &BuildKey) -> Result<Option<i64>, Fault> {
        if let BuildKey::Id(id) = build {
            return Ok(Some(*id));
        }
        let Some(parts) = build.parts()? else { return Ok(None) };
        let mut statement = self.database.prepare(
            "SELECT build.id FROM build JOIN package ON pkg_id = package.id
             WHERE package.name = ? AND version = ? AND release = ?",
        )?;
        Ok(statement.query_row(parts, |row| row.get(0)).optional()?)
    }

    /// A build (`getBuild`).
    ///
    /// # Errors
    /// There is none, and `strict`; the text is no name-version-release.
    pub fn build(&self, build: &BuildKey, strict: bool) -> Result<Option<Build>, Fault> {
        let missing = || generic(format!("No such build: {}", build.quoted()));
        let found = match self.find_build(build)? {
            None => None,
            Some(id) => {
                let from =
                    format!("{BUILDS} LEFT JOIN content_generator ON content_generator.id = build.cg_id");
                let mut found = None;
                Select::from(&from).and("build.id = ?", [id]).each(
                    &self.database,
                    ", content_generator.id, content_generator.name",
                    |row: ListedBuild, columns| {
                        let (cg_id, cg_name) = (columns.get(28)?, columns.get(29)?);
                        found = Some(Build { id: row.build_id, cg_id, cg_name, row });
                        Ok(())
                    },
                )?;
                found
            }
        };
        if strict && found.is_none() { Err(missing()) } else { Ok(found) }
    }

    /// Complete builds that no tag has (`untaggedBuilds`), of a package or all.
    ///
    /// # Errors
    /// An order that is none.
    pub fn untagged_builds(
        &self,
        package: Option<&str>,
        draft: Option<bool>,
        options: &QueryOptions,
    ) -> Result<Listing<UntaggedBuild>, Fault> {
        let tagged =
            "NOT EXISTS (SELECT 1 FROM tag_listing WHERE build_id = build.id AND revoke_event IS NULL)";
        Select::from("build JOIN package ON package.id = build.pkg_id")
            .only(true, tagged)
            .and("build.state = ?", [BuildState::Complete as i64])
            .with("package.name = ?", package.map(str::to_owned))
            .with("build.draft = ?", draft)
            .order("build.id")
            .list(&self.database, options)
    }

    /// What changes need to know of a build.
    pub(in crate::hub) fn known_build(&self, build: &BuildKey) -> Result<Known, Fault> {
        let from =
            "build JOIN package ON build.pkg_id = package.id JOIN volume ON build.volume_id = volume.id";
        let found = match self.find_build(build)? {
            None => None,
            Some(id) => Select::from(from).and("build.id = ?", [id]).first(&self.database)?,
        };
        found.ok_or_else(|| generic(format!("No such build: {}", build.quoted())))
    }

    /// Builds (`listBuilds`), oldest id first unless another order is wanted.
    ///
    /// # Errors
    /// A type or an order that there is not.
    pub fn builds(
        &self,
        filter: &BuildFilter,
        options: &QueryOptions,
    ) -> Result<Listing<ListedBuild>, Fault> {
        let find = |table: &str, key: &Option<Key>| match key {
            None => Ok(Some(None)),
            Some(key) => Ok::<_, Fault>(self.lookup(table, key)?.map(|found| Some(found.id))),
        };
        // What does not exist has no builds, even where they are counted.
        let nothing = || Ok(Listing::Rows(Vec::new()));
        let Some(package) = find("package", &filter.package)? else { return nothing() };
        let Some(user) = find("users", &filter.user)? else { return nothing() };
        let Some(generator) = find("content_generator", &filter.generator)? else { return nothing() };
        let prefix = filter.prefix.as_deref().filter(|prefix| !prefix.is_empty());
        let prefix = prefix.map(|prefix| format!("{}%", search::literal(prefix)));
        let pattern = filter.pattern.as_deref().filter(|pattern| !pattern.is_empty()).map(search::like);
        let builds = Select::from(BUILDS)
            .with("package.id = ?", package)
            .with("users.id = ?", user)
            .with("build.cg_id = ?", generator)
            .with("volume.id = ?", filter.volume)
            .with("build.task_id = ?", filter.task.filter(|task| *task != -1))
            .only(filter.task == Some(-1), "build.task_id IS NOT NULL")
            .with("build.source LIKE ? ESCAPE '\\'", filter.source.as_deref().map(search::like))
            .with("package.name LIKE ? ESCAPE '\\'", prefix)
            .with("package.name || '-' || build.version || '-' || build.release LIKE ? ESCAPE '\\'", pattern)
            .with("build.state = ?", filter.state)
            .with("events.time < ?", filter.created_before.map(Time::micros))
            .with("events.time > ?", filter.created_after.map(Time::micros))
            .with("build.completion_time < ?", filter.completed_before.map(Time::micros))
            .with("build.completion_time > ?", filter.completed_after.map(Time::micros))
            .with("build.draft = ?", filter.draft)
            .with(
                "build.id IN (SELECT build_id FROM build_types WHERE btype_id = ?)",
                self.known_btype(filter.kind.as_deref())?,
            );
        builds.order("build.id").list(&self.database, options)
    }

    /// The id of a type of builds, if one is named.
    pub(in crate::hub) fn known_btype(&self, kind: Option<&str>) -> Result<Option<i64>, Fault> {
        let Some(kind) = kind else { return Ok(None) };
        match self.lookup("btype", &kind.into())? {
            Some(found) => Ok(Some(found.id)),
            None => Err(generic(format!("unsupported build type: {kind}"))),
        }
    }

    /// The types of a build, each with what `extra.typeinfo` says of it (`getBuildType`).
    ///
    /// # Errors
    /// The build is not there, and `strict`.
    pub fn build_types(&self, build: &BuildKey, strict: bool) -> Result<Option<Json>, Fault> {
        let Some(build) = self.build(build, strict)? else { return Ok(None) };
        let mut statement = self.database.prepare(
            "SELECT name FROM btype JOIN build_types ON btype_id = id WHERE build_id = ? ORDER BY id",
        )?;
        let names = statement.query_map([build.id], |row| row.get::<_, String>(0))?;
        let mut all = serde_json::Map::new();
        for name in names {
            let name = name?;
            let info =
                build.row.extra.as_ref().and_then(|extra| extra.0.get("typeinfo")?.get(&name)).cloned();
            all.insert(name, info.unwrap_or_default());
        }
        Ok(Some(Json(all.into())))
    }

    /// Volumes, or types of builds: everything in a table of ids and names (`listVolumes`, `listBTypes`).
    fn names(&self, table: &str) -> Result<Vec<Named>, Fault> {
        let mut statement = self.database.prepare(&format!("SELECT id, name FROM {table} ORDER BY id"))?;
        let all = statement.query_map([], |row| Ok(Named { id: row.get(0)?, name: row.get(1)? }))?;
        Ok(all.collect::<rusqlite::Result<_>>()?)
    }

    /// All volumes (`listVolumes`).
    ///
    /// # Errors
    /// The database fails.
    pub fn volumes(&self) -> Result<Vec<Named>, Fault> {
        self.names("volume")
    }

    /// A volume (`getVolume`).
    ///
    /// # Errors
    /// There is none, and `strict`.
    pub fn volume(&self, volume: &Key, strict: bool) -> Result<Option<Named>, Fault> {
        let found =
            if strict { Some(self.lookup_strict("volume", volume)?) } else { self.lookup("volume", volume)? };
        Ok(found.map(|found| Named { id: found.id, name: found.name }))
    }

    /// All types of builds (`listBTypes`).
    ///
    /// # Errors
    /// The database fails.
    pub fn btypes(&self) -> Result<Vec<Named>, Fault> {
        self.names("btype")
    }
}
