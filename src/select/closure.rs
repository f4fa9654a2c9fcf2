//! Closure: whether packages have all that they require among those that are offered.
//!
//! A requirement is *unresolved* where no set of offered packages meets it. A rich one that can be met is still *at
//! risk* where it cannot once a condition in it holds: of `(a if b)` with `b` and without `a` among what is offered, the
//! package cannot be installed beside `b`. What a package provides itself is there whenever it is.
//!
//! Operators mean what they do to rpm ([`super::expression`]). Parts of an expression are looked at one by one: that two of
//! them exclude each other is not seen. Conflicts and what packages obsolete play no part.

use std::collections::BTreeMap;

use super::candidate::Candidate;
use super::expression::{Expression, Outcome};
use super::pool::Pool;
use super::relation::Relation;
use crate::base::Nevra;

/// How bad a gap is. The order is that of badness, the worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Gravity {
    /// Nothing that is offered meets the requirement.
    Unresolved,
    /// The requirement cannot be read, so nobody knows what meets it.
    Unreadable,
    /// It can be met, but not beside everything that it names.
    AtRisk,
}

/// Something that nearly meets a requirement: the name fits, the version does not.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Near {
    /// What is provided.
    pub provided: String,
    /// By which package.
    pub by: Nevra,
}

/// A requirement that is not met.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Gap {
    /// How bad it is.
    pub gravity: Gravity,
    /// The requirement, as the package has it.
    pub requirement: String,
    /// Of a rich requirement the names in it that nothing provides; why it cannot be read.
    pub missing: Vec<String>,
    /// What nearly meets it, the newest first, few of them.
    pub near: Vec<Near>,
}

/// How many near misses are named.
pub(super) const NEAR: usize = 4;

/// Offered packages, indexed by what some packages ask for.
#[derive(Debug)]
pub struct Closure<'u> {
    pool: Pool<'u>,
    /// Requirements that were looked up: hundreds of packages have the same.
    known: BTreeMap<&'u Relation, bool>,
}

/// What an expression can be, as packages come and go.
#[derive(Clone, Copy)]
struct Can {
    hold: bool,
    fail: bool,
}

impl<'u> Closure<'u> {
    /// Indexes what is offered. Only what the asking packages require can be looked up.
    pub fn new(offered: Vec<&'u Candidate>, asking: impl Iterator<Item = &'u Candidate>) -> Self {
        Self { pool: Pool::new(offered, asking), known: BTreeMap::new() }
    }

    /// The requirements of a package that are not met, each once, in the order of the package.
    pub fn gaps(&mut self, package: &'u Candidate) -> Vec<Gap> {
        let mut gaps: Vec<Gap> = Vec::new();
        for relation in &package.requires {
            let gap =
                if relation.is_rich() { self.rich(package, relation) } else { self.plain(package, relation) };
            gaps.extend(gap.filter(|gap| !gaps.contains(gap)));
        }
        gaps
    }

    fn plain(&mut self, package: &Candidate, relation: &'u Relation) -> Option<Gap> {
        let pool = &self.pool;
        let met = *self.known.entry(relation).or_insert_with(|| !pool.meeting(relation).is_empty());
        if met || package.meets(relation) {
            return None;
        }
        let requirement = relation.to_string();
        Some(Gap {
            gravity: Gravity::Unresolved,
            requirement,
            missing: Vec::new(),
            near: self.near(&[relation]),
        })
    }

    fn rich(&self, package: &Candidate, relation: &Relation) -> Option<Gap> {
        let requirement = relation.to_string();
        let expression = match Expression::of(relation) {
            Ok(expression) => expression,
            Err(error) => {
                let missing = vec![error.to_string()];
                return Some(Gap { gravity: Gravity::Unreadable, requirement, missing, near: Vec::new() });
            }
        };
        let gravity = match self.can(package, &expression).hold {
            false => Gravity::Unresolved,
            true if self.at_risk(package, &expression) => Gravity::AtRisk,
            true => return None,
        };
        let mut names = expression.relations();
        names.retain(|name| !package.meets(name) && self.pool.meeting(name).is_empty());
        names.sort();
        names.dedup();
        let missing = names.iter().map(ToString::to_string).collect();
        Some(Gap { gravity, requirement, missing, near: self.near(&names) })
    }

    /// What an expression can be beside the package that has it.
    fn can(&self, package: &Candidate, wanted: &Expression) -> Can {
        let all = |parts: &[Expression]| parts.iter().map(|part| self.can(package, part)).collect::<Vec<_>>();
        match wanted {
            Expression::Simple(relation) => {
                let own = package.meets(relation);
                Can { hold: own || !self.pool.meeting(relation).is_empty(), fail: !own }
            }
            Expression::With(_) | Expression::Without(..) => {
                let own = package.meets_alone(wanted);
                Can { hold: own || !self.pool.meeting_alone(wanted).is_empty(), fail: !own }
            }
            Expression::All(parts) => {
                let parts = all(parts);
                Can { hold: parts.iter().all(|part| part.hold), fail: parts.iter().any(|part| part.fail) }
            }
            Expression::Any(parts) => {
                let parts = all(parts);
                Can { hold: parts.iter().any(|part| part.hold), fail: parts.iter().all(|part| part.fail) }
            }
            Expression::If(_, condition, _) | Expression::Unless(_, condition, _) => {
                let condition = self.can(package, condition);
                let [held, failed] = [true, false].map(|held| match wanted.outcome(held) {
                    Outcome::Met => Can { hold: true, fail: false },
                    Outcome::Unmet => Can { hold: false, fail: true },
                    Outcome::Part(part) => self.can(package, part),
                });
                Can {
                    hold: (condition.hold && held.hold) || (condition.fail && failed.hold),
                    fail: (condition.hold && held.fail) || (condition.fail && failed.fail),
                }
            }
        }
    }

