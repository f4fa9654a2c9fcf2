//! Patterns for packages: `NAME`, `NAME.ARCH`, or `NAME.+` for the secondary arch; names are globs.

use super::candidate::is_debug_name;
use crate::base::Nevra;
use crate::base::arch::TreeArch;
use crate::base::fnmatch;

/// A pattern for packages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pattern<'p> {
    pub(super) name: &'p str,
    arch: Option<&'p str>,
}

impl<'p> Pattern<'p> {
    /// Reads a pattern. What follows the last dot is an arch only where the tree knows it: names hold dots.
    pub(super) fn parse(text: &'p str, tree: &TreeArch) -> Self {
        match text.rsplit_once('.') {
            Some((name, arch))
                if !name.is_empty()
                    && (["+", "src", "nosrc"].contains(&arch) || tree.rank(arch).is_some()) =>
            {
                Self { name, arch: Some(arch) }
            }
            _ => Self { name: text, arch: None },
        }
    }

    /// The name, where it is no glob.
    pub(super) fn plain(&self) -> Option<&'p str> {
        (!self.name.contains(['*', '?', '['])).then_some(self.name)
    }

    /// Whether it looks for debugging packages: those have `-debuginfo` or `-debugsource` behind their first letter, as
    /// Pungi reads a pattern that is asked for.
    pub(super) fn is_debug(&self) -> bool {
        let behind =
            self.name.char_indices().nth(1).map_or("", |(at, _)| self.name.get(at..).unwrap_or_default());
        behind.contains("-debuginfo") || behind.contains("-debugsource")
    }

    /// Whether it asks for packages of one arch, or of the secondary one.
    pub(super) fn is_of_an_arch(&self) -> bool {
        self.arch.is_some()
    }

    /// Whether it asks for packages of this arch. `NAME.+` means `noarch` packages, too.
    pub(super) fn asks_for(&self, arch: &str, tree: &TreeArch) -> bool {
        match self.arch {
            None => true,
            Some("+") => tree.is_multilib(arch) || arch == "noarch",
            Some(wanted) => arch == wanted,
        }
    }

    /// Whether it excludes a package. Here `NAME.+` leaves `noarch` and debugging packages alone, only `NAME.src` means source
    /// packages, and only a name like theirs means debugging packages.
    pub(super) fn hides(&self, nevra: &Nevra, debug: bool, tree: &TreeArch) -> bool {
        let arch = nevra.arch.as_str();
        let fits = match self.arch {
            Some("+") => tree.is_multilib(arch) && !debug,
            Some(wanted) => arch == wanted && (nevra.is_source() || debug == is_debug_name(self.name)),
            None => !nevra.is_source() && debug == is_debug_name(self.name),
        };
        fits && fnmatch::matches(self.name, &nevra.name)
    }
}
