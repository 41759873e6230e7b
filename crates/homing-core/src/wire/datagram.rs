//! What stands around the body of a datagram?
//!
//! ```text
//! version u8 = 1   kind u8   flags u16   key u32   sender 16   receiver 16   epoch u64   counter u64   nonce u64
//! body (≤ BODY_MAX; may be encrypted)   tag 16
//! ```
//! All of the header is in the clear and proven by the tag. A receiver of zeros is everybody's, which only a scout may
//! be. `key` names the mesh's key (zero: it has none), `nonce` the receiver's boot (decisions B4, B5). In a scout the nonce
//! means nothing; in a [`Nonce`](DatagramKind::Nonce) it is the sender's.

use crate::addr::TransportAddr;
use crate::crypto::{Crypto, KeyId, Seal, TAG_LEN};
use crate::id::{Epoch, NodeId};
use crate::limits::{BODY_MAX, DATAGRAM_MAX};
use crate::wire::addr::{put_addrs, read_addrs};
use crate::wire::codec::{Malformed, Reader};
use crate::wire::hello::Kind;

/// The version of the header spoken here. Another is dropped and counted.
pub const DATAGRAM_VERSION: u8 = 1;
/// Bytes before the body.
pub const HEADER_LEN: usize = 64;

const _: () = assert!(HEADER_LEN + BODY_MAX + TAG_LEN <= DATAGRAM_MAX, "a body fits a datagram");

/// What the body is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub enum DatagramKind {
    /// I am here: a [`Scout`]. Changes nothing but where a link is tried.
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
    out.extend_from_slice(&[DATAGRAM_VERSION, header.kind as u8, 0, 0]);
    out.extend_from_slice(&header.key.0.to_be_bytes());
    out.extend_from_slice(header.sender.as_bytes());
    out.extend_from_slice(header.receiver.map_or([0; 16], |id| *id.as_bytes()).as_slice());
    out.extend_from_slice(&header.epoch.0.to_be_bytes());
    out.extend_from_slice(&header.counter.to_be_bytes());
    out.extend_from_slice(&header.nonce.to_be_bytes());
    out.extend_from_slice(body);
    crypto.seal(&header.seal(), HEADER_LEN, &mut out).then_some(out)
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
    let fits = datagram.len() >= HEADER_LEN + TAG_LEN;
    if !fits || !crypto.open(&header.seal(), HEADER_LEN, datagram) {
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

/// The body of a scout: which mesh the sender is of, and where it can be dialled.
///
/// ```text
/// mesh 8   kind u8 (0 member, 1 visitor)   addresses   (more, from a newer node: ignored)
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Scout {
    /// The first 8 bytes of the digest of the mesh's name.
    pub mesh: [u8; 8],
    /// Member or visitor.
    pub kind: Kind,
    /// Where the sender listens.
    pub addresses: Vec<TransportAddr>,
}

impl Scout {
    /// Appends the body.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.mesh);
        out.push(match self.kind {
            Kind::Member => 0,
            Kind::Visitor => 1,
        });
        put_addrs(out, &self.addresses);
    }

    /// Reads a body.
    ///
    /// # Errors
    /// It is none.
    pub fn decode(body: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(body);
        let mesh = reader.array()?;
        let kind = match reader.u8()? {
            0 => Kind::Member,
            1 => Kind::Visitor,
            _ => return Err(Malformed("scout: unknown kind of node")),
        };
        Ok(Self { mesh, kind, addresses: read_addrs(&mut reader)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::fake::Fake;
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
        Scout { mesh: *b"meshmesh", kind: Kind::Member, addresses }.encode(&mut body);
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

    proptest::proptest! {
        #[test]
        fn no_bytes_make_opening_panic(bytes: Vec<u8>) {
            let _ = open(me(), &mut bytes.clone(), &Fake::PLAIN);
            let _ = Scout::decode(&bytes);
        }
    }
}
