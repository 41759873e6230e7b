//! Who is suspected, who is asked again, and who is called back?

use super::codec::Codec;
use super::hearing::Hearings;
use super::identity::Identity;
use super::rollcall::Silent;
use super::sink::Sink;
use super::watch::Act;
use super::{Membership, Output, codec, config};
use crate::id::NodeId;
use crate::limits::{GONE_TIME, ROLL_MAX, SUSPICION};
use crate::time::Time;
use foca::{Foca, Header, Member, Message, OwnedNotification, State, Timer};
use std::collections::BTreeSet;

impl Membership {
    /// Speaks to two of those held gone. After a cut that ended, each side so learns that the other gave it up, takes
    /// a new name and is back.
    pub(super) fn call_the_gone(&mut self) {
        let gone = self.roster.gone().count();
        for nth in [self.rng.index(gone), self.rng.index(gone)] {
            let member = self.roster.gone().nth(nth).cloned();
            if let Some(member) = member {
                self.run(|foca, sink| foca.announce(member, sink));
            }
        }
    }

    /// Asks everybody, at most [`ROLL_MAX`], for a sign of life.
    pub(super) fn call_the_roll(&mut self, now: Time) {
        let all: BTreeSet<NodeId> = self.roster.alive().map(|member| member.id).collect();
        let skipped = self.rng.index(all.len().saturating_sub(ROLL_MAX) + 1);
        let called: BTreeSet<NodeId> = all.into_iter().skip(skipped).take(ROLL_MAX).collect();
        for node in &called {
            self.ask(*node);
        }
        self.roll.begin(now, called);
    }

    pub(super) fn follow_roll(&mut self, silent: Silent) {
        match silent {
            Silent::Ask(nodes) => nodes.into_iter().for_each(|node| self.ask(node)),
            Silent::Doubt(nodes) => nodes.into_iter().for_each(|node| self.doubt(node)),
        }
    }

    /// Whom we watch: nobody while there is one other member, whom foca's own probe always meets.
    pub(super) fn neighbour(&self) -> Option<NodeId> {
        self.roster.neighbour(&self.me().id).filter(|_| self.foca.num_members() > 1)
    }

    pub(super) fn follow(&mut self, act: Option<Act>) {
        match act {
            Some(Act::Ask(node)) => self.ask(node),
            Some(Act::Doubt(node)) => {
                self.doubt(node);
                self.ask(node);
            }
            None => {}
        }
    }

    /// Suspects a member as foca does after a failed probe: unless it refutes, it is gone after [`SUSPICION`]. Whom
    /// another suspected already, or we under our last name, is so too: nobody else may be left to hold it gone.
    pub(super) fn doubt(&mut self, node: NodeId) {
        let Some(member) = self.member(node) else { return };
        let suspect = Member::new(member.id().clone(), member.incarnation(), State::Suspect);
        let timer = Timer::ChangeSuspectToDown {
            member_id: member.id().clone(),
            incarnation: member.incarnation(),
            token: self.sink.token,
        };
        if self.timers.holds(&timer) {
            return;
        }
        self.sink.timers.push((SUSPICION, timer));
        self.run(|foca, sink| foca.apply_many([suspect].into_iter(), true, sink));
    }

    /// Tells those whom we suspect that we do, so that they can refute it.
    pub(super) fn tell_suspects(&mut self, now: Time) {
        for node in self.watch.hearings.due(now) {
            let is_suspect = self.member(node).is_some_and(|one| one.state() == State::Suspect);
            if is_suspect { self.ask(node) } else { self.watch.hearings.end(&node) }
        }
    }

    /// Pings a member. A suspect is told that it is one, so that its answer refutes it.
    fn ask(&mut self, node: NodeId) {
        let Some(member) = self.member(node) else { return };
        let (src, dst) = (self.me().clone(), member.id().clone());
        let mut bytes = Vec::with_capacity(128);
        codec::put_header(
            &mut bytes,
            &Header { src, src_incarnation: 0, dst: dst.clone(), message: Message::Ping(0) },
        );
        if member.state() == State::Suspect {
            codec::put_members(&mut bytes, &[member]);
        }
        self.outbox.push_back(Output::Send { to: dst, bytes });
    }

    /// Whether not one of the others is to blame for a silence, for nobody at all was heard.
    pub(super) fn is_cut_off(&self, now: Time) -> bool {
        now.since(self.heard) >= SUSPICION && !self.me().has_left()
    }

    /// Holds everybody gone, tells nobody so, and takes a new name. What a node concludes while it is cut off says
    /// nothing of the others: told to them later it would throw healthy members out. Under the new name it is taken
    /// back as soon as it is heard. Who said goodbye is no conclusion, and stays gone: somebody who slept through it
    /// would bring it back.
    pub(super) fn begin_anew(&mut self, now: Time) {
        let Some(me) = self.me().renewed() else { return };
        let known = self.foca.iter_membership_state();
        let left: Vec<_> = known.filter(|member| member.id().has_left()).cloned().collect();
        self.foca = Foca::new(me, config(), self.rng.split(), Codec);
        self.sink = Sink::default();
        self.timers.keep_the_gone();
        self.watch.forgive();
        self.watch.hearings = Hearings::default();
        self.knock = None;
        let lost: Vec<_> = self.roster.alive().cloned().collect();
        for member in lost {
            self.timers.add(now, GONE_TIME, Timer::RemoveDown(member.clone()));
            self.sink.notes.push(OwnedNotification::MemberDown(member));
        }
        self.run(|foca, sink| foca.apply_many(left.into_iter(), false, sink));
        self.settle(now);
    }

    /// Tells who speaks under an epoch that is over who has its id now (decisions A10): foca would only call it gone.
    pub(super) fn answer_a_past_life(&mut self, src: &Identity) {
        let Some(now) = self.member(src.id).filter(|now| now.id().epoch > src.epoch) else {
            return;
        };
        let header = Header {
            src: self.me().clone(),
            src_incarnation: 0,
            dst: src.clone(),
            message: Message::Gossip,
        };
        let mut bytes = Vec::with_capacity(128);
        codec::put_header(&mut bytes, &header);
        codec::put_members(&mut bytes, &[now]);
        self.outbox.push_back(Output::Send { to: src.clone(), bytes });
    }

    /// Whether a suspicion has no object any more. foca would tell the healthy member that it is gone.
    pub(super) fn is_refuted(&self, timer: &Timer<Identity>) -> bool {
        let Timer::ChangeSuspectToDown { member_id, incarnation, .. } = timer else { return false };
        let stands = |member: &Member<Identity>| {
            member.id() == member_id
                && member.incarnation() == *incarnation
                && member.state() == State::Suspect
        };
        !self.foca.iter_members().any(stands)
    }

    fn member(&self, node: NodeId) -> Option<Member<Identity>> {
        self.foca.iter_members().find(|member| member.id().id == node).cloned()
    }
}
