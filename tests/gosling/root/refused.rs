//! What is refused: packages that cannot be installed as they are, kickstarts that ask for what an image lacks, and
//! what one id cannot give exactly.

use std::collections::BTreeMap;
use std::path::PathBuf;

use gander::runner::Choice;

use super::{base, installed, rpms, with};
use crate::workshop::{Workshop, file_name, package_name, path};
use crate::world;

/// What one id cannot give exactly, each in a package of its own.
const INEXACT: &str = include_str!("inexact.spec");
/// What is to be refused, each in a package of its own.
const BROKEN: &str = include_str!("broken.spec");

/// A `%post` that gives user 8 a right by an access control list.
const LISTED: &str = r#"
%post --nochroot --interpreter=/usr/bin/python3
import os, struct
path = os.environ["INSTALL_ROOT"] + "/etc/listed"
open(path, "w").close()
none = 0xFFFFFFFF
entries = [(1, 6, none), (2, 4, 8), (4, 4, none), (16, 4, none), (32, 4, none)]
value = struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)
os.setxattr(path, "system.posix_acl_access", value)
%end
"#;

#[test]
fn what_rpm_passes_over_is_an_error_with_the_package_s_name() {
    let mut workshop = Workshop::of_first("root-broken", Choice::Auto);
    let rpms = rpms(&mut workshop, "broken.spec", BROKEN);
    let on_base = ["post", "pre"];
    for (name, expected) in [
        ("pipe", &["the package broken-pipe-1-1.noarch holds a pipe", "/opt/broken/pipe"][..]),
        ("device", &["the package broken-device-1-1.noarch holds a device", "/opt/broken/null"]),
        (
            "owner",
            &[
                "the user ghostly does not exist",
                "the group spirits does not exist",
                "broken-owner-1-1.noarch",
            ],
        ),
        (
            "needs",
            &["something-that-is-not-there >= 3 is needed by broken-needs-1-1.noarch", "its own lines above"],
        ),
        ("lua", &["the package broken-lua-1-1.noarch cannot be installed: its %post", "the goose is gone"]),
        (
            "post",
            &[
                "the goose is gone",
                "the package broken-post-1-1.noarch cannot be installed: its %post scriptlet failed (exit status 3)",
            ],
        ),
        ("pre", &["the package broken-pre-1-1.noarch cannot be installed: its %pre"]),
        ("leaves", &["a script left what an image cannot hold", "/opt/broken/left"]),
        ("conflict", &["/opt/broken/same conflicts"]),
        ("berkeley", &["(broken-berkeley-1-1.noarch) keeps a Berkeley DB database"]),
    ] {
        let more = rpms.iter().filter(|(found, _)| **found == format!("broken-{name}"));
        let more: BTreeMap<_, _> = more.map(|(name, input)| (name.clone(), input.clone())).collect();
        assert_eq!(more.len(), 1, "{name}");
        let mut packages: BTreeMap<_, _> =
            more.into_iter().map(|(name, input)| (path(&format!("{name}.rpm")), input)).collect();
        if on_base.contains(&name) {
            packages.extend(base(&workshop));
        }
        if name == "conflict" {
            let other = rpms["broken-same"].clone();
            packages.insert(path("other.rpm"), other);
        }
        let step = workshop.install("broken", packages, true, None);
        let error = workshop.run(&step).unwrap_err();
        for expected in expected {
            assert!(error.contains(expected), "{name} does not say '{expected}':\n{error}");
        }
    }
}

#[test]
fn documentation_and_languages_are_left_out_on_demand() {
    let mut workshop = Workshop::of_first("root-words", Choice::Auto);
    let rpms = rpms(&mut workshop, "broken.spec", BROKEN);
    let packages = || BTreeMap::from([(path("words.rpm"), rpms["broken-words"].clone())]);
    let de = ["de".to_owned()];
    for (docs, languages, expected, macros) in [
        (true, None, "config de doc fr", None),
        (true, Some(&de[..]), "config de doc", Some("%_install_langs de\n")),
        (true, Some(&[]), "config doc", Some("%_install_langs C\n")),
        (false, None, "config de fr", Some("%_excludedocs 1\n")),
    ] {
        let step = workshop.install("words", packages(), docs, languages);
        let tree = workshop.made(&step);
        let below = tree.entries().keys().filter_map(|path| path.as_str().strip_prefix("opt/broken/"));
        assert_eq!(below.collect::<Vec<_>>().join(" "), expected);
        let found = tree.file(&path("etc/rpm/macros.image"));
        assert_eq!(found.map(|_| workshop.text(&tree, "etc/rpm/macros.image")).as_deref(), macros);
    }
}

