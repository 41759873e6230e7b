//! Is each file about one thing, and short enough to be read in one go?

use super::tree::numbered;
use super::words::is_word_at;
use super::{Tree, Violation};

/// Lines of a file without its tests. Aim at 400.
const FILE_LINES_MAX: usize = 600;
/// Fields of a struct. More is several things in one.
const FIELDS_MAX: usize = 12;

/// Structs that may have more fields, with the reason: (path, name, reason).
const WIDE_STRUCTS: &[(&str, &str, &str)] = &[
    ("crates/homing/src/config.rs", "Config", "a user's wishes: each field is one, with a default"),
    ("crates/homing/src/config/settings.rs", "Settings", "the same, decided"),
    (
        "crates/homing/src/config/file.rs",
        "FileSettings",
        "a key of the file each, in one flat table",
    ),
];

/// The first line of a file says what it is about.
pub(super) fn files_ask_a_question(tree: &Tree) -> Vec<Violation> {
    let silent = tree.rust.iter().filter(|file| !file.text.starts_with("//! "));
    silent
        .map(|file| {
            Violation::new(&file.path, 1, "start with `//! ` and the question this file answers")
        })
        .collect()
}

/// A file that grows is several files.
pub(super) fn files_stay_short(tree: &Tree) -> Vec<Violation> {
    let long = tree
        .rust
        .iter()
        .map(|file| (file, file.tests_start()))
        .filter(|(_, lines)| *lines > FILE_LINES_MAX);
    let complaint = |lines| {
        format!("{lines} lines without tests, at most {FILE_LINES_MAX}: give a part its own file")
    };
    long.map(|(file, lines)| Violation::new(&file.path, FILE_LINES_MAX + 1, complaint(lines)))
        .collect()
}

/// A struct that grows is several machines.
pub(super) fn structs_stay_small(tree: &Tree) -> Vec<Violation> {
    let mut violations = Vec::new();
    for file in &tree.rust {
        for found in structs(&file.code).filter(|found| found.fields > FIELDS_MAX) {
            let is_excepted = WIDE_STRUCTS
                .iter()
                .any(|(path, name, _)| *path == file.path && *name == found.name);
            if !is_excepted {
                let Struct { line, name, fields } = found;
                let what = format!(
                    "{name} has {fields} fields, at most {FIELDS_MAX}: find the machine inside"
                );
                violations.push(Violation::new(&file.path, line, what));
            }
        }
    }
    violations
}

struct Struct<'code> {
    line: usize,
    name: &'code str,
    fields: usize,
}

fn structs(code: &str) -> impl Iterator<Item = Struct<'_>> {
    let starts = code.match_indices("struct ").filter(|(at, _)| is_word_at(code, *at, "struct"));
    starts.map(|(at, keyword)| {
        let rest = code[at + keyword.len()..].trim_start();
        let end =
            rest.find(|char: char| !char.is_alphanumeric() && char != '_').unwrap_or(rest.len());
        let (name, rest) = rest.split_at(end);
        Struct { line: numbered(&code[..=at]).count(), name, fields: fields(rest) }
    })
}

/// Counts fields from behind the name of a struct on.
fn fields(rest: &str) -> usize {
    let mut rest = rest.trim_start();
    if rest.starts_with('<') {
        rest = rest[enclosed(rest).len() + 2..].trim_start();
    }
    let openers: &[char] = if rest.starts_with("where") { &['{', ';'] } else { &['{', '(', ';'] };
    match rest.find(openers) {
        Some(at) if !rest[at..].starts_with(';') => items(enclosed(&rest[at..])),
        _ => 0,
    }
}

/// What stands between the bracket that `text` starts with and its partner.
fn enclosed(text: &str) -> &str {
    let end = depths(text).find(|(_, _, depth)| *depth == 0).map_or(text.len(), |(at, _, _)| at);
    text.get(1..end).unwrap_or("")
}

/// How many things the commas outside of any bracket separate.
fn items(body: &str) -> usize {
    let commas =
        depths(body).filter(|(_, char, depth)| *char == ',' && *depth == 0).map(|(at, _, _)| at);
    let ends: Vec<usize> = commas.chain([body.len()]).collect();
    let mut start = 0;
    let mut count = 0;
    for end in ends {
        count += usize::from(!body[start..end].trim_matches([',', ' ', '\n']).is_empty());
        start = end;
    }
    count
}

/// Each character with its place and the number of brackets open after it. The `>` of an arrow closes nothing.
fn depths(text: &str) -> impl Iterator<Item = (usize, char, usize)> {
    let mut depth = 0_usize;
    let mut before = ' ';
    text.char_indices().map(move |(at, char)| {
        match char {
            '(' | '[' | '{' | '<' => depth += 1,
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            '>' if before != '-' && before != '=' => depth = depth.saturating_sub(1),
            _ => {}
        }
        before = char;
        (at, char, depth)
    })
}
