//! The history of versioned tables (`queryHistory`): which entries began and ended, when, and by whom.

use std::collections::BTreeMap;

use rusqlite::types::Value;
use rusqlite::{Row, params_from_iter};
use serde_json::{Value as JsonValue, json};

use crate::format::xmlrpc::Fault;
use crate::hub::store::database::View;
use crate::hub::store::error::generic;
use crate::hub::store::names::{BuildKey, Key};
use crate::hub::store::query::Json;
use crate::hub::store::time::Time;

/// Which entries; a filter that does not fit a table leaves the table out of the answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History {
    /// Tables; none: all.
    pub tables: Option<Vec<String>>,
    /// Of this tag; of links those from and to it.
    pub tag: Option<Key>,
    /// Of this build.
    pub build: Option<BuildKey>,
    /// Of this package.
    pub package: Option<Key>,
    /// That affect this user.
    pub user: Option<Key>,
    /// Of this permission.
    pub permission: Option<Key>,
    /// Of this content generator.
    pub cg: Option<Key>,
    /// Of this external repository.
    pub external_repo: Option<Key>,
    /// Of this build target.
    pub build_target: Option<Key>,
    /// Of this key of extra values.
    pub xkey: Option<String>,
    /// Of this comps group.
    pub group: Option<Key>,
    /// In force now, or not.
    pub active: Option<bool>,
    /// Begun or ended by this user.
    pub editor: Option<Key>,
    /// Begun or ended after this time.
    pub after: Option<Time>,
    /// Begun or ended before it.
    pub before: Option<Time>,
    /// Begun or ended after this event.
    pub after_event: Option<i64>,
    /// Begun or ended before it.
    pub before_event: Option<i64>,
    /// Filters that this hub has nothing for: `host`, `channel`. Set: no table fits.
    pub of_nothing: bool,
}

/// How a column is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Plain,
    /// A number that stands for true or false.
    Truth,
}

/// A table: its name, its own columns, and what they are joined with: (table, alias, column, member of the name).
struct Table {
    name: &'static str,
    columns: &'static [(&'static str, Kind)],
    joins: &'static [(&'static str, &'static str, &'static str, &'static str)],
}

use Kind::{Plain, Truth};

const TAG: (&str, &str, &str, &str) = ("tag", "tag", "tag_id", "tag.name");
const GROUP: (&str, &str, &str, &str) = ("groups", "groups", "group_id", "group.name");
const REPO: (&str, &str, &str, &str) =
    ("external_repo", "external_repo", "external_repo_id", "external_repo.name");
const PACKAGE: (&str, &str, &str, &str) = ("package", "package", "package_id", "package.name");

