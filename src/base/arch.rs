//! Arch tables: which package arches a tree of some arch may hold.
//!
//! The rows are Pungi's (4.3.6); the first native arch is the best one, `noarch` always the last.

/// A tree's arch with the package arches that belong into it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TreeArch {
    /// The tree's name, also `%{_target_cpu}` of its own packages in most rows.
    pub name: &'static str,
    /// Native package arches, best first, without `noarch`.
    pub native: &'static [&'static str],
    /// Secondary (32-bit) package arches that multilib may add, best first.
    pub multilib: &'static [&'static str],
}

const TABLE: &[TreeArch] = &[
    TreeArch { name: "aarch64", native: &["aarch64"], multilib: &[] },
    TreeArch { name: "armhfp", native: &["armv7hnl", "armv7hl", "armv6hl"], multilib: &[] },
    TreeArch { name: "i386", native: &["i686", "i586", "i486", "i386"], multilib: &[] },
    TreeArch { name: "ppc64", native: &["ppc64"], multilib: &["ppc"] },
    TreeArch { name: "ppc64le", native: &["ppc64le"], multilib: &[] },
    TreeArch { name: "riscv64", native: &["riscv64"], multilib: &[] },
    TreeArch { name: "s390x", native: &["s390x"], multilib: &["s390"] },
    TreeArch { name: "x86_64", native: &["x86_64"], multilib: &["athlon", "i686", "i586", "i486", "i386"] },
];

impl TreeArch {
    /// Finds a tree arch by name.
    pub fn find(name: &str) -> Option<&'static Self> {
        TABLE.iter().find(|arch| arch.name == name)
    }

    /// All known names, sorted.
    pub fn names() -> impl Iterator<Item = &'static str> {
        TABLE.iter().map(|arch| arch.name)
    }

    /// Whether a package of this arch is native to the tree (`noarch` included).
    pub fn is_native(&self, arch: &str) -> bool {
        arch == "noarch" || self.native.contains(&arch)
    }

    /// Whether a package of this arch is of the tree's secondary arch.
    pub fn is_multilib(&self, arch: &str) -> bool {
        self.multilib.contains(&arch)
    }

    /// The place of an arch in Pungi's order (native, multilib, noarch; the best is 0); none where the
    /// tree cannot hold it.
    pub fn rank(&self, arch: &str) -> Option<usize> {
        self.native.iter().chain(self.multilib).copied().chain(["noarch"]).position(|known| known == arch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_native_before_secondary_before_noarch() {
        let x86_64 = TreeArch::find("x86_64").unwrap();
        assert!(x86_64.rank("x86_64") < x86_64.rank("i686"));
        assert!(x86_64.rank("i686") < x86_64.rank("noarch"));
        assert_eq!(x86_64.rank("aarch64"), None);
        assert!(x86_64.is_native("noarch") && x86_64.is_multilib("i386") && !x86_64.is_native("i686"));
    }

    #[test]
    fn the_table_is_sorted() {
        assert!(TABLE.is_sorted_by_key(|arch| arch.name));
    }
}
