//! What travels on a link once both sides know each other?
//!
//! One grammar for calls, streams, topics and jobs (decisions A7): `Open · Data · End · Reset · Credit`. A call is an
//! Open and a Data that each end their side at once. In a stream a side says several payloads: each is whole with the
//! flag of neither more nor last, and the last one has it. A side that ends without a last value says End with OK, or a
//! last Data with the option `nothing`; with that option an Open has no first item either.
//!
//! Credit: a side whose only payload fits in one piece pays nothing. Once a side has said a piece that is not its last,
//! each piece costs its bytes, and [`ITEM_COST`](crate::limits::ITEM_COST) more where it ends a payload. What is paid on
//! the link is given back when it was read; in a conversation, when the program has taken it.
//!
//! ```text
//! length varint (of all that follows)   kind: low 5 bits, flags: high 3 bits   ...
//!
//!  1 Proof    MAC 32   signature 64
//!  2 Bind     id varint   target
//!  3 Open     conversation varint   method varint (0: a target follows)
//!             deadline ms varint (0: none)   encoding u8   [options]   payload
//!  4 Data     conversation varint   encoding u8   [options]   payload
//!  5 End      conversation varint   code u8   bits u8 (1: nothing ran)   retry-after ms varint
//!             message str   details bytes
//!  6 Reset    conversation varint   code u8
//!  7 Credit   conversation varint (0: the link)   bytes varint
//!  8 Ping     token u64              9 Pong   token u64
//! 10 Drain                          11 Control   body
//! 12 Close    code u8   message str
//!
//! flags of Open and Data: 0x20 the payload goes on in the next Data   0x40 this side has said all   0x80 options
//! target: offer varint (0: whichever fits)   namespace str   service str   method str
//! options: length varint, then each: key varint, length varint, value
//! ```
//! An unknown kind is skipped by its length. Ids of conversations are odd for the dialler's, even for the acceptor's,
//! the lowest free one first (decisions A15). A bound call without options adds at most 12 bytes to its payload.

use crate::crypto::Proof;
use crate::limits::{
    CHUNK_MAX, DEADLINE_MAX, DETAILS_MAX, FRAME_MAX, MESSAGE_MAX, METHOD_MAX, NAME_MAX,
};
use crate::name::{Method, Namespace, ServiceName};
use crate::talk::{Code, Encoding, Options, Started, Status};
use crate::wire::codec::{Malformed, Reader, put_bytes, put_str, put_varint, varint_len};
use crate::wire::gather::Buffer;
use crate::wire::options::{put_options, read_options};
use bytes::{Buf, Bytes, BytesMut};
use std::time::Duration;

const FLAG_MORE: u8 = 0x20;
const FLAG_LAST: u8 = 0x40;
const FLAG_OPTIONS: u8 = 0x80;
const FLAGS: u8 = FLAG_MORE | FLAG_LAST | FLAG_OPTIONS;

/// What a call or stream is addressed to on one node: a method of one of its offers.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Target {
    /// The key of the offer's record, since a node may offer several versions; 0 for whichever fits.
    pub offer: u32,
    /// The namespace.
    pub namespace: Namespace,
    /// The service.
    pub service: ServiceName,
    /// The method; empty for the default one.
    pub method: Method,
}

/// How an Open names its target.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Callee {
    /// By the number that a Bind gave it.
    Bound(u32),
    /// In full.
    Named(Box<Target>),
}

/// What comes after a piece of payload from the same side.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Then {
    /// The rest of this payload.
    Rest,
    /// Perhaps another payload: this one is whole.
    Next,
    /// Nothing: this one is whole, and the side has said all.
    End,
}

/// A payload or a part of one.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Piece {
    /// How to read the whole payload.
    pub encoding: Encoding,
    /// What accompanies it; on its first piece only.
    pub options: Option<Box<Options>>,
    /// The bytes, at most [`CHUNK_MAX`].
    pub bytes: Bytes,
    /// What comes after.
    pub then: Then,
}

