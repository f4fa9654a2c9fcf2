use super::super::candidate::{Candidate, PackagedFile};
use super::super::relation::Relation;
use super::*;
use crate::base::Digest;

fn package(name: &str, arch: &str, files: &[(FileKind, &str)], provides: &[&str]) -> Candidate {
    let mut candidate = Candidate::new(format!("{name}-0:1-1.{arch}").parse().unwrap(), Digest::of(name));
    candidate.files = files.iter().map(|(kind, path)| PackagedFile(*kind, (*path).into())).collect();
    candidate.provides = provides.iter().map(|&provided| Relation::any(provided)).collect();
    candidate
}

/// A text of a 64-bit package as the 32-bit one has it.
fn narrow(text: &str) -> String {
    text.replace("lib64", "lib").replace("()(64bit)", "").replace("x86_64", "i686")
}

/// The same package in the other width.
pub(super) fn twin(name: &str, arch: &str, files: &[&str], provides: &[&str]) -> Candidate {
    let width = |texts: &[&str]| -> Vec<String> {
        texts.iter().map(|text| if arch == "i686" { narrow(text) } else { (*text).to_owned() }).collect()
    };
    let (files, provides) = (width(files), width(provides));
    let files: Vec<_> = files
        .iter()
        .map(|path| match path.split_at(2) {
            ("d:", path) => (FileKind::Directory, path),
            ("g:", path) => (FileKind::Ghost, path),
            ("f:", path) => (FileKind::File, path),
            _ => (FileKind::File, path.as_str()),
        })
        .collect();
    package(name, arch, &files, &provides.iter().map(String::as_str).collect::<Vec<_>>())
}

pub(super) fn judge(profile: Profile, method: Method) -> Judge {
    Judge::new(profile, [method])
}

