//! Who died while we stood still?
//!
//! What was gossiped meanwhile is not told again, and probing one member after the other takes long. So all are called,
//! twice; who says nothing is suspected.

use crate::id::NodeId;
use crate::limits::PROBE_PERIOD;
use crate::time::Time;
use std::collections::BTreeSet;

/// A call of the roll, if one is under way.
#[derive(Debug, Default)]
pub(super) struct RollCall {
    state: Option<State>,
}

#[derive(Debug)]
struct State {
    silent: BTreeSet<NodeId>,
    round: Round,
    until: Time,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Round {
    First,
    Second,
}

/// What is to be done about those who said nothing so far.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Silent {
    /// Ask them again: a datagram may have been lost.
    Ask(BTreeSet<NodeId>),
    /// Suspect them.
    Doubt(BTreeSet<NodeId>),
}

impl RollCall {
    /// All of these were asked just now.
    pub(super) fn begin(&mut self, now: Time, members: BTreeSet<NodeId>) {
        let (silent, round, until) = (members, Round::First, now + PROBE_PERIOD);
        self.state = Some(State { silent, round, until });
    }

    /// Something came from `node`.
    pub(super) fn heard(&mut self, node: &NodeId) {
        if let Some(state) = &mut self.state {
            state.silent.remove(node);
        }
    }

    /// Whether it is still open who is there.
    pub(super) fn is_under_way(&self) -> bool {
        self.state.is_some()
    }

    /// What follows when the time for answers is over.
    pub(super) fn handle_timeout(&mut self, now: Time) -> Option<Silent> {
        let state = self.state.take_if(|state| state.until <= now)?;
        if state.round == Round::Second {
            return Some(Silent::Doubt(state.silent));
        }
        let again = state.silent.clone();
        self.state = Some(State { round: Round::Second, until: now + PROBE_PERIOD, ..state });
        Some(Silent::Ask(again))
    }

    /// When that is.
    pub(super) fn poll_timeout(&self) -> Option<Time> {
        self.state.as_ref().map(|state| state.until)
    }
}
