//! Groups of a tag, as comps has them: which packages they have, and which other groups they require.
//!
//! As with package lists, a tag's own entries count first, then those of its ancestors in the order of inheritance; the
//! first entry for a group, and for a package or group in it, is the one that counts. An entry may block. Packages are
//! names of RPMs, and need not be known to the hub. Of a requirement, both groups must be there and not blocked.

use std::collections::BTreeMap;

use rusqlite::ToSql;
use rusqlite::types::Value as Sql;
use serde::Serialize;
use serde_json::Value;

use crate::format::xmlrpc::Fault;
use crate::hub::store::change::{Change, Stamp, Write};
use crate::hub::store::database::View;
use crate::hub::store::error::{generic, parameter};
use crate::hub::store::names::{IdName, Key};
use crate::hub::store::query::{Select, row};

row! {
    /// A group's own entry.
    GroupRow {
        name: String = "groups.name",
        group_id: i64 = "group_config.group_id",
        tag_id: i64 = "group_config.tag_id",
        blocked: bool = "group_config.blocked",
        exported: Option<bool> = "group_config.exported",
        display_name: String = "group_config.display_name",
        is_default: Option<bool> = "group_config.is_default",
        uservisible: Option<bool> = "group_config.uservisible",
        description: Option<String> = "group_config.description",
        langonly: Option<String> = "group_config.langonly",
        biarchonly: Option<bool> = "group_config.biarchonly",
    }
}

row! {
    /// A package in a group.
    GroupPackage {
        group_id: i64 = "group_id",
        tag_id: i64 = "tag_id",
        package: String = "package",
        blocked: bool = "blocked",
        r#type: String = "type",
        basearchonly: Option<bool> = "basearchonly",
        requires: Option<String> = "requires",
    }
}

row! {
    /// A group that a group requires.
    GroupRequirement {
        group_id: i64 = "group_id",
        tag_id: i64 = "tag_id",
        req_id: i64 = "req_id",
        blocked: bool = "blocked",
        r#type: Option<String> = "type",
        is_metapkg: bool = "is_metapkg",
        name: String = "groups.name",
    }
}

/// A group of a tag (`getTagGroups`).
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Group {
    /// Its own entry.
    #[serde(flatten)]
    pub row: GroupRow,
    /// Its packages, where they were asked for.
    #[serde(rename = "packagelist", skip_serializing_if = "Option::is_none")]
    pub packages: Option<Vec<GroupPackage>>,
    /// What it requires, where that was asked for.
    #[serde(rename = "grouplist", skip_serializing_if = "Option::is_none")]
    pub requirements: Option<Vec<GroupRequirement>>,
}

/// What is asked about groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GroupFilter {
    /// As they were then; none: now.
    pub event: Option<i64>,
    /// With what the tag inherits.
    pub inherit: bool,
    /// With their packages.
    pub packages: bool,
    /// With their requirements.
    pub requirements: bool,
    /// With what is blocked.
    pub blocked: bool,
}

impl Default for GroupFilter {
    fn default() -> Self {
        Self { event: None, inherit: true, packages: true, requirements: true, blocked: false }
    }
}

/// What a caller says of an entry, by the names of its columns; what is not said stays as it is. Other names mean nothing.
pub type GroupSettings = BTreeMap<String, Value>;

/// What is in a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Member {
    /// A package, by the name of an RPM.
    Package(String),
    /// Another group.
    Group(Key),
}

/// A versioned table of groups: what its entries are found by, and what a caller may set of them.
struct Table {
    name: &'static str,
    keys: &'static [&'static str],
    settings: &'static [&'static str],
}

const GROUPS: Table = Table {
    name: "group_config",
    keys: &["tag_id", "group_id"],
    settings: &[
        "exported",
        "display_name",
        "is_default",
        "uservisible",
        "description",
        "langonly",
        "biarchonly",
        "blocked",
    ],
};
const PACKAGES: Table = Table {
    name: "group_package_listing",
    keys: &["tag_id", "group_id", "package"],
    settings: &["type", "basearchonly", "requires"],
};
const REQUIREMENTS: Table = Table {
    name: "group_req_listing",
    keys: &["tag_id", "group_id", "req_id"],
    settings: &["type", "is_metapkg"],
};

impl Table {
    fn fits(&self) -> String {
        self.keys.iter().map(|key| format!("{key} = ?")).collect::<Vec<_>>().join(" AND ")
    }

