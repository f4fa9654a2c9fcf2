//! Against a hub of ours with the recorded state, the koji command line prints what it prints against the answers of the
//! Koji hub that were recorded; and whole requests get whole answers as they were recorded.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;

use gander::format::xmlrpc::{Fault, Limits, Value, read_answer, read_call, write_answer, write_fault};
use gander::hub::Hub;

use super::bench::Bench;
use super::hub_setup::Setup;
use super::world::{Serving, files, koji, peers};

/// What a call is, whatever the form of its arguments: those that are nil are left out, and so are their names' places.
fn canonical(call: &[u8]) -> String {
    let call = read_call(call).unwrap();
    let method = call.method.clone();
    let mut arguments = call.arguments();
    arguments.keywords.retain(|_, value| *value != Value::Nil);
    format!("{method} {:?} {:?}", arguments.positional, arguments.keywords)
}

/// Answers calls with what was recorded of a hub; the port.
fn replay(oracle: &Path) -> u16 {
    let mut answers = BTreeMap::new();
    for entry in fs::read_dir(oracle.join("transcripts")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if let Some(stem) = name.strip_suffix(".request.xml").filter(|stem| stem.starts_with("pair-")) {
            let answer = fs::read(path.with_file_name(format!("{stem}.response.xml"))).unwrap();
            answers.insert(canonical(&fs::read(&path).unwrap()), answer);
        }
    }
    // What the command line asks besides: versions, and when an event was.
    let expected: serde_json::Value =
        serde_json::from_slice(&fs::read(oracle.join("expected.json")).unwrap()).unwrap();
    let events: BTreeMap<i64, f64> = expected["events"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(id, ts)| (id.parse().unwrap(), ts.as_f64().unwrap()))
        .collect();
    let answers = Arc::new((answers, events));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let answers = Arc::clone(&answers);
            std::thread::spawn(move || drop(serve(&stream, &answers.0, &answers.1)));
        }
    });
    port
}

fn serve(
    stream: &TcpStream,
    answers: &BTreeMap<String, Vec<u8>>,
    events: &BTreeMap<i64, f64>,
) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream);
    loop {
        let (mut line, mut length) = (String::new(), 0);
        if lines.read_line(&mut line)? == 0 {
            return Ok(());
        }
        while line.trim_end() != "" {
            if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
            line.clear();
            lines.read_line(&mut line)?;
        }
        let mut body = vec![0; length];
        lines.read_exact(&mut body)?;
        let call = read_call(&body).unwrap();
        let answer = match (call.method.as_str(), call.params.first()) {
            ("getAPIVersion", _) => write_answer(&1).unwrap(),
            ("getEvent", Some(Value::Int(id))) => {
                let event =
                    [("id".to_owned(), Value::Int(*id)), ("ts".to_owned(), Value::Double(events[id]))];
                write_answer(&Value::Struct(event.into())).unwrap()
            }
            _ => answers.get(&canonical(&body)).cloned().unwrap_or_else(|| {
                write_fault(&Fault { code: 1, text: format!("not recorded: {}", canonical(&body)) })
            }),
        };
        let mut out = stream;
        write!(
            out,
            "HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nKoji-Version: 1.35.3\r\nContent-Length: {}\r\n\r\n",
            answer.len()
        )?;
        out.write_all(&answer)?;
    }
}

/// A hub of ours with the recorded state, and its files.
fn loaded(bench: &Bench, oracle: &Path) -> Serving {
    let hub = Hub::open(&bench.path("hub")).unwrap();
    Setup::read(&oracle.join("setup.json")).rest(&hub);
    drop(hub);
    let topdir = oracle.join("topdir");
    for path in files(&topdir) {
        let ours = bench.path("hub/topdir").join(path.strip_prefix(&topdir).unwrap());
        fs::create_dir_all(ours.parent().unwrap()).unwrap();
        fs::copy(&path, ours).unwrap();
    }
    Serving::start(bench, "hub")
}

