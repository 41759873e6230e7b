//! How does a node come to know everything?
//!
//! Over its first link: it asks for a sync, and the member at the other end answers with membership (to members) and
//! registry. Who joins while many do is told by the same member, for [`NEWCOMER_TIME`], of those who come after it:
//! gossip alone takes long to tell a thousand of a thousand. A visitor asks one member, its guide, to be told of changes too, and takes another when it loses it.

use super::Node;
use super::control::{After, Control};
use super::dials::{Goal, Why};
use super::input::{LinkId, Source};
use super::output::Output;
use crate::id::NodeId;
use crate::limits::{ALONE_TIME, CHUNK_MAX, JOINS_MAX, NEWCOMER_TIME};
use crate::membership::{Membership, on_grid};
use crate::registry::{self, Filter};
use crate::time::Time;
use crate::wire::Kind;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// How far joining has come.
#[derive(Debug)]
pub(super) struct Join {
    told: Told,
    /// The member that a visitor follows.
    guide: Option<NodeId>,
    /// Links of members that were told everything lately, and until when they are told who comes.
    newcomers: BTreeMap<LinkId, Time>,
    /// Who asked while membership was unsure, over which link, and is answered when it is sure again.
    waiting: BTreeMap<LinkId, (NodeId, Asked)>,
    /// Who came, and when newcomers are told.
    arrivals: Option<(Time, BTreeSet<NodeId>)>,
}

/// Records of what, and whether of changes too.
type Asked = (Filter, After);

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Told {
    /// Nobody has told everything since the start.
    Nothing { since: Time },
    /// There is nobody who could.
    Alone,
    /// Somebody has.
    All,
}

impl Join {
    pub(super) fn new(now: Time) -> Self {
        let told = Told::Nothing { since: now };
        Self {
            told,
            guide: None,
            newcomers: BTreeMap::new(),
            waiting: BTreeMap::new(),
            arrivals: None,
        }
    }

    /// A member is there: those who were told everything before have to hear of it.
    pub(super) fn note_arrival(&mut self, now: Time, node: NodeId) {
        self.newcomers.retain(|_, until| *until > now);
        if !self.newcomers.is_empty() {
            // A moment later, with others.
            let at = on_grid(now + Duration::from_nanos(1));
            self.arrivals.get_or_insert((at, BTreeSet::new())).1.insert(node);
        }
    }

    /// When newcomers are told of others.
    pub(super) fn arrivals_at(&self) -> Option<Time> {
        self.arrivals.as_ref().map(|(at, _)| *at)
    }

    /// This link is no more.
    pub(super) fn forget_newcomer(&mut self, link: LinkId) {
        self.newcomers.remove(&link);
        self.waiting.remove(&link);
    }

    pub(super) fn told_all(&mut self) {
        self.told = Told::All;
    }

    pub(super) fn has_all(&self) -> bool {
        matches!(self.told, Told::Alone | Told::All)
    }

    /// Whether the mesh has told this node what it knows, of the node itself too.
    pub(super) fn is_told(&self) -> bool {
        self.told == Told::All
    }

    pub(super) fn guide(&self) -> Option<NodeId> {
        self.guide
    }
}

impl Node {
    /// A link to this node is in use from now on: ask for what we lack.
    pub(super) fn join_over(&mut self, link: LinkId, node: NodeId) {
        let Some(Kind::Member) = self.peers.peer(&node).map(|peer| peer.about.kind) else { return };
        let (filter, after) = match self.config.me.kind {
            Kind::Member if self.join.told == Told::All && self.is_alive(&node) => return,
            Kind::Member => (Filter::All, After::Gossip),
            Kind::Visitor if self.join.guide.is_some_and(|guide| guide != node) => return,
            Kind::Visitor => {
                self.join.guide = Some(node);
                (self.config.interest.clone(), After::Follow)
            }
        };
        let mut bytes = Control::Sync { filter, after }.encode();
        if bytes.len() > CHUNK_MAX {
            // More services than can be named: then all of them.
            bytes = Control::Sync { filter: Filter::All, after }.encode();
        }
        // Who tells us of others can so tell others of us.
        if let Some(membership) = &self.membership {
            let myself = membership.dump_of(&BTreeSet::new());
            self.put_control(link, myself.iter().map(|frame| Control::Dump(frame)));
        }
        self.outbox.push_back(Output::Control { link, bytes });
    }

