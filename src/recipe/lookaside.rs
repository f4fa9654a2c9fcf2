//! A `[[source]]` with `lookaside`: its packages meet requirements and are never delivered.

use super::read::Reader;
use super::repo::RepoSource;
use super::schema::{Fingerprint, OnUnsigned, Origin, Source};
use super::table::{Table, Text, suggest};

/// Whether the packages of a source are only there to meet requirements, and in which trees.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Lookaside {
    /// They are there to be delivered.
    #[default]
    No,
    /// All trees look aside at them.
    All,
    /// These trees do: ids of variants, each with one of its arches or for all of them. No other tree sees the packages.
    Trees(Vec<(String, Option<String>)>),
}

impl Lookaside {
    /// Whether they are never delivered.
    pub fn is_on(&self) -> bool {
        *self != Self::No
    }

    /// Whether a tree looks aside at them.
    pub fn is_for(&self, variant: &str, arch: &str) -> bool {
        match self {
            Self::No => false,
            Self::All => true,
            Self::Trees(trees) => {
                trees.iter().any(|(id, of)| id == variant && of.as_ref().is_none_or(|of| of == arch))
            }
        }
    }
}

impl Reader {
    /// What a source says of it: `true`, or a list of `VARIANT` and `VARIANT/ARCH`.
    pub(super) fn asked_lookaside(&mut self, table: &Table<'_>, top: &Table<'_>) -> Lookaside {
        let Some(value) = table.get("lookaside") else { return Lookaside::No };
        if let Some(on) = value.get_ref().as_bool() {
            return if on { Lookaside::All } else { Lookaside::No };
        }
        if value.get_ref().as_array().is_none() {
            table.wrong_type("lookaside", value, "true, false or a list of variants", &mut self.findings);
            return Lookaside::All;
        }
        let texts = table.texts("lookaside", &mut self.findings);
        if texts.is_empty() {
            self.findings
                .add(value.span(), "'lookaside' names no variant: leave the source out, or name one");
        }
        let trees = texts.iter().map(|text| {
            self.is_tree(text, top);
            match text.text.split_once('/') {
                Some((id, arch)) => (id.to_owned(), Some(arch.to_owned())),
                None => (text.text.to_owned(), None),
            }
        });
        Lookaside::Trees(trees.collect())
    }

    /// Finds fault with what names no tree of the recipe.
    fn is_tree(&mut self, text: &Text<'_>, top: &Table<'_>) {
        let (id, arch) = text.text.split_once('/').map_or((text.text, None), |(id, arch)| (id, Some(arch)));
        let Some(variants) = top.get("variant").and_then(|value| value.get_ref().as_table()) else { return };
        let Some(variant) = variants.get(id).and_then(|value| value.get_ref().as_table()) else {
            let message = format!("there is no variant '{id}' that could look aside at it");
            match suggest(id, variants.iter().map(|(id, _)| id.get_ref().as_ref())) {
                Some(other) => {
                    let help = format!("did you mean '{other}'?");
                    self.findings.add_with_help(text.span.clone(), message, help);
                }
                None => self.findings.add(text.span.clone(), message),
            }
            return;
        };
        let arches = variant.get("arches").and_then(|value| value.get_ref().as_array());
        let has = |arch: &str| {
            arches.is_some_and(|arches| arches.iter().any(|one| one.get_ref().as_str() == Some(arch)))
        };
        if let Some(arch) = arch.filter(|arch| !has(arch)) {
            self.findings.add(text.span.clone(), format!("the variant {id} has no tree of '{arch}'"));
        }
    }

    /// A source whose packages only meet requirements: nobody is handed them, so nobody need have signed them.
    pub(super) fn lookaside(
        &mut self,
        origin: Origin,
        keys: Vec<Fingerprint>,
        lookaside: Lookaside,
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
        Some(Source { origin, keys, on_unsigned: OnUnsigned::Allow, lookaside })
    }
}

#[cfg(test)]
mod tests {
    use crate::recipe::{Lookaside, Recipe};

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
            let aside: Vec<_> = recipe.sources.iter().map(|source| source.lookaside.is_on()).collect();
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
    fn single_trees_look_aside() {
        let parse = |trees: &str| {
            let text = format!(
                "[release]\nname = \"Goose\"\nshort = \"Goose\"\nversion = \"1\"\n\n[[source]]\ndir = \"rpms\"\n{KEY}\n\n\
                 [[source]]\nlookaside = {trees}\ndir = \"aside\"\n\n[variant.Base]\narches = [\"x86_64\", \"i386\"]\n\
                 packages = [\"goose\"]\n[variant.More]\narches = [\"x86_64\"]\npackages = [\"goose\"]\n"
            );
            Recipe::parse(&text, "r.toml").map_err(|error| error.to_string())
        };
        let recipe = parse("[\"Base/i386\", \"More\"]").unwrap();
        let aside = &recipe.sources[1].lookaside;
        let trees = [("Base", "i386"), ("Base", "x86_64"), ("More", "x86_64")];
        assert_eq!(trees.map(|(id, arch)| aside.is_for(id, arch)), [true, false, true]);
        assert!(parse("false").unwrap_err().contains("no key is accepted from this source"));
        assert_eq!(parse("true").unwrap().sources[1].lookaside, Lookaside::All);
        for (wrong, told) in [
            ("[\"Bas\"]", "did you mean 'Base'?"),
            ("[\"Base/s390x\"]", "the variant Base has no tree of 's390x'"),
            ("[]", "'lookaside' names no variant"),
            ("\"Base\"", "true, false or a list of variants"),
        ] {
            let error = parse(wrong).unwrap_err();
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
