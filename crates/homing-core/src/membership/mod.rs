//! Who belongs to the mesh, and is it there? SWIM with suspicion, by the `foca` crate, with time and chance from outside.
//!
//! ```text
//! Packet, Apply, Leave ─→ Membership ─→ Send (a datagram's body), Up, Down, Left
//! ```
//! The identity of a member is its node id, so an address that another node took over is no conflict (decisions A9).
//! Who goes down under its last name has left and did not fail. Beside foca's random probes each member watches its
//! neighbour: `watch.rs` says why.

pub(crate) mod brief;
pub(crate) mod codec;
mod hearing;
mod identity;
mod rollcall;
mod roster;
mod sink;
mod suspect;
mod timers;
mod watch;

#[cfg(test)]
mod tests;

pub use identity::Identity;
pub use roster::Presence;

use crate::id::{Epoch, NodeId};
use crate::limits::{
    BODY_MAX, DUMP_PER_FRAME, GONE_TIME, GOSSIP_BURST, GOSSIP_COPIES, GOSSIP_FANOUT, GOSSIP_PERIOD,
    INDIRECT_PROBES, NODES_MAX, PROBE_PERIOD, PROBE_RTT, REVIVE_PERIOD, ROSTER_PERIOD, SUSPICION,
    TOLD_AT_ONCE,
};
use crate::rng::Rng;
use crate::time::Time;
use crate::wire::codec::Reader;
use codec::Codec;
use foca::{
    Config, Foca, Member, Message, NoCustomBroadcast, OwnedNotification, PeriodicParams, State,
    Timer,
};
use rollcall::RollCall;
use roster::Roster;
use sink::Sink;
use std::collections::{BTreeSet, VecDeque};
use std::num::{NonZeroU8, NonZeroUsize};
use std::time::Duration;
use timers::Timers;
pub(crate) use timers::on_grid;
use watch::Watch;

