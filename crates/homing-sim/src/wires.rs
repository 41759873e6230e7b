//! Which connections does a process have, and which does it try to make?
//!
//! A dial races its addresses [`DIAL_STAGGER`] apart; one of those that answer shakes hands at a time, so that no two
//! links come of one dial.

use crate::event::Effect;
use crate::keys::Keys;
use bytes::BytesMut;
use homing_core::addr::TransportAddr;
use homing_core::budget::Budget;
use homing_core::crypto::{Crypto, Role};
use homing_core::id::{Epoch, NodeId};
use homing_core::limits::{BUDGET, DIAL_STAGGER, DIAL_TIME};
use homing_core::link::{Link, LinkConfig, Times};
use homing_core::node::{DialId, Dialler, LinkId};
use homing_core::rng::Rng;
use homing_core::time::Time;
use homing_core::wire::hello::{FEATURES, VERSION_MAX, VERSION_MIN};
use homing_core::wire::{DialClaim, Hello, Peer, Windows};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

/// Bytes that a socket takes before it is full.
const SEND_BUFFER: usize = 256 * 1024;

/// The mesh of all simulated nodes.
const MESH: [u8; 8] = *b"simulate";

/// The connections of a process.
pub(crate) struct Wires {
    lines: BTreeMap<LinkId, Line>,
    /// Lines that were touched since they were last asked for outputs.
    touched: BTreeSet<LinkId>,
    dials: BTreeMap<DialId, Dial>,
    pub(crate) routes: BTreeMap<NodeId, LinkId>,
    pub(crate) budget: Arc<Budget>,
    keys: Keys,
    me: Peer,
    next_conn: u64,
    rng: Rng,
}

/// One connection with the machine that speaks on it.
pub(crate) struct Line {
    pub(crate) link: Link,
    pub(crate) dialler: LineDialler,
    /// Who is at the other end, once the handshake is complete.
    pub(crate) peer: Option<NodeId>,
    /// In which of its lives.
    pub(crate) peer_epoch: Option<Epoch>,
    pub(crate) phase: LinePhase,
    inbox: BytesMut,
    /// Bytes written that have not arrived.
    unacked: usize,
}

/// Who made a connection.
#[derive(Clone, Debug)]
pub(crate) enum LineDialler {
    Us { dial: DialId, address: TransportAddr },
    Them,
}

/// Whether new calls may go out on a line.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum LinePhase {
    Open,
    Draining,
}

/// A dial under way.
struct Dial {
    node: Option<NodeId>,
    claim: DialClaim,
    left: VecDeque<TransportAddr>,
    tried: Vec<(TransportAddr, String)>,
    /// Not answered yet, and answered but not the first.
    knocking: BTreeMap<LinkId, TransportAddr>,
    ready: VecDeque<(LinkId, TransportAddr)>,
    shaking: Option<LinkId>,
    next_at: Option<Time>,
    until: Time,
}

/// A dial that came to nothing.
pub(crate) struct FailedDial {
    pub(crate) dial: DialId,
    pub(crate) node: Option<NodeId>,
    pub(crate) tried: Vec<(TransportAddr, String)>,
}

/// What a node machine asked for.
pub(crate) struct DialOrder {
    pub(crate) dial: DialId,
    pub(crate) node: Option<NodeId>,
    pub(crate) addresses: Vec<TransportAddr>,
    pub(crate) claim: DialClaim,
}

impl Wires {
    /// `first_conn` and all that follow are this process's own.
    pub(crate) fn new(keys: Keys, me: Peer, first_conn: u64, rng: Rng) -> Self {
        Self {
            lines: BTreeMap::new(),
            touched: BTreeSet::new(),
            dials: BTreeMap::new(),
            routes: BTreeMap::new(),
            budget: Arc::new(Budget::new(BUDGET)),
            keys,
            me,
            next_conn: first_conn,
            rng,
        }
    }

    /// A line, to be asked for outputs afterwards.
    pub(crate) fn touch(&mut self, conn: LinkId) -> Option<&mut Line> {
        let line = self.lines.get_mut(&conn)?;
        self.touched.insert(conn);
        Some(line)
    }

    /// A line, only to look at.
    pub(crate) fn line(&self, conn: LinkId) -> Option<&Line> {
        self.lines.get(&conn)
    }

    /// A line has nothing to tell at present.
    pub(crate) fn untouch(&mut self, conn: LinkId) {
        self.touched.remove(&conn);
    }

    /// All lines, only to look at.
    pub(crate) fn lines(&self) -> impl Iterator<Item = (LinkId, &Line)> {
        self.lines.iter().map(|(conn, line)| (*conn, line))
    }

    /// A line that has something to tell or to write.
    pub(crate) fn pop_touched(&mut self) -> Option<LinkId> {
        self.touched.pop_first()
    }