#[test]
fn the_command_line_prints_what_it_prints_for_a_koji_hub() {
    let Some((program, oracle)) = peers("the_command_line_prints_what_it_prints_for_a_koji_hub") else {
        return;
    };
    let bench = Bench::new();
    let (ours, theirs) = (loaded(&bench, &oracle), replay(&oracle));
    let expected: serde_json::Value =
        serde_json::from_slice(&fs::read(oracle.join("expected.json")).unwrap()).unwrap();
    let (mut compared, mut empty) = (0, 0);
    for pair in expected["pairs"].as_array().unwrap() {
        let tag = pair["tag"].as_str().unwrap();
        let event = pair["event"].as_i64().map(|event| format!("--event={event}"));
        for command in [
            &["list-tagged", "--inherit", "--latest"][..],
            &["list-tagged", "--inherit", "--latest", "--rpms"],
            &["list-tagged", "--inherit", "--latest", "--rpms", "--sigs"],
            &["list-tag-inheritance"],
        ] {
            let mut command = command.to_vec();
            command.push(tag);
            command.extend(event.as_deref());
            command.insert(0, "--noauth");
            let theirs = koji(&bench, &program, theirs, &command);
            if theirs.stderr.contains("not recorded") {
                continue;
            }
            let ours = koji(&bench, &program, ours.port, &command);
            assert_eq!(
                (ours.code, &ours.stdout),
                (theirs.code, &theirs.stdout),
                "{command:?}\n{theirs}\n{ours}"
            );
            compared += 1;
            empty += usize::from(ours.stdout.is_empty());
        }
    }
    println!("{compared} outputs of the command line compared, all agreed");
    assert!(compared > 20 && empty < compared / 2, "{compared} compared, {empty} of them empty");
}

/// Faults, echoes and refusals as a Koji hub words them.
#[test]
fn requests_get_the_answers_that_were_recorded() {
    let Some((_, oracle)) = peers("requests_get_the_answers_that_were_recorded") else { return };
    let bench = Bench::new();
    let hub = loaded(&bench, &oracle);
    let (mut compared, mut wrong) = (0, Vec::new());
    for entry in fs::read_dir(oracle.join("transcripts")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let Some(stem) = name.strip_suffix(".request.xml") else { continue };
        let sessionless = [
            "fault_",
            "echo_",
            "hello",
            "getAPIVersion",
            "getKojiVersion",
            "login_bad",
            "sslLogin",
            "showSession",
            "http_",
            "getRPMHeaders",
            "listRPMFiles",
            "getRPMDeps",
            "getRPMFile",
            "multiCall_empty",
            "getTag_missing",
            "getBuild_bad",
            "getBuild_missing",
            "getRPM_missing",
            "listTagged_missing",
            "listTaggedRPMS_badarg",
            "getLoggedInUser_anon",
            "getRPMChecksums_sha512",
            "pair-",
        ];
        if !sessionless.iter().any(|prefix| stem.starts_with(prefix)) {
            continue;
        }
        let recorded = |ending: &str| fs::read(path.with_file_name(format!("{stem}{ending}"))).unwrap();
        let http = String::from_utf8(recorded(".http")).unwrap();
        let target = http.split(' ').nth(1).unwrap();
        let headers: String = http
            .lines()
            .skip(1)
            .take_while(|line| !line.is_empty())
            .filter(|line| !line.to_lowercase().starts_with("content-length"))
            .map(|line| format!("{line}\r\n"))
            .collect();
        let (head, body) = hub.post(target, &headers, &recorded(".request.xml"));
        let status = http.split("\n\n").nth(1).or_else(|| http.split("\r\n\r\n").nth(1)).unwrap();
        let status = status.split(' ').nth(1).unwrap();
        let theirs = recorded(".response.xml");
        let agreed = head.split(' ').nth(1) == Some(status) && same(&body, &theirs);
        compared += 1;
        if !agreed {
            let [ours, theirs] = [&body, &theirs]
                .map(|body| String::from_utf8_lossy(body).chars().take(1500).collect::<String>());
            wrong.push(format!("{stem}: {head}\n--- ours\n{ours}\n--- recorded\n{theirs}"));
        }
    }
    println!("{compared} recorded requests, {} answered as recorded", compared - wrong.len());
    assert!(compared > 40, "{compared}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Whether two answers say the same; what an XML parser says about an error is its own.
fn same(ours: &[u8], theirs: &[u8]) -> bool {
    if theirs.starts_with(b"Invalid request") {
        return ours == theirs || ours.starts_with(b"Invalid request: ");
    }
    let read = |body: &[u8]| read_answer::<Value>(body, &Limits::default()).unwrap().map(sorted);
    read(ours) == read(theirs)
}

/// Lists of RPMs have no order with Koji.
fn sorted(value: Value) -> Value {
    match value {
        Value::Array(values) => {
            let mut values: Vec<_> = values.into_iter().map(sorted).collect();
            if values.iter().all(|value| value.get("payloadhash").is_some()) {
                values.sort_by_key(|value| format!("{:?}", (value.get("id"), value.get("sigkey"))));
            }
            Value::Array(values)
        }
        value => value,
    }
}
