//! Who is this node, and in which of its lives? (decisions A10)
//!
//! An Ed25519 key in memory, and the first life; or one in a file, so that a node is the same after a restart:
//!
//! ```text
//! FILE         hmi1_ and 58 letters (see `encoded`), locked for as long as the node lives
//! FILE.epoch   the last life, in decimal digits
//! ```
//! A life is the milliseconds since 1970, or the last one plus one where that is more: neither a clock that goes back nor
//! a lost epoch file hurts alone. Where both came together, as from a backup, the mesh knows better, and the node
//! [rises](Identity::rise_above) above what it is told.

use super::encoded::{self, Flaw};
use super::files::replace_secret;
use super::random;
use crate::discovery::directory::file_flaw;
use homing_core::id::Epoch;
use homing_core::limits::EPOCH_LEAD_MAX;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// The first part of what is in the file.
const KIND: &str = "hmi1";

/// A node's own key, and its life.
#[derive(Debug)]
pub(crate) struct Identity {
    seed: Seed,
    epoch: Epoch,
    file: Option<Stored>,
}

/// What the key is made of.
#[derive(Clone)]
struct Seed([u8; encoded::SECRET_LEN]);

/// The file of an identity.
#[derive(Debug)]
struct Stored {
    path: PathBuf,
    /// Locked as long as it is open.
    _lock: File,
}

/// Why an identity cannot be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IdentityError {
    /// Another process is this node.
    #[error("identity {} is in use: another process runs with it, and each node needs one of its own", .0.display())]
    InUse(PathBuf),
    /// Somebody else could have read or written it.
    #[error("identity {} {flaw}: chmod 600 a plain file of your own", path.display())]
    Untrusted {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        flaw: String,
    },
    /// What is in it was not written by a node. It is not overwritten.
    #[error("identity {} {problem}: take the file back from a backup, or remove it for a new identity", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The system refused.
    #[error("identity {} cannot be used: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl Identity {
    /// One that nobody has met, in its first life; gone with the process.
    pub(crate) fn fresh() -> Self {
        Self { seed: Seed(random()), epoch: Epoch(1), file: None }
    }

    /// The one in a file, in a life after its last; a new one where there is none. The file is ours until this is dropped.
    ///
    /// # Errors
    /// Another process has it, others could read it, it is damaged, or the system refuses.
    pub(crate) fn open(path: &Path) -> Result<Self, IdentityError> {
        let failed = |source| IdentityError::Io { path: path.to_owned(), source };
        let flags = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
        let mut options = OpenOptions::new();
        options.read(true).append(true).create(true).mode(0o600).custom_flags(flags);
        let mut file = options.open(path).map_err(failed)?;
        if let Some(flaw) = file_flaw(&file).map_err(failed)? {
            return Err(IdentityError::Untrusted { path: path.to_owned(), flaw });
        }
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(IdentityError::InUse(path.to_owned())),
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        let seed = read_or_make(&mut file, path)?;
        let stored = Stored { path: path.to_owned(), _lock: file };
        let epoch = stored.next_epoch(Epoch(0))?;
        Ok(Self { seed, epoch, file: Some(stored) })
    }

    /// What its Ed25519 key is made of.
    pub(crate) const fn seed(&self) -> &[u8; encoded::SECRET_LEN] {
        &self.seed.0
    }

    /// This life.
    pub(crate) const fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// Begins a life after one that others know of. `None`: nobody can have known this identity before, or not so late
    /// a life of it.
    ///
    /// # Errors
    /// The system refuses to write it down; the life is as it was.
    pub(crate) fn rise_above(&mut self, known: Epoch) -> Result<Option<Epoch>, IdentityError> {
        let Some(stored) = &self.file else { return Ok(None) };
        if known.0 > self.epoch.0.max(milliseconds()).saturating_add(EPOCH_LEAD_MAX) {
            return Ok(None);
        }
        self.epoch = stored.next_epoch(known.max(self.epoch))?;
        Ok(Some(self.epoch))
    }
}

impl Stored {
    /// A life after the last one, after `above`, and not before now by the clock; written down before anybody hears of it.
    fn next_epoch(&self, above: Epoch) -> Result<Epoch, IdentityError> {
        let mut path = self.path.as_os_str().to_owned();
        path.push(".epoch");
        let path = PathBuf::from(path);
        let last = match std::fs::read_to_string(&path) {
            Ok(text) => text.trim().parse().ok().filter(|last| *last < u64::MAX / 2),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Some(0),
            Err(_) => None,
        };
        if last.is_none() {
            tracing::warn!(file = %path.display(), "the epoch file is damaged: the clock says how late it is");
        }
        let next = last.unwrap_or(0).max(above.0).saturating_add(1).max(milliseconds());
        replace_secret(&path, &format!("{next}\n"))
            .map_err(|source| IdentityError::Io { path, source })?;
        Ok(Epoch(next))
    }
}

impl std::fmt::Debug for Seed {
    /// Never shows it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Seed")
    }
}