/// One frame, as read.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Frame {
    /// Knowledge of the mesh's key, and of the speaker's own.
    Proof(Box<Proof>),
    /// From now on `id` means `target` on this link, in this direction.
    Bind {
        /// From 1 to [`BINDINGS_MAX`](crate::limits::BINDINGS_MAX).
        id: u32,
        /// What it means.
        target: Target,
    },
    /// A conversation begins.
    Open {
        /// Its id.
        conversation: u32,
        /// Whom it is for.
        callee: Callee,
        /// Time left when this was written.
        deadline: Option<Duration>,
        /// The first piece of the first payload.
        piece: Piece,
    },
    /// A further piece of payload.
    Data {
        /// The conversation.
        conversation: u32,
        /// The piece.
        piece: Piece,
    },
    /// This side has said all; with [`Code::Ok`] for a good end without a value.
    End {
        /// The conversation.
        conversation: u32,
        /// How it ended.
        status: Box<Status>,
    },
    /// This side wants no more, and says no more.
    Reset {
        /// The conversation.
        conversation: u32,
        /// Why.
        code: Code,
    },
    /// The other side may send so many more bytes of chunks.
    Credit {
        /// The conversation; 0 for the link.
        conversation: u32,
        /// How many more.
        bytes: u32,
    },
    /// Are you there?
    Ping(u64),
    /// I am.
    Pong(u64),
    /// No new conversations on this link, please: it will close when the last has ended.
    Drain,
    /// A message from node machine to node machine; the link does not look inside.
    Control(Bytes),
    /// The last word on a link.
    Close(Box<Status>),
    /// A kind of a newer peer: skipped.
    Unknown(u8),
}

impl Frame {
    /// Takes one frame off the front of `buffer`, or `None` while it is not all there.
    ///
    /// Payloads are slices of the buffer, not copies.
    ///
    /// # Errors
    /// The bytes are not a frame. The link cannot be read on: where the next frame starts is unknown.
    pub fn decode(buffer: &mut BytesMut) -> Result<Option<Self>, Malformed> {
        let Some((head, length)) = read_length(buffer)? else { return Ok(None) };
        if buffer.len() < head + length {
            return Ok(None);
        }
        let body = &buffer[head..head + length];
        let (frame, used) = read_body(body)?;
        let Some(blank) = frame else {
            let frame = read_rare(body)?;
            buffer.advance(head + length);
            return Ok(Some(frame));
        };
        buffer.advance(head + used);
        let bytes =
            if used == length { Bytes::new() } else { buffer.split_to(length - used).freeze() };
        Ok(Some(blank.with(bytes)))
    }

    /// Appends this frame. Payloads and messages over their limits are the caller's to cut.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Open { conversation, callee, deadline, piece } => {
                put_open(
                    out,
                    &OpenHead { conversation: *conversation, callee, deadline: *deadline },
                    piece,
                );
            }
            Self::Data { conversation, piece } => put_data(out, *conversation, piece),
            Self::Control(body) => {
                put_head(out, 11, body.len());
                out.extend_from_slice(body);
            }
            Self::End { conversation, status } => put_end(out, *conversation, status),
            Self::Credit { conversation, bytes } => put_credit(out, *conversation, *bytes),
            other => {
                let mut body = Vec::with_capacity(64);
                other.put_rare(&mut body);
                put_varint(out, body.len() as u64);
                out.extend_from_slice(&body);
            }
        }
    }

    fn put_rare(&self, out: &mut Vec<u8>) {
        match self {
            Self::Proof(proof) => {
                out.push(1);
                out.extend_from_slice(&proof.mac);
                out.extend_from_slice(&proof.signature);
            }
            Self::Bind { id, target } => {
                out.push(2);
                put_varint(out, (*id).into());
                put_target(out, target);
            }
            Self::Reset { conversation, code } => {
                out.push(6);
                put_varint(out, (*conversation).into());
                out.push(code.number());
            }
            Self::Ping(token) => put_token(out, 8, *token),
            Self::Pong(token) => put_token(out, 9, *token),
            Self::Drain => out.push(10),
            Self::Close(status) => {
                out.push(12);
                out.push(status.code.number());
                put_str(out, cut(&status.message));
            }
            Self::Unknown(kind) => out.push(*kind),
            Self::Open { .. }
            | Self::Data { .. }
            | Self::End { .. }
            | Self::Credit { .. }
            | Self::Control(_) => unreachable!("these are written by their own functions"),
        }
    }
}

