//! Durations as etcdctl and Go write them: `250ms`, `1m30s`, `1.5h`.
//!
//! Exact: a text that is no whole number of nanoseconds, or more than a [`Duration`] holds, is refused
//! and not rounded. A number without a unit is of seconds. Which setting a duration is for is not known
//! here.

use std::borrow::Cow;
use std::time::Duration;

/// The units, with the nanoseconds they have. The micro sign and the Greek letter look the same.
const UNITS: [(&str, u128); 8] = [
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000),
    ("μs", 1_000),
    ("ms", 1_000_000),
    ("s", SECOND),
    ("m", 60 * SECOND),
    ("h", 3_600 * SECOND),
];

const SECOND: u128 = 1_000_000_000;

/// More decimals than any number of whole nanoseconds can need: an hour has 13 factors of 2.
const MOST_DECIMALS: usize = 13;

/// Reads a duration, or says what it would have to be.
pub(crate) fn parse_duration(text: &str) -> Result<Duration, Cow<'static, str>> {
    if text.starts_with('-') {
        return Err("a duration that is not negative".into());
    }
    let mut rest = text.strip_prefix('+').unwrap_or(text);
    if !rest.is_empty() && rest.bytes().all(is_of_number) {
        return duration_of(parse_part(rest, SECOND)?);
    }
    if rest.is_empty() {
        return Err(FORM.into());
    }
    let mut nanos = 0_u128;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii() || !is_of_number(c as u8));
        let (number, behind) = rest.split_at(end.ok_or(FORM)?);
        let end = behind.find(|c: char| c.is_ascii() && is_of_number(c as u8));
        let (unit, behind) = behind.split_at(end.unwrap_or(behind.len()));
        let (_, size) = UNITS.iter().find(|(name, _)| *name == unit).ok_or(FORM)?;
        let part = parse_part(number, *size)?;
        nanos = nanos.checked_add(part).ok_or(TOO_LONG)?;
        rest = behind;
    }
    duration_of(nanos)
}

/// The nanoseconds in a number of some unit.
fn parse_part(number: &str, unit: u128) -> Result<u128, Cow<'static, str>> {
    let (whole, decimals) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && decimals.is_empty() || decimals.contains('.') {
        return Err(FORM.into());
    }
    let whole = digits(whole)
        .and_then(|whole| whole.checked_mul(unit))
        .ok_or(TOO_LONG)?;
    let decimals = decimals.trim_end_matches('0');
    if decimals.len() > MOST_DECIMALS {
        return Err(TOO_FINE.into());
    }
    let scale = decimals.bytes().fold(1_u128, |scale, _| scale * 10);
    // 13 digits and an hour's nanoseconds are far below what fits.
    let part = digits(decimals).ok_or(TOO_LONG)? * unit;
    if part % scale != 0 {
        return Err(TOO_FINE.into());
    }
    whole
        .checked_add(part / scale)
        .ok_or_else(|| TOO_LONG.into())
}

/// The number these digits write, of which there may be none.
fn digits(digits: &str) -> Option<u128> {
    digits.bytes().try_fold(0_u128, |number, digit| {
        number
            .checked_mul(10)?
            .checked_add(u128::from(digit - b'0'))
    })
}

const fn is_of_number(byte: u8) -> bool {
    byte.is_ascii_digit() || byte == b'.'
}

fn duration_of(nanos: u128) -> Result<Duration, Cow<'static, str>> {
    let seconds = u64::try_from(nanos / SECOND).map_err(|_| TOO_LONG)?;
    let nanos = u32::try_from(nanos % SECOND).expect("a second has fewer nanoseconds");
    Ok(Duration::new(seconds, nanos))
}

pub(crate) const FORM: &str = "a duration such as \"250ms\", \"5s\" or \"1m30s\", of the units ns, us, ms, s, m and h, \
                               or a number of seconds";
