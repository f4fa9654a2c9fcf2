//! `rpms.json`: every package of a compose.
//!
//! ```text
//! payload.rpms.VARIANT.ARCH.SOURCE_NEVRA.NEVRA = {"category": "binary|debug|source", "path": …, "sigkey": … or null}
//! ```
//! VARIANT is a uid, ARCH a tree's arch, never `src`: a source package stands under each arch that has binaries
//! of it, below its own name. A NEVRA is `name-epoch:version-release.arch` with the epoch always there. The
//! path is relative to `compose/`; sigkey is the last 8 hex digits of the signing key's id in lower case.
//! Read from version 1.0 on.

use std::collections::BTreeMap;

use super::compose::Compose;
use super::json::{At, Json, show_key};
use super::{MetadataError, check_arch, named, read_header, write, wrong};
use crate::base::{Nevra, RelPath};

named! {
    /// What a package is.
    pub enum Category {
        /// A binary package.
        Binary = "binary",
        /// A package of debug data.
        Debug = "debug",
        /// A source package.
        Source = "source",
    }
}

/// The last eight hex digits of a key's id, in lower case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SigKey(String);

impl SigKey {
    /// From the hex digits of a fingerprint or key id of any case.
    pub fn of_key(hex: &str) -> Option<Self> {
        let hex = hex.to_ascii_lowercase();
        Self::new(hex.get(hex.len().checked_sub(8)?..)?)
    }

    /// Checks the text of a file.
    pub fn new(text: &str) -> Option<Self> {
        let hex = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        (text.len() == 8 && hex).then(|| Self(text.into()))
    }

    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// rpm takes 1.1 and 1.01 for the same version.
const TWICE: &str = "a package of the same name and version is there already";

/// One package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rpm {
    /// What it is.
    pub category: Category,
    /// Where it lies, relative to `compose/`.
    pub path: RelPath,
    /// The key that signed it.
    pub sigkey: Option<SigKey>,
}

/// The packages of one arch: by source package, then by package.
pub type ArchRpms = BTreeMap<Nevra, BTreeMap<Nevra, Rpm>>;

/// What `rpms.json` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rpms {
    /// The compose.
    pub compose: Compose,
    /// Packages by variant uid and arch.
    pub rpms: BTreeMap<String, BTreeMap<String, ArchRpms>>,
}

impl Rpms {
    /// Reads a file.
    pub fn parse(bytes: &[u8]) -> Result<Self, MetadataError> {
        let json = Json::parse(bytes)?;
        let root = At::root(&json);
        let version = read_header(&root, "rpms")?;
        if version < (1, 0) {
            return Err(wrong("header.version", "rpms.json is read from version 1.0 on"));
        }
        let payload = root.field("payload")?;
        let compose = Compose::read(&payload, version)?;
        let mut rpms = BTreeMap::new();
        for (variant, arches) in payload.field("rpms")?.entries()? {
            let mut by_arch = BTreeMap::new();
            for (arch, sources) in arches.entries()? {
                let mut by_source = ArchRpms::new();
                for (source, packages) in sources.entries()? {
                    let mut below = BTreeMap::new();
                    for (name, at) in packages.entries()? {
                        if below.insert(nevra(&at, name)?, read_rpm(&at)?).is_some() {
                            return Err(at.wrong(TWICE));
                        }
                    }
                    if by_source.insert(nevra(&packages, source)?, below).is_some() {
                        return Err(packages.wrong(TWICE));
                    }
                }
                by_arch.insert(arch.to_owned(), by_source);
            }
            rpms.insert(variant.to_owned(), by_arch);
        }
        let rpms = Self { compose, rpms };
        rpms.check()?;
        Ok(rpms)
    }

    /// Adds a package; a second one of the same name in the same place replaces the first.
    pub fn add(&mut self, variant: &str, arch: &str, source: &Nevra, nevra: Nevra, rpm: Rpm) {
        let arches = self.rpms.entry(variant.into()).or_default();
        arches.entry(arch.into()).or_default().entry(source.clone()).or_default().insert(nevra, rpm);
    }

    /// Writes the file, after checking what it will say.
    pub fn to_bytes(&self) -> Result<Vec<u8>, MetadataError> {
        self.check()?;
        let packages = |packages: &BTreeMap<Nevra, Rpm>| {
            Json::map(packages.iter().map(|(nevra, rpm)| (nevra.to_string(), write_rpm(rpm))))
        };
        let sources = |sources: &ArchRpms| {
            Json::map(sources.iter().map(|(source, below)| (source.to_string(), packages(below))))
        };
        let rpms = Json::map(self.rpms.iter().map(|(variant, arches)| {
            (variant, Json::map(arches.iter().map(|(arch, below)| (arch, sources(below)))))
        }));
        Ok(write("rpms", Json::map([("compose", self.compose.write()), ("rpms", rpms)])))
    }

    /// Looks for what productmd refuses, and for what it overlooks.
    pub fn check(&self) -> Result<(), MetadataError> {
        self.compose.check()?;
        for (variant, arches) in &self.rpms {
            check_uid(|| "payload.rpms".into(), variant)?;
            for (arch, sources) in arches {
                let place = || format!("payload.rpms.{}.{}", show_key(variant), show_key(arch));
                check_arch(place, arch)?;
                for (source, packages) in sources {
                    if !source.is_source() {
                        let problem = "it is not a source package but packages stand below it";
                        return Err(wrong(format!("{}.\"{source}\"", place()), problem));
                    }
                    for (nevra, rpm) in packages {
                        let problem = match (rpm.category, nevra.is_source()) {
                            (Category::Source, true) if nevra != source => {
                                "a source package stands below its own name"
                            }
                            (Category::Source, true) | (Category::Binary | Category::Debug, false) => {
                                continue;
                            }
                            _ => "packages with arch src or nosrc, and no others, have the category source",
                        };
                        return Err(wrong(format!("{}.\"{source}\".\"{nevra}\"", place()), problem));
                    }
                }
            }
        }
        Ok(())
    }
}

/// A variant's uid is a key of both lists.
pub(super) fn check_uid(path: impl FnOnce() -> String, uid: &str) -> Result<(), MetadataError> {
    let plain = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if uid.split('-').all(plain) {
        return Ok(());
    }
    Err(wrong(path(), format!("{uid:?} is not a variant's uid")))
}

fn nevra(at: &At<'_>, text: &str) -> Result<Nevra, MetadataError> {
    let nevra: Nevra = text.parse().map_err(|error| at.wrong(format!("{error}")))?;
    // Two spellings of one name would become one.
    if nevra.to_string() != text {
        return Err(at.wrong(format!("the name is to be written '{nevra}'")));
    }
    Ok(nevra)
}

fn read_rpm(at: &At<'_>) -> Result<Rpm, MetadataError> {
    let field = at.field("sigkey")?;
    let sigkey = if field.is_null() {
        None
    } else {
        let text = field.text()?;
        let wrong = || field.wrong(format!("{text:?} is not 8 hex digits in lower case"));
        Some(SigKey::new(text).ok_or_else(wrong)?)
    };
    let category = at.field("category")?.one_of("category of packages", Category::find)?;
    Ok(Rpm { category, path: at.field("path")?.rel_path()?, sigkey })
}

fn write_rpm(rpm: &Rpm) -> Json {
    Json::map([
        ("category", Json::text(rpm.category.name())),
        ("path", Json::text(rpm.path.as_str())),
        ("sigkey", rpm.sigkey.as_ref().map_or(Json::Null, |key| Json::text(key.as_str()))),
    ])
}
