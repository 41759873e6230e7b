//! What is a message about, and which messages does somebody want?

use std::str::{FromStr, Split};
use std::sync::Arc;

use super::error::{BadName, Problem};
use super::escape;
use super::pattern::{Kind, segments_match};
use super::service::{SERVICE, check_users, is_service, is_users};
use super::text::{Grammar, shown_as_its_text};
use crate::limits::{NAME_MAX, TOPIC_MAX};

/// What a message is about, such as `orders.eu.created`: 1 to [`TOPIC_MAX`] bytes in segments between `.`, none of them
/// empty, of the signs that a [`ServiceName`](super::ServiceName) has (decisions E2).
///
/// A first `$` is reserved to the mesh: [`FromStr`] refuses it. Foreign names are percent-escaped as those of services are.
#[derive(Clone, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Topic(Arc<str>);

/// One topic or many: a [`Topic`] in which the segment `*` stands for any one segment, and `**` for any number of them,
/// none included, wherever it is. `**` alone is every topic, `orders.**` is `orders` and all below it.
///
/// It is as long as a topic may be. A `*` that is a part of a segment only is refused.
#[derive(Clone, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct TopicPattern(Arc<str>);

/// The name of a queue group, of whose members each message reaches one. Written as a
/// [`ServiceName`](super::ServiceName) that a user may choose.
#[derive(Clone, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Group(Arc<str>);

shown_as_its_text!(Topic);
shown_as_its_text!(TopicPattern);
shown_as_its_text!(Group);

impl Topic {
    /// A topic as a peer tells it: a user's, or one of the mesh's own.
    ///
    /// # Errors
    /// If it is neither.
    pub fn from_peer(text: &str) -> Result<Self, BadName> {
        check_segments(&TOPIC, text, |_| Ok(false)).map(|()| Self(text.into()))
    }

    /// The topic here of what another system calls `foreign`, whose dots separate segments as ours do;
    /// [`unescape`](Self::unescape) gives that back.
    ///
    /// # Errors
    /// If a segment of `foreign` is empty, or it is longer than [`TOPIC_MAX`] bytes once escaped.
    pub fn escape_foreign(foreign: &str) -> Result<Self, BadName> {
        escape::escape(foreign, is_users).parse()
    }

    /// What the other system calls it; a topic that was never escaped is returned as it is.
    pub fn unescape(&self) -> String {
        escape::unescape(&self.0)
    }

    /// Whether it is one of the mesh's own.
    pub fn is_reserved(&self) -> bool {
        self.0.starts_with('$')
    }

    /// Its segments, one at least.
    pub fn segments(&self) -> Split<'_, char> {
        segments(&self.0)
    }
}

impl FromStr for Topic {
    type Err = BadName;

    fn from_str(text: &str) -> Result<Self, BadName> {
        check_not_reserved(&TOPIC, text)?;
        Self::from_peer(text)
    }
}

impl TopicPattern {
    /// A pattern as a peer tells it: a user's, or one of the mesh's own topics.
    ///
    /// # Errors
    /// If it is neither.
    pub fn from_peer(text: &str) -> Result<Self, BadName> {
        check_segments(&PATTERN, text, check_stars).map(|()| Self(text.into()))
    }

    /// Whether the pattern stands for this topic, or for the text of one. Allocates nothing, and takes at most the
    /// product of both lengths in steps, whoever wrote them.
    pub fn matches(&self, topic: &(impl AsRef<str> + ?Sized)) -> bool {
        segments_match(segments(&self.0), segments(topic.as_ref()))
    }

