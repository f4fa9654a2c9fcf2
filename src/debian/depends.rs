//! Relations between packages: `a (>= 1) [amd64] | b:any, c`.

use std::fmt;
use std::str::FromStr;

use super::version::{Version, VersionError};

/// How a version must stand to the one named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// `<<`
    Earlier,
    /// `<=`
    EarlierOrEqual,
    /// `=`
    Equal,
    /// `>=`
    LaterOrEqual,
    /// `>>`
    Later,
}

/// One package that would satisfy a relation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alternative {
    /// The package's name.
    pub name: String,
    /// The version wanted.
    pub version: Option<(Operator, Version)>,
    /// Architectures where it counts, empty for all; `!` in front excludes.
    arches: Vec<String>,
}

/// One relation: any of the alternatives satisfies it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Relation(pub Vec<Alternative>);

/// What is wrong with a relation. Retrying cannot help.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RelationError {
    /// The text has no meaning.
    #[error("'{0}' is not a relation: expected 'name (>= version) [arch]'")]
    Syntax(String),
    /// The version in it is none.
    #[error("the relation '{0}' has no valid version")]
    Version(String, #[source] VersionError),
    /// There are too many.
    #[error("more than {MAX_RELATIONS} relations in one field")]
    TooMany,
}

/// The most relations that one field may have.
pub const MAX_RELATIONS: usize = 10_000;

/// Parses a field such as Depends: relations with commas between them.
pub fn parse(field: &str) -> Result<Vec<Relation>, RelationError> {
    let parts: Vec<_> = field.split(',').map(str::trim).filter(|part| !part.is_empty()).collect();
    if parts.len() > MAX_RELATIONS {
        return Err(RelationError::TooMany);
    }
    parts
        .into_iter()
        .map(|part| part.split('|').map(str::parse).collect::<Result<_, _>>().map(Relation))
        .collect()
}

/// Whether a text is a package's name (Debian policy 5.6.1).
pub fn is_package_name(text: &str) -> bool {
    let good = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"+-.".contains(&byte);
    (2..=200).contains(&text.len())
        && text.bytes().all(good)
        && text.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric())
}

impl FromStr for Alternative {
    type Err = RelationError;

    fn from_str(text: &str) -> Result<Self, RelationError> {
        let text = text.trim();
        let error = || RelationError::Syntax(text.chars().take(200).collect());
        let end = text.find(['(', '[', '<', ' ', '\t', '\n']).unwrap_or(text.len());
        let (head, mut rest) = text.split_at_checked(end).ok_or_else(error)?;
        // `name:any` and `name:arch` are about multi-arch; the name decides within one architecture.
        let name = head.split_once(':').map_or(head, |(name, _)| name);
        if !is_package_name(name) {
            return Err(error());
        }
        let mut found = Self { name: name.into(), version: None, arches: Vec::new() };
        loop {
            rest = rest.trim_start();
            if rest.is_empty() {
                return Ok(found);
            }
            let close = match rest.as_bytes().first() {
                Some(b'(') if found.version.is_none() => ')',
                Some(b'[') if found.arches.is_empty() => ']',
                _ => return Err(error()),
            };
            let (inside, behind) = rest.get(1..).and_then(|rest| rest.split_once(close)).ok_or_else(error)?;
            rest = behind;
            if close == ']' {
                found.arches = inside.split_whitespace().map(str::to_owned).collect();
                continue;
            }
            let inside = inside.trim();
            let at = inside.find(|c: char| !"<>=".contains(c)).unwrap_or(inside.len());
            let (operator, version) = inside.split_at_checked(at).ok_or_else(error)?;
            let operator = match operator {
                "<<" => Operator::Earlier,
                "<=" | "<" => Operator::EarlierOrEqual,
                "=" => Operator::Equal,
                ">=" | ">" => Operator::LaterOrEqual,
                ">>" => Operator::Later,
                _ => return Err(error()),
            };
            let version = version.trim().parse();
            let version =
                version.map_err(|why| RelationError::Version(text.chars().take(200).collect(), why))?;
            found.version = Some((operator, version));
        }
    }
}

impl Alternative {
    /// Whether a version of the package named fits.
    pub fn accepts(&self, version: &Version) -> bool {
        let Some((operator, wanted)) = &self.version else { return true };
        match operator {
            Operator::Earlier => version < wanted,
            Operator::EarlierOrEqual => version <= wanted,
            Operator::Equal => version == wanted,
            Operator::LaterOrEqual => version >= wanted,
            Operator::Later => version > wanted,
        }
    }

    /// Whether the relation counts on an architecture.
    pub fn counts_on(&self, arch: &str) -> bool {
        let negative = self.arches.iter().any(|name| name.starts_with('!'));
        let named = self.arches.iter().any(|name| {
            matches!(name.trim_start_matches('!'), "any") || name.trim_start_matches('!') == arch
        });
        self.arches.is_empty() || named != negative
    }
}

impl fmt::Display for Alternative {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        if let Some((operator, version)) = &self.version {
            let operator = match operator {
                Operator::Earlier => "<<",
                Operator::EarlierOrEqual => "<=",
                Operator::Equal => "=",
                Operator::LaterOrEqual => ">=",
                Operator::Later => ">>",
            };
            write!(f, " ({operator} {version})")?;
        }
        if !self.arches.is_empty() {
            write!(f, " [{}]", self.arches.join(" "))?;
        }
        Ok(())
    }
}

impl fmt::Display for Relation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, alternative) in self.0.iter().enumerate() {
            if place > 0 {
                f.write_str(" | ")?;
            }
            alternative.fmt(f)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_alternatives_versions_and_arches() {
        let found = parse("libc6 (>= 2.34), mawk|awk:any,\n x (<<1:2~) [amd64 i386] | y [!s390x], ").unwrap();
        let shown: Vec<_> = found.iter().map(Relation::to_string).collect();
        assert_eq!(shown, ["libc6 (>= 2.34)", "mawk | awk", "x (<< 1:2~) [amd64 i386] | y [!s390x]"]);
        let last = &found[2].0;
        let counts = |at: usize, arch: &str| last[at].counts_on(arch);
        assert_eq!((counts(0, "amd64"), counts(0, "s390x")), (true, false));
        assert_eq!((counts(1, "amd64"), counts(1, "s390x")), (true, false));
    }

    #[test]
    fn accepts_by_operator() {
        for (relation, version, expected) in [
            ("ab", "1", true),
            ("ab (= 1.0)", "1.00", true),
            ("ab (<< 1)", "1~", true),
            ("ab (<< 1)", "1", false),
            ("ab (<= 1)", "1", true),
            ("ab (>= 1)", "1~", false),
            ("ab (>> 2.36)", "2.36-9", true),
            ("ab (>> 1)", "1", false),
        ] {
            let alternative: Alternative = relation.parse().unwrap();
            assert_eq!(alternative.accepts(&version.parse().unwrap()), expected, "{relation} {version}");
        }
    }

    #[test]
    fn refuses_what_is_malformed() {
        for bad in
            ["a", "Ab", "ab (1)", "ab (>= 1", "ab (>= )", "ab (>= 1) (<< 2)", "ab x", "-ab", "../x", "ab <x>"]
        {
            assert!(bad.parse::<Alternative>().is_err(), "{bad}");
        }
    }
}
