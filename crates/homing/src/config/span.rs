//! How long? Spans of time as people write and read them: `250ms`, `5s`, `1.5m`, `2h`.

use std::time::Duration;

/// Reads a number with a unit (`ns`, `us`, `ms`, `s`, `m`, `h`). At most 1,000 hours, so that sums cannot overflow.
///
/// # Errors
/// What would be right.
pub fn parse_span(text: &str) -> Result<Duration, String> {
    let wrong = || "it is a number with a unit, like 250ms, 5s or 2m".to_owned();
    let unit_at =
        text.find(|sign: char| !sign.is_ascii_digit() && sign != '.').ok_or_else(wrong)?;
    let (number, unit) = text.split_at(unit_at);
    let number: f64 = number.parse().map_err(|_| wrong())?;
    let seconds = match unit {
        "ns" => number / 1e9,
        "us" | "µs" => number / 1e6,
        "ms" => number / 1e3,
        "s" => number,
        "m" | "min" => number * 60.0,
        "h" => number * 3600.0,
        _ => return Err(wrong()),
    };
    if seconds > 3_600_000.0 {
        return Err("1000h is the most".to_owned());
    }
    Duration::try_from_secs_f64(seconds).map_err(|_| wrong())
}

/// Writes a span so that [`parse_span`] reads the same.
pub fn show_span(span: Duration) -> String {
    let (nanos, seconds) = (span.as_nanos(), span.as_secs());
    match nanos {
        _ if nanos % 1_000 != 0 => format!("{nanos}ns"),
        _ if nanos % 1_000_000 != 0 => format!("{}us", nanos / 1_000),
        _ if nanos % 100_000_000 != 0 || seconds == 0 && nanos > 0 => {
            format!("{}ms", nanos / 1_000_000)
        }
        _ if nanos % 1_000_000_000 != 0 => {
            format!("{seconds}.{}s", nanos / 100_000_000 % 10)
        }
        _ if seconds > 0 && seconds.is_multiple_of(3_600) => format!("{}h", seconds / 3_600),
        _ if seconds > 0 && seconds.is_multiple_of(60) => format!("{}m", seconds / 60),
        _ => format!("{seconds}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_reads_as_it_is_written() {
        for text in ["0s", "250ms", "2.5s", "5s", "1m", "90s", "2h", "1500us", "7ns", "1250ms"] {
            assert_eq!(show_span(parse_span(text).unwrap()), text);
        }
        assert_eq!(show_span(parse_span("1.5m").unwrap()), "90s");
        for wrong in ["", "5", "s", "5 s", "5y", "-1s", "1.2.3s", "1001h"] {
            assert!(parse_span(wrong).is_err(), "{wrong}");
        }
    }
}
