//! The media of a compose: what the programs that use them say, that they start, and what makes them anew.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::folder::Folder;
use super::peers::install;
use super::world::{First, Order, Place, copy, first, gander, have, is_root, run, say, skip};

fn iso(place: &Place, kind: &str) -> PathBuf {
    place.output().join(format!("compose/BaseOS/x86_64/iso/Gosling-1-20261101.0-BaseOS-x86_64-{kind}1.iso"))
}

/// Takes what is on a medium out of it.
fn extract(iso: &Path, to: &Path) {
    let (image, to) = (iso.to_str().unwrap(), to.to_str().unwrap());
    run(Command::new("xorriso").args(["-indev", image, "-osirrox", "on", "-extract", "/", to])).good();
    // As they are on the medium, nobody may write to its folders, nor remove them.
    run(Command::new("chmod").args(["-R", "u+w", to])).good();
}

#[test]
fn media_are_checked_and_a_flipped_bit_is_found() {
    if !have("media_are_checked_and_a_flipped_bit_is_found", &["checkisomd5", "xorriso", "sha256sum", "gpg"])
    {
        return;
    }
    let place = &first().place;
    for kind in ["live", "dvd"] {
        let iso = iso(place, kind);
        run(Command::new("checkisomd5").arg(&iso)).good();
        let copy = place.folder.join("flipped.iso");
        let mut bytes = fs::read(&iso).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(&copy, bytes).unwrap();
        assert_eq!(run(Command::new("checkisomd5").arg(&copy)).code, Some(1));
        fs::remove_file(copy).unwrap();

        let said =
            run(Command::new("xorriso").arg("-indev").arg(&iso).args(["-report_el_torito", "plain"])).good();
        let boots: Vec<_> = said.out.lines().filter(|line| line.starts_with("El Torito boot img")).collect();
        let of =
            |platform: &str| boots.iter().any(|line| line.split_whitespace().any(|word| word == platform));
        assert!(of("BIOS") && of("UEFI"), "{}", said.out);

        let listed = fs::read_to_string(format!("{}.manifest", iso.display())).unwrap();
        let folder = tempfile::tempdir_in(super::world::scratch()).unwrap();
        extract(&iso, &folder.path().join("tree"));
        let found = run(Command::new("find").arg(folder.path().join("tree")).args([
            "-mindepth",
            "1",
            "-printf",
            "/%P\n",
        ]))
        .good();
        let mut found: Vec<_> = found.out.lines().collect();
        found.sort_unstable();
        let listed: Vec<_> = listed.lines().collect();
        assert_eq!(listed, found, "the manifest of {kind}");
    }
    let folder = iso(place, "dvd").parent().unwrap().to_owned();
    let said = run(Command::new("sha256sum").args(["--check", "CHECKSUM"]).current_dir(&folder)).good();
    assert_eq!(said.out.lines().filter(|line| line.ends_with(": OK")).count(), 2, "{}", said.all());
    let home = tempfile::tempdir().unwrap();
    let gpg = || {
        let mut command = Command::new("gpg");
        command.arg("--homedir").arg(home.path()).arg("--batch");
        command
    };
    run(gpg().arg("--import").arg(place.binary().join("RPM-GPG-KEY-Gosling"))).good();
    run(gpg().arg("--verify").arg(folder.join("CHECKSUM"))).good();
    let text = fs::read_to_string(folder.join("CHECKSUM")).unwrap().replacen("bytes", "Bytes", 1);
    fs::write(home.path().join("changed"), text).unwrap();
    assert_eq!(run(gpg().arg("--verify").arg(home.path().join("changed"))).code, Some(1));
}

/// What productmd makes of a compose and of the trees of its DVD and of the variant, which holds an addon's metadata, too.
const PRODUCTMD: &str = r#"
import sys, productmd
from productmd.compose import Compose
from productmd.treeinfo import TreeInfo
from productmd.discinfo import DiscInfo
compose = Compose(sys.argv[1])
assert compose.info.compose.id == "Gosling-1-20261101.0"
images = compose.images["BaseOS"]["x86_64"]
for image in sorted(images, key=lambda image: image.type):
    print(image.type, image.format, image.bootable, image.implant_md5 is not None, image.volume_id, image.size > 0)
print(compose.info.variants["BaseOS"].paths.isos)
for tree in sys.argv[2:]:
    info = TreeInfo()
    info.load(tree + "/.treeinfo")
    info.validate()
    for path, (kind, checksum) in info.checksums.checksums.items():
        import hashlib
        with open(tree + "/" + path, "rb") as file:
            assert hashlib.new(kind, file.read()).hexdigest() == checksum, path
    disc = DiscInfo()
    disc.load(tree + "/.discinfo")
    print(info.release.name, info.release.version, info.tree.arch, sorted(info.images.images["x86_64"]),
          info.stage2.mainimage, info.media.discnum, len(info.checksums.checksums), disc.description)
"#;

