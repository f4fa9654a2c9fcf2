//! Packages made here, good ones and hostile ones.

use std::fmt::Write as _;
use std::os::unix::fs::MetadataExt as _;

use super::*;

const TIME: u64 = 1_700_000_000;

/// A tar archive under construction; names are written as they are, however hostile.
#[derive(Default)]
struct Tar(Vec<u8>);

impl Tar {
    fn entry(mut self, kind: u8, name: &str, mode: u32, link: &str, size: u64, bytes: &[u8]) -> Self {
        let mut header = tar::Header::new_gnu();
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.as_old_mut().linkname[..link.len()].copy_from_slice(link.as_bytes());
        header.as_old_mut().linkflag = [kind];
        header.set_mode(mode);
        header.set_mtime(TIME);
        header.set_size(size);
        header.set_cksum();
        self.0.extend_from_slice(header.as_bytes());
        self.0.extend_from_slice(bytes);
        self.0.resize(self.0.len().next_multiple_of(512), 0);
        self
    }

    fn file(self, name: &str, mode: u32, text: &str) -> Self {
        self.entry(b'0', name, mode, "", text.len() as u64, text.as_bytes())
    }

    fn folder(self, name: &str, mode: u32) -> Self {
        self.entry(b'5', name, mode, "", 0, b"")
    }

    fn symlink(self, name: &str, target: &str) -> Self {
        self.entry(b'2', name, 0o777, target, 0, b"")
    }

    fn hard_link(self, name: &str, target: &str) -> Self {
        self.entry(b'1', name, 0o644, target, 0, b"")
    }

    fn finish(mut self) -> Vec<u8> {
        self.0.resize(self.0.len() + 1024, 0);
        self.0
    }
}

fn ar(members: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut archive = b"!<arch>\n".to_vec();
    for (name, bytes) in members {
        let mut header = String::new();
        writeln!(header, "{name:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`", 0, 0, 0, 100_644, bytes.len()).unwrap();
        archive.extend_from_slice(header.as_bytes());
        archive.extend_from_slice(bytes);
        archive.resize(archive.len().next_multiple_of(2), b'\n');
    }
    archive
}

fn compress(suffix: &str, bytes: Vec<u8>) -> Vec<u8> {
    match suffix {
        ".gz" => {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(&bytes).unwrap();
            encoder.finish().unwrap()
        }
        ".xz" => {
            let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 1);
            encoder.write_all(&bytes).unwrap();
            encoder.finish().unwrap()
        }
        ".bz2" => {
            let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
            encoder.write_all(&bytes).unwrap();
            encoder.finish().unwrap()
        }
        ".zst" => zstd::encode_all(bytes.as_slice(), 1).unwrap(),
        _ => bytes,
    }
}

#[test]
fn refuses_a_control_archive_that_unpacks_to_far_too_much() {
    let bomb = vec![0; 80 << 20];
    let control = Tar::default().entry(b'0', "bomb", 0o644, "", bomb.len() as u64, &bomb).finish();
    let bytes = ar(&[
        ("debian-binary", b"2.0\n".to_vec()),
        ("control.tar.zst", compress(".zst", control)),
        ("data.tar", Vec::new()),
    ]);
    assert!(bytes.len() < 100_000);
    assert!(failure(&[bytes]).contains("unpacks to more bytes"));
}

/// A package's bytes.
fn deb(name: &str, more: &str, suffix: &str, data: Tar) -> Vec<u8> {
    let control = format!("Package: {name}\nVersion: 1.0\nArchitecture: all\n{more}");
    let control = Tar::default().folder("./", 0o755).file("./control", 0o644, &control).finish();
    ar(&[
        ("debian-binary", b"2.0\n".to_vec()),
        (&format!("control.tar{suffix}"), compress(suffix, control)),
        (&format!("data.tar{suffix}"), compress(suffix, data.finish())),
    ])
}

