//! Tagged builds and their RPMs.
//!
//! Builds are taken tag by tag in the order of inheritance, within a tag the most recently tagged first (of those tagged
//! at one event the highest build id). A build counts if it is complete now and its package is listed and not blocked
//! in the tag that is asked for ([`super::packages`]).
//!
//! **The latest build is the one that was tagged last**, whatever its version, in the first tag of the order that has any
//! build of its package. The latest N are the first N rows of a package: a build that is in two tags of the order, or in
//! a tag that is reached twice, counts twice, as it is listed twice.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::packages::PackageFilter;
use crate::format::xmlrpc::Fault;
use crate::hub::builds::build::BuildState;
use crate::hub::store::database::View;
use crate::hub::store::error::generic;
use crate::hub::store::names::Key;
use crate::hub::store::query::{Columns as _, Json, Select, row, set};
use crate::hub::store::time::Time;

row! {
    /// A build in a tag, without `extra`.
    Row {
        build_id: i64 = "build.id",
        completion_time: Option<Time> = "build.completion_time",
        create_event: i64 = "tag_listing.create_event",
        creation_event_id: i64 = "events.id",
        creation_time: Time = "events.time",
        draft: bool = "build.draft",
        epoch: Option<i64> = "build.epoch",
        id: i64 = "build.id",
        name: String = "package.name",
        nvr: String = "package.name || '-' || build.version || '-' || build.release",
        owner_id: i64 = "users.id",
        owner_name: String = "users.name",
        package_id: i64 = "package.id",
        package_name: String = "package.name",
        promoter_id: Option<i64> = "promoter.id",
        promoter_name: Option<String> = "promoter.name",
        promotion_time: Option<Time> = "build.promotion_time",
        release: String = "build.release",
        start_time: Option<Time> = "build.start_time",
        state: i64 = "build.state",
        tag_id: i64 = "tag.id",
        tag_name: String = "tag.name",
        task_id: Option<i64> = "build.task_id",
        version: String = "build.version",
        volume_id: i64 = "volume.id",
        volume_name: String = "volume.name",
    }
}

/// A build in a tag (`listTagged`).
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TaggedBuild {
    /// What is always there.
    #[serde(flatten)]
    pub row: Row,
    /// What the build knows beyond that, where it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extra: Option<Option<Json>>,
}

row! {
    /// An RPM of a tagged build, without `extra` and `sigkey`.
    RpmRow {
        arch: String = "rpminfo.arch",
        build_id: i64 = "rpminfo.build_id",
        buildroot_id: Option<i64> = "rpminfo.buildroot_id",
        buildtime: i64 = "rpminfo.buildtime",
        draft: bool = "rpminfo.draft",
        epoch: Option<i64> = "rpminfo.epoch",
        id: i64 = "rpminfo.id",
        metadata_only: bool = "rpminfo.metadata_only",
        name: String = "rpminfo.name",
        payloadhash: String = "rpminfo.payloadhash",
        release: String = "rpminfo.release",
        size: i64 = "rpminfo.size",
        version: String = "rpminfo.version",
    }
}

/// An RPM of a tagged build (`listTaggedRPMS`).
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TaggedRpm {
    /// What is always there.
    #[serde(flatten)]
    pub row: RpmRow,
    /// What is known beyond that, where it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extra: Option<Option<Json>>,
    /// The key of one of its signatures, where they were asked for: then there is a row for each, and one of none for an
    /// RPM without any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sigkey: Option<Option<String>>,
}

row! {
    /// A file of a tagged build, without `extra`.
    ArchiveRow {
        id: i64 = "archiveinfo.id",
        type_id: i64 = "archiveinfo.type_id",
        btype_id: i64 = "archiveinfo.btype_id",
        btype: String = "btype.name",
        build_id: i64 = "archiveinfo.build_id",
        buildroot_id: Option<i64> = "archiveinfo.buildroot_id",
        filename: String = "archiveinfo.filename",
        size: i64 = "archiveinfo.size",
        checksum: String = "archiveinfo.checksum",
        checksum_type: i64 = "archiveinfo.checksum_type",
        metadata_only: bool = "archiveinfo.metadata_only",
    }
}

/// A file of a tagged build that is no RPM (`listTaggedArchives`).
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TaggedArchive {
    /// What is always there.
    #[serde(flatten)]
    pub row: ArchiveRow,
    /// What is known beyond that, where it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extra: Option<Option<Json>>,
}

