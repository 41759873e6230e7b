//! What follows when a link rises, speaks, rests or falls?

use super::Node;
use super::control::Control;
use super::dials::{Goal, UnderWay, Why};
use super::input::{DialId, Dialler, LinkId, Source, Wish};
use super::leave::Phase;
use super::output::{Direction, NodeEvent, NotConnected, Output};
use super::pair::Contender;
use super::peers::{End, NewLink};
use super::voices::elsewhere;
use crate::addr::TransportAddr;
use crate::id::{Epoch, NodeId};
use crate::limits::{LINKS_MAX, SCOUT_SLOW};
use crate::membership;
use crate::registry::{self, Reach, Via};
use crate::talk::{Code, Status};
use crate::time::Time;
use crate::wire::{DialClaim, Kind, LinkName, Peer as About};

impl Node {
    pub(super) fn handle_established(
        &mut self,
        now: Time,
        link: LinkId,
        dialler: Dialler,
        (about, address): (About, Option<TransportAddr>),
    ) {
        let ours = match dialler {
            Dialler::Us(dial) => match self.end_dial(now, dial, about.id) {
                Some(ours) => Some(ours),
                None => return self.close(link, Code::Aborted, "this dial was given up"),
            },
            Dialler::Them(_) => None,
        };
        let connect = ours.as_ref().and_then(|ours| ours.goal.connect());
        if let Some(status) = self.unfit(&about, address.as_ref()) {
            if let Some(connect) = connect {
                self.answer_connect(connect, Err(NotConnected::Refused(status.clone())));
            }
            // Who calls somebody that leaves, and does not know, is told that nothing ran if the link drains, and not if it is
            // closed.
            let output = if self.phase == Phase::Running {
                Output::Close { link, status }
            } else {
                Output::Drain { link }
            };
            return self.outbox.push_back(output);
        }
        let node = about.id;
        let place = address.clone();
        let end = |direction, epoch| End { direction, epoch, address, since: now };
        let new = self.new_link(link, &about, (dialler, ours), end);
        self.tell_later_life(link, &about);
        self.take_link(now, about, new);
        if let Some(connect) = connect {
            self.keep_connected(now, connect, node, place);
        }
    }

    pub(super) fn handle_lost(&mut self, now: Time, link: LinkId, status: &Status) {
        let Some(lost) = self.peers.lost(link) else { return };
        self.join.forget_newcomer(link);
        let node = lost.node;
        let why = status.to_string();
        self.outbox.push_back(Output::Event(NodeEvent::LinkDown { node, link, why }));
        if !lost.was_route {
            return;
        }
        self.outbox.push_back(Output::Route { node, link: None });
        self.tell_registry(now, registry::Input::LinkDown { node });
        let broke = status.code != Code::Ok;
        if broke {
            self.tell_registry(now, registry::Input::Reached { node, reach: Reach::Unreachable });
        }
        if self.phase == Phase::Running && lost.kind == Kind::Member {
            if self.peers.is_kept(&node) {
                self.dials.plan(Goal::Node(node), Why::Kept, self.peers.kept_at(&node), now);
            } else if broke && (self.is_alive(&node) || self.membership.is_none()) {
                self.dials.plan(Goal::Node(node), Why::Broken, Vec::new(), now);
            }
        }
        self.lose_guide(now, node);
    }

    pub(super) fn handle_control(&mut self, now: Time, link: LinkId, bytes: &[u8]) {
        let Some(peer) = self.peers.at(link) else { return };
        let (node, kind) = (peer.about.id, peer.about.kind);
        match Control::decode(bytes) {
            Ok(Control::Sync { filter, after }) => {
                self.handle_sync(now, link, node, (filter, after));
            }
            Ok(Control::Dump(frame)) if kind == Kind::Member && self.join.has_all() => {
                self.learn(now, membership::Input::Apply(frame));
            }
            // Who is new here is told what others know, and has nothing to tell them.
            Ok(Control::Dump(frame) | Control::Arrivals(frame)) if kind == Kind::Member => {
                self.learn(now, membership::Input::Learn(frame));
            }
            Ok(Control::Registry(bytes)) => {
                self.tell_registry(
                    now,
                    registry::Input::Message { from: node, via: Via::Link, bytes },
                );
            }
            Ok(Control::Goodbye) => self.handle_goodbye(now, link, node),
            Ok(Control::Keep(wish)) => peer.wish = wish,
            Ok(Control::Later(later)) if kind == Kind::Member => self.handle_later(later),
            Ok(Control::Dump(_) | Control::Arrivals(_) | Control::Later(_)) | Err(_) => {
                self.sealer.stats.bad_control += 1;
            }
        }
    }

    /// Takes in a frame of a dump. The registry takes records only of those whom membership counts: it must hear of
    /// them first.
    fn learn(&mut self, now: Time, frame: membership::Input<'_>) {
        self.tell_membership(now, frame);
        self.listen(now);
    }

