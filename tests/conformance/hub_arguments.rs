//! Arguments of recorded calls as the embedded hub takes them.

#![allow(clippy::panic, reason = "a test may fail")]

use std::collections::BTreeMap;

use gander::format::xmlrpc::{Arguments, Fault, Value};
use gander::hub::{BuildKey, Key, QueryOptions, RpmKey, TaggedFilter};

/// Arguments by name, as the method's signature binds them.
pub struct Bound(pub BTreeMap<String, Value>);

impl Bound {
    /// The signature's names, or a fault as Python words it.
    pub fn new(method: &str, names: &[&str], needed: usize, arguments: Arguments) -> Result<Self, Fault> {
        let wrong = |text: String| Fault { code: 1019, text };
        let mut bound: BTreeMap<String, Value> = arguments.keywords;
        if let Some(unknown) = bound.keys().find(|name| !names.contains(&name.as_str())) {
            let text = format!("RootExports.{method}() got an unexpected keyword argument '{unknown}'");
            return Err(wrong(text));
        }
        bound.extend(names.iter().map(|name| (*name).to_owned()).zip(arguments.positional));
        match names.iter().take(needed).find(|name| !bound.contains_key(**name)) {
            Some(lacking) => Err(wrong(format!("missing argument {lacking}"))),
            None => Ok(Self(bound)),
        }
    }

    pub fn value(&self, name: &str) -> &Value {
        self.0.get(name).unwrap_or(&Value::Nil)
    }

    pub fn flag(&self, name: &str) -> bool {
        matches!(self.value(name), Value::Bool(true))
    }

    pub fn flag_or(&self, name: &str, otherwise: bool) -> bool {
        match self.value(name) {
            Value::Bool(value) => *value,
            _ => otherwise,
        }
    }

    pub fn int(&self, name: &str) -> Option<i64> {
        match self.value(name) {
            Value::Int(value) => Some(*value),
            _ => None,
        }
    }

    pub fn text(&self, name: &str) -> Option<String> {
        match self.value(name) {
            Value::Text(value) => Some(value.clone()),
            _ => None,
        }
    }

    pub fn key(&self, name: &str) -> Option<Key> {
        match self.value(name) {
            Value::Int(id) => Some(Key::Id(*id)),
            Value::Text(name) => Some(Key::Name(name.clone())),
            _ => None,
        }
    }

    pub fn texts(&self, name: &str) -> Option<Vec<String>> {
        match self.value(name) {
            Value::Text(value) => Some(vec![value.clone()]),
            Value::Array(all) => Some(all.iter().map(|value| member(value).unwrap()).collect()),
            _ => None,
        }
    }

    pub fn part(&self, name: &str, part: &str) -> Option<String> {
        match self.value(name) {
            Value::Struct(members) => member(members.get(part)?),
            _ => None,
        }
    }

    pub fn build(&self, name: &str) -> BuildKey {
        match self.value(name) {
            Value::Int(id) => BuildKey::Id(*id),
            Value::Text(nvr) => BuildKey::Nvr(nvr.clone()),
            _ => {
                let part = |part| self.part(name, part).unwrap();
                BuildKey::Parts { name: part("name"), version: part("version"), release: part("release") }
            }
        }
    }

    pub fn rpm(&self, name: &str) -> Option<RpmKey> {
        match self.value(name) {
            Value::Nil => None,
            Value::Int(id) => Some(RpmKey::Id(*id)),
            Value::Text(nvra) => Some(RpmKey::Nvra(nvra.clone())),
            _ => {
                let part = |part| self.part(name, part).unwrap();
                let (version, release) = (part("version"), part("release"));
                Some(RpmKey::Parts { name: part("name"), version, release, arch: part("arch") })
            }
        }
    }

    pub fn options(&self) -> QueryOptions {
        let Value::Struct(members) = self.value("queryOpts") else { return QueryOptions::default() };
        let int = |name: &str| match members.get(name) {
            Some(Value::Int(value)) => *value,
            _ => 0,
        };
        let count_only = members.get("countOnly") == Some(&Value::Bool(true));
        let order = members.get("order").and_then(member);
        QueryOptions { count_only, order, offset: int("offset"), limit: int("limit") }
    }

    pub fn tagged(&self) -> TaggedFilter {
        let latest = match self.value("latest") {
            Value::Bool(true) => Some(1),
            Value::Int(latest) => Some(*latest).filter(|latest| *latest != 0),
            _ => None,
        };
        TaggedFilter {
            event: self.int("event"),
            inherit: self.flag("inherit"),
            latest,
            package: self.text("package"),
            prefix: self.text("prefix"),
            owner: self.text("owner"),
            kind: self.text("type"),
            extra: self.flag("extra"),
            draft: self.0.get("draft").and_then(|draft| match draft {
                Value::Bool(draft) => Some(*draft),
                _ => None,
            }),
            arches: self.texts("arch"),
            rpmsigs: self.flag("rpmsigs"),
        }
    }
}

pub fn member(value: &Value) -> Option<String> {
    match value {
        Value::Text(text) => Some(text.clone()),
        _ => None,
    }
}
