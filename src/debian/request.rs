//! What a person asks for: a list of Debian packages, as TOML.
//!
//! | key | meaning |
//! |---|---|
//! | `suite` | the release's code name, such as `bookworm` |
//! | `components` | such as `["main"]` (the default) |
//! | `arches` | Debian architectures; a package without `:arch` is of the first, or `all` |
//! | `dependencies` | whether what the packages depend on is taken too (default: true) |
//! | `packages` | `"name"` or `"name:arch"` |
//! | `drop` | patterns (`perl*`) of packages that a dependency never brings in |
//!
//! Unknown keys are errors.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::depends::is_package_name;
use crate::base::fnmatch;

/// A request. Its digest in a lock is that of the file's bytes.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// The release's code name.
    pub suite: String,
    /// Parts of the archive.
    #[serde(default = "main_only")]
    pub components: Vec<String>,
    /// Architectures; the first is that of packages without one.
    pub arches: Vec<String>,
    /// Whether dependencies are followed.
    #[serde(default = "yes")]
    pub dependencies: bool,
    /// `name` or `name:arch`.
    pub packages: Vec<String>,
    /// Patterns of packages that are never brought in by a dependency.
    #[serde(default)]
    pub drop: Vec<String>,
}

fn main_only() -> Vec<String> {
    vec!["main".into()]
}

const fn yes() -> bool {
    true
}

/// What is wrong with a request. Retrying cannot help.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// The TOML or a key is wrong; the text says where.
    #[error("the request is not valid")]
    Toml(#[source] Box<toml::de::Error>),
    /// A value has no meaning.
    #[error("'{value}' in '{key}' of the request is not {expected}")]
    Value {
        /// The key.
        key: &'static str,
        /// The value.
        value: String,
        /// What it should be.
        expected: &'static str,
    },
    /// A list is empty.
    #[error("'{key}' of the request is empty")]
    Empty {
        /// The key.
        key: &'static str,
    },
    /// A package is named twice.
    #[error("the request names the package '{0}' twice")]
    Twice(String),
}

impl Request {
    /// Parses a request.
    pub fn parse(text: &str) -> Result<Self, RequestError> {
        let request: Self = toml::from_str(text).map_err(|error| RequestError::Toml(Box::new(error)))?;
        let value = |key, value: &str, expected| {
            Err(RequestError::Value { key, value: value.escape_debug().to_string(), expected })
        };
        if !is_word(&request.suite) {
            return value("suite", &request.suite, "a suite's code name");
        }
        for (key, list) in [
            ("components", &request.components),
            ("arches", &request.arches),
            ("packages", &request.packages),
        ] {
            if list.is_empty() {
                return Err(RequestError::Empty { key });
            }
        }
        if let Some(bad) = request.components.iter().find(|name| !is_word(name)) {
            return value("components", bad, "a component's name");
        }
        if let Some(bad) = request.arches.iter().find(|name| !is_word(name) || *name == "all") {
            return value("arches", bad, "a Debian architecture");
        }
        let mut seen = BTreeSet::new();
        for package in &request.packages {
            let (name, arch) = request.split(package);
            if !is_package_name(name) {
                return value("packages", package, "'name' or 'name:arch' of a package");
            }
            if !request.arches.iter().any(|known| known == arch) {
                return value("packages", package, "of an architecture that 'arches' lists");
            }
            if !seen.insert((name, arch)) {
                return Err(RequestError::Twice(package.clone()));
            }
        }
        Ok(request)
    }

    /// Name and architecture of an entry of `packages`.
    pub fn split<'a>(&'a self, package: &'a str) -> (&'a str, &'a str) {
        package.split_once(':').unwrap_or_else(|| (package, self.arches.first().map_or("", String::as_str)))
    }

    /// Whether no dependency may bring this package in.
    pub fn drops(&self, name: &str) -> bool {
        self.drop.iter().any(|pattern| fnmatch::matches(pattern, name))
    }
}

/// Names of suites, components and architectures become parts of addresses.
pub(super) fn is_word(text: &str) -> bool {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.+".contains(&byte);
    (1..=64).contains(&text.len()) && text.bytes().all(good) && !text.starts_with(['.', '-'])
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "suite = 'bookworm'\narches = ['amd64', 'i386']\npackages = ['bash', 'libc6:i386']\n";

    #[test]
    fn parses_with_defaults() {
        let request = Request::parse(GOOD).unwrap();
        assert_eq!(request.components, ["main"]);
        assert!(request.dependencies && !request.drops("perl"));
        assert_eq!(request.split("bash"), ("bash", "amd64"));
        assert_eq!(request.split("libc6:i386"), ("libc6", "i386"));
        let request = Request::parse(&format!("{GOOD}drop = ['perl*']")).unwrap();
        assert!(request.drops("perl-base") && !request.drops("libperl5"));
    }

    #[test]
    fn refuses_what_is_wrong() {
        for (from, to) in [
            ("suite", "sweet"),
            ("'bookworm'", "'../x'"),
            ("['amd64', 'i386']", "[]"),
            ("['amd64', 'i386']", "['amd64']"),
            ("'bash'", "'Bash'"),
            ("'bash'", "'libc6:i386'"),
            ("'bash'", "3"),
        ] {
            assert!(Request::parse(&GOOD.replace(from, to)).is_err(), "{from} → {to}");
        }
    }
}
