//! Times as Koji keeps and sends them.

use std::fmt;

use rusqlite::types::{FromSql, FromSqlResult, ToSql, ToSqlOutput, ValueRef};
use serde::{Serialize, Serializer};

const MICROS: i64 = 1_000_000;
const DAY: i64 = 86_400 * MICROS;

/// A moment in UTC, in microseconds since 1970. As text, which is how Koji sends it, it is
/// `2026-11-21 21:13:41.540632+00:00`; the microseconds are left out where there are none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time(i64);

impl Time {
    /// The moment so many microseconds after 1970 began.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Microseconds since 1970.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Seconds since 1970, as members named `…_ts` have them.
    pub fn seconds(self) -> f64 {
        // Exact up to the year 2255: 53 bits of microseconds.
        self.0 as f64 / MICROS as f64
    }

    /// The moment of a number of seconds since 1970; none where it is no moment of this calendar.
    pub fn from_seconds(seconds: f64) -> Option<Self> {
        let micros = (seconds * MICROS as f64).round();
        (micros.abs() < 4e17).then_some(Self(micros as i64))
    }

    /// Reads the text form; `T` may stand between day and hour, and a time without a zone is UTC. Other zones are
    /// not taken.
    pub fn parse(text: &str) -> Option<Self> {
        let (day, clock) = text.split_once([' ', 'T']).unwrap_or((text, "00:00:00"));
        let clock = clock.strip_suffix("+00:00").or_else(|| clock.strip_suffix('Z')).unwrap_or(clock);
        let (clock, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
        let [year, month, day] = numbers(day, '-')?;
        let [hour, minute, second] = numbers(clock, ':')?;
        let all = (1..=9999).contains(&year) && (1..=12).contains(&month) && (1..=31).contains(&day);
        let all =
            all && hour < 24 && minute < 60 && second < 60 && !fraction.is_empty() && fraction.len() <= 6;
        if !all || !fraction.bytes().all(|digit| digit.is_ascii_digit()) {
            return None;
        }
        let micros: i64 = format!("{fraction:0<6}").parse().ok()?;
        let days = days_before(year, month) + day - 1;
        let time = Self(days * DAY + ((hour * 60 + minute) * 60 + second) * MICROS + micros);
        // The 31st of a short month would be a day of the next one.
        (time.civil() == (year, month, day)).then_some(time)
    }

    /// Year, month and day.
    fn civil(self) -> (i64, i64, i64) {
        // Days to civil date in the proleptic Gregorian calendar, years starting in March.
        let days = self.0.div_euclid(DAY) + 719_468;
        let era = days.div_euclid(146_097);
        let day_of_era = days.rem_euclid(146_097);
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted = (5 * day_of_year + 2) / 153;
        let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        (year, month, day_of_year - (153 * shifted + 2) / 5 + 1)
    }
}

/// Days from 1970 to the first of a month.
fn days_before(year: i64, month: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

fn numbers(text: &str, separator: char) -> Option<[i64; 3]> {
    let mut parts = text.split(separator).map(|part| {
        let digits = (1..=4).contains(&part.len()) && part.bytes().all(|digit| digit.is_ascii_digit());
        digits.then(|| part.parse().ok()).flatten()
    });
    let all = [parts.next()??, parts.next()??, parts.next()??];
    parts.next().is_none().then_some(all)
}

impl fmt::Display for Time {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = self.civil();
        let clock = self.0.rem_euclid(DAY);
        let (seconds, micros) = (clock / MICROS, clock % MICROS);
        let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
        write!(out, "{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")?;
        if micros != 0 {
            write!(out, ".{micros:06}")?;
        }
        out.write_str("+00:00")
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl ToSql for Time {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        self.0.to_sql()
    }
}

impl FromSql for Time {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        value.as_i64().map(Self)
    }
}

/// A moment that is sent as a double: seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seconds(pub Time);

impl Serialize for Seconds {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.0.seconds())
    }
}

impl FromSql for Seconds {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        Time::column_result(value).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_as_koji_sends_them() {
        for (micros, text) in [
            (1_795_295_621_540_632, "2026-11-21 21:13:41.540632+00:00"),
            (1_704_067_300_250_000, "2024-01-01 00:01:40.250000+00:00"),
            (1_704_067_200_000_000, "2024-01-01 00:00:00+00:00"),
            (951_782_400_000_000, "2000-02-29 00:00:00+00:00"),
            (-1, "1969-12-31 23:59:59.999999+00:00"),
        ] {
            assert_eq!(Time(micros).to_string(), text);
            assert_eq!(Time::parse(text), Some(Time(micros)), "{text}");
        }
        assert_eq!(Time::parse("2024-01-01"), Time::parse("2024-01-01T00:00:00Z"));
        assert_eq!(Time(1_795_295_654_688_350).seconds(), 1_795_295_654.688_35);
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in
            ["", "2024-02-30 00:00:00", "2024-01-01 24:00:00", "2024-01-01 00:00:00+02:00", "2024-13-01"]
        {
            assert_eq!(Time::parse(text), None, "{text}");
        }
        assert_eq!(Time::from_seconds(f64::NAN), None);
        assert_eq!(Time::from_seconds(1e300), None);
    }
}
