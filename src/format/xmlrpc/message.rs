//! Calls and answers.

use std::collections::BTreeMap;
use std::io::Read;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::element::{Element, Tag};
use super::error::{Caught, XmlRpcError};
use super::read::Reader;
use super::scan::Limits;
use super::value::{Fault, Value};
use super::write;

/// The member that tells a struct of keyword arguments from any other struct.
const MARK: &str = "__starstar";

const PROLOG: &[u8] = b"<?xml version='1.0'?>\n";

/// A call of a method.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Call {
    /// Its name.
    #[serde(rename = "methodName")]
    pub method: String,
    /// What is passed, with keyword arguments in the last one.
    pub params: Vec<Value>,
}

impl Call {
    /// Tells keyword arguments from others: they come in a struct, as the last parameter, which says that it is one
    /// (`koji.decode_args`).
    pub fn arguments(self) -> Arguments {
        let mut positional = self.params;
        match positional.pop() {
            Some(Value::Struct(mut keywords)) if keywords.get(MARK).is_some_and(is_true) => {
                keywords.remove(MARK);
                Arguments { positional, keywords }
            }
            last => {
                positional.extend(last);
                Arguments { positional, keywords: BTreeMap::new() }
            }
        }
    }
}

/// What counts as true in Python.
fn is_true(value: &Value) -> bool {
    match value {
        Value::Nil => false,
        Value::Bool(value) => *value,
        Value::Int(value) => *value != 0,
        Value::Double(value) => *value != 0.0,
        Value::Text(value) => !value.is_empty(),
        Value::Bytes(value) => !value.is_empty(),
        Value::Array(value) => !value.is_empty(),
        Value::Struct(value) => !value.is_empty(),
    }
}

/// Arguments of a call: by place, then by name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Arguments {
    /// By place.
    pub positional: Vec<Value>,
    /// By name.
    pub keywords: BTreeMap<String, Value>,
}

impl Arguments {
    /// None.
    pub fn none() -> Self {
        Self::default()
    }

    /// One by its place.
    pub fn of(value: impl Into<Value>) -> Self {
        Self { positional: vec![value.into()], keywords: BTreeMap::new() }
    }

    /// Adds one by its place.
    #[must_use]
    pub fn and(mut self, value: impl Into<Value>) -> Self {
        self.positional.push(value.into());
        self
    }

    /// Adds one by its name.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.keywords.insert(name.to_owned(), value.into());
        self
    }

    /// Adds one by its name, if there is one.
    #[must_use]
    pub fn with_some(self, name: &str, value: Option<impl Into<Value>>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    /// As parameters of a call.
    pub fn into_params(self) -> Vec<Value> {
        let Self { mut positional, mut keywords } = self;
        if !keywords.is_empty() {
            keywords.insert(MARK.to_owned(), Value::Bool(true));
            positional.push(Value::Struct(keywords));
        }
        positional
    }
}

/// Writes a call. Characters that XML cannot have become U+FFFD.
pub fn write_call(method: &str, params: &[Value]) -> Vec<u8> {
    let mut out = PROLOG.to_vec();
    out.extend_from_slice(b"<methodCall>\n<methodName>");
    write::text(&mut out, method);
    out.extend_from_slice(b"</methodName>\n<params>\n");
    for param in params {
        out.extend_from_slice(b"<param>\n");
        // A Value has a form throughout.
        if write::value(&mut out, param).is_err() {
            debug_assert!(false, "a value without a form");
        }
        out.extend_from_slice(b"</param>\n");
    }
    out.extend_from_slice(b"</params>\n</methodCall>\n");
    out
}

/// Writes the answer to a call. Characters that XML cannot have become U+FFFD.
pub fn write_answer<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, XmlRpcError> {
    let mut out = PROLOG.to_vec();
    out.extend_from_slice(b"<methodResponse>\n<params>\n<param>\n");
    write::value(&mut out, value).map_err(|error| *error)?;
    out.extend_from_slice(b"</param>\n</params>\n</methodResponse>\n");
    Ok(out)
}

/// Writes a fault as the answer to a call.
pub fn write_fault(fault: &Fault) -> Vec<u8> {
    let mut out = PROLOG.to_vec();
    out.extend_from_slice(b"<methodResponse>\n<fault>\n");
    if write::value(&mut out, fault).is_err() {
        debug_assert!(false, "a fault without a form");
    }
    out.extend_from_slice(b"</fault>\n</methodResponse>\n");
    out
}

