//! Which package arches a profile lets into a tree beside the native ones, and the name of a twin.

use super::Profile;
use crate::base::Nevra;
use crate::base::arch::{TreeArch, koji_secondary, mash_compatible, mash_secondary};

impl Profile {
    /// Package arches that it lets into a tree beside its native ones, without `noarch`: Koji's one, mash's after its
    /// tables (without `prefer_ppc64`), Pungi's for all others.
    pub fn secondary(self, tree: &str) -> &'static [&'static str] {
        match self {
            Self::Mash => mash_secondary(tree, false).and_then(mash_compatible).unwrap_or_default(),
            Self::Koji | Self::KojiFixed => koji_secondary(tree),
            Self::Pungi | Self::Fedora | Self::Modern | Self::None => {
                TreeArch::find(tree).map_or(&[], |tree| tree.multilib)
            }
        }
    }

    /// The file name of a native package's twin in another arch. Koji's dist-repo (1.35) replaces the arch wherever it
    /// stands in the name, so a package named after its arch has no twin there.
    pub fn twin_file(self, native: &Nevra, arch: &str) -> String {
        match self {
            Self::Koji => native.file_name().replace(&*native.arch, arch),
            _ => Nevra { arch: arch.into(), ..native.clone() }.file_name(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each row: a tree, and what Pungi, mash and Koji let into it.
    #[test]
    fn secondary_arches_are_those_of_the_profile() {
        for (tree, pungi, mash, koji) in [
            ("x86_64", "athlon i686 i586 i486 i386", "athlon i686 i586 i486 i386", "i686"),
            ("s390x", "s390", "s390", "s390"),
            ("ppc64", "ppc", "ppc", "ppc"),
            ("ppc", "", "ppc64p7 ppc64pseries ppc64iseries ppc64", ""),
            ("sparc", "sparcv9v sparcv9 sparcv8 sparc", "sparc64v sparc64", ""),
            ("aarch64", "", "", ""),
            ("ppc64le", "", "", ""),
            ("i386", "", "", ""),
            ("armhfp", "", "", ""),
            ("riscv64", "", "", ""),
            ("no such", "", "", ""),
        ] {
            for profile in Profile::ALL {
                let expected = match profile {
                    Profile::Mash => mash,
                    Profile::Koji | Profile::KojiFixed => koji,
                    _ => pungi,
                };
                assert_eq!(profile.secondary(tree).join(" "), expected, "{profile} {tree}");
            }
        }
    }

    #[test]
    fn a_twin_has_the_name_in_the_other_arch() {
        for (nevra, koji, fixed) in [
            ("glibc-0:2.34-1.x86_64", "glibc-2.34-1.i686.rpm", "glibc-2.34-1.i686.rpm"),
            ("gcc-x86_64-1:12-1.x86_64", "gcc-i686-12-1.i686.rpm", "gcc-x86_64-12-1.i686.rpm"),
        ] {
            let native = nevra.parse().unwrap();
            assert_eq!(Profile::Koji.twin_file(&native, "i686"), koji);
            assert_eq!(Profile::KojiFixed.twin_file(&native, "i686"), fixed);
        }
    }
}
