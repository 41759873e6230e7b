//! What stands around the body of a datagram?
//!
//! ```text
//! version u8 = 1   kind u8   flags u16   key u32   sender 16   receiver 16   epoch u64   counter u64   nonce u64
//! body (≤ BODY_MAX; may be encrypted)   tag 16
//! ```
//! All of the header is in the clear and proven by the tag, and so is the beginning of a scout's body. A receiver of zeros is everybody's, which only a scout may
//! be. `key` names the mesh's key (zero: it has none), `nonce` the receiver's boot (decisions B4, B5). In a scout the nonce
//! means nothing; in a [`Nonce`](DatagramKind::Nonce) it is the sender's.

use crate::crypto::{Crypto, KeyId, Seal, TAG_LEN};
use crate::id::{Epoch, NodeId};
use crate::limits::{BODY_MAX, DATAGRAM_MAX};
use crate::wire::codec::{Malformed, Reader};
use crate::wire::scout::{self, Banner};

/// The version of the header spoken here. Another is dropped and counted.
pub const DATAGRAM_VERSION: u8 = 1;
/// Bytes before the body.
pub const HEADER_LEN: usize = 64;

const _: () = assert!(HEADER_LEN + BODY_MAX + TAG_LEN <= DATAGRAM_MAX, "a body fits a datagram");

/// What the body is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub enum DatagramKind {
    /// I am here: a [`Scout`](super::Scout). Changes nothing but where a link is tried.
    Scout = 1,
    /// A packet of membership.
    Membership = 2,
    /// A message of the registry.
    Registry = 3,
    /// The sender leaves now. No body.
    Goodbye = 4,
    /// The sender's boot nonce, for who used a wrong one: it stands in the header. No body, so that the answer is never
    /// longer than the question.
    Nonce = 5,
    /// A later life of the receiver is known here: its epoch, u64. One that reads this and has joined runs twice, and has
    /// to stop (decisions A10). Needs no nonce: it was true once, so it is true for ever.
    Superseded = 6,
    /// Who is there, of whatever mesh? Whoever hears it on its network or host calls out, once in a while, as it does
    /// anyway ([`CENSUS_PAUSE`](crate::limits::CENSUS_PAUSE)). No body and no seal: it tells nothing of who asks, and is
    /// believed of anybody.
    Census = 7,
}

impl DatagramKind {
    fn from_number(number: u8) -> Result<Self, Malformed> {
        Ok(match number {
            1 => Self::Scout,
            2 => Self::Membership,
            3 => Self::Registry,
            4 => Self::Goodbye,
            5 => Self::Nonce,
            6 => Self::Superseded,
            7 => Self::Census,
            _ => return Err(Malformed("datagram: unknown kind")),
        })
    }
}

/// What stands before the body.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Header {
    /// What the body is.
    pub kind: DatagramKind,
    /// Which of the mesh's keys sealed it.
    pub key: KeyId,
    /// Who sent it.
    pub sender: NodeId,
    /// Who is to read it; `None` for everybody.
    pub receiver: Option<NodeId>,
    /// The sender's life.
    pub epoch: Epoch,
    /// The sender's count of datagrams in this life.
    pub counter: u64,
    /// The receiver's boot nonce, as far as the sender knows it.
    pub nonce: u64,
}

impl Header {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&[DATAGRAM_VERSION, self.kind as u8, 0, 0]);
        out.extend_from_slice(&self.key.0.to_be_bytes());
        out.extend_from_slice(self.sender.as_bytes());
        out.extend_from_slice(self.receiver.map_or([0; 16], |id| *id.as_bytes()).as_slice());
        out.extend_from_slice(&self.epoch.0.to_be_bytes());
        out.extend_from_slice(&self.counter.to_be_bytes());
        out.extend_from_slice(&self.nonce.to_be_bytes());
    }

    fn seal(&self) -> Seal {
        let Self { key, sender, epoch, counter, .. } = *self;
        Seal { key, sender, epoch, counter }
    }
}

/// Why a datagram was dropped.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// It is no datagram of ours, or of another version.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// It is for another node, or came back to its sender.
    #[error("datagram: for another node")]
    NotForUs,
    /// It was sealed with a key that is not held here: it is of another mesh.
    #[error("datagram: sealed with key {0}, which is not held here")]
    OtherKey(KeyId),
    /// It was not sealed with the mesh's key.
    #[error("datagram: the tag is wrong")]
    Forged,
}

/// The whole datagram around `body`; `None` where the header's key is not held.
///
/// # Panics
/// If `body` has more than [`BODY_MAX`] bytes: who makes bodies bounds them.
pub fn seal(header: &Header, body: &[u8], crypto: &dyn Crypto) -> Option<Vec<u8>> {
    assert!(body.len() <= BODY_MAX, "the makers of bodies keep to their bound");
    let mut out = Vec::with_capacity(HEADER_LEN + body.len() + TAG_LEN);
    header.encode(&mut out);
    out.extend_from_slice(body);
    crypto.seal(&header.seal(), clear_len(header.kind, body), &mut out).then_some(out)
}

