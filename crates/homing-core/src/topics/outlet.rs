//! What waits at a publisher for one lane, and what becomes of a message for which there is no room?

use super::batch::{BATCH_MAX, Encoded, FRONT, begin, set_lost};
use crate::limits::OUTLET_MAX;
use crate::name::Topic;
use crate::registry::Slow;
use crate::wire::{Malformed, Reader, put_varint};
use bytes::Bytes;
use std::collections::VecDeque;
use std::time::Duration;

/// The messages of one lane that have not left yet: at most [`OUTLET_MAX`] bytes, or one message.
#[derive(Debug)]
pub struct Outlet {
    slow: Slow,
    full: VecDeque<Waiting>,
    open: Open,
    /// Bytes of both.
    bytes: usize,
    patience: Patience,
    counts: Counts,
    /// Lost, and the other side does not know.
    untold: u64,
    /// What the other side said in this stream.
    report: Report,
    /// Gone into this stream.
    gone: u64,
}

/// What happened to the messages of one lane.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Counts {
    /// Given to its stream.
    pub sent: u64,
    /// Dropped here: there was no room.
    pub lost: u64,
    /// Dropped there, as the subscriber's side said last.
    pub dropped: u64,
}

/// What became of a message.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Put {
    /// It is on its way.
    Taken,
    /// There is no room: wait for it, so long, and put it in again; or [give up](Outlet::give_up).
    Wait(Duration),
    /// It was dropped, and counted.
    Lost,
}

/// What a subscriber's side tells of a lane's stream, from time to time.
///
/// ```text
/// taken varint, dropped varint
/// ```
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Report {
    /// Messages of this stream that programs have taken.
    pub taken: u64,
    /// Messages of this stream that queues had no room for.
    pub dropped: u64,
}

#[derive(Debug)]
struct Waiting {
    batch: Sealed,
    messages: u64,
}

#[derive(Debug)]
enum Sealed {
    /// Made here, for this lane.
    Own(Vec<u8>),
    /// A large message's, the same for all lanes.
    Shared(Bytes),
}

/// The batch to which the next message is added.
#[derive(Debug, Default)]
struct Open {
    bytes: Vec<u8>,
    topic: Option<Topic>,
    messages: u64,
}

/// Whether a lane is waited for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Patience {
    Left,
    /// It was waited for in vain, and has taken nothing since.
    Lost,
}

impl Outlet {
    /// An outlet in which nothing waits.
    pub fn new(slow: Slow) -> Self {
        Self {
            slow,
            full: VecDeque::new(),
            open: Open::default(),
            bytes: 0,
            patience: Patience::Left,
            counts: Counts::default(),
            untold: 0,
            report: Report::default(),
            gone: 0,
        }
    }

    /// Puts a message in, or says what is to be done about it.
    pub fn put(&mut self, message: &Encoded) -> Put {
        if !self.has_room(message) {
            match (self.slow, self.patience) {
                (Slow::Wait(span), Patience::Left) => return Put::Wait(span),
                (Slow::Wait(_), Patience::Lost) | (Slow::DropNewest, _) => {
                    self.lose(1);
                    return Put::Lost;
                }
                (Slow::DropOldest, _) => self.make_room(message),
            }
        }
        self.append(message);
        Put::Taken
    }

    /// Whether a message would be taken at once.
    pub fn has_room(&self, message: &Encoded) -> bool {
        self.bytes == 0 || self.bytes + message.len() <= OUTLET_MAX
    }

    /// Whether there is room for so much that a publisher who waited for it may fill it in one go.
    pub fn is_half_empty(&self) -> bool {
        self.bytes <= OUTLET_MAX / 2
    }

    /// A publisher has waited as long as it shall: its message is dropped, and this lane is not waited for until it has
    /// taken something.
    pub fn give_up(&mut self) {
        self.lose(1);
        self.patience = Patience::Lost;
    }

    /// Whether nothing is to be sent.
    pub fn is_empty(&self) -> bool {
        self.bytes == 0 && self.untold == 0
    }

