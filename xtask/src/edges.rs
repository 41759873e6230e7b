//! Does any crate know what it must not know?
//!
//! The table is the column "must not know" of ARCHITECTURE.md. Crates that are not written yet are passed over, so that
//! their edges are guarded from their first commit.

use anyhow::Context;

use crate::sandbox::Sandbox;

/// One edge that must stay absent.
#[derive(Clone, Copy, Debug)]
struct Forbidden {
    from: &'static str,
    to: &'static str,
    reach: Reach,
    why: &'static str,
}

/// How far along the dependencies the edge is looked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Reach {
    /// Named in the crate's own manifest.
    Direct,
    /// Brought in by anything.
    Any,
}

const fn forbid(
    from: &'static str,
    to: &'static str,
    reach: Reach,
    why: &'static str,
) -> Forbidden {
    Forbidden { from, to, reach, why }
}

const CORE_IS_PURE: &str =
    "the core decides and performs no IO, waits for nothing and writes no log";
const DOORS_ARE_CLIENTS: &str =
    "gateways, bridges and the command line are ordinary clients of `homing`";
const TIME_IS_VIRTUAL: &str = "the simulator runs on one thread in virtual time";

const FORBIDDEN: &[Forbidden] = &[
    forbid("homing-core", "tokio", Reach::Any, CORE_IS_PURE),
    forbid("homing-core", "socket2", Reach::Any, CORE_IS_PURE),
    forbid("homing-core", "tracing", Reach::Any, CORE_IS_PURE),
    forbid("homing-sim", "tokio", Reach::Any, TIME_IS_VIRTUAL),
    forbid("homing-sim", "socket2", Reach::Any, TIME_IS_VIRTUAL),
    forbid("homing-cli", "homing-core", Reach::Direct, DOORS_ARE_CLIENTS),
    forbid("homing-web", "homing-core", Reach::Direct, DOORS_ARE_CLIENTS),
    forbid("homing-bridge", "homing-core", Reach::Direct, DOORS_ARE_CLIENTS),
    forbid("homing-broker", "homing-core", Reach::Direct, DOORS_ARE_CLIENTS),
];

/// Fails at the first forbidden edge that is there, saying why it must not be.
pub(crate) fn check(sandbox: &Sandbox) -> anyhow::Result<()> {
    for edge in FORBIDDEN {
        let manifest = sandbox.root().join("crates").join(edge.from).join("Cargo.toml");
        if manifest.is_file() && names(&tree(sandbox, *edge)?, edge.to) {
            anyhow::bail!("{} must not depend on {}: {}", edge.from, edge.to, edge.why);
        }
    }
    Ok(())
}

/// The list is asked for, not `cargo tree --invert`: that one fails when the edge is absent, and also when anything else
/// is wrong, so a typing error would pass for a clean tree.
fn tree(sandbox: &Sandbox, edge: Forbidden) -> anyhow::Result<String> {
    let mut command = sandbox.cargo("tree --edges normal --prefix none --format {p} --package");
    command.arg(edge.from);
    if edge.reach == Reach::Direct {
        command.args(["--depth", "1"]);
    }
    let output = command.output().context("cannot run cargo tree")?;
    anyhow::ensure!(
        output.status.success(),
        "cargo tree failed for {}: {}",
        edge.from,
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn names(tree: &str, package: &str) -> bool {
    tree.lines().any(|line| line.split(' ').next() == Some(package))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TREE: &str = "homing-sim v0.1.0 (/somewhere)\nhoming-core v0.1.0 (/somewhere)\ntokio-util v0.7.20\nbytes v1.12.1";

    #[test]
    fn an_edge_is_found_by_its_whole_name() {
        assert!(names(TREE, "homing-core"));
        assert!(names(TREE, "bytes"));
        assert!(!names(TREE, "tokio"));
        assert!(!names(TREE, "homing"));
    }
}
