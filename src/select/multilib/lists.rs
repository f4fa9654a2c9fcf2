//! The lists of the profiles: exact names of mash and python-multilib, globs of Fedora and gander.

use super::Profile;

/// A list of names that a method has.
#[derive(Clone, Debug)]
pub(super) enum List {
    /// Exact names.
    Names(Vec<&'static str>),
    /// Koji's reading: a name is on it when it is a part of the text.
    Text(String),
}

impl List {
    pub(super) fn has(&self, name: &str) -> bool {
        match self {
            Self::Names(names) => names.contains(&name),
            Self::Text(text) => text.contains(name),
        }
    }
}

const DEVEL_BLACK: &[&str] = &[
    "dmraid-devel",
    "httpd-devel",
    "kdeutils-devel",
    "mkinitrd-devel",
    "java-1.5.0-gcj-devel",
    "java-1.6.0-openjdk-devel",
    "java-1.7.0-icedtea-devel",
    "java-1.7.0-openjdk-devel",
    "java-1.8.0-openjdk-devel",
    "php-devel",
];
const RUNTIME_BLACK: &[&str] = &["httpd", "php", "tomcat-native"];
const RUNTIME_WHITE: &[&str] = &[
    "libflashsupport",
    "libgnat",
    "lmms-vst",
    "nspluginwrapper",
    "perl-libs",
    "redhat-lsb",
    "syslinux-extlinux-nonlinux",
    "syslinux-nonlinux",
    "syslinux-tftpboot",
    "valgrind",
    "wine",
    "yaboot",
];
/// What mash lists beyond python-multilib.
const RUNTIME_WHITE_MASH: &[&str] = &["nosync", "postgresql-odbc", "mysql-connector-odbc"];
const KOJI_PATTERNS: &[&str] = &["glibc", "steam", "whatever"];

const FEDORA_BLACK: &[&str] = &[
    "dmraid-devel",
    "ghc-*",
    "httpd",
    "httpd-devel",
    "java-*",
    "kdeutils-devel",
    "kernel",
    "kernel*debug*",
    "kernel-PAE*",
    "krb5-server",
    "krb5-server-ldap",
    "mkinitrd-devel",
    "mod_*",
    "php*",
    "php-devel",
    "tomcat-native",
];
const FEDORA_WHITE: &[&str] = &[
    "*-static",
    "apitrace-libs",
    "compiler-rt",
    "fakechroot-libs",
    "fakeroot-libs",
    "glib-networking",
    "ibus-gtk2",
    "ibus-gtk3",
    "ibus-libs",
    "libflashsupport",
    "libgnat",
    "lmms-vst",
    "mariadb-connector-odbc",
    "mesa-vdpau-drivers",
    "mysql-connector-odbc",
    "nosync",
    "nspluginwrapper",
    "nvidia-query-resource-opengl-lib",
    "p11-kit-trust",
    "perl-libs",
    "postgresql-odbc",
    "redhat-lsb",
    "syslinux-extlinux-nonlinux",
    "syslinux-nonlinux",
    "syslinux-tftpboot",
    "valgrind",
    "wine",
    "yaboot",
];

/// Servers and languages whose plug-ins nobody loads into a 32-bit process.
const MODERN_BLACK: &[&str] = &["httpd", "httpd-devel", "java-*", "mod_*", "php*", "tomcat-native"];
/// Of Fedora's whitelist what no rule sees: libraries to preload in folders of their own, helpers that are no
/// libraries, packages that only require others.
const MODERN_WHITE: &[&str] = &[
    "apitrace-libs",
    "fakechroot-libs",
    "fakeroot-libs",
    "lmms-vst",
    "nosync",
    "nvidia-query-resource-opengl-lib",
    "redhat-lsb",
    "valgrind",
    "wine",
];

/// The black- and the whitelist of `devel`, then those of `runtime`.
pub(super) fn of_methods(profile: Profile) -> [[List; 2]; 2] {
    let names = |names: &[&'static str]| List::Names(names.to_vec());
    // One line a name: no name holds a line break, so none spans two.
    let text = |names: &[&str]| List::Text(names.join("\n"));
    match profile {
        Profile::Pungi | Profile::Fedora | Profile::Modern | Profile::None => {
            [[names(&[]), names(&[])], [names(&[]), names(&[])]]
        }
        Profile::Koji => [[text(DEVEL_BLACK), text(&[])], [text(RUNTIME_BLACK), text(RUNTIME_WHITE)]],
        Profile::KojiFixed => {
            [[names(DEVEL_BLACK), names(&[])], [names(RUNTIME_BLACK), names(RUNTIME_WHITE)]]
        }
        Profile::Mash => {
            let white = [RUNTIME_WHITE, RUNTIME_WHITE_MASH].concat();
            [[names(DEVEL_BLACK), names(&[])], [names(RUNTIME_BLACK), names(&white)]]
        }
    }
}

/// A profile's globs for all methods: the black- and the whitelist.
pub(super) fn globs(profile: Profile) -> [&'static [&'static str]; 2] {
    match profile {
        Profile::Fedora => [FEDORA_BLACK, FEDORA_WHITE],
        Profile::Modern => [MODERN_BLACK, MODERN_WHITE],
        _ => [&[], &[]],
    }
}

/// The patterns of the method `file`.
pub(super) fn patterns(profile: Profile) -> Vec<String> {
    match profile {
        // python-multilib takes each character of its configuration's text for a pattern.
        Profile::Koji => KOJI_PATTERNS.join("\n").chars().map(String::from).collect(),
        Profile::KojiFixed => KOJI_PATTERNS.iter().map(|pattern| (*pattern).to_owned()).collect(),
        _ => Vec::new(),
    }
}
