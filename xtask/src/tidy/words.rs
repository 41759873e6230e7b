//! Does a text say something that must not be said?

use super::tree::{extension, numbered};
use super::{Tree, Violation};

/// Marks of unfinished work in comments.
const MARKS: &[&str] = &["TODO", "FIXME", "XXX"];
/// Unfinished work in code. (`clippy::todo` sees only the first.)
const STUBS: &[&str] = &["todo!", "unimplemented!"];
const INTEGERS: &[&str] = &[
    "u8", "u16", "u32", "u64", "u128", "usize", "i8", "i16", "i32", "i64", "i128", "isize", "f32",
    "f64",
];
/// Folders of one machine; in two pieces, so that this file does not name them.
const MACHINE_FOLDERS: &[&str] =
    &[concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/fa", "rm/")];

/// What is unfinished is an issue, not a comment.
pub(super) fn nothing_is_left_to_do(tree: &Tree) -> Vec<Violation> {
    let mut violations = Vec::new();
    for file in &tree.rust {
        for (view, words) in [(&file.comments, MARKS), (&file.code, STUBS)] {
            for (line, text) in numbered(view) {
                for word in words.iter().filter(|word| has_word(text, word)) {
                    let what = format!(
                        "{word}: finish it, or open an issue and say here what holds until then"
                    );
                    violations.push(Violation::new(&file.path, line, what));
                }
            }
        }
    }
    violations
}

/// An example that is not compiled is soon untrue.
pub(super) fn examples_compile(tree: &Tree) -> Vec<Violation> {
    let comments = tree.rust.iter().map(|file| (&file.path, &file.comments));
    let documents = tree
        .texts
        .iter()
        .filter(|file| extension(&file.path) == "md")
        .map(|file| (&file.path, &file.text));
    let mut violations = Vec::new();
    for (path, text) in comments.chain(documents) {
        for (line, text) in numbered(text) {
            let said = text.trim_start_matches([' ', '/', '!', '*']);
            if said.strip_prefix("```").is_some_and(|kind| has_word(kind, "ignore")) {
                let what = "an ignored example: make it compile (`no_run` if it must not run), or mark it `text`";
                violations.push(Violation::new(path, line, what));
            }
        }
    }
    violations
}

/// An alias of a number documents a difference that the compiler does not see.
pub(super) fn numbers_have_types(tree: &Tree) -> Vec<Violation> {
    let mut violations = Vec::new();
    for file in &tree.rust {
        for (line, text) in numbered(&file.code) {
            let declared =
                text.trim().strip_prefix("pub").and_then(|rest| rest.split_once("type "));
            let target = declared
                .and_then(|(_, rest)| rest.split_once('='))
                .map_or("", |(_, target)| target);
            if INTEGERS.contains(&target.trim_matches([' ', ';'])) {
                violations.push(Violation::new(
                    &file.path,
                    line,
                    "an alias of a number: make it a type of its own",
                ));
            }
        }
    }
    violations
}

/// The repository is read and built elsewhere.
pub(super) fn no_machine_is_named(tree: &Tree) -> Vec<Violation> {
    let rust = tree.rust.iter().map(|file| (&file.path, &file.text));
    let texts = tree.texts.iter().map(|file| (&file.path, &file.text));
    let mut violations = Vec::new();
    for (path, text) in rust.chain(texts) {
        for (line, text) in numbered(text) {
            for folder in MACHINE_FOLDERS.iter().filter(|folder| starts_a_path(text, folder)) {
                let what =
                    format!("names {folder} of one machine: write a path inside the repository");
                violations.push(Violation::new(path, line, what));
            }
        }
    }
    violations
}

/// A service called `words` may well have a method `admin` and a folder in the middle of a path any name.
fn starts_a_path(text: &str, folder: &str) -> bool {
    let mut found = text.match_indices(folder);
    found.any(|(at, _)| {
        !text[..at].ends_with(|before: char| before.is_alphanumeric() || "._-*$/}".contains(before))
    })
}

/// Whether `word` stands in `text` and is no part of a longer one.
pub(super) fn has_word(text: &str, word: &str) -> bool {
    text.match_indices(word).any(|(at, _)| is_word_at(text, at, word))
}

/// Whether the `word` found at `at` is no part of a longer one.
pub(super) fn is_word_at(text: &str, at: usize, word: &str) -> bool {
    let is_part = |char: char| char.is_alphanumeric() || char == '_';
    !text[..at].ends_with(is_part) && !text[at + word.len()..].starts_with(is_part)
}