    /// What an entry is to have: what is said, else what it had; and whether that is something else than it had.
    fn settle(&self, given: &GroupSettings, previous: Option<&Value>) -> (GroupSettings, bool) {
        let mut settled = GroupSettings::new();
        let mut changed = false;
        for name in self.settings {
            let old = previous.and_then(|previous| previous.get(name));
            let new = given.get(*name);
            changed |= new.is_some_and(|new| Some(new) != old);
            if let Some(value) = new.or(old) {
                settled.insert((*name).to_owned(), value.clone());
            }
        }
        (settled, changed)
    }
}

fn sql(name: &str, value: &Value) -> Result<Sql, Fault> {
    Ok(match value {
        Value::Null => Sql::Null,
        Value::Bool(value) => Sql::Integer((*value).into()),
        Value::Number(number) => Sql::Integer(number.as_i64().unwrap_or_default()),
        Value::String(text) => Sql::Text(text.clone()),
        Value::Array(_) | Value::Object(_) => return Err(parameter(format!("Invalid value of {name}"))),
    })
}

fn json<T: Serialize>(row: &T) -> Value {
    serde_json::to_value(row).unwrap_or_default()
}

/// The settings that an entry has.
pub(super) fn settings<T: Serialize>(row: &T) -> GroupSettings {
    match json(row) {
        Value::Object(members) => members.into_iter().collect(),
        _ => GroupSettings::new(),
    }
}

impl View {
    /// The groups of a tag, by their ids (`getTagGroups`).
    ///
    /// # Errors
    /// There was never such a tag.
    pub fn tag_groups(&self, tag: &Key, filter: &GroupFilter) -> Result<Vec<Group>, Fault> {
        let tag = self.tag_id(tag)?;
        let mut tags = vec![tag];
        if filter.inherit {
            let ancestors = self.full_inheritance(tag, filter.event)?;
            tags.extend(ancestors.iter().map(|ancestor| ancestor.link.parent_id));
        }
        let in_tag = |from: &str, table: &str, tag: i64| {
            let entries = Select::from(from).at(table, filter.event);
            entries.and(&format!("{table}.tag_id = ?"), [tag])
        };
        let mut groups = BTreeMap::new();
        for tag in &tags {
            let from = "group_config JOIN groups ON groups.id = group_id";
            for row in in_tag(from, GROUPS.name, *tag).all::<GroupRow>(&self.database)? {
                groups.entry(row.group_id).or_insert(row);
            }
        }
        let counts = |id: i64| groups.get(&id).is_some_and(|group: &GroupRow| !group.blocked);
        let mut packages = BTreeMap::new();
        let mut requirements = BTreeMap::new();
        for tag in &tags {
            if filter.packages {
                for row in in_tag(PACKAGES.name, PACKAGES.name, *tag).all::<GroupPackage>(&self.database)? {
                    packages.entry((row.group_id, row.package.clone())).or_insert(row);
                }
            }
            if filter.requirements {
                let from = "group_req_listing JOIN groups ON groups.id = req_id";
                for row in in_tag(from, REQUIREMENTS.name, *tag).all::<GroupRequirement>(&self.database)? {
                    if counts(row.req_id) {
                        requirements.entry((row.group_id, row.req_id)).or_insert(row);
                    }
                }
            }
        }
        let shown = |blocked: bool| filter.blocked || !blocked;
        let mut all = Vec::new();
        for row in groups.values().filter(|row| shown(row.blocked)) {
            let mine = |id: i64| id == row.group_id && !row.blocked;
            let packages = packages.values().filter(|entry| mine(entry.group_id) && shown(entry.blocked));
            let requirements =
                requirements.values().filter(|entry| mine(entry.group_id) && shown(entry.blocked));
            all.push(Group {
                packages: filter.packages.then(|| packages.cloned().collect()),
                requirements: filter.requirements.then(|| requirements.cloned().collect()),
                row: row.clone(),
            });
        }
        Ok(all)
    }

    /// What a tag has of a group, blocked or not.
    fn group_of(&self, tag: &IdName, group: &IdName, members: bool) -> Result<Option<Group>, Fault> {
        let (packages, requirements) = (members, members);
        let filter = GroupFilter { blocked: true, packages, requirements, ..GroupFilter::default() };
        let groups = self.tag_groups(&tag.id.into(), &filter)?;
        Ok(groups.into_iter().find(|found| found.row.group_id == group.id))
    }

    fn group(&self, group: &Key) -> Result<IdName, Fault> {
        self.lookup_strict("groups", group)
    }

    fn known(&self, tag: &Key) -> Result<IdName, Fault> {
        let row = self.known_tag(tag, None)?;
        Ok(IdName { id: row.id, name: row.name })
    }
}

