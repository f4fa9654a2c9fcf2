//! Roots: packages with every kind of owner, mode and scriptlet become one tree, whoever makes it, and what rpm
//! passes over fails with the package's name.

use std::collections::BTreeMap;
use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use gander::base::{Digest, RelPath, SourceDate};
use gander::build::{self, Build, Parts};
use gander::format::kickstart::{Dialect, Kickstart, no_includes};
use gander::oci::Image;
use gander::plan::{Action, Input, ResolvedInput, Rights, Step, StepId};
use gander::root::{self, Configure, Install};
use gander::runner::{RunOptions, Runner};
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
    fn new(folder: &Path, from: &Path, packages: &[PathBuf], builder: Digest) -> Self {
        let store = Store::open(folder).unwrap();
        let from = Store::open(from).unwrap();
        let mut objects = Image::load(&from, &builder).unwrap().objects();
        objects.push(builder);
        for object in objects {
            store.put_file(&from.object_path(&object)).unwrap();
        }
        let runner = Runner::new(&store, world::gander()).unwrap();
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
    let (packages, builder) = gosling();
    Workshop::new(&world::scratch().join(name), &world::first().place.store(), &packages, builder)
}

#[test]
fn one_tree_whoever_makes_it() {
    let mut first = workshop("root-first");
    let (configured, ours) = torture(&mut first);
    world::say(format_args!("{ours}"));
    judge(&mut first, &configured);
    let (_, again) = torture(&mut workshop("root-second"));
    assert_eq!(ours, again, "another store, another time");
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
