//! Roots: packages with every kind of owner, mode and scriptlet become one tree, whoever makes it, and what rpm
//! passes over fails with the package's name.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use gander::base::{Digest, RelPath, SourceDate};
use gander::build::{self, Build, Parts};
use gander::format::kickstart::{Dialect, Kickstart, no_includes};
use gander::media::{self, Compression, Squashfs};
use gander::oci::Manifest;
use gander::plan::{Action, Input, ResolvedInput, Rights, Step, StepId};
use gander::root::{self, Configure, Install};
use gander::runner::{Choice, RunOptions, Runner};
use gander::store::{EntryKind, Store, Tree};

use super::world;

mod refused;

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

const DATE: i64 = 1_793_491_200;

/// A store with the builder and Gosling's packages, and a runner.
struct Workshop {
    store: Store,
    runner: Runner,
    builder: Digest,
    base: BTreeMap<RelPath, Input>,
    made: BTreeMap<StepId, Digest>,
}

/// Where the packages lie, and the image of the first compose.
fn gosling() -> (Vec<PathBuf>, Digest) {
    let place = &world::first().place;
    let mut packages = Vec::new();
    for letter in fs::read_dir(place.binary().join("Packages")).unwrap() {
        let folder = fs::read_dir(letter.unwrap().path()).unwrap();
        packages.extend(folder.map(|entry| entry.unwrap().path()));
    }
    packages.sort();
    let name = fs::read_dir(place.store().join("images")).unwrap().next().unwrap().unwrap().file_name();
    let digest = format!("sha256:{}", name.to_string_lossy().split('-').next().unwrap());
    (packages, digest.parse().unwrap())
}

impl Workshop {
    /// A new store for whoever runs this.
    fn new(
        folder: &Path,
        from: &Path,
        packages: &[PathBuf],
        builder: Digest,
        gander: PathBuf,
        ids: Choice,
    ) -> Self {
        let store = Store::open(folder).unwrap();
        // By their paths: another user cannot open this store.
        let object = |digest: &Digest| {
            let hex = digest.hex();
            from.join("objects").join(&hex[..2]).join(&hex[2..])
        };
        store.put_file(&object(&builder)).unwrap();
        let manifest = Manifest::parse(&fs::read(object(&builder)).unwrap()).unwrap();
        for digest in
            [manifest.config.digest].into_iter().chain(manifest.layers.iter().map(|layer| layer.blob.digest))
        {
            store.put_file(&object(&digest)).unwrap();
        }
        let runner = Runner::with_ids(&store, gander, ids).unwrap();
        let is_wanted = |path: &&PathBuf| {
            let file = path.file_name().unwrap().to_string_lossy();
            let name = file.rsplitn(3, '-').nth(2).unwrap();
            !file.ends_with(".i686.rpm") && BASE.split_whitespace().any(|wanted| wanted == name)
        };
        let base = packages.iter().filter(is_wanted).map(|path| package(&store, path)).collect();
        Self { store, runner, builder, base, made: BTreeMap::new() }
    }

    fn run(&mut self, step: &Step) -> Result<Digest, String> {
        let resolve = |input: &Input| match input {
            Input::Object(digest) => ResolvedInput::File(*digest),
            Input::Output { step, .. } => ResolvedInput::Tree(self.made[step]),
        };
        let action = Action {
            step: step.clone(),
            inputs: step.inputs.iter().map(|(path, input)| (path.clone(), resolve(input))).collect(),
            root: step.root.as_ref().map(resolve),
            base: step.base.as_ref().map(|input| match resolve(input) {
                ResolvedInput::Tree(digest) | ResolvedInput::File(digest) => digest,
            }),
        };
        let outcome = self.runner.run(&action, &RunOptions::default());
        let tree = outcome.map_err(|error| causes(&error))?.tree;
        self.made.insert(step.id(), tree);
        Ok(tree)
    }

