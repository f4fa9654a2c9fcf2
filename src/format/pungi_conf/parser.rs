//! From words to values: assignments, imports, and values that name others.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::formatting::format;
use super::lexer::{Kind, Lexer, Token, shorten};
use super::{
    DEEPEST, Importer, LARGEST, MOST_FILES, MOST_MADE, MOST_VALUES, Node, Place, PungiConf, PungiConfError,
    Setting, Value,
};
use crate::base::RelPath;

/// Words that Python keeps for itself.
const KEYWORDS: &[&str] = &[
    "False", "None", "True", "and", "as", "assert", "async", "await", "break", "class", "continue", "def",
    "del", "elif", "else", "except", "finally", "for", "from", "global", "if", "import", "in", "is",
    "lambda", "nonlocal", "not", "or", "pass", "raise", "return", "try", "while", "with", "yield",
];

/// A value with what it takes: how deep it is, how many values it is made of, how many bytes its strings have.
#[derive(Clone)]
struct Measured {
    node: Node,
    depth: usize,
    values: usize,
    bytes: usize,
}

#[derive(Clone)]
struct Variable {
    place: Place,
    value: Measured,
}

type Variables = BTreeMap<String, Variable>;

/// What all files share.
struct Reader<'r, 'i> {
    importer: &'r mut Importer<'i>,
    /// The folder of the main file as messages call it, with its slash.
    folder: String,
    /// Files that are being read, the main one first, by their paths from that folder.
    open: Vec<String>,
    files: usize,
    bytes: usize,
    values: usize,
    made: usize,
    remarks: Vec<(Place, String)>,
}

/// One file.
struct File<'t> {
    lexer: Lexer<'t>,
    json: bool,
    variables: Variables,
    globals: BTreeSet<String>,
}

pub(super) fn parse(
    name: &str,
    bytes: &[u8],
    importer: &mut Importer<'_>,
) -> Result<PungiConf, PungiConfError> {
    let (folder, file) = name.rsplit_once('/').map_or(("", name), |(folder, file)| (folder, file));
    let folder = if name.contains('/') { format!("{folder}/") } else { String::new() };
    let open = vec![file.to_owned()];
    let mut reader =
        Reader { importer, folder, open, files: 1, bytes: 0, values: 0, made: 0, remarks: Vec::new() };
    let named: Arc<str> = name.into();
    let text = reader.text(&named, bytes)?;
    let variables = if name.ends_with(".json") {
        reader.json(named, text)?
    } else {
        reader.file(named, text, Variables::new(), BTreeSet::new())?.variables
    };
    let settings = variables
        .into_iter()
        .map(|(name, variable)| (name, Setting { place: variable.place, node: variable.value.node }));
    Ok(PungiConf { settings: settings.collect(), remarks: reader.remarks })
}

