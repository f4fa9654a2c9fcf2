//! What a hub on the network has to stand: hostile requests, stolen sessions, two who want the same.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use gander::format::xmlrpc::{Arguments, Limits, Value, read_answer};

use super::bench::{Bench, has_peers};
use super::world::{Serving, Session, administrator, files, source_package};

fn world() -> (Bench, Serving, Session) {
    let bench = Bench::new();
    administrator(&bench, "hub");
    let hub = Serving::start(&bench, "hub");
    let session = hub.login("kojiadmin", "honk").unwrap();
    (bench, hub, session)
}

#[test]
fn what_is_no_call_is_refused_as_koji_refuses_it() {
    let (_bench, hub, _) = world();
    let (head, body) = hub.post("/kojihub", "Content-Type: text/xml\r\n", b"");
    assert!(head.starts_with("http/1.1 400") && head.contains("koji-version: 1.35.3"), "{head}");
    assert_eq!(body, b"Invalid request: Empty request\n");
    for broken in [
        "<methodCall",
        "<html>no</html>",
        "<?xml version='1.0'?><!DOCTYPE x [<!ENTITY a 'aaaa'>]><methodCall><methodName>&a;</methodName></methodCall>",
        "<?xml version='1.0'?><methodCall><methodName>getTag</methodName><params><param><value><int>1e9</int></value></param></params></methodCall>",
    ] {
        let (head, body) = hub.post("/kojihub", "Content-Type: text/xml\r\n", broken.as_bytes());
        assert!(head.starts_with("http/1.1 400"), "{broken}: {head}");
        assert!(body.starts_with(b"Invalid request: "), "{broken}");
    }
    let nested = "<value><array><data>".repeat(100_000);
    let (head, _) = hub.post(
        "/kojihub",
        "",
        format!("<methodCall><methodName>echo</methodName><params><param>{nested}").as_bytes(),
    );
    assert!(head.starts_with("http/1.1 400"), "{head}");
    let answer = hub.raw(b"GET /kojihub HTTP/1.1\r\nHost: hub\r\nConnection: close\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 405") && answer.to_lowercase().contains("allow: post"), "{answer}");
    // A body of a terabyte is not waited for.
    let answer = hub.raw(b"POST /kojihub HTTP/1.1\r\nHost: hub\r\nContent-Length: 1099511627776\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 400") && answer.ends_with("Request too long\n"), "{answer}");
    let endless = format!("GET /kojihub HTTP/1.1\r\nHost: hub\r\n{}", "X: y\r\n".repeat(100_000));
    assert!(hub.raw(endless.as_bytes()).starts_with("HTTP/1.1 431"));
    assert!(hub.call(None, "getAPIVersion", Arguments::none()).is_ok());
}

#[test]
fn files_are_served_whole_and_in_part_and_nothing_else_is() {
    let (bench, hub, _) = world();
    bench.write("hub/topdir/packages/a/1/1/noarch/a-1-1.noarch.rpm", "0123456789");
    bench.write("hub/topdir/.incoming/secret", "s");
    let get = |method: &str, path: &str, range: &str| {
        hub.raw(
            format!("{method} {path} HTTP/1.1\r\nHost: hub\r\nConnection: close\r\n{range}\r\n").as_bytes(),
        )
    };
    let file = "/kojifiles/packages/a/1/1/noarch/a-1-1.noarch.rpm";
    let whole = get("GET", file, "");
    assert!(whole.starts_with("HTTP/1.1 200") && whole.ends_with("\r\n\r\n0123456789"), "{whole}");
    let head = get("HEAD", file, "");
    assert!(head.to_lowercase().contains("content-length: 10") && head.ends_with("\r\n\r\n"), "{head}");
    for (range, part, of) in
        [("2-4", "234", "2-4"), ("7-", "789", "7-9"), ("-3", "789", "7-9"), ("5-99", "56789", "5-9")]
    {
        let answer = get("GET", file, &format!("Range: bytes={range}\r\n"));
        assert!(
            answer.starts_with("HTTP/1.1 206") && answer.ends_with(&format!("\r\n\r\n{part}")),
            "{answer}"
        );
        assert!(answer.to_lowercase().contains(&format!("content-range: bytes {of}/10")), "{answer}");
    }
    let answer = get("GET", file, "Range: bytes=10-\r\n");
    assert!(answer.starts_with("HTTP/1.1 416") && answer.contains("bytes */10"), "{answer}");
    let tag = whole.lines().find_map(|line| line.strip_prefix("etag: ")).unwrap();
    assert!(
        get("GET", file, &format!("Range: bytes=2-4\r\nIf-Range: {tag}\r\n")).starts_with("HTTP/1.1 206")
    );
    assert!(get("GET", file, "Range: bytes=2-4\r\nIf-Range: \"other\"\r\n").starts_with("HTTP/1.1 200"));
    assert!(get("GET", file, &format!("If-None-Match: {tag}\r\n")).starts_with("HTTP/1.1 304"));
    for path in [
        "/kojifiles/",
        "/kojifiles/packages/",
        "/kojifiles/../hub.sqlite",
        "/kojifiles/%2e%2e/hub.sqlite",
        "/kojifiles/packages/..%2f..%2f..%2fhub.sqlite",
        "/kojifiles//etc/passwd",
        "/kojifiles/.incoming/secret",
        "/kojifiles/packages/a%00b",
        "/hub.sqlite",
    ] {
        let answer = get("GET", path, "");
        assert!(answer.starts_with("HTTP/1.1 404"), "{path}: {answer}");
    }
    assert!(get("DELETE", file, "").starts_with("HTTP/1.1 405"));
}

