//! From a request to exact packages: what is asked for, closed over Pre-Depends and Depends.
//!
//! The rule, which does not depend on any order but that of the request and of the fields: a relation
//! is satisfied by the first alternative that is selected already (by its own name or as a provider);
//! else the first alternative that names a package whose version fits is taken; else the first
//! provider, by name, of the first alternative that has one. Packages that the request drops are
//! never taken, and a relation that only they could satisfy is ignored. Every relation that nothing
//! satisfies is reported, all at once. Recommends, Conflicts and Breaks play no part.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;

use super::depends::{Alternative, Relation, RelationError};
use super::index::{Candidate, Index};
use super::lock::{Lock, LockedDeb};
use super::request::Request;
use crate::base::Digest;

/// One thing that nothing in the archive satisfies.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Missing {
    /// The request names a package that the suite does not have.
    Package {
        /// The name.
        name: String,
        /// The architecture it should have.
        arch: String,
    },
    /// A package needs something that nothing provides.
    Relation {
        /// The package, with its architecture.
        by: String,
        /// What it needs.
        relation: String,
    },
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Package { name, arch } => write!(f, "there is no package '{name}' for {arch}"),
            Self::Relation { by, relation } => {
                write!(f, "'{by}' needs '{relation}', which nothing satisfies")
            }
        }
    }
}

/// Why a request has no answer. Retrying cannot help.
#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    /// Something is not to be had; all of it is listed.
    #[error("the suite '{suite}' cannot satisfy the request: {}", list(.missing))]
    Unsatisfied {
        /// The suite.
        suite: String,
        /// Everything that is missing, sorted.
        missing: Vec<Missing>,
    },
    /// A package's dependencies have no meaning.
    #[error("the dependencies of '{package}' are malformed")]
    Relation {
        /// The package.
        package: String,
        /// What is wrong.
        source: RelationError,
    },
    /// The indexes lack an architecture of the request: a bug of the caller.
    #[error("no index was read for the architecture '{0}'")]
    NoIndex(String),
    /// The same package was selected for two architectures as `all` with different contents.
    #[error("the package '{0}' differs between the indexes of two architectures")]
    Differs(String),
}

fn list(missing: &[Missing]) -> String {
    missing.iter().map(Missing::to_string).collect::<Vec<_>>().join("; ")
}

/// Resolves a request whose file has this digest; indexes by architecture.
pub fn resolve(
    request: &Request,
    digest: Digest,
    indexes: &BTreeMap<String, Index>,
) -> Result<Lock, ResolveError> {
    let mut missing = BTreeSet::new();
    let mut selected: BTreeMap<(String, String), LockedDeb> = BTreeMap::new();
    let mut per_arch: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for package in &request.packages {
        let (name, arch) = request.split(package);
        per_arch.entry(arch).or_default().push(name);
    }
    for (arch, names) in per_arch {
        let index = indexes.get(arch).ok_or_else(|| ResolveError::NoIndex(arch.into()))?;
        let mut closure = Closure { request, index, arch, taken: BTreeMap::new(), queue: VecDeque::new() };
        for name in names {
            match index.get(name) {
                Some(candidate) => closure.take(candidate),
                None => {
                    missing.insert(Missing::Package { name: name.into(), arch: arch.into() });
                }
            }
        }
        if request.dependencies {
            closure.close(&mut missing)?;
        }
        for candidate in closure.taken.into_values() {
            let deb = locked(&request.suite, candidate);
            let key = (deb.name.clone(), deb.arch.clone());
            if selected.get(&key).is_some_and(|known| *known != deb) {
                return Err(ResolveError::Differs(deb.name));
            }
            selected.insert(key, deb);
        }
    }
    if missing.is_empty() {
        Ok(Lock { request: digest, packages: selected.into_values().collect() })
    } else {
        let missing = missing.into_iter().collect();
        Err(ResolveError::Unsatisfied { suite: request.suite.clone(), missing })
    }
}

fn locked(suite: &str, candidate: &Candidate) -> LockedDeb {
    LockedDeb {
        suite: suite.into(),
        name: candidate.name.clone(),
        version: candidate.version.clone(),
        arch: candidate.arch.clone(),
        path: candidate.path.clone(),
        size: candidate.size,
        digest: candidate.digest,
    }
}

struct Closure<'a> {
    request: &'a Request,
    index: &'a Index,
    arch: &'a str,
    taken: BTreeMap<&'a str, &'a Candidate>,
    queue: VecDeque<&'a Candidate>,
}

impl<'a> Closure<'a> {
    fn take(&mut self, candidate: &'a Candidate) {
        if self.taken.insert(&candidate.name, candidate).is_none() {
            self.queue.push_back(candidate);
        }
    }

