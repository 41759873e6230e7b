//! What does a search for bytes that break a promise find, in so many seconds?
//!
//! The targets are the crate in `fuzz/`, the search is libFuzzer's, by way of cargo-fuzz. It needs a nightly compiler, so
//! it is no gate; the gates run the same promises over what proptest thinks of.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;

use crate::sandbox::Sandbox;
use crate::{output, tools};

const SECONDS: u64 = 60;
/// An input that takes longer is a finding.
const PATIENCE: u64 = 10;

/// Runs the targets named in `words`, or all, one after the other, and says what came of it as a table. Fails at the end
/// if one of them found something.
pub(crate) fn run(root: &Path, words: &[String]) -> anyhow::Result<()> {
    let fuzz = Fuzz { sandbox: Sandbox::new(root)?, folder: root.join("fuzz") };
    let asked = Asked::parse(words, &fuzz.targets()?)?;
    fuzz.prepare()?;
    let mut table = Row::HEADER.to_owned();
    let mut broken = Vec::new();
    for target in &asked.targets {
        output::say(&format!("\n=== {target}, {} s", asked.seconds));
        let row = fuzz.search(target, asked.seconds)?;
        table.push_str(&row.line(target));
        if row.end == End::Broken {
            broken.push(target.as_str());
        }
    }
    output::say(&format!("\n{table}"));
    anyhow::ensure!(broken.is_empty(), "a promise is broken: {}", broken.join(", "));
    Ok(())
}

/// What was typed.
#[derive(Debug, Eq, PartialEq)]
struct Asked {
    seconds: u64,
    targets: Vec<String>,
}

impl Asked {
    fn parse(words: &[String], known: &[String]) -> anyhow::Result<Self> {
        let (seconds, targets) = match words {
            [flag, number, targets @ ..] if flag == "--seconds" => (
                number.parse().with_context(|| format!("no number of seconds: {number}"))?,
                targets,
            ),
            targets => (SECONDS, targets),
        };
        if let Some(unknown) = targets.iter().find(|target| !known.contains(target)) {
            anyhow::bail!("no fuzz target is called {unknown}; there are: {}", known.join(", "));
        }
        let targets = if targets.is_empty() { known } else { targets };
        Ok(Self { seconds, targets: targets.to_vec() })
    }
}

struct Fuzz {
    sandbox: Sandbox,
    folder: PathBuf,
}

impl Fuzz {
    /// A file is a target.
    fn targets(&self) -> anyhow::Result<Vec<String>> {
        let files = fs::read_dir(self.folder.join("fuzz_targets")).context("no fuzz targets")?;
        let mut names = Vec::new();
        for file in files {
            let path = file?.path();
            names.extend(path.file_stem().map(|stem| stem.to_string_lossy().into_owned()));
        }
        names.sort();
        Ok(names)
    }

    fn prepare(&self) -> anyhow::Result<()> {
        anyhow::ensure!(
            tools::answers(&mut self.nightly("--version")?),
            "fuzzing needs a nightly compiler; install it with: rustup toolchain install nightly"
        );
        tools::provide(&self.sandbox, "fuzz")?;
        tools::must_succeed(&mut self.nightly("run --quiet --example seeds -- corpus")?)?;
        tools::must_succeed(&mut self.nightly("fuzz build --sanitizer none")?)
    }

    /// There is no unsafe code of ours to sanitize, and without that three times as much is tried.
    fn search(&self, target: &str, seconds: u64) -> anyhow::Result<Row> {
        let log = self.sandbox.target().join(format!("fuzz-{target}.log"));
        output::say(&format!("the search is told in {}", log.display()));
        let file = File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
        let mut command = self.nightly("fuzz run --sanitizer none")?;
        command.arg(target).arg("--").args([
            format!("-max_total_time={seconds}"),
            format!("-timeout={PATIENCE}"),
            "-rss_limit_mb=2048".to_owned(),
            "-print_final_stats=1".to_owned(),
        ]);
        command.stdout(file.try_clone()?).stderr(file);
        let status = command.status().context("cannot run cargo fuzz")?;
        let said = String::from_utf8_lossy(&fs::read(&log)?).into_owned();
        let row = Row::read(&said, if status.success() { End::Quiet } else { End::Broken });
        if row.end == End::Broken {
            output::say(&last_words(&said));
        }
        Ok(row)
    }