/// Opens in place what [`seal`] made for `me`; the body is what stands behind [`HEADER_LEN`].
///
/// # Errors
/// The datagram is to be dropped; the error says why.
pub fn open(me: NodeId, datagram: &mut Vec<u8>, crypto: &dyn Crypto) -> Result<Header, Refused> {
    if datagram.len() > DATAGRAM_MAX {
        return Err(Malformed("datagram: over its limit").into());
    }
    let header = read_header(&mut Reader::new(datagram))?;
    let for_us = match header.receiver {
        Some(receiver) => receiver == me,
        None => header.kind == DatagramKind::Scout,
    };
    if !for_us || header.sender == me {
        return Err(Refused::NotForUs);
    }
    if !crypto.keys().contains(&header.key) {
        return Err(Refused::OtherKey(header.key));
    }
    let body = datagram.len().checked_sub(TAG_LEN).and_then(|end| datagram.get(HEADER_LEN..end));
    let clear = body.map(|body| clear_len(header.kind, body));
    if !clear.is_some_and(|clear| crypto.open(&header.seal(), clear, datagram)) {
        return Err(Refused::Forged);
    }
    Ok(header)
}

fn read_header(reader: &mut Reader<'_>) -> Result<Header, Malformed> {
    if reader.u8()? != DATAGRAM_VERSION {
        return Err(Malformed("datagram: another version"));
    }
    let kind = DatagramKind::from_number(reader.u8()?)?;
    reader.u16()?; // Flags: none has a meaning yet.
    Ok(Header {
        kind,
        key: KeyId(reader.u32()?),
        sender: NodeId::from_bytes(reader.array()?),
        receiver: Some(reader.array()?).filter(|id| *id != [0; 16]).map(NodeId::from_bytes),
        epoch: Epoch(reader.u64()?),
        counter: reader.u64()?,
        nonce: reader.u64()?,
    })
}

/// The beginning of a sealed datagram that stays readable: its header, and what a scout says in the clear.
fn clear_len(kind: DatagramKind, body: &[u8]) -> usize {
    match kind {
        DatagramKind::Scout => HEADER_LEN + scout::clear_len(body),
        _ => HEADER_LEN,
    }
}

/// What anybody can read of a scout, whoever sealed it; nobody has proven that it is true.
///
/// # Errors
/// It is no scout.
pub fn peek(datagram: &[u8]) -> Result<(Header, Banner), Malformed> {
    let mut reader = Reader::new(datagram);
    let header = read_header(&mut reader)?;
    if header.kind != DatagramKind::Scout || datagram.len() > DATAGRAM_MAX {
        return Err(Malformed("datagram: no scout"));
    }
    Ok((header, Banner::decode(reader.rest())?))
}

/// A census, from whoever draws this id for it: the header alone, and no seal.
pub fn census(sender: NodeId) -> Vec<u8> {
    let (key, epoch) = (KeyId::NONE, Epoch(0));
    let kind = DatagramKind::Census;
    let header = Header { kind, key, sender, receiver: None, epoch, counter: 0, nonce: 0 };
    let mut out = Vec::with_capacity(HEADER_LEN);
    header.encode(&mut out);
    out
}

