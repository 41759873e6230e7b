//! How do bytes get from one host to another? By rules that a fault can bend.

use crate::dice::between;
use crate::event::{Event, Knock, Via};
use crate::queue::Queue;
use crate::stream::{Mouth, Piece, Stream, cut_anew};
use crate::weather::{Verdict, Weather};
use bytes::Bytes;
use homing_core::node::LinkId;
use homing_core::rng::Rng;
use homing_core::time::Time;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

/// How often an unanswered dial is repeated, a second later each time.
const KNOCKS_MAX: u32 = 3;

/// The network between all hosts.
#[derive(Debug)]
pub(crate) struct Net {
    pub(crate) queue: Queue<Event>,
    pub(crate) weather: Weather,
    /// Which host has which address at present.
    addresses: BTreeMap<SocketAddr, usize>,
    /// What is sent from the first to the second does not arrive.
    cuts: BTreeSet<(usize, usize)>,
    pub(crate) streams: BTreeMap<LinkId, Stream>,
    /// Dials that nobody answered yet, and nobody gave up.
    knocking: BTreeSet<LinkId>,
    rng: Rng,
}

/// A process as the network sees it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Place {
    pub(crate) host: usize,
    pub(crate) life: u64,
}

impl Net {
    pub(crate) fn new(rng: Rng) -> Self {
        Self {
            queue: Queue::new(),
            weather: Weather::CALM,
            addresses: BTreeMap::new(),
            cuts: BTreeSet::new(),
            streams: BTreeMap::new(),
            knocking: BTreeSet::new(),
            rng,
        }
    }

    /// From now on these addresses lead to this host, whoever had them.
    pub(crate) fn settle(&mut self, host: usize, addresses: &[SocketAddr]) {
        for address in addresses {
            self.addresses.insert(*address, host);
        }
    }

    /// Who is at an address.
    pub(crate) fn host_at(&self, address: SocketAddr) -> Option<usize> {
        self.addresses.get(&address).copied()
    }

    /// Nothing gets from one to the other any more; the way back stays.
    pub(crate) fn cut(&mut self, from: usize, to: usize) {
        self.cuts.insert((from, to));
    }

    pub(crate) fn is_cut(&self, from: usize, to: usize) -> bool {
        self.cuts.contains(&(from, to))
    }

    /// All cuts are over. What streams held back is sent again within a second.
    pub(crate) fn heal(&mut self, now: Time) {
        self.cuts.clear();
        for (conn, stream) in &self.streams {
            for (side, end) in stream.ends.iter().enumerate() {
                if !end.held.is_empty() {
                    let after = between(&mut self.rng, Duration::ZERO, Duration::from_secs(1));
                    self.queue.push(now + after, Event::Resend { conn: *conn, side });
                }
            }
        }
    }

    /// Sends a datagram.
    pub(crate) fn datagram(&mut self, now: Time, event: Event) {
        let Event::Datagram { from, source, to, bytes, via } = event else { return };
        let Some(host) = self.host_at(to) else { return };
        if host == from || self.is_cut(from, host) {
            return;
        }
        let mut arrive = |after, bytes: Bytes| {
            self.queue.push(now + after, Event::Datagram { from, source, to, bytes, via });
        };
        match self.weather.datagram(&mut self.rng) {
            Verdict::Lost => {}
            Verdict::Arrives { after } => arrive(after, bytes),
            Verdict::Twice { after, again } => {
                arrive(after, bytes.clone());
                arrive(again, bytes);
            }
        }
    }

    /// Sends a datagram to every host but the sender's.
    pub(crate) fn scout(&mut self, now: Time, from: &Scout) {
        let all: Vec<SocketAddr> = self.addresses.keys().copied().collect();
        for to in all {
            let Scout { host, source, bytes } = from.clone();
            let event = Event::Datagram { from: host, source, to, bytes, via: Via::Scouting };
            self.datagram(now, event);
        }
    }

