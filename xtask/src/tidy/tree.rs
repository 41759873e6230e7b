//! Which files does tidy look at, and as what?

use std::fs;
use std::path::Path;

use anyhow::Context;

use super::scan;

/// The files of a checkout, by kind, in the order of their paths.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    /// Every Rust source.
    pub(crate) rust: Vec<RustFile>,
    /// Every other text that people write: documents, manifests, scripts.
    pub(crate) texts: Vec<TextFile>,
    /// Paths of the files under any `testdata/`, whose bytes are nobody's business here.
    pub(crate) testdata: Vec<String>,
}

/// A Rust source. The views have the lines of the text, with all that is not theirs blanked out.
#[derive(Debug)]
pub(crate) struct RustFile {
    /// From the root of the checkout, with `/`.
    pub(crate) path: String,
    pub(crate) text: String,
    /// Without comments and without the insides of literals.
    pub(crate) code: String,
    /// Comments alone.
    pub(crate) comments: String,
}

/// A text that is not Rust.
#[derive(Debug)]
pub(crate) struct TextFile {
    pub(crate) path: String,
    pub(crate) text: String,
}

/// Made by machines, other people's, or git's own.
const SKIPPED: &[&str] = &[
    "target",
    ".git",
    "fuzz/target",
    "fuzz/corpus",
    "fuzz/artifacts",
    "fuzz/coverage",
    "bench/target",
    "bench/node/node_modules",
];
const TEXTS: &[&str] = &["md", "toml", "sh", "yml", "yaml"];

impl Tree {
    /// Reads a checkout. Git is not asked, so that an unpacked archive is tidied alike.
    pub(crate) fn read(root: &Path) -> anyhow::Result<Self> {
        let mut tree = Self::default();
        tree.walk(root, "")?;
        Ok(tree)
    }

    fn walk(&mut self, folder: &Path, prefix: &str) -> anyhow::Result<()> {
        let listing =
            fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?;
        let mut entries = listing.collect::<Result<Vec<_>, _>>()?;
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let path = format!("{prefix}{}", entry.file_name().to_string_lossy());
            let kind = entry.file_type()?;
            if kind.is_dir() && !SKIPPED.contains(&path.as_str()) {
                self.walk(&entry.path(), &format!("{path}/"))?;
            } else if kind.is_file() && is_wanted(&path) {
                let bytes =
                    fs::read(entry.path()).with_context(|| format!("cannot read {path}"))?;
                self.add(&path, &String::from_utf8_lossy(&bytes));
            }
        }
        Ok(())
    }

    /// Files `text` under its kind.
    pub(crate) fn add(&mut self, path: &str, text: &str) {
        if is_testdata(path) {
            self.testdata.push(path.to_owned());
        } else if extension(path) == "rs" {
            self.rust.push(RustFile::new(path, text));
        } else {
            self.texts.push(TextFile { path: path.to_owned(), text: text.to_owned() });
        }
    }
}

impl RustFile {
    fn new(path: &str, text: &str) -> Self {
        let scan::Views { code, comments } = scan::split(text);
        Self { path: path.to_owned(), text: text.to_owned(), code, comments }
    }

    /// The index of the line where the tests start: zero in a file of tests, the number of lines where there are none.
    pub(crate) fn tests_start(&self) -> usize {
        let is_of_tests =
            |part: &str| part == "tests" || part == "tests.rs" || part.ends_with("_tests.rs");
        if self.path.split('/').any(is_of_tests) {
            return 0;
        }
        let lines: Vec<&str> = self.code.lines().map(str::trim).collect();
        let is_start = |&at: &usize| lines[at] == "#[cfg(test)]" && opens_module(&lines[at + 1..]);
        (0..lines.len()).find(is_start).unwrap_or(lines.len())
    }

    /// The code of the tests, line by line, with numbers that count from one.
    pub(crate) fn test_lines(&self) -> impl Iterator<Item = (usize, &str)> {
        numbered(&self.code).skip(self.tests_start())
    }
}

/// The lines of a text with their numbers, as people count them.
pub(crate) fn numbered(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().map(|(index, line)| (index + 1, line))
}

/// A module with its body here, not one in a file of its own: code may follow the latter.
fn opens_module(rest: &[&str]) -> bool {
    let item = rest.iter().find(|line| !line.is_empty() && !line.starts_with("#["));
    item.is_some_and(|item| item.contains("mod ") && item.ends_with('{'))
}

fn is_wanted(path: &str) -> bool {
    let extension = extension(path);
    extension == "rs" || TEXTS.contains(&extension) || path.starts_with(".ci/") || is_testdata(path)
}

fn is_testdata(path: &str) -> bool {
    path.split('/').any(|part| part == "testdata")
}

/// What stands behind the last dot; nothing where there is none.
pub(crate) fn extension(path: &str) -> &str {
    path.rsplit_once('.').map_or("", |(_, extension)| extension)
}
