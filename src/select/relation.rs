//! Relations between packages: what one provides and what another requires.
//!
//! A requirement is written as rpm writes it: a name, a file path, a name with a comparison
//! (`foo >= 1:2-3`), or a rich (boolean) expression in parentheses ([`super::expression`]).

use std::cmp::Ordering;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::base::Evr;

/// How versions are compared: a set of rpm's three senses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
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

    /// rpm's bits.
    pub(super) const fn bits(self) -> u8 {
        self.0
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

    /// Reads `NAME` or `NAME SENSE VERSION`, and takes anything else for a name.
    #[cfg(test)]
    pub(super) fn stated(text: &str) -> Self {
        match text.split(' ').collect::<Vec<_>>()[..] {
            [name, sense, version] if !text.starts_with('(') => {
                Self::versioned(name, Sense::parse(sense).unwrap(), version)
            }
            _ => Self::any(text),
        }
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

#[cfg(test)]
mod tests {
    use super::*;

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
            assert_eq!(
                Relation::stated(required).meets(&Relation::stated(provided)),
                expected,
                "{provided} / {required}"
            );
        }
    }
}
