//! Images and a real registry: docker-registry on this machine's loopback device, skopeo as the judge.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "tests may panic, and start programs, read folders and the environment"
)]

#[allow(dead_code, reason = "the bench has more than is needed here")]
#[path = "cli/bench.rs"]
mod bench;

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use bench::{Bench, Output, has_peers, run};
use gander::base::Digest;
use serde_json::json;

/// A registry that ends with the test.
struct Registry {
    server: Child,
    host: String,
    data: PathBuf,
}

impl Registry {
    fn start(bench: &Bench, auth: bool) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let host = format!("127.0.0.1:{port}");
        let data = bench.path("registry");
        let passwords = bench.path("passwords");
        let auth = match auth {
            true => format!("auth: {{htpasswd: {{realm: goose, path: {}}}}}\n", passwords.display()),
            false => String::new(),
        };
        // The password is `egg`.
        bench.write("passwords", "goose:$2b$04$Rxw0BM0ey6XP9JiCFzLJIuzE2xFOCLHdQp09iP56hvJX1fU83Liai\n");
        let config = bench.write(
            "registry.yml",
            format!(
                "version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {}}}, delete: {{enabled: true}}}}\nhttp: {{addr: '{host}'}}\n{auth}",
                data.display()
            ),
        );
        let server = Command::new("docker-registry")
            .arg("serve")
            .arg(config)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let registry = Self { server, host, data };
        for _ in 0..300 {
            if TcpStream::connect(&registry.host).is_ok() {
                return registry;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        panic!("docker-registry does not listen on {}", registry.host);
    }

    fn blob(&self, digest: &Digest) -> PathBuf {
        let hex = digest.hex();
        self.data.join(format!("docker/registry/v2/blobs/sha256/{}/{hex}/data", &hex[..2]))
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        self.server.kill().unwrap();
        self.server.wait().unwrap();
    }
}

/// Writes a layout that holds one image of one plain layer; gives the digests of manifest and layer.
fn layout(folder: &Path) -> (Digest, Digest) {
    let mut builder = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_ustar();
    header.set_mode(0o644);
    // Large enough to come in several pieces.
    let content = vec![b'g'; 3 << 20];
    header.set_size(content.len() as u64);
    builder.append_data(&mut header, "etc/goose", &content[..]).unwrap();
    let layer = builder.into_inner().unwrap();
    let blobs = folder.join("blobs/sha256");
    fs::create_dir_all(&blobs).unwrap();
    let put = |bytes: &[u8]| {
        let digest = Digest::of(bytes);
        fs::write(blobs.join(digest.hex()), bytes).unwrap();
        json!({"digest": digest, "size": bytes.len()})
    };
    let typed = |mut descriptor: serde_json::Value, kind: &str| {
        descriptor["mediaType"] = format!("application/vnd.oci.image.{kind}").into();
        descriptor
    };
    let layer_digest = Digest::of(&layer);
    let config = json!({"architecture": "amd64", "os": "linux", "created": "2026-01-01T00:00:00Z",
        "rootfs": {"type": "layers", "diff_ids": [layer_digest]}});
    let config = typed(put(config.to_string().as_bytes()), "config.v1+json");
    let layers = [typed(put(&layer), "layer.v1.tar")];
    let kind = "application/vnd.oci.image.manifest.v1+json";
    let manifest =
        json!({"schemaVersion": 2, "mediaType": kind, "config": config, "layers": layers}).to_string();
    let index =
        json!({"schemaVersion": 2, "manifests": [typed(put(manifest.as_bytes()), "manifest.v1+json")]});
    fs::write(folder.join("index.json"), index.to_string()).unwrap();
    fs::write(folder.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
    (Digest::of(manifest), layer_digest)
}

/// Runs gander with one of several stores.
fn gander(bench: &Bench, store: &str, arguments: &[&str]) -> Output {
    run(bench.gander().arg("--store").arg(bench.path(store)).args(arguments))
}

#[test]
fn an_image_goes_to_a_registry_and_comes_back_the_same() {
    if !has_peers(&["docker-registry"]) {
        return;
    }
    let bench = Bench::new();
    let registry = Registry::start(&bench, false);
    let (image, layer) = layout(&bench.path("layout"));
    let place = format!("{}/gander/builder", registry.host);
    let pinned = format!("{place}@{image}");
    let push = gander(&bench, "one", &["image", "push", "layout", &format!("{place}:1")]).exits(0);
    assert_eq!(push.stdout, format!("{pinned}\n"));
    // What is there is not sent again.
    gander(&bench, "one", &["image", "push", &image.to_string(), &place]).exits(0).says("the registry has");

    let pull = gander(&bench, "two", &["image", "pull", &pinned]).exits(0);
    assert_eq!(pull.stdout, format!("{image}\n"));
    let shown = gander(&bench, "two", &["image", "show", &image.to_string(), "--format", "json"]).exits(0);
    let shown: serde_json::Value = serde_json::from_str(&shown.stdout).unwrap();
    assert_eq!(shown["layers"][0]["digest"], layer.to_string());
    assert_eq!(shown["architecture"], "amd64");

    gander(&bench, "two", &["image", "pull", &format!("{place}:1")]).exits(2).says("--resolve-tag");
    let pull = gander(&bench, "three", &["image", "pull", "--resolve-tag", &format!("{place}:1")]).exits(0);
    assert_eq!(pull.stdout, format!("{image}\n"));
    gander(&bench, "two", &["image", "pull", "--offline", &pinned]).exits(2);
}

#[test]
fn a_digest_that_is_not_there_is_named() {
    if !has_peers(&["docker-registry"]) {
        return;
    }
    let bench = Bench::new();
    let registry = Registry::start(&bench, false);
    let (image, _) = layout(&bench.path("layout"));
    let place = format!("{}/gander/builder", registry.host);
    gander(&bench, "one", &["image", "push", "layout", &place]).exits(0);
    let other = Digest::of("other").to_string();
    gander(&bench, "two", &["image", "pull", &format!("{place}@{other}")]).exits(3).says(&other);
    gander(&bench, "two", &["image", "push", &image.to_string(), &place])
        .exits(3)
        .says("is not in the store");
    gander(&bench, "two", &["image", "push", "layout", &format!("{place}@{other}")]).exits(2);
}

#[test]
fn a_tampered_blob_is_refused() {
    if !has_peers(&["docker-registry"]) {
        return;
    }
    let bench = Bench::new();
    let registry = Registry::start(&bench, false);
    let (image, layer) = layout(&bench.path("layout"));
    let pinned = format!("{}/gander/builder@{image}", registry.host);
    gander(&bench, "one", &["image", "push", "layout", &pinned]).exits(0);
    let blob = registry.blob(&layer);
    let mut bytes = fs::read(&blob).unwrap();
    bytes[5000] ^= 1;
    fs::write(&blob, &bytes).unwrap();
    gander(&bench, "two", &["image", "pull", &pinned])
        .exits(3)
        .says("sent other content")
        .says(&layer.to_string());
    gander(&bench, "two", &["image", "show", &image.to_string()]).exits(3);
    bytes.push(0);
    fs::write(&blob, &bytes).unwrap();
    gander(&bench, "two", &["image", "pull", &pinned]).exits(3).says(&layer.to_string());
}

#[test]
fn credentials_come_from_a_file_and_are_never_shown() {
    if !has_peers(&["docker-registry"]) {
        return;
    }
    let bench = Bench::new();
    let registry = Registry::start(&bench, true);
    let (image, _) = layout(&bench.path("layout"));
    let pinned = format!("{}/gander/builder@{image}", registry.host);
    gander(&bench, "one", &["image", "push", "layout", &pinned]).exits(4).says("--auth-file");
    let auth = |secret: &str| json!({"auths": {registry.host.clone(): {"auth": secret}}}).to_string();
    // The base64 forms of goose:fox and goose:egg.
    bench.write("wrong.json", auth("Z29vc2U6Zm94"));
    bench.write("right.json", auth("Z29vc2U6ZWdn"));
    let wrong =
        gander(&bench, "one", &["image", "push", "layout", &pinned, "--auth-file", "wrong.json"]).exits(4);
    assert!(!wrong.stderr.contains("fox") && !wrong.stderr.contains("Z29vc2U6Zm94"), "{wrong}");
    gander(&bench, "one", &["image", "push", "layout", &pinned, "--auth-file", "right.json"]).exits(0);
    gander(&bench, "two", &["image", "pull", &pinned, "--auth-file", "right.json"]).exits(0);
    gander(&bench, "two", &["image", "pull", &pinned, "--auth-file", "none.json"]).exits(4).says("none.json");
}

#[test]
fn skopeo_reads_what_we_export_and_push() {
    if !has_peers(&["docker-registry", "skopeo"]) {
        return;
    }
    let bench = Bench::new();
    let registry = Registry::start(&bench, false);
    let (image, _) = layout(&bench.path("layout"));
    let place = format!("{}/gander/builder:1", registry.host);
    gander(&bench, "one", &["image", "push", "layout", &place]).exits(0);
    let skopeo = |arguments: &[&str]| run(Command::new("skopeo").args(arguments)).exits(0).stdout;
    let inspected = skopeo(&["inspect", "--tls-verify=false", &format!("docker://{place}")]);
    let inspected: serde_json::Value = serde_json::from_str(&inspected).unwrap();
    assert_eq!(inspected["Digest"], image.to_string());

    let store = gander::store::Store::open(&bench.path("one")).unwrap();
    gander::oci::export(&store, &image, Some("builder:1"), &bench.path("exported")).unwrap();
    let exported = format!("oci:{}:builder:1", bench.path("exported").display());
    let inspected: serde_json::Value = serde_json::from_str(&skopeo(&["inspect", &exported])).unwrap();
    assert_eq!(inspected["Digest"], image.to_string());
    let copy = bench.path("copy");
    let to = format!("oci:{}:x", copy.display());
    skopeo(&[
        "copy",
        "--quiet",
        "--preserve-digests",
        "--dest-oci-accept-uncompressed-layers",
        &exported,
        &to,
    ]);
    let other = gander::store::Store::open(&bench.path("two")).unwrap();
    assert_eq!(gander::oci::import(&other, &copy, None).unwrap(), image);
}

/// What `recipes/images/builder.lock` assembles to. Whoever changes the lock, the rules of unpacking or the
/// layer's form changes this digest, every lock that names it and everything built in it: raise the image
/// step's REVISION when the code changed, then update all locks.
const BUILDER: &str = "sha256:c32b09ff141e07a780b881b6800f5341ee315b1d08f1afae345920125aa463bf";

#[test]
fn the_standard_builder_is_the_image_that_is_committed() {
    let bench = Bench::new();
    let recipes = Path::new(env!("CARGO_MANIFEST_DIR")).join("recipes");
    let lock = recipes.join("images/builder.lock");
    let built = bench.run(["image", "build", lock.to_str().unwrap()]).exits(0);
    assert_eq!(built.stdout.trim(), BUILDER, "{}", built.stderr);
    let header = fs::read_to_string(recipes.join("gosling.lock/lock.toml")).unwrap();
    assert!(header.contains(&format!("image = \"{BUILDER}\"")), "the lock of Gosling names another builder");
}
