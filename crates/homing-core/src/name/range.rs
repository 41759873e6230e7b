//! Which versions does a range mean? What npm means by it.
//!
//! Every form is unfolded, while it is read, into plain comparisons with full versions, as npm's documentation does it
//! (`^1.2` is `>=1.2.0 <2.0.0-0`). Reading takes one pass, and no term becomes more than two comparisons. Our own reader,
//! because the crate `node-semver` 2.2 panics on `=*` and `~*`, reads `>2 <1` as either and `1 foo` as `1`, and leaves
//! 1.2.0 out of `<=1.2`.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;
use std::sync::Arc;

use super::cursor::Cursor;
use super::error::{BadName, Problem};
use super::version::Version;
use crate::limits::RANGE_MAX;

/// A set of versions as npm writes it: `1.2.0` is exactly that one; `1`, `1.2`, `1.x`, `^1`, `~1.2`, `>=1 <3`,
/// `1 || 2`, `1.0.0 - 2.0.0` and `*` are what they are there. At most [`RANGE_MAX`] bytes.
///
/// A pre-release is in a range only where an alternative names one of the same release. Where npm guesses, this refuses:
/// an alternative has something in it, after `^` or another sign stands at most a `v`, and after an x no number. Two
/// ranges are equal if they are written alike; `Display` is what was typed, without spaces around it.
#[derive(Clone)]
pub struct Range(Arc<Read>);

struct Read {
    text: Box<str>,
    alternatives: Vec<Vec<Comparison>>,
}

impl Range {
    /// Whether the version is in the range.
    pub fn contains(&self, version: &Version) -> bool {
        self.0.alternatives.iter().any(|all| {
            let named = |one: &Comparison| {
                !one.version.is_stable() && one.version.release() == version.release()
            };
            all.iter().all(|one| one.holds(version))
                && (version.is_stable() || all.iter().any(named))
        })
    }

    /// Whether it asks for nothing, as `*` does: then what has no version is in it, too.
    pub fn is_any(&self) -> bool {
        self.0.alternatives.iter().any(Vec::is_empty)
    }

    /// What was typed, without spaces around it.
    pub fn as_str(&self) -> &str {
        &self.0.text
    }
}

impl From<Version> for Range {
    /// Exactly this version.
    fn from(version: Version) -> Self {
        let text = version.to_string().into();
        Self(Arc::new(Read {
            text,
            alternatives: vec![vec![Comparison { operator: Operator::Equal, version }]],
        }))
    }
}

impl FromStr for Range {
    type Err = BadName;

    fn from_str(text: &str) -> Result<Self, BadName> {
        let trimmed = text.trim_matches(' ');
        let read =
            alternatives(trimmed).map_err(|problem| BadName::new("range", trimmed, problem))?;
        Ok(Self(Arc::new(Read { text: trimmed.into(), alternatives: read })))
    }
}

impl Eq for Range {}

impl PartialEq for Range {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Ord for Range {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_str().cmp(other.as_str())
    }
}

impl PartialOrd for Range {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Hash for Range {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.as_str())
    }
}

struct Comparison {
    operator: Operator,
    version: Version,
}

#[derive(Clone, Copy)]
enum Operator {
    Less,
    LessOrEqual,
    Equal,
    GreaterOrEqual,
    Greater,
}

impl Comparison {
    fn holds(&self, version: &Version) -> bool {
        let order = version.cmp(&self.version);
        match self.operator {
            Operator::Less => order.is_lt(),
            Operator::LessOrEqual => order.is_le(),
            Operator::Equal => order.is_eq(),
            Operator::GreaterOrEqual => order.is_ge(),
            Operator::Greater => order.is_gt(),
        }
    }
}

/// A version of which the end may be left open.
enum Partial {
    Any,
    Major(u64),
    Minor(u64, u64),
    Full(Version),
}

