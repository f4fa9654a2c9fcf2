//! One unit of hermetic work: its description and its two names.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::base::{Digest, Encoder, RelPath, SourceDate};

/// Which jail steps run in. Whoever changes what a step sees there (environment, mounts, ids, limits) raises it,
/// so that results of the old jail are not taken for those of the new one.
const JAIL_REVISION: i64 = 3;

/// A step's plan id: the digest of its description with inputs named symbolically.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct StepId(pub Digest);

impl StepId {
    /// The first 12 digits, enough to tell steps apart for people.
    pub fn short(&self) -> String {
        self.0.hex().chars().take(12).collect()
    }
}

impl fmt::Display for StepId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.hex())
    }
}

impl fmt::Debug for StepId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.short())
    }
}

/// Where an input or a root comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// An object of the store: a file, known beforehand.
    Object(Digest),
    /// What another step makes: one file of its output, or its whole output tree.
    Output {
        /// The step that makes it.
        step: StepId,
        /// The file in its output tree; none for the whole tree.
        path: Option<RelPath>,
    },
}

impl Input {
    /// The step that makes it; none for an object.
    pub fn step(&self) -> Option<StepId> {
        match self {
            Self::Object(_) => None,
            Self::Output { step, .. } => Some(*step),
        }
    }
}

/// How a step is carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Executor {
    /// A command line inside the root. Paths in it are the jail's (`/in/NAME`, `/out`, `/build`).
    Program(Vec<String>),
    /// gander's own code for this kind, with the revision of its output's bytes: whoever changes the
    /// bytes raises it, so that no stale result is taken for a new one.
    Native(u32),
}

/// What a step may do in its jail beyond what every step may. None of it reaches outside of the jail's own user
/// namespace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Rights {
    /// Nothing more.
    #[default]
    Plain,
    /// Read everything, whoever owns it: for making an image of a root.
    ReadAll,
    /// Make a root file system in `/out`: install packages there, change owners, enter it. While the step runs,
    /// `/out` has a `proc`, `dev`, `sys`, `run`, `tmp` and `var/tmp` of the jail's, which are empty folders in
    /// the output tree.
    MakeRoot,
}

impl Rights {
    /// Its name in a plan.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::ReadAll => "read-all",
            Self::MakeRoot => "make-root",
        }
    }
}

/// One unit of hermetic work. It sees only its inputs (read-only below `/in`, each under its name), its
/// root, an empty scratch folder `/build` and the folder `/out`, which becomes its output tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// What it does, in one word: `image`, `rpmbuild`, `attach`, `repodata`, …
    pub kind: String,
    /// For people, no part of its identity: `bash.spec x86_64`.
    pub label: String,
    /// Parameters of the kind, as text.
    pub params: BTreeMap<String, String>,
    /// Inputs by the path below `/in` where they appear.
    pub inputs: BTreeMap<RelPath, Input>,
    /// What its root file system is: an OCI image by its manifest (a file), or a tree that another step made
    /// (its whole output); none for an empty root.
    pub root: Option<Input>,
    /// The tree that `/out` holds at the start, the whole output of another step; none for an empty `/out`.
    pub base: Option<Input>,
    /// What it may do beyond what every step may.
    pub rights: Rights,
    /// The arch that programs in it run on, such as `x86_64`.
    pub platform: String,
    /// The only time it knows.
    pub source_date: SourceDate,
    /// How it is carried out.
    pub executor: Executor,
}

/// An input that is there: its kind and the digest of its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResolvedInput {
    /// A file, by the digest of its bytes.
    File(Digest),
    /// A tree, by the digest of its manifest.
    Tree(Digest),
}

/// A step with every input resolved: what a runner gets to run, and what the store answers by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Action {
    /// The description.
    pub step: Step,
    /// Inputs by their path below `/in`.
    pub inputs: BTreeMap<RelPath, ResolvedInput>,
    /// Its root: an image's manifest, or a tree.
    pub root: Option<ResolvedInput>,
    /// The tree that `/out` holds at the start.
    pub base: Option<Digest>,
}

impl ResolvedInput {
    fn parts(&self) -> (&'static str, &Digest) {
        match self {
            Self::File(digest) => ("file", digest),
            Self::Tree(digest) => ("tree", digest),
        }
    }
}

impl Step {
    /// The name known before anything runs.
    pub fn id(&self) -> StepId {
        let mut encoder = self.encode("gander step 1");
        encoder.list(self.inputs.len() + 1);
        for (path, input) in &self.inputs {
            encode_input(encoder.bytes(path), Some(input));
        }
        encode_input(&mut encoder, self.root.as_ref());
        encode_input(&mut encoder, self.base.as_ref());
        StepId(encoder.finish())
    }