    /// Somebody dialled us.
    pub(crate) fn accept(&mut self, now: Time, conn: LinkId) {
        let link = self.link(now, Role::Acceptor, None, DialClaim::default());
        self.insert(conn, Line::new(link, LineDialler::Them));
    }

    /// Takes bytes in.
    pub(crate) fn receive(&mut self, now: Time, conn: LinkId, bytes: &[u8]) {
        if let Some(line) = self.touch(conn) {
            line.inbox.extend_from_slice(bytes);
            line.link.handle_input(now, homing_core::link::Input::Bytes(&mut line.inbox));
        }
    }

    /// So many bytes have arrived at the other end.
    pub(crate) fn acked(&mut self, conn: LinkId, bytes: usize) {
        if let Some(line) = self.touch(conn) {
            line.unacked = line.unacked.saturating_sub(bytes);
        }
    }

    /// Writes what a line has to say, as far as its socket takes it.
    pub(crate) fn transmit(&mut self, now: Time, conn: LinkId, effects: &mut VecDeque<Effect>) {
        let Some(line) = self.lines.get_mut(&conn) else { return };
        while line.unacked < SEND_BUFFER {
            let mut bytes = Vec::new();
            if !line.link.poll_transmit(now, &mut bytes) {
                return;
            }
            line.unacked += bytes.len();
            effects.push_back(Effect::Send { conn, bytes });
        }
    }

    /// A line is no more. Its socket takes its last word, full or not.
    pub(crate) fn remove(
        &mut self,
        now: Time,
        conn: LinkId,
        effects: &mut VecDeque<Effect>,
    ) -> Option<Line> {
        let mut line = self.lines.remove(&conn)?;
        self.touched.remove(&conn);
        let mut bytes = Vec::new();
        while line.link.poll_transmit(now, &mut bytes) {}
        if !bytes.is_empty() {
            effects.push_back(Effect::Send { conn, bytes });
        }
        effects.push_back(Effect::Shut { conn });
        self.routes.retain(|_, route| *route != conn);
        Some(line)
    }

    /// Begins a dial.
    pub(crate) fn dial(&mut self, now: Time, order: DialOrder, effects: &mut VecDeque<Effect>) {
        let dial = Dial {
            node: order.node,
            claim: order.claim,
            left: order.addresses.into(),
            tried: Vec::new(),
            knocking: BTreeMap::new(),
            ready: VecDeque::new(),
            shaking: None,
            next_at: Some(now),
            until: now + DIAL_TIME,
        };
        self.dials.insert(order.dial, dial);
        self.advance(now, order.dial, effects);
    }

    /// Somebody answered: shakes hands at once, unless another address does so already.
    pub(crate) fn answered(&mut self, now: Time, conn: LinkId, effects: &mut VecDeque<Effect>) {
        let Some((id, dial)) =
            self.dials.iter_mut().find(|(_, dial)| dial.knocking.contains_key(&conn))
        else {
            return effects.push_back(Effect::Shut { conn });
        };
        let id = *id;
        if let Some(address) = dial.knocking.remove(&conn) {
            dial.ready.push_back((conn, address));
        }
        self.advance(now, id, effects);
    }

    /// An address did not answer.
    pub(crate) fn refused(&mut self, now: Time, conn: LinkId, effects: &mut VecDeque<Effect>) {
        let found = self.dials.iter_mut().find(|(_, dial)| dial.knocking.contains_key(&conn));
        let Some((id, dial)) = found else { return };
        let id = *id;
        if let Some(address) = dial.knocking.remove(&conn) {
            dial.tried.push((address, "connection refused".to_owned()));
            dial.next_at = Some(now);
        }
        self.advance(now, id, effects);
    }

    /// The handshake of a dialled connection failed: on to the next.
    pub(crate) fn shake_failed(
        &mut self,
        now: Time,
        line: &Line,
        why: String,
        effects: &mut VecDeque<Effect>,
    ) {
        let LineDialler::Us { dial: id, address } = &line.dialler else { return };
        let Some(dial) = self.dials.get_mut(id) else { return };
        dial.tried.push((address.clone(), why));
        dial.shaking = None;
        dial.next_at = Some(now);
        self.advance(now, *id, effects);
    }

    /// A dial led to a link: its other attempts end.
    pub(crate) fn dialled(&mut self, id: DialId, effects: &mut VecDeque<Effect>) {
        let Some(dial) = self.dials.remove(&id) else { return };
        let others = dial.knocking.into_keys().chain(dial.ready.into_iter().map(|ready| ready.0));
        effects.extend(others.map(|conn| Effect::Shut { conn }));
    }

