//! Roots: packages with every kind of owner, mode and scriptlet become one tree, whoever makes it, and what rpm
//! passes over fails with the package's name.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use gander::base::RelPath;
use gander::build::{self, Build, Parts};
use gander::media::{self, Compression, Squashfs};
use gander::plan::{Input, Rights, Step};
use gander::runner::Choice;
use gander::store::EntryKind;

use super::workshop::{DATE, Gosling, Workshop, date, file, file_name, package_name, path, whole};
use super::world;

mod refused;

/// A root and what is unpacked from its image, by all that an image keeps.
const COMPARE: &str = r#"
set -eu
unsquashfs -no-progress -dest /build/root /in/root.img >/dev/null
say() {
    cd "$1"
    find . -printf '/%P %m %U %G %T@ %y %l\n' | LC_ALL=C sort
    find . -type f -links +1 -printf '%i %p\n' | LC_ALL=C sort -k2 |
        awk '!($1 in first) { first[$1] = $2; next } { print $2, "is", first[$1] }'
    find . -type f -exec sha256sum {} + | LC_ALL=C sort -k2
    find . -type f | LC_ALL=C sort | python3 -c '
import os, sys
for path in sys.stdin.read().splitlines():
    for name in os.listxattr(path):
        print(path, name, os.getxattr(path, name).hex())'
}
say /in/root >/build/theirs
say /build/root >/out/list
diff /build/theirs /out/list >/out/differences || true
"#;
/// Users and groups, owners, modes, capabilities and links of every kind, in the package and made by scriptlets.
const TORTURE: &str = include_str!("root/torture.spec");
const KICKSTART: &str = include_str!("root/torture.ks");

/// A small base with users, shadow's programs, capabilities, systemd and rpm, closed under dependencies.
const BASE: &str = "audit-libs bash bzip2-libs coreutils cryptsetup-libs dbus-libs device-mapper device-mapper-libs \
    elfutils-libelf elfutils-libs file-libs filesystem findutils fsverity-utils-libs glibc glibc-common gmp \
    gosling-release gosling-repos grep iptables-libs json-c kmod-libs libacl libapparmor libargon2 libattr libblkid \
    libcap libcap-ng libcap-utils libdb libfdisk libffi libgcc libgcrypt libgomp libgpg-error libmount libpkgconf \
    libseccomp libselinux libsemanage libsepol libsmartcols libstdc++ libuuid libxcrypt libzstd lua-libs lz4-libs \
    ncurses-base ncurses-libs openssl-libs p11-kit pam pam-libs pcre2 pkgconf popt readline rpm rpm-build-libs \
    rpm-libs rpm-sign-libs sed setup shadow-utils sqlite-libs systemd systemd-libs util-linux xz-libs zlib";

/// The packages of [`BASE`].
fn base(workshop: &Workshop) -> BTreeMap<RelPath, Input> {
    let is_wanted = |path: &&PathBuf| {
        !file_name(path).ends_with(".i686.rpm")
            && BASE.split_whitespace().any(|wanted| wanted == package_name(path))
    };
    workshop.inputs(workshop.packages.iter().filter(is_wanted))
}

/// [`BASE`] with further packages.
fn with(workshop: &Workshop, more: impl IntoIterator<Item = (String, Input)>) -> BTreeMap<RelPath, Input> {
    let mut packages = base(workshop);
    packages.extend(more.into_iter().map(|(name, input)| (path(&format!("{name}.rpm")), input)));
    packages
}

/// [`BASE`], installed.
fn installed(workshop: &mut Workshop) -> Step {
    let install = workshop.install("base", base(workshop), true, None);
    workshop.made(&install);
    install
}

