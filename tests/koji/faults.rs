//! What goes wrong on the way, and what is tried again.

use std::io::Write as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use gander::format::xmlrpc::{Arguments, Fault, Limits, Value, XmlRpcError, write_answer, write_fault};
use gander::koji::{FaultKind, Hub, KojiError, Retry, Watch};

use super::server::{Act, Server, fault, value};
use super::{hub, profile, run};

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// What a hub does with a call, by name.
type Trouble = (&'static str, Box<dyn Fn() -> Act + Send + Sync>);

/// What was heard of calls that are made again.
#[derive(Debug, Default)]
struct Heard(Mutex<Vec<String>>);

impl Watch for Heard {
    fn waits(&self, why: &KojiError, pause: Duration) {
        assert_eq!(pause, profile("").retry.interval);
        self.0.lock().unwrap().push(why.to_string());
    }
}

async fn hello(hub: &Hub) -> Result<String, KojiError> {
    hub.call("hello", Arguments::none()).await
}

#[test]
fn compressed_answers_are_read() {
    let long = "Hello ".repeat(100_000);
    let body = write_answer(&long).unwrap();
    let mut zlib = ZlibEncoder::new(Vec::new(), Compression::fast());
    zlib.write_all(&body).unwrap();
    let (packed, deflated) = (gzip(&body), zlib.finish().unwrap());
    let server = Server::start(move |asked, before| {
        assert_eq!(asked.header("accept-encoding"), Some("gzip, deflate"));
        assert_eq!(asked.header("user-agent"), Some("koji/1"));
        assert_eq!(asked.header("content-type"), Some("text/xml"));
        match before {
            0 => Act::Body(packed.clone(), "Content-Encoding: gzip\r\n"),
            1 => Act::Body(deflated.clone(), "Content-Encoding: deflate\r\n"),
            _ => Act::Body(b"x".to_vec(), "Content-Encoding: br\r\n"),
        }
    });
    let hub = hub(&server);
    assert_eq!(run(hello(&hub)).unwrap(), long);
    assert_eq!(run(hello(&hub)).unwrap(), long);
    let error = run(hello(&hub)).unwrap_err().to_string();
    assert!(error.contains("encoded as 'br'"), "{error}");
}

#[test]
fn what_passes_is_tried_again() {
    let body = write_answer("Hello").unwrap();
    let packed = gzip(&body);
    let troubles: [Trouble; 7] = [
        ("503", Box::new(|| Act::Status("503 Service Unavailable", "<h1>later</h1>"))),
        ("500", Box::new(|| Act::Status("500 Internal Server Error", ""))),
        ("closed", Box::new(|| Act::Close)),
        ("cut", {
            let body = body.clone();
            Box::new(move || Act::Cut(body.clone(), 60))
        }),
        ("cut short and said to be whole", {
            let body = body.clone();
            Box::new(move || Act::Body(body[..60].to_vec(), ""))
        }),
        ("truncated gzip", {
            let packed = packed.clone();
            Box::new(move || Act::Body(packed[..packed.len() - 20].to_vec(), "Content-Encoding: gzip\r\n"))
        }),
        ("gzip without its checksum", {
            Box::new(move || Act::Body(packed[..packed.len() - 8].to_vec(), "Content-Encoding: gzip\r\n"))
        }),
    ];
    for (name, trouble) in troubles {
        let server = Server::start(move |_, before| if before < 3 { trouble() } else { value("Hello") });
        let heard = Arc::new(Heard::default());
        let hub = hub(&server).with_watch(heard.clone());
        assert_eq!(run(hello(&hub)).unwrap(), "Hello", "{name}");
        assert_eq!(server.asked().len(), 4, "{name}");
        // The first time is at once.
        let heard = heard.0.lock().unwrap();
        assert!(heard.len() == 2 && heard.iter().all(|why| !why.is_empty()), "{name}: {heard:?}");
    }
    // As often as the profile says, and not at all where it says so.
    for (retry, asked) in
        [(Retry { most: 2, ..profile("").retry }, 3), (Retry { anonymous: false, ..profile("").retry }, 1)]
    {
        let server = Server::start(|_, _| Act::Status("502 Bad Gateway", "<html>\n<b>no</b>"));
        let profile = gander::koji::Profile { retry, ..profile(&server.url) };
        let error = run(hello(&Hub::open(&profile).unwrap())).unwrap_err();
        assert!(
            matches!(&error, KojiError::Status { status: 502, text, .. } if text == "<html> <b>no</b>"),
            "{error:?}"
        );
        assert_eq!(server.asked().len(), asked);
    }
}

#[test]
fn what_stays_is_not_tried_again() {
    let cases: [(Act, &str); 7] = [
        (fault(1000, "No such thing"), "refuses hello: fault 1000: No such thing"),
        (Act::Status("404 Not Found", "<html>gone</html>"), "status 404: <html>gone</html>"),
        (Act::Status("400 Bad Request", "Invalid request"), "status 400"),
        (Act::Body(b"<html><body>Welcome</body></html>".to_vec(), ""), "<html> is no element"),
        (Act::Body(b"<!DOCTYPE a [<!ENTITY a 'b'>]><methodResponse/>".to_vec(), ""), "document type"),
        (Act::Body(write_answer(&7).unwrap(), ""), "an integer, expected a string"),
        (Act::Body([write_answer("x").unwrap(), b"<x/>".to_vec()].concat(), ""), "<x> is no element"),
    ];
    for (act, message) in cases {
        let act = std::sync::Mutex::new(Some(act));
        let server = Server::start(move |_, _| act.lock().unwrap().take().unwrap());
        let error = gander::base::chain(&run(hello(&hub(&server))).unwrap_err());
        assert!(error.contains(message), "{message}: {error}");
        assert_eq!(server.asked().len(), 1);
    }
}

#[test]
fn a_hub_that_is_offline_is_waited_for_if_the_profile_says_so() {
    let offline = || Act::Body(write_fault(&Fault { code: 1014, text: "database outage".into() }), "");
    let server = Server::start(move |_, before| if before < 5 { offline() } else { value("Hello") });
    let error = run(hello(&hub(&server))).unwrap_err();
    assert!(matches!(error.fault(), Some((FaultKind::ServerOffline, _))), "{error}");
    assert_eq!(server.asked().len(), 1);
    let retry = Retry { offline: true, ..profile("").retry };
    let profile = gander::koji::Profile { retry, ..profile(&server.url) };
    assert_eq!(run(hello(&Hub::open(&profile).unwrap())).unwrap(), "Hello");
    assert_eq!(server.asked().len(), 6);
}

#[test]
fn endless_answers_end() {
    let limits = Limits { bytes: 3 << 20, ..Limits::default() };
    let begin = b"<?xml version='1.0'?><methodResponse><params><param><value><array><data>".to_vec();
    let bomb = gzip(&[begin.clone(), b"<value>x</value>".repeat(4 << 20)].concat());
    let cases: [Trouble; 5] = [
        ("values", {
            let begin = begin.clone();
            Box::new(move || Act::Endless(begin.clone(), b"<value>x</value>".repeat(1000), ""))
        }),
        ("space", Box::new(|| Act::Endless(Vec::new(), vec![b' '; 10_000], ""))),
        ("a text", Box::new(move || Act::Endless([&*begin, b"<value>"].concat(), vec![b'x'; 10_000], ""))),
        (
            "behind the message",
            Box::new(|| Act::Endless(write_answer("x").unwrap(), vec![b'\n'; 10_000], "")),
        ),
        ("compressed", Box::new(move || Act::Body(bomb.clone(), "Content-Encoding: gzip\r\n"))),
    ];
    for (name, act) in cases {
        let server = Server::start(move |_, _| act());
        let hub = hub(&server).with_limits(limits);
        let error = run(hub.call::<Value>("hello", Arguments::none())).unwrap_err();
        let KojiError::Answer { source: XmlRpcError::Limit { .. }, .. } = error else {
            panic!("{name}: {error:?}")
        };
        assert_eq!(server.asked().len(), 1, "{name}");
    }
}

#[test]
fn calls_do_not_follow_redirects() {
    let elsewhere = Server::start(|_, _| value("Hello"));
    let target = elsewhere.url.clone();
    let server = Server::start(move |_, _| Act::Redirect(target.clone()));
    let error = run(hello(&hub(&server))).unwrap_err();
    assert!(matches!(&error, KojiError::Redirect { target, .. } if *target == elsewhere.url), "{error}");
    assert!(elsewhere.asked().is_empty());
}

#[test]
fn where_nobody_is_that_is_said() {
    let error = run(hello(&Hub::open(&profile("http://127.0.0.1:1/kojihub")).unwrap())).unwrap_err();
    assert!(matches!(&error, KojiError::Connection { certificate: false, .. }), "{error:?}");
    assert!(error.to_string().contains("http://127.0.0.1:1/kojihub cannot be reached"), "{error}");
    for server in ["ftp://x/", "kojihub", ""] {
        assert!(Hub::open(&profile(server)).is_err(), "{server}");
    }
}

#[test]
fn many_calls_go_in_batches() {
    let server = Server::start(|asked, _| {
        let Value::Array(calls) = &asked.arguments().positional[0] else { panic!("no array") };
        let answers = calls.iter().map(|call| {
            let call: gander::format::xmlrpc::Call = call.to_type().unwrap();
            match call.params.first() {
                Some(Value::Int(3)) => Value::Struct(
                    [
                        ("faultCode".to_owned(), 1000.into()),
                        ("faultString".to_owned(), "no three".into()),
                        ("traceback".to_owned(), vec!["a", "b"].into()),
                    ]
                    .into(),
                ),
                Some(Value::Int(99)) => Vec::<i64>::new().into(),
                Some(number) => Value::Array(vec![number.clone()]),
                None => panic!("no number"),
            }
        });
        value(answers.collect::<Vec<_>>())
    });
    let hub = hub(&server).with_batch(4);
    let calls = |numbers: std::ops::Range<i64>| {
        numbers.map(|number| ("echo".to_owned(), Arguments::of(number))).collect::<Vec<_>>()
    };
    let answers = run(hub.batch::<i64>(calls(0..10))).unwrap();
    assert_eq!(server.methods(), ["multiCall"; 3]);
    for (number, answer) in (0..).zip(answers) {
        match number {
            3 => assert_eq!(answer, Err(Fault { code: 1000, text: "no three".into() })),
            number => assert_eq!(answer, Ok(number)),
        }
    }
    assert!(run(hub.batch::<i64>(vec![])).unwrap().is_empty());
    assert_eq!(server.asked().len(), 3);
    let error = gander::base::chain(&run(hub.batch::<i64>(calls(99..100))).unwrap_err());
    assert!(error.contains("an answer is empty"), "{error}");

    let short = Server::start(|_, _| value(vec![vec![1]]));
    let error = run(super::hub(&short).batch::<i64>(calls(0..2))).unwrap_err();
    assert!(matches!(error, KojiError::Count { calls: 2, answers: 1 }), "{error}");
}