/// Which tagged builds, and what of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TaggedFilter {
    /// As it was then; none: now.
    pub event: Option<i64>,
    /// With what the tag inherits.
    pub inherit: bool,
    /// How many of each package; none: all.
    pub latest: Option<i64>,
    /// Of this package.
    pub package: Option<String>,
    /// Whose packages' names begin so, whatever the case.
    pub prefix: Option<String>,
    /// Of this owner.
    pub owner: Option<String>,
    /// Of this type.
    pub kind: Option<String>,
    /// With what builds (`listTagged`) or RPMs (`listTaggedRPMS`) know beyond the rest.
    pub extra: bool,
    /// Drafts, or others.
    pub draft: Option<bool>,
    /// RPMs of these arches only; none: of all.
    pub arches: Option<Vec<String>>,
    /// A row for each signature of an RPM.
    pub rpmsigs: bool,
}

impl TaggedFilter {
    /// What `getLatestBuilds` and `getLatestRPMS` ask.
    pub fn latest() -> Self {
        Self { inherit: true, latest: Some(1), ..Self::default() }
    }
}

impl View {
    /// Tagged builds (`listTagged`). The tag need not be there: whether it is at that event is the caller's to check
    /// ([`View::tag`]).
    ///
    /// # Errors
    /// A type that there is not; a filter of a link that is none.
    pub fn tagged(&self, tag: i64, filter: &TaggedFilter) -> Result<Vec<TaggedBuild>, Fault> {
        let mut all = self.all_tagged(tag, &self.chain(tag, filter)?, filter, filter.extra)?;
        let prefix = filter.prefix.as_deref().unwrap_or_default().to_lowercase();
        all.retain(|build| build.row.package_name.to_lowercase().starts_with(&prefix));
        Ok(all)
    }

    /// The tags that are looked through, in order; one may be there more than once.
    fn chain(&self, tag: i64, filter: &TaggedFilter) -> Result<Vec<i64>, Fault> {
        let mut chain = vec![tag];
        if filter.inherit {
            let ancestors = self.full_inheritance(tag, filter.event)?;
            chain.extend(ancestors.iter().map(|ancestor| ancestor.link.parent_id));
        }
        Ok(chain)
    }

    fn all_tagged(
        &self,
        tag: i64,
        chain: &[i64],
        filter: &TaggedFilter,
        extra: bool,
    ) -> Result<Vec<TaggedBuild>, Fault> {
        let listed = self.packages(&PackageFilter {
            tag: Some(tag),
            package: filter.package.as_deref().filter(|package| !package.is_empty()).map(Key::from),
            inherited: true,
            event: filter.event,
            with_owners: false,
            ..PackageFilter::default()
        })?;
        let listed: BTreeSet<i64> =
            listed.into_iter().filter(|entry| !entry.blocked).map(|entry| entry.package_id).collect();
        let btype = self.known_btype(filter.kind.as_deref())?;
        let mut taken: BTreeMap<i64, i64> = BTreeMap::new();
        let mut all = Vec::new();
        for tag in chain {
            let builds = Select::from(
                "tag_listing JOIN tag ON tag.id = tag_listing.tag_id JOIN build ON build.id = tag_listing.build_id
                 JOIN events ON events.id = build.create_event JOIN package ON package.id = build.pkg_id
                 JOIN volume ON volume.id = build.volume_id JOIN users ON users.id = build.owner
                 LEFT JOIN users AS promoter ON promoter.id = build.promoter",
            )
            .at("tag_listing", filter.event)
            .and("tag_listing.tag_id = ?", [*tag])
            .and("build.state = ?", [BuildState::Complete as i64])
            .with("package.name = ?", filter.package.clone().filter(|package| !package.is_empty()))
            .with("users.name = ?", filter.owner.clone().filter(|owner| !owner.is_empty()))
            .with("build.draft = ?", filter.draft)
            .with("build.id IN (SELECT build_id FROM build_types WHERE btype_id = ?)", btype)
            .order("tag_listing.create_event DESC, build.id DESC");
            let further = if extra { ", build.extra" } else { "" };
            builds.each(&self.database, further, |row: Row, columns| {
                if !listed.contains(&row.package_id) {
                    return Ok(());
                }
                if let Some(latest) = filter.latest {
                    let taken = taken.entry(row.package_id).or_default();
                    if *taken >= latest {
                        return Ok(());
                    }
                    *taken += 1;
                }
                let extra = if extra { Some(columns.get(Row::COLUMNS.len())?) } else { None };
                all.push(TaggedBuild { row, extra });
                Ok(())
            })?;
        }
        Ok(all)
    }