    /// What a life said before it ended may arrive when the next one is there.
    fn handle_goodbye(&mut self, now: Time, link: LinkId, node: NodeId) {
        if self.peers.epoch_on(link) >= self.registry.epoch_of(&node) {
            self.departed(now, node);
        }
    }

    /// Closes an idle link unless somebody at either end wants it.
    pub(super) fn handle_idle(&mut self, link: LinkId) {
        let Some(peer) = self.peers.at(link) else { return };
        let (node, wish) = (peer.about.id, peer.wish);
        let follows = peer.about.kind == Kind::Visitor;
        let is_wanted = wish == Wish::Keep
            || follows
            || self.peers.is_kept(&node)
            || self.join.guide() == Some(node);
        if !is_wanted {
            self.close(link, Code::Ok, "idle");
        }
    }

    pub(super) fn tell_wish(&mut self, link: LinkId, wish: Wish) {
        self.outbox.push_back(Output::Control { link, bytes: Control::Keep(wish).encode() });
    }

    /// Why a link whose handshake is complete is closed again.
    fn unfit(&mut self, about: &About, address: Option<&TransportAddr>) -> Option<Status> {
        if about.id == self.config.me.id {
            if about.epoch > self.config.me.epoch {
                let place = address.map_or_else(|| "unknown address".into(), ToString::to_string);
                self.fatal(elsewhere(&place));
            }
            let why = "this is a link to ourselves";
            return Some(Status::new(Code::FailedPrecondition, why));
        }
        if self.phase != Phase::Running {
            return Some(Status::new(Code::Unavailable, "this node is leaving"));
        }
        if !self.peers.has_room() {
            self.sealer.stats.links_refused += 1;
            let why = format!("this node has {LINKS_MAX} links already");
            return Some(Status::new(Code::ResourceExhausted, why));
        }
        None
    }

    /// What a dial of ours was about; its plan is fulfilled.
    fn end_dial(&mut self, now: Time, dial: DialId, node: NodeId) -> Option<UnderWay> {
        let ours = self.dials.end(dial)?;
        if node == self.config.me.id {
            self.dials.forget(&ours.goal);
        } else {
            self.dials.reached(ours.goal.clone(), node, now + SCOUT_SLOW);
        }
        Some(ours)
    }

    fn new_link(
        &self,
        link: LinkId,
        about: &About,
        (dialler, ours): (Dialler, Option<UnderWay>),
        end: impl FnOnce(Direction, Epoch) -> End,
    ) -> NewLink {
        let me = &self.config.me;
        let claim = match (dialler, &ours) {
            (Dialler::Them(claim), _) => claim,
            (Dialler::Us(_), Some(ours)) => ours.claim,
            (Dialler::Us(dial), None) => DialClaim { number: dial.0, dead: None },
        };
        let (direction, by) = match dialler {
            Dialler::Us(_) => (Direction::Dialled, (me.id, me.epoch)),
            Dialler::Them(_) => (Direction::Accepted, (about.id, about.epoch)),
        };
        let found = ours.map_or(Source::Itself, |ours| match ours.why {
            Why::Suggested(source) => source,
            Why::Seed(_) => Source::Seed,
            Why::Asked => Source::Manual,
            Why::Wanted(_) | Why::Broken | Why::Kept => Source::Gossip,
        });
        let name = LinkName { dialler: by.0, epoch: by.1, number: claim.number };
        let contender = Contender { link, name, dead: claim.dead, peer_epoch: about.epoch };
        NewLink { contender, end: end(direction, about.epoch), found }
    }

    fn take_link(&mut self, now: Time, about: About, new: NewLink) {
        let (node, link) = (about.id, new.contender.link);
        let before = self.peers.route(&node);
        let decision = self.peers.established(about, new);
        self.outbox.push_back(Output::Event(NodeEvent::LinkUp { node, link }));
        self.outbox.extend(decision.drain.map(|link| Output::Drain { link }));
        if let Some(link) = decision.close {
            self.close(link, Code::Aborted, "too many links between two nodes");
        }
        let route = self.peers.route(&node);
        if route == before {
            return;
        }
        self.outbox.push_back(Output::Route { node, link: route });
        self.dials.forget(&Goal::Node(node));
        self.tell_registry(now, registry::Input::Linked(node));
        self.tell_registry(now, registry::Input::Reached { node, reach: Reach::Reachable });
        if self.peers.is_kept(&node) {
            self.tell_wish(link, Wish::Keep);
        }
        self.join_over(link, node);
    }

    pub(super) fn close(&mut self, link: LinkId, code: Code, why: &str) {
        self.outbox.push_back(Output::Close { link, status: Status::new(code, why) });
    }
}