    /// Whether a condition can hold, or fail, under which an expression cannot be met.
    fn at_risk(&self, package: &Candidate, wanted: &Expression) -> bool {
        let cannot = |part: &Expression| !self.can(package, part).hold || self.at_risk(package, part);
        match wanted {
            Expression::Simple(_) | Expression::With(_) | Expression::Without(..) => false,
            Expression::All(parts) => parts.iter().any(|part| self.at_risk(package, part)),
            Expression::Any(parts) => parts.iter().all(cannot),
            Expression::If(_, condition, _) | Expression::Unless(_, condition, _) => {
                let condition = self.can(package, condition);
                // Where nothing is left, it says by itself that it does not go with the condition.
                let fails = |held| matches!(wanted.outcome(held), Outcome::Part(part) if cannot(part));
                (condition.hold && fails(true)) || (condition.fail && fails(false))
            }
        }
    }

    fn near(&self, wanted: &[&Relation]) -> Vec<Near> {
        let mut found: Vec<_> = wanted.iter().flat_map(|wanted| self.pool.providing(&wanted.name)).collect();
        found.sort_by(|left, right| right.0.nevra.cmp(&left.0.nevra).then_with(|| left.1.cmp(right.1)));
        found.dedup();
        let near = found.into_iter().take(NEAR);
        near.map(|(by, provided)| Near { provided: provided.to_string(), by: by.nevra.clone() }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::candidate::{FileKind, PackagedFile};
    use super::super::relation::Sense;
    use super::*;
    use crate::base::Digest;

    fn package(name: &str, requires: &[&str]) -> Candidate {
        let nevra: Nevra = format!("{name}-0:2-1.x86_64").parse().unwrap();
        let mut package = Candidate::new(nevra, Digest::of(name));
        package.provides.push(Relation::versioned(name, Sense::EQUAL, "2-1"));
        package.requires = requires.iter().map(|text| Relation::stated(text)).collect();
        package
    }

    fn gaps(requirement: &str) -> Vec<Gap> {
        let mut asking = package("asking", &[requirement]);
        asking.provides.push(Relation::any("own"));
        let mut there = ["a", "b", "c-debuginfo"].map(|name| package(name, &[])).to_vec();
        there[0].files.push(PackagedFile(FileKind::Ghost, "/var/a".into()));
        let offered = there.iter().chain([&asking]).collect();
        Closure::new(offered, [&asking].into_iter()).gaps(&asking)
    }

    #[test]
    fn operators() {
        use Gravity::{AtRisk, Unreadable, Unresolved};
        for (requirement, expected) in [
            ("a", None),
            ("a = 2", None),
            ("a >= 3", Some(Unresolved)),
            ("/var/a", None),
            ("/var/b", Some(Unresolved)),
            ("c-debuginfo", None),
            ("x", Some(Unresolved)),
            ("own", None),
            ("(a and b)", None),
            ("(a and x)", Some(Unresolved)),
            ("(x or a)", None),
            ("(x or y)", Some(Unresolved)),
            ("(a if b)", None),
            ("(x if b)", Some(AtRisk)),
            ("(x if y)", None),
            ("(x if own)", Some(Unresolved)),
            ("(x if own else a)", Some(Unresolved)),
            ("(a if b else x)", Some(AtRisk)),
            ("(a if x else y)", Some(Unresolved)),
            ("(a if own else x)", None),
            ("(a and (x if b))", Some(AtRisk)),
            ("(a or (x if b))", None),
            ("(a unless b)", None),
            ("(x unless b)", Some(Unresolved)),
            ("(a unless own)", Some(Unresolved)),
            ("(x unless own else a)", None),
            ("(x unless b else a)", Some(AtRisk)),
            ("(a with b)", Some(Unresolved)),
            ("(a with a >= 1)", None),
            ("(a without b)", None),
            ("(a without a)", Some(Unresolved)),
            ("(own with own)", None),
            ("(a and", Some(Unreadable)),
        ] {
            let found: Vec<_> = gaps(requirement).into_iter().map(|gap| gap.gravity).collect();
            assert_eq!(found, expected.into_iter().collect::<Vec<_>>(), "{requirement}");
        }
    }

    #[test]
    fn near_misses_are_named() {
        let near = Near { provided: "a = 2-1".into(), by: "a-0:2-1.x86_64".parse().unwrap() };
        assert_eq!(gaps("a >= 3")[0].near, std::slice::from_ref(&near));
        let gap = &gaps("(x and a >= 3)")[0];
        assert_eq!((&gap.missing[..], &gap.near[..]), (&["a >= 3".to_string(), "x".into()][..], &[near][..]));
    }
}