/// The packages of a spec by name.
fn rpms(workshop: &mut Workshop, spec: &str, text: &str) -> BTreeMap<String, Input> {
    let text = Input::Object(workshop.store.put_bytes(text.as_bytes()).unwrap());
    let step = build::step(&Build {
        spec,
        text,
        sources: BTreeMap::new(),
        target: "x86_64",
        parts: Parts::Binary,
        dist: "",
        root: Input::Object(workshop.builder),
        platform: "x86_64",
        source_date: date(),
    })
    .unwrap();
    let tree = workshop.made(&step);
    let files = tree.entries().keys().filter(|path| path.as_str().ends_with(".rpm"));
    let name = |path: &RelPath| path.file_name().split("-1-1.").next().unwrap().to_owned();
    files.map(|path| (name(path), Input::Object(tree.file(path).unwrap().0))).collect()
}

/// Installs and configures the torture set and makes an image of it: the last two steps, and the digests of all three.
fn torture(workshop: &mut Workshop) -> (Step, Step, String) {
    let rpms = rpms(workshop, "torture.spec", TORTURE);
    let install = workshop.install("torture", with(workshop, rpms), true, None);
    let configure = workshop.configure("torture", &install, KICKSTART).unwrap();
    let squashfs = media::squashfs(&Squashfs {
        label: "torture",
        root: whole(&configure),
        compression: Compression::Zstd(3),
        builder: Input::Object(workshop.builder),
        platform: "x86_64",
        source_date: date(),
    })
    .unwrap();
    let mut said = String::new();
    for (what, step) in [("installed", &install), ("configured", &configure), ("image", &squashfs)] {
        let tree = workshop.run(step).unwrap_or_else(|error| panic!("{error}"));
        writeln!(said, "{what} {tree}").unwrap();
    }
    (configure, squashfs, said)
}

/// The variable that tells a process of another user what to do, and its words.
const TOLD: &str = "GANDER_TEST_ROOT";

/// The torture set made by another user, in a process of his.
fn made_by(user: (u32, u32)) -> String {
    let gosling = Gosling::first();
    let folder = world::scratch().join("root-other");
    fs::create_dir(&folder).unwrap();
    std::os::unix::fs::chown(&folder, Some(user.0), Some(user.1)).unwrap();
    let tests = world::scratch().join("tests");
    fs::copy(std::env::current_exe().unwrap(), &tests).unwrap();
    let list = folder.join("../root-packages");
    let lines: Vec<_> = gosling.packages.iter().map(|path| path.to_string_lossy()).collect();
    fs::write(&list, lines.join("\n")).unwrap();
    let words = [
        folder.to_string_lossy().into_owned(),
        gosling.store.to_string_lossy().into_owned(),
        list.to_string_lossy().into_owned(),
        gosling.builder.to_string(),
        gosling.gander.to_string_lossy().into_owned(),
    ];
    let mut command = Command::new("setpriv");
    command.args([format!("--reuid={}", user.0), format!("--regid={}", user.1), "--clear-groups".into()]);
    command.arg(tests).args(["--ignored", "--exact", "root::by_another_user", "--nocapture"]);
    let said = world::run(command.env(TOLD, words.join("\n")).current_dir(&folder)).good();
    fs::read_to_string(folder.join("said")).unwrap_or_else(|_| panic!("{}", said.all()))
}

#[test]
#[ignore = "one_tree_whoever_makes_it starts it as another user"]
fn by_another_user() {
    let told = std::env::var(TOLD).unwrap();
    let [folder, store, list, builder, gander] = told.split('\n').collect::<Vec<_>>()[..] else {
        panic!("{told}")
    };
    let packages = fs::read_to_string(list).unwrap().lines().map(PathBuf::from).collect();
    let builder = builder.parse().unwrap();
    let gosling = Gosling { store: store.into(), packages, builder, gander: gander.into() };
    let mut said = String::new();
    for (name, ids) in [("range", Choice::Range), ("single", Choice::Single)] {
        let mut workshop = Workshop::new(&Path::new(folder).join(name), &gosling, ids);
        said += &torture(&mut workshop).2;
    }
    fs::write(Path::new(folder).join("said"), said).unwrap();
}

