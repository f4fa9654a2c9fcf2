//! A program step that an OCI runtime runs.
//!
//! The namespace of ids, the order to end and the deadline stay gander's own (`jail.rs`): the runtime runs as root
//! of the map, in a PID namespace that ends with process 1. So root and ordinary users are alike to it, it finds
//! all that it mounts in one folder whoever may enter what lies above on the host, and whatever it leaves behind
//! (its state, its processes) goes with the jail. In there it makes a container as from any bundle, with
//! namespaces of its own.

use std::fs;
use std::io::{self, Read as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;

use super::bundle::{Bundle, bind_source};
use super::ids;
use super::mounts::{self, Doing as _, MountError, Sources};
use super::request::Cell;

/// Folders of which every Linux system has one at least: the first covers nothing that a runtime needs. Where one is a
/// symbolic link (`/mnt` is, to `var/mnt`, on systems made of images), it is none: nothing can be mounted on a link.
const PLACES: [&str; 2] = ["/mnt", "/tmp"];
/// How much of what a runtime says is read.
const SAID: u64 = 64 << 10;

/// What a runtime is started with.
pub(super) struct Prepared {
    place: &'static Path,
}

/// Mounts what the step sees where the runtime finds it, and writes the bundle. Done by process 1 as root of the
/// map.
pub(super) fn prepare(sources: Sources, cell: &Cell) -> Result<Prepared, MountError> {
    let place = PLACES.iter().map(Path::new).find(|place| is_folder(place));
    let place = place
        .ok_or(io::Error::from(io::ErrorKind::NotFound))
        .doing(|| "find the folder /mnt or /tmp".into())?;
    let folder = mounts::over(place)?;
    let make = |name: &Path| {
        fs::DirBuilder::new()
            .mode(0o755)
            .create(name)
            .doing(|| format!("make the folder '{}'", name.display()))
    };
    for name in ["root", "dev", "bundle", "state"] {
        make(&place.join(name))?;
    }
    for number in 0..cell.binds.len() {
        make(&bind_source(place, number))?;
    }
    let var_tmp = mounts::furnish_bundle(sources, cell, &folder)?;
    let map = |kind: &str| -> Result<_, MountError> {
        let path = format!("/proc/self/{kind}_map");
        Ok(ids::parse_map(&fs::read_to_string(&path).doing(|| format!("read {path}"))?))
    };
    let (users, groups) = (map("uid")?, map("gid")?);
    let bundle = Bundle { place, var_tmp, users: &users, groups: &groups };
    let config =
        bundle.config(cell).map_err(io::Error::other).and_then(|config| Ok(serde_json::to_vec(&config)?));
    let written = config.and_then(|config| fs::write(place.join("bundle/config.json"), config));
    written.doing(|| "write the bundle of the OCI runtime".into())?;
    Ok(Prepared { place })
}

/// Whether there is a folder at this path, and not a link to one.
fn is_folder(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|found| found.is_dir())
}

impl Prepared {
    /// Becomes the runtime; returns only if that failed.
    pub fn start(&self, runtime: &Path) -> io::Error {
        #[allow(clippy::disallowed_methods, reason = "this is the one place that starts an OCI runtime")]
        let mut command = std::process::Command::new(runtime);
        command.arg("--root").arg(self.place.join("state"));
        command.arg("--log").arg(self.place.join("log")).args(["--log-format", "json"]);
        command.arg("run").arg("--bundle").arg(self.place.join("bundle")).arg("gander");
        command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").current_dir("/").exec()
    }

    /// What the runtime says went wrong with its own work, if anything did.
    pub fn complaint(&self) -> Option<String> {
        let mut text = Vec::new();
        fs::File::open(self.place.join("log")).ok()?.take(SAID).read_to_end(&mut text).ok()?;
        complaint(&String::from_utf8_lossy(&text))
    }
}

/// The errors in a runtime's log, which has a JSON object in each line.
fn complaint(log: &str) -> Option<String> {
    let error = |line: &str| {
        let line: serde_json::Value = serde_json::from_str(line).ok()?;
        let level = line.get("level")?.as_str()?;
        matches!(level, "error" | "fatal").then(|| line.get("msg")?.as_str().map(str::to_owned))?
    };
    let errors: Vec<String> = log.lines().filter_map(error).collect();
    (!errors.is_empty()).then(|| errors.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_no_place_to_mount_on() {
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(folder.path(), &link).unwrap();
        assert_eq!([folder.path(), &link, &link.join("none")].map(is_folder), [true, false, false]);
    }

    #[test]
    fn only_errors_of_a_runtime_are_its_complaint() {
        let log = "{\"level\":\"warning\",\"msg\":\"no cgroups\"}\n{\"level\":\"error\",\"msg\":\"a\"}\nbroken\n\
                   {\"level\":\"error\",\"msg\":\"b\"}\n{\"level\":3}\n";
        assert_eq!(complaint(log).as_deref(), Some("a; b"));
        assert_eq!(complaint("{\"level\":\"info\",\"msg\":\"a\"}\n"), None);
    }
}
