//! Kickstarts of media: where they lie, what they include, and whether gander can do what they ask for.
//!
//! A kickstart is named by its path in a folder `kickstarts`, which lies beside the recipe or one folder up. What it
//! includes is found relative to the file that includes it, and never outside of that folder: a lock holds them all.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::error::ComposeError;
use crate::base::{Digest, RelPath};
use crate::format::kickstart::{Dialect, Included, Kickstart, Purpose, Wanted};
use crate::lock::Lock;
use crate::recipe::{Medium, MediumKind};

/// The kickstarts of one medium.
#[derive(Clone, Debug)]
pub(super) struct MediumKickstarts {
    /// What is on the medium.
    pub contents: Kickstart,
    /// What starts from it, for a DVD.
    pub installer: Option<Kickstart>,
}

impl MediumKickstarts {
    /// The kickstart of the system that is installed on the medium.
    pub fn system(&self) -> &Kickstart {
        self.installer.as_ref().unwrap_or(&self.contents)
    }
}

/// The folder of a recipe's kickstarts.
pub(super) fn folder(recipe: &Path) -> PathBuf {
    let beside = recipe.join("kickstarts");
    if beside.is_dir() { beside } else { recipe.join("../kickstarts") }
}

/// Reads the kickstarts of media from files; what was read is added to `files`.
pub(super) fn read(
    folder: &Path,
    media: &[Medium],
    files: &mut BTreeMap<RelPath, Vec<u8>>,
) -> Result<Vec<MediumKickstarts>, ComposeError> {
    let mut load = |path: &RelPath| {
        let text = super::inputs::read(&path.below(folder))?;
        files.insert(path.clone(), text.clone());
        Ok(text)
    };
    let each = media.iter().map(|medium| {
        let kind = medium.kind;
        of_medium(kind, &medium.kickstart, medium.installer.as_ref(), medium.dialect, &mut load)
    });
    each.collect()
}

/// Reads the kickstarts of media from a lock.
pub(super) fn locked(lock: &Lock) -> Result<Vec<MediumKickstarts>, ComposeError> {
    let files: BTreeMap<&RelPath, Digest> =
        lock.header.kickstarts.iter().map(|file| (&file.path, file.digest)).collect();
    let malformed = |problem: String| ComposeError::Lock {
        path: "lock.toml".into(),
        source: crate::lock::LockError::Header(problem),
    };
    let mut load = |path: &RelPath| {
        let bytes = files.get(path).and_then(|digest| lock.objects.get(digest));
        bytes.cloned().ok_or_else(|| malformed(format!("it has no kickstart '{path}'")))
    };
    let mut found = Vec::new();
    for medium in &lock.header.media {
        let kind = medium.kind().map_err(|source| ComposeError::Lock { path: "lock.toml".into(), source })?;
        let dialect = Dialect::find(&medium.dialect)
            .ok_or_else(|| malformed(format!("'{}' is no dialect of kickstarts", medium.dialect)))?;
        found.push(of_medium(kind, &medium.kickstart, medium.installer.as_ref(), dialect, &mut load)?);
    }
    Ok(found)
}

type Load<'a> = dyn FnMut(&RelPath) -> Result<Vec<u8>, ComposeError> + 'a;

fn of_medium(
    kind: MediumKind,
    kickstart: &RelPath,
    installer: Option<&RelPath>,
    dialect: Dialect,
    load: &mut Load<'_>,
) -> Result<MediumKickstarts, ComposeError> {
    let purpose = match kind {
        MediumKind::Dvd => Purpose::Dvd,
        MediumKind::Live => Purpose::Live,
    };
    let contents = parse(kickstart, dialect, purpose, load)?;
    let installer = installer.map(|path| parse(path, dialect, Purpose::Live, load)).transpose()?;
    Ok(MediumKickstarts { contents, installer })
}

fn parse(
    path: &RelPath,
    dialect: Dialect,
    purpose: Purpose,
    load: &mut Load<'_>,
) -> Result<Kickstart, ComposeError> {
    let text = load(path)?;
    let mut includes = |wanted: &Wanted<'_>| -> Result<Included, String> {
        let below = wanted.target.trim_start_matches("./");
        let path = match wanted.from.rsplit_once('/') {
            Some((folder, _)) => format!("{folder}/{below}"),
            None => below.to_owned(),
        };
        let path = RelPath::new(path).map_err(|_| {
            format!("'{}' does not lie in the folder of kickstarts, so no lock could hold it", wanted.target)
        })?;
        let text = load(&path).map_err(|error| format!("{error}"))?;
        Ok(Included { name: path.to_string(), text })
    };
    let kickstart = Kickstart::parse(path.as_str(), &text, dialect, &mut includes)?;
    let refused = kickstart.unsupported(purpose);
    if refused.is_empty() {
        Ok(kickstart)
    } else {
        Err(ComposeError::Unsupported(refused.iter().map(ToString::to_string).collect()))
    }
}
