//! The native step `image`: Debian packages become an image of one layer.
//!
//! Inputs are the package files, named `NNNN-FILE.deb` in the order of their lock. They are unpacked without
//! running their scripts and without their ownership (see `debian::unpack`). The parameter `arch` is the arch
//! of the image as RPM calls it. The output is
//!
//! | file | what |
//! |---|---|
//! | `layer.tar` | the layer (see `layer.rs`) |
//! | `config.json` | the configuration: architecture, `created` = the source date, [`ENVIRONMENT`](super::image::ENVIRONMENT), the layer's diff id |
//! | `manifest.json` | the manifest, which names both; its digest is the image's name |
//!
//! so taking the output into the store makes all three objects under the digests by which they name each
//! other: nothing else is needed for the image to be there.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};

use super::image::{self, Blob, ImageError};
use super::layer::{self, LayerError};
use crate::base::digest::HashingWriter;
use crate::base::{Digest, RelPath, SourceDate};
use crate::debian;
use crate::plan::{Action, Executor, Input, ResolvedInput, Rights, Step, StepIo};
use crate::store::Tree;

/// The kind of the step.
pub const KIND: &str = "image";
/// Raised whenever an image of the same packages comes out in other bytes.
pub const REVISION: u32 = 1;
/// The source date of images that are made from a lock of packages alone, where nothing else gives one.
/// Changing it changes the name of every such image.
pub const SOURCE_DATE: &str = "2026-01-01T00:00:00Z";

const MANIFEST: &str = "manifest.json";
const CONFIG: &str = "config.json";
const LAYER: &str = "layer.tar";

