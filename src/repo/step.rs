//! The native step `repodata`: packages in, the `repodata` folder of their repository out, as [`create`](super::create)
//! writes it.
//!
//! Inputs: the packages as `/in/packages/<path>`, where `<path>` is their place in the repository
//! (`Packages/b/bash-….rpm`), and perhaps `/in/comps.xml` and `/in/modules.yaml`. Output: `repodata/` with primary, filelists and other, each
//! named by its checksum, the comps file, the modules, databases where they are wanted, and `repomd.xml`.
//!
//! - Parameters: `compression` (`gz` or `xz`; without it zstd) and `database` (`true`; without it none).
//! - Revision and timestamps are the source date.
//! - One thread, since a step has one CPU; and nothing is remembered but the step's result.
//! - The content of the comps file and of the modules is carried byte for byte. Groups that the tree lacks packages for are not filtered.

use std::collections::BTreeMap;

use super::create::{CreateError, Options, create};
use crate::base::{Nevra, RelPath, SourceDate};
use crate::format::repodata::{Compression, Form};
use crate::plan::{Executor, Input, Rights, Step, StepIo};

/// The step's kind.
pub const KIND: &str = "repodata";
/// Raise it whenever the step's bytes change.
pub const REVISION: u32 = 2;

const COMPS: &str = "comps.xml";
const MODULES: &str = "modules.yaml";
const PACKAGES: &str = "packages";
/// Where packages lie in a repository, if it is not said otherwise.
const PACKAGES_FOLDER: &str = "Packages";
const COMPRESSION: &str = "compression";
const DATABASE: &str = "database";

