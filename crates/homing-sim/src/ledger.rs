//! What is true, whatever the nodes believe? Every call that was made, every offer that was withdrawn.

use crate::event::End;
use crate::script::FAILURE;
use crate::topics::postings::Postings;
use homing_core::id::NodeId;
use homing_core::limits::TICK;
use homing_core::registry::{NodeState, Snapshot};
use homing_core::time::Time;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

/// How much later than its deadline a call may end: a tick of the wheel, and the lateness of a timer.
const GRACE: Duration = Duration::from_millis(10);

/// How long a reader's leaving may take to its writer: a round trip, and what waits before it.
const STOP_TIME: Duration = Duration::from_millis(2);

/// The truth about calls and offers.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    live: BTreeMap<u64, Call>,
    due: BTreeSet<(Time, u64)>,
    /// The calls, ended or not, that must not be worked on twice, and those of them whose work was begun.
    strict: BTreeSet<u64>,
    executed: BTreeSet<u64>,
    withdrawn: BTreeSet<u64>,
    speech: Speech,
    seen: BTreeMap<u64, Seen>,
    serials: u64,
    pub(crate) postings: Postings,
    pub(crate) counts: Counts,
}

/// A call that has not ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call {
    /// Which process made it.
    pub(crate) life: u64,
    pub(crate) deadline: Time,
    pub(crate) repeats: Repeats,
    pub(crate) duty: Duty,
}

/// Whether the work of a call may be begun more than once.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Repeats {
    May,
    MustNot,
}

/// What a call owes its caller.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Duty {
    /// An end in time.
    End,
    /// An answer: nothing is wrong with the mesh.
    Reply,
    /// That, or the word that nothing ran: who streams what it asks has to say it again itself.
    ReplyOrRefusal,
}

/// How many calls there were, and how they ended.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Counts {
    pub(crate) begun: u64,
    pub(crate) replied: u64,
    pub(crate) failed: u64,
    pub(crate) abandoned: u64,
    /// The caller's process ended first.
    pub(crate) died: u64,
}

/// Who answers streams, and for whom.
#[derive(Debug, Default)]
struct Speech {
    /// The streams that are answered, by which process.
    speaking: BTreeMap<u64, u64>,
    /// Those whose readers have left while all was well.
    left: VecDeque<(Time, u64)>,
}

/// What one process has seen of offers.
#[derive(Debug, Default)]
struct Seen {
    /// The offers with who makes them.
    shown: BTreeMap<u64, NodeId>,
    /// Withdrawn, and gone from here.
    gone: BTreeMap<u64, NodeId>,
}

impl Ledger {
    /// A number that nothing else has.
    pub(crate) fn serial(&mut self) -> u64 {
        self.serials += 1;
        self.serials
    }

    /// A call begins.
    pub(crate) fn begin(&mut self, serial: u64, call: Call) {
        self.due.insert((call.deadline, serial));
        self.live.insert(serial, call);
        if call.repeats == Repeats::MustNot {
            self.strict.insert(serial);
        }
        self.counts.begun += 1;
    }

    /// The work of a call begins.
    pub(crate) fn execute(&mut self, serial: u64) -> Result<(), String> {
        if self.strict.contains(&serial) && !self.executed.insert(serial) {
            return Err(format!("call {serial} was worked on twice, and must not be repeated"));
        }
        Ok(())
    }

    /// A call ended for its caller.
    pub(crate) fn end(&mut self, serial: u64, end: &End) -> Result<(), String> {
        let Some(call) = self.live.remove(&serial) else {
            return Err(format!("call {serial} ended twice: now {end:?}"));
        };
        self.due.remove(&(call.deadline, serial));
        match end {
            End::Replied => self.counts.replied += 1,
            End::GivenUp if call.duty != Duty::End => {
                return Err(format!("stream {serial} does not end where nothing is wrong"));
            }
            End::Abandoned | End::GivenUp => self.counts.abandoned += 1,
            End::Failed(_, message) if message.contains(FAILURE) => self.counts.replied += 1,
            End::WrongReply => return Err(format!("call {serial} got the answer to another")),
            End::Refused(..) if call.duty == Duty::ReplyOrRefusal => self.counts.failed += 1,
            End::Failed(code, message) | End::Refused(code, message) => {
                self.counts.failed += 1;
                if call.duty != Duty::End {
                    return Err(format!(
                        "call {serial} failed where nothing is wrong: {code}: {message}"
                    ));
                }
            }
        }
        Ok(())
    }

    /// A process ended, and its calls with it.
    pub(crate) fn died(&mut self, life: u64) {
        let of_it = |call: &Call| call.life == life;
        let calls: Vec<u64> =
            self.live.iter().filter(|(_, call)| of_it(call)).map(|(serial, _)| *serial).collect();
        for serial in calls {
            if let Some(call) = self.live.remove(&serial) {
                self.due.remove(&(call.deadline, serial));
                self.counts.died += 1;
            }
        }
        self.seen.remove(&life);
        self.postings.died(life);
        self.speech.speaking.retain(|_, speaker| *speaker != life);
    }

    /// Any call may fail from now on.
    pub(crate) fn excuse_all(&mut self) {
        self.live.values_mut().for_each(|call| call.duty = Duty::End);
    }

