//! The JSON metadata of a compose, exact to productmd 1.51: `composeinfo.json`, `rpms.json`, `images.json`,
//! all in `compose/metadata/`.
//!
//! Common to the three (source: productmd 1.51, `common.py`, and its behaviour):
//! ```text
//! {
//!     "header": {"type": "productmd.composeinfo|rpms|images", "version": "1.2"},
//!     "payload": {"compose": {"date": "YYYYMMDD", "id": …, "respin": 0, "type": …, ["label": …, "final": …]}, …}
//! }
//! ```
//! - Written as Python's `json.dump(indent=4, sort_keys=True, separators=(",", ": "))` does: keys sorted by code
//!   point, everything outside printable ASCII as `\uXXXX`, empty containers as `{}` and `[]`, no newline at the
//!   end. The header always says version 1.2, for old forms are converted by reading.
//! - Read: versions up to 1.2; each file's module says how old. Before 1.1 the header had no type.
//! - Unknown keys are passed over, as productmd does.
//! - gander's own checks, on reading and on writing alike, beyond productmd's: no key twice in an object, no
//!   path that is absolute or leaves the compose, no control characters in names, images that share their
//!   identity or path are the same image, package names are well formed and stand below their source package,
//!   signing keys are 8 hex digits, checksums have their algorithm's length.
//!
//! A file is hostile until it is read: its size is bounded, nesting too, and an error names the field.

mod compose;
mod composeinfo;
mod image_types;
mod images;
mod json;
mod rpms;
mod variant;

#[cfg(test)]
mod tests;

pub use compose::{Compose, ComposeType, Label, Product, Release, ReleaseType};
pub use composeinfo::ComposeInfo;
pub use image_types::{ImageFormat, ImageType};
pub use images::{Image, Images};
pub use rpms::{ArchRpms, Category, Rpm, Rpms, SigKey};
pub use variant::{PathKind, Variant, VariantType};

use json::{At, Json};

/// Largest file in bytes that is read; the rpms.json of the largest distributions has less than half of it.
pub const LARGEST: usize = 256 << 20;

/// The version that is written.
pub const VERSION: &str = "1.2";

/// Arches that productmd lets stand as a key of packages and images; `src` and `nosrc` may not.
pub const ARCHES: &[&str] = &[
    "aarch64",
    "alpha",
    "alphaev4",
    "alphaev45",
    "alphaev5",
    "alphaev56",
    "alphaev6",
    "alphaev67",
    "alphaev68",
    "alphaev7",
    "alphapca56",
    "amd64",
    "arm64",
    "armhfp",
    "armv5tejl",
    "armv5tel",
    "armv5tl",
    "armv6hl",
    "armv6l",
    "armv7hl",
    "armv7hnl",
    "armv7l",
    "armv8hl",
    "armv8l",
    "athlon",
    "geode",
    "i386",
    "i486",
    "i586",
    "i686",
    "ia32e",
    "ia64",
    "loongarch64",
    "mips",
    "mips64",
    "mips64el",
    "mipsel",
    "noarch",
    "ppc",
    "ppc64",
    "ppc64iseries",
    "ppc64le",
    "ppc64p7",
    "ppc64pseries",
    "riscv128",
    "riscv32",
    "riscv64",
    "s390",
    "s390x",
    "sh3",
    "sh4",
    "sh4a",
    "sparc",
    "sparc64",
    "sparc64v",
    "sparcv8",
    "sparcv9",
    "sparcv9v",
    "x86_64",
];

/// The metadata of a compose cannot be read, or says what it may not. Retrying cannot help.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MetadataError {
    /// The file is too large. Retrying cannot help.
    #[error("the file has {0} bytes, more than {LARGEST}")]
    TooLarge(usize),
    /// The file is not JSON as productmd writes it. Retrying cannot help.
    #[error("{0}")]
    NotJson(String),
    /// A field is missing or wrong. Retrying cannot help.
    #[error("{path}: {problem}")]
    Field {
        /// The field's place, such as `payload.compose.date`.
        path: String,
        /// What is wrong with it.
        problem: String,
    },
}

/// An enumeration whose members have a name in the files.
macro_rules! named {
    ($(#[$doc:meta])* pub enum $name:ident { $($(#[$member_doc:meta])* $member:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum $name {
            $($(#[$member_doc])* $member,)*
        }

        impl $name {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$member,)*];

            /// Its name in the files.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$member => $text,)*
                }
            }

            /// Finds one by its name.
            pub fn find(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|member| member.name() == name)
            }
        }
    };
}
use named;

/// A field that is wrong.
fn wrong(path: impl Into<String>, problem: impl Into<String>) -> MetadataError {
    MetadataError::Field { path: path.into(), problem: problem.into() }
}

/// Reads the header; gives the version.
fn read_header(root: &At<'_>, kind: &str) -> Result<(u32, u32), MetadataError> {
    let header = root.field("header")?;
    let field = header.field("version")?;
    let text = field.text()?;
    let part = |text: &str| {
        let digits = !text.is_empty() && text.len() <= 4 && text.bytes().all(|byte| byte.is_ascii_digit());
        if digits { text.parse::<u32>().ok() } else { None }
    };
    let version = text
        .split_once('.')
        .and_then(|(major, minor)| Some((part(major)?, part(minor)?)))
        .ok_or_else(|| field.wrong(format!("{text:?} is not a version such as {VERSION}")))?;
    if version > (1, 2) {
        return Err(
            field.wrong(format!("version {text} is newer than {VERSION}, the last that gander reads"))
        );
    }
    if version >= (1, 1) {
        let field = header.field("type")?;
        let (found, wanted) = (field.text()?, format!("productmd.{kind}"));
        if found != wanted {
            return Err(field.wrong(format!("the file is of type {found:?} instead of {wanted:?}")));
        }
    }
    Ok(version)
}

/// Writes a whole file.
fn write(kind: &str, payload: Json) -> Vec<u8> {
    let header =
        Json::map([("type", Json::text(format!("productmd.{kind}"))), ("version", Json::text(VERSION))]);
    Json::map([("header", header), ("payload", payload)]).to_bytes()
}

/// Refuses names that no reader could show on a line.
fn check_text(path: impl FnOnce() -> String, text: &str, blank: bool) -> Result<(), MetadataError> {
    if text.chars().any(char::is_control) {
        return Err(wrong(path(), format!("{text:?} has a control character")));
    }
    if !blank && text.is_empty() {
        return Err(wrong(path(), "it may not be empty"));
    }
    Ok(())
}

/// Refuses arches that cannot be a key.
fn check_arch(path: impl FnOnce() -> String, arch: &str) -> Result<(), MetadataError> {
    if ARCHES.binary_search(&arch).is_ok() {
        return Ok(());
    }
    Err(wrong(
        path(),
        match arch {
            "src" | "nosrc" => format!("{arch} cannot stand here; sources belong to each binary arch"),
            _ => format!("{arch:?} is not an arch that productmd knows"),
        },
    ))
}
