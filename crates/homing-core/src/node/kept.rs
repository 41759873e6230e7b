//! Whom does the program want to be linked with, whom does it keep, and whom not?
//!
//! A kept link does not end when it is idle, and is dialled again when it breaks, by each side that keeps it. Who is kept
//! is said over the link, so that the other side does not close it either.

use super::Node;
use super::dials::{Goal, Why};
use super::input::{ConnectId, Wish};
use super::leave::Phase;
use super::output::{NotConnected, Output};
use crate::addr::TransportAddr;
use crate::id::NodeId;
use crate::limits::{ADDRESSES_MAX, CONNECTS_MAX, KEPT_MAX, LINKS_MAX};
use crate::talk::{Code, Status};
use crate::time::Time;

impl Node {
    /// Somebody here wants the link to this node to stay, or no longer does.
    pub(super) fn keep(&mut self, now: Time, node: NodeId, wish: Wish) {
        if node == self.config.me.id {
            return;
        }
        self.peers.keep(node, wish);
        if wish == Wish::Release {
            self.dials.release(node);
        }
        match self.peers.route(&node) {
            Some(link) => self.tell_wish(link, wish),
            None => self.dial_if_kept(now, node),
        }
    }

    /// Somebody here wants a link to whoever is at one of these addresses.
    pub(super) fn connect(
        &mut self,
        now: Time,
        connect: ConnectId,
        mut addresses: Vec<TransportAddr>,
    ) {
        addresses.truncate(ADDRESSES_MAX);
        if let Err(status) = self.may_connect(&addresses) {
            return self.answer_connect(connect, Err(NotConnected::Refused(status)));
        }
        if let Some(node) = self.peers.dialled_at(&addresses) {
            return self.keep_connected(now, connect, node, None);
        }
        self.dials.plan(Goal::Given(connect), Why::Asked, addresses, now);
    }

    /// Somebody here wants no link to this node.
    pub(super) fn disconnect(&mut self, now: Time, node: NodeId) {
        self.keep(now, node, Wish::Release);
        for link in self.peers.links_of(&node) {
            self.close(link, Code::Ok, "the program at the other end disconnected");
        }
    }

    /// Dials every kept node that has no link.
    pub(super) fn dial_kept(&mut self, now: Time) {
        let kept: Vec<_> = self.peers.kept().collect();
        for node in kept {
            self.dial_if_kept(now, node);
        }
    }

    /// A node is there that may be kept and have no link.
    pub(super) fn dial_if_kept(&mut self, now: Time, node: NodeId) {
        if self.peers.is_kept(&node) && self.peers.route(&node).is_none() {
            self.dial_again(now, node);
        }
    }

    /// A plan is not worth it.
    pub(super) fn give_up(&mut self, goal: &Goal) {
        self.dials.forget(goal);
        if let Some(connect) = goal.connect() {
            let status = self.no_room();
            self.answer_connect(connect, Err(NotConnected::Refused(status)));
        }
    }

    pub(super) fn answer_connect(
        &mut self,
        connect: ConnectId,
        outcome: Result<NodeId, NotConnected>,
    ) {
        self.outbox.push_back(Output::Connected { connect, outcome });
    }

    /// A node was reached, at that place; it is kept, unless too many are by now.
    pub(super) fn keep_connected(
        &mut self,
        now: Time,
        connect: ConnectId,
        node: NodeId,
        place: Option<TransportAddr>,
    ) {
        self.keep(now, node, Wish::Keep);
        self.peers.note_place(&node, place);
        let full = || NotConnected::Refused(too_many_kept());
        let outcome = if self.peers.is_kept(&node) { Ok(node) } else { Err(full()) };
        self.answer_connect(connect, outcome);
    }

    /// The answers to wishes to connect of a life that ends.
    pub(super) fn unconnected(&self) -> Vec<Output> {
        let status = Status::not_started(Code::Aborted, "this node begins a later life: try again");
        let connects = self.dials.connects();
        let refused = |connect| {
            let outcome = Err(NotConnected::Refused(status.clone()));
            Output::Connected { connect, outcome }
        };
        connects.map(refused).collect()
    }

    fn may_connect(&self, addresses: &[TransportAddr]) -> Result<(), Status> {
        if self.phase != Phase::Running || !self.peers.has_room() {
            return Err(self.no_room());
        }
        if addresses.is_empty() {
            let why = "there is no address to connect to";
            return Err(Status::not_started(Code::InvalidArgument, why));
        }
        if !self.peers.may_keep() {
            return Err(too_many_kept());
        }
        if self.dials.connects().count() >= CONNECTS_MAX {
            let why = format!("{CONNECTS_MAX} addresses are being dialled (CONNECTS_MAX)");
            return Err(Status::not_started(Code::ResourceExhausted, why));
        }
        Ok(())
    }

    fn no_room(&self) -> Status {
        if self.phase != Phase::Running {
            return Status::not_started(Code::FailedPrecondition, "this node is leaving");
        }
        let why = format!("this node has {LINKS_MAX} links already (LINKS_MAX)");
        Status::not_started(Code::ResourceExhausted, why)
    }

    fn dial_again(&mut self, now: Time, node: NodeId) {
        self.dials.plan(Goal::Node(node), Why::Kept, self.peers.kept_at(&node), now);
    }
}

fn too_many_kept() -> Status {
    let why = format!("this node keeps {KEPT_MAX} others already (KEPT_MAX)");
    Status::not_started(Code::ResourceExhausted, why)
}
