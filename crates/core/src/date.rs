//! A calendar date, for retirements and for the age of a fact.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// A day in UTC; written `2026-11-22`.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Date {
    year: u16,
    month: u8,
    day: u8,
}

impl Date {
    /// A date in a table; a wrong one does not compile.
    pub const fn new(year: u16, month: u8, day: u8) -> Self {
        assert!(1 <= month && month <= 12 && 1 <= day && day <= 31, "no such date");
        Self { year, month, day }
    }

    /// Today, by this machine's clock.
    pub fn today() -> Self {
        Self::at(SystemTime::now())
    }

    /// The day of a moment.
    pub fn at(moment: SystemTime) -> Self {
        let since = moment.duration_since(UNIX_EPOCH).unwrap_or_default();
        Self::of_unix_days(i64::try_from(since.as_secs() / 86_400).unwrap_or_default())
    }

    pub(crate) fn day_of_month(self) -> u8 {
        self.day
    }

    /// Days from this date to `later`; negative when it is earlier.
    pub fn days_until(self, later: Self) -> i64 {
        later.days() - self.days()
    }

    /// Days since 1970-01-01. ref: Howard Hinnant, "chrono-compatible low-level date algorithms".
    fn days(self) -> i64 {
        let (month, day) = (i64::from(self.month), i64::from(self.day));
        let year = i64::from(self.year) - i64::from(month <= 2);
        let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
        let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
        era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + day_of_year - 719_468
    }

    /// So many days after 1970-01-01.
    pub(crate) fn of_unix_days(days: i64) -> Self {
        let days = days + 719_468;
        let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
        let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
        let day_of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let from_march = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * from_march + 2) / 5 + 1;
        let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        Self { year: year as u16, month: month as u8, day: day as u8 }
    }
}

/// The moment of a header such as `Sun, 22 Nov 2026 08:49:37 GMT`, the only form of a date that HTTP
/// lets a server write today.
pub(crate) fn moment(text: &str) -> Option<SystemTime> {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let (_, rest) = text.trim().strip_suffix(" GMT")?.split_once(", ")?;
    let [day, month, year, clock] = rest.split(' ').collect::<Vec<_>>().try_into().ok()?;
    let month = 1 + MONTHS.iter().position(|it| *it == month)?;
    let date: Date = format!("{year}-{month:02}-{day}").parse().ok()?;
    let [hour, minute, second] = clock.split(':').collect::<Vec<_>>().try_into().ok()?;
    let part = |digits: &str, most| digits.parse::<u64>().ok().filter(|it| *it <= most);
    // The 61st second of a minute is a leap second.
    let seconds = part(hour, 23)? * 3_600 + part(minute, 59)? * 60 + part(second, 60)?;
    let days = u64::try_from(date.days()).ok()?;
    UNIX_EPOCH.checked_add(Duration::from_secs(days * 86_400 + seconds))
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

impl FromStr for Date {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not a date such as 2026-11-22");
        let mut parts = text.splitn(3, '-');
        let mut next = |digits: usize| {
            let part = parts.next().filter(|it| it.len() == digits)?;
            part.parse::<u16>().ok()
        };
        let (year, month, day) = (next(4), next(2), next(2));
        match (year, month, day) {
            (Some(year), Some(month @ 1..=12), Some(day @ 1..=31)) => {
                let date = Self { year, month: month as u8, day: day as u8 };
                if Self::of_unix_days(date.days()) == date { Ok(date) } else { Err(wrong()) }
            }
            _ => Err(wrong()),
        }
    }
}

impl TryFrom<String> for Date {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Date> for String {
    fn from(date: Date) -> Self {
        date.to_string()
    }
}

impl JsonSchema for Date {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Date".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_go_both_ways() {
        for days in [0, 59, 60, 11_016, 20_779, 40_000] {
            assert_eq!(Date::of_unix_days(days).days(), days);
        }
        assert_eq!(Date::new(2026, 11, 22).days_until(Date::new(2027, 1, 1)), 40);
    }

    #[test]
    fn the_moment_of_a_header_is_read() {
        let seconds = |text| Some(moment(text)?.duration_since(UNIX_EPOCH).ok()?.as_secs());
        assert_eq!(seconds("Sun, 06 Nov 1994 08:49:37 GMT"), Some(784_111_777));
        assert_eq!(seconds(" Thu, 01 Jan 1970 00:00:00 GMT"), Some(0));
        for wrong in ["", "12", "Sun, 31 Feb 2026 08:49:37 GMT", "Sun, 06 Nov 1994 24:00:00 GMT"] {
            assert_eq!(seconds(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_day_that_is_not_in_the_calendar_is_refused() {
        assert!("2026-02-30".parse::<Date>().is_err());
        assert_eq!("2028-02-29".parse::<Date>().map(|it| it.to_string()), Ok("2028-02-29".into()));
    }
}
