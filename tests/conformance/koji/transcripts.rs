//! Each message decodes to what Python's XML-RPC makes of the same bytes, and what is encoded again decodes to the same.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use base64::Engine as _;
use gander::format::xmlrpc::{self, Limits, Value, read_answer, read_call};

use super::exchanges;
use crate::{Tally, folder, skip};

const SCRIPT: &str = include_str!("decoded.py");

fn json(value: &Value) -> serde_json::Value {
    match value {
        Value::Nil => serde_json::Value::Null,
        Value::Bool(value) => (*value).into(),
        Value::Int(value) => (*value).into(),
        Value::Text(value) => value.as_str().into(),
        Value::Double(value) => serde_json::json!({ "!double": value.to_bits().to_string() }),
        Value::Bytes(bytes) => {
            serde_json::json!({ "!bytes": base64::engine::general_purpose::STANDARD.encode(bytes) })
        }
        Value::Array(entries) => entries.iter().map(json).collect::<Vec<_>>().into(),
        Value::Struct(members) => {
            let members: serde_json::Map<_, _> =
                members.iter().map(|(name, value)| (name.clone(), json(value))).collect();
            serde_json::json!({ "!struct": members })
        }
    }
}

/// Doubles come as Python prints them, and are compared bit by bit.
fn bits(value: &mut serde_json::Value) {
    match value {
        serde_json::Value::Object(members) => {
            if let Some(serde_json::Value::String(number)) = members.get_mut("!double") {
                *number = number.parse::<f64>().unwrap().to_bits().to_string();
            }
            members.values_mut().for_each(bits);
        }
        serde_json::Value::Array(entries) => entries.iter_mut().for_each(bits),
        _ => {}
    }
}

/// What Python makes of files; none (said loudly) where there is no Python.
fn python(paths: &[PathBuf], test: &str) -> Option<Vec<serde_json::Value>> {
    let started =
        Command::new("python3").args(["-c", SCRIPT]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let Ok(mut child) = started else {
        skip(test, "python3 is not installed");
        return None;
    };
    let lines: String = paths.iter().map(|path| format!("{}\n", path.display())).collect();
    let mut stdin = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || stdin.write_all(lines.as_bytes()));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(output.status.success(), "python3 ended with {}", output.status);
    let text = String::from_utf8(output.stdout).unwrap();
    let mut answers: Vec<_> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    answers.iter_mut().for_each(bits);
    assert_eq!(answers.len(), paths.len());
    Some(answers)
}

fn decoded_call(bytes: &[u8]) -> Result<serde_json::Value, String> {
    let call = read_call(bytes).map_err(|error| error.to_string())?;
    let again = xmlrpc::write_call(&call.method, &call.params);
    if read_call(&again).ok().as_ref() != Some(&call) {
        return Err("what is encoded again decodes to something else".into());
    }
    let arguments = call.clone().arguments();
    if arguments.into_params() != call.params {
        return Err("its arguments are others when they are put together again".into());
    }
    let params: Vec<_> = call.params.iter().map(json).collect();
    Ok(serde_json::json!({ "method": call.method, "params": params }))
}

fn decoded_answer(bytes: &[u8]) -> Result<serde_json::Value, String> {
    let answer = read_answer::<Value>(bytes, &Limits::default()).map_err(|error| error.to_string())?;
    let again = match &answer {
        Ok(value) => xmlrpc::write_answer(value).unwrap(),
        Err(fault) => xmlrpc::write_fault(fault),
    };
    if read_answer::<Value>(&*again, &Limits::default()).ok().as_ref() != Some(&answer) {
        return Err("what is encoded again decodes to something else".into());
    }
    Ok(match answer {
        Ok(value) => serde_json::json!({ "method": null, "params": [json(&value)] }),
        Err(fault) => serde_json::json!({ "fault": [fault.code, fault.text] }),
    })
}

#[test]
fn every_message_decodes_as_in_python() {
    let test = "every_message_decodes_as_in_python";
    let Some(oracle) = folder("GANDER_ORACLE", test) else { return };
    let folders = [oracle.join("koji/transcripts"), oracle.join("koji/transcripts/cli-session")];
    let mut messages = Vec::new();
    for folder in &folders {
        for (name, request, response) in exchanges(folder) {
            messages.push((folder.join(format!("{name}.request.xml")), request, true));
            messages.push((folder.join(format!("{name}.response.xml")), response, false));
        }
    }
    let paths: Vec<PathBuf> = messages.iter().map(|(path, ..)| path.clone()).collect();
    let Some(expected) = python(&paths, test) else { return };
    let mut tally = Tally::new("messages of a Koji hub, decoded");
    for ((path, bytes, is_call), expected) in messages.iter().zip(expected) {
        let found = if *is_call { decoded_call(bytes) } else { decoded_answer(bytes) };
        let wrong = match found {
            Ok(found) if found == expected => None,
            Ok(found) => Some(format!("Python has {expected}, gander {found}")),
            // Files and error pages are no messages for either.
            Err(_) if expected.is_null() => None,
            Err(error) => Some(error),
        };
        tally.case(&path.file_name().unwrap().to_string_lossy(), wrong);
    }
    tally.finish();
}
