//! A YAML document as a tree with bounds.

use saphyr_parser::{Event, Parser, ScanError};

use super::ModulemdError;

/// How deep a document may be. Real ones have 6 levels.
const DEEPEST: usize = 32;
/// How many values a file may have. CentOS Stream 8's AppStream has some 400,000.
const MOST: usize = 8_000_000;

/// A value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Node {
    Text(String),
    List(Vec<Self>),
    Map(Vec<(String, Self)>),
}

/// A document and the lines that it has in the file, from 1: where it begins, and where the next one may.
pub(super) struct Document {
    pub root: Node,
    pub lines: (usize, usize),
}

impl Node {
    /// A member of a map.
    pub fn get(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Map(members) => members.iter().find(|(key, _)| key == name).map(|(_, value)| value),
            _ => None,
        }
    }

    /// A text or a number.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The entries of a list.
    pub fn list(&self) -> Option<&[Self]> {
        match self {
            Self::List(list) => Some(list),
            _ => None,
        }
    }

    /// The members of a map. `{}` and nothing at all are both no members.
    pub fn members(&self) -> Option<&[(String, Self)]> {
        match self {
            Self::Map(members) => Some(members),
            Self::Text(text) if text.is_empty() => Some(&[]),
            _ => None,
        }
    }
}

/// A list or a map that is being read.
enum Open {
    List(Vec<Node>),
    Map(Vec<(String, Node)>, Option<String>),
}

/// Reads all documents of a file.
pub(super) fn documents(text: &str) -> Result<Vec<Document>, ModulemdError> {
    let mut documents = Vec::new();
    let mut open: Vec<Open> = Vec::new();
    let (mut root, mut begins, mut count) = (None, 1, 0);
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error: ScanError| ModulemdError::Yaml {
            line: error.marker().line(),
            problem: error.info().to_owned(),
        })?;
        let line = span.start.line();
        let wrong = |problem: &str| ModulemdError::Yaml { line, problem: problem.to_owned() };
        count += 1;
        if count > MOST {
            return Err(wrong("the file has too many values"));
        }
        let whole = match event {
            Event::DocumentStart(_) => {
                begins = line;
                None
            }
            Event::DocumentEnd => {
                let root = root.take().unwrap_or(Node::Text(String::new()));
                documents.push(Document { root, lines: (begins, span.end.line() + 1) });
                None
            }
            // Modules have none; following them is how small files become large.
            Event::Alias(_) => return Err(wrong("aliases are not read")),
            Event::Scalar(text, ..) => Some(Node::Text(text.into_owned())),
            Event::SequenceStart(..) | Event::MappingStart(..) if open.len() >= DEEPEST => {
                return Err(wrong("values are nested too deeply"));
            }
            Event::SequenceStart(..) => {
                open.push(Open::List(Vec::new()));
                None
            }
            Event::MappingStart(..) => {
                open.push(Open::Map(Vec::new(), None));
                None
            }
            Event::SequenceEnd | Event::MappingEnd => match open.pop() {
                Some(Open::List(list)) => Some(Node::List(list)),
                Some(Open::Map(members, _)) => Some(Node::Map(members)),
                None => None,
            },
            Event::StreamStart | Event::StreamEnd | Event::Nothing => None,
        };
        let Some(node) = whole else { continue };
        match open.last_mut() {
            None => root = Some(node),
            Some(Open::List(list)) => list.push(node),
            Some(Open::Map(members, name @ None)) => match node {
                Node::Text(text) if members.iter().any(|(there, _)| *there == text) => {
                    return Err(wrong("a member is there twice"));
                }
                Node::Text(text) => *name = Some(text),
                _ => return Err(wrong("a member has no name")),
            },
            Some(Open::Map(members, name)) => members.push((name.take().unwrap_or_default(), node)),
        }
    }
    Ok(documents)
}