impl Partial {
    /// The least release it covers.
    fn first(&self) -> Version {
        match self {
            Self::Any => Version::new(0, 0, 0),
            Self::Major(major) => Version::new(*major, 0, 0),
            Self::Minor(major, minor) => Version::new(*major, *minor, 0),
            Self::Full(version) => version.clone(),
        }
    }

    /// The least release after all that it covers, if it is open and there is one.
    fn next(&self) -> Option<Version> {
        match self {
            Self::Major(major) => Some(Version::new(major + 1, 0, 0)),
            Self::Minor(major, minor) => Some(Version::new(*major, minor + 1, 0)),
            Self::Any | Self::Full(_) => None,
        }
    }
}

fn alternatives(text: &str) -> Result<Vec<Vec<Comparison>>, Problem> {
    if text.len() > RANGE_MAX {
        return Err(Problem::TooLong { length: text.len(), max: RANGE_MAX });
    }
    let mut cursor = Cursor::new(text);
    let mut all = Vec::new();
    loop {
        all.push(alternative(&mut cursor)?);
        if !cursor.eat("||") {
            return Ok(all);
        }
    }
}

/// All that stands between two `||`: terms that must all hold, or two versions and a hyphen.
fn alternative(cursor: &mut Cursor<'_>) -> Result<Vec<Comparison>, Problem> {
    let mut all = Vec::new();
    cursor.skip_spaces();
    loop {
        let sign = sign(cursor);
        let left = partial(cursor)?;
        let ended = end_of_term(cursor)?;
        if all.is_empty() && matches!(sign, Sign::None) && cursor.eat("- ") {
            cursor.skip_spaces();
            let right = partial(cursor)?;
            end_of_term(cursor)?;
            hyphen(&left, &right, &mut all);
            return if at_end(cursor) { Ok(all) } else { Err(cursor.expected("|| or the end")) };
        }
        unfold(sign, &left, &mut all);
        if ended {
            return Ok(all);
        }
    }
}

/// What stands before a version in a range.
#[derive(Clone, Copy)]
enum Sign {
    None,
    Caret,
    Tilde,
    Operator(Operator),
}

fn sign(cursor: &mut Cursor<'_>) -> Sign {
    const SIGNS: [(&str, Sign); 8] = [
        ("^", Sign::Caret),
        ("~>", Sign::Tilde),
        ("~", Sign::Tilde),
        (">=", Sign::Operator(Operator::GreaterOrEqual)),
        (">", Sign::Operator(Operator::Greater)),
        ("<=", Sign::Operator(Operator::LessOrEqual)),
        ("<", Sign::Operator(Operator::Less)),
        ("=", Sign::Operator(Operator::Equal)),
    ];
    let found = SIGNS.iter().find(|(text, _)| cursor.eat(text));
    cursor.skip_spaces();
    found.map_or(Sign::None, |(_, sign)| *sign)
}

fn partial(cursor: &mut Cursor<'_>) -> Result<Partial, Problem> {
    cursor.eat("v");
    let major = number_or_x(cursor)?;
    let minor = part_after(major, cursor)?;
    let third = cursor.rest().starts_with('.');
    let patch = part_after(minor, cursor)?;
    let pre = if third { cursor.qualifiers()? } else { None };
    Ok(match (major, minor, patch) {
        (Some(major), Some(minor), Some(patch)) => {
            Partial::Full(Version::new(major, minor, patch).with_pre(pre))
        }
        (Some(major), Some(minor), None) => Partial::Minor(major, minor),
        (Some(major), None, _) => Partial::Major(major),
        (None, ..) => Partial::Any,
    })
}

/// A further part of a version, if there is one: after an x only another x.
fn part_after(previous: Option<u64>, cursor: &mut Cursor<'_>) -> Result<Option<u64>, Problem> {
    if !cursor.eat(".") {
        return Ok(None);
    }
    let at = cursor.at();
    match (previous, number_or_x(cursor)?) {
        (None, Some(_)) => {
            Err(Problem::Rule { at, rule: "after an x comes no number, write 1.x for all of 1" })
        }
        (_, part) => Ok(part),
    }
}