/// Each row: a path of the 64-bit package, the letter that all profiles have for it, and the one that `modern` adds.
const FILES: &[(&str, Option<char>, Option<char>)] = &[
    // a: a versioned library in a library folder, and nowhere below
    ("/usr/lib64/libc.so.6", Some('a'), None),
    ("/lib64/libc-2.so.6.1", Some('a'), None),
    ("/usr/lib64/x.so.d", Some('a'), None),
    ("/usr/lib64/.so.", Some('a'), None),
    ("/usr/lib64/sub/libc.so.6", None, None),
    ("/opt/lib64/libc.so.6", None, None),
    ("/usr/lib64/libc.so6", None, None),
    ("/usr/libx32/libc.so.6", None, None),
    // b: plug-ins, in exactly these folders
    ("/usr/lib64/alsa-lib/x", Some('b'), None),
    ("/usr/lib64/alsa-lib/sub/x", None, None),
    ("/usr/lib64/dri/x", Some('b'), None),
    ("/usr/lib64/gtk-2.0/modules/x", Some('b'), None),
    ("/usr/lib64/gtk-2.0/immodules/x", Some('b'), None),
    ("/usr/lib64/krb5/plugins/x", Some('b'), None),
    ("/usr/lib64/krb5/plugins/sub/x", None, Some('b')),
    ("/usr/lib64/krb5/x", None, None),
    ("/usr/lib64/sasl2/x", Some('b'), None),
    ("/usr/lib64/vdpau/x", Some('b'), None),
    ("/lib64/dri/x", None, None),
    ("/lib64/security/pam_x.so", Some('b'), None),
    ("/lib64/security/x", Some('b'), None),
    ("/etc/lsb-release.d/core", Some('b'), None),
    // c: the linker's configuration
    ("/etc/ld.so.conf.d/x.conf", Some('c'), None),
    ("/etc/ld.so.conf.d/x", None, None),
    ("/etc/ld.so.conf.d/sub/x.conf", None, None),
    ("/etc/ld.so.conf", None, None),
    // d: name services and databases
    ("/lib64/libnss_x.so", Some('d'), None),
    ("/lib64/libdb-5.so", Some('d'), None),
    ("/lib64/libdb5.so", None, Some('l')),
    ("/usr/lib64/libnss_x.so", None, Some('d')),
    ("/usr/lib64/libdb-5.3.so", None, Some('d')),
    ("/usr/lib64/libnss_x.so.2", Some('a'), None),
    // e: what does not begin with /usr/lib is done; /usr/libexec does
    ("/usr/share/qt5/plugins/a/x", None, None),
    ("/usr/libexec/qt5/plugins/a/x", Some('h'), None),
    ("/usr/libexec/gstreamer-1.0/x", None, None),
    // f: GTK 2
    ("/usr/lib64/gtk-2.0/2.10.0/engines/x", Some('f'), None),
    ("/usr/lib64/gtk-2.0/2.10.0/modules/x", Some('f'), None),
    ("/usr/lib64/gtk-2.0/2.10.0/immodules/x", Some('f'), None),
    ("/usr/lib64/gtk-2.0/2.10.0/loaders/x", Some('f'), None),
    ("/usr/lib64/gtk-2.0/2.10.0/printbackends/x", Some('f'), None),
    ("/usr/lib64/gtk-2.0/2.10.0/filesystems/x", Some('f'), None),
    ("/usr/lib64/gtk-2.0/2.10.0/other/x", None, None),
    ("/usr/lib64/gtk-2.0/a/b/engines/x", Some('f'), None),
    ("/usr/lib64/gtk-2.0/engines/x", None, None),
    ("/usr/lib64/gtk-2.0/qt5/plugins/a/x", None, None),
    // g: GStreamer, and everything below
    ("/usr/lib64/gstreamer-1.0/x", Some('g'), None),
    ("/usr/lib64/gstreamer-0.10/sub/x", Some('g'), None),
    ("/usr/lib64/gstreamer/x", None, None),
    // h: Qt, KDE, gdk-pixbuf, xine
    ("/usr/lib64/qt5/plugins/a/x", Some('h'), None),
    ("/usr/lib64/qt6/plugins/a/b/x", Some('h'), None),
    ("/usr/lib64/qt5/plugins/x", None, None),
    ("/usr/lib64/kde4/plugins/a/x", Some('h'), None),
    ("/usr/lib64/kde4/x", None, None),
    ("/usr/lib64/qt5/qml/a/x", Some('h'), None),
    ("/usr/lib64/qt5/qml/x", None, Some('h')),
    ("/usr/lib64/qt6/qml/x", None, Some('h')),
    ("/usr/lib64/qt6/qml/a/x", None, Some('h')),
    ("/usr/lib64/gdk-pixbuf-2.0/2.10.0/loaders/x", Some('h'), None),
    ("/usr/lib64/gdk-pixbuf-2.0/2.10.0/x", None, None),
    ("/usr/lib64/xine/plugins/2/x", Some('h'), None),
    ("/usr/lib64/xine/plugins/x", None, None),
    // i: OProfile, Wine, SANE
    ("/usr/lib64/oprofile/x.so.1", Some('i'), None),
    ("/usr/lib64/oprofile/x.so", None, None),
    ("/usr/lib64/wine/x.dll.so", Some('i'), None),
    ("/usr/lib64/wine/x.dll", None, None),
    ("/usr/lib64/wine/x86_64-unix/x.so", None, Some('i')),
    ("/usr/lib64/wine/x86_64-windows/x.dll", None, None),
    ("/usr/lib64/sane/libsane-x.so", Some('i'), None),
    ("/usr/lib64/sane/x.so", None, None),
    // j: PAM modules below /usr
    ("/usr/lib64/security/pam_x.so", None, Some('j')),
    ("/usr/lib64/security/pam_filter/x.so", None, None),
    ("/usr/lib64/security/x", None, None),
    // k: a soname that the package provides, in a folder of its own
    ("/usr/lib64/own/libown.so.1", None, Some('k')),
    ("/usr/lib64/own/libown.so.1.2", None, None),
    ("/usr/lib64/own/libown.so", None, None),
    ("/opt/own/libown.so.1", None, None),
    // l: libraries without a version
    ("/usr/lib64/libplain.so", None, Some('l')),
    ("/usr/lib64/psqlodbcw.so", None, Some('l')),
    ("/usr/lib64/libplain.a", None, None),
    ("/usr/lib64/python3.9/x.so", None, None),
    // m: GTK 3 and later
    ("/usr/lib64/gtk-3.0/3.0.0/immodules/im-x.so", None, Some('m')),
    ("/usr/lib64/gtk-3.0/modules/x.so", None, Some('m')),
    ("/usr/lib64/gtk-4.0/4.0.0/media/x.so", None, Some('m')),
    ("/usr/lib64/gtk-4.0/4.0.0/x", None, None),
    // n, o, p: GIO, PKCS #11, compilers
    ("/usr/lib64/gio/modules/libx.so", None, Some('n')),
    ("/usr/lib64/gio/modules/giomodule.cache", None, None),
    ("/usr/lib64/pkcs11/x.so", None, Some('o')),
    ("/usr/lib64/pkcs11/methods", None, None),
    ("/usr/lib64/clang/17/lib/linux/x.a", None, Some('p')),
    ("/usr/lib64/clang/17/include/x.h", None, None),
    // Neither
    ("/usr/bin/x", None, None),
    ("/usr/lib64", None, None),
];

