//! Repository metadata as createrepo_c writes it and dnf, yum and zypper read it.
//!
//! Three lists of the same packages in the same order: `primary` (what a solver needs), `filelists` (every path)
//! and `other` (change logs), each a stream of `<package>` elements inside one root element that states
//! their number; and `repomd.xml`, which names the lists by checksum. A package's identity in all of
//! them is the SHA-256 of its file (`pkgid`).
//!
//! Rules taken over from createrepo_c, because clients and tools count on them:
//! - primary lists only *primary files*: paths below `/etc/`, paths with `bin/` in them, and `/usr/lib/sendmail`.
//! - Of requirements left out: `rpmlib(…)`; own primary files; those that the package states as a provide word by
//!   word; repeated ones; of `libc.so.6…` all but the one of the highest version, which comes last. One that
//!   is only wished for (rpm's old "missing ok") is a recommendation.
//! - `pre="1"` marks requirements of scriptlets that run before or after installing (and `PREREQ`), not those of
//!   removals.
//! - An entry without a comparison has no version. A bad epoch drops the entry.
//! - Of the change log the newest ten entries, the oldest of them first; where several have one time, later ones
//!   count up by a second so that their order survives clients that sort.
//! - Characters that XML cannot hold are left out.

mod checksum;
mod content;
mod form;
mod package;
mod read;
mod repomd;

pub use checksum::{Checksum, ChecksumError, Verifier};
pub use content::{Content, ContentError, LARGEST_CONTENT};
pub use form::{Compression, Form};
pub use package::{CHANGELOGS, Record, flag_name, is_primary, versions};
pub use read::{
    ChangelogEntry, Entry, FileKind, Numbers, PackageFile, Packages, Position, ReadError, Text, Unfit,
};
pub use repomd::{Data, Open, Repomd, RepomdError, Tags};

/// The kinds of lists of packages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum List {
    /// What a solver needs.
    Primary,
    /// Every path.
    Filelists,
    /// Change logs.
    Other,
}

impl List {
    /// All of them, in the order of repomd.xml.
    pub const ALL: [Self; 3] = [Self::Primary, Self::Filelists, Self::Other];

    /// Its type in repomd.xml.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Primary => "primary",
            Self::Filelists => "filelists",
            Self::Other => "other",
        }
    }

    /// What comes before its packages.
    pub fn head(self, packages: usize) -> String {
        const LINUX: &str = "http://linux.duke.edu/metadata";
        let root = match self {
            Self::Primary => format!("metadata xmlns=\"{LINUX}/common\" xmlns:rpm=\"{LINUX}/rpm\""),
            Self::Filelists => format!("filelists xmlns=\"{LINUX}/filelists\""),
            Self::Other => format!("otherdata xmlns=\"{LINUX}/other\""),
        };
        format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<{root} packages=\"{packages}\">\n")
    }

    /// What comes after its packages.
    pub const fn tail(self) -> &'static str {
        match self {
            Self::Primary => "</metadata>",
            Self::Filelists => "</filelists>",
            Self::Other => "</otherdata>",
        }
    }
}
