//! Where does the key of a mesh without a key come from? From the user's rendezvous directory (decisions B1).
//!
//! Loopback is open to every user of a machine. So the directory, which only its owner can enter, holds 32 random bytes,
//! made on first use; who cannot read them is not of this mesh.

use std::io::{self, Read as _, Write as _};

use ring::rand::{SecureRandom as _, SystemRandom};

use super::MeshKey;
use crate::discovery::directory::{Directory, file_flaw};

/// The name of the file.
pub(crate) const KEY_FILE: &str = "key";

/// Bytes of the key.
const KEY_LEN: usize = 32;

/// Why there is no local key.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum KeyError {
    /// Somebody else could read or have written it, or it is damaged.
    #[error("the local key {path} {flaw}: remove it while no node of the mesh runs")]
    Untrusted {
        /// The file.
        path: String,
        /// What is wrong with it.
        flaw: String,
    },
    /// The system refused.
    #[error("the local key {path} can neither be read nor made: {source}")]
    Io {
        /// The file.
        path: String,
        /// What the system said.
        source: io::Error,
    },
}

/// Reads the key of the directory's mesh; makes it first where there is none. Whoever races gets the same one.
///
/// # Errors
/// The file is there but not trustworthy, or the system refuses to read or write it.
pub(crate) fn local_key(directory: &Directory) -> Result<MeshKey, KeyError> {
    let path = || directory.path().join(KEY_FILE).display().to_string();
    let failed = |source| KeyError::Io { path: path(), source };
    let file = match directory.open_file(KEY_FILE) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            make(directory).map_err(failed)?;
            directory.open_file(KEY_FILE).map_err(failed)?
        }
        opened => opened.map_err(failed)?,
    };
    if let Some(flaw) = file_flaw(&file).map_err(failed)? {
        return Err(KeyError::Untrusted { path: path(), flaw });
    }
    let mut bytes = Vec::with_capacity(KEY_LEN + 1);
    file.take(KEY_LEN as u64 + 1).read_to_end(&mut bytes).map_err(failed)?;
    let key = bytes.try_into().map_err(|bytes: Vec<u8>| KeyError::Untrusted {
        path: path(),
        flaw: format!("does not have {KEY_LEN} bytes (read {})", bytes.len()),
    })?;
    Ok(MeshKey::Local(key))
}

/// Writes a key beside, then links it to its name: that succeeds for one of those who race, and never shows half a key.
fn make(directory: &Directory) -> io::Result<()> {
    let mut key = [0; KEY_LEN];
    SystemRandom::new().fill(&mut key).map_err(|_| io::Error::other("no random bytes"))?;
    let (mut file, temporary) = directory.create_temporary()?;
    let linked = file
        .write_all(&key)
        .and_then(|()| file.sync_all())
        .and_then(|()| directory.link(&temporary, KEY_FILE));
    directory.remove(&temporary)?;
    match linked {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt as _;
    use std::path::Path;
    use std::sync::Barrier;

    use super::*;

    fn open(base: &Path) -> Directory {
        Directory::open(Some(base), &"m".parse().unwrap()).unwrap()
    }

    fn key(base: &Path) -> Result<[u8; 32], String> {
        match local_key(&open(base)) {
            Ok(MeshKey::Local(key)) => Ok(key),
            Ok(_) => panic!("a local key is a key"),
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn who_races_for_the_first_key_gets_the_same_one() {
        let dir = tempfile::tempdir().unwrap();
        let base = dir.path().join("r");
        let start = Barrier::new(8);
        let keys = std::thread::scope(|scope| {
            let racer = || {
                start.wait();
                key(&base).unwrap()
            };
            let racers: Vec<_> = (0..8).map(|_| scope.spawn(racer)).collect();
            racers.into_iter().map(|racer| racer.join().unwrap()).collect::<Vec<_>>()
        });
        assert!(keys.iter().all(|key| *key == keys[0] && *key != [0; 32]));
        assert_eq!(open(&base).names().unwrap(), ["key"], "nothing is left behind");
    }

    /// Puts something else in the place of the key and says why it is refused.
    #[track_caller]
    fn check_refused(spoil: impl FnOnce(&Path), expect: &str) {
        let dir = tempfile::tempdir().unwrap();
        let base = dir.path().join("r");
        key(&base).unwrap();
        spoil(&base.join("m/key"));
        let refused = key(&base).unwrap_err();
        assert!(refused.contains(expect), "{refused}");
    }

    #[test]
    fn a_key_that_others_may_read_is_refused() {
        check_refused(
            |path| fs::set_permissions(path, Permissions::from_mode(0o640)).unwrap(),
            "may be used by others (mode 640)",
        );
    }

    #[test]
    fn a_key_behind_a_link_is_refused() {
        check_refused(
            |path| {
                fs::rename(path, path.with_file_name("elsewhere")).unwrap();
                std::os::unix::fs::symlink("elsewhere", path).unwrap();
            },
            "key",
        );
    }

    #[test]
    fn a_key_of_another_length_is_refused() {
        check_refused(|path| fs::write(path, [1; 31]).unwrap(), "read 31");
        check_refused(|path| fs::write(path, [1; 99]).unwrap(), "read 33");
    }
}
