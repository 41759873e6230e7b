//! What happened? A node tells whoever listens, and waits for nobody.

use crate::info::{Carrier, Direction, Kind, maybe_text, text, texts};
use homing_core::addr::TransportAddr;
use homing_core::id::NodeId;
use homing_core::limits::EVENTS_MAX;
use homing_core::name::{Namespace, NodeName, ServiceName, Version};
use homing_core::talk::Status;
use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};
use std::fmt;
use tokio::sync::broadcast::{self, error::RecvError};

/// Something that happened on a node or in its mesh, as this node sees it.
///
/// As JSON, each is an object whose `event` names it: `{"event":"node_left","node":"…","name":"words-7"}`.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Event {
    /// This node can be reached: told first, and again when it is reached elsewhere, for the interfaces of its host changed.
    Listening {
        /// Where.
        #[serde(serialize_with = "texts")]
        addresses: Vec<TransportAddr>,
    },
    /// A node is there: new, or back.
    NodeJoined {
        /// Which.
        #[serde(serialize_with = "text")]
        node: NodeId,
        /// Its name.
        #[serde(serialize_with = "text")]
        name: NodeName,
        /// Member or visitor.
        kind: Kind,
    },
    /// A node is gone: it said goodbye, or stopped answering.
    NodeLeft {
        /// Which.
        #[serde(serialize_with = "text")]
        node: NodeId,
        /// Its name.
        #[serde(serialize_with = "text")]
        name: NodeName,
    },
    /// A link to a node stands, its handshake done.
    LinkUp {
        /// To whom.
        #[serde(serialize_with = "text")]
        node: NodeId,
        /// Who dialled.
        direction: Direction,
        /// What carries it.
        transport: Carrier,
    },
    /// A link to a node ended.
    LinkDown {
        /// To whom.
        #[serde(serialize_with = "text")]
        node: NodeId,
        /// Why, for people.
        why: String,
    },
    /// None of the addresses of a node, or of a seed, led to it. It is tried again while somebody wants it.
    Unreachable {
        /// Which node, if it is known who should have been there.
        #[serde(serialize_with = "maybe_text")]
        node: Option<NodeId>,
        /// Each address that was tried, and what came of it.
        #[serde(serialize_with = "each_tried")]
        tried: Vec<(TransportAddr, String)>,
    },
    /// A node offers a service.
    Offered {
        /// Who.
        #[serde(serialize_with = "text")]
        node: NodeId,
        /// The part of the mesh the service is in.
        #[serde(serialize_with = "text")]
        namespace: Namespace,
        /// Its name.
        #[serde(serialize_with = "text")]
        service: ServiceName,
        /// Its version, if it has one.
        #[serde(serialize_with = "maybe_text")]
        version: Option<Version>,
    },
    /// A node no longer offers a service: withdrawn, or forgotten with its node.
    Withdrawn {
        /// Who.
        #[serde(serialize_with = "text")]
        node: NodeId,
        /// The part of the mesh the service was in.
        #[serde(serialize_with = "text")]
        namespace: Namespace,
        /// Its name.
        #[serde(serialize_with = "text")]
        service: ServiceName,
        /// Its version, if it had one.
        #[serde(serialize_with = "maybe_text")]
        version: Option<Version>,
    },
    /// The listener was more than [`EVENTS_MAX`] events behind: so many are lost to it.
    Missed(#[serde(serialize_with = "missed")] u64),
    /// Something failed that is nobody's call. The node goes on, unless [`Event::Closed`] follows.
    Error(#[serde(serialize_with = "failure")] Status),
    /// The node is closed. Nothing follows.
    Closed,
}

/// One listener's place in the events of a node. It hears where the node listens, and then what happens after it was
/// made.
///
/// A listener may be slow or stop listening; neither holds up the node. Dropping it ends it.
pub struct Events {
    /// Told first: it happened before anybody could listen.
    first: Option<Event>,
    /// `None` once the end was heard.
    rest: Option<broadcast::Receiver<Event>>,
}

impl Events {
    /// Waits for the next event; `None` once the node is closed and all was heard.
    ///
    /// May be dropped while it waits (in a `select!`): no event is lost by that.
    pub async fn next(&mut self) -> Option<Event> {
        if let Some(first) = self.first.take() {
            return Some(first);
        }
        let event = match self.rest.as_mut()?.recv().await {
            Ok(event) => event,
            Err(RecvError::Lagged(missed)) => Event::Missed(missed),
            Err(RecvError::Closed) => return None,
        };
        if event == Event::Closed {
            self.rest = None;
        }
        Some(event)
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events")
            .field("behind", &self.rest.as_ref().map_or(0, broadcast::Receiver::len))
            .finish_non_exhaustive()
    }
}

/// Where a node's events come from. The last clone's end is the listeners' end.
#[derive(Clone, Debug)]
pub(crate) struct EventSource(broadcast::Sender<Event>);

impl EventSource {
    /// A source nobody listens to yet.
    pub(crate) fn new() -> Self {
        Self(broadcast::Sender::new(EVENTS_MAX))
    }

    /// Tells all listeners. Never waits; where nobody listens, nothing happens.
    pub(crate) fn tell(&self, event: Event) {
        // The error says that there is no listener.
        let _ = self.0.send(event);
    }

    /// A listener, from now on, that hears `first` before all else.
    pub(crate) fn listen(&self, first: Event) -> Events {
        Events { first: Some(first), rest: Some(self.0.subscribe()) }
    }
}

fn each_tried<S: Serializer>(tried: &[(TransportAddr, String)], to: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Tried<'a> {
        address: String,
        result: &'a str,
    }
    to.collect_seq(
        tried.iter().map(|(address, result)| Tried { address: address.to_string(), result }),
    )
}

