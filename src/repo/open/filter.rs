//! Which packages of a repository count: dnf's `includepkgs` and `excludepkgs`.
//!
//! A pattern is read as libdnf (0.69, `Query::filterSubject`) reads a subject: in the forms name-\[epoch:\]version-release.arch,
//! name.arch, name, name-\[epoch:\]version-release, name-\[epoch:\]version, in this order; the first form that any package
//! fits is the one that is meant. Each part may be a glob. Last, the pattern is held as one glob against whole names,
//! epoch 0 left out. Provides and files do not count. Where patterns to include are given, what fits none of them does not
//! count; what fits a pattern to exclude never does.

use crate::base::{Nevra, fnmatch};

/// Which packages count.
#[derive(Clone, Copy, Debug)]
pub struct Filter<'a> {
    /// Patterns of the only packages that count; all where there are none.
    pub include: &'a [String],
    /// Patterns of packages that do not count.
    pub exclude: &'a [String],
}

/// A pattern in one of its forms; a part that is absent fits anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Form<'a> {
    name: &'a str,
    epoch: Option<u32>,
    version: Option<&'a str>,
    release: Option<&'a str>,
    arch: Option<&'a str>,
}

impl<'a> Filter<'a> {
    /// Says of each package whether it counts, and which patterns mean none of them.
    pub fn apply<'p>(&self, packages: impl Iterator<Item = &'p Nevra> + Clone) -> (Vec<bool>, Vec<&'a str>) {
        let none = self.include.is_empty();
        let mut counts: Vec<bool> = packages.clone().map(|_| none).collect();
        let mut idle = Vec::new();
        for (patterns, verdict) in [(self.include, true), (self.exclude, false)] {
            for pattern in patterns {
                let fitting = fitting(pattern, packages.clone());
                if !fitting.contains(&true) {
                    idle.push(pattern.as_str());
                }
                for (counts, fits) in counts.iter_mut().zip(fitting) {
                    if fits {
                        *counts = verdict;
                    }
                }
            }
        }
        (counts, idle)
    }
}

/// Says of each package whether a pattern means it.
fn fitting<'p>(pattern: &str, packages: impl Iterator<Item = &'p Nevra> + Clone) -> Vec<bool> {
    for form in forms(pattern) {
        let fits: Vec<bool> = packages.clone().map(|nevra| form.fits(nevra)).collect();
        if fits.contains(&true) {
            return fits;
        }
    }
    packages.map(|nevra| fnmatch::matches(pattern, &short(nevra))).collect()
}

/// The whole name as dnf writes it.
fn short(nevra: &Nevra) -> String {
    let Nevra { name, evr, arch } = nevra;
    match evr.epoch {
        0 => format!("{name}-{}-{}.{arch}", evr.version, evr.release),
        epoch => format!("{name}-{epoch}:{}-{}.{arch}", evr.version, evr.release),
    }
}

/// A pattern in all forms that it can have, in their order.
fn forms(pattern: &str) -> Vec<Form<'_>> {
    let dotted = pattern.rsplit_once('.').filter(|(rest, arch)| !rest.is_empty() && is_part(arch));
    let named = Form { name: pattern, epoch: None, version: None, release: None, arch: None };
    let full = |text, arch| {
        let (rest, release) = split(text)?;
        let (name, version) = split(rest)?;
        with_version(Form { name, release: Some(release), arch, ..named }, version)
    };
    let with_arch = dotted.map(|(rest, arch)| (rest, Some(arch)));
    let versioned = split(pattern).and_then(|(name, version)| with_version(Form { name, ..named }, version));
    let forms = [
        with_arch.and_then(|(rest, arch)| full(rest, arch)),
        with_arch.map(|(name, arch)| Form { name, arch, ..named }),
        Some(named),
        full(pattern, None),
        versioned,
    ];
    forms.into_iter().flatten().filter(|form| !form.name.contains(':')).collect()
}