    /// RPMs of tagged builds, and the builds (`listTaggedRPMS`): tag by tag in the order of inheritance, within a tag by
    /// id. An RPM is listed once, with the first tag of its build.
    ///
    /// # Errors
    /// A type that there is not; a filter of a link that is none.
    pub fn tagged_rpms(
        &self,
        tag: i64,
        filter: &TaggedFilter,
    ) -> Result<(Vec<TaggedRpm>, Vec<TaggedBuild>), Fault> {
        let chain = self.chain(tag, filter)?;
        let builds = self.all_tagged(tag, &chain, filter, false)?;
        // Of a build that is listed twice Koji keeps the last row.
        let tags: BTreeMap<i64, i64> =
            builds.iter().map(|build| (build.row.build_id, build.row.tag_id)).collect();
        let mut from = "tag_listing JOIN rpminfo ON rpminfo.build_id = tag_listing.build_id".to_owned();
        let mut further = String::new();
        if filter.extra {
            further.push_str(", rpminfo.extra");
        }
        if filter.rpmsigs {
            from.push_str(" LEFT JOIN rpmsigs ON rpmsigs.rpm_id = rpminfo.id");
            further.push_str(", rpmsigs.sigkey");
        }
        let mut all = Vec::new();
        let mut seen = BTreeSet::new();
        for tag in chain.into_iter().filter(|tag| seen.insert(*tag)) {
            let rpms = Select::from(&from)
                .at("tag_listing", filter.event)
                .and("tag_listing.tag_id = ?", [tag])
                .with("rpminfo.arch IN (SELECT value FROM json_each(?))", filter.arches.as_deref().map(set))
                .with("rpminfo.draft = ?", filter.draft)
                .order(if filter.rpmsigs { "rpminfo.id, rpmsigs.sigkey" } else { "rpminfo.id" });
            rpms.each(&self.database, &further, |row: RpmRow, columns| {
                if tags.get(&row.build_id) == Some(&tag) {
                    let extra = if filter.extra { Some(columns.get(RpmRow::COLUMNS.len())?) } else { None };
                    let sigkey = if filter.rpmsigs {
                        Some(columns.get(RpmRow::COLUMNS.len() + usize::from(filter.extra))?)
                    } else {
                        None
                    };
                    all.push(TaggedRpm { row, extra, sigkey });
                }
                Ok(())
            })?;
        }
        Ok((all, builds))
    }

    /// Other files of tagged builds, and the builds (`listTaggedArchives`): tag by tag in the order of inheritance, within
    /// a tag by id. There are none of the types `maven` and `win`, and others cannot be asked for.
    ///
    /// # Errors
    /// A type that there is not; a filter of a link that is none.
    pub fn tagged_archives(
        &self,
        tag: i64,
        filter: &TaggedFilter,
    ) -> Result<(Vec<TaggedArchive>, Vec<TaggedBuild>), Fault> {
        if let Some(kind) = filter.kind.as_deref().filter(|kind| !matches!(*kind, "maven" | "win")) {
            return Err(generic(format!("unsupported archive type: {kind}")));
        }
        let chain = self.chain(tag, filter)?;
        let builds = self.all_tagged(tag, &chain, filter, false)?;
        let tags: BTreeMap<i64, i64> =
            builds.iter().map(|build| (build.row.build_id, build.row.tag_id)).collect();
        let from = "tag_listing JOIN archiveinfo ON archiveinfo.build_id = tag_listing.build_id
            JOIN btype ON btype.id = archiveinfo.btype_id";
        let further = if filter.extra { ", archiveinfo.extra" } else { "" };
        let mut all = Vec::new();
        let mut seen = BTreeSet::new();
        for tag in chain.into_iter().filter(|tag| filter.kind.is_none() && seen.insert(*tag)) {
            let archives = Select::from(from).at("tag_listing", filter.event);
            let archives = archives.and("tag_listing.tag_id = ?", [tag]).order("archiveinfo.id");
            archives.each(&self.database, further, |row: ArchiveRow, columns| {
                if tags.get(&row.build_id) == Some(&tag) {
                    let extra =
                        if filter.extra { Some(columns.get(ArchiveRow::COLUMNS.len())?) } else { None };
                    all.push(TaggedArchive { row, extra });
                }
                Ok(())
            })?;
        }
        Ok((all, builds))
    }
}
