//! How do the bytes of links travel between stations? In order, and over a cut only when it is over.

use super::field::{Field, Spot, life, place};
use crate::event::{Knock, Stimulus};
use crate::stream::{Mouth, Piece};
use homing_core::node::LinkId;
use homing_core::time::Time;
use std::net::SocketAddr;

impl Field {
    pub(super) fn dial(&mut self, now: Time, (host, conn): (usize, LinkId), to: SocketAddr) {
        self.net.connect(now, Knock { conn, from: host, life: life(host), to, tries: 0 });
    }

    pub(super) fn knock(&mut self, knock: Knock) {
        let Some(host) = self.net.knock(self.now, knock) else { return };
        if let Spot::Dark = self.spots[host] {
            // Nothing listens yet; a host without power does not say so, but then nobody has to dial it.
            return self.stimulate(knock.from, Stimulus::Refused { conn: knock.conn });
        }
        self.net.join(self.now, knock, place(host));
        self.stimulate(host, Stimulus::Incoming { conn: knock.conn });
    }

    pub(super) fn piece(&mut self, conn: LinkId, side: usize, piece: Piece) {
        let Some(stream) = self.net.streams.get(&conn) else { return };
        let (from, to) = (stream.ends[side].host, stream.ends[1 - side].host);
        if stream.ends[side].held.is_empty() && !self.net.is_cut(from, to) {
            return self.deliver(conn, side, piece);
        }
        if let Some(stream) = self.net.streams.get_mut(&conn) {
            stream.ends[side].held.push_back(piece);
        }
    }

    pub(super) fn resend(&mut self, conn: LinkId, side: usize) {
        let Some(stream) = self.net.streams.get_mut(&conn) else { return };
        for piece in std::mem::take(&mut stream.ends[side].held) {
            self.deliver(conn, side, piece);
        }
    }

    /// The sender learns that its bytes were taken, and may have more.
    pub(super) fn acknowledge(&mut self, taker: usize, (conn, bytes): (LinkId, usize)) {
        let now = self.now;
        let Some(stream) = self.net.streams.get(&conn) else { return };
        let Some(side) = stream.side(taker, life(taker)) else { return };
        let host = stream.ends[1 - side].host;
        if let Some(station) = self.station(host) {
            station.acked(now, conn, bytes);
            self.schedule(host);
        }
    }

    fn deliver(&mut self, conn: LinkId, side: usize, piece: Piece) {
        let Some(stream) = self.net.streams.get(&conn) else { return };
        let end = &stream.ends[1 - side];
        let (to, mouth) = (end.host, end.mouth);
        if mouth == Mouth::Shut {
            if stream.is_over() {
                self.net.forget(conn);
            }
            return;
        }
        let stimulus = match piece {
            Piece::Accepted => Stimulus::Accepted { conn },
            Piece::Bytes(bytes) => Stimulus::Bytes { conn, bytes },
            Piece::End(why) => Stimulus::Ended { conn, why },
        };
        self.stimulate(to, stimulus);
    }
}
