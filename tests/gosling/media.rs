//! Media made step by step: what starts them, what is on them, that the check of a medium sees a flipped bit, that
//! all of it is the same bytes twice, and what is refused. `GANDER_TEST_ISO` may name a folder that gets a copy of the
//! live medium, as `grub.iso`, for a look at it.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use gander::base::{Digest, RelPath, SourceDate};
use gander::format::kickstart::{Dialect, Kickstart, no_includes};
use gander::format::volume_id::VolumeId;
use gander::media::{self, Compression, Initrd, Iso, Loader, Menu, Menus, Squashfs, place};
use gander::oci::Image;
use gander::plan::{Action, Executor, Input, ResolvedInput, Rights, Step, StepId};
use gander::root::{self, Configure, Install};
use gander::runner::{RunOptions, Runner};
use gander::store::{Store, Tree};

use super::world;

const JUDGE: &str = include_str!("media/judge.sh");
const DATE: i64 = 1_793_491_200;

/// A store with the builder and Gosling's packages, and a runner.
struct Workshop {
    store: Store,
    runner: Runner,
    builder: Digest,
    made: BTreeMap<StepId, Digest>,
}

impl Workshop {
    fn new(name: &str) -> Self {
        let place = &world::first().place;
        let image = fs::read_dir(place.store().join("images")).unwrap().next().unwrap().unwrap().file_name();
        let image = format!("sha256:{}", image.to_string_lossy().split('-').next().unwrap());
        let builder: Digest = image.parse().unwrap();
        let store = Store::open(&world::scratch().join(name)).unwrap();
        let from = Store::open(&place.store()).unwrap();
        let mut objects = Image::load(&from, &builder).unwrap().objects();
        objects.push(builder);
        for object in objects {
            store.put_file(&from.object_path(&object)).unwrap();
        }
        let runner = Runner::new(&store, world::gander()).unwrap();
        Self { store, runner, builder, made: BTreeMap::new() }
    }

    fn run(&mut self, step: &Step) -> Result<Digest, String> {
        let resolve = |input: &Input| match input {
            Input::Object(digest) => ResolvedInput::File(*digest),
            Input::Output { step, path: None } => ResolvedInput::Tree(self.made[step]),
            Input::Output { step, path: Some(path) } => {
                ResolvedInput::File(self.store.tree(&self.made[step]).unwrap().file(path).unwrap().0)
            }
        };
        let tree = |input: &Input| match resolve(input) {
            ResolvedInput::Tree(digest) | ResolvedInput::File(digest) => digest,
        };
        let action = Action {
            step: step.clone(),
            inputs: step.inputs.iter().map(|(path, input)| (path.clone(), resolve(input))).collect(),
            root: step.root.as_ref().map(resolve),
            base: step.base.as_ref().map(tree),
        };
        let outcome = self.runner.run(&action, &RunOptions::default()).map_err(|error| causes(&error))?;
        self.made.insert(step.id(), outcome.tree);
        world::say(format_args!("  {} {} ({:.1} s)", step.kind, step.label, outcome.elapsed.as_secs_f64()));
        Ok(outcome.tree)
    }

    fn made(&mut self, step: &Step) -> Tree {
        let tree = self.run(step).unwrap_or_else(|error| panic!("{error}"));
        self.store.tree(&tree).unwrap()
    }

    /// A script in the builder.
    fn script(&self, script: &str, words: &[&str], inputs: &[(&str, Input)]) -> Step {
        let head = ["/bin/sh", "-c", script, "test"];
        Step {
            kind: "test".into(),
            label: String::new(),
            params: BTreeMap::new(),
            inputs: inputs.iter().map(|(name, input)| (path(name), input.clone())).collect(),
            root: Some(Input::Object(self.builder)),
            base: None,
            rights: Rights::Plain,
            platform: "x86_64".into(),
            source_date: date(),
            executor: Executor::Program(head.iter().chain(words).map(ToString::to_string).collect()),
        }
    }

