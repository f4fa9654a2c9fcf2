//! Steps run one by one with Gosling's builder and packages.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use gander::base::{Digest, RelPath, SourceDate};
use gander::format::kickstart::{Dialect, Kickstart, no_includes};
use gander::oci::Manifest;
use gander::plan::{Action, Executor, Input, ResolvedInput, Rights, Step, StepId};
use gander::root::{self, Configure, Install};
use gander::runner::{Choice, RunOptions, Runner};
use gander::store::{Store, Tree};

use super::world;

/// The source date of every step, in seconds since 1970.
pub const DATE: i64 = 1_793_491_200;

/// What steps are made of: the objects of a store, by their paths since another user cannot open it.
#[derive(Debug)]
pub struct Gosling {
    /// The store's folder.
    pub store: PathBuf,
    /// The packages of the binary tree, sorted.
    pub packages: Vec<PathBuf>,
    /// The builder's image.
    pub builder: Digest,
    /// The gander that is started for steps.
    pub gander: PathBuf,
}

impl Gosling {
    /// Those of the first compose.
    pub fn first() -> Self {
        let place = &world::first().place;
        let mut packages = Vec::new();
        for letter in fs::read_dir(place.binary().join("Packages")).unwrap() {
            let folder = fs::read_dir(letter.unwrap().path()).unwrap();
            packages.extend(folder.map(|entry| entry.unwrap().path()));
        }
        packages.sort();
        let lock = fs::read_to_string(place.lock().join("lock.toml")).unwrap();
        let lock: toml::Table = lock.parse().unwrap();
        let builder = lock["builder"]["image"].as_str().unwrap().parse().unwrap();
        Self { store: place.store(), packages, builder, gander: world::gander() }
    }
}

/// A store of its own with the builder, and a runner.
pub struct Workshop {
    /// The store.
    pub store: Store,
    /// The builder's image.
    pub builder: Digest,
    /// What each step made.
    pub made: BTreeMap<StepId, Digest>,
    /// Gosling's binary packages, sorted.
    pub packages: Vec<PathBuf>,
    runner: Runner,
}

impl Workshop {
    /// A new store in this folder, for whoever runs this.
    pub fn new(folder: &Path, gosling: &Gosling, ids: Choice) -> Self {
        let store = Store::open(folder).unwrap();
        let object = |digest: &Digest| {
            let hex = digest.hex();
            gosling.store.join("objects").join(&hex[..2]).join(&hex[2..])
        };
        let manifest = Manifest::parse(&fs::read(object(&gosling.builder)).unwrap()).unwrap();
        let layers = manifest.layers.iter().map(|layer| layer.blob.digest);
        for digest in [gosling.builder, manifest.config.digest].into_iter().chain(layers) {
            store.put_file(&object(&digest)).unwrap();
        }
        let runner = Runner::with_ids(&store, gosling.gander.clone(), ids).unwrap();
        Self {
            store,
            builder: gosling.builder,
            made: BTreeMap::new(),
            packages: gosling.packages.clone(),
            runner,
        }
    }

    /// One below the scratch folder with what the first compose made.
    pub fn of_first(name: &str, ids: Choice) -> Self {
        Self::new(&world::scratch().join(name), &Gosling::first(), ids)
    }

    /// Runs a step whose inputs were made before; what went wrong, with its causes.
    pub fn run(&mut self, step: &Step) -> Result<Digest, String> {
        let resolve = |input: &Input| match input {
            Input::Object(digest) => ResolvedInput::File(*digest),
            Input::Output { step, path: None } => ResolvedInput::Tree(self.made[step]),
            Input::Output { step, path: Some(path) } => {
                ResolvedInput::File(self.store.tree(&self.made[step]).unwrap().file(path).unwrap().0)
            }
        };
        let tree = |input: &Input| match resolve(input) {
            ResolvedInput::Tree(digest) | ResolvedInput::File(digest) => digest,
        };
        let action = Action {
            step: step.clone(),
            inputs: step.inputs.iter().map(|(path, input)| (path.clone(), resolve(input))).collect(),
            root: step.root.as_ref().map(resolve),
            base: step.base.as_ref().map(tree),
        };
        let outcome = self.runner.run(&action, &RunOptions::default()).map_err(|error| causes(&error))?;
        self.made.insert(step.id(), outcome.tree);
        world::say(format_args!("  {} {} ({:.1} s)", step.kind, step.label, outcome.elapsed.as_secs_f64()));
        Ok(outcome.tree)
    }