    fn encode(&self, domain: &str) -> Encoder {
        let mut encoder = Encoder::new(domain);
        encoder.bytes(&self.kind).pairs(self.params.iter()).bytes(&self.platform);
        encoder.integer(self.source_date.seconds()).bytes(self.rights.name());
        match &self.executor {
            Executor::Program(argv) => {
                encoder.bytes("program").list(argv.len());
                argv.iter().for_each(|word| {
                    encoder.bytes(word);
                });
            }
            Executor::Native(revision) => {
                encoder.bytes("native").integer(i64::from(*revision));
            }
        }
        encoder
    }

    /// The steps that this one needs.
    pub fn needs(&self) -> impl Iterator<Item = StepId> {
        self.inputs.values().chain(&self.root).chain(&self.base).filter_map(Input::step)
    }
}

fn encode_input(encoder: &mut Encoder, input: Option<&Input>) {
    match input {
        None => encoder.bytes("none"),
        Some(Input::Object(digest)) => encoder.bytes("object").bytes(digest.as_bytes()),
        Some(Input::Output { step, path }) => {
            encoder.bytes("output").bytes(step.0.as_bytes()).optional(path.as_ref().map(RelPath::as_str))
        }
    };
}

impl Action {
    /// The name that the store answers by: the same description, inputs by content, and what jail it runs in.
    pub fn key(&self) -> Digest {
        let mut encoder = self.step.encode("gander action 1");
        encoder.integer(JAIL_REVISION);
        encoder.list(self.inputs.len());
        for (path, input) in &self.inputs {
            let (kind, digest) = input.parts();
            encoder.bytes(path).bytes(kind).bytes(digest.as_bytes());
        }
        match &self.root {
            None => encoder.bytes("none"),
            Some(root) => encoder.bytes(root.parts().0).bytes(root.parts().1.as_bytes()),
        };
        encoder.optional(self.base.as_ref().map(Digest::as_bytes));
        encoder.finish()
    }
}

/// What a native step sees: its parameters and its folders. In a jail these are `/in`, `/out` and
/// `/build`; a unit test gives it others.
#[derive(Clone, Debug)]
pub struct StepIo {
    /// Parameters of the kind.
    pub params: BTreeMap<String, String>,
    /// The only time.
    pub source_date: SourceDate,
    /// Holds the inputs under their names, read-only.
    pub inputs: PathBuf,
    /// Becomes the output tree.
    pub output: PathBuf,
    /// Scratch space, empty at the start.
    pub scratch: PathBuf,
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn step(kind: &str) -> Step {
        Step {
            kind: kind.into(),
            label: String::new(),
            params: BTreeMap::from([("a".into(), "1".into())]),
            inputs: BTreeMap::from([(RelPath::new("x").unwrap(), Input::Object(Digest::of("x")))]),
            root: None,
            base: None,
            rights: Rights::Plain,
            platform: "x86_64".into(),
            source_date: SourceDate::from_seconds(1_793_491_200).unwrap(),
            executor: Executor::Native(1),
        }
    }

    #[test]
    fn every_field_but_the_label_is_part_of_the_id() {
        let base = step("k");
        let id = base.id();
        assert_eq!(Step { label: "other".into(), ..base.clone() }.id(), id);
        for other in [
            step("l"),
            Step { params: BTreeMap::new(), ..base.clone() },
            Step { inputs: BTreeMap::new(), ..base.clone() },
            Step { root: Some(Input::Object(Digest::of("r"))), ..base.clone() },
            Step { base: Some(Input::Object(Digest::of("r"))), ..base.clone() },
            Step { rights: Rights::ReadAll, ..base.clone() },
            Step { platform: "aarch64".into(), ..base.clone() },
            Step { source_date: SourceDate::from_seconds(1_793_491_201).unwrap(), ..base.clone() },
            Step { executor: Executor::Native(2), ..base.clone() },
            Step { executor: Executor::Program(vec!["1".into()]), ..base.clone() },
        ] {
            assert_ne!(other.id(), id, "{other:?}");
        }
    }

    #[test]
    fn the_action_key_depends_on_content_not_on_who_made_it() {
        let made = |by: &str| Step {
            inputs: BTreeMap::from([(
                RelPath::new("x").unwrap(),
                Input::Output { step: StepId(Digest::of(by)), path: None },
            )]),
            ..step("k")
        };
        let action = |step: Step, content: &str| Action {
            step,
            inputs: BTreeMap::from([(RelPath::new("x").unwrap(), ResolvedInput::File(Digest::of(content)))]),
            root: None,
            base: None,
        };
        assert_ne!(made("a").id(), made("b").id());
        assert_eq!(action(made("a"), "same").key(), action(made("b"), "same").key());
        assert_ne!(action(made("a"), "same").key(), action(made("a"), "other").key());
    }
}
