//! Can a file be trusted to be its owner's alone, and is it still the one that was read?
//!
//! Every secret is read and written here, so that there is one rule: a plain file, our own, and nobody else's to use.

use crate::discovery::directory::file_flaw;
use std::fmt::Display;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// Why a file is not read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    /// The system refused: that may pass.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// Somebody else could have read or written it. The text follows the file's name.
    #[error("{0}")]
    Untrusted(String),
    /// It is longer than such a file can be; it was not read to its end.
    #[error("has more than {0} bytes")]
    Long(u64),
}

impl Fault {
    /// For people who were told of which file it is.
    pub(crate) fn of_it(&self) -> String {
        match self {
            Self::Io(error) => error.to_string(),
            Self::Untrusted(_) | Self::Long(_) => format!("it {self}"),
        }
    }

    /// For people: with the file, and with what would be right.
    pub(crate) fn named(self, path: &Path) -> io::Error {
        let path = path.display();
        match self {
            Self::Io(error) => io::Error::new(error.kind(), format!("{path}: {error}")),
            Self::Untrusted(flaw) => {
                let right = "chmod 600 a plain file of your own";
                let message = format!("{path} {flaw}: {right}");
                io::Error::new(io::ErrorKind::PermissionDenied, message)
            }
            long @ Self::Long(_) => {
                io::Error::new(io::ErrorKind::InvalidData, format!("{path} {long}"))
            }
        }
    }
}

/// Reads a secret of at most `max` bytes. A link to it is as good: secrets are often mounted as links.
///
/// # Errors
/// The file is not there, is none, is not ours or not ours alone, or is too long.
pub(crate) fn read_secret(path: &Path, max: u64) -> Result<Vec<u8>, Fault> {
    let file = open(path)?;
    match file_flaw(&file)? {
        Some(flaw) => Err(Fault::Untrusted(flaw)),
        None => read_bounded(file, max),
    }
}

/// Reads what everybody may know, of at most `max` bytes.
///
/// # Errors
/// The file is not there, is none, or is too long.
pub(crate) fn read_public(path: &Path, max: u64) -> Result<Vec<u8>, Fault> {
    let file = open(path)?;
    plain(&file)?;
    read_bounded(file, max)
}

/// Reads settings, which others may know and must not be able to write.
///
/// # Errors
/// The file is not there, is none, is too long, or others can write it.
pub(crate) fn read_settings(path: &Path, max: u64) -> Result<String, Fault> {
    let untrusted = |flaw: String| Err(Fault::Untrusted(flaw));
    let file = open(path)?;
    let about = plain(&file)?;
    let mine = rustix::process::geteuid().as_raw();
    if about.uid() != mine && about.uid() != 0 {
        return untrusted("belongs to another user: it has to be yours, or root's".into());
    }
    if about.mode() & 0o022 != 0 {
        let mode = about.mode() & 0o777;
        let flaw = format!("can be written by others (mode {mode:03o}): chmod go-w makes it safe");
        return untrusted(flaw);
    }
    text(read_bounded(file, max)?)
}

/// What was read, where that is text.
///
/// # Errors
/// It is something else.
pub(crate) fn text(bytes: Vec<u8>) -> Result<String, Fault> {
    String::from_utf8(bytes)
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is no text").into())
}

/// Writes a secret into a new file of mode 0600: all of it, or there is no such file.
///
/// # Errors
/// The file is there already, or cannot be written.
pub(crate) fn create_secret(path: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
    written.inspect_err(|_| {
        let _ = fs::remove_file(path); // half a secret is none
    })
}

/// Replaces a file by one that only its owner can read, or leaves it as it was. On disk when this returns. Where `path`
/// is a link, what it leads to is replaced.
///
/// # Errors
/// The system refuses.
pub(crate) fn replace_secret(path: &Path, text: &str) -> io::Result<()> {
    let path = &fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".tmp");
    let temporary = PathBuf::from(temporary);
    // Left behind by a process that died while it wrote, or a trap: either way not to be written through.
    match fs::remove_file(&temporary) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    create_secret(&temporary, text)?;
    fs::rename(&temporary, path)?;
    let above = path.parent().filter(|above| !above.as_os_str().is_empty());
    File::open(above.unwrap_or(Path::new(".")))?.sync_all()
}

/// Never waits, as opening a pipe would.
fn open(path: &Path) -> io::Result<File> {
    let flags = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    OpenOptions::new().read(true).custom_flags(flags).open(path)
}

fn plain(file: &File) -> Result<Metadata, Fault> {
    let about = file.metadata()?;
    if about.is_file() { Ok(about) } else { Err(Fault::Untrusted("is no plain file".into())) }
}

/// What is longer is refused and not cut: half of it could mean something else.
fn read_bounded(file: File, max: u64) -> Result<Vec<u8>, Fault> {
    let mut bytes = Vec::new();
    file.take(max + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > max { Err(Fault::Long(max)) } else { Ok(bytes) }
}

/// What tells one state of a file from another without reading it. The time is the one that nobody can set.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Sight {
    inode: (u64, u64),
    size: u64,
    changed: (i64, i64),
}

