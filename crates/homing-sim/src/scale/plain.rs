//! How do members of bare foca name themselves, and how does that look in a packet?

use bytes::{Buf, BufMut};
use foca::{Codec, Header, Identity, Member, Message, State};

/// A member by its number, and how often it was wrongly held gone.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Name {
    number: u16,
    renewal: u16,
}

/// Fields one after the other, all of the same length in every packet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plain;

/// A packet that is not one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Garbled;

const HEADER_LEN: usize = 16;
const MEMBER_LEN: usize = 7;

impl std::fmt::Display for Garbled {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("no packet")
    }
}

impl std::error::Error for Garbled {}

impl Name {
    /// At the start of its life.
    pub(super) fn first(number: usize) -> Self {
        Self { number: u16::try_from(number).expect("at most 65,536 members"), renewal: 0 }
    }

    pub(super) fn number(self) -> usize {
        usize::from(self.number)
    }

    fn put(self, buf: &mut impl BufMut) {
        buf.put_u16(self.number);
        buf.put_u16(self.renewal);
    }

    fn read(buf: &mut impl Buf) -> Self {
        Self { number: buf.get_u16(), renewal: buf.get_u16() }
    }
}

impl Identity for Name {
    type Addr = u16;

    fn renew(&self) -> Option<Self> {
        Some(Self { renewal: self.renewal.checked_add(1)?, ..*self })
    }

    fn addr(&self) -> u16 {
        self.number
    }

    fn win_addr_conflict(&self, adversary: &Self) -> bool {
        self.renewal > adversary.renewal
    }
}

impl Codec<Name> for Plain {
    type Error = Garbled;

    fn encode_header(
        &mut self,
        header: &Header<Name>,
        mut buf: impl BufMut,
    ) -> Result<(), Garbled> {
        room(&buf, HEADER_LEN)?;
        header.src.put(&mut buf);
        buf.put_u16(header.src_incarnation);
        header.dst.put(&mut buf);
        let (kind, number, third) = parts(&header.message);
        buf.put_u8(kind);
        buf.put_u8(number);
        third.unwrap_or(header.src).put(&mut buf);
        Ok(())
    }

    fn decode_header(&mut self, mut buf: impl Buf) -> Result<Header<Name>, Garbled> {
        whole(&buf, HEADER_LEN)?;
        let (src, src_incarnation) = (Name::read(&mut buf), buf.get_u16());
        let (dst, kind, probe_number) = (Name::read(&mut buf), buf.get_u8(), buf.get_u8());
        let third = Name::read(&mut buf);
        let message = message((kind, probe_number, third)).ok_or(Garbled)?;
        Ok(Header { src, src_incarnation, dst, message })
    }

    fn encode_member(
        &mut self,
        member: &Member<Name>,
        mut buf: impl BufMut,
    ) -> Result<(), Garbled> {
        room(&buf, MEMBER_LEN)?;
        member.id().put(&mut buf);
        buf.put_u16(member.incarnation());
        buf.put_u8(match member.state() {
            State::Alive => 0,
            State::Suspect => 1,
            State::Down => 2,
        });
        Ok(())
    }

    fn decode_member(&mut self, mut buf: impl Buf) -> Result<Member<Name>, Garbled> {
        whole(&buf, MEMBER_LEN)?;
        let (name, incarnation) = (Name::read(&mut buf), buf.get_u16());
        let state = match buf.get_u8() {
            0 => State::Alive,
            1 => State::Suspect,
            _ => State::Down,
        };
        Ok(Member::new(name, incarnation, state))
    }
}

fn room(buf: &impl BufMut, bytes: usize) -> Result<(), Garbled> {
    if buf.remaining_mut() < bytes { Err(Garbled) } else { Ok(()) }
}

fn whole(buf: &impl Buf, bytes: usize) -> Result<(), Garbled> {
    if buf.remaining() < bytes { Err(Garbled) } else { Ok(()) }
}

fn parts(message: &Message<Name>) -> (u8, u8, Option<Name>) {
    match message {
        Message::Ping(number) => (0, *number, None),
        Message::Ack(number) => (1, *number, None),
        Message::PingReq { target, probe_number } => (2, *probe_number, Some(*target)),
        Message::IndirectPing { origin, probe_number } => (3, *probe_number, Some(*origin)),
        Message::IndirectAck { target, probe_number } => (4, *probe_number, Some(*target)),
        Message::ForwardedAck { origin, probe_number } => (5, *probe_number, Some(*origin)),
        Message::Announce => (6, 0, None),
        Message::Feed => (7, 0, None),
        Message::Gossip => (8, 0, None),
        Message::Broadcast => (9, 0, None),
        Message::TurnUndead => (10, 0, None),
    }
}

fn message((kind, probe_number, third): (u8, u8, Name)) -> Option<Message<Name>> {
    Some(match kind {
        0 => Message::Ping(probe_number),
        1 => Message::Ack(probe_number),
        2 => Message::PingReq { target: third, probe_number },
        3 => Message::IndirectPing { origin: third, probe_number },
        4 => Message::IndirectAck { target: third, probe_number },
        5 => Message::ForwardedAck { origin: third, probe_number },
        6 => Message::Announce,
        7 => Message::Feed,
        8 => Message::Gossip,
        9 => Message::Broadcast,
        10 => Message::TurnUndead,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_read_back() {
        let (one, other) = (Name::first(3), Name { number: 9, renewal: 2 });
        for kind in 0..11 {
            let third = if (2..=5).contains(&kind) { other } else { one };
            let number = if kind < 6 { 7 } else { 0 };
            let message = message((kind, number, third)).unwrap();
            let header = Header { src: one, src_incarnation: 5, dst: other, message };
            let mut bytes = Vec::new();
            Plain.encode_header(&header, &mut bytes).unwrap();
            assert_eq!(Plain.decode_header(&bytes[..]).unwrap(), header);
        }
        assert!(message((11, 0, one)).is_none());
    }
}