fn number_or_x(cursor: &mut Cursor<'_>) -> Result<Option<u64>, Problem> {
    if ["x", "X", "*"].iter().any(|sign| cursor.eat(sign)) {
        return Ok(None);
    }
    cursor.number("a version or part of one, as in 1, 1.2, 1.x or 1.2.0").map(Some)
}

/// Steps to the next term; whether there is none in this alternative.
fn end_of_term(cursor: &mut Cursor<'_>) -> Result<bool, Problem> {
    let before = cursor.at();
    cursor.skip_spaces();
    let ended = at_end(cursor);
    if ended || cursor.at() > before {
        Ok(ended)
    } else {
        Err(cursor.expected("a space, || or the end"))
    }
}

fn at_end(cursor: &Cursor<'_>) -> bool {
    cursor.rest().is_empty() || cursor.rest().starts_with("||")
}

fn unfold(sign: Sign, partial: &Partial, all: &mut Vec<Comparison>) {
    match sign {
        Sign::Caret => between(partial, caret_end(partial), all),
        Sign::Tilde => between(partial, tilde_end(partial), all),
        Sign::None => compare(Operator::Equal, partial, all),
        Sign::Operator(operator) => compare(operator, partial, all),
    }
}

/// The first release that `^` leaves out: the leftmost number that is not 0 stays.
fn caret_end(partial: &Partial) -> Option<Version> {
    Some(match partial {
        Partial::Full(version) => match version.release() {
            (0, 0, patch) => Version::new(0, 0, patch + 1),
            (0, minor, _) => Version::new(0, minor + 1, 0),
            (major, ..) => Version::new(major + 1, 0, 0),
        },
        Partial::Minor(major @ 1.., _) => Version::new(major + 1, 0, 0),
        open => return open.next(),
    })
}

/// The first release that `~` leaves out: the second number stays, or the first if it is alone.
fn tilde_end(partial: &Partial) -> Option<Version> {
    match partial {
        Partial::Full(version) => Some(Version::new(version.major(), version.minor() + 1, 0)),
        open => open.next(),
    }
}

fn between(from: &Partial, before: Option<Version>, all: &mut Vec<Comparison>) {
    if let Some(before) = before {
        all.push(Comparison { operator: Operator::GreaterOrEqual, version: from.first() });
        all.push(below(before));
    }
}

/// Below a release and all its pre-releases.
fn below(release: Version) -> Comparison {
    Comparison { operator: Operator::Less, version: release.with_pre(Some("0".into())) }
}

/// An open version is all that it covers: `>1.2` is above all of 1.2, `<=1` is below 2.
fn compare(operator: Operator, partial: &Partial, all: &mut Vec<Comparison>) {
    let comparison = |operator, version| Comparison { operator, version };
    all.push(match (operator, partial.next()) {
        (_, None) if matches!(partial, Partial::Full(_)) => comparison(operator, partial.first()),
        // Below the first of an open version. More or less than anything is nothing, and below the first of anything.
        (Operator::Less, _) | (Operator::Greater, None) => below(partial.first()),
        (_, None) => return,
        (Operator::Equal, next) => return between(partial, next, all),
        (Operator::LessOrEqual, Some(next)) => below(next),
        (Operator::GreaterOrEqual, Some(_)) => comparison(operator, partial.first()),
        (Operator::Greater, Some(next)) => comparison(Operator::GreaterOrEqual, next),
    });
}

fn hyphen(from: &Partial, to: &Partial, all: &mut Vec<Comparison>) {
    if !matches!(from, Partial::Any) {
        compare(Operator::GreaterOrEqual, from, all);
    }
    if !matches!(to, Partial::Any) {
        compare(Operator::LessOrEqual, to, all);
    }
}

#[cfg(test)]
mod tests;