/// Every row of the table for both arches, every profile, both methods, both views and each kind of file.
#[test]
fn the_rules_over_files() {
    let mut compared = 0;
    for (path, all, modern) in FILES {
        for (arch, kind, sign) in ["x86_64", "i686"].into_iter().flat_map(|arch| {
            let kinds = [(FileKind::File, "f:"), (FileKind::Directory, "d:"), (FileKind::Ghost, "g:")];
            kinds.map(|(kind, sign)| (arch, kind, sign))
        }) {
            let file = format!("{sign}{path}");
            let package = twin("quux", arch, &[&file], &["quux", "libown.so.1()(64bit)"]);
            let path = package.files[0].path();
            for (&profile, view) in Profile::ALL
                .iter()
                .flat_map(|profile| [FileView::Yum, FileView::Dnf].map(|view| (profile, view)))
            {
                let seen = view == FileView::Dnf || kind == FileKind::File;
                let letter = match profile {
                    Profile::Modern => all.or(*modern),
                    _ => *all,
                };
                let expected = letter.filter(|_| seen);
                for method in [Method::Runtime, Method::Devel] {
                    let verdict = judge(profile, method).with_view(view).judge(&package);
                    let what = format!("{profile} {method} {view} {kind:?} {path}: {verdict}");
                    assert_eq!(verdict.rule.and_then(Rule::letter), expected, "{what}");
                    assert_eq!(verdict.selected, expected.is_some(), "{what}");
                    assert_eq!(verdict.method, expected.map(|_| method), "{what}");
                    assert_eq!(verdict.evidence.as_deref(), expected.map(|_| path), "{what}");
                    compared += 1;
                }
            }
        }
    }
    assert_eq!(compared, FILES.len() * 2 * 3 * 7 * 2 * 2);
}

/// Without a view of its own each profile has the one of the program that it is named after.
#[test]
fn a_profile_has_its_view() {
    for (profile, view, judged) in [
        (Profile::Pungi, FileView::Dnf, Judged::Twin),
        (Profile::Fedora, FileView::Dnf, Judged::Twin),
        (Profile::Koji, FileView::Dnf, Judged::Native),
        (Profile::KojiFixed, FileView::Dnf, Judged::Native),
        (Profile::Mash, FileView::Yum, Judged::Secondary),
        (Profile::Modern, FileView::Yum, Judged::Twin),
        (Profile::None, FileView::Dnf, Judged::Twin),
    ] {
        assert_eq!((profile.view(), judge(profile, Method::Devel).judged()), (view, judged), "{profile}");
        for (file, is_file) in
            [("f:/lib/libc.so.6", true), ("g:/lib/libc.so.6", false), ("d:/lib/x.so.d", false)]
        {
            let verdict = judge(profile, Method::Devel).judge(&twin("glibc", "i686", &[file], &[]));
            assert_eq!(verdict.selected, is_file || view == FileView::Dnf, "{profile} {file}");
        }
    }
}

/// What letters a profile can give: none but `modern` has those from j on.
#[test]
fn letters_are_in_order() {
    let letters: Vec<_> = Rule::ALL.iter().filter_map(|rule| rule.letter()).collect();
    assert!(letters.is_sorted() && letters.first() == Some(&'a') && letters.last() == Some(&'p'));
    let tried: std::collections::BTreeSet<_> =
        FILES.iter().flat_map(|(_, all, modern)| [*all, *modern]).flatten().collect();
    assert!(letters.iter().all(|letter| tried.contains(letter)), "a letter without an example");
    assert_eq!(Rule::Soname.name(), "a: soname in a library folder");
    assert!(Rule::ALL.iter().all(|rule| rule.letter().is_none() || !rule.denies()));
}
