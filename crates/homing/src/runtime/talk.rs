//! How does a stream go on, whether its other side is a peer or this very node?

use super::pipe::PipeEnd;
use crate::crank::{Came, Exchange, LinkCell};
use homing_core::link::{self, Place, RequestId, Room};
use homing_core::talk::{Code, Payload, Status};
use std::fmt;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};

/// What a handler can reach its caller by.
#[derive(Clone, Default)]
pub(crate) enum Line {
    /// By nothing but its answer.
    #[default]
    Answer,
    /// A request over a link that may be answered by a stream.
    Call(Arc<LinkCell>, RequestId),
    /// What is a stream already.
    Talk(Talk),
}

impl Line {
    /// The stream that goes over it.
    pub(crate) fn talk(&self) -> Option<Talk> {
        match self {
            Self::Answer => None,
            Self::Call(link, request) => Some(Talk::Link(Arc::new(link.exchange(*request)))),
            Self::Talk(talk) => Some(talk.clone()),
        }
    }

    pub(crate) fn is_active(&self) -> bool {
        match self {
            Self::Answer => true,
            Self::Call(link, request) => link.is_wanted(*request),
            Self::Talk(talk) => talk.is_active(),
        }
    }
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Line")
    }
}

/// One side of a stream. Clones are handles to the same one.
#[derive(Clone)]
pub(crate) enum Talk {
    /// Over a link.
    Link(Arc<Exchange>),
    /// Within this node.
    Local(PipeEnd),
}

impl Talk {
    /// What comes next.
    pub(crate) fn poll_next(&self, cx: &mut Context<'_>) -> Poll<Came> {
        match self {
            Self::Link(exchange) => exchange.poll_next(cx),
            Self::Local(end) => end.poll_next(cx),
        }
    }

    /// What comes from now on comes in pieces, as it arrives. Within this node there is nothing to wait for: items are
    /// there whole.
    pub(crate) fn read_in_pieces(&self) {
        match self {
            Self::Link(exchange) => exchange.read_in_pieces(),
            Self::Local(_) => {}
        }
    }

    /// Ready when an item may be said, or never again.
    pub(crate) fn poll_room(&self, cx: &mut Context<'_>) -> Poll<Result<(), Status>> {
        let room = match self {
            Self::Link(exchange) => exchange.poll_room(cx),
            Self::Local(end) => end.poll_room(cx),
        };
        room.map(|room| match room {
            Room::Open | Room::Full => Ok(()),
            Room::Over => Err(Status::new(Code::Cancelled, "nobody listens to this stream")),
        })
    }

    /// Says an item, for which there is room.
    ///
    /// # Errors
    /// It is over a limit; it was not said.
    pub(crate) fn say(&self, payload: Payload, place: Place) -> Result<(), Status> {
        link::check_load(&payload, None)?;
        match self {
            Self::Link(exchange) => exchange.say(payload, place),
            Self::Local(end) => end.say(payload, place),
        }
        Ok(())
    }

    /// Waits for room and says an item.
    ///
    /// # Errors
    /// Nobody listens, or it is over a limit.
    pub(crate) async fn write(&self, payload: Payload, place: Place) -> Result<(), Status> {
        let Self::Link(exchange) = self else {
            poll_fn(|cx| self.poll_room(cx)).await?;
            return self.say(payload, place);
        };
        link::check_load(&payload, None)?;
        let mut said = exchange.try_say(payload, place);
        while let Err(payload) = said {
            poll_fn(|cx| self.poll_room(cx)).await?;
            said = exchange.try_say(payload, place);
        }
        Ok(())
    }

    pub(crate) fn end(&self) {
        match self {
            Self::Link(exchange) => exchange.end(),
            Self::Local(end) => end.end(),
        }
    }

    pub(crate) fn is_active(&self) -> bool {
        match self {
            Self::Link(exchange) => exchange.is_active(),
            Self::Local(end) => end.is_active(),
        }
    }

    pub(crate) async fn closed(&self) {
        poll_fn(|cx| match self {
            Self::Link(exchange) => exchange.poll_closed(cx),
            Self::Local(end) => end.poll_closed(cx),
        })
        .await;
    }

    pub(crate) fn leave(&self, why: Status) {
        match self {
            Self::Link(exchange) => exchange.leave(why),
            Self::Local(end) => end.leave(why),
        }
    }
}
