//! The rules over one file, by the folder it is in and its name.

use super::{Rule, Subject, is_to_build_with};
use crate::base::fnmatch;

const LIBRARY_FOLDERS: &[&str] = &["/lib", "/lib64", "/usr/lib", "/usr/lib64"];

/// The part of a folder below `/usr/lib` or `/usr/lib64`.
fn below(folder: &str) -> Option<&str> {
    folder.strip_prefix("/usr/lib64/").or_else(|| folder.strip_prefix("/usr/lib/"))
}

fn is_nss_or_db(name: &str) -> bool {
    name.starts_with("libnss_") || name.starts_with("libdb-")
}

/// Whether a folder matches a glob that has this literal part: most folders are told by it alone.
fn matches(folder: &str, glob: &str, part: &str) -> bool {
    folder.contains(part) && fnmatch::matches(glob, folder)
}

/// Rules a to i, those of mash and python-multilib; first hit wins.
pub(super) fn rule(folder: &str, name: &str) -> Option<Rule> {
    const PLUGINS: &[&str] =
        &["alsa-lib", "dri", "gtk-2.0/modules", "gtk-2.0/immodules", "krb5/plugins", "sasl2", "vdpau"];
    let versioned = || name.contains(".so.");
    let below = below(folder);
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
    if ["/lib", "/lib64"].contains(&folder) && is_nss_or_db(name) {
        return Some(Rule::NssOrDb);
    }
    // Rule e, a plain prefix: /usr/libexec and /usr/lib64x go on as well.
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
    for (glob, part, rule) in [
        ("/usr/lib*/qt*/plugins/*", "/plugins/", Rule::QtPlugin),
        ("/usr/lib*/kde*/plugins/*", "/plugins/", Rule::KdePlugin),
        ("/usr/lib*/qt5/qml/*", "/qt5/qml/", Rule::Qml),
        ("/usr/lib*/gdk-pixbuf-2.0/*/loaders", "/gdk-pixbuf-2.0/", Rule::GdkPixbuf),
        ("/usr/lib*/xine/plugins/*", "/xine/plugins/", Rule::Xine),
    ] {
        if matches(folder, glob, part) {
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

/// What `modern` adds: rules b, d, h and i where the files have moved to, and rules j to p; first hit wins.
pub(super) fn modern(folder: &str, name: &str, package: &impl Subject) -> Option<Rule> {
    let is_library = || name.ends_with(".so");
    if LIBRARY_FOLDERS.contains(&folder) {
        // Rule a had the versioned ones. In a package to build with this is a link for the linker.
        return if is_nss_or_db(name) {
            Some(Rule::NssOrDb)
        } else {
            (is_library() && !is_to_build_with(&package.nevra().name)).then_some(Rule::PlainLibrary)
        };
    }
    let below = below(folder)?;
    if below.starts_with("krb5/plugins/") {
        return Some(Rule::PluginFolder);
    }
    if below.starts_with("gtk-") {
        const PARTS: &[&str] = &["/immodules", "/media", "/modules", "/printbackends"];
        return PARTS.iter().any(|part| folder.ends_with(part)).then_some(Rule::Gtk);
    }
    if matches(folder, "/usr/lib*/qt*/qml", "/qml") || matches(folder, "/usr/lib*/qt*/qml/*", "/qml/") {
        return Some(Rule::Qml);
    }
    if matches(folder, "/usr/lib*/clang/*/lib/*", "/clang/") {
        return Some(Rule::CompilerRuntime);
    }
    match below {
        "security" if is_library() => Some(Rule::PamModule),
        "gio/modules" if is_library() => Some(Rule::Gio),
        "pkcs11" if is_library() => Some(Rule::Pkcs11),
        _ if below.starts_with("wine/") && below.ends_with("-unix") && is_library() => Some(Rule::Wine),
        _ => (name.contains(".so.") && provides_soname(package, name)).then_some(Rule::OwnSoname),
    }
}

/// Whether a package provides a library's soname, as rpm writes it for either width.
fn provides_soname(package: &impl Subject, name: &str) -> bool {
    package.provided().any(|provided| provided.strip_suffix("()(64bit)").unwrap_or(provided) == name)
}
