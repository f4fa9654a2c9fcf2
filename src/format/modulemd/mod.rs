//! `modules.yaml` of a repository: its modules, each a set of packages in one or more streams of versions (libmodulemd 2.15).
//!
//! A YAML file of documents, each of a kind (`document`), a `version` of that kind, and `data`:
//!
//! | kind | versions | what is read of it |
//! |---|---|---|
//! | `modulemd` | 1, 2 | a stream as it was built once: its names, what other streams it needs, its packages |
//! | `modulemd-defaults` | 1 | the stream of a module that is meant where none is named |
//! | `modulemd-obsoletes`, `modulemd-translations` | 1 | the module |
//!
//! Of a stream: `name`, `stream`, `version` (a number: the highest is the latest), `context` (which of the builds of one
//! version), `arch`, `dependencies` and `artifacts.rpms`: packages as name-epoch:version-release.arch. Dependencies
//! of version 2 are a list of alternatives, each with `requires`: module → streams. No stream is any of them, `-STREAM` any
//! other; of version 1 there is one stream to a module.
//!
//! Everything else is carried: each document keeps its text.

mod node;

use std::collections::BTreeMap;

use crate::base::Nevra;
use node::Node;

/// Bytes of the largest file that is read.
pub const LARGEST: usize = 256 << 20;

/// Documents of modules.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Modules {
    /// In the order of the file.
    pub documents: Vec<Document>,
}

/// A document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// Its lines as they are, from `---` to before the next one.
    pub text: String,
    /// The module that it is about.
    pub module: String,
    /// What it says.
    pub content: Content,
}

/// What a document says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// A build of a stream.
    Stream(Stream),
    /// The stream that is meant where none is named, if there is one.
    Defaults(Option<String>),
    /// Something else about the module.
    Other,
}

/// A build of a stream of a module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stream {
    /// Its name.
    pub name: String,
    /// The number of this build; the highest is the latest.
    pub version: u64,
    /// Tells builds of one version apart.
    pub context: String,
    /// What it was built for.
    pub arch: String,
    /// Alternatives of what it needs: streams by module. None needs nothing.
    pub needs: Vec<BTreeMap<String, Vec<String>>>,
    /// Its packages.
    pub artifacts: Vec<Nevra>,
}

/// The file cannot be understood. Retrying cannot help.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ModulemdError {
    /// It is no text, or too large.
    #[error("it is no UTF-8 text of at most {} MiB", LARGEST >> 20)]
    Text,
    /// It is no YAML that could be read.
    #[error("line {line}: {problem}")]
    Yaml {
        /// The line, from 1.
        line: usize,
        /// What is wrong there.
        problem: String,
    },
    /// A document says something that has no meaning.
    #[error("the document from line {line}: {problem}")]
    Document {
        /// Its first line, from 1.
        line: usize,
        /// What is wrong with it.
        problem: String,
    },
}

impl Modules {
    /// Parses a file.
    pub fn parse(bytes: &[u8]) -> Result<Self, ModulemdError> {
        if bytes.len() > LARGEST {
            return Err(ModulemdError::Text);
        }
        let text = std::str::from_utf8(bytes).map_err(|_| ModulemdError::Text)?;
        let lines: Vec<&str> = text.split_inclusive('\n').collect();
        let found = node::documents(text)?;
        let mut documents = Vec::new();
        for (place, document) in found.iter().enumerate() {
            let begins = document.lines.0;
            let ends = found.get(place + 1).map_or(lines.len() + 1, |next| next.lines.0);
            let text =
                lines.get(begins.saturating_sub(1)..ends.saturating_sub(1)).unwrap_or_default().concat();
            let wrong = |problem| ModulemdError::Document { line: begins, problem };
            let (module, content) = read(&document.root).map_err(wrong)?;
            documents.push(Document { text, module, content });
        }
        Ok(Self { documents })
    }

    /// The builds of streams with their modules.
    pub fn streams(&self) -> impl Iterator<Item = (&str, &Stream)> {
        self.documents.iter().filter_map(|document| match &document.content {
            Content::Stream(stream) => Some((document.module.as_str(), stream)),
            _ => None,
        })
    }
}

fn read(root: &Node) -> Result<(String, Content), String> {
    let kind = text(root, "document")?;
    let version = text(root, "version")?;
    let data = root.get("data").ok_or("it has no 'data'")?;
    match (kind, version) {
        ("modulemd", "1" | "2") => Ok((text(data, "name")?.into(), Content::Stream(stream(data, version)?))),
        ("modulemd-defaults", "1") => {
            let stream = data.get("stream").and_then(Node::text).filter(|stream| !stream.is_empty());
            Ok((text(data, "module")?.into(), Content::Defaults(stream.map(str::to_owned))))
        }
        ("modulemd-obsoletes" | "modulemd-translations", "1") => {
            Ok((text(data, "module")?.into(), Content::Other))
        }
        _ => Err(format!("a '{kind}' of version {version} is not known")),
    }
}

fn text<'n>(node: &'n Node, name: &str) -> Result<&'n str, String> {
    let text = node.get(name).and_then(Node::text).filter(|text| !text.is_empty());
    text.ok_or_else(|| format!("it has no '{name}'"))
}

fn stream(data: &Node, version: &str) -> Result<Stream, String> {
    let number = text(data, "version")?;
    let number = number.parse().map_err(|_| format!("the version '{number}' is no number"))?;
    let rpms = data.get("artifacts").and_then(|artifacts| artifacts.get("rpms"));
    let rpms = rpms.map_or(Ok(&[][..]), |rpms| rpms.list().ok_or("its artifacts are no list"))?;
    let artifacts = rpms.iter().map(|rpm| {
        let rpm = rpm.text().ok_or("an artifact is no text")?;
        rpm.parse().map_err(|_| format!("the artifact '{rpm}' is no name-epoch:version-release.arch"))
    });
    let dependencies = data.get("dependencies");
    let needs = match (version, dependencies) {
        (_, None) => Vec::new(),
        ("1", Some(only)) => vec![needs(only)?],
        (_, Some(list)) => {
            let list = list.list().ok_or("its dependencies are no list")?;
            list.iter().map(needs).collect::<Result<_, _>>()?
        }
    };
    let optional = |name| data.get(name).and_then(Node::text).unwrap_or_default().to_owned();
    Ok(Stream {
        name: text(data, "stream")?.into(),
        version: number,
        context: optional("context"),
        arch: optional("arch"),
        needs,
        artifacts: artifacts.collect::<Result<_, String>>()?,
    })
}

/// What one alternative of the dependencies needs to be installed.
fn needs(alternative: &Node) -> Result<BTreeMap<String, Vec<String>>, String> {
    let Some(requires) = alternative.get("requires") else { return Ok(BTreeMap::new()) };
    let members = requires.members().ok_or("what it requires is no map")?;
    let needs = members.iter().map(|(module, streams)| {
        let streams = match streams {
            Node::Text(one) if one.is_empty() => Vec::new(),
            Node::Text(one) => vec![one.clone()],
            Node::List(list) => {
                let texts = list.iter().map(|stream| stream.text().map(str::to_owned));
                texts.collect::<Option<_>>().ok_or("a stream that it requires is no text")?
            }
            Node::Map(_) => return Err(format!("the streams of '{module}' that it requires are no list")),
        };
        Ok((module.clone(), streams))
    });
    needs.collect()
}

#[cfg(test)]
mod tests;