/// Whether a datagram is a [`census`].
pub fn is_census(datagram: &[u8]) -> bool {
    datagram.len() == HEADER_LEN
        && read_header(&mut Reader::new(datagram))
            .is_ok_and(|header| header.kind == DatagramKind::Census && header.receiver.is_none())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::addr::TransportAddr;
    use crate::crypto::fake::Fake;
    use crate::wire::{Guard, Kind, Scout};
    use std::fmt::Write as _;

    fn header(kind: DatagramKind, receiver: Option<NodeId>) -> Header {
        let sender = NodeId::from_bytes([0xaa; 16]);
        Header { kind, key: KeyId::NONE, sender, receiver, epoch: Epoch(3), counter: 258, nonce: 0 }
    }

    fn me() -> NodeId {
        NodeId::from_bytes([0xbb; 16])
    }

    fn sealed(kind: DatagramKind, body: &[u8]) -> Vec<u8> {
        seal(&header(kind, Some(me())), body, &Fake::PLAIN).unwrap()
    }

    fn scout() -> Vec<u8> {
        let addresses = vec![
            TransportAddr::Tcp("127.0.0.1:7001".parse().unwrap()),
            TransportAddr::Unix { host: 9, path: "/run/a".into() },
        ];
        let mut body = Vec::new();
        let banner = Banner { mesh: "shop".parse().unwrap(), guard: Guard::Keyed };
        Scout { banner, kind: Kind::Member, addresses }.encode(&mut body);
        seal(&header(DatagramKind::Scout, None), &body, &Fake::PLAIN).unwrap()
    }

    #[test]
    fn golden_bytes_stay_as_they_are() {
        let all = [
            ("scout", scout()),
            ("membership", sealed(DatagramKind::Membership, b"packet")),
            ("registry", sealed(DatagramKind::Registry, b"message")),
            ("goodbye", sealed(DatagramKind::Goodbye, b"")),
            ("nonce", sealed(DatagramKind::Nonce, b"")),
            ("superseded", sealed(DatagramKind::Superseded, &7_u64.to_be_bytes())),
            ("census", census(NodeId::from_bytes([0xaa; 16]))),
        ];
        let mut text = String::new();
        for (name, bytes) in all {
            text.push_str(name);
            text.push(' ');
            for byte in bytes {
                write!(text, "{byte:02x}").unwrap();
            }
            text.push('\n');
        }
        assert_eq!(text, include_str!("../../testdata/wire/datagram.txt"), "now:\n{text}");
    }

    #[test]
    fn what_was_sealed_opens_for_its_receiver_alone() {
        let expect = header(DatagramKind::Membership, Some(me()));
        let sealed = seal(&expect, b"body", &Fake::PLAIN).unwrap();
        let mut datagram = sealed.clone();
        assert_eq!(open(me(), &mut datagram, &Fake::PLAIN), Ok(expect));
        assert_eq!(&datagram[HEADER_LEN..], b"body");
        let other = NodeId::from_bytes([1; 16]);
        assert_eq!(open(other, &mut sealed.clone(), &Fake::PLAIN), Err(Refused::NotForUs));
        assert_eq!(open(expect.sender, &mut scout(), &Fake::PLAIN), Err(Refused::NotForUs));
    }

    #[test]
    fn a_changed_byte_anywhere_is_refused() {
        let sealed = sealed(DatagramKind::Goodbye, b"");
        for at in 0..sealed.len() {
            let mut datagram = sealed.clone();
            datagram[at] ^= 0x40;
            assert!(open(me(), &mut datagram, &Fake::PLAIN).is_err(), "byte {at}");
        }
    }

    #[test]
    fn who_holds_another_key_knows_that_it_is_of_another_mesh() {
        let mut datagram = sealed(DatagramKind::Goodbye, b"");
        let other = Fake::PLAIN.of_mesh(3);
        assert_eq!(open(me(), &mut datagram, &other), Err(Refused::OtherKey(KeyId::NONE)));
        let ours = Header { key: KeyId(3), ..header(DatagramKind::Goodbye, Some(me())) };
        assert_eq!(seal(&ours, b"", &Fake::PLAIN), None, "nobody seals with what is not held");
        let mut datagram = seal(&ours, b"", &other).unwrap();
        let rotating = Fake::PLAIN.of_mesh(9).and_mesh(3);
        assert_eq!(open(me(), &mut datagram, &rotating), Ok(ours));
    }

    #[test]
    fn a_scout_reads_back_and_only_a_scout_is_for_everybody() {
        let mut datagram = scout();
        assert!(open(me(), &mut datagram, &Fake::PLAIN).is_ok());
        assert_eq!(Scout::decode(&datagram[HEADER_LEN..]).unwrap().addresses.len(), 2);
        let mut other = seal(&header(DatagramKind::Goodbye, None), b"", &Fake::PLAIN).unwrap();
        assert_eq!(open(me(), &mut other, &Fake::PLAIN), Err(Refused::NotForUs));
    }

    #[test]
    fn who_holds_no_key_reads_of_a_scout_its_mesh_and_of_nothing_else_anything() {
        let (header, banner) = peek(&scout()).unwrap();
        assert_eq!((header.sender, banner.mesh.as_str()), (NodeId::from_bytes([0xaa; 16]), "shop"));
        assert!(peek(&sealed(DatagramKind::Membership, b"\x06\x01\x04shop")).is_err());
    }

    #[test]
    fn a_census_is_nobodys_and_opens_for_nobody() {
        let mut bytes = census(NodeId::from_bytes([0xaa; 16]));
        assert!(is_census(&bytes) && !is_census(&scout()) && !is_census(&bytes[1..]));
        assert_eq!(open(me(), &mut bytes, &Fake::PLAIN), Err(Refused::NotForUs));
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_opening_panic(bytes: Vec<u8>) {
            let _ = open(me(), &mut bytes.clone(), &Fake::PLAIN);
            let _ = Scout::decode(&bytes);
            let _ = (peek(&bytes), is_census(&bytes));
        }
    }
}
