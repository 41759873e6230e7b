//! Which rules of STYLE.md can be counted, and who breaks one?
//!
//! A rule is a function from the tree of files to its violations. It looks at text, not at syntax trees: a parser would
//! be the largest dependency of the repository, for questions that a line can answer.

mod manifests;
mod proofs;
mod scan;
mod shape;
mod tree;
mod words;

use std::fmt;
use std::path::Path;

use crate::{coverage, output, promises};
pub(crate) use tree::{RustFile, Tree, extension, numbered};

/// One broken rule: where, what, and what to do about it.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Violation {
    path: String,
    line: usize,
    what: String,
}

impl Violation {
    /// `line` counts from one.
    pub(crate) fn new(path: &str, line: usize, what: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, what: what.into() }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}:{}: {}", self.path, self.line, self.what)
    }
}

type Rule = fn(&Tree) -> Vec<Violation>;

const RULES: &[Rule] = &[
    shape::files_ask_a_question,
    shape::files_stay_short,
    shape::structs_stay_small,
    words::nothing_is_left_to_do,
    words::examples_compile,
    words::numbers_have_types,
    words::no_machine_is_named,
    proofs::every_test_runs,
    proofs::no_test_sleeps,
    proofs::testdata_is_read,
    manifests::lints_are_inherited,
    manifests::unsafe_is_forbidden,
    manifests::dependencies_are_chosen,
    coverage::rows_are_true,
    promises::promises_are_shown,
];

/// Prints every violation in the checkout and fails if there is one.
pub(crate) fn run(root: &Path) -> anyhow::Result<()> {
    let violations = all(&Tree::read(root)?);
    for violation in &violations {
        output::say(&violation.to_string());
    }
    anyhow::ensure!(violations.is_empty(), "violations of STYLE.md: {}", violations.len());
    Ok(())
}

fn all(tree: &Tree) -> Vec<Violation> {
    let mut violations: Vec<Violation> = RULES.iter().flat_map(|rule| rule(tree)).collect();
    violations.sort();
    violations
}

#[cfg(test)]
mod tests;
