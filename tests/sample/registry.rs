//! A registry on this machine's loopback device, and a small image to put into it.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use gander::base::Digest;
use serde_json::json;

use super::bench::Bench;

/// A registry that ends with the test.
pub struct Registry {
    server: Child,
    pub host: String,
    data: PathBuf,
}

impl Registry {
    pub fn start(bench: &Bench, auth: bool) -> Self {
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

    /// Where a blob lies.
    pub fn blob(&self, digest: &Digest) -> PathBuf {
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
pub fn layout(folder: &Path) -> (Digest, Digest) {
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
