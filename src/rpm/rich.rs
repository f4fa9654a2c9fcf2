//! Rich (boolean) dependencies, read as rpm 4.18 reads them (`lib/rpmds.c`, `rpmrichParse`).
//!
//! ```text
//! rich    = "(" operand ")"
//!         | "(" operand { "and" operand } ")"              likewise "or", "with"
//!         | "(" operand "without" operand ")"
//!         | "(" operand "if" operand [ "else" operand ] ")"  likewise "unless"
//! operand = rich | name [ comparison version ]
//! ```
//! Words end at white space, at commas, which count as white space, and at a closing parenthesis that was not opened
//! in the word: `libfoo(x86-64)` is one. Comparisons are `<`, `<=`, `=<`, `=`, `==`, `>=`, `=>` and `>`.
//!
//! What may stand in what:
//! - inside of `with` and `without` only names, `with`, `without` and `or` ([`Rich::parse`]);
//! - what would surprise is refused by rpmbuild, not by rpm when it installs ([`Rich::parse_for`]): `if` inside
//!   of `or` or `unless`, `unless` inside of `and` or `if`, except in a condition, or with an `and` or `or` between
//!   them; and `if` at the top of Conflicts, Supplements and Enhances, `unless` at that of the others.
//!
//! rpmbuild also wants names to start with a letter, a digit, `_`, `/` or anything beyond ASCII, and versions to have
//! only `A-Za-z0-9-._+:%{}~^`; files have none (`build/parseReqs.c`, `checkDep`).
//!
//! Stricter than rpm: nothing is nested deeper than 64 or longer than 64 KiB, `else` needs its `if` or `unless`, and a
//! parenthesis that is opened in a word is closed in it (else rpm's own way of writing it would read otherwise).

use std::fmt;

use super::dependency::{Dependency, Kind, sense};

const DEEPEST: usize = 64;
const LONGEST: usize = 64 << 10;

/// A rich dependency, read; texts are pieces of the one that was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rich<'t> {
    /// One name, perhaps with a comparison.
    Name(Dependency<'t>),
    /// All of these; a single operand in parentheses, too.
    And(Vec<Self>),
    /// At least one of these.
    Or(Vec<Self>),
    /// One package that meets all of these.
    With(Vec<Self>),
    /// One package that meets the first but not the second.
    Without(Box<[Self; 2]>),
    /// The first if the second is met, else the third, where there is one.
    If(Box<[Self; 2]>, Option<Box<Self>>),
    /// The first unless the second is met, then the third, where there is one.
    Unless(Box<[Self; 2]>, Option<Box<Self>>),
}

/// A text that is no rich dependency. Retrying cannot help.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{text}' is not a rich dependency: {reason}")]
pub struct RichError {
    /// The text, cut and escaped.
    text: String,
    /// What is wrong with it.
    reason: &'static str,
}

impl<'t> Rich<'t> {
    /// Reads one as rpm does when it installs.
    pub fn parse(text: &'t str) -> Result<Self, RichError> {
        Self::read(text, None)
    }

    /// Reads one as rpmbuild does, for a list of dependencies.
    pub fn parse_for(text: &'t str, kind: Kind) -> Result<Self, RichError> {
        Self::read(text, Some(kind))
    }

    fn read(text: &'t str, kind: Option<Kind>) -> Result<Self, RichError> {
        let error = |reason| RichError { text: text.escape_debug().take(300).collect(), reason };
        if text.len() > LONGEST {
            return Err(error("it is longer than 64 KiB"));
        }
        let mut parser = Parser { rest: text, building: kind.is_some() };
        let (rich, holds) = parser.rich(0).map_err(error)?;
        if !parser.rest.is_empty() {
            return Err(error("text follows its closing parenthesis"));
        }
        let top = match kind {
            Some(Kind::Conflicts | Kind::Supplements | Kind::Enhances) => Some(Operator::Or),
            Some(_) => Some(Operator::And),
            None => None,
        };
        match top.and_then(|top| parser.nesting(top, holds)) {
            Some(reason) => Err(error(reason)),
            None => Ok(rich),
        }
    }

    /// Every name that it mentions, in order.
    pub fn names(&self) -> Vec<&Dependency<'t>> {
        let mut found = Vec::new();
        let mut open = vec![self];
        while let Some(rich) = open.pop() {
            match rich {
                Self::Name(name) => found.push(name),
                Self::And(operands) | Self::Or(operands) | Self::With(operands) => {
                    open.extend(operands.iter().rev());
                }
                Self::Without(operands) => open.extend(operands.iter().rev()),
                Self::If(operands, other) | Self::Unless(operands, other) => {
                    open.extend(other.as_deref());
                    open.extend(operands.iter().rev());
                }
            }
        }
        found
    }
}

