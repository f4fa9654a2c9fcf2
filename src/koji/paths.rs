//! Where a hub's files are below `topurl` and `topdir` (Koji 1.35, `koji.PathInfo`).

use super::rows::{Build, Rpm};
use crate::base::RelPath;

/// The volume that stands in no path.
pub const DEFAULT_VOLUME: &str = "DEFAULT";

/// What decides where a build's files are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BuildPath<'b> {
    /// The package's name, which need not be that of an RPM.
    pub name: &'b str,
    /// The build's version.
    pub version: &'b str,
    /// The build's release; of a draft with its `,draft_NUMBER`.
    pub release: &'b str,
    /// The volume.
    pub volume: &'b str,
}

impl<'b> From<&'b Build> for BuildPath<'b> {
    fn from(build: &'b Build) -> Self {
        Self {
            name: &build.package_name,
            version: &build.version,
            release: &build.release,
            volume: &build.volume_name,
        }
    }
}

/// What a hub says cannot be part of a path. Retrying cannot help.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the hub names something that is no part of a path: '{0}'")]
pub struct NoPath(pub String);

impl BuildPath<'_> {
    /// `packages/NAME/VERSION/RELEASE`, below `vol/VOLUME` unless that is `DEFAULT`.
    pub fn folder(&self) -> Result<RelPath, NoPath> {
        let mut path = String::new();
        if self.volume != DEFAULT_VOLUME && !self.volume.is_empty() {
            path.extend(["vol/", part(self.volume)?, "/"]);
        }
        path.extend(["packages/", part(self.name)?, "/", part(self.version)?, "/", part(self.release)?]);
        checked(path)
    }

    /// The RPM as it was imported: `ARCH/N-V-R.ARCH.rpm`.
    pub fn rpm(&self, rpm: &Rpm) -> Result<RelPath, NoPath> {
        checked(format!("{}/{}/{}.rpm", self.folder()?, part(&rpm.arch)?, part(&file(rpm))?))
    }

    /// The copy that is signed by a key, which may have been removed: `data/signed/SIGKEY/ARCH/N-V-R.ARCH.rpm`.
    pub fn signed(&self, rpm: &Rpm, sigkey: &str) -> Result<RelPath, NoPath> {
        let (key, arch) = (part(sigkey)?.to_ascii_lowercase(), part(&rpm.arch)?);
        checked(format!("{}/data/signed/{key}/{arch}/{}.rpm", self.folder()?, part(&file(rpm))?))
    }

    /// A signature header: `data/sigcache/SIGKEY/ARCH/N-V-R.ARCH.rpm.sig`; with an empty key, that of the file without a
    /// signature.
    pub fn signature(&self, rpm: &Rpm, sigkey: &str) -> Result<RelPath, NoPath> {
        let key = if sigkey.is_empty() {
            String::new()
        } else {
            format!("{}/", part(sigkey)?.to_ascii_lowercase())
        };
        let (arch, file) = (part(&rpm.arch)?, file(rpm));
        checked(format!("{}/data/sigcache/{key}{arch}/{}.rpm.sig", self.folder()?, part(&file)?))
    }

    /// A file that is no RPM: `files/BTYPE/NAME`.
    pub fn archive(&self, btype: &str, name: &str) -> Result<RelPath, NoPath> {
        checked(format!("{}/files/{}/{name}", self.folder()?, part(btype)?))
    }
}

/// An RPM's file name without `.rpm`.
fn file(rpm: &Rpm) -> String {
    format!("{}-{}-{}.{}", rpm.name, rpm.version, rpm.release, rpm.arch)
}

fn part(text: &str) -> Result<&str, NoPath> {
    let bad = text.is_empty() || text == "." || text == ".." || text.contains(['/', '\0']);
    if bad { Err(NoPath(text.escape_debug().take(80).collect())) } else { Ok(text) }
}

fn checked(path: String) -> Result<RelPath, NoPath> {
    path.parse().map_err(|_| NoPath(path.escape_debug().take(200).collect()))
}
