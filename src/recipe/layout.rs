//! Where the trees of a variant lie where that is not as Pungi has it: `layout` of `[variant.ID]`.
//!
//! mash puts each repository and its packages where its configuration says: by `repodata_path` and `rpm_path`, `source_path` and
//! `debuginfo_path`, with `%(arch)s` for the arch. Here it is `$arch`.

use std::collections::{BTreeMap, BTreeSet};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::read::Reader;
use super::schema::Variant;
use super::table::Table;
use crate::base::RelPath;
use crate::base::arch::TreeArch;
use crate::base::relpath::RelPathError;
use crate::format::productmd::VariantType;

/// The keys of `layout`.
pub(super) const LAYOUT: &[&str] = &["packages", "repository", "source", "debug"];
/// What stands for the arch.
const ARCH: &str = "$arch";
/// Folders that have a meaning of their own: `metadata` of a compose, `repodata` of a repository.
const TAKEN: [&str; 2] = ["metadata", "repodata"];

/// Folders of a variant's trees, below `compose/`; `$arch` in them is the arch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    packages: String,
    repository: String,
    source: String,
    debug: String,
}

/// Where one tree lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The folder of its repository, below `compose/`.
    pub repository: RelPath,
    /// The folder of its packages within that one, where they do not lie beside `repodata`.
    pub packages: Option<RelPath>,
}

fn of_arch(text: &str, arch: &str) -> Result<RelPath, RelPathError> {
    RelPath::new(text.replace(ARCH, arch))
}

impl Layout {
    /// Where the tree of an arch lies.
    pub fn binary(&self, arch: &str) -> Result<Place, RelPathError> {
        let (repository, packages) = (of_arch(&self.repository, arch)?, of_arch(&self.packages, arch)?);
        let within = packages.as_str().strip_prefix(repository.as_str());
        let within = within.and_then(|within| within.strip_prefix('/'));
        Ok(Place { packages: within.map(RelPath::new).transpose()?, repository })
    }

    /// Where the debugging packages of an arch lie.
    pub fn debug(&self, arch: &str) -> Result<Place, RelPathError> {
        Ok(Place { repository: of_arch(&self.debug, arch)?, packages: None })
    }

    /// Where source packages lie.
    pub fn source(&self) -> Result<Place, RelPathError> {
        Ok(Place { repository: RelPath::new(self.source.as_str())?, packages: None })
    }
}

impl Variant {
    /// Folders that have `repodata`, and folders that have packages; none where they are as Pungi has them, by its id.
    fn folders(&self) -> Option<Vec<(RelPath, RelPath)>> {
        let layout = self.layout.as_ref()?;
        let mut places = Vec::new();
        for arch in &self.arches {
            places.extend(layout.binary(arch.name));
            places.extend(self.debug.then(|| layout.debug(arch.name)).into_iter().flatten());
        }
        places.extend(self.sources.then(|| layout.source()).into_iter().flatten());
        let folders = places.into_iter().map(|place| {
            let packages = place.packages.and_then(|within| place.repository.join(within.as_str()).ok());
            (place.repository.clone(), packages.unwrap_or(place.repository))
        });
        Some(folders.collect())
    }
}

