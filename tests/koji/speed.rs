//! For `ci/bench koji`: makes a large answer, and reads it as the client does. `GANDER_KOJI_ANSWER` names its file.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Cursor, Read, Write as _};
use std::path::PathBuf;
use std::sync::Arc;

use gander::format::xmlrpc::{Value, read_call, write_answer};
use gander::koji::{Hub, Question, Reply, Request, Retry, Sending, Snapshot, Transport, state};

use super::generator::{BUILDS, RPMS, write};
use super::run;

fn file() -> PathBuf {
    std::env::var_os("GANDER_KOJI_ANSWER").unwrap().into()
}

/// A hub with one large tag: the list of its RPMs is ready, all else is little.
#[derive(Debug)]
struct Large(Ready);

#[derive(Debug)]
enum Ready {
    File(PathBuf),
    Bytes(Vec<u8>),
}

impl Transport for Large {
    fn send(&self, request: Request) -> Sending<'_> {
        let call = read_call(&request.body).unwrap();
        let tag = [("id", 1.into()), ("name", "large".into()), ("arches", "x86_64".into())];
        let tag = tag.into_iter().chain([("locked", Value::Bool(false))]);
        let tag = Value::Struct(tag.map(|(name, value): (&str, Value)| (name.into(), value)).collect());
        let small = |value: &Value| Box::new(Cursor::new(write_answer(value).unwrap()));
        let body: Box<dyn Read + Send> = match (call.method.as_str(), &self.0) {
            ("listTaggedRPMS", Ready::File(path)) => Box::new(File::open(path).unwrap()),
            ("listTaggedRPMS", Ready::Bytes(bytes)) => Box::new(Cursor::new(bytes.clone())),
            ("getLastEvent", _) => {
                let event = [("id".into(), 1.into()), ("ts".into(), Value::Double(1.7e9))];
                small(&Value::Struct(event.into()))
            }
            ("getKojiVersion", _) => small(&"1.35.3".into()),
            ("getTag", _) => small(&tag),
            // The tags of the inheritance; there is the one.
            ("multiCall", _) => small(&Value::Array(vec![Value::Array(vec![tag])])),
            (_, _) => small(&Value::Array(Vec::new())),
        };
        Box::pin(async { Ok(Reply { version: None, body }) })
    }

    fn name(&self) -> &'static str {
        "large"
    }
}

/// What a composer has of the tag before it asks for anything of one package.
fn snapshot(answer: Ready) -> Snapshot {
    let hub = Hub::over(Arc::new(Large(answer)), Retry { most: 0, ..Retry::default() });
    let question = Question {
        tag: "large",
        event: None,
        inherit: true,
        latest: true,
        held: &[],
        forced: &[],
        modules: &[],
    };
    run(state(&hub, "large", &question)).unwrap().snapshot
}

fn check(found: &Snapshot, builds: u32) {
    assert_eq!((found.rpms.len(), found.builds.len()), ((builds * RPMS) as usize, builds as usize));
    let known: BTreeMap<i64, &str> = found.builds.iter().map(|build| (build.id, &*build.name)).collect();
    for (rpm, number) in found.rpms.iter().zip(1..) {
        let package = known[&rpm.build];
        assert!(rpm.id == number && rpm.name.starts_with(package), "{rpm:?}");
        assert_eq!(rpm.size, 6_831 * (number - 1));
    }
}

#[test]
fn a_large_answer_is_read_to_its_last_row() {
    let mut bytes = Vec::new();
    write(&mut bytes, 300).unwrap();
    check(&snapshot(Ready::Bytes(bytes)), 300);
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
    check(&snapshot(Ready::File(file())), BUILDS);
}
