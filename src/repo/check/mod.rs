//! Checks repositories: whether they are whole, what they say they are, signed, and closed.
//!
//! 1. every file that `repomd.xml` names is there as it says, and the lists agree with each other (`metadata`);
//! 2. every package is there as primary says, is intact, signed where that is asked for, and has the header that its record
//!    tells of (`packages`, `record`);
//! 3. requirements are met among all repositories together, arch by arch (`closure`);
//! 4. packages in two arches go beside each other (`multilib`).
//!
//! All findings come at once, sorted; nothing about them depends on the order of files, threads or downloads.

mod closure;
mod finding;
mod metadata;
mod multilib;
mod packages;
mod record;

use crate::base::arch::TreeArch;
use crate::fetch::Fetcher;
use crate::openpgp::{Judgement, Keyring};
use crate::store::Store;

pub use finding::{Checked, Finding, Looked, Report, Severity};

use super::load::{self, Lists, LoadError, Place, Repository};
use Severity::{Error, Information, Warning};

/// What is checked, and how.
#[derive(Debug, Default)]
pub struct Options {
    /// The keys that signatures must be by; without, none are looked at.
    pub keys: Option<Keyring>,
    /// When signatures are judged, in seconds since 1970; without, when they were made.
    pub policy_time: Option<i64>,
    /// Whether `repomd.xml` may do without a signature.
    pub unsigned_repomd: bool,
    /// The arches whose closure is looked at; none for those of the packages.
    pub arches: Vec<&'static TreeArch>,
    /// Only the newest version of each name and arch in each repository is checked and offered.
    pub newest: bool,
    /// Only the newest version of each name and arch in all repositories is offered.
    pub best: bool,
    /// Repositories that only offer what is required, as they are named.
    pub lookaside: Vec<String>,
    /// Whether packages at an address are downloaded.
    pub download: bool,
    /// Whether package files are left alone.
    pub metadata_only: bool,
}

impl Options {
    fn judgement(&self) -> Judgement {
        self.policy_time.map_or_else(Judgement::default, Judgement::as_of)
    }
}

/// Checks repositories, together. What they have is asked of their servers, whatever the store has; lookaside
/// repositories are read through the store.
pub async fn check(
    names: &[String],
    options: &Options,
    fetcher: &Fetcher,
    store: &Store,
) -> Result<Report, LoadError> {
    let (mut findings, mut checked, mut repositories) = (Vec::new(), Vec::new(), Vec::new());
    let asking = &fetcher.afresh();
    for name in names {
        let mut repository = load::load(name, Lists::All, asking, store).await?;
        metadata::check(&mut repository, options, asking, &mut findings).await?;
        let looked = match options.metadata_only {
            true => Looked::Nothing,
            false => packages::check(&repository, options, asking, &mut findings).await?,
        };
        if looked == Looked::Content {
            multilib::check(&repository, &mut findings);
        }
        checked.push(Checked {
            name: name.clone(),
            revision: repository.repomd.revision.clone(),
            packages: repository.packages.as_ref().map_or(0, |packages| packages.len()),
            looked,
        });
        repositories.push(repository);
    }
    let arches = closure::check(&repositories, options, fetcher, store, &mut findings).await?;
    for repository in repositories {
        let damage = |fault: load::Fault| {
            let message = fault.what.to_string();
            Finding::new((Error, fault.code()), &repository.name, fault.file, message)
        };
        findings.extend(repository.faults.into_iter().map(damage));
    }
    findings.sort();
    findings.dedup();
    Ok(Report { repositories: checked, arches, findings })
}