    /// Takes out the dials that have nothing left to try, or no time.
    pub(crate) fn pop_failed(
        &mut self,
        now: Time,
        effects: &mut VecDeque<Effect>,
    ) -> Option<FailedDial> {
        let over = |dial: &Dial| {
            let idle = dial.shaking.is_none() && dial.knocking.is_empty() && dial.left.is_empty();
            now >= dial.until || (idle && dial.ready.is_empty())
        };
        let id = self.dials.iter().find(|(_, dial)| over(dial)).map(|(id, _)| *id)?;
        let mut dial = self.dials.remove(&id)?;
        let late = |address: &TransportAddr| (address.clone(), "no answer in time".to_owned());
        dial.tried.extend(dial.knocking.values().map(late));
        if let Some(conn) = dial.shaking {
            if let Some(Line { dialler: LineDialler::Us { address, .. }, .. }) =
                self.lines.get(&conn)
            {
                dial.tried.push((address.clone(), "no handshake in time".to_owned()));
            }
            self.remove(now, conn, effects);
        }
        let others = dial.knocking.keys().copied().chain(dial.ready.iter().map(|ready| ready.0));
        effects.extend(others.map(|conn| Effect::Shut { conn }));
        Some(FailedDial { dial: id, node: dial.node, tried: dial.tried })
    }

    /// Runs the timers that are due.
    pub(crate) fn wake(&mut self, now: Time, effects: &mut VecDeque<Effect>) {
        for (conn, line) in &mut self.lines {
            if line.link.poll_timeout().is_some_and(|at| at <= now) {
                line.link.handle_timeout(now);
                self.touched.insert(*conn);
            }
        }
        for id in self.dials.keys().copied().collect::<Vec<_>>() {
            self.advance(now, id, effects);
        }
    }

    /// When to wake next.
    pub(crate) fn next_wake(&self) -> Option<Time> {
        let lines = self.lines.values().filter_map(|line| line.link.poll_timeout());
        let dials = self
            .dials
            .values()
            .flat_map(|dial| [Some(dial.until), dial.next_at.filter(|_| !dial.left.is_empty())]);
        lines.chain(dials.flatten()).min()
    }

    /// Dials under way.
    pub(crate) fn dials(&self) -> usize {
        self.dials.len()
    }

    /// Shakes hands with who answered first; tries the next address when it is time.
    fn advance(&mut self, now: Time, id: DialId, effects: &mut VecDeque<Effect>) {
        let Some(dial) = self.dials.get_mut(&id) else { return };
        if dial.next_at.is_some_and(|at| at <= now)
            && let Some(address) = dial.left.pop_front()
        {
            dial.next_at = Some(now + DIAL_STAGGER);
            match address {
                TransportAddr::Tcp(to) => {
                    let conn = LinkId(self.next_conn);
                    self.next_conn += 1;
                    dial.knocking.insert(conn, address);
                    effects.push_back(Effect::Connect { conn, to });
                }
                _ => dial.tried.push((address, "not of this world".to_owned())),
            }
        }
        if dial.shaking.is_none()
            && let Some((conn, address)) = dial.ready.pop_front()
        {
            dial.shaking = Some(conn);
            let (node, claim) = (dial.node, dial.claim);
            let link = self.link(now, Role::Dialler, node, claim);
            self.insert(conn, Line::new(link, LineDialler::Us { dial: id, address }));
        }
    }

    fn insert(&mut self, conn: LinkId, line: Line) {
        self.lines.insert(conn, line);
        self.touched.insert(conn);
    }

    fn link(&mut self, now: Time, role: Role, expect: Option<NodeId>, claim: DialClaim) -> Link {
        let mut nonce = [0; 16];
        nonce[..8].copy_from_slice(&self.rng.next_u64().to_be_bytes());
        nonce[8..].copy_from_slice(&self.rng.next_u64().to_be_bytes());
        let hello = Hello {
            versions: (VERSION_MIN, VERSION_MAX),
            features: FEATURES,
            required: 0,
            mesh: MESH,
            nonce,
            keys: self.keys.keys(),
            peer: self.me.clone(),
            claim,
            windows: Windows::default(),
        };
        let crypto: Arc<dyn Crypto> = Arc::new(self.keys);
        let budget = Arc::clone(&self.budget);
        Link::new(LinkConfig { role, hello, expect, crypto, budget, times: Times::default() }, now)
    }
}

impl Line {
    fn new(link: Link, dialler: LineDialler) -> Self {
        let (peer, peer_epoch, phase) = (None, None, LinePhase::Open);
        Self { link, dialler, peer, peer_epoch, phase, inbox: BytesMut::new(), unacked: 0 }
    }

    /// How the node machine is told who made it.
    pub(crate) fn told_dialler(&self, claim: DialClaim) -> Dialler {
        match &self.dialler {
            LineDialler::Us { dial, .. } => Dialler::Us(*dial),
            LineDialler::Them => Dialler::Them(claim),
        }
    }
}
