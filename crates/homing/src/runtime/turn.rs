//! How is the node machine turned? One task puts in what the parts of the node say, and carries out what comes out.

use super::dial::{self, Dial};
use super::gate::Letter;
use super::linking::Connected;
use super::stats::Counted;
use super::{Runtime, Said, Spread, packets};
use crate::discovery::Finding;
use crate::discovery::rendezvous::Registration;
use crate::discovery::scout::Scout;
use crate::events::Event;
use crate::info::Direction;
use crate::net::{Alarm, Datagrams};
use crate::security::identity::Identity;
use homing_core::addr::nearest;
use homing_core::id::Epoch;
use homing_core::limits::{READY_WAIT, STALL};
use homing_core::link;
use homing_core::node::{self, ConnectId, Input, Node, NodeEvent, Output, Source};
use homing_core::registry::{RecordKey, ServiceRecord};
use homing_core::talk::{Code, Status};
use homing_core::time::Time;
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::sync::{mpsc, oneshot};

/// The node machine and what only its task uses.
pub(super) struct Turner {
    pub(super) runtime: Arc<Runtime>,
    pub(super) machine: Node,
    pub(super) said: mpsc::Receiver<Said>,
    pub(super) findings: mpsc::Receiver<Finding>,
    pub(super) scout: Option<Scout>,
    pub(super) datagrams: Vec<Arc<dyn Datagrams>>,
    /// Rings when the machine has something due.
    pub(super) alarm: Box<dyn Alarm>,
    pub(super) askers: Askers,
    /// The node's file in the rendezvous directory.
    pub(super) registration: Option<Registration>,
    pub(super) identity: Identity,
    /// Lives begun in this process.
    pub(super) lives: u32,
}

/// Who waits to hear what becomes of something.
#[derive(Default)]
pub(super) struct Askers {
    /// Whether an offer was taken.
    offering: Vec<(RecordKey, oneshot::Sender<Result<(), Status>>)>,
    /// When all members hold a record, by token.
    spreads: BTreeMap<u64, oneshot::Sender<Spread>>,
    /// What becomes of a record that is to end, by token.
    freeing: BTreeMap<u64, oneshot::Sender<Result<Arc<ServiceRecord>, Status>>>,
    last_token: u64,
    /// Who is at an address.
    pub(super) connecting: BTreeMap<ConnectId, oneshot::Sender<Connected>>,
    /// When the goodbye is said.
    leaving: Option<oneshot::Sender<()>>,
}

impl Askers {
    fn next_token(&mut self) -> u64 {
        self.last_token += 1;
        self.last_token
    }

    /// Notes who wants to know how far a record came; the token for it.
    fn follow(&mut self, answer: oneshot::Sender<Spread>) -> u64 {
        let token = self.next_token();
        self.spreads.insert(token, answer);
        token
    }
}

/// Lives that one process begins at most. Who needs more is told lies, or is another one's twin.
const LIVES_MAX: u32 = 4;

impl Turner {
    /// Turns until the node is over.
    pub(super) async fn run(mut self) {
        loop {
            self.carry_out();
            let due = self.machine.poll_timeout().unwrap_or(Time::MAX);
            let rings = self.runtime.clock.instant(due);
            let over = self.runtime.life.over.clone();
            tokio::select! {
                biased;
                () = over.cancelled() => break,
                said = self.said.recv() => match said {
                    Some(said) => self.hear(said),
                    None => break,
                },
                letter = self.runtime.seams.gate.next() => self.open(letter),
                heard = hear_scout(&mut self.scout) => match heard {
                    Some((source, from, bytes)) => self.hear_datagram(from, bytes, source),
                    None => self.scout = None,
                },
                Some(finding) = self.findings.recv() => self.find(finding),
                () = poll_fn(|cx| self.alarm.poll_due(cx, rings)) => self.tick(due),
            }
        }
        // All of them hold the node, and would for ever.
        self.runtime.links.clear();
        self.runtime.offers.clear();
        self.runtime.packets.clear();
    }

