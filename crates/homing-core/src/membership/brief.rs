//! What of a packet does its datagram say already? Who sends it, in which life, and to whom.
//!
//! ```text
//! in a datagram: renewal of the sender u16   nonce u64   addresses   incarnation u16
//!                epoch of the receiver varint   renewal u16   message u8, its fields
//!                [count u16, members]
//! ```
//! Most packets at rest are probes and their answers, and nothing but such a head: what is left out is a third of all that
//! membership costs.

use super::codec::{put_message, put_udp, read_message, read_udp};
use super::{Identity, codec};
use crate::id::{Epoch, NodeId};
use crate::wire::{Malformed, Reader, put_varint};
use foca::Header;

/// What stands around a packet in its datagram.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Envelope {
    pub(crate) sender: NodeId,
    pub(crate) epoch: Epoch,
    pub(crate) receiver: NodeId,
}

/// A packet of ours without what its envelope says.
///
/// # Panics
/// If it is no packet: what is sent was made here.
pub(crate) fn shorten(packet: &[u8]) -> Vec<u8> {
    let mut reader = Reader::new(packet);
    let Header { src, src_incarnation, dst, message } =
        codec::read_header(&mut reader).expect("a packet made here");
    let mut out = Vec::with_capacity(packet.len());
    out.extend_from_slice(&src.renewal.to_be_bytes());
    out.extend_from_slice(&src.nonce.to_be_bytes());
    put_udp(&mut out, &src.udp);
    out.extend_from_slice(&src_incarnation.to_be_bytes());
    put_varint(&mut out, dst.epoch.0);
    out.extend_from_slice(&dst.renewal.to_be_bytes());
    put_message(&mut out, &message);
    out.extend_from_slice(reader.rest());
    out
}

/// The packet that was shortened to this.
///
/// # Errors
/// It is malformed.
pub(crate) fn lengthen(envelope: Envelope, brief: &[u8]) -> Result<Vec<u8>, Malformed> {
    let mut reader = Reader::new(brief);
    let Envelope { sender, epoch, receiver } = envelope;
    let (renewal, nonce) = (reader.u16()?, reader.u64()?);
    let src = Identity { id: sender, epoch, renewal, nonce, udp: read_udp(&mut reader)? };
    let src_incarnation = reader.u16()?;
    let (epoch, renewal) = (Epoch(reader.varint()?), reader.u16()?);
    // Nobody looks for the nonce and the addresses of the receiver in a packet to it.
    let dst = Identity { id: receiver, epoch, renewal, nonce: 0, udp: Vec::new() };
    let message = read_message(&mut reader)?;
    let mut out = Vec::with_capacity(brief.len() + 64);
    codec::put_header(&mut out, &Header { src, src_incarnation, dst, message });
    out.extend_from_slice(reader.rest());
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use foca::Message;

    #[test]
    fn a_packet_is_the_same_after_its_journey_and_much_shorter_on_it() {
        let at = |id, port: u16| {
            let udp = [std::net::SocketAddr::from(([10, 0, 0, 1], port))];
            Identity::new(NodeId::from_bytes([id; 16]), Epoch(1 << 40), 77, &udp)
        };
        let (src, dst) = (at(1, 7_000), at(2, 7_001));
        let envelope = Envelope { sender: src.id, epoch: src.epoch, receiver: dst.id };
        let target = at(3, 7_002);
        for message in [Message::Ping(9), Message::PingReq { target, probe_number: 3 }] {
            let (src, dst) = (src.clone(), dst.clone());
            let header = Header { src, src_incarnation: 4, dst, message };
            let mut packet = Vec::new();
            codec::put_header(&mut packet, &header);
            packet.extend_from_slice(b"\0\0");
            let brief = shorten(&packet);
            assert!(brief.len() + 50 < packet.len());
            let back = lengthen(envelope, &brief).unwrap();
            let read = codec::read_header(&mut Reader::new(&back)).unwrap();
            assert_eq!(read, header);
            assert_eq!((read.src.nonce, &read.src.udp), (77, &header.src.udp));
            assert!(back.ends_with(b"\0\0"));
        }
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_reading_panic(bytes: Vec<u8>) {
            let id = NodeId::from_bytes([1; 16]);
            let envelope = Envelope { sender: id, epoch: Epoch(1), receiver: id };
            if let Ok(packet) = lengthen(envelope, &bytes) {
                shorten(&packet);
            }
        }
    }
}
