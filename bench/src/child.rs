//! How does one end of a measurement live and end with us?
//!
//! It holds the other end of a pipe as its stdin and ends when that closes, however we went; dropped, it is killed, by its
//! number.

use anyhow::{Context as _, anyhow};
use std::env;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

/// How long an end may take to be ready: Node's discovery is asked for every two seconds at the latest.
const START: Duration = Duration::from_secs(20);
/// Lines of a complaint that are read, at most.
const COMPLAINT_MAX: usize = 200;

/// One process that is ours.
#[derive(Debug)]
pub(crate) struct Child {
    id: u32,
    process: tokio::process::Child,
    stdin: ChildStdin,
    stdout: Lines<BufReader<ChildStdout>>,
    stderr: Lines<BufReader<ChildStderr>>,
}

impl Child {
    /// Starts it, with nothing of the environment that would tell homing where to go.
    pub(crate) fn spawn(mut command: Command) -> anyhow::Result<Self> {
        for (name, _) in env::vars_os() {
            if name.as_encoded_bytes().starts_with(b"HOMING_") {
                command.env_remove(name);
            }
        }
        command.process_group(0).kill_on_drop(true);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = command.spawn().with_context(|| {
            format!("cannot start {}", command.as_std().get_program().to_string_lossy())
        })?;
        let lost = "a process was started without its pipes";
        let stdin = process.stdin.take().context(lost)?;
        let stdout = BufReader::new(process.stdout.take().context(lost)?).lines();
        let stderr = BufReader::new(process.stderr.take().context(lost)?).lines();
        let id = process.id().context("a process ended at once")?;
        Ok(Self { id, process, stdin, stdout, stderr })
    }

    /// Its process number.
    pub(crate) fn id(&self) -> u32 {
        self.id
    }

    /// Waits until it says `ready`; what it says behind that, such as its address.
    pub(crate) async fn ready(&mut self) -> anyhow::Result<String> {
        let line = self.line(START).await?;
        let rest = line.strip_prefix("ready").with_context(|| format!("it said {line}"))?;
        Ok(rest.trim().to_owned())
    }

    /// The next line of its stdout; else its complaint.
    pub(crate) async fn line(&mut self, patience: Duration) -> anyhow::Result<String> {
        match timeout(patience, self.stdout.next_line()).await {
            Ok(Ok(Some(line))) => Ok(line),
            Ok(_) => Err(self.complaint().await),
            Err(_) => Err(anyhow!("it said nothing for {patience:?}")),
        }
    }

    /// Tells it something on a line.
    pub(crate) async fn tell(&mut self, line: &str) -> anyhow::Result<()> {
        self.stdin.write_all(format!("{line}\n").as_bytes()).await.context("it is gone")
    }

    /// Kills it, and waits until it is gone.
    pub(crate) async fn end(mut self) {
        let _ = self.process.kill().await; // it may be gone already
    }

    /// The last thing that it said on stderr.
    async fn complaint(&mut self) -> anyhow::Error {
        let _ = self.process.start_kill();
        let mut said = String::new();
        for _ in 0..COMPLAINT_MAX {
            match timeout(START, self.stderr.next_line()).await {
                Ok(Ok(Some(line))) if line.trim().is_empty() => {}
                Ok(Ok(Some(line))) => said = better(said, line),
                _ => break,
            }
        }
        if said.is_empty() { anyhow!("it ended without a word") } else { anyhow!(plain(&said)) }
    }
}

/// Without the name of the program, and without the place in somebody's source, which is a path of this machine.
fn plain(said: &str) -> String {
    let said = said.strip_prefix("homing-bench: ").unwrap_or(said);
    said.split(" at /").next().unwrap_or(said).to_owned()
}

/// Node says what is wrong on the line that has the word, and much else around it.
fn better(said: String, line: String) -> String {
    if said.contains("Error: ") { said } else { line }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Child {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        Child::spawn(command).unwrap()
    }

    #[tokio::test]
    async fn an_end_says_where_it_is() {
        assert_eq!(
            shell("echo ready 127.0.0.1:7; read line").ready().await.unwrap(),
            "127.0.0.1:7"
        );
    }

    #[tokio::test]
    async fn an_end_that_cannot_run_says_why() {
        let script = "echo 'Error: no such thing' >&2; echo at line 7 >&2; exit 1";
        let refused = shell(script).ready().await.unwrap_err();
        assert_eq!(refused.to_string(), "Error: no such thing");
    }

    #[test]
    fn a_complaint_names_no_place_of_this_machine() {
        assert_eq!(plain("homing-bench: it broke. at /home/me/it.rs:7"), "it broke.");
        assert_eq!(plain("Error: no such thing"), "Error: no such thing");
    }

    #[tokio::test]
    async fn an_end_hears_what_it_is_told() {
        let mut child = shell("read line; echo \"ready $line\"; read line");
        child.tell("go").await.unwrap();
        assert_eq!(child.ready().await.unwrap(), "go");
        child.end().await;
    }
}
