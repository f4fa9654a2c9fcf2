//! One call while it is answered: its arguments, its caller, and the state of the hub that it sees.

use serde::Serialize;

use super::binding::Bound;
use super::files::placement::{Files, Placement};
use super::login::sessions::{Admitted, Login};
use super::table::Method;
use super::{Caller, Methods, generic, internal, now, python};
use crate::base::chain;
use crate::format::xmlrpc::{Arguments, Fault, Value, write_answer, write_value};
use crate::hub::store::error::{not_allowed, parameter};
use crate::hub::{BuildKey, Hub, Key, QueryOptions, Read, RpmKey, Stamp, View, Write};

/// What a method gives: its answer as XML-RPC.
pub type Outcome = Result<Vec<u8>, Fault>;

/// Whether an answer stands alone or in the answer to a multiCall.
#[derive(Clone, Copy, Debug)]
pub enum Output {
    /// A whole answer.
    Document,
    /// A value within one.
    Value,
}

/// The state of a hub that a call sees: opened when it is first looked at, for writing when it is first changed.
#[derive(Debug)]
pub struct Lazy<'m> {
    // Dropped in this order: what was done to files is taken back while the hub is locked.
    placement: Placement<'m>,
    state: State<'m>,
    hub: &'m Hub,
}

#[derive(Debug)]
enum State<'m> {
    Closed,
    Read(Read<'m>),
    Write(Write<'m>),
}

impl<'m> Lazy<'m> {
    /// The state of a hub with these files.
    pub fn new(hub: &'m Hub, files: &'m Files) -> Self {
        Self { placement: Placement::new(files), state: State::Closed, hub }
    }

    /// The state for one call.
    pub fn source(&mut self) -> Source<'_, 'm> {
        Source::Lazy(self)
    }

    fn view(&mut self) -> Result<&View, Fault> {
        if matches!(self.state, State::Closed) {
            self.state = State::Read(self.hub.read()?);
        }
        match &self.state {
            State::Read(read) => Ok(read),
            State::Write(write) => Ok(write),
            State::Closed => Err(internal("the hub is closed")),
        }
    }

    /// The state for writing.
    pub fn write(&mut self) -> Result<(&mut Write<'m>, &mut Placement<'m>), Fault> {
        if !matches!(self.state, State::Write(_)) {
            // A hub in memory has one connection: the reader has to go first.
            self.state = State::Closed;
            self.state = State::Write(self.hub.write()?);
        }
        match &mut self.state {
            State::Write(write) => Ok((write, &mut self.placement)),
            _ => Err(internal("the hub is closed")),
        }
    }

    /// One call of several: where it fails, nothing of it stays.
    pub fn savepoint<T>(&mut self, run: impl FnOnce(Source<'_, 'm>) -> Result<T, Fault>) -> Result<T, Fault> {
        let Self { placement, state: State::Write(write), .. } = self else { return run(Source::Lazy(self)) };
        let mark = placement.mark();
        let result = write.together(|write| run(Source::Write(write, placement)));
        if result.is_err() {
            placement.back_to(mark);
        }
        result
    }

    /// The state for writing, where it was asked for.
    pub fn written(&mut self) -> Option<&mut Write<'m>> {
        if let State::Write(write) = &mut self.state { Some(write) } else { None }
    }

    /// Makes permanent what was changed; whether anything was.
    pub fn commit(self) -> Result<bool, Fault> {
        let Self { placement, state, .. } = self;
        let State::Write(write) = state else { return Ok(false) };
        write.commit_then(|| placement.commit())?;
        Ok(true)
    }
}

/// Where a call gets its state from.
#[derive(Debug)]
pub enum Source<'s, 'm> {
    /// Not opened yet, perhaps.
    Lazy(&'s mut Lazy<'m>),
    /// A savepoint.
    Write(&'s mut Write<'m>, &'s mut Placement<'m>),
}

/// A call.
#[derive(Debug)]
pub struct Call<'s, 'm> {
    /// The hub's methods.
    pub methods: &'m Methods,
    /// Who calls.
    pub caller: &'s Caller,
    admitted: &'s Option<Admitted>,
    source: Source<'s, 'm>,
    output: Output,
    /// The arguments.
    pub bound: Bound,
}

impl<'s, 'm> Call<'s, 'm> {
    pub(super) fn new(
        methods: &'m Methods,
        caller: &'s Caller,
        admitted: &'s Option<Admitted>,
        source: Source<'s, 'm>,
        output: Output,
    ) -> Self {
        Self { methods, caller, admitted, source, output, bound: Bound::default() }
    }