    /// Time has come. After a stall of this process the machine learns how long it stood still, then all that waits is
    /// heard, and only then is time's word heeded (decisions C7).
    fn tick(&mut self, due: Time) {
        let now = self.runtime.clock.now();
        let late = now.since(due);
        if late > STALL {
            self.machine.handle_input(now, Input::Stalled(late));
            while let Ok(said) = self.said.try_recv() {
                self.hear(said);
            }
            while let Some(letter) = self.runtime.seams.gate.poll() {
                self.open(letter);
            }
        }
        self.machine.handle_timeout(now);
        self.runtime.seams.awake.notify_waiters();
    }

    fn hear(&mut self, said: Said) {
        let now = self.runtime.clock.now();
        let input = match said {
            Said::Established { link, dialler, peer, address } => {
                Input::Established { link, dialler, peer: *peer, address }
            }
            Said::Lost { link, status } => Input::Lost { link, status },
            Said::DialFailed { dial, tried } => Input::DialFailed { dial, tried },
            Said::Control { link, bytes, held: _held } => {
                return self.machine.handle_input(now, Input::Control { link, bytes: &bytes });
            }
            Said::RoundTrip { link, rtt } => Input::RoundTrip { link, rtt },
            Said::Idle { link } => Input::Idle { link },
            Said::Offer { key, offer, answer } => {
                self.askers.offering.push((key, answer));
                Input::Offer { key, offer }
            }
            Said::Withdraw { key } => Input::Withdraw { key },
            Said::Interest { interest, answer } => {
                self.askers.offering.push((RecordKey::INTEREST, answer));
                Input::Interest(Arc::new(interest))
            }
            Said::Declared { topics, answer } => {
                self.askers.offering.push((RecordKey::DECLARED, answer));
                Input::Declare(Arc::new(topics))
            }
            Said::Spread { key, answer } => {
                let token = self.askers.follow(answer);
                Input::Spread { token, key, until: now + READY_WAIT }
            }
            Said::Sample { key, answer } => {
                let token = self.askers.follow(answer);
                Input::Sample { token, key, until: now + READY_WAIT }
            }
            Said::SpreadOf { id, answer } => {
                let token = self.askers.follow(answer);
                Input::SpreadOf { token, id, until: now + READY_WAIT }
            }
            Said::Register { key, service, answer } => {
                self.askers.offering.push((key, answer));
                Input::Register { key, service }
            }
            Said::Free { id, answer } => {
                let token = self.askers.next_token();
                self.askers.freeing.insert(token, answer);
                Input::Free { token, id }
            }
            Said::Want { node } => Input::Want { node },
            Said::Reconsider => Input::Reconsider,
            Said::Credentials => Input::Credentials { token: self.runtime.shown_token() },
            Said::KeysChanged => {
                self.renew_registration();
                Input::KeysChanged
            }
            Said::Listening { addresses } => {
                self.runtime.seams.addresses.send_replace(addresses.clone());
                self.runtime.relocate();
                self.renew_registration();
                self.runtime.events.tell(Event::Listening { addresses: addresses.clone() });
                Input::Listening { addresses }
            }
            Said::Linking(linking) => return self.link(linking),
            Said::Peers(asker) => return tell(asker, self.machine.peers().collect()),
            Said::Stats(asker) => return tell(asker, self.counted()),
            Said::Leave(asker) => {
                self.askers.leaving = Some(asker);
                Input::Leave
            }
        };
        self.machine.handle_input(now, input);
    }

    fn counted(&self) -> Counted {
        Counted {
            node: self.machine.stats(),
            registry: self.machine.registry_stats(),
            membership: self.machine.membership_stats().unwrap_or_default(),
            scouts_dropped: self.scout.as_ref().map_or(0, Scout::dropped),
        }
    }

    /// A datagram that the gate let in. Whoever sent a true one is let in more readily from now on.
    fn open(&mut self, letter: Letter) {
        let Letter { from, bytes } = letter;
        let before = self.machine.stats().opened;
        self.hear_datagram(from, bytes, Source::Gossip);
        if self.machine.stats().opened > before {
            let now = self.runtime.clock.now();
            self.runtime.seams.gate.note_proof(now, from.ip().into());
        }
    }

