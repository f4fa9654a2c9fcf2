//! When a tag changed last, and whether it changed since: what those ask who keep repositories or locks of it.

use std::collections::BTreeSet;

use rusqlite::OptionalExtension;
use rusqlite::types::Value;

use super::inheritance::ids;
use super::tag::no_tag;
use crate::format::xmlrpc::Fault;
use crate::hub::store::database::View;
use crate::hub::store::names::Key;

/// Versioned tables with a tag, and the column. Owners of packages are not among them: they change nothing of what a
/// tag has.
const TABLES: [&str; 9] = [
    "tag_listing",
    "tag_inheritance",
    "tag_config",
    "tag_packages",
    "tag_external_repos",
    "tag_extra",
    "group_config",
    "group_package_listing",
    "group_req_listing",
];

impl View {
    /// Whether anything of these tags changed after an event (`tagChangedSinceEvent`); what they inherit is not looked
    /// at.
    ///
    /// # Errors
    /// The database fails.
    pub fn tags_changed_since(&self, event: i64, tags: &[i64]) -> Result<bool, Fault> {
        let tags = ids(tags);
        let mut queries = vec!["SELECT 1 FROM tag_updates WHERE update_event > ?1".to_owned()];
        queries.extend(TABLES.iter().flat_map(|table| {
            ["create_event", "revoke_event"]
                .map(|column| format!("SELECT 1 FROM {table} WHERE {column} > ?1"))
        }));
        for query in queries {
            let sql = format!("{query} AND tag_id IN (SELECT value FROM json_each(?2)) LIMIT 1");
            if self.database.prepare(&sql)?.exists([Value::from(event), tags.clone()])? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The last event (before one, if that is said) that changed a tag or, with `inherit`, what it inherits
    /// (`tagLastChangeEvent`): for a tag that is no more, the end.
    ///
    /// # Errors
    /// The tag was never there.
    pub fn tag_last_change(
        &self,
        tag: &Key,
        before: Option<i64>,
        inherit: bool,
    ) -> Result<Option<i64>, Fault> {
        let none = || no_tag(tag);
        let found = self.lookup("tag", tag)?.ok_or_else(none)?;
        let sql = "SELECT revoke_event FROM tag_config WHERE tag_id = ? ORDER BY create_event DESC LIMIT 1";
        let last: Option<Option<i64>> =
            self.database.prepare(sql)?.query_row([found.id], |row| row.get(0)).optional()?;
        let end = last.ok_or_else(none)?;
        if before.is_none() && end.is_some() {
            return Ok(end);
        }
        let mut tags = vec![found.id];
        if inherit {
            tags.extend(
                self.full_inheritance(found.id, before)?.iter().map(|ancestor| ancestor.link.parent_id),
            );
        }
        let mut repos = BTreeSet::new();
        for tag in &tags {
            let all = self.tag_external_repos(Some(&Key::Id(*tag)), None, before)?;
            repos.extend(all.iter().map(|repo| repo.external_repo_id));
        }
        let repos: Vec<i64> = repos.into_iter().collect();
        let mut queries = vec![("tag_updates", "update_event", "tag_id", ids(&tags))];
        for column in ["create_event", "revoke_event"] {
            queries.extend(TABLES.map(|table| (table, column, "tag_id", ids(&tags))));
            queries.push(("external_repo_config", column, "external_repo_id", ids(&repos)));
        }
        let before = before.unwrap_or(i64::MAX);
        let mut latest = None;
        for (table, column, key, ids) in queries {
            let sql = format!(
                "SELECT max({column}) FROM {table} WHERE {key} IN (SELECT value FROM json_each(?)) AND {column} < ?"
            );
            let event: Option<i64> =
                self.database.prepare(&sql)?.query_row([ids, before.into()], |row| row.get(0))?;
            latest = latest.max(event);
        }
        Ok(match end {
            Some(end) => latest.map(|latest| latest.min(end)),
            None => latest,
        })
    }

    /// The event at which a tag was made first (`tagFirstChangeEvent` without an event).
    ///
    /// # Errors
    /// The tag was never there.
    pub fn tag_first_change(&self, tag: &Key) -> Result<Option<i64>, Fault> {
        let tag = self.tag_id(tag)?;
        let sql = "SELECT min(create_event) FROM tag_config WHERE tag_id = ?";
        Ok(self.database.prepare(sql)?.query_row([tag], |row| row.get(0))?)
    }
}
