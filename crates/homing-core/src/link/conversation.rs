//! What is said of a call or a stream, between a link and its owner?
//!
//! A call is one payload each way. In a stream either side may say several, in order: items, of which the last is told
//! apart. Who answers does not know which of both it answers to: an answer of one payload does for both.

use super::bindings::TargetKey;
use super::calls::CallId;
use super::items::Receipt;
use super::requests::RequestId;
use crate::talk::{Options, Payload, Status};
use crate::time::Time;
use crate::wire::{Target, Then};
use std::sync::Arc;
use std::time::Duration;

/// A call or stream to be made.
#[derive(Debug)]
pub struct Open<'a> {
    /// Comes back in [`Output::Ended`](super::Output::Ended).
    pub token: u64,
    /// The process-wide number of the target.
    pub key: TargetKey,
    /// The target.
    pub target: &'a Arc<Target>,
    /// When to stop waiting: for the answer, or for the first item of it.
    pub deadline: Option<Time>,
    /// The payload.
    pub payload: Payload,
    /// What accompanies it.
    pub options: Option<Box<Options>>,
    /// Whether it is a call or a stream.
    pub shape: Shape,
}

/// What a conversation of this side is to be.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Shape {
    /// One payload each way. An answer of several fails it.
    Call,
    /// As many payloads as either side has to say.
    Stream {
        /// What this side says.
        asks: Asks,
        /// How long nothing may come, once the first item has, and while none waits to be taken; `None`: for ever.
        idle: Option<Duration>,
    },
}

/// What the asking side of a conversation says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Asks {
    /// The payload, and no more.
    All,
    /// The payload, and perhaps items after it.
    First,
    /// Items, none of them yet: the payload is empty and means nothing.
    Nothing,
}

/// A call of the peer, whole, or the beginning of its stream.
#[derive(Debug)]
pub struct Request {
    /// To answer it with.
    pub id: RequestId,
    /// What it is addressed to.
    pub target: Arc<Target>,
    /// When the caller stops waiting: for the answer, or for the first item of it.
    pub deadline: Option<Time>,
    /// The payload.
    pub payload: Payload,
    /// What accompanies it.
    pub options: Option<Box<Options>>,
    /// Whether it is all.
    pub asks: Asks,
}

/// One of several payloads of a side; or a part of one, for who [asked for pieces](super::Input::InPieces).
#[derive(Debug)]
pub struct Item {
    /// The payload.
    pub payload: Payload,
    /// What accompanies it; with its first part.
    pub options: Option<Box<Options>>,
    /// What comes after: the rest of this payload, perhaps another, or nothing. What an answer ends with, be it its last
    /// payload or the rest of that, comes in its [`Outcome`] instead.
    pub then: Then,
    /// To be given back when the program takes the item.
    pub receipt: Receipt,
}

/// Where an item stands in its stream.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Place {
    /// Something follows: an item, or the end without one.
    Partial,
    /// It is the last, and said to be.
    Last,
}

/// One conversation, from the side of who speaks in it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Conversation {
    /// Begun by this side.
    Call(CallId),
    /// Begun by the peer.
    Request(RequestId),
}

/// Who in this process is told of a conversation.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Party {
    /// Who opened it with this token.
    Caller(u64),
    /// Who answers this request.
    Request(RequestId),
}

/// Whether a stream takes another item.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Room {
    /// It does.
    Open,
    /// Too much waits to leave: [`Output::Room`](super::Output::Room) will tell.
    Full,
    /// Nobody listens any more, or this side has said all.
    Over,
}

/// How a call or stream of this side ended.
#[derive(Debug)]
pub enum Outcome {
    /// With an answer; that of a stream is its last item.
    Reply(Payload, Option<Box<Options>>),
    /// A stream ended well, and had no last item.
    Nothing,
    /// With a failure told by the peer or found here.
    Failed(Box<Status>),
    /// The link ended before a byte of it was written: nothing ran.
    NotSent,
    /// The link ended after that: it may have run.
    Lost,
}