    fn hear_datagram(&mut self, from: SocketAddr, mut bytes: Vec<u8>, source: Source) {
        let now = self.runtime.clock.now();
        self.machine.handle_input(now, Input::Datagram { from, bytes: &mut bytes, source });
    }

    fn find(&mut self, finding: Finding) {
        match finding {
            Finding::Suggestion(found) => {
                let now = self.runtime.clock.now();
                let source = found.source;
                let (node, addresses) = (found.node, found.addresses);
                self.machine.handle_input(now, Input::Suggested { source, node, addresses });
            }
            Finding::Verdict(verdict) => {
                tracing::debug!(source = %verdict.source, tried = verdict.tried, outcome = ?verdict.outcome, "discovery");
                self.runtime.seams.verdicts.note(self.runtime.clock.now(), verdict);
            }
        }
    }

    fn carry_out(&mut self) {
        while let Some(output) = self.machine.poll_output() {
            match output {
                Output::Datagram { to, bytes } => self.send(to, &bytes),
                Output::Scout(bytes) => {
                    if let Some(scout) = &self.scout {
                        scout.send(bytes);
                    }
                }
                Output::Control { link, bytes } => {
                    self.to_link(link, link::Input::Control(bytes.into()));
                }
                Output::Dial { dial, node, addresses, claim } => {
                    let dial = Dial { id: dial, node, addresses, claim };
                    let runtime = Arc::clone(&self.runtime);
                    self.runtime.life.tasks.spawn(dial::run(runtime, dial));
                }
                Output::Drain { link } => self.to_link(link, link::Input::Drain),
                Output::Close { link, status } => self.to_link(link, link::Input::Close(status)),
                Output::Snapshot(snapshot) => {
                    let topics = snapshot.topics_version();
                    drop(self.runtime.snapshots.send_replace(snapshot));
                    self.runtime.note_topics(topics);
                }
                Output::Spread { token, acknowledged, of } => {
                    if let Some(asker) = self.askers.spreads.remove(&token) {
                        // Who asked may have gone.
                        let _ = asker.send(Spread { acknowledged, of });
                    }
                }
                Output::Route { node, link } => {
                    self.runtime.links.set_route(node, link);
                    packets::follow_route(&self.runtime, node);
                }
                Output::Connected { connect, outcome } => self.connected(connect, outcome),
                Output::Event(event) => self.tell(event),
                Output::Refused { key, status } => self.refuse(key, status),
                Output::Freed { token, outcome } => {
                    // Who asked may have gone.
                    drop(self.askers.freeing.remove(&token).map(|asker| asker.send(outcome)));
                }
                Output::Left => drop(self.askers.leaving.take().map(|asker| asker.send(()))),
                Output::Raise { above } => self.begin_anew(above),
                Output::Fatal(status) => self.end(status),
            }
        }
        for (_, answer) in self.askers.offering.drain(..) {
            // Who offered may have gone.
            let _ = answer.send(Ok(()));
        }
    }

    /// The mesh knows a later life of this node: it begins one after that (decisions A10).
    fn begin_anew(&mut self, above: Epoch) {
        let risen = match self.identity.rise_above(above) {
            Ok(risen) => risen.filter(|_| self.lives < LIVES_MAX),
            Err(error) => return self.end(Status::not_started(Code::Internal, error.to_string())),
        };
        let Some(epoch) = risen else {
            let why = format!("this identity runs elsewhere (in its life {above})");
            return self.end(Status::not_started(Code::AlreadyExists, why));
        };
        tracing::warn!(%above, %epoch, "the mesh knows a later life of this node, which begins another one");
        self.lives += 1;
        self.runtime.life.numbers.epoch.store(epoch.0, Ordering::Relaxed);
        self.renew_registration();
        self.machine.begin_anew(self.runtime.clock.now(), epoch);
    }

    /// Others on this host read in it which keys are held here, in which life, and where.
    fn renew_registration(&mut self) {
        let (epoch, keys) = (self.runtime.epoch(), self.runtime.seams.crypto.keys());
        let addresses = self.runtime.addresses();
        let renewed = self.registration.as_mut().map(|entry| entry.renew(epoch, keys, addresses));
        if let Some(Err(error)) = renewed {
            tracing::warn!(%error, "the entry in the rendezvous directory is as it was");
        }
    }