/// An image could not be assembled.
#[derive(Debug, thiserror::Error)]
pub enum AssembleError {
    /// A package cannot be unpacked; see there.
    #[error(transparent)]
    Unpack(#[from] debian::UnpackError),
    /// The tree cannot become a layer; see there.
    #[error(transparent)]
    Layer(#[from] LayerError),
    /// The documents cannot be written; see there.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// A file cannot be read or written, as on a full disk; a retry can help then.
    #[error("'{}' cannot be {doing}", path.display())]
    Io {
        /// `read` or `written`.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// There is no package to make an image of. Retrying cannot help.
    #[error("an image needs at least one package")]
    Empty,
    /// What the step made lacks a file; a bug.
    #[error("the output of an image step has no file '{0}'")]
    Output(&'static str),
    /// The step was made by something else; a bug.
    #[error("the image step has no parameter 'arch'")]
    Param,
    /// A package file's name is not usable. Retrying cannot help.
    #[error("the package path '{0}' gives no file name that a step can use")]
    Name(String),
}

/// The step that makes an image of the locked packages, whose files are objects of the store.
pub fn image_step(
    lock: &debian::Lock,
    platform: &str,
    source_date: SourceDate,
) -> Result<Step, AssembleError> {
    image::architecture(platform)?;
    let mut inputs = BTreeMap::new();
    for (index, package) in lock.packages.iter().enumerate() {
        let name = format!("{index:04}-{}", package.path.file_name());
        let name = RelPath::new(name).map_err(|_| AssembleError::Name(package.path.to_string()))?;
        inputs.insert(name, Input::Object(package.digest));
    }
    if inputs.is_empty() {
        return Err(AssembleError::Empty);
    }
    Ok(Step {
        kind: KIND.into(),
        label: format!("image of {} packages", inputs.len()),
        params: BTreeMap::from([("arch".into(), platform.into())]),
        inputs,
        root: None,
        base: None,
        rights: Rights::Plain,
        platform: platform.into(),
        source_date,
        executor: Executor::Native(REVISION),
    })
}

/// The same as an action: what to run, or to ask the store for.
pub fn image_action(
    lock: &debian::Lock,
    platform: &str,
    source_date: SourceDate,
) -> Result<Action, AssembleError> {
    let step = image_step(lock, platform, source_date)?;
    let inputs = step.inputs.iter().filter_map(|(path, input)| match input {
        Input::Object(digest) => Some((path.clone(), ResolvedInput::File(*digest))),
        Input::Output { .. } => None,
    });
    Ok(Action { inputs: inputs.collect(), root: None, base: None, step })
}

/// The arch, as RPM calls it, of the image of a lock: that of most of its packages.
pub fn image_platform(lock: &debian::Lock) -> Result<&'static str, AssembleError> {
    let mut counts = BTreeMap::<&str, usize>::new();
    for package in lock.packages.iter().filter(|package| package.arch != "all") {
        *counts.entry(&package.arch).or_default() += 1;
    }
    let most = counts.iter().max_by_key(|(_, count)| **count).map_or("all", |(arch, _)| arch);
    Ok(match most {
        "amd64" => "x86_64",
        "arm64" => "aarch64",
        "armhf" => "armv7hl",
        "i386" => "i686",
        "ppc64el" => "ppc64le",
        "riscv64" => "riscv64",
        "s390x" => "s390x",
        other => return Err(ImageError::Arch(other.into()).into()),
    })
}

/// The name of the image in the output tree of its step.
pub fn image_in(tree: &Tree) -> Result<Digest, AssembleError> {
    let file = |name| {
        let path = RelPath::new(name).map_err(|_| AssembleError::Output(name))?;
        tree.file(&path).map(|(digest, _)| digest).ok_or(AssembleError::Output(name))
    };
    file(LAYER)?;
    file(CONFIG)?;
    file(MANIFEST)
}

/// Carries out the step.
pub fn execute(io: &StepIo) -> Result<(), AssembleError> {
    let platform = io.params.get("arch").ok_or(AssembleError::Param)?;
    let debs = packages(&io.inputs)?;
    if debs.is_empty() {
        return Err(AssembleError::Empty);
    }
    let root = io.scratch.join("root");
    debian::unpack(&debs, &root)?;
    write_image(&root, platform, io.source_date, &io.output)
}

#[allow(clippy::disallowed_methods, reason = "the names are sorted, which is the order of the lock")]
fn packages(folder: &Path) -> Result<Vec<PathBuf>, AssembleError> {
    let list = fs::read_dir(folder).and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect());
    let mut list: Vec<PathBuf> =
        list.map_err(|source| AssembleError::Io { doing: "read", path: folder.into(), source })?;
    list.sort_unstable();
    Ok(list)
}

/// Writes the layer and the documents of an image of a root file system.
fn write_image(root: &Path, platform: &str, date: SourceDate, output: &Path) -> Result<(), AssembleError> {
    let path = output.join(LAYER);
    let written = |path: &Path| {
        let path = path.to_owned();
        move |source| AssembleError::Io { doing: "written", path, source }
    };
    let file = File::create_new(&path).map_err(written(&path))?;
    let mut writer = HashingWriter::new(BufWriter::with_capacity(1 << 18, file));
    layer::write(root, date, &mut writer)?;
    let (_, digest, size) = writer.finish();
    let (manifest, config) = image::documents(Blob { digest, size }, platform, date)?;
    for (name, bytes) in [(CONFIG, config), (MANIFEST, manifest)] {
        let path = output.join(name);
        fs::write(&path, bytes).map_err(written(&path))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::store::{IdMap, Store, capture};

    fn sample(root: &Path) {
        fs::create_dir_all(root.join("usr/bin")).unwrap();
        fs::create_dir_all(root.join("etc")).unwrap();
        fs::write(root.join("usr/bin/tool"), "#!/bin/sh\n").unwrap();
        fs::write(root.join("etc/conf"), "x = 1\n").unwrap();
        symlink("usr/bin", root.join("bin")).unwrap();
        let mode = |path: &str, mode| {
            use std::os::unix::fs::PermissionsExt as _;
            fs::set_permissions(root.join(path), fs::Permissions::from_mode(mode)).unwrap();
        };
        mode("usr/bin/tool", 0o755);
        mode("etc/conf", 0o644);
        for folder in ["usr/bin", "usr", "etc"] {
            mode(folder, 0o755);
        }
    }

    #[test]
    fn the_bytes_of_an_image_are_pinned() {
        let folder = tempfile::tempdir().unwrap();
        let (root, out) = (folder.path().join("root"), folder.path().join("out"));
        sample(&root);
        fs::create_dir(&out).unwrap();
        let date: SourceDate = SOURCE_DATE.parse().unwrap();
        write_image(&root, "x86_64", date, &out).unwrap();
        let store = Store::open(&folder.path().join("store")).unwrap();
        let tree = capture(&store, &out, &IdMap::own(), date).unwrap();
        let name = image_in(&tree).unwrap();
        assert_eq!(
            name.to_string(),
            "sha256:86cb7370b9707d6cb12f80f2777ea71439eae77772bd7a958ffaae49e94bf680",
            "the bytes of an image changed: raise REVISION, then write the new digest here"
        );
        let image = image::Image::load(&store, &name).unwrap();
        assert_eq!(image.config.architecture, "amd64");
        assert_eq!(image.manifest.layers.len(), 1);
    }
}
