//! Where in a version or a range is its reader? What both grammars share: numbers, identifiers, single signs.

use std::sync::Arc;

use super::error::Problem;

/// The greatest number in a version: what JavaScript counts exactly, and so npm's bound.
pub(super) const NUMBER_MAX: u64 = 9_007_199_254_740_991;

/// A place in a text.
pub(super) struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(super) const fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    pub(super) const fn at(&self) -> usize {
        self.at
    }

    pub(super) fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    /// Steps over `sign` if it stands here.
    pub(super) fn eat(&mut self, sign: &str) -> bool {
        let stands = self.rest().starts_with(sign);
        if stands {
            self.at += sign.len();
        }
        stands
    }

    pub(super) fn skip_spaces(&mut self) {
        self.take_while(|byte| byte == b' ');
    }

    /// That `right` should stand here, and does not.
    pub(super) fn expected(&self, right: &'static str) -> Problem {
        Problem::expected(self.text, self.at, right)
    }

    /// A decimal number as versions have them.
    pub(super) fn number(&mut self, right: &'static str) -> Result<u64, Problem> {
        let at = self.at;
        let digits = self.take_while(|byte| byte.is_ascii_digit());
        if digits.is_empty() {
            return Err(self.expected(right));
        }
        if digits.len() > 1 && digits.starts_with('0') {
            return Err(Problem::Rule { at, rule: "a number has no leading zero" });
        }
        let number = digits.parse().ok().filter(|&number| number <= NUMBER_MAX);
        number.ok_or(Problem::Rule { at, rule: "a number is at most 9007199254740991" })
    }

    /// `-alpha.1` and `+build.5`, both optional. The build is read and forgotten: it never matters for what is chosen.
    pub(super) fn qualifiers(&mut self) -> Result<Option<Arc<str>>, Problem> {
        let pre = if self.eat("-") { Some(self.identifiers(Zeros::Refused)?.into()) } else { None };
        if self.eat("+") {
            self.identifiers(Zeros::Allowed)?;
        }
        Ok(pre)
    }

    fn identifiers(&mut self, zeros: Zeros) -> Result<&'a str, Problem> {
        let start = self.at;
        loop {
            let at = self.at;
            let identifier = self.take_while(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
            if identifier.is_empty() {
                return Err(self.expected("a letter, a digit or -"));
            }
            let padded =
                identifier.len() > 1 && identifier.starts_with('0') && is_number(identifier);
            if padded && matches!(zeros, Zeros::Refused) {
                return Err(Problem::Rule { at, rule: "a number has no leading zero" });
            }
            if !self.eat(".") {
                return Ok(&self.text[start..self.at]);
            }
        }
    }

    fn take_while(&mut self, wanted: impl Fn(u8) -> bool) -> &'a str {
        let rest = self.rest();
        let length = rest.bytes().position(|byte| !wanted(byte)).unwrap_or(rest.len());
        self.at += length;
        &rest[..length]
    }
}

/// Whether numbers among identifiers may start with a zero.
#[derive(Clone, Copy)]
enum Zeros {
    Allowed,
    Refused,
}

pub(super) fn is_number(identifier: &str) -> bool {
    identifier.bytes().all(|byte| byte.is_ascii_digit())
}