impl fmt::Display for Rich<'_> {
    /// The form in which rpmbuild writes it into a package.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |f: &mut fmt::Formatter<'_>, operands: &[Self], operator: &str, other: Option<&Self>| {
            f.write_str("(")?;
            for (place, operand) in operands.iter().enumerate() {
                if place > 0 {
                    write!(f, " {operator} ")?;
                }
                write!(f, "{operand}")?;
            }
            other.map_or(Ok(()), |other| write!(f, " else {other}"))?;
            f.write_str(")")
        };
        match self {
            Self::Name(name) if name.comparison().is_empty() => f.write_str(&name.name),
            Self::Name(name) => write!(f, "{} {} {}", name.name, name.comparison(), name.evr),
            Self::And(operands) => list(f, operands, "and", None),
            Self::Or(operands) => list(f, operands, "or", None),
            Self::With(operands) => list(f, operands, "with", None),
            Self::Without(operands) => list(f, &operands[..], "without", None),
            Self::If(operands, other) => list(f, &operands[..], "if", other.as_deref()),
            Self::Unless(operands, other) => list(f, &operands[..], "unless", other.as_deref()),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    And,
    Or,
    With,
    Without,
    If,
    Unless,
    Else,
}

impl Operator {
    fn of(word: &str) -> Option<Self> {
        Some(match word {
            "and" => Self::And,
            "or" => Self::Or,
            "with" => Self::With,
            "without" => Self::Without,
            "if" => Self::If,
            "unless" => Self::Unless,
            "else" => Self::Else,
            _ => return None,
        })
    }
}

/// What operands hold that restricts where they may stand.
#[derive(Clone, Copy, Debug, Default)]
struct Holds {
    /// Something that no `with` or `without` may hold.
    undecided: bool,
    /// An `if`.
    condition: bool,
    /// An `unless`.
    exception: bool,
}

struct Parser<'t> {
    rest: &'t str,
    /// Whether rpmbuild's rules count.
    building: bool,
}

/// rpm's white space; dependencies may be separated by commas, too.
fn is_white(character: char) -> bool {
    matches!(character, ' ' | '\t'..='\r' | ',')
}

fn comparison(word: &str) -> Option<u32> {
    Some(match word {
        "<" => sense::LESS,
        "<=" | "=<" => sense::LESS | sense::EQUAL,
        "=" | "==" => sense::EQUAL,
        ">=" | "=>" => sense::GREATER | sense::EQUAL,
        ">" => sense::GREATER,
        _ => return None,
    })
}

impl<'t> Parser<'t> {
    fn skip_white(&mut self) {
        self.rest = self.rest.trim_start_matches(is_white);
    }

    /// The next word, what follows it, and whether its parentheses pair up.
    fn peek(&self) -> (&'t str, &'t str, bool) {
        let mut depth = 0usize;
        let ends = |character: char| match character {
            '(' => {
                depth += 1;
                false
            }
            ')' if depth == 0 => true,
            ')' => {
                depth -= 1;
                false
            }
            other => is_white(other),
        };
        let (word, rest) = self.rest.split_at(self.rest.find(ends).unwrap_or(self.rest.len()));
        (word, rest, depth == 0)
    }

    fn word(&mut self) -> Result<&'t str, &'static str> {
        let (word, rest, paired) = self.peek();
        self.rest = rest;
        paired.then_some(word).ok_or("a parenthesis in a word is not closed in it")
    }

    fn name(&mut self) -> Result<Rich<'t>, &'static str> {
        let name = self.word()?;
        let fits = |first: char| first.is_ascii_alphanumeric() || "_/".contains(first) || !first.is_ascii();
        if self.building && !name.starts_with(fits) {
            return Err("a name starts with what no name may start with");
        }
        self.skip_white();
        let Some(flags) = comparison(self.peek().0) else {
            return Ok(Rich::Name(Dependency { name: name.into(), flags: 0, evr: "".into() }));
        };
        self.word()?;
        self.skip_white();
        let evr = self.word()?;
        let fits = |other: char| other.is_ascii_alphanumeric() || "-._+:%{}~^".contains(other);
        match evr {
            "" => Err("a version is missing"),
            _ if self.building && name.starts_with('/') => Err("a file has a version"),
            _ if self.building && !evr.chars().all(fits) => Err("a version holds what no version may hold"),
            _ => Ok(Rich::Name(Dependency { name: name.into(), flags, evr: evr.into() })),
        }
    }