    fn text(&self, tree: &Tree, name: &str) -> String {
        let (file, _) = tree.file(&path(name)).unwrap_or_else(|| panic!("{name} is not there"));
        String::from_utf8(self.store.read_object(&file, 1 << 20).unwrap()).unwrap()
    }

    /// A root of these packages, configured by a kickstart.
    fn root(&mut self, label: &str, wanted: impl Fn(&str) -> bool, kickstart: &str) -> Step {
        let mut packages = BTreeMap::new();
        for file in packages_of_first() {
            let name = file.file_name().unwrap().to_string_lossy().into_owned();
            if wanted(&name) {
                packages.insert(path(&name), Input::Object(self.store.put_file(&file).unwrap().0));
            }
        }
        let install = root::install(&Install {
            label,
            packages,
            docs: true,
            languages: None,
            builder: Input::Object(self.builder),
            platform: "x86_64",
            source_date: date(),
        })
        .unwrap();
        self.made(&install);
        let kickstart = Kickstart::parse("x.ks", kickstart.as_bytes(), Dialect::Fedora, &mut no_includes);
        let configuration = root::configuration(&kickstart.unwrap()).unwrap();
        let put = |bytes: &Vec<u8>| Input::Object(self.store.put_bytes(bytes).unwrap());
        let configure = root::configure(&Configure {
            label,
            base: whole(&install),
            files: configuration.files.iter().map(|(path, bytes)| (path.clone(), put(bytes))).collect(),
            builder: Input::Object(self.builder),
            platform: "x86_64",
            source_date: date(),
        })
        .unwrap();
        self.made(&configure);
        configure
    }

    fn initrd(&self, root: &Step, check: bool) -> Step {
        media::initrd(&Initrd {
            label: "live",
            root: whole(root),
            check,
            platform: "x86_64",
            source_date: date(),
        })
        .unwrap()
    }

    fn squashfs(&self, root: &Step, compression: Compression) -> Step {
        media::squashfs(&Squashfs {
            label: "live",
            root: whole(root),
            compression,
            builder: Input::Object(self.builder),
            platform: "x86_64",
            source_date: date(),
        })
        .unwrap()
    }

    fn loader(&self, root: &Step, arch: &str, volume_id: &VolumeId) -> Step {
        media::loader(&Loader {
            label: "live",
            root: whole(root),
            volume_id,
            menus: &menus(volume_id),
            arch,
            builder: Input::Object(self.builder),
            platform: "x86_64",
            source_date: date(),
        })
        .unwrap()
    }

    fn iso(&self, files: &[(&str, Input)], loader: &Step, volume_id: &VolumeId) -> Step {
        media::iso(&Iso {
            label: "live",
            file_name: "x.iso",
            volume_id,
            files: files.iter().map(|(name, input)| (path(name), input.clone())).collect(),
            trees: Vec::new(),
            loader: whole(loader),
            builder: Input::Object(self.builder),
            platform: "x86_64",
            source_date: date(),
        })
        .unwrap()
    }
}

fn packages_of_first() -> Vec<PathBuf> {
    let mut packages = Vec::new();
    for letter in fs::read_dir(world::first().place.binary().join("Packages")).unwrap() {
        let folder = fs::read_dir(letter.unwrap().path()).unwrap();
        packages.extend(folder.map(|entry| entry.unwrap().path()));
    }
    packages.sort();
    packages
}

