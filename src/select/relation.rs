//! Relations between packages: what one provides and what another requires.
//!
//! A requirement is written as rpm writes it: a name, a file path, a name with a comparison
//! (`foo >= 1:2-3`), or a rich (boolean) expression in parentheses:
//!
//! ```text
//! (A and B)   (A or B)   (A if B)   (A if B else C)   (A unless B)   (A unless B else C)   (A with B)   (A without B)
//! ```
//! `and`, `or` and `with` may be chained (`(A or B or C)`); expressions nest.

use std::cmp::Ordering;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::base::Evr;

/// How versions are compared: a set of rpm's three senses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Sense(u8);

impl Sense {
    /// No comparison: any version.
    pub const ANY: Self = Self(0);
    /// `<`, rpm's bit 2.
    pub const LESS: Self = Self(2);
    /// `>`, rpm's bit 4.
    pub const GREATER: Self = Self(4);
    /// `=`, rpm's bit 8.
    pub const EQUAL: Self = Self(8);

    /// Takes the comparing bits of rpm's dependency flags.
    pub const fn from_rpm(flags: u32) -> Self {
        Self((flags & 0x0e) as u8)
    }

    /// The senses of both.
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    const fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Reads `<`, `<=`, `=`, `>=`, `>` (and `==`).
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "<" => Self::LESS,
            "<=" | "=<" => Self::LESS.and(Self::EQUAL),
            "=" | "==" => Self::EQUAL,
            ">=" | "=>" => Self::GREATER.and(Self::EQUAL),
            ">" => Self::GREATER,
            _ => return None,
        })
    }

    /// The name that repodata has for it (`EQ`, `LT`, `GT`, `LE`, `GE`), none where nothing is compared.
    pub const fn repodata_name(self) -> Option<&'static str> {
        match self.0 {
            2 => Some("LT"),
            4 => Some("GT"),
            8 => Some("EQ"),
            10 => Some("LE"),
            12 => Some("GE"),
            _ => None,
        }
    }
}

impl fmt::Display for Sense {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (sense, sign) in [(Self::LESS, "<"), (Self::GREATER, ">"), (Self::EQUAL, "=")] {
            if self.has(sense) {
                f.write_str(sign)?;
            }
        }
        Ok(())
    }
}

/// A name with a comparison. In Provides it states versions, in Requires it asks for them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Relation {
    /// The name, a file path, or a whole rich expression.
    #[serde(rename = "n")]
    pub name: String,
    /// How versions are compared.
    #[serde(rename = "s", default, skip_serializing_if = "is_any")]
    pub sense: Sense,
    /// `[epoch:]version[-release]` as the package says it; empty where nothing is compared.
    #[serde(rename = "v", default, skip_serializing_if = "String::is_empty")]
    pub version: String,
}

fn is_any(sense: &Sense) -> bool {
    *sense == Sense::ANY
}

impl Relation {
    /// A name in any version.
    pub fn any(name: impl Into<String>) -> Self {
        Self { name: name.into(), sense: Sense::ANY, version: String::new() }
    }

    /// A name with a comparison.
    pub fn versioned(name: impl Into<String>, sense: Sense, version: impl Into<String>) -> Self {
        Self { name: name.into(), sense, version: version.into() }
    }

    /// Whether a provided relation of the same name is one that this requirement asks for.
    pub fn meets(&self, provided: &Self) -> bool {
        if self.sense == Sense::ANY || provided.sense == Sense::ANY {
            return true;
        }
        let (asked, given) = (Evr::parse(&self.version), Evr::parse(&provided.version));
        overlap(&given, provided.sense, &asked, self.sense)
    }

    /// Whether the name is a rich expression.
    pub fn is_rich(&self) -> bool {
        self.name.starts_with('(')
    }
}

impl fmt::Display for Relation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        if self.sense == Sense::ANY { Ok(()) } else { write!(f, " {} {}", self.sense, self.version) }
    }
}