/// All tables of Koji that have a history, in the order of their names.
const TABLES: &[Table] = &[
    Table {
        name: "build_target_config",
        columns: &[("build_target_id", Plain), ("build_tag", Plain), ("dest_tag", Plain)],
        joins: &[
            ("build_target", "build_target", "build_target_id", "build_target.name"),
            ("tag", "build_tag", "build_tag", "build_tag.name"),
            ("tag", "dest_tag", "dest_tag", "dest_tag.name"),
        ],
    },
    Table {
        name: "cg_users",
        columns: &[("user_id", Plain), ("cg_id", Plain)],
        joins: &[
            ("users", "users", "user_id", "user.name"),
            ("content_generator", "content_generator", "cg_id", "content_generator.name"),
        ],
    },
    Table {
        name: "external_repo_config",
        columns: &[("external_repo_id", Plain), ("url", Plain)],
        joins: &[REPO],
    },
    Table {
        name: "group_config",
        columns: &[
            ("group_id", Plain),
            ("tag_id", Plain),
            ("blocked", Truth),
            ("exported", Truth),
            ("display_name", Plain),
            ("is_default", Truth),
            ("uservisible", Truth),
            ("description", Plain),
            ("langonly", Plain),
            ("biarchonly", Truth),
        ],
        joins: &[GROUP, TAG],
    },
    Table {
        name: "group_package_listing",
        columns: &[
            ("group_id", Plain),
            ("tag_id", Plain),
            ("package", Plain),
            ("blocked", Truth),
            ("type", Plain),
            ("basearchonly", Truth),
            ("requires", Plain),
        ],
        joins: &[GROUP, TAG],
    },
    Table {
        name: "group_req_listing",
        columns: &[
            ("group_id", Plain),
            ("tag_id", Plain),
            ("req_id", Plain),
            ("blocked", Truth),
            ("type", Plain),
            ("is_metapkg", Truth),
        ],
        joins: &[GROUP, TAG, ("groups", "req", "req_id", "req.name")],
    },
    Table {
        name: "tag_config",
        columns: &[
            ("tag_id", Plain),
            ("arches", Plain),
            ("perm_id", Plain),
            ("locked", Truth),
            ("maven_support", Truth),
            ("maven_include_all", Truth),
        ],
        joins: &[TAG, ("permissions", "permission", "perm_id", "permission.name")],
    },
    Table {
        name: "tag_external_repos",
        columns: &[
            ("tag_id", Plain),
            ("external_repo_id", Plain),
            ("priority", Plain),
            ("merge_mode", Plain),
            ("arches", Plain),
        ],
        joins: &[TAG, REPO],
    },
    Table {
        name: "tag_extra",
        columns: &[("tag_id", Plain), ("key", Plain), ("value", Plain)],
        joins: &[TAG],
    },
    Table {
        name: "tag_inheritance",
        columns: &[
            ("tag_id", Plain),
            ("parent_id", Plain),
            ("priority", Plain),
            ("maxdepth", Plain),
            ("intransitive", Truth),
            ("noconfig", Truth),
            ("pkg_filter", Plain),
        ],
        joins: &[TAG, ("tag", "parent", "parent_id", "parent.name")],
    },
    Table {
        name: "tag_listing",
        columns: &[("build_id", Plain), ("tag_id", Plain)],
        joins: &[("build", "build", "build_id", ""), ("package", "package", "build.pkg_id", "name"), TAG],
    },
    Table {
        name: "tag_package_owners",
        columns: &[("package_id", Plain), ("tag_id", Plain), ("owner", Plain)],
        joins: &[PACKAGE, TAG, ("users", "owner", "owner", "owner.name")],
    },
    Table {
        name: "tag_packages",
        columns: &[("package_id", Plain), ("tag_id", Plain), ("blocked", Truth), ("extra_arches", Plain)],
        joins: &[PACKAGE, TAG],
    },
    Table {
        name: "user_perms",
        columns: &[("user_id", Plain), ("perm_id", Plain)],
        joins: &[
            ("users", "users", "user_id", "user.name"),
            ("permissions", "permission", "perm_id", "permission.name"),
        ],
    },
];

/// Tables of Koji that are always empty here, and what they can be filtered by: hosts, members of user groups, data
/// of external repositories.
const EMPTY: &[(&str, &[&str])] = &[
    ("external_repo_data", &["external_repo"]),
    ("host_channels", &[]),
    ("host_config", &[]),
    ("user_groups", &["user"]),
];

/// A query in the making: columns (member, expression, kind) and conditions.
struct Query {
    columns: Vec<(String, String, Kind)>,
    conditions: Vec<String>,
    values: Vec<Value>,
    marks: Vec<Value>,
}

impl View {
    /// The entries that fit, by table (`queryHistory`), in the order of their events.
    ///
    /// # Errors
    /// There is no such table, tag, build ….
    pub fn history(&self, filter: &History) -> Result<BTreeMap<String, Vec<Json>>, Fault> {
        if let Some(tables) = &filter.tables {
            let known = |name: &str| {
                TABLES.iter().any(|table| table.name == name) || EMPTY.iter().any(|(table, _)| *table == name)
            };
            if let Some(unknown) = tables.iter().find(|name| !known(name)) {
                return Err(generic(format!("No such history table: {unknown}")));
            }
        }
        let wanted =
            |name: &str| filter.tables.as_ref().is_none_or(|tables| tables.iter().any(|table| table == name));
        let mut all = BTreeMap::new();
        for table in TABLES.iter().filter(|table| wanted(table.name)) {
            if let Some(rows) = self.table_history(table, filter)? {
                all.insert(table.name.to_owned(), rows);
            }
        }
        let set = [
            ("tag", filter.tag.is_some()),
            ("build", filter.build.is_some()),
            ("package", filter.package.is_some()),
            ("user", filter.user.is_some()),
            ("permission", filter.permission.is_some()),
            ("cg", filter.cg.is_some()),
            ("external_repo", filter.external_repo.is_some()),
            ("build_target", filter.build_target.is_some()),
            ("xkey", filter.xkey.is_some()),
            ("group", filter.group.is_some()),
        ];
        for (name, fits) in EMPTY.iter().filter(|(name, _)| wanted(name)) {
            if !filter.of_nothing && set.iter().all(|(what, set)| !set || fits.contains(what)) {
                all.insert((*name).to_owned(), Vec::new());
            }
        }
        Ok(all)
    }