struct World(tempfile::TempDir);

impl World {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn root(&self) -> PathBuf {
        self.0.path().join("root")
    }

    fn run(&self, debs: &[Vec<u8>]) -> Result<(), UnpackError> {
        let write = |(place, bytes): (usize, &Vec<u8>)| {
            let path = self.0.path().join(format!("{place}.deb"));
            fs::write(&path, bytes).unwrap();
            path
        };
        unpack(&debs.iter().enumerate().map(write).collect::<Vec<_>>(), &self.root())
    }

    fn text(&self, path: &str) -> String {
        fs::read_to_string(self.root().join(path)).unwrap()
    }

    fn target(&self, path: &str) -> String {
        fs::read_link(self.root().join(path)).unwrap().to_str().unwrap().to_owned()
    }

    fn mode(&self, path: &str) -> u32 {
        fs::symlink_metadata(self.root().join(path)).unwrap().mode() & 0o7777
    }
}

fn failure(debs: &[Vec<u8>]) -> String {
    let world = World::new();
    let error = world.run(debs).unwrap_err();
    let outside: Vec<_> =
        ["evil", "0.deb/evil", "../evil"].iter().filter(|path| world.0.path().join(path).exists()).collect();
    assert!(outside.is_empty(), "{outside:?}");
    crate::base::chain(&error).replace(world.0.path().to_str().unwrap(), "")
}

#[test]
fn unpacks_by_the_rules() {
    let data = Tar::default()
        .folder("./", 0o755)
        .folder("./bin/", 0o755)
        .file("./bin/gawk", 0o4755, "awk")
        .symlink("./bin/gawk2", "/usr/bin/gawk2")
        .folder("./lib64/", 0o755)
        .hard_link("./lib64/again", "./bin/gawk")
        .symlink("./usr/bin/absolute", "/etc/x")
        .folder("./srv/", 0o3777)
        .file("./usr/share/man/man1/x.1.gz", 0o644, "x")
        .file("./usr/share/doc/aa/copyright", 0o600, "c")
        .file("./usr/share/doc/aa/changelog.gz", 0o644, "x")
        .file("./var/lib/deep/er/file", 0o640, "d")
        .entry(b'L', "././@LongLink", 0o644, "", 150, format!("./opt/{}", "x".repeat(144)).as_bytes())
        .file("./opt/cut", 0o644, "long");
    for suffix in ["", ".gz", ".xz", ".zst", ".bz2"] {
        let world = World::new();
        let data = Tar(data.0.clone());
        world.run(&[deb("aa", "Description: short\n long\n .\n end\n", suffix, data)]).unwrap();
        assert_eq!(world.target("bin"), "usr/bin");
        assert_eq!(world.target("lib64"), "usr/lib64");
        assert_eq!(world.target("usr/bin/awk"), "gawk");
        assert_eq!(world.target("usr/bin/absolute"), "/etc/x");
        assert_eq!(world.target("var/run"), "../run");
        assert!(!world.root().join("lib32").is_symlink() && !world.root().join("usr/bin/gawk2").is_symlink());
        assert_eq!(world.text("usr/lib64/again"), "awk");
        assert_eq!(fs::metadata(world.root().join("usr/bin/gawk")).unwrap().nlink(), 2);
        assert_eq!(
            (world.mode("usr/bin/gawk"), world.mode("srv"), world.mode("tmp")),
            (0o755, 0o1777, 0o1777)
        );
        assert_eq!((world.mode("usr/share/doc/aa/copyright"), world.mode("var/lib/deep")), (0o600, 0o755));
        assert!(!world.root().join("usr/share/man").exists());
        assert!(!world.root().join("usr/share/doc/aa/changelog.gz").exists());
        assert_eq!(world.text(&format!("opt/{}", "x".repeat(144))), "long");
        assert_eq!(world.text("etc/machine-id"), "");
        assert!(world.text("etc/passwd").starts_with("root:"));
        let status = world.text("var/lib/dpkg/status");
        assert_eq!(
            status,
            "Package: aa\nStatus: install ok installed\nVersion: 1.0\nArchitecture: all\nDescription: short\n long\n .\n end\n\n"
        );
        for path in ["", "usr/bin/gawk", "usr/bin/absolute", "srv", "var/lib/deep", "etc/hosts", "bin"] {
            let found = fs::symlink_metadata(world.root().join(path)).unwrap();
            assert_eq!((found.mtime(), found.mtime_nsec()), (1_700_000_000, 0), "{path}");
        }
    }
}

