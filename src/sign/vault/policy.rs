//! What each key may sign, for whom and when: the file `policy.toml` in the store.
//!
//! Without the file, or for a key that no rule names, everything is allowed to those who have access, as in sigul;
//! `unlisted = "refuse"` turns that round. Of several rules for a key one that allows a request suffices; the first
//! that does decides about approvals. Keys that are not known are errors, so that no rule is without effect.

use std::fmt;

use serde::Deserialize;

use crate::base::{Nevra, SourceDate, fnmatch};
use crate::sign::agent::request::{Code, Refusal};

/// What is to be signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A text for people.
    Text,
    /// Data, detached.
    Data,
    /// The main header of an RPM.
    Rpm,
    /// A tag of git.
    GitTag,
    /// A container's manifest.
    Container,
    /// Not signed: decrypted.
    Decrypt,
}

impl Kind {
    /// Its name in policies and the ledger.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Data => "data",
            Self::Rpm => "rpm",
            Self::GitTag => "git-tag",
            Self::Container => "container",
            Self::Decrypt => "decrypt",
        }
    }
}

/// Why a policy cannot be used; nothing is signed until it can. Retrying cannot help.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// It is no TOML, or has a key or value that is not known.
    #[error("the policy cannot be understood: {0}")]
    Syntax(String),
    /// A rule makes no sense.
    #[error("rule {rule} of the policy (for the key '{key}') makes no sense: {detail}")]
    Rule {
        /// Its number, from 1.
        rule: usize,
        /// The key's name.
        key: String,
        /// What is wrong.
        detail: &'static str,
    },
    /// It cannot be read.
    #[error("the policy cannot be read: {0}")]
    Read(String),
}

/// A policy.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Policy {
    #[serde(default)]
    unlisted: Unlisted,
    #[serde(default, rename = "rule")]
    rules: Vec<Rule>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Unlisted {
    #[default]
    Allow,
    Refuse,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Rule {
    key: String,
    users: Option<Vec<String>>,
    kinds: Option<Vec<Kind>>,
    packages: Option<Vec<String>>,
    containers: Option<Vec<String>>,
    largest: Option<Size>,
    hours: Option<Hours>,
    days: Option<Vec<Day>>,
    rsa_bits: Option<u32>,
    #[serde(default)]
    payload_digest: bool,
    #[serde(default)]
    created: bool,
    approve: Option<Approve>,
}

/// Who must approve a request before it is carried out.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Approve {
    /// How many.
    pub needed: u32,
    /// Of whom.
    pub of: Vec<String>,
    /// How long a request waits, and its approvals count.
    #[serde(default)]
    pub valid: Duration,
    /// Whether who asks counts, too.
    #[serde(default)]
    pub requester: bool,
}

/// Seconds; in the file a number with `m`, `h` or `d`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Duration(pub u32);

impl Default for Duration {
    fn default() -> Self {
        Self(86_400)
    }
}

impl TryFrom<String> for Duration {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let wrong = || format!("'{}' is no time such as \"30m\", \"24h\" or \"7d\"", text.escape_debug());
        let (number, unit) = text.split_at_checked(text.len().saturating_sub(1)).ok_or_else(wrong)?;
        let unit = match unit {
            "m" => 60,
            "h" => 3600,
            "d" => 86_400,
            _ => return Err(wrong()),
        };
        let number = number.parse::<u32>().ok().filter(|number| *number > 0);
        number.and_then(|number| number.checked_mul(unit)).map(Self).ok_or_else(wrong)
    }
}

/// Bytes; in the file a number, or one with `KiB`, `MiB` or `GiB`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Number")]
struct Size(u64);

#[derive(Deserialize)]
#[serde(untagged)]
enum Number {
    Bytes(u64),
    Text(String),
}

impl TryFrom<Number> for Size {
    type Error = String;

