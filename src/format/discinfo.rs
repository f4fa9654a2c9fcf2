//! `.discinfo` and `media.repo`: how the installer and dnf know a medium.
//!
//! `.discinfo`, as productmd 1.51 writes it, without a newline at the end:
//! ```text
//! 1700000000.0            time in seconds, always with a fraction (Python's repr of a float)
//! Gosling 1               name and version
//! x86_64                  arch
//! ALL                     or the disc's numbers: 1 or 1,2
//! ```
//! On reading, quotes around the second line fall, the fourth line may be missing or empty (`ALL`), and whatever
//! follows is passed over (Fedora 1 to 6 named folders there).
//!
//! `media.repo`, as Pungi 4 writes it; `mediaid` is the first line of `.discinfo`:
//! ```text
//! [InstallMedia]
//! name=Gosling 1
//! mediaid=1700000000.0
//! metadata_expire=-1
//! gpgcheck=0
//! cost=500
//! ```

/// Largest `.discinfo` in bytes that is read.
pub const LARGEST: usize = 64 << 10;
const MOST_DISCS: usize = 1000;

/// The file is no `.discinfo`, or would not be read back. Retrying cannot help.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DiscInfoError {
    /// The file is too large. Retrying cannot help.
    #[error("the file has {0} bytes, more than {LARGEST}")]
    TooLarge(usize),
    /// A line is missing or wrong. Retrying cannot help.
    #[error("line {line}, {field}: {problem}")]
    Line {
        /// The line, from 1.
        line: usize,
        /// What stands in it.
        field: &'static str,
        /// What is wrong with it.
        problem: String,
    },
}

/// Which discs a medium is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Discs {
    /// The only one.
    All,
    /// These of a set.
    Numbers(Vec<u32>),
}

/// A time in seconds with a fraction, as both files name it: between 1 and 10^12.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Timestamp(f64);

impl Timestamp {
    /// A time in whole seconds.
    pub fn of_seconds(seconds: i64) -> Option<Self> {
        // Exact: the range ends long before 2^53.
        #[allow(clippy::cast_precision_loss, reason = "the range is checked")]
        (1..1_000_000_000_000).contains(&seconds).then_some(Self(seconds as f64))
    }

    fn parse(text: &str) -> Option<Self> {
        let plain = text.len() <= 32 && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        let seconds: f64 = text.parse().ok().filter(|_| plain)?;
        (1.0..1e12).contains(&seconds).then_some(Self(seconds))
    }
}

impl std::fmt::Display for Timestamp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The shortest text that reads back the same, never without a fraction: Python's repr in this range.
        write!(f, "{:?}", self.0)
    }
}

/// What `.discinfo` says.
#[derive(Clone, Debug, PartialEq)]
pub struct DiscInfo {
    /// When the medium was made; the installer compares it with that of its second stage.
    pub timestamp: Timestamp,
    /// Name and version of the release.
    pub description: String,
    /// Its arch.
    pub arch: String,
    /// Its place in a set.
    pub discs: Discs,
}

impl DiscInfo {
    /// Reads a file.
    pub fn parse(bytes: &[u8]) -> Result<Self, DiscInfoError> {
        if bytes.len() > LARGEST {
            return Err(DiscInfoError::TooLarge(bytes.len()));
        }
        let text = String::from_utf8_lossy(bytes);
        let mut lines = text.split('\n').map(str::trim);
        let mut next = |line, field| {
            let text: Option<&str> = lines.next();
            text.ok_or_else(|| wrong(line, field, "the line is missing"))
        };
        let first = next(1, "timestamp")?;
        let timestamp = Timestamp::parse(first)
            .ok_or_else(|| wrong(1, "timestamp", format!("{:?} is not a time in seconds", short(first))))?;
        let description = next(2, "description")?.trim_matches(['"', '\'']).to_owned();
        let arch = next(3, "arch")?.to_owned();
        let discs = match next(4, "disc numbers").unwrap_or_default() {
            "" | "ALL" => Discs::All,
            numbers => {
                let parse = |number: &str| number.trim().parse().ok();
                let found: Option<Vec<u32>> = numbers.split(',').map(parse).take(MOST_DISCS + 1).collect();
                let problem = || format!("{:?} is neither ALL nor a list of numbers", short(numbers));
                Discs::Numbers(found.ok_or_else(|| wrong(4, "disc numbers", problem()))?)
            }
        };
        let info = Self { timestamp, description, arch, discs };
        info.check()?;
        Ok(info)
    }

    /// Writes the file, after checking that it will read back the same.
    pub fn to_bytes(&self) -> Result<Vec<u8>, DiscInfoError> {
        self.check()?;
        let discs = match &self.discs {
            Discs::All => "ALL".into(),
            Discs::Numbers(numbers) => numbers.iter().map(u32::to_string).collect::<Vec<_>>().join(","),
        };
        Ok(format!("{}\n{}\n{}\n{discs}", self.timestamp, self.description, self.arch).into_bytes())
    }

