//! Where are the keys of a mesh kept, and how is one exchanged for another without a stop?
//!
//! In a file that only its owner can read: a key on each line, the one to send with first, `#` before remarks. Two keys
//! are in it while they are exchanged, in three steps, each of them harmless to those who have not made it yet:
//!
//! ```text
//! settled       K1               everybody sends with K1
//! introduced    K1   K2 new      everybody sends with K1, and understands K2
//! switched      K2   K1 old      everybody sends with K2, and still understands K1
//! settled       K2               K1 opens nothing any more
//! ```

use super::keys::{BadKey, Key};
use crate::discovery::directory::file_flaw;
use homing_core::limits::MESH_KEYS_MAX;
use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// Bytes of a key file; a longer one is none.
const FILE_MAX: u64 = 16 * 1024;

/// The keys in a file, as they were when it was read.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct KeyFile {
    path: PathBuf,
    lines: Vec<(Key, Mark)>,
}

/// What a line says of its key.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Mark {
    None,
    New,
    Old,
}

/// How far the exchange of a key has come.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Rotation {
    /// One key, and no other under way.
    Settled {
        /// That key.
        key: Key,
    },
    /// A new key is understood, and not yet used.
    Introduced {
        /// The key in use.
        key: Key,
        /// The one that is to take its place.
        new: Key,
    },
    /// The new key is used, and the old one still understood.
    Switched {
        /// The key in use.
        key: Key,
        /// The one whose place it took.
        old: Key,
    },
}

/// Why a file of keys is not used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyFileError {
    /// The system refused.
    #[error("the key file {} cannot be {wanted}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// `read` or `written`.
        wanted: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// Somebody else could have read or written it.
    #[error("the key file {} {flaw}: chmod 600 a plain file of your own", path.display())]
    Untrusted {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        flaw: String,
    },
    /// A line holds no key. The line is not repeated: it may be a key with a slip in it.
    #[error("the key file {}, line {line}: {source}", path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// Which line, from 1 on.
        line: usize,
        /// What is wrong with it.
        source: BadKey,
    },
    /// The lines do not fit together.
    #[error("the key file {} {problem}", path.display())]
    Lines {
        /// The file.
        path: PathBuf,
        /// What is wrong with them, and what would be right.
        problem: String,
    },
}

impl KeyFile {
    /// Reads a file.
    ///
    /// # Errors
    /// It cannot be read, others could read it, or it holds something else than keys.
    pub fn read(path: impl Into<PathBuf>) -> Result<Self, KeyFileError> {
        let path = path.into();
        let text = read_text(&path)?;
        let lines = parse(&path, &text)?;
        Ok(Self { path, lines })
    }

    /// Makes a file of one key, readable by its owner only. Nothing is overwritten.
    ///
    /// # Errors
    /// There is such a file, or the system refuses to write.
    pub fn create(path: impl Into<PathBuf>, key: Key) -> Result<Self, KeyFileError> {
        let made = Self { path: path.into(), lines: vec![(key, Mark::None)] };
        let written =
            OpenOptions::new().write(true).create_new(true).mode(0o600).open(&made.path).and_then(
                |mut file| {
                    file.write_all(made.text().as_bytes())?;
                    file.sync_all()
                },
            );
        written.map_err(|source| made.failed("written", source))?;
        Ok(made)
    }

