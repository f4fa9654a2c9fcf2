//! JSON as productmd writes it, and a cursor that knows where it is.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Deserialize;
use serde::de::{self, Deserializer, MapAccess, SeqAccess, Visitor};

use super::{LARGEST, MetadataError};

/// A value. There are no fractions in productmd's files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Json {
    Null,
    Bool(bool),
    Int(i64),
    Text(String),
    List(Vec<Self>),
    Map(BTreeMap<String, Self>),
}

impl Json {
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, MetadataError> {
        if bytes.len() > LARGEST {
            return Err(MetadataError::TooLarge(bytes.len()));
        }
        // serde_json bounds the depth by itself.
        serde_json::from_slice(bytes)
            .map_err(|error| MetadataError::NotJson(error.to_string().chars().take(400).collect()))
    }

    pub(super) fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    pub(super) fn map<K: Into<String>>(entries: impl IntoIterator<Item = (K, Self)>) -> Self {
        Self::Map(entries.into_iter().map(|(key, value)| (key.into(), value)).collect())
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut out = String::new();
        self.write(&mut out, 0);
        out.into_bytes()
    }

    fn write(&self, out: &mut String, depth: usize) {
        match self {
            Self::Null => out.push_str("null"),
            Self::Bool(true) => out.push_str("true"),
            Self::Bool(false) => out.push_str("false"),
            Self::Int(number) => out.push_str(&number.to_string()),
            Self::Text(text) => write_text(out, text),
            Self::List(items) => {
                write_container(out, depth, ['[', ']'], items.iter(), |out, item| item.write(out, depth + 1));
            }
            Self::Map(entries) => {
                write_container(out, depth, ['{', '}'], entries.iter(), |out, (key, value)| {
                    write_text(out, key);
                    out.push_str(": ");
                    value.write(out, depth + 1);
                });
            }
        }
    }
}

fn write_container<T>(
    out: &mut String,
    depth: usize,
    [open, close]: [char; 2],
    items: impl Iterator<Item = T>,
    mut each: impl FnMut(&mut String, T),
) {
    let line = |out: &mut String, depth: usize| {
        out.push('\n');
        out.extend(std::iter::repeat_n("    ", depth));
    };
    out.push(open);
    let mut empty = true;
    for item in items {
        if !empty {
            out.push(',');
        }
        empty = false;
        line(out, depth + 1);
        each(out, item);
    }
    if !empty {
        line(out, depth);
    }
    out.push(close);
}

/// Python's `ensure_ascii`: whatever is not printable ASCII is escaped, DEL included.
fn write_text(out: &mut String, text: &str) {
    out.push('"');
    for char in text.chars() {
        match char {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            ' '..='~' => out.push(char),
            char => {
                for unit in char.encode_utf16(&mut [0; 2]) {
                    // Writing into a String cannot fail.
                    let _ = write!(out, "\\u{unit:04x}");
                }
            }
        }
    }
    out.push('"');
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Builder)
    }
}

struct Builder;

impl<'de> Visitor<'de> for Builder {
    type Value = Json;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a text, a whole number, true, false, null, a list or an object")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Json, E> {
        Ok(Json::Int(value))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Json, E> {
        i64::try_from(value).map(Json::Int).map_err(|_| E::custom(format!("the number {value} is too large")))
    }

    fn visit_str<E>(self, value: &str) -> Result<Json, E> {
        Ok(Json::text(value))
    }

    fn visit_string<E>(self, value: String) -> Result<Json, E> {
        Ok(Json::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Json, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Json::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Json, A::Error> {
        let mut map = BTreeMap::new();
        while let Some(key) = entries.next_key::<String>()? {
            // Readers differ in which one they take.
            if map.contains_key(&key) {
                return Err(de::Error::custom(format!("the key {key:?} is there twice")));
            }
            map.insert(key, entries.next_value()?);
        }
        Ok(Json::Map(map))
    }
}

/// A value and its place in the file.
#[derive(Clone, Copy)]
pub(super) struct At<'a> {
    value: &'a Json,
    up: Option<&'a Self>,
    step: Step<'a>,
}

#[derive(Clone, Copy)]
enum Step<'a> {
    Key(&'a str),
    Index(usize),
}

impl<'a> At<'a> {
    pub(super) fn root(value: &'a Json) -> Self {
        Self { value, up: None, step: Step::Key("") }
    }

