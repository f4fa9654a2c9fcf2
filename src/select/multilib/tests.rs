use super::super::candidate::PackagedFile;
use super::super::relation::Relation;
use super::*;
use crate::base::Digest;

fn package(name: &str, arch: &str, files: &[(FileKind, &str)], provides: &[&str]) -> Candidate {
    let mut candidate = Candidate::new(format!("{name}-0:1-1.{arch}").parse().unwrap(), Digest::of(name));
    candidate.files = files.iter().map(|(kind, path)| PackagedFile(*kind, (*path).into())).collect();
    candidate.provides = provides.iter().map(|&provided| Relation::any(provided)).collect();
    candidate
}

#[test]
fn the_file_rules() {
    // Written for lib64; the 32-bit package has the same below lib.
    for (path, expected) in [
        ("/usr/lib64/libc.so.6", Some(Rule::Soname)),
        ("/lib64/libc-2.so.6.1", Some(Rule::Soname)),
        ("/usr/lib64/libplain.so", None),
        ("/usr/lib64/sub/libc.so.6", None),
        ("/usr/lib64/alsa-lib/x", Some(Rule::PluginFolder)),
        ("/usr/lib64/dri/x", Some(Rule::PluginFolder)),
        ("/usr/lib64/gtk-2.0/modules/x", Some(Rule::PluginFolder)),
        ("/usr/lib64/gtk-2.0/immodules/x", Some(Rule::PluginFolder)),
        ("/usr/lib64/krb5/plugins/x", Some(Rule::PluginFolder)),
        ("/usr/lib64/krb5/plugins/sub/x", None),
        ("/usr/lib64/sasl2/x", Some(Rule::PluginFolder)),
        ("/usr/lib64/vdpau/x", Some(Rule::PluginFolder)),
        ("/lib64/security/pam_x.so", Some(Rule::PluginFolder)),
        ("/usr/lib64/security/pam_x.so", None),
        ("/etc/lsb-release.d/core", Some(Rule::PluginFolder)),
        ("/etc/ld.so.conf.d/x.conf", Some(Rule::LinkerConfiguration)),
        ("/etc/ld.so.conf.d/x", None),
        ("/lib64/libnss_x.so", Some(Rule::NssOrDb)),
        ("/lib64/libdb-5.so", Some(Rule::NssOrDb)),
        ("/usr/lib64/libnss_x.so", None),
        ("/usr/lib64/gtk-2.0/2.10.0/engines/x", Some(Rule::Gtk2)),
        ("/usr/lib64/gtk-2.0/2.10.0/printbackends/x", Some(Rule::Gtk2)),
        ("/usr/lib64/gtk-2.0/2.10.0/other/x", None),
        ("/usr/lib64/gtk-3.0/3.0.0/immodules/x", None),
        ("/usr/lib64/gstreamer-1.0/x", Some(Rule::Gstreamer)),
        ("/usr/lib64/qt5/plugins/a/x", Some(Rule::QtPlugin)),
        ("/usr/lib64/qt5/plugins/x", None),
        ("/usr/lib64/kde4/plugins/a/x", Some(Rule::KdePlugin)),
        ("/usr/lib64/qt5/qml/a/x", Some(Rule::Qml)),
        ("/usr/lib64/qt6/qml/a/x", None),
        ("/usr/lib64/gdk-pixbuf-2.0/2.10.0/loaders/x", Some(Rule::GdkPixbuf)),
        ("/usr/lib64/xine/plugins/2/x", Some(Rule::Xine)),
        ("/usr/lib64/oprofile/x.so.1", Some(Rule::Oprofile)),
        ("/usr/lib64/oprofile/x.so", None),
        ("/usr/lib64/wine/x.dll.so", Some(Rule::Wine)),
        ("/usr/lib64/wine/sub/x.so", None),
        ("/usr/lib64/sane/libsane-x.so", Some(Rule::Sane)),
        ("/usr/lib64/sane/x.so", None),
        ("/usr/libexec/qt5/plugins/a/x", Some(Rule::QtPlugin)),
        ("/opt/lib64/libc.so.6", None),
    ] {
        for (arch, path) in [("x86_64", path.to_owned()), ("i686", path.replace("lib64", "lib"))] {
            for (view, kind) in [
                (FileView::Dnf, FileKind::File),
                (FileView::Yum, FileKind::File),
                (FileView::Dnf, FileKind::Ghost),
                (FileView::Dnf, FileKind::Directory),
            ] {
                for method in [Method::Runtime, Method::Devel] {
                    let judge = Judge::new(Profile::Pungi, [method]).with_view(view);
                    let verdict = judge.judge(&package("x", arch, &[(kind, &path)], &[]));
                    assert_eq!(
                        (verdict.rule, verdict.selected),
                        (expected, expected.is_some()),
                        "{path} {view}"
                    );
                }
            }
            let yum = Judge::new(Profile::Mash, [Method::Devel]);
            for kind in [FileKind::Ghost, FileKind::Directory] {
                assert!(
                    !yum.judge(&package("x", arch, &[(kind, &path)], &[])).selected,
                    "{path} is no file for yum"
                );
            }
        }
    }
}