#[test]
fn the_dvd_is_an_install_tree() {
    let test = "the_dvd_is_an_install_tree";
    if !have(test, &["xorriso", "dnf", "rpm"]) {
        return;
    }
    let place = &first().place;
    let folder = tempfile::tempdir_in(super::world::scratch()).unwrap();
    let tree = folder.path().join("dvd");
    extract(&iso(place, "dvd"), &tree);
    // Its packages and metadata are those of the variant.
    for part in ["Packages", "repodata"] {
        Folder::contents(&place.binary().join(part)).assert_same(&Folder::contents(&tree.join(part)));
    }
    if is_root() {
        let said = install(&tree, &folder.path().join("installed"), &["bash", "zlib.i686"], true).good();
        assert!(said.all().contains("Complete!"), "{}", said.all());
    } else {
        skip(test, "only root installs into a root of its own");
    }
    let Ok(python) = std::env::var("GANDER_PEER_PYTHON") else {
        return skip(test, "no productmd: GANDER_PEER_PYTHON is not set");
    };
    let mut command = Command::new(python);
    let said = run(command.args(["-c", PRODUCTMD]).arg(place.output()).arg(&tree).arg(place.binary())).good();
    assert_eq!(
        said.out,
        "dvd iso True True Gosling-1-BaseOS-x86_64 True\n\
         live iso True True Gosling-1-BaseOS-live-x86_64 True\n\
         {'x86_64': 'BaseOS/x86_64/iso'}\n\
         Gosling Linux 1 x86_64 ['efiboot.img', 'eltorito.img', 'initrd', 'kernel'] images/install.img 1 5 Gosling Linux 1\n\
         Gosling Linux 1 x86_64 ['efiboot.img', 'eltorito.img', 'initrd', 'kernel'] images/install.img None 6 Gosling Linux 1\n"
    );
}

/// Starts a medium; what its serial console showed.
fn boot(place: &Place, kind: &str, firmware: &str) -> String {
    let began = Instant::now();
    let mirror = std::env::var("GANDER_TEST_MIRROR").ok();
    let mut command = place.gander(mirror.as_deref());
    let said =
        run(command.arg("boot").arg(iso(place, kind)).args(["--firmware", firmware, "--timeout", "900"]))
            .good();
    let line = said.out.lines().find(|line| line.contains("GANDER-BOOT-OK")).unwrap_or_default().to_owned();
    say(format_args!("{kind}, {firmware}: {:.0} s: {line}", began.elapsed().as_secs_f64()));
    line
}

#[test]
fn both_media_start_by_both_firmwares() {
    let place = &first().place;
    for (firmware, name) in [("bios", "fw=bios"), ("uefi", "fw=efi")] {
        let live = boot(place, "live", firmware);
        assert!(live.contains(name) && live.contains("state=running failed=0 packages=136"), "{live}");
        let dvd = boot(place, "dvd", firmware);
        assert!(dvd.contains(name) && dvd.contains("repository=213"), "{dvd}");
    }
}

/// The steps of a compose after a change, those of packages aside.
fn compose_after(place: &Place, store: &Place) -> Vec<String> {
    run(store.gander(None).args(["--offline", "lock", "--update"]).arg(place.recipe())).good();
    let mut steps = run(store.gander(None).arg("--offline").args(place.compose())).good().steps();
    steps.sort();
    steps
}

fn edit(place: &Place, kickstart: &str, from: &str, to: &str) {
    let path = place.folder.join("kickstarts").join(kickstart);
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{text}");
    fs::write(path, text.replacen(from, to, 1)).unwrap();
}

fn changed(first: &First, name: &str) -> Place {
    let place = Place::new(name, Order::Forward);
    copy(&first.place.lock(), &place.lock(), Order::Forward);
    place
}

#[test]
fn a_changed_script_makes_only_the_live_image_anew() {
    let first = first();
    let place = changed(first, "post");
    edit(&place, "gosling-live.ks", "%post\n", "%post\necho changed > /etc/changed\n");
    let steps = compose_after(&place, &first.place);
    let live = |step: &str| format!("{step} live of BaseOS/x86_64");
    let wanted = ["configure", "initrd", "iso", "loader", "squashfs"]
        .map(live)
        .into_iter()
        .chain(["attach CHECKSUM".into()]);
    let mut wanted: Vec<_> = wanted.collect();
    wanted.sort();
    assert_eq!(steps, wanted);
    fs::remove_dir_all(place.folder).unwrap();
}

/// The first line of an error and where it ends.
fn refused(first: &First, place: &Place, code: i32, words: &[&str]) {
    let began = Instant::now();
    let mut command = first.place.gander(None);
    let said = run(command.args(["--offline", "lock", "--update"]).arg(place.recipe()));
    let said = match said.code {
        Some(0) => run(first.place.gander(None).arg("--offline").args(place.compose())),
        _ => said,
    };
    assert_eq!(said.code, Some(code), "{words:?}: {}", said.all());
    for word in words {
        assert!(said.err.contains(word), "'{word}' is missing:\n{}", said.err);
    }
    say(format_args!("refused after {:.1} s: {}", began.elapsed().as_secs_f64(), words.join(", ")));
    assert!(!place.output().exists());
}

