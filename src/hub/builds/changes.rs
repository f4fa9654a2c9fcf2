//! Builds: how they are made, change and end. The rules are those of [`super::build`].

use rusqlite::params;

use super::build::{BuildState, Known};
use crate::format::xmlrpc::Fault;
use crate::hub::store::change::{Change, Stamp, Write};
use crate::hub::store::error::generic;
use crate::hub::store::names::quoted;
use crate::hub::store::names::{BuildKey, Key};
use crate::hub::store::query::Json;
use crate::hub::store::time::Time;

/// A new build.
#[derive(Clone, Debug, PartialEq)]
pub struct NewBuild {
    /// Its id, where it is given.
    pub id: Option<i64>,
    /// Name of its package.
    pub name: String,
    /// The package's id, where it is given.
    pub package_id: Option<i64>,
    /// Version.
    pub version: String,
    /// Release; of a draft the one it aims at, or with its ending where the id is given.
    pub release: String,
    /// Epoch.
    pub epoch: Option<i64>,
    /// Whose it is.
    pub owner: i64,
    /// State.
    pub state: BuildState,
    /// Whether it is a draft.
    pub draft: bool,
    /// Volume of its files.
    pub volume: Key,
    /// Where the sources are from.
    pub source: Option<String>,
    /// What it knows beyond that.
    pub extra: Option<Json>,
    /// The content generator that imports it.
    pub cg_id: Option<i64>,
    /// The task that makes it.
    pub task_id: Option<i64>,
    /// When it began.
    pub start_time: Option<Time>,
    /// When it was done.
    pub completion_time: Option<Time>,
    /// Its types.
    pub btypes: Vec<String>,
}

impl NewBuild {
    /// A complete build on the default volume, without a type.
    pub fn new(name: &str, version: &str, release: &str, epoch: Option<i64>, owner: i64, time: Time) -> Self {
        Self {
            id: None,
            name: name.to_owned(),
            package_id: None,
            version: version.to_owned(),
            release: release.to_owned(),
            epoch,
            owner,
            state: BuildState::Complete,
            draft: false,
            volume: Key::Id(0),
            source: None,
            extra: None,
            cg_id: None,
            task_id: None,
            start_time: Some(time),
            completion_time: Some(time),
            btypes: Vec::new(),
        }
    }
}

/// Names of files are made of these: none may lead elsewhere.
pub(in crate::hub) fn check_part(what: &str, text: &str) -> Result<(), Fault> {
    let bad = text.is_empty() || text == "." || text == ".." || text.contains(['/', '\\', '\0', '\n']);
    if bad { Err(generic(format!("No such {what} for a build: {}", quoted(text)))) } else { Ok(()) }
}