    /// The place, such as `payload.compose.date` or `images.Server.x86_64[2].path`.
    pub(super) fn path(&self) -> String {
        let mut steps = vec![self.step];
        let mut up = self.up;
        while let Some(at) = up {
            steps.push(at.step);
            up = at.up;
        }
        let mut path = String::new();
        // The last one is the root, which has no name.
        for step in steps.iter().rev().skip(1) {
            match step {
                Step::Index(index) => {
                    // Writing into a String cannot fail.
                    let _ = write!(path, "[{index}]");
                }
                Step::Key(key) => {
                    if !path.is_empty() {
                        path.push('.');
                    }
                    path.push_str(&show_key(key));
                }
            }
        }
        if path.is_empty() { "the file".into() } else { path }
    }

    pub(super) fn wrong(&self, problem: impl Into<String>) -> MetadataError {
        super::wrong(self.path(), problem)
    }

    fn unexpected(&self, wanted: &str) -> MetadataError {
        let found = match self.value {
            Json::Null => "null",
            Json::Bool(_) => "true or false",
            Json::Int(_) => "a number",
            Json::Text(_) => "a text",
            Json::List(_) => "a list",
            Json::Map(_) => "an object",
        };
        self.wrong(format!("{wanted} belongs here, not {found}"))
    }

    pub(super) fn is_null(&self) -> bool {
        *self.value == Json::Null
    }

    fn map(&self) -> Result<&'a BTreeMap<String, Json>, MetadataError> {
        if let Json::Map(map) = self.value { Ok(map) } else { Err(self.unexpected("an object")) }
    }

    /// The value of a key, if the key is there.
    pub(super) fn maybe(&'a self, key: &'a str) -> Result<Option<Self>, MetadataError> {
        let value = self.map()?.get(key);
        Ok(value.map(|value| Self { value, up: Some(self), step: Step::Key(key) }))
    }

    /// The value of a key that must be there.
    pub(super) fn field(&'a self, key: &'a str) -> Result<Self, MetadataError> {
        self.maybe(key)?.ok_or_else(|| self.wrong(format!("the key {key:?} is missing")))
    }

    pub(super) fn entries(&'a self) -> Result<impl Iterator<Item = (&'a str, Self)>, MetadataError> {
        let entries = self.map()?.iter();
        Ok(entries
            .map(move |(key, value)| (key.as_str(), Self { value, up: Some(self), step: Step::Key(key) })))
    }

    pub(super) fn items(&'a self) -> Result<impl Iterator<Item = Self>, MetadataError> {
        let Json::List(items) = self.value else { return Err(self.unexpected("a list")) };
        let items = items.iter().enumerate();
        Ok(items.map(move |(index, value)| Self { value, up: Some(self), step: Step::Index(index) }))
    }

    pub(super) fn text(&self) -> Result<&'a str, MetadataError> {
        if let Json::Text(text) = self.value { Ok(text) } else { Err(self.unexpected("a text")) }
    }

    pub(super) fn int(&self) -> Result<i64, MetadataError> {
        if let Json::Int(number) = self.value { Ok(*number) } else { Err(self.unexpected("a whole number")) }
    }

    /// A number of some narrower type.
    pub(super) fn number<T: TryFrom<i64>>(&self) -> Result<T, MetadataError> {
        let number = self.int()?;
        T::try_from(number).map_err(|_| self.wrong(format!("the number {number} is out of range")))
    }

    pub(super) fn flag(&self) -> Result<bool, MetadataError> {
        if let Json::Bool(flag) = self.value { Ok(*flag) } else { Err(self.unexpected("true or false")) }
    }

    /// A text, or nothing for null and for a missing key.
    pub(super) fn maybe_text(&'a self, key: &'a str) -> Result<Option<&'a str>, MetadataError> {
        match self.maybe(key)? {
            Some(at) if !at.is_null() => Ok(Some(at.text()?)),
            _ => Ok(None),
        }
    }

    /// A flag, false for a missing key.
    pub(super) fn maybe_flag(&'a self, key: &'a str) -> Result<bool, MetadataError> {
        self.maybe(key)?.map_or(Ok(false), |at| at.flag())
    }

    /// A name that must be one of a table.
    pub(super) fn one_of<T>(&self, what: &str, find: impl Fn(&str) -> Option<T>) -> Result<T, MetadataError> {
        let text = self.text()?;
        find(text).ok_or_else(|| self.wrong(format!("{text:?} is no {what}")))
    }

    /// A path below the compose.
    pub(super) fn rel_path(&self) -> Result<crate::base::RelPath, MetadataError> {
        crate::base::RelPath::new(self.text()?).map_err(|error| self.wrong(error.to_string()))
    }
}

/// A key as a path shows it: as it is where that is plain, else quoted and bounded.
pub(super) fn show_key(key: &str) -> String {
    if !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte)) {
        key.into()
    } else {
        format!("{:?}", key.chars().take(200).collect::<String>())
    }
}
