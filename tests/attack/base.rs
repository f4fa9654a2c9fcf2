//! What all attacks share and what takes long to make: a store with the builder's packages and its image, and
//! a signing key.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// What all attacks share.
pub struct Base {
    /// A store with the builder's packages and its image.
    pub store: PathBuf,
    /// Files of the mirror by their path: objects of that store.
    pub pool: BTreeMap<String, PathBuf>,
    /// An RSA key outside every checkout, its fingerprint, and its certificate.
    pub key: PathBuf,
    pub fingerprint: String,
    pub certificate: String,
}

/// The lock of the standard builder.
pub fn builder_lock() -> String {
    fs::read_to_string(root().join("recipes/images/builder.lock")).unwrap()
}

/// The sources of this package.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Says loudly that a test does not run; on CI it fails instead.
pub fn skip(name: &str, why: &str) {
    eprintln!("SKIPPED: {name}: {why}");
    assert!(std::env::var("CI").as_deref() != Ok("true"), "on CI nothing may be skipped: {name}: {why}");
}

/// Whether this is root, who alone can look at what jails leave and mount small disks.
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// The shared base; none, said loudly, where the builder's packages cannot be had.
pub fn base(test: &str) -> Option<&'static Base> {
    static BASE: OnceLock<Result<Base, String>> = OnceLock::new();
    match BASE.get_or_init(make) {
        Ok(base) => Some(base),
        Err(why) => {
            skip(test, why);
            None
        }
    }
}

fn gander(arguments: &[&str]) -> Result<String, String> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gander"));
    let output = command.args(arguments).current_dir("/").stdin(Stdio::null()).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}

fn make() -> Result<Base, String> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("attack");
    fs::create_dir_all(&folder).unwrap();
    // Another run of these tests may be making it.
    let guard = File::create(folder.join("guard")).unwrap();
    guard.lock().unwrap();
    let store = folder.join("store");
    let lock = root().join("recipes/images/builder.lock");
    let (at, lock) = (["--store", store.to_str().unwrap()], lock.to_str().unwrap());
    match gander(&[&at[..], &["image", "build", lock]].concat()) {
        Err(why) if why.contains("downloaded") || why.contains("mirror") => return Err(why),
        built => built.unwrap(),
    };
    // Its root is laid out once, too.
    gander(&[&at[..], &["run", lock, "--", "true"]].concat()).unwrap();
    let mut pool = BTreeMap::new();
    for line in builder_lock().lines().skip(2) {
        let fields: Vec<_> = line.split('\t').collect();
        let (start, rest) = fields[6].split_at(2);
        pool.insert(fields[4].to_owned(), store.join("objects").join(start).join(rest));
    }
    let key = Path::new("/var/tmp").join(format!("gander-attack-key-{}", std::process::id()));
    fs::create_dir_all(&key).unwrap();
    let file = key.join("key");
    fs::remove_file(&file).ok();
    fs::remove_file(key.join("key.asc")).ok();
    let user = "Attack <attack@example.org>";
    let fingerprint = gander(&["key", "new", "--user-id", user, "-o", file.to_str().unwrap()])?;
    let certificate = fs::read_to_string(key.join("key.asc")).unwrap();
    Ok(Base { store, pool, key: file, fingerprint, certificate })
}

impl Base {
    /// A file of the mirror.
    pub fn deb(&self, path: &str) -> Option<Vec<u8>> {
        self.pool.get(path).map(|file| fs::read(file).unwrap())
    }
}