    /// A peer asks for everything: it waits while we do not know who is there ourselves.
    pub(super) fn handle_sync(&mut self, now: Time, link: LinkId, node: NodeId, asked: Asked) {
        if self.is_unsure() {
            self.join.waiting.insert(link, (node, asked));
        } else {
            self.answer_sync(now, link, node, asked);
        }
    }

    /// Answers those who had to wait.
    pub(super) fn answer_waiting(&mut self, now: Time) {
        if !self.is_unsure() {
            for (link, (node, asked)) in std::mem::take(&mut self.join.waiting) {
                self.answer_sync(now, link, node, asked);
            }
        }
    }

    fn is_unsure(&self) -> bool {
        self.membership.as_ref().is_some_and(Membership::is_unsure)
    }

    /// Membership goes first: without it the records that follow are of nobody.
    fn answer_sync(&mut self, now: Time, link: LinkId, node: NodeId, (filter, after): Asked) {
        let Some(kind) = self.peers.peer(&node).map(|peer| peer.about.kind) else { return };
        if let (Kind::Member, Some(membership)) = (kind, &self.membership) {
            let frames = membership.dump();
            self.put_control(link, frames.iter().map(|frame| Control::Dump(frame)));
            self.join.newcomers.insert(link, now + NEWCOMER_TIME);
        }
        let follow = after == After::Follow;
        self.tell_registry(now, registry::Input::SyncAsked { to: node, filter, follow });
    }

    /// Tells newcomers who came after they had asked.
    pub(super) fn tell_arrivals(&mut self, now: Time) {
        let Some((_, nodes)) = self.join.arrivals.take_if(|(at, _)| *at <= now) else { return };
        let Some(membership) = &self.membership else { return };
        let frames = membership.dump_of(&nodes);
        let links: Vec<LinkId> = self.join.newcomers.keys().copied().collect();
        for link in links {
            self.put_control(link, frames.iter().map(|frame| Control::Arrivals(frame)));
        }
    }

    fn put_control<'a>(&mut self, link: LinkId, all: impl Iterator<Item = Control<'a>>) {
        let outputs = all.map(|control| Output::Control { link, bytes: control.encode() });
        self.outbox.extend(outputs);
    }

    /// The link to this node is gone. If it was the guide, another is asked, or looked for.
    pub(super) fn lose_guide(&mut self, now: Time, node: NodeId) {
        if self.join.guide != Some(node) {
            return;
        }
        self.join.guide = None;
        let linked = self.peers.routes().find(|(peer, _)| peer.about.kind == Kind::Member);
        if let Some((other, link)) = linked.map(|(peer, link)| (peer.about.id, link)) {
            return self.join_over(link, other);
        }
        self.dials.hurry(now);
        for other in self.show.some_alive(JOINS_MAX, &node) {
            self.dials.plan(Goal::Node(other), Why::Suggested(Source::Gossip), Vec::new(), now);
        }
    }

    /// When it will be known whether we are alone.
    pub(super) fn alone_at(&self) -> Option<Time> {
        match self.join.told {
            Told::Nothing { since } if self.is_unanswered() => Some(since + ALONE_TIME),
            Told::Nothing { .. } | Told::Alone | Told::All => None,
        }
    }

    /// Nobody was suggested, or nobody suggested answered: then nobody is all there is to know.
    pub(super) fn settle_alone(&mut self, now: Time) {
        if self.alone_at().is_some_and(|at| at <= now) {
            self.join.told = Told::Alone;
            self.tell_registry(now, registry::Input::Alone);
        }
    }

    fn is_unanswered(&self) -> bool {
        !self.peers.has_links() && !self.dials.has_untried()
    }
}