impl Reader<'_, '_> {
    /// The text of a file, which must be one and not too long.
    fn text<'b>(&mut self, name: &Arc<str>, bytes: &'b [u8]) -> Result<&'b str, PungiConfError> {
        let at = |line, column, message: String| PungiConfError::Syntax {
            place: Place { file: name.clone(), line, column },
            message,
        };
        self.bytes += bytes.len();
        if self.bytes > LARGEST {
            return Err(at(1, 1, format!("the configuration has more than {LARGEST} bytes")));
        }
        std::str::from_utf8(bytes).map_err(|error| {
            let before = bytes.get(..error.valid_up_to()).unwrap_or_default();
            let before = String::from_utf8_lossy(before);
            let line = before.matches('\n').count() + 1;
            let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
            at(line, column, "the text is not UTF-8".into())
        })
    }

    fn json(&mut self, name: Arc<str>, text: &str) -> Result<Variables, PungiConfError> {
        // What serde_json accepts is read again here, for the places.
        serde_json::from_str::<serde::de::IgnoredAny>(text).map_err(|error| PungiConfError::Syntax {
            place: Place { file: name.clone(), line: error.line(), column: error.column() },
            message: format!("this is not JSON: {error}"),
        })?;
        let lexer = Lexer::new(name, text);
        let mut file = File { lexer, json: true, variables: Variables::new(), globals: BTreeSet::new() };
        let first = file.next()?;
        let whole = self.value(&mut file, first, false, 0)?;
        let Value::Map(entries) = whole.node.value else {
            return Err(file.lexer.error(&first, "the configuration is no JSON object"));
        };
        let mut variables = Variables::new();
        for (key, node) in entries {
            if let Value::Text(name) = key.value {
                let value = Measured { node, depth: 0, values: 0, bytes: 0 };
                variables.insert(name, Variable { place: key.place, value });
            }
        }
        Ok(variables)
    }

    fn file<'t>(
        &mut self,
        name: Arc<str>,
        text: &'t str,
        variables: Variables,
        globals: BTreeSet<String>,
    ) -> Result<File<'t>, PungiConfError> {
        let mut file = File { lexer: Lexer::new(name, text), json: false, variables, globals };
        loop {
            let mut token = file.next()?;
            if token.kind == Kind::End {
                return Ok(file);
            }
            if token.text == "from" && token.kind == Kind::Name {
                self.import(&mut file, &token)?;
                continue;
            }
            let is_global = token.kind == Kind::Name && token.text == "global";
            if is_global {
                token = file.next()?;
            }
            let problem = match token.kind {
                Kind::Name if token.text == "import" => "an import is written 'from FILE import *'",
                Kind::Name if KEYWORDS.contains(&token.text) => "a word of Python is no name of a variable",
                Kind::Name if token.text.starts_with('_') => "the name of a variable does not begin with '_'",
                Kind::Name => "",
                _ => "the name of a variable is expected here",
            };
            if !problem.is_empty() {
                let message = format!("{problem}, but {} stands here", shorten(token.text));
                return Err(file.lexer.error(&token, message));
            }
            let place = file.lexer.place(&token);
            let value = if is_global {
                file.globals.insert(token.text.into());
                self.plain(&file, &token, Value::None)?
            } else {
                let sign = file.next()?;
                if !sign.is("=") {
                    let message = format!("a '=' is expected behind {}", shorten(token.text));
                    return Err(file.lexer.error(&sign, message));
                }
                let first = file.next()?;
                self.value(&mut file, first, false, 0)?
            };
            file.variables.insert(token.text.into(), Variable { place, value });
        }
    }

    /// `from FILE import NAME, …`, from behind the first word.
    fn import(&mut self, file: &mut File<'_>, from: &Token<'_>) -> Result<(), PungiConfError> {
        let error = |file: &File<'_>, message: String| file.lexer.error(from, message);
        let mut path = String::new();
        loop {
            let token = file.next()?;
            if token.kind == Kind::Name && token.text == "import" {
                break;
            }
            path.push_str(token.text);
            if token.kind == Kind::End || path.len() > 1000 {
                return Err(error(file, "'from' without 'import'".into()));
            }
        }
        let mut names = Vec::new();
        let mut token = file.next()?;
        while !matches!(token.kind, Kind::LineEnd | Kind::End) {
            if token.is(",") {
                token = file.lexer.next()?;
                continue;
            }
            if token.kind != Kind::Name && !token.is("*") {
                let message = format!("a name or '*' is expected here, not {}", shorten(token.text));
                return Err(file.lexer.error(&token, message));
            }
            names.push(token);
            token = file.lexer.next()?;
        }
        path.push_str(".conf");
        let own = self.open.last().map_or("", |own| own.rsplit_once('/').map_or("", |(folder, _)| folder));
        let Some(target) = resolve(own, &path) else {
            let message =
                format!("{} leads out of the folder of the configuration, and is not read", shorten(&path));
            return Err(error(file, message));
        };
        if self.open.iter().any(|open| *open == target.as_str()) {
            return Err(error(file, format!("{} is imported by itself", shorten(&path))));
        }
        self.files += 1;
        if self.files > MOST_FILES || self.open.len() >= DEEPEST / 2 {
            return Err(error(file, format!("more than {MOST_FILES} files are imported")));
        }
        let bytes = (self.importer)(&target).map_err(|source| PungiConfError::Import {
            place: file.lexer.place(from),
            file: target.to_string(),
            source,
        })?;
        let named: Arc<str> = format!("{}{target}", self.folder).into();
        let text = self.text(&named, &bytes)?;
        let mut passed = Variables::new();
        for name in &file.globals {
            if let Some(variable) = file.variables.get(name) {
                let value = self.reached(file, from, &variable.value, 0)?;
                passed.insert(name.clone(), Variable { place: variable.place.clone(), value });
            }
        }
        self.open.push(target.to_string());
        let mut imported = self.file(named, text, passed, file.globals.clone())?;
        self.open.pop();
        if names.iter().any(|name| name.is("*")) {
            file.variables.append(&mut imported.variables);
        } else {
            for name in names {
                let Some(variable) = imported.variables.remove(name.text) else {
                    let message = format!("'{target}' does not set {}", shorten(name.text));
                    return Err(file.lexer.error(&name, message));
                };
                file.variables.insert(name.text.into(), variable);
            }
        }
        file.globals.append(&mut imported.globals);
        Ok(())
    }

    /// The value that begins with a word; one of a simple type where it is the key of a map.
    fn value<'t>(
        &mut self,
        file: &mut File<'t>,
        first: Token<'t>,
        simple: bool,
        depth: usize,
    ) -> Result<Measured, PungiConfError> {
        if depth >= DEEPEST {
            return Err(file.lexer.error(&first, format!("values are nested deeper than {DEEPEST}")));
        }
        match first.kind {
            Kind::Text => self.string(file, &first, depth),
            Kind::Number => {
                let value = file.number(&first, "")?;
                self.plain(file, &first, value)
            }
            Kind::Name => {
                let (none, yes, no) =
                    if file.json { ("null", "true", "false") } else { ("None", "True", "False") };
                let value = match first.text {
                    text if text == none => Value::None,
                    text if text == yes => Value::Flag(true),
                    text if text == no => Value::Flag(false),
                    text => {
                        let Some(variable) = file.variables.get(text) else {
                            let message = format!("there is no variable {}", shorten(text));
                            return Err(file.lexer.error(&first, message));
                        };
                        return self.reached(file, &first, &variable.value, depth);
                    }
                };
                self.plain(file, &first, value)
            }
            Kind::Sign if first.text == "-" => {
                let number = file.next()?;
                if number.kind != Kind::Number {
                    return Err(file.lexer.error(&number, "a number is expected behind '-'"));
                }
                let value = file.number(&number, "-")?;
                self.plain(file, &first, value)
            }
            Kind::Sign if !simple && matches!(first.text, "[" | "(" | "{") => {
                self.several(file, &first, depth)
            }
            _ => {
                let what = if simple { "a string, a number or a name" } else { "a value" };
                let found = if first.kind == Kind::End { "the end".into() } else { shorten(first.text) };
                Err(file.lexer.error(&first, format!("{what} is expected here, not {found}")))
            }
        }
    }

    fn string<'t>(
        &mut self,
        file: &mut File<'t>,
        token: &Token<'t>,
        depth: usize,
    ) -> Result<Measured, PungiConfError> {
        if file.json {
            let text = serde_json::from_str(token.text)
                .map_err(|error| file.lexer.error(token, format!("this is no string: {error}")))?;
            return self.plain(file, token, Value::Text(text));
        }
        // As kobo does: whatever the quotes are, one character goes on either side.
        let mut chars = token.text.chars();
        chars.next();
        chars.next_back();
        let text = chars.as_str();
        if !file.lexer.clone().next()?.is("%") {
            return self.plain(file, token, Value::Text(text.into()));
        }
        file.lexer.next()?;
        let first = file.next()?;
        let values = self.value(file, first, false, depth + 1)?;
        let made = format(text, &values.node, MOST_MADE - self.made)
            .map_err(|message| file.lexer.error(token, message))?;
        self.made += made.len();
        self.plain(file, token, Value::Text(made))
    }

    /// A list, tuple or map from behind its first sign.
    fn several<'t>(
        &mut self,
        file: &mut File<'t>,
        first: &Token<'t>,
        depth: usize,
    ) -> Result<Measured, PungiConfError> {
        let end = match first.text {
            "[" => "]",
            "(" => ")",
            _ => "}",
        };
        let (mut elements, mut entries) = (Vec::new(), Vec::<(Node, Node)>::new());
        let mut keys = BTreeSet::new();
        let (mut deepest, mut values, mut bytes) = (0, 1, 0);
        let mut before: Option<Kind> = None;
        loop {
            let mut token = file.next()?;
            let mut parted = before.is_none();
            while token.is(",") {
                token = file.next()?;
                parted = true;
            }
            if token.is(end) {
                break;
            }
            if token.kind == Kind::End {
                return Err(file.lexer.error(first, format!("this '{}' has no '{end}'", first.text)));
            }
            if !parted && before == Some(Kind::Text) && token.kind == Kind::Text && end != "}" {
                let message =
                    "there is no comma between this string and the one before: two values, for Pungi";
                self.remarks.push((file.lexer.place(&token), message.into()));
            }
            before = Some(token.kind);
            let mut parts = vec![self.value(file, token, end == "}", depth + 1)?];
            if end == "}" {
                let key = parts.first().map(|key| format!("{:?}", key.node.value)).unwrap_or_default();
                if !keys.insert(key) {
                    let message = format!("the key {} is in this map already", shorten(token.text));
                    return Err(file.lexer.error(&token, message));
                }
                let colon = file.next()?;
                if !colon.is(":") {
                    let message = format!("a ':' is expected behind the key {}", shorten(token.text));
                    return Err(file.lexer.error(&colon, message));
                }
                let start = file.next()?;
                parts.push(self.value(file, start, false, depth + 1)?);
            }
            for part in &parts {
                deepest = deepest.max(part.depth);
                values += part.values;
                bytes += part.bytes;
            }
            let mut nodes = parts.into_iter().map(|part| part.node);
            match (nodes.next(), nodes.next()) {
                (Some(key), Some(value)) => entries.push((key, value)),
                (Some(element), None) => elements.push(element),
                _ => {}
            }
        }
        self.count(file, first, 1, 0)?;
        let value = match end {
            "]" => Value::List(elements),
            ")" => Value::Tuple(elements),
            _ => Value::Map(entries),
        };
        let node = Node { place: file.lexer.place(first), value };
        Ok(Measured { node, depth: deepest + 1, values, bytes })
    }

    fn plain(
        &mut self,
        file: &File<'_>,
        token: &Token<'_>,
        value: Value,
    ) -> Result<Measured, PungiConfError> {
        self.count(file, token, 1, 0)?;
        let bytes = if let Value::Text(text) = &value { text.len() } else { 0 };
        Ok(Measured { node: Node { place: file.lexer.place(token), value }, depth: 1, values: 1, bytes })
    }

    /// A copy of a variable's value.
    fn reached(
        &mut self,
        file: &File<'_>,
        token: &Token<'_>,
        value: &Measured,
        depth: usize,
    ) -> Result<Measured, PungiConfError> {
        if depth + value.depth > DEEPEST {
            return Err(file.lexer.error(token, format!("values are nested deeper than {DEEPEST}")));
        }
        self.count(file, token, value.values, value.bytes)?;
        Ok(value.clone())
    }

    fn count(
        &mut self,
        file: &File<'_>,
        token: &Token<'_>,
        values: usize,
        made: usize,
    ) -> Result<(), PungiConfError> {
        self.values = self.values.saturating_add(values);
        self.made = self.made.saturating_add(made);
        if self.values > MOST_VALUES || self.made > MOST_MADE {
            let message = format!(
                "the configuration comes to more than {MOST_VALUES} values, or to {MOST_MADE} bytes of strings \
                 that are made of others"
            );
            return Err(file.lexer.error(token, message));
        }
        Ok(())
    }
}

impl<'t> File<'t> {
    /// The next word that is no line end.
    fn next(&mut self) -> Result<Token<'t>, PungiConfError> {
        loop {
            let token = self.lexer.next()?;
            if token.kind != Kind::LineEnd {
                return Ok(token);
            }
        }
    }

    fn number(&self, token: &Token<'_>, sign: &str) -> Result<Value, PungiConfError> {
        let plain = format!("{sign}{}", token.text.replace('_', ""));
        let octal = token.text.len() > 1 && token.text.starts_with('0');
        let float = if self.json { token.text.contains(['.', 'e', 'E']) } else { token.text.contains('.') };
        let number = match float {
            true => plain.parse().ok().filter(|number: &f64| number.is_finite()).map(Value::Float),
            false if octal && !self.json => None,
            false => plain.parse().ok().map(Value::Integer),
        };
        number.ok_or_else(|| {
            self.lexer.error(token, format!("{} is no decimal number of 64 bits", shorten(token.text)))
        })
    }
}

/// The path of an imported file from the main folder; none if it leads out of it.
fn resolve(folder: &str, path: &str) -> Option<RelPath> {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    if path.starts_with('/') {
        return None;
    }
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    RelPath::new(parts.join("/")).ok()
}
