//! The options of mash, what becomes of each, and mash's own lists.

const WORK: &str = "how the work is divided, kept and repeated is gander's own affair";
const DELTAS: &str = "gander makes no delta packages";
const VIEW: &str = "gander makes no pages for browsers";

pub(super) const LOST: &[(&str, &str)] = &[
    ("output_subdir", "trees lie in the folder compose/ of the output folder"),
    ("outputdir", "the output folder is given to 'gander compose'"),
    ("distro_tags", "repositories carry no tags"),
];
/// These do nothing where they are off.
pub(super) const LOST_IF_ON: &[(&str, &str)] = &[
    ("delta", DELTAS),
    ("make_ancient", "gander writes no headers for yum of before 2003"),
    ("use_repoview", VIEW),
];
pub(super) const NO_EFFECT: &[(&str, &str)] = &[
    ("cachedir", WORK),
    ("configdir", "files that it names are looked for beside it"),
    ("content_tags", "mash itself does nothing with it"),
    ("delta_dirs", DELTAS),
    ("delta_workers", DELTAS),
    ("max_delta_rpm_age", DELTAS),
    ("max_delta_rpm_size", DELTAS),
    ("name", "the variant is called as the section is"),
    ("repoviewtitle", VIEW),
    ("repoviewurl", VIEW),
    ("workdir", WORK),
];
pub(super) const CARRIED: &[&str] = &[
    "arches",
    "buildhost",
    "compress_type",
    "compsfile",
    "debuginfo",
    "debuginfo_path",
    "hash",
    "hash_packages",
    "inherit",
    "keys",
    "latest",
    "multilib",
    "multilib_devel_blacklist",
    "multilib_devel_whitelist",
    "multilib_file",
    "multilib_method",
    "multilib_runtime_blacklist",
    "multilib_runtime_whitelist",
    "parent_repos",
    "prefer_ppc64",
    "repodata_path",
    "repodir",
    "rpm_path",
    "source",
    "source_path",
    "strict_keys",
    "tag",
    "use_sqlite",
];

/// Every option of mash.
pub(super) fn all() -> impl Iterator<Item = &'static str> {
    let tables = [LOST, LOST_IF_ON, NO_EFFECT].into_iter().flatten();
    tables.map(|(name, _)| *name).chain(CARRIED.iter().copied())
}

/// The methods of mash.
pub(super) const METHODS: &[&str] = &["none", "all", "base", "devel", "file", "kernel", "runtime", "yaboot"];

/// mash's own lists, which the profile has: facts of its configuration.
pub(super) const DEVEL_BLACKLIST: &[&str] = &[
    "dmraid-devel",
    "kdeutils-devel",
    "mkinitrd-devel",
    "java-1.5.0-gcj-devel",
    "java-1.7.0-icedtea-devel",
    "php-devel",
    "java-1.6.0-openjdk-devel",
    "java-1.7.0-openjdk-devel",
    "java-1.8.0-openjdk-devel",
    "httpd-devel",
];
pub(super) const RUNTIME_WHITELIST: &[&str] = &[
    "libgnat",
    "wine",
    "lmms-vst",
    "nspluginwrapper",
    "libflashsupport",
    "valgrind",
    "perl-libs",
    "redhat-lsb",
    "yaboot",
    "syslinux-extlinux-nonlinux",
    "syslinux-nonlinux",
    "syslinux-tftpboot",
    "nosync",
    "postgresql-odbc",
    "mysql-connector-odbc",
];
pub(super) const RUNTIME_BLACKLIST: &[&str] = &["tomcat-native", "php", "httpd"];

/// The options with lists for multilib.
pub(super) const LISTS: &[&str] = &[
    "multilib_devel_whitelist",
    "multilib_devel_blacklist",
    "multilib_runtime_whitelist",
    "multilib_runtime_blacklist",
];
