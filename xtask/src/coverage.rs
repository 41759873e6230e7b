//! What of the five ancestors is shown by a test, and do those tests exist?
//!
//! `docs/coverage.md` has one row for each behaviour. Its last cell says `open`, or names the tests that show it, as
//! `crate::path::name` or `path/file.rs::name`.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context;

use crate::output;
use crate::shown::{Tests, named};
use crate::tidy::{Tree, Violation};

const PATH: &str = "docs/coverage.md";
/// Cells of a row: id, kind, behaviour, native name, bridge, shown by.
const CELLS: usize = 6;
/// The ancestors, the letter of their ids, and how many rows each has.
const ANCESTORS: &[(&str, char, usize)] = &[
    ("cote", 'C', 69),
    ("tallship", 'T', 37),
    ("pigato", 'P', 64),
    ("callosum", 'S', 22),
    ("masterless", 'M', 26),
];

/// Prints how many rows are shown and how many open, for each ancestor.
pub(crate) fn report(root: &Path) -> anyhow::Result<()> {
    let text =
        std::fs::read_to_string(root.join(PATH)).with_context(|| format!("cannot read {PATH}"))?;
    output::say(&summary(&text));
    Ok(())
}

fn summary(text: &str) -> String {
    let rows: Vec<Row> = rows(text).collect();
    let count = |letter: Option<char>, is_open: bool| {
        let of_ancestor =
            rows.iter().filter(|row| letter.is_none_or(|letter| row.id().starts_with(letter)));
        of_ancestor.filter(|row| row.is_open() == is_open).count()
    };
    let line = |name, letter| {
        format!("{name:<12}{:>4} shown {:>4} open\n", count(letter, false), count(letter, true))
    };
    let lines: String =
        ANCESTORS.iter().map(|(name, letter, _)| line(*name, Some(*letter))).collect();
    lines + line("all", None).trim_end()
}

/// The tidy rule: every behaviour has exactly one row, and every test a row names exists.
pub(crate) fn rows_are_true(tree: &Tree) -> Vec<Violation> {
    let Some(table) = tree.texts.iter().find(|file| file.path == PATH) else {
        return vec![Violation::new(
            PATH,
            1,
            "is missing: it says what of the ancestors is shown by which test",
        )];
    };
    let rows: Vec<Row> = rows(&table.text).collect();
    let tests = Tests::of(&tree.rust);
    let complaints = rows
        .iter()
        .flat_map(|row| complaints(row, &tests).into_iter().map(|what| (row.line, what)));
    let counted = miscounted(&rows).into_iter().map(|what| (1, what));
    counted.chain(complaints).map(|(line, what)| Violation::new(PATH, line, what)).collect()
}

/// One line of the table.
struct Row<'text> {
    line: usize,
    cells: Vec<&'text str>,
}

impl Row<'_> {
    fn id(&self) -> &str {
        self.cells[0]
    }

    fn is_open(&self) -> bool {
        self.cells.last().is_some_and(|cell| *cell == "open")
    }
}

/// The lines that start with a cell like `C1`: headings and rulers do not.
fn rows(text: &str) -> impl Iterator<Item = Row<'_>> {
    let lines = text.lines().enumerate().map(|(index, line)| (index + 1, line.trim()));
    lines.filter_map(|(line, text)| {
        let inside = text.strip_prefix('|')?.strip_suffix('|')?;
        let cells: Vec<&str> = inside.split('|').map(str::trim).collect();
        let digits = cells[0].strip_prefix(|char: char| char.is_ascii_uppercase())?;
        digits.parse::<u16>().is_ok().then_some(Row { line, cells })
    })
}

fn miscounted(rows: &[Row]) -> Vec<String> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for &(_, letter, rows) in ANCESTORS {
        counts.extend((1..=rows).map(|number| (format!("{letter}{number}"), 0)));
    }
    let mut complaints = Vec::new();
    for row in rows {
        match counts.get_mut(row.id()) {
            Some(count) => *count += 1,
            None => complaints.push(format!("{} is not on the list of behaviours", row.id())),
        }
    }
    let wrong = counts.iter().filter(|(_, count)| **count != 1);
    complaints.extend(wrong.map(|(id, count)| format!("{id} has {count} rows, it must have one")));
    complaints
}

fn complaints(row: &Row, tests: &Tests) -> Vec<String> {
    if row.cells.len() != CELLS {
        return vec![format!("{} has {} cells, it must have {CELLS}", row.id(), row.cells.len())];
    }
    if row.is_open() {
        return Vec::new();
    }
    let named: Vec<&str> = named(row.cells[CELLS - 1]).collect();
    if named.is_empty() {
        return vec![format!(
            "{} says nothing in its last cell: name its tests, or write `open`",
            row.id()
        )];
    }
    let unknown = named.iter().filter(|name| !tests.have(name));
    unknown
        .map(|name| {
            format!(
                "{} is shown by `{name}`, which is no test: correct it, or write `open`",
                row.id()
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(cell: &str, expect: &str) {
        let mut tree = Tree::default();
        let source = "//! What?\nfn helper() {}\n#[cfg(test)]\nmod tests {\n    #[test]\n    fn calls_arrive() {}\n}\n";
        tree.add("crates/homing-core/src/link/mod.rs", source);
        tree.add(
            "crates/homing-cli/tests/calls.rs",
            "//! What?\n#[tokio::test]\nasync fn a_call_is_answered() {}\n",
        );
        let row = format!("| C1 | S | what it does | `Node` | cote | {cell} |");
        let row = rows(&row).next().unwrap();
        assert_eq!(complaints(&row, &Tests::of(&tree.rust)).join("; "), expect);
    }

    #[test]
    fn a_row_is_open_or_names_tests_that_exist() {
        check("open", "");
        check("`homing_core::link::tests::calls_arrive`", "");
        check("`link/mod.rs::calls_arrive`, `calls.rs::a_call_is_answered`", "");
        check("`homing_cli::a_call_is_answered`", "");
    }

    #[test]
    fn a_row_cannot_name_what_is_no_test() {
        let no_test = |name: &str| {
            format!("C1 is shown by `{name}`, which is no test: correct it, or write `open`")
        };
        check("`homing_core::link::helper`", &no_test("homing_core::link::helper"));
        check("`homing_core::link::calls_arive`", &no_test("homing_core::link::calls_arive"));
        check("`calls.rs::calls_arrive`", &no_test("calls.rs::calls_arrive"));
        check("`homing::calls_arrive`", &no_test("homing::calls_arrive"));
        check("yes", &no_test("yes"));
        check("", "C1 says nothing in its last cell: name its tests, or write `open`");
    }

    #[test]
    fn every_behaviour_has_exactly_one_row() {
        let text = "| C1 | | | | | open |\n| C1 | | | | | open |\n| Z1 | | | | | open |\n";
        let complaints = miscounted(&rows(text).collect::<Vec<_>>());
        assert_eq!(
            complaints[..2],
            ["Z1 is not on the list of behaviours", "C1 has 2 rows, it must have one"]
        );
        assert_eq!(complaints.len(), 2 + 217);
    }

    #[test]
    fn the_summary_counts_by_ancestor() {
        let text = "| # | kind |\n|---|---|\n| C1 | | | | | open |\n| C2 | | | | | `a::b` |\n| M1 | | | | | open |\n";
        let summary = summary(text);
        assert!(summary.starts_with("cote           1 shown    1 open\n"), "{summary}");
        assert!(summary.ends_with("all            1 shown    2 open"), "{summary}");
    }
}
