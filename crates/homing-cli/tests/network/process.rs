//! How does a test follow a process? Line by line, with a limit for each wait.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

/// How long a test waits for what must come. Only a broken one waits so long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
/// So many times what the shortest of commands takes now is added to a bound.
const SLACK: u32 = 30;

/// A bound on how long processes take: as it is on an idle machine, and the more the slower this one is now.
pub(crate) fn in_time(bound: Duration) -> Duration {
    let begin = Instant::now();
    let ran = Command::new(env!("CARGO_BIN_EXE_homing")).arg("--version").output().unwrap();
    assert!(ran.status.success());
    bound + SLACK * begin.elapsed()
}
/// Lines of a process that wait to be read by a test.
const LINES_MAX: usize = 10_000;

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        let (stdout, stderr) = (text(output.stdout), text(output.stderr));
        Self { code: output.status.code(), stdout, stderr }
    }
}

impl Ran {
    /// That it worked, and printed this.
    #[track_caller]
    pub(crate) fn printed(&self, expect: &str) {
        assert_eq!((self.code, self.stdout.as_str()), (Some(0), expect), "{}", self.stderr);
    }

    /// That it failed with this code, without a result, and a line that has this in it.
    #[track_caller]
    pub(crate) fn failed(&self, code: i32, part: &str) {
        assert_eq!((self.code, self.stdout.as_str()), (Some(code), ""), "{}", self.stderr);
        assert!(self.stderr.contains(part), "{}", self.stderr);
    }

    /// The elements of its result, a JSON array.
    #[track_caller]
    pub(crate) fn rows(&self) -> Vec<serde_json::Value> {
        assert_eq!(self.code, Some(0), "{}", self.stderr);
        serde_json::from_str(&self.stdout).unwrap()
    }
}

/// A process under way. Dropped, it is killed.
pub(crate) struct Process {
    child: Child,
    stdout: Receiver<String>,
    stderr: Receiver<String>,
}

impl Process {
    /// Starts it and follows what it prints.
    pub(crate) fn start(mut command: Command) -> Self {
        let piped = command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = piped.spawn().unwrap();
        let stdout = lines(child.stdout.take().unwrap());
        let stderr = lines(child.stderr.take().unwrap());
        Self { child, stdout, stderr }
    }

    /// Its next line on stderr.
    #[track_caller]
    pub(crate) fn note(&self) -> String {
        self.stderr.recv_timeout(PATIENCE).expect("a line on stderr")
    }

    /// Reads its stdout up to a line that has this in it; says how long that took.
    #[track_caller]
    pub(crate) fn line_with(&self, part: &str) -> Duration {
        self.lines_with([part])
    }

    /// Reads its stdout until it had a line with each of these, in whatever order.
    #[track_caller]
    pub(crate) fn lines_with<P: AsRef<str>>(&self, parts: impl IntoIterator<Item = P>) -> Duration {
        let begin = Instant::now();
        let mut missing: Vec<P> = parts.into_iter().collect();
        let mut read = Vec::new();
        while !missing.is_empty() {
            let rest = PATIENCE.saturating_sub(begin.elapsed());
            let Ok(line) = self.stdout.recv_timeout(rest) else {
                let missing: Vec<&str> = missing.iter().map(AsRef::as_ref).collect();
                panic!("no line with {missing:?} in {PATIENCE:?}, but {read:#?}");
            };
            missing.retain(|part| !line.contains(part.as_ref()));
            read.push(line);
        }
        begin.elapsed()
    }

    /// What it prints on stdout until then.
    pub(crate) fn lines_until(&self, end: Instant) -> Vec<String> {
        let mut read = Vec::new();
        loop {
            let rest = end.saturating_duration_since(Instant::now());
            match self.stdout.recv_timeout(rest) {
                Ok(line) => read.push(line),
                Err(RecvTimeoutError::Timeout) => return read,
                Err(RecvTimeoutError::Disconnected) => panic!("it ended after {read:#?}"),
            }
        }
    }

    /// `STOP`, `CONT`, …
    pub(crate) fn signal(&self, signal: &str) {
        let id = self.child.id().to_string();
        let status = Command::new("kill").args(["-s", signal, &id]).status().unwrap();
        assert!(status.success());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill(); // it may have ended
        let _ = self.child.wait();
    }
}

fn lines(from: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = sync_channel(LINES_MAX);
    thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    receiver
}