    fn close(&mut self, missing: &mut BTreeSet<Missing>) -> Result<(), ResolveError> {
        while let Some(package) = self.queue.pop_front() {
            let relations = package
                .depends()
                .map_err(|source| ResolveError::Relation { package: package.name.clone(), source })?;
            for relation in relations {
                let counting: Vec<_> =
                    relation.0.iter().filter(|alternative| alternative.counts_on(self.arch)).collect();
                if counting.is_empty() || counting.iter().any(|alternative| self.is_satisfied(alternative)) {
                    continue;
                }
                if let Some(candidate) = self.choose(&counting) {
                    self.take(candidate);
                } else if !self.would_drop(&counting) {
                    missing.insert(Missing::Relation {
                        by: format!("{}:{}", package.name, package.arch),
                        relation: Relation::to_string(&relation),
                    });
                }
            }
        }
        Ok(())
    }

    fn is_satisfied(&self, wanted: &Alternative) -> bool {
        self.taken.get(wanted.name.as_str()).is_some_and(|package| wanted.accepts(&package.version))
            || self.providing(wanted).any(|name| self.taken.contains_key(name))
    }

    /// Packages that provide what is wanted, sorted. A provision without a version satisfies only a
    /// relation without one.
    fn providing(&self, wanted: &Alternative) -> impl Iterator<Item = &'a str> {
        let versioned = wanted.version.is_some();
        self.index
            .providers(&wanted.name)
            .filter(move |(_, version)| version.map_or(!versioned, |version| wanted.accepts(version)))
            .map(|(name, _)| name)
            .collect::<Vec<_>>()
            .into_iter()
    }

    fn choose(&self, alternatives: &[&Alternative]) -> Option<&'a Candidate> {
        let by_name = alternatives.iter().find_map(|wanted| {
            let package = self.index.get(&wanted.name)?;
            (wanted.accepts(&package.version) && !self.request.drops(&package.name)).then_some(package)
        });
        by_name.or_else(|| {
            let mut providers = alternatives.iter().flat_map(|wanted| self.providing(wanted));
            providers.find(|name| !self.request.drops(name)).and_then(|name| self.index.get(name))
        })
    }

    fn would_drop(&self, alternatives: &[&Alternative]) -> bool {
        alternatives.iter().any(|wanted| {
            self.request.drops(&wanted.name) || self.providing(wanted).any(|name| self.request.drops(name))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::index::tests::index;
    use super::*;

    fn run(lines: &[&str], packages: &str, more: &str) -> Result<Vec<String>, Vec<String>> {
        let text = format!("suite = 'goose'\narches = ['amd64']\npackages = [{packages}]\n{more}");
        let request = Request::parse(&text).unwrap();
        let indexes = BTreeMap::from([("amd64".to_owned(), index(lines))]);
        match resolve(&request, Digest::of(&text), &indexes) {
            Ok(lock) => {
                assert_eq!(Lock::parse(&lock.to_string()).unwrap(), lock);
                Ok(lock.packages.into_iter().map(|deb| deb.name).collect())
            }
            Err(ResolveError::Unsatisfied { missing, .. }) => {
                Err(missing.iter().map(Missing::to_string).collect())
            }
            Err(other) => panic!("{other}"),
        }
    }

    #[test]
    fn closes_over_dependencies() {
        let archive = [
            "aa 1 / Pre-Depends: bb / Depends: cc | dd, virt, ee (>= 2) | ff",
            "bb 1 / Depends: aa",
            "cc 1",
            "dd 1",
            "ee 1",
            "ff 1 / Depends: gg (= 1) [i386]",
            "prov2 1 / Provides: virt",
            "prov1 1 / Provides: virt (= 3)",
            "gg 2",
        ];
        let run = |packages, more| run(&archive, packages, more);
        assert_eq!(run("'aa'", "").unwrap(), ["aa", "bb", "cc", "ff", "prov1"]);
        // What is selected already is preferred, by name and as provider.
        assert_eq!(run("'aa', 'dd', 'prov2'", "").unwrap(), ["aa", "bb", "dd", "ff", "prov2"]);
        assert_eq!(run("'aa'", "drop = ['b*', 'cc', 'prov*']").unwrap(), ["aa", "dd", "ff"]);
        assert_eq!(run("'aa'", "dependencies = false").unwrap(), ["aa"]);
    }

    #[test]
    fn versions_of_provisions_count() {
        let archive = [
            "aa 1 / Depends: virt (>= 2)",
            "p1 1 / Provides: virt",
            "p2 1 / Provides: virt (= 1)",
            "p3 1 / Provides: virt (= 2)",
        ];
        assert_eq!(run(&archive, "'aa'", "").unwrap(), ["aa", "p3"]);
        assert_eq!(
            run(&archive[..3], "'aa'", "").unwrap_err(),
            ["'aa:amd64' needs 'virt (>= 2)', which nothing satisfies"]
        );
    }

    #[test]
    fn reports_everything_that_is_missing() {
        let archive = ["aa 1 / Depends: xx, bb (>> 1), yy | zz", "bb 1"];
        assert_eq!(
            run(&archive, "'aa', 'nn', 'mm'", "").unwrap_err(),
            [
                "there is no package 'mm' for amd64",
                "there is no package 'nn' for amd64",
                "'aa:amd64' needs 'bb (>> 1)', which nothing satisfies",
                "'aa:amd64' needs 'xx', which nothing satisfies",
                "'aa:amd64' needs 'yy | zz', which nothing satisfies",
            ]
        );
    }
}
