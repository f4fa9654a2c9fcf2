//! `[sign]`: the keys that sign, and those that may no longer.

use toml::Spanned;
use toml::de::DeValue;

use super::read::Reader;
use super::schema::{Fingerprint, Sign, Source};
use super::table::Table;

pub(super) const SIGN: &[&str] =
    &["demonstration", "key-file", "passphrase-file", "sigul", "token", "also", "treeinfo", "compromised"];
/// The keys of `[sign]` that name one key.
pub(super) const ALSO: &[&str] = &["demonstration", "key-file", "passphrase-file", "sigul", "token"];
pub(super) const TOKEN: &[&str] = &["key-file", "pin-file"];
pub(super) const SIGUL: &[&str] = &["config", "key", "fingerprint"];

/// What `[sign]` says.
#[derive(Debug, Default)]
pub(super) struct Signing {
    pub key: Option<Sign>,
    pub also: Vec<Sign>,
    pub treeinfo: bool,
    pub compromised: Vec<Fingerprint>,
}

impl Reader {
    pub(super) fn signing<'t>(&mut self, value: &'t Spanned<DeValue<'t>>) -> Signing {
        let Some(table) = Table::of("[sign]", value, SIGN, &mut self.findings) else {
            return Signing::default();
        };
        let also = self.also(&table);
        let treeinfo = table.flag("treeinfo", false, &mut self.findings);
        let compromised = table.texts("compromised", &mut self.findings);
        let compromised = compromised.iter().filter_map(|key| key.parse(&mut self.findings)).collect();
        let key = self.key(&table);
        if key.as_ref().is_some_and(|key| also.contains(key)) {
            self.findings.add(table.span, "'also' of [sign] names the key that signs anyway");
        }
        Signing { key, also, treeinfo, compromised }
    }

    fn also<'t>(&mut self, table: &Table<'t>) -> Vec<Sign> {
        let Some(value) = table.get("also") else { return Vec::new() };
        let Some(list) = value.get_ref().as_array() else {
            let help = "such as also = [{ key-file = \"~/keys/next.key\" }]";
            self.findings.add_with_help(value.span(), "'also' of [sign] must be a list of tables", help);
            return Vec::new();
        };
        let mut also = Vec::new();
        for item in list.iter() {
            let Some(table) = Table::of("'also' of [sign]", item, ALSO, &mut self.findings) else { continue };
            let span = table.span.clone();
            match self.key(&table) {
                Some(key) if also.contains(&key) => {
                    self.findings.add(span, "'also' of [sign] names a key twice");
                }
                key => also.extend(key),
            }
        }
        also
    }

    /// One key: where it is, and how it is got at.
    fn key<'t>(&mut self, table: &Table<'t>) -> Option<Sign> {
        let findings = &mut self.findings;
        let phrase = table.text("demonstration", findings);
        let key = table.text("key-file", findings).and_then(|text| text.parse(findings));
        let passphrase = table.text("passphrase-file", findings);
        if let (Some(text), None) = (&passphrase, table.get("key-file")) {
            findings.add(text.span.clone(), "'passphrase-file' belongs to a 'key-file', and there is none");
        }
        let passphrase = passphrase.and_then(|text| text.parse(findings));
        let sigul = table.get("sigul");
        let token = table.get("token");
        let kinds = [table.get("demonstration"), table.get("key-file"), sigul, token];
        let mut given = kinds.into_iter().flatten();
        let name = &table.name;
        if given.next().is_none() {
            let message = format!("{name} needs 'key-file', 'token', 'sigul' or 'demonstration'");
            return self.lack(table.span.clone(), message);
        }
        if let Some(second) = given.next() {
            let message = format!("{name} has one of 'key-file', 'token', 'sigul' and 'demonstration'");
            return self.lack(second.span(), message);
        }
        match (phrase, sigul, token) {
            (_, Some(sigul), _) => self.sigul(sigul),
            (_, _, Some(token)) => self.token(token),
            (Some(phrase), None, None) => Some(Sign::Demonstration { phrase: phrase.text.into() }),
            (None, None, None) => Some(Sign::KeyFile { key: key?, passphrase }),
        }
    }

    fn token<'t>(&mut self, value: &'t Spanned<DeValue<'t>>) -> Option<Sign> {
        let findings = &mut self.findings;
        let table = Table::of("'token' of [sign]", value, TOKEN, findings)?;
        let key = table.required("key-file", findings).and_then(|text| text.parse(findings));
        let pin = table.text("pin-file", findings).and_then(|text| text.parse(findings));
        Some(Sign::Token { key: key?, pin })
    }

    fn sigul<'t>(&mut self, value: &'t Spanned<DeValue<'t>>) -> Option<Sign> {
        let findings = &mut self.findings;
        let table = Table::of("'sigul' of [sign]", value, SIGUL, findings)?;
        let config = table.required("config", findings).and_then(|text| text.parse(findings));
        let key = table.required("key", findings);
        let fingerprint = table.text("fingerprint", findings).and_then(|text| text.parse(findings));
        Some(Sign::Sigul { config: config?, key: key?.text.into(), fingerprint })
    }

    /// A key that is compromised is accepted nowhere.
    pub(super) fn check_compromised(&mut self, top: &Table<'_>, sources: &[Source], signing: &Signing) {
        let Some(value) = top.get("sign") else { return };
        let accepted = sources.iter().flat_map(|source| &source.keys);
        let named = signing.key.iter().chain(&signing.also).filter_map(|key| match key {
            Sign::Sigul { fingerprint, .. } => fingerprint.as_ref(),
            Sign::Demonstration { .. } | Sign::KeyFile { .. } | Sign::Token { .. } => None,
        });
        for key in accepted.chain(named).filter(|key| signing.compromised.contains(key)) {
            let message =
                format!("the key {key} is compromised, but the recipe names it among those that count");
            self.findings.add(value.span(), message);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::recipe::{Recipe, Sign};

    const KEY: &str = "0123456789ABCDEF0123456789ABCDEF01234567";

    fn parse(source: &str, sign: &str) -> Result<Recipe, String> {
        let text = format!(
            "[release]\nname = \"A\"\nshort = \"A\"\nversion = \"1\"\n[[source]]\ndir = \"d\"\n{source}on-unsigned = \"sign\"\n\
             [variant.A]\narches = [\"x86_64\"]\npackages = [\"a\"]\n[sign]\n{sign}"
        );
        Recipe::parse(&text, "r.toml").map_err(|error| error.to_string())
    }

    #[test]
    fn further_keys_keep_their_order() {
        let sign = "key-file = \"/a\"\nalso = [{ key-file = \"/b\", passphrase-file = \"/p\" }, \
                    { sigul = { config = \"/c\", key = \"k\" } }]";
        let recipe = parse("", sign).unwrap();
        assert!(matches!(&recipe.sign, Some(Sign::KeyFile { passphrase: None, .. })));
        assert!(matches!(&recipe.also[..], [Sign::KeyFile { passphrase: Some(_), .. }, Sign::Sigul { .. }]));
        let recipe = parse("", "key-file = \"/a\"").unwrap();
        assert!(recipe.also.is_empty() && recipe.compromised.is_empty());
    }

    #[test]
    fn finds_what_is_wrong_with_keys() {
        let compromised = format!("key-file = \"/a\"\ncompromised = [\"{KEY}\"]");
        let sigul = format!(
            "{compromised}\nalso = [{{ sigul = {{ config = \"/c\", key = \"k\", fingerprint = \"{KEY}\" }} }}]"
        );
        let accepts = format!("keys = [\"{KEY}\"]\n");
        assert!(parse("", &compromised).unwrap().is_compromised(KEY));
        for (source, sign, expected) in [
            (
                "",
                "key-file = \"/a\"\nalso = { key-file = \"/b\" }",
                "'also' of [sign] must be a list of tables",
            ),
            ("", "key-file = \"/a\"\nalso = [\"/b\"]", "'also' of [sign] must be a table"),
            (
                "",
                "key-file = \"/a\"\nalso = [{}]",
                "'also' of [sign] needs 'key-file', 'token', 'sigul' or 'demonstration'",
            ),
            ("", "key-file = \"/a\"\nalso = [{ key-file = \"/a\" }]", "names the key that signs anyway"),
            (
                "",
                "key-file = \"/a\"\nalso = [{ key-file = \"/b\" }, { key-file = \"/b\" }]",
                "names a key twice",
            ),
            ("", "key-file = \"/a\"\nalso = [{ key-file = \"/b\", also = [] }]", "has no key 'also'"),
            (
                "",
                "also = [{ key-file = \"/b\" }]",
                "[sign] needs 'key-file', 'token', 'sigul' or 'demonstration'",
            ),
            ("", "key-file = \"/a\"\ncompromised = [\"x\"]", "'x' is not a fingerprint"),
            (&accepts, &compromised, "is compromised, but the recipe names it"),
            ("", &sigul, "is compromised, but the recipe names it"),
        ] {
            let error = parse(source, sign).expect_err(sign);
            assert!(error.contains(expected), "{sign}\n{error}");
        }
    }

    #[test]
    fn keys_may_differ_and_nothing_else() {
        let accepts = format!("keys = [\"{KEY}\"]\n");
        let [one, two] = ["/a", "/b"].map(|key| parse("", &format!("key-file = \"{key}\"")).unwrap());
        assert_eq!(one.differs_besides_keys(&two), None);
        assert_eq!(one.differs_besides_keys(&parse(&accepts, "key-file = \"/c\"").unwrap()), None);
        let mut other = two.clone();
        other.release.version = "2".into();
        assert_eq!(one.differs_besides_keys(&other), Some("[release]"));
        other = two.clone();
        other.sources.push(one.sources[0].clone());
        assert_eq!(one.differs_besides_keys(&other), Some("[[source]]"));
    }
}
