//! Tagging and untagging builds, and copying tags.

use super::groups::{GroupFilter, Member, settings};
use super::packages::{PackageFilter, PackageUpdate};
use super::tag::{NewTag, TagConfig, TagRow};
use super::tagged::TaggedFilter;
use crate::format::xmlrpc::Fault;
use crate::hub::builds::build::{BuildState, Known};
use crate::hub::store::change::{Change, Stamp, Write};
use crate::hub::store::database::View;
use crate::hub::store::error::{generic, not_allowed, parameter, tag_error};
use crate::hub::store::names::{BuildKey, Key};

/// What of a tag is copied (`snapshotTag`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// Arches, permission, lock and extra values.
    pub config: bool,
    /// Package lists, with what is inherited.
    pub packages: bool,
    /// Builds.
    pub builds: bool,
    /// Groups, with what is inherited.
    pub groups: bool,
    /// Only the latest build of each package.
    pub latest_only: bool,
    /// Also builds that are inherited.
    pub inherit_builds: bool,
    /// As it was then.
    pub event: Option<i64>,
    /// Even if it is locked.
    pub force: bool,
}

impl Default for Snapshot {
    fn default() -> Self {
        let (config, packages, builds, groups, latest_only, inherit_builds) =
            (true, true, true, true, true, true);
        Self { config, packages, builds, groups, latest_only, inherit_builds, event: None, force: false }
    }
}

impl View {
    /// Refuses who may not tag with a tag: it is locked, or asks for a permission. `force` helps who may do everything.
    ///
    /// # Errors
    /// Koji's ActionNotAllowed; the tag is not there.
    pub fn assert_tag_access(&self, tag: &Key, user: i64, force: bool) -> Result<(), Fault> {
        let tag = self.known_tag(tag, None)?;
        self.access(&tag, user, force)
    }

    fn access(&self, tag: &TagRow, user: i64, force: bool) -> Result<(), Fault> {
        let names = self.permissions(user)?;
        let reason = match &tag.perm {
            _ if tag.locked => "tag is locked".to_owned(),
            Some(perm) if !names.contains(perm) => format!("tag requires {perm} permission"),
            _ => return Ok(()),
        };
        if force && names.iter().any(|name| name == "admin") { Ok(()) } else { Err(not_allowed(reason)) }
    }

    /// Refuses what `tagBuild` would not even make a task of: a build that is not complete, a tag that the user may not
    /// use, a package that the tag does not list.
    ///
    /// # Errors
    /// Koji's TagError or ActionNotAllowed; tag or build are not there.
    pub fn check_tagging(&self, tag: &Key, build: &BuildKey, user: i64, force: bool) -> Result<(), Fault> {
        let build = self.known_build(build)?;
        let tag = self.known_tag(tag, None)?;
        complete(&build)?;
        self.access(&tag, user, force)?;
        let (name, list) = (&build.name, &tag.name);
        let text = match self.package_config(tag.id, build.package_id, None)? {
            None => format!("Package {name} not in list for {list}"),
            Some(entry) if entry.blocked => format!("Package {name} blocked in {list}"),
            Some(_) => return Ok(()),
        };
        if force && self.has_permission(user, "admin")? { Ok(()) } else { Err(tag_error(text)) }
    }
}

fn complete(build: &Known) -> Result<(), Fault> {
    match BuildState::from_number(build.state) {
        Some(BuildState::Complete) => Ok(()),
        state => {
            let state = state.map_or("", BuildState::name);
            Err(tag_error(format!("build {} not complete: state {state}", build.nvr)))
        }
    }
}

const THIS: &str = "tag_id = ? AND build_id = ?";

impl Change<'_> {
    fn tag_build(&self, tag: &TagRow, build: &Known, force: bool) -> Result<(), Fault> {
        complete(build)?;
        let (tag_id, build_id) = (tag.id, build.id);
        let sql = format!("SELECT 1 FROM tag_listing WHERE {THIS} AND revoke_event IS NULL");
        if self.database.prepare(&sql)?.exists([tag_id, build_id])? {
            if !force {
                return Err(tag_error(format!("build {} already tagged ({})", build.nvr, tag.name)));
            }
            self.end("tag_listing", THIS, &[&tag_id, &build_id])?;
        }
        self.begin("tag_listing", "tag_id, build_id", &[&tag_id, &build_id])
    }
}

