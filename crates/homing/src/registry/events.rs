//! What happens in the registry? As one stream, in the words of tallship's page.

use super::record::Record;
use super::watch::{Change, Watch};
use crate::events::{Event, Events};
use crate::info::{Direction, text};
use homing_core::id::NodeId;
use serde::Serialize;
use std::fmt;
use tokio::sync::watch;

/// Something that happened in the registry, as this node sees it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum RegistryEvent {
    /// A record is there that was not. That a record is renewed is no event.
    Register {
        /// Which.
        record: Record,
    },
    /// A record says something else than before.
    Update {
        /// As it is now.
        record: Record,
    },
    /// A record is no more: freed, or forgotten with its owner.
    Free {
        /// As it was.
        record: Record,
    },
    /// This node dialled another one, and their link stands.
    Connect {
        /// Which.
        #[serde(serialize_with = "text")]
        node: NodeId,
    },
    /// Another node dialled this one, and their link stands.
    Connection {
        /// Which.
        #[serde(serialize_with = "text")]
        node: NodeId,
    },
    /// A peer has told all that it knows.
    Synced {
        /// Which.
        #[serde(serialize_with = "text")]
        peer: NodeId,
    },
    /// All that this node had registered, and offered, a moment ago is known to have arrived at another node at least.
    /// Once each [`Timings::heartbeat_interval`](crate::Timings::heartbeat_interval); never while nobody else is there.
    Heartbeat,
    /// The node is closed. Nothing follows.
    Closed,
}

/// One listener's place in the events of the registry, from when it was made. A listener may be slow: of records it is
/// told the difference then, and of links it may miss some.
pub struct RegistryEvents {
    watch: Watch,
    events: Events,
    beats: watch::Receiver<u64>,
    state: State,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    Open,
    /// The end was heard; what became of records until then is still told.
    Ending,
    Over,
}

impl RegistryEvents {
    pub(super) fn new(watch: Watch, events: Events, beats: watch::Receiver<u64>) -> Self {
        Self { watch: watch.skip(), events, beats, state: State::Open }
    }

    /// Waits for the next event; `None` once the node is closed and all was heard. May be dropped while it waits.
    pub async fn next(&mut self) -> Option<RegistryEvent> {
        loop {
            let heard = match self.state {
                State::Open => self.hear().await,
                State::Ending => self.hear_rest().await,
                State::Over => return None,
            };
            if heard.is_some() {
                return heard;
            }
        }
    }

    async fn hear(&mut self) -> Option<RegistryEvent> {
        tokio::select! {
            biased;
            Some(change) = self.watch.next() => of_change(change),
            event = self.events.next() => match event {
                Some(Event::Closed) | None => {
                    self.state = State::Ending;
                    None
                }
                Some(event) => of_event(&event),
            },
            Ok(()) = self.beats.changed() => Some(RegistryEvent::Heartbeat),
        }
    }

    async fn hear_rest(&mut self) -> Option<RegistryEvent> {
        if let Some(change) = self.watch.next().await {
            return of_change(change);
        }
        self.state = State::Over;
        Some(RegistryEvent::Closed)
    }
}

fn of_change(change: Change) -> Option<RegistryEvent> {
    match change {
        Change::Insert(record) => Some(RegistryEvent::Register { record }),
        Change::Update(record) => Some(RegistryEvent::Update { record }),
        Change::Remove(record) => Some(RegistryEvent::Free { record }),
        Change::Synced => None,
    }
}

fn of_event(event: &Event) -> Option<RegistryEvent> {
    match *event {
        Event::LinkUp { node, direction: Direction::Out, .. } => {
            Some(RegistryEvent::Connect { node })
        }
        Event::LinkUp { node, direction: Direction::In, .. } => {
            Some(RegistryEvent::Connection { node })
        }
        Event::Synced { node } => Some(RegistryEvent::Synced { peer: node }),
        _ => None,
    }
}

impl fmt::Debug for RegistryEvents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RegistryEvents").field("state", &self.state).finish_non_exhaustive()
    }
}
