//! What can happen to a link? Data, so that a machine can think of more.

use crate::crypto::Proof;
use crate::limits::CHUNK_MAX;
use crate::talk::{Code, Encoding, Status};
use crate::wire::{Callee, Frame, Piece, Target, Then};
use arbitrary::{Arbitrary, Unstructured};
use bytes::Bytes;
use std::time::Duration;

/// What happens to a link and to the honest peer it may have: a liar's bytes come in between.
#[derive(Clone, Debug)]
pub struct Script {
    pub(super) role: Side,
    pub(super) start: Start,
    pub(super) room: Room,
    pub(super) steps: Vec<Step>,
}

impl<'a> Arbitrary<'a> for Script {
    /// Steps until nothing is left: what is derived for a list stops at each with a chance of one half.
    fn arbitrary(bytes: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        let (role, start, room) = bytes.arbitrary()?;
        let mut steps = Vec::new();
        while !bytes.is_empty() && steps.len() < STEPS_MAX {
            steps.push(bytes.arbitrary()?);
        }
        Ok(Self { role, start, room, steps })
    }
}

#[derive(Arbitrary, Clone, Copy, Debug)]
pub(super) enum Side {
    Dialler,
    Acceptor,
}

#[derive(Arbitrary, Clone, Copy, Debug)]
pub(super) enum Start {
    /// Nobody has said anything.
    Strangers,
    /// The handshake with the honest peer is done.
    Acquainted,
}

/// What may be held and be under way.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub(super) enum Room {
    Plenty,
    Little,
}

#[derive(Arbitrary, Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Who {
    /// The link that is lied to.
    Subject,
    /// The honest peer.
    Peer,
}

#[derive(Arbitrary, Clone, Debug)]
pub(super) enum Step {
    Call(Who, Size, Option<u8>),
    Cancel(Who, u8),
    Reply(Who, u8, Size),
    Fail(Who, u8),
    Control(Who, Size),
    /// So many milliseconds.
    Wait(u8),
    /// One write reaches the other side.
    Carry(Who),
    /// All there is to write reaches the other side.
    CarryAll(Who),
    /// What a link seldom outlives, one time in four.
    Rare(u8, Rare),
    /// A stream is opened.
    Stream(Who, Size, Saying),
    /// An item of an answer, or of what is asked.
    Item(Who, Way, u8, Size),
    EndItems(Who, Way, u8),
    /// A program takes the item that waits longest.
    Take(Who),
    Discard(Who, u8),
}

/// What the opener of a stream says.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub(super) enum Saying {
    All,
    First,
    Nothing,
}

/// Which of its conversations a side speaks in.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub(super) enum Way {
    Asking,
    Answering,
}

#[derive(Arbitrary, Clone, Debug)]
pub(super) enum Rare {
    Lie(Vec<u8>),
    LieInFrame(Word),
    LieInDamagedFrame(Word, u8, u8),
    /// One write is read by nobody.
    Lose(Who),
    /// So many tenths of a second.
    Wait(u8),
    Drain(Who),
    Close(Who),
    Break(Who),
}

/// How much a payload has.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub(super) enum Size {
    Bytes(u8),
    Chunk,
    Bulk,
}

/// A frame of small numbers, so that some meet what is under way.
#[derive(Arbitrary, Clone, Debug)]
pub(super) enum Word {
    Proof(u8),
    Bind(u8),
    Open { conversation: u8, bound: Option<u8>, deadline: Option<u8>, size: Size, then: After },
    Data { conversation: u8, size: Size, then: After },
    End(u8, u8),
    Reset(u8, u8),
    Credit(u8, u32),
    Ping(u64),
    Pong(u64),
    Drain,
    Control(Size),
    Close(u8),
    Unknown(u8),
}

#[derive(Arbitrary, Clone, Copy, Debug)]
pub(super) enum After {
    Rest,
    Next,
    Last,
}

/// Steps of one run; the rest of a longer script is left out.
const STEPS_MAX: usize = 300;

impl Size {
    pub(super) fn bytes(self) -> Bytes {
        static ZEROS: [u8; 6 * CHUNK_MAX] = [0; 6 * CHUNK_MAX];
        Bytes::from_static(match self {
            Self::Bytes(count) => &ZEROS[..count.into()],
            Self::Chunk => &ZEROS[..CHUNK_MAX],
            Self::Bulk => &ZEROS,
        })
    }
}

impl Word {
    pub(super) fn encoded(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.frame().encode(&mut out);
        out
    }

    fn frame(&self) -> Frame {
        match *self {
            Self::Proof(byte) => {
                Frame::Proof(Box::new(Proof { mac: [byte; 32], signature: [byte; 64] }))
            }
            Self::Bind(id) => Frame::Bind { id: id.into(), target: target() },
            Self::Open { conversation, bound, deadline, size, then } => Frame::Open {
                conversation: u32::from(conversation) % 8,
                callee: bound.filter(|id| *id > 0).map_or_else(
                    || Callee::Named(Box::new(target())),
                    |id| Callee::Bound(id.into()),
                ),
                deadline: deadline.map(|millis| Duration::from_millis(millis.into())),
                piece: piece(size, then),
            },
            Self::Data { conversation, size, then } => {
                Frame::Data { conversation: u32::from(conversation) % 8, piece: piece(size, then) }
            }
            Self::End(conversation, code) => {
                let status = Box::new(Status::new(Code::from_number(code), "so"));
                Frame::End { conversation: u32::from(conversation) % 8, status }
            }
            Self::Reset(conversation, code) => Frame::Reset {
                conversation: u32::from(conversation) % 8,
                code: Code::from_number(code),
            },
            Self::Credit(conversation, bytes) => {
                Frame::Credit { conversation: u32::from(conversation) % 8, bytes }
            }
            Self::Ping(token) => Frame::Ping(token),
            Self::Pong(token) => Frame::Pong(token),
            Self::Drain => Frame::Drain,
            Self::Control(size) => Frame::Control(one_chunk(size)),
            Self::Close(code) => Frame::Close(Box::new(Status::new(Code::from_number(code), "so"))),
            Self::Unknown(kind) => Frame::Unknown(kind),
        }
    }
}

fn piece(size: Size, then: After) -> Piece {
    let then = match then {
        After::Rest => Then::Rest,
        After::Next => Then::Next,
        After::Last => Then::End,
    };
    Piece { encoding: Encoding::Raw, options: None, bytes: one_chunk(size), then }
}

/// What one frame carries.
pub(super) fn one_chunk(size: Size) -> Bytes {
    let bytes = size.bytes();
    bytes.slice(..bytes.len().min(CHUNK_MAX))
}

pub(super) fn target() -> Target {
    Target {
        offer: 1,
        namespace: "default".parse().expect("a namespace"),
        service: "echo".parse().expect("a service"),
        method: "".parse().expect("a method"),
    }
}
