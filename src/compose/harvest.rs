//! What a recipe's sources offer: what came out of builds, what lies in folders, what repositories list.

use std::collections::{BTreeMap, BTreeSet};
use std::io::BufReader;

use super::error::ComposeError;
use super::execute::Executed;
use super::inputs::RecipeFiles;
use super::lower::Builds;
use super::repositories::{self, Listed};
use crate::base::{Digest, Nevra, RelPath, chain};
use crate::lock::{Header, Origin};
use crate::recipe::Recipe;
use crate::rpm::{Headers, Identity, identify};
use crate::select::{Candidate, Offer, Universe, UniverseError};
use crate::store::{EntryKind, Store};

/// A package that a source offers.
#[derive(Clone, Debug)]
pub struct Harvested {
    /// What is known of its file.
    pub offered: Offered,
    /// Where it comes from.
    pub origin: Origin,
    /// Where else it can be had, in order.
    pub more: Vec<Origin>,
    /// The recipe's source that it belongs to.
    pub source: usize,
    /// Time of its build.
    pub build_time: i64,
}

/// What is known of a package's file.
#[derive(Clone, Debug)]
pub enum Offered {
    /// It was read.
    Read(Identity),
    /// It is listed in a repository, and not here yet.
    Listed(Listed),
    /// It is tagged in Koji, and not here yet.
    Tagged {
        /// The hub's id of it.
        rpm: i64,
        /// The hub's payloadhash.
        content: String,
    },
}

impl Offered {
    /// Whether both are of one package. Where one of them is not here yet, its content is not known, and the digests
    /// of the files decide.
    fn same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Read(left), Self::Read(right)) => left.content == right.content,
            (Self::Listed(left), Self::Listed(right)) => left.file == right.file,
            (Self::Read(read), Self::Listed(listed)) | (Self::Listed(listed), Self::Read(read)) => {
                read.file == listed.file
            }
            (Self::Tagged { content: left, .. }, Self::Tagged { content: right, .. }) => left == right,
            (Self::Tagged { .. }, _) | (_, Self::Tagged { .. }) => false,
        }
    }
}

/// What selection sees of a package.
#[derive(Clone, Debug)]
pub(super) enum Seen {
    /// The package on its own.
    Candidate(Box<Candidate>),
    /// What a repository's metadata say of it, which stays where it is.
    Listed {
        /// The repository's place among those that were opened.
        repository: usize,
        /// Its place among the repository's packages.
        package: usize,
        /// The candidate's key.
        key: Digest,
    },
}

/// Everything that a recipe's sources offer.
#[derive(Clone, Debug, Default)]
pub struct Harvest {
    /// Packages by name; the first source that offers one wins.
    pub packages: BTreeMap<Nevra, Harvested>,
    /// The same of sources that are looked aside at: selection sees them, and they are never delivered.
    aside: BTreeMap<Nevra, Harvested>,
    /// The sources that offer each of these.
    aside_by: BTreeMap<Nevra, BTreeSet<usize>>,
    /// These sources by their places in the recipe: `VARIANT/ARCH` of the trees that do not look aside at them.
    lookaside: BTreeMap<usize, BTreeSet<String>>,
    /// What selection sees of all of them, and whether it is looked aside at.
    seen: Vec<(Seen, bool)>,
    /// Packages of one source with one name and different contents: both places of each.
    conflicts: Vec<String>,
}

impl Harvest {
    /// Nothing yet of a recipe's sources.
    pub fn of(recipe: &Recipe) -> Self {
        let trees = recipe.variants.iter();
        let trees: Vec<_> = trees
            .flat_map(|(id, variant)| variant.arches.iter().map(move |arch| (id.as_str(), arch.name)))
            .collect();
        let aside = recipe.sources.iter().enumerate().filter(|(_, source)| source.lookaside.is_on());
        let lookaside = aside.map(|(place, source)| {
            let others = trees.iter().filter(|(id, arch)| !source.lookaside.is_for(id, arch));
            (place, others.map(|(id, arch)| format!("{id}/{arch}")).collect())
        });
        Self { lookaside: lookaside.collect(), ..Self::default() }
    }