impl Sight {
    fn of(file: &Path) -> io::Result<Self> {
        let found = fs::metadata(file)?;
        let changed = (found.ctime(), found.ctime_nsec());
        Ok(Self { inode: (found.dev(), found.ino()), size: found.size(), changed })
    }
}

/// What was last made of files that may change. At first nothing: whatever read them before may have read something else.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    sights: Vec<Sight>,
    told: Option<String>,
}

impl Seen {
    /// What is in the files now, if they look otherwise than before. What failed and `may_pass` without a change of the
    /// files is tried again each time; each failure is told once.
    pub(crate) fn look<T, E: Display>(
        &mut self,
        files: &[&Path],
        read: impl FnOnce() -> Result<T, E>,
        may_pass: impl FnOnce(&E) -> bool,
    ) -> Option<Result<T, E>> {
        // Before they are read: a change meanwhile is seen the next time.
        let sights = files.iter().map(|file| Sight::of(file)).collect::<io::Result<Vec<_>>>();
        if sights.as_ref().is_ok_and(|sights| *sights == self.sights) {
            self.told = None;
            return None;
        }
        let news = read();
        let told = news.as_ref().err().map(ToString::to_string);
        if let Ok(sights) = sights
            && !news.as_ref().is_err_and(may_pass)
        {
            self.sights = sights;
        }
        let is_told = told.is_some() && told == self.told;
        self.told = told;
        (!is_told).then_some(news)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    fn reading(bytes: &[u8], mode: u32) -> Result<Vec<u8>, String> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret");
        fs::write(&path, bytes).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        read_secret(&path, 4).map_err(|fault| fault.named(&path).to_string())
    }

    #[test]
    fn a_secret_is_a_short_file_that_is_its_owners_alone() {
        assert_eq!(reading(b"abcd", 0o400).unwrap(), b"abcd");
        assert!(reading(b"abcd", 0o640).unwrap_err().contains("(mode 640): chmod 600"));
        assert!(reading(b"abcde", 0o600).unwrap_err().ends_with("secret has more than 4 bytes"));
        assert!(matches!(read_secret(Path::new("/"), 4), Err(Fault::Untrusted(_))));
        assert!(matches!(read_public(Path::new("/"), 4), Err(Fault::Untrusted(_))));
        assert!(matches!(read_public(Path::new("/dev/zero"), 4), Err(Fault::Untrusted(_))));
    }

    #[test]
    fn who_opens_a_pipe_does_not_wait_for_its_writer() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pipe");
        let made = rustix::fs::mknodat(
            rustix::fs::CWD,
            &path,
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RWXU,
            0,
        );
        made.unwrap();
        assert!(matches!(read_secret(&path, 4), Err(Fault::Untrusted(_))));
        assert!(matches!(read_public(&path, 4), Err(Fault::Untrusted(_))));
    }

    #[test]
    fn a_secret_that_cannot_be_written_leaves_nothing_and_one_that_is_there_stays() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret");
        create_secret(&path, "a").unwrap();
        assert!(create_secret(&path, "b").is_err());
        assert_eq!(fs::read_to_string(&path).unwrap(), "a");
        assert!(replace_secret(dir.path(), "b").is_err(), "a directory is not replaced");
    }

    /// Looks, and says what is read, as a text.
    fn look(seen: &mut Seen, path: &Path, result: Result<&str, &str>, passes: bool) -> String {
        let news = seen.look(&[path], || result, |_| passes);
        news.map_or_else(|| "nothing".into(), |news| format!("{news:?}"))
    }

    #[test]
    fn a_file_is_read_at_first_and_when_it_changes_and_not_otherwise() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        create_secret(&path, "a").unwrap();
        let mut seen = Seen::default();
        assert_eq!(look(&mut seen, &path, Ok("a"), false), "Ok(\"a\")", "read before, or not");
        assert_eq!(look(&mut seen, &path, Ok("b"), false), "nothing");
        replace_secret(&path, "b").unwrap();
        assert_eq!(look(&mut seen, &path, Err("bad"), false), "Err(\"bad\")");
        assert_eq!(look(&mut seen, &path, Ok("b"), false), "nothing", "it was bad, and still is");
    }

    #[test]
    fn what_may_pass_is_tried_again_and_told_once() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        let mut seen = Seen::default();
        assert_eq!(look(&mut seen, &path, Err("gone"), true), "Err(\"gone\")");
        assert_eq!(look(&mut seen, &path, Err("gone"), true), "nothing");
        create_secret(&path, "a").unwrap();
        assert_eq!(look(&mut seen, &path, Err("no descriptor"), true), "Err(\"no descriptor\")");
        assert_eq!(look(&mut seen, &path, Err("no descriptor"), true), "nothing");
        assert_eq!(look(&mut seen, &path, Ok("a"), true), "Ok(\"a\")", "the same file");
        assert_eq!(look(&mut seen, &path, Ok("a"), true), "nothing");
        fs::remove_file(&path).unwrap();
        assert_eq!(look(&mut seen, &path, Err("gone"), true), "Err(\"gone\")");
    }
}
