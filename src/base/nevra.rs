//! The full name of a package build.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::evr::Evr;

/// Name, epoch, version, release and arch. The text form is `name-epoch:version-release.arch` with
/// epoch 0 written out; a source package has the arch `src`. Ordered by name, then rpm's EVR, then arch.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Nevra {
    /// The package's name.
    pub name: String,
    /// Epoch, version and release.
    pub evr: Evr,
    /// `x86_64`, `noarch`, `src`, …
    pub arch: String,
}

/// The text is no NEVRA. Retrying cannot help.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{}' is not of the form name-epoch:version-release.arch", .0.escape_debug())]
pub struct NevraError(String);

impl Nevra {
    /// Checks the parts: none empty, only characters that rpm allows in them, so that a file
    /// name made of them cannot leave its folder.
    pub fn new(name: &str, evr: Evr, arch: &str) -> Result<Self, NevraError> {
        let nevra = Self { name: name.into(), evr, arch: arch.into() };
        let plain = |text: &str, extra: &str| {
            !text.is_empty()
                && !text.starts_with('.')
                && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || extra.as_bytes().contains(&byte))
        };
        if plain(name, "._+-%{}")
            && plain(&nevra.evr.version, "._+~^%{}")
            && plain(&nevra.evr.release, "._+~^%{}")
            && plain(arch, "_")
        {
            Ok(nevra)
        } else {
            Err(NevraError(nevra.to_string().chars().take(200).collect()))
        }
    }

    /// The usual file name, `name-version-release.arch.rpm`.
    pub fn file_name(&self) -> String {
        format!("{}-{}-{}.{}.rpm", self.name, self.evr.version, self.evr.release, self.arch)
    }

    /// Whether this is a source package.
    pub fn is_source(&self) -> bool {
        self.arch == "src" || self.arch == "nosrc"
    }
}

impl fmt::Display for Nevra {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}:{}-{}.{}", self.name, self.evr.epoch, self.evr.version, self.evr.release, self.arch)
    }
}

impl FromStr for Nevra {
    type Err = NevraError;

    fn from_str(text: &str) -> Result<Self, NevraError> {
        let error = || NevraError(text.chars().take(200).collect());
        let (rest, arch) = text.rsplit_once('.').ok_or_else(error)?;
        let (rest, release) = rest.rsplit_once('-').ok_or_else(error)?;
        let (name, version) = rest.rsplit_once('-').ok_or_else(error)?;
        let (epoch, version) = version.split_once(':').ok_or_else(error)?;
        let epoch = epoch.parse().map_err(|_| error())?;
        Self::new(name, Evr { epoch, version: version.into(), release: release.into() }, arch)
    }
}

impl Serialize for Nevra {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Nevra {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_form_round_trips() {
        for text in
            ["bash-0:5.2.15-2.gos1.x86_64", "gtk2-immodule-xim-1:2~b^1-1.src", "libstdc++-0:12-14.i686"]
        {
            assert_eq!(text.parse::<Nevra>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn refuses_what_could_leave_a_folder() {
        for text in [
            "../x-0:1-1.x86_64",
            "x-0:1-1.x86/64",
            "x-1-1.x86_64",
            "-0:1-1.noarch",
            "x-0:1/2-1.noarch",
            "x y-0:1-1.src",
        ] {
            assert!(text.parse::<Nevra>().is_err(), "{text}");
        }
    }
}