#[test]
fn the_rules_of_names_and_provides() {
    use Method::{All, Base, Devel, File, Kernel, None as No, Runtime, Yaboot};
    let library = &[(FileKind::File, "/usr/lib/libx.so.1")][..];
    for (profile, method, name, arch, files, provides, expected) in [
        (Profile::Pungi, Devel, "foo-devel", "i686", &[][..], &[][..], Some(Rule::NameEnding)),
        (Profile::Pungi, Devel, "foo-static", "i686", &[], &[], Some(Rule::NameEnding)),
        (Profile::Pungi, Runtime, "foo-devel", "i686", &[], &[], None),
        (Profile::Pungi, Devel, "foo-devel-docs", "i686", &[], &["foo-devel"], None),
        (Profile::Pungi, Devel, "ghc-foo-devel", "i686", &[], &[], None),
        (Profile::Pungi, Devel, "ghc-foo", "i686", library, &[], Some(Rule::Soname)),
        (
            Profile::Pungi,
            Devel,
            "kernel-x",
            "i686",
            &[],
            &["a-devel", "kernel-devel"],
            Some(Rule::KernelProvides),
        ),
        (Profile::Pungi, Devel, "kernel-x", "i686", &[], &["kernel-devel", "a-devel"], None),
        (Profile::Pungi, Devel, "kernel-core", "i686", library, &["kernel"], None),
        (Profile::Pungi, Base, "kernel-core", "x86_64", &[], &["kernel"], Some(Rule::Kernel64)),
        (Profile::Pungi, Base, "gdb", "x86_64", &[], &[], Some(Rule::Debugger)),
        (Profile::Pungi, Base, "gdb", "i686", &[], &[], None),
        (Profile::Pungi, Kernel, "gdb", "x86_64", &[], &[], None),
        (Profile::Pungi, Kernel, "kernel-devel", "ppc64", &[], &["kernel-devel"], Some(Rule::Kernel64)),
        (Profile::Pungi, Yaboot, "yaboot-x", "ppc", &[], &[], Some(Rule::Yaboot)),
        (Profile::Pungi, Yaboot, "yaboot-x", "ppc64", &[], &[], None),
        (Profile::Pungi, All, "foo", "i686", &[], &[], Some(Rule::Everything)),
        (Profile::Pungi, No, "foo-devel", "i686", library, &[], None),
        (Profile::Pungi, Devel, "httpd-devel", "i686", &[], &[], Some(Rule::NameEnding)),
        (Profile::Mash, Devel, "httpd-devel", "i686", library, &[], None),
        (Profile::Mash, Runtime, "httpd", "i686", library, &[], None),
        (Profile::Mash, Runtime, "nosync", "i686", &[], &[], Some(Rule::RuntimeWhitelist)),
        (Profile::KojiFixed, Runtime, "nosync", "i686", &[], &[], None),
        // Koji's lists are text: parts of their names count.
        (Profile::Koji, Runtime, "perl", "i686", &[], &[], Some(Rule::RuntimeWhitelist)),
        (Profile::KojiFixed, Runtime, "perl", "i686", &[], &[], None),
        (Profile::Koji, Runtime, "tomcat", "i686", library, &[], None),
        (Profile::KojiFixed, Runtime, "tomcat", "i686", library, &[], Some(Rule::Soname)),
        (Profile::Koji, File, "g", "i686", &[], &[], Some(Rule::Pattern)),
        (Profile::Koji, File, "glibc", "i686", &[], &[], None),
        (Profile::KojiFixed, File, "glibc", "i686", &[], &[], Some(Rule::Pattern)),
    ] {
        let verdict = Judge::new(profile, [method]).judge(&package(name, arch, files, provides));
        let found = verdict.rule.filter(|_| verdict.selected);
        assert_eq!(found, expected, "{profile} {method} {name}.{arch}: {verdict}");
        assert_eq!(verdict.method, expected.map(|_| method), "{profile} {method} {name}.{arch}");
    }
}

#[test]
fn lists_of_the_compose_come_first_and_methods_in_order() {
    let judge = Judge::new(Profile::Pungi, [Method::Devel, Method::Runtime])
        .with_lists(vec!["glib-*".into(), "both".into()], vec!["php*".into(), "both".into()]);
    for (name, expected) in [
        ("php-devel", "not selected, blacklist: php*"),
        ("both", "not selected, blacklist: both"),
        ("glib-networking", "selected, whitelist: glib-*"),
        ("foo-devel", "devel, name ends with -devel or -static: foo-devel"),
        ("foo", "not selected"),
    ] {
        assert_eq!(judge.judge(&package(name, "i686", &[], &[])).to_string(), expected);
    }
}

#[test]
fn names_are_found_again() {
    assert!(Profile::NAMES.iter().all(|name| Profile::find(name).unwrap().name() == *name));
    assert!(Method::NAMES.iter().all(|name| Method::find(name).unwrap().name() == *name));
    assert!(Method::find("Devel").is_none() && FileView::find("dnf") == Some(FileView::Dnf));
}
