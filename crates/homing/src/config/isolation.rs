//! Where do the nodes of a test meet, and nobody else?

use homing_core::name::MeshName;
use std::hash::{BuildHasher, RandomState};
use std::path::{Path, PathBuf};

/// A mesh name that nobody else has, and a place for its rendezvous directory that is removed with this value.
///
/// The directory itself is made, and checked, by the first node that joins.
pub(crate) struct Isolation {
    mesh: MeshName,
    base: PathBuf,
}

impl Isolation {
    pub(crate) fn new() -> Self {
        // The name is no secret, it only must not be another's: the directory is what keeps others out.
        let chance = RandomState::new().hash_one(std::process::id());
        let name = format!("iso-{chance:016x}");
        let base = std::env::temp_dir().join(format!("homing-{name}"));
        Self { mesh: name.parse().expect("letters, digits and a hyphen are a mesh name"), base }
    }

    pub(crate) fn mesh(&self) -> &MeshName {
        &self.mesh
    }

    pub(crate) fn base(&self) -> &Path {
        &self.base
    }
}

impl Drop for Isolation {
    fn drop(&mut self) {
        // It may never have been made; and what cannot be removed, the system's own cleaning will.
        let _ = std::fs::remove_dir_all(&self.base);
    }
}
