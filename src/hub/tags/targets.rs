//! Build targets: where builds are made, and which tag they get. This hub builds nothing; clients of hubs look at them.

use rusqlite::params;

use crate::format::xmlrpc::Fault;
use crate::hub::store::change::{Change, Stamp, Write};
use crate::hub::store::database::View;
use crate::hub::store::error::generic;
use crate::hub::store::names::{Key, check_name};
use crate::hub::store::query::{Select, row};

row! {
    /// A build target (`getBuildTargets`).
    BuildTarget {
        id: i64 = "build_target.id",
        name: String = "build_target.name",
        build_tag: i64 = "build_tag",
        build_tag_name: String = "tag1.name",
        dest_tag: i64 = "dest_tag",
        dest_tag_name: String = "tag2.name",
    }
}

impl View {
    /// Build targets (`getBuildTargets`).
    ///
    /// # Errors
    /// The database fails.
    pub fn build_targets(
        &self,
        target: Option<&Key>,
        event: Option<i64>,
        build_tag: Option<i64>,
        dest_tag: Option<i64>,
    ) -> Result<Vec<BuildTarget>, Fault> {
        let from = "build_target_config JOIN build_target ON build_target_id = build_target.id
            JOIN tag AS tag1 ON build_tag = tag1.id JOIN tag AS tag2 ON dest_tag = tag2.id";
        let targets = Select::from(from).at("build_target_config", event).order("build_target.id");
        let condition = match target {
            Some(Key::Name(_)) => "build_target.name = ?",
            _ => "build_target.id = ?",
        };
        let targets = targets.with(condition, target.map(Key::value));
        targets.with("build_tag = ?", build_tag).with("dest_tag = ?", dest_tag).all(&self.database)
    }

    fn known_target(&self, target: &Key) -> Result<BuildTarget, Fault> {
        let found = self.build_targets(Some(target), None, None, None)?.into_iter().next();
        found.ok_or_else(|| generic(format!("No such build target: {}", target.plain())))
    }
}

impl Change<'_> {
    fn set_target(&self, id: i64, build_tag: i64, dest_tag: i64) -> Result<(), Fault> {
        self.end("build_target_config", "build_target_id = ?", &[&id])?;
        self.begin(
            "build_target_config",
            "build_target_id, build_tag, dest_tag",
            &[&id, &build_tag, &dest_tag],
        )
    }

    /// The id of a tag of now, which faults call what it is for.
    fn tag_for(&self, what: &str, tag: &Key) -> Result<i64, Fault> {
        let none = || generic(format!("{what} '{}' does not exist", tag.plain()));
        Ok(self.tag(tag, None, false)?.ok_or_else(none)?.row.id)
    }
}

impl Write<'_> {
    /// Makes a build target (`createBuildTarget`). Its id.
    ///
    /// # Errors
    /// It is there, or a tag is not.
    pub fn create_build_target(
        &mut self,
        stamp: &Stamp,
        name: &str,
        build_tag: &Key,
        dest_tag: &Key,
    ) -> Result<i64, Fault> {
        self.change(stamp, |change| {
            if !change.build_targets(Some(&name.into()), None, None, None)?.is_empty() {
                return Err(generic(format!("A build target with the name '{name}' already exists")));
            }
            let tag = |key: &Key| match change.tag(key, None, false)? {
                Some(tag) => Ok(tag.row.id),
                None => Err(generic(format!("tag '{}' does not exist", key.plain()))),
            };
            let (build_tag, dest_tag) = (tag(build_tag)?, tag(dest_tag)?);
            let id = change.lookup_or_create("build_target", &name.into(), None, true)?.id;
            let columns = "build_target_id, build_tag, dest_tag";
            change.begin("build_target_config", columns, &[&id, &build_tag, &dest_tag])?;
            Ok(id)
        })
    }

    /// Changes a build target (`editBuildTarget`); its name is not versioned.
    ///
    /// # Errors
    /// It is not there, a tag is not, or the name is taken.
    pub fn edit_build_target(
        &mut self,
        stamp: &Stamp,
        target: &Key,
        name: &str,
        build_tag: &Key,
        dest_tag: &Key,
    ) -> Result<(), Fault> {
        self.change(stamp, |change| {
            check_name(name)?;
            let target = change.known_target(target)?;
            let build_tag = change.tag_for("build tag", build_tag)?;
            let dest_tag = change.tag_for("destination tag", dest_tag)?;
            if target.name != name {
                if let Some(other) = change.lookup("build_target", &name.into())? {
                    let text = format!("name \"{name}\" is already taken by build target {}", other.id);
                    return Err(generic(text));
                }
                let sql = "UPDATE build_target SET name = ? WHERE id = ?";
                change.database.execute(sql, params![name, target.id])?;
            }
            change.set_target(target.id, build_tag, dest_tag)
        })
    }

    /// Ends a build target (`deleteBuildTarget`).
    ///
    /// # Errors
    /// It is not there.
    pub fn delete_build_target(&mut self, stamp: &Stamp, target: &Key) -> Result<(), Fault> {
        self.change(stamp, |change| {
            let id = change.known_target(target)?.id;
            change.end("build_target_config", "build_target_id = ?", &[&id])?;
            Ok(())
        })
    }
}
