//! Builds of streams of modules, as far as packages are chosen by them: those that are active and those that variants name.
//!
//! A lock keeps them as JSON, an array of objects sorted by name, version, context and arch:
//!
//! | key | value |
//! |---|---|
//! | `module`, `stream`, `version`, `context`, `arch` | the build |
//! | `active` | whether its packages are seen by all variants; those of others only by variants that name the stream |
//! | `packages` | its packages, sorted, as name-epoch:version-release.arch |

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::problem::{Problem, similar};
use crate::base::Nevra;
use crate::base::arch::TreeArch;
use crate::format::modulemd::Stream;
use crate::recipe::ModuleChoice;

/// A build by module, stream, version, context and arch.
type Key = (String, String, u64, String, String);

/// Builds of streams.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Streams(BTreeMap<Key, Build>);

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Build {
    active: bool,
    packages: BTreeSet<Nevra>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    module: String,
    stream: String,
    version: u64,
    context: String,
    arch: String,
    active: bool,
    packages: Vec<String>,
}

/// What is kept of streams cannot be read. Retrying cannot help.
#[derive(Debug, thiserror::Error)]
pub enum StreamsError {
    /// It is not what gander writes.
    #[error("the streams cannot be read: {0}")]
    Json(#[from] serde_json::Error),
    /// A package is none.
    #[error("'{}' is no name-epoch:version-release.arch", .0.escape_debug())]
    Package(String),
}

/// A build of a stream that a variant names, with its packages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Chosen<'s> {
    /// `MODULE:STREAM:VERSION:CONTEXT`.
    pub(super) name: String,
    pub(super) packages: &'s BTreeSet<Nevra>,
}

impl Streams {
    /// Adds a build; of one that is there already the packages of both count.
    pub fn add(&mut self, module: &str, stream: &Stream, active: bool) {
        let Stream { name, version, context, arch, artifacts, .. } = stream;
        let key = (module.to_owned(), name.clone(), *version, context.clone(), arch.clone());
        let build = self.0.entry(key).or_default();
        build.active |= active;
        build.packages.extend(artifacts.iter().cloned());
    }

    /// Leaves out what is not active and that none of these choices means.
    pub fn keep(&mut self, choices: &[ModuleChoice]) {
        let meant: BTreeSet<Key> =
            choices.iter().flat_map(|choice| self.meant(choice, |_| true)).cloned().collect();
        self.0.retain(|key, build| build.active || meant.contains(key));
    }

    /// Whether one of these choices means this build, and for a tree of this arch.
    pub fn is_for(&self, choices: &[ModuleChoice], tree: &TreeArch, module: &str, stream: &Stream) -> bool {
        fits(&stream.arch, tree) && choices.iter().any(|choice| self.means(choice, module, stream))
    }

    /// Whether a choice means this build: of a stream the latest version in all of its contexts, of each arch for itself.
    pub fn means(&self, choice: &ModuleChoice, module: &str, stream: &Stream) -> bool {
        self.meant(choice, |arch| arch == stream.arch).into_iter().any(|(of, name, version, context, _)| {
            (of.as_str(), name, version, context) == (module, &stream.name, &stream.version, &stream.context)
        })
    }

    fn meant(&self, choice: &ModuleChoice, fits: impl Fn(&str) -> bool) -> Vec<&Key> {
        let admitted = |(module, stream, version, context, arch): &&Key| {
            *module == choice.module
                && choice.stream.as_ref() == Some(stream)
                && choice.admits(*version, context)
                && fits(arch)
        };
        let all: Vec<&Key> = self.0.keys().filter(admitted).collect();
        let mut latest: BTreeMap<&str, u64> = BTreeMap::new();
        for (_, _, version, _, arch) in &all {
            let known = latest.entry(arch).or_default();
            *known = (*known).max(*version);
        }
        all.into_iter()
            .filter(|(_, _, version, _, arch)| latest.get(arch.as_str()) == Some(version))
            .collect()
    }