    pub(super) fn bind(&mut self, method: &Method, arguments: Arguments) -> Result<(), Fault> {
        let Arguments { positional, keywords } = arguments;
        self.bound = Bound::new(method.function, method.parameters, positional, keywords)?;
        Ok(())
    }

    /// The answer.
    pub fn answer<T: Serialize + ?Sized>(&self, value: &T) -> Outcome {
        let written = match self.output {
            Output::Document => write_answer(value),
            Output::Value => {
                let mut out = Vec::new();
                write_value(&mut out, value).map(|()| out)
            }
        };
        written.map_err(|error| internal(chain(&error)))
    }

    /// Whether this is one call of several.
    pub fn is_one_of_several(&self) -> bool {
        matches!(self.output, Output::Value)
    }

    /// The state of the hub.
    pub fn view(&mut self) -> Result<&View, Fault> {
        match &mut self.source {
            Source::Lazy(lazy) => lazy.view(),
            Source::Write(write, _) => Ok(write),
        }
    }

    /// The state of the hub, to be changed, with its files.
    pub fn write(&mut self) -> Result<(&mut Write<'m>, &mut Placement<'m>), Fault> {
        match &mut self.source {
            Source::Lazy(lazy) => lazy.write(),
            Source::Write(write, placement) => Ok((write, placement)),
        }
    }

    /// Who is logged in.
    pub fn login(&self) -> Option<&'s Login> {
        match self.admitted {
            Some(Admitted::Login(login)) => Some(login),
            _ => None,
        }
    }

    /// The expired session that is to be renewed.
    pub fn expired(&self) -> Option<i64> {
        match self.admitted {
            Some(Admitted::Expired(session)) => Some(*session),
            _ => None,
        }
    }

    /// The id of who is logged in; refuses others.
    pub fn user(&self) -> Result<i64, Fault> {
        let none = || not_allowed("you must be logged in for this operation");
        self.login().map(|login| login.user).ok_or_else(none)
    }

    /// Refuses who lacks a permission.
    pub fn require(&mut self, permission: &str) -> Result<(), Fault> {
        let user = self.login().map(|login| login.user);
        self.view()?.require(user, permission)
    }

    /// Whether who is logged in has a permission, or may do everything.
    pub fn may(&mut self, permission: &str) -> Result<bool, Fault> {
        match self.login().map(|login| login.user) {
            Some(user) => self.view()?.has_permission(user, permission),
            None => Ok(false),
        }
    }

    /// A change of now, by who is logged in.
    pub fn stamp(&self) -> Result<Stamp, Fault> {
        Ok(Stamp::new(now(), self.user()?))
    }

    /// An argument as it came.
    pub fn value(&mut self, name: &str) -> Value {
        self.bound.take(name)
    }

    /// Whether an argument is what Python takes for true.
    pub fn flag(&mut self, name: &str) -> bool {
        python::truth(&self.value(name))
    }

    /// Whether an argument is true; none where it is nil.
    pub fn choice(&mut self, name: &str) -> Option<bool> {
        match self.value(name) {
            Value::Nil => None,
            value => Some(python::truth(&value)),
        }
    }

    /// An integer or nil.
    pub fn integer(&mut self, name: &str) -> Result<Option<i64>, Fault> {
        match self.value(name) {
            Value::Nil => Ok(None),
            Value::Int(number) => Ok(Some(number)),
            Value::Bool(value) => Ok(Some(i64::from(value))),
            value => Err(wrong(name, &value, "int")),
        }
    }

    /// A text or nil.
    pub fn text(&mut self, name: &str) -> Result<Option<String>, Fault> {
        match self.value(name) {
            Value::Nil => Ok(None),
            Value::Text(text) => Ok(Some(text)),
            value => Err(wrong(name, &value, "str")),
        }
    }

    /// A text.
    pub fn needed_text(&mut self, name: &str) -> Result<String, Fault> {
        self.text(name)?.ok_or_else(|| wrong(name, &Value::Nil, "str"))
    }

    /// A name or id, or nil.
    pub fn some_key(&mut self, name: &str) -> Result<Option<Key>, Fault> {
        match self.value(name) {
            Value::Nil => Ok(None),
            value => key(value).map(Some),
        }
    }

    /// A name or id.
    pub fn key(&mut self, name: &str) -> Result<Key, Fault> {
        key(self.value(name))
    }

    /// A build, or nil.
    pub fn some_build(&mut self, name: &str) -> Result<Option<BuildKey>, Fault> {
        match self.value(name) {
            Value::Nil => Ok(None),
            value => build(value).map(Some),
        }
    }

    /// A build.
    pub fn build(&mut self, name: &str) -> Result<BuildKey, Fault> {
        build(self.value(name))
    }

    /// An RPM, or nil.
    pub fn some_rpm(&mut self, name: &str) -> Result<Option<RpmKey>, Fault> {
        match self.value(name) {
            Value::Nil => Ok(None),
            value => rpm(value).map(Some),
        }
    }

    /// An RPM.
    pub fn rpm(&mut self, name: &str) -> Result<RpmKey, Fault> {
        rpm(self.value(name))
    }

    /// A list of texts; a single text is a list of one; none where it is nil.
    pub fn texts(&mut self, name: &str) -> Result<Option<Vec<String>>, Fault> {
        match self.value(name) {
            Value::Nil => Ok(None),
            Value::Text(text) => Ok(Some(vec![text])),
            Value::Array(values) => {
                let texts = values.into_iter().map(|value| match value {
                    Value::Text(text) => Ok(text),
                    value => Err(wrong(name, &value, "str")),
                });
                texts.collect::<Result<_, _>>().map(Some)
            }
            value => Err(wrong(name, &value, "list")),
        }
    }

    /// `queryOpts`.
    pub fn options(&mut self) -> Result<QueryOptions, Fault> {
        match self.value("queryOpts") {
            Value::Nil => Ok(QueryOptions::default()),
            Value::Struct(members) => {
                let get = |name: &str| members.get(name).filter(|value| **value != Value::Nil);
                let number = |name: &str| match get(name) {
                    None => Ok(0),
                    Some(Value::Int(number)) => Ok(*number),
                    Some(value) => Err(wrong(name, value, "int")),
                };
                let order = match get("order") {
                    None => None,
                    Some(Value::Text(order)) => Some(order.clone()),
                    Some(value) => return Err(wrong("order", value, "str")),
                };
                let count_only = get("countOnly").is_some_and(python::truth);
                Ok(QueryOptions { count_only, order, offset: number("offset")?, limit: number("limit")? })
            }
            value => Err(wrong("queryOpts", &value, "dict")),
        }
    }
}

