//! A recipe with every file that it refers to, and the deep digest over all of them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::error::ComposeError;
use super::kickstarts::{self, MediumKickstarts};
use crate::base::{Digest, Encoder, RelPath};
use crate::build::Spec;
use crate::debian;
use crate::recipe::{BuildSource, BuilderImage, InputKind, Origin, Recipe};

/// No file that a recipe refers to may be larger, RPMs aside.
const LARGEST: u64 = 64 << 20;

/// A recipe and its small files.
#[derive(Clone, Debug)]
pub struct RecipeFiles {
    /// The recipe's own path.
    pub path: PathBuf,
    /// The folder that its paths are relative to.
    pub folder: PathBuf,
    /// The recipe.
    pub recipe: Recipe,
    /// The recipe's text.
    pub text: String,
    /// Every small file by its path relative to the recipe.
    pub files: BTreeMap<RelPath, Vec<u8>>,
    /// What is built, in the order of the recipe's sources.
    pub builds: Vec<BuildFiles>,
    /// RPMs in folders.
    pub packages: BTreeSet<RelPath>,
    /// Kickstarts and what they include, by their path in the folder of kickstarts.
    pub kickstarts: BTreeMap<RelPath, Vec<u8>>,
    /// The kickstarts of each of the recipe's media.
    pub(super) media: Vec<MediumKickstarts>,
    /// The digest over all of it.
    pub digest: Digest,
}

/// One source of packages that are built here.
#[derive(Clone, Debug)]
pub struct BuildFiles {
    /// Its place among the recipe's sources.
    pub source: usize,
    /// Specs by path.
    pub specs: BTreeMap<RelPath, Spec>,
    /// Sources by file name: their paths.
    pub sources: BTreeMap<String, RelPath>,
    /// The Debian packages that are offered as sources.
    pub debian: Option<debian::Lock>,
    /// The arches to build for.
    pub targets: Vec<String>,
}

impl RecipeFiles {
    /// Reads a recipe and everything that it refers to.
    pub fn read(path: &Path) -> Result<Self, ComposeError> {
        let bytes = read(path)?;
        let name = path.display().to_string();
        let text = String::from_utf8(bytes).map_err(|_| ComposeError::NotText(path.into()))?;
        let recipe = Recipe::parse(&text, &name)?;
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
            _ => PathBuf::from("."),
        };
        recipe.check_inputs(|input| {
            let there = fs::metadata(input.path.below(&folder));
            there.is_ok_and(|found| match input.kind {
                InputKind::File => found.is_file(),
                InputKind::Folder => found.is_dir(),
            })
        })?;
        let mut found = Self {
            path: path.into(),
            folder,
            text,
            files: BTreeMap::new(),
            builds: Vec::new(),
            packages: BTreeSet::new(),
            kickstarts: BTreeMap::new(),
            media: Vec::new(),
            digest: Digest::of(""),
            recipe,
        };
        found.gather()?;
        let kickstarts = kickstarts::folder(&found.folder);
        found.media = kickstarts::read(&kickstarts, &found.recipe.media, &mut found.kickstarts)?;
        found.digest = found.deep_digest(&found.text);
        Ok(found)
    }

    /// The content of one of its files.
    pub fn file(&self, path: &RelPath) -> Result<&[u8], ComposeError> {
        let missing = || ComposeError::read(&path.below(&self.folder), std::io::ErrorKind::NotFound.into());
        self.files.get(path).map(Vec::as_slice).ok_or_else(missing)
    }

    /// The builder's list of Debian packages, if it is made of one.
    pub fn builder(&self) -> Result<Option<debian::Lock>, ComposeError> {
        match self.recipe.builder.as_ref().map(|builder| &builder.image) {
            Some(BuilderImage::Lock(path)) => Ok(Some(self.debian_lock(path)?)),
            _ => Ok(None),
        }
    }

    fn debian_lock(&self, path: &RelPath) -> Result<debian::Lock, ComposeError> {
        let text = String::from_utf8_lossy(self.file(path)?);
        debian::Lock::parse(&text)
            .map_err(|source| ComposeError::DebianLock { path: path.below(&self.folder), source })
    }

    fn gather(&mut self) -> Result<(), ComposeError> {
        if let Some(BuilderImage::Lock(path)) = self.recipe.builder.as_ref().map(|builder| &builder.image) {
            let path = path.clone();
            self.add(&path)?;
        }
        let comps: Vec<_> =
            self.recipe.variants.values().filter_map(|variant| variant.comps.clone()).collect();
        for path in comps {
            self.add(&path)?;
        }
        let sources = self.recipe.sources.clone();
        for (place, source) in sources.iter().enumerate() {
            match &source.origin {
                Origin::Build(build) => self.gather_build(place, build)?,
                Origin::Dir(path) => {
                    let packages = list(&self.folder, path, true)?;
                    self.packages.extend(packages.into_iter().filter(|path| path.as_str().ends_with(".rpm")));
                }
                // What a repository or a hub has, the lock pins.
                Origin::Repo(_) | Origin::Koji(_) => {}
            }
        }
        Ok(())
    }

    fn gather_build(&mut self, source: usize, build: &BuildSource) -> Result<(), ComposeError> {
        let mut specs = BTreeMap::new();
        for path in list(&self.folder, &build.specs, false)? {
            if path.as_str().ends_with(".spec") {
                let spec = Spec::parse(path.as_str(), self.add(&path)?)?;
                specs.insert(path, spec);
            }
        }
        if specs.is_empty() {
            return Err(ComposeError::NoSpecs(build.specs.below(&self.folder)));
        }
        let mut sources = BTreeMap::new();
        if let Some(folder) = &build.sources {
            for path in list(&self.folder, folder, false)? {
                sources.insert(path.file_name().to_owned(), path);
            }
        }
        let debian = match &build.debian {
            Some(path) => {
                self.add(path)?;
                Some(self.debian_lock(path)?)
            }
            None => None,
        };
        // Only what a spec names counts: a file more in the folder changes nothing.
        let named: Vec<_> = specs.values().flat_map(|spec: &Spec| &spec.sources).collect();
        sources.retain(|name, _| named.contains(&name));
        for path in sources.values() {
            self.add(path)?;
        }
        self.builds.push(BuildFiles { source, specs, sources, debian, targets: build.targets.clone() });
        Ok(())
    }

    fn add(&mut self, path: &RelPath) -> Result<&[u8], ComposeError> {
        if !self.files.contains_key(path) {
            let bytes = read(&path.below(&self.folder))?;
            self.files.insert(path.clone(), bytes);
        }
        self.file(path)
    }

    /// The digest over all of it with this text in place of the recipe's.
    pub(super) fn deep_digest(&self, text: &str) -> Digest {
        let mut encoder = Encoder::new("gander recipe 1");
        encoder.bytes(text).list(self.files.len());
        for (path, bytes) in &self.files {
            encoder.bytes(path).bytes(Digest::of(bytes).as_bytes());
        }
        if !self.kickstarts.is_empty() {
            encoder.list(self.kickstarts.len());
        }
        for (path, bytes) in &self.kickstarts {
            encoder.bytes(path).bytes(Digest::of(bytes).as_bytes());
        }
        // Packages are pinned one by one in the lock; here only their presence counts.
        encoder.pairs(self.packages.iter().map(|path| (path, "")));
        encoder.finish()
    }
}

