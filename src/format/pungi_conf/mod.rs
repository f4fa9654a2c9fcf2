//! Pungi's configuration: the files `*.conf` in the syntax of kobo's `PyConfigParser` (0.42), which looks like Python,
//! and `*.json`.
//!
//! ```text
//! from pungi-general import *          # all of pungi-general.conf, in the folder of this file
//! from pungi-general import sigkeys, multilib
//! global branch                        # files that are imported later see it
//! release_name = "Fedora"              # a variable begins with no '_'
//! release_version = "%s" % (branch,)   # '%' behind a string, in its line; also % name and % {…} with %(key)s
//! sigkeys = [None, "12c944d0",]        # None, True, False, numbers, strings, [lists], (tuples), {maps}, names of variables
//! ```
//! What differs from Python is read as kobo reads it:
//! - A string is what stands between its first and its last character: backslashes stay, `"""x"""` is `""x""` and `u'x'` is
//!   `'x`. Two strings in a row are two values.
//! - Commas are passed over wherever an element could begin, so they can be missing; `(1)` is a tuple. Line ends and
//!   indentation mean nothing but in `from` lines.
//! - A key of a map is a string, a number or a variable, and stands in it once. A variable that is set again is
//!   replaced.
//! - Numbers are decimal; without a point they are whole.
//!
//! kobo takes `from` to any folder; here an import stays in the folder of the main file. Files, bytes, values and their
//! depth are bounded, values that are reached by their names counted as often as they are used.

mod formatting;
mod lexer;
mod parser;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::sync::Arc;

use crate::base::RelPath;

/// Bytes of all files of a configuration together.
pub const LARGEST: usize = 4 << 20;
/// Files of a configuration; one that is imported twice counts twice.
const MOST_FILES: usize = 64;
/// Values of a configuration.
const MOST_VALUES: usize = 500_000;
/// Bytes of strings that variables and formatting make of others.
const MOST_MADE: usize = 16 << 20;
/// How deep values may be in each other.
const DEEPEST: usize = 64;

/// A place in one of the files, counted from 1.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The file, as it is to be called in messages.
    pub file: Arc<str>,
    /// Line.
    pub line: usize,
    /// Column, in characters.
    pub column: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// A value and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Where it begins; that of a variable's value, where it is reached by its name.
    pub place: Place,
    /// What it is.
    pub value: Value,
}

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `None`, JSON's `null`.
    None,
    /// `True` or `False`.
    Flag(bool),
    /// A whole number.
    Integer(i64),
    /// A number with a point.
    Float(f64),
    /// A string.
    Text(String),
    /// `[…]`
    List(Vec<Node>),
    /// `(…)`
    Tuple(Vec<Node>),
    /// `{…}`, in the order of the text.
    Map(Vec<(Node, Node)>),
}

impl Node {
    /// Its text, if it is a string.
    pub fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The elements of a list or tuple.
    pub fn elements(&self) -> Option<&[Self]> {
        match &self.value {
            Value::List(elements) | Value::Tuple(elements) => Some(elements),
            _ => None,
        }
    }

    /// The entries of a map.
    pub fn entries(&self) -> Option<&[(Self, Self)]> {
        match &self.value {
            Value::Map(entries) => Some(entries),
            _ => None,
        }
    }

    /// The value of a map's key.
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.entries()?.iter().find(|(name, _)| name.text() == Some(key)).map(|(_, value)| value)
    }
}

/// A variable.
#[derive(Clone, Debug, PartialEq)]
pub struct Setting {
    /// Where it is set.
    pub place: Place,
    /// Its value.
    pub node: Node,
}

/// A configuration with all that it imports.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PungiConf {
    /// The variables by name.
    pub settings: BTreeMap<String, Setting>,
    /// What is probably not meant as it stands there.
    pub remarks: Vec<(Place, String)>,
}

/// What reads a file that is imported, by its path from the folder of the main file.
pub type Importer<'i> = dyn FnMut(&RelPath) -> Result<Vec<u8>, Box<dyn Error + Send + Sync>> + 'i;

/// A configuration that cannot be read. Retrying cannot help, unless reading a file failed.
#[derive(Debug, thiserror::Error)]
pub enum PungiConfError {
    /// It is not written as kobo or JSON demand, or is larger than gander reads.
    #[error("{place}: {message}")]
    Syntax {
        /// Where.
        place: Place,
        /// What is wrong.
        message: String,
    },
    /// A file that is imported cannot be read.
    #[error("{place}: '{file}' cannot be imported")]
    Import {
        /// Where it is imported.
        place: Place,
        /// Its path from the folder of the main file.
        file: String,
        /// Why.
        source: Box<dyn Error + Send + Sync>,
    },
}

impl PungiConf {
    /// Reads a configuration. The name is what messages call the file, and JSON where it ends with `.json`.
    pub fn parse(name: &str, bytes: &[u8], importer: &mut Importer<'_>) -> Result<Self, PungiConfError> {
        parser::parse(name, bytes, importer)
    }

    /// The value of a variable.
    pub fn get(&self, name: &str) -> Option<&Node> {
        self.settings.get(name).map(|setting| &setting.node)
    }
}