    /// Cargo of the nightly toolchain, in `fuzz/`. The toolchain that runs us has set itself for its children.
    fn nightly(&self, words: &str) -> anyhow::Result<Command> {
        let mut command = self.sandbox.program("rustup");
        command.args(["run", "nightly", "cargo"]).args(words.split_whitespace());
        command.current_dir(&self.folder).env("PATH", tools::path(&self.sandbox)?);
        for key in ["CARGO", "RUSTC", "RUSTDOC", "RUSTUP_TOOLCHAIN"] {
            command.env_remove(key);
        }
        Ok(command)
    }
}

/// What came of a search.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum End {
    Quiet,
    Broken,
}

/// What libFuzzer said of a search.
#[derive(Debug, Eq, PartialEq)]
struct Row {
    executions: String,
    edges: String,
    features: String,
    corpus: String,
    end: End,
}

impl Row {
    const HEADER: &str = "target        executions   edges  features       corpus  found\n";

    /// The last line of a search's progress has the figures; it looks like
    /// `#8192 DONE cov: 158 ft: 336 corp: 98/2659b lim: 4096 exec/s: 0 rss: 27Mb`.
    fn read(said: &str, end: End) -> Self {
        let is_progress = |line: &&str| line.starts_with('#') && line.contains(" cov: ");
        let last = said.lines().rfind(is_progress).unwrap_or_default();
        let words: Vec<&str> = last.split_whitespace().collect();
        let after = |name: &str| {
            let at = words.iter().position(|word| *word == name);
            at.and_then(|at| words.get(at + 1)).map_or("?".to_owned(), |word| (*word).to_owned())
        };
        let executions = words.first().map_or("?", |word| word.trim_start_matches('#'));
        Self {
            executions: executions.to_owned(),
            edges: after("cov:"),
            features: after("ft:"),
            corpus: after("corp:"),
            end,
        }
    }

    fn line(&self, target: &str) -> String {
        let Self { executions, edges, features, corpus, end } = self;
        let found = match end {
            End::Quiet => "nothing",
            End::Broken => "A BROKEN PROMISE",
        };
        format!("{target:<12}{executions:>12}{edges:>8}{features:>10}{corpus:>13}  {found}\n")
    }
}

/// From the panic on: what was broken, and the command that shows it again.
fn last_words(said: &str) -> String {
    let lines: Vec<&str> = said.lines().collect();
    let panic = lines.iter().position(|line| line.contains("panicked at"));
    lines[panic.unwrap_or(lines.len().saturating_sub(30))..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(typed: &str, expect: &str) {
        let words: Vec<String> = typed.split_whitespace().map(str::to_owned).collect();
        let known = ["frame".to_owned(), "link".to_owned()];
        let said = match Asked::parse(&words, &known) {
            Ok(Asked { seconds, targets }) => format!("{seconds} s of {}", targets.join(" ")),
            Err(error) => error.to_string(),
        };
        assert_eq!(said, expect);
    }

    #[test]
    fn all_targets_run_where_none_is_named() {
        check("", "60 s of frame link");
        check("--seconds 5", "5 s of frame link");
        check("--seconds 600 link", "600 s of link");
        check("--seconds soon", "no number of seconds: soon");
        check("lnik", "no fuzz target is called lnik; there are: frame, link");
    }

    #[test]
    fn the_last_figures_of_a_search_count() {
        let said = "#2\tINITED cov: 5 ft: 5 corp: 1/1b exec/s: 0 rss: 26Mb\n\
                    #8192\tDONE   cov: 158 ft: 336 corp: 98/2659b lim: 4096 exec/s: 0 rss: 27Mb\nDone 8192 runs\n";
        assert_eq!(
            Row::read(said, End::Quiet).line("link"),
            "link                8192     158       336     98/2659b  nothing\n"
        );
        let row = Row::read("error: could not compile\n", End::Broken);
        assert!(row.line("link").ends_with("A BROKEN PROMISE\n"));
    }
}
