//! What is said between the world and the processes in it?
//!
//! A process is told [`Stimulus`], as an operating system would, and answers with [`Effect`]s. A paused one is told
//! later; a dead one never.

use crate::stream::Piece;
use crate::topics::{Order, Word};
use crate::voice::Step;
use bytes::Bytes;
use homing_core::id::NodeId;
use homing_core::node::{LinkId, NodeEvent};
use homing_core::registry::{RecordKey, Snapshot};
use homing_core::requester::{Kind, TargetKey};
use homing_core::talk::{Code, Status};
use homing_core::topics::SubscriptionId;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// What is going to happen in the world.
#[derive(Debug)]
pub(crate) enum Event {
    /// A datagram arrives at an address, whoever has it by then.
    Datagram { from: usize, source: SocketAddr, to: SocketAddr, bytes: Bytes, via: Via },
    /// A dial arrives at an address.
    Knock(Knock),
    /// A piece of a stream arrives, sent from this side.
    Piece { conn: LinkId, side: usize, piece: Piece },
    /// What a cut held back on this side is sent again.
    Resend { conn: LinkId, side: usize },
    /// A timer of a process is due.
    Wake { host: usize, life: u64 },
    /// A process has done a piece of work.
    Work { host: usize, life: u64, work: u64 },
    /// A program does the next thing with a stream of its.
    Step { host: usize, life: u64, step: Step },
    /// A program takes a message of a subscription.
    Read { host: usize, life: u64, subscription: SubscriptionId },
    /// A caller hangs up.
    HangUp { host: usize, life: u64, call: HangUp },
    /// A paused process goes on.
    Resume { host: usize, life: u64 },
    /// A host without a process starts one.
    Start { host: usize },
    /// Programs do something: call, offer, withdraw.
    Workload,
    /// Something goes wrong.
    Trouble,
    /// Discovery looks again for a process.
    Discover { host: usize, life: u64 },
}

/// Why a caller of a stream hangs up, and on which.
#[derive(Clone, Copy, Debug)]
pub(crate) enum HangUp {
    /// It has heard enough.
    Sated(u64),
    /// It should have ended long ago.
    Impatient(u64),
}

/// On which socket a datagram arrives.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Via {
    Own,
    Scouting,
}

/// A dial under way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Knock {
    pub(crate) conn: LinkId,
    pub(crate) from: usize,
    pub(crate) life: u64,
    pub(crate) to: SocketAddr,
    pub(crate) tries: u32,
}

/// What a process is told.
#[derive(Clone, Debug)]
pub(crate) enum Stimulus {
    Datagram {
        from: SocketAddr,
        bytes: Bytes,
        via: Via,
    },
    /// Somebody dialled us.
    Incoming {
        conn: LinkId,
    },
    /// Our dial was accepted by whoever is there.
    Accepted {
        conn: LinkId,
    },
    /// Nobody is there.
    Refused {
        conn: LinkId,
    },
    Bytes {
        conn: LinkId,
        bytes: Vec<u8>,
    },
    /// The other end is no more.
    Ended {
        conn: LinkId,
        why: &'static str,
    },
    /// A piece of work is done.
    Worked {
        work: u64,
    },
    /// It is time for the next thing with a stream.
    Step(Step),
    /// It is time for the next message of a subscription.
    Read(SubscriptionId),
    /// Discovery found somebody, and perhaps knows who it is.
    Found {
        node: Option<NodeId>,
        addresses: Vec<SocketAddr>,
    },
    Command(Command),
}

/// What the program in a process wants.
#[derive(Clone, Debug)]
pub(crate) enum Command {
    Call(CallOrder),
    /// The caller of this call goes away.
    Cancel {
        serial: u64,
    },
    /// The caller of this stream waits no longer.
    GiveUp {
        serial: u64,
    },
    Offer(OfferOrder),
    Withdraw {
        key: RecordKey,
    },
    /// Finish what was taken, then withdraw.
    Drain {
        key: RecordKey,
    },
    Topics(Order),
    /// Finish everything, say goodbye, end.
    Leave,
}

