//! The steps that run programs: initrd, squashfs, loader and iso. What each does stands in its script.

use std::collections::BTreeMap;

use crate::base::relpath::RelPathError;
use crate::base::{RelPath, SourceDate};
use crate::format::volume_id::VolumeId;
use crate::plan::{Executor, Input, Rights, Step};

use super::menu::Menus;

const INITRD: (&str, &str) = ("initrd", include_str!("initrd.sh"));
const SQUASHFS: (&str, &str) = ("squashfs", include_str!("squashfs.sh"));
const LOADER: (&str, &str) = ("loader", include_str!("loader.sh"));
const ISO: (&str, &str) = ("iso", include_str!("iso.sh"));

/// A kernel and an initrd that starts media. Output: `vmlinuz`, `initrd.img`.
#[derive(Clone, Debug)]
pub struct Initrd<'a> {
    /// For people.
    pub label: &'a str,
    /// The configured tree that it is of and runs in: it needs a kernel, dracut and dracut-live.
    pub root: Input,
    /// Whether it must be able to check the medium, for which the tree needs `/usr/bin/checkisomd5`.
    pub check: bool,
    /// The arch that its programs run on.
    pub platform: &'a str,
    /// The only time.
    pub source_date: SourceDate,
}

/// The step.
pub fn initrd(initrd: &Initrd<'_>) -> Result<Step, RelPathError> {
    let Initrd { label, ref root, check, platform, source_date } = *initrd;
    let check = if check { "check" } else { "no-check" };
    let step = program(INITRD, [check.to_owned()], label, root, platform, source_date);
    // Programs that only their owners may read, and which dracut copies.
    Ok(Step { rights: Rights::ReadAll, ..step })
}

/// How a squashfs image is compressed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Compression {
    /// As the root's own kernel can read it: zstd at a level that is fast (6), else xz, else gzip.
    #[default]
    Auto,
    /// zstd of a level from 1 to 22.
    Zstd(u8),
    /// xz, small and slow.
    Xz,
    /// gzip of a level from 1 to 9.
    Gzip(u8),
}

impl Compression {
    fn words(&self) -> String {
        match self {
            Self::Auto => "auto".into(),
            Self::Zstd(level) => format!("zstd {level}"),
            Self::Xz => "xz".into(),
            Self::Gzip(level) => format!("gzip {level}"),
        }
    }
}

/// An image of a root, with its owners, modes, times and extended attributes. Output: `root.img`.
#[derive(Clone, Debug)]
pub struct Squashfs<'a> {
    /// For people.
    pub label: &'a str,
    /// The tree.
    pub root: Input,
    /// How it is compressed.
    pub compression: Compression,
    /// The image that it runs in.
    pub builder: Input,
    /// The arch of that image.
    pub platform: &'a str,
    /// The only time.
    pub source_date: SourceDate,
}

/// The step.
pub fn squashfs(squashfs: &Squashfs<'_>) -> Result<Step, RelPathError> {
    let Squashfs { label, ref root, ref compression, ref builder, platform, source_date } = *squashfs;
    let step = program(SQUASHFS, [compression.words()], label, builder, platform, source_date);
    of_root(step, root)
}

/// What starts a medium. Output: `medium/` (what goes on the medium as it is: `EFI/`, `images/efiboot.img` and
/// `isolinux/` or `images/eltorito.img` and `boot/grub2/`), `mbr.img`, `boot.options`.
#[derive(Clone, Debug)]
pub struct Loader<'a> {
    /// For people.
    pub label: &'a str,
    /// The tree whose boot loaders are used.
    pub root: Input,
    /// The medium's id.
    pub volume_id: &'a VolumeId,
    /// Its menus.
    pub menus: &'a Menus,
    /// The arch that the medium starts on.
    pub arch: &'a str,
    /// The image that it runs in.
    pub builder: Input,
    /// The arch of that image.
    pub platform: &'a str,
    /// The only time.
    pub source_date: SourceDate,
}

/// The step.
pub fn loader(loader: &Loader<'_>) -> Result<Step, RelPathError> {
    let Loader { label, ref root, volume_id, menus, arch, ref builder, platform, source_date } = *loader;
    let words = [arch, volume_id.as_str(), &menus.grub, &menus.isolinux].map(str::to_owned);
    of_root(program(LOADER, words, label, builder, platform, source_date), root)
}

/// The medium. Output: the file and, with `.manifest` at its end, the list of what is on it.
///
/// A path may come from one place only; two are an error of the step. One file at several paths is on the medium
/// once.
#[derive(Clone, Debug)]
pub struct Iso<'a> {
    /// For people.
    pub label: &'a str,
    /// The name of the file, `….iso`.
    pub file_name: &'a str,
    /// Its id.
    pub volume_id: &'a VolumeId,
    /// Files by where they lie on the medium.
    pub files: BTreeMap<RelPath, Input>,
    /// Whole outputs, each at the top of the medium or below a folder.
    pub trees: Vec<(Option<RelPath>, Input)>,
    /// What the loader step makes.
    pub loader: Input,
    /// The image that it runs in.
    pub builder: Input,
    /// The arch of that image.
    pub platform: &'a str,
    /// The only time.
    pub source_date: SourceDate,
}