/// The metadata cannot be planned or written.
#[derive(Debug, thiserror::Error)]
pub enum RepoError {
    /// They cannot be written.
    #[error(transparent)]
    Create(#[from] CreateError),
    /// What is among the inputs is no place for a package. Retrying cannot help.
    #[error("'{0}' is no place for a package in a repository: expected a plain path that ends in '.rpm'")]
    Place(String),
    /// The parameters are not the step's; a bug in what made it.
    #[error("the step '{KIND}' has no parameter '{name}' of the value '{value}'")]
    Parameter {
        /// Its name.
        name: String,
        /// Its value.
        value: String,
    },
}

/// A package's place in a repository: `Packages/<first letter, lower case>/<file name>`, without the folder of the letter
/// where packages are not hashed (as Pungi and mash call that).
pub fn package_path(nevra: &Nevra, hashed: bool) -> Option<RelPath> {
    RelPath::new(PACKAGES_FOLDER).ok()?.join(package_place(nevra, hashed)?.as_str()).ok()
}

/// A package's place in a folder of packages: see [`package_path`].
pub fn package_place(nevra: &Nevra, hashed: bool) -> Option<RelPath> {
    let file = nevra.file_name();
    if !hashed {
        return RelPath::new(file).ok();
    }
    let letter = file.chars().next()?.to_ascii_lowercase();
    RelPath::new(format!("{letter}/{file}")).ok()
}

/// What the repository carries besides its packages.
#[derive(Clone, Debug, Default)]
pub struct Further {
    /// Its comps file.
    pub comps: Option<Input>,
    /// Its `modules.yaml`.
    pub modules: Option<Input>,
}

/// The step that writes the metadata of these packages, given by their places in the repository, in this form.
pub fn step(
    label: &str,
    packages: impl IntoIterator<Item = (RelPath, Input)>,
    further: Further,
    form: Form,
    source_date: SourceDate,
) -> Result<Step, RepoError> {
    let place = |path: String| RelPath::new(path).map_err(|error| RepoError::Place(error.to_string()));
    let mut inputs = BTreeMap::new();
    for (path, input) in packages {
        // Others would be passed over.
        if !path.as_str().ends_with(".rpm") || path.as_str().starts_with("repodata/") {
            return Err(RepoError::Place(path.to_string()));
        }
        inputs.insert(place(format!("{PACKAGES}/{path}"))?, input);
    }
    for (name, input) in [(COMPS, further.comps), (MODULES, further.modules)] {
        if let Some(input) = input {
            inputs.insert(place(name.into())?, input);
        }
    }
    Ok(Step {
        kind: KIND.into(),
        label: label.into(),
        params: params(form),
        inputs,
        root: None,
        base: None,
        rights: Rights::Plain,
        platform: "noarch".into(),
        source_date,
        executor: Executor::Native(REVISION),
    })
}

/// Carries the step out.
pub fn execute(io: &StepIo) -> Result<(), RepoError> {
    let form = form(&io.params)?;
    let (packages, comps) = (io.inputs.join(PACKAGES), io.inputs.join(COMPS));
    let modules = io.inputs.join(MODULES);
    let extras = modules.is_file().then(|| ("modules".to_owned(), modules));
    // Of a repository without packages there is no folder; the scratch folder is an empty one.
    let packages = if packages.is_dir() { packages } else { io.scratch.clone() };
    let options = Options {
        output: Some(io.output.clone()),
        compression: form.compression,
        further_compression: form.compression,
        comps: comps.is_file().then_some(comps),
        extras: extras.into_iter().collect(),
        databases: form.database,
        source_date: Some(io.source_date),
        ..Options::default()
    };
    create(&packages, &options, None)?;
    Ok(())
}

/// The parameters of a form: what is not as by default.
fn params(form: Form) -> BTreeMap<String, String> {
    let Form { compression, database } = form;
    let compression = (compression != Compression::default()).then(|| (COMPRESSION, compression.name()));
    let database = database.then_some((DATABASE, "true"));
    let given = compression.into_iter().chain(database);
    given.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn form(params: &BTreeMap<String, String>) -> Result<Form, RepoError> {
    let mut form = Form::default();
    for (name, value) in params {
        match (name.as_str(), value.as_str(), Compression::find(value)) {
            (COMPRESSION, _, Some(compression)) => form.compression = compression,
            (DATABASE, "true", _) => form.database = true,
            _ => return Err(RepoError::Parameter { name: name.clone(), value: value.clone() }),
        }
    }
    Ok(form)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::base::Digest;
    use crate::format::repodata::Repomd;

    #[test]
    fn places() {
        let path = |text: &str| package_path(&text.parse().unwrap(), true).unwrap().to_string();
        assert_eq!(path("Archer-2:3-4.x86_64"), "Packages/a/Archer-3-4.x86_64.rpm");
        assert_eq!(path("389-ds-0:1-1.src"), "Packages/3/389-ds-1-1.src.rpm");
        let flat = package_path(&"Archer-2:3-4.x86_64".parse().unwrap(), false).unwrap();
        assert_eq!(flat.as_str(), "Packages/Archer-3-4.x86_64.rpm");
    }

    #[test]
    fn an_empty_repository_is_pinned() {
        let scratch = tempfile::tempdir().unwrap();
        let folder = |name: &str| {
            let path = scratch.path().join(name);
            fs::create_dir(&path).unwrap();
            path
        };
        let io = StepIo {
            params: BTreeMap::new(),
            source_date: SourceDate::from_seconds(1_793_491_200).unwrap(),
            inputs: folder("in"),
            output: folder("out"),
            scratch: folder("build"),
        };
        fs::write(io.inputs.join(COMPS), "<comps><group><id>core</id></group></comps>\n").unwrap();
        execute(&io).unwrap();
        let repomd = fs::read(io.output.join("repodata/repomd.xml")).unwrap();
        let parsed = Repomd::parse(&repomd).unwrap();
        let kinds: Vec<_> = parsed.data.iter().map(|data| data.kind.as_str()).collect();
        assert_eq!(kinds, ["primary", "filelists", "other", "group"]);
        for data in &parsed.data {
            let bytes = fs::read(data.location.below(&io.output)).unwrap();
            let found = (Digest::of(&bytes).into(), Some(bytes.len() as u64));
            assert_eq!(found, (data.checksum, data.size));
        }
        // Other bytes? Raise REVISION: results of the step that lie in stores must not be taken for these.
        assert_eq!(
            Digest::of(&repomd).hex(),
            "b3c15f37b50db8457b2fdfee44b4a6012cf78a3caad2e943097d5711f249e23f"
        );
        let io = |name: &str, value: &str| StepIo {
            params: BTreeMap::from([(name.into(), value.into())]),
            ..io.clone()
        };
        for (name, value) in [("compression", "bz2"), ("database", "yes"), ("level", "9")] {
            assert!(matches!(execute(&io(name, value)), Err(RepoError::Parameter { .. })), "{name}");
        }
    }
}