impl Change<'_> {
    fn create_build(&self, new: &NewBuild) -> Result<i64, Fault> {
        for (what, text) in [("name", &new.name), ("version", &new.version), ("release", &new.release)] {
            check_part(what, text)?;
        }
        self.known_user(&new.owner.into())?;
        let package = self.lookup_or_create("package", &new.name.as_str().into(), new.package_id, true)?;
        let volume = self.lookup_strict("volume", &new.volume)?.id;
        let key = BuildKey::Parts {
            name: new.name.clone(),
            version: new.version.clone(),
            release: new.release.clone(),
        };
        if self.find_build(&key)?.is_some() {
            let old = self.known_build(&key)?;
            if new.draft {
                let text = format!("Target build already exists: {} (id={})", old.nvr, old.id);
                return Err(generic(text));
            }
            return self.recycle(&old, new, volume);
        }
        let next = "SELECT coalesce(max(id), 0) + 1 FROM build";
        let id = match new.id {
            Some(id) => id,
            None => self.database.query_row(next, [], |row| row.get(0))?,
        };
        let ending = format!(",draft_{id}");
        let release = match new.draft {
            true if !new.release.ends_with(&ending) => format!("{}{ending}", new.release),
            _ => new.release.clone(),
        };
        self.database.execute(
            "INSERT INTO build (id, volume_id, pkg_id, version, release, epoch, draft, source, create_event, start_time,
                completion_time, state, task_id, owner, cg_id, extra)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            params![
                id,
                volume,
                package.id,
                new.version,
                release,
                new.epoch,
                new.draft,
                new.source,
                self.event()?,
                new.start_time,
                new.completion_time,
                new.state as i64,
                new.task_id,
                new.owner,
                new.cg_id,
                new.extra,
            ],
        )?;
        self.add_types(id, &new.btypes)?;
        Ok(id)
    }

    /// Makes a build again that failed or was cancelled.
    fn recycle(&self, old: &Known, new: &NewBuild, volume: i64) -> Result<i64, Fault> {
        let id = old.id;
        let state = BuildState::from_number(old.state);
        if state == Some(BuildState::Building) {
            if new.state == BuildState::Building && new.task_id == old.task_id {
                return Ok(id);
            }
            let task = old.task_id.map_or_else(|| "None".to_owned(), |task| task.to_string());
            return Err(generic(format!("Build already in progress (task {task})")));
        }
        if !matches!(state, Some(BuildState::Failed | BuildState::Canceled)) {
            let state = state.map_or("", BuildState::name);
            return Err(generic(format!("Build already exists (id={id}, state={state}): {}", old.nvr)));
        }
        for (table, column, what) in [
            ("tag_listing", "build_id", "has tag history"),
            ("rpminfo", "build_id", "has rpm data"),
            ("archiveinfo", "build_id", "has archive data"),
        ] {
            let sql = format!("SELECT 1 FROM {table} WHERE {column} = ?");
            if self.database.prepare(&sql)?.exists([id])? {
                return Err(generic(format!("Build already exists. Unable to recycle, {what}")));
            }
        }
        self.database.execute("DELETE FROM build_types WHERE build_id = ?", [id])?;
        self.database.execute(
            "UPDATE build SET state = ?, task_id = ?, owner = ?, start_time = ?, completion_time = ?, epoch = ?, source = ?,
                extra = ?, volume_id = ?, cg_id = coalesce(?, cg_id), create_event = ? WHERE id = ?",
            params![
                new.state as i64,
                new.task_id,
                new.owner,
                new.start_time,
                new.completion_time,
                new.epoch,
                new.source,
                new.extra,
                volume,
                new.cg_id,
                self.event()?,
                id,
            ],
        )?;
        self.add_types(id, &new.btypes)?;
        Ok(id)
    }

    fn add_types(&self, build: i64, types: &[String]) -> Result<(), Fault> {
        for name in types {
            let kind = self.lookup_strict("btype", &name.as_str().into())?.id;
            self.database.execute("INSERT OR IGNORE INTO build_types VALUES (?, ?)", [build, kind])?;
        }
        Ok(())
    }

    /// Notes for those who watch tags that something of a build changed which has no history.
    fn note_tags(&self, build: i64, kind: i64) -> Result<(), Fault> {
        let sql =
            "SELECT tag_id FROM tag_listing WHERE build_id = ? AND revoke_event IS NULL ORDER BY tag_id";
        let mut statement = self.database.prepare(sql)?;
        let tags: Vec<i64> =
            statement.query_map([build], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
        let columns = "tag_id, update_event, updater_id, update_type";
        for tag in tags {
            let sql = format!("INSERT INTO tag_updates ({columns}) VALUES (?, ?, ?, ?)");
            self.database.execute(&sql, [tag, self.event()?, self.user(), kind])?;
        }
        Ok(())
    }

    fn delete_build(&self, key: &BuildKey) -> Result<bool, Fault> {
        let build = self.known_build(key)?;
        if build.state == BuildState::Deleted as i64 {
            return Ok(false);
        }
        let sql = "SELECT tag.name, tag.id FROM tag_listing JOIN tag ON tag.id = tag_id
             WHERE build_id = ? AND revoke_event IS NULL ORDER BY tag.id";
        let mut statement = self.database.prepare(sql)?;
        let tags = statement.query_map([build.id], |row| {
            let (name, id): (String, i64) = (row.get(0)?, row.get(1)?);
            Ok(format!("{{'id': {id}, 'name': {}}}", quoted(&name)))
        })?;
        let tags = tags.collect::<rusqlite::Result<Vec<_>>>()?.join(", ");
        if !tags.is_empty() {
            return Err(generic(format!("Cannot delete build, tagged: [{tags}]")));
        }
        for table in ["rpmsigs", "rpm_checksum"] {
            let sql =
                format!("DELETE FROM {table} WHERE rpm_id IN (SELECT id FROM rpminfo WHERE build_id = ?)");
            self.database.execute(&sql, [build.id])?;
        }
        self.end("tag_listing", "build_id = ?", &[&build.id])?;
        self.set_state(build.id, BuildState::Deleted, None)?;
        Ok(true)
    }

    fn set_state(&self, build: i64, state: BuildState, completed: Option<Time>) -> Result<(), Fault> {
        let sql = "UPDATE build SET state = ?, completion_time = coalesce(?, completion_time) WHERE id = ?";
        self.database.execute(sql, params![state as i64, completed, build])?;
        Ok(())
    }
}

/// Koji's number of a change of volume in `tag_updates`.
const VOLUME_CHANGE: i64 = 0;