/// The step.
pub fn iso(iso: &Iso<'_>) -> Result<Step, RelPathError> {
    let mut inputs = BTreeMap::from([(RelPath::new("loader")?, iso.loader.clone())]);
    for (path, input) in &iso.files {
        inputs.insert(RelPath::new(format!("files/{path}"))?, input.clone());
    }
    // What it is to be called goes through the same gate as a path.
    let mut words = vec![RelPath::new(iso.file_name)?.file_name().to_owned(), iso.volume_id.to_string()];
    for (index, (place, input)) in iso.trees.iter().enumerate() {
        inputs.insert(RelPath::new(format!("trees/{index}"))?, input.clone());
        words.push(place.as_ref().map(ToString::to_string).unwrap_or_default());
    }
    Ok(Step { inputs, ..program(ISO, words, iso.label, &iso.builder, iso.platform, iso.source_date) })
}

/// A step that runs a script with these words in a root, without inputs and rights.
fn program(
    (kind, script): (&str, &str),
    words: impl IntoIterator<Item = String>,
    label: &str,
    root: &Input,
    platform: &str,
    source_date: SourceDate,
) -> Step {
    let head = ["/bin/sh", "-c", script, kind].map(str::to_owned);
    Step {
        kind: kind.into(),
        label: label.into(),
        params: BTreeMap::new(),
        inputs: BTreeMap::new(),
        root: Some(root.clone()),
        base: None,
        rights: Rights::Plain,
        platform: platform.into(),
        source_date,
        executor: Executor::Program(head.into_iter().chain(words).collect()),
    }
}

/// A step that reads all of a tree, whoever owns what is in it, at `/in/root`.
fn of_root(step: Step, root: &Input) -> Result<Step, RelPathError> {
    let inputs = BTreeMap::from([(RelPath::new("root")?, root.clone())]);
    Ok(Step { inputs, rights: Rights::ReadAll, ..step })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Digest;

    fn path(text: &str) -> RelPath {
        RelPath::new(text).unwrap()
    }

    fn words(step: &Step) -> Vec<String> {
        let Executor::Program(words) = &step.executor else { return Vec::new() };
        words.iter().skip(3).cloned().collect()
    }

    #[test]
    fn an_iso_says_where_its_trees_go() {
        let object = |text: &str| Input::Object(Digest::of(text));
        let volume_id = VolumeId::new("Gosling-1").unwrap();
        let medium = Iso {
            label: "x",
            file_name: "x.iso",
            volume_id: &volume_id,
            files: BTreeMap::from([
                (path(".treeinfo"), object("t")),
                (path("LiveOS/squashfs.img"), object("s")),
            ]),
            trees: vec![(None, object("a")), (Some(path("addons/HA")), object("b"))],
            loader: object("l"),
            builder: object("b"),
            platform: "x86_64",
            source_date: SourceDate::from_seconds(1_793_491_200).unwrap(),
        };
        let step = iso(&medium).unwrap();
        assert_eq!(words(&step), ["iso", "x.iso", "Gosling-1", "", "addons/HA"]);
        let inputs: Vec<_> = step.inputs.keys().map(RelPath::as_str).collect();
        assert_eq!(inputs, ["files/.treeinfo", "files/LiveOS/squashfs.img", "loader", "trees/0", "trees/1"]);
        // A name cannot lead out of the output.
        assert!(iso(&Iso { file_name: "../x.iso", ..medium.clone() }).is_err());
        assert!(iso(&Iso { file_name: "", ..medium }).is_err());
    }

    #[test]
    fn the_initrd_s_script_gets_what_it_reads() {
        let of = |label, check| Initrd {
            label,
            root: Input::Object(Digest::of("r")),
            check,
            platform: "x86_64",
            source_date: SourceDate::from_seconds(1_793_491_200).unwrap(),
        };
        let step = initrd(&of("a", true)).unwrap();
        assert_eq!(words(&step), ["initrd", "check"]);
        assert!(INITRD.1.contains("\ncheck=$1\n"));
        assert_eq!(words(&initrd(&of("a", false)).unwrap()), ["initrd", "no-check"]);
        assert_eq!(step.id(), initrd(&of("b", true)).unwrap().id(), "labels are for people");
    }

    #[test]
    fn compressions_are_named_as_the_tool_names_them() {
        for (compression, wanted) in [
            (Compression::default(), "auto"),
            (Compression::Zstd(15), "zstd 15"),
            (Compression::Xz, "xz"),
            (Compression::Gzip(9), "gzip 9"),
        ] {
            assert_eq!(compression.words(), wanted);
        }
    }
}
