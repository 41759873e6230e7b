//! Which keys of the mesh does a node hold: when it starts, and when their file changes?

use super::{Runtime, Said};
use crate::config::Keys;
use crate::config::settings::Settings;
use crate::discovery::directory::Directory;
use crate::error::JoinError;
use crate::security::files::Seen;
use crate::security::{Key, KeyFile, KeyFileError, MeshKey, RingCrypto, local::local_key};
use homing_core::crypto::Crypto as _;
use homing_core::talk::{Code, Status};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// How often files of keys and certificates are looked at. `homing key rotate` waits a little longer than that.
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
    // The file may have changed since this node read it for its start: the first look reads it again.
    let mut seen = Seen::default();
    while runtime.waits_on(LOOK_PERIOD).await {
        let looking = {
            let file = file.clone();
            move || {
                let news = look(&file, &mut seen);
                (seen, news)
            }
        };
        let Ok((now_seen, news)) = tokio::task::spawn_blocking(looking).await else { return };
        seen = now_seen;
        match news {
            Some(Ok(keys)) if holds(&crypto, &keys) => {}
            Some(Ok(keys)) if crypto.replace_keys(&keyed(&keys)).is_ok() => {
                tracing::info!(file = %file.display(), ?keys, "the keys were read again");
                runtime.say(Said::KeysChanged);
            }
            None | Some(Ok(_)) => {}
            Some(Err(error)) => tracing::warn!(%error, "the keys stay as they were"),
        }
    }
}

/// Reads the certificates again when their files change, until the node closes. Links do not wait for that.
pub(super) async fn follow_certificates(runtime: Arc<Runtime>) {
    while runtime.waits_on(LOOK_PERIOD).await {
        let looking = Arc::clone(&runtime);
        let look = move || {
            if let Some(tls) = &looking.seams.tls {
                tls.refresh();
            }
        };
        if tokio::task::spawn_blocking(look).await.is_err() {
            return;
        }
    }
}

impl Runtime {
    /// Waits so long; whether the node has not begun to close.
    async fn waits_on(&self, time: Duration) -> bool {
        tokio::select! {
            () = tokio::time::sleep(time) => true,
            () = self.life.closing.cancelled() => false,
        }
    }
}

/// Whether these are the keys that are held already, in this order.
fn holds(crypto: &RingCrypto, keys: &[Key]) -> bool {
    crypto.keys().into_iter().eq(keys.iter().map(Key::id))
}

fn keyed(keys: &[Key]) -> MeshKey {
    MeshKey::Keyed(keys.iter().map(|key| *key.secret()).collect())
}

/// What is in the file, if it looks otherwise than before.
fn look(file: &Path, seen: &mut Seen) -> Option<Result<Vec<Key>, KeyFileError>> {
    let read = || KeyFile::read(file).map(|read| read.keys());
    seen.look(&[file], read, |error| matches!(error, KeyFileError::Io { .. }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_at_first_and_when_it_changes_and_again_after_it_was_gone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("mesh.key");
        let mut file = KeyFile::create(&path, Key::generate()).unwrap();
        let mut seen = Seen::default();
        assert_eq!(
            look(&path, &mut seen).unwrap().unwrap(),
            file.keys(),
            "changed since the start?"
        );
        assert!(look(&path, &mut seen).is_none());
        file.advance().unwrap();
        assert_eq!(look(&path, &mut seen).unwrap().unwrap(), file.keys());
        assert!(look(&path, &mut seen).is_none());
        let aside = dir.path().join("aside");
        std::fs::rename(&path, &aside).unwrap();
        assert!(look(&path, &mut seen).unwrap().is_err());
        assert!(look(&path, &mut seen).is_none(), "told once");
        file = KeyFile::replace(&path, Key::generate()).unwrap();
        assert_eq!(look(&path, &mut seen).unwrap().unwrap(), file.keys());
    }
}