    /// Whether there is a topic that both stand for. Takes at most the product of both lengths in steps.
    pub fn overlaps(&self, other: &Self) -> bool {
        let theirs: Vec<&str> = other.segments().collect();
        // Which of their beginnings some beginning of ours can be alike to; ours is none yet.
        let mut alike = vec![true];
        alike.extend(theirs.iter().scan(true, |so_far, segment| {
            *so_far &= Kind::of(segment) == Kind::Any;
            Some(*so_far)
        }));
        for ours in self.segments() {
            let mut next = vec![alike[0] && Kind::of(ours) == Kind::Any];
            for (at, their) in theirs.iter().enumerate() {
                next.push(match (Kind::of(ours), Kind::of(their)) {
                    (Kind::Any, _) | (_, Kind::Any) => alike[at + 1] || next[at] || alike[at],
                    (Kind::One, _) | (_, Kind::One) => alike[at],
                    (Kind::Exact, Kind::Exact) => alike[at] && ours == *their,
                });
            }
            alike = next;
        }
        alike[theirs.len()]
    }

    /// The one topic it stands for, unless it has a `*` or `**`.
    pub fn as_topic(&self) -> Option<Topic> {
        let exact = self.segments().all(|segment| Kind::of(segment) == Kind::Exact);
        exact.then(|| Topic(Arc::clone(&self.0)))
    }

    /// Its segments, one at least, stars among them.
    pub fn segments(&self) -> Split<'_, char> {
        segments(&self.0)
    }
}

impl FromStr for TopicPattern {
    type Err = BadName;

    fn from_str(text: &str) -> Result<Self, BadName> {
        check_not_reserved(&PATTERN, text)?;
        Self::from_peer(text)
    }
}

impl From<Topic> for TopicPattern {
    fn from(topic: Topic) -> Self {
        Self(topic.0)
    }
}

impl FromStr for Group {
    type Err = BadName;

    fn from_str(text: &str) -> Result<Self, BadName> {
        check_users(&GROUP, text).map(|()| Self(text.into()))
    }
}

const TOPIC: Grammar = Grammar {
    noun: "topic",
    max: TOPIC_MAX,
    plain: is_service,
    right: "a letter, a digit or one of - _ . : $",
};
const PATTERN: Grammar = Grammar {
    noun: "topic pattern",
    max: TOPIC_MAX,
    plain: is_service,
    right: "a letter, a digit, one of - _ . : $ or a segment * or **",
};
const GROUP: Grammar = Grammar { noun: "group", max: NAME_MAX, ..SERVICE };

fn segments(text: &str) -> Split<'_, char> {
    text.split('.')
}

fn check_not_reserved(grammar: &Grammar, text: &str) -> Result<(), BadName> {
    if !text.starts_with('$') {
        return Ok(());
    }
    Err(grammar.bad(text, Problem::Rule { at: 0, rule: "a first $ is reserved to the mesh" }))
}

/// Refuses text that is too long or empty, empty segments, and wrong signs in those that `check` does not settle.
fn check_segments(
    grammar: &Grammar,
    text: &str,
    check: impl Fn(&str) -> Result<bool, Problem>,
) -> Result<(), BadName> {
    grammar.check_length(text)?;
    if text.is_empty() {
        return Err(grammar.bad(text, Problem::Ends { at: 0, right: grammar.right }));
    }
    let mut at = 0;
    // Who may not start with a $ escapes it, and nobody else does.
    let plain =
        |at: usize, byte| is_service(byte) && (at > 0 || byte != b'$' || text.starts_with('$'));
    for segment in segments(text) {
        let told = |error: BadName| error.within(grammar.noun, text, at);
        if segment.is_empty() {
            let rule = "a segment is empty, write something between two dots";
            return Err(grammar.bad(text, Problem::Rule { at, rule }));
        }
        if !check(segment).map_err(|problem| told(grammar.bad(segment, problem)))? {
            escape::check(grammar, segment, |within, byte| plain(at + within, byte))
                .map_err(told)?;
        }
        at += segment.len() + 1;
    }
    Ok(())
}

/// Whether a segment is stars, which are right in a pattern.
fn check_stars(segment: &str) -> Result<bool, Problem> {
    match (Kind::of(segment), segment.find('*')) {
        (Kind::Any | Kind::One, _) => Ok(true),
        (Kind::Exact, None) => Ok(false),
        (Kind::Exact, Some(at)) => {
            Err(Problem::Rule { at, rule: "a segment is *, ** or has no * at all" })
        }
    }
}

#[cfg(test)]
mod tests;
