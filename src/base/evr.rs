//! Epoch, version and release, compared as rpm compares them.

use std::cmp::Ordering;
use std::fmt;

/// Epoch, version and release of a package. An absent epoch is 0, as rpm treats it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct Evr {
    /// The epoch, 0 when the package has none.
    pub epoch: u32,
    /// The upstream version, without `-`.
    pub version: String,
    /// The release, empty in a dependency that names none.
    pub release: String,
}

impl Evr {
    /// Parses `[epoch:]version[-release]`, the form that dependencies use. Never fails: as in rpm's own parser
    /// (4.18, `parseEVR`) only digits, or nothing, before a colon make an epoch; else the colon belongs to the
    /// version. An epoch beyond 32 bits, which no package can have, counts as the highest.
    pub fn parse(text: &str) -> Self {
        let (epoch, rest) = match text.split_once(':') {
            Some(("", rest)) => (0, rest),
            Some((epoch, rest)) if epoch.bytes().all(|byte| byte.is_ascii_digit()) => {
                (epoch.parse().unwrap_or(u32::MAX), rest)
            }
            _ => (0, text),
        };
        let (version, release) = rest.rsplit_once('-').unwrap_or((rest, ""));
        Self { epoch, version: version.into(), release: release.into() }
    }

    /// Compares as a dependency does: where either side names no release, releases are not compared.
    pub fn compare_as_dependency(&self, other: &Self) -> Ordering {
        let by_version =
            self.epoch.cmp(&other.epoch).then_with(|| compare_segments(&self.version, &other.version));
        if self.release.is_empty() || other.release.is_empty() {
            return by_version;
        }
        by_version.then_with(|| compare_segments(&self.release, &other.release))
    }
}

/// Compares two version or release strings by rpm's rules (`rpmvercmp`, with `~` and `^`).
pub fn compare_segments(left: &str, right: &str) -> Ordering {
    rpm_version::Evr::new("0", left, "0").cmp(&rpm_version::Evr::new("0", right, "0"))
}

impl Ord for Evr {
    fn cmp(&self, other: &Self) -> Ordering {
        self.epoch
            .cmp(&other.epoch)
            .then_with(|| compare_segments(&self.version, &other.version))
            .then_with(|| compare_segments(&self.release, &other.release))
            // "1.0" and "1_0" compare equal in rpm; a total order needs a last word.
            .then_with(|| (&self.version, &self.release).cmp(&(&other.version, &other.release)))
    }
}

impl PartialOrd for Evr {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Evr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.epoch, self.version)?;
        if self.release.is_empty() { Ok(()) } else { write!(f, "-{}", self.release) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compares_as_rpm() {
        for (left, right, order) in [
            ("1.0", "1.0", Ordering::Equal),
            ("1.0", "1.0.1", Ordering::Less),
            ("1.0~rc1", "1.0", Ordering::Less),
            ("1.0^git1", "1.0", Ordering::Greater),
            ("10", "9", Ordering::Greater),
            ("1.0010", "1.9", Ordering::Greater),
            ("2a", "2.0", Ordering::Less),
        ] {
            assert_eq!(compare_segments(left, right), order, "{left} {right}");
        }
        assert!(Evr::parse("1:0.1-1") > Evr::parse("9-1"));
    }

    #[test]
    fn reads_what_dependencies_say() {
        for (text, epoch, version, release) in [
            ("1:2-3", 1, "2", "3"),
            (":2-3", 0, "2", "3"),
            ("2", 0, "2", ""),
            ("a:2-3", 0, "a:2", "3"),
            ("99999999999:2", u32::MAX, "2", ""),
        ] {
            let evr = Evr { epoch, version: version.into(), release: release.into() };
            assert_eq!(Evr::parse(text), evr, "{text}");
        }
    }

    #[test]
    fn dependencies_ignore_missing_releases() {
        let have = Evr::parse("2.36-9");
        assert_eq!(have.compare_as_dependency(&Evr::parse("2.36")), Ordering::Equal);
        assert_eq!(have.compare_as_dependency(&Evr::parse("2.36-10")), Ordering::Less);
    }
}
