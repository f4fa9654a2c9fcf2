//! A `[[source]]` with `lookaside = true`: its packages meet requirements and are never delivered.

use super::read::Reader;
use super::repo::RepoSource;
use super::schema::{Fingerprint, OnUnsigned, Origin, Source};
use super::table::Table;

impl Reader {
    /// A source whose packages only meet requirements: nobody is handed them, so nobody need have signed them.
    pub(super) fn lookaside(&mut self, origin: Origin, keys: Vec<Fingerprint>, table: &Table<'_>) -> Option<Source> {
        if let (Origin::Build(_), Some(value)) = (&origin, table.get("lookaside")) {
            let message = "what is built here is there to be delivered, and cannot be looked aside at";
            self.findings.add(value.span(), message);
        }
        let signed_metadata = matches!(origin, Origin::Repo(RepoSource { repo_gpgcheck: true, .. }));
        for key in ["keys", "on-unsigned"] {
            if let Some(value) = table.get(key).filter(|_| key != "keys" || !signed_metadata) {
                let message =
                    format!("'{key}' has no effect: packages that are looked aside at are not delivered");
                self.findings.add(value.span(), message);
            }
        }
        Some(Source { origin, keys, on_unsigned: OnUnsigned::Allow, lookaside: true })
    }
}
