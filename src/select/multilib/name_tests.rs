use super::tests::{judge, twin};
use super::*;
use crate::select::Universe;

use Method::{All, Base, Devel, File, Kernel, None as No, Runtime, Yaboot};
use Profile::{Fedora, Koji, KojiFixed, Mash, Modern, Pungi};

/// The profiles whose rules over names and kernels are python-multilib's, without lists that have the names here.
const CLASSIC: &[Profile] = &[Pungi, Fedora, Koji, KojiFixed, Mash, Profile::None];
const LIBRARY: &str = "/usr/lib64/libx.so.1";

/// Name, files, provides, method, and the rule in the 64-bit and in the 32-bit package; `!` says no.
type Row<'t> = (&'t str, &'t [&'t str], &'t [&'t str], Method, &'t str, &'t str);

fn said(verdict: &Verdict) -> String {
    assert_eq!(verdict.method.is_some(), verdict.selected && !listed(verdict), "{verdict}");
    match verdict.rule {
        Some(rule) => format!("{}{rule:?}", if verdict.selected { "" } else { "!" }),
        None => String::from("!"),
    }
}

fn listed(verdict: &Verdict) -> bool {
    matches!(verdict.rule, Some(Rule::Whitelist | Rule::ProfileWhitelist))
}

fn check(profiles: &[Profile], rows: &[Row<'_>]) {
    for (name, files, provides, method, wide, slim) in rows {
        for (arch, expected) in [("x86_64", wide), ("i686", slim)] {
            for &profile in profiles {
                let verdict = judge(profile, *method).judge(&twin(name, arch, files, provides));
                assert_eq!(&said(&verdict), expected, "{profile} {method} {name}.{arch} {provides:?}");
                // Whatever a rule hit is told, but where everything is taken.
                let told = verdict.rule.is_some_and(|rule| rule != Rule::Everything);
                assert_eq!(verdict.evidence.is_some(), told, "{profile} {method} {name}.{arch}");
            }
        }
    }
}

#[test]
fn rules_of_names_and_provides() {
    check(
        CLASSIC,
        &[
            // The name's ending, and nothing that is only provided
            ("foo-devel", &[], &["foo-devel"], Devel, "NameEnding", "NameEnding"),
            ("foo-devel", &[], &["foo-devel"], Runtime, "!", "!"),
            ("foo-develop", &[], &["foo-devel"], Devel, "!", "!"),
            ("a-kernel-devel", &[], &["kernel-devel"], Devel, "NameEnding", "NameEnding"),
            // Haskell: no, but with a library
            ("ghc", &[], &[], Devel, "!", "!"),
            ("kernel-tools-libs", &[LIBRARY], &["kernel-tools-libs"], Devel, "Soname", "Soname"),
            // Kernels: yes where the arch has "64" in it, else no, but with something to build with
            ("kernel-rt", &[], &["kernel"], Runtime, "Kernel64", "!Kernel"),
            ("kernel-core", &[LIBRARY], &["x", "kernel"], Devel, "Kernel64", "!Kernel"),
            ("kernel-x", &[], &["kernel-devel"], Runtime, "Kernel64", "!"),
            ("kernel-x", &[], &["kernel-devel"], Devel, "Kernel64", "!KernelDevel"),
            ("kernel-x-devel", &[], &["kernel-devel"], Devel, "Kernel64", "!KernelDevel"),
            ("kernel-x", &[], &["a-devel", "kernel-devel"], Devel, "Kernel64", "KernelProvides"),
            ("kernel-x", &[], &["kernel-devel", "a-devel"], Devel, "Kernel64", "!KernelDevel"),
            ("kernel-x", &[], &["kernel", "a-static"], Devel, "Kernel64", "KernelProvides"),
            ("kernel-x", &[], &["x", "a-static"], Devel, "KernelProvides", "KernelProvides"),
            ("kernel-x", &[], &["kernel(y)"], Devel, "!", "!"),
            ("a-kernel", &[], &["kernel"], Devel, "!", "!"),
            ("kernelshark", &[LIBRARY], &["kernelshark"], Devel, "Soname", "Soname"),
            // Debuggers of wide arches, whole names
            ("gdb", &[], &["gdb"], Runtime, "Debugger", "!"),
            ("systemtap-runtime", &[], &[], Devel, "Debugger", "!"),
            ("frysk", &[], &[], Base, "Debugger", "!"),
            ("ltrace", &[], &[], Base, "Debugger", "!"),
            ("strace", &[], &[], Base, "Debugger", "!"),
            ("systemtap", &[], &[], Base, "Debugger", "!"),
            ("gdb-headless", &[], &[], Base, "!", "!"),
            // The methods by themselves
            ("gdb", &[], &[], Kernel, "!", "!"),
            ("kernel-devel", &[], &["kernel-devel"], Kernel, "Kernel64", "!"),
            ("kernel-rt", &[], &["kernel"], Base, "Kernel64", "!"),
            ("foo-devel", &[LIBRARY], &[], Base, "!", "!"),
            ("foo", &[], &[], All, "Everything", "Everything"),
            ("foo-devel", &[LIBRARY], &[], No, "!", "!"),
            ("yaboot-x", &[], &[], Yaboot, "!", "!"),
        ],
    );
    // On Fedora's whitelist and blacklist.
    check(
        &[Pungi, Koji, KojiFixed, Mash, Profile::None],
        &[
            ("foo-static", &[], &[], Devel, "NameEnding", "NameEnding"),
            ("ghc-foo-devel", &[], &["ghc-foo-devel"], Devel, "!Ghc", "!Ghc"),
            ("ghc-foo", &[LIBRARY], &[], Devel, "Soname", "Soname"),
        ],
    );
}

#[test]
fn yaboot_is_of_ppc() {
    for (name, arch, expected) in [
        ("yaboot-x", "ppc", true),
        ("yaboot", "ppc", true),
        ("yaboot", "ppc64", false),
        ("x-yaboot", "ppc", false),
    ] {
        for &profile in CLASSIC {
            assert_eq!(
                judge(profile, Yaboot).judge(&twin(name, arch, &[], &[])).selected,
                expected || profile == Fedora && name == "yaboot"
            );
        }
    }
    // Base rules ask for "64" in the arch, whatever the arch.
    for (arch, expected) in
        [("ppc64", true), ("ppc64le", true), ("aarch64", true), ("s390x", false), ("ppc", false)]
    {
        assert_eq!(judge(Pungi, Base).judge(&twin("gdb", arch, &[], &[])).selected, expected, "{arch}");
    }
}

#[test]
fn lists_of_the_methods() {
    check(
        &[Pungi],
        &[
            ("httpd-devel", &[], &[], Devel, "NameEnding", "NameEnding"),
            ("httpd", &[LIBRARY], &[], Runtime, "Soname", "Soname"),
            ("valgrind", &[], &[], Runtime, "!", "!"),
        ],
    );
    check(
        &[Koji, KojiFixed, Mash],
        &[
            ("httpd-devel", &[LIBRARY], &[], Devel, "!DevelBlacklist", "!DevelBlacklist"),
            ("httpd-devel", &[LIBRARY], &[], Runtime, "Soname", "Soname"),
            ("php", &[LIBRARY], &[], Runtime, "!RuntimeBlacklist", "!RuntimeBlacklist"),
            // Out of runtime does not mean out of devel.
            ("tomcat-native", &[LIBRARY], &[], Devel, "!RuntimeBlacklist", "!RuntimeBlacklist"),
            ("valgrind", &[], &[], Runtime, "RuntimeWhitelist", "RuntimeWhitelist"),
            ("valgrind", &[], &[], Devel, "RuntimeWhitelist", "RuntimeWhitelist"),
            ("valgrind-tools", &[], &[], Devel, "!", "!"),
        ],
    );
    check(
        &[Mash],
        &[
            ("nosync", &[], &[], Runtime, "RuntimeWhitelist", "RuntimeWhitelist"),
            ("postgresql-odbc", &[], &[], Devel, "RuntimeWhitelist", "RuntimeWhitelist"),
        ],
    );
    check(&[Koji, KojiFixed], &[("nosync", &[], &[], Runtime, "!", "!")]);
    // Koji's lists are text: parts of their names count.
    check(
        &[Koji],
        &[
            ("perl", &[], &[], Runtime, "RuntimeWhitelist", "RuntimeWhitelist"),
            ("lsb", &[], &[], Runtime, "RuntimeWhitelist", "RuntimeWhitelist"),
            ("tomcat", &[LIBRARY], &[], Runtime, "!RuntimeBlacklist", "!RuntimeBlacklist"),
            ("openjdk-devel", &[], &[], Devel, "!DevelBlacklist", "!DevelBlacklist"),
            ("g", &[], &[], File, "Pattern", "Pattern"),
            ("glibc", &[], &[], File, "!", "!"),
        ],
    );
    check(
        &[KojiFixed],
        &[
            ("perl", &[], &[], Runtime, "!", "!"),
            ("tomcat", &[LIBRARY], &[], Runtime, "Soname", "Soname"),
            ("openjdk-devel", &[], &[], Devel, "NameEnding", "NameEnding"),
            ("g", &[], &[], File, "!", "!"),
            ("glibc", &[], &[], File, "Pattern", "Pattern"),
        ],
    );
}

#[test]
fn fedora_is_pungi_with_fedoras_lists() {
    check(
        &[Fedora],
        &[
            ("kernel", &[], &[], Devel, "!ProfileBlacklist", "!ProfileBlacklist"),
            (
                "kernel-debug-devel",
                &[],
                &["kernel-debug-devel"],
                Devel,
                "!ProfileBlacklist",
                "!ProfileBlacklist",
            ),
            ("ghc-foo", &[LIBRARY], &[], Devel, "!ProfileBlacklist", "!ProfileBlacklist"),
            ("php-devel", &[], &[], Devel, "!ProfileBlacklist", "!ProfileBlacklist"),
            ("mod_ssl", &[LIBRARY], &[], Devel, "!ProfileBlacklist", "!ProfileBlacklist"),
            ("foo-static", &[], &[], Runtime, "ProfileWhitelist", "ProfileWhitelist"),
            ("p11-kit-trust", &[], &[], Devel, "ProfileWhitelist", "ProfileWhitelist"),
            ("httpd-filesystem", &[LIBRARY], &[], Devel, "Soname", "Soname"),
        ],
    );
    // The lists are one compose's, and Pungi with them as its own answers alike.
    let [black, white] =
        lists::globs(Fedora).map(|globs| globs.iter().map(|&glob| glob.into()).collect::<Vec<_>>());
    let pungi = Judge::new(Pungi, [Devel, Runtime]).with_lists(white, black);
    let fedora = Judge::new(Fedora, Fedora.default_methods().iter().copied());
    let names = lists::globs(Fedora).concat();
    for name in names.iter().map(|glob| glob.replace('*', "x")).chain(["glibc".into(), "a-devel".into()]) {
        for files in [&[][..], &[LIBRARY]] {
            let package = twin(&name, "i686", files, &[&name]);
            assert_eq!(pungi.judge(&package).selected, fedora.judge(&package).selected, "{name}");
            assert_eq!(pungi.blacklists(&name), fedora.blacklists(&name), "{name}");
        }
    }
    // The compose's own lists come before Fedora's.
    let own = fedora.with_lists(vec!["php*".into()], vec!["valgrind".into()]);
    assert!(own.judge(&twin("php", "i686", &[], &[])).selected && !own.blacklists("php"));
    assert!(!own.judge(&twin("valgrind", "i686", &[], &[])).selected && own.blacklists("valgrind"));
    assert!(own.blacklists("httpd") && !own.blacklists("glibc"));
}

#[test]
fn modern_differs() {
    check(
        &[Modern],
        &[
            // kernel-devel first, whatever the order and the name
            ("kernel-x", &[LIBRARY], &["a-devel", "kernel-devel"], Devel, "!KernelDevel", "!KernelDevel"),
            ("kernel-x", &[], &["kernel-devel", "a-devel"], Devel, "!KernelDevel", "!KernelDevel"),
            ("a-devel", &[], &["kernel-devel"], Runtime, "!KernelDevel", "!KernelDevel"),
            ("kernel-x", &[], &["a-devel"], Devel, "KernelProvides", "KernelProvides"),
            ("kernel", &[LIBRARY], &["kernel"], Devel, "!Kernel", "!Kernel"),
            // No base rules in the others
            ("gdb", &[], &[], Devel, "!", "!"),
            ("gdb", &[], &[], Base, "Debugger", "!"),
            // Lists
            ("valgrind", &[], &[], Runtime, "ProfileWhitelist", "ProfileWhitelist"),
            ("valgrind-tools", &[], &[], Runtime, "!", "!"),
            ("java-17-openjdk-devel", &[], &[], Devel, "!ProfileBlacklist", "!ProfileBlacklist"),
            ("tomcat", &[LIBRARY], &[], Devel, "Soname", "Soname"),
            // What Fedora lists by hand, by rule
            ("glib-networking", &["/usr/lib64/gio/modules/libgiognutls.so"], &[], Devel, "Gio", "Gio"),
            ("p11-kit-trust", &["/usr/lib64/pkcs11/p11-kit-trust.so"], &[], Devel, "Pkcs11", "Pkcs11"),
            ("postgresql-odbc", &["/usr/lib64/psqlodbcw.so"], &[], Devel, "PlainLibrary", "PlainLibrary"),
            ("ibus-gtk3", &["/usr/lib64/gtk-3.0/3.0.0/immodules/im-ibus.so"], &[], Devel, "Gtk", "Gtk"),
            (
                "compiler-rt",
                &["/usr/lib64/clang/17/lib/linux/x.a"],
                &[],
                Devel,
                "CompilerRuntime",
                "CompilerRuntime",
            ),
            // The older rules come first, whatever the order of the files
            ("pam", &["/usr/lib64/security/pam_x.so", LIBRARY], &[], Devel, "Soname", "Soname"),
            // A link to build with is no library without a version
            ("foo-devel", &["/usr/lib64/libfoo.so"], &[], Runtime, "!", "!"),
            ("foo-devel", &["/usr/lib64/libfoo.so"], &[], Devel, "NameEnding", "NameEnding"),
            ("foo-static", &["/usr/lib64/libfoo.so"], &[], Runtime, "!", "!"),
            // A soname counts where it is provided
            (
                "foo",
                &["/usr/lib64/foo/libfoo.so.1"],
                &["libfoo.so.1()(64bit)"],
                Runtime,
                "OwnSoname",
                "OwnSoname",
            ),
            ("foo", &["/usr/lib64/foo/libfoo.so.1"], &["libfoo.so.1(V1)(64bit)"], Runtime, "!", "!"),
            ("foo", &["/usr/lib64/foo/libfoo.so.1"], &[], Runtime, "!", "!"),
        ],
    );
    // Its blacklist keeps rules off, not dependencies.
    assert!(!judge(Modern, Devel).blacklists("httpd"));
}

/// Only the kernel rule of the older profiles reads the order of provides.
#[test]
fn the_order_of_provides_does_not_matter_otherwise() {
    let provides = ["libfoo.so.1()(64bit)", "kernel", "a-devel", "b-static", "kernel-devel", "foo"];
    let packages: &[(&str, &[&str])] = &[
        ("foo", &[]),
        ("foo-devel", &[]),
        ("foo", &["/usr/lib64/foo/libfoo.so.1"]),
        ("ghc-foo", &[]),
        ("gdb", &[]),
        ("kernel-foo", &[LIBRARY]),
        ("kernel-foo", &[]),
    ];
    let mut changed = std::collections::BTreeSet::new();
    for (&profile, &method) in
        Profile::ALL.iter().flat_map(|profile| Method::ALL.iter().map(move |method| (profile, method)))
    {
        for ((name, files), arch) in packages.iter().flat_map(|row| [(row, "x86_64"), (row, "i686")]) {
            let first = judge(profile, method).judge(&twin(name, arch, files, &provides));
            for turn in 1..provides.len() {
                let mut turned = provides;
                turned.rotate_left(turn);
                turned[..3].reverse();
                let verdict = judge(profile, method).judge(&twin(name, arch, files, &turned));
                if verdict.selected != first.selected {
                    changed.insert((profile, method, *name, arch));
                }
            }
        }
    }
    let old = Profile::ALL.iter().filter(|profile| **profile != Modern);
    let expected: Vec<_> = old.map(|&profile| (profile, Devel, "kernel-foo", "i686")).collect();
    assert_eq!(changed.into_iter().collect::<Vec<_>>(), expected);
}

#[test]
fn lists_of_the_compose_come_first_and_methods_in_order() {
    let judge = Judge::new(Pungi, [Devel, Runtime])
        .with_lists(vec!["glib-*".into(), "both".into()], vec!["php*".into(), "both".into()]);
    for (name, expected) in [
        ("php-devel", "not selected, blacklist: php*"),
        ("both", "not selected, blacklist: both"),
        ("glib-networking", "selected, whitelist: glib-*"),
        ("foo-devel", "devel, name ends with -devel or -static: foo-devel"),
        ("ghc-foo-devel", "not selected, Haskell package: ghc-foo-devel"),
        ("foo", "not selected"),
    ] {
        assert_eq!(judge.judge(&twin(name, "i686", &[], &[])).to_string(), expected);
    }
    let both = twin("foo", "i686", &[LIBRARY], &[]);
    for (methods, method) in [([Devel, Runtime], Devel), ([Runtime, Devel], Runtime), ([No, All], All)] {
        assert_eq!(Judge::new(Pungi, methods).judge(&both).method, Some(method));
    }
}

/// `none` takes nothing by rule; the compose's whitelist still counts.
#[test]
fn none_takes_what_the_compose_lists() {
    let judge = Judge::new(Profile::None, Profile::None.default_methods().iter().copied())
        .with_lists(vec!["glibc".into()], Vec::new());
    for (name, expected) in [("glibc", true), ("glibc-devel", false), ("foo", false)] {
        assert_eq!(judge.judge(&twin(name, "i686", &[LIBRARY], &[])).selected, expected, "{name}");
    }
}

#[test]
fn a_request_gives_its_judge() {
    let mut request = Multilib {
        profile: Mash,
        methods: vec![File],
        whitelist: Vec::new(),
        blacklist: vec!["glibc-x".into()],
        patterns: vec!["glibc*".into()],
    };
    let selects = |request: &Multilib, name| Judge::of(request).judge(&twin(name, "i686", &[], &[])).selected;
    assert!(selects(&request, "glibc-devel") && !selects(&request, "glibc-x") && !selects(&request, "foo"));
    // The patterns of the profile itself stay where the request has none.
    request = Multilib { profile: KojiFixed, patterns: Vec::new(), ..request };
    assert!(selects(&request, "glibc") && !selects(&request, "glibc-devel"));
}

/// A package is judged alike by itself and in a universe.
#[test]
fn a_universe_changes_no_verdict() {
    let packages = [
        twin("foo", "i686", &["d:/usr/lib64/krb5/plugins", "g:/usr/lib64/dri/x", LIBRARY], &["foo"]),
        twin("own", "i686", &["/usr/lib64/own/libown.so.1"], &["a", "libown.so.1()(64bit)"]),
        twin("kernel-x", "i686", &[], &["a-devel", "kernel-devel"]),
        twin("none", "i686", &["/top", "d:/"], &[]),
    ];
    let universe = Universe::new(packages.to_vec()).unwrap();
    assert_eq!(universe.len(), packages.len());
    for (&profile, member) in
        Profile::ALL.iter().flat_map(|profile| universe.members().map(move |member| (profile, member)))
    {
        let alone = packages.iter().find(|package| package.nevra == *member.nevra()).unwrap();
        let judge = judge(profile, Devel);
        assert_eq!(judge.judge(&member), judge.judge(alone), "{profile} {}", member.nevra());
    }
}

#[test]
fn views_are_found_by_name() {
    assert!(FileView::NAMES.iter().all(|name| FileView::find(name).unwrap().name() == *name));
    assert_eq!(FileView::ALL.len(), 2);
}
