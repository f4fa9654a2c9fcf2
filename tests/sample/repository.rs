//! Repositories of packages that the tests make.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use gander::base::SourceDate;
use gander::plan::StepIo;

/// Writes packages by their paths into a folder, and has the compose's step make a repository of them there.
pub fn make<'a>(
    folder: &Path,
    packages: impl IntoIterator<Item = (&'a String, &'a Vec<u8>)>,
    comps: Option<&str>,
    source_date: SourceDate,
) {
    let scratch = tempfile::tempdir().unwrap();
    let inputs = scratch.path().join("in");
    fs::create_dir_all(inputs.join("packages")).unwrap();
    fs::create_dir_all(folder).unwrap();
    for (path, bytes) in packages {
        for path in [folder.join(path), inputs.join("packages").join(path)] {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
    }
    if let Some(comps) = comps {
        fs::write(inputs.join("comps.xml"), comps).unwrap();
    }
    let (params, scratch) = (BTreeMap::new(), scratch.path().join("build"));
    let io = StepIo { params, source_date, inputs, output: folder.to_owned(), scratch };
    gander::repo::execute(&io).unwrap();
}