fn split(text: &str) -> Option<(&str, &str)> {
    text.rsplit_once('-').filter(|(left, right)| !left.is_empty() && !right.is_empty())
}

fn is_part(text: &str) -> bool {
    !text.is_empty() && !text.contains(['-', ':'])
}

fn with_version<'a>(form: Form<'a>, version: &'a str) -> Option<Form<'a>> {
    let (epoch, version) = match version.split_once(':') {
        Some((epoch, version)) => (Some(epoch.parse().ok()?), version),
        None => (None, version),
    };
    is_part(version).then_some(Form { epoch, version: Some(version), ..form })
}

impl Form<'_> {
    fn fits(&self, nevra: &Nevra) -> bool {
        let part =
            |pattern: Option<&str>, text: &str| pattern.is_none_or(|pattern| fnmatch::matches(pattern, text));
        fnmatch::matches(self.name, &nevra.name)
            && self.epoch.is_none_or(|epoch| epoch == nevra.evr.epoch)
            && part(self.version, &nevra.evr.version)
            && part(self.release, &nevra.evr.release)
            && part(self.arch, &nevra.arch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACKAGES: [&str; 7] = [
        "goose-0:1.0-1.x86_64",
        "goose-0:1.0-1.i686",
        "goose-devel-0:1.0-1.x86_64",
        "goose-1.0-0:9-1.noarch",
        "swan-2:3.1-4.el9.x86_64",
        "swan-2:3.2-1.el9.x86_64",
        "pond-0:1-1.src",
    ];

    fn kept(include: &[&str], exclude: &[&str]) -> Vec<usize> {
        let nevras: Vec<Nevra> = PACKAGES.iter().map(|text| text.parse().unwrap()).collect();
        let owned = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        let (include, exclude) = (owned(include), owned(exclude));
        let (counts, _) = Filter { include: &include, exclude: &exclude }.apply(nevras.iter());
        (0..counts.len()).filter(|place| counts[*place]).collect()
    }

    #[test]
    fn patterns_are_read_as_dnf_reads_them() {
        for (pattern, expected) in [
            ("goose", vec![0, 1]),
            ("goose*", vec![0, 1, 2, 3]),
            ("goose.i686", vec![1]),
            ("*.i686", vec![1]),
            // There is a package of that name, so it is no version.
            ("goose-1.0", vec![3]),
            ("goose-1.0-1", vec![0, 1]),
            ("goose-1.0-1.x86_64", vec![0]),
            ("goose-0:1.0-1.x86_64", vec![0]),
            ("goose-1:1.0-1.x86_64", vec![]),
            ("swan-3.1", vec![4]),
            ("swan-2:3.*", vec![4, 5]),
            ("swan-2:3.1-4.el9.x86_64", vec![4]),
            ("swan-3.1-4.el9", vec![4]),
            ("swan-*-*.el9.x86_64", vec![4, 5]),
            ("*el9*", vec![4, 5]),
            ("[gs]*n", vec![4, 5]),
            ("pond.src", vec![6]),
            ("nothing", vec![]),
        ] {
            assert_eq!(kept(&[pattern], &[]), expected, "{pattern}");
            let others: Vec<usize> = (0..PACKAGES.len()).filter(|place| !expected.contains(place)).collect();
            assert_eq!(kept(&[], &[pattern]), others, "without {pattern}");
        }
        assert_eq!(kept(&["goose*", "pond"], &["*.i686", "goose-devel"]), [0, 3, 6]);
        let list = ["gosse".to_owned(), "goose".to_owned()];
        let nevras: Vec<Nevra> = PACKAGES.iter().map(|text| text.parse().unwrap()).collect();
        assert_eq!(Filter { include: &list, exclude: &[] }.apply(nevras.iter()).1, ["gosse"]);
        assert_eq!(kept(&[], &[]), [0, 1, 2, 3, 4, 5, 6]);
    }
}