    /// Takes in the outputs of builds.
    pub fn builds(
        &mut self,
        store: &Store,
        files: &RecipeFiles,
        header: &Header,
        builds: &Builds,
        done: &Executed,
    ) -> Result<(), ComposeError> {
        for build in &header.builds {
            let source = files.builds.iter().find(|files| files.specs.contains_key(&build.spec));
            let source = source.map_or(0, |files| files.source);
            for target in &build.targets {
                let step = builds.steps.get(&(build.spec.clone(), target.clone()));
                let Some(tree) = step.and_then(|step| done.tree(*step)) else { continue };
                for (path, entry) in tree.entries() {
                    if let EntryKind::File { digest, .. } = entry.kind
                        && path.as_str().ends_with(".rpm")
                    {
                        let (spec, target) = (build.spec.clone(), target.clone());
                        self.add_file(
                            store,
                            &digest,
                            Origin::Build { spec, target, path: path.clone() },
                            source,
                        )?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Takes in the RPMs of the recipe's folders.
    pub fn folders(&mut self, store: &Store, files: &RecipeFiles) -> Result<(), ComposeError> {
        let mut broken = Vec::new();
        for path in &files.packages {
            let source = files.source_of(path);
            let (digest, _) = store.put_file(&path.below(&files.folder))?;
            match self.add_file(store, &digest, Origin::Dir(path.clone()), source) {
                Err(ComposeError::Package { source, .. }) => broken.push((path.to_string(), source)),
                added => added?,
            }
        }
        if broken.len() > 1 {
            let lines = broken.iter().map(|(path, error)| format!("{path}: {}", chain(error)));
            return Err(ComposeError::BrokenPackages(lines.collect()));
        }
        match broken.pop() {
            Some((path, source)) => Err(ComposeError::Package { path, source }),
            None => self.check_conflicts(),
        }
    }

    /// Reports the packages of one source with one name and different contents.
    pub(super) fn check_conflicts(&mut self) -> Result<(), ComposeError> {
        match std::mem::take(&mut self.conflicts) {
            conflicts if conflicts.is_empty() => Ok(()),
            conflicts => Err(ComposeError::Conflicts(conflicts)),
        }
    }

    fn add_file(
        &mut self,
        store: &Store,
        file: &Digest,
        origin: Origin,
        source: usize,
    ) -> Result<(), ComposeError> {
        let (headers, identity) = read(store, file, &origin.to_string())?;
        let package = headers.package().map_err(|error| broken(&origin.to_string(), error))?;
        let candidate = Candidate::from_package(&package, identity.content);
        let nevra = candidate.nevra.clone();
        let build_time = i64::from(package.buildtime);
        let offered = Offered::Read(identity);
        let harvested = Harvested { offered, origin, more: Vec::new(), source, build_time };
        self.add(&nevra, harvested, || Seen::Candidate(candidate.into()));
        Ok(())
    }

    /// Takes in a package, unless an earlier source of its kind (delivered or looked aside at) offers one of its name.
    pub(super) fn add(&mut self, nevra: &Nevra, harvested: Harvested, seen: impl FnOnce() -> Seen) {
        let aside = self.lookaside.contains_key(&harvested.source);
        if aside {
            self.aside_by.entry(nevra.clone()).or_default().insert(harvested.source);
        }
        let packages = if aside { &mut self.aside } else { &mut self.packages };
        if let Some(there) = packages.get(nevra) {
            // The same file may be offered twice (a source package by two builds); of two different
            // ones, the first source's counts. A noarch subpackage comes out of the build for each target,
            // with that target's flags in its header: that of the first target counts, as in Koji.
            let again = nevra.arch == "noarch" && same_spec(&there.origin, &harvested.origin);
            if !again && there.source == harvested.source && !there.offered.same(&harvested.offered) {
                self.conflicts.push(format!("{nevra}: {} and {}", there.origin, harvested.origin));
            }
            return;
        }
        self.seen.push((seen(), aside));
        packages.insert(nevra.clone(), harvested);
    }

    /// The trees that look aside at none of the sources that offer a package.
    fn not_for(&self, nevra: &Nevra) -> Vec<String> {
        let sources = self.aside_by.get(nevra).into_iter().flatten();
        let others = sources.filter_map(|source| self.lookaside.get(source)).cloned();
        let all = others.reduce(|mut all, others| {
            all.retain(|tree| others.contains(tree));
            all
        });
        all.into_iter().flatten().collect()
    }

    /// Hands over what selection sees, given the repositories in the order in which they offered.
    pub(super) fn universe(
        &mut self,
        repositories: &[repositories::Place<'_>],
    ) -> Result<Universe, UniverseError> {
        let entry = |repository: usize, package| repositories.get(repository)?.2.packages.get(package);
        let seen = std::mem::take(&mut self.seen);
        let not_for = |nevra: &Nevra, lookaside| if lookaside { self.not_for(nevra) } else { Vec::new() };
        let offers = seen.into_iter().filter_map(|(seen, lookaside)| match seen {
            Seen::Candidate(mut candidate) => {
                candidate.not_for.extend(not_for(&candidate.nevra, lookaside));
                Some(Offer::Candidate(Box::new(Candidate { lookaside, ..*candidate })))
            }
            Seen::Listed { repository, package, key } => {
                let entry = entry(repository, package)?;
                let not_for = not_for(entry.nevra(), lookaside);
                Some(Offer::Entry { entry, key, lookaside, not_for })
            }
        });
        Universe::of(offers.collect())
    }
}

/// Whether both come out of one spec, perhaps for different targets.
fn same_spec(left: &Origin, right: &Origin) -> bool {
    match (left, right) {
        (Origin::Build { spec, .. }, Origin::Build { spec: other, .. }) => spec == other,
        _ => false,
    }
}

/// Reads a package that is an object of the store.
pub(super) fn read(store: &Store, file: &Digest, name: &str) -> Result<(Headers, Identity), ComposeError> {
    let object = store.open_object(file)?;
    identify(BufReader::with_capacity(1 << 18, object))
        .map_err(|source| ComposeError::Package { path: name.into(), source })
}

/// Reads only the headers of a package that is an object of the store.
pub(super) fn headers(store: &Store, file: &Digest, name: &str) -> Result<Headers, ComposeError> {
    let object = store.open_object(file)?;
    Headers::read(BufReader::new(object)).map_err(|error| broken(name, error))
}

fn broken(name: &str, error: crate::rpm::PackageError) -> ComposeError {
    ComposeError::Package { path: name.into(), source: error.into() }
}

impl RecipeFiles {
    /// The place of the source that a package in a folder belongs to.
    pub(super) fn source_of(&self, path: &RelPath) -> usize {
        let inside = |source: &crate::recipe::Source| match &source.origin {
            crate::recipe::Origin::Dir(folder) => path.as_str().starts_with(&format!("{folder}/")),
            _ => false,
        };
        self.recipe.sources.iter().position(inside).unwrap_or(0)
    }
}
