//! The hub that answers for a lock: in memory, filled with what a lock keeps of a hub's answers about one tag at one
//! event, and changed by nobody.
//!
//! It answers for its event, and the same for now. What was not asked for then is not there: other tags, builds that the
//! tag did not have, `extra` of builds and RPMs, what was before. Where a lock does not say at which event something
//! began, it is event 1; an event whose time it does not say has the time of the last one before it that it says; and
//! entries that are not said to be anybody's were begun by the user `replay`.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{Connection, Params, params};
use serde_json::json;

use crate::format::xmlrpc::Fault;
use crate::hub::builds::build::BuildState;
use crate::hub::builds::changes::check_part;
use crate::hub::builds::checksums::ChecksumType;
use crate::hub::store::database::Hub;
use crate::hub::store::error::{HubError, generic};
use crate::hub::store::query::Json;
use crate::hub::store::time::Time;
use crate::hub::tags::inheritance::compile;
use crate::koji::Snapshot;
use crate::koji::snapshot::Modulemd;

/// The event of what a lock does not date.
const FIRST: i64 = 1;

impl Hub {
    /// A hub in memory that answers what a hub once said, and refuses all changes.
    ///
    /// # Errors
    /// What is kept contradicts itself.
    pub fn replay(snapshot: &Snapshot) -> Result<Self, HubError> {
        let hub = Self::memory()?;
        let load = || {
            let write = hub.write()?;
            Filling { database: &write.database, snapshot }.fill()?;
            write.commit()
        };
        load().map_err(|fault: Fault| HubError::Contradiction(fault.text))?;
        Ok(hub.frozen())
    }
}

struct Filling<'s> {
    database: &'s Connection,
    snapshot: &'s Snapshot,
}

/// Carries a statement out for each row.
fn each<'r, T, P: Params>(
    database: &Connection,
    sql: &str,
    rows: &'r [T],
    values: impl Fn(&'r T) -> P,
) -> Result<(), Fault> {
    let mut statement = database.prepare(sql)?;
    for row in rows {
        statement.execute(values(row))?;
    }
    Ok(())
}

fn time(text: &str) -> Result<Time, Fault> {
    Time::parse(text).ok_or_else(|| generic(format!("'{text}' is no time of a hub")))
}

