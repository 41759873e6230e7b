//! What surroundings do the tests run in, so that two checkouts on one machine never meet?
//!
//! Programs of one user find each other through a directory of that user and the name of the mesh. Both are made afresh
//! for each run, and what the developer's shell says about their own mesh is taken away (decisions E3).

use std::ffi::OsString;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;

/// A mesh name and a run-time directory nobody else uses. The directory goes when this value is dropped.
#[derive(Debug)]
pub(crate) struct Sandbox {
    root: PathBuf,
    mesh: String,
    runtime: PathBuf,
}

impl Sandbox {
    /// Makes the directory, readable by this user only. Fails if the temporary directory cannot be written.
    pub(crate) fn new(root: &Path) -> anyhow::Result<Self> {
        let mut hasher = DefaultHasher::new();
        root.hash(&mut hasher);
        // Short, because it becomes part of the path of a unix socket, which holds about a hundred bytes.
        let mesh = format!("x{:08x}-{}", hasher.finish() & 0xffff_ffff, std::process::id());
        let runtime = std::env::temp_dir().join(format!("homing-{mesh}"));
        std::fs::DirBuilder::new().mode(0o700).create(&runtime).with_context(|| {
            format!("cannot make the directory {} for the tests", runtime.display())
        })?;
        Ok(Self { root: root.to_path_buf(), mesh, runtime })
    }

    /// The checkout under test.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Where cargo builds what belongs to the checkout.
    pub(crate) fn target(&self) -> PathBuf {
        std::env::var_os("CARGO_TARGET_DIR")
            .map_or_else(|| self.root.join("target"), |chosen| self.root.join(chosen))
    }

    /// A cargo command in the checkout, with `words` split at spaces.
    pub(crate) fn cargo(&self, words: &str) -> Command {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
        let mut command = self.program(cargo);
        command.args(words.split_whitespace());
        command
    }

    /// Any other program, in the same surroundings.
    pub(crate) fn program(&self, name: impl Into<OsString>) -> Command {
        let mut command = Command::new(name.into());
        command.current_dir(&self.root);
        for (key, _) in std::env::vars_os() {
            if is_foreign(&key.to_string_lossy()) {
                command.env_remove(key);
            }
        }
        command.env("HOMING_MESH", &self.mesh).env("XDG_RUNTIME_DIR", &self.runtime);
        command
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        // What cannot be removed is a few files in the temporary directory: not worth failing a green run.
        let _ = std::fs::remove_dir_all(&self.runtime);
    }
}

/// Settings of the developer's own mesh, and what the outer `cargo run` says about xtask: the build script of `ring`
/// would see the latter change and build everything again, at each turn from `cargo xtask` to plain `cargo`.
fn is_foreign(key: &str) -> bool {
    ["HOMING_", "CARGO_PKG_", "CARGO_MANIFEST_"].iter().any(|prefix| key.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_run_has_its_own_mesh_and_directory_and_leaves_none_behind() {
        let sandbox = Sandbox::new(Path::new("/some/checkout")).unwrap();
        let runtime = sandbox.runtime.clone();
        assert!(runtime.is_dir());
        assert!(sandbox.mesh.ends_with(&std::process::id().to_string()));
        drop(sandbox);
        assert!(!runtime.exists());
    }

    #[test]
    fn the_developers_mesh_and_the_outer_cargo_do_not_leak_in() {
        let foreign = ["HOMING_KEY", "HOMING_SEEDS", "CARGO_PKG_NAME", "CARGO_MANIFEST_DIR"];
        assert!(foreign.iter().all(|key| is_foreign(key)));
        let kept = ["PATH", "HOME", "CARGO_HOME", "CARGO_TARGET_DIR", "RUSTUP_TOOLCHAIN"];
        assert!(!kept.iter().any(|key| is_foreign(key)));
    }
}