fn wrong(name: &str, value: &Value, kind: &str) -> Fault {
    let value = python::repr(value);
    parameter(format!("Invalid type for argument '{name}': {value}, expected type <class '{kind}'>"))
}

/// A name or id, as `lookup_name` takes them: alone, or in a struct of which it is a member.
pub fn key(value: Value) -> Result<Key, Fault> {
    match value {
        Value::Int(id) => Ok(Key::Id(id)),
        Value::Text(name) => Ok(Key::Name(name)),
        Value::Struct(ref members) => match (members.get("id"), members.get("name")) {
            (Some(Value::Int(id)), _) => Ok(Key::Id(*id)),
            (_, Some(Value::Text(name))) => Ok(Key::Name(name.clone())),
            _ => Err(parameter(format!("Invalid name or id value: {}", python::repr(&value)))),
        },
        value => Err(parameter(format!("Invalid name or id value: {}", python::repr(&value)))),
    }
}

fn text_of(value: Option<&Value>) -> Option<String> {
    match value {
        Some(Value::Text(text)) => Some(text.clone()),
        _ => None,
    }
}

/// A build by id, by name-version-release, or in a struct of the parts.
pub fn build(value: Value) -> Result<BuildKey, Fault> {
    match value {
        Value::Int(id) => Ok(BuildKey::Id(id)),
        Value::Text(nvr) => Ok(BuildKey::Nvr(nvr)),
        Value::Struct(members) => {
            if let Some(Value::Int(id)) = members.get("id") {
                return Ok(BuildKey::Id(*id));
            }
            let parts = ["name", "version", "release"].map(|name| text_of(members.get(name)));
            match parts {
                [Some(name), Some(version), Some(release)] => Ok(BuildKey::Parts { name, version, release }),
                _ => Err(generic("did not provide name, version, and release")),
            }
        }
        value => Err(parameter(format!("Invalid type for build: {}", python::repr(&value)))),
    }
}

/// An RPM by id, by name-version-release.arch, or in a struct of the parts.
fn rpm(value: Value) -> Result<RpmKey, Fault> {
    match value {
        Value::Int(id) => Ok(RpmKey::Id(id)),
        Value::Text(nvra) => Ok(RpmKey::Nvra(nvra)),
        Value::Struct(members) => {
            if let Some(Value::Int(id)) = members.get("id") {
                return Ok(RpmKey::Id(*id));
            }
            let parts = ["name", "version", "release", "arch"].map(|name| text_of(members.get(name)));
            match parts {
                [Some(name), Some(version), Some(release), Some(arch)] => {
                    Ok(RpmKey::Parts { name, version, release, arch })
                }
                _ => Err(generic(format!("Invalid argument: {}", python::repr(&Value::Struct(members))))),
            }
        }
        value => Err(generic(format!("Invalid argument: {}", python::repr(&value)))),
    }
}
