//! The one time that may reach an output.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Seconds since 1970-01-01 00:00:00 UTC, at least 1980-01-01 (FAT knows nothing earlier) and
/// before 2106 (rpm's build time has 32 bits). The text form is `2026-11-01T00:00:00Z`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceDate(i64);

/// The text is no usable source date. Retrying cannot help.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not a source date: expected a UTC time such as 2026-11-01T00:00:00Z, from 1980 up to 2105")]
pub struct SourceDateError(String);

const FIRST: i64 = 315_532_800;
const LAST: i64 = u32::MAX as i64;

impl SourceDate {
    /// Checks a number of seconds since 1970.
    pub fn from_seconds(seconds: i64) -> Result<Self, SourceDateError> {
        if (FIRST..=LAST).contains(&seconds) {
            Ok(Self(seconds))
        } else {
            Err(SourceDateError(seconds.to_string()))
        }
    }

    /// Seconds since 1970, as SOURCE_DATE_EPOCH wants them.
    pub const fn seconds(self) -> i64 {
        self.0
    }

    /// Seconds since 1970 as rpm's 32-bit build time.
    pub fn seconds_u32(self) -> u32 {
        u32::try_from(self.0).unwrap_or(u32::MAX)
    }

    /// Year, month and day in UTC.
    pub fn civil(self) -> (i64, u32, u32) {
        // Days to civil date in the proleptic Gregorian calendar, years starting in March.
        let days = self.0.div_euclid(86_400) + 719_468;
        let era = days.div_euclid(146_097);
        let day_of_era = days.rem_euclid(146_097);
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted_month = (5 * day_of_year + 2) / 153;
        let day = (day_of_year - (153 * shifted_month + 2) / 5 + 1) as u32;
        let month = (if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 }) as u32;
        (year_of_era + era * 400 + i64::from(month <= 2), month, day)
    }

    /// Hour, minute and second in UTC.
    pub fn clock(self) -> (u32, u32, u32) {
        let seconds = self.0.rem_euclid(86_400) as u32;
        (seconds / 3_600, seconds / 60 % 60, seconds % 60)
    }

    /// The compact date `20261101` that compose ids use.
    pub fn compact_date(self) -> String {
        let (year, month, day) = self.civil();
        format!("{year:04}{month:02}{day:02}")
    }

    fn from_civil(year: i64, month: i64, day: i64, clock: i64) -> i64 {
        let year = if month <= 2 { year - 1 } else { year };
        let era = year.div_euclid(400);
        let year_of_era = year.rem_euclid(400);
        let day_of_year = (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5 + day - 1;
        let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
        (era * 146_097 + day_of_era - 719_468) * 86_400 + clock
    }
}

impl fmt::Display for SourceDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ((year, month, day), (hour, minute, second)) = (self.civil(), self.clock());
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
    }
}

impl FromStr for SourceDate {
    type Err = SourceDateError;

    fn from_str(text: &str) -> Result<Self, SourceDateError> {
        let error = || SourceDateError(text.chars().take(100).collect());
        let number = |range: std::ops::Range<usize>| -> Option<i64> {
            let digits = text.get(range)?;
            digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
        };
        let parts = || -> Option<i64> {
            let [year, month, day] = [number(0..4)?, number(5..7)?, number(8..10)?];
            let [hour, minute, second] = [number(11..13)?, number(14..16)?, number(17..19)?];
            Some(Self::from_civil(year, month, day, hour * 3_600 + minute * 60 + second))
        };
        let date = Self::from_seconds(parts().ok_or_else(error)?).map_err(|_| error())?;
        // Writing it out again catches wrong separators and days that no month has.
        if date.to_string() == text { Ok(date) } else { Err(error()) }
    }
}

impl Serialize for SourceDate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for SourceDate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_form_round_trips() {
        for (text, seconds) in [
            ("1980-01-01T00:00:00Z", 315_532_800),
            ("2000-02-29T12:34:56Z", 951_827_696),
            ("2026-11-01T00:00:00Z", 1_793_491_200),
        ] {
            let date: SourceDate = text.parse().unwrap();
            assert_eq!((date.seconds(), date.to_string().as_str()), (seconds, text));
        }
    }

    #[test]
    fn refuses_days_that_are_none() {
        for bad in [
            "1979-12-31T23:59:59Z",
            "2026-02-29T00:00:00Z",
            "2026-11-01 00:00:00Z",
            "2026-11-01T24:00:00Z",
            "2026-11-01",
            "2200-01-01T00:00:00Z",
        ] {
            assert!(bad.parse::<SourceDate>().is_err(), "{bad}");
        }
    }
}
