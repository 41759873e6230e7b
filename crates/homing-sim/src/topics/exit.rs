//! Where does the outlet of one lane stand?

use super::inlet::Inlet;
use bytes::Bytes;
use homing_core::limits::{IDLE_TIME, OUTLET_MAX, REDIAL_MAX, REDIAL_MIN};
use homing_core::link::CallId;
use homing_core::node::LinkId;
use homing_core::time::Time;
use homing_core::topics::{Encoded, LaneName, Outlet, Put};
use std::collections::VecDeque;
use std::time::Duration;

/// One lane of one node, as its publishers see it.
pub(crate) struct Exit {
    pub(crate) outlet: Outlet,
    pub(crate) stage: Stage,
    pub(crate) talk: Talk,
    /// A batch that was taken out, and waits for room in its stream.
    pub(crate) in_hand: Option<Bytes>,
    pub(crate) idle_at: Time,
    pause: Duration,
    /// Bytes of the messages that wait.
    held: VecDeque<usize>,
    held_bytes: usize,
    offered: u64,
}

/// As its publishers see it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Stage {
    /// Never opened: publishers wait for it, a little.
    Fresh,
    Flowing,
    /// It ended, and is opened again.
    Broken,
    /// What is in it is the last.
    Closing,
}

/// Where its messages go.
pub(crate) enum Talk {
    /// Nowhere yet: a link is wanted, until then.
    Wanted {
        until: Option<Time>,
    },
    /// Not before then.
    Paused {
        until: Time,
    },
    /// To programs of this very process.
    Here(Box<Inlet>),
    Open(Line),
    /// All is said; what the other side makes of it is awaited for so long.
    Ending {
        line: Line,
        until: Time,
        why: Why,
    },
}

/// A stream on a link.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Line {
    pub(crate) conn: LinkId,
    pub(crate) call: CallId,
    pub(crate) token: u64,
}

/// Why a stream ends in peace.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Why {
    /// Another link leads there now.
    Moved,
    /// Nobody publishes, or listens, any more.
    Done,
}

impl Exit {
    pub(crate) fn new(now: Time, name: &LaneName) -> Self {
        Self {
            outlet: Outlet::new(name.slow),
            stage: Stage::Fresh,
            talk: Talk::Wanted { until: None },
            in_hand: None,
            idle_at: now + IDLE_TIME,
            pause: REDIAL_MIN,
            held: VecDeque::new(),
            held_bytes: 0,
            offered: 0,
        }
    }

    /// Puts a message in.
    pub(crate) fn put(&mut self, message: &Encoded, size: usize) -> Put {
        let lost = self.outlet.counts().lost;
        let put = self.outlet.put(message);
        if put == Put::Taken {
            self.let_go(self.outlet.counts().lost - lost);
            self.held.push_back(size);
            self.held_bytes += size;
        }
        self.offered += u64::from(!matches!(put, Put::Wait(_)));
        put
    }

    /// A publisher has waited for room in vain.
    pub(crate) fn give_up(&mut self) {
        self.outlet.give_up();
        self.offered += 1;
    }

    /// The next batch.
    pub(crate) fn take(&mut self) -> Option<Bytes> {
        let before = self.outlet.counts().sent;
        let batch = self.in_hand.take().or_else(|| self.outlet.take())?;
        self.let_go(self.outlet.counts().sent - before);
        Some(batch)
    }

    /// The first so many messages wait no more.
    fn let_go(&mut self, messages: u64) {
        for _ in 0..messages {
            self.held_bytes -= self.held.pop_front().unwrap_or_default();
        }
    }

    /// How much it has to do, if it can take this message now.
    pub(crate) fn pending(&self, message: &Encoded) -> Option<u32> {
        let takes = !matches!(self.stage, Stage::Closing | Stage::Broken);
        let pending = u32::try_from(self.outlet.pending()).unwrap_or(u32::MAX);
        (takes && self.outlet.has_room(message)).then_some(pending)
    }

    /// Its stream broke, or could not be had.
    pub(crate) fn fail(&mut self, now: Time) {
        self.talk = Talk::Paused { until: now + self.pause };
        self.pause = (self.pause * 2).min(REDIAL_MAX);
        self.in_hand = None;
        if self.stage != Stage::Closing {
            self.stage = Stage::Broken;
            self.outlet.restart();
        }
    }

    /// Its stream has ended in peace, and another follows.
    pub(crate) fn begin_again(&mut self) {
        self.talk = Talk::Wanted { until: None };
        self.pause = REDIAL_MIN;
        self.outlet.restart();
    }

    /// Its stream is open.
    pub(crate) fn flow(&mut self, talk: Talk) {
        self.talk = talk;
        if self.stage != Stage::Closing {
            self.stage = Stage::Flowing;
        }
    }

    /// Whether nothing waits to be sent.
    pub(crate) fn is_empty(&self) -> bool {
        let is_given = match &self.talk {
            Talk::Here(inlet) => inlet.is_idle(),
            Talk::Wanted { .. } | Talk::Paused { .. } | Talk::Open(_) | Talk::Ending { .. } => true,
        };
        self.outlet.is_empty() && self.in_hand.is_none() && is_given
    }

    pub(crate) fn line(&self) -> Option<Line> {
        match self.talk {
            Talk::Open(line) | Talk::Ending { line, .. } => Some(line),
            Talk::Wanted { .. } | Talk::Paused { .. } | Talk::Here(_) => None,
        }
    }

    pub(crate) fn is_on(&self, conn: LinkId) -> bool {
        self.line().is_some_and(|line| line.conn == conn)
    }

    pub(crate) fn next_wake(&self) -> Option<Time> {
        match &self.talk {
            Talk::Wanted { until } => *until,
            Talk::Paused { until } | Talk::Ending { until, .. } => Some(*until),
            Talk::Here(inlet) => inlet.retry().into_iter().chain([self.idle_at]).min(),
            Talk::Open(_) => Some(self.idle_at),
        }
    }

    /// Each message that was put in was sent, or lost and counted, or waits; and what waits has room.
    pub(crate) fn bounds(&self) -> Result<(), String> {
        let (counts, held) = (self.outlet.counts(), self.held.len() as u64);
        let bytes = self.held_bytes;
        if bytes > OUTLET_MAX && held > 1 {
            return Err(format!("{held} messages of {bytes} bytes wait in one outlet"));
        }
        if self.offered != counts.sent + counts.lost + held {
            let offered = self.offered;
            return Err(format!("of {offered} messages of a lane {held} wait, and {counts:?}"));
        }
        Ok(())
    }
}