impl Filling<'_> {
    fn fill(&self) -> Result<(), Fault> {
        self.check()?;
        self.events()?;
        let user = self.people()?;
        self.tags(user)?;
        self.builds(user)?;
        self.rpms()?;
        self.externals(user)
    }

    /// What becomes part of a path, or a pattern.
    fn check(&self) -> Result<(), Fault> {
        for build in &self.snapshot.builds {
            check_part("name", &build.name)?;
            check_part("version", &build.version)?;
            check_part("release", &build.release)?;
            check_part("volume", &build.volume_name)?;
        }
        for rpm in &self.snapshot.rpms {
            for part in [&rpm.name, &rpm.version, &rpm.release, &rpm.arch] {
                check_part("part of an rpm's name", part)?;
            }
        }
        for link in &self.snapshot.links {
            compile(&link.filter)?;
        }
        Ok(())
    }

    fn events(&self) -> Result<(), Fault> {
        let head = &self.snapshot.head;
        let mut events: BTreeMap<i64, Option<Time>> = BTreeMap::from([(FIRST, None)]);
        for tagging in &self.snapshot.taggings {
            if tagging.event > head.event {
                return Err(generic(format!(
                    "build {} was tagged after event {}",
                    tagging.build, head.event
                )));
            }
            events.entry(tagging.event).or_default();
        }
        for build in &self.snapshot.builds {
            events.insert(build.event, Some(time(&build.creation)?));
        }
        events.insert(head.event, Some(Time::from_micros(head.time)));
        let earliest = events.values().flatten().min().copied();
        let mut known = earliest.unwrap_or(Time::from_micros(head.time));
        let mut statement = self.database.prepare("INSERT INTO events VALUES (?, ?)")?;
        for (event, time) in &events {
            known = time.unwrap_or(known);
            statement.execute(params![event, known])?;
        }
        let last = events.keys().next_back();
        self.database.execute("UPDATE sequence SET value = ?", params![last])?;
        Ok(())
    }

    /// All users; the one of what is nobody's.
    fn people(&self) -> Result<i64, Fault> {
        let Snapshot { builds, packages, .. } = self.snapshot;
        let owners = builds.iter().map(|build| (build.owner, build.owner_name.as_str()));
        let owners =
            owners.chain(packages.iter().map(|package| (package.owner, package.owner_name.as_str())));
        let owners: BTreeSet<(i64, &str)> = owners.collect();
        let replay = owners.last().map_or(1, |(id, _)| id.saturating_add(1));
        let names: BTreeSet<&str> = owners.iter().map(|(_, name)| *name).collect();
        let mut name = "replay".to_owned();
        while names.contains(name.as_str()) {
            name.push('_');
        }
        let all: Vec<_> = owners.into_iter().chain([(replay, name.as_str())]).collect();
        let sql = "INSERT INTO users (id, name, status, usertype) VALUES (?, ?, 0, 0)";
        each(self.database, sql, &all, |(id, name)| (id, name))?;
        Ok(replay)
    }

    fn tags(&self, user: i64) -> Result<(), Fault> {
        let Snapshot { tags, links, packages, builds, .. } = self.snapshot;
        each(self.database, "INSERT INTO tag VALUES (?, ?)", tags, |tag| (tag.id, &tag.name))?;
        let sql = "INSERT INTO tag_config (tag_id, arches, locked, maven_support, maven_include_all, create_event, creator_id)
             VALUES (?, ?, ?, 0, 0, ?, ?)";
        each(self.database, sql, tags, |tag| (tag.id, &tag.arches, tag.locked, FIRST, user))?;
        // A link that the walk went more than once is one link.
        let mut seen = BTreeSet::new();
        let links: Vec<_> = links.iter().filter(|link| seen.insert((link.child, link.parent))).collect();
        let sql = "INSERT INTO tag_inheritance (tag_id, parent_id, priority, maxdepth, intransitive, noconfig, pkg_filter,
             create_event, creator_id) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)";
        each(self.database, sql, &links, |link| {
            let (intransitive, noconfig) = (link.intransitive, link.noconfig);
            (
                link.child,
                link.parent,
                link.priority,
                link.maxdepth,
                intransitive,
                noconfig,
                &link.filter,
                FIRST,
                user,
            )
        })?;
        let listed = packages.iter().map(|package| (package.id, package.name.as_str()));
        let names: BTreeSet<_> =
            builds.iter().map(|build| (build.package, build.name.as_str())).chain(listed).collect();
        let names: Vec<_> = names.into_iter().collect();
        each(self.database, "INSERT INTO package VALUES (?, ?)", &names, |(id, name)| (id, name))?;
        let sql =
            "INSERT INTO tag_packages (tag_id, package_id, blocked, extra_arches, create_event, creator_id)
             VALUES (?, ?, ?, ?, ?, ?)";
        each(self.database, sql, packages, |package| {
            (package.tag, package.id, package.blocked, &package.extra_arches, FIRST, user)
        })?;
        let sql = "INSERT INTO tag_package_owners (tag_id, package_id, owner, create_event, creator_id) VALUES (?, ?, ?, ?, ?)";
        each(self.database, sql, packages, |package| (package.tag, package.id, package.owner, FIRST, user))
    }

    fn builds(&self, user: i64) -> Result<(), Fault> {
        let Snapshot { builds, taggings, modules, .. } = self.snapshot;
        let volumes: BTreeSet<_> =
            builds.iter().map(|build| (build.volume, build.volume_name.as_str())).collect();
        let volumes: Vec<_> = volumes.into_iter().filter(|volume| *volume != (0, "DEFAULT")).collect();
        each(self.database, "INSERT INTO volume VALUES (?, ?)", &volumes, |(id, name)| (id, name))?;
        let mut extra = BTreeMap::new();
        for module in modules {
            let mut info = json!({
                "name": module.name,
                "stream": module.stream,
                "version": module.version,
                "context": module.context,
                "content_koji_tag": module.content_tag,
            });
            let own = |record: &&Modulemd| record.build == module.build && record.file.is_none();
            if let Some(record) = self.snapshot.modulemd.iter().find(own) {
                info["modulemd_str"] = json!(record.text);
            }
            extra.insert(module.build, Json(json!({ "typeinfo": { "module": info } })));
        }
        let mut statement = self.database.prepare(
            "INSERT INTO build (id, volume_id, pkg_id, version, release, epoch, draft, create_event, start_time,
                completion_time, state, task_id, owner, extra) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )?;
        for build in builds {
            let moment = |text: &Option<String>| text.as_deref().map(time).transpose();
            if BuildState::from_number(build.state).is_none() {
                return Err(generic(format!("{} is no state of a build", build.state)));
            }
            statement.execute(params![
                build.id,
                build.volume,
                build.package,
                build.version,
                build.release,
                build.epoch,
                build.draft,
                build.event,
                moment(&build.start)?,
                moment(&build.completion)?,
                build.state,
                build.task,
                build.owner,
                extra.get(&build.id),
            ])?;
        }
        if !modules.is_empty() {
            // The id is the hub's own affair; no answer has it but those about types.
            self.database.execute("INSERT INTO btype (name) VALUES ('module')", [])?;
            let sql = "INSERT INTO build_types SELECT ?, id FROM btype WHERE name = 'module'";
            each(self.database, sql, modules, |module| (module.build,))?;
            self.archives()?;
        }
        let sql = "INSERT INTO tag_listing (tag_id, build_id, create_event, creator_id) VALUES (?, ?, ?, ?)";
        each(self.database, sql, taggings, |tagging| (tagging.tag, tagging.build, tagging.event, user))
    }

    /// Files in which builds of modules say what they are. Their numbers are not kept.
    fn archives(&self) -> Result<(), Fault> {
        let sql = "INSERT INTO archiveinfo (type_id, btype_id, build_id, filename, size, checksum, checksum_type, metadata_only)
             SELECT archivetypes.id, btype.id, ?, ?, ?, ?, ?, 0 FROM archivetypes, btype
             WHERE archivetypes.name = 'txt' AND btype.name = 'module'";
        let mut statement = self.database.prepare(sql)?;
        for record in &self.snapshot.modulemd {
            let (Some(file), Some(checksum)) = (&record.file, &record.checksum) else { continue };
            check_part("file", file)?;
            let (kind, checksum) = checksum.split_once(':').unwrap_or_default();
            let kind = ChecksumType::named(kind)? as i64;
            statement.execute(params![record.build, file, record.size, checksum, kind])?;
        }
        Ok(())
    }

    fn rpms(&self) -> Result<(), Fault> {
        let Snapshot { rpms, signatures, checksums, .. } = self.snapshot;
        let sql =
            "INSERT INTO rpminfo (id, build_id, buildroot_id, name, version, release, epoch, arch, draft,
                external_repo_id, payloadhash, size, buildtime, metadata_only)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?, ?, ?, ?)";
        let mut statement = self.database.prepare(sql)?;
        for rpm in rpms {
            statement.execute(params![
                rpm.id,
                rpm.build,
                rpm.buildroot,
                rpm.name,
                rpm.version,
                rpm.release,
                rpm.epoch,
                rpm.arch,
                rpm.draft,
                rpm.payloadhash,
                rpm.size,
                rpm.buildtime,
                rpm.metadata_only,
            ])?;
        }
        let sql = "INSERT OR IGNORE INTO build_types VALUES (?, 1)";
        each(self.database, sql, rpms, |rpm| (rpm.build,))?;
        let sql = "INSERT INTO rpmsigs VALUES (?, ?, ?)";
        each(self.database, sql, signatures, |signature| {
            (signature.rpm, &signature.sigkey, &signature.sighash)
        })?;
        let sql = "INSERT INTO rpm_checksum SELECT ?1, ?2, ?3, ?4 WHERE ?4 IS NOT NULL";
        let (md5, sha256) = (ChecksumType::Md5 as i64, ChecksumType::Sha256 as i64);
        each(self.database, sql, checksums, |sum| (sum.rpm, &sum.sigkey, sha256, Some(&sum.sha256)))?;
        each(self.database, sql, checksums, |sum| (sum.rpm, &sum.sigkey, md5, sum.md5.as_ref()))
    }

    fn externals(&self, user: i64) -> Result<(), Fault> {
        let externals = &self.snapshot.externals;
        let repos: BTreeSet<_> =
            externals.iter().map(|repo| (repo.id, repo.name.as_str(), repo.url.as_str())).collect();
        let repos: Vec<_> = repos.into_iter().collect();
        each(self.database, "INSERT INTO external_repo VALUES (?, ?)", &repos, |(id, name, _)| (id, name))?;
        let sql = "INSERT INTO external_repo_config (external_repo_id, url, create_event, creator_id) VALUES (?, ?, ?, ?)";
        each(self.database, sql, &repos, |(id, _, url)| (id, url, FIRST, user))?;
        let sql = "INSERT INTO tag_external_repos (tag_id, external_repo_id, priority, merge_mode, arches, create_event, creator_id)
             VALUES (?, ?, ?, ?, ?, ?, ?)";
        each(self.database, sql, externals, |repo| {
            let mode = repo.merge_mode.as_deref().unwrap_or("koji");
            (repo.tag, repo.id, repo.priority, mode, &repo.arches, FIRST, user)
        })
    }
}