    /// Runs a step that must end well: its tree.
    pub fn made(&mut self, step: &Step) -> Tree {
        let tree = self.run(step).unwrap_or_else(|error| panic!("{error}"));
        self.store.tree(&tree).unwrap()
    }

    /// A script in the builder.
    pub fn script(&self, script: &str, words: &[&str], inputs: &[(&str, Input)]) -> Step {
        let head = ["/bin/sh", "-c", script, "test"];
        Step {
            kind: "test".into(),
            label: String::new(),
            params: BTreeMap::new(),
            inputs: inputs.iter().map(|(name, input)| (path(name), input.clone())).collect(),
            root: Some(Input::Object(self.builder)),
            base: None,
            rights: Rights::Plain,
            platform: "x86_64".into(),
            source_date: date(),
            executor: Executor::Program(head.iter().chain(words).map(ToString::to_string).collect()),
        }
    }

    /// A script in the builder that has a root in /out, with the rights to change it.
    pub fn script_on(&self, base: &Step, script: &str) -> Step {
        Step { base: Some(whole(base)), rights: Rights::MakeRoot, ..self.script(script, &[], &[]) }
    }

    /// Installs packages, with these languages if not all.
    pub fn install(
        &self,
        label: &str,
        packages: BTreeMap<RelPath, Input>,
        docs: bool,
        languages: Option<&[String]>,
    ) -> Step {
        root::install(&Install {
            label,
            packages,
            docs,
            languages,
            builder: Input::Object(self.builder),
            platform: "x86_64",
            source_date: date(),
        })
        .unwrap()
    }

    /// Configures a root by the text of `LABEL.ks`; what is wrong with the text.
    pub fn configure(&self, label: &str, base: &Step, kickstart: &str) -> Result<Step, String> {
        let name = format!("{label}.ks");
        let kickstart = Kickstart::parse(&name, kickstart.as_bytes(), Dialect::Fedora, &mut no_includes);
        let kickstart = kickstart.map_err(|error| error.to_string())?;
        let configuration = root::configuration(&kickstart).map_err(|error| error.to_string())?;
        let put = |bytes: &Vec<u8>| Input::Object(self.store.put_bytes(bytes).unwrap());
        Ok(root::configure(&Configure {
            label,
            base: whole(base),
            files: configuration.files.iter().map(|(path, bytes)| (path.clone(), put(bytes))).collect(),
            builder: Input::Object(self.builder),
            platform: "x86_64",
            source_date: date(),
        })
        .unwrap())
    }

    /// A file of a tree.
    pub fn text(&self, tree: &Tree, name: &str) -> String {
        let (file, _) = tree.file(&path(name)).unwrap_or_else(|| panic!("{name} is not there"));
        String::from_utf8(self.store.read_object(&file, 1 << 20).unwrap()).unwrap()
    }

    /// Packages as inputs, by their file names.
    pub fn inputs<'a>(&self, packages: impl IntoIterator<Item = &'a PathBuf>) -> BTreeMap<RelPath, Input> {
        let input =
            |file: &PathBuf| (path(file_name(file)), Input::Object(self.store.put_file(file).unwrap().0));
        packages.into_iter().map(input).collect()
    }
}

/// The last part of a path.
pub fn file_name(path: &Path) -> &str {
    path.file_name().unwrap().to_str().unwrap()
}

/// The name of the package in `NAME-VERSION-RELEASE.ARCH.rpm`.
pub fn package_name(path: &Path) -> &str {
    file_name(path).rsplitn(3, '-').nth(2).unwrap()
}

/// A path below `/in` or `/out`.
pub fn path(text: &str) -> RelPath {
    RelPath::new(text).unwrap()
}

/// [`DATE`].
pub fn date() -> SourceDate {
    SourceDate::from_seconds(DATE).unwrap()
}

/// All that a step makes.
pub fn whole(step: &Step) -> Input {
    Input::Output { step: step.id(), path: None }
}

/// One file that a step makes.
pub fn file(step: &Step, name: &str) -> Input {
    Input::Output { step: step.id(), path: Some(path(name)) }
}

fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text = format!("{text}\n{cause}");
        next = cause.source();
    }
    text
}