#[test]
fn copies_the_tables_of_base_passwd() {
    let world = World::new();
    let data =
        Tar::default().file("./usr/share/base-passwd/passwd.master", 0o644, "root:*:0:0:r:/root:/bin/bash\n");
    world.run(&[deb("base-passwd", "", ".xz", data)]).unwrap();
    assert_eq!(world.text("etc/passwd"), "root:*:0:0:r:/root:/bin/bash\n");
    assert!(world.text("etc/group").contains("nogroup:"));
}

#[test]
fn packages_share_what_is_equal() {
    let data = || {
        Tar::default()
            .folder("./a/", 0o755)
            .file("./a/f", 0o644, "same")
            .symlink("./a/l", "f")
            .hard_link("./a/h", "a/f")
    };
    World::new().run(&[deb("aa", "", ".xz", data()), deb("bb", "", ".xz", data())]).unwrap();
}

#[test]
fn what_replaces_wins_in_any_order() {
    let one = || Tar::default().file("./a", 0o644, "one").symlink("./l", "one");
    let two = || Tar::default().file("./a", 0o644, "two").symlink("./l", "two");
    let replaces = "Replaces: xx, aa (<< 2)\n";
    for debs in [
        [deb("aa", "", "", one()), deb("bb", replaces, "", two())],
        [deb("bb", replaces, "", two()), deb("aa", "", "", one())],
    ] {
        let world = World::new();
        world.run(&debs).unwrap();
        assert_eq!((world.text("a"), world.target("l")), ("two".into(), "two".into()));
    }
    for more in ["", "Replaces: aa (<< 1.0)\n"] {
        let debs = [deb("aa", "", "", one()), deb("bb", more, "", two())];
        assert_eq!(failure(&debs), "the packages 'aa' and 'bb' both have 'a' and differ");
    }
    let longer = Tar::default().file("./a", 0o644, "one more");
    assert!(failure(&[deb("aa", "", "", one()), deb("bb", "", "", longer)]).contains("differ"));
}

