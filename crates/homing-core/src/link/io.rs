//! What goes into a link, and what comes out of it?

use super::{
    CallId, Channel, Conversation, Item, Outcome, Party, Place, Receipt, Request, RequestId,
};
use crate::talk::{Options, Payload, Status};
use crate::wire::Hello;
use bytes::{Bytes, BytesMut};
use std::time::Duration;

/// What goes into a link.
#[derive(Debug)]
pub enum Input<'a> {
    /// The connection is an encrypted channel, and it stands. Comes before the first [`Bytes`](Self::Bytes), or never.
    Channel(Channel),
    /// Bytes from the peer. Whole frames are taken off the front, the rest stays.
    Bytes(&'a mut BytesMut),
    /// The answer to a request. Nothing happens when the request has ended meanwhile.
    Reply {
        /// Which.
        request: RequestId,
        /// The answer.
        payload: Payload,
        /// What accompanies it.
        options: Option<Box<Options>>,
    },
    /// The failure of a request. Nothing happens when the request has ended meanwhile.
    Fail {
        /// Which.
        request: RequestId,
        /// Why.
        status: Status,
    },
    /// Nobody waits for this call or stream any more. Nothing happens when it has ended meanwhile.
    Cancel(CallId),
    /// The next item of a stream. Ask [`Link::room`](super::Link::room) first; nothing happens when nobody listens any more, or this side
    /// has ended. An answer to a request may be a stream: the last item is a [`Reply`](Self::Reply) too.
    Item {
        /// Which.
        conversation: Conversation,
        /// The item.
        payload: Payload,
        /// What accompanies it.
        options: Option<Box<Options>>,
        /// Whether it is the last.
        place: Place,
    },
    /// A stream ends without a last item. Nothing happens when it has ended already.
    EndItems(Conversation),
    /// The program has taken an item that was put out: the peer may send more. Nothing happens when the conversation
    /// has ended meanwhile.
    Taken {
        /// Of which conversation.
        conversation: Conversation,
        /// What came with the item.
        receipt: Receipt,
    },
    /// From now on what comes in a stream is put out piece by piece, as it arrives, instead of when an item is whole; each
    /// piece has a receipt of its own, so that of an item no more than a window waits. An item that is coming in is put
    /// out from its next piece on, which then has all of it in front. Nothing happens in a call, or again.
    InPieces(Conversation),
    /// Nobody takes the further items of a request any more; they are let go of as they come.
    Discard(RequestId),
    /// A message for the peer's node machine, at most [`CHUNK_MAX`](crate::limits::CHUNK_MAX) bytes (a larger one is a bug, and panics). Nothing
    /// happens before [`Output::Established`].
    Control(Bytes),
    /// No new conversations: the link closes when the last has ended. Those that are silent for
    /// [`LOSER_QUIET_TIME`](crate::limits::LOSER_QUIET_TIME), or last for
    /// [`LOSER_DRAIN_TIME`](crate::limits::LOSER_DRAIN_TIME), end with it.
    Drain,
    /// The end, now, with a last word to the peer.
    Close(Status),
    /// The connection is no more.
    Broken(String),
}

/// What comes out of a link.
#[derive(Debug)]
pub enum Output {
    /// The handshake is complete; this is the peer.
    Established(Box<Hello>),
    /// The peer calls.
    Request(Request),
    /// The peer gave a request up, or its time ran out: stop the work.
    Cancelled(RequestId),
    /// An item of a stream came, or a piece of one. It is held against its conversation's window until [`Input::Taken`].
    Item {
        /// Whose.
        of: Party,
        /// The item.
        item: Item,
    },
    /// The peer has said all it asks: no further items of its request.
    AskedAll(RequestId),
    /// A stream takes more: said once after [`Link::room`](super::Link::room) found none.
    Room(Party),
    /// A call has ended. The only output with its token.
    Ended {
        /// As given to [`Link::open`](super::Link::open).
        token: u64,
        /// How.
        outcome: Outcome,
    },
    /// A message from the peer's node machine.
    Control(Bytes),
    /// The peer answered a ping.
    RoundTrip(Duration),
    /// No new conversation will be accepted here: use another link of this pair.
    Draining,
    /// Nothing was said on this link for [`IDLE_TIME`](crate::limits::IDLE_TIME); the owner decides.
    Idle,
    /// The link is no more. The last output.
    Closed(Status),
}
