//! How do the callers fare? Who answered whom, and what it came to in the end.

use anyhow::anyhow;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use super::caller::Report;
use crate::exit::Failure;
use crate::output::{Output, Paint};
use crate::span::show_micros;

/// What the callers reported.
#[derive(Debug, Default)]
pub(super) struct Score {
    /// Since the last line: who answered (or nobody), by caller.
    fresh: BTreeMap<&'static str, Vec<Option<String>>>,
    /// Calls answered, by service, in the order in which they first answered.
    answered: Vec<(String, u64)>,
    failed: u64,
    last_failure: Option<String>,
    /// By caller.
    last_answer: BTreeMap<&'static str, Instant>,
    longest_pause: Duration,
    slowest_micros: u64,
}

impl Score {
    /// Takes one call into account.
    pub(super) fn add(&mut self, (caller, report): (&'static str, Report)) {
        let fresh = self.fresh.entry(caller).or_default();
        match report {
            Report::Answered { by, micros } => {
                fresh.push(Some(by.clone()));
                self.count(by);
                self.slowest_micros = self.slowest_micros.max(micros);
                self.note_pause(caller);
            }
            Report::Failed { why } => {
                fresh.push(None);
                self.failed += 1;
                self.last_failure = Some(why);
            }
        }
    }

    /// A letter for each call since the last line, in the colour of who answered.
    pub(super) fn line(&mut self, output: Output) -> String {
        let mut line = String::new();
        for (caller, calls) in std::mem::take(&mut self.fresh) {
            let _ = write!(line, "{caller} ");
            for by in &calls {
                line.push_str(&self.letter(by.as_deref(), output));
            }
            line.push_str("  ");
        }
        line.trim_end().to_owned()
    }

    /// The last words.
    pub(super) fn sum_up(&self, output: Output) -> Result<(), Failure> {
        let calls = self.failed + self.answered.iter().map(|(_, count)| count).sum::<u64>();
        if self.answered.is_empty() {
            let why = self.last_failure.as_deref().unwrap_or("it ended before the first call");
            return Err(anyhow!("no call was answered: {why}").into());
        }
        let shares: Vec<String> =
            self.answered.iter().map(|(name, count)| format!("{name} {count}")).collect();
        output
            .line(output.painted(Paint::Bold, &format!("{calls} calls, {} failed", self.failed)))?;
        output.line(format_args!("answered by {}", shares.join(", ")))?;
        let pause = show_micros(self.longest_pause.as_secs_f64() * 1e6);
        let slowest = show_micros(Duration::from_micros(self.slowest_micros).as_secs_f64() * 1e6);
        output.line(format_args!("longest pause of a caller: {pause}; slowest call: {slowest}"))?;
        self.last_failure
            .as_ref()
            .map_or(Ok(()), |why| output.line(format_args!("last failure: {why}")))
    }

    fn letter(&self, by: Option<&str>, output: Output) -> String {
        let nth = self.answered.iter().position(|(name, _)| Some(name.as_str()) == by);
        match (by.and_then(|name| name.chars().next()), nth) {
            (Some(letter), Some(nth)) => {
                output.painted(Paint::Nth(nth), &letter.to_ascii_uppercase().to_string())
            }
            _ => output.painted(Paint::Red, "!"),
        }
    }

    fn count(&mut self, by: String) {
        match self.answered.iter_mut().find(|(name, _)| *name == by) {
            Some((_, count)) => *count += 1,
            None => self.answered.push((by, 1)),
        }
    }

    fn note_pause(&mut self, caller: &'static str) {
        let now = Instant::now();
        if let Some(before) = self.last_answer.insert(caller, now) {
            self.longest_pause = self.longest_pause.max(now - before);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::ColorChoice;

    fn answered(by: &str) -> Report {
        Report::Answered { by: by.to_owned(), micros: 5 }
    }

    #[test]
    fn a_line_has_a_letter_for_each_call_since_the_last() {
        let output = Output::new(ColorChoice::Never);
        let mut score = Score::default();
        score.add(("alice", answered("north")));
        score.add(("bob", answered("south")));
        score.add(("alice", Report::Failed { why: "UNAVAILABLE: x".to_owned() }));
        assert_eq!(score.line(output), "alice N!  bob S");
        assert_eq!(score.line(output), "");
        score.add(("bob", answered("south")));
        assert_eq!(score.line(output), "bob S");
        assert_eq!(score.answered, [("north".to_owned(), 1), ("south".to_owned(), 2)]);
        assert_eq!(score.failed, 1);
    }

    #[test]
    fn a_demo_without_an_answer_is_a_failure() {
        let output = Output::new(ColorChoice::Never);
        let failure = Score::default().sum_up(output).unwrap_err();
        assert!(failure.to_string().starts_with("no call was answered"));
    }
}