#[test]
fn sessions_are_neither_stolen_nor_replayed() {
    let (bench, hub, session) = world();
    for (user, password) in
        [("kojiadmin", "Honk"), ("kojiadmin", ""), ("nobody", "honk"), ("' OR 1=1 --", "x")]
    {
        let fault = hub.login(user, password).unwrap_err();
        assert_eq!((fault.code, &*fault.text), (1002, "invalid username or password"), "{user}");
    }
    let stolen =
        |session: Session| hub.call(Some(&session), "getLoggedInUser", Arguments::none()).unwrap_err();
    for key in ["", "1-", &session.key[1..], &session.key.replace('1', "2")] {
        if key != session.key {
            assert_eq!(stolen(Session { key: key.to_owned(), ..session.clone() }).code, 1002);
        }
    }
    assert_eq!(stolen(Session { id: session.id + 1, ..session.clone() }).code, 1002);

    let numbered = |call| Session { call: Some(call), ..session.clone() };
    let create = |session: &Session, tag: &str| hub.call(Some(session), "createTag", Arguments::of(tag));
    assert_eq!(create(&numbered(5), "one").unwrap(), Value::Int(1));
    let repeated = create(&numbered(5), "two").unwrap_err();
    assert_eq!(repeated.code, 1009, "{repeated}");
    let earlier = create(&numbered(4), "two").unwrap_err();
    assert_eq!(earlier.code, 1008, "{earlier}");
    create(&numbered(6), "two").unwrap();

    // Who may do nothing does nothing.
    let password = bench.write("other", "quack\n");
    bench.run(["hub", "user", "hub", "duck", "--password-file", password.to_str().unwrap()]).exits(0);
    let duck = hub.login("duck", "quack").unwrap();
    let fault = create(&duck, "three").unwrap_err();
    assert_eq!((fault.code, &*fault.text), (1004, "tag permission required (logged in as duck)"));
    let fault = hub.call(None, "createTag", Arguments::of("three")).unwrap_err();
    assert_eq!((fault.code, &*fault.text), (1004, "tag permission required (user not logged in)"));
    for (method, arguments) in [
        ("importRPM", Arguments::of("a").and("b")),
        ("addRPMSig", Arguments::of(1).and("")),
        ("grantPermission", Arguments::of("duck").and("admin")),
        ("deleteBuild", Arguments::of("a-1-1")),
        ("packageListAdd", Arguments::of("one").and("x").and("duck")),
    ] {
        assert_eq!(hub.call(Some(&duck), method, arguments).unwrap_err().code, 1004, "{method}");
    }
    bench.run(["hub", "user", "hub", "duck", "--block"]).exits(0);
    assert_eq!(hub.call(Some(&duck), "getLoggedInUser", Arguments::none()).unwrap_err().code, 1002);
    hub.call(Some(&session), "logout", Arguments::none()).unwrap();
    assert_eq!(hub.call(Some(&session), "getLoggedInUser", Arguments::none()).unwrap_err().code, 1002);
}

