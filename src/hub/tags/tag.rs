//! Tags: what they are at an event, and their making, change and end.
//!
//! A tag is there while it has an entry in `tag_config`. Its id and name outlive it: who makes a tag of that name again
//! gets the id, and nothing else may take the name. Names are not versioned: after a renaming the new one holds for all
//! events.
//!
//! Arches are inherited where they are nil, not where they are empty, and a tag made without arches has empty ones.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use rusqlite::{OptionalExtension, params};
use serde::Serialize;

use crate::format::xmlrpc::Fault;
use crate::hub::search;
use crate::hub::store::change::{Change, Stamp, Write};
use crate::hub::store::database::View;
use crate::hub::store::error::generic;
use crate::hub::store::names::{BuildKey, IdName, Key, arches, check_name};
use crate::hub::store::query::{Json, Listing, QueryOptions, Select, row};

row! {
    /// A tag in lists (`listTags`).
    TagRow {
        arches: Option<String> = "tag_config.arches",
        id: i64 = "tag.id",
        locked: bool = "tag_config.locked",
        maven_include_all: bool = "tag_config.maven_include_all",
        maven_support: bool = "tag_config.maven_support",
        name: String = "tag.name",
        perm: Option<String> = "permissions.name",
        perm_id: Option<i64> = "tag_config.perm_id",
    }
}

row! {
    /// A tag that lists a package (`listTags` with `package`).
    PackageTagRow {
        arches: Option<String> = "tag_config.arches",
        blocked: bool = "tag_packages.blocked",
        extra_arches: Option<String> = "tag_packages.extra_arches",
        id: i64 = "tag.id",
        locked: bool = "tag_config.locked",
        maven_include_all: bool = "tag_config.maven_include_all",
        maven_support: bool = "tag_config.maven_support",
        name: String = "tag.name",
        owner_id: i64 = "users.id",
        owner_name: String = "users.name",
        perm: Option<String> = "permissions.name",
        perm_id: Option<i64> = "tag_config.perm_id",
    }
}

/// A tag (`getTag`). What it inherits is not in it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Tag {
    /// What lists show.
    #[serde(flatten)]
    pub row: TagRow,
    /// Its own extra values.
    pub extra: BTreeMap<String, Json>,
    /// The event that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub query_event: Option<i64>,
}

/// A tag with what it inherits (`getBuildConfig`).
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BuildConfig {
    /// The tag; arches and extra may be inherited.
    #[serde(flatten)]
    pub tag: Tag,
    /// Which tags those are from.
    pub config_inheritance: Origins,
}

/// Where arches and extra values are inherited from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Origins {
    /// None: from no other tag.
    pub arches: Option<Named>,
    /// Those from other tags. A key that is blocked in that tag is here, too.
    pub extra: BTreeMap<String, Named>,
}

/// Something that has a name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Named {
    /// Id.
    pub id: i64,
    /// Name.
    pub name: String,
}

/// What a tag is from an event on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TagConfig {
    /// Arches, separated by spaces; nil: inherited.
    pub arches: Option<String>,
    /// The permission needed to tag builds with it.
    pub perm: Option<Key>,
    /// Whether builds may be neither tagged nor untagged.
    pub locked: bool,
    /// Kept for clients; this hub makes no Maven repositories.
    pub maven_support: bool,
    /// The same.
    pub maven_include_all: bool,
}

/// A new tag.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NewTag {
    /// Its id, where it is given; a name that was a tag before has its own.
    pub id: Option<i64>,
    /// What it is.
    pub config: TagConfig,
    /// The tag that it inherits from, with priority 0.
    pub parent: Option<Key>,
    /// Extra values.
    pub extra: BTreeMap<String, Json>,
}