const TOO_FINE: &str = "a duration of whole nanoseconds";
const TOO_LONG: &str = "a duration of fewer than 2^64 seconds";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn durations_are_read_as_go_reads_them() {
        let nanos = Duration::from_nanos;
        for (text, expected) in [
            ("0", nanos(0)),
            ("5", nanos(5_000_000_000)),
            ("2.5", nanos(2_500_000_000)),
            ("+5s", nanos(5_000_000_000)),
            ("250ms", nanos(250_000_000)),
            ("1m30s", nanos(90_000_000_000)),
            ("1.5h", nanos(5_400_000_000_000)),
            (".5s", nanos(500_000_000)),
            ("5.s", nanos(5_000_000_000)),
            ("1s1s", nanos(2_000_000_000)),
            ("3ns", nanos(3)),
            ("1us2µs3μs", nanos(6_000)),
            ("1.0000000000000000000000s", nanos(1_000_000_000)),
            // The finest of an hour: one of 2^13 parts, of which each has 5^11 * 9 ns.
            ("0.0001220703125h", nanos(439_453_125)),
            (
                "18446744073709551615.999999999s",
                Duration::new(u64::MAX, 999_999_999),
            ),
        ] {
            assert_eq!(parse_duration(text), Ok(expected), "{text:?}");
        }
    }

    #[test]
    fn what_is_no_duration_is_refused_with_what_it_would_have_to_be() {
        for (text, expected) in [
            ("", "such as"),
            ("+", "such as"),
            ("s", "such as"),
            (".s", "such as"),
            (".", "such as"),
            ("1..5s", "such as"),
            ("1.5.1", "such as"),
            ("5 s", "such as"),
            (" 5s", "such as"),
            ("5S", "such as"),
            ("5d", "such as"),
            ("1m30", "such as"),
            ("1e3", "such as"),
            ("NaN", "such as"),
            ("inf", "such as"),
            ("++5s", "such as"),
            ("٣s", "such as"),
            ("-5s", "not negative"),
            ("0.5ns", "whole nanoseconds"),
            ("0.0000000001s", "whole nanoseconds"),
            ("0.00000000000000000000001h", "whole nanoseconds"),
            ("18446744073709551616s", "2^64"),
            ("5124095576030432h", "2^64"),
            (&"9".repeat(50), "2^64"),
            (&format!("{0}s{0}s", u128::MAX / SECOND), "2^64"),
        ] {
            let error = parse_duration(text).unwrap_err();
            assert!(error.contains(expected), "{text:?}: {error}");
        }
    }

    proptest! {
        /// The standard library writes durations in the same form, and exactly.
        #[test]
        fn a_duration_as_debug_writes_it_comes_back(seconds: u64, nanos in 0..1_000_000_000_u32) {
            for seconds in [seconds, seconds % 100, 0] {
                let duration = Duration::new(seconds, nanos);
                prop_assert_eq!(parse_duration(&format!("{duration:?}")), Ok(duration));
            }
        }

        #[test]
        fn parts_add_up(parts in prop::collection::vec((0..1_000_000_u64, 0..8_usize), 1..8)) {
            let text: String = parts
                .iter()
                .map(|(number, unit)| format!("{number}{}", UNITS[*unit].0))
                .collect();
            let one = |unit: usize| match unit {
                0 => Duration::from_nanos(1),
                1..=3 => Duration::from_micros(1),
                4 => Duration::from_millis(1),
                5 => Duration::from_secs(1),
                6 => Duration::from_secs(60),
                _ => Duration::from_secs(60 * 60),
            };
            let sum: Duration = parts
                .iter()
                .map(|(number, unit)| one(*unit) * u32::try_from(*number).expect("small"))
                .sum();
            prop_assert_eq!(parse_duration(&text), Ok(sum));
        }

        #[test]
        fn decimals_are_exact_or_refused(whole in 0..1_000_u64, decimals in "[0-9]{1,16}", unit in 0..8_usize) {
            let (name, size) = UNITS[unit];
            let scale = 10_u128.pow(u32::try_from(decimals.len()).expect("few"));
            let scaled = decimals.parse::<u128>().expect("16 digits") * size;
            let found = parse_duration(&format!("{whole}.{decimals}{name}"));
            prop_assert_eq!(found.is_ok(), scaled % scale == 0);
            if let Ok(found) = found {
                prop_assert_eq!(found.as_nanos(), u128::from(whole) * size + scaled / scale);
            }
        }

        #[test]
        fn no_text_panics(text in ".{0,30}", near in "[-+0-9.nuµmsh]{0,20}") {
            let _ = parse_duration(&text);
            let _ = parse_duration(&near);
        }
    }
}
