use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, symlink};

use super::*;
use crate::oci::image::{DOCUMENT_LIMIT, MANIFEST_TYPE};

/// One entry of a layer that a test makes.
enum Made<'a> {
    File(&'a str, &'a str),
    Folder(&'a str, u32),
    Link(&'a str, &'a str),
    Hard(&'a str, &'a str),
    Raw(u8, &'a str),
    Owned(&'a str, u64),
}
use Made::{File, Folder, Hard, Link, Owned, Raw};

fn layer(entries: &[Made<'_>]) -> Vec<u8> {
    let mut out = Vec::new();
    for entry in entries {
        let (kind, path, link, content, mode, uid) = match *entry {
            File(path, content) => (b'0', path, "", content, 0o644, 0),
            Folder(path, mode) => (b'5', path, "", "", mode, 0),
            Link(path, to) => (b'2', path, to, "", 0o777, 0),
            Hard(path, to) => (b'1', path, to, "", 0o644, 0),
            Raw(kind, path) => (kind, path, "", "", 0o644, 0),
            Owned(path, uid) => (b'0', path, "", "", 0o644, uid),
        };
        let mut header = tar::Header::new_gnu();
        // Set as bytes: the library would refuse the paths that we want.
        header.as_mut_bytes()[..path.len()].copy_from_slice(path.as_bytes());
        header.as_mut_bytes()[157..157 + link.len()].copy_from_slice(link.as_bytes());
        header.set_entry_type(tar::EntryType::new(kind));
        header.set_mode(mode);
        header.set_uid(uid);
        header.set_gid(0);
        header.set_mtime(1_000_000_000);
        header.set_size(content.len() as u64);
        header.set_cksum();
        out.extend(header.as_bytes());
        out.extend(content.as_bytes());
        out.resize(out.len().next_multiple_of(512), 0);
    }
    out.resize(out.len() + 1024, 0);
    out
}

struct World {
    folder: tempfile::TempDir,
    store: Store,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("store")).unwrap();
        Self { folder, store }
    }

    fn dest(&self) -> std::path::PathBuf {
        self.folder.path().join("world/root")
    }

    /// An image of layers: (packed bytes, media type's end, diff id).
    fn image(&self, layers: &[(Vec<u8>, &str, Digest)]) -> Digest {
        let ids: Vec<_> = layers.iter().map(|(_, _, id)| id.to_string()).collect();
        let config = serde_json::json!({"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": ids}});
        let config = serde_json::to_vec(&config).unwrap();
        let layers: Vec<_> = layers
            .iter()
            .map(|(bytes, kind, _)| {
                let digest = self.store.put_bytes(bytes).unwrap();
                serde_json::json!({"mediaType": format!("application/vnd.oci.image.layer.v1.tar{kind}"), "digest": digest, "size": bytes.len()})
            })
            .collect();
        let manifest = serde_json::json!({"schemaVersion": 2, "mediaType": MANIFEST_TYPE, "layers": layers,
            "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": Digest::of(&config), "size": config.len()}});
        self.store.put_bytes(&config).unwrap();
        let manifest = serde_json::to_vec(&manifest).unwrap();
        assert!(manifest.len() as u64 <= DOCUMENT_LIMIT);
        self.store.put_bytes(&manifest).unwrap()
    }

    fn plain(&self, layers: &[Vec<u8>]) -> Digest {
        let layers: Vec<_> = layers.iter().map(|bytes| (bytes.clone(), "", Digest::of(bytes))).collect();
        self.image(&layers)
    }

    fn lay_out(&self, image: Digest) -> Result<(), LayOutError> {
        let world = self.folder.path().join("world");
        if world.exists() {
            crate::store::remove_tree(&world).unwrap();
        }
        fs::create_dir(&world).unwrap();
        fs::write(world.join("outside"), "outside").unwrap();
        let result = lay_out_within(
            &self.store,
            &image,
            &self.dest(),
            &IdMap::own(),
            Limits { entries: 1000, layer_bytes: 1 << 20 },
        );
        // Whatever the image does, nothing outside changes.
        assert_eq!(fs::read_to_string(world.join("outside")).unwrap(), "outside");
        let names: Vec<_> = walk(&world).into_iter().filter(|path| !path.starts_with("root")).collect();
        assert_eq!(names, ["outside"]);
        result
    }

    fn layers(&self, layers: &[&[Made<'_>]]) -> Result<Vec<String>, LayOutError> {
        let layers: Vec<_> = layers.iter().map(|entries| layer(entries)).collect();
        self.lay_out(self.plain(&layers))?;
        let skip = |path: &String| MOUNTPOINTS.iter().all(|(name, _)| path != name);
        Ok(walk(&self.dest()).into_iter().filter(skip).collect())
    }
}

#[allow(clippy::disallowed_methods, reason = "sorted")]
fn walk(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut names: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    for name in names {
        let name = name.to_str().unwrap();
        found.push(name.to_owned());
        let path = folder.join(name);
        if fs::symlink_metadata(&path).unwrap().is_dir() {
            found.extend(walk(&path).into_iter().map(|below| format!("{name}/{below}")));
        }
    }
    found
}

#[test]
fn layers_come_out_as_they_say() {
    let world = World::new();
    let image = world.plain(&[layer(&[
        Folder("./", 0o711),
        Folder("ro/", 0o555),
        File("ro/file", "content"),
        File("deep/er/file", "x"),
        Link("link", "ro"),
        Hard("hard", "./ro/file"),
        Hard("hard2", "/link/file"),
        File("/abs", "a"),
        Raw(b'6', "pipe"),
        Raw(b'3', "null"),
        Raw(b'g', "comment"),
    ])]);
    world.lay_out(image).unwrap();
    let at = |path: &str| fs::symlink_metadata(world.dest().join(path)).unwrap();
    assert_eq!(at("").mode() & 0o7777, 0o711);
    assert_eq!(
        (at("ro").mode() & 0o7777, at("ro").mtime(), at("ro").mtime_nsec()),
        (0o555, 1_000_000_000, 0)
    );
    assert_eq!((at("deep/er").mode() & 0o7777, at("deep/er").mtime()), (0o755, 0));
    assert_eq!(
        (at("hard").ino(), at("hard2").ino(), at("ro/file").nlink()),
        (at("ro/file").ino(), at("ro/file").ino(), 3)
    );
    assert_eq!((at("link").mtime(), at("pipe").mode() & 0o170_000), (1_000_000_000, 0o010_000));
    assert_eq!(fs::read_to_string(world.dest().join("ro/file")).unwrap(), "content");
    assert!(!world.dest().join("null").exists());
    for (name, mode) in MOUNTPOINTS {
        assert_eq!((at(name).mode() & 0o7777, at(name).mtime()), (mode, 0), "{name}");
    }
    assert!(matches!(
        lay_out(&world.store, &image, &world.dest(), &IdMap::own()),
        Err(LayOutError::Destination { .. })
    ));
}

#[test]
fn upper_layers_replace_and_remove() {
    let world = World::new();
    let base: &[Made<'_>] =
        &[File("d/a", "1"), File("d/b", "1"), File("e/sub/c", "1"), Link("l", "d"), File("f", "1")];
    for (upper, expected) in [
        (&[File("d/.wh.a", "")][..], "d d/b e e/sub e/sub/c f l"),
        (&[File(".wh.d", "")], "e e/sub e/sub/c f l"),
        (&[File("d/new", ""), File("d/.wh..wh..opq", "")], "d d/new e e/sub e/sub/c f l"),
        (&[File("d/.wh..wh..opq", ""), File("d/new", "")], "d d/new e e/sub e/sub/c f l"),
        (&[File("e/sub/x", ""), File("e/.wh..wh..opq", "")], "d d/a d/b e e/sub e/sub/c e/sub/x f l"),
        (&[File("d/.wh..wh.plnk", "")], "d d/a d/b e e/sub e/sub/c f l"),
        (&[File("l/through", "")], "d d/a d/b d/through e e/sub e/sub/c f l"),
        (&[Folder("l", 0o755), File("l/own", "")], "d d/a d/b e e/sub e/sub/c f l l/own"),
        (&[File("e", "now a file")], "d d/a d/b e f l"),
        (&[Folder("f", 0o755), File("f/x", "")], "d d/a d/b e e/sub e/sub/c f f/x l"),
        (&[File("d/a", "2"), File("d/.wh.a", "")], "d d/a d/b e e/sub e/sub/c f l"),
        (&[File(".wh.none", ""), File("no/.wh.none", "")], "d d/a d/b e e/sub e/sub/c f l"),
    ] {
        assert_eq!(world.layers(&[base, upper]).unwrap().join(" "), expected);
    }
    // Replacing a file does not write into its other name.
    world.layers(&[&[File("a", "old"), Hard("b", "a")], &[File("a", "new")]]).unwrap();
    assert_eq!(fs::read_to_string(world.dest().join("b")).unwrap(), "old");
}

#[test]
fn nothing_leaves_the_root() {
    let world = World::new();
    for entries in [
        &[File("../x", "")][..],
        &[File("a/../../x", "")],
        &[File("..", "")],
        &[File("", "")],
        &[File(".", "")],
        &[Hard("a", "../outside")],
        &[Hard("a", "a")],
        &[Hard("a", "")],
        &[Hard("a", "missing")],
        &[Folder("d", 0o755), Hard("a", "d")],
        &[File("f", ""), File("f/below", "")],
        &[Link("loop", "loop"), File("loop/x", "")],
        &[Link("dangling", "nowhere"), File("dangling/x", "")],
        &[Link("up", "../outside"), File("up/x", "")],
        &[Link("out", "..")],
        &[File("dev", "")],
        &[Raw(b'S', "sparse")],
        &[Raw(b'V', "volume")],
        &[Link("empty", "")],
        &[File("x", ""), File("y/.wh...", "")],
    ] {
        let result = world.layers(&[&[File("base", "")], entries]);
        assert!(matches!(result, Err(LayOutError::Hostile { .. })), "{result:?}");
    }
    // What is resolved inside the root instead.
    for (entries, expected) in [
        (&[Link("up", "../.."), File("up/x", "")][..], "up x"),
        (
            &[
                Link("abs", "/"),
                Folder("t", 0o755),
                Link("t/u", "/../../../t"),
                File("t/u/x", ""),
                File("abs/y", ""),
            ],
            "abs t t/u t/x y",
        ),
        (&[Link("file", "../outside"), File("file", "replaced")], "file"),
        (&[Link("out2", "../outside"), Hard("h", "out2")], "h out2"),
    ] {
        assert_eq!(world.layers(&[entries]).unwrap().join(" "), expected);
    }
    let upper: &[Made<'_>] = &[File("x/.wh.outside", ""), File("x/.wh..wh..opq", ""), File(".wh.x", "")];
    assert_eq!(world.layers(&[&[Link("x", "../"), File("f", "")], upper]).unwrap(), ["f"]);
}

#[test]
fn bombs_and_damage_end_in_an_error() {
    let world = World::new();
    let many: Vec<_> = (0..1001).map(|index| format!("f{index}")).collect();
    let many: Vec<_> = many.iter().map(|name| File(name, "")).collect();
    assert!(matches!(world.layers(&[&many]), Err(LayOutError::TooMuch { .. })));

    let large = "x".repeat(3 << 20);
    assert!(matches!(world.layers(&[&[File("large", &large)]]), Err(LayOutError::TooMuch { .. })));

    let plain = layer(&[File("a", &"text ".repeat(10_000))]);
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(6));
    gzip.write_all(&plain).unwrap();
    let gzip = gzip.finish().unwrap();
    let zstd = zstd::encode_all(&plain[..], 3).unwrap();
    let id = Digest::of(&plain);
    for (bytes, kind) in [(&gzip, "+gzip"), (&zstd, "+zstd")] {
        world.lay_out(world.image(&[(bytes.clone(), kind, id)])).unwrap();
        assert_eq!(fs::metadata(world.dest().join("a")).unwrap().len(), 50_000);
        let cut = bytes[..bytes.len() - 9].to_vec();
        let result = world.lay_out(world.image(&[(cut, kind, id)]));
        assert!(matches!(result, Err(LayOutError::Tar { .. })), "{kind}: {result:?}");
        let other = world.image(&[(bytes.clone(), kind, Digest::of("other"))]);
        assert!(matches!(world.lay_out(other), Err(LayOutError::DiffId { .. })), "{kind}");
    }
    let zeros = vec![0; 64 << 20];
    let bomb = zstd::encode_all(&zeros[..], 3).unwrap();
    let result = world.lay_out(world.image(&[(bomb, "+zstd", Digest::of(&zeros))]));
    assert!(matches!(result, Err(LayOutError::TooMuch { .. })), "{result:?}");
    assert!(matches!(
        world.lay_out(Digest::of("missing")),
        Err(LayOutError::Image(ImageError::Missing { .. }))
    ));
}

#[test]
fn every_flipped_byte_is_noticed_and_none_panics() {
    let world = World::new();
    let good = layer(&[Folder("d", 0o755), File("d/f", "content"), Link("l", "d"), Hard("h", "d/f")]);
    for at in (0..good.len()).step_by(7) {
        let mut bad = good.clone();
        bad[at] ^= 1 << (at % 8);
        let mut root = Unpacker::begin(
            &world.folder.path().join(format!("r{at}")),
            Box::leak(Box::new(IdMap::own())),
            Limits { entries: 100, layer_bytes: 1 << 20 },
        )
        .unwrap();
        assert!(
            root.apply(Digest::of("l"), &bad[..], Compression::None, Digest::of(&good)).is_err(),
            "byte {at}"
        );
    }
}

#[test]
fn owners_that_cannot_be_given_are_an_error() {
    let world = World::new();
    let result = world.layers(&[&[Owned("a", 7)]]);
    assert!(matches!(result, Err(LayOutError::Hostile { .. })), "the map has no place for 7: {result:?}");
    let image = world.plain(&[layer(&[Owned("a", 7)])]);
    let dest = world.folder.path().join("owned");
    let result = lay_out(&world.store, &image, &dest, &IdMap::identity());
    if rustix::process::geteuid().is_root() {
        result.unwrap();
        assert_eq!(fs::metadata(dest.join("a")).unwrap().uid(), 7);
    } else {
        assert!(matches!(result, Err(LayOutError::Privilege { .. })), "{result:?}");
    }
}

#[test]
fn the_destination_may_not_be_a_link() {
    let world = World::new();
    let image = world.plain(&[layer(&[File("a", "")])]);
    let (link, target) = (world.folder.path().join("link"), world.folder.path().join("target"));
    fs::create_dir(&target).unwrap();
    symlink(&target, &link).unwrap();
    assert!(lay_out(&world.store, &image, &link, &IdMap::own()).is_err());
    assert!(walk(&target).is_empty());
}

#[test]
fn capabilities_name_the_root_of_their_map() {
    let mut value = 0x0200_0001_u32.to_le_bytes().to_vec();
    value.extend([9; 16]);
    assert_eq!(owners::capability(&value, 0), value);
    let mapped = owners::capability(&value, 100_000);
    assert_eq!(mapped.len(), 24);
    assert_eq!(mapped[..4], 0x0300_0001_u32.to_le_bytes());
    assert_eq!(mapped[20..], 100_000_u32.to_le_bytes());
    assert_eq!(owners::capability(b"odd", 5), b"odd");
}
