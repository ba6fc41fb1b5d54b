//! The text form of a JavaScript `Date`.

/// Milliseconds since 1970 as JSON has a `Date`; `None` if no `Date` reaches that far, which JSON
/// has as `null`.
// ECMA-262: Date.prototype.toISOString
pub(crate) fn to_iso(ms: i64) -> Option<String> {
    if !(-MAX..=MAX).contains(&ms) {
        return None;
    }
    let (days, ms) = (ms.div_euclid(DAY), ms.rem_euclid(DAY));
    let (hour, minute) = (ms / 3_600_000, ms / 60_000 % 60);
    let (second, ms) = (ms / 1_000 % 60, ms % 1_000);
    let (year, month, day) = civil(days);
    let year = match year {
        0..=9_999 => format!("{year:04}"),
        _ => format!("{year:+07}"),
    };
    Some(format!("{year}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{ms:03}Z"))
}

/// Year, month and day of a day since 1970-01-01, by the Gregorian calendar.
///
/// Years are counted from March, so that a leap day is the last of its year. A month then begins
/// after 30.6 days times its number, rounded: `(153 * month + 2) / 5`.
const fn civil(days: i64) -> (i64, i64, i64) {
    // From the 1st of March of the year 0.
    let days = days + 719_468;
    let (era, day_of_era) = (days.div_euclid(ERA), days.rem_euclid(ERA));
    // Leap days of whole 4, 100 and 400 years are taken out, so that all years have 365 days.
    let leap_days = day_of_era / 1_460 - day_of_era / 36_524 + day_of_era / (ERA - 1);
    let year_of_era = (day_of_era - leap_days) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let (month, next_year) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (era * 400 + year_of_era + next_year, month, day)
}

/// The furthest that a `Date` reaches, in both directions.
const MAX: i64 = 8_640_000_000_000_000;

const DAY: i64 = 86_400_000;

/// Days of 400 years, after which the calendar repeats.
const ERA: i64 = 146_097;
