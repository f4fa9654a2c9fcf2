//! The rules by name, and those over one file.

use crate::base::fnmatch;

/// The rule that decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// The compose's own blacklist (no).
    Blacklist,
    /// The compose's own whitelist.
    Whitelist,
    /// The method takes everything.
    Everything,
    /// `devel`'s blacklist (no).
    DevelBlacklist,
    /// `devel`'s whitelist.
    DevelWhitelist,
    /// `runtime`'s blacklist (no, as far as `runtime` goes).
    RuntimeBlacklist,
    /// `runtime`'s whitelist.
    RuntimeWhitelist,
    /// A debugger of a 64-bit arch.
    Debugger,
    /// A kernel of a 64-bit arch.
    Kernel64,
    /// A kernel (no).
    Kernel,
    /// Rule a: a versioned library in a library folder.
    Soname,
    /// Rule b: a file in a folder of plug-ins.
    PluginFolder,
    /// Rule c: a configuration of the dynamic linker.
    LinkerConfiguration,
    /// Rule d: a name service or database module.
    NssOrDb,
    /// Rule f: a part of GTK 2.
    Gtk2,
    /// Rule g: a part of GStreamer.
    Gstreamer,
    /// Rule h: a plug-in of Qt.
    QtPlugin,
    /// Rule h: a plug-in of KDE.
    KdePlugin,
    /// Rule h: a QML module.
    Qml,
    /// Rule h: an image loader.
    GdkPixbuf,
    /// Rule h: a plug-in of xine.
    Xine,
    /// Rule i: a part of OProfile.
    Oprofile,
    /// Rule i: a part of Wine.
    Wine,
    /// Rule i: a scanner driver.
    Sane,
    /// A Haskell package (no).
    Ghc,
    /// A kernel package that provides kernel-devel (no).
    KernelDevel,
    /// A kernel package that provides something to build with.
    KernelProvides,
    /// The name's ending.
    NameEnding,
    /// A boot loader of ppc.
    Yaboot,
    /// A listed pattern.
    Pattern,
}

impl Rule {
    /// Its name in an explanation.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Blacklist => "blacklist",
            Self::Whitelist => "whitelist",
            Self::Everything => "everything",
            Self::DevelBlacklist => "devel-blacklist",
            Self::DevelWhitelist => "devel-whitelist",
            Self::RuntimeBlacklist => "runtime-blacklist",
            Self::RuntimeWhitelist => "runtime-whitelist",
            Self::Debugger => "64-bit debugger",
            Self::Kernel64 => "64-bit kernel",
            Self::Kernel => "kernel",
            Self::Soname => "a: soname in a library folder",
            Self::PluginFolder => "b: plug-in folder",
            Self::LinkerConfiguration => "c: linker configuration",
            Self::NssOrDb => "d: nss or db module",
            Self::Gtk2 => "f: GTK 2 plug-in",
            Self::Gstreamer => "g: GStreamer",
            Self::QtPlugin => "h: Qt plug-in",
            Self::KdePlugin => "h: KDE plug-in",
            Self::Qml => "h: QML module",
            Self::GdkPixbuf => "h: gdk-pixbuf loader",
            Self::Xine => "h: xine plug-in",
            Self::Oprofile => "i: OProfile",
            Self::Wine => "i: Wine",
            Self::Sane => "i: SANE driver",
            Self::Ghc => "Haskell package",
            Self::KernelDevel => "provides kernel-devel",
            Self::KernelProvides => "kernel package with something to build with",
            Self::NameEnding => "name ends with -devel or -static",
            Self::Yaboot => "yaboot",
            Self::Pattern => "pattern",
        }
    }
}

/// The rules over one file, by the folder it is in and its name.
pub(super) fn file_rule(folder: &str, name: &str) -> Option<Rule> {
    const LIBRARY_FOLDERS: &[&str] = &["/lib", "/lib64", "/usr/lib", "/usr/lib64"];
    const PLUGINS: &[&str] =
        &["alsa-lib", "dri", "gtk-2.0/modules", "gtk-2.0/immodules", "krb5/plugins", "sasl2", "vdpau"];
    let versioned = || name.split_once(".so.").is_some();
    // The part of the folder below /usr/lib or /usr/lib64.
    let below = folder.strip_prefix("/usr/lib64/").or_else(|| folder.strip_prefix("/usr/lib/"));
    if LIBRARY_FOLDERS.contains(&folder) && versioned() {
        return Some(Rule::Soname);
    }
    if below.is_some_and(|below| PLUGINS.contains(&below))
        || ["/lib/security", "/lib64/security", "/etc/lsb-release.d"].contains(&folder)
    {
        return Some(Rule::PluginFolder);
    }
    if folder == "/etc/ld.so.conf.d" && name.ends_with(".conf") {
        return Some(Rule::LinkerConfiguration);
    }
    if ["/lib", "/lib64"].contains(&folder) && (name.starts_with("libnss_") || name.starts_with("libdb-")) {
        return Some(Rule::NssOrDb);
    }
    // A plain prefix: /usr/libexec and /usr/lib64x go on as well.
    if !folder.starts_with("/usr/lib") {
        return None;
    }
    if below.is_some_and(|below| below.starts_with("gtk-2.0")) {
        const PARTS: &[&str] =
            &["engines", "modules", "immodules", "loaders", "printbackends", "filesystems"];
        let hit = |part: &&str| fnmatch::matches(&format!("/usr/lib*/gtk-2.0/*/{part}"), folder);
        return PARTS.iter().any(hit).then_some(Rule::Gtk2);
    }
    if below.is_some_and(|below| below.starts_with("gstreamer-")) {
        return Some(Rule::Gstreamer);
    }
    for (pattern, rule) in [
        ("/usr/lib*/qt*/plugins/*", Rule::QtPlugin),
        ("/usr/lib*/kde*/plugins/*", Rule::KdePlugin),
        ("/usr/lib*/qt5/qml/*", Rule::Qml),
        ("/usr/lib*/gdk-pixbuf-2.0/*/loaders", Rule::GdkPixbuf),
        ("/usr/lib*/xine/plugins/*", Rule::Xine),
    ] {
        if fnmatch::matches(pattern, folder) {
            return Some(rule);
        }
    }
    match below? {
        "oprofile" if versioned() => Some(Rule::Oprofile),
        "wine" if name.ends_with(".so") => Some(Rule::Wine),
        "sane" if name.starts_with("libsane-") => Some(Rule::Sane),
        _ => None,
    }
}
