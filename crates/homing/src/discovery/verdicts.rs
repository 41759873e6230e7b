//! What did looking come to, last, in each place? Kept for whoever asks why nobody was found.

use std::collections::BTreeMap;

use homing_core::limits::VERDICTS_MAX;
use homing_core::time::Time;
use parking_lot::Mutex;

use super::{Outcome, Source, Verdict};

/// The last outcome in each place, and since when it is of that kind.
#[derive(Debug, Default)]
pub(crate) struct Verdicts(Mutex<BTreeMap<(Source, String), (Outcome, Time)>>);

impl Verdicts {
    /// Keeps a verdict. Beyond [`VERDICTS_MAX`] places those of further ones are not kept.
    pub(crate) fn note(&self, now: Time, verdict: Verdict) {
        let Verdict { source, tried, outcome } = verdict;
        let mut kept = self.0.lock();
        let is_full = kept.len() >= VERDICTS_MAX;
        match kept.get_mut(&(source, tried.clone())) {
            Some((before, since)) => {
                if before.is_failure() != outcome.is_failure() {
                    *since = now;
                }
                *before = outcome;
            }
            None if is_full => {}
            None => drop(kept.insert((source, tried), (outcome, now))),
        }
    }

    /// All that is kept: who looked where, what came of it, and since when that is so.
    pub(crate) fn all(&self) -> Vec<(Verdict, Time)> {
        let kept = self.0.lock();
        let verdict =
            |((source, tried), (outcome, since)): (&(Source, String), &(Outcome, Time))| {
                let (tried, outcome) = (tried.clone(), outcome.clone());
                (Verdict { source: *source, tried, outcome }, *since)
            };
        kept.iter().map(verdict).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(verdicts: &Verdicts, at: u64, tried: &str, outcome: Outcome) {
        let verdict = Verdict { source: Source::Seed, tried: tried.to_owned(), outcome };
        verdicts.note(Time::from_millis(at), verdict);
    }

    #[test]
    fn the_last_outcome_of_each_place_is_kept_and_since_when_it_fails() {
        let verdicts = Verdicts::default();
        note(&verdicts, 1, "a", Outcome::Worked("one".into()));
        note(&verdicts, 2, "a", Outcome::Failed("down".into()));
        note(&verdicts, 3, "a", Outcome::Failed("still down".into()));
        note(&verdicts, 3, "b", Outcome::Worked("two".into()));
        let all = verdicts.all();
        let shown: Vec<_> = all
            .iter()
            .map(|(verdict, since)| (verdict.tried.as_str(), &verdict.outcome, since.as_millis()))
            .collect();
        let (failed, worked) =
            (Outcome::Failed("still down".into()), Outcome::Worked("two".into()));
        assert_eq!(shown, [("a", &failed, 2), ("b", &worked, 3)]);
    }

    #[test]
    fn no_more_places_are_kept_than_the_bound() {
        let verdicts = Verdicts::default();
        for place in 0..VERDICTS_MAX + 5 {
            note(&verdicts, 1, &place.to_string(), Outcome::Worked(String::new()));
        }
        note(&verdicts, 2, "0", Outcome::Failed("known places change all the same".into()));
        assert_eq!(verdicts.all().len(), VERDICTS_MAX);
        assert!(verdicts.all()[0].0.outcome.is_failure());
    }
}