fn menus(volume_id: &VolumeId) -> Menus {
    let append = "console=tty0 console=ttyS0,115200";
    media::live_menu(&Menu { title: "Gosling Linux 1", volume_id, append, check: true, timeout: 1 }).unwrap()
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

fn file(step: &Step, name: &str) -> Input {
    Input::Output { step: step.id(), path: Some(path(name)) }
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

fn id(text: &str) -> VolumeId {
    VolumeId::new(text).unwrap()
}

/// Judges a medium: what it starts from, that its manifest says what is on it, and its check.
fn judge(workshop: &mut Workshop, iso: &Step, volume_id: &VolumeId) -> Tree {
    let step = workshop.script(JUDGE, &[volume_id.as_str()], &[("x.iso", file(iso, "x.iso"))]);
    let found = workshop.made(&step);
    let report = workshop.text(&found, "report");
    for wanted in ["BIOS  y", "UEFI  y", "MBR", "GPT"] {
        assert!(report.contains(wanted), "{wanted}: {report}");
    }
    assert!(!workshop.text(&found, "mkisofs").contains("SORRY"));
    let made = workshop.store.tree(&workshop.made[&iso.id()]).unwrap();
    assert_eq!(workshop.text(&made, "x.iso.manifest"), workshop.text(&found, "paths"));
    let check = workshop.text(&found, "check");
    let wanted = format!("whole 0\n{}again 0\n", "flipped 1\n".repeat(6));
    assert_eq!(check, wanted);
    found
}

/// All that is not for developing, with or without BIOS's GRUB.
fn live(workshop: &mut Workshop) -> Step {
    let wanted = |name: &str| {
        !name.ends_with(".i686.rpm") && !name.contains("-devel-") && !name.starts_with("gosling-installer")
    };
    workshop.root(
        "live",
        wanted,
        "lang C.UTF-8\ntimezone UTC --utc\nrootpw --plaintext goose\n%packages\n%end\n",
    )
}

fn live_medium(workshop: &mut Workshop) -> (Step, Step, Step) {
    let volume_id = id("Gosling-1-x86_64-live");
    let root = live(workshop);
    let initrd = workshop.initrd(&root, true);
    let squashfs = workshop.squashfs(&root, Compression::Auto);
    let loader = workshop.loader(&root, "x86_64", &volume_id);
    for step in [&initrd, &squashfs, &loader] {
        workshop.made(step);
    }
    let files = [
        (place::KERNEL, file(&initrd, "vmlinuz")),
        (place::INITRD, file(&initrd, "initrd.img")),
        (place::LIVE, file(&squashfs, "root.img")),
    ];
    let iso = workshop.iso(&files, &loader, &volume_id);
    workshop.made(&iso);
    (root, loader, iso)
}

#[test]
fn a_live_medium_is_the_same_twice() {
    let volume_id = id("Gosling-1-x86_64-live");
    let mut first = Workshop::new("media-first");
    let (root, loader, iso) = live_medium(&mut first);
    let made = first.store.tree(&first.made[&loader.id()]).unwrap();
    // Gosling has GRUB for BIOS and no ISOLINUX.
    assert_eq!(first.text(&made, "boot.options"), "grub\n");
    let found = judge(&mut first, &iso, &volume_id);
    let blocks = first.text(&found, "blocks");
    let order = |name: &str| blocks.lines().position(|line| line.ends_with(&format!(" /{name}"))).unwrap();
    assert!(
        order(place::EFIBOOT) < order(place::INITRD) && order(place::KERNEL) < order(place::LIVE),
        "{blocks}"
    );
    let tree = first.store.tree(&first.made[&iso.id()]).unwrap();
    if let Some(folder) = std::env::var_os("GANDER_TEST_ISO") {
        let object = first.store.object_path(&tree.file(&path("x.iso")).unwrap().0);
        fs::copy(object, PathBuf::from(folder).join("grub.iso")).unwrap();
    }

    // Owners, modes, capabilities and times are those of the root.
    let script = "unsquashfs -no-progress -lls -d '' /in/root.img | sed 1,3d | head -n 100000 >/out/list; \
                  unsquashfs -s /in/root.img >/out/about";
    let squashfs = first.squashfs(&root, Compression::Auto);
    let about = first.script(script, &[], &[("root.img", file(&squashfs, "root.img"))]);
    let about = first.made(&about);
    assert!(first.text(&about, "about").contains("Compression zstd"), "{}", first.text(&about, "about"));
    let list = first.text(&about, "list");
    assert!(
        list.lines().any(|line| line.starts_with("-rwsr-xr-x root/root") && line.ends_with("/usr/bin/su"))
    );

    let mut second = Workshop::new("media-second");
    let (_, _, again) = live_medium(&mut second);
    assert_eq!(first.made[&iso.id()], second.made[&again.id()], "another store, another time");
}

/// Trees with boot loaders where distributions have them; what they contain is made up, but for ISOLINUX and
/// GRUB's modules, which are the builder's.
fn loaders(workshop: &mut Workshop, script: &str) -> Step {
    let script = format!(
        "set -eu; umask 022; mkdir -p /out/usr/lib /out/boot/efi/EFI/BOOT /out/boot/efi/EFI/goose; cd /out\n\
         signed() {{ for name; do printf 'MZ %s' \"$name\" >\"boot/efi/EFI/goose/$name\"; done; }}\n\
         isolinux() {{ mkdir -p usr/share/syslinux; cp /usr/lib/ISOLINUX/*.bin \
         /usr/lib/syslinux/modules/bios/*.c32 usr/share/syslinux/; }}\n{script}"
    );
    let step = workshop.script(&script, &[], &[]);
    workshop.made(&step);
    step
}

#[test]
fn boot_loaders_are_the_root_s_own() {
    let mut workshop = Workshop::new("media-loaders");
    let volume_id = id("Goose-9-x86_64-dvd");
    let shim = "signed shimx64.efi gcdx64.efi mmx64.efi grubx64.efi; cp boot/efi/EFI/goose/shimx64.efi boot/efi/EFI/BOOT/";
    for (arch, script, options, wanted) in [
        (
            "x86_64",
            format!("{shim}; isolinux"),
            "isolinux\n",
            vec![
                "EFI/BOOT/BOOTX64.EFI", "EFI/BOOT/grub.cfg", "EFI/BOOT/grubx64.efi", "EFI/BOOT/mmx64.efi",
                "images/efiboot.img", "isolinux/isolinux.bin", "isolinux/isolinux.cfg", "isolinux/ldlinux.c32",
                "isolinux/libcom32.c32", "isolinux/libutil.c32", "isolinux/menu.c32",
            ],
        ),
        (
            "x86_64",
            "true".into(),
            "isolinux\n",
            vec![
                "EFI/BOOT/BOOTX64.EFI", "EFI/BOOT/grub.cfg", "images/efiboot.img", "isolinux/isolinux.bin",
                "isolinux/isolinux.cfg", "isolinux/ldlinux.c32", "isolinux/libcom32.c32", "isolinux/libutil.c32",
                "isolinux/menu.c32",
            ],
        ),
        (
            "aarch64",
            "signed shimaa64.efi gcdaa64.efi mmaa64.efi; mkdir -p usr/share/grub; echo > usr/share/grub/unicode.pf2".into(),
            "uefi\n",
            vec![
                "EFI/BOOT/BOOTAA64.EFI", "EFI/BOOT/fonts/unicode.pf2", "EFI/BOOT/grub.cfg",
                "EFI/BOOT/grubaa64.efi", "EFI/BOOT/mmaa64.efi", "images/efiboot.img",
            ],
        ),
    ] {
        let root = loaders(&mut workshop, &script);
        let loader = workshop.loader(&root, arch, &volume_id);
        let made = workshop.made(&loader);
        assert_eq!(workshop.text(&made, "boot.options"), options);
        let files = made.entries().iter().filter(|(_, entry)| entry.mode & 0o111 == 0);
        let names: Vec<_> = files.filter_map(|(path, _)| path.as_str().strip_prefix("medium/")).collect();
        assert_eq!(names, wanted);
        if script.contains("shim") {
            let shim = if arch == "x86_64" { "x64" } else { "aa64" };
            let name = format!("medium/EFI/BOOT/BOOT{}.EFI", shim.to_uppercase());
            assert_eq!(workshop.text(&made, &name), format!("MZ shim{shim}.efi"));
            assert_eq!(workshop.text(&made, &format!("medium/EFI/BOOT/grub{shim}.efi")), format!("MZ gcd{shim}.efi"));
        }
        // What is in the partition is what is beside it.
        let script = "set -e; mcopy -s -i /in/loader/medium/images/efiboot.img ::EFI /out/; \
                      diff -r /out/EFI /in/loader/medium/EFI >&2";
        let look = workshop.script(script, &[], &[("loader", whole(&loader))]);
        workshop.made(&look);
        let kernel = Input::Object(workshop.store.put_bytes(b"kernel").unwrap());
        let files = [(place::KERNEL, kernel.clone()), ("Packages/a/a=1.rpm", kernel)];
        let iso = workshop.iso(&files, &loader, &volume_id);
        workshop.made(&iso);
        if arch == "x86_64" {
            judge(&mut workshop, &iso, &volume_id);
        }
    }
}

#[test]
fn what_would_not_start_is_refused() {
    let mut workshop = Workshop::new("media-refused");
    let volume_id = id("Goose-9");
    for (script, wanted) in [
        ("signed shimx64.efi", "add grub2-efi-x64-cdboot to its packages"),
        (
            "signed shimx64.efi gcdx64.efi; echo other >boot/efi/EFI/BOOT/gcdx64.efi",
            "the root has several gcdx64.efi that differ: /boot/efi/EFI/BOOT/gcdx64.efi and /boot/efi/EFI/goose/gcdx64.efi",
        ),
        (
            "isolinux; rm usr/share/syslinux/menu.c32",
            "ISOLINUX is not complete: there is no /usr/share/syslinux/menu.c32",
        ),
    ] {
        let root = loaders(&mut workshop, script);
        let error = workshop.run(&workshop.loader(&root, "x86_64", &volume_id)).unwrap_err();
        assert!(error.contains(wanted), "{error}");
    }
    let root = loaders(&mut workshop, "true");
    let error = workshop.run(&workshop.loader(&root, "s390x", &volume_id)).unwrap_err();
    assert!(error.contains("there is no boot loader for media of s390x"), "{error}");

    // A path from two places.
    let loader = workshop.loader(&root, "x86_64", &volume_id);
    workshop.made(&loader);
    let other = Input::Object(workshop.store.put_bytes(b"other").unwrap());
    let iso = workshop.iso(&[("EFI/BOOT/grub.cfg", other)], &loader, &volume_id);
    let error = workshop.run(&iso).unwrap_err();
    assert!(error.contains("two inputs are to be 'EFI/BOOT/grub.cfg' on the medium"), "{error}");

    // Roots that an initrd cannot be of.
    let kickstart = "lang C.UTF-8\ntimezone UTC --utc\nrootpw --lock\n%packages\n%end\n";
    let wanted = |name: &str| {
        let other = ["kernel", "isomd5sum", "dracut", "gosling-installer"]
            .iter()
            .any(|start| name.starts_with(start));
        !name.ends_with(".i686.rpm") && !name.contains("-devel-") && !other
    };
    let bare = workshop.root("bare", wanted, kickstart);
    let error = workshop.run(&workshop.initrd(&bare, false)).unwrap_err();
    assert!(error.contains("missing kernel: the root has none in /lib/modules/VERSION/vmlinuz"), "{error}");
    for (script, wanted) in [
        (
            "mkdir -p usr/lib/modules/1; touch usr/lib/modules/1/vmlinuz",
            "its package's scriptlet has not run depmod",
        ),
        (
            "for v in 1 2; do mkdir -p usr/lib/modules/$v; touch usr/lib/modules/$v/vmlinuz; done",
            "the root has several kernels (1, 2)",
        ),
        (
            "mkdir -p usr/lib/modules/1; touch usr/lib/modules/1/vmlinuz usr/lib/modules/1/modules.dep",
            "the root has no dracut: add dracut",
        ),
    ] {
        let mut step = workshop.script(&format!("set -e; cd /out; {script}"), &[], &[]);
        step.base = Some(whole(&bare));
        step.rights = Rights::MakeRoot;
        workshop.made(&step);
        let error = workshop.run(&workshop.initrd(&step, false)).unwrap_err();
        assert!(error.contains(wanted), "{error}");
    }
}