#[test]
fn what_cannot_be_is_said_at_once() {
    let first = first();
    /// A name, the kickstart, what stands in it, what is to stand there, the exit code, words of the error.
    type Case<'a> = (&'a str, &'a str, &'a str, &'a str, i32, &'a [&'a str]);
    let cases: &[Case<'_>] = &[
        ("syntax", "gosling-live.ks", "lang C.UTF-8\n", "lang\n", 2, &["gosling-live.ks:3"]),
        (
            "command",
            "gosling-live.ks",
            "keyboard us\n",
            "keyboard us\nraid / --device=1\n",
            2,
            &["gosling-live.ks:5", "raid"],
        ),
        (
            "group",
            "gosling-live.ks",
            "gosling-boot-marker\n",
            "@nonsense\n",
            2,
            &["nonsense", "gosling-live.ks:"],
        ),
        (
            "package",
            "gosling-live.ks",
            "gosling-boot-marker\n",
            "gosling-boot-maker\n",
            2,
            &["gosling-boot-maker", "did you mean"],
        ),
        (
            "kernel",
            "gosling-live.ks",
            "gosling-boot-marker\n",
            "-kernel\n-kernel-core\n",
            2,
            &["no package of it has a kernel"],
        ),
        (
            "live",
            "gosling-live.ks",
            "@^gosling-live-environment\n",
            "gosling-boot-marker\nkernel\n",
            2,
            &["dracut-live"],
        ),
        (
            "script",
            "gosling-live.ks",
            "%post\n",
            "%post\necho before\nfalse\necho after\nexit 7\n",
            4,
            &["gosling-live.ks:", "after", "exit status 7"],
        ),
        (
            "network",
            "gosling-live.ks",
            "%post\n",
            "%post\nexec 3<>/dev/tcp/192.0.2.1/80 || exit 1\n",
            4,
            &["gosling-live.ks:", "network"],
        ),
    ];
    for (name, file, from, to, code, words) in cases {
        let place = changed(first, &format!("refused-{name}"));
        edit(&place, file, from, to);
        refused(first, &place, *code, words);
        fs::remove_dir_all(place.folder).unwrap();
    }
    let place = changed(first, "refused-volume-id");
    let text = fs::read_to_string(place.recipe()).unwrap();
    let long = "kind = \"live\"\nvolume-id = \"A-very-long-name-of-a-release-that-is-1\"\n";
    fs::write(place.recipe(), text.replacen("kind = \"live\"\n", long, 1)).unwrap();
    refused(first, &place, 2, &["at most 32 characters", "volume-id"]);
    fs::remove_dir_all(place.folder).unwrap();
}

/// A compose that was started and is watched.
struct Started(Child, PathBuf);

impl Started {
    fn new(place: &Place, store: &Path) -> Self {
        let log = place.folder.join("narration");
        let mut command = Command::new(gander());
        command.arg("--store").arg(store).args(["--offline", "-v"]).args(place.compose());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(fs::File::create(&log).unwrap());
        Self(command.spawn().unwrap(), log)
    }

    /// Waits until it has begun this step, and kills it.
    fn kill_in(mut self, step: &str) {
        let end = Instant::now() + Duration::from_secs(600);
        let begun = format!("  start {step} ");
        loop {
            let said = fs::read_to_string(&self.1).unwrap();
            if said.lines().any(|line| line.starts_with(&begun)) {
                break;
            }
            assert!(self.0.try_wait().unwrap().is_none(), "it ended before {step}:\n{said}");
            assert!(Instant::now() < end, "{step} never began:\n{said}");
            std::thread::sleep(Duration::from_millis(20));
        }
        // Some way into it.
        std::thread::sleep(Duration::from_millis(150));
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

#[test]
fn killed_in_every_step_it_goes_on_to_the_same_bytes() {
    let first = first();
    let place = changed(first, "killed");
    let store = place.store();
    run(Command::new("cp").arg("-a").arg(first.place.store()).arg(&store)).good();
    // Steps of media are to run again: what they made is forgotten, and what packages are made of is not.
    let wanted = changed(first, "not-killed");
    // A package that the other system has.
    for (kickstart, more) in [("gosling-live.ks", "gosling-installer"), ("gosling-installer.ks", "less")] {
        for place in [&place, &wanted] {
            edit(place, kickstart, "%packages\n", &format!("%packages\n{more}\n"));
        }
    }
    run(first.place.gander(None).args(["--offline", "lock", "--update"]).arg(place.recipe())).good();
    for step in ["install", "configure", "initrd", "squashfs", "loader", "iso"] {
        Started::new(&place, &store).kill_in(step);
        assert!(!place.output().exists(), "something came out of a run that was killed in {step}");
    }
    let mut again = Command::new(gander());
    run(again.arg("--store").arg(&store).arg("--offline").args(place.compose())).good();
    let left: Vec<_> =
        fs::read_dir(store.join("tmp")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| name.to_string_lossy().ends_with("-objects")), "{left:?}");
    compose_after(&wanted, &first.place);
    Folder::read(&wanted.output()).assert_same(&Folder::read(&place.output()));
    for place in [place, wanted] {
        fs::remove_dir_all(place.folder).unwrap();
    }
}