#[test]
fn what_a_kickstart_cannot_have_is_an_error_with_its_line() {
    let mut workshop = Workshop::of_first("root-kickstart", Choice::Auto);
    let install = installed(&mut workshop);
    for (text, expected) in [
        (
            "lang C\ntimezone Europe/Nowhere\nservices --enabled=gooosed,systemd-networkd\n\
             user --name=daemon\nsshkey --username=nobody-there key\nselinux --permissive\n\
             firewall --enabled\nauthselect select sssd\nfirstboot --enable\n%post\nexit 1\n%end\n",
            &[
                "torture.ks:2: the image has no time zone 'Europe/Nowhere'",
                "torture.ks:3: there is no service gooosed",
                "torture.ks:4: the user daemon is there already",
                "torture.ks:5: there is no user nobody-there",
                "torture.ks:6: SELinux cannot be permissive",
                "torture.ks:7: the firewall needs firewalld",
                "torture.ks:8: this needs the program authselect",
                "torture.ks:9: there is no service initial-setup.service",
            ][..],
        ),
        (
            "%post\necho fine\n%end\n\n%post --erroronfail\necho 'trying the net'\n\
             echo > /dev/tcp/goose.example.org/80\nexit 7\n%end\n",
            &[
                "torture.ks:5: this %post failed with exit status 7; the last it said:",
                "  trying the net",
                "It looked for a network, and a step has none",
            ],
        ),
        (
            "%post --interpreter=/usr/bin/python3\nimport goose\n%end\n",
            &["torture.ks:1: the image has no /usr/bin/python3, which is to run this %post"],
        ),
    ] {
        let error = match workshop.configure("torture", &install, text) {
            Ok(step) => workshop.run(&step).unwrap_err(),
            Err(error) => error,
        };
        for expected in expected {
            assert!(error.contains(expected), "{text} does not say '{expected}':\n{error}");
        }
    }
}

#[test]
fn one_id_refuses_what_it_cannot_give() {
    let mut range = Workshop::of_first("root-exact", Choice::Range);
    let mut single = Workshop::of_first("root-inexact", Choice::Single);
    for name in ["setuid", "setgid", "bits32"] {
        let mut outcomes = Vec::new();
        for workshop in [&mut range, &mut single] {
            let rpms = rpms(workshop, "inexact.spec", INEXACT);
            let chosen = rpms.into_iter().filter(|(found, _)| *found == format!("inexact-{name}"));
            let mut all = with(workshop, chosen);
            if name == "bits32" {
                let is_wanted = |path: &&PathBuf| {
                    file_name(path).ends_with(".i686.rpm")
                        && ["glibc", "libgcc"].contains(&package_name(path))
                };
                all.extend(workshop.inputs(workshop.packages.iter().filter(is_wanted)));
            }
            let step = workshop.install("inexact", all, true, None);
            outcomes.push(workshop.run(&step).map(|tree| workshop.store.tree(&tree).unwrap()));
        }
        let [exact, refused] = outcomes.try_into().unwrap();
        let exact = exact.unwrap_or_else(|error| panic!("{name} with many ids: {error}"));
        if name != "bits32" {
            let made = exact.get(&path(&format!("var/lib/inexact-{name}/made"))).unwrap();
            assert_eq!((made.uid, made.gid), if name == "setuid" { (8, 8) } else { (0, 8) }, "{name}");
        }
        match refused {
            // Exact, or not at all; calls of another machine are never watched.
            Ok(tree) if name != "bits32" => {
                assert_eq!(tree.to_bytes(), exact.to_bytes(), "{name} with one id");
            }
            Ok(_) => panic!("{name} with one id went unseen"),
            Err(error) => world::say(format_args!("{name} with one id: {error}")),
        }
    }
    // A right of another id in an access control list.
    let mut outcomes = Vec::new();
    for workshop in [&mut range, &mut single] {
        let install = installed(workshop);
        let configure = workshop.configure("torture", &install, LISTED).unwrap();
        outcomes.push(workshop.run(&configure).map(|tree| workshop.store.tree(&tree).unwrap()));
    }
    let [exact, refused] = outcomes.try_into().unwrap();
    exact.unwrap_or_else(|error| panic!("lists with many ids: {error}"));
    let error = refused.unwrap_err();
    assert!(error.contains("an access list that names the id 8"), "{error}");
}