/// What changes in a tag (`editTag2`); what is none stays.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TagEdit {
    /// A new name.
    pub name: Option<String>,
    /// Arches; within: nil, inherited.
    pub arches: Option<Option<String>>,
    /// The permission; within: none.
    pub perm: Option<Option<Key>>,
    /// The lock.
    pub locked: Option<bool>,
    /// Maven's flag.
    pub maven_support: Option<bool>,
    /// The same.
    pub maven_include_all: Option<bool>,
    /// Values to set.
    pub extra: BTreeMap<String, Json>,
    /// Keys to hide, also where they are inherited.
    pub block_extra: Vec<String>,
    /// Keys whose entries end.
    pub remove_extra: Vec<String>,
}

/// Extra values of a tag; none: blocked.
type Extra = BTreeMap<String, Option<Json>>;

impl View {
    /// Id and name from a table that has them.
    pub(in crate::hub) fn lookup(&self, table: &str, key: &Key) -> Result<Option<IdName>, Fault> {
        let sql = format!("SELECT id, name FROM {table} WHERE {} = ?", key.column());
        let mut statement = self.database.prepare(&sql)?;
        let found =
            statement.query_row([key.value()], |row| Ok(IdName { id: row.get(0)?, name: row.get(1)? }));
        Ok(found.optional()?)
    }

    pub(in crate::hub) fn lookup_strict(&self, table: &str, key: &Key) -> Result<IdName, Fault> {
        let none = || generic(format!("No such entry in table {table}: {}", key.plain()));
        self.lookup(table, key)?.ok_or_else(none)
    }

    /// The id of a tag that is or was (`getTagID`).
    ///
    /// # Errors
    /// There was none of that name.
    pub fn tag_id(&self, tag: &Key) -> Result<i64, Fault> {
        Ok(self.lookup_strict("tag", tag)?.id)
    }

    fn tag_row(&self, tag: &Key, event: Option<i64>) -> Result<Option<TagRow>, Fault> {
        let condition = if matches!(tag, Key::Id(_)) { "tag.id = ?" } else { "tag.name = ?" };
        let tags = Select::from(TAGS).at("tag_config", event).and(condition, [tag.value()]);
        tags.first(&self.database)
    }

    /// A tag at an event, or now (`getTag`).
    ///
    /// # Errors
    /// It is not there, and `strict`.
    pub fn tag(&self, tag: &Key, event: Option<i64>, strict: bool) -> Result<Option<Tag>, Fault> {
        let Some(row) = self.tag_row(tag, event)? else {
            return if strict { Err(no_tag(tag)) } else { Ok(None) };
        };
        let extra = self.tag_extra(row.id, event)?;
        let extra = extra.into_iter().filter_map(|(key, value)| Some((key, value?))).collect();
        Ok(Some(Tag { row, extra, query_event: event }))
    }

    /// As [`View::tag`], but blocked extra values are in it, as `getTag` has them with `blocked`: each value a pair of
    /// whether it is blocked and what it is.
    ///
    /// # Errors
    /// It is not there, and `strict`.
    pub fn tag_with_blocked(
        &self,
        tag: &Key,
        event: Option<i64>,
        strict: bool,
    ) -> Result<Option<Tag>, Fault> {
        let Some(mut found) = self.tag(tag, event, strict)? else { return Ok(None) };
        let pair = |value: Option<Json>| {
            let (blocked, value) = (value.is_none(), value.map_or(serde_json::Value::Null, |value| value.0));
            Json(serde_json::json!([blocked, value]))
        };
        let extra = self.tag_extra(found.row.id, event)?;
        found.extra = extra.into_iter().map(|(key, value)| (key, pair(value))).collect();
        Ok(Some(found))
    }

    pub(in crate::hub) fn known_tag(&self, tag: &Key, event: Option<i64>) -> Result<TagRow, Fault> {
        self.tag_row(tag, event)?.ok_or_else(|| no_tag(tag))
    }

