//! How callers name things, and how Koji's faults quote what they said.

use std::fmt::Write;

use serde::Serialize;

use super::error::generic;
use crate::format::xmlrpc::Fault;

/// A tag, package, user … by id or name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Key {
    /// Its id.
    Id(i64),
    /// Its name.
    Name(String),
}

impl Key {
    /// As Python's `%r` has it.
    pub(in crate::hub) fn quoted(&self) -> String {
        match self {
            Self::Id(id) => id.to_string(),
            Self::Name(name) => quoted(name),
        }
    }

    /// As Python's `%s` has it.
    pub(in crate::hub) fn plain(&self) -> String {
        match self {
            Self::Id(id) => id.to_string(),
            Self::Name(name) => name.clone(),
        }
    }

    /// The column that it is compared with.
    pub(in crate::hub) fn column(&self) -> &'static str {
        match self {
            Self::Id(_) => "id",
            Self::Name(_) => "name",
        }
    }

    pub(in crate::hub) fn value(&self) -> rusqlite::types::Value {
        match self {
            Self::Id(id) => (*id).into(),
            Self::Name(name) => name.clone().into(),
        }
    }
}

impl From<i64> for Key {
    fn from(id: i64) -> Self {
        Self::Id(id)
    }
}

impl From<&str> for Key {
    fn from(name: &str) -> Self {
        Self::Name(name.to_owned())
    }
}

impl From<String> for Key {
    fn from(name: String) -> Self {
        Self::Name(name)
    }
}

/// A build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BuildKey {
    /// Its id.
    Id(i64),
    /// Its name-version-release.
    Nvr(String),
    /// The same in parts.
    Parts {
        /// Name of the package.
        name: String,
        /// Version.
        version: String,
        /// Release.
        release: String,
    },
}

impl From<i64> for BuildKey {
    fn from(id: i64) -> Self {
        Self::Id(id)
    }
}

impl From<&str> for BuildKey {
    fn from(nvr: &str) -> Self {
        Self::Nvr(nvr.to_owned())
    }
}

impl BuildKey {
    /// As Python's `%r` has it.
    pub(in crate::hub) fn quoted(&self) -> String {
        match self {
            Self::Id(id) => id.to_string(),
            Self::Nvr(nvr) => quoted(nvr),
            Self::Parts { name, version, release } => {
                let [name, version, release] = [name, version, release].map(|part| quoted(part));
                format!("{{'name': {name}, 'version': {version}, 'release': {release}}}")
            }
        }
    }

    /// As Python's `%s` has it.
    pub(in crate::hub) fn plain(&self) -> String {
        match self {
            Self::Nvr(nvr) => nvr.clone(),
            _ => self.quoted(),
        }
    }

    /// Name, version and release, where it is no id.
    pub(in crate::hub) fn parts(&self) -> Result<Option<[&str; 3]>, Fault> {
        match self {
            Self::Id(_) => Ok(None),
            Self::Nvr(nvr) => split_nvr(nvr).map(|(_, parts)| Some(parts)),
            Self::Parts { name, version, release } => Ok(Some([name, version, release])),
        }
    }
}

/// An RPM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RpmKey {
    /// Its id.
    Id(i64),
    /// Its id in digits, its name-version-release.arch or file name, with `@` and an external repository or without.
    Nvra(String),
    /// The same in parts.
    Parts {
        /// Name.
        name: String,
        /// Version.
        version: String,
        /// Release.
        release: String,
        /// Arch; `src` for sources.
        arch: String,
    },
}

impl From<i64> for RpmKey {
    fn from(id: i64) -> Self {
        Self::Id(id)
    }
}

impl From<&str> for RpmKey {
    fn from(nvra: &str) -> Self {
        Self::Nvra(nvra.to_owned())
    }
}

/// Splits `[epoch:]name-version-release`: epoch (may be empty) and the parts.
fn split_nvr(text: &str) -> Result<(&str, [&str; 3]), Fault> {
    let invalid = || generic(format!("invalid format: {text}"));
    let (rest, release) = text.rsplit_once('-').ok_or_else(invalid)?;
    let (name, version) = rest.rsplit_once('-').ok_or_else(invalid)?;
    if release.is_empty() || version.is_empty() {
        return Err(invalid());
    }
    let (epoch, name) = name.split_once(':').unwrap_or(("", name));
    Ok((epoch, [name, version, release]))
}

/// What an RPM's name says.
pub(in crate::hub) struct Nvra<'n> {
    pub(in crate::hub) name: &'n str,
    pub(in crate::hub) version: &'n str,
    pub(in crate::hub) release: &'n str,
    pub(in crate::hub) arch: &'n str,
    epoch: &'n str,
    /// An external repository.
    pub(in crate::hub) location: Option<&'n str>,
}

