//! What must be green before a change is merged, and in which order is it asked?
//!
//! The cheap questions come first. The first gate that fails ends the run; the last line says which it was.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::Context;

use crate::sandbox::Sandbox;
use crate::tools::{self, answers};
use crate::{edges, output, tidy};

/// How much is asked. A slower pace asks all that a quicker one does.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Pace {
    /// Without what takes its time: documentation with its tests, what is built for speed, and the simulation.
    Quick,
    /// Everything.
    Full,
}

/// One question, by name.
struct Gate {
    name: &'static str,
    /// The quickest pace that still asks it.
    pace: Pace,
    run: fn(&Sandbox) -> anyhow::Result<Outcome>,
}

/// What became of a gate that did not fail.
#[derive(Clone, Debug, Eq, PartialEq)]
enum Outcome {
    Passed,
    /// Not asked, and why. Never counted as passed.
    Skipped(String),
}

const fn always(name: &'static str, run: fn(&Sandbox) -> anyhow::Result<Outcome>) -> Gate {
    Gate { name, pace: Pace::Quick, run }
}

const fn thorough(name: &'static str, run: fn(&Sandbox) -> anyhow::Result<Outcome>) -> Gate {
    Gate { name, pace: Pace::Full, run }
}

const GATES: &[Gate] = &[
    always("toolchain", toolchain),
    always("format", |sandbox| cargo(sandbox, "fmt --all --check")),
    always("tidy", |sandbox| tidy::run(sandbox.root()).map(|()| Outcome::Passed)),
    always("edges", |sandbox| edges::check(sandbox).map(|()| Outcome::Passed)),
    always("licences and versions", licences),
    always("clippy", |sandbox| {
        cargo(sandbox, "clippy --workspace --all-targets --features homing/tower -- -D warnings")
    }),
    always("core without an OS", core_without_os),
    // As it is by default, so that both are compiled.
    always("build", |sandbox| cargo(sandbox, "build --workspace --bins --examples")),
    always("network namespaces", network_namespaces),
    always("redis server", redis_server),
    always("tests", |sandbox| {
        let words = "test --workspace --lib --bins --tests --examples --features homing/tower";
        cargo(sandbox, words)
    }),
    thorough("documentation", documentation),
    thorough("documentation tests", |sandbox| {
        cargo(sandbox, "test --workspace --doc --features homing/tower")
    }),
    thorough("allocations", |sandbox| {
        cargo(sandbox, "test --release --package homing --test allocations")
    }),
    thorough("simulation", |sandbox| simulate(sandbox, &["run", "--seconds", "60"])),
    // One seed, so that what fails is what changed; others are for `cargo xtask sim`.
    thorough("scale", |sandbox| {
        simulate(sandbox, &["scale", "--nodes", "10", "--nodes", "100", "--seed", "1"])
    }),
    thorough("upgrades", |sandbox| simulate(sandbox, &["upgrades", "--sequences", "1000"])),
];

/// Runs the gates in order. Fails with the name of the first that failed, after a table of what was run and how long it
/// took.
pub(crate) fn test(root: &Path, pace: Pace) -> anyhow::Result<()> {
    let sandbox = Sandbox::new(root)?;
    let started = Instant::now();
    let (mut table, mut skipped) = (String::new(), 0);
    for gate in GATES.iter().filter(|gate| gate.pace <= pace) {
        output::say(&format!("\n=== {}", gate.name));
        let before = Instant::now();
        let result = (gate.run)(&sandbox);
        table.push_str(&line(gate.name, &result, before.elapsed()));
        skipped += usize::from(matches!(result, Ok(Outcome::Skipped(_))));
        if let Err(error) = result {
            output::say(&format!("\n{table}"));
            return Err(error.context(format!("FAILED at gate `{}`", gate.name)));
        }
    }
    output::say(&format!("\n{table}{}", total(skipped, started.elapsed())));
    Ok(())
}

/// The last line, when none failed.
fn total(skipped: usize, took: Duration) -> String {
    let took = took.as_secs_f64();
    match skipped {
        0 => format!("all gates passed in {took:.0} s"),
        some => format!("no gate failed in {took:.0} s; skipped, and not passed: {some}"),
    }
}

/// Runs the simulator with `words` as its arguments.
pub(crate) fn sim(root: &Path, words: &[String]) -> anyhow::Result<()> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let words: Vec<&str> = std::iter::once(world(&words)).chain(words).collect();
    simulate(&Sandbox::new(root)?, &words).map(|_| ())
}

/// Which of the simulator's worlds is meant: that of many nodes, which measures, where there are more of them than fit
/// the one that checks every step.
fn world(words: &[&str]) -> &'static str {
    const STEPPED_MAX: u32 = 50;
    let nodes = words.windows(2).filter(|pair| pair[0] == "--nodes").map(|pair| pair[1]);
    let nodes = nodes.filter_map(|nodes| nodes.parse::<u32>().ok()).max();
    if nodes.is_some_and(|nodes| nodes > STEPPED_MAX) { "scale" } else { "run" }
}

fn line(name: &str, result: &anyhow::Result<Outcome>, took: Duration) -> String {
    let verdict = match result {
        Ok(Outcome::Passed) => "passed".to_owned(),
        Ok(Outcome::Skipped(why)) => format!("skipped: {why}"),
        Err(_) => "FAILED".to_owned(),
    };
    format!("{name:<24}{:>7.1} s  {verdict}\n", took.as_secs_f64())
}