impl Write<'_> {
    /// Makes a build. Its id.
    ///
    /// # Errors
    /// It is there, and not one that failed; a name, version or release cannot be part of a path.
    pub fn create_build(&mut self, stamp: &Stamp, new: &NewBuild) -> Result<i64, Fault> {
        self.change(stamp, |change| change.create_build(new))
    }

    /// Says that a build under way has ended, and when: complete, failed or cancelled.
    ///
    /// # Errors
    /// It is not under way.
    pub fn finish_build(&mut self, stamp: &Stamp, build: &BuildKey, state: BuildState) -> Result<(), Fault> {
        self.change(stamp, |change| {
            let build = change.known_build(build)?;
            if build.state != BuildState::Building as i64 {
                let state = BuildState::from_number(build.state).map_or("", BuildState::name);
                return Err(generic(format!("Build {} is {state}", build.nvr)));
            }
            change.set_state(build.id, state, Some(change.time()))
        })
    }

    /// Gives a build another type.
    ///
    /// # Errors
    /// There is no such build or type.
    pub fn add_build_type(&mut self, stamp: &Stamp, build: &BuildKey, kind: &str) -> Result<(), Fault> {
        self.change(stamp, |change| change.add_types(change.known_build(build)?.id, &[kind.to_owned()]))
    }

    /// Deletes a build (`deleteBuild`): its signatures and checksums are gone, its rows stay, and its name is not free
    /// again. Files are the caller's to remove. False: it was deleted before.
    ///
    /// # Errors
    /// It is tagged, or not there.
    pub fn delete_build(&mut self, stamp: &Stamp, build: &BuildKey) -> Result<bool, Fault> {
        self.change(stamp, |change| change.delete_build(build))
    }

    /// Says that a build's files are on another volume (`changeBuildVolume`); moving them is the caller's.
    ///
    /// # Errors
    /// It is there already, or neither complete nor deleted.
    pub fn change_build_volume(
        &mut self,
        stamp: &Stamp,
        build: &BuildKey,
        volume: &Key,
    ) -> Result<(), Fault> {
        self.change(stamp, |change| {
            let volume = change.lookup_strict("volume", volume)?.id;
            let build = change.known_build(build)?;
            let Known { nvr, volume_id, volume_name, state, .. } = &build;
            if *volume_id == volume {
                return Err(generic(format!("Build {nvr} already on volume {volume_name}")));
            }
            let state = BuildState::from_number(*state);
            if !matches!(state, Some(BuildState::Complete | BuildState::Deleted)) {
                return Err(generic(format!("Build {nvr} is {}", state.map_or("", BuildState::name))));
            }
            change.database.execute("UPDATE build SET volume_id = ? WHERE id = ?", [volume, build.id])?;
            // Koji takes an event only for the tags; one that is given is part of a history.
            if change.given() {
                change.event()?;
            }
            change.note_tags(build.id, VOLUME_CHANGE)
        })
    }

    /// Gives a build to another user (`setBuildOwner`).
    ///
    /// # Errors
    /// Build or user are not there.
    pub fn set_build_owner(&mut self, stamp: &Stamp, build: &BuildKey, owner: &Key) -> Result<(), Fault> {
        self.change(stamp, |change| {
            let (build, owner) = (change.known_build(build)?.id, change.known_user(owner)?.id);
            change.database.execute("UPDATE build SET owner = ? WHERE id = ?", [owner, build])?;
            Ok(())
        })
    }

    /// Adds a volume (`addVolume`). Its id.
    ///
    /// # Errors
    /// It is there.
    pub fn add_volume(&mut self, stamp: &Stamp, id: Option<i64>, name: &str) -> Result<i64, Fault> {
        self.change(stamp, |change| {
            check_part("volume", name)?;
            if change.lookup("volume", &name.into())?.is_some() {
                return Err(generic(format!("volume {name} already exists")));
            }
            Ok(change.lookup_or_create("volume", &name.into(), id, true)?.id)
        })
    }

    /// Removes a volume that no build is on (`removeVolume`).
    ///
    /// # Errors
    /// A build is on it; it is not there.
    pub fn remove_volume(&mut self, stamp: &Stamp, volume: &Key) -> Result<(), Fault> {
        self.change(stamp, |change| {
            let volume = change.lookup_strict("volume", volume)?;
            let sql = "SELECT 1 FROM build WHERE volume_id = ? LIMIT 1";
            if change.database.prepare(sql)?.exists([volume.id])? {
                return Err(generic(format!("volume {} has build references", volume.name)));
            }
            change.database.execute("DELETE FROM volume WHERE id = ?", [volume.id])?;
            Ok(())
        })
    }

    /// Adds a type of builds (`addBType`). Its id.
    ///
    /// # Errors
    /// It is there.
    pub fn add_btype(&mut self, stamp: &Stamp, id: Option<i64>, name: &str) -> Result<i64, Fault> {
        self.change(stamp, |change| {
            if change.lookup("btype", &name.into())?.is_some() {
                return Err(generic("btype already exists"));
            }
            Ok(change.lookup_or_create("btype", &name.into(), id, true)?.id)
        })
    }
}
