//! The step that installs packages into a root file system.

use std::collections::BTreeMap;

use crate::base::relpath::RelPathError;
use crate::base::{RelPath, SourceDate};
use crate::plan::{Executor, Input, Rights, Step};

/// The kind of the step.
pub const INSTALL: &str = "install";

/// What runs in the jail. Both parts are in the step's command line, so a change of them is another step.
const SCRIPT: &str = concat!(include_str!("world.sh"), "\n", include_str!("install.sh"));

/// A set of packages to be installed in one transaction.
#[derive(Clone, Debug)]
pub struct Install<'a> {
    /// For people.
    pub label: &'a str,
    /// The packages by their file names.
    pub packages: BTreeMap<RelPath, Input>,
    /// Whether files that are marked as documentation are installed.
    pub docs: bool,
    /// The languages whose files are installed; all if none is said.
    pub languages: Option<&'a [String]>,
    /// The image whose rpm does it.
    pub builder: Input,
    /// The arch of that image and of the root.
    pub platform: &'a str,
    /// The only time.
    pub source_date: SourceDate,
}

/// The step that installs packages; its output tree is the root file system.
pub fn install(install: &Install<'_>) -> Result<Step, RelPathError> {
    let mut inputs = BTreeMap::new();
    for (name, input) in &install.packages {
        inputs.insert(RelPath::new(format!("packages/{name}"))?, input.clone());
    }
    let languages = install.languages.map_or_else(|| "all".to_owned(), |languages| languages.join(":"));
    let docs = if install.docs { "yes" } else { "no" };
    let argv = ["/bin/sh", "-c", SCRIPT, INSTALL, docs, &languages].map(str::to_owned);
    Ok(Step {
        kind: INSTALL.into(),
        label: install.label.into(),
        params: BTreeMap::new(),
        inputs,
        root: Some(install.builder.clone()),
        base: None,
        rights: Rights::MakeRoot,
        platform: install.platform.into(),
        source_date: install.source_date,
        executor: Executor::Program(argv.into()),
    })
}
