//! How does membership look on the wire?
//!
//! ```text
//! identity: id 16   epoch varint   renewal u16   nonce u64   count u8 (≤ 2)   addresses: 4|6, ip, port u16
//! member:   identity   incarnation u16   state u8 (0 alive, 1 suspect, 2 down)
//! packet:   identity of the sender   its incarnation u16   identity of the receiver   message u8, its fields
//!           [count u16, members]
//! dump:     count u16   members
//! ```

use super::identity::{Identity, UDP_MAX};
use crate::id::{Epoch, NodeId};
use crate::wire::codec::{Malformed, Reader, put_varint};
use bytes::{Buf, BufMut};
use foca::{Header, Member, Message, State};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

/// The codec handed to foca. It has no state.
#[derive(Clone, Copy, Debug)]
pub(super) struct Codec;

impl foca::Codec<Identity> for Codec {
    type Error = Malformed;

    fn encode_header(
        &mut self,
        header: &Header<Identity>,
        buf: impl BufMut,
    ) -> Result<(), Malformed> {
        let mut out = Vec::with_capacity(128);
        put_header(&mut out, header);
        put_whole(&out, buf)
    }

    fn decode_header(&mut self, buf: impl Buf) -> Result<Header<Identity>, Malformed> {
        read_advancing(buf, read_header)
    }

    fn encode_member(
        &mut self,
        member: &Member<Identity>,
        buf: impl BufMut,
    ) -> Result<(), Malformed> {
        let mut out = Vec::with_capacity(48);
        put_member(&mut out, member);
        put_whole(&out, buf)
    }

    fn decode_member(&mut self, buf: impl Buf) -> Result<Member<Identity>, Malformed> {
        read_advancing(buf, read_member)
    }
}

/// Appends a count and the members.
pub(crate) fn put_members(out: &mut Vec<u8>, members: &[Member<Identity>]) {
    let count = u16::try_from(members.len()).expect("at most DUMP_PER_FRAME at once");
    out.extend_from_slice(&count.to_be_bytes());
    for member in members {
        put_member(out, member);
    }
}

/// Reads what [`put_members`] wrote.
pub(crate) fn read_members(reader: &mut Reader<'_>) -> Result<Vec<Member<Identity>>, Malformed> {
    let count = reader.u16()?;
    (0..count).map(|_| read_member(reader)).collect()
}

/// Appends the head of a packet.
pub(crate) fn put_header(out: &mut Vec<u8>, header: &Header<Identity>) {
    put_identity(out, &header.src);
    out.extend_from_slice(&header.src_incarnation.to_be_bytes());
    put_identity(out, &header.dst);
    put_message(out, &header.message);
}

/// Reads the head of a packet.
pub(crate) fn read_header(reader: &mut Reader<'_>) -> Result<Header<Identity>, Malformed> {
    Ok(Header {
        src: read_identity(reader)?,
        src_incarnation: reader.u16()?,
        dst: read_identity(reader)?,
        message: read_message(reader)?,
    })
}

/// All or nothing, as foca asks.
fn put_whole(bytes: &[u8], mut buf: impl BufMut) -> Result<(), Malformed> {
    if buf.remaining_mut() < bytes.len() {
        return Err(Malformed("packet: no room left"));
    }
    buf.put_slice(bytes);
    Ok(())
}