/// The identity in a file that is locked, and therefore nobody else's to make.
fn read_or_make(file: &mut File, path: &Path) -> Result<Seed, IdentityError> {
    let failed = |source| IdentityError::Io { path: path.to_owned(), source };
    let damaged = |problem| IdentityError::Damaged { path: path.to_owned(), problem };
    let mut text = String::new();
    match file.take(1024).read_to_string(&mut text) {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::InvalidData => {
            return Err(damaged("holds no identity, which begins with hmi1_"));
        }
        Err(error) => return Err(failed(error)),
    }
    if text.is_empty() {
        let seed = random();
        let line = encoded::write(KIND, &seed) + "\n";
        file.write_all(line.as_bytes()).and_then(|()| file.sync_all()).map_err(failed)?;
        return Ok(Seed(seed));
    }
    encoded::read(KIND, text.trim()).map(Seed).map_err(|flaw| {
        damaged(match flaw {
            Flaw::Prefix => "holds no identity, which begins with hmi1_",
            Flaw::Length { .. } => "has lost or gained letters",
            Flaw::Letter | Flaw::Checksum => "has a changed letter",
        })
    })
}

fn milliseconds() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX / 2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt as _;

    /// An identity of this test's own.
    struct Place(tempfile::TempDir);

    impl Place {
        fn new() -> Self {
            Self(tempfile::tempdir().unwrap())
        }

        fn path(&self) -> PathBuf {
            self.0.path().join("node.id")
        }

        fn open(&self) -> Result<Identity, String> {
            Identity::open(&self.path()).map_err(|error| error.to_string())
        }

        fn put_epoch(&self, text: &str) {
            fs::write(self.0.path().join("node.id.epoch"), text).unwrap();
        }
    }

    #[test]
    fn a_stored_identity_is_the_same_in_a_later_life() {
        let place = Place::new();
        let (seed, epoch) = place.open().map(|one| (*one.seed(), one.epoch())).unwrap();
        let again = place.open().unwrap();
        assert_eq!(again.seed(), &seed);
        assert!(again.epoch() > epoch && epoch.0 > 1_600_000_000_000);
        let mode = fs::metadata(place.path()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_ne!(Identity::fresh().seed(), Identity::fresh().seed());
        assert_eq!(Identity::fresh().epoch(), Epoch(1));
    }

    #[test]
    fn of_two_processes_with_one_identity_the_second_is_refused() {
        let place = Place::new();
        let first = place.open().unwrap();
        let refused = place.open().unwrap_err();
        let path = place.path();
        assert!(
            refused.starts_with(&format!("identity {} is in use", path.display())),
            "{refused}"
        );
        drop(first);
        assert!(place.open().is_ok());
    }

    #[test]
    fn a_clock_that_went_back_and_a_damaged_epoch_file_do_not_hurt() {
        let place = Place::new();
        place.open().unwrap();
        let ahead = milliseconds() + 1_000_000_000;
        place.put_epoch(&format!("{ahead}\n"));
        assert_eq!(place.open().unwrap().epoch(), Epoch(ahead + 1));
        assert_eq!(place.open().unwrap().epoch(), Epoch(ahead + 2));
        for damaged in ["", "soon", "-1", "99999999999999999999999", "18446744073709551615"] {
            place.put_epoch(damaged);
            let epoch = place.open().unwrap().epoch().0;
            assert!(epoch >= ahead - 1_000_000_000 && epoch < ahead, "{damaged}: {epoch}");
        }
    }

    #[test]
    fn a_life_that_others_know_of_is_left_behind_for_good() {
        let place = Place::new();
        let mut identity = place.open().unwrap();
        let known = Epoch(identity.epoch().0 + 1_000_000);
        assert_eq!(identity.rise_above(known).unwrap(), Some(Epoch(known.0 + 1)));
        assert_eq!(identity.rise_above(known).unwrap(), Some(Epoch(known.0 + 2)), "never twice");
        drop(identity);
        assert_eq!(place.open().unwrap().epoch(), Epoch(known.0 + 3));
    }

    #[test]
    fn a_life_that_cannot_have_been_is_not_believed() {
        let place = Place::new();
        let mut identity = place.open().unwrap();
        let epoch = identity.epoch();
        assert_eq!(identity.rise_above(Epoch(u64::MAX - 1)).unwrap(), None);
        assert_eq!(identity.epoch(), epoch);
        assert_eq!(Identity::fresh().rise_above(Epoch(7)).unwrap(), None, "nobody has met it");
    }

    #[test]
    fn what_is_no_identity_is_refused_and_kept() {
        let place = Place::new();
        for (text, expect) in [
            ("hello\n", "begins with hmi1_"),
            ("hmi1_abc\n", "lost or gained letters"),
            (&format!("hmi1_{}\n", "a".repeat(58)), "has a changed letter"),
        ] {
            fs::write(place.path(), text).unwrap();
            fs::set_permissions(place.path(), Permissions::from_mode(0o600)).unwrap();
            let refused = place.open().unwrap_err();
            assert!(refused.contains(expect) && refused.contains("node.id"), "{refused}");
            assert_eq!(fs::read_to_string(place.path()).unwrap(), text);
        }
        fs::set_permissions(place.path(), Permissions::from_mode(0o644)).unwrap();
        assert!(place.open().unwrap_err().contains("(mode 644): chmod 600"));
    }
}