    /// The same with one key in the place of whatever was there.
    ///
    /// # Errors
    /// The system refuses to write; what was there still is.
    pub fn replace(path: impl Into<PathBuf>, key: Key) -> Result<Self, KeyFileError> {
        let made = Self { path: path.into(), lines: vec![(key, Mark::None)] };
        made.save()?;
        Ok(made)
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its keys, the one to send with first; one at least.
    pub fn keys(&self) -> Vec<Key> {
        self.lines.iter().map(|(key, _)| key.clone()).collect()
    }

    /// How far the exchange of its key has come.
    ///
    /// # Errors
    /// There are several keys, and no mark says which is the new one.
    pub fn rotation(&self) -> Result<Rotation, KeyFileError> {
        match &self.lines[..] {
            [(key, Mark::None)] => Ok(Rotation::Settled { key: key.clone() }),
            [(key, Mark::None), (new, Mark::New)] => {
                Ok(Rotation::Introduced { key: key.clone(), new: new.clone() })
            }
            [(key, Mark::None), (old, Mark::Old)] => {
                Ok(Rotation::Switched { key: key.clone(), old: old.clone() })
            }
            lines => Err(self.flawed(format!(
                "holds {} keys that are not those of a rotation: one key, or a second one marked `new` or `old`",
                lines.len()
            ))),
        }
    }

    /// Makes the next step of exchanging the key, in the file. A settled file gets a fresh key; what others must hold
    /// before a step is the caller's to find out.
    ///
    /// # Errors
    /// As [`rotation`](Self::rotation), or the system refuses to write; the file is as it was.
    pub fn advance(&mut self) -> Result<Rotation, KeyFileError> {
        let lines = match self.rotation()? {
            Rotation::Settled { key } => vec![(key, Mark::None), (Key::generate(), Mark::New)],
            Rotation::Introduced { key, new } => vec![(new, Mark::None), (key, Mark::Old)],
            Rotation::Switched { key, old: _ } => vec![(key, Mark::None)],
        };
        let next = Self { path: self.path.clone(), lines };
        next.save()?;
        *self = next;
        self.rotation()
    }

    /// Writes beside and renames: who reads meanwhile reads the file before or the file after.
    fn save(&self) -> Result<(), KeyFileError> {
        write_secret(&self.path, &self.text()).map_err(|source| self.failed("written", source))
    }

    fn text(&self) -> String {
        let mut text =
            String::from("# The key of a mesh: whoever has it is let in. `homing key --help`\n");
        for (key, mark) in &self.lines {
            let mark = match mark {
                Mark::None => "",
                Mark::New => " new",
                Mark::Old => " old",
            };
            writeln!(text, "{key}{mark}").expect("a text takes what is written to it");
        }
        text
    }

    fn failed(&self, wanted: &'static str, source: io::Error) -> KeyFileError {
        KeyFileError::Io { path: self.path.clone(), wanted, source }
    }

    fn flawed(&self, problem: String) -> KeyFileError {
        KeyFileError::Lines { path: self.path.clone(), problem }
    }
}

/// Replaces a file by one that only its owner can read, or leaves it as it was. On disk when this returns. Where `path`
/// is a link, what it leads to is replaced.
pub(super) fn write_secret(path: &Path, text: &str) -> io::Result<()> {
    let path = &std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".tmp");
    let temporary = PathBuf::from(temporary);
    // Left behind by a process that died while it wrote, or a trap: either way not to be written through.
    match std::fs::remove_file(&temporary) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&temporary, path)?;
    let above = path.parent().filter(|above| !above.as_os_str().is_empty());
    File::open(above.unwrap_or(Path::new(".")))?.sync_all()
}

/// The text of a file that nobody else could read or write. A link to such a file is as good: secrets are often mounted
/// as links.
fn read_text(path: &Path) -> Result<String, KeyFileError> {
    let failed = |source| KeyFileError::Io { path: path.to_owned(), wanted: "read", source };
    let flags = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path).map_err(failed)?;
    if let Some(flaw) = file_flaw(&file).map_err(failed)? {
        return Err(KeyFileError::Untrusted { path: path.to_owned(), flaw });
    }
    let mut text = String::new();
    file.take(FILE_MAX).read_to_string(&mut text).map_err(failed)?;
    Ok(text)
}

fn parse(path: &Path, text: &str) -> Result<Vec<(Key, Mark)>, KeyFileError> {
    let mut lines: Vec<(Key, Mark)> = Vec::new();
    let flawed = |problem| KeyFileError::Lines { path: path.to_owned(), problem };
    for (line, content) in (1..).zip(text.lines()) {
        let content = content.split('#').next().unwrap_or_default().trim();
        if content.is_empty() {
            continue;
        }
        let (word, mark) = marked(content);
        let key: Key = word.parse().map_err(|source| KeyFileError::Key {
            path: path.to_owned(),
            line,
            source,
        })?;
        if lines.iter().any(|(other, _)| *other == key) {
            return Err(flawed(format!("has the key of line {line} twice")));
        }
        if lines.is_empty() && mark != Mark::None {
            let right = "the first key is the one to send with, and has no mark";
            return Err(flawed(format!("marks the key of line {line}: {right}")));
        }
        lines.push((key, mark));
    }
    match lines.len() {
        0 => Err(flawed("holds no key: `homing key new FILE` makes one with a key".to_owned())),
        1..=MESH_KEYS_MAX => Ok(lines),
        more => Err(flawed(format!("holds {more} keys: {MESH_KEYS_MAX} are the most"))),
    }
}