/// Appends one value in its XML form, as it stands in a `<param>` or an array: for answers that are put together
/// (see [`write_answers`]).
pub fn write_value<T: Serialize + ?Sized>(out: &mut Vec<u8>, value: &T) -> Result<(), XmlRpcError> {
    write::value(out, value).map_err(|error| *error)
}

/// Writes the answer to a `multiCall`: each call's value as [`write_value`] writes it, or its fault.
pub fn write_answers(answers: &[Result<Vec<u8>, Fault>]) -> Result<Vec<u8>, XmlRpcError> {
    #[derive(Serialize)]
    struct Failed<'f> {
        #[serde(flatten)]
        fault: &'f Fault,
        traceback: [&'f str; 0],
    }
    let mut out = PROLOG.to_vec();
    out.extend_from_slice(b"<methodResponse>\n<params>\n<param>\n<value><array><data>\n");
    for answer in answers {
        match answer {
            Ok(value) => {
                out.extend_from_slice(b"<value><array><data>\n");
                out.extend_from_slice(value);
                out.extend_from_slice(b"</data></array></value>\n");
            }
            Err(fault) => write_value(&mut out, &Failed { fault, traceback: [] })?,
        }
    }
    out.extend_from_slice(b"</data></array></value>\n</param>\n</params>\n</methodResponse>\n");
    Ok(out)
}

/// Reads a call.
pub fn read_call(call: &[u8]) -> Result<Call, XmlRpcError> {
    read_call_with(call, Limits::default()).map_err(|error| *error)
}

fn read_call_with(call: &[u8], limits: Limits) -> Result<Call, Caught> {
    let mut reader = Reader::new(call, limits);
    reader.scanner.begin()?;
    reader.scanner.open(Element::MethodCall)?;
    reader.scanner.open(Element::MethodName)?;
    let method = reader.scanner.text()?.to_owned();
    reader.scanner.close(Element::MethodName)?;
    let mut params = Vec::new();
    match reader.scanner.tag()? {
        Tag::Open(Element::Params) => {
            loop {
                match reader.scanner.tag()? {
                    Tag::Open(Element::Param) => {}
                    Tag::Close(Element::Params) => break,
                    tag => return Err(reader.scanner.unexpected(tag, Element::Param)),
                }
                params.push(reader.value()?);
                reader.scanner.close(Element::Param)?;
            }
            reader.scanner.close(Element::MethodCall)?;
        }
        // Without parameters they can be left out.
        Tag::Close(Element::MethodCall) => {}
        tag => return Err(reader.scanner.unexpected(tag, Element::Params)),
    }
    reader.scanner.finish()?;
    Ok(Call { method, params })
}

/// Reads the answer to a call to its end, while it arrives. `T` says what it has to be: types have to fit, members of
/// a struct that `T` does not know are passed over, those that it needs have to be there.
pub fn read_answer<T: DeserializeOwned>(
    answer: impl Read,
    limits: &Limits,
) -> Result<Result<T, Fault>, XmlRpcError> {
    read(answer, *limits).map_err(|error| *error)
}

fn read<T: DeserializeOwned>(answer: impl Read, limits: Limits) -> Result<Result<T, Fault>, Caught> {
    let mut reader = Reader::new(answer, limits);
    reader.scanner.begin()?;
    reader.scanner.open(Element::MethodResponse)?;
    let answer = match reader.scanner.tag()? {
        Tag::Open(Element::Params) => {
            reader.scanner.open(Element::Param)?;
            let value = reader.value()?;
            reader.scanner.close(Element::Param)?;
            reader.scanner.close(Element::Params)?;
            Ok(value)
        }
        Tag::Open(Element::Fault) => {
            let fault = reader.value()?;
            reader.scanner.close(Element::Fault)?;
            Err(fault)
        }
        tag => return Err(reader.scanner.unexpected(tag, Element::Params)),
    };
    reader.scanner.close(Element::MethodResponse)?;
    reader.scanner.finish()?;
    Ok(answer)
}

impl Value {
    /// Reads the value into a type, as strictly as a message is read.
    pub fn to_type<T: DeserializeOwned>(&self) -> Result<T, XmlRpcError> {
        let mut written = Vec::new();
        write_value(&mut written, self)?;
        Reader::new(&*written, Limits::default()).value().map_err(|error| *error)
    }
}