/// What membership is told.
#[derive(Debug)]
pub enum Input<'a> {
    /// The body of a datagram of membership, from whoever could seal it.
    Packet(&'a [u8]),
    /// One frame of another member's [`dump`](Membership::dump), over a link.
    Apply(&'a [u8]),
    /// The same, of which others are told by who sent it: it is not passed on.
    Learn(&'a [u8]),
    /// A member that is reached over a link: tell it that we are here.
    Announce(Identity),
    /// Where our own datagrams are received has changed.
    Moved(Identity),
    /// A link to this member broke and could not be dialled again: suspect it now.
    Doubt(NodeId),
    /// This process stood still for so long.
    Stalled(Duration),
    /// Say goodbye. After that only [`Output::Send`] comes.
    Leave,
}

/// What membership wants or tells.
#[derive(Debug)]
pub enum Output {
    /// Send this body to that member.
    Send {
        /// The member, with its addresses.
        to: Identity,
        /// At most [`BODY_MAX`] bytes.
        bytes: Vec<u8>,
    },
    /// A member is there: it came, came back, or began a new life.
    Up(Identity),
    /// A member does not answer; it did not say goodbye.
    Down(Identity),
    /// A member said goodbye.
    Left(Identity),
    /// Somebody lives under our id, with a higher epoch.
    Elsewhere(Identity),
}

/// What happened so far, for people.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Stats {
    /// Packets and dumps that were malformed or made no sense.
    pub refused: u64,
    /// Packets and members not taken in because [`NODES_MAX`] are known.
    pub over_limit: u64,
    /// Times that we were declared gone and came back.
    pub rejoined: u64,
}

/// The machine. One per member; visitors have none (decisions A8).
pub struct Membership {
    foca: Foca<Identity, Codec, Rng, NoCustomBroadcast>,
    sink: Sink,
    timers: Timers,
    roster: Roster,
    watch: Watch,
    roll: RollCall,
    /// When anybody was heard last.
    heard: Time,
    /// When to say our new name again; until somebody called us by it.
    knock: Option<Time>,
    /// When to speak to those held gone.
    revive: Option<Time>,
    rng: Rng,
    stats: Stats,
    outbox: VecDeque<Output>,
}

impl Membership {
    /// A member that knows nobody yet.
    pub fn new(me: Identity, mut rng: Rng) -> Self {
        Self {
            foca: Foca::new(me, config(), rng.split(), Codec),
            sink: Sink::default(),
            timers: Timers::default(),
            roster: Roster::default(),
            watch: Watch::default(),
            roll: RollCall::default(),
            heard: Time::ZERO,
            knock: None,
            revive: None,
            rng,
            stats: Stats::default(),
            outbox: VecDeque::new(),
        }
    }

    /// Takes in what happened.
    pub fn handle_input(&mut self, now: Time, input: Input<'_>) {
        match input {
            Input::Packet(bytes) => self.handle_packet(now, bytes),
            Input::Apply(bytes) => self.handle_dump(bytes, true),
            Input::Learn(bytes) => self.handle_dump(bytes, false),
            Input::Announce(to) => self.run(|foca, sink| foca.announce(to, sink)),
            Input::Moved(me) => self.handle_moved(now, me),
            Input::Doubt(node) => self.doubt(node),
            Input::Stalled(span) => self.handle_stall(now, span),
            Input::Leave => self.handle_leave(),
        }
        self.settle(now);
    }

    /// The next thing to do or to know.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outbox.pop_front()
    }

    /// Runs the timers that are due.
    pub fn handle_timeout(&mut self, now: Time) {
        if self.knock.is_some_and(|at| at <= now) {
            self.knock = Some(now + GOSSIP_PERIOD).filter(|_| self.foca.num_members() > 0);
            self.run(|foca, sink| foca.gossip(sink));
            self.settle(now);
        }
        if self.revive.is_some_and(|at| at <= now) {
            let some = self.roster.gone().next().is_some();
            self.revive = some.then(|| on_grid(now + REVIVE_PERIOD));
            self.call_the_gone();
            self.settle(now);
        }
        if let Some(silent) = self.roll.handle_timeout(now) {
            self.follow_roll(silent);
            self.settle(now);
        }
        self.tell_suspects(now);
        while let Some(timer) = self.timers.pop(now) {
            if let Timer::ChangeSuspectToDown { member_id, .. } = &timer {
                self.watch.hearings.end(&member_id.id);
            }
            if self.is_refuted(&timer) {
                continue;
            }
            if matches!(timer, Timer::ChangeSuspectToDown { .. }) && self.is_cut_off(now) {
                self.begin_anew(now);
                continue;
            }
            if let Timer::RemoveDown(member) = &timer {
                self.roster.forget(member);
            }
            let act = match &timer {
                Timer::ProbeRandomMember(_) => self.watch.period(self.neighbour()),
                Timer::SendIndirectProbe { .. } => self.watch.again(),
                _ => None,
            };
            let rounds = match &timer {
                Timer::PeriodicGossip(_) => {
                    (self.foca.updates_backlog() / TOLD_AT_ONCE).min(GOSSIP_BURST)
                }
                _ => 0,
            };
            self.run(|foca, sink| foca.handle_timer(timer, sink));
            // Where much waits to be told, as after a cut, one round at a time would take as long as the cut.
            for _ in 0..rounds {
                self.run(|foca, sink| foca.gossip(sink));
            }
            self.follow(act);
            self.settle(now);
        }
    }

    /// When to call [`handle_timeout`](Self::handle_timeout) next.
    pub fn poll_timeout(&self) -> Option<Time> {
        self.timers
            .next()
            .into_iter()
            .chain(self.knock)
            .chain(self.revive)
            .chain(self.roll.poll_timeout())
            .chain(self.watch.hearings.poll_timeout())
            .min()
    }

    /// How we are known at present.
    pub fn me(&self) -> &Identity {
        self.foca.identity()
    }

    /// What is known of a node.
    pub fn presence(&self, node: &NodeId) -> Option<&Presence> {
        self.roster.presence(node)
    }

    /// The members that are there, ourselves left out, in the order of their ids.
    pub fn alive(&self) -> impl Iterator<Item = &Identity> {
        self.roster.alive()
    }

    /// What happened so far.
    pub fn stats(&self) -> Stats {
        self.stats
    }

    /// Whether what is known of the others may be old: this process stood still, and asks who is there. Until that is
    /// known nobody should be told of them: a newcomer would take the dead for the living.
    pub fn is_unsure(&self) -> bool {
        self.roll.is_under_way()
    }

    /// All that is known, ourselves included, in frames for [`Input::Apply`] of another member.
    pub fn dump(&self) -> Vec<Vec<u8>> {
        self.frames(|_| true)
    }

    /// What is known of these, and ourselves, in the same form.
    pub fn dump_of(&self, nodes: &BTreeSet<NodeId>) -> Vec<Vec<u8>> {
        self.frames(|member| nodes.contains(&member.id().id))
    }

    fn frames(&self, wanted: impl Fn(&Member<Identity>) -> bool) -> Vec<Vec<u8>> {
        let me = self.me().id;
        let known = self.foca.iter_membership_state();
        let others = known.filter(|member| member.id().id != me && wanted(member));
        let mut members: Vec<_> = others.cloned().collect();
        members.push(Member::alive(self.me().clone()));
        let frame = |chunk: &[Member<Identity>]| {
            let mut out = Vec::new();
            codec::put_members(&mut out, chunk);
            out
        };
        members.chunks(DUMP_PER_FRAME).map(frame).collect()
    }

    fn handle_packet(&mut self, now: Time, bytes: &[u8]) {
        let mut reader = Reader::new(bytes);
        let Ok(header) = codec::read_header(&mut reader) else {
            self.stats.refused += 1;
            return;
        };
        // Nothing follows in the shortest packets; what is malformed foca will refuse.
        let members = codec::read_members(&mut reader).unwrap_or_default();
        let named = members.iter().map(Member::id).chain([&header.src]);
        if self.is_full() && !self.roster.knows_all(named) {
            self.stats.over_limit += 1;
            return;
        }
        self.meet_myself(&members);
        self.answer_a_past_life(&header.src);
        self.watch.heard(header.src.id);
        self.roll.heard(&header.src.id);
        self.heard = now;
        if matches!(header.message, Message::Ack(_)) && self.foca.num_members() < 2 {
            self.timers.probe_answered(&header.src);
        }
        if matches!(header.message, Message::Announce) && self.is_unsure() {
            return;
        }
        self.run(|foca, sink| foca.handle_data(bytes, sink));
    }

    fn handle_dump(&mut self, bytes: &[u8], passes_on: bool) {
        let Ok(mut members) = codec::read_members(&mut Reader::new(bytes)) else {
            self.stats.refused += 1;
            return;
        };
        let told = members.len();
        if self.is_full() {
            members.retain(|member| self.roster.knows_all([member.id()]));
        }
        self.stats.over_limit += (told - members.len()) as u64;
        self.meet_myself(&members);
        self.run(|foca, sink| foca.apply_many(members.into_iter(), passes_on, sink));
    }

    fn is_full(&self) -> bool {
        self.foca.iter_membership_state().len() >= NODES_MAX
    }

    /// A higher epoch of ourselves is another process with our key (decisions A10).
    fn meet_myself(&mut self, members: &[Member<Identity>]) {
        let me = self.me();
        let other = |member: &&Member<Identity>| {
            member.id().id == me.id && member.id().epoch > me.epoch && member.state() != State::Down
        };
        if let Some(member) = members.iter().find(other) {
            let other = member.id().clone();
            self.outbox.push_back(Output::Elsewhere(other));
        }
    }

    fn handle_moved(&mut self, now: Time, me: Identity) {
        let Some(next) = self.me().renewed() else { return };
        if me.udp != self.me().udp {
            let next = Identity { udp: me.udp, ..next };
            self.run(|foca, sink| foca.change_identity(next, sink));
            self.knock = Some(now + GOSSIP_PERIOD);
        }
    }

    fn handle_stall(&mut self, now: Time, span: Duration) {
        self.heard = now;
        self.timers.delay_suspicions(span);
        self.watch.forgive();
        if span >= SUSPICION {
            // Whoever gave us up meanwhile says so when we speak, and we come back at once.
            let some: Vec<_> = self.roster.alive().take(GOSSIP_FANOUT).cloned().collect();
            for member in some {
                self.run(|foca, sink| foca.announce(member, sink));
            }
            self.call_the_roll(now);
        }
    }

    fn handle_leave(&mut self) {
        let last = self.me().leaving();
        self.run(|foca, sink| foca.change_identity(last, sink));
        self.run(|foca, sink| foca.leave_cluster(sink));
        self.run(|foca, sink| foca.gossip(sink));
    }

    /// Lets foca act. Its errors are bad input, which it did not take in.
    fn run(
        &mut self,
        act: impl FnOnce(
            &mut Foca<Identity, Codec, Rng, NoCustomBroadcast>,
            &mut Sink,
        ) -> Result<(), foca::Error>,
    ) {
        self.stats.refused += u64::from(act(&mut self.foca, &mut self.sink).is_err());
    }

    /// Carries out what foca asked for.
    fn settle(&mut self, now: Time) {
        for (after, timer) in std::mem::take(&mut self.sink.timers) {
            match timer {
                Timer::PeriodicGossip(_) if self.foca.updates_backlog() == 0 => {
                    self.timers.park(timer);
                }
                _ => {
                    if let Timer::ChangeSuspectToDown { member_id, .. } = &timer {
                        self.watch.hearings.begin(now, member_id.id);
                    }
                    self.timers.add(now, after, timer);
                }
            }
        }
        self.tell_suspects(now);
        let me = self.me().id;
        for (to, bytes) in std::mem::take(&mut self.sink.sends) {
            if to.id != me {
                self.outbox.push_back(Output::Send { to, bytes });
            }
        }
        for note in std::mem::take(&mut self.sink.notes) {
            match note {
                OwnedNotification::Rejoin(_) => {
                    self.stats.rejoined += 1;
                    self.knock = Some(now + GOSSIP_PERIOD);
                }
                OwnedNotification::Active | OwnedNotification::Defunct => self.knock = None,
                _ => {}
            }
            let told = self.roster.note(note);
            if matches!(told, Some(Output::Down(_))) {
                self.revive = self.revive.or(Some(on_grid(now + REVIVE_PERIOD)));
            }
            self.outbox.extend(told);
        }
        if self.foca.updates_backlog() > 0 {
            self.timers.wake(now);
        }
    }
}

