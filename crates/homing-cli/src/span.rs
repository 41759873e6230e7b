//! How long? Spans of time as people type and read them: `250ms`, `5s`, `1.5m`, `2h`.

use std::time::Duration;

/// Reads a number with a unit, as the settings do.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    homing::config::parse_span(text)
}

/// As [`parse`], and refuses nothing at all.
pub(crate) fn parse_positive(text: &str) -> Result<Duration, String> {
    match parse(text)? {
        Duration::ZERO => Err("it must be more than nothing".to_owned()),
        span => Ok(span),
    }
}

/// Microseconds in the unit that people read: `870 µs`, `12.3 ms`, `2.10 s`.
pub(crate) fn show_micros(micros: f64) -> String {
    match micros {
        0.0..100.0 => format!("{micros:.1} µs"),
        100.0..10_000.0 => format!("{micros:.0} µs"),
        10_000.0..1e6 => format!("{:.1} ms", micros / 1e3),
        _ => format!("{:.2} s", micros / 1e6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, millis: Option<f64>) {
        assert_eq!(parse(text).ok().map(|span| span.as_secs_f64() * 1e3), millis, "{text}");
    }

    #[test]
    fn a_span_is_a_number_with_a_unit() {
        check("250ms", Some(250.0));
        check("5s", Some(5_000.0));
        check("1.5m", Some(90_000.0));
        check("0s", Some(0.0));
        check("2h", Some(7_200_000.0));
    }

    #[test]
    fn other_text_is_no_span() {
        for text in ["", "5", "s", "5 s", "-1s", "5d", "1.2.3s", "nan", "1e9s", "2000000h"] {
            check(text, None);
        }
    }

    #[test]
    fn micros_are_shown_in_the_unit_people_read() {
        assert_eq!(show_micros(17.23), "17.2 µs");
        assert_eq!(show_micros(870.4), "870 µs");
        assert_eq!(show_micros(12_345.0), "12.3 ms");
        assert_eq!(show_micros(2_100_000.0), "2.10 s");
    }
}
