//! What is sent next on a link?
//!
//! Small frames go in the order they came, before bulk; bulk goes in chunks, conversation by conversation, so that a
//! small call never waits behind a big one for longer than [`BULK_IN_FLIGHT`] (decisions C10).

use crate::link::calls::CallId;
use crate::link::requests::RequestId;
use crate::wire::Frame;
use std::collections::VecDeque;

/// One side of one conversation with something to send.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Sender {
    /// Our request.
    Call(CallId),
    /// Our reply.
    Reply(RequestId),
}

/// Something to be written soon.
#[derive(Debug)]
pub(super) enum Urgent {
    /// Bytes of a handshake.
    Raw(Vec<u8>),
    /// A frame without a payload under credit.
    Frame(Box<Frame>),
    /// A conversation's Open or its small reply.
    Payload(Sender),
}

/// What waits to be written, and how much bulk the peer takes.
#[derive(Debug)]
pub(super) struct Outbox {
    pub(super) urgent: VecDeque<Urgent>,
    pub(super) bulk: VecDeque<Sender>,
    pub(super) link_credit: u32,
}

impl Outbox {
    pub(super) fn new(link_credit: u32) -> Self {
        Self { urgent: VecDeque::new(), bulk: VecDeque::new(), link_credit }
    }

    pub(super) fn push_frame(&mut self, frame: Frame) {
        self.urgent.push_back(Urgent::Frame(Box::new(frame)));
    }

    /// Whether a write would carry anything. Bulk without credit of the link does not count.
    pub(super) fn is_ready(&self) -> bool {
        !self.urgent.is_empty() || (!self.bulk.is_empty() && self.link_credit > 0)
    }

    /// Frames that wait, for the bound on them.
    pub(super) fn len(&self) -> usize {
        self.urgent.len() + self.bulk.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.urgent.is_empty() && self.bulk.is_empty()
    }
}