    fn table_history(&self, table: &Table, filter: &History) -> Result<Option<Vec<Json>>, Fault> {
        let alias =
            |of: &str| table.joins.iter().find(|(joined, ..)| *joined == of).map(|(_, alias, ..)| *alias);
        let mut query =
            Query { columns: Vec::new(), conditions: Vec::new(), values: Vec::new(), marks: Vec::new() };
        if filter.of_nothing {
            return Ok(None);
        }
        if let Some(tag) = &filter.tag {
            let Some(alias) = alias("tag") else { return Ok(None) };
            let id = self.tag_id(tag)?;
            if table.name == "tag_inheritance" {
                query.and("tag_inheritance.tag_id = ? OR parent_id = ?", [id, id]);
            } else {
                // Of two tags Koji means the one that is joined last.
                let alias = if table.name == "build_target_config" { "dest_tag" } else { alias };
                query.and(&format!("{alias}.id = ?"), [id]);
            }
        }
        if let Some(build) = &filter.build {
            let id = self.known_build(build)?.id;
            let Some(alias) = alias("build") else { return Ok(None) };
            query.and(&format!("{alias}.id = ?"), [id]);
        }
        for (key, joined) in [
            (&filter.package, "package"),
            (&filter.user, "users"),
            (&filter.permission, "permissions"),
            (&filter.cg, "content_generator"),
            (&filter.external_repo, "external_repo"),
            (&filter.build_target, "build_target"),
            (&filter.group, "groups"),
        ] {
            let Some(key) = key else { continue };
            if joined == "package" && table.name == "group_package_listing" {
                // Groups have names of RPMs, which need not be packages of the hub.
                query.and("group_package_listing.package = ?", [key.plain()]);
                continue;
            }
            let Some(alias) = alias(joined) else { return Ok(None) };
            query.and(&format!("{alias}.id = ?"), [self.lookup_strict(joined, key)?.id]);
        }
        if let Some(key) = &filter.xkey {
            if table.name != "tag_extra" {
                return Ok(None);
            }
            query.and("tag_extra.key = ?", [key.clone()]);
        }
        match filter.active {
            Some(true) => query.and::<i64>(&format!("{}.revoke_event IS NULL", table.name), []),
            Some(false) => query.and::<i64>(&format!("{}.revoke_event IS NOT NULL", table.name), []),
            None => {}
        }
        query.describe(table);
        if let Some(editor) = &filter.editor {
            let id = self.known_user(editor)?.id;
            query.either("creator.id = ?", "revoker.id = ?", ["_created_by", "_revoked_by"], id);
        }
        for (time, sign, members) in [
            (filter.after, ">", ["_created_after", "_revoked_after"]),
            (filter.before, "<", ["_created_before", "_revoked_before"]),
        ] {
            if let Some(time) = time {
                query.either(
                    &format!("ev1.time {sign} ?"),
                    &format!("ev2.time {sign} ?"),
                    members,
                    time.micros(),
                );
            }
        }
        for (event, sign, members) in [
            (filter.after_event, ">", ["_created_after_event", "_revoked_after_event"]),
            (filter.before_event, "<", ["_created_before_event", "_revoked_before_event"]),
        ] {
            if let Some(event) = event {
                query.either(
                    &format!("{}.create_event {sign} ?", table.name),
                    &format!("{}.revoke_event {sign} ?", table.name),
                    members,
                    event,
                );
            }
        }
        self.entries(table, &query).map(Some)
    }

