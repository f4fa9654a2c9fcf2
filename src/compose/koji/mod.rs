//! Packages that Koji has tagged: offered by their headers, downloaded once they are selected.
//!
//! 1. `ask`: the hub is asked what the tag has at one event, and which signatures there are of what counts; `modulemd`:
//!    builds of modules are asked which packages they have.
//! 2. `offer`: of the packages that count the headers are read that are not known yet; selection decides among them.
//! 3. `obtain`: of those that were selected the digests of their files are asked for, and the files downloaded and
//!    checked. What the hub said goes into the lock.
//! 4. `stock`: later, what a lock takes from hubs is brought into the store. Nothing is asked any more.

mod ask;
mod kept;
mod known;
mod modulemd;
mod obtain;
mod offer;
mod stock;

use std::path::Path;

pub use kept::{KeptTag, kept_tag};

pub(super) use ask::{Opened, ask, chosen, stored};
pub(super) use modulemd::{modules, unnamed};
pub(super) use obtain::obtain;
pub(super) use offer::offer;
pub(super) use stock::stock;

use super::error::ComposeError;
use crate::koji::snapshot::{Build, Checksum, Rpm, Signature};
use crate::koji::{Question, TagError, TagState};

/// A hub that can be asked. The command line has one made of sockets.
pub trait Hub {
    /// What a lock calls it: the URL that calls go to, or `embedded:FOLDER`.
    fn name(&self) -> String;
    /// The URL of its files, where its configuration says that.
    fn files(&self) -> Option<String>;
    /// What a tag has: a snapshot without signatures and checksums.
    fn tagged(&self, question: &Question<'_>) -> Result<TagState, TagError>;
    /// Which signatures there are of these RPMs.
    fn signatures(&self, rpms: &[i64]) -> Result<Vec<Signature>, TagError>;
    /// The digests of all copies of these RPMs; none where the hub is too old to have them.
    fn checksums(&self, rpms: &[i64]) -> Result<Vec<Checksum>, TagError>;
}

/// Where files are that a lock's or a recipe's words for them mean.
fn files_url(files: &str, folder: &Path) -> Result<String, ComposeError> {
    let Some(hub) = files.strip_prefix("embedded:") else {
        return Ok(files.trim_end_matches('/').to_owned());
    };
    let topdir = folder.join(hub).join("topdir");
    let topdir = std::path::absolute(&topdir).map_err(|error| ComposeError::read(&topdir, error))?;
    let text = topdir.to_str().ok_or_else(|| ComposeError::NotText(topdir.clone()))?;
    Ok(crate::repo::open::url("file://", text.trim_start_matches('/')))
}

/// The copies of an RPM: paths below a hub's files (Koji 1.35: `koji.PathInfo`).
fn folder_of(build: &Build) -> String {
    let volume = match build.volume_name.as_str() {
        "" | "DEFAULT" => String::new(),
        volume => format!("vol/{volume}/"),
    };
    format!("{volume}packages/{}/{}/{}", build.name, build.version, build.release)
}

fn primary_path(build: &Build, rpm: &Rpm) -> String {
    format!("{}/{}/{}", folder_of(build), rpm.arch, rpm.file_name())
}

fn signed_path(build: &Build, rpm: &Rpm, sigkey: &str) -> String {
    format!("{}/data/signed/{sigkey}/{}/{}", folder_of(build), rpm.arch, rpm.file_name())
}

fn header_path(build: &Build, rpm: &Rpm, sigkey: &str) -> String {
    format!("{}/data/sigcache/{sigkey}/{}/{}.sig", folder_of(build), rpm.arch, rpm.file_name())
}