fn marked(content: &str) -> (&str, Mark) {
    match content.rsplit_once(char::is_whitespace) {
        Some((word, "new")) => (word.trim_end(), Mark::New),
        Some((word, "old")) => (word.trim_end(), Mark::Old),
        _ => (content, Mark::None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt as _;

    /// A file of this text, read; `{0}` to `{5}` stand for keys.
    fn reading(text: &str, mode: u32) -> Result<KeyFile, String> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("mesh.key");
        let mut text = text.to_owned();
        for number in 0..6 {
            text = text.replace(&format!("{{{number}}}"), &Key::generate().to_string());
        }
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        KeyFile::read(&path).map_err(|error| error.to_string())
    }

    #[track_caller]
    fn check_refused(text: &str, expect: &str) {
        let error = reading(text, 0o600).unwrap_err();
        assert!(error.contains(expect) && error.contains("mesh.key"), "{error}");
        assert!(!error.contains("hmk1_a"), "{error}");
    }

    #[test]
    fn a_file_has_a_key_on_each_line_and_remarks() {
        let file = reading("# ours\n\n{0}\n  {1}   new # from Monday on\n", 0o600).unwrap();
        assert_eq!(file.keys().len(), 2);
        assert!(matches!(file.rotation(), Ok(Rotation::Introduced { .. })));
        assert_eq!(reading("{0}\n{1}\n{2}\n{3}", 0o400).unwrap().keys().len(), 4);
    }

    #[test]
    fn what_is_no_key_file_is_refused_with_the_line() {
        check_refused("# nothing\n", "holds no key: `homing key new FILE`");
        check_refused("{0}\nsesame\n", "line 2: it does not begin with hmk1_");
        check_refused("{0} next\n", "line 1: it has");
        check_refused("{0}\n{0}\n", "has the key of line 2 twice");
        check_refused("{0} new\n", "marks the key of line 1: the first key is the one to send");
        check_refused("{0}\n{1}\n{2}\n{3}\n{4}\n", "holds 5 keys: 4 are the most");
    }

    #[test]
    fn a_file_that_others_can_read_is_refused() {
        for mode in [0o640, 0o604, 0o620, 0o660, 0o666] {
            let error = reading("{0}\n", mode).unwrap_err();
            assert!(error.contains(&format!("(mode {mode:o}): chmod 600")), "{error}");
        }
        let error = KeyFile::read("/").unwrap_err().to_string();
        assert!(error.contains("no plain file"), "{error}");
    }

    #[test]
    fn a_key_is_exchanged_in_three_steps() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("mesh.key");
        let mut file = KeyFile::create(&path, Key::generate()).unwrap();
        let first = file.keys().remove(0);
        let Ok(Rotation::Introduced { key, new }) = file.advance() else { panic!("{file:?}") };
        assert_eq!(key, first);
        assert_eq!(file.advance().unwrap(), Rotation::Switched { key: new.clone(), old: first });
        assert_eq!(KeyFile::read(&path).unwrap(), file, "what is told is what was written");
        assert_eq!(file.advance().unwrap(), Rotation::Settled { key: new });
        assert_eq!(KeyFile::read(&path).unwrap(), file);
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!((mode & 0o777, fs::read_dir(dir.path()).unwrap().count()), (0o600, 1));
    }

    #[test]
    fn several_keys_without_marks_are_not_rotated() {
        let error = reading("{0}\n{1}\n", 0o600).unwrap().rotation().unwrap_err().to_string();
        assert!(error.contains("not those of a rotation"), "{error}");
    }

    #[test]
    fn what_is_there_is_not_overwritten_by_making() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("mesh.key");
        let made = KeyFile::create(&path, Key::generate()).unwrap();
        assert!(KeyFile::create(&path, Key::generate()).is_err());
        assert_eq!(KeyFile::read(&path).unwrap(), made);
        let other = KeyFile::replace(&path, Key::generate()).unwrap();
        assert_eq!(KeyFile::read(&path).unwrap(), other);
    }
}
