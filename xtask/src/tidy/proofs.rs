//! Does every test run, at once, and does it read what lies there for it?

use super::tree::numbered;
use super::words::{has_word, is_word_at};
use super::{Tree, Violation};

/// Test files that may sleep, with the reason: (path, reason).
const SLEEPERS: &[(&str, &str)] = &[
    ("crates/homing/tests/mesh/bounds.rs", "a part of tests that all run in paused time"),
    ("crates/homing/tests/mesh/cancelling.rs", "a part of tests that all run in paused time"),
    ("crates/homing/tests/mesh/faults.rs", "a part of tests that all run in paused time"),
    ("crates/homing/tests/mesh/pairs.rs", "a part of tests that all run in paused time"),
    (
        "crates/homing/tests/mesh/house.rs",
        "looks for an event until a deadline, in paused time but for real.rs",
    ),
    (
        "crates/homing-cli/tests/cli/house.rs",
        "asks processes again until they know of each other, with a deadline",
    ),
];

/// A test that does not run shows nothing.
pub(super) fn every_test_runs(tree: &Tree) -> Vec<Violation> {
    let mut violations = Vec::new();
    for file in &tree.rust {
        for (line, _) in
            numbered(&file.code).filter(|(_, text)| text.trim_start().starts_with("#[ignore"))
        {
            violations.push(Violation::new(
                &file.path,
                line,
                "an ignored test: make it pass, or take it away",
            ));
        }
    }
    violations
}

/// A test that sleeps is slow on a fast machine and wrong on a slow one.
pub(super) fn no_test_sleeps(tree: &Tree) -> Vec<Violation> {
    let awake =
        tree.rust.iter().filter(|file| !SLEEPERS.iter().any(|(path, _)| *path == file.path));
    let mut violations = Vec::new();
    for file in awake {
        let mut clock = Clock::Wall;
        for (line, text) in file.test_lines() {
            clock = clock.after(text);
            if sleeps(text) && (clock == Clock::Wall || text.contains("thread::")) {
                let what = "a sleeping test: use virtual time (`start_paused`), or wait for the event with a deadline";
                violations.push(Violation::new(&file.path, line, what));
            }
        }
    }
    violations
}

/// The clock by which the test at hand sleeps. Only tokio's can be paused.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Clock {
    Wall,
    Virtual,
}

impl Clock {
    /// Every attribute of a test decides anew.
    fn after(self, line: &str) -> Self {
        match line.trim_start().starts_with("#[") && has_word(line, "test") {
            true if line.contains("start_paused = true") => Self::Virtual,
            true => Self::Wall,
            false => self,
        }
    }
}

/// A call of a function `sleep`. A method of that name belongs to the in-memory network, whose time is virtual.
fn sleeps(line: &str) -> bool {
    ["sleep", "sleep_until"].iter().any(|name| {
        line.match_indices(name).any(|(at, _)| {
            let before = line[..at].trim_end();
            let is_call = line[at + name.len()..].trim_start().starts_with('(');
            is_call
                && is_word_at(line, at, name)
                && !before.ends_with('.')
                && !before.ends_with("fn")
        })
    })
}

/// Bytes that no test reads pin nothing. A file counts as read when a source names it, with or without its extension.
pub(super) fn testdata_is_read(tree: &Tree) -> Vec<Violation> {
    let mut violations = Vec::new();
    for path in &tree.testdata {
        let name = path.rsplit('/').next().unwrap_or(path);
        let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
        let is_named = |text: &str| has_word(text, name) || text.contains(&format!("\"{stem}\""));
        if !tree.rust.iter().any(|file| is_named(&file.text)) {
            violations.push(Violation::new(
                path,
                1,
                "no Rust source names this file: test it, or take it away",
            ));
        }
    }
    violations
}
