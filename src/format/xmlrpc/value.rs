//! The values of XML-RPC, and faults.

use std::collections::BTreeMap;

/// A value. Koji sends no dates: its times are texts and doubles.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `<nil/>`.
    Nil,
    /// `<boolean>`.
    Bool(bool),
    /// `<int>`, `<i4>` or `<i8>`; written as `<i8>` where 32 bits are too few.
    Int(i64),
    /// `<double>`.
    Double(f64),
    /// `<string>`, or text without a type.
    Text(String),
    /// `<base64>`.
    Bytes(Vec<u8>),
    /// `<array>`.
    Array(Vec<Value>),
    /// `<struct>`. The order of members means nothing.
    Struct(BTreeMap<String, Value>),
}

/// What a hub answers instead of a value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("fault {code}: {text}")]
pub struct Fault {
    /// Its number: 1000 and up are Koji's own.
    pub code: i64,
    /// What it says, for people.
    pub text: String,
}
