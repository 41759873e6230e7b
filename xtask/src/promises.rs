//! What is promised of security, and do the tests that show it exist?
//!
//! `docs/security.md` has one row for each promise, in tables whose last column is `shown by`.

use crate::shown::{Tests, named};
use crate::tidy::{Tree, Violation, numbered};

const PATH: &str = "docs/security.md";
/// The last heading of a table of promises.
const SHOWN_BY: &str = "shown by";

/// The tidy rule: every promise names tests, and they exist.
pub(crate) fn promises_are_shown(tree: &Tree) -> Vec<Violation> {
    let Some(document) = tree.texts.iter().find(|file| file.path == PATH) else {
        let what = "is missing: it says what is promised, and which test shows it";
        return vec![Violation::new(PATH, 1, what)];
    };
    let tests = Tests::of(&tree.rust);
    let promises = promises(&document.text);
    if promises.is_empty() {
        let what = format!("has no promise: a table whose last column is `{SHOWN_BY}`");
        return vec![Violation::new(PATH, 1, what)];
    }
    let complaints = promises.iter().flat_map(|(line, cells)| {
        complaints(cells, &tests).into_iter().map(|what| Violation::new(PATH, *line, what))
    });
    complaints.collect()
}

/// A line of a table of promises, with its number.
type Promise<'text> = (usize, Vec<&'text str>);

/// The lines below each heading that ends in `shown by`, up to the end of its table.
fn promises(text: &str) -> Vec<Promise<'_>> {
    let mut is_of_promises = false;
    let mut found = Vec::new();
    for (line, text) in numbered(text) {
        let Some(cells) = cells(text) else {
            is_of_promises = false;
            continue;
        };
        if is_of_promises && !is_ruler(&cells) {
            found.push((line, cells));
        } else {
            is_of_promises |= cells.last() == Some(&SHOWN_BY);
        }
    }
    found
}

fn cells(line: &str) -> Option<Vec<&str>> {
    let inside = line.trim().strip_prefix('|')?.strip_suffix('|')?;
    Some(inside.split('|').map(str::trim).collect())
}

fn is_ruler(cells: &[&str]) -> bool {
    cells.iter().all(|cell| !cell.is_empty() && cell.chars().all(|sign| "-:".contains(sign)))
}

fn complaints(cells: &[&str], tests: &Tests) -> Vec<String> {
    let shown = cells.last().copied().unwrap_or_default();
    if named(shown).next().is_none() {
        let what = "a promise that no test shows: name one, or move it to what is not promised";
        return vec![what.to_owned()];
    }
    let unknown = named(shown).filter(|name| !tests.have(name));
    unknown
        .map(|name| format!("a promise is shown by `{name}`, which is no test: correct it"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLES: &str = "# Promises\n\n| guard | how |\n|---|---|\n| local | default |\n\n";

    #[track_caller]
    fn check(document: &str, expect: &[&str]) {
        let mut tree = Tree::default();
        tree.add(
            "crates/homing/tests/attacks/forged.rs",
            "//! Who?\n#[test]\nfn who_has_no_key_does_not_get_in() {}\n",
        );
        tree.add(PATH, document);
        let said: Vec<String> = promises_are_shown(&tree).iter().map(ToString::to_string).collect();
        assert_eq!(said, expect);
    }

    fn table(cell: &str) -> String {
        format!(
            "{TABLES}| promise | shown by |\n|---|:---|\n| nobody gets in | {cell} |\n\n| a |\n"
        )
    }

    #[test]
    fn a_promise_names_tests_that_exist() {
        check(&table("`attacks/forged.rs::who_has_no_key_does_not_get_in`"), &[]);
        let two = "`attacks/forged.rs::who_has_no_key_does_not_get_in`, `forged.rs::who_dreams`";
        let complaint = "docs/security.md:9: a promise is shown by `forged.rs::who_dreams`, which is no test: correct it";
        check(&table(two), &[complaint]);
        let complaint =
            "docs/security.md:9: a promise is shown by `open`, which is no test: correct it";
        check(&table("open"), &[complaint]);
    }

    #[test]
    fn a_promise_without_a_test_is_none() {
        let complaint = "docs/security.md:9: a promise that no test shows: name one, or move it to what is not promised";
        check(&table(""), &[complaint]);
    }

    #[test]
    fn a_document_without_promises_is_not_taken_for_one() {
        let complaint =
            "docs/security.md:1: has no promise: a table whose last column is `shown by`";
        check(TABLES, &[complaint]);
        let complaint =
            "docs/security.md:1: is missing: it says what is promised, and which test shows it";
        let said = promises_are_shown(&Tree::default());
        assert_eq!(said.iter().map(ToString::to_string).collect::<Vec<_>>(), [complaint]);
    }
}