    fn tag_extra(&self, tag: i64, event: Option<i64>) -> Result<Extra, Fault> {
        row! {
            /// An extra value.
            Value {
                key: String = "key",
                value: Option<Json> = "value",
            }
        }
        let entries = Select::from("tag_extra").at("tag_extra", event).and("tag_id = ?", [tag]);
        let entries = entries.all::<Value>(&self.database)?;
        Ok(entries.into_iter().map(|entry| (entry.key, entry.value)).collect())
    }

    /// A tag with the arches and extra values that it inherits (`getBuildConfig`). Only ancestors whose own link says
    /// noconfig are passed over; what is behind them counts.
    ///
    /// # Errors
    /// The tag is not there.
    pub fn build_config(&self, tag: &Key, event: Option<i64>) -> Result<BuildConfig, Fault> {
        let mut row = self.known_tag(tag, event)?;
        let mut extra = self.tag_extra(row.id, event)?;
        let mut origins = Origins::default();
        for ancestor in self.full_inheritance(row.id, event)? {
            if ancestor.link.noconfig {
                continue;
            }
            let parent = self.known_tag(&ancestor.link.parent_id.into(), event)?;
            let named = Named { id: parent.id, name: parent.name };
            if row.arches.is_none() && parent.arches.is_some() {
                row.arches = parent.arches;
                origins.arches = Some(named.clone());
            }
            for (key, value) in self.tag_extra(parent.id, event)? {
                if let Entry::Vacant(place) = extra.entry(key) {
                    origins.extra.insert(place.key().clone(), named.clone());
                    place.insert(value);
                }
            }
        }
        let extra = extra.into_iter().filter_map(|(key, value)| Some((key, value?))).collect();
        Ok(BuildConfig { tag: Tag { row, extra, query_event: event }, config_inheritance: origins })
    }

    /// The tags of now (`listTags`): all, those of a build, or those whose name fits a pattern with `*` and `?`, where
    /// case does not count.
    ///
    /// # Errors
    /// There is no such build.
    pub fn tags(
        &self,
        build: Option<&BuildKey>,
        pattern: Option<&str>,
        options: &QueryOptions,
    ) -> Result<Listing<TagRow>, Fault> {
        let build = match build {
            None => None,
            Some(key) => match self.find_build(key)? {
                Some(id) => Some(id),
                None => return Err(generic(format!("No such build: {}", key.plain()))),
            },
        };
        let tags = Select::from(TAGS).at("tag_config", None).order("tag.id");
        let tagged = "tag.id IN (SELECT tag_id FROM tag_listing WHERE build_id = ? AND revoke_event IS NULL)";
        let pattern = pattern.map(search::like);
        let tags = tags.with(tagged, build).with("tag.name LIKE ? ESCAPE '\\'", pattern);
        tags.list(&self.database, options)
    }

    /// The tags of now that list a package themselves, and how (`listTags` with `package`).
    ///
    /// # Errors
    /// There is no such package; an order that is none.
    pub fn tags_of_package(
        &self,
        package: &Key,
        options: &QueryOptions,
    ) -> Result<Listing<PackageTagRow>, Fault> {
        let Some(found) = self.lookup("package", package)? else {
            return Err(generic(format!("No such package: {}", package.plain())));
        };
        let from = format!(
            "{TAGS} JOIN tag_packages ON tag_packages.tag_id = tag.id
             JOIN tag_package_owners ON tag_package_owners.tag_id = tag.id
                AND tag_package_owners.package_id = tag_packages.package_id
             JOIN users ON users.id = tag_package_owners.owner"
        );
        let tags = Select::from(&from).at("tag_config", None).at("tag_packages", None);
        let tags = tags.at("tag_package_owners", None).and("tag_packages.package_id = ?", [found.id]);
        tags.order("tag.id").list(&self.database, options)
    }
}

const TAGS: &str = "tag_config JOIN tag ON tag.id = tag_config.tag_id
    LEFT JOIN permissions ON tag_config.perm_id = permissions.id";

pub(in crate::hub) fn no_tag(tag: &Key) -> Fault {
    generic(format!("No such tagInfo: {}", tag.quoted()))
}