    /// Writes the `media.repo` that goes with it.
    pub fn media_repo(&self) -> Result<Vec<u8>, DiscInfoError> {
        self.check()?;
        let (name, id) = (&self.description, self.timestamp);
        let text =
            format!("[InstallMedia]\nname={name}\nmediaid={id}\nmetadata_expire=-1\ngpgcheck=0\ncost=500\n");
        Ok(text.into_bytes())
    }

    /// Looks for what productmd refuses, and for what it overlooks.
    pub fn check(&self) -> Result<(), DiscInfoError> {
        for (line, field, text) in [(2, "description", &self.description), (3, "arch", &self.arch)] {
            if text.is_empty() {
                return Err(wrong(line, field, "the line is empty"));
            }
            let quoted = line == 2 && text.trim_matches(['"', '\'']) != text;
            let controls = text.chars().any(|char| char.is_control() || char == '\u{fffd}');
            if text.trim() != text || quoted || controls {
                let problem = "white space or quotes around it, or characters that are none, would be lost";
                return Err(wrong(line, field, problem));
            }
        }
        if let Discs::Numbers(numbers) = &self.discs
            && (numbers.is_empty() || numbers.len() > MOST_DISCS || numbers.contains(&0))
        {
            return Err(wrong(
                4,
                "disc numbers",
                format!("discs are numbered from 1, at most {MOST_DISCS} of them"),
            ));
        }
        Ok(())
    }
}

fn wrong(line: usize, field: &'static str, problem: impl Into<String>) -> DiscInfoError {
    DiscInfoError::Line { line, field, problem: problem.into() }
}

fn short(text: &str) -> String {
    text.chars().take(100).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "1700000000.0\nGosling 1\nx86_64\nALL";

    fn sample() -> DiscInfo {
        DiscInfo {
            timestamp: Timestamp::of_seconds(1_700_000_000).unwrap(),
            description: "Gosling 1".into(),
            arch: "x86_64".into(),
            discs: Discs::All,
        }
    }

    #[test]
    fn writes_as_productmd_does() {
        assert_eq!(sample().to_bytes().unwrap(), FILE.as_bytes());
        let set = DiscInfo { discs: Discs::Numbers(vec![1, 2]), ..sample() };
        assert_eq!(set.to_bytes().unwrap(), FILE.replace("ALL", "1,2").as_bytes());
        assert_eq!(DiscInfo::parse(&set.to_bytes().unwrap()).unwrap(), set);
    }

    #[test]
    fn reads_what_old_installers_wrote() {
        for text in [
            "1700000000\n\"Gosling 1\"\nx86_64\n",
            "1700000000.000\n Gosling 1 \nx86_64",
            "1700000000.0\r\nGosling 1\r\nx86_64\r\nALL\r\nFedora/base\nFedora/RPMS\n",
        ] {
            assert_eq!(DiscInfo::parse(text.as_bytes()).unwrap(), sample(), "{text:?}");
        }
        let info = DiscInfo::parse(b"1243981097.897160\nFedora 11\nx86_64\nALL\n").unwrap();
        assert_eq!(info.timestamp.to_string(), "1243981097.89716");
    }

    #[test]
    fn names_the_line_that_is_wrong() {
        for (text, message) in [
            ("", "line 1, timestamp: \"\" is not a time in seconds"),
            ("1e9\na\nb", "line 1, timestamp: \"1e9\" is not a time in seconds"),
            ("nan\na\nb", "line 1, timestamp: \"nan\" is not a time in seconds"),
            ("0\na\nb", "line 1, timestamp: \"0\" is not a time in seconds"),
            ("5", "line 2, description: the line is missing"),
            ("5\n\"\"\nb", "line 2, description: the line is empty"),
            ("5\na\n\nALL", "line 3, arch: the line is empty"),
            ("5\na\nb\n1,x", "line 4, disc numbers: \"1,x\" is neither ALL nor a list of numbers"),
            ("5\na\nb\n0", "line 4, disc numbers: discs are numbered from 1, at most 1000 of them"),
        ] {
            assert_eq!(DiscInfo::parse(text.as_bytes()).unwrap_err().to_string(), message, "{text:?}");
        }
        let two_lines = DiscInfo { description: "Gosling\n1".into(), ..sample() };
        assert!(two_lines.to_bytes().is_err() && two_lines.media_repo().is_err());
        assert_eq!(DiscInfo::parse(&vec![b'1'; LARGEST + 1]), Err(DiscInfoError::TooLarge(LARGEST + 1)));
    }

    #[test]
    fn media_repo_names_the_medium_by_its_time() {
        let text = String::from_utf8(sample().media_repo().unwrap()).unwrap();
        assert_eq!(
            text,
            "[InstallMedia]\nname=Gosling 1\nmediaid=1700000000.0\nmetadata_expire=-1\ngpgcheck=0\ncost=500\n"
        );
    }
}
