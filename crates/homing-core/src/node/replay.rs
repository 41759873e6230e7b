//! Was this datagram taken before?
//!
//! A datagram that is sealed well may still be an old one, sent again by somebody who listened. Two things tell it from
//! a new one, and neither is a clock (decisions B4, B5): within one life of its sender its counter was not seen yet, and
//! it names the nonce that its receiver drew when it started. Without the nonce a receiver that has just started would
//! take what was meant for the one before it.

use crate::id::{Epoch, NodeId};
use crate::limits::{ANSWERS_PER_SECOND, REPLAY_SENDERS_MAX, REPLAY_WINDOW};
use crate::membership::Identity;
use crate::time::Time;
use crate::wire::DatagramKind;
use crate::wire::datagram::Header;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// What is remembered of the datagrams of others.
#[derive(Debug)]
pub(super) struct Replay {
    nonce: u64,
    senders: BTreeMap<NodeId, Sender>,
    answers: Answers,
}

/// What to do with a datagram that was sealed well.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Verdict {
    /// It is new.
    Take,
    /// It was taken before, or is too far behind, or of a former life of a sender that was told so often enough.
    Drop,
    /// It is of a former life of its sender, of which this is the present one.
    Outlived(Epoch),
    /// It is for a former life of ours; its sender may be told.
    Tell,
    /// The same, and its sender was told often enough.
    Hush,
}

#[derive(Debug)]
struct Sender {
    epoch: Epoch,
    window: Window,
    heard: Time,
    /// Its nonce, when it told us itself.
    nonce: Option<u64>,
}

/// The counters seen: the highest, and which of those just below it.
#[derive(Debug)]
struct Window {
    top: u64,
    seen: [u64; REPLAY_WINDOW / 64],
}

/// Who was told in this second what they do not know.
#[derive(Debug, Default)]
struct Answers {
    since: Time,
    told: BTreeSet<NodeId>,
}

const _: () = assert!(REPLAY_WINDOW.is_multiple_of(64), "the window is whole words");

impl Replay {
    /// Nothing was heard yet by who drew this nonce.
    pub(super) fn new(nonce: u64) -> Self {
        Self { nonce, senders: BTreeMap::new(), answers: Answers::default() }
    }

    /// Our nonce.
    pub(super) fn nonce(&self) -> u64 {
        self.nonce
    }

    /// The nonce of this member: what it told us, else what others say of it.
    pub(super) fn nonce_of(&self, member: &Identity) -> u64 {
        let told = self.senders.get(&member.id).filter(|sender| sender.epoch >= member.epoch);
        told.and_then(|sender| sender.nonce).unwrap_or(member.nonce)
    }

    /// Judges a datagram that was sealed well, and remembers it when it is new.
    pub(super) fn judge(&mut self, now: Time, header: &Header) -> Verdict {
        match header.kind {
            // Changes nothing but where a link is tried, and that is bounded elsewhere.
            DatagramKind::Scout => Verdict::Take,
            DatagramKind::Nonce => {
                let verdict = self.take(now, header);
                if verdict == Verdict::Take
                    && let Some(sender) = self.senders.get_mut(&header.sender)
                {
                    sender.nonce = Some(header.nonce);
                }
                verdict
            }
            DatagramKind::Superseded => self.take(now, header),
            _ if header.nonce != self.nonce => {
                let may = self.answers.may_tell(now, header.sender);
                if may { Verdict::Tell } else { Verdict::Hush }
            }
            _ => self.take(now, header),
        }
    }

    fn take(&mut self, now: Time, header: &Header) -> Verdict {
        if !self.senders.contains_key(&header.sender) {
            self.make_room();
        }
        let fresh =
            || Sender { epoch: header.epoch, window: Window::new(), heard: now, nonce: None };
        let sender = self.senders.entry(header.sender).or_insert_with(fresh);
        if header.epoch > sender.epoch {
            *sender = fresh();
        }
        if header.epoch < sender.epoch {
            // The answer must not be longer than the question.
            return match header.kind {
                DatagramKind::Membership | DatagramKind::Registry => {
                    let may = self.answers.may_tell(now, header.sender);
                    if may { Verdict::Outlived(sender.epoch) } else { Verdict::Drop }
                }
                _ => Verdict::Drop,
            };
        }
        if !sender.window.take(header.counter) {
            return Verdict::Drop;
        }
        sender.heard = now;
        Verdict::Take
    }

    /// Forgets whoever was silent longest where one more would be too many.
    fn make_room(&mut self) {
        if self.senders.len() < REPLAY_SENDERS_MAX {
            return;
        }
        let silent = self.senders.iter().min_by_key(|(_, sender)| sender.heard);
        if let Some(id) = silent.map(|(id, _)| *id) {
            self.senders.remove(&id);
        }
    }
}

impl Window {
    const fn new() -> Self {
        Self { top: 0, seen: [0; REPLAY_WINDOW / 64] }
    }

    /// Whether this counter is seen for the first time, as far as that can be told.
    fn take(&mut self, counter: u64) -> bool {
        if counter > self.top {
            self.advance(counter);
        } else if self.top - counter >= REPLAY_WINDOW as u64 {
            return false;
        }
        let (word, bit) = place(counter);
        let is_new = self.seen[word] & bit == 0;
        self.seen[word] |= bit;
        is_new
    }

    fn advance(&mut self, top: u64) {
        if top - self.top >= REPLAY_WINDOW as u64 {
            self.seen = [0; REPLAY_WINDOW / 64];
        } else {
            for passed in self.top + 1..=top {
                let (word, bit) = place(passed);
                self.seen[word] &= !bit;
            }
        }
        self.top = top;
    }
}