/// What stands before the payload of an Open.
#[derive(Clone, Copy, Debug)]
pub struct OpenHead<'a> {
    /// Its id.
    pub conversation: u32,
    /// Whom it is for.
    pub callee: &'a Callee,
    /// Time left now; rounded down to milliseconds, 1 at least (decisions D7).
    pub deadline: Option<Duration>,
}

/// Appends an Open without building a [`Frame`] first: the hot path of a caller.
pub fn put_open(to: &mut impl Buffer, head: &OpenHead<'_>, piece: &Piece) {
    let out = to.bytes();
    let deadline = head.deadline.map_or(0, whole_millis);
    if let Callee::Bound(id) = head.callee
        && piece.options.is_none()
    {
        let (conversation, id) = (head.conversation.into(), (*id).into());
        let length = 2
            + varint_len(conversation)
            + varint_len(id)
            + varint_len(deadline)
            + piece.bytes.len();
        put_varint(out, length as u64);
        out.push(3 | flags(piece));
        put_varint(out, conversation);
        put_varint(out, id);
        put_varint(out, deadline);
        out.push(piece.encoding as u8);
        return to.put_payload(&piece.bytes);
    }
    let mut front = Vec::with_capacity(256);
    front.push(3 | flags(piece));
    put_varint(&mut front, head.conversation.into());
    match head.callee {
        Callee::Bound(id) => put_varint(&mut front, (*id).into()),
        Callee::Named(target) => {
            front.push(0);
            put_target(&mut front, target);
        }
    }
    put_varint(&mut front, deadline);
    put_piece(to, front, piece);
}

/// Appends a Data without building a [`Frame`] first: the hot path of a responder.
pub fn put_data(to: &mut impl Buffer, conversation: u32, piece: &Piece) {
    let out = to.bytes();
    if piece.options.is_none() {
        put_varint(out, (2 + varint_len(conversation.into()) + piece.bytes.len()) as u64);
        out.push(4 | flags(piece));
        put_varint(out, conversation.into());
        out.push(piece.encoding as u8);
        return to.put_payload(&piece.bytes);
    }
    let mut front = Vec::with_capacity(128);
    front.push(4 | flags(piece));
    put_varint(&mut front, conversation.into());
    put_piece(to, front, piece);
}

/// Appends an End without building a [`Frame`] first.
pub fn put_end(out: &mut Vec<u8>, conversation: u32, status: &Status) {
    let mut body = Vec::with_capacity(64);
    body.push(5);
    put_varint(&mut body, conversation.into());
    put_status(&mut body, status);
    put_bytes(out, &body);
}

/// Appends a Credit without building a [`Frame`] first.
pub fn put_credit(out: &mut Vec<u8>, conversation: u32, bytes: u32) {
    let (conversation, bytes) = (conversation.into(), bytes.into());
    put_head(out, 7, varint_len(conversation) + varint_len(bytes));
    put_varint(out, conversation);
    put_varint(out, bytes);
}

fn put_piece(to: &mut impl Buffer, mut front: Vec<u8>, piece: &Piece) {
    front.push(piece.encoding as u8);
    if let Some(options) = &piece.options {
        put_options(&mut front, options);
    }
    put_varint(to.bytes(), (front.len() + piece.bytes.len()) as u64);
    to.bytes().extend_from_slice(&front);
    to.put_payload(&piece.bytes);
}

