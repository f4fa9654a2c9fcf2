//! Debian package versions and their order (Debian policy 5.6.12).
//!
//! `[epoch:]upstream[-revision]`. The epoch is a number; upstream and revision are compared piece by
//! piece, a run of non-digits and a run of digits in turn. Within non-digits `~` sorts before
//! everything, even the end, then the end, then letters, then all else by its byte.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

/// A version of a Debian package. Equality is that of the order: `1.0` equals `1.00`.
#[derive(Clone, Debug)]
pub struct Version(String);

/// The text is no Debian version. Retrying cannot help.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not a Debian version")]
pub struct VersionError(String);

impl Version {
    /// The text as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn parts(&self) -> (u32, &str, &str) {
        let (epoch, rest) = self.0.split_once(':').unwrap_or(("0", &self.0));
        let (upstream, revision) = rest.rsplit_once('-').unwrap_or((rest, ""));
        // Checked when parsed, so the fallback is never taken.
        (epoch.parse().unwrap_or(0), upstream, revision)
    }
}

impl FromStr for Version {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Self, VersionError> {
        let error = || VersionError(text.chars().take(100).collect());
        let rest = match text.split_once(':') {
            Some((epoch, rest)) => {
                let digits = !epoch.is_empty() && epoch.bytes().all(|byte| byte.is_ascii_digit());
                digits.then(|| epoch.parse::<u32>().ok()).flatten().ok_or_else(error)?;
                rest
            }
            None => text,
        };
        let (upstream, revision) = rest.rsplit_once('-').map_or((rest, None), |(up, rev)| (up, Some(rev)));
        let good = |part: &str, more: &[u8]| {
            !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || more.contains(&byte))
        };
        let fine = text.len() <= 200
            && good(upstream, b".+-~:")
            && revision.is_none_or(|revision| good(revision, b".+~"));
        if fine { Ok(Self(text.into())) } else { Err(error()) }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        let (epoch, upstream, revision) = self.parts();
        let (other_epoch, other_upstream, other_revision) = other.parts();
        epoch
            .cmp(&other_epoch)
            .then_with(|| compare(upstream, other_upstream))
            .then_with(|| compare(revision, other_revision))
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Version {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Version {}

fn compare(left: &str, right: &str) -> Ordering {
    let (mut left, mut right) = (left.as_bytes(), right.as_bytes());
    while !left.is_empty() || !right.is_empty() {
        let (left_text, left_rest) = split(left, |byte| !byte.is_ascii_digit());
        let (right_text, right_rest) = split(right, |byte| !byte.is_ascii_digit());
        for place in 0..left_text.len().max(right_text.len()) {
            let order = rank(left_text.get(place)).cmp(&rank(right_text.get(place)));
            if order != Ordering::Equal {
                return order;
            }
        }
        let (left_number, left_rest) = split(left_rest, u8::is_ascii_digit);
        let (right_number, right_rest) = split(right_rest, u8::is_ascii_digit);
        let (left_number, right_number) = (strip_zeros(left_number), strip_zeros(right_number));
        let order = left_number.len().cmp(&right_number.len()).then_with(|| left_number.cmp(right_number));
        if order != Ordering::Equal {
            return order;
        }
        (left, right) = (left_rest, right_rest);
    }
    Ordering::Equal
}

fn split(bytes: &[u8], take: impl Fn(&u8) -> bool) -> (&[u8], &[u8]) {
    bytes.split_at(bytes.iter().position(|byte| !take(byte)).unwrap_or(bytes.len()))
}

fn strip_zeros(digits: &[u8]) -> &[u8] {
    split(digits, |&byte| byte == b'0').1
}

fn rank(byte: Option<&u8>) -> i32 {
    match byte {
        Some(b'~') => -1,
        None => 0,
        Some(byte) if byte.is_ascii_alphabetic() => i32::from(*byte),
        Some(byte) => i32::from(*byte) + 256,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_as_policy_says() {
        for (left, right, expected) in [
            ("1.0", "1.00", Ordering::Equal),
            ("1.0-0", "1.0", Ordering::Equal),
            ("0:1.0", "1.0", Ordering::Equal),
            ("1:0.1", "9.9", Ordering::Greater),
            ("1.0~rc1", "1.0", Ordering::Less),
            ("1.0~~", "1.0~", Ordering::Less),
            ("1.0~~a", "1.0~", Ordering::Less),
            ("1.0", "1.0a", Ordering::Less),
            ("1.0a", "1.0+", Ordering::Less),
            ("1.0+b1", "1.0", Ordering::Greater),
            ("1.10", "1.9", Ordering::Greater),
            ("1.2-3-4", "1.2-3-5", Ordering::Less),
            ("1.2-10", "1.2-9", Ordering::Greater),
            ("5.2.15-2+b13", "5.2.15-2+b2", Ordering::Greater),
            ("2.06-13+deb12u2", "2.06-13+deb12u1", Ordering::Greater),
            ("1.0.8-5+b1", "1.0.8-5", Ordering::Greater),
            ("3.0.20-1~deb12u2", "3.0.20-1", Ordering::Less),
            ("1.0-", "1.0", Ordering::Equal),
            ("99999999999999999999999999", "99999999999999999999999998", Ordering::Greater),
            ("1.0.a", "1.0.1", Ordering::Greater),
            ("a", "1", Ordering::Greater),
        ] {
            // An empty revision is not valid text, but the order must not depend on that.
            let (a, b) = (Version(left.into()), Version(right.into()));
            assert_eq!(a.cmp(&b), expected, "{left} {right}");
            assert_eq!(b.cmp(&a), expected.reverse(), "{right} {left}");
        }
    }

    #[test]
    fn refuses_what_is_none() {
        for bad in ["", "-1", "1-", ":1", "a:1", "1 2", "1/2", "1_2", "4294967296:1", "é"] {
            assert!(bad.parse::<Version>().is_err(), "{bad:?}");
        }
        for good in ["1", "1:2.3-4", "1.2-3-4~x+y", "2:1:3-1", "0~"] {
            assert_eq!(good.parse::<Version>().unwrap().as_str(), good);
        }
    }
}
