//! The step that runs rpmbuild.

use std::collections::BTreeMap;

use crate::base::relpath::RelPathError;
use crate::base::{RelPath, SourceDate};
use crate::plan::{Executor, Input, Rights, Step};

/// The kind of the step.
pub const KIND: &str = "rpmbuild";

/// What is built of a spec.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parts {
    /// Source and binary packages (`-ba`).
    All,
    /// Binary packages only (`-bb`).
    Binary,
}

/// One run of rpmbuild.
#[derive(Clone, Debug)]
pub struct Build<'a> {
    /// The file name of the spec.
    pub spec: &'a str,
    /// Its text.
    pub text: Input,
    /// Its sources by file name.
    pub sources: BTreeMap<String, Input>,
    /// The arch to build for.
    pub target: &'a str,
    /// What is built.
    pub parts: Parts,
    /// What `%{dist}` is; empty for none.
    pub dist: &'a str,
    /// The image that it runs in.
    pub root: Input,
    /// The arch of that image.
    pub platform: &'a str,
    /// The only time.
    pub source_date: SourceDate,
}

/// The step that builds one spec for one target.
pub fn step(build: &Build<'_>) -> Result<Step, RelPathError> {
    let Build { spec, target, parts, dist, .. } = *build;
    let mut inputs = BTreeMap::from([(RelPath::new(format!("spec/{spec}"))?, build.text.clone())]);
    for (name, input) in &build.sources {
        inputs.insert(RelPath::new(format!("sources/{name}"))?, input.clone());
    }
    let stage = match parts {
        Parts::All => "-ba",
        Parts::Binary => "-bb",
    };
    // Sources and spec become files of the map's first id with one mode and time: what a source package
    // records of them must not depend on who runs the step.
    let script = "set -e; mkdir -p /build/rpm/SOURCES /build/rpm/SPECS; \
                  if [ -d /in/sources ]; then cp /in/sources/* /build/rpm/SOURCES/; fi; \
                  cp /in/spec/* /build/rpm/SPECS/; \
                  find /build/rpm -type f -exec chmod 644 {} + -exec touch -d \"@$SOURCE_DATE_EPOCH\" {} +; \
                  exec rpmbuild \"$@\"";
    let mut argv: Vec<String> =
        ["/bin/sh", "-c", script, "rpmbuild", stage, "--nodeps", "--target"].map(str::to_owned).into();
    argv.push(format!("{target}-redhat-linux"));
    for (name, value) in [
        ("_topdir", "/build/rpm"),
        ("_rpmdir", "/out"),
        ("_srcrpmdir", "/out/src"),
        ("_build_name_fmt", "%%{ARCH}/%%{NAME}-%%{VERSION}-%%{RELEASE}.%%{ARCH}.rpm"),
        ("_buildhost", "gander"),
        ("_smp_build_ncpus", "1"),
        ("use_source_date_epoch_as_buildtime", "1"),
        ("clamp_mtime_to_source_date_epoch", "1"),
        ("_dbpath", "/build/rpmdb"),
    ] {
        argv.extend(["--define".into(), format!("{name} {value}")]);
    }
    if !dist.is_empty() {
        argv.extend(["--define".into(), format!("dist {dist}")]);
    }
    argv.push(format!("/build/rpm/SPECS/{spec}"));
    Ok(Step {
        kind: KIND.into(),
        label: format!("{spec} for {target}"),
        params: BTreeMap::new(),
        inputs,
        root: Some(build.root.clone()),
        base: None,
        rights: Rights::Plain,
        platform: build.platform.into(),
        source_date: build.source_date,
        executor: Executor::Program(argv),
    })
}
