//! Which chores of this repository does a machine do, and by which command?
//!
//! `cargo xtask test` is the one test command: what is green there is ready to merge. The others are its parts, for use
//! while working. Nothing here is needed to build or use homing.

mod counts;
mod coverage;
mod edges;
mod fuzz;
mod gates;
mod output;
mod promises;
mod sandbox;
mod shown;
mod tidy;
mod tools;

use std::path::PathBuf;
use std::process::ExitCode;

use counts::Aim;
use gates::Pace;

const USAGE: &str = "usage: cargo xtask COMMAND

  test [--quick]                   every gate, in order; --quick leaves out simulation, documentation and its tests
  tidy                             the rules of STYLE.md that can be counted
  sim [--seconds N] [--seed S]     the simulator, built for speed; its arguments are passed through
  sim --nodes 1000 [--seed S] [--json]  a large mesh, measured: a row for each target
  fuzz [--seconds N] [TARGET...]   searches for bytes that break a promise, on a nightly compiler; 60 s for each target
  counts [--keep]                  instructions of each part of the core, by callgrind, and what changed; --keep keeps them
  coverage                         how many rows of docs/coverage.md are shown by a test";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match Task::parse(&words).and_then(Task::run) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output::complain(&format!("xtask: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// What was typed.
#[derive(Debug, Eq, PartialEq)]
enum Task {
    Test(Pace),
    Tidy,
    Sim(Vec<String>),
    Fuzz(Vec<String>),
    Counts(Aim),
    Coverage,
    Help,
}

impl Task {
    fn parse(words: &[String]) -> anyhow::Result<Self> {
        let plain: Vec<&str> = words.iter().map(String::as_str).collect();
        match plain.as_slice() {
            ["test"] => Ok(Self::Test(Pace::Full)),
            ["test", "--quick"] => Ok(Self::Test(Pace::Quick)),
            ["tidy"] => Ok(Self::Tidy),
            ["sim", ..] => Ok(Self::Sim(words[1..].to_vec())),
            ["fuzz", ..] => Ok(Self::Fuzz(words[1..].to_vec())),
            ["counts"] => Ok(Self::Counts(Aim::Compare)),
            ["counts", "--keep"] => Ok(Self::Counts(Aim::Keep)),
            ["coverage"] => Ok(Self::Coverage),
            ["help" | "--help" | "-h"] => Ok(Self::Help),
            _ => anyhow::bail!("unknown command `{}`\n{USAGE}", plain.join(" ")),
        }
    }

    fn run(self) -> anyhow::Result<()> {
        let root = root();
        match self {
            Self::Test(pace) => gates::test(&root, pace),
            Self::Tidy => tidy::run(&root),
            Self::Sim(words) => gates::sim(&root, &words),
            Self::Fuzz(words) => fuzz::run(&root, &words),
            Self::Counts(aim) => counts::run(&root, aim),
            Self::Coverage => coverage::report(&root),
            Self::Help => {
                output::say(USAGE);
                Ok(())
            }
        }
    }
}

/// The checkout this command was started for. Cargo says so at run time, which stays true when checkouts share a target
/// directory.
fn root() -> PathBuf {
    let here = std::env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from);
    here.parent().expect("xtask lies in the root of the workspace").to_path_buf()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(typed: &str, expect: &str) {
        let words: Vec<String> = typed.split_whitespace().map(str::to_owned).collect();
        let parsed = match Task::parse(&words) {
            Ok(task) => format!("{task:?}"),
            Err(error) => error.to_string().lines().next().unwrap().to_owned(),
        };
        assert_eq!(parsed, expect);
    }

    #[test]
    fn commands_are_understood_as_typed() {
        check("test", "Test(Full)");
        check("test --quick", "Test(Quick)");
        check("tidy", "Tidy");
        check("sim --seconds 60", r#"Sim(["--seconds", "60"])"#);
        check("fuzz --seconds 5 link", r#"Fuzz(["--seconds", "5", "link"])"#);
        check("counts", "Counts(Compare)");
        check("counts --keep", "Counts(Keep)");
        check("coverage", "Coverage");
    }

    #[test]
    fn anything_else_is_refused_by_name() {
        check("", "unknown command ``");
        check("test --quik", "unknown command `test --quik`");
    }
}
