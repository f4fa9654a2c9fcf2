//! The step that configures a root file system.

use std::collections::BTreeMap;

use crate::base::relpath::RelPathError;
use crate::base::{RelPath, SourceDate};
use crate::plan::{Executor, Input, Rights, Step};

/// The kind of the step.
pub const CONFIGURE: &str = "configure";

/// What runs in the jail. The parts are in the step's command line, so a change of them is another step.
const SCRIPT: &str =
    concat!(include_str!("world.sh"), "\n", include_str!("commands.sh"), "\n", include_str!("configure.sh"));

/// A root to be configured.
#[derive(Clone, Debug)]
pub struct Configure<'a> {
    /// For people.
    pub label: &'a str,
    /// The root, as [`install`](super::install()) makes it.
    pub base: Input,
    /// What is in [`Configuration::files`](super::Configuration::files).
    pub files: BTreeMap<RelPath, Input>,
    /// The image with a shell and the usual small programs.
    pub builder: Input,
    /// The arch of that image and of the root.
    pub platform: &'a str,
    /// The only time.
    pub source_date: SourceDate,
}

/// The step that configures a root; its output tree is the root as an image is to have it.
pub fn configure(configure: &Configure<'_>) -> Result<Step, RelPathError> {
    let mut inputs = BTreeMap::new();
    for (name, input) in &configure.files {
        inputs.insert(RelPath::new(format!("configuration/{name}"))?, input.clone());
    }
    let argv = ["/bin/sh", "-c", SCRIPT, CONFIGURE].map(str::to_owned);
    Ok(Step {
        kind: CONFIGURE.into(),
        label: configure.label.into(),
        params: BTreeMap::new(),
        inputs,
        root: Some(configure.builder.clone()),
        base: Some(configure.base.clone()),
        rights: Rights::MakeRoot,
        platform: configure.platform.into(),
        source_date: configure.source_date,
        executor: Executor::Program(argv.into()),
    })
}