fn read_advancing<T>(
    mut buf: impl Buf,
    read: impl FnOnce(&mut Reader<'_>) -> Result<T, Malformed>,
) -> Result<T, Malformed> {
    let chunk = buf.chunk();
    let mut reader = Reader::new(chunk);
    let value = read(&mut reader)?;
    let taken = chunk.len() - reader.rest().len();
    buf.advance(taken);
    Ok(value)
}

fn put_member(out: &mut Vec<u8>, member: &Member<Identity>) {
    put_identity(out, member.id());
    out.extend_from_slice(&member.incarnation().to_be_bytes());
    out.push(match member.state() {
        State::Alive => 0,
        State::Suspect => 1,
        State::Down => 2,
    });
}

fn read_member(reader: &mut Reader<'_>) -> Result<Member<Identity>, Malformed> {
    let (id, incarnation) = (read_identity(reader)?, reader.u16()?);
    let state = match reader.u8()? {
        0 => State::Alive,
        1 => State::Suspect,
        2 => State::Down,
        _ => return Err(Malformed("member: unknown state")),
    };
    Ok(Member::new(id, incarnation, state))
}

fn put_identity(out: &mut Vec<u8>, identity: &Identity) {
    out.extend_from_slice(identity.id.as_bytes());
    put_varint(out, identity.epoch.0);
    out.extend_from_slice(&identity.renewal.to_be_bytes());
    out.extend_from_slice(&identity.nonce.to_be_bytes());
    put_udp(out, &identity.udp);
}

/// Appends a count and addresses for datagrams.
pub(super) fn put_udp(out: &mut Vec<u8>, udp: &[SocketAddr]) {
    let udp = &udp[..udp.len().min(UDP_MAX)];
    out.push(u8::try_from(udp.len()).expect("at most two"));
    for addr in udp {
        match addr {
            SocketAddr::V4(addr) => {
                out.push(4);
                out.extend_from_slice(&addr.ip().octets());
            }
            SocketAddr::V6(addr) => {
                out.push(6);
                out.extend_from_slice(&addr.ip().octets());
            }
        }
        out.extend_from_slice(&addr.port().to_be_bytes());
    }
}

fn read_identity(reader: &mut Reader<'_>) -> Result<Identity, Malformed> {
    let id = NodeId::from_bytes(reader.array()?);
    let epoch = Epoch(reader.varint()?);
    let renewal = reader.u16()?;
    let nonce = reader.u64()?;
    let udp = read_udp(reader)?;
    Ok(Identity { id, epoch, renewal, nonce, udp })
}

/// Reads what [`put_udp`] wrote.
pub(super) fn read_udp(reader: &mut Reader<'_>) -> Result<Vec<SocketAddr>, Malformed> {
    let count = usize::from(reader.u8()?);
    if count > UDP_MAX {
        return Err(Malformed("identity: too many addresses"));
    }
    (0..count).map(|_| read_addr(reader)).collect()
}

fn read_addr(reader: &mut Reader<'_>) -> Result<SocketAddr, Malformed> {
    let ip = match reader.u8()? {
        4 => Ipv4Addr::from(reader.array::<4>()?).into(),
        6 => Ipv6Addr::from(reader.array::<16>()?).into(),
        _ => return Err(Malformed("identity: unknown kind of address")),
    };
    Ok(SocketAddr::new(ip, reader.u16()?))
}

/// Appends what a packet is for.
pub(super) fn put_message(out: &mut Vec<u8>, message: &Message<Identity>) {
    let (kind, number, third) = match message {
        Message::Ping(number) => (0, Some(number), None),
        Message::Ack(number) => (1, Some(number), None),
        Message::PingReq { target, probe_number } => (2, Some(probe_number), Some(target)),
        Message::IndirectPing { origin, probe_number } => (3, Some(probe_number), Some(origin)),
        Message::IndirectAck { target, probe_number } => (4, Some(probe_number), Some(target)),
        Message::ForwardedAck { origin, probe_number } => (5, Some(probe_number), Some(origin)),
        Message::Announce => (6, None, None),
        Message::Feed => (7, None, None),
        Message::Gossip => (8, None, None),
        Message::Broadcast => (9, None, None),
        Message::TurnUndead => (10, None, None),
    };
    out.push(kind);
    out.extend(number);
    if let Some(third) = third {
        put_identity(out, third);
    }
}

/// Reads what [`put_message`] wrote.
pub(super) fn read_message(reader: &mut Reader<'_>) -> Result<Message<Identity>, Malformed> {
    let kind = reader.u8()?;
    let probe_number = if kind <= 5 { reader.u8()? } else { 0 };
    Ok(match kind {
        0 => Message::Ping(probe_number),
        1 => Message::Ack(probe_number),
        2 => Message::PingReq { target: read_identity(reader)?, probe_number },
        3 => Message::IndirectPing { origin: read_identity(reader)?, probe_number },
        4 => Message::IndirectAck { target: read_identity(reader)?, probe_number },
        5 => Message::ForwardedAck { origin: read_identity(reader)?, probe_number },
        6 => Message::Announce,
        7 => Message::Feed,
        8 => Message::Gossip,
        9 => Message::Broadcast,
        10 => Message::TurnUndead,
        _ => return Err(Malformed("packet: unknown message")),
    })
}
