//! What is read, what is written, what is refused.

use std::collections::BTreeMap;
use std::io::{self, Read};

use serde::{Deserialize, Serialize};

use super::*;

fn answer(value: &str) -> String {
    format!(
        "<?xml version='1.0'?>\n<methodResponse>\n<params>\n<param>\n{value}\n</param>\n</params>\n</methodResponse>\n"
    )
}

fn read(value: &str) -> Result<Value, XmlRpcError> {
    typed(value)
}

fn typed<T: serde::de::DeserializeOwned>(value: &str) -> Result<T, XmlRpcError> {
    read_answer(answer(value).as_bytes(), &Limits::default()).map(|answer| answer.expect("no fault"))
}

fn text(text: &str) -> Value {
    Value::from(text)
}

/// Gives a byte at a time.
struct Slowly<'b>(&'b [u8]);

impl Read for Slowly<'_> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let count = to.len().min(1);
        self.0.read(&mut to[..count])
    }
}

#[test]
fn values_of_every_kind_are_read() {
    let members = |members: &[(&str, Value)]| {
        Value::Struct(members.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect())
    };
    for (given, value) in [
        ("<value><nil/></value>", Value::Nil),
        ("<value><nil></nil></value>", Value::Nil),
        ("<value><boolean>1</boolean></value>", Value::Bool(true)),
        ("<value><int>-5</int></value>", Value::Int(-5)),
        ("<value><i4>\n 7 </i4></value>", Value::Int(7)),
        ("<value><i8>-9223372036854775808</i8></value>", Value::Int(i64::MIN)),
        ("<value><double>1795295654.68835</double></value>", Value::Double(1_795_295_654.688_35)),
        ("<value><string>é &amp;&#38;&#x26;&lt;]]&gt;</string></value>", text("é &&&<]]>")),
        ("<value><string><![CDATA[<a>&b;\r\n]]></string></value>", text("<a>&b;\n")),
        ("<value><string>a\r\nb\rc&#13;d</string></value>", text("a\nb\nc\rd")),
        ("<value><string>a<!-- b -->c<?d e?>f</string></value>", text("acf")),
        ("<value><string> \t\n</string></value>", text(" \t\n")),
        ("<value><string/></value>", text("")),
        ("<value>bare &lt;</value>", text("bare <")),
        ("<value>  </value>", text("  ")),
        ("<value></value>", text("")),
        ("<value/>", text("")),
        ("<value> <!-- c -->\n<int>1</int> </value >", Value::Int(1)),
        ("<value><base64>\nAAEC\n/w==\n</base64></value>", Value::Bytes(vec![0, 1, 2, 255])),
        ("<value><array><data>\n</data></array></value>", Value::Array(vec![])),
        ("<value><array><data/></array></value>", Value::Array(vec![])),
        ("<value><struct>\n</struct></value>", members(&[])),
        ("<value><struct/></value>", members(&[])),
        (
            "<value><struct><member><name>a&amp;</name><value><nil/></value></member>\
             <member><name></name><value>x</value></member></struct></value>",
            members(&[("a&", Value::Nil), ("", text("x"))]),
        ),
    ] {
        assert_eq!(read(given).unwrap(), value, "{given}");
        let slowly = read_answer::<Value>(Slowly(answer(given).as_bytes()), &Limits::default());
        assert_eq!(slowly.unwrap(), Ok(value.clone()), "{given}");
        let written = write_answer(&value).unwrap();
        assert_eq!(read_answer(&*written, &Limits::default()).unwrap(), Ok(value), "{given}");
    }
}

#[test]
fn texts_longer_than_any_buffer_are_read() {
    for long in ["é&<".repeat(200_000), "x".repeat(1 << 20)] {
        let written = write_answer(&long).unwrap();
        assert_eq!(read_answer(&*written, &Limits::default()).unwrap(), Ok(long.clone()));
        let data = answer(&format!("<value>{}<![CDATA[{long}]]></value>", "y".repeat(70_000)));
        let read = read_answer::<String>(data.as_bytes(), &Limits::default()).unwrap().unwrap();
        assert_eq!(read.len(), long.len() + 70_000);
        assert!(read.ends_with(&long));
    }
}

