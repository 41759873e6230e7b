//! What does a node of a large mesh do with its machines? As a process does, without calls and topics.

use crate::event::{Effect, Note, Stimulus, Via};
use crate::keys::Keys;
use crate::wires::{DialOrder, LineDialler, Wires};
use homing_core::addr::TransportAddr;
use homing_core::crypto::Crypto;
use homing_core::id::{Epoch, NodeId};
use homing_core::limits::STALL;
use homing_core::link;
use homing_core::node::{self, BackOff, LinkId, Node, NodeConfig, Source};
use homing_core::registry::{Filter, Guard, OfferRecord, RecordKey, Snapshot};
use homing_core::rng::Rng;
use homing_core::talk::Status;
use homing_core::time::Time;
use homing_core::wire::{Hello, Kind, Peer};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// A life begun in our days: milliseconds since 1970, so that its bytes are as many as in a real mesh.
pub(super) const EPOCH: Epoch = Epoch(1 << 40);

/// A member with its node machine and its links.
pub(crate) struct Station {
    pub(crate) node: Node,
    wires: Wires,
    pub(crate) snapshot: Arc<Snapshot>,
    effects: VecDeque<Effect>,
    /// The timer that the field holds for it.
    pub(crate) alarm: Option<Time>,
}

/// Where a station is, and whom it asks first.
pub(crate) struct Site {
    pub(crate) number: usize,
    pub(crate) address: SocketAddr,
    pub(crate) seeds: Vec<SocketAddr>,
}

/// The keys of the station with this number.
pub(crate) fn keys(number: usize) -> Keys {
    Keys::new(number as u64 + 1)
}

/// Its id.
pub(crate) fn id(number: usize) -> NodeId {
    keys(number).id()
}

impl Station {
    pub(crate) fn new(now: Time, site: Site, mut rng: Rng) -> Self {
        let keys = keys(site.number);
        let addresses = vec![TransportAddr::Tcp(site.address)];
        let me = Peer {
            id: keys.id(),
            key: keys.public_key(),
            epoch: EPOCH,
            kind: Kind::Member,
            name: format!("node-{}", site.number).parse().expect("a name of plain letters"),
            agent: "homing-sim".to_owned(),
            addresses: addresses.clone(),
        };
        let config = NodeConfig {
            me: me.clone(),
            mesh: "simulate".parse().expect("a name of plain letters"),
            host: 0,
            seeds: site.seeds,
            redial: BackOff::default(),
            guard: Guard::Keyed,
            token: None,
            interest: Filter::All,
        };
        let node = Node::new(now, config, rng.split(), Arc::new(keys));
        let wires = Wires::new(keys, me, (site.number as u64 + 1) << 32, rng);
        let (snapshot, effects) = (Arc::default(), VecDeque::new());
        let mut station = Self { node, wires, snapshot, effects, alarm: None };
        station.hear(now, node::Input::Listening { addresses });
        station
    }

    /// Begins, or goes on, to offer something.
    pub(crate) fn offer(&mut self, now: Time, key: RecordKey, offer: OfferRecord) {
        self.hear(now, node::Input::Offer { key, offer: Arc::new(offer) });
    }

    /// Frees an offer.
    pub(crate) fn withdraw(&mut self, now: Time, key: RecordKey) {
        self.hear(now, node::Input::Withdraw { key });
    }

    /// Takes in what happened.
    pub(crate) fn handle(&mut self, now: Time, stimulus: Stimulus) {
        match stimulus {
            Stimulus::Datagram { from, bytes, via } => {
                let source = match via {
                    Via::Own => Source::Itself,
                    Via::Scouting => Source::Broadcast,
                };
                let mut bytes = bytes.to_vec();
                let datagram = node::Input::Datagram { from, bytes: &mut bytes, source };
                self.node.handle_input(now, datagram);
            }
            Stimulus::Incoming { conn } => self.wires.accept(now, conn),
            Stimulus::Accepted { conn } => self.wires.answered(now, conn, &mut self.effects),
            Stimulus::Refused { conn } => self.wires.refused(now, conn, &mut self.effects),
            Stimulus::Bytes { conn, bytes } => self.wires.receive(now, conn, &bytes),
            Stimulus::Ended { conn, why } => match self.wires.touch(conn) {
                Some(line) => {
                    line.link.handle_input(now, link::Input::Broken(why.to_owned()));
                }
                None => self.wires.refused(now, conn, &mut self.effects),
            },
            Stimulus::Worked { .. }
            | Stimulus::Step(_)
            | Stimulus::Read(_)
            | Stimulus::Found { .. }
            | Stimulus::Command(_) => unreachable!("stations have no programs"),
        }
        self.settle(now);
    }

    /// It stood still for so long; all that came meanwhile was handled, and its timers are due now (decisions C7).
    pub(crate) fn stalled(&mut self, now: Time, span: Duration) {
        if span > STALL {
            self.node.handle_input(now, node::Input::Stalled(span));
        }
        self.wake(now);
    }

    /// Runs the timers that are due.
    pub(crate) fn wake(&mut self, now: Time) {
        if self.node.poll_timeout().is_some_and(|at| at <= now) {
            self.node.handle_timeout(now);
        }
        self.wires.wake(now, &mut self.effects);
        self.settle(now);
    }

