//! Messages of XML-RPC: calls, answers, faults, and rows of a hub.

use gander::format::xmlrpc::{
    Arguments, Fault, Limits, Value, read_answer, read_call, write_answer, write_call, write_fault,
};
use gander::koji::rows::TaggedRpms;

use super::mutant::{Random, xml};

/// A hub's answer to `listTaggedRPMS`: an RPM and its build, as Koji writes them.
const ROWS: &str = "<?xml version='1.0'?>\n<methodResponse>\n<params>\n<param>\n<value><array><data>\n\
    <value><array><data>\n<value><struct>\nRPM</struct></value>\n</data></array></value>\n\
    <value><array><data>\n<value><struct>\nBUILD</struct></value>\n</data></array></value>\n\
    </data></array></value>\n</param>\n</params>\n</methodResponse>\n";

fn members(members: &[(&str, &str)]) -> String {
    let member = |(name, value): &(&str, &str)| {
        format!("<member>\n<name>{name}</name>\n<value>{value}</value>\n</member>\n")
    };
    members.iter().map(member).collect()
}

fn rows() -> String {
    let rpm = members(&[
        ("arch", "<string>x86_64</string>"),
        ("build_id", "<int>1</int>"),
        ("buildtime", "<int>1704067200</int>"),
        ("epoch", "<nil/>"),
        ("id", "<int>7</int>"),
        ("metadata_only", "<boolean>0</boolean>"),
        ("name", "<string>goose</string>"),
        ("payloadhash", "<string>4876d3106cd73a625431d716204b167f</string>"),
        ("release", "<string>1</string>"),
        ("size", "<i8>8589934592</i8>"),
        ("version", "<string>2</string>"),
        ("extra", "<struct><member><name>a</name><value><base64>AAEC\n</base64></value></member></struct>"),
    ]);
    let build = members(&[
        ("build_id", "<int>1</int>"),
        ("completion_time", "<nil/>"),
        ("create_event", "<int>5</int>"),
        ("creation_event_id", "<int>4</int>"),
        ("creation_time", "<string>2026-11-21 21:13:41.540632+00:00</string>"),
        ("epoch", "<int>1</int>"),
        ("nvr", "<string>goose-2-1</string>"),
        ("owner_id", "<int>1</int>"),
        ("owner_name", "<string>goose &amp; gander</string>"),
        ("package_id", "<int>1</int>"),
        ("package_name", "goose"),
        ("release", "<string>1</string>"),
        ("state", "<int>1</int>"),
        ("tag_id", "<int>1</int>"),
        ("tag_name", "<string>pond</string>"),
        ("version", "<string>2</string>"),
        ("volume_id", "<int>0</int>"),
        ("volume_name", "<string>DEFAULT</string>"),
        ("ts", "<double>1.5</double>"),
    ]);
    ROWS.replace("RPM", &rpm).replace("BUILD", &build)
}

pub fn messages() -> Box<dyn FnMut(u64) -> bool> {
    let call =
        Arguments::of("goose").and(5_000_000_000_i64).with("event", 21).with("arch", vec!["src", "noarch"]);
    let call = String::from_utf8(write_call("listTaggedRPMS", &call.into_params())).unwrap();
    let fault = write_fault(&Fault { code: 1000, text: "No such tagInfo: 'pond'".into() });
    let fault = String::from_utf8(fault).unwrap();
    let rows = rows();
    assert!(read_answer::<TaggedRpms>(rows.as_bytes(), &Limits::default()).unwrap().is_ok());
    Box::new(move |seed| {
        let mut random = Random::new(seed);
        match seed % 4 {
            0 => {
                let Ok(call) = read_call(&xml::mutate(&call, &mut random)) else { return false };
                let again = read_call(&write_call(&call.method, &call.params)).unwrap();
                // A number that is none equals nothing.
                assert_eq!(format!("{again:?}"), format!("{call:?}"));
                true
            }
            1 => {
                let fault = xml::mutate(&fault, &mut random);
                read_answer::<Value>(&*fault, &Limits::default()).is_ok()
            }
            2 => {
                let rows = xml::mutate(&rows, &mut random);
                let Ok(Ok(value)) = read_answer::<Value>(&*rows, &Limits::default()) else { return false };
                let written = write_answer(&value).unwrap();
                let again = read_answer::<Value>(&*written, &Limits::default()).unwrap().unwrap();
                assert_eq!(format!("{again:?}"), format!("{value:?}"));
                true
            }
            _ => {
                let rows = xml::mutate(&rows, &mut random);
                let typed = read_answer::<TaggedRpms>(&*rows, &Limits::default());
                // What fits is a value, too.
                if typed.is_ok() {
                    assert!(read_answer::<serde::de::IgnoredAny>(&*rows, &Limits::default()).is_ok());
                }
                typed.is_ok()
            }
        }
    })
}