    fn try_from(number: Number) -> Result<Self, String> {
        let text = match number {
            Number::Bytes(bytes) => return Ok(Self(bytes)),
            Number::Text(text) => text,
        };
        let units = [("KiB", 10), ("MiB", 20), ("GiB", 30)];
        let found = units.iter().find_map(|(unit, shift)| {
            let number: u64 = text.strip_suffix(unit)?.trim_end().parse().ok()?;
            number.checked_mul(1 << shift)
        });
        found
            .map(Self)
            .ok_or_else(|| format!("'{}' is no size such as 1048576 or \"1MiB\"", text.escape_debug()))
    }
}

/// Minutes of the day in UTC, the second not included; past midnight if it is before the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
struct Hours(u32, u32);

impl TryFrom<String> for Hours {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let minute = |text: &str| {
            let (hour, minute) = text.split_once(':')?;
            let plain = |text: &str| text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
            let (hour, minute) = (plain(hour).then_some(hour)?, plain(minute).then_some(minute)?);
            let minutes =
                hour.parse::<u32>().ok()? * 60 + minute.parse::<u32>().ok().filter(|minute| *minute < 60)?;
            (minutes <= 1440).then_some(minutes)
        };
        let found = text.split_once('-').and_then(|(from, to)| Some(Self(minute(from)?, minute(to)?)));
        found
            .filter(|Self(from, to)| from != to)
            .ok_or_else(|| format!("'{}' are no hours such as \"08:00-18:00\" (UTC)", text.escape_debug()))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Day {
    Mon,
    Tue,
    Wed,
    Thu,
    Fri,
    Sat,
    Sun,
}

/// A request as it is judged.
#[derive(Clone, Copy, Debug)]
pub struct Case<'a> {
    /// The key's name.
    pub key: &'a str,
    /// The key's algorithm, as `RSA 4096`.
    pub algorithm: &'a str,
    /// Who asks.
    pub user: &'a str,
    /// What is to be signed.
    pub kind: Kind,
    /// Its size in bytes.
    pub size: u64,
    /// The package that the header says it is.
    pub nevra: Option<&'a Nevra>,
    /// Whether the header covers its payload by SHA-256 or better.
    pub covers_payload: bool,
    /// The container's reference.
    pub reference: Option<&'a str>,
    /// Whether a time for the signature was wished for.
    pub wishes_time: bool,
    /// Now.
    pub now: SourceDate,
}

impl Policy {
    /// Reads a policy.
    pub fn parse(text: &str) -> Result<Self, PolicyError> {
        let policy: Self = toml::from_str(text)
            .map_err(|error| PolicyError::Syntax(error.to_string().trim().replace('\n', " ")))?;
        for (place, rule) in policy.rules.iter().enumerate() {
            if let Some(detail) = rule.nonsense() {
                return Err(PolicyError::Rule {
                    rule: place + 1,
                    key: rule.key.escape_debug().to_string(),
                    detail,
                });
            }
        }
        Ok(policy)
    }

    /// Whether a request is allowed, and who must approve it first.
    pub fn judge(&self, case: &Case<'_>) -> Result<Option<&Approve>, Refusal> {
        let mut reasons: Vec<String> = Vec::new();
        for rule in self.of(case.key) {
            match rule.objection(case) {
                None => return Ok(rule.approve.as_ref()),
                Some(reason) if reasons.contains(&reason) => {}
                Some(reason) => reasons.push(reason),
            }
        }
        match (reasons.is_empty(), self.unlisted) {
            (true, Unlisted::Allow) if !case.wishes_time => Ok(None),
            (true, Unlisted::Allow) => Err(refusal(&"no rule allows to ask for the time of a signature")),
            (true, Unlisted::Refuse) => Err(refusal(&"no rule is for this key")),
            (false, _) => Err(refusal(&reasons.join("; "))),
        }
    }

    /// The approvals that a user can take part in for a key.
    pub fn approver(&self, key: &str, user: &str) -> Option<&Approve> {
        self.of(key)
            .filter_map(|rule| rule.approve.as_ref())
            .find(|approve| approve.of.iter().any(|name| name == user))
    }

