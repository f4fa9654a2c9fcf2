//! The rules by name and letter.

use std::fmt;

/// Defines the rules with their names, a letter for those over files, and whether they say no.
macro_rules! rules {
    ($($(#[$doc:meta])+ $variant:ident = $name:literal $(letter $letter:literal)? $(no $no:literal)?,)+) => {
        /// The rule that decided.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Rule {
            $($(#[$doc])+ $variant,)+
        }

        impl Rule {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// Its name in an explanation, with the letter of a rule over files.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => concat!($($letter, ": ",)? $name),)+ }
            }

            /// Its letter, which rules over files have.
            pub fn letter(self) -> Option<char> {
                match self { $(Self::$variant => [$($letter,)?].first().copied(),)+ }
            }

            /// Whether it says no.
            pub fn denies(self) -> bool {
                match self { $(Self::$variant => [$($no,)?].contains(&true),)+ }
            }
        }
    };
}

rules! {
    /// The compose's own blacklist (no).
    Blacklist = "blacklist" no true,
    /// The compose's own whitelist.
    Whitelist = "whitelist",
    /// The profile's blacklist (no).
    ProfileBlacklist = "blacklist of the profile" no true,
    /// The profile's whitelist.
    ProfileWhitelist = "whitelist of the profile",
    /// The method takes everything.
    Everything = "everything",
    /// `devel`'s blacklist (no).
    DevelBlacklist = "devel-blacklist" no true,
    /// `devel`'s whitelist.
    DevelWhitelist = "devel-whitelist",
    /// `runtime`'s blacklist (no, as far as `runtime` goes).
    RuntimeBlacklist = "runtime-blacklist" no true,
    /// `runtime`'s whitelist.
    RuntimeWhitelist = "runtime-whitelist",
    /// A debugger of a 64-bit arch.
    Debugger = "64-bit debugger",
    /// A kernel of a 64-bit arch.
    Kernel64 = "64-bit kernel",
    /// A kernel (no).
    Kernel = "kernel" no true,
    /// Rule a: a versioned library in a library folder.
    Soname = "soname in a library folder" letter 'a',
    /// Rule b: a file in a folder of plug-ins.
    PluginFolder = "plug-in folder" letter 'b',
    /// Rule c: a configuration of the dynamic linker.
    LinkerConfiguration = "linker configuration" letter 'c',
    /// Rule d: a name service or database module.
    NssOrDb = "nss or db module" letter 'd',
    /// Rule f: a part of GTK 2.
    Gtk2 = "GTK 2 plug-in" letter 'f',
    /// Rule g: a part of GStreamer.
    Gstreamer = "GStreamer" letter 'g',
    /// Rule h: a plug-in of Qt.
    QtPlugin = "Qt plug-in" letter 'h',
    /// Rule h: a plug-in of KDE.
    KdePlugin = "KDE plug-in" letter 'h',
    /// Rule h: a QML module.
    Qml = "QML module" letter 'h',
    /// Rule h: an image loader.
    GdkPixbuf = "gdk-pixbuf loader" letter 'h',
    /// Rule h: a plug-in of xine.
    Xine = "xine plug-in" letter 'h',
    /// Rule i: a part of OProfile.
    Oprofile = "OProfile" letter 'i',
    /// Rule i: a part of Wine.
    Wine = "Wine" letter 'i',
    /// Rule i: a scanner driver.
    Sane = "SANE driver" letter 'i',
    /// Rule j, of `modern`: a PAM module below `/usr`.
    PamModule = "PAM module" letter 'j',
    /// Rule k, of `modern`: a versioned library in a folder of its own that the package provides.
    OwnSoname = "provided soname in a folder of its own" letter 'k',
    /// Rule l, of `modern`: a library without a version in a library folder, which is no link to build with.
    PlainLibrary = "library without a version" letter 'l',
    /// Rule m, of `modern`: a part of GTK 3 or later.
    Gtk = "GTK plug-in" letter 'm',
    /// Rule n, of `modern`: a module of GIO.
    Gio = "GIO module" letter 'n',
    /// Rule o, of `modern`: a PKCS #11 module.
    Pkcs11 = "PKCS #11 module" letter 'o',
    /// Rule p, of `modern`: the run-time library of a compiler.
    CompilerRuntime = "compiler runtime" letter 'p',
    /// A Haskell package (no).
    Ghc = "Haskell package" no true,
    /// A package that provides kernel-devel: a kernel package, any for `modern` (no).
    KernelDevel = "provides kernel-devel" no true,
    /// A kernel package that provides something to build with.
    KernelProvides = "kernel package with something to build with",
    /// The name's ending.
    NameEnding = "name ends with -devel or -static",
    /// A boot loader of ppc.
    Yaboot = "yaboot",
    /// A listed pattern.
    Pattern = "pattern",
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