/// rpm's test of two version ranges (rpm 4.16 and later): where only one side names a release, equal
/// versions overlap if the side without a release says `=`.
fn overlap(left: &Evr, left_sense: Sense, right: &Evr, right_sense: Sense) -> bool {
    let sense = left.compare_as_dependency(right);
    if sense == Ordering::Equal {
        let (bare_left, bare_right) = (left.release.is_empty(), right.release.is_empty());
        if (bare_left && !bare_right && left_sense.has(Sense::EQUAL))
            || (bare_right && !bare_left && right_sense.has(Sense::EQUAL))
        {
            return true;
        }
    }
    match sense {
        Ordering::Less => left_sense.has(Sense::GREATER) || right_sense.has(Sense::LESS),
        Ordering::Greater => left_sense.has(Sense::LESS) || right_sense.has(Sense::GREATER),
        Ordering::Equal => left_sense.0 & right_sense.0 != 0,
    }
}

/// A requirement, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expression {
    /// One name or file.
    Simple(Relation),
    /// All of these.
    All(Vec<Self>),
    /// At least one of these.
    Any(Vec<Self>),
    /// The first if the second is there, otherwise the third (where there is one).
    If(Box<Self>, Box<Self>, Option<Box<Self>>),
    /// The first unless the second is there, then the third (where there is one).
    Unless(Box<Self>, Box<Self>, Option<Box<Self>>),
    /// One package that meets all of these.
    With(Vec<Self>),
    /// One package that meets the first but not the second.
    Without(Box<Self>, Box<Self>),
}

/// A rich expression that cannot be read. Retrying cannot help.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{text}' is not a rich dependency: {reason}")]
pub struct ExpressionError {
    text: String,
    reason: &'static str,
}

const DEEPEST: usize = 32;

impl Expression {
    /// Reads a requirement as the package holds it.
    pub fn of(relation: &Relation) -> Result<Self, ExpressionError> {
        if relation.is_rich() { Self::parse(&relation.name) } else { Ok(Self::Simple(relation.clone())) }
    }

    /// Reads a rich expression.
    pub fn parse(text: &str) -> Result<Self, ExpressionError> {
        let error = |reason| ExpressionError { text: text.chars().take(300).collect(), reason };
        if text.len() > 64 << 10 {
            return Err(error("it is longer than 64 KiB"));
        }
        let mut words = Words { rest: text };
        let expression = words.expression(0).map_err(error)?;
        if words.rest.trim().is_empty() {
            Ok(expression)
        } else {
            Err(error("text follows its closing parenthesis"))
        }
    }

    /// Every name and file that it mentions.
    pub fn relations(&self) -> Vec<&Relation> {
        let mut found = Vec::new();
        let mut open = vec![self];
        while let Some(expression) = open.pop() {
            match expression {
                Self::Simple(relation) => found.push(relation),
                Self::All(parts) | Self::Any(parts) | Self::With(parts) => open.extend(parts),
                Self::If(first, second, third) | Self::Unless(first, second, third) => {
                    open.extend([first.as_ref(), second.as_ref()]);
                    open.extend(third.as_deref());
                }
                Self::Without(first, second) => open.extend([first.as_ref(), second.as_ref()]),
            }
        }
        found
    }
}

struct Words<'a> {
    rest: &'a str,
}

impl<'a> Words<'a> {
    fn skip(&mut self, text: &str) -> bool {
        self.rest = self.rest.trim_start();
        match self.rest.strip_prefix(text) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// The next word; parentheses inside a name (`libfoo(x86-64)`) belong to it as long as they pair up.
    fn word(&mut self) -> &'a str {
        self.rest = self.rest.trim_start();
        let mut depth = 0usize;
        let end = self.rest.find(|character: char| match character {
            '(' => {
                depth += 1;
                false
            }
            ')' if depth == 0 => true,
            ')' => {
                depth -= 1;
                false
            }
            other => other.is_whitespace(),
        });
        let (word, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        self.rest = rest;
        word
    }

    fn peek(&self) -> &'a str {
        Words { rest: self.rest }.word()
    }

