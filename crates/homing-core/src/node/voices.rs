//! What do membership and registry say, and who has to hear it?

use super::control::Control;
use super::output::Output;
use super::{Node, Phase};
use crate::id::NodeId;
use crate::membership::{self, Presence, brief};
use crate::registry::{self, Via};
use crate::talk::{Code, Status};
use crate::time::Time;
use crate::wire::DatagramKind;

/// Whether the list of members must be told to the registry again.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Roll {
    Same,
    Changed,
}

impl Node {
    pub(super) fn tell_registry(&mut self, now: Time, input: registry::Input<'_>) {
        self.registry.handle_input(now, input);
    }

    pub(super) fn tell_membership(&mut self, now: Time, input: membership::Input<'_>) {
        if let Some(membership) = &mut self.membership {
            membership.handle_input(now, input);
        }
    }

    /// Moves what membership and registry say until both are quiet.
    pub(super) fn listen(&mut self, now: Time) {
        let mut roll = Roll::Same;
        while let Some(output) =
            self.membership.as_mut().and_then(membership::Membership::poll_output)
        {
            if self.hear_membership(now, output) == Roll::Changed {
                roll = Roll::Changed;
            }
        }
        // Once for all of them: a dump tells of hundreds.
        if roll == Roll::Changed {
            let members = self.members().collect();
            self.tell_registry(now, registry::Input::Members(members));
        }
        while let Some(output) = self.registry.poll_output() {
            self.hear_registry(output);
        }
    }

    /// Ends everything: this node cannot go on.
    pub(super) fn fatal(&mut self, status: Status) {
        if self.phase != Phase::Left {
            self.phase = Phase::Left;
            self.outbox.push_back(Output::Fatal(status));
        }
    }

    /// A node said goodbye.
    pub(super) fn departed(&mut self, now: Time, node: NodeId) {
        self.show.note_goodbye(node);
        self.dials.forget(&super::Goal::Node(node));
        self.tell_registry(now, registry::Input::Left { node });
    }

    /// Whether membership holds this node alive.
    pub(super) fn is_alive(&self, node: &NodeId) -> bool {
        let presence = self.membership.as_ref().and_then(|membership| membership.presence(node));
        matches!(presence, Some(Presence::Alive(_)))
    }

    /// Whether membership holds this node gone. A visitor has no membership and asks the registry.
    pub(super) fn is_gone(&self, node: &NodeId) -> bool {
        match &self.membership {
            Some(membership) => matches!(membership.presence(node), Some(Presence::Gone(_))),
            None => self.registry.is_gone(node),
        }
    }

    fn hear_membership(&mut self, now: Time, output: membership::Output) -> Roll {
        match output {
            membership::Output::Send { to, bytes } => {
                self.send_datagram(&to, DatagramKind::Membership, &brief::shorten(&bytes));
                Roll::Same
            }
            membership::Output::Up(member) => {
                let (node, epoch) = (member.id, member.epoch);
                self.show.note_return(&node);
                self.join.note_arrival(now, node);
                self.tell_registry(now, registry::Input::Alive { node, epoch });
                self.dial_if_kept(now, node);
                Roll::Changed
            }
            membership::Output::Down(member) => {
                self.tell_registry(now, registry::Input::Gone { node: member.id });
                Roll::Changed
            }
            membership::Output::Left(member) => {
                self.departed(now, member.id);
                Roll::Changed
            }
            membership::Output::Elsewhere(other) => {
                self.hear_of_later_life(now, other.epoch, &format!("{:?}", other.udp));
                Roll::Same
            }
        }
    }

    fn hear_registry(&mut self, output: registry::Output) {
        match output {
            registry::Output::Send { to, via: Via::Link, bytes } => match self.peers.route(&to) {
                Some(link) => self
                    .outbox
                    .push_back(Output::Control { link, bytes: Control::Registry(&bytes).encode() }),
                None => self.sealer.stats.unsendable += 1,
            },
            registry::Output::Send { to, via: Via::Datagram, bytes } => {
                match self.membership.as_ref().and_then(|membership| membership.presence(&to)) {
                    Some(Presence::Alive(member) | Presence::Gone(member)) => {
                        let member = member.clone();
                        self.send_datagram(&member, DatagramKind::Registry, &bytes);
                    }
                    None => self.sealer.stats.unsendable += 1,
                }
            }
            registry::Output::Changed(change) => self.show.note(change),
            registry::Output::Refused { key, status } => {
                self.outbox.push_back(Output::Refused { key, status });
            }
            registry::Output::Freed { token, outcome } => {
                self.outbox.push_back(Output::Freed { token, outcome });
            }
            registry::Output::Spread { token, acknowledged, of } => {
                self.outbox.push_back(Output::Spread { token, acknowledged, of });
            }
            registry::Output::Synced { from } => {
                self.join.told_all();
                self.tell_synced(from);
            }
            registry::Output::Disputed { known, status } => self.handle_disputed(known, status),
        }
    }
}

/// Decisions A10.
pub(super) fn elsewhere(place: &str) -> Status {
    Status::not_started(Code::AlreadyExists, format!("this identity runs elsewhere ({place})"))
}