impl<'n> Nvra<'n> {
    pub(in crate::hub) fn parse(text: &'n str) -> Result<Self, Fault> {
        let (nvra, location) = match text.split_once('@') {
            Some((nvra, location)) => (nvra, Some(location).filter(|location| !location.is_empty())),
            None => (text, None),
        };
        let nvra = nvra.strip_suffix(".rpm").unwrap_or(nvra);
        let split = nvra.rsplit_once('.').filter(|(_, arch)| !arch.is_empty());
        let (nvr, arch) = split.ok_or_else(|| generic(format!("invalid format: {nvra}")))?;
        let (epoch, [name, version, release]) = split_nvr(nvr)?;
        Ok(Self { name, version, release, arch, epoch, location })
    }

    /// As Python's `%r` has the dictionary of koji.parse_NVRA.
    pub(in crate::hub) fn quoted(&self) -> String {
        let [release, version, name] = [self.release, self.version, self.name].map(quoted);
        let (epoch, arch) = (quoted(self.epoch), quoted(self.arch));
        let src = if self.arch == "src" { "True" } else { "False" };
        let location = self.location.map(|location| format!(", 'location': {}", quoted(location)));
        let location = location.unwrap_or_default();
        format!(
            "{{'release': {release}, 'version': {version}, 'name': {name}, 'epoch': {epoch}, 'arch': {arch}, 'src': {src}{location}}}"
        )
    }
}

/// A text as Python's `repr` has it, but that every character beyond the control characters stands for itself.
pub(in crate::hub) fn quoted(text: &str) -> String {
    let mark = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    let mut out = String::from(mark);
    for character in text.chars() {
        match character {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            _ if character == mark => out.extend(['\\', character]),
            _ if character.is_control() => write!(out, "\\x{:02x}", u32::from(character)).unwrap_or_default(),
            _ => out.push(character),
        }
    }
    out.push(mark);
    out
}

/// A new name of a tag, user, package … (Koji's MaxNameLengthInternal and RegexNameInternal as they are by default).
pub(in crate::hub) fn check_name(name: &str) -> Result<(), Fault> {
    const LONGEST: usize = 256;
    if name.chars().count() > LONGEST {
        return Err(generic(format!("Name {name} is too long. Max length is {LONGEST} characters")));
    }
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"/_.+-".contains(&byte);
    if name.is_empty() || !name.bytes().all(fits) {
        return Err(generic(format!("Name {name} does not match RegexNameInternal value")));
    }
    Ok(())
}

/// Arches of a tag or package as they are kept: one space between two.
pub(in crate::hub) fn arches(text: &str) -> Result<String, Fault> {
    let all: Vec<_> = text.split_whitespace().collect();
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
    if !all.iter().all(|arch| arch.bytes().all(fits)) {
        return Err(generic("Architecture can be only [a-zA-Z0-9_-]"));
    }
    Ok(all.join(" "))
}

/// Numbers as Python's `%r` has a list of them.
pub(in crate::hub) fn numbers(all: &[i64]) -> String {
    let all: Vec<_> = all.iter().map(i64::to_string).collect();
    format!("[{}]", all.join(", "))
}

/// Something with an id and a name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(in crate::hub) struct IdName {
    pub(in crate::hub) id: i64,
    pub(in crate::hub) name: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_quoted_like_python_does() {
        for (text, wanted) in [
            ("nope", "'nope'"),
            ("it's", "\"it's\""),
            ("it's \"x\"", "'it\\'s \"x\"'"),
            ("a\\b\n\u{1}", "'a\\\\b\\n\\x01'"),
            ("naïve ☃", "'naïve ☃'"),
        ] {
            assert_eq!(quoted(text), wanted);
        }
    }

    #[test]
    fn rpms_are_named_as_koji_takes_them() {
        let nvra = Nvra::parse("lib-x-1.0-2.el9.src.rpm@ext").ok().unwrap();
        assert_eq!([nvra.name, nvra.version, nvra.release, nvra.arch], ["lib-x", "1.0", "2.el9", "src"]);
        assert_eq!(nvra.location, Some("ext"));
        for text in ["nope", "nope.x86_64", "a-1.", "-", "a--1.x"] {
            assert!(Nvra::parse(text).is_err(), "{text}");
        }
        let nvra = Nvra::parse("nope-1-1.x86_64").ok().unwrap();
        let text =
            "{'release': '1', 'version': '1', 'name': 'nope', 'epoch': '', 'arch': 'x86_64', 'src': False}";
        assert_eq!(nvra.quoted(), text);
    }

    #[test]
    fn names_are_checked() {
        assert!(check_name("gosling-1.0_x+y/z").is_ok());
        for name in ["", "a b", "x'; DROP TABLE tag; --", "ünï", &"x".repeat(300)] {
            assert!(check_name(name).is_err(), "{name}");
        }
        assert_eq!(arches(" x86_64  i686 ").ok().as_deref(), Some("x86_64 i686"));
        assert!(arches("x86_64,i686").is_err());
    }
}