impl Change<'_> {
    /// Puts an entry in the place of what was there.
    fn replace(&self, table: &Table, keys: &[&dyn ToSql], settings: &GroupSettings) -> Result<(), Fault> {
        self.end(table.name, &table.fits(), keys)?;
        let mut columns = table.keys.join(", ");
        let mut values = Vec::new();
        for (name, value) in settings {
            columns = format!("{columns}, {name}");
            values.push(sql(name, value)?);
        }
        let all: Vec<&dyn ToSql> =
            keys.iter().copied().chain(values.iter().map(|value| value as &dyn ToSql)).collect();
        self.begin(table.name, &columns, &all)
    }

    /// Takes the block of an entry of the tag itself away; other than that there must be one.
    fn unblock(&self, table: &Table, keys: &[&dyn ToSql], none: impl FnOnce() -> Fault) -> Result<(), Fault> {
        let fits = table.fits();
        let sql = format!("SELECT 1 FROM {} WHERE revoke_event IS NULL AND blocked AND {fits}", table.name);
        if !self.database.prepare(&sql)?.exists(keys)? {
            return Err(none());
        }
        self.end(table.name, &fits, keys)?;
        Ok(())
    }

    fn add_group(
        &self,
        tag: &Key,
        group: &Key,
        block: bool,
        force: bool,
        mut given: GroupSettings,
    ) -> Result<(), Fault> {
        let tag = self.known(tag)?;
        let group = self.lookup_or_create("groups", group, None, true)?;
        given.insert("blocked".to_owned(), block.into());
        let previous = self.group_of(&tag, &group, false)?;
        if previous.as_ref().is_some_and(|previous| previous.row.blocked) && !force {
            return Err(generic(format!("group {} is blocked in tag {}", group.name, tag.name)));
        }
        let old = previous.map(|previous| json(&previous.row));
        let (mut settled, changed) = GROUPS.settle(&given, old.as_ref());
        if old.is_some() && !changed {
            return Ok(());
        }
        let defaults = [
            ("display_name", Value::from(group.name)),
            ("biarchonly", false.into()),
            ("exported", true.into()),
            ("uservisible", true.into()),
        ];
        for (name, value) in defaults {
            settled.entry(name.to_owned()).or_insert(value);
        }
        self.replace(&GROUPS, &[&tag.id, &group.id], &settled)
    }

    fn add_member(
        &self,
        tag: &Key,
        group: &Key,
        member: &Member,
        block: bool,
        force: bool,
        given: &GroupSettings,
    ) -> Result<(), Fault> {
        let (tag, group) = (self.known(tag)?, self.group(group)?);
        let required = match member {
            Member::Package(_) => None,
            Member::Group(required) => Some(self.group(required)?),
        };
        let place = || format!("group {}, tag {}", group.name, tag.name);
        let Some(found) = self.group_of(&tag, &group, true)? else {
            return Err(generic(format!("group {} not present in tag {}", group.name, tag.name)));
        };
        if found.row.blocked {
            return Err(generic(format!("group {} is blocked in tag {}", group.name, tag.name)));
        }
        let (packages, requirements) =
            (found.packages.unwrap_or_default(), found.requirements.unwrap_or_default());
        let (table, previous, blocked) = match (member, &required) {
            (Member::Package(name), _) => {
                let previous = packages.into_iter().find(|entry| entry.package == *name);
                let blocked = format!("package {name} blocked in {}", place());
                (&PACKAGES, previous.map(|entry| json(&entry)), blocked)
            }
            (Member::Group(_), Some(required)) => {
                let previous = requirements.into_iter().find(|entry| entry.req_id == required.id);
                let blocked = format!("requirement on group {} blocked in {}", required.name, place());
                (&REQUIREMENTS, previous.map(|entry| json(&entry)), blocked)
            }
            (Member::Group(_), None) => return Ok(()),
        };
        let is_blocked = previous.as_ref().and_then(|previous| previous.get("blocked")?.as_bool());
        if is_blocked == Some(true) && !force {
            return Err(generic(blocked));
        }
        let (mut settled, changed) = table.settle(given, previous.as_ref());
        // Koji adds a package again where it is forced to, and a requirement only where something is new.
        let again = block || (force && required.is_none());
        if previous.is_some() && !changed && !again {
            return Ok(());
        }
        settled.entry("type".to_owned()).or_insert_with(|| "mandatory".into());
        settled.insert("blocked".to_owned(), block.into());
        match (member, &required) {
            (Member::Package(name), _) => self.replace(table, &[&tag.id, &group.id, name], &settled),
            (_, Some(required)) => {
                settled.entry("is_metapkg".to_owned()).or_insert_with(|| false.into());
                self.replace(table, &[&tag.id, &group.id, &required.id], &settled)
            }
            _ => Ok(()),
        }
    }

    /// The table of a member and its key in it.
    fn member(&self, member: &Member) -> Result<(&'static Table, Sql), Fault> {
        Ok(match member {
            Member::Package(name) => (&PACKAGES, Sql::Text(name.clone())),
            Member::Group(group) => (&REQUIREMENTS, Sql::Integer(self.group(group)?.id)),
        })
    }
}

