//! The step that runs rpmbuild.

use std::collections::BTreeMap;

use crate::base::relpath::RelPathError;
use crate::base::{RelPath, SourceDate};
use crate::plan::{Executor, Input, Step};

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

/// The step that builds one spec for one target. `spec` is the file name of the spec; sources are given
/// under their file names.
pub fn step(
    spec: &str,
    spec_input: Input,
    sources: BTreeMap<String, Input>,
    target: &str,
    parts: Parts,
    dist: &str,
    root: Input,
    source_date: SourceDate,
) -> Result<Step, RelPathError> {
    let mut inputs = BTreeMap::from([(RelPath::new(format!("spec/{spec}"))?, spec_input)]);
    for (name, input) in sources {
        inputs.insert(RelPath::new(format!("sources/{name}"))?, input);
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
        root: Some(root),
        platform: "x86_64".into(),
        source_date,
        executor: Executor::Program(argv),
    })
}
