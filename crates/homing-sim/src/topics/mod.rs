//! How do published messages get from one process to the other? As the driver moves them, by the core's own machines.

pub(crate) mod board;
pub(crate) mod exit;
mod exits;
pub(crate) mod inlet;
mod inlets;
pub(crate) mod postings;
mod press;
mod workload;

use crate::plan::Sabotage;
use board::Board;
use bytes::Bytes;
use exit::Exit;
use homing_core::id::NodeId;
use homing_core::link::RequestId;
use homing_core::name::{Namespace, Topic};
use homing_core::node::LinkId;
use homing_core::time::Time;
use homing_core::topics::{LaneName, SubscriptionId, Wish};
use inlet::Inlet;
use press::Publisher;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

/// What a lane's stream is opened to; the method is the number of the lane.
pub(crate) const SERVICE: &str = "$topics";

/// Tokens with this bit are of streams of messages.
const TOKENS: u64 = 1 << 63;

/// All that a process publishes and listens to.
pub(crate) struct Topics {
    pub(crate) board: Board,
    pub(crate) exits: BTreeMap<LaneName, Exit>,
    pub(crate) inlets: BTreeMap<(LinkId, RequestId), Inlet>,
    publishers: BTreeMap<Topic, Publisher>,
    tokens: u64,
    /// What is wrong with the simulator, to see whether it notices.
    pub(crate) sabotage: Option<Sabotage>,
    news: News,
    /// The listeners as they were shown last.
    version: u64,
}

/// Whether something may have become possible.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum News {
    None,
    Some,
}

/// What a program wants.
#[derive(Clone, Debug)]
pub(crate) enum Order {
    Subscribe(Subscribe),
    Unsubscribe(SubscriptionId),
    /// Messages of these numbers and sizes, one after the other.
    Publish(Topic, Vec<(u64, usize)>),
}

/// A subscription that a program makes.
#[derive(Clone, Debug)]
pub(crate) struct Subscribe {
    /// Its number, unique in the world.
    pub(crate) serial: u64,
    pub(crate) wish: Wish,
    pub(crate) capacity: usize,
    /// What its program needs for a message, on average.
    pub(crate) reading: Duration,
}

/// What is worth checking of messages.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Word {
    Subscribed {
        subscription: u64,
        lane: LaneName,
    },
    /// Its messages come in another lane from now on.
    Moved {
        subscription: u64,
    },
    /// Two streams of this publisher bring its messages at once: the later was opened before the earlier was through.
    Meets {
        subscription: u64,
        from: NodeId,
    },
    Unsubscribed {
        subscription: u64,
    },
    /// A publisher has put a message into a lane, or could not.
    Put {
        message: u64,
        lane: LaneName,
    },
    /// A program takes a message.
    Got {
        subscription: u64,
        message: u64,
        from: NodeId,
        topic: Topic,
    },
}

impl Default for Topics {
    fn default() -> Self {
        Self {
            board: Board::default(),
            exits: BTreeMap::new(),
            inlets: BTreeMap::new(),
            publishers: BTreeMap::new(),
            tokens: TOKENS,
            sabotage: None,
            news: News::None,
            version: 0,
        }
    }
}

impl Topics {
    /// Whether this is the token of a stream of messages.
    pub(crate) fn is_token(token: u64) -> bool {
        token & TOKENS != 0
    }

    /// When something is due.
    pub(crate) fn next_wake(&self) -> Option<Time> {
        let exits = self.exits.values().filter_map(Exit::next_wake);
        let inlets = self.inlets.values().filter_map(Inlet::next_wake);
        let publishers = self.publishers.values().filter_map(Publisher::next_wake);
        exits.chain(inlets).chain(publishers).min()
    }

    /// Whether the simulator does wrong here.
    fn is_sabotaged(&self, sabotage: Sabotage) -> bool {
        self.sabotage == Some(sabotage)
    }

    /// The subscriptions that two streams of one publisher are for.
    fn meetings(&self) -> Vec<Word> {
        let mut seen = BTreeSet::new();
        let met = self.inlets.values().filter(|inlet| !seen.insert((inlet.from, inlet.lane)));
        let words = met.flat_map(|inlet| {
            let serials = self.board.serials(inlet.lane).into_iter();
            serials.map(|subscription| Word::Meets { subscription, from: inlet.from })
        });
        words.collect()
    }

    /// Streams of messages on a connection, both ways.
    pub(crate) fn streams_on(&self, conn: LinkId) -> usize {
        let ours = self.exits.values().filter(|exit| exit.is_on(conn)).count();
        let theirs = self.inlets.iter().filter(|((on, _), inlet)| *on == conn && inlet.is_open());
        ours + theirs.count()
    }

    /// Whether nothing is under way.
    pub(crate) fn is_at_rest(&self) -> Result<(), String> {
        let busy = self.publishers.values().filter(|publisher| publisher.is_busy()).count();
        let full = self.exits.values().filter(|exit| !exit.is_empty()).count();
        let held = self.inlets.values().filter(|inlet| !inlet.is_idle()).count();
        let unread = self.board.unread();
        if (busy, full, held, unread) == (0, 0, 0, 0) {
            return Ok(());
        }
        Err(format!(
            "{busy} publishers wait, {full} outlets and {held} inlets are not empty, {unread} messages are unread at rest"
        ))
    }

    /// No message is unaccounted for, and no queue is over its bounds.
    pub(crate) fn bounds(&self) -> Result<(), String> {
        self.board.bounds()?;
        self.exits.values().try_for_each(Exit::bounds)?;
        self.inlets.values().try_for_each(Inlet::bounds)
    }

    /// Something may be due.
    pub(crate) fn wake(&mut self, now: Time) {
        if self.next_wake().is_some_and(|at| at <= now) {
            self.stir();
        }
    }

    /// Something may have become possible.
    pub(crate) fn stir(&mut self) {
        self.news = News::Some;
    }
}

/// The message of this number.
pub(crate) fn message(number: u64, size: usize) -> Bytes {
    let mut bytes = vec![number.to_le_bytes()[0]; size.max(8)];
    bytes[..8].copy_from_slice(&number.to_be_bytes());
    bytes.into()
}

/// The number of a message.
fn number(bytes: &Bytes) -> u64 {
    bytes.first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes))
}

/// Where all publish.
pub(crate) fn namespace() -> Namespace {
    Namespace::default()
}

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Subscribed { subscription, lane } => {
                write!(f, "has subscription {subscription} in lane {}", lane.lane)
            }
            Self::Moved { subscription } => write!(f, "moves subscription {subscription}"),
            Self::Meets { subscription, from } => {
                write!(f, "hears {from:?} twice for subscription {subscription}")
            }
            Self::Unsubscribed { subscription } => write!(f, "ends subscription {subscription}"),
            Self::Put { message, lane } => {
                write!(f, "publishes message {message} to {:?} lane {}", lane.node, lane.lane)
            }
            Self::Got { subscription, message, .. } => {
                write!(f, "takes message {message} of subscription {subscription}")
            }
        }
    }
}