    fn end(&self, status: Status) {
        tracing::error!(%status, "this node cannot go on");
        // Nobody else ends them: they would stay until their peers let go.
        for link in self.runtime.links.all() {
            link.handle(link::Input::Close(status.clone()));
        }
        self.runtime.events.tell(Event::Error(status));
        self.runtime.end_life();
        self.runtime.events.tell(Event::Closed);
    }

    fn refuse(&mut self, key: RecordKey, status: Status) {
        let Some(place) = self.askers.offering.iter().position(|(offered, _)| *offered == key)
        else {
            return;
        };
        let _ = self.askers.offering.swap_remove(place).1.send(Err(status));
    }

    fn to_link(&self, link: node::LinkId, input: link::Input<'_>) {
        if let Some(link) = self.runtime.links.by_id(link) {
            link.handle(input);
        }
    }

    fn send(&self, to: SocketAddr, bytes: &[u8]) {
        // From an address that the receiver's host can answer: some drop what comes from elsewhere.
        let locals = self.datagrams.iter().filter_map(|socket| socket.local().ok());
        let from = nearest(locals, &[to.ip()]).filter(|from| from.is_ipv4() == to.is_ipv4());
        let is_from = |socket: &&Arc<dyn Datagrams>| from.is_some() && socket.local().ok() == from;
        if let Some(socket) = self.datagrams.iter().find(is_from) {
            // A datagram that cannot be sent is one that was lost.
            let _ = socket.try_send(bytes, to);
        }
    }

    fn tell(&mut self, event: NodeEvent) {
        tracing::debug!(?event, "mesh");
        let event = match event {
            NodeEvent::NodeJoined { node, name } => {
                Event::NodeJoined { node, name, kind: homing_core::wire::Kind::Member.into() }
            }
            NodeEvent::NodeLeft { node, name, .. } => {
                self.runtime.links.forget(node);
                Event::NodeLeft { node, name }
            }
            NodeEvent::LinkUp { node, .. } => {
                let Some(peer) = self.machine.peers().find(|peer| peer.node == node) else {
                    return;
                };
                Event::LinkUp {
                    node,
                    direction: direction(peer.direction),
                    transport: self.runtime.carrier(peer.address.as_ref()),
                }
            }
            NodeEvent::LinkDown { node, why, .. } => Event::LinkDown { node, why },
            NodeEvent::Synced { node } => Event::Synced { node },
            NodeEvent::Unreachable { node, tried } => {
                if let Some(node) = node {
                    let whys: Vec<String> =
                        tried.iter().map(|(at, why)| format!("{at}: {why}")).collect();
                    self.runtime.links.note_failure(node, whys.join(", "));
                }
                Event::Unreachable { node, tried }
            }
            NodeEvent::Offered { node, offer } => Event::Offered {
                node,
                namespace: offer.namespace.clone(),
                service: offer.service.clone(),
                version: offer.version.clone(),
            },
            NodeEvent::Withdrawn { node, offer } => Event::Withdrawn {
                node,
                namespace: offer.namespace.clone(),
                service: offer.service.clone(),
                version: offer.version.clone(),
            },
            // A kind of event that came later than this list.
            _ => return,
        };
        self.runtime.events.tell(event);
    }
}

/// Who dialled, in the words of the public API.
pub(crate) fn direction(direction: Option<node::Direction>) -> Direction {
    match direction {
        Some(node::Direction::Accepted) => Direction::In,
        Some(node::Direction::Dialled) | None => Direction::Out,
    }
}

/// The next datagram of the scout; never, where there is none.
async fn hear_scout(scout: &mut Option<Scout>) -> Option<(Source, SocketAddr, Vec<u8>)> {
    match scout {
        Some(scout) => scout.hear().await.map(|heard| (heard.source, heard.from, heard.bytes)),
        None => std::future::pending().await,
    }
}

/// Answers a question about the machine.
fn tell<T>(asker: oneshot::Sender<T>, answer: T) {
    // Who asked may have gone.
    let _ = asker.send(answer);
}
