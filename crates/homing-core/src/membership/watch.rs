//! Who watches whom, so that no crash stays unnoticed by luck?
//!
//! Plain SWIM probes members at random: now and then nobody picks the one that died for seconds. So each member also
//! watches the next one in the order of ids, and asks it in every probe period. Two unanswered questions in one
//! period make a suspect; that costs two small datagrams per period and node, whatever the size of the mesh.

use super::hearing::Hearings;
use crate::id::NodeId;

/// What to do about the member watched.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Act {
    /// Ask for a sign of life.
    Ask(NodeId),
    /// It was asked twice in the last period and said nothing: suspect it, and ask again.
    Doubt(NodeId),
}

/// The member watched at present, and those suspected.
#[derive(Debug, Default)]
pub(super) struct Watch {
    state: State,
    pub(super) hearings: Hearings,
}

#[derive(Clone, Copy, Debug, Default)]
enum State {
    /// Nobody has to answer now.
    #[default]
    Content,
    Asked {
        whom: NodeId,
    },
    AskedTwice {
        whom: NodeId,
    },
}

impl Watch {
    /// A period of probing begins; `next` is the member to watch from now on.
    pub(super) fn period(&mut self, next: Option<NodeId>) -> Option<Act> {
        let silent = match self.state {
            State::AskedTwice { whom } => Some(whom),
            State::Content | State::Asked { .. } => None,
        };
        self.state = next.map_or(State::Content, |whom| State::Asked { whom });
        next.map(|whom| if silent == Some(whom) { Act::Doubt(whom) } else { Act::Ask(whom) })
    }

    /// The time for an answer is over: ask again, once.
    pub(super) fn again(&mut self) -> Option<Act> {
        let State::Asked { whom } = self.state else { return None };
        self.state = State::AskedTwice { whom };
        Some(Act::Ask(whom))
    }

    /// Something came from `node`.
    pub(super) fn heard(&mut self, node: NodeId) {
        let (State::Asked { whom } | State::AskedTwice { whom }) = self.state else { return };
        if whom == node {
            self.state = State::Content;
        }
    }

    /// This process stood still: what it did not hear proves nothing.
    pub(super) fn forgive(&mut self) {
        self.state = State::Content;
    }
}