    /// When to wake it next.
    pub(crate) fn next_wake(&self) -> Option<Time> {
        [self.node.poll_timeout(), self.wires.next_wake()].into_iter().flatten().min()
    }

    /// So many bytes have arrived at the other end.
    pub(crate) fn acked(&mut self, now: Time, conn: LinkId, bytes: usize) {
        self.wires.acked(conn, bytes);
        self.settle(now);
    }

    /// What it does next.
    pub(crate) fn poll_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    pub(super) fn hear(&mut self, now: Time, input: node::Input<'_>) {
        self.node.handle_input(now, input);
        self.settle(now);
    }

    fn settle(&mut self, now: Time) {
        while self.move_node(now) || self.move_links(now) || self.move_dials(now) {}
    }

    fn move_node(&mut self, now: Time) -> bool {
        let Some(output) = self.node.poll_output() else { return false };
        match output {
            node::Output::Datagram { to, bytes } => {
                self.effects.push_back(Effect::Datagram { to, bytes });
            }
            node::Output::Control { link, bytes } => {
                self.link_input(now, link, link::Input::Control(bytes.into()));
            }
            node::Output::Dial { dial, node, addresses, claim } => {
                let order = DialOrder { dial, node, addresses, claim };
                self.wires.dial(now, order, &mut self.effects);
            }
            node::Output::Drain { link } => self.link_input(now, link, link::Input::Drain),
            node::Output::Close { link, status } => {
                self.link_input(now, link, link::Input::Close(status));
            }
            node::Output::Snapshot(snapshot) => {
                self.snapshot = Arc::clone(&snapshot);
                self.effects.push_back(Effect::Note(Note::Snapshot(snapshot)));
            }
            node::Output::Event(event) => self.effects.push_back(Effect::Note(Note::Told(event))),
            node::Output::Fatal(status)
            | node::Output::Refused { status, .. }
            | node::Output::Freed { outcome: Err(status), .. } => {
                self.effects.push_back(Effect::Note(Note::Fatal(status)));
            }
            // Seeds bring stations together; nobody here calls, connects by hand or leaves.
            node::Output::Scout(_)
            | node::Output::Route { .. }
            | node::Output::Connected { .. }
            | node::Output::Spread { .. }
            | node::Output::Freed { outcome: Ok(_), .. }
            | node::Output::Left
            | node::Output::Raise { .. } => {}
        }
        true
    }

    fn move_links(&mut self, now: Time) -> bool {
        let Some(conn) = self.wires.pop_touched() else { return false };
        self.drain_link(now, conn);
        self.wires.transmit(now, conn, &mut self.effects);
        // Transmitting can end the link.
        self.drain_link(now, conn);
        self.wires.untouch(conn);
        true
    }

    fn drain_link(&mut self, now: Time, conn: LinkId) {
        while let Some(output) = self.wires.touch(conn).and_then(|line| line.link.poll_output()) {
            match output {
                link::Output::Established(hello) => self.established(now, conn, &hello),
                link::Output::Control(bytes) => {
                    let bytes = &bytes;
                    self.node.handle_input(now, node::Input::Control { link: conn, bytes });
                }
                link::Output::RoundTrip(rtt) => {
                    self.node.handle_input(now, node::Input::RoundTrip { link: conn, rtt });
                }
                link::Output::Idle => {
                    self.node.handle_input(now, node::Input::Idle { link: conn });
                }
                link::Output::Closed(status) => self.closed(now, conn, status),
                link::Output::Draining
                | link::Output::Request(_)
                | link::Output::Cancelled(_)
                | link::Output::Item { .. }
                | link::Output::AskedAll(_)
                | link::Output::Room(_)
                | link::Output::Ended { .. } => {}
            }
        }
    }

    fn move_dials(&mut self, now: Time) -> bool {
        let Some(failed) = self.wires.pop_failed(now, &mut self.effects) else { return false };
        let (dial, tried) = (failed.dial, failed.tried);
        self.node.handle_input(now, node::Input::DialFailed { dial, tried });
        true
    }

    fn established(&mut self, now: Time, conn: LinkId, hello: &Hello) {
        let Some(line) = self.wires.touch(conn) else { return };
        line.peer = Some(hello.peer.id);
        let dialler = line.told_dialler(hello.claim);
        let address = match &line.dialler {
            LineDialler::Us { dial, address } => {
                let (dial, address) = (*dial, address.clone());
                self.wires.dialled(dial, &mut self.effects);
                Some(address)
            }
            LineDialler::Them => None,
        };
        let peer = hello.peer.clone();
        let established = node::Input::Established { link: conn, dialler, peer, address };
        self.node.handle_input(now, established);
    }

    fn closed(&mut self, now: Time, conn: LinkId, status: Status) {
        let Some(line) = self.wires.remove(now, conn, &mut self.effects) else { return };
        if line.peer.is_some() {
            self.node.handle_input(now, node::Input::Lost { link: conn, status });
        } else {
            self.wires.shake_failed(now, &line, status.to_string(), &mut self.effects);
        }
    }

    fn link_input(&mut self, now: Time, conn: LinkId, input: link::Input<'_>) {
        if let Some(line) = self.wires.touch(conn) {
            line.link.handle_input(now, input);
        }
    }
}
