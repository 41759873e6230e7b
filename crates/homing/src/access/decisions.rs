//! What was decided before, so that it need not be decided again?

use super::list::Wish;
use homing_core::authorize::{Action, Who};
use homing_core::id::NodeId;
use homing_core::limits::DECISIONS_MAX;
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::time::SystemTime;

/// The last decisions, each for one asker and wish.
///
/// An entry lies under a hash of the question, and is compared whole when it is found: to look one up allocates nothing.
#[derive(Debug)]
pub(super) struct Decisions<T> {
    hasher: RandomState,
    entries: HashMap<u64, Entry<T>>,
    /// Changes when all is forgotten, so that what was decided by an older list is not remembered.
    era: u64,
}

#[derive(Debug)]
struct Entry<T> {
    question: Question,
    /// Forgotten after this, for a token comes or goes.
    until: Option<SystemTime>,
    decision: T,
}

#[derive(Debug)]
struct Question {
    node: NodeId,
    token: Option<String>,
    origin: Option<String>,
    action: Action,
    namespace: String,
    name: String,
}

impl Question {
    fn is(&self, who: &Who<'_>, wish: &Wish<'_>) -> bool {
        self.node == who.node
            && self.action == wish.action
            && self.name == wish.name
            && self.namespace == wish.namespace
            && self.token.as_deref() == who.token
            && self.origin.as_deref() == who.origin
    }
}

impl<T: Clone> Decisions<T> {
    pub(super) fn new() -> Self {
        Self { hasher: RandomState::new(), entries: HashMap::new(), era: 0 }
    }

    /// What was decided, if that still holds.
    pub(super) fn find(
        &self,
        who: &Who<'_>,
        wish: &Wish<'_>,
        now: impl FnOnce() -> SystemTime,
    ) -> Option<T> {
        let entry = self.entries.get(&self.hash(who, wish))?;
        let holds = entry.question.is(who, wish) && entry.until.is_none_or(|until| now() <= until);
        holds.then(|| entry.decision.clone())
    }

    /// Remembers a decision taken in this era; in another, it is let go.
    pub(super) fn note(
        &mut self,
        era: u64,
        (who, wish): (&Who<'_>, &Wish<'_>),
        until: Option<SystemTime>,
        decision: T,
    ) {
        if era != self.era {
            return;
        }
        if self.entries.len() >= DECISIONS_MAX {
            self.entries.clear();
        }
        let question = Question {
            node: who.node,
            token: who.token.map(str::to_owned),
            origin: who.origin.map(str::to_owned),
            action: wish.action,
            namespace: wish.namespace.to_owned(),
            name: wish.name.to_owned(),
        };
        self.entries.insert(self.hash(who, wish), Entry { question, until, decision });
    }

    /// Another list decides from now on.
    pub(super) fn forget(&mut self) {
        self.era += 1;
        self.entries.clear();
    }

    pub(super) const fn era(&self) -> u64 {
        self.era
    }

    fn hash(&self, who: &Who<'_>, wish: &Wish<'_>) -> u64 {
        let question = (who.node, who.token, who.origin);
        self.hasher.hash_one((question, wish.action, wish.namespace, wish.name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn wish(name: &str) -> Wish<'_> {
        Wish { action: Action::Call, namespace: "default", name }
    }

    #[test]
    fn a_decision_is_remembered_for_its_question_alone_and_its_time() {
        let now = SystemTime::UNIX_EPOCH;
        let who = Who::node(NodeId::from_bytes([1; 16]));
        let mut decisions = Decisions::new();
        decisions.note(0, (&who, &wish("a")), Some(now), 7);
        assert_eq!(decisions.find(&who, &wish("a"), || now), Some(7));
        let later = now + std::time::Duration::from_secs(1);
        assert_eq!(decisions.find(&who, &wish("a"), || later), None);
        assert_eq!(decisions.find(&who, &wish("b"), || now), None);
        let other = Who { token: Some("t"), ..who };
        assert_eq!(decisions.find(&other, &wish("a"), || now), None);
        decisions.forget();
        assert_eq!(decisions.find(&who, &wish("a"), || now), None);
        decisions.note(0, (&who, &wish("a")), None, 8);
        assert_eq!(decisions.find(&who, &wish("a"), || now), None, "decided by the list before");
    }

    #[test]
    fn there_are_never_more_decisions_than_may_be() {
        let who = Who::node(NodeId::from_bytes([1; 16]));
        let mut decisions = Decisions::new();
        for number in 0..DECISIONS_MAX + 10 {
            decisions.note(0, (&who, &wish(&number.to_string())), None, ());
            assert!(decisions.entries.len() <= DECISIONS_MAX);
        }
    }
}