impl std::fmt::Debug for Membership {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Membership")
            .field("me", self.me())
            .field("stats", &self.stats)
            .finish_non_exhaustive()
    }
}

/// The timings measured at 1,000 nodes (decisions C6).
fn config() -> Config {
    let members = |count| NonZeroUsize::new(count).expect("a constant above zero");
    let every = |frequency, count| Some(PeriodicParams { frequency, num_members: members(count) });
    Config {
        probe_period: PROBE_PERIOD,
        probe_rtt: PROBE_RTT,
        num_indirect_probes: members(INDIRECT_PROBES),
        max_transmissions: NonZeroU8::new(GOSSIP_COPIES).expect("a constant above zero"),
        suspect_to_down_after: SUSPICION,
        remove_down_after: Some(GONE_TIME),
        max_packet_size: members(BODY_MAX),
        notify_down_members: true,
        periodic_announce: every(ROSTER_PERIOD, 1),
        // foca's own stops when nobody is left, which is when it is needed most: see `revive`.
        periodic_announce_to_down_members: None,
        periodic_gossip: every(GOSSIP_PERIOD, GOSSIP_FANOUT),
    }
}

/// The life of the member that this identity names; what links and registry look at.
impl From<&Identity> for (NodeId, Epoch) {
    fn from(identity: &Identity) -> Self {
        (identity.id, identity.epoch)
    }
}