#[test]
fn refuses_hostile_packages() {
    let tar = Tar::default;
    for (data, expected) in [
        (tar().file("../evil", 0o644, "x"), "not a plain relative path"),
        (tar().file("./a/../../evil", 0o644, "x"), "not a plain relative path"),
        (tar().file("/evil", 0o644, "x"), "not a plain relative path"),
        (tar().file("./a//evil", 0o644, "x"), "not a plain relative path"),
        (tar().entry(b'L', "L", 0, "", 7, b"../evil").file("x", 0o644, "x"), "not a plain relative path"),
        (
            tar().entry(b'x', "x", 0, "", 16, b"16 path=../evil\n").file("x", 0o644, "x"),
            "not a plain relative path",
        ),
        (tar().entry(b'x', "x", 0, "", 10, b"10 size=9\n").file("x", 0o644, "x"), "malformed"),
        (tar().entry(b'L', "L", 0, "", 40_000, &[b'x'; 40_000]).file("x", 0o644, "x"), "malformed"),
        (tar().symlink("./a", "..").file("./a/evil", 0o644, "x"), "'a' is no folder"),
        (tar().symlink("./a", "/tmp").folder("./a/evil", 0o755), "'a' is no folder"),
        (tar().symlink("./usr", "/tmp").symlink("./bin/x", "y"), "'usr' is no folder"),
        (tar().symlink("./a", "..").folder("./a", 0o755), "differ"),
        (tar().file("./a", 0o644, "x").file("./a/b", 0o644, "x"), "'a' is no folder"),
        (tar().folder("./a", 0o755).symlink("./a", "/tmp"), "differ"),
        (tar().symlink("./a", ""), "malformed"),
        (tar().hard_link("./a", "/etc/passwd"), "not a plain relative path"),
        (tar().hard_link("./a", "../0.deb"), "not a plain relative path"),
        (tar().hard_link("./a", "./missing"), "which is no file"),
        (tar().symlink("./l", "/etc/passwd").hard_link("./a", "./l"), "which is no file"),
        (tar().entry(b'3', "./dev/sda", 0o600, "", 0, b""), "'dev/sda' is a device"),
        (tar().entry(b'4', "./dev/sda", 0o600, "", 0, b""), "'dev/sda' is a device"),
        (tar().entry(b'6', "./pipe", 0o600, "", 0, b""), "'pipe' is a named pipe"),
        (tar().entry(b'S', "./sparse", 0o600, "", 0, b""), "sparse"),
        (tar().entry(b'0', "./a", 0o644, "", 100_000, b"short"), "cannot be read"),
        (tar().entry(b'0', "./a", 0o644, "", 1 << 40, b"short"), "cannot be read"),
    ] {
        let text = failure(&[deb("aa", "", ".xz", data)]);
        assert!(text.contains(expected), "{text} / {expected}");
        assert!(text.contains("0.deb") || text.contains("'aa'"), "{text}");
    }
}

#[test]
fn refuses_what_is_no_package() {
    let good = || deb("aa", "", ".xz", Tar::default().file("./a", 0o644, &"x".repeat(5000)));
    let binary = || ("debian-binary", b"2.0\n".to_vec());
    for (bytes, expected) in [
        (b"hello".to_vec(), "cannot be read"),
        (b"hello world".to_vec(), "not start as an ar archive"),
        (ar(&[]), "cannot be read"),
        (ar(&[("control.tar", Vec::new()), binary(), binary()]), "does not start with debian-binary"),
        (ar(&[binary(), binary(), binary()]), "do not follow"),
        (
            ar(&[binary(), ("control.tar.lz", vec![1]), ("data.tar.lz", vec![1])]),
            "compressed in an unknown way",
        ),
        (ar(&[binary(), ("control.tar", Vec::new()), ("data.tar", Vec::new())]), "no valid field 'Package'"),
        (ar(&vec![("_x", Vec::new()); 20]), "too many members"),
        (deb("AA", "", ".xz", Tar::default()), "no valid field 'Package'"),
        (deb("aa", "Replaces: A B\n", ".xz", Tar::default()), "no valid field 'Replaces'"),
        (deb("aa", "nonsense\n", ".xz", Tar::default()), "line 4 is not a field"),
    ] {
        let text = failure(&[bytes]);
        assert!(text.contains(expected), "{text} / {expected}");
    }
    let whole = good();
    World::new().run(std::slice::from_ref(&whole)).unwrap();
    for end in (0..whole.len() - 1).step_by(17) {
        assert!(failure(&[whole[..end].to_vec()]).contains("0.deb"), "{end}");
    }
    // Flipped bytes must never panic nor write elsewhere; most are found by the sums of xz.
    for place in (0..whole.len()).step_by(3) {
        let mut bytes = whole.clone();
        bytes[place] ^= 0x11;
        drop(World::new().run(&[bytes]));
    }
}

#[test]
fn refuses_a_folder_that_is_not_empty() {
    let world = World::new();
    fs::create_dir(world.root()).unwrap();
    fs::write(world.root().join("x"), "").unwrap();
    assert!(matches!(world.run(&[]), Err(UnpackError::NotEmpty(_))));
}