fn cargo(sandbox: &Sandbox, words: &str) -> anyhow::Result<Outcome> {
    passes(&mut sandbox.cargo(words))
}

fn passes(command: &mut Command) -> anyhow::Result<Outcome> {
    tools::must_succeed(command).map(|()| Outcome::Passed)
}

fn toolchain(sandbox: &Sandbox) -> anyhow::Result<Outcome> {
    for (component, words) in [("rustfmt", "fmt --version"), ("clippy", "clippy --version")] {
        anyhow::ensure!(
            answers(&mut sandbox.cargo(words)),
            "the component {component} is missing; install it with: rustup component add rustfmt clippy"
        );
    }
    Ok(Outcome::Passed)
}

fn licences(sandbox: &Sandbox) -> anyhow::Result<Outcome> {
    tools::provide(sandbox, "deny")?;
    passes(tools::cargo(sandbox, "deny")?.args(["check", "licenses", "bans", "sources"]))
}

fn core_without_os(sandbox: &Sandbox) -> anyhow::Result<Outcome> {
    const TARGET: &str = "wasm32-unknown-unknown";
    let mut question = sandbox.program("rustc");
    question.args(["--print", "target-libdir", "--target", TARGET]);
    let answer = question.output().context("cannot run rustc")?;
    if !Path::new(String::from_utf8_lossy(&answer.stdout).trim()).is_dir() {
        return Ok(Outcome::Skipped(format!(
            "the target is not installed (rustup target add {TARGET})"
        )));
    }
    cargo(sandbox, &format!("check --package homing-core --target {TARGET}"))
}

/// Tests in network namespaces need `ip`, and to be let make some.
fn network_namespaces(sandbox: &Sandbox) -> anyhow::Result<Outcome> {
    const TESTS: &str = "tests in network namespaces";
    let there = answers(sandbox.program("ip").arg("-V"));
    let installed = installed(sandbox, there, ("ip", "iproute2", TESTS))?;
    if let Outcome::Skipped(_) = installed {
        return Ok(installed);
    }
    let space = format!("homing-gate-{}", std::process::id());
    let namespace = |what| sandbox.program("ip").args(["netns", what, &space]).output();
    let made = namespace("add").context("cannot run ip")?;
    // Also what was half made.
    namespace("del").context("cannot run ip")?;
    if made.status.success() {
        return Ok(Outcome::Passed);
    }
    let why = String::from_utf8_lossy(&made.stderr).trim().replace('\n', "; ");
    Ok(Outcome::Skipped(format!("none can be made ({why}): {TESTS} say that they are skipped")))
}

/// Discovery by Redis is tested with the real one.
fn redis_server(sandbox: &Sandbox) -> anyhow::Result<Outcome> {
    let there = answers(sandbox.program("redis-server").arg("--version"));
    installed(sandbox, there, ("redis-server", "redis-server", "tests with a real Redis"))
}

/// Debian packages are the one thing installed here, and only where that asks nobody: as root, with apt.
fn installed(
    sandbox: &Sandbox,
    is_there: bool,
    (program, package, tests): (&str, &str, &str),
) -> anyhow::Result<Outcome> {
    if is_there {
        return Ok(Outcome::Passed);
    }
    let missing = |why: &str| {
        Ok(Outcome::Skipped(format!(
            "`{program}` is missing and {why}: {tests} say that they are skipped"
        )))
    };
    let user = sandbox.program("id").arg("-u").output().context("cannot run id")?;
    if user.stdout.trim_ascii() != b"0" || !answers(sandbox.program("apt-get").arg("--version")) {
        let why = format!("only root with apt-get could install it (Debian package {package})");
        return missing(&why);
    }
    output::say(&format!("installing {package}, for the {tests}"));
    let install = || passes(sandbox.program("apt-get").args(["install", "-y", package]));
    let installed = passes(sandbox.program("apt-get").arg("update")).and_then(|_| install());
    installed.or_else(|error| missing(&format!("could not be installed ({error})")))
}

fn documentation(sandbox: &Sandbox) -> anyhow::Result<Outcome> {
    passes(
        sandbox
            .cargo("doc --workspace --lib --no-deps --features homing/tower")
            .env("RUSTDOCFLAGS", "-D warnings"),
    )
}

fn simulate(sandbox: &Sandbox, words: &[&str]) -> anyhow::Result<Outcome> {
    passes(sandbox.cargo("run --release --package homing-sim --bin homing-sim --").args(words))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_nodes_than_every_step_is_checked_for_are_measured() {
        assert_eq!(world(&["--nodes", "1000", "--json"]), "scale");
        assert_eq!(world(&["--seed", "1000", "--nodes", "50"]), "run");
        assert_eq!(world(&["--seconds", "60"]), "run");
    }

    #[test]
    fn a_skipped_gate_never_reads_as_passed() {
        let skipped = Ok(Outcome::Skipped("no compiler".to_owned()));
        assert_eq!(
            line("wasm", &skipped, Duration::from_millis(1_250)).trim_end(),
            "wasm                        1.2 s  skipped: no compiler"
        );
        let failed = Err(anyhow::anyhow!("exit status: 1"));
        assert!(line("wasm", &failed, Duration::ZERO).ends_with("FAILED\n"));
        assert_eq!(total(0, Duration::from_secs(9)), "all gates passed in 9 s");
        assert_eq!(
            total(2, Duration::from_secs(9)),
            "no gate failed in 9 s; skipped, and not passed: 2"
        );
    }
}