pub(super) fn read(path: &Path) -> Result<Vec<u8>, ComposeError> {
    use std::io::Read as _;
    let file = fs::File::open(path).map_err(|error| ComposeError::read(path, error))?;
    let mut bytes = Vec::new();
    file.take(LARGEST + 1).read_to_end(&mut bytes).map_err(|error| ComposeError::read(path, error))?;
    if bytes.len() as u64 > LARGEST { Err(ComposeError::TooLarge(path.into())) } else { Ok(bytes) }
}

/// The files in a folder, sorted; those in folders below it too if `deep`.
#[allow(clippy::disallowed_methods, reason = "the entries are sorted")]
fn list(root: &Path, folder: &RelPath, deep: bool) -> Result<BTreeSet<RelPath>, ComposeError> {
    let mut found = BTreeSet::new();
    let mut open = vec![(folder.clone(), Vec::new())];
    while let Some((folder, mut above)) = open.pop() {
        let path = folder.below(root);
        let failed = |error| ComposeError::read(&path, error);
        let here = fs::metadata(&path).map_err(failed)?;
        // A link to a folder above would be followed for ever.
        if above.contains(&(here.dev(), here.ino())) {
            continue;
        }
        above.push((here.dev(), here.ino()));
        for entry in fs::read_dir(&path).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let kind =
                fs::metadata(entry.path()).map_err(|error| ComposeError::read(&entry.path(), error))?;
            let name = entry.file_name();
            let name = name.to_str().ok_or_else(|| ComposeError::NotText(entry.path()))?;
            let below = folder.join(name).map_err(|_| ComposeError::NotText(entry.path()))?;
            if kind.is_file() {
                found.insert(below);
            } else if deep && kind.is_dir() {
                open.push((below, above.clone()));
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn links_to_folders_above_are_not_followed_for_ever() {
        let top = tempfile::tempdir().unwrap();
        fs::create_dir_all(top.path().join("rpms/a")).unwrap();
        fs::write(top.path().join("rpms/a/x.rpm"), "x").unwrap();
        symlink("..", top.path().join("rpms/a/up")).unwrap();
        symlink("a", top.path().join("rpms/b")).unwrap();
        let found = list(top.path(), &RelPath::new("rpms").unwrap(), true).unwrap();
        // By both names, but not by the way around.
        assert_eq!(found.iter().map(RelPath::as_str).collect::<Vec<_>>(), ["rpms/a/x.rpm", "rpms/b/x.rpm"]);
    }
}
