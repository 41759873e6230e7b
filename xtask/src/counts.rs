//! How many instructions does each part of the core take, and did a change change that?
//!
//! The works are those of `crates/homing-core/benches/counts.rs`, counted by callgrind by way of gungraun. What was counted
//! last, and thought right, is kept beside them. It needs valgrind and minutes, so it is no gate.

use std::ffi::OsString;
use std::fmt::Write;
use std::fs;
use std::path::Path;

use anyhow::Context;

use crate::sandbox::Sandbox;
use crate::{output, tools};

/// What was kept, from the root of the checkout.
const KEPT: &str = "crates/homing-core/benches/counts.txt";

/// In percent: so many more instructions are a finding. Less comes of where a compiler puts what.
const TOLERANCE: f64 = 3.0;

const RUNNER: &str = "gungraun-runner";

/// What is done with what was counted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Aim {
    /// It is compared with what was kept.
    Compare,
    /// It is kept.
    Keep,
}

/// Counts, and says as a table what changed since it was kept. Fails if something takes more than it did, and more than
/// chance explains.
pub(crate) fn run(root: &Path, aim: Aim) -> anyhow::Result<()> {
    let sandbox = Sandbox::new(root)?;
    let path = root.join(KEPT);
    let kept = match fs::read_to_string(&path) {
        Ok(text) => read_kept(&text)?,
        Err(_) if aim == Aim::Keep => Vec::new(),
        Err(error) => {
            anyhow::bail!("cannot read {KEPT}: {error}; write it with: cargo xtask counts --keep")
        }
    };
    let counted = count(&sandbox)?;
    let rows = compare(&kept, &counted);
    output::say(&table(&rows));
    match aim {
        Aim::Keep => {
            fs::write(&path, written(&counted)).with_context(|| format!("cannot write {KEPT}"))
        }
        Aim::Compare => verdict(&rows),
    }
}

/// One work, by name.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Count {
    work: String,
    instructions: u64,
}

fn count(sandbox: &Sandbox) -> anyhow::Result<Vec<Count>> {
    anyhow::ensure!(
        tools::answers(sandbox.program("valgrind").arg("--version")),
        "`valgrind` is missing, which counts instructions; install it (Debian package valgrind)"
    );
    let path = provide_runner(sandbox)?;
    let mut command = sandbox.cargo("bench --package homing-core --bench counts --");
    command.args(["--callgrind-args=--cache-sim=no", "--nosummary"]);
    command.env("PATH", path).env("GUNGRAUN_COLOR", "never").env("CARGO_TERM_COLOR", "never");
    output::say("counting: cargo bench --package homing-core --bench counts");
    let said = command.output().context("cannot run cargo bench")?;
    let text = String::from_utf8_lossy(&said.stdout);
    let counted = read_said(&text);
    let errors = String::from_utf8_lossy(&said.stderr);
    anyhow::ensure!(said.status.success(), "the count ended with {}:\n{text}{errors}", said.status);
    anyhow::ensure!(!counted.is_empty(), "nothing was counted:\n{text}{errors}");
    Ok(counted)
}

/// Makes the runner available that goes with the library, and gives back where programs are looked for: it has to be of the
/// same version, so that ours comes before that of the developer.
fn provide_runner(sandbox: &Sandbox) -> anyhow::Result<OsString> {
    let lock = fs::read_to_string(sandbox.root().join("Cargo.lock")).context("no Cargo.lock")?;
    let version = locked(&lock, "gungraun").context("Cargo.lock has no gungraun")?;
    let path = tools::path_ours_first(sandbox)?;
    let said = sandbox.program(RUNNER).arg("--version").env("PATH", &path).output();
    let is_it = |said: &[u8]| String::from_utf8_lossy(said).trim().ends_with(&version);
    if !said.is_ok_and(|said| is_it(&said.stdout)) {
        tools::install(sandbox, RUNNER, &["--version", &version])?;
    }
    Ok(path)
}

/// The version of a package of which there is one.
fn locked(lock: &str, package: &str) -> Option<String> {
    let name = format!("name = \"{package}\"");
    let mut after = lock.lines().skip_while(|line| *line != name);
    let version = after.nth(1)?.strip_prefix("version = ")?;
    Some(version.trim_matches('"').to_owned())
}

/// What gungraun says of each work: a line such as `counts::core::encode call_16:encoded(...)`, and below it one such as
/// `  Instructions:          212|N/A     (*********)`.
fn read_said(said: &str) -> Vec<Count> {
    let mut counted = Vec::new();
    let mut work = String::new();
    for line in said.lines() {
        if let Some(path) = line.strip_prefix("counts::") {
            let (path, id) = path.split_once(' ').unwrap_or((path, ""));
            let function = path.rsplit("::").next().unwrap_or(path);
            let id = id.split(':').next().unwrap_or(id);
            format!("{function} {id}").trim().clone_into(&mut work);
        } else if let Some(figures) = line.trim_start().strip_prefix("Instructions:") {
            let now = figures.trim_start().split(['|', ' ']).next().unwrap_or_default();
            if let Ok(instructions) = now.parse() {
                counted.push(Count { work: std::mem::take(&mut work), instructions });
            }
        }
    }
    counted
}

fn read_kept(text: &str) -> anyhow::Result<Vec<Count>> {
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let count = |line: &str| {
        let (work, instructions) = line.rsplit_once(' ')?;
        Some(Count { work: work.trim().to_owned(), instructions: instructions.parse().ok()? })
    };
    lines
        .map(|line| count(line).with_context(|| format!("{KEPT} has no count here: {line}")))
        .collect()
}

