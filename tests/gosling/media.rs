//! Media made step by step: what starts them, what is on them, that the check of a medium sees a flipped bit, that
//! all of it is the same bytes twice, and what is refused. `GANDER_TEST_ISO` may name a folder that gets a copy of the
//! live medium, as `grub.iso`, for a look at it.

use std::fs;
use std::path::PathBuf;

use gander::format::volume_id::VolumeId;
use gander::media::{self, Compression, Initrd, Iso, Loader, Menu, Menus, Squashfs, place};
use gander::plan::{Input, Step};
use gander::runner::Choice;
use gander::store::Tree;

use super::workshop::{Workshop, date, file, file_name, path, whole};

const JUDGE: &str = include_str!("media/judge.sh");

impl Workshop {
    /// A root of these packages, configured by a kickstart.
    fn root(&mut self, label: &str, wanted: impl Fn(&str) -> bool, kickstart: &str) -> Step {
        let packages = self.inputs(self.packages.iter().filter(|file| wanted(file_name(file))));
        let install = self.install(label, packages, true, None);
        self.made(&install);
        let configure = self.configure(label, &install, kickstart).unwrap();
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

fn menus(volume_id: &VolumeId) -> Menus {
    let append = &["console=tty0".to_owned(), "console=ttyS0,115200".to_owned()];
    media::live_menu(&Menu { title: "Gosling Linux 1", volume_id, append, check: true, timeout: 1 }).unwrap()
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
    let mut first = Workshop::of_first("media-first", Choice::Auto);
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

    let squashfs = first.squashfs(&root, Compression::Auto);
    let about = first.script(
        "unsquashfs -s /in/root.img >/out/about",
        &[],
        &[("root.img", file(&squashfs, "root.img"))],
    );
    let about = first.made(&about);
    assert!(first.text(&about, "about").contains("Compression zstd"), "{}", first.text(&about, "about"));

    let mut second = Workshop::of_first("media-second", Choice::Auto);
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
    let mut workshop = Workshop::of_first("media-loaders", Choice::Auto);
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
    let mut workshop = Workshop::of_first("media-refused", Choice::Auto);
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
        (
            "mkdir -p usr/lib/grub/x86_64-efi; touch usr/lib/grub/x86_64-efi/moddep.lst",
            "the root has GRUB's modules in /usr/lib/grub/x86_64-efi, and not the grub2-mkimage that belongs to them",
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
        let step = workshop.script_on(&bare, &format!("set -e; cd /out; {script}"));
        workshop.made(&step);
        let error = workshop.run(&workshop.initrd(&step, false)).unwrap_err();
        assert!(error.contains(wanted), "{error}");
    }
}

#[test]
#[ignore = "needs 15 GB below TMPDIR and some minutes"]
fn a_file_of_more_than_4_gib_is_whole() {
    let mut workshop = Workshop::of_first("media-large", Choice::Auto);
    let volume_id = id("Goose-9-x86_64-dvd");
    let root = loaders(&mut workshop, "true");
    let loader = workshop.loader(&root, "x86_64", &volume_id);
    workshop.made(&loader);
    let script = "for i in 1 2 3 4 5; do head -c 900000000 /dev/zero | tr '\\0' $i; done >/out/large";
    let large = workshop.script(script, &[], &[]);
    workshop.made(&large);
    let iso = workshop.iso(&[("Packages/l/large.rpm", file(&large, "large"))], &loader, &volume_id);
    workshop.made(&iso);
    let script = "set -e; xorriso -indev /in/x.iso -osirrox on -extract /Packages/l/large.rpm /build/large 2>/dev/null; \
                  cmp /build/large /in/large; checkisomd5 /in/x.iso; stat -c %s /build/large >/out/size";
    let inputs = [("x.iso", file(&iso, "x.iso")), ("large", file(&large, "large"))];
    let judged = workshop.made(&workshop.script(script, &[], &inputs));
    assert_eq!(workshop.text(&judged, "size"), "4500000000\n");
    fs::remove_dir_all(workshop.store.root()).unwrap();
}
