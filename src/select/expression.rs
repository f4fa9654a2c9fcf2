//! Requirements, read: rich (boolean) expressions ([`crate::rpm::rich`]) and what their operators mean.
//!
//! Operators mean what they do to rpm 4.18 (`lib/depends.c`, `unsatisfiedDepend`), for everything that decides by them:
//!
//! | expression | is met by |
//! |---|---|
//! | `(a and b)`, `(a or b)` | both; one of them |
//! | `(a with b)`, `(a without b)` | one package that is both; one that is `a` and not `b` |
//! | `(a if b)` | `a` where `b` is met; anything where it is not |
//! | `(a if b else c)` | `a` where `b` is met; `c` where it is not |
//! | `(a unless b)` | nothing where `b` is met; `a` where it is not |
//! | `(a unless b else c)` | `c` where `b` is met; `a` where it is not |

use super::relation::{Relation, Sense};
use crate::rpm::{Rich, RichError};

/// A requirement, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expression {
    /// One name or file.
    Simple(Relation),
    /// All of these.
    All(Vec<Self>),
    /// At least one of these.
    Any(Vec<Self>),
    /// The first if the second is met, otherwise the third, or nothing without one.
    If(Box<Self>, Box<Self>, Option<Box<Self>>),
    /// The first unless the second is met, then the third; without one it is not met then.
    Unless(Box<Self>, Box<Self>, Option<Box<Self>>),
    /// One package that meets all of these.
    With(Vec<Self>),
    /// One package that meets the first but not the second.
    Without(Box<Self>, Box<Self>),
}

/// What is left of an expression once its condition is settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome<'e> {
    /// It is met, whatever is there.
    Met,
    /// Nothing meets it.
    Unmet,
    /// It is met where this is.
    Part(&'e Expression),
}

impl Expression {
    /// Reads a requirement as the package holds it.
    pub fn of(relation: &Relation) -> Result<Self, RichError> {
        if relation.is_rich() { Self::parse(&relation.name) } else { Ok(Self::Simple(relation.clone())) }
    }

    /// Reads a rich expression.
    pub fn parse(text: &str) -> Result<Self, RichError> {
        Rich::parse(text).map(Self::from)
    }

    /// What an `if` or `unless` comes to where its condition is met, and where it is not; any other stays as it is.
    pub fn outcome(&self, condition: bool) -> Outcome<'_> {
        match (self, condition) {
            (Self::If(wanted, ..), true) | (Self::Unless(wanted, ..), false) => Outcome::Part(wanted),
            (Self::If(.., Some(other)), false) | (Self::Unless(.., Some(other)), true) => {
                Outcome::Part(other)
            }
            (Self::If(.., None), false) => Outcome::Met,
            (Self::Unless(.., None), true) => Outcome::Unmet,
            _ => Outcome::Part(self),
        }
    }

    /// Whether it is met among certain packages. `there` says it of what a single package has to meet: a name or file, a
    /// `with`, a `without`.
    pub fn holds(&self, there: &dyn Fn(&Self) -> bool) -> bool {
        match self {
            Self::Simple(_) | Self::With(_) | Self::Without(..) => there(self),
            Self::All(parts) => parts.iter().all(|part| part.holds(there)),
            Self::Any(parts) => parts.iter().any(|part| part.holds(there)),
            Self::If(_, condition, _) | Self::Unless(_, condition, _) => {
                match self.outcome(condition.holds(there)) {
                    Outcome::Met => true,
                    Outcome::Unmet => false,
                    Outcome::Part(part) => part.holds(there),
                }
            }
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

impl From<Rich<'_>> for Expression {
    fn from(rich: Rich<'_>) -> Self {
        let list = |operands: Vec<Rich<'_>>| operands.into_iter().map(Self::from).collect();
        let two = |operands: Box<[Rich<'_>; 2]>| {
            let [first, second] = *operands;
            (Box::new(Self::from(first)), Box::new(Self::from(second)))
        };
        let other = |operand: Option<Box<Rich<'_>>>| operand.map(|operand| Box::new(Self::from(*operand)));
        match rich {
            Rich::Name(name) => Self::Simple(match Sense::from_rpm(name.flags) {
                Sense::ANY => Relation::any(name.name),
                sense => Relation::versioned(name.name, sense, name.evr),
            }),
            Rich::And(operands) => Self::All(list(operands)),
            Rich::Or(operands) => Self::Any(list(operands)),
            Rich::With(operands) => Self::With(list(operands)),
            Rich::Without(operands) => {
                let (first, second) = two(operands);
                Self::Without(first, second)
            }
            Rich::If(operands, third) => {
                let (first, second) = two(operands);
                Self::If(first, second, other(third))
            }
            Rich::Unless(operands, third) => {
                let (first, second) = two(operands);
                Self::Unless(first, second, other(third))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rich_expressions_are_read() {
        use Expression::{All, Any, If, Simple, Unless, With, Without};
        let s = |text: &str| Simple(Relation::stated(text));
        let b = |text: &str| Box::new(s(text));
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

    #[test]
    fn operators_mean_what_they_mean_to_rpm() {
        // What holds where nothing is there, `a`, `b`, `a` and `b`.
        for (text, expected) in [
            ("(a and b)", [false, false, false, true]),
            ("(a or b)", [false, true, true, true]),
            ("(a if b)", [true, true, false, true]),
            ("(a if b else a)", [false, true, false, true]),
            ("(a if b else c)", [false, false, false, true]),
            ("(a unless b)", [false, true, false, false]),
            ("(a unless b else a)", [false, true, false, true]),
            ("(a unless b else c)", [false, true, false, false]),
            ("((a unless b) or b)", [false, true, true, true]),
            ("(a if (a unless b))", [true, true, true, true]),
            ("(b if (a unless b))", [true, false, true, true]),
            ("((a unless b) if b else (b unless a))", [false, false, false, false]),
        ] {
            let expression = Expression::parse(text).unwrap();
            for (there, expected) in ["", "a", "b", "ab"].into_iter().zip(expected) {
                let holds = expression
                    .holds(&|part| matches!(part, Expression::Simple(name) if there.contains(&name.name)));
                assert_eq!(holds, expected, "{text} where there is '{there}'");
            }
        }
    }
}