/// Where a counter stands in the ring of bits.
fn place(counter: u64) -> (usize, u64) {
    let place = usize::try_from(counter % REPLAY_WINDOW as u64).expect("below REPLAY_WINDOW");
    (place / 64, 1 << (place % 64))
}

impl Answers {
    /// Whether this sender may be told now, which is noted: once in a second, and only so many senders.
    fn may_tell(&mut self, now: Time, sender: NodeId) -> bool {
        if now.since(self.since) >= Duration::from_secs(1) {
            *self = Self { since: now, told: BTreeSet::new() };
        }
        self.told.len() < ANSWERS_PER_SECOND && self.told.insert(sender)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::KeyId;

    const OURS: u64 = 77;

    fn header(kind: DatagramKind, epoch: u64, counter: u64) -> Header {
        let sender = NodeId::from_bytes([1; 16]);
        let receiver = Some(NodeId::from_bytes([2; 16]));
        let epoch = Epoch(epoch);
        Header { kind, key: KeyId::NONE, sender, receiver, epoch, counter, nonce: OURS }
    }

    /// Judges datagrams, each an epoch and a counter, and says which were taken (`+`) and which dropped (`-`).
    #[track_caller]
    fn check(datagrams: impl IntoIterator<Item = (u64, u64)>, expect: &str) {
        let mut replay = Replay::new(OURS);
        let judged = datagrams.into_iter().map(|(epoch, counter)| {
            match replay.judge(Time::ZERO, &header(DatagramKind::Membership, epoch, counter)) {
                Verdict::Take => '+',
                Verdict::Drop => '-',
                Verdict::Outlived(_) => 'o',
                other => panic!("{other:?}"),
            }
        });
        assert_eq!(judged.collect::<String>(), expect);
    }

    #[test]
    fn each_counter_is_taken_once_in_whatever_order() {
        check([(1, 1), (1, 2), (1, 1), (1, 2), (1, 9), (1, 5), (1, 9), (1, 5)], "++--++--");
    }

    #[test]
    fn what_falls_behind_the_window_is_dropped_and_what_just_fits_is_taken() {
        let window = REPLAY_WINDOW as u64;
        check([(1, 1), (1, 5_000), (1, 5_000 - window), (1, 5_001 - window)], "++-+");
        check([(1, 1), (1, window), (1, 2), (1, window + 1), (1, 1), (1, 3)], "++++-+");
    }

    #[test]
    fn a_later_life_begins_anew_and_a_former_one_is_over() {
        check([(1, 7), (2, 7), (1, 8), (2, 7), (2, 8)], "++o-+");
    }

    #[test]
    fn the_top_of_the_counters_is_no_trap() {
        check([(1, u64::MAX), (1, u64::MAX), (1, u64::MAX - 1), (1, 1)], "+-+-");
    }

    #[test]
    fn who_names_the_wrong_nonce_is_told_but_not_without_end() {
        let mut replay = Replay::new(OURS);
        let wrong = Header { nonce: 1, ..header(DatagramKind::Registry, 1, 1) };
        for number in 1..=ANSWERS_PER_SECOND as u128 {
            let wrong = Header { sender: NodeId::from_bytes(number.to_be_bytes()), ..wrong };
            assert_eq!(replay.judge(Time::ZERO, &wrong), Verdict::Tell);
            assert_eq!(replay.judge(Time::ZERO, &wrong), Verdict::Hush, "{number} was told");
        }
        assert_eq!(replay.judge(Time::ZERO, &wrong), Verdict::Hush, "too many were");
        let later = Time::ZERO + Duration::from_secs(1);
        assert_eq!(replay.judge(later, &wrong), Verdict::Tell);
        let right = Header { nonce: OURS, ..wrong };
        assert_eq!(replay.judge(later, &right), Verdict::Take, "its counter was not used up");
    }

    #[test]
    fn a_nonce_that_was_told_counts_for_that_life_and_cannot_be_told_again() {
        let mut replay = Replay::new(OURS);
        let told = Header { nonce: 5, ..header(DatagramKind::Nonce, 2, 1) };
        let member = |epoch| Identity::new(told.sender, Epoch(epoch), 4, &[]);
        assert_eq!(replay.nonce_of(&member(2)), 4);
        assert_eq!(replay.judge(Time::ZERO, &told), Verdict::Take);
        assert_eq!(replay.nonce_of(&member(2)), 5);
        assert_eq!(replay.nonce_of(&member(3)), 4, "a later life drew another one");
        let again = Header { nonce: 6, ..told };
        assert_eq!(replay.judge(Time::ZERO, &again), Verdict::Drop);
        assert_eq!(replay.nonce_of(&member(2)), 5);
    }

    #[test]
    fn the_senders_remembered_are_bounded_and_the_most_silent_goes_first() {
        let mut replay = Replay::new(OURS);
        let from = |number: usize| {
            let mut id = [0; 16];
            id[..8].copy_from_slice(&(number as u64 + 1).to_be_bytes());
            Header { sender: NodeId::from_bytes(id), ..header(DatagramKind::Goodbye, 1, 1) }
        };
        for number in 0..=REPLAY_SENDERS_MAX {
            let now = Time::ZERO + Duration::from_millis(number as u64);
            assert_eq!(replay.judge(now, &from(number)), Verdict::Take);
        }
        assert_eq!(replay.senders.len(), REPLAY_SENDERS_MAX);
        assert!(!replay.senders.contains_key(&from(0).sender));
    }
}
