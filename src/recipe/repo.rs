//! `repo` of a `[[source]]`: packages of a repository, with dnf's names for its options.

use std::fmt;
use std::str::FromStr;

use toml::Spanned;
use toml::de::DeValue;

use super::modules::ModuleChoice;
use super::read::{Reader, made_of};
use super::schema::Origin;
use super::table::{Table, Text, either};

pub(super) const REPO: &[&str] = &[
    "id",
    "baseurl",
    "mirrorlist",
    "metalink",
    "gpgcheck",
    "repo_gpgcheck",
    "includepkgs",
    "excludepkgs",
    "modules",
    "module_hotfixes",
];

/// A repository that packages come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepoSource {
    /// What it is called in messages and in the lock.
    pub id: String,
    /// Where it is.
    pub addresses: Addresses,
    /// Whether every package must be signed by one of the source's keys.
    pub gpgcheck: bool,
    /// Whether `repomd.xml` must be.
    pub repo_gpgcheck: bool,
    /// Patterns of the only packages that count; all where there are none.
    pub includepkgs: Vec<String>,
    /// Patterns of packages that do not count.
    pub excludepkgs: Vec<String>,
    /// Streams that are to be active, and modules that are not to be.
    pub modules: Vec<ModuleChoice>,
    /// Whether its packages are seen whatever modules say.
    pub module_hotfixes: bool,
}

/// Where a repository is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Addresses {
    /// Folders that hold `repodata`, in order of preference; at least one.
    Base(Vec<Url>),
    /// A list of such folders.
    MirrorList(Url),
    /// A metalink of `repomd.xml`: a list with digests.
    Metalink(Url),
}

/// An `http:`, `https:` or `file:` URL without secrets.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Url(String);

/// The text is no such URL. Retrying cannot help.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{}' is not a URL that packages can come from: {reason}", .url.escape_debug())]
pub struct UrlError {
    url: String,
    reason: &'static str,
}

impl Url {
    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is a folder to which paths can be added.
    fn is_folder(&self) -> bool {
        !self.0.contains(['?', '#'])
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Url {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        let refused = |reason| Err(UrlError { url: text.chars().take(200).collect(), reason });
        let plain = |byte: u8| byte.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&byte);
        if text.contains('$') {
            return refused("variables are not known: write it out, in one [[source]] for each arch");
        }
        if text.len() > 2000 || !text.bytes().all(plain) {
            return refused("it has characters that URLs cannot have, or is too long");
        }
        if let Some(path) = text.strip_prefix("file://") {
            return match path.starts_with('/') {
                true => Ok(Self(text.into())),
                false => refused("a file: URL names an absolute path: file:///srv/…"),
            };
        }
        let Some(rest) = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://")) else {
            return refused("it does not begin with https://, http:// or file:///");
        };
        match rest.split(['/', '?', '#']).next() {
            None | Some("") => refused("it names no host"),
            Some(host) if host.contains('@') => refused("a user's name and password have no place in it"),
            Some(_) => Ok(Self(text.into())),
        }
    }
}

impl Reader {
    pub(super) fn repo<'t>(
        &mut self,
        value: &'t Spanned<DeValue<'t>>,
        keys: bool,
        lookaside: bool,
    ) -> Option<Origin> {
        let table = Table::of("'repo' of [[source]]", value, REPO, &mut self.findings)?;
        let id = table.required("id", &mut self.findings);
        if let Some(text) = id.as_ref().filter(|text| !made_of(text.text, "-_.")) {
            let message = format!("the id '{}' may hold letters, digits, '-', '_' and '.' only", text.text);
            self.findings.add(text.span.clone(), message);
        }
        let addresses = self.addresses(&table);
        let gpgcheck = table.flag("gpgcheck", !lookaside, &mut self.findings);
        if let Some(value) = table.get("gpgcheck").filter(|_| lookaside) {
            let message = "'gpgcheck' has no effect: packages that are looked aside at are not delivered";
            self.findings.add(value.span(), message);
        }
        let repo_gpgcheck = table.flag("repo_gpgcheck", false, &mut self.findings);
        for (name, on) in [("gpgcheck", gpgcheck), ("repo_gpgcheck", repo_gpgcheck)] {
            if on && !keys && !(lookaside && name == "gpgcheck") {
                let place = table.get(name).map_or(table.span.clone(), Spanned::span);
                self.findings.add_with_help(
                    place,
                    format!("'{name}' is on, but the source accepts no key"),
                    format!("list fingerprints in 'keys' of the [[source]], or set {name} = false"),
                );
            }
        }
        let includepkgs = self.specs(&table, "includepkgs");
        let excludepkgs = self.specs(&table, "excludepkgs");
        let modules = table.texts("modules", &mut self.findings);
        let modules = modules.iter().filter_map(|text| text.parse(&mut self.findings)).collect();
        let module_hotfixes = table.flag("module_hotfixes", false, &mut self.findings);
        Some(Origin::Repo(RepoSource {
            id: id?.text.into(),
            addresses: addresses?,
            gpgcheck,
            repo_gpgcheck,
            includepkgs,
            excludepkgs,
            modules,
            module_hotfixes,
        }))
    }

    fn addresses(&mut self, table: &Table<'_>) -> Option<Addresses> {
        let names = ["baseurl", "mirrorlist", "metalink"];
        let given: Vec<&str> = names.into_iter().filter(|name| table.get(name).is_some()).collect();
        match given.as_slice() {
            ["baseurl"] => {
                let texts = match table.get("baseurl").map(Spanned::get_ref) {
                    Some(DeValue::Array(_)) => {
                        table.required_texts("baseurl", "[\"https://…\"]", &mut self.findings)
                    }
                    _ => table.text("baseurl", &mut self.findings).into_iter().collect(),
                };
                let urls: Vec<_> = texts.iter().filter_map(|text| self.url(text, true)).collect();
                (!urls.is_empty()).then_some(Addresses::Base(urls))
            }
            [name] => {
                let url = table.text(name, &mut self.findings)?;
                let url = self.url(&url, false)?;
                Some(if *name == "metalink" { Addresses::Metalink(url) } else { Addresses::MirrorList(url) })
            }
            [] => self.lack(table.span.clone(), format!("'repo' of [[source]] needs {}", either(names))),
            [.., last] => {
                let place = table.get(last).map_or(table.span.clone(), Spanned::span);
                self.lack(place, format!("'repo' of [[source]] has only one of {}", either(names)))
            }
        }
    }

    pub(super) fn url(&mut self, text: &Text<'_>, folder: bool) -> Option<Url> {
        let url = text.parse::<Url>(&mut self.findings)?;
        if folder && !url.is_folder() {
            let message = format!("'{url}' is no folder: it has a '?' or '#'");
            return self.lack(text.span.clone(), message);
        }
        Some(url)
    }

    pub(super) fn specs(&mut self, table: &Table<'_>, key: &str) -> Vec<String> {
        let mut specs = Vec::new();
        for text in table.texts(key, &mut self.findings) {
            if made_of(text.text, "-._+%{}*?[]!^~:") {
                specs.push(text.text.into());
            } else {
                let message =
                    format!("'{}' names no packages: '{key}' has names, globs and NEVRAs", text.text);
                self.findings.add(text.span, message);
            }
        }
        specs
    }
}