    /// Operators end at white space proper and at a closing parenthesis.
    fn operator(&mut self) -> Result<Operator, &'static str> {
        let ends = |character: char| character == ')' || character != ',' && is_white(character);
        let (word, rest) = self.rest.split_at(self.rest.find(ends).unwrap_or(self.rest.len()));
        self.rest = rest;
        Operator::of(word).ok_or("an operator is missing")
    }

    fn rich(&mut self, depth: usize) -> Result<(Rich<'t>, Holds), &'static str> {
        if depth >= DEEPEST {
            return Err("it is nested deeper than 64");
        }
        self.rest = self.rest.strip_prefix('(').ok_or("it does not start with a parenthesis")?;
        let mut operands = Vec::new();
        let mut other = None;
        let mut holds = Holds::default();
        let (mut first, mut last) = (None, None);
        loop {
            self.skip_white();
            let operand = match self.rest.chars().next() {
                Some(')') => return Err("an operand is missing"),
                Some('(') => {
                    let (operand, mut inner) = self.rich(depth + 1)?;
                    if matches!(last, Some(Operator::If | Operator::Unless)) {
                        // In the condition itself anything may stand.
                        (inner.condition, inner.exception) = (false, false);
                    }
                    holds.undecided |= inner.undecided;
                    holds.condition |= inner.condition;
                    holds.exception |= inner.exception;
                    operand
                }
                Some(_) => self.name()?,
                None => return Err("a closing parenthesis is missing"),
            };
            if last == Some(Operator::Else) {
                other = Some(Box::new(operand));
            } else {
                operands.push(operand);
            }
            self.skip_white();
            match self.rest.strip_prefix(')') {
                Some(rest) => {
                    self.rest = rest;
                    break;
                }
                None if self.rest.is_empty() => return Err("a closing parenthesis is missing"),
                None => {}
            }
            let operator = self.operator()?;
            match (last, operator) {
                (None, Operator::Else) => return Err("'else' stands without 'if' or 'unless'"),
                (None, _) => first = Some(operator),
                (Some(Operator::If | Operator::Unless), Operator::Else) => {}
                (Some(known), _) if known != operator => return Err("operators are mixed"),
                (_, Operator::And | Operator::Or | Operator::With) => {}
                _ => return Err("only 'and', 'or' and 'with' may be chained"),
            }
            last = Some(operator);
        }
        if let Some(reason) = first.and_then(|first| self.nesting(first, holds)) {
            return Err(reason);
        }
        match first {
            Some(Operator::If) => holds.condition = true,
            Some(Operator::Unless) => holds.exception = true,
            Some(Operator::And | Operator::Or) => (holds.condition, holds.exception) = (false, false),
            _ => {}
        }
        holds.undecided |= !matches!(first, None | Some(Operator::With | Operator::Without | Operator::Or));
        build(first, operands, other).map(|rich| (rich, holds))
    }

    /// Why an operator may not have operands that hold these.
    fn nesting(&self, operator: Operator, holds: Holds) -> Option<&'static str> {
        match operator {
            Operator::With | Operator::Without if holds.undecided => {
                Some("'with' and 'without' may only hold names, 'with', 'without' and 'or'")
            }
            Operator::And | Operator::If if self.building && holds.exception => {
                Some("'unless' stands where it cannot be decided: use 'or'")
            }
            Operator::Or | Operator::Unless if self.building && holds.condition => {
                Some("'if' stands where it cannot be decided: use 'and'")
            }
            _ => None,
        }
    }
}