#[test]
fn what_is_written_is_what_koji_writes() {
    let arguments =
        Arguments::of("gander-9-compose").and(3).with("event", 21).with_some("latest", None::<bool>);
    let params = arguments.clone().into_params();
    let call = write_call("getTag", &params);
    let expected = "<?xml version='1.0'?>\n<methodCall>\n<methodName>getTag</methodName>\n<params>\n<param>\n\
        <value><string>gander-9-compose</string></value>\n</param>\n<param>\n<value><int>3</int></value>\n</param>\n\
        <param>\n<value><struct>\n<member>\n<name>__starstar</name>\n<value><boolean>1</boolean></value>\n</member>\n\
        <member>\n<name>event</name>\n<value><int>21</int></value>\n</member>\n</struct></value>\n</param>\n\
        </params>\n</methodCall>\n";
    assert_eq!(String::from_utf8(call.clone()).unwrap(), expected);
    let read = read_call(&call).unwrap();
    assert_eq!((read.method.clone().as_str(), read.arguments()), ("getTag", arguments));

    // A struct that is not marked is an argument like any other.
    let plain = Arguments::of(Value::Struct(BTreeMap::from([("event".into(), Value::Int(1))])));
    let read = read_call(&write_call("x", &plain.clone().into_params())).unwrap();
    assert_eq!(read.arguments(), plain);
    assert_eq!(read_call(b"<methodCall><methodName>hello</methodName></methodCall>").unwrap().params, vec![]);

    for (value, written) in [
        (Value::Int(i64::from(i32::MAX)), "<value><int>2147483647</int></value>\n"),
        (Value::Int(i64::from(i32::MAX) + 1), "<value><i8>2147483648</i8></value>\n"),
        (Value::Double(2.0), "<value><double>2.0</double></value>\n"),
        (Value::Nil, "<value><nil/></value>"),
        (text("a\r<>&\u{1}"), "<value><string>a&#13;&lt;&gt;&amp;\u{fffd}</string></value>\n"),
        (Value::Array(vec![]), "<value><array><data>\n</data></array></value>\n"),
        (Value::Struct(BTreeMap::new()), "<value><struct>\n</struct></value>\n"),
    ] {
        let mut out = Vec::new();
        write_value(&mut out, &value).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), written);
    }
}