    /// Dials an address.
    pub(crate) fn connect(&mut self, now: Time, knock: Knock) {
        self.knocking.insert(knock.conn);
        let after = self.weather.delay(&mut self.rng);
        self.queue.push(now + after, Event::Knock(knock));
    }

    /// Whether a dial that arrives now is still wanted, and by which host it is heard.
    pub(crate) fn knock(&mut self, now: Time, knock: Knock) -> Option<usize> {
        if !self.knocking.contains(&knock.conn) {
            return None;
        }
        let host = self.host_at(knock.to)?;
        if !self.is_cut(knock.from, host) && !self.is_cut(host, knock.from) {
            return Some(host);
        }
        if knock.tries < KNOCKS_MAX {
            let again = Knock { tries: knock.tries + 1, ..knock };
            self.queue.push(now + Duration::from_secs(1), Event::Knock(again));
        }
        None
    }

    /// Joins a dialler and who heard it.
    pub(crate) fn join(&mut self, now: Time, knock: Knock, acceptor: Place) {
        self.knocking.remove(&knock.conn);
        let stream = Stream::new(now, (knock.from, knock.life), (acceptor.host, acceptor.life));
        self.streams.insert(knock.conn, stream);
        self.push(now, knock.conn, 1, vec![Piece::Accepted]);
    }

    /// Sends bytes from a process that is at an end of a connection.
    pub(crate) fn send(&mut self, now: Time, from: Place, conn: LinkId, bytes: Vec<u8>) {
        let Some(side) = self.side(conn, from) else { return };
        let pieces = cut_anew(bytes, &mut self.rng).into_iter().map(Piece::Bytes).collect();
        self.push(now, conn, side, pieces);
    }

    /// A process lets go of a connection, made or not.
    pub(crate) fn shut(&mut self, now: Time, from: Place, conn: LinkId) {
        self.knocking.remove(&conn);
        if let Some(side) = self.side(conn, from) {
            self.end(now, (conn, side), "closed by the peer");
        }
    }

    /// A process was killed: its host ends all its connections.
    pub(crate) fn reset_all(&mut self, now: Time, from: Place) {
        let ends: Vec<_> =
            self.streams.keys().filter_map(|conn| Some((*conn, self.side(*conn, from)?))).collect();
        for end in ends {
            self.end(now, end, "reset by the peer");
        }
    }

    /// A connection breaks for both sides.
    pub(crate) fn reset(&mut self, now: Time, conn: LinkId) {
        for side in [0, 1] {
            self.push(now, conn, side, vec![Piece::End("reset on the way")]);
        }
    }

    /// This side says nothing any more.
    pub(crate) fn end(&mut self, now: Time, (conn, side): (LinkId, usize), why: &'static str) {
        self.push(now, conn, side, vec![Piece::End(why)]);
        if let Some(stream) = self.streams.get_mut(&conn) {
            stream.ends[side].mouth = Mouth::Shut;
        }
    }

    /// Forgets a connection that nobody is at any more.
    pub(crate) fn forget(&mut self, conn: LinkId) {
        self.streams.remove(&conn);
    }

    fn side(&self, conn: LinkId, place: Place) -> Option<usize> {
        self.streams.get(&conn)?.side(place.host, place.life)
    }

    fn push(&mut self, now: Time, conn: LinkId, side: usize, pieces: Vec<Piece>) {
        let Some(end) = self.streams.get_mut(&conn).map(|stream| &mut stream.ends[side]) else {
            return;
        };
        if end.mouth == Mouth::Shut {
            return;
        }
        for piece in pieces {
            let at = end.arrival(now, &self.weather, &mut self.rng);
            self.queue.push(at, Event::Piece { conn, side, piece });
        }
    }
}

/// A datagram to everybody.
#[derive(Clone, Debug)]
pub(crate) struct Scout {
    pub(crate) host: usize,
    pub(crate) source: SocketAddr,
    pub(crate) bytes: Bytes,
}
