//! How does a foreign name travel as one of ours, and come back as it came?
//!
//! Each byte that has no place of its own is written as `%` and two upper-case hexadecimal digits. Nothing else may be
//! written so: then one foreign name has exactly one text here, and names can be compared as text.

use super::error::{BadName, Problem};
use super::text::Grammar;

const HEX: &[u8; 16] = b"0123456789ABCDEF";

/// Writes foreign text with only the bytes that are `plain` at their place and `%`.
pub(super) fn escape(foreign: &str, plain: impl Fn(usize, u8) -> bool) -> String {
    let mut text = String::with_capacity(foreign.len());
    for (at, byte) in foreign.bytes().enumerate() {
        if plain(at, byte) {
            text.push(char::from(byte));
        } else {
            text.push('%');
            text.push(char::from(HEX[usize::from(byte >> 4)]));
            text.push(char::from(HEX[usize::from(byte & 15)]));
        }
    }
    text
}

/// The foreign text behind text that [`check`] took.
pub(super) fn unescape(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut at = 0;
    while let Some(&byte) = text.as_bytes().get(at) {
        let escaped = escaped_byte(text, at);
        bytes.push(escaped.unwrap_or(byte));
        at += if escaped.is_some() { 3 } else { 1 };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Refuses text that [`escape`] could not have written: with a byte that is not plain, with an escape that is
/// incomplete, in small letters or needless, or that stands for no UTF-8 text.
pub(super) fn check(
    grammar: &Grammar,
    text: &str,
    plain: impl Fn(usize, u8) -> bool,
) -> Result<(), BadName> {
    grammar.check_length(text)?;
    let mut at = 0;
    while let Some(&byte) = text.as_bytes().get(at) {
        if plain(at, byte) {
            at += 1;
            continue;
        }
        if byte != b'%' {
            return Err(grammar.bad(text, Problem::expected(text, at, grammar.right)));
        }
        let needed = escaped_byte(text, at).is_some_and(|escaped| !plain(at, escaped));
        if !needed {
            return Err(grammar.bad(text, Problem::Rule { at, rule: NEEDED }));
        }
        at += 3;
    }
    if escape(&unescape(text), &plain) != text {
        return Err(
            grammar.bad(text, Problem::Rule { at: 0, rule: "what is escaped is not UTF-8" })
        );
    }
    Ok(())
}

const NEEDED: &str =
    "% stands before two upper-case hexadecimal digits of a byte that needs escaping";

fn escaped_byte(text: &str, at: usize) -> Option<u8> {
    let &[b'%', high, low] = text.as_bytes().get(at..at + 3)? else { return None };
    let digit =
        |byte| HEX.iter().position(|&hex| hex == byte).and_then(|digit| u8::try_from(digit).ok());
    Some(digit(high)? << 4 | digit(low)?)
}