#[test]
fn faults_and_answers_to_many_calls_are_read_and_written() {
    let fault = Fault { code: 1000, text: "No such tagInfo: 'nope' <&>".into() };
    let read = read_answer::<Value>(&*write_fault(&fault), &Limits::default()).unwrap();
    assert_eq!(read, Err(fault.clone()));
    let mut seven = Vec::new();
    write_value(&mut seven, &7).unwrap();
    let written = write_answers(&[Ok(seven), Err(fault.clone())]).unwrap();
    let Value::Array(entries) = read_answer::<Value>(&*written, &Limits::default()).unwrap().unwrap() else {
        panic!("no array")
    };
    assert_eq!(entries[0], Value::Array(vec![Value::Int(7)]));
    assert_eq!(entries[1].to_type::<Fault>().unwrap(), fault);
    assert_eq!(entries[1].get("traceback"), Some(&Value::Array(vec![])));
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Row {
    name: String,
    epoch: Option<u32>,
    size: i64,
    draft: bool,
    ts: f64,
    #[serde(default)]
    sigkey: Option<String>,
}

fn row(changes: &[(&str, &str)]) -> String {
    let mut members = BTreeMap::from([
        ("name", "<string>a</string>"),
        ("epoch", "<nil/>"),
        ("size", "<i8>8589934592</i8>"),
        ("draft", "<boolean>0</boolean>"),
        ("ts", "<double>1.5</double>"),
        (
            "extra",
            "<struct><member><name>x</name><value><array><data><value>y</value></data></array></value></member></struct>",
        ),
    ]);
    members.extend(changes.iter().copied());
    let members = members.iter().filter(|(_, value)| !value.is_empty());
    let members: String = members
        .map(|(name, value)| format!("<member><name>{name}</name><value>{value}</value></member>"))
        .collect();
    format!("<value><array><data><value><struct>{members}</struct></value></data></array></value>")
}

#[test]
fn rows_are_read_and_types_have_to_fit() {
    let plain = Row { name: "a".into(), epoch: None, size: 8 << 30, draft: false, ts: 1.5, sigkey: None };
    assert_eq!(typed::<Vec<Row>>(&row(&[])).unwrap(), [plain]);
    let one = typed::<Vec<Row>>(&row(&[("epoch", "<int>3</int>"), ("sigkey", "abc")])).unwrap();
    assert_eq!((one[0].epoch, one[0].sigkey.as_deref()), (Some(3), Some("abc")));
    for (member, value, message) in [
        ("size", "<string>5</string>", "the value [0].size at byte"),
        ("size", "<double>5.0</double>", "invalid type: a double, expected i64"),
        ("size", "<nil/>", "invalid type: nil, expected i64"),
        ("size", "<boolean>1</boolean>", "invalid type: a boolean"),
        ("size", "<int>1e3</int>", "'1e3' is no integer"),
        ("size", "<int>9223372036854775808</int>", "is no integer of 64 bits"),
        ("size", "", "the value [0] at byte"),
        ("size", "", "missing field `size`"),
        ("draft", "<int>0</int>", "invalid type: an integer, expected a boolean"),
        ("draft", "<boolean>2</boolean>", "'2' is no boolean"),
        ("draft", "<boolean>true</boolean>", "'true' is no boolean"),
        ("ts", "<int>1</int>", "invalid type: an integer, expected f64"),
        ("ts", "<double>x</double>", "'x' is no number"),
        ("epoch", "<int>-1</int>", "invalid value: integer `-1`, expected u32"),
        ("epoch", "<i8>4294967296</i8>", "invalid value: integer `4294967296`, expected u32"),
        ("name", "<nil/>", "[0].name at byte"),
        ("name", "<base64>AAAA</base64>", "invalid type: base64, expected a string"),
        ("name", "<array><data></data></array>", "invalid type: an array"),
        ("name", "<struct></struct>", "invalid type: a struct"),
    ] {
        let error = typed::<Vec<Row>>(&row(&[(member, value)])).unwrap_err().to_string();
        assert!(error.contains(message), "{member} {value}: {error}");
    }
    let pair = "<value><array><data><value>a</value><value>b</value><value>c</value></data></array></value>";
    let error = typed::<(String, String)>(pair).unwrap_err().to_string();
    assert!(error.contains("more than 2 entries"), "{error}");
    assert!(
        typed::<Row>(pair).unwrap_err().to_string().contains("invalid type: an array, expected struct Row")
    );
}

#[test]
fn what_is_hostile_or_broken_is_refused() {
    let long = format!("<value><base64>{}*</base64></value>", "A".repeat(100));
    let twice = "<value><struct><member><name>a</name><value>1</value></member>\
        <member><name>a</name><value>2</value></member></struct></value>";
    for (value, message) in [
        ("<value>&x;</value>", "entity '&x;'"),
        ("<value>&#0;</value>", "entity '&#0;'"),
        ("<value>&#xd800;</value>", "entity"),
        ("<value>&#+65;</value>", "entity"),
        ("<value>&amp</value>", "entity"),
        ("<value>a\u{1}b</value>", "cannot be in XML"),
        ("<value><![CDATA[\u{1}]]></value>", "cannot be in XML"),
        ("<value><int>1</value>", "</value> stands where <int>"),
        ("<value><int>1</int><int>2</int></value>", "<int> stands where"),
        ("<value>x<int>1</int></value>", "text beside"),
        ("<value><int>1</int>x</value>", "only an element"),
        ("<value x='1'>1</value>", "attributes"),
        ("<value><foo/></value>", "<foo> is no element"),
        (
            "<value><dateTime.iso8601>20260101T00:00:00</dateTime.iso8601></value>",
            "<dateTime.iso8601> is no element",
        ),
        ("<value><data></data></value>", "no type"),
        ("<value><array></array></value>", "</array> stands where <data>"),
        ("<value><struct><member><value>1</value></member></struct></value>", "<value> stands where <name>"),
        ("<value><struct><member><name>a</name></member></struct></value>", "</member> stands where <value>"),
        (twice, "there twice"),
        (&long, "base64 is broken"),
        ("<!DOCTYPE a><value>1</value>", "document type"),
        ("</param><param>", "</param> stands where <value>"),
        ("<value>1</value></param></params></methodResponse>x", "only an element"),
        ("<value>1</value></param></params></methodResponse><value/>", "follows behind"),
    ] {
        let error = read(value).unwrap_err();
        assert!(error.to_string().contains(message), "{value}: {error}");
        let slowly = read_answer::<Value>(Slowly(answer(value).as_bytes()), &Limits::default()).unwrap_err();
        assert_eq!(slowly.to_string(), error.to_string(), "{value}");
    }
    for (document, message) in [
        ("<!DOCTYPE a [<!ENTITY x 'y'>]><methodResponse/>", "document type"),
        ("<?xml version='1.0' encoding='latin1'?><methodResponse/>", "another encoding"),
        ("<html><body>Proxy error</body></html>", "<html> is no element"),
        ("<!doctype html><p>Proxy error</p>", "document type"),
        ("Service unavailable", "only an element"),
        ("", "ends at byte 0"),
        ("<methodCall></methodCall>", "<methodCall> stands where <methodResponse>"),
        ("<methodResponse></methodResponse>", "</methodResponse> stands where <params>"),
    ] {
        let error = read_answer::<Value>(document.as_bytes(), &Limits::default()).unwrap_err().to_string();
        assert!(error.contains(message), "{document}: {error}");
    }
    // Wherever a message is cut off, that is said, and where.
    let whole =
        answer("<value><array><data><value>é&lt;</value><value><int>12</int></value></data></array></value>");
    for end in 0..whole.len() - 1 {
        match read_answer::<Value>(&whole.as_bytes()[..end], &Limits::default()).unwrap_err() {
            XmlRpcError::Ends { at } => assert_eq!(at, end as u64),
            error => panic!("{end}: {error}"),
        }
    }
    let bad = [b"<methodResponse><params><param><value>ab".as_slice(), &[0xff], b"</value>"].concat();
    let error = read_answer::<Value>(&*bad, &Limits::default()).unwrap_err().to_string();
    assert!(error.contains("at byte 40: this is not UTF-8"), "{error}");
}

#[test]
fn bounds_hold() {
    let limits = Limits { bytes: 10_000, depth: 5, text: 100, values: 50 };
    let nested = |depth: usize| {
        let (open, close) = ("<value><array><data>".repeat(depth), "</data></array></value>".repeat(depth));
        answer(&format!("{open}{close}"))
    };
    let many = |count: usize| {
        answer(&format!("<value><array><data>{}</data></array></value>", "<value/>".repeat(count)))
    };
    let long = |length: usize| answer(&format!("<value>{}</value>", "x".repeat(length)));
    let decoded = |length: usize| answer(&format!("<value>&lt;{}</value>", "x".repeat(length)));
    let padded = |length: usize| answer(&format!("{}<value/>", " ".repeat(length)));
    let base64 = |length: usize| answer(&format!("<value><base64>{}</base64></value>", "A".repeat(length)));
    let comment = |length: usize| answer(&format!("<!--{}--><value/>", "x".repeat(length)));
    for (good, bad, what) in [
        (nested(5), nested(6), "inside of each other"),
        (many(49), many(50), "more than 50 values"),
        (long(100), long(101), "bytes in one text"),
        (decoded(96), decoded(400), "bytes in one text"),
        (base64(100), base64(104), "bytes in one text"),
        (padded(9_000), padded(10_001), "more than 10000 bytes"),
        (comment(9_000), comment(1 << 20), "more than 10000 bytes"),
    ] {
        assert!(read_answer::<Value>(good.as_bytes(), &limits).is_ok(), "{what}");
        for error in [
            read_answer::<Value>(bad.as_bytes(), &limits).unwrap_err(),
            read_answer::<serde::de::IgnoredAny>(bad.as_bytes(), &limits).map(|_| ()).unwrap_err(),
        ] {
            assert!(error.to_string().contains(what), "{what}: {error}");
        }
    }
    // Depth counts where nothing is kept, too, and deep is not too deep for the stack.
    let deep = nested(Limits::default().depth);
    assert!(read_answer::<Value>(deep.as_bytes(), &Limits::default()).is_ok());
}
