//! Where do programs come from that cargo does not bring?
//!
//! One that is installed is used. Otherwise it is built once, into `target/tools`, where it can be taken away again with
//! everything else that was built.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Context;

use crate::output;
use crate::sandbox::Sandbox;

/// Makes the subcommand `cargo NAME` of the crate `cargo-NAME` available, and says so where that takes building it.
///
/// Fails if it has to be built and cannot be, for instance without a network.
pub(crate) fn provide(sandbox: &Sandbox, name: &str) -> anyhow::Result<()> {
    if answers(cargo(sandbox, name)?.arg("--version")) {
        return Ok(());
    }
    install(sandbox, &format!("cargo-{name}"), &[])
}

/// Builds a package among ours, and says so. `words` go to `cargo install`.
pub(crate) fn install(sandbox: &Sandbox, package: &str, words: &[&str]) -> anyhow::Result<()> {
    let root = folder(sandbox);
    output::say(&format!("{package} is not installed; building it into {}", root.display()));
    let mut command = sandbox.cargo("install --locked --root");
    must_succeed(command.arg(&root).arg(package).args(words)).with_context(|| {
        let typed = [&[package], words].concat().join(" ");
        format!("cannot build {package}; try: cargo install --locked {typed}")
    })
}

/// `cargo NAME`, wherever [`provide`] found or put it.
pub(crate) fn cargo(sandbox: &Sandbox, name: &str) -> anyhow::Result<Command> {
    let mut command = sandbox.cargo(name);
    command.env("PATH", path(sandbox)?);
    Ok(command)
}

/// Where programs are looked for: ours come last, after those of the developer.
pub(crate) fn path(sandbox: &Sandbox) -> anyhow::Result<OsString> {
    let theirs = std::env::var_os("PATH").unwrap_or_default();
    let ours = folder(sandbox).join("bin");
    std::env::join_paths(std::env::split_paths(&theirs).chain([ours]))
        .context("the path of this checkout cannot stand in PATH")
}

/// Runs a command, after saying it as it would be typed. Fails if it does.
pub(crate) fn must_succeed(command: &mut Command) -> anyhow::Result<()> {
    let typed = typed(command);
    output::say(&format!("$ {typed}"));
    let status = command.status().with_context(|| format!("cannot run `{typed}`"))?;
    anyhow::ensure!(status.success(), "`{typed}` ended with {status}");
    Ok(())
}

/// The command as a person would type it again.
fn typed(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or(command.get_program());
    let words = std::iter::once(program).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

/// Whether a program can be started and is content. Its output is nobody's business.
pub(crate) fn answers(command: &mut Command) -> bool {
    command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// As [`path`], with ours first: where the version matters.
pub(crate) fn path_ours_first(sandbox: &Sandbox) -> anyhow::Result<OsString> {
    let theirs = std::env::var_os("PATH").unwrap_or_default();
    let ours = folder(sandbox).join("bin");
    std::env::join_paths(std::iter::once(ours).chain(std::env::split_paths(&theirs)))
        .context("the path of this checkout cannot stand in PATH")
}

fn folder(sandbox: &Sandbox) -> PathBuf {
    sandbox.target().join("tools")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failing_command_is_named_as_it_would_be_typed() {
        let sandbox = Sandbox::new(Path::new("/")).unwrap();
        let error = must_succeed(sandbox.program("/bin/sh").args(["-c", "exit 3"])).unwrap_err();
        assert_eq!(error.to_string(), "`sh -c exit 3` ended with exit status: 3");
    }
}