    /// The packages of a spec by name.
    fn rpms(&mut self, spec: &str, text: &str) -> BTreeMap<String, Input> {
        let text = Input::Object(self.store.put_bytes(text.as_bytes()).unwrap());
        let step = build::step(&Build {
            spec,
            text,
            sources: BTreeMap::new(),
            target: "x86_64",
            parts: Parts::Binary,
            dist: "",
            root: Input::Object(self.builder),
            platform: "x86_64",
            source_date: date(),
        })
        .unwrap();
        let tree = self.run(&step).unwrap_or_else(|error| panic!("{error}"));
        let tree = self.store.tree(&tree).unwrap();
        let files = tree.entries().keys().filter(|path| path.as_str().ends_with(".rpm"));
        let name = |path: &RelPath| path.file_name().split("-1-1.").next().unwrap().to_owned();
        files.map(|path| (name(path), Input::Object(tree.file(path).unwrap().0))).collect()
    }

    fn install(&self, packages: BTreeMap<RelPath, Input>) -> Step {
        self.install_only(packages, true, None)
    }

    fn install_only(
        &self,
        packages: BTreeMap<RelPath, Input>,
        docs: bool,
        languages: Option<&[String]>,
    ) -> Step {
        root::install(&Install {
            label: "torture",
            packages,
            docs,
            languages,
            builder: Input::Object(self.builder),
            platform: "x86_64",
            source_date: date(),
        })
        .unwrap()
    }

    fn configure(&self, base: &Step, kickstart: &str) -> Result<Step, String> {
        let kickstart =
            Kickstart::parse("torture.ks", kickstart.as_bytes(), Dialect::Fedora, &mut no_includes);
        let kickstart = kickstart.map_err(|error| error.to_string())?;
        let configuration = root::configuration(&kickstart).map_err(|error| error.to_string())?;
        let put = |bytes: &Vec<u8>| Input::Object(self.store.put_bytes(bytes).unwrap());
        Ok(root::configure(&Configure {
            label: "torture",
            base: whole(base),
            files: configuration.files.iter().map(|(path, bytes)| (path.clone(), put(bytes))).collect(),
            builder: Input::Object(self.builder),
            platform: "x86_64",
            source_date: date(),
        })
        .unwrap())
    }

    /// A script of the builder's with a root in /out.
    fn look(&mut self, base: &Step, script: &str) -> Result<Tree, String> {
        let step = Step {
            executor: gander::plan::Executor::Program(["/bin/sh", "-c", script].map(String::from).into()),
            kind: "look".into(),
            inputs: BTreeMap::new(),
            base: Some(whole(base)),
            rights: Rights::MakeRoot,
            ..base.clone()
        };
        let tree = self.run(&step)?;
        Ok(self.store.tree(&tree).unwrap())
    }

    fn text(&self, tree: &Tree, name: &str) -> String {
        let (file, _) = tree.file(&path(name)).unwrap_or_else(|| panic!("{name} is not there"));
        String::from_utf8(self.store.read_object(&file, 1 << 20).unwrap()).unwrap()
    }

    /// The whole base with the packages of a spec.
    fn with(&self, more: impl IntoIterator<Item = (String, Input)>) -> BTreeMap<RelPath, Input> {
        let mut packages = self.base.clone();
        packages.extend(more.into_iter().map(|(name, input)| (path(&format!("{name}.rpm")), input)));
        packages
    }
}

fn package(store: &Store, file: &Path) -> (RelPath, Input) {
    let name = path(&file.file_name().unwrap().to_string_lossy());
    (name, Input::Object(store.put_file(file).unwrap().0))
}

fn path(text: &str) -> RelPath {
    RelPath::new(text).unwrap()
}

fn date() -> SourceDate {
    SourceDate::from_seconds(DATE).unwrap()
}

fn whole(step: &Step) -> Input {
    Input::Output { step: step.id(), path: None }
}

fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text = format!("{text}\n{cause}");
        next = cause.source();
    }
    text
}

/// Installs and configures the torture set and makes an image of it: the digests of all three.
fn torture(workshop: &mut Workshop) -> (Step, String) {
    let rpms = workshop.rpms("torture.spec", TORTURE);
    let install = workshop.install(workshop.with(rpms));
    let configure = workshop.configure(&install, KICKSTART).unwrap();
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
    (configure, said)
}

fn workshop(name: &str, ids: Choice) -> Workshop {
    let (packages, builder) = gosling();
    let from = world::first().place.store();
    Workshop::new(&world::scratch().join(name), &from, &packages, builder, world::gander(), ids)
}

/// The variable that tells a process of another user what to do, and its words.
const TOLD: &str = "GANDER_TEST_ROOT";

/// The torture set made by another user, in a process of his.
fn made_by(user: (u32, u32)) -> String {
    let (packages, builder) = gosling();
    let folder = world::scratch().join("root-other");
    fs::create_dir(&folder).unwrap();
    std::os::unix::fs::chown(&folder, Some(user.0), Some(user.1)).unwrap();
    let tests = world::scratch().join("tests");
    fs::copy(std::env::current_exe().unwrap(), &tests).unwrap();
    let list = folder.join("../root-packages");
    let lines: Vec<_> = packages.iter().map(|path| path.to_string_lossy()).collect();
    fs::write(&list, lines.join("\n")).unwrap();
    let words = [
        folder.to_string_lossy().into_owned(),
        world::first().place.store().to_string_lossy().into_owned(),
        list.to_string_lossy().into_owned(),
        builder.to_string(),
        world::gander().to_string_lossy().into_owned(),
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
    let [folder, from, list, builder, gander] = told.split('\n').collect::<Vec<_>>()[..] else {
        panic!("{told}")
    };
    let packages: Vec<_> = fs::read_to_string(list).unwrap().lines().map(PathBuf::from).collect();
    let folder = Path::new(folder);
    let builder = builder.parse().unwrap();
    let mut said = String::new();
    for (name, ids) in [("range", Choice::Range), ("single", Choice::Single)] {
        let store = folder.join(name);
        let mut workshop = Workshop::new(&store, Path::new(from), &packages, builder, gander.into(), ids);
        said += &torture(&mut workshop).1;
    }
    fs::write(folder.join("said"), said).unwrap();
}

#[test]
fn one_tree_whoever_makes_it() {
    let mut first = workshop("root-first", Choice::Range);
    let (configured, ours) = torture(&mut first);
    world::say(format_args!("{ours}"));
    judge(&mut first, &configured);
    let (_, again) = torture(&mut workshop("root-second", Choice::Range));
    assert_eq!(ours, again, "another store, another time");
    let (_, single) = torture(&mut workshop("root-single", Choice::Single));
    assert_eq!(ours, single, "one id");
    match super::alike::other_user() {
        Some(user) => assert_eq!(format!("{ours}{ours}"), made_by(user), "another user, and with one id"),
        None => world::skip("roots of an ordinary user", "there is no other user with subordinate ids"),
    }
}

/// What must be true of the torture set's root.
fn judge(workshop: &mut Workshop, configured: &Step) {
    let tree = workshop.store.tree(&workshop.made[&configured.id()]).unwrap();
    let clean = workshop
        .look(configured, "chroot /out rpm -Va > /out/va || true; chroot /out rpm -qa | wc -l > /out/count")
        .unwrap();
    let odd: Vec<_> = workshop
        .text(&clean, "va")
        .lines()
        .filter(|line| !line.split_whitespace().any(|word| word == "c"))
        .map(str::to_owned)
        .collect();
    assert_eq!(odd, [] as [String; 0]);
    assert_eq!(workshop.text(&clean, "count").trim(), (workshop.base.len() + 2).to_string());
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
