//! Searching by name.

use crate::format::xmlrpc::Fault;
use crate::hub::store::database::View;
use crate::hub::store::error::generic;
use crate::hub::store::query::{Columns, Listing, QueryOptions, Select, row};
use crate::hub::tags::inheritance;

row! {
    /// Something found (`search`).
    Found {
        id: i64 = "id",
        name: String = "name",
    }
}

/// A pattern with `*` and `?` for LIKE with the escape `\`. Case of ASCII letters does not count there.
pub(super) fn like(pattern: &str) -> String {
    literal(pattern).replace('?', "_").replace('*', "%")
}

/// A text that stands for itself in LIKE with the escape `\`.
pub(super) fn literal(text: &str) -> String {
    text.replace('\\', "\\\\").replace('_', "\\_").replace('%', "\\%")
}

impl View {
    /// Things whose name fits (`search`): `kind` is package, build, tag, target, user or rpm; `matching` is `glob`
    /// (whatever the case), `regexp`, or anything else for the very name.
    ///
    /// # Errors
    /// No terms, or a kind that there is not; a regular expression that is none.
    pub fn search(
        &self,
        terms: &str,
        kind: &str,
        matching: &str,
        options: &QueryOptions,
    ) -> Result<Listing<Found>, Fault> {
        if terms.is_empty() {
            return Err(generic("empty search terms"));
        }
        let table = match kind {
            "package" => "SELECT id, name FROM package",
            "build" => {
                "SELECT build.id AS id, package.name || '-' || version || '-' || release AS name
                 FROM build JOIN package ON pkg_id = package.id"
            }
            "tag" => "SELECT id, name FROM tag JOIN tag_config ON tag_id = id WHERE revoke_event IS NULL",
            "target" => {
                "SELECT id, name FROM build_target JOIN build_target_config ON build_target_id = id
                 WHERE revoke_event IS NULL"
            }
            "user" => "SELECT id, name FROM users",
            "rpm" => {
                "SELECT id, name || '-' || version || '-' || release || '.' || arch || '.rpm' AS name FROM rpminfo"
            }
            _ => return Err(generic(format!("No such search type: {kind}"))),
        };
        let found = Select::from(&format!("({table})")).order("id");
        match matching {
            "glob" => found.and("name LIKE ? ESCAPE '\\'", [like(terms)]).list(&self.database, options),
            "regexp" => {
                let expression =
                    regex::RegexBuilder::new(terms).case_insensitive(true).size_limit(1 << 20).build();
                let expression =
                    expression.map_err(|error| generic(format!("invalid regular expression: {error}")))?;
                let all: Vec<Found> = found.all(&self.database)?;
                let ids: Vec<i64> = all
                    .into_iter()
                    .filter(|found| expression.is_match(&found.name))
                    .map(|found| found.id)
                    .collect();
                let found = Select::from(&format!("({table})")).order(Found::COLUMNS[0].1);
                let found = found.and("id IN (SELECT value FROM json_each(?))", [inheritance::ids(&ids)]);
                found.list(&self.database, options)
            }
            _ => found.and("name = ?", [terms.to_owned()]).list(&self.database, options),
        }
    }
}
