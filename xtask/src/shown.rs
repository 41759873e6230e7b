//! Is there the test that a document names?
//!
//! Documents name tests as `crate::path::name` or `path/file.rs::name`, in backquotes, several with commas between.

use std::collections::BTreeMap;

use crate::tidy::{self, RustFile};

/// Names of test functions, with the files they are in.
pub(crate) struct Tests<'tree>(BTreeMap<&'tree str, Vec<&'tree str>>);

/// The tests that a cell names.
pub(crate) fn named(cell: &str) -> impl Iterator<Item = &str> {
    cell.split([',', ' ']).map(|name| name.trim_matches('`')).filter(|name| !name.is_empty())
}

impl<'tree> Tests<'tree> {
    pub(crate) fn of(sources: &'tree [RustFile]) -> Self {
        let mut found: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for file in sources {
            for (_, line) in file.test_lines() {
                let declared =
                    line.split_once("fn ").and_then(|(_, rest)| rest.split_once(['(', '<']));
                if let Some((name, _)) = declared {
                    found.entry(name).or_default().push(&file.path);
                }
            }
        }
        Self(found)
    }

    /// Whether there is such a test, and in the file or crate that the reference names.
    pub(crate) fn have(&self, reference: &str) -> bool {
        let Some((place, name)) = reference.rsplit_once("::") else { return false };
        let is_there = |path: &&str| match place.split("::").next() {
            Some(file) if tidy::extension(file) == "rs" => {
                *path == file || path.ends_with(&format!("/{file}"))
            }
            Some("xtask") => path.starts_with("xtask/"),
            Some(library) => path.starts_with(&format!("crates/{}/", library.replace('_', "-"))),
            None => false,
        };
        self.0.get(name).is_some_and(|paths| paths.iter().any(is_there))
    }
}