fn put_head(out: &mut Vec<u8>, kind: u8, len: usize) {
    put_varint(out, len as u64 + 1);
    out.push(kind);
}

fn put_token(out: &mut Vec<u8>, kind: u8, token: u64) {
    out.push(kind);
    out.extend_from_slice(&token.to_be_bytes());
}

fn put_target(out: &mut Vec<u8>, target: &Target) {
    put_varint(out, target.offer.into());
    put_str(out, target.namespace.as_str());
    put_str(out, target.service.as_str());
    put_str(out, target.method.as_str());
}

fn put_status(out: &mut Vec<u8>, status: &Status) {
    out.push(status.code.number());
    out.push(match status.started {
        Started::No => 1,
        Started::Maybe => 0,
    });
    put_varint(out, status.retry_after.map_or(0, whole_millis));
    put_str(out, cut(&status.message));
    put_bytes(out, if status.details.len() > DETAILS_MAX { &[] } else { &status.details });
}

/// Whole milliseconds, at least 1, at most [`DEADLINE_MAX`].
fn whole_millis(span: Duration) -> u64 {
    u64::try_from(span.min(DEADLINE_MAX).as_millis()).unwrap_or(u64::MAX).max(1)
}

/// As much of a message as travels: up to [`MESSAGE_MAX`] bytes, whole characters.
fn cut(message: &str) -> &str {
    &message[..message.floor_char_boundary(MESSAGE_MAX)]
}

fn flags(piece: &Piece) -> u8 {
    let then = match piece.then {
        Then::Rest => FLAG_MORE,
        Then::Next => 0,
        Then::End => FLAG_LAST,
    };
    if piece.options.is_some() { then | FLAG_OPTIONS } else { then }
}

fn read_length(buffer: &[u8]) -> Result<Option<(usize, usize)>, Malformed> {
    let mut reader = Reader::new(&buffer[..buffer.len().min(5)]);
    let length = match reader.varint32() {
        Ok(length) => length as usize,
        Err(_) if buffer.len() < 5 => return Ok(None),
        Err(_) => return Err(Malformed("frame: length")),
    };
    match length {
        0 => Err(Malformed("frame: empty")),
        length if length > FRAME_MAX => Err(Malformed("frame: over its limit")),
        length => Ok(Some((buffer.len().min(5) - reader.rest().len(), length))),
    }
}

/// A frame that ends with a payload, before the payload is cut off the buffer.
enum Blank {
    Open { conversation: u32, callee: Callee, deadline: Option<Duration>, front: Front },
    Data { conversation: u32, front: Front },
    Control,
}

struct Front {
    encoding: Encoding,
    options: Option<Box<Options>>,
    then: Then,
}

impl Blank {
    fn with(self, bytes: Bytes) -> Frame {
        let piece = |front: Front, bytes| Piece {
            encoding: front.encoding,
            options: front.options,
            bytes,
            then: front.then,
        };
        match self {
            Self::Open { conversation, callee, deadline, front } => {
                Frame::Open { conversation, callee, deadline, piece: piece(front, bytes) }
            }
            Self::Data { conversation, front } => {
                Frame::Data { conversation, piece: piece(front, bytes) }
            }
            Self::Control => Frame::Control(bytes),
        }
    }
}