impl Change<'_> {
    /// The entry of a table with ids and names, made where it lacks and `create`.
    pub(in crate::hub) fn lookup_or_create(
        &self,
        table: &str,
        key: &Key,
        id: Option<i64>,
        create: bool,
    ) -> Result<IdName, Fault> {
        match (self.lookup(table, key)?, key) {
            (Some(found), _) => Ok(found),
            (None, Key::Name(name)) if create => {
                check_name(name)?;
                let sql = format!("INSERT INTO {table} (id, name) VALUES (?, ?)");
                self.database.execute(&sql, params![id, name])?;
                Ok(IdName { id: self.database.last_insert_rowid(), name: name.clone() })
            }
            (None, _) => self.lookup_strict(table, key),
        }
    }

    pub(in crate::hub) fn create_tag(&self, name: &str, new: &NewTag) -> Result<i64, Fault> {
        check_name(name)?;
        if self.tag(&name.into(), None, false)?.is_some() {
            return Err(generic(format!("A tag with the name '{name}' already exists")));
        }
        let parent = match &new.parent {
            None => None,
            Some(parent) => match self.tag(parent, None, false)? {
                Some(parent) => Some(parent.row.id),
                None => return Err(generic(format!("Parent tag '{}' could not be found", parent.plain()))),
            },
        };
        let tag = self.lookup_or_create("tag", &name.into(), new.id, true)?.id;
        let config =
            TagConfig { arches: Some(new.config.arches.clone().unwrap_or_default()), ..new.config.clone() };
        self.set_config(tag, &config)?;
        for (key, value) in &new.extra {
            self.begin("tag_extra", "tag_id, key, value", &[&tag, key, value])?;
        }
        if let Some(parent) = parent {
            self.set_link(tag, &super::inheritance::LinkChange::plain(parent))?;
        }
        Ok(tag)
    }

    fn set_config(&self, tag: i64, config: &TagConfig) -> Result<(), Fault> {
        let perm = config.perm.as_ref().map(|perm| self.lookup_strict("permissions", perm)).transpose()?;
        let perm = perm.map(|perm| perm.id);
        let arches = config.arches.as_deref().map(arches).transpose()?;
        self.end("tag_config", "tag_id = ?", &[&tag])?;
        self.begin(
            "tag_config",
            "tag_id, arches, perm_id, locked, maven_support, maven_include_all",
            &[&tag, &arches, &perm, &config.locked, &config.maven_support, &config.maven_include_all],
        )
    }

    fn set_extra(&self, tag: i64, key: &str, value: Option<&Json>) -> Result<(), Fault> {
        self.end("tag_extra", "tag_id = ? AND key = ?", &[&tag, &key])?;
        self.begin("tag_extra", "tag_id, key, value", &[&tag, &key, &value])
    }

    fn rename_tag(&self, tag: &TagRow, name: &str) -> Result<(), Fault> {
        check_name(name)?;
        if let Some(taken) = self.lookup("tag", &name.into())? {
            return Err(generic(format!("Name {name} already taken by tag {}", taken.id)));
        }
        self.database.execute("UPDATE tag SET name = ? WHERE id = ?", params![name, tag.id])?;
        Ok(())
    }

    fn edit_tag(&self, key: &Key, edit: &TagEdit) -> Result<(), Fault> {
        let tag = self.tag(key, None, true)?.ok_or_else(|| no_tag(key))?;
        let (row, mut extra) = (&tag.row, tag.extra.clone());
        if let Some(name) = edit.name.as_deref().filter(|name| !name.is_empty() && *name != row.name) {
            self.rename_tag(row, name)?;
        }
        let old = TagConfig {
            arches: row.arches.clone(),
            perm: row.perm_id.map(Key::Id),
            locked: row.locked,
            maven_support: row.maven_support,
            maven_include_all: row.maven_include_all,
        };
        let perm = match &edit.perm {
            None => old.perm.clone(),
            Some(None) => None,
            Some(Some(perm)) => Some(self.lookup_strict("permissions", perm)?.id.into()),
        };
        let new_arches = match &edit.arches {
            None => old.arches.clone(),
            Some(new) => new.as_deref().map(arches).transpose()?,
        };
        let new = TagConfig {
            arches: new_arches,
            perm,
            locked: edit.locked.unwrap_or(old.locked),
            maven_support: edit.maven_support.unwrap_or(old.maven_support),
            maven_include_all: edit.maven_include_all.unwrap_or(old.maven_include_all),
        };
        if new != old {
            self.set_config(row.id, &new)?;
        }
        let mut removed = edit.block_extra.iter().chain(&edit.remove_extra);
        if let Some(key) = removed.find(|key| edit.extra.contains_key(*key)) {
            return Err(generic(format!("Can not both add/update and remove tag-extra: '{key}'")));
        }
        for (key, value) in &edit.extra {
            if extra.get(key) != Some(value) {
                self.set_extra(row.id, key, Some(value))?;
            }
        }
        for key in &edit.block_extra {
            self.set_extra(row.id, key, None)?;
        }
        let lacking: Vec<_> =
            edit.remove_extra.iter().filter(|key| !extra.contains_key(*key)).map(String::as_str).collect();
        if !lacking.is_empty() {
            let text = format!("Tag: {} doesn't have extra: {}", row.name, lacking.join(", "));
            return Err(generic(text));
        }
        for key in &edit.remove_extra {
            extra.remove(key);
            self.end("tag_extra", "tag_id = ? AND key = ?", &[&row.id, key])?;
        }
        Ok(())
    }

    fn delete_tag(&self, tag: &Key) -> Result<(), Fault> {
        let tag = self.known_tag(tag, None)?.id;
        for (table, column) in [
            ("tag_config", "tag_id"),
            ("tag_extra", "tag_id"),
            ("tag_inheritance", "tag_id"),
            ("tag_inheritance", "parent_id"),
            ("build_target_config", "build_tag"),
            ("build_target_config", "dest_tag"),
            ("tag_listing", "tag_id"),
            ("tag_packages", "tag_id"),
            ("tag_package_owners", "tag_id"),
            ("tag_external_repos", "tag_id"),
            ("group_config", "tag_id"),
            ("group_package_listing", "tag_id"),
            ("group_req_listing", "tag_id"),
        ] {
            self.end(table, &format!("{column} = ?"), &[&tag])?;
        }
        Ok(())
    }
}

