//! The part of a file that a request asks for (RFC 9110, section 14), and the dates of HTTP (section 5.6.7).

/// What a `Range` header makes of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The whole file: no range was asked for, or one that may be passed over.
    Whole,
    /// From the first to the last byte, both inclusive.
    Bytes {
        /// The first byte.
        first: u64,
        /// The last byte.
        last: u64,
    },
    /// No byte of the range exists.
    None,
}

/// Reads a `Range` header for a file of this many bytes. One range of bytes, or one suffix; anything else (other units,
/// several ranges, nonsense) is passed over, as the standard allows.
pub fn part(header: Option<&str>, length: u64) -> Part {
    let asked = header.and_then(|header| {
        let (unit, range) = header.trim().split_once('=')?;
        let (first, last) = range.trim().split_once('-')?;
        unit.trim().eq_ignore_ascii_case("bytes").then_some((first.trim(), last.trim()))
    });
    let Some((first, last)) = asked else { return Part::Whole };
    let number = |text: &str| match text {
        "" => Some(None),
        // Only digits: `parse` would take a sign. What is larger than any file is the end of it.
        text if text.bytes().all(|byte| byte.is_ascii_digit()) => {
            Some(Some(text.parse().unwrap_or(u64::MAX)))
        }
        _ => None,
    };
    match (number(first), number(last)) {
        (Some(Some(first)), Some(last)) => match last {
            Some(last) if last < first => Part::Whole,
            _ if first >= length => Part::None,
            last => Part::Bytes { first, last: last.unwrap_or(u64::MAX).min(length - 1) },
        },
        (Some(None), Some(Some(suffix))) if suffix == 0 || length == 0 => Part::None,
        (Some(None), Some(Some(suffix))) => {
            Part::Bytes { first: length.saturating_sub(suffix), last: length - 1 }
        }
        _ => Part::Whole,
    }
}

/// A time as HTTP writes it: `Sun, 06 Nov 1994 08:49:37 GMT`.
pub fn date(seconds: u64) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    // Days since 1 March of the year 0 in the proleptic Gregorian calendar, in cycles of 400 years.
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = (from_march + 2) % 12;
    let year = era * 400 + year_of_era + u64::from(month < 2);
    let name = |names: &[&'static str], at: u64| {
        usize::try_from(at).ok().and_then(|at| names.get(at).copied()).unwrap_or_default()
    };
    let (weekday, month) = (name(&DAYS, days % 7), name(&MONTHS, month));
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{weekday}, {day:02} {month} {year:04} {hour:02}:{minute:02}:{second:02} GMT")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read() {
        let bytes = |first, last| Part::Bytes { first, last };
        let cases = [
            (None, Part::Whole),
            (Some("bytes=0-"), bytes(0, 99)),
            (Some("bytes=0-0"), bytes(0, 0)),
            (Some("Bytes = 10-19"), bytes(10, 19)),
            (Some("bytes=90-1000"), bytes(90, 99)),
            (Some("bytes=-10"), bytes(90, 99)),
            (Some("bytes=-1000"), bytes(0, 99)),
            (Some("bytes=99-99999999999999999999999"), bytes(99, 99)),
            (Some("bytes=100-"), Part::None),
            (Some("bytes=99999999999999999999999-"), Part::None),
            (Some("bytes=-0"), Part::None),
            (Some("bytes=5-4"), Part::Whole),
            (Some("bytes=-"), Part::Whole),
            (Some("bytes=+1-2"), Part::Whole),
            (Some("bytes=0-1,5-6"), Part::Whole),
            (Some("lines=0-1"), Part::Whole),
            (Some("nonsense"), Part::Whole),
        ];
        for (header, expected) in cases {
            assert_eq!(part(header, 100), expected, "{header:?}");
        }
        assert_eq!(part(Some("bytes=0-"), 0), Part::None);
        assert_eq!(part(Some("bytes=-5"), 0), Part::None);
    }

    #[test]
    fn dates_are_those_of_http() {
        let cases = [
            (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
            (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
            (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"),
            (1_767_225_599, "Wed, 31 Dec 2025 23:59:59 GMT"),
            (4_107_542_400, "Mon, 01 Mar 2100 00:00:00 GMT"),
        ];
        for (seconds, text) in cases {
            assert_eq!(date(seconds), text);
        }
    }
}