#[test]
fn one_tree_whoever_makes_it() {
    let mut first = Workshop::of_first("root-first", Choice::Range);
    let (configured, squashfs, ours) = torture(&mut first);
    world::say(format_args!("{ours}"));
    judge(&mut first, &configured);
    judge_image(&mut first, &configured, &squashfs);
    let (.., again) = torture(&mut Workshop::of_first("root-second", Choice::Range));
    assert_eq!(ours, again, "another store, another time");
    let (.., single) = torture(&mut Workshop::of_first("root-single", Choice::Single));
    assert_eq!(ours, single, "one id");
    match super::alike::other_user() {
        Some(user) => assert_eq!(format!("{ours}{ours}"), made_by(user), "another user, and with one id"),
        None => world::skip("roots of an ordinary user", "there is no other user with subordinate ids"),
    }
}

/// What must be true of the torture set's root.
fn judge(workshop: &mut Workshop, configured: &Step) {
    let tree = workshop.store.tree(&workshop.made[&configured.id()]).unwrap();
    let script = "chroot /out rpm -Va > /out/va || true; chroot /out rpm -qa | wc -l > /out/count";
    let clean = workshop.made(&workshop.script_on(configured, script));
    let odd: Vec<_> = workshop
        .text(&clean, "va")
        .lines()
        .filter(|line| !line.split_whitespace().any(|word| word == "c"))
        .map(str::to_owned)
        .collect();
    assert_eq!(odd, [] as [String; 0]);
    assert_eq!(workshop.text(&clean, "count").trim(), (base(workshop).len() + 2).to_string());
    for (name, entry) in tree.entries() {
        assert!(entry.mtime <= DATE, "{name}");
    }
    let owner = |name: &str| {
        let passwd = workshop.text(&tree, "etc/passwd");
        let line = passwd.lines().find(|line| line.starts_with(&format!("{name}:"))).unwrap().to_owned();
        line.split(':').nth(2).unwrap().parse::<u32>().unwrap()
    };
    let polkitd = owner("polkitd");
    for (name, expected) in [
        ("usr/libexec/torture/plain", (0, 0, 0o644)),
        ("usr/libexec/torture/suid", (0, 0, 0o4755)),
        ("usr/libexec/torture/sgid", (0, 5, 0o2755)),
        ("usr/libexec/torture/utmp", (0, 43, 0o2711)),
        ("usr/libexec/torture/zero", (59, 8, 0)),
        ("usr/libexec/torture/late", (0, 0, 0o4711)),
        ("usr/libexec/torture/installed", (42000, 42000, 0o755)),
        ("usr/libexec/torture/both", (0, 59, 0o4750)),
        ("var/lib/torture/polkit", (polkitd, 0, 0o700)),
        ("var/lib/torture/tss", (59, 59, 0o1770)),
        ("var/lib/torture/mail", (0, 8, 0o2775)),
        ("var/lib/torture/chowned", (59, 8, 0o644)),
        ("var/lib/torture/link", (polkitd, 59, 0o777)),
        ("var/lib/torture/lua", (59, 8, 0o640)),
        ("var/lib/torture/made", (polkitd, 59, 0o2750)),
        ("var/lib/torture/made.d", (42000, 8, 0o3770)),
        ("var/lib/torture/made.d/deep", (42000, 42000, 0o2755)),
        ("home/far", (42000, 42000, 0o755)),
        ("home/far/.bashrc", (42000, 42000, 0o644)),
        ("home/goose/.ssh", (owner("goose"), owner("goose"), 0o700)),
        ("home/goose/.ssh/authorized_keys", (owner("goose"), owner("goose"), 0o600)),
        ("home/locked", (1700, 1700, 0o755)),
        ("srv/goose", (owner("goose"), 1500, 0o2770)),
        ("etc/machine-id", (0, 0, 0o444)),
        ("tmp", (0, 0, 0o1777)),
    ] {
        let entry = tree.get(&path(name)).unwrap_or_else(|| panic!("{name} is missing"));
        assert_eq!((entry.uid, entry.gid, entry.mode), expected, "{name}");
    }
    for (name, capable) in [("caps", true), ("both", true), ("setcapped", true), ("plain", false)] {
        let entry = tree.get(&path(&format!("usr/libexec/torture/{name}"))).unwrap();
        assert_eq!(entry.xattrs.contains_key("security.capability"), capable, "{name}");
    }
    for (name, expected) in [
        ("etc/machine-id", ""),
        ("etc/locale.conf", "LANG=\"de_DE.UTF-8\"\n"),
        ("etc/vconsole.conf", "KEYMAP=\"us\"\n"),
        ("etc/adjtime", "0.0 0 0.0\n0\nUTC\n"),
        ("etc/hostname", "honk\n"),
        ("etc/torture/packages", "76\n"),
        ("var/log/torture/ghost", ""),
        ("var/log/torture/log", ""),
        ("var/log/kept.log", "mine\n"),
        ("root/post.log", "in / as root with 1793491200\n"),
        ("srv/outside", "outside\n"),
        ("home/goose/.ssh/authorized_keys", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA== it's a goose\n"),
    ] {
        assert_eq!(workshop.text(&tree, name), expected, "{name}");
    }
    let shadow = workshop.text(&tree, "etc/shadow");
    let field = |name: &str| {
        let line = shadow.lines().find(|line| line.starts_with(&format!("{name}:"))).unwrap();
        line.split(':').skip(1).take(2).map(str::to_owned).collect::<Vec<_>>()
    };
    for (name, begins) in [("root", "$6$"), ("goose", "$6$"), ("locked", "!"), ("far", "!")] {
        let [hash, day] = field(name).try_into().unwrap();
        assert!(hash.starts_with(begins), "{name}: {hash}");
        assert_eq!(day, (DATE / 86400).to_string(), "{name}");
    }
    for (link, expected) in [
        ("etc/systemd/system/default.target", "multi-user.target"),
        ("etc/systemd/system/multi-user.target.wants/systemd-networkd.service", "systemd-networkd.service"),
        ("etc/systemd/system/getty.target.wants/serial-getty@ttyS0.service", "serial-getty@.service"),
    ] {
        let entry = tree.get(&path(link)).unwrap_or_else(|| panic!("{link} is missing"));
        assert!(
            matches!(&entry.kind, EntryKind::Symlink { target } if target.ends_with(expected)),
            "{link}: {:?}",
            entry.kind
        );
    }
    let linked = |name: &str| matches!(tree.get(&path(name)).unwrap().kind, EntryKind::HardLink { .. });
    assert!(linked("usr/libexec/torture/hard-two") && linked("var/lib/torture/made.d/hard"));
    for name in [
        "etc/passwd-",
        "etc/shadow-",
        "etc/.pwd.lock",
        "etc/localtime",
        "etc/systemd/system/multi-user.target.wants/remote-fs.target",
        "var/lib/dbus/machine-id",
        "var/lib/rpm/.rpm.lock",
        "var/lib/rpm/rpmdb.sqlite-shm",
        "var/lib/systemd/random-seed",
        "var/log/torture/unowned",
        "dev/null",
        "tmp/ks-script",
    ] {
        assert!(tree.get(&path(name)).is_none(), "{name} is still there");
    }
}

/// The image holds the root with all that makes it hard to hold.
fn judge_image(workshop: &mut Workshop, configured: &Step, squashfs: &Step) {
    let inputs = [("root.img", file(squashfs, "root.img")), ("root", whole(configured))];
    let compare = Step { rights: Rights::MakeRoot, ..workshop.script(COMPARE, &[], &inputs) };
    let compared = workshop.made(&compare);
    assert_eq!(workshop.text(&compared, "differences"), "");
    let list = workshop.text(&compared, "list");
    for said in [
        "/usr/libexec/torture/both 4750 0 59 ",
        "usr/libexec/torture/both security.capability 0000000200200000", // cap_net_raw=p
        "hard-two is ./usr/libexec/torture/hard",
    ] {
        assert!(list.contains(said), "nothing says {said}");
    }
}