    /// The builds that a choice means for a tree.
    pub(super) fn chosen(&self, choice: &ModuleChoice, tree: &TreeArch) -> Vec<Chosen<'_>> {
        let meant = self.meant(choice, |arch| fits(arch, tree)).into_iter();
        let named = meant.filter_map(|key| {
            let (module, stream, version, context, _) = key;
            let name = format!("{module}:{stream}:{version}:{context}");
            Some(Chosen { name, packages: &self.0.get(key)?.packages })
        });
        named.collect()
    }

    /// Packages that are not seen by who makes these choices: those of streams that only others name.
    pub(super) fn unseen(&self, choices: &[ModuleChoice], tree: &TreeArch) -> BTreeSet<&Nevra> {
        let inactive = self.0.values().filter(|build| !build.active);
        let mut unseen: BTreeSet<&Nevra> = inactive.flat_map(|build| &build.packages).collect();
        let chosen = choices.iter().flat_map(|choice| self.chosen(choice, tree));
        let chosen = chosen.flat_map(|chosen| chosen.packages);
        let active = self.0.values().filter(|build| build.active).flat_map(|build| &build.packages);
        for seen in chosen.chain(active) {
            unseen.remove(seen);
        }
        unseen
    }

    /// All packages.
    pub fn packages(&self) -> impl Iterator<Item = &Nevra> {
        self.0.values().flat_map(|build| &build.packages)
    }

    /// What is wrong with a choice that means nothing for a tree.
    pub(super) fn problem(&self, choice: &ModuleChoice, tree: &TreeArch) -> Problem {
        let of_module = self.0.keys().filter(|(module, ..)| *module == choice.module);
        let known: BTreeSet<String> = of_module
            .map(|(module, stream, version, context, arch)| {
                format!("{module}:{stream}:{version}:{context} ({arch})")
            })
            .collect();
        let similar = match known.is_empty() {
            true => similar(&choice.module, self.0.keys().map(|(module, ..)| module.as_str())),
            false => None,
        };
        let (stream, arch) = (choice.to_string(), tree.name.to_owned());
        Problem::NoStream { stream, arch, known: known.into_iter().collect(), similar }
    }

    /// The form that a lock keeps.
    pub fn to_json(&self) -> Result<Vec<u8>, StreamsError> {
        let records = self.0.iter().map(|((module, stream, version, context, arch), build)| Record {
            module: module.clone(),
            stream: stream.clone(),
            version: *version,
            context: context.clone(),
            arch: arch.clone(),
            active: build.active,
            packages: build.packages.iter().map(ToString::to_string).collect(),
        });
        let mut bytes = serde_json::to_vec_pretty(&records.collect::<Vec<_>>())?;
        bytes.push(b'\n');
        Ok(bytes)
    }

    /// Reads the form that a lock keeps.
    pub fn from_json(bytes: &[u8]) -> Result<Self, StreamsError> {
        let records: Vec<Record> = serde_json::from_slice(bytes)?;
        let mut all = BTreeMap::new();
        for record in records {
            let Record { module, stream, version, context, arch, active, packages } = record;
            let read = |text: String| text.parse().map_err(|_| StreamsError::Package(text));
            let packages = packages.into_iter().map(read).collect::<Result<_, _>>()?;
            all.insert((module, stream, version, context, arch), Build { active, packages });
        }
        Ok(Self(all))
    }
}

/// Whether a build for this arch is one for a tree: builds name arches of packages.
fn fits(arch: &str, tree: &TreeArch) -> bool {
    arch == tree.name || (arch != "noarch" && tree.native.contains(&arch))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn build(name: &str, version: u64, context: &str, arch: &str, package: &str) -> Stream {
        Stream {
            name: name.into(),
            version,
            context: context.into(),
            arch: arch.into(),
            needs: Vec::new(),
            artifacts: vec![package.parse().unwrap()],
        }
    }

    fn streams() -> Streams {
        let mut streams = Streams::default();
        for (name, version, context, arch, package, active) in [
            ("1", 7, "a", "x86_64", "goose-0:1-7.x86_64", true),
            ("2", 8, "a", "x86_64", "goose-0:2-8.x86_64", false),
            ("2", 9, "a", "x86_64", "goose-0:2-9.x86_64", false),
            ("2", 9, "b", "x86_64", "goose-0:2-9.b.x86_64", false),
            ("2", 8, "a", "aarch64", "goose-0:2-8.aarch64", false),
        ] {
            streams.add("goose", &build(name, version, context, arch, package), active);
        }
        streams
    }

    #[test]
    fn a_choice_means_the_latest_version_in_all_contexts() {
        let streams = streams();
        let tree = |arch| TreeArch::find(arch).unwrap();
        let named = |choice: &str, arch| -> Vec<String> {
            let chosen = streams.chosen(&choice.parse().unwrap(), tree(arch));
            chosen.into_iter().map(|chosen| chosen.name).collect()
        };
        assert_eq!(named("goose:2", "x86_64"), ["goose:2:9:a", "goose:2:9:b"]);
        assert_eq!(named("goose:2:9:b", "x86_64"), ["goose:2:9:b"]);
        assert_eq!(named("goose:2:8", "x86_64"), ["goose:2:8:a"]);
        assert_eq!(named("goose:2", "aarch64"), ["goose:2:8:a"]);
        assert_eq!(named("goose:1", "aarch64"), [""; 0]);
        let problem = streams.problem(&"geese:1".parse().unwrap(), tree("aarch64"));
        assert_eq!(problem.to_string(), "there is no stream geese:1 for aarch64 (did you mean 'goose'?)");
        let problem = streams.problem(&"goose:2:7".parse().unwrap(), tree("aarch64"));
        let known = "goose:1:7:a (x86_64), goose:2:8:a (aarch64), goose:2:8:a (x86_64), goose:2:9:a (x86_64), \
                     goose:2:9:b (x86_64)";
        assert_eq!(
            problem.to_string(),
            format!("there is no stream goose:2:7 for aarch64; of that module there are {known}")
        );
    }

    #[test]
    fn who_names_a_stream_sees_it_and_all_see_what_is_active() {
        let mut streams = streams();
        let tree = TreeArch::find("x86_64").unwrap();
        let goose: ModuleChoice = "goose:2".parse().unwrap();
        streams.keep(std::slice::from_ref(&goose));
        let unseen = |choices: &[ModuleChoice]| -> Vec<String> {
            streams.unseen(choices, tree).into_iter().map(ToString::to_string).collect()
        };
        // The earlier version is none that is meant, so it is not kept.
        assert_eq!(unseen(&[]), ["goose-0:2-8.aarch64", "goose-0:2-9.x86_64", "goose-0:2-9.b.x86_64"]);
        assert_eq!(unseen(&[goose]), ["goose-0:2-8.aarch64"]);
        assert_eq!(Streams::from_json(&streams.to_json().unwrap()).unwrap(), streams);
        for wrong in ["", "[{}]", "[{\"module\": 1}]"] {
            assert!(Streams::from_json(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }
}
