//! The words of multilib that recipes and selection share: profiles, methods, and which profile has which.
//!
//! What they mean is in `select::multilib`, for users in `docs/multilib.md`.

use std::fmt;

use super::arch::TreeArch;

/// Whose rules and lists apply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Profile {
    /// Pungi: python-multilib without its configuration.
    Pungi,
    /// Pungi with Fedora's white- and blacklist.
    Fedora,
    /// Koji's dist-repo: python-multilib with its configuration, read as text.
    Koji,
    /// The same lists as they were meant.
    KojiFixed,
    /// mash with its default lists.
    Mash,
    /// gander's own: Pungi's rules where they hold, and rules for what has moved since they were written.
    Modern,
    /// Nothing by rule.
    None,
}

/// A method of deciding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Method {
    /// No package.
    None,
    /// Every package.
    All,
    /// Debuggers and kernels, only of arches with "64" in their name.
    Base,
    /// The kernel part of `base`.
    Kernel,
    /// The boot loader of ppc.
    Yaboot,
    /// A list of name patterns.
    File,
    /// Libraries and plug-ins.
    Runtime,
    /// `runtime`, and what one builds with.
    Devel,
}

macro_rules! names {
    ($type:ty, $($variant:ident = $name:literal),+ $(,)?) => {
        impl $type {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// All names.
            pub const NAMES: &[&str] = &[$($name),+];

            /// Its name in a recipe.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }

            /// Finds one by its name in a recipe.
            pub fn find(name: &str) -> Option<Self> {
                match name { $($name => Some(Self::$variant),)+ _ => None }
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.name())
            }
        }
    };
}
pub(crate) use names;

names!(
    Profile,
    Pungi = "pungi",
    Fedora = "fedora",
    Koji = "koji",
    KojiFixed = "koji-fixed",
    Mash = "mash",
    Modern = "modern",
    None = "none",
);
names!(
    Method,
    None = "none",
    All = "all",
    Base = "base",
    Kernel = "kernel",
    Yaboot = "yaboot",
    File = "file",
    Runtime = "runtime",
    Devel = "devel",
);

impl Profile {
    /// A tree with the package arches that it has for it: Koji's and mash's own, Pungi's for all others.
    pub fn tree(self, tree: &'static TreeArch) -> &'static TreeArch {
        match self {
            Self::Mash => tree.of_mash(),
            Self::Koji | Self::KojiFixed => tree.of_koji(),
            Self::Pungi | Self::Fedora | Self::Modern | Self::None => tree,
        }
    }

    /// The methods that one can ask it for: those of the program that it is named after.
    pub const fn methods(self) -> &'static [Method] {
        match self {
            Self::Pungi | Self::Fedora | Self::Modern => {
                &[Method::None, Method::All, Method::Devel, Method::Runtime]
            }
            // dist-repo leaves no choice.
            Self::Koji | Self::KojiFixed => &[Method::Devel],
            Self::Mash => Method::ALL,
            Self::None => &[Method::None],
        }
    }

    /// The methods where none is asked for: mash's and Koji's defaults, Fedora's own choice. Pungi has none: its
    /// configurations always name them.
    pub const fn default_methods(self) -> &'static [Method] {
        match self {
            Self::Pungi => &[],
            Self::Koji | Self::KojiFixed | Self::Mash => &[Method::Devel],
            Self::Fedora | Self::Modern => &[Method::Devel, Method::Runtime],
            Self::None => &[Method::None],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each row: a tree, and what of Pungi, mash and Koji is native and secondary to it, where it is not as with Pungi.
    #[test]
    fn trees_have_the_arches_of_the_profile() {
        let x86 = "athlon i686 i586 i486 i386";
        let v9 = "sparcv9v sparcv9 sparcv8 sparc";
        for (name, pungi, mash, koji) in [
            ("x86_64", ("x86_64", x86), Some(("amd64 ia32e x86_64", x86)), Some(("x86_64", "i686"))),
            ("s390x", ("s390x", "s390"), None, None),
            ("ppc64", ("ppc64", "ppc"), Some(("ppc64p7 ppc64pseries ppc64iseries ppc64", "ppc")), None),
            ("ppc", ("ppc", ""), Some(("ppc", "ppc64p7 ppc64pseries ppc64iseries ppc64")), None),
            (
                "sparc",
                ("sparc64v sparc64", v9),
                Some((v9, "sparc64v sparc64")),
                Some(("sparc64v sparc64", "")),
            ),
            ("aarch64", ("aarch64", ""), None, None),
            ("ppc64le", ("ppc64le", ""), None, None),
            ("riscv64", ("riscv64", ""), None, None),
            ("i386", ("i686 i586 i486 i386", ""), Some((x86, "")), None),
            ("armhfp", ("armv7hnl armv7hl armv6hl", ""), Some(("armv7hl armv7hnl", "")), None),
        ] {
            let tree = TreeArch::find(name).unwrap();
            for profile in Profile::ALL {
                let own = match profile {
                    Profile::Mash => mash,
                    Profile::Koji | Profile::KojiFixed => koji,
                    _ => None,
                };
                let (native, secondary) = own.unwrap_or(pungi);
                let found = profile.tree(tree);
                assert_eq!(found.name, name);
                assert_eq!(found.native.join(" "), native, "{profile} {name}");
                assert_eq!(found.multilib.join(" "), secondary, "{profile} {name}");
            }
        }
    }

    #[test]
    fn names_are_found_again() {
        assert!(Profile::NAMES.iter().all(|name| Profile::find(name).unwrap().name() == *name));
        assert!(Method::NAMES.iter().all(|name| Method::find(name).unwrap().name() == *name));
        assert!(Method::find("Devel").is_none() && Profile::find("koji_fixed").is_none());
    }

    #[test]
    fn defaults_are_methods_of_their_profile() {
        for profile in Profile::ALL {
            assert!(profile.default_methods().iter().all(|method| profile.methods().contains(method)));
        }
    }
}
