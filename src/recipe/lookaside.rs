//! A `[[source]]` with `lookaside = true`: its packages meet requirements and are never delivered.

use super::read::Reader;
use super::repo::RepoSource;
use super::schema::{Fingerprint, OnUnsigned, Origin, Source};
use super::table::Table;

impl Reader {
    /// A source whose packages only meet requirements: nobody is handed them, so nobody need have signed them.
    pub(super) fn lookaside(
        &mut self,
        origin: Origin,
        keys: Vec<Fingerprint>,
        table: &Table<'_>,
    ) -> Option<Source> {
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

#[cfg(test)]
mod tests {
    use crate::recipe::Recipe;

    const KEY: &str = "keys = [\"0123456789ABCDEF0123456789ABCDEF01234567\"]";

    fn parse(aside: &str) -> Result<Recipe, String> {
        let text = format!(
            "[release]\nname = \"Goose\"\nshort = \"Goose\"\nversion = \"1\"\n\n[[source]]\ndir = \"rpms\"\n{KEY}\n\n\
             [[source]]\nlookaside = true\n{aside}\n\n[variant.Base]\narches = [\"x86_64\"]\npackages = [\"goose\"]\n"
        );
        Recipe::parse(&text, "r.toml").map_err(|error| error.to_string())
    }

    #[test]
    fn nobody_need_have_signed_what_is_looked_aside_at() {
        let repo =
            |more: &str| format!("repo = {{ id = \"base\", baseurl = \"https://example.org/os\"{more} }}");
        let checked = repo(", repo_gpgcheck = true");
        for good in [repo(""), "dir = \"aside\"".into(), format!("{KEY}\n{checked}")] {
            let recipe = parse(&good).unwrap();
            let aside: Vec<_> = recipe.sources.iter().map(|source| source.lookaside).collect();
            assert_eq!(aside, [false, true], "{good}");
        }
        for (wrong, told) in [
            (repo(", gpgcheck = true"), "'gpgcheck' has no effect"),
            (repo(", gpgcheck = false"), "'gpgcheck' has no effect"),
            (format!("{}\n{KEY}", repo("")), "'keys' has no effect"),
            (format!("{}\non-unsigned = \"allow\"", repo("")), "'on-unsigned' has no effect"),
            (checked, "'repo_gpgcheck' is on, but the source accepts no key"),
            ("build = { specs = \"specs\", targets = [\"x86_64\"] }".into(), "cannot be looked aside at"),
        ] {
            let error = parse(&wrong).unwrap_err();
            assert!(error.contains(told), "{wrong}: {error}");
        }
    }

    #[test]
    fn something_has_to_be_delivered() {
        let text = "[release]\nname = \"Goose\"\nshort = \"Goose\"\nversion = \"1\"\n[[source]]\ndir = \"rpms\"\nlookaside = true\n\
                    [variant.Base]\narches = [\"x86_64\"]\npackages = [\"goose\"]\n";
        let error = Recipe::parse(text, "r.toml").unwrap_err().to_string();
        assert!(error.contains("there is nothing to deliver"), "{error}");
    }
}
