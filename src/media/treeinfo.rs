//! The native step `treeinfo`: what is known of a tree beforehand, and the files in it; out comes its `.treeinfo`.
//!
//! The parameter `treeinfo` is the file as far as it is known while planning. Inputs: `/in/tree/<path>`, each a
//! file of the tree; `/in/loader`, the output of the loader step. To what is known the step adds
//! - a SHA-256 checksum of every one of these files, and of those of the loader below `images/` that a medium has
//!   unchanged;
//! - under `[images-ARCH]` the kernel, the initrd and the loader's images;
//! - as `mainimage` of `[stage2]` the installer stage or the root of a live image.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::{fs, io};

use super::place;
use crate::base::relpath::RelPathError;
use crate::base::{Hasher, RelPath, SourceDate};
use crate::format::treeinfo::{Checksum, TreeInfo, TreeInfoError};
use crate::plan::{Executor, Input, Rights, Step, StepIo};

/// The step's kind.
pub const KIND: &str = "treeinfo";
/// Raise it whenever the step's bytes change.
const REVISION: u32 = 2;

const PARAMETER: &str = "treeinfo";
const TREE: &str = "tree";
const LOADER: &str = "loader";

/// The file cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum TreeInfoStepError {
    /// A file cannot be read or written. A retry may help once the cause is gone.
    #[error("{doing} '{}' failed", path.display())]
    Io {
        /// What was being done.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// What is known of the tree is no `.treeinfo`. Retrying cannot help.
    #[error("the tree cannot have a .treeinfo")]
    Info(#[from] TreeInfoError),
    /// A path cannot be an input. Retrying cannot help.
    #[error(transparent)]
    Path(#[from] RelPathError),
    /// The parameters are not the step's; a bug in what made it.
    #[error("the step '{KIND}' has the parameter '{PARAMETER}' and no other")]
    Parameters,
}

/// A tree that is to have a `.treeinfo`.
#[derive(Clone, Debug)]
pub struct Medium<'a> {
    /// For people.
    pub label: &'a str,
    /// What is known of it while planning: all but checksums, images and the installer's image.
    pub info: &'a TreeInfo,
    /// The files with checksums by their path in the tree: `repodata/repomd.xml`, the kernel, the initrd, the stage.
    pub files: BTreeMap<RelPath, Input>,
    /// The output of the step that made its boot loaders.
    pub loader: Option<Input>,
    /// The only time.
    pub source_date: SourceDate,
}

/// The step. Output: `.treeinfo`.
pub fn treeinfo(medium: &Medium<'_>) -> Result<Step, TreeInfoStepError> {
    let text = String::from_utf8_lossy(&medium.info.to_bytes()?).into_owned();
    let mut inputs = BTreeMap::new();
    for (path, input) in &medium.files {
        inputs.insert(RelPath::new(format!("{TREE}/{path}"))?, input.clone());
    }
    if let Some(loader) = &medium.loader {
        inputs.insert(RelPath::new(LOADER)?, loader.clone());
    }
    Ok(Step {
        kind: KIND.into(),
        label: medium.label.into(),
        params: BTreeMap::from([(PARAMETER.into(), text)]),
        inputs,
        root: None,
        base: None,
        rights: Rights::Plain,
        platform: "any".into(),
        source_date: medium.source_date,
        executor: Executor::Native(REVISION),
    })
}

/// Carries the step out.
pub fn execute(io: &StepIo) -> Result<(), TreeInfoStepError> {
    let (Some(text), 1) = (io.params.get(PARAMETER), io.params.len()) else {
        return Err(TreeInfoStepError::Parameters);
    };
    let mut info = TreeInfo::parse(text.as_bytes())?;
    let mut files = Vec::new();
    find(&io.inputs.join(TREE), "", &mut files)?;
    find(&io.inputs.join(LOADER).join("medium/images"), "images/", &mut files)?;
    let mut images = BTreeMap::new();
    for (name, file) in files {
        let opened = File::open(&file).map_err(failed("opening", &file))?;
        let (digest, _) = Hasher::drain(opened).map_err(failed("reading", &file))?;
        let image = match name.as_str() {
            place::KERNEL => Some("kernel"),
            place::INITRD => Some("initrd"),
            place::EFIBOOT => Some("efiboot.img"),
            place::ELTORITO => Some("eltorito.img"),
            _ => None,
        };
        if let Some(image) = image {
            images.insert(image.to_owned(), name.clone());
        }
        if [place::STAGE, place::LIVE].contains(&name.as_str()) {
            info.main_image = Some(name.clone());
        }
        // GRUB's image for BIOS is told on the medium where it lies there: its bytes are others than here.
        if name != place::ELTORITO {
            info.checksums.insert(name, Checksum { algorithm: "sha256".into(), hex: digest.hex() });
        }
    }
    if !images.is_empty() {
        info.images.entry(info.arch.clone()).or_default().extend(images);
    }
    let path = io.output.join(".treeinfo");
    fs::write(&path, info.to_bytes()?).map_err(failed("writing", &path))
}

/// All files below a folder, by their path.
#[allow(clippy::disallowed_methods, reason = "what is found is sorted by the maps it goes to")]
fn find(folder: &Path, before: &str, found: &mut Vec<(String, PathBuf)>) -> Result<(), TreeInfoStepError> {
    if !folder.is_dir() {
        return Ok(());
    }
    for entry in fs::read_dir(folder).map_err(failed("reading", folder))? {
        let path = entry.map_err(failed("reading", folder))?.path();
        let name = path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
        let name = format!("{before}{name}");
        if path.is_dir() {
            find(&path, &format!("{name}/"), found)?;
        } else {
            found.push((name, path));
        }
    }
    Ok(())
}

fn failed(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> TreeInfoStepError {
    let path = path.to_owned();
    move |source| TreeInfoStepError::Io { doing, path, source }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::base::Digest;
    use crate::format::treeinfo::{TreePaths, TreeProduct, TreeVariant, TreeVariantType};

    fn info() -> TreeInfo {
        let release =
            TreeProduct { name: "Gosling Linux".into(), short: "Gosling".into(), version: "1".into() };
        let mut info = TreeInfo::new(release, "x86_64", 1_793_491_200);
        let paths = TreePaths {
            packages: Some("Packages".into()),
            repository: Some(".".into()),
            ..TreePaths::default()
        };
        info.variants.insert(
            "BaseOS".into(),
            TreeVariant {
                id: "BaseOS".into(),
                uid: "BaseOS".into(),
                name: "BaseOS".into(),
                kind: TreeVariantType::Variant,
                paths,
                addons: BTreeMap::new(),
            },
        );
        info.main_variant = Some("BaseOS".into());
        info
    }

    #[test]
    fn names_and_sums_what_it_finds() {
        let date = SourceDate::from_seconds(1_793_491_200).unwrap();
        let object = |text: &str| Input::Object(Digest::of(text));
        let path = |text: &str| RelPath::new(text).unwrap();
        let medium = Medium {
            label: "x",
            info: &info(),
            files: BTreeMap::from([
                (path("repodata/repomd.xml"), object("r")),
                (path(place::STAGE), object("s")),
            ]),
            loader: Some(object("l")),
            source_date: date,
        };
        let step = treeinfo(&medium).unwrap();
        let inputs: BTreeSet<_> = step.inputs.keys().map(RelPath::as_str).collect();
        assert_eq!(inputs, BTreeSet::from(["loader", "tree/images/install.img", "tree/repodata/repomd.xml"]));

        let scratch = tempfile::tempdir().unwrap();
        let io = StepIo {
            params: step.params,
            source_date: date,
            inputs: scratch.path().join("in"),
            output: scratch.path().join("out"),
            scratch: scratch.path().join("build"),
        };
        fs::create_dir(&io.output).unwrap();
        for (name, text) in [
            ("tree/repodata/repomd.xml", "repomd"),
            ("tree/images/pxeboot/vmlinuz", "kernel"),
            ("tree/images/pxeboot/initrd.img", "initrd"),
            ("tree/images/install.img", "stage"),
            ("loader/medium/images/efiboot.img", "efiboot"),
            ("loader/medium/images/eltorito.img", "eltorito"),
            ("loader/medium/EFI/BOOT/grub.cfg", "menu"),
            ("loader/mbr.img", "mbr"),
        ] {
            let path = io.inputs.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        execute(&io).unwrap();
        let bytes = fs::read(io.output.join(".treeinfo")).unwrap();
        let read = TreeInfo::parse(&bytes).unwrap();
        let sums: BTreeMap<_, _> =
            read.checksums.iter().map(|(path, sum)| (path.as_str(), sum.hex.clone())).collect();
        let wanted = [
            ("images/efiboot.img", "efiboot"),
            ("images/install.img", "stage"),
            ("images/pxeboot/initrd.img", "initrd"),
            ("images/pxeboot/vmlinuz", "kernel"),
            ("repodata/repomd.xml", "repomd"),
        ];
        assert_eq!(sums, wanted.into_iter().map(|(path, text)| (path, Digest::of(text).hex())).collect());
        let images: Vec<_> =
            read.images["x86_64"].iter().map(|(name, path)| (name.as_str(), path.as_str())).collect();
        assert_eq!(
            images,
            [
                ("efiboot.img", "images/efiboot.img"),
                ("eltorito.img", "images/eltorito.img"),
                ("initrd", "images/pxeboot/initrd.img"),
                ("kernel", "images/pxeboot/vmlinuz"),
            ]
        );
        assert_eq!(read.main_image.as_deref(), Some("images/install.img"));
        // Other bytes? Raise REVISION: results of the step that lie in stores must not be taken for these.
        assert_eq!(
            Digest::of(&bytes).hex(),
            "2890a49dc6088d5ce5070ee4f4edc7cb11b74112201d9238985a85b7bbcce725"
        );
    }
}
