//! What must hold of a node, whatever datagrams and control messages arrive?

use crate::crypto::fake::Fake;
use crate::crypto::{Crypto, KeyId};
use crate::id::{Epoch, NodeId};
use crate::limits::{CHUNK_MAX, DATAGRAM_MAX};
use crate::node::{BackOff, Dialler, Input, LinkId, Node, NodeConfig, Output, Source, Stats};
use crate::registry::{Filter, Guard};
use crate::rng::Rng;
use crate::time::Time;
use crate::wire::datagram::{Header, seal};
use crate::wire::{DatagramKind, DialClaim, Kind, Peer};
use arbitrary::{Arbitrary, Unstructured};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// What a node hears.
#[derive(Clone, Debug)]
pub struct Post(Vec<Heard>);

#[derive(Arbitrary, Clone, Debug)]
enum Heard {
    /// By who holds the mesh's key, once and then once more.
    Datagram { kind: u8, sender: u8, epoch: u8, counter: u8, nonce: Nonce, body: Vec<u8> },
    /// By who does not.
    Foreign(Vec<u8>),
    /// From a peer that proved itself.
    Control(Vec<u8>),
    /// So many tenths of a second.
    Wait(u8),
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Nonce {
    Ours,
    Other,
}

impl<'a> Arbitrary<'a> for Post {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        let mut heard = Vec::new();
        while !bytes.is_empty() && heard.len() < HEARD_MAX {
            heard.push(bytes.arbitrary()?);
        }
        Ok(Self(heard))
    }
}

const HEARD_MAX: usize = 100;
/// The node's, and that of its chance.
const SEED: u64 = 1;
const PEER: u8 = 7;
const LINK: LinkId = LinkId(1);
/// What follows from one input, at most; a real one brings a handful.
const OUTPUTS_MAX: usize = 1_000;

/// Delivers the post. A datagram without a right seal, and one that was taken before, change nothing and are counted; an
/// answer to what is refused is not longer than the question; what is sent fits what carries it; no timer is always due.
pub fn node(post: &Post) {
    let mut world = World::new();
    for heard in &post.0 {
        match heard {
            Heard::Foreign(bytes) => world.hear_foreign(bytes),
            Heard::Control(bytes) => {
                let bytes = &bytes[..bytes.len().min(CHUNK_MAX)];
                world.handle(Input::Control { link: LINK, bytes });
            }
            Heard::Wait(tenths) => world.wait(Duration::from_millis(u64::from(*tenths) * 100)),
            Heard::Datagram { kind, sender, epoch, counter, nonce, body } => {
                let nonce = match nonce {
                    Nonce::Ours => world.nonce,
                    Nonce::Other => 1,
                };
                let header = Header {
                    kind: KINDS[usize::from(*kind) % KINDS.len()],
                    key: KeyId(1),
                    sender: id(*sender % 8),
                    receiver: Some(id(200)),
                    epoch: Epoch(u64::from(*epoch % 3)),
                    counter: (*counter).into(),
                    nonce,
                };
                world.hear_twice(&header, body);
            }
        }
        if world.is_over {
            return;
        }
    }
}

const KINDS: [DatagramKind; 7] = [
    DatagramKind::Scout,
    DatagramKind::Membership,
    DatagramKind::Registry,
    DatagramKind::Goodbye,
    DatagramKind::Nonce,
    DatagramKind::Superseded,
    DatagramKind::Census,
];

/// A node that is linked to one peer.
struct World {
    node: Node,
    now: Time,
    nonce: u64,
    is_over: bool,
}

/// What came of one input.
#[derive(Debug, Default)]
struct Outcome {
    count: usize,
    /// Bytes of datagrams to who asked.
    answered: usize,
}

impl World {
    fn new() -> Self {
        let config = NodeConfig {
            me: about(200),
            mesh: "fuzz".parse().expect("a name"),
            host: 1,
            seeds: vec![],
            redial: BackOff::default(),
            guard: Guard::Keyed,
            token: None,
            interest: Filter::All,
        };
        // The first that a node draws is its nonce.
        let nonce = Rng::from_seed(SEED).next_u64();
        let node = Node::new(Time::ZERO, config, Rng::from_seed(SEED), Arc::new(crypto()));
        let mut world = Self { node, now: Time::ZERO, nonce, is_over: false };
        let dialler = Dialler::Them(DialClaim::default());
        let peer = about(PEER);
        world.handle(Input::Established { link: LINK, dialler, peer, address: None });
        world
    }