#[test]
fn hostile_uploads_and_names_change_nothing() {
    let (bench, hub, session) = world();
    let before = files(&bench.path("hub/topdir"));
    let fault = |answer: (String, Vec<u8>)| {
        read_answer::<Value>(&*answer.1, &Limits::default()).unwrap().unwrap_err()
    };
    for (name, path) in [
        ("..%2f..%2fhub.sqlite", "x"),
        ("%2fetc%2fpasswd", "x"),
        (".user", "x"),
        ("a%00b", "x"),
        ("a", "..%2f..%2f.."),
        ("a", "%2ftmp"),
        ("a", "x%2f..%2f..%2fy"),
        ("a", "tasks%2f1%2f1"),
    ] {
        let target =
            format!("/kojihub?filename={name}&filepath={path}&fileverify=adler32&offset=0&overwrite=1");
        let fault = fault(hub.upload(&session, &target, b"x"));
        assert_eq!(fault.code, 1000, "{name} {path}: {fault}");
    }
    for offset in ["9223372036854775807", "1000000", "-5", "99999999999999999999", "x"] {
        let target = format!("/kojihub?filename=a&filepath=x&fileverify=adler32&offset={offset}");
        assert_eq!(fault(hub.upload(&session, &target, b"x")).code, 1000, "{offset}");
    }
    let (head, body) =
        hub.post("/kojihub?filename=a&filepath=x", "Content-Type: application/octet-stream\r\n", b"x");
    assert!(head.starts_with("http/1.1 200"), "{head}");
    let refused = read_answer::<Value>(&*body, &Limits::default()).unwrap().unwrap_err();
    assert_eq!(refused.text, "you must be logged-in to upload a file");

    // What is uploaded is what arrives, and what is no package is not imported.
    let target = "/kojihub?filename=evil-1-1.src.rpm&filepath=x&fileverify=adler32&offset=0&overwrite=1";
    let (_, body) = hub.upload(&session, target, b"Wikipedia");
    let received: Value = read_answer(&*body, &Limits::default()).unwrap().unwrap();
    assert_eq!(received.get("hexdigest"), Some(&Value::Text("11e60398".into())));
    for (path, name) in
        [("x", "evil-1-1.src.rpm"), ("..", "hub.sqlite"), ("x", "../../hub.sqlite"), ("x", "none")]
    {
        let fault = hub.call(Some(&session), "importRPM", Arguments::of(path).and(name)).unwrap_err();
        assert_eq!(fault.code, 1000, "{path}/{name}: {fault}");
    }
    for name in ["x'; DROP TABLE tag; --", "a b", "", "a\"b", "ünï"] {
        let created = hub.call(Some(&session), "createTag", Arguments::of(name)).unwrap_err();
        assert_eq!(created.code, 1000, "{name}: {created}");
        assert_eq!(hub.call(None, "getTag", Arguments::of(name)).unwrap(), Value::Nil, "{name}");
    }
    assert_eq!(hub.call(None, "listTags", Arguments::none()).unwrap(), Value::Array(Vec::new()));
    let work = bench.path("hub/topdir/work");
    let after: Vec<PathBuf> =
        files(&bench.path("hub/topdir")).into_iter().filter(|path| !path.starts_with(&work)).collect();
    assert_eq!(after, before);
}

#[test]
fn a_client_that_sends_slowly_does_not_keep_others_out() {
    let (_bench, hub, _) = world();
    let start = b"POST /kojihub HTTP/1.1\r\nHost: hub\r\nContent-Length: 100\r\n\r\n<";
    let slow: Vec<_> = (0..40)
        .map(|_| {
            let mut stream = TcpStream::connect(("127.0.0.1", hub.port)).unwrap();
            stream.write_all(start).unwrap();
            stream
        })
        .collect();
    let begin = Instant::now();
    assert!(hub.call(None, "getAPIVersion", Arguments::none()).is_ok());
    assert!(begin.elapsed() < Duration::from_secs(10));
    drop(slow);
    // One that hangs up in the middle of an answer is no trouble, either.
    let mut stream = TcpStream::connect(("127.0.0.1", hub.port)).unwrap();
    stream.write_all(b"GET /kojifiles/x HTTP/1.1\r\nHost: hub\r\n\r\n").unwrap();
    drop(stream.read(&mut [0; 1]));
    drop(stream);
    assert!(hub.call(None, "getAPIVersion", Arguments::none()).is_ok());
}

#[test]
fn of_two_who_import_the_same_one_wins() {
    if !has_peers(&["rpmbuild"]) {
        return;
    }
    let (bench, hub, session) = world();
    let source = source_package(&bench, "twice", "1", "1");
    let outcomes: Vec<_> = std::thread::scope(|scope| {
        let import = |folder: &'static str| {
            let (hub, session, source) = (&hub, &session, &source);
            scope.spawn(move || hub.import(session, folder, source))
        };
        ["one", "two", "three", "four"].map(import).into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let won = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    assert_eq!(won, 1, "{outcomes:?}");
    for fault in outcomes.iter().filter_map(|outcome| outcome.as_ref().err()) {
        assert!(fault.text.contains("already exists"), "{fault}");
    }
    let kept = bench.path("hub/topdir/packages/twice/1/1/src/twice-1-1.src.rpm");
    assert_eq!(fs::read(kept).unwrap(), fs::read(source).unwrap());
    assert_eq!(files(&bench.path("hub/topdir/.incoming")), Vec::<PathBuf>::new());
    assert_eq!(files(&bench.path("hub/journal")), Vec::<PathBuf>::new());
}
