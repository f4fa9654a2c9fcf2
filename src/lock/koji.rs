//! `[[koji]]` of `lock.toml`: a tag that packages come from.

use serde::{Deserialize, Serialize};

use crate::base::Digest;

/// A tag of Koji that packages come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Koji {
    /// What origins call it.
    pub id: String,
    /// The hub: the URL that calls go to, or `embedded:FOLDER`.
    pub hub: String,
    /// The URL that paths are below, or `embedded:FOLDER`.
    pub files: String,
    /// The tag.
    pub tag: String,
    /// The event.
    pub event: i64,
    /// The event's time: microseconds since 1970.
    pub time: i64,
    /// The hub's version.
    pub version: String,
    /// Whether builds of inherited tags count.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub inherit: bool,
    /// Whether only the latest build of each package counts.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub latest: bool,
    /// The only volumes whose builds count.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub volumes: Vec<String>,
    /// The only arches of packages that count.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub arches: Vec<String>,
    /// Patterns of the only packages that count.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub includepkgs: Vec<String>,
    /// Patterns of packages that do not count.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub excludepkgs: Vec<String>,
    /// Whose word on arches `noarch` packages follow, where it is not their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub noarch: Option<String>,
    /// Streams of modules whose packages count, and modules that are left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub modules: Vec<String>,
    /// The digest of what the hub said.
    pub snapshot: Digest,
    /// The same as it lies among the objects; none where it is too large for them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot_object: Option<Digest>,
    /// The same as it lies in the store, where it is too large for the lock's objects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot_stored: Option<Digest>,
    /// Packages whose builds are not those of the event, by name.
    #[serde(default, rename = "pin", skip_serializing_if = "Vec::is_empty")]
    pub pins: Vec<Pin>,
}

/// A package whose builds are not those of the event.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Pin {
    /// The package.
    pub package: String,
    /// Its builds that count, name-version-release.
    pub builds: Vec<String>,
    /// Why they do.
    pub kind: PinKind,
    /// The event that they were moved to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<i64>,
    /// The recipe's reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Why builds count that are not those of the event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PinKind {
    /// The recipe holds it though there are later ones.
    Hold,
    /// The recipe takes it whatever the tag says.
    Force,
    /// It alone was brought up to date.
    Moved,
}

impl PinKind {
    /// Its name, for people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hold => "held",
            Self::Force => "forced",
            Self::Moved => "moved",
        }
    }
}

const fn yes() -> bool {
    true
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
const fn is_yes(flag: &bool) -> bool {
    *flag
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_round_trips() {
        let text = format!(
            "id = \"a\"\nhub = \"https://h/kojihub\"\nfiles = \"https://h/kojifiles\"\ntag = \"t\"\nevent = 43\n\
             time = 1795295654688350\nversion = \"1.35.3\"\nlatest = false\nsnapshot = \"{}\"\n\n[[pin]]\n\
             package = \"bash\"\nbuilds = [\"bash-5-1\"]\nkind = \"hold\"\nreason = \"because\"\n",
            Digest::of("")
        );
        let koji: Koji = toml::from_str(&text).unwrap();
        assert!(koji.inherit && !koji.latest && koji.pins[0].kind == PinKind::Hold);
        assert_eq!(toml::to_string(&koji).unwrap(), text);
        assert!(toml::from_str::<Koji>(&text.replace("kind = \"hold\"", "kind = \"holt\"")).is_err());
    }
}