fn build<'t>(
    operator: Option<Operator>,
    operands: Vec<Rich<'t>>,
    other: Option<Box<Rich<'t>>>,
) -> Result<Rich<'t>, &'static str> {
    let two = |operands: Vec<Rich<'t>>| {
        <[Rich<'t>; 2]>::try_from(operands).map(Box::new).map_err(|_| "an operand is missing")
    };
    Ok(match operator {
        Some(Operator::Or) => Rich::Or(operands),
        Some(Operator::With) => Rich::With(operands),
        Some(Operator::Without) => Rich::Without(two(operands)?),
        Some(Operator::If) => Rich::If(two(operands)?, other),
        Some(Operator::Unless) => Rich::Unless(two(operands)?, other),
        Some(Operator::And | Operator::Else) | None => Rich::And(operands),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trees() {
        let name =
            |name: &'static str| Rich::Name(Dependency { name: name.into(), flags: 0, evr: "".into() });
        let least = |name: &'static str, evr: &'static str| {
            Rich::Name(Dependency { name: name.into(), flags: 12, evr: evr.into() })
        };
        for (text, expected) in [
            ("(a or b or c)", Rich::Or(vec![name("a"), name("b"), name("c")])),
            (
                "(a => 1,and ,libb.so.1()(64bit))",
                Rich::And(vec![least("a", "1"), name("libb.so.1()(64bit)")]),
            ),
            ("(\ta if\tb )", Rich::If(Box::new([name("a"), name("b")]), None)),
            (
                "(a if (b and c) else d)",
                Rich::If(
                    Box::new([name("a"), Rich::And(vec![name("b"), name("c")])]),
                    Some(Box::new(name("d"))),
                ),
            ),
            ("(a unless b)", Rich::Unless(Box::new([name("a"), name("b")]), None)),
            ("(a with b >= 2)", Rich::With(vec![name("a"), least("b", "2")])),
            ("(a without b)", Rich::Without(Box::new([name("a"), name("b")]))),
            ("(a)", Rich::And(vec![name("a")])),
            ("(if and or)", Rich::And(vec![name("if"), name("or")])),
        ] {
            let rich = Rich::parse(text).unwrap();
            assert_eq!(rich, expected, "{text}");
            assert_eq!(Rich::parse(&rich.to_string()).unwrap(), expected, "{rich}");
        }
        let rich = Rich::parse("((a == 1 or b) if (c unless d else e))").unwrap();
        assert_eq!(rich.to_string(), "((a = 1 or b) if (c unless d else e))");
        let names: Vec<_> = rich.names().into_iter().map(|name| &*name.name).collect();
        assert_eq!(names, ["a", "b", "c", "d", "e"]);
    }

    #[test]
    fn what_is_none() {
        for (text, reason) in [
            ("a", "it does not start with a parenthesis"),
            (" (a)", "it does not start with a parenthesis"),
            ("()", "an operand is missing"),
            ("(a or)", "an operand is missing"),
            ("(a or )", "an operand is missing"),
            ("(a", "a closing parenthesis is missing"),
            ("(a and", "a closing parenthesis is missing"),
            ("((a)", "a closing parenthesis is missing"),
            ("(a or b and c)", "operators are mixed"),
            ("(a if b else c and d)", "operators are mixed"),
            ("(a if b else c else d)", "only 'and', 'or' and 'with' may be chained"),
            ("(a if b if c)", "only 'and', 'or' and 'with' may be chained"),
            ("(a without b without c)", "only 'and', 'or' and 'with' may be chained"),
            ("(a else b)", "'else' stands without 'if' or 'unless'"),
            ("(a and b else c)", "operators are mixed"),
            ("(a b)", "an operator is missing"),
            ("(a and,b)", "an operator is missing"),
            ("(a >=)", "a version is missing"),
            ("(a >= ( or b)", "a parenthesis in a word is not closed in it"),
            ("(lib(x86 or b))", "a parenthesis in a word is not closed in it"),
            ("(a or b) c", "text follows its closing parenthesis"),
            ("(a or b) ", "text follows its closing parenthesis"),
            ("((a and b) with c)", "'with' and 'without' may only hold names, 'with', 'without' and 'or'"),
            ("((a if b) without c)", "'with' and 'without' may only hold names, 'with', 'without' and 'or'"),
        ] {
            assert_eq!(Rich::parse(text).unwrap_err().reason, reason, "{text}");
        }
        assert!(Rich::parse("((a or b) with (c without d))").is_ok());
        let deep = |depth: usize| format!("{}a{}", "(".repeat(depth), ")".repeat(depth));
        assert!(Rich::parse(&deep(DEEPEST)).is_ok());
        assert_eq!(Rich::parse(&deep(DEEPEST + 1)).unwrap_err().reason, "it is nested deeper than 64");
        assert!(Rich::parse(&format!("({})", "a".repeat(LONGEST))).is_err());
    }

    #[test]
    fn rpmbuild_wants_what_can_be_decided() {
        use Kind::{Conflicts, Requires, Supplements};
        for (text, kind, allowed) in [
            ("(a if b)", Requires, true),
            ("(a if b)", Conflicts, false),
            ("(a if b)", Supplements, false),
            ("(a unless b)", Requires, false),
            ("(a unless b)", Conflicts, true),
            ("((a if b) or c)", Requires, false),
            ("((a if b) and c)", Requires, true),
            ("((a if b) and c)", Conflicts, true),
            ("((a unless b) and c)", Conflicts, false),
            ("((a unless b) or c)", Requires, true),
            ("(a if (b if c))", Requires, true),
            ("(a if (b unless c))", Requires, true),
            ("((a unless b) if c)", Requires, false),
            ("((a if b) if c)", Requires, true),
            ("(a if b else (c unless d))", Requires, false),
            ("(a or >=)", Requires, false),
            ("(a or é)", Requires, true),
            ("(a or b >= 1/2)", Requires, false),
            ("(a or /b = 1)", Requires, false),
        ] {
            assert_eq!(Rich::parse_for(text, kind).is_ok(), allowed, "{text} {kind:?}");
            assert!(Rich::parse(text).is_ok(), "{text}");
        }
    }
}