/// The fields in front of a payload and how many bytes they took; no frame when the kind carries no payload.
fn read_body(body: &[u8]) -> Result<(Option<Blank>, usize), Malformed> {
    let mut reader = Reader::new(body);
    let first = reader.u8()?;
    let blank = match first & !FLAGS {
        3 => {
            let conversation = reader.varint32()?;
            let callee = match reader.varint32()? {
                0 => Callee::Named(Box::new(read_target(&mut reader)?)),
                id => Callee::Bound(id),
            };
            let deadline =
                Some(reader.varint()?).filter(|millis| *millis > 0).map(Duration::from_millis);
            let deadline = deadline.map(|span| span.min(DEADLINE_MAX));
            Blank::Open { conversation, callee, deadline, front: read_front(&mut reader, first)? }
        }
        4 => {
            Blank::Data { conversation: reader.varint32()?, front: read_front(&mut reader, first)? }
        }
        11 => Blank::Control,
        _ => return Ok((None, 0)),
    };
    if reader.rest().len() > CHUNK_MAX {
        return Err(Malformed("payload: a piece over its limit"));
    }
    Ok((Some(blank), body.len() - reader.rest().len()))
}

fn read_front(reader: &mut Reader<'_>, first: u8) -> Result<Front, Malformed> {
    let then = match first & (FLAG_MORE | FLAG_LAST) {
        FLAG_MORE => Then::Rest,
        FLAG_LAST => Then::End,
        0 => Then::Next,
        _ => return Err(Malformed("flags: more and last together")),
    };
    let encoding = Encoding::from_number(reader.u8()?).ok_or(Malformed("encoding: unknown"))?;
    let options =
        if first & FLAG_OPTIONS == 0 { None } else { Some(Box::new(read_options(reader)?)) };
    Ok(Front { encoding, options, then })
}

fn read_rare(body: &[u8]) -> Result<Frame, Malformed> {
    let mut reader = Reader::new(body);
    Ok(match reader.u8()? {
        1 => Frame::Proof(Box::new(Proof { mac: reader.array()?, signature: reader.array()? })),
        2 => Frame::Bind { id: reader.varint32()?, target: read_target(&mut reader)? },
        5 => Frame::End {
            conversation: reader.varint32()?,
            status: Box::new(read_status(&mut reader)?),
        },
        6 => {
            Frame::Reset { conversation: reader.varint32()?, code: Code::from_number(reader.u8()?) }
        }
        7 => Frame::Credit { conversation: reader.varint32()?, bytes: reader.varint32()? },
        8 => Frame::Ping(reader.u64()?),
        9 => Frame::Pong(reader.u64()?),
        10 => Frame::Drain,
        12 => {
            let code = Code::from_number(reader.u8()?);
            Frame::Close(Box::new(Status::new(code, plain(reader.str(MESSAGE_MAX)?))))
        }
        kind => Frame::Unknown(kind),
    })
}

fn read_target(reader: &mut Reader<'_>) -> Result<Target, Malformed> {
    let offer = reader.varint32()?;
    let namespace = reader.str(NAME_MAX)?.parse().map_err(|_| Malformed("target: namespace"))?;
    let service =
        ServiceName::from_peer(reader.str(NAME_MAX)?).map_err(|_| Malformed("target: service"))?;
    let method = reader.str(METHOD_MAX)?.parse().map_err(|_| Malformed("target: method"))?;
    Ok(Target { offer, namespace, service, method })
}

/// The words of a peer as they may stand on a terminal, in one line: whoever answers a dial can say anything.
fn plain(words: &str) -> String {
    let sign = |sign: char| if sign.is_control() { ' ' } else { sign };
    words.chars().map(sign).collect()
}

fn read_status(reader: &mut Reader<'_>) -> Result<Status, Malformed> {
    let code = Code::from_number(reader.u8()?);
    let started = if reader.u8()? & 1 == 1 { Started::No } else { Started::Maybe };
    let retry_after = Some(reader.varint()?).filter(|millis| *millis > 0);
    let message = plain(reader.str(MESSAGE_MAX)?);
    let details = Bytes::copy_from_slice(reader.bytes(DETAILS_MAX)?);
    let retry_after = retry_after.map(|millis| Duration::from_millis(millis).min(DEADLINE_MAX));
    Ok(Status { code, message, started, retry_after, details })
}

#[cfg(test)]
mod tests;
