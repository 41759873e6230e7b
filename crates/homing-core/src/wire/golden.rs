//! Are the bytes what they always were? Lines `name: hex` of `testdata/wire/`, against what is encoded now.
//!
//! Lines that begin with `#` explain; blanks within bytes are for the eye. A changed byte is a changed file in review.

use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Checks that `encoded` is exactly what `golden` holds, line by line, whatever the order.
#[track_caller]
pub(crate) fn check(golden: &str, encoded: &[(&str, Vec<u8>)]) {
    let golden: BTreeMap<&str, String> = golden
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty())
        .map(|line| line.split_once(": ").expect("a line is a name and its bytes"))
        .map(|(name, bytes)| (name, bytes.split_whitespace().collect()))
        .collect();
    for (name, bytes) in encoded {
        let found = golden.get(name).map_or("", String::as_str);
        assert_eq!(hex(bytes), found, "{name}: now against golden");
    }
    assert_eq!(encoded.len(), golden.len(), "golden bytes that nobody writes, or a name twice");
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a String takes everything");
        text
    })
}