impl Write<'_> {
    /// Tags a build (`tagBuildBypass`): it is the tag's latest of its package then. `force` tags again what is tagged, and
    /// helps who may do everything past a lock. Package lists are not looked at ([`View::check_tagging`] does).
    ///
    /// # Errors
    /// It is tagged, or not complete; the user may not; tag or build are not there.
    pub fn tag_build(
        &mut self,
        stamp: &Stamp,
        tag: &Key,
        build: &BuildKey,
        force: bool,
    ) -> Result<(), Fault> {
        self.change(stamp, |change| {
            let (tag, build) = (change.known_tag(tag, None)?, change.known_build(build)?);
            change.access(&tag, change.user(), force)?;
            change.tag_build(&tag, &build, force)
        })
    }

    /// Untags a build (`untagBuildBypass`). Without `strict` one that is not tagged is no error.
    ///
    /// # Errors
    /// It is not tagged; the user may not; tag or build are not there.
    pub fn untag_build(
        &mut self,
        stamp: &Stamp,
        tag: &Key,
        build: &BuildKey,
        strict: bool,
        force: bool,
    ) -> Result<(), Fault> {
        self.change(stamp, |change| {
            let (tag, build) = (change.known_tag(tag, None)?, change.known_build(build)?);
            change.access(&tag, change.user(), force)?;
            if change.end("tag_listing", THIS, &[&tag.id, &build.id])? == 0 && strict {
                return Err(tag_error(format!("build {} not in tag {}", build.nvr, tag.name)));
            }
            Ok(())
        })
    }

    /// Tags builds one after the other, each at an event of its own (`massTag`), whatever the tag's lock says.
    ///
    /// # Errors
    /// A build is not complete; tag or build are not there.
    pub fn mass_tag(&mut self, stamp: &Stamp, tag: &Key, builds: &[BuildKey]) -> Result<(), Fault> {
        let mut stamps = Stamps(*stamp);
        self.together(|write| {
            for build in builds {
                write.change(&stamps.next(), |change| {
                    change.tag_build(&change.known_tag(tag, None)?, &change.known_build(build)?, true)
                })?;
            }
            Ok(())
        })
    }

    /// Copies a tag to a new one, without inheritance: what it inherits becomes its own (`snapshotTag`). Each entry has
    /// an event of its own, oldest taggings first, so that their order stays.
    ///
    /// # Errors
    /// The source is not there or locked; the target is there.
    pub fn snapshot_tag(
        &mut self,
        stamp: &Stamp,
        from: &Key,
        to: &str,
        what: &Snapshot,
    ) -> Result<(), Fault> {
        if what.builds && !what.packages {
            return Err(parameter("builds can't be used without pkgs in snapshotTag"));
        }
        if self.tag(&to.into(), None, false)?.is_some() {
            return Err(generic("Target tag already exists"));
        }
        let source = self.tag(from, what.event, true)?.ok_or_else(|| super::tag::no_tag(from))?;
        let TagRow { id, locked, maven_support, maven_include_all, .. } = source.row;
        if locked && !what.force {
            return Err(generic("Source tag is locked, use force to copy"));
        }
        let new = if what.config {
            let (arches, perm) = (source.row.arches, source.row.perm_id.map(Key::Id));
            let config = TagConfig { arches, perm, locked, maven_support, maven_include_all };
            NewTag { config, extra: source.extra, ..NewTag::default() }
        } else {
            NewTag::default()
        };
        let event = what.event;
        let mut stamps = Stamps(*stamp);
        self.together(|write| {
            let target = Key::Id(write.create_tag(&stamps.next(), to, &new)?);
            if what.packages {
                let filter =
                    PackageFilter { tag: Some(id), inherited: true, event, ..PackageFilter::default() };
                for entry in write.packages(&filter)? {
                    let update = PackageUpdate {
                        owner: entry.owner_id.map(Key::Id),
                        block: Some(entry.blocked),
                        extra_arches: entry.extra_arches,
                        force: true,
                        update: false,
                    };
                    write.add_package(&stamps.next(), &target, &entry.package_id.into(), &update)?;
                }
            }
            if what.builds {
                let latest = what.latest_only.then_some(1);
                let filter =
                    TaggedFilter { event, inherit: what.inherit_builds, latest, ..TaggedFilter::default() };
                let builds = write.tagged(id, &filter)?;
                let builds: Vec<_> = builds.iter().rev().map(|build| build.row.build_id.into()).collect();
                write.mass_tag(&stamps.next(), &target, &builds)?;
            }
            if what.groups {
                write.copy_groups(&mut stamps, id, event, &target)?;
            }
            Ok(())
        })
    }
}

impl Write<'_> {
    /// Gives a tag the groups of another: all groups first, because some require others.
    fn copy_groups(
        &mut self,
        stamps: &mut Stamps,
        from: i64,
        event: Option<i64>,
        to: &Key,
    ) -> Result<(), Fault> {
        let groups = self.tag_groups(&from.into(), &GroupFilter { event, ..GroupFilter::default() })?;
        for group in &groups {
            let id = Key::Id(group.row.group_id);
            self.add_group(&stamps.next(), to, &id, false, true, settings(&group.row))?;
            for package in group.packages.iter().flatten() {
                let member = Member::Package(package.package.clone());
                self.add_to_group(&stamps.next(), to, &id, &member, false, true, &settings(package))?;
            }
        }
        for group in &groups {
            let id = Key::Id(group.row.group_id);
            for required in group.requirements.iter().flatten() {
                let member = Member::Group(required.req_id.into());
                self.add_to_group(&stamps.next(), to, &id, &member, false, true, &settings(required))?;
            }
        }
        Ok(())
    }
}

/// The stamps of several changes: the first has the event that is given, the others take the next ones.
struct Stamps(Stamp);

impl Stamps {
    fn next(&mut self) -> Stamp {
        let stamp = self.0;
        self.0.event = None;
        stamp
    }
}
