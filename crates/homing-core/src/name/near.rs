//! How like are two names? For who mistyped one.

/// How many signs are to be put in, left out, changed or swapped with the next to make one name of the other, whatever
/// the case.
pub fn edits(one: &str, other: &str) -> usize {
    let (one, other) = (one.to_ascii_lowercase(), other.to_ascii_lowercase());
    let (one, other) = (one.as_bytes(), other.as_bytes());
    let mut rows: [Vec<usize>; 2] = [Vec::new(), (0..=other.len()).collect()];
    for down in 0..one.len() {
        let [before, last] = &rows;
        let mut row = vec![down + 1];
        for right in 0..other.len() {
            let changed = last[right] + usize::from(one[down] != other[right]);
            let mut least = changed.min(last[right + 1] + 1).min(row[right] + 1);
            if down > 0
                && right > 0
                && (one[down], one[down - 1]) == (other[right - 1], other[right])
            {
                least = least.min(before[right - 1] + 1);
            }
            row.push(least);
        }
        let [_, last] = rows;
        rows = [last, row];
    }
    rows[1][other.len()]
}

/// How many [`edits`] may lie between a name and one that it may be meant for.
pub fn likeness(name: &str) -> usize {
    (name.len() / 3).max(1)
}

#[cfg(test)]
mod tests {
    use super::edits;

    #[test]
    fn names_are_as_far_apart_as_signs_have_to_change() {
        for (one, other, expect) in [
            ("words", "words", 0),
            ("Words", "wrods", 1),
            ("word", "words", 1),
            ("timings.idel", "timings.idle", 1),
            ("abc", "xbz", 2),
            ("", "abc", 3),
        ] {
            assert_eq!((edits(one, other), edits(other, one)), (expect, expect), "{one} {other}");
        }
    }
}
