//! The file that is a twin.

use super::Profile;
use crate::base::Nevra;

impl Profile {
    /// The file name of a native package's twin in another arch. Koji's dist-repo (1.35) replaces the arch wherever it
    /// stands in the name, so of a package that is named after its arch it takes one that is named after the other.
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