impl Write<'_> {
    /// Gives a tag a group, or changes it (`groupListAdd`); made where no tag had it. With `block` the tag does not have
    /// the group, whatever it inherits.
    ///
    /// # Errors
    /// It is blocked, and not `force`; the tag is not there.
    pub fn add_group(
        &mut self,
        stamp: &Stamp,
        tag: &Key,
        group: &Key,
        block: bool,
        force: bool,
        settings: GroupSettings,
    ) -> Result<(), Fault> {
        self.change(stamp, |change| change.add_group(tag, group, block, force, settings))
    }

    /// Ends a tag's own entry for a group (`groupListRemove`).
    ///
    /// # Errors
    /// It has none, and not `force`; tag or group are not there.
    pub fn remove_group(&mut self, stamp: &Stamp, tag: &Key, group: &Key, force: bool) -> Result<(), Fault> {
        self.change(stamp, |change| {
            let (tag, group) = (change.known(tag)?, change.group(group)?);
            if change.end(GROUPS.name, &GROUPS.fits(), &[&tag.id, &group.id])? == 0 && !force {
                return Err(generic(format!("No group: {} found for tag: {}", group.name, tag.name)));
            }
            Ok(())
        })
    }

    /// Ends a tag's own block of a group (`groupListUnblock`).
    ///
    /// # Errors
    /// The tag itself does not block it; tag or group are not there.
    pub fn unblock_group(&mut self, stamp: &Stamp, tag: &Key, group: &Key) -> Result<(), Fault> {
        self.change(stamp, |change| {
            let (tag, group) = (change.known(tag)?, change.group(group)?);
            change.unblock(&GROUPS, &[&tag.id, &group.id], || {
                generic(format!("group {} is NOT blocked in tag {}", group.name, tag.name))
            })
        })
    }

    /// Gives a group of a tag a package or a requirement, changes it or blocks it (`groupPackageListAdd`,
    /// `groupReqListAdd`).
    ///
    /// # Errors
    /// It is blocked, and not `force`; the tag does not have the group, or blocks it.
    #[allow(clippy::too_many_arguments, reason = "they are those of Koji's methods")]
    pub fn add_to_group(
        &mut self,
        stamp: &Stamp,
        tag: &Key,
        group: &Key,
        member: &Member,
        block: bool,
        force: bool,
        settings: &GroupSettings,
    ) -> Result<(), Fault> {
        self.change(stamp, |change| change.add_member(tag, group, member, block, force, settings))
    }

    /// Ends a tag's own entry for a member of a group, if it has one (`groupPackageListRemove`, `groupReqListRemove`).
    ///
    /// # Errors
    /// Tag or group are not there.
    pub fn remove_from_group(
        &mut self,
        stamp: &Stamp,
        tag: &Key,
        group: &Key,
        member: &Member,
    ) -> Result<(), Fault> {
        self.change(stamp, |change| {
            let (tag, group) = (change.tag_id(tag)?, change.group(group)?.id);
            let (table, key) = change.member(member)?;
            change.end(table.name, &table.fits(), &[&tag, &group, &key])?;
            Ok(())
        })
    }

    /// Ends a tag's own block of a member of a group (`groupPackageListUnblock`, `groupReqListUnblock`).
    ///
    /// # Errors
    /// The tag itself does not block it; tag or group are not there.
    pub fn unblock_in_group(
        &mut self,
        stamp: &Stamp,
        tag: &Key,
        group: &Key,
        member: &Member,
    ) -> Result<(), Fault> {
        self.change(stamp, |change| {
            let (tag, group) = (change.tag_id(tag)?, change.group(group)?.id);
            let (table, key) = change.member(member)?;
            change.unblock(table, &[&tag, &group, &key], || {
                let what = match (member, &key) {
                    (Member::Package(name), _) => format!("package {name}"),
                    (_, Sql::Integer(id)) => format!("group req {id}"),
                    _ => String::new(),
                };
                generic(format!("{what} is NOT blocked in group {group}, tag {tag}"))
            })
        })
    }
}