    fn of(&self, key: &str) -> impl Iterator<Item = &Rule> {
        self.rules.iter().filter(move |rule| rule.key == key)
    }
}

fn refusal(reason: &dyn fmt::Display) -> Refusal {
    Refusal::because(Code::Policy, format!("not allowed by the key's policy: {reason}"))
}

impl Rule {
    fn nonsense(&self) -> Option<&'static str> {
        let empty = |list: &Option<Vec<String>>| list.as_ref().is_some_and(Vec::is_empty);
        if self.key.is_empty() {
            return Some("it names no key");
        }
        if empty(&self.users) || empty(&self.packages) || empty(&self.containers) {
            return Some("an empty list allows nothing; leave it out to allow everything");
        }
        if self.kinds.as_ref().is_some_and(Vec::is_empty) || self.days.as_ref().is_some_and(Vec::is_empty) {
            return Some("an empty list allows nothing; leave it out to allow everything");
        }
        let approve = self.approve.as_ref()?;
        let mut of = approve.of.clone();
        of.sort();
        of.dedup();
        if approve.needed == 0 {
            return Some("at least one approval must be needed");
        }
        if of.len() != approve.of.len() {
            return Some("the same user stands twice among those who approve");
        }
        (u64::from(approve.needed) > of.len() as u64)
            .then_some("more approvals are needed than there are users for")
    }

    /// Why a request is not allowed by this rule.
    fn objection(&self, case: &Case<'_>) -> Option<String> {
        let not_among = |list: &Option<Vec<String>>, text: &str| {
            list.as_ref().is_some_and(|list| !list.iter().any(|pattern| fnmatch::matches(pattern, text)))
        };
        if self.users.as_ref().is_some_and(|users| !users.iter().any(|user| user == case.user)) {
            return Some("not for this user".into());
        }
        if self.kinds.as_ref().is_some_and(|kinds| !kinds.contains(&case.kind)) {
            return Some(format!("not for {}", case.kind.name()));
        }
        if case.kind == Kind::Rpm && self.packages.is_some() {
            let Some(nevra) = case.nevra else { return Some("a header without a name".into()) };
            let plain = nevra.file_name();
            let plain = plain.strip_suffix(".rpm").unwrap_or(&plain);
            if not_among(&self.packages, &nevra.to_string()) && not_among(&self.packages, plain) {
                return Some(format!("not for the package {nevra}"));
            }
        }
        if case.kind == Kind::Container && not_among(&self.containers, case.reference.unwrap_or_default()) {
            return Some("not for this container".into());
        }
        if self.largest.is_some_and(|Size(largest)| case.size > largest) {
            return Some(format!("{} bytes are too many", case.size));
        }
        if self.payload_digest && case.kind == Kind::Rpm && !case.covers_payload {
            return Some("the header does not cover its payload by SHA-256 or better".into());
        }
        if let Some(least) = self.rsa_bits {
            let bits = case.algorithm.strip_prefix("RSA ").and_then(|bits| bits.parse::<u32>().ok());
            if bits.is_some_and(|bits| bits < least) {
                return Some(format!("the key has less than {least} bits"));
            }
        }
        if case.wishes_time && !self.created {
            return Some("the time of a signature may not be asked for".into());
        }
        let minute = u32::try_from(case.now.seconds().rem_euclid(86_400) / 60).unwrap_or_default();
        if let Some(Hours(from, to)) = self.hours {
            let inside =
                if from < to { from <= minute && minute < to } else { minute >= from || minute < to };
            if !inside {
                return Some("not at this hour (UTC)".into());
            }
        }
        // 1970 began on a Thursday.
        let week = [Day::Thu, Day::Fri, Day::Sat, Day::Sun, Day::Mon, Day::Tue, Day::Wed];
        let today = week
            .get(usize::try_from(case.now.seconds().div_euclid(86_400).rem_euclid(7)).unwrap_or_default());
        let days = self.days.as_ref()?;
        (!today.is_some_and(|today| days.contains(today))).then(|| "not on this day (UTC)".into())
    }
}

#[cfg(test)]
mod tests;