// The two below write an object, for only an object can be told which event it is.

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out references")]
fn missed<S: Serializer>(count: &u64, to: S) -> Result<S::Ok, S::Error> {
    let mut object = to.serialize_struct("Missed", 1)?;
    object.serialize_field("count", count)?;
    object.end()
}

fn failure<S: Serializer>(status: &Status, to: S) -> Result<S::Ok, S::Error> {
    let mut object = to.serialize_struct("Error", 2)?;
    object.serialize_field("code", status.code.name())?;
    object.serialize_field("message", &status.message)?;
    object.end()
}

#[cfg(test)]
mod tests {
    use super::*;
    use homing_core::talk::Code;

    #[track_caller]
    fn check(event: &Event, expect: &str) {
        assert_eq!(serde_json::to_string(event).unwrap(), expect);
    }

    #[test]
    fn every_event_is_an_object_that_says_which_it_is() {
        let id = NodeId::from_bytes([1; 16]);
        let node = "01010101010101010101010101010101";
        let tcp = || TransportAddr::Tcp("127.0.0.1:7".parse().unwrap());
        let name: NodeName = "words-7".parse().unwrap();
        check(
            &Event::Listening { addresses: vec![tcp()] },
            r#"{"event":"listening","addresses":["tcp://127.0.0.1:7"]}"#,
        );
        check(
            &Event::NodeJoined { node: id, name, kind: Kind::Member },
            &format!(
                r#"{{"event":"node_joined","node":"{node}","name":"words-7","kind":"member"}}"#
            ),
        );
        check(
            &Event::LinkUp { node: id, direction: Direction::Out, transport: Carrier::Tcp },
            &format!(
                r#"{{"event":"link_up","node":"{node}","direction":"out","transport":"tcp"}}"#
            ),
        );
        check(
            &Event::Unreachable { node: None, tried: vec![(tcp(), "refused".to_owned())] },
            r#"{"event":"unreachable","node":null,"tried":[{"address":"tcp://127.0.0.1:7","result":"refused"}]}"#,
        );
        check(
            &Event::Withdrawn {
                node: id,
                namespace: Namespace::default(),
                service: "words".parse().unwrap(),
                version: None,
            },
            &format!(
                r#"{{"event":"withdrawn","node":"{node}","namespace":"default","service":"words","version":null}}"#
            ),
        );
        check(&Event::Missed(3), r#"{"event":"missed","count":3}"#);
        check(
            &Event::Error(Status::new(Code::AlreadyExists, "it runs elsewhere")),
            r#"{"event":"error","code":"ALREADY_EXISTS","message":"it runs elsewhere"}"#,
        );
        check(&Event::Closed, r#"{"event":"closed"}"#);
    }

    fn error(number: usize) -> Event {
        Event::Error(Status::new(Code::Unknown, number.to_string()))
    }

    #[tokio::test]
    async fn a_slow_listener_is_told_how_much_it_missed_and_then_hears_the_rest() {
        let source = EventSource::new();
        let mut events = source.listen(error(7));
        (0..EVENTS_MAX + 2).for_each(|number| source.tell(error(number)));
        assert_eq!(events.next().await, Some(error(7)));
        assert_eq!(events.next().await, Some(Event::Missed(2)));
        assert_eq!(events.next().await, Some(error(2)));
    }

    #[tokio::test]
    async fn after_the_end_nothing_is_heard() {
        let source = EventSource::new();
        source.tell(error(0));
        let mut events = source.listen(error(7));
        source.tell(Event::Closed);
        source.tell(error(1));
        assert_eq!(events.next().await, Some(error(7)));
        assert_eq!(events.next().await, Some(Event::Closed));
        assert_eq!(events.next().await, None);
        assert_eq!(events.next().await, None);
    }
}
