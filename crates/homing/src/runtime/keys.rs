//! Which keys of the mesh does a node hold: when it starts, and when their file changes?

use super::{Runtime, Said};
use crate::config::Keys;
use crate::config::settings::Settings;
use crate::discovery::directory::Directory;
use crate::error::JoinError;
use crate::security::{Key, KeyFile, KeyFileError, MeshKey, RingCrypto, local::local_key};
use homing_core::talk::{Code, Status};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// How often a key file is looked at. `homing key rotate` waits a little longer than that.
const LOOK_PERIOD: Duration = Duration::from_secs(5);

/// What a node proves with from its start.
///
/// # Errors
/// The keys cannot be read, or there is no place where a local one could be.
pub(super) fn mesh_key(
    settings: &Settings,
    directory: Option<&Directory>,
) -> Result<MeshKey, JoinError> {
    match (&settings.keys, directory) {
        (Keys::Insecure, _) => Ok(MeshKey::Insecure),
        (Keys::Given(keys), _) => Ok(keyed(keys)),
        (Keys::File(file), _) => Ok(keyed(&KeyFile::read(file)?.keys())),
        (Keys::Local, Some(directory)) => {
            local_key(directory).map_err(|error| JoinError::Rendezvous(error.into()))
        }
        (Keys::Local, None) => {
            let message = "without a rendezvous directory there is no key to prove: give one (`homing key new`)";
            Err(JoinError::Refused(Status::not_started(Code::FailedPrecondition, message)))
        }
    }
}

/// Reads the key file again when it changes, until the node closes. What cannot be used changes nothing, and is told.
pub(super) async fn follow(runtime: Arc<Runtime>, crypto: Arc<RingCrypto>, file: PathBuf) {
    let mut seen = Sight::of(&file).ok();
    loop {
        tokio::select! {
            () = tokio::time::sleep(LOOK_PERIOD) => {}
            () = runtime.life.closing.cancelled() => return,
        }
        let looking = {
            let file = file.clone();
            move || look(&file, seen)
        };
        let Ok((sight, news)) = tokio::task::spawn_blocking(looking).await else { return };
        seen = sight;
        match news {
            Some(Ok(keys)) if crypto.replace_keys(&keyed(&keys)).is_ok() => {
                tracing::info!(file = %file.display(), ?keys, "the keys were read again");
                runtime.say(Said::KeysChanged);
            }
            None | Some(Ok(_)) => {}
            Some(Err(error)) => tracing::warn!(%error, "the keys stay as they were"),
        }
    }
}

fn keyed(keys: &[Key]) -> MeshKey {
    MeshKey::Keyed(keys.iter().map(|key| *key.secret()).collect())
}

/// What tells one state of a file from another without reading it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Sight {
    inode: (u64, u64),
    size: u64,
    changed: (i64, i64),
}

impl Sight {
    fn of(file: &Path) -> io::Result<Self> {
        let found = std::fs::metadata(file)?;
        let changed = (found.ctime(), found.ctime_nsec());
        Ok(Self { inode: (found.dev(), found.ino()), size: found.size(), changed })
    }
}

/// How the file looks now, and what is in it if it looks otherwise than before.
fn look(
    file: &Path,
    seen: Option<Sight>,
) -> (Option<Sight>, Option<Result<Vec<Key>, KeyFileError>>) {
    let sight = Sight::of(file).ok();
    let news = (sight != seen).then(|| KeyFile::read(file).map(|read| read.keys()));
    (sight, news)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_when_it_changes_and_not_otherwise() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("mesh.key");
        let mut file = KeyFile::create(&path, Key::generate()).unwrap();
        let seen = Sight::of(&path).ok();
        assert!(matches!(look(&path, seen), (same, None) if same == seen));
        file.advance().unwrap();
        let (seen, news) = look(&path, seen);
        assert_eq!(news.unwrap().unwrap(), file.keys());
        assert!(matches!(look(&path, seen), (_, None)));
        std::fs::remove_file(&path).unwrap();
        let (seen, news) = look(&path, seen);
        assert!(matches!((seen, news), (None, Some(Err(_)))));
        assert!(matches!(look(&path, seen), (None, None)), "told once");
    }
}
