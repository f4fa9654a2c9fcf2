//! Where the files are that a configuration of Pungi names: beside it, or where only a person can get them from.

use crate::base::RelPath;
use crate::format::pungi_conf::{Node, Value};

/// A file that an option names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Companion {
    /// None is named.
    None,
    /// It lies in the folder of the configuration.
    Beside(RelPath),
    /// It lies elsewhere.
    Elsewhere {
        /// What it should be called beside the recipe.
        name: RelPath,
        /// Where it is, for people.
        whence: String,
    },
}

/// The file that an option names: a path, or Pungi's description of a version control system and a file in it.
pub fn companion(node: Option<&Node>) -> Companion {
    let Some(node) = node else { return Companion::None };
    let (path, whence) = match &node.value {
        Value::Text(path) => (path.as_str(), None),
        Value::Map(_) => {
            let part = |key| node.get(key).and_then(Node::text);
            let file = part("file").unwrap_or_default();
            match part("scm") {
                None | Some("file") => (file, None),
                Some(scm) => {
                    let mut whence = format!("{scm} {}", part("repo").unwrap_or_default());
                    for key in ["branch", "file", "command"] {
                        if let Some(value) = part(key) {
                            whence.extend([", ", key, " ", value]);
                        }
                    }
                    (file, Some(whence))
                }
            }
        }
        _ => return Companion::None,
    };
    let path = path.strip_prefix("{{configdir}}/").unwrap_or(path);
    let inside = path.split('/').filter(|part| !matches!(*part, "" | ".")).collect::<Vec<_>>().join("/");
    let is_inside = whence.is_none() && !path.starts_with('/') && !path.contains("{{");
    match RelPath::new(inside.as_str()) {
        Ok(path) if is_inside => Companion::Beside(path),
        Ok(path) => elsewhere(path.file_name(), whence.unwrap_or_else(|| path_text(node, &path))),
        Err(_) => elsewhere(inside.rsplit('/').next().unwrap_or_default(), whence.unwrap_or(inside.clone())),
    }
}

fn path_text(node: &Node, path: &RelPath) -> String {
    node.text().map_or_else(|| path.to_string(), str::to_owned)
}

fn elsewhere(name: &str, whence: String) -> Companion {
    match RelPath::new(name) {
        Ok(name) => Companion::Elsewhere { name, whence },
        Err(_) => Companion::None,
    }
}