    /// The next batch to send. Ask for it only when it can be sent: what is taken has left.
    pub fn take(&mut self) -> Option<Bytes> {
        let is_shared = |waiting: &Waiting| matches!(waiting.batch, Sealed::Shared(_));
        if self.untold > 0 && self.full.front().map_or(self.open.messages == 0, is_shared) {
            // What all lanes share cannot say what this one has lost.
            return Some(self.confess());
        }
        if self.full.is_empty() {
            self.seal();
        }
        let waiting = self.full.pop_front()?;
        self.bytes -= waiting.len();
        self.patience = Patience::Left;
        self.counts.sent += waiting.messages;
        self.gone += waiting.messages;
        Some(match waiting.batch {
            Sealed::Shared(batch) => batch,
            Sealed::Own(mut batch) => {
                self.untold = set_lost(&mut batch, self.untold);
                batch.into()
            }
        })
    }

    /// The stream has ended, and another one begins: what was in it counts no more.
    pub fn restart(&mut self) {
        (self.gone, self.report) = (0, Report::default());
    }

    /// The subscriber's side has reported. A report that goes back, or ahead of what was sent, is cut to what can be.
    pub fn report(&mut self, report: Report) {
        let taken = report.taken.clamp(self.report.taken, self.gone.max(self.report.taken));
        let dropped = report.dropped.max(self.report.dropped);
        self.counts.dropped = self.counts.dropped.saturating_add(dropped - self.report.dropped);
        self.report = Report { taken, dropped };
    }

    /// Messages that were put in and that nobody has taken, as far as is known: what a group's members are chosen by.
    pub fn pending(&self) -> u64 {
        let waiting: u64 = self.full.iter().map(|waiting| waiting.messages).sum();
        waiting + self.open.messages + self.gone.saturating_sub(self.report.taken)
    }

    /// What happened so far.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    fn append(&mut self, message: &Encoded) {
        if let Some(alone) = message.alone() {
            self.seal();
            self.bytes += alone.len();
            let batch = Sealed::Shared(alone.clone());
            return self.full.push_back(Waiting { batch, messages: 1 });
        }
        if self.open.bytes.len() + message.len() > BATCH_MAX {
            self.seal();
        }
        self.bytes += self.open.add(message);
    }

    fn seal(&mut self) {
        if self.open.messages > 0 {
            let closed = self.open.close();
            self.full.push_back(closed);
        }
    }

    fn make_room(&mut self, message: &Encoded) {
        while !self.has_room(message) {
            self.seal();
            let Some(oldest) = self.full.pop_front() else { return };
            self.bytes -= oldest.len();
            self.lose(oldest.messages);
        }
    }

    fn lose(&mut self, messages: u64) {
        self.counts.lost += messages;
        self.untold += messages;
    }

    /// A batch without a message, that tells what was lost.
    fn confess(&mut self) -> Bytes {
        let mut batch = Vec::with_capacity(FRONT);
        begin(&mut batch);
        self.untold = set_lost(&mut batch, self.untold);
        batch.into()
    }
}

impl Waiting {
    fn len(&self) -> usize {
        match &self.batch {
            Sealed::Own(batch) => batch.len(),
            Sealed::Shared(batch) => batch.len(),
        }
    }
}

impl Open {
    /// Adds a message; how many bytes that took.
    fn add(&mut self, message: &Encoded) -> usize {
        let before = self.bytes.len();
        if self.messages == 0 {
            self.bytes.reserve(BATCH_MAX);
            begin(&mut self.bytes);
        }
        let with_topic = self.topic.as_ref() != Some(message.topic());
        message.put(&mut self.bytes, with_topic);
        if with_topic {
            self.topic = Some(message.topic().clone());
        }
        self.messages += 1;
        self.bytes.len() - before
    }

    fn close(&mut self) -> Waiting {
        let Self { bytes, messages, .. } = std::mem::take(self);
        Waiting { batch: Sealed::Own(bytes), messages }
    }
}

impl Report {
    /// Appends the report.
    pub fn encode(self, out: &mut Vec<u8>) {
        put_varint(out, self.taken);
        put_varint(out, self.dropped);
    }

    /// Reads what [`encode`](Self::encode) wrote; what may follow is a later version's.
    ///
    /// # Errors
    /// It is none of this protocol.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes);
        Ok(Self { taken: reader.varint()?, dropped: reader.varint()? })
    }
}