fn written(counted: &[Count]) -> String {
    let mut text =
        "# Instructions of each work of counts.rs, written by `cargo xtask counts --keep`.\n"
            .to_owned();
    for Count { work, instructions } in counted {
        let _ = writeln!(text, "{work:<40}{instructions:>12}");
    }
    text
}

/// One work, before and now.
#[derive(Debug, PartialEq)]
struct Row<'a> {
    work: &'a str,
    kept: Option<u64>,
    now: Option<u64>,
}

fn compare<'a>(kept: &'a [Count], counted: &'a [Count]) -> Vec<Row<'a>> {
    let of = |counts: &[Count], work: &str| {
        counts.iter().find(|count| count.work == work).map(|count| count.instructions)
    };
    let row =
        |Count { work, .. }: &'a Count| Row { work, kept: of(kept, work), now: of(counted, work) };
    let gone = kept.iter().filter(|count| of(counted, &count.work).is_none());
    counted.iter().chain(gone).map(row).collect()
}

impl Row<'_> {
    /// In percent of what was kept.
    #[expect(clippy::cast_precision_loss, reason = "a figure to be read")]
    fn change(&self) -> Option<f64> {
        let (kept, now) = (self.kept? as f64, self.now? as f64);
        (kept > 0.0).then(|| (now - kept) / kept * 100.0)
    }

    /// What is to be said of it; nothing where it is as it was.
    fn finding(&self) -> Option<&'static str> {
        match (self.kept, self.now, self.change()) {
            (None, ..) => Some("new"),
            (_, None, _) => Some("gone"),
            (.., Some(change)) if change > TOLERANCE => Some("MORE"),
            (.., Some(change)) if change < -TOLERANCE => Some("less"),
            _ => None,
        }
    }
}

fn table(rows: &[Row<'_>]) -> String {
    let mut table = format!("{:<40}{:>12}{:>12}{:>10}\n", "work", "kept", "now", "change");
    let figure = |count: Option<u64>| count.map_or("-".to_owned(), |count| count.to_string());
    for row in rows {
        let change = row.change().map_or("-".to_owned(), |change| format!("{change:+.1} %"));
        let (kept, now) = (figure(row.kept), figure(row.now));
        let line = format!("{:<40}{kept:>12}{now:>12}{change:>10}  ", row.work);
        let _ = writeln!(table, "{}", (line + row.finding().unwrap_or_default()).trim_end());
    }
    table
}

/// Fewer instructions are no failure: they are kept when somebody says so.
fn verdict(rows: &[Row<'_>]) -> anyhow::Result<()> {
    let differs = |row: &&Row<'_>| row.finding().is_some_and(|finding| finding != "less");
    let works: Vec<&str> = rows.iter().filter(differs).map(|row| row.work).collect();
    anyhow::ensure!(
        works.is_empty(),
        "not as it was kept, by more than {TOLERANCE} %: {}; if it is meant so: cargo xtask counts --keep",
        works.join(", ")
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAID: &str = "counts::core::encode call_16:encoded(& small_call())\n\
        \x20 Instructions:                         212|N/A             (*********)\n\
        counts::core::sync records_1000:Sync::of(500)\n\
        \x20 Instructions:                     1500000|1400000         (+7.14286%) [+1.07143x]\n";

    fn counts(all: &[(&str, u64)]) -> Vec<Count> {
        let count =
            |&(work, instructions): &(&str, u64)| Count { work: work.to_owned(), instructions };
        all.iter().map(count).collect()
    }

    /// What is said of `now`, where `kept` was kept.
    #[track_caller]
    fn check(kept: &[(&str, u64)], now: &[(&str, u64)], expect: Result<(), &str>) {
        let (kept, now) = (counts(kept), counts(now));
        let verdict = verdict(&compare(&kept, &now)).map_err(|error| error.to_string());
        let expect = expect.map_err(|works| {
            format!("not as it was kept, by more than 3 %: {works}; if it is meant so: cargo xtask counts --keep")
        });
        assert_eq!(verdict, expect);
    }

    #[test]
    fn what_was_counted_is_read_and_kept() {
        let counted = read_said(SAID);
        assert_eq!(counted, counts(&[("encode call_16", 212), ("sync records_1000", 1_500_000)]));
        assert_eq!(read_kept(&written(&counted)).unwrap(), counted);
    }

    #[test]
    fn more_than_chance_explains_is_a_finding_and_less_is_none() {
        check(&[("a", 1_000)], &[("a", 1_030)], Ok(()));
        check(&[("a", 1_000), ("b", 10)], &[("a", 1_031), ("b", 10)], Err("a"));
        check(&[("a", 1_000)], &[("a", 500)], Ok(()));
    }

    #[test]
    fn a_work_that_was_not_kept_or_is_gone_is_a_finding() {
        check(&[("a", 1)], &[("b", 1)], Err("b, a"));
    }

    #[test]
    fn the_table_says_what_changed() {
        let (kept, now) = (counts(&[("a", 1_000)]), counts(&[("a", 1_100)]));
        let table = table(&compare(&kept, &now));
        assert!(table.ends_with("        1000        1100   +10.0 %  MORE\n"), "{table}");
    }

    #[test]
    fn the_version_is_that_of_the_lock_file() {
        let lock = "[[package]]\nname = \"gungraun-macros\"\nversion = \"0.1.0\"\n\n\
                    [[package]]\nname = \"gungraun\"\nversion = \"0.20.0\"\n";
        assert_eq!(locked(lock, "gungraun").as_deref(), Some("0.20.0"));
    }
}
