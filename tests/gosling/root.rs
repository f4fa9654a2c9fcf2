//! Roots: packages with every kind of owner, mode and scriptlet become one tree, whoever makes it, and what rpm
//! passes over fails with the package's name.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use gander::base::{Digest, RelPath, SourceDate};
use gander::build::{self, Build, Parts};
use gander::format::kickstart::{Dialect, Kickstart, no_includes};
use gander::oci::Manifest;
use gander::plan::{Action, Input, ResolvedInput, Rights, Step, StepId};
use gander::root::{self, Configure, Install};
use gander::runner::{Choice, RunOptions, Runner};
use gander::store::{Store, Tree};

use super::world;

/// Users and groups, owners, modes, capabilities and links of every kind, in the package and made by scriptlets.
const TORTURE: &str = include_str!("root/torture.spec");
/// What one id cannot give exactly, each in a package of its own.
const INEXACT: &str = include_str!("root/inexact.spec");
/// What is to be refused, each in a package of its own.
const BROKEN: &str = include_str!("root/broken.spec");
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
        root::install(&Install {
            label: "torture",
            packages,
            docs: true,
            languages: None,
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

/// Installs and configures the torture set: the digests of both trees.
fn torture(workshop: &mut Workshop) -> (Step, String) {
    let rpms = workshop.rpms("torture.spec", TORTURE);
    let install = workshop.install(workshop.with(rpms));
    let installed = workshop.run(&install).unwrap_or_else(|error| panic!("{error}"));
    let configure = workshop.configure(&install, KICKSTART).unwrap();
    let configured = workshop.run(&configure).unwrap_or_else(|error| panic!("{error}"));
    (configure, format!("installed {installed}\nconfigured {configured}\n"))
}

fn workshop(name: &str) -> Workshop {
    workshop_with(name, Choice::Range)
}

fn workshop_with(name: &str, ids: Choice) -> Workshop {
    let (packages, builder) = gosling();
    let from = world::first().place.store();
    Workshop::new(&world::scratch().join(name), &from, &packages, builder, world::gander(), ids)
}

/// The variable that tells a process of another user what to do, and its words.
const TOLD: &str = "GANDER_TEST_ROOT";

/// The torture set made by another user, in a process of his.
fn made_by(user: (u32, u32), ids: &str) -> String {
    let (packages, builder) = gosling();
    let folder = world::scratch().join(format!("root-other-{ids}"));
    fs::create_dir(&folder).unwrap();
    std::os::unix::fs::chown(&folder, Some(user.0), Some(user.1)).unwrap();
    let tests = folder.join("tests");
    fs::copy(std::env::current_exe().unwrap(), &tests).unwrap();
    let list = folder.join("packages");
    let lines: Vec<_> = packages.iter().map(|path| path.to_string_lossy()).collect();
    fs::write(&list, lines.join("\n")).unwrap();
    let words = [
        folder.to_string_lossy().into_owned(),
        world::first().place.store().to_string_lossy().into_owned(),
        list.to_string_lossy().into_owned(),
        builder.to_string(),
        world::gander().to_string_lossy().into_owned(),
        ids.into(),
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
    let [folder, from, list, builder, gander, ids] = told.split('\n').collect::<Vec<_>>()[..] else {
        panic!("{told}")
    };
    let packages: Vec<_> = fs::read_to_string(list).unwrap().lines().map(PathBuf::from).collect();
    let folder = Path::new(folder);
    let builder = builder.parse().unwrap();
    let ids = if ids == "single" { Choice::Single } else { Choice::Range };
    let store = folder.join("store");
    let mut workshop = Workshop::new(&store, Path::new(from), &packages, builder, gander.into(), ids);
    let (_, said) = torture(&mut workshop);
    fs::write(folder.join("said"), said).unwrap();
}

#[test]
fn one_tree_whoever_makes_it() {
    let mut first = workshop("root-first");
    let (configured, ours) = torture(&mut first);
    world::say(format_args!("{ours}"));
    judge(&mut first, &configured);
    let (_, again) = torture(&mut workshop("root-second"));
    assert_eq!(ours, again, "another store, another time");
    let (_, single) = torture(&mut workshop_with("root-single", Choice::Single));
    assert_eq!(ours, single, "one id");
    if world::is_root() {
        // Anybody may have one id.
        assert_eq!(ours, made_by((12345, 12345), "single"), "another user, one id");
    }
    match super::alike::other_user() {
        Some(user) => assert_eq!(ours, made_by(user, "range"), "another user"),
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
    for (name, entry) in tree.entries() {
        assert!(entry.mtime <= DATE, "{name}");
    }
}

#[test]
fn what_rpm_passes_over_is_an_error_with_the_package_s_name() {
    let mut workshop = workshop("root-broken");
    let rpms = workshop.rpms("broken.spec", BROKEN);
    let base = ["post", "pre"];
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
        if base.contains(&name) {
            packages.extend(workshop.base.clone());
        }
        if name == "conflict" {
            let other = rpms["broken-same"].clone();
            packages.insert(path("other.rpm"), other);
        }
        let step = workshop.install(packages);
        let error = workshop.run(&step).unwrap_err();
        for expected in expected {
            assert!(error.contains(expected), "{name} does not say '{expected}':\n{error}");
        }
    }
}

#[test]
fn what_a_kickstart_cannot_have_is_an_error_with_its_line() {
    let mut workshop = workshop("root-kickstart");
    let install = workshop.install(workshop.base.clone());
    workshop.run(&install).unwrap_or_else(|error| panic!("{error}"));
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
        let error = match workshop.configure(&install, text) {
            Ok(step) => workshop.run(&step).unwrap_err(),
            Err(error) => error,
        };
        for expected in expected {
            assert!(error.contains(expected), "{text} does not say '{expected}':\n{error}");
        }
    }
}

/// Files made by somebody else and in folders that hand down a group are exact with one id, too. Programs of 32 bits
/// are nobody's to watch.
#[test]
fn one_id_gives_the_same_or_an_error() {
    let make = |ids: Choice| {
        let mut workshop = workshop_with(&format!("root-inexact-{ids:?}"), ids);
        let rpms = workshop.rpms("inexact.spec", INEXACT);
        let some = |wanted: &[&str]| -> Vec<(String, Input)> {
            let named = wanted.iter().map(|name| format!("inexact-{name}"));
            named.map(|name| (name.clone(), rpms[&name].clone())).collect()
        };
        let exact = workshop.install(workshop.with(some(&["setuid", "setgid"])));
        let exact = workshop.run(&exact).unwrap_or_else(|error| panic!("{error}"));
        let tree = workshop.store.tree(&exact).unwrap();
        for (name, owner) in [("setuid", (8, 8)), ("setgid", (0, 8))] {
            let entry = tree.get(&path(&format!("var/lib/inexact-{name}/made"))).unwrap();
            assert_eq!((entry.uid, entry.gid), owner, "{name}");
        }
        let mut packages = workshop.with(some(&["bits32"]));
        let (all, _) = gosling();
        let is_needed = |path: &&PathBuf| {
            let file = path.file_name().unwrap().to_string_lossy();
            let small = file.starts_with("glibc-2") || file.starts_with("libgcc-");
            small && file.ends_with(".i686.rpm")
        };
        packages.extend(all.iter().filter(is_needed).map(|path| package(&workshop.store, path)));
        let install = workshop.install(packages);
        (exact, workshop.run(&install))
    };
    let (many, run) = make(Choice::Range);
    run.unwrap_or_else(|error| panic!("{error}"));
    let (one, refused) = make(Choice::Single);
    assert_eq!(many, one);
    let refused = refused.unwrap_err();
    for word in ["cannot be carried out with one user id", "ld-linux.so.2", "not one of 64 bits"] {
        assert!(refused.contains(word), "{refused}");
    }
}
