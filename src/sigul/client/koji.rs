//! Packages in Koji, which are named instead of sent: the hub says which is meant, and the bridge fetches it.
//!
//! A package is called name-version-release.arch, with an epoch in front of the version where one wants to be sure of it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use super::rpms::Package;
use crate::base::{Evr, Nevra};
use crate::koji::rows::Rpm;
use crate::koji::{Hub, KojiError, Profile, ProfileError, Retry};

/// How long a hub may be silent.
const PATIENCE: Duration = Duration::from_secs(60);
/// Calls that failed are made again so often and so far apart.
const RETRY: (u32, Duration) = (3, Duration::from_secs(2));

/// Why packages are not known. A retry helps where a hub had temporary troubles.
#[derive(Debug, thiserror::Error)]
pub enum NamedError {
    /// It is no name of a package.
    #[error("'{}' is neither a file nor a package's name, such as bash-5.2.26-1.x86_64", .0.escape_debug())]
    Name(String),
    /// The instance is not in the configuration.
    #[error("the configuration has no Koji instance '{0}'")]
    Instance(String),
    /// Koji's own configuration has no such profile.
    #[error(transparent)]
    Profile(#[from] ProfileError),
    /// The hub fails.
    #[error("the hub cannot be asked")]
    Hub(#[from] KojiError),
    /// The hub lacks packages.
    #[error("the hub has no package {}", .0.join(", "))]
    None(Vec<String>),
    /// The hub's answer cannot be used.
    #[error("the hub's answer for '{0}' is about another package, or lacks its MD5")]
    Answer(String),
}

/// A hub in the client's configuration: a profile of Koji's own, or an address.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct HubFile {
    profile: Option<String>,
    server: Option<String>,
    serverca: Option<PathBuf>,
}

/// The hubs of a configuration, by the names that the bridge has for them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hubs(BTreeMap<String, HubFile>);

impl Hubs {
    /// Takes those of a file in a folder; else says what is wrong.
    pub(super) fn new(mut files: BTreeMap<String, HubFile>, folder: &Path) -> Result<Self, String> {
        for (name, file) in &mut files {
            if file.profile.is_none() && file.server.is_none() {
                return Err(format!("'koji.{name}' needs 'profile' or 'server'"));
            }
            file.serverca = file.serverca.take().map(|path| folder.join(path));
        }
        Ok(Self(files))
    }

    /// A hub; no call is made yet. Without a name it is the one called `default`, or the only one, or, where there is
    /// none, the one of the profile that Koji's own tools take.
    pub fn open(&self, instance: Option<&str>) -> Result<Hub, NamedError> {
        let only = || self.0.values().next().filter(|_| self.0.len() == 1);
        let file = match instance {
            Some(name) => Some(self.0.get(name).ok_or_else(|| NamedError::Instance(name.into()))?),
            None => match self.0.get("default").or_else(only) {
                None if !self.0.is_empty() => return Err(NamedError::Instance("default".into())),
                found => found,
            },
        };
        let named = match file {
            Some(file) => file.profile.clone(),
            None => Some(Profile::usual_name()),
        };
        let mut profile = match named {
            Some(name) => Profile::named(&name)?,
            None => Profile::at(""),
        };
        if let Some(file) = file {
            profile.server = file.server.clone().unwrap_or(profile.server);
            profile.serverca = file.serverca.clone().or(profile.serverca);
        }
        profile.timeout = PATIENCE;
        profile.retry = Retry { most: RETRY.0, interval: RETRY.1, ..Retry::default() };
        Ok(Hub::open(&profile)?)
    }
}

/// Asks a hub for packages by their names: as they are signed, and the usual names of their files, in their order.
pub async fn named(hub: &Hub, names: &[String]) -> Result<Vec<(Package, String)>, NamedError> {
    let wanted = names.iter().map(|name| parse(name)).collect::<Result<Vec<_>, _>>()?;
    let keys: Vec<String> = wanted.iter().map(|(_, nevra)| nvra(nevra)).collect();
    let rows = hub.rpms(&keys).await?;
    let mut packages = Vec::new();
    let mut missing = Vec::new();
    for ((name, (epoch, nevra)), row) in names.iter().zip(&wanted).zip(rows) {
        match row {
            // No epoch is epoch 0.
            Some(row) if epoch.is_none_or(|epoch| row.epoch.unwrap_or(0) == epoch) => {
                let package = package(&row, nevra).ok_or_else(|| NamedError::Answer(name.clone()))?;
                packages.push((package, nevra.file_name()));
            }
            _ => missing.push(name.clone()),
        }
    }
    if missing.is_empty() { Ok(packages) } else { Err(NamedError::None(missing)) }
}

/// The parts of a name, with the epoch if it has one.
fn parse(name: &str) -> Result<(Option<u32>, Nevra), NamedError> {
    let read = || {
        let (rest, arch) = name.rsplit_once('.')?;
        let (rest, release) = rest.rsplit_once('-')?;
        let (package, version) = rest.rsplit_once('-')?;
        let (epoch, version) = match version.split_once(':') {
            Some((epoch, version)) => (Some(epoch.parse().ok()?), version),
            None => (None, version),
        };
        let evr = Evr { epoch: epoch.unwrap_or(0), version: version.into(), release: release.into() };
        Some((epoch, Nevra::new(package, evr, arch).ok()?))
    };
    read().ok_or_else(|| NamedError::Name(name.chars().take(200).collect()))
}

/// What Koji calls it.
fn nvra(nevra: &Nevra) -> String {
    format!("{}-{}-{}.{}", nevra.name, nevra.evr.version, nevra.evr.release, nevra.arch)
}

/// The package in a row, if it is the one that was asked for.
fn package(row: &Rpm, nevra: &Nevra) -> Option<Package> {
    let parts = [&*row.name, &*row.version, &*row.release, &*row.arch];
    if parts != [nevra.name.as_str(), &nevra.evr.version, &nevra.evr.release, &nevra.arch] {
        return None;
    }
    let [name, version, release, arch] = parts.map(str::to_owned);
    let epoch = row.epoch.map(|epoch| epoch.to_string()).unwrap_or_default();
    let digits = row.payloadhash.as_bytes().chunks(2);
    let byte = |pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    let sigmd5: Vec<u8> = digits.map(byte).collect::<Option<_>>()?;
    (sigmd5.len() == 16).then_some(Package::Koji { nevra: [name, epoch, version, release, arch], sigmd5 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_all_parts_and_perhaps_an_epoch() {
        let known = |name| parse(name).ok().map(|(epoch, nevra)| (epoch, nevra.to_string()));
        assert_eq!(known("a-b-1.0-2.el9.x86_64"), Some((None, "a-b-0:1.0-2.el9.x86_64".into())));
        assert_eq!(known("a-3:1-2.src"), Some((Some(3), "a-3:1-2.src".into())));
        for bad in
            ["", "a", "a-1.src", "a-1-2", "../a-1-2.src", "a-x:1-2.src", "a-1-2.s/c", "a.rpm", "-1-2.src"]
        {
            assert_eq!(known(bad), None, "{bad}");
        }
    }
}
