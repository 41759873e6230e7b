//! What becomes of the messages that a publisher's node sends in one lane?

use super::board::Board;
use bytes::Bytes;
use homing_core::id::NodeId;
use homing_core::limits::{REPORT_PERIOD, REPORT_PERIOD_SHARED, WINDOW};
use homing_core::link::{Item, Receipt};
use homing_core::name::Topic;
use homing_core::time::Time;
use homing_core::topics::{Report, Run, Subscriber, SubscriptionId, split};
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// How long a queue without room is left alone where nothing tells that it has some.
const RETRY: Duration = Duration::from_millis(100);

/// The end of one lane's stream.
pub(crate) struct Inlet {
    pub(crate) from: NodeId,
    pub(crate) lane: u32,
    /// What came, and was not looked at.
    waiting: VecDeque<Item>,
    /// What is given to whom, in order.
    runs: VecDeque<Run>,
    giving: Option<Giving>,
    routes: BTreeMap<Topic, Vec<SubscriptionId>>,
    received: u64,
    dropped: u64,
    told: Report,
    due: Time,
    retry: Option<Time>,
    pub(crate) source: Source,
}

/// A run on its way to those whom it is for.
struct Giving {
    run: Run,
    left: VecDeque<SubscriptionId>,
    /// Of a single message's receivers all that is left.
    rest: Option<(SubscriptionId, Run)>,
    is_shared: bool,
}

/// Whether more comes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Source {
    Open,
    /// All was said.
    Ended,
    /// The stream broke.
    Cut,
}

/// What an inlet did.
#[derive(Default)]
pub(crate) struct Moved {
    pub(crate) receipts: Vec<Receipt>,
    /// Programs that are to take a message, and after what time.
    pub(crate) wakes: Vec<(SubscriptionId, Duration)>,
}

impl Inlet {
    pub(crate) fn new(now: Time, from: NodeId, lane: u32) -> Self {
        Self {
            from,
            lane,
            waiting: VecDeque::new(),
            runs: VecDeque::new(),
            giving: None,
            routes: BTreeMap::new(),
            received: 0,
            dropped: 0,
            told: Report::default(),
            due: now,
            retry: None,
            source: Source::Open,
        }
    }

    /// An item came.
    pub(crate) fn hear(&mut self, item: Item) {
        self.waiting.push_back(item);
    }

    /// Takes a batch in.
    ///
    /// # Errors
    /// It is none.
    pub(crate) fn take_in(&mut self, board: &mut Board, batch: &Bytes) -> Result<(), String> {
        let batch = split(self.from, batch).map_err(|why| format!("a batch is {why}"))?;
        if batch.lost > 0 {
            board.note_lost(self.lane, batch.lost);
        }
        self.runs.extend(batch.runs);
        Ok(())
    }

    /// Gives on what there is room for.
    ///
    /// # Errors
    /// What came is no batch.
    pub(crate) fn advance(&mut self, now: Time, board: &mut Board) -> Result<Moved, String> {
        let mut moved = Moved::default();
        loop {
            if let Some(giving) = &mut self.giving {
                if !giving.advance(board, &mut moved, &mut self.dropped) {
                    self.retry = Some(now + RETRY);
                    return Ok(moved);
                }
                self.giving = None;
            } else if let Some(run) = self.runs.pop_front() {
                self.received += u64::from(run.len());
                self.giving = Some(self.begin(run, board));
            } else if let Some(item) = self.waiting.pop_front() {
                moved.receipts.push(item.receipt);
                self.take_in(board, &item.payload.bytes)?;
            } else {
                self.retry = None;
                return Ok(moved);
            }
        }
    }

    /// What its publisher is to hear now.
    pub(crate) fn report_due(&mut self, now: Time, board: &Board) -> Option<Report> {
        let is_told = self.told == (Report { taken: self.received, dropped: self.dropped });
        if !self.is_idle() || is_told || now < self.due {
            return None;
        }
        let shared = board.is_shared(self.lane);
        self.due = now + if shared { REPORT_PERIOD_SHARED } else { REPORT_PERIOD };
        let report = self.report(board);
        (report != std::mem::replace(&mut self.told, report)).then_some(report)
    }

    /// What its publisher may know.
    pub(crate) fn report(&self, board: &Board) -> Report {
        let waiting: u64 = self.routes.values().flatten().map(|id| board.waiting(*id)).sum();
        let taken = self.received.saturating_sub(waiting).max(self.told.taken);
        Report { taken, dropped: self.dropped }
    }

    /// Whether nothing of it is under way.
    pub(crate) fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.runs.is_empty() && self.giving.is_none()
    }

    /// Whether its stream has not ended.
    pub(crate) fn is_open(&self) -> bool {
        self.source != Source::Cut
    }

    /// When to look again whether there is room.
    pub(crate) fn retry(&self) -> Option<Time> {
        self.retry
    }

    pub(crate) fn next_wake(&self) -> Option<Time> {
        let is_told = self.told == (Report { taken: self.received, dropped: self.dropped });
        let due = (self.is_idle() && self.is_open() && !is_told).then_some(self.due);
        self.retry.into_iter().chain(due).min()
    }

    /// No more waits than its credit and one message.
    pub(crate) fn bounds(&self) -> Result<(), String> {
        let held: usize = self.waiting.iter().map(|item| item.payload.bytes.len()).sum();
        if held > WINDOW as usize + super::workload::LARGEST + (1 << 10) {
            return Err(format!("{held} bytes of batches wait in lane {}", self.lane));
        }
        Ok(())
    }

    fn begin(&mut self, run: Run, board: &Board) -> Giving {
        let (ids, is_shared) = match board.route(self.lane, run.topic()) {
            Subscriber::All(ids) => (ids, false),
            Subscriber::One(ids) => (ids, true),
        };
        self.routes.insert(run.topic().clone(), ids.clone());
        if is_shared && ids.is_empty() {
            self.dropped += u64::from(run.len());
        }
        Giving { run, left: ids.into(), rest: None, is_shared }
    }
}

impl Giving {
    /// Gives on what there is room for; whether that was all.
    fn advance(&mut self, board: &mut Board, moved: &mut Moved, dropped: &mut u64) -> bool {
        loop {
            let Some((id, run)) = self.rest.take().or_else(|| self.next(board)) else {
                return true;
            };
            let Some(stored) = board.put(id, run) else { continue };
            *dropped += stored.dropped;
            moved.wakes.extend(stored.wakes.map(|after| (id, after)));
            if let Some(rest) = stored.rest {
                self.rest = Some((id, rest));
                return false;
            }
        }
    }

    /// To whom the next goes: all of it to each, or each message to the one that has the least to do.
    fn next(&mut self, board: &Board) -> Option<(SubscriptionId, Run)> {
        if !self.is_shared {
            return Some((self.left.pop_front()?, self.run.clone()));
        }
        if self.run.is_empty() {
            return None;
        }
        let idlest = *self.left.iter().min_by_key(|id| board.waiting(**id))?;
        Some((idlest, self.run.split_off_front(1)))
    }
}
