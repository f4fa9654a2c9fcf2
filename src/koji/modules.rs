//! Records of a snapshot about modules.

use serde::{Deserialize, Serialize};

/// The build of a module.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Module {
    /// The build.
    pub build: i64,
    /// The module's name.
    pub name: String,
    /// Its stream.
    pub stream: String,
    /// Its version.
    pub version: String,
    /// Its context.
    pub context: String,
    /// The tag that has its packages.
    pub content_tag: String,
}

impl Module {
    /// Its `NAME:STREAM:VERSION:CONTEXT`.
    pub fn nsvc(&self) -> String {
        format!("{}:{}:{}:{}", self.name, self.stream, self.version, self.context)
    }
}

/// What the build of a module says of itself: `modulemd_str` of its build, or a file of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Modulemd {
    /// The build.
    pub build: i64,
    /// The name of the file, `modulemd.txt` or `modulemd.ARCH.txt`; none of `modulemd_str`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Bytes.
    pub size: i64,
    /// The hub's checksum of the file, `KIND:HEX`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checksum: Option<String>,
    /// The SHA-256 of the text; empty where that was not wanted.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub sha256: String,
    /// The text; empty where it was not wanted.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub text: String,
}

impl Modulemd {
    /// No text is larger.
    pub const LARGEST: u64 = 1 << 20;

    /// The arch in the file's name, as in `modulemd.x86_64.txt`.
    pub fn arch(&self) -> Option<&str> {
        let arch = self.file.as_deref()?.strip_prefix("modulemd.")?.strip_suffix(".txt")?;
        (!arch.contains('.')).then_some(arch)
    }
}