    /// A call that should have ended by now; `is_asleep` tells which processes cannot know.
    pub(crate) fn overdue(&self, now: Time, is_asleep: impl Fn(u64) -> bool) -> Result<(), String> {
        for (deadline, serial) in &self.due {
            if *deadline + TICK + GRACE >= now {
                return Ok(());
            }
            let call = self.live[serial];
            if !is_asleep(call.life) {
                return Err(format!("call {serial} has no end, and was due at {deadline}"));
            }
        }
        Ok(())
    }

    /// A stream is answered from now on.
    pub(crate) fn speaks(&mut self, serial: u64, life: u64) {
        self.speech.speaking.insert(serial, life);
    }

    /// A stream is no longer answered.
    pub(crate) fn is_silent(&mut self, serial: u64) {
        self.speech.speaking.remove(&serial);
    }

    /// The reader of a stream leaves, and nothing is wrong between it and its writer.
    pub(crate) fn left(&mut self, now: Time, serial: u64) {
        self.speech.left.push_back((now, serial));
    }

    /// Nobody goes on for a reader that left a round trip ago.
    pub(crate) fn still_speaking(&mut self, now: Time) -> Result<(), String> {
        while let Some((at, serial)) = self.speech.left.front().copied() {
            if at + STOP_TIME >= now {
                break;
            }
            self.speech.left.pop_front();
            if self.speech.speaking.contains_key(&serial) {
                return Err(format!("stream {serial} goes on, and its reader left at {at}"));
            }
        }
        Ok(())
    }

    /// An offer is withdrawn.
    pub(crate) fn withdraw(&mut self, offer: u64) {
        self.withdrawn.insert(offer);
    }

    /// A process sees this now.
    pub(crate) fn see(&mut self, life: u64, snapshot: &Snapshot) -> Result<(), String> {
        let instances = snapshot.services().flat_map(|(_, _, instances)| instances);
        let shown: BTreeMap<u64, NodeId> = instances
            .map(|instance| (crate::mesh::serial(&instance.offer), instance.node))
            .collect();
        let seen = self.seen.entry(life).or_default();
        let is_alive = |owner: &NodeId| {
            snapshot.node(owner).is_some_and(|known| known.state == NodeState::Alive)
        };
        let missing = seen.shown.iter().filter(|(offer, owner)| {
            !shown.contains_key(offer) && self.withdrawn.contains(offer) && is_alive(owner)
        });
        seen.gone.extend(missing.map(|(offer, owner)| (*offer, *owner)));
        // Of who was forgotten altogether that is forgotten, too: it may come back as somebody knew it who was away.
        seen.gone.retain(|_, owner| snapshot.node(owner).is_some());
        let back = shown.keys().find(|offer| seen.gone.contains_key(offer)).copied();
        seen.shown = shown;
        back.map_or(Ok(()), |offer| Err(format!("offer {offer} was withdrawn, and came back")))
    }

    /// Calls that have not ended.
    pub(crate) fn live(&self) -> usize {
        self.live.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use homing_core::talk::Code;

    fn ledger(repeats: Repeats, duty: Duty) -> Ledger {
        let mut ledger = Ledger::default();
        let call = Call { life: 1, deadline: Time::from_millis(100), repeats, duty };
        ledger.begin(7, call);
        ledger
    }

    #[test]
    fn a_call_ends_once_and_in_time() {
        let mut ledger = ledger(Repeats::May, Duty::End);
        assert_eq!(ledger.overdue(Time::from_millis(110), |_| false), Ok(()));
        assert!(ledger.overdue(Time::from_millis(120), |_| false).is_err());
        assert_eq!(ledger.overdue(Time::from_millis(120), |life| life == 1), Ok(()));
        assert_eq!(ledger.end(7, &End::Replied), Ok(()));
        assert!(ledger.end(7, &End::Replied).unwrap_err().contains("twice"));
    }

    #[test]
    fn what_must_not_be_repeated_is_worked_on_once() {
        let mut strict = ledger(Repeats::MustNot, Duty::End);
        assert_eq!(strict.execute(7), Ok(()));
        assert!(strict.execute(7).is_err());
        let mut lax = ledger(Repeats::May, Duty::End);
        assert_eq!((lax.execute(7), lax.execute(7)), (Ok(()), Ok(())));
    }

    #[test]
    fn a_reader_that_leaves_stops_its_writer_within_a_round_trip() {
        let mut ledger = Ledger::default();
        ledger.speaks(7, 1);
        ledger.speaks(8, 1);
        ledger.left(Time::from_millis(1), 7);
        ledger.left(Time::from_millis(1), 8);
        ledger.is_silent(7);
        assert_eq!(ledger.still_speaking(Time::from_millis(3)), Ok(()));
        assert!(ledger.still_speaking(Time::from_millis(4)).unwrap_err().contains("stream 8"));
        ledger.died(1);
        ledger.left(Time::from_millis(5), 8);
        assert_eq!(ledger.still_speaking(Time::from_millis(9)), Ok(()));
    }

    #[test]
    fn a_failure_is_wrong_only_where_nothing_else_is() {
        let failure = End::Failed(Code::Unavailable, "gone".to_owned());
        assert_eq!(ledger(Repeats::May, Duty::End).end(7, &failure), Ok(()));
        assert!(ledger(Repeats::May, Duty::Reply).end(7, &failure).is_err());
        assert!(ledger(Repeats::May, Duty::End).end(7, &End::WrongReply).is_err());
    }
}
