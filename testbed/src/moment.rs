//! A moment of the server's clock, which tests may set apart from the machine's, in the four forms that S3 writes.

use std::time::{SystemTime, UNIX_EPOCH};

/// Milliseconds since 1970 in UTC, leap seconds left out as everywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(pub i64);

impl Moment {
    /// The machine's time.
    pub fn now() -> Moment {
        let elapsed = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .expect("the machine's clock stands after 1970");
        Moment(i64::try_from(elapsed.as_millis()).expect("the machine's clock stands before 2262"))
    }

    /// `20130524T000000Z`, the form of `x-amz-date`.
    pub fn basic(self) -> String {
        self.iso()
            .split('.')
            .next()
            .unwrap_or_default()
            .replace(['-', ':'], "")
            + "Z"
    }

    /// `2013-05-24T00:00:00.000Z`, the form of XML answers.
    pub fn iso(self) -> String {
        let (year, month, day) = civil(self.0.div_euclid(86_400_000));
        let (hour, minute, second) = self.time_of_day();
        let millis = self.0.rem_euclid(1000);
        format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z")
    }

    /// `Fri, 24 May 2013 00:00:00 GMT`, the form of HTTP headers.
    pub fn http(self) -> String {
        const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
        const MONTHS: [&str; 12] = [
            "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
        ];
        let days = self.0.div_euclid(86_400_000);
        let (year, month, day) = civil(days);
        let (hour, minute, second) = self.time_of_day();
        let weekday = DAYS[usize::try_from(days.rem_euclid(7)).unwrap_or(0)];
        let month = MONTHS[usize::try_from(month - 1).unwrap_or(0)];
        format!("{weekday}, {day:02} {month} {year:04} {hour:02}:{minute:02}:{second:02} GMT")
    }

    /// Reads the form of `x-amz-date`; none where it is anything else.
    pub fn from_basic(text: &str) -> Option<Moment> {
        let bytes = text.as_bytes();
        if bytes.len() != 16 || bytes[8] != b'T' || bytes[15] != b'Z' {
            return None;
        }
        let number = |from: usize, to: usize| -> Option<i64> {
            let digits = text.get(from..to)?;
            if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
                return None;
            }
            digits.parse().ok()
        };
        let days = days(number(0, 4)?, number(4, 6)?, number(6, 8)?);
        let seconds = number(9, 11)? * 3600 + number(11, 13)? * 60 + number(13, 15)?;
        let moment = Moment((days * 86_400 + seconds) * 1000);
        // Writing it again refuses the 31st of June and the 25th hour.
        (moment.basic() == text).then_some(moment)
    }

    fn time_of_day(self) -> (i64, i64, i64) {
        let seconds = self.0.rem_euclid(86_400_000) / 1000;
        (seconds / 3600, seconds / 60 % 60, seconds % 60)
    }
}

/// Days since 1970 to year, month and day.
///
/// Source: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", `civil_from_days`.
fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12 + 1;
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// The reverse of [`civil`]; `days_from_civil` of the same source.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        let moment = Moment::from_basic("20130524T000000Z").expect("it is well formed");
        assert_eq!(moment.0, 1_369_353_600_000);
        assert_eq!(moment.iso(), "2013-05-24T00:00:00.000Z");
        assert_eq!(moment.http(), "Fri, 24 May 2013 00:00:00 GMT");
        assert_eq!(Moment(951_868_799_999).basic(), "20000229T235959Z");
        for wrong in [
            "20130631T000000Z",
            "20130524T250000Z",
            "2013-05-24",
            "20130524T00000+Z",
            "",
        ] {
            assert_eq!(Moment::from_basic(wrong), None, "{wrong}");
        }
    }
}
