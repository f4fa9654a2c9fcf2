//! How the arguments of a call find their parameters.
//!
//! A method declares its parameters as Koji's own `_listapi` lists them, `tag, event=None, inherit=False, **kw`; a
//! call brings values in order and values by name. What does not fit is answered with fault 1019 in the words that
//! the hub's Python has for it, because clients show them (hub 1.35.3, transcripts `fault_*`).

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use super::python;
use crate::format::xmlrpc::{Fault, Value};

/// Fault code of an argument that does not fit (ParameterError).
pub const PARAMETER_ERROR: i64 = 1019;

/// One parameter of a method.
#[derive(Clone, Debug, PartialEq)]
struct Parameter<'a> {
    name: &'a str,
    default: Option<Value>,
}

/// The parameters of a method.
#[derive(Debug, Default, PartialEq)]
struct Parameters<'a> {
    named: Vec<Parameter<'a>>,
    /// `*args`: takes what is left over in order.
    rest: bool,
    /// `**kwargs`: takes what is left over by name.
    keywords: bool,
}

/// The value that a default of a declaration stands for. Declarations are ours, so there are only these.
fn default(text: &str) -> Value {
    match text {
        "None" => Value::Nil,
        "True" => Value::Bool(true),
        "False" => Value::Bool(false),
        text => match text.parse() {
            Ok(number) => Value::Int(number),
            Err(_) => Value::Text(text.trim_matches('\'').to_owned()),
        },
    }
}

fn parse(declared: &str) -> Parameters<'_> {
    let mut parameters = Parameters::default();
    for part in declared.split(", ").filter(|part| !part.is_empty()) {
        if part.starts_with("**") {
            parameters.keywords = true;
        } else if part.starts_with('*') {
            parameters.rest = true;
        } else {
            let (name, default) = match part.split_once('=') {
                Some((name, text)) => (name, Some(default(text))),
                None => (part, None),
            };
            parameters.named.push(Parameter { name, default });
        }
    }
    parameters
}

/// The arguments of one call, each with its parameter; a parameter without an argument has its default.
#[derive(Debug, Default, PartialEq)]
pub struct Bound {
    named: BTreeMap<String, Value>,
    /// What `*args` took.
    pub rest: Vec<Value>,
    /// What `**kwargs` took.
    pub keywords: BTreeMap<String, Value>,
}

impl Bound {
    /// Binds the arguments of a call. `function` is the name that faults carry: `get_tag`, or `RootExports.listTagged`
    /// of a method, which counts its object among the arguments.
    pub fn new(
        function: &str,
        declared: &str,
        params: Vec<Value>,
        keywords: BTreeMap<String, Value>,
    ) -> Result<Self, Fault> {
        let fault = |text: String| Fault { code: PARAMETER_ERROR, text: format!("{function}() {text}") };
        let Parameters { named, rest, keywords: open } = parse(declared);
        let given = params.len();
        let mut bound = Self::default();
        let mut params = params.into_iter();
        for (parameter, value) in named.iter().zip(params.by_ref()) {
            bound.named.insert(parameter.name.to_owned(), value);
        }
        for (name, value) in keywords {
            let known = named.iter().any(|parameter| parameter.name == name);
            match bound.named.entry(name) {
                Entry::Occupied(entry) => {
                    return Err(fault(format!("got multiple values for argument '{}'", entry.key())));
                }
                Entry::Vacant(entry) if known => _ = entry.insert(value),
                Entry::Vacant(entry) if open => drop(bound.keywords.insert(entry.into_key(), value)),
                Entry::Vacant(entry) => {
                    return Err(fault(format!("got an unexpected keyword argument '{}'", entry.key())));
                }
            }
        }
        if rest {
            bound.rest = params.collect();
        } else if given > named.len() {
            let own = usize::from(function.contains('.'));
            return Err(fault(too_many(&named, given, own)));
        }
        let mut missing = Vec::new();
        for Parameter { name, default } in named {
            match default {
                _ if bound.named.contains_key(name) => {}
                Some(default) => drop(bound.named.insert(name.to_owned(), default)),
                None => missing.push(name),
            }
        }
        if missing.is_empty() { Ok(bound) } else { Err(fault(missing_text(&missing))) }
    }

    /// The value of a parameter; nil for one that the declaration lacks.
    pub fn take(&mut self, name: &str) -> Value {
        self.named.remove(name).unwrap_or(Value::Nil)
    }
}