    fn entries(&self, table: &Table, query: &Query) -> Result<Vec<Json>, Fault> {
        let name = table.name;
        let columns: Vec<_> = query.columns.iter().map(|(_, sql, _)| sql.as_str()).collect();
        let mut sql = format!("SELECT {} FROM {name}", columns.join(", "));
        for (joined, alias, column, _) in table.joins {
            let column = if column.contains('.') { (*column).to_owned() } else { format!("{name}.{column}") };
            sql = format!("{sql} LEFT JOIN {joined} AS {alias} ON {column} = {alias}.id");
        }
        sql = format!(
            "{sql} JOIN events AS ev1 ON ev1.id = {name}.create_event LEFT JOIN events AS ev2 ON ev2.id = {name}.revoke_event
             JOIN users AS creator ON creator.id = {name}.creator_id
             LEFT JOIN users AS revoker ON revoker.id = {name}.revoker_id",
        );
        for (index, condition) in query.conditions.iter().enumerate() {
            sql.push_str(if index == 0 { " WHERE (" } else { " AND (" });
            sql.push_str(condition);
            sql.push(')');
        }
        sql = format!("{sql} ORDER BY {name}.create_event, {name}.rowid");
        let mut statement = self.database.prepare(&sql)?;
        let values = query.marks.iter().chain(&query.values);
        let rows = statement.query_map(params_from_iter(values), |row| query.entry(row))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }
}

impl Query {
    fn and<V: Into<Value>>(&mut self, condition: &str, values: impl IntoIterator<Item = V>) {
        self.conditions.push(condition.to_owned());
        self.values.extend(values.into_iter().map(Into::into));
    }

    /// A condition on the beginning or the end of an entry, and two members that say which of them it was.
    fn either(&mut self, created: &str, revoked: &str, members: [&str; 2], value: i64) {
        self.and(&format!("{created} OR {revoked}"), [value, value]);
        for (member, sql) in members.into_iter().zip([created, revoked]) {
            self.columns.push((member.to_owned(), sql.to_owned(), Truth));
            self.marks.push(value.into());
        }
    }

    /// The members that every entry of a table has.
    fn describe(&mut self, table: &Table) {
        let mut add =
            |member: &str, sql: &str, kind| self.columns.push((member.to_owned(), sql.to_owned(), kind));
        let name = table.name;
        add("active", &format!("CASE WHEN {name}.revoke_event IS NULL THEN 1 END"), Truth);
        for column in ["create_event", "revoke_event", "creator_id", "revoker_id"] {
            add(column, &format!("{name}.{column}"), Plain);
        }
        add("creator_name", "creator.name", Plain);
        add("revoker_name", "revoker.name", Plain);
        add("create_ts", "ev1.time / 1000000.0", Plain);
        add("revoke_ts", "ev2.time / 1000000.0", Plain);
        for (column, kind) in table.columns {
            add(column, &format!("{name}.{column}"), *kind);
        }
        for (joined, alias, _, member) in table.joins {
            if *joined == "build" {
                for member in ["version", "release", "epoch"] {
                    add(member, &format!("build.{member}"), Plain);
                }
                add("build.state", "build.state", Plain);
            } else {
                add(member, &format!("{alias}.name"), Plain);
            }
        }
    }

    fn entry(&self, row: &Row<'_>) -> rusqlite::Result<Json> {
        let mut entry = serde_json::Map::new();
        for (index, (member, _, kind)) in self.columns.iter().enumerate() {
            let value = match (row.get(index)?, kind) {
                (Value::Null | Value::Blob(_), _) => JsonValue::Null,
                (Value::Integer(number), Truth) => json!(number != 0),
                (Value::Integer(number), Plain) => json!(number),
                (Value::Real(number), _) => json!(number),
                (Value::Text(text), _) => json!(text),
            };
            entry.insert(member.clone(), value);
        }
        Ok(Json(entry.into()))
    }
}
