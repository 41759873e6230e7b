//! What is sent next on a link?
//!
//! Small frames go in the order they came, before bulk; bulk goes in chunks, conversation by conversation, so that a
//! small call never waits behind a big one for longer than [`BULK_IN_FLIGHT`](crate::limits::BULK_IN_FLIGHT)
//! (decisions C10).

use crate::limits::{CHUNK_MAX, ITEM_COST};
use crate::link::calls::CallId;
use crate::link::requests::RequestId;
use crate::wire::Frame;
use bytes::Bytes;
use std::collections::VecDeque;

/// One side of one conversation with something to send.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Sender {
    /// Our request.
    Call(CallId),
    /// Our reply, or our last word instead of one.
    Reply(RequestId),
}

/// What the peer may send more of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Credited {
    /// Chunks on this link.
    Link,
    /// The reply to our call.
    Call(CallId),
    /// Its call.
    Request(RequestId),
}

/// Something to be written soon.
#[derive(Debug)]
pub(super) enum Urgent {
    /// Bytes of a handshake.
    Raw(Vec<u8>),
    /// A frame that belongs to no payload.
    Frame(Box<Frame>),
    /// A conversation's small Open, small reply or last word.
    Payload(Sender),
    /// Credit for all that is owed when it is written.
    Credit(Credited),
}

/// What waits to be written, and how much bulk the peer takes.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    pub(super) urgent: VecDeque<Urgent>,
    pub(super) bulk: VecDeque<Sender>,
    pub(super) link_credit: u32,
    /// Bytes of Control frames in `urgent`.
    pub(super) control: usize,
}

impl Outbox {
    pub(super) fn push_raw(&mut self, bytes: Vec<u8>) {
        if !bytes.is_empty() {
            self.urgent.push_back(Urgent::Raw(bytes));
        }
    }

    pub(super) fn push_frame(&mut self, frame: Frame) {
        self.urgent.push_back(Urgent::Frame(Box::new(frame)));
    }

    pub(super) fn push_control(&mut self, body: Bytes) {
        self.control += body.len();
        self.push_frame(Frame::Control(body));
    }

    pub(super) fn push_credit(&mut self, whose: Credited) {
        self.urgent.push_back(Urgent::Credit(whose));
    }

    /// Lets a conversation wait for its turn: among bulk it costs credit of the link.
    pub(super) fn push_sender(&mut self, sender: Sender, bulk: bool) {
        if bulk {
            self.bulk.push_back(sender);
        } else {
            self.urgent.push_back(Urgent::Payload(sender));
        }
    }

    pub(super) fn pop_urgent(&mut self) -> Option<Urgent> {
        let urgent = self.urgent.pop_front()?;
        if let Urgent::Frame(frame) = &urgent
            && let Frame::Control(body) = frame.as_ref()
        {
            self.control -= body.len();
        }
        Some(urgent)
    }

    /// The next in the round of bulk, while the peer takes a whole chunk of anybody. It gives back half of its window
    /// at the latest, less an item's cost, and half is a chunk at least: so this never stalls for good.
    pub(super) fn pop_bulk(&mut self) -> Option<Sender> {
        if self.takes_chunk() { self.bulk.pop_front() } else { None }
    }

    /// Whether a write would carry anything.
    pub(super) fn is_ready(&self) -> bool {
        !self.urgent.is_empty() || (!self.bulk.is_empty() && self.takes_chunk())
    }

    /// Frames that wait, for the bounds on them.
    pub(super) fn len(&self) -> usize {
        self.urgent.len() + self.bulk.len()
    }

    /// Forgets what belongs to conversations; words about the link stay.
    pub(super) fn drop_payloads(&mut self) {
        self.bulk.clear();
        self.urgent.retain(|urgent| matches!(urgent, Urgent::Raw(_) | Urgent::Frame(_)));
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    fn takes_chunk(&self) -> bool {
        self.link_credit as usize >= CHUNK_MAX + ITEM_COST as usize
    }
}