    fn operand(&mut self, depth: usize) -> Result<Expression, &'static str> {
        if self.rest.trim_start().starts_with('(') {
            return self.expression(depth + 1);
        }
        let name = self.word();
        if name.is_empty() {
            return Err("a name is missing");
        }
        let Some(sense) = Sense::parse(self.peek()) else {
            return Ok(Expression::Simple(Relation::any(name)));
        };
        self.word();
        match self.word() {
            "" => Err("a version is missing"),
            version => Ok(Expression::Simple(Relation::versioned(name, sense, version))),
        }
    }

    fn expression(&mut self, depth: usize) -> Result<Expression, &'static str> {
        if depth > DEEPEST {
            return Err("it is nested too deep");
        }
        if !self.skip("(") {
            return Err("it does not start with a parenthesis");
        }
        let mut parts = vec![self.operand(depth)?];
        let mut operator = "";
        let mut other = None;
        while !self.skip(")") {
            let word = self.word();
            match word {
                "else" if matches!(operator, "if" | "unless") && other.is_none() => {
                    other = Some(Box::new(self.operand(depth)?));
                    continue;
                }
                "and" | "or" | "with" if operator.is_empty() || operator == word => {}
                "if" | "unless" | "without" if operator.is_empty() => {}
                "" => return Err("a closing parenthesis is missing"),
                "and" | "or" | "with" | "if" | "unless" | "without" | "else" => {
                    return Err("operators are mixed");
                }
                _ => return Err("an operator is missing"),
            }
            operator = word;
            parts.push(self.operand(depth)?);
        }
        let mut two = || {
            let second = parts.pop();
            parts
                .pop()
                .zip(second)
                .map(|(first, second)| (Box::new(first), Box::new(second)))
                .ok_or("an operand is missing")
        };
        Ok(match operator {
            "if" => two().map(|(first, second)| Expression::If(first, second, other))?,
            "unless" => two().map(|(first, second)| Expression::Unless(first, second, other))?,
            "without" => two().map(|(first, second)| Expression::Without(first, second))?,
            "or" => Expression::Any(parts),
            "with" => Expression::With(parts),
            _ => Expression::All(parts),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn relation(text: &str) -> Relation {
        let words: Vec<_> = text.split(' ').collect();
        match words[..] {
            [name, sense, version] => Relation::versioned(name, Sense::parse(sense).unwrap(), version),
            _ => Relation::any(text),
        }
    }

    #[test]
    fn ranges_overlap_as_in_rpm() {
        for (provided, required, expected) in [
            ("a = 1-1", "a", true),
            ("a", "a >= 5", true),
            ("a = 1-1", "a = 1", true),
            ("a = 1-1", "a >= 1-2", false),
            ("a = 1-1", "a > 1", false),
            ("a = 1-1", "a < 1", false),
            ("a = 1-1", "a <= 1", true),
            ("a = 1:1-1", "a < 2", false),
            ("a = 2-1", "a >= 1:1", false),
            ("a >= 2", "a = 3", true),
            ("a < 2", "a > 3", false),
            ("a = 1.0~rc1-1", "a >= 1.0", false),
            ("a = 1", "a > 1-5", true),
        ] {
            assert_eq!(relation(required).meets(&relation(provided)), expected, "{provided} / {required}");
        }
    }

    #[test]
    fn rich_expressions_are_read() {
        use Expression::{All, Any, If, Simple, Unless, With, Without};
        let s = |text: &str| Simple(relation(text));
        let b = |text: &str| Box::new(Simple(relation(text)));
        for (text, expected) in [
            ("(a or b or c)", Any(vec![s("a"), s("b"), s("c")])),
            ("(a >= 1 and libb.so.1()(64bit))", All(vec![s("a >= 1"), s("libb.so.1()(64bit)")])),
            ("(a if b)", If(b("a"), b("b"), None)),
            ("(a if (b and c) else d)", If(b("a"), Box::new(All(vec![s("b"), s("c")])), Some(b("d")))),
            ("(a unless b)", Unless(b("a"), b("b"), None)),
            ("( a = 1 with a < 2 )", With(vec![s("a = 1"), s("a < 2")])),
            ("(a without b)", Without(b("a"), b("b"))),
            ("(a)", All(vec![s("a")])),
        ] {
            assert_eq!(Expression::parse(text).unwrap(), expected, "{text}");
        }
        for text in [
            "(a",
            "(a or)",
            "(a or b and c)",
            "(a b)",
            "()",
            "(a or b) c",
            "(a if b if c)",
            "(a >=)",
            "(a else b)",
            &"(".repeat(99),
        ] {
            assert!(Expression::parse(text).is_err(), "{text}");
        }
    }
}