/// A call that a program makes.
#[derive(Clone, Debug)]
pub(crate) struct CallOrder {
    /// Its number, unique in the world.
    pub(crate) serial: u64,
    pub(crate) target: TargetKey,
    pub(crate) time: Duration,
    pub(crate) repeatable: bool,
    pub(crate) size: usize,
    pub(crate) kind: Kind,
}

/// A service that a program offers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OfferOrder {
    pub(crate) key: RecordKey,
    /// Which of the services of the world.
    pub(crate) service: usize,
    /// Its number, unique in the world; travels in the metadata.
    pub(crate) serial: u64,
    pub(crate) concurrency: u32,
}

/// What a process does.
#[derive(Debug)]
pub(crate) enum Effect {
    Datagram {
        to: SocketAddr,
        bytes: Vec<u8>,
    },
    Scout {
        bytes: Vec<u8>,
    },
    Connect {
        conn: LinkId,
        to: SocketAddr,
    },
    Send {
        conn: LinkId,
        bytes: Vec<u8>,
    },
    /// The process lets go of a connection.
    Shut {
        conn: LinkId,
    },
    /// A handler is at work.
    Work {
        work: u64,
    },
    /// A program goes on with a stream, after this time on average.
    Step {
        step: Step,
        mean: Duration,
    },
    /// A program takes a message of a subscription, after this time on average.
    Read {
        subscription: SubscriptionId,
        mean: Duration,
    },
    /// The program in the process learns, or does, something.
    Note(Note),
    /// The process ends.
    Exit,
}

/// What is worth checking.
#[derive(Clone, Debug)]
pub(crate) enum Note {
    /// A handler begins the work of this call.
    Executed {
        serial: u64,
    },
    /// A handler answers this stream, from now on.
    Speaks {
        serial: u64,
    },
    /// It no longer does.
    Silent {
        serial: u64,
    },
    /// The reader of this stream left.
    Left {
        serial: u64,
    },
    /// Something happens to a message, or a subscription.
    Word(Word),
    /// Something is not as it has to be.
    Wrong(String),
    /// An offer is no longer made.
    Withdrawn {
        serial: u64,
    },
    /// A call ended for its caller.
    Ended {
        serial: u64,
        end: End,
    },
    /// A handshake is complete.
    LinkUp,
    Snapshot(Arc<Snapshot>),
    /// The node cannot go on.
    Fatal(Status),
    /// What the node tells its program.
    Told(NodeEvent),
}

/// How a call ended.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum End {
    /// With the answer that was asked for.
    Replied,
    /// With the answer to something else.
    WrongReply,
    Failed(Code, String),
    /// It was a stream of which nothing ran.
    Refused(Code, String),
    /// Its caller went away.
    Abandoned,
    /// Its caller waited for long, and then no longer.
    GivenUp,
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Executed { serial } => write!(f, "works on call {serial}"),
            Self::Speaks { serial } => write!(f, "answers stream {serial}"),
            Self::Silent { serial } => write!(f, "answers stream {serial} no more"),
            Self::Left { serial } => write!(f, "leaves stream {serial}"),
            Self::Word(word) => word.fmt(f),
            Self::Wrong(what) => f.write_str(what),
            Self::Withdrawn { serial } => write!(f, "has withdrawn offer {serial}"),
            Self::Ended { serial, end } => write!(f, "call {serial} ended: {end:?}"),
            Self::LinkUp => f.write_str("has a new link"),
            Self::Snapshot(snapshot) => {
                let instances = snapshot.services().map(|(.., all)| all.len()).sum::<usize>();
                write!(f, "sees {} nodes, {instances} instances", snapshot.nodes().count())
            }
            Self::Fatal(status) => write!(f, "cannot go on: {status}"),
            Self::Told(event) => write!(f, "is told {event:?}"),
        }
    }
}
