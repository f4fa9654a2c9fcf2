//! Arch tables: which package arches a tree of some arch may hold, and which trees have a secondary arch.
//!
//! Three programs have three tables. [`TreeArch`] is Pungi's (4.3.6), and the one that trees are made by: the first
//! native arch is the best one, `noarch` always the last. mash (2017) knows more trees ([`mash_compatible`]) and
//! pairs them with each other ([`mash_secondary`]); Koji's dist-repo (1.35) has one 32-bit arch for each of three
//! ([`koji_secondary`]).
//!
//! | tree | Pungi | mash | Koji |
//! |---|---|---|---|
//! | `x86_64` | `athlon` … `i386` | `i386`: the same | `i686` |
//! | `s390x` | `s390` | `s390` | `s390` |
//! | `ppc64` | `ppc` | `ppc` | `ppc` |
//! | `ppc` | | `ppc64`, unless `prefer_ppc64` | |
//! | `sparc` | native `sparc64v`, `sparc64`; `sparcv9v` … `sparc` | native `sparcv9v` … `sparc`; `sparc64` | |
//!
//! [`TreeArch::of_mash`] and [`TreeArch::of_koji`] are a tree as these have it. mash's other trees (`alpha`, `arm`, `ia64`,
//! `mips…`, `s390`, `sparc64`) are no trees here: they have no secondary arch, and nobody composes them any more.