    fn hear_foreign(&mut self, bytes: &[u8]) {
        let before = dropped(self.node.stats());
        let outcome = self.hear(bytes);
        assert_eq!(outcome.count, 0, "a forged datagram had consequences");
        assert_eq!(dropped(self.node.stats()), before + 1, "a forged datagram was not counted");
    }

    fn hear_twice(&mut self, header: &Header, body: &[u8]) {
        let body = &body[..body.len().min(DATAGRAM_MAX - 100)];
        let bytes = seal(header, body, &crypto()).expect("the key is held");
        for _ in 0..2 {
            let before = dropped(self.node.stats());
            let outcome = self.hear(&bytes);
            let refused = dropped(self.node.stats()) - before;
            if refused > 0 && body.len() >= 8 {
                assert!(outcome.answered <= bytes.len(), "the answer is longer: {outcome:?}");
            }
            if self.is_over || header.kind == DatagramKind::Scout {
                return;
            }
        }
        let before = dropped(self.node.stats());
        self.hear(&bytes);
        assert_eq!(dropped(self.node.stats()), before + 1, "{header:?} was taken more than once");
    }

    fn hear(&mut self, bytes: &[u8]) -> Outcome {
        let bytes = &mut bytes.to_vec();
        self.handle(Input::Datagram { from: asker(), bytes, source: Source::Broadcast })
    }

    fn handle(&mut self, input: Input<'_>) -> Outcome {
        self.node.handle_input(self.now, input);
        self.take_outputs()
    }

    fn wait(&mut self, span: Duration) {
        self.now += span;
        self.node.handle_timeout(self.now);
        self.take_outputs();
        let due = self.node.poll_timeout();
        assert!(self.is_over || due.is_none_or(|due| due > self.now), "a timer that is always due");
    }

    fn take_outputs(&mut self) -> Outcome {
        let mut outcome = Outcome::default();
        while let Some(output) = self.node.poll_output() {
            outcome.count += 1;
            match output {
                Output::Datagram { to, bytes } => {
                    assert!(bytes.len() <= DATAGRAM_MAX, "a datagram of {} bytes", bytes.len());
                    outcome.answered += if to == asker() { bytes.len() } else { 0 };
                }
                Output::Scout(bytes) => assert!(bytes.len() <= DATAGRAM_MAX, "a long scout"),
                Output::Control { bytes, .. } => {
                    assert!(bytes.len() <= CHUNK_MAX, "a control message of {} bytes", bytes.len());
                }
                Output::Left | Output::Fatal(_) => self.is_over = true,
                Output::Raise { above } => {
                    self.node.begin_anew(self.now, Epoch(above.0.saturating_add(1)));
                }
                Output::Dial { .. }
                | Output::Drain { .. }
                | Output::Close { .. }
                | Output::Snapshot(_)
                | Output::Route { .. }
                | Output::Refused { .. }
                | Output::Connected { .. }
                | Output::Spread { .. }
                | Output::Freed { .. }
                | Output::Event(_) => {}
            }
        }
        assert!(outcome.count < OUTPUTS_MAX, "{} outputs of one input", outcome.count);
        outcome
    }
}

/// Datagrams that were not taken, for whatever reason.
fn dropped(stats: Stats) -> u64 {
    let Stats { malformed, not_for_us, forged, foreign, replayed, stale, scouts, .. } = stats;
    malformed + not_for_us + forged + foreign + replayed + stale + scouts.censuses
}

fn asker() -> SocketAddr {
    ([192, 0, 2, 1], 9).into()
}

fn crypto() -> impl Crypto {
    Fake::signing(200).of_mesh(1)
}

fn id(number: u8) -> NodeId {
    NodeId::from_bytes([number; 16])
}

fn about(number: u8) -> Peer {
    Peer {
        id: id(number),
        key: [number; 32],
        epoch: Epoch(1),
        kind: Kind::Member,
        name: "node".parse().expect("a name"),
        agent: "fuzz".into(),
        addresses: vec![],
    }
}