fn too_many(named: &[Parameter<'_>], given: usize, own: usize) -> String {
    let (most, given) = (named.len() + own, given + own);
    let least = named.iter().filter(|parameter| parameter.default.is_none()).count() + own;
    let takes = if least < most { format!("from {least} to {most}") } else { most.to_string() };
    let s = if most == 1 && least == most { "" } else { "s" };
    let were = if given == 1 { "was" } else { "were" };
    format!("takes {takes} positional argument{s} but {given} {were} given")
}

fn missing_text(names: &[&str]) -> String {
    let quoted: Vec<_> = names.iter().map(|name| python::text(name)).collect();
    let list = match quoted.as_slice() {
        [] => String::new(),
        [one] => one.clone(),
        [one, two] => format!("{one} and {two}"),
        [first @ .., last] => format!("{}, and {last}", first.join(", ")),
    };
    let s = if names.len() == 1 { "" } else { "s" };
    format!("missing {} required positional argument{s}: {list}", names.len())
}

/// The parameters as `_listapi` describes them: a name, or a name with its default.
pub fn described(declared: &str) -> Vec<Value> {
    let parameters = parse(declared);
    let mut list: Vec<_> = parameters
        .named
        .into_iter()
        .map(|Parameter { name, default }| {
            let name = Value::Text(name.to_owned());
            default.map_or(name.clone(), |default| Value::Array(vec![name, default]))
        })
        .collect();
    let open = declared.split(", ").filter_map(|part| part.strip_prefix('*'));
    list.extend(open.map(|name| Value::Text(name.trim_start_matches('*').to_owned())));
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    const LISTING: &str = "tag, event=None, inherit=False, type='x', age=604800";

    fn bind(function: &str, declared: &str, params: &[i64], keywords: &[&str]) -> Result<Bound, String> {
        let params = params.iter().map(|number| Value::Int(*number)).collect();
        let keywords = keywords.iter().map(|name| ((*name).to_owned(), Value::Bool(true))).collect();
        Bound::new(function, declared, params, keywords).map_err(|fault| {
            assert_eq!(fault.code, PARAMETER_ERROR);
            fault.text
        })
    }

    #[test]
    fn arguments_find_their_parameters() {
        let mut bound = bind("f", LISTING, &[1, 2], &["inherit"]).unwrap();
        assert_eq!(bound.take("tag"), Value::Int(1));
        assert_eq!(bound.take("event"), Value::Int(2));
        assert_eq!(bound.take("inherit"), Value::Bool(true));
        assert_eq!(bound.take("type"), Value::Text("x".into()));
        assert_eq!(bound.take("age"), Value::Int(604_800));
        assert_eq!(bound.take("none"), Value::Nil);
        let bound = bind("echo", "*args", &[1, 2], &[]).unwrap();
        assert_eq!(bound.rest, [Value::Int(1), Value::Int(2)]);
        let bound = bind("q", "tables=None, **kwargs", &[], &["tag"]).unwrap();
        assert_eq!(bound.keywords.keys().collect::<Vec<_>>(), ["tag"]);
    }

    /// The words are CPython 3.11's; the first three are in a hub's transcripts.
    #[test]
    fn what_does_not_fit_is_said_as_python_says_it() {
        /// Function, declaration, parameters, keywords and what is said.
        type Case = (&'static str, &'static str, &'static [i64], &'static [&'static str], &'static str);
        let cases: [Case; 9] = [
            ("get_tag", LISTING, &[], &[], "get_tag() missing 1 required positional argument: 'tag'"),
            ("R.l", LISTING, &[], &[], "R.l() missing 1 required positional argument: 'tag'"),
            ("R.l", LISTING, &[1], &["bogus"], "R.l() got an unexpected keyword argument 'bogus'"),
            ("f", LISTING, &[1], &["tag"], "f() got multiple values for argument 'tag'"),
            ("f", "a, b", &[], &[], "f() missing 2 required positional arguments: 'a' and 'b'"),
            ("f", "a, b, c", &[], &[], "f() missing 3 required positional arguments: 'a', 'b', and 'c'"),
            ("f", "a", &[1, 2], &[], "f() takes 1 positional argument but 2 were given"),
            ("R.l", "", &[1], &[], "R.l() takes 1 positional argument but 2 were given"),
            (
                "R.l",
                "a, b=None",
                &[1, 2, 3],
                &[],
                "R.l() takes from 2 to 3 positional arguments but 4 were given",
            ),
        ];
        for (function, declared, params, keywords, text) in cases {
            assert_eq!(bind(function, declared, params, keywords).unwrap_err(), text);
        }
    }
}