use std::sync::LazyLock;

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
    TreeArch { name: "ppc", native: &["ppc"], multilib: &[] },
    TreeArch { name: "ppc64", native: &["ppc64"], multilib: &["ppc"] },
    TreeArch { name: "ppc64le", native: &["ppc64le"], multilib: &[] },
    TreeArch { name: "riscv64", native: &["riscv64"], multilib: &[] },
    TreeArch { name: "s390x", native: &["s390x"], multilib: &["s390"] },
    TreeArch {
        name: "sparc",
        native: &["sparc64v", "sparc64"],
        multilib: &["sparcv9v", "sparcv9", "sparcv8", "sparc"],
    },
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

    /// The best package arch, which yum knows the tree by: `i686` of `i386`, `armv7hnl` of `armhfp`.
    pub fn best(&self) -> &'static str {
        self.native.first().copied().unwrap_or(self.name)
    }

    /// The tree with the package arches that mash has for it, in the order of its tables; a tree that they lack keeps its own
    /// native ones.
    pub fn of_mash(&'static self) -> &'static Self {
        MASH_TREES.iter().find(|tree| tree.name == self.name).unwrap_or(self)
    }

    /// The tree with the one secondary arch that Koji's dist-repo has for it, or none.
    pub fn of_koji(&'static self) -> &'static Self {
        KOJI_TREES.iter().find(|tree| tree.name == self.name).unwrap_or(self)
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

/// mash's `compat`, in its order, without `noarch`, which every tree holds.
const MASH: &[(&str, &[&str])] = &[
    ("aarch64", &["aarch64"]),
    ("alpha", &["alphaev6", "alphaev56", "alphaev5", "alpha"]),
    ("arm", &["arm", "armv4l", "armv4tl", "armv5tel", "armv5tejl", "armv6l", "armv7l"]),
    ("armhfp", &["armv7hl", "armv7hnl"]),
    ("i386", &["athlon", "i686", "i586", "i486", "i386"]),
    ("ia64", &["ia64"]),
    ("mips", &["mips"]),
    ("mips64", &["mips64"]),
    ("mips64el", &["mips64el"]),
    ("mips64r6", &["mips64r6"]),
    ("mips64r6el", &["mips64r6el"]),
    ("mipsel", &["mipsel"]),
    ("mipsr6", &["mipsr6"]),
    ("mipsr6el", &["mipsr6el"]),
    ("ppc", &["ppc"]),
    ("ppc64", &["ppc64p7", "ppc64pseries", "ppc64iseries", "ppc64"]),
    ("ppc64le", &["ppc64le"]),
    ("s390", &["s390"]),
    ("s390x", &["s390x"]),
    ("sparc", &["sparcv9v", "sparcv9", "sparcv8", "sparc"]),
    ("sparc64", &["sparc64v", "sparc64"]),
    ("x86_64", &["amd64", "ia32e", "x86_64"]),
];

/// mash's `biarch`: the tree whose packages another tree takes by rule.
const MASH_SECONDARY: &[(&str, &str)] =
    &[("ppc", "ppc64"), ("ppc64", "ppc"), ("s390x", "s390"), ("sparc", "sparc64"), ("x86_64", "i386")];

/// Koji's dist-repo: the arch of the files that it looks for beside those of a 64-bit arch.
const KOJI_SECONDARY: &[(&str, &[&str])] =
    &[("ppc64", &["ppc"]), ("s390x", &["s390"]), ("x86_64", &["i686"])];

static MASH_TREES: LazyLock<Vec<TreeArch>> = LazyLock::new(|| {
    let of_mash = |tree: &TreeArch| TreeArch {
        native: mash_compatible(tree.name).unwrap_or(tree.native),
        multilib: mash_secondary(tree.name, false).and_then(mash_compatible).unwrap_or_default(),
        ..*tree
    };
    TABLE.iter().map(of_mash).collect()
});

static KOJI_TREES: LazyLock<Vec<TreeArch>> = LazyLock::new(|| {
    TABLE.iter().map(|tree| TreeArch { multilib: koji_secondary(tree.name), ..*tree }).collect()
});

fn row<T: Copy>(table: &[(&str, T)], name: &str) -> Option<T> {
    table.iter().find(|(known, _)| *known == name).map(|(_, found)| *found)
}

/// Package arches of a tree as mash has them, without `noarch`; none for a tree that its table lacks, which holds
/// packages of its own name.
pub fn mash_compatible(tree: &str) -> Option<&'static [&'static str]> {
    row(MASH, tree)
}

/// The tree whose packages mash offers to another by rule. Its option `prefer_ppc64` takes away that of `ppc`.
pub fn mash_secondary(tree: &str, prefer_ppc64: bool) -> Option<&'static str> {
    row(MASH_SECONDARY, tree).filter(|_| !(prefer_ppc64 && tree == "ppc"))
}

/// The arch, one or none, of the files that Koji's dist-repo looks for beside those of this arch.
pub fn koji_secondary(arch: &str) -> &'static [&'static str] {
    row(KOJI_SECONDARY, arch).unwrap_or_default()
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
        assert!(MASH.is_sorted_by_key(|row| row.0) && MASH_SECONDARY.is_sorted_by_key(|row| row.0));
    }

    /// Each row: a tree, its best arch, its native and its secondary ones, as Pungi 4.3.6 was measured.
    #[test]
    fn trees_are_pungis() {
        for (name, best, native, multilib) in [
            ("x86_64", "x86_64", "x86_64", "athlon i686 i586 i486 i386"),
            ("i386", "i686", "i686 i586 i486 i386", ""),
            ("ppc", "ppc", "ppc", ""),
            ("ppc64", "ppc64", "ppc64", "ppc"),
            ("s390x", "s390x", "s390x", "s390"),
            ("sparc", "sparc64v", "sparc64v sparc64", "sparcv9v sparcv9 sparcv8 sparc"),
            ("armhfp", "armv7hnl", "armv7hnl armv7hl armv6hl", ""),
            ("aarch64", "aarch64", "aarch64", ""),
            ("ppc64le", "ppc64le", "ppc64le", ""),
            ("riscv64", "riscv64", "riscv64", ""),
        ] {
            let tree = TreeArch::find(name).unwrap();
            let list = |text: &'static str| text.split_terminator(' ').collect::<Vec<_>>();
            assert_eq!((tree.best(), tree.native.to_vec()), (best, list(native)), "{name}");
            assert_eq!(tree.multilib.to_vec(), list(multilib), "{name}");
        }
        assert_eq!(TreeArch::names().count(), 10);
    }

    #[test]
    fn pairs_are_those_of_mash_and_koji() {
        for (tree, mash, koji) in [
            ("x86_64", Some("i386"), Some("i686")),
            ("s390x", Some("s390"), Some("s390")),
            ("ppc64", Some("ppc"), Some("ppc")),
            ("ppc", Some("ppc64"), None),
            ("sparc", Some("sparc64"), None),
            ("sparc64", None, None),
            ("i386", None, None),
            ("aarch64", None, None),
            ("armhfp", None, None),
            ("ppc64le", None, None),
            ("none such", None, None),
        ] {
            assert_eq!(mash_secondary(tree, false), mash, "{tree}");
            assert_eq!(koji_secondary(tree).first().copied(), koji, "{tree}");
        }
        assert_eq!(mash_secondary("ppc", true), None);
        assert_eq!(mash_secondary("ppc64", true), Some("ppc"));
    }

    #[test]
    fn mash_holds_what_its_table_says() {
        assert_eq!(mash_compatible("x86_64").unwrap(), ["amd64", "ia32e", "x86_64"]);
        assert_eq!(mash_compatible("arm").unwrap().len(), 7);
        assert_eq!(mash_compatible("armhfp").unwrap(), ["armv7hl", "armv7hnl"]);
        assert_eq!(mash_compatible("riscv64"), None);
        // Every tree's own name is a package arch of it, but of that one.
        let own = MASH.iter().filter(|(name, arches)| !arches.contains(name));
        assert_eq!(own.map(|row| row.0).collect::<Vec<_>>(), ["armhfp"]);
        // Every tree that another one takes packages of is a tree.
        assert!(MASH_SECONDARY.iter().all(|(_, tree)| mash_compatible(tree).is_some()));
    }
}
