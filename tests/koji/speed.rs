//! For `ci/bench koji`: makes a large answer, and reads it as the client does. `GANDER_KOJI_ANSWER` names its file.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::PathBuf;

use gander::format::xmlrpc::{Limits, read_answer};
use gander::koji::rows::TaggedRpms;

use super::generator::{BUILDS, RPMS, write};

fn file() -> PathBuf {
    std::env::var_os("GANDER_KOJI_ANSWER").unwrap().into()
}

fn check(answer: &TaggedRpms, builds: u32) {
    assert_eq!((answer.0.len(), answer.1.len()), ((builds * RPMS) as usize, builds as usize));
    let known: BTreeMap<i64, &str> =
        answer.1.iter().map(|build| (build.build_id, &*build.package_name)).collect();
    for (rpm, number) in answer.0.iter().zip(1..) {
        let package = known[&rpm.build_id.unwrap()];
        assert!(rpm.id == number && rpm.name.starts_with(package), "{rpm:?}");
        assert_eq!(rpm.size, 6_831 * (u64::try_from(number).unwrap() - 1));
    }
}

#[test]
fn a_large_answer_is_read_to_its_last_row() {
    let mut bytes = Vec::new();
    write(&mut bytes, 300).unwrap();
    let answer = read_answer(&*bytes, &Limits::lists()).unwrap().unwrap();
    check(&answer, 300);
}

#[test]
#[ignore = "writes 86 MB for ci/bench"]
fn make() {
    let mut out = BufWriter::new(File::create(file()).unwrap());
    write(&mut out, BUILDS).unwrap();
    out.flush().unwrap();
}

#[test]
#[ignore = "is measured by ci/bench"]
fn read() {
    check(&read_answer(File::open(file()).unwrap(), &Limits::lists()).unwrap().unwrap(), BUILDS);
}
