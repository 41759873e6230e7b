//! What do two node machines say over their link?
//!
//! ```text
//! kind u8, then
//! up to 0x80      a message of the registry, kind included
//! 0x81 Sync       follow u8   filter        "tell me all, and (visitors) what changes from now on"
//! 0x82 Dump       a frame of a dump of membership
//! 0x83 Goodbye                              "I leave now"
//! 0x84 Keep       u8                        "somebody here does (1) or does not (0) want this link to stay"
//! 0x85 Later      epoch varint   u8 (0 gone, 1 alive and then: addresses)   record: the receiver's of that life, or none
//!                                           "you have lived later than now"
//! 0x86 Arrivals   a frame of a dump         "these came after you asked me for all"
//! ```
//! A kind from a newer peer is dropped and counted.

use super::input::Wish;
use crate::addr::TransportAddr;
use crate::id::Epoch;
use crate::registry::Filter;
use crate::wire::addr::{put_addrs, read_addrs};
use crate::wire::codec::put_varint;
use crate::wire::{Malformed, Reader};

/// One message, as read.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Control<'a> {
    Sync { filter: Filter, after: After },
    Dump(&'a [u8]),
    Arrivals(&'a [u8]),
    Registry(&'a [u8]),
    Goodbye,
    Keep(Wish),
    Later(Later),
}

/// A life of the receiver that is later than the one it is in.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Later {
    pub(crate) epoch: Epoch,
    /// Where it is, if it is alive.
    pub(crate) place: Option<Vec<TransportAddr>>,
    /// The receiver's own node record of that life, which shows that it was; empty where none is known.
    pub(crate) record: Vec<u8>,
}

/// What is wanted after a sync.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum After {
    /// Nothing: gossip goes on.
    Gossip,
    /// Every change: a visitor hears no gossip.
    Follow,
}

impl<'a> Control<'a> {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let (kind, rest): (u8, &[u8]) = match self {
            Self::Sync { filter, after } => {
                let mut out = vec![0x81, u8::from(*after == After::Follow)];
                filter.encode(&mut out);
                return out;
            }
            Self::Later(Later { epoch, place, record }) => {
                let mut out = vec![0x85];
                put_varint(&mut out, epoch.0);
                out.push(u8::from(place.is_some()));
                if let Some(addresses) = place {
                    put_addrs(&mut out, addresses);
                }
                out.extend_from_slice(record);
                return out;
            }
            Self::Registry(message) => return message.to_vec(),
            Self::Dump(frame) => (0x82, frame),
            Self::Arrivals(frame) => (0x86, frame),
            Self::Goodbye => (0x83, &[]),
            Self::Keep(wish) => (0x84, if *wish == Wish::Keep { &[1] } else { &[0] }),
        };
        let mut out = Vec::with_capacity(1 + rest.len());
        out.push(kind);
        out.extend_from_slice(rest);
        out
    }

    pub(crate) fn decode(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes);
        Ok(match reader.u8()? {
            ..=0x80 => Self::Registry(bytes),
            0x81 => {
                let after = if reader.u8()? == 0 { After::Gossip } else { After::Follow };
                Self::Sync { filter: Filter::decode(&mut reader)?, after }
            }
            0x82 => Self::Dump(reader.rest()),
            0x86 => Self::Arrivals(reader.rest()),
            0x83 => Self::Goodbye,
            0x84 => Self::Keep(if reader.u8()? == 0 { Wish::Release } else { Wish::Keep }),
            0x85 => {
                let epoch = Epoch(reader.varint()?);
                let place = if reader.u8()? == 0 { None } else { Some(read_addrs(&mut reader)?) };
                Self::Later(Later { epoch, place, record: reader.rest().to_vec() })
            }
            _ => return Err(Malformed("control: unknown kind")),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_message_reads_back() {
        let all = [
            Control::Sync { filter: Filter::All, after: After::Follow },
            Control::Sync { filter: Filter::All, after: After::Gossip },
            Control::Dump(b"dump"),
            Control::Arrivals(b"dump"),
            Control::Registry(b"\x01message"),
            Control::Goodbye,
            Control::Keep(Wish::Keep),
            Control::Keep(Wish::Release),
            Control::Later(Later { epoch: Epoch(1 << 40), place: None, record: vec![] }),
            Control::Later(Later {
                epoch: Epoch(2),
                place: Some(vec![TransportAddr::Tcp("10.0.0.1:7".parse().unwrap())]),
                record: vec![1, 2],
            }),
        ];
        for control in all {
            assert_eq!(Control::decode(&control.encode()), Ok(control));
        }
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_reading_panic(bytes: Vec<u8>) {
            let _ = Control::decode(&bytes);
        }
    }
}