impl Write<'_> {
    /// Makes a tag (`createTag`). Its id, which is the old one where the name was a tag's before.
    ///
    /// # Errors
    /// The tag is there, the parent is not, or a name is none.
    pub fn create_tag(&mut self, stamp: &Stamp, name: &str, new: &NewTag) -> Result<i64, Fault> {
        self.change(stamp, |change| change.create_tag(name, new))
    }

    /// Changes a tag (`editTag2`).
    ///
    /// # Errors
    /// The tag is not there, a name is taken, or a key is not there.
    pub fn edit_tag(&mut self, stamp: &Stamp, tag: &Key, edit: &TagEdit) -> Result<(), Fault> {
        self.change(stamp, |change| change.edit_tag(tag, edit))
    }

    /// Sets all that a tag is, even if it is the same as before: how a history is loaded.
    ///
    /// # Errors
    /// The tag is not there.
    pub fn set_tag_config(&mut self, stamp: &Stamp, tag: &Key, config: &TagConfig) -> Result<(), Fault> {
        self.change(stamp, |change| change.set_config(change.known_tag(tag, None)?.id, config))
    }

    /// Ends a tag, all that it lists, and the links of other tags to it (`deleteTag`).
    ///
    /// # Errors
    /// The tag is not there.
    pub fn delete_tag(&mut self, stamp: &Stamp, tag: &Key) -> Result<(), Fault> {
        self.change(stamp, |change| change.delete_tag(tag))
    }
}
