//! How are measurements told? A row for each, with its target, for people or for programs.

use std::fmt::Write as _;
use std::time::Duration;

/// One measurement.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Row {
    /// What was measured, and among how many nodes.
    pub what: String,
    /// What it has to be; nothing where it is only told.
    pub target: String,
    /// What it was.
    pub measured: String,
    /// Whether it was as it has to be.
    pub verdict: Verdict,
    /// The seed of the run.
    pub seed: u64,
}

/// Whether a target was met.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// It was.
    Held,
    /// It was not.
    Missed,
    /// There was none.
    Told,
}

/// All rows as a table.
pub fn table(rows: &[Row]) -> String {
    let width = |column: fn(&Row) -> &str| {
        rows.iter().map(|row| column(row).chars().count()).max().unwrap_or_default()
    };
    let what = width(|row| &row.what).max(4);
    let target = width(|row| &row.target).max(6);
    let measured = width(|row| &row.measured).max(8);
    let mut out =
        format!("{:what$} | {:target$} | {:measured$} | seed\n", "what", "target", "measured");
    for row in rows {
        let mark = if row.verdict == Verdict::Missed { "  MISSED" } else { "" };
        let Row { what: name, target: aim, measured: got, seed, .. } = row;
        writeln!(out, "{name:what$} | {aim:target$} | {got:measured$} | {seed}{mark}")
            .expect("a string takes everything");
    }
    out
}

/// One row as an object of JSON, on one line.
pub fn json(row: &Row) -> String {
    let verdict = match row.verdict {
        Verdict::Held => "held",
        Verdict::Missed => "missed",
        Verdict::Told => "told",
    };
    let fields = [
        ("what", row.what.as_str()),
        ("target", &row.target),
        ("measured", &row.measured),
        ("verdict", verdict),
    ];
    // Only our own words, without quotes or backslashes.
    let fields = fields.map(|(name, value)| format!("\"{name}\":\"{value}\""));
    format!("{{{},\"seed\":{}}}", fields.join(","), row.seed)
}

/// Gathers the rows of a run.
#[derive(Debug)]
pub(super) struct Rows {
    pub(super) all: Vec<Row>,
    nodes: usize,
    seed: u64,
}

impl Rows {
    pub(super) const fn new(nodes: usize, seed: u64) -> Self {
        Self { all: Vec::new(), nodes, seed }
    }

    /// Something that has to happen within `bound`; `None`: it did not happen.
    pub(super) fn within(&mut self, what: &str, bound: Duration, took: Option<Duration>) {
        let verdict = took.is_some_and(|took| took <= bound);
        let measured = took.map_or_else(|| "not at all".to_owned(), seconds);
        self.push(what, (format!("<= {}", seconds(bound)), measured), Some(verdict));
    }

    /// Bytes per second.
    pub(super) fn rate(&mut self, what: &str, bound: u64, flow: super::meter::Flow) {
        let measured = format!("{} B/s (most of one: {})", flow.mean, flow.most);
        self.push(what, (format!("<= {bound} B/s"), measured), Some(flow.mean <= bound));
    }

    /// Something that must not happen.
    pub(super) fn never(&mut self, what: &str, times: usize) {
        self.push(what, ("0".to_owned(), times.to_string()), Some(times == 0));
    }

    /// Something without a target.
    pub(super) fn tell(&mut self, what: &str, measured: String) {
        self.push(what, (String::new(), measured), None);
    }

    fn push(&mut self, what: &str, (target, measured): (String, String), held: Option<bool>) {
        let verdict = match held {
            Some(true) => Verdict::Held,
            Some(false) => Verdict::Missed,
            None => Verdict::Told,
        };
        let what = format!("{} nodes: {what}", self.nodes);
        self.all.push(Row { what, target, measured, verdict, seed: self.seed });
    }
}

/// A span in seconds, to the hundredth.
pub(super) fn seconds(span: Duration) -> String {
    format!("{}.{:02} s", span.as_secs(), span.subsec_millis() / 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missed_target_is_marked_and_both_forms_say_the_same() {
        let mut rows = Rows::new(10, 7);
        rows.within("a crash is known to all", Duration::from_secs(5), None);
        rows.never("healthy nodes held gone", 0);
        let text = table(&rows.all);
        assert_eq!(text.matches("MISSED").count(), 1, "{text}");
        assert_eq!(
            json(&rows.all[1]),
            r#"{"what":"10 nodes: healthy nodes held gone","target":"0","measured":"0","verdict":"held","seed":7}"#
        );
    }
}