impl Reader {
    /// The layout of a variant.
    pub(super) fn layout(
        &mut self,
        table: &Table<'_>,
        arches: &[&'static TreeArch],
        kind: VariantType,
    ) -> Option<Layout> {
        let value = table.get("layout")?;
        let table = Table::of(format!("'layout' of {}", table.name), value, LAYOUT, &mut self.findings)?;
        if kind != VariantType::Variant {
            let message =
                "'layout' belongs to a variant that is in no other one: this one lies where its parent does";
            self.findings.add(value.span(), message);
        }
        let packages = self.folder(&table, "packages", arches, true);
        table.required("packages", &mut self.findings);
        let parent = || packages.as_ref()?.rsplit_once('/').map(|(parent, _)| parent.to_owned());
        let repository =
            self.folder(&table, "repository", arches, true).or_else(|| match table.get("repository") {
                Some(_) => None,
                None => parent().filter(|parent| arches.len() < 2 || parent.contains(ARCH)),
            });
        let debug = self.folder(&table, "debug", arches, true).unwrap_or_else(|| "$arch/debug".into());
        let source = self.folder(&table, "source", &[], false).unwrap_or_else(|| "source/SRPMS".into());
        let packages = packages?;
        let Some(repository) = repository else {
            if table.get("repository").is_none() {
                let message = "'packages' lies in no folder that each arch has for itself, so that 'repository' must be said";
                self.findings.add_with_help(value.span(), message, "such as repository = \"$arch/os\"");
            }
            return None;
        };
        let within = packages.strip_prefix(&repository);
        if !within.is_some_and(|rest| rest.is_empty() || rest.starts_with('/')) {
            let message =
                format!("the packages' folder '{packages}' is not within the repository's, '{repository}'");
            self.findings.add(value.span(), message);
        }
        Some(Layout { packages, repository, source, debug })
    }

    /// A folder: plain for each arch, and another one for each.
    fn folder(
        &mut self,
        table: &Table<'_>,
        key: &str,
        arches: &[&'static TreeArch],
        by_arch: bool,
    ) -> Option<String> {
        let text = table.text(key, &mut self.findings)?;
        let plain = if by_arch { text.text.replace(ARCH, "") } else { text.text.to_owned() };
        let has_arch = plain != text.text;
        let path = of_arch(text.text, "arch");
        let problem = match &path {
            _ if plain.contains(['$', '%']) && by_arch => {
                Some(format!("'{}' has a variable that is not known: {ARCH} is the only one", text.text))
            }
            _ if plain.contains('$') => Some(format!("'{key}' has one folder for all arches")),
            Err(error) => Some(error.to_string()),
            Ok(path) if path.as_str().split('/').any(|part| TAKEN.contains(&part)) => {
                Some(format!("'{}' is within a folder of metadata", text.text))
            }
            Ok(_) if by_arch && arches.len() > 1 && !has_arch => {
                Some(format!("'{}' would be the folder of several arches: put {ARCH} into it", text.text))
            }
            Ok(_) => None,
        };
        match problem {
            Some(problem) => {
                self.findings.add(text.span, problem);
                None
            }
            None => Some(text.text.into()),
        }
    }

    /// Whether each tree has folders of its own, and what has a layout is no one's parent.
    pub(super) fn layouts(&mut self, entries: &DeTable<'_>, variants: &BTreeMap<String, Variant>) {
        let span = |id: &str| entries.get(id).map(Spanned::<DeValue<'_>>::span).unwrap_or_default();
        let (mut repositories, mut packages) = (BTreeSet::new(), BTreeSet::new());
        for (id, variant) in variants {
            for (repository, of_packages) in variant.folders().unwrap_or_default() {
                let top = repository.as_str().split('/').next().unwrap_or_default();
                let of_other = variants.get(top).is_some_and(|other| other.layout.is_none());
                let new = [repositories.insert(repository.clone()), packages.insert(of_packages)];
                if of_other || new.contains(&false) {
                    let message = format!("another tree lies in '{repository}', too");
                    self.findings.add(span(id), message);
                }
            }
            if let Some(parent) = variant.family.parent.as_ref()
                && variants.get(parent).is_some_and(|parent| parent.layout.is_some())
            {
                let message =
                    format!("[variant.{id}] cannot be in '{parent}', which has a layout of its own");
                self.findings.add(span(id), message);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Recipe;
    use super::*;

    const HEAD: &str = "[release]\nname = \"A\"\nshort = \"A\"\nversion = \"1\"\n[[source]]\ndir = \"d\"\non-unsigned = \"allow\"\n";

    fn read(arches: &str, layout: &str, more: &str) -> Result<Recipe, String> {
        let text = format!(
            "{HEAD}[variant.Base]\nmethod = \"mash\"\ndebug = true\narches = [{arches}]\nlayout = {{ {layout} }}\n{more}"
        );
        Recipe::parse(&text, "r.toml").map_err(|error| {
            let problems = error.problems().iter().map(|problem| problem.message.clone());
            problems.collect::<Vec<_>>().join("; ")
        })
    }

    #[test]
    fn trees_lie_where_the_layout_says() {
        let path = |text: &str| RelPath::new(text).unwrap();
        let recipe = read("\"x86_64\", \"s390x\"", "packages = \"$arch/os/Packages\"", "").unwrap();
        let layout = recipe.variants["Base"].layout.as_ref().unwrap();
        let binary = Place { repository: path("s390x/os"), packages: Some(path("Packages")) };
        assert_eq!(layout.binary("s390x"), Ok(binary));
        assert_eq!(layout.debug("s390x"), Ok(Place { repository: path("s390x/debug"), packages: None }));
        assert_eq!(layout.source(), Ok(Place { repository: path("source/SRPMS"), packages: None }));
        let all =
            "packages = \"$arch\", repository = \"$arch\", source = \"SRPMS\", debug = \"$arch/debug/tree\"";
        let recipe = read("\"x86_64\", \"s390x\"", all, "").unwrap();
        let layout = recipe.variants["Base"].layout.as_ref().unwrap();
        assert_eq!(layout.binary("x86_64"), Ok(Place { repository: path("x86_64"), packages: None }));
        assert_eq!(layout.debug("x86_64").unwrap().repository, path("x86_64/debug/tree"));
        assert_eq!(layout.source().unwrap().repository, path("SRPMS"));
        // One arch needs no folder of its own.
        assert!(read("\"x86_64\"", "packages = \"os/Packages\", debug = \"debug\"", "").is_ok());
    }

    /// Each row: arches, a layout, what else the recipe has, and the problem.
    #[test]
    fn layouts_that_cannot_be_are_refused() {
        let two = "\"x86_64\", \"s390x\"";
        let os = "packages = \"$arch/os/Packages\"";
        for (arches, layout, more, expected) in [
            (two, "source = \"s\"", "", "'layout' of [variant.Base] lacks 'packages'"),
            (two, "packages = \"os/Packages\"", "", "would be the folder of several arches"),
            (two, "packages = \"$arch\"", "", "'repository' must be said"),
            (two, "packages = \"%(arch)s/os\"", "", "a variable that is not known"),
            (two, "packages = \"../$arch/os\"", "", "not a plain relative path"),
            (two, "packages = \"$arch/a\", repository = \"$arch/b\"", "", "is not within the repository's"),
            (two, "packages = \"$arch/a\", repository = \"$arch/aa\"", "", "is not within the repository's"),
            (two, "packages = \"$arch/repodata/a\"", "", "is within a folder of metadata"),
            (
                two,
                "packages = \"$arch/os/P\", source = \"$arch/s\"",
                "",
                "'source' has one folder for all arches",
            ),
            (
                two,
                "packages = \"$arch/os/P\", debug = \"$arch/os\"",
                "",
                "another tree lies in 's390x/os', too",
            ),
            (
                two,
                "packages = \"$arch/os/P\", debug = \"$arch/os/P\"",
                "",
                "another tree lies in 'x86_64/os/P', too",
            ),
            (
                two,
                "packages = \"$arch/os/P\", source = \"x86_64/os\"",
                "",
                "another tree lies in 'x86_64/os', too",
            ),
            (
                "\"x86_64\"",
                "packages = \"Other/$arch/os/P\"",
                "[variant.Other]\narches = [\"x86_64\"]\npackages = [\"a\"]\n",
                "another tree lies in 'Other/x86_64/os', too",
            ),
            (
                "\"x86_64\"",
                os,
                "[variant.Base-more]\ntype = \"addon\"\nparent = \"Base\"\narches = [\"x86_64\"]\npackages = [\"a\"]\n",
                "cannot be in 'Base', which has a layout of its own",
            ),
            (
                "\"x86_64\"",
                os,
                "[builder]\nimage = \"i.lock\"\n[[media]]\nkind = \"live\"\nvariant = \"Base\"\nkickstart = \"l.ks\"\n",
                "media are made of variants that lie as Pungi has them",
            ),
        ] {
            let found = read(arches, layout, more).unwrap_err();
            assert!(found.contains(expected), "{layout}: {found}");
        }
    }
}
