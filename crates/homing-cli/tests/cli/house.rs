//! Where do the tests live? Each in a mesh of its own, whose processes end with it.

use std::env;
use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

use homing::{Config, Node, NodeId};
use tokio::runtime::Builder;
use tokio::time::{sleep, timeout};

/// How long a test waits for what must come. Only a broken one waits so long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
/// Lines of a process that wait to be read by a test.
const LINES_MAX: usize = 10_000;
/// So many times what the shortest of commands takes now is added to a bound.
const SLACK: u32 = 30;
/// What keeps a node from others of its house, or tells it other things than them.
const APART: [&str; 3] = ["--mesh", "--key-file", "--config"];

/// A mesh that no other test, and nobody else on this host, is in.
pub(crate) struct House {
    name: String,
    dir: TempDir,
    members: Mutex<Vec<Member>>,
}

/// Who serves in a house, until it is told to end.
#[derive(Clone)]
struct Member {
    id: NodeId,
    service: String,
    lives: Arc<AtomicBool>,
}

impl House {
    pub(crate) fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let dir = tempfile::Builder::new().prefix("hm").tempdir().unwrap();
        let name = format!("test-{}-{number}", std::process::id());
        Self { name, dir, members: Mutex::default() }
    }

    /// The mesh's name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Where its nodes meet.
    pub(crate) fn rendezvous(&self) -> PathBuf {
        self.dir.path().join("homing")
    }

    /// A file of this name that goes with the house.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// `homing` with these arguments, split at spaces. Its stdin is empty.
    pub(crate) fn homing(&self, arguments: &str) -> Command {
        self.homing_of(arguments.split(' '))
    }

    /// `homing` with these arguments.
    pub(crate) fn homing_of<A: AsRef<OsStr>>(
        &self,
        arguments: impl IntoIterator<Item = A>,
    ) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_homing"));
        for (name, _) in
            env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("HOMING_"))
        {
            command.env_remove(name);
        }
        command.env("HOMING_MESH", &self.name).env("XDG_RUNTIME_DIR", self.dir.path());
        command.env("TMPDIR", self.dir.path());
        command.args(arguments).stdin(Stdio::null());
        command
    }

    /// Runs it to its end.
    pub(crate) fn run(&self, arguments: &str) -> Ran {
        self.homing(arguments).output().unwrap().into()
    }

    /// Runs it to its end with this on stdin.
    pub(crate) fn run_with(&self, arguments: &str, input: &[u8]) -> Ran {
        let mut command = self.homing(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut stdin: ChildStdin = child.stdin.take().unwrap();
        let input = input.to_vec();
        let writer = thread::spawn(move || stdin.write_all(&input));
        let output = child.wait_with_output().unwrap();
        let _ = writer.join().unwrap(); // a reader may stop early
        output.into()
    }

    /// `homing serve …`, once it says that it serves, and it and the others that serve here know of each other: a
    /// command asks one of them, whichever it finds first.
    pub(crate) fn serve(&self, arguments: &[&str]) -> Process {
        let process = start(self.homing_of([&["serve"], arguments].concat()));
        let line = process.note();
        assert!(line.starts_with("serving "), "{line}");
        if !arguments.iter().any(|argument| APART.contains(argument)) {
            let service = arguments[0].split(['@', '/']).next().unwrap().to_owned();
            let (_, id) = line.trim_end_matches(')').rsplit_once('(').unwrap();
            let lives = Arc::clone(&process.lives);
            self.settle(&Member { id: id.parse().unwrap(), service, lives });
        }
        process
    }

    /// Waits until a newcomer and those that were here before know of each other.
    fn settle(&self, newcomer: &Member) {
        let mut members = self.members.lock().unwrap();
        members.retain(|member| member.lives.load(Ordering::Relaxed));
        let others = members.clone();
        members.push(newcomer.clone());
        drop(members);
        if others.is_empty() {
            return;
        }
        let config = Config::visitor().mesh(&self.name).unwrap().rendezvous(self.rendezvous());
        let meet = async {
            let node = Node::join(config).await.unwrap();
            for other in &others {
                while !(knows(&node, other, newcomer).await && knows(&node, newcomer, other).await)
                {
                    sleep(Duration::from_millis(10)).await;
                }
            }
            node.close().await;
        };
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let met = runtime.block_on(async { timeout(PATIENCE, meet).await });
        met.expect("those who serve know of each other");
    }

    /// A file that goes with the mesh.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Makes a key in a file; the key.
    pub(crate) fn key(&self, name: &str) -> String {
        let made = self.run(&format!("key new {}", self.path(name).display()));
        assert_eq!((made.code, made.stdout.as_str()), (Some(0), ""), "{made:?}");
        let text = std::fs::read_to_string(self.path(name)).unwrap();
        text.lines().find(|line| line.starts_with("hmk1_")).unwrap().to_owned()
    }

    /// A named pipe: who writes to it waits for a reader, and who reads it learns when the last writer is gone.
    pub(crate) fn pipe(&self, name: &str) -> PathBuf {
        let path = self.dir.path().join(name);
        assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
        path
    }
}

/// A bound on how long processes take: as it is on an idle machine, and the more the slower this one is now.
pub(crate) fn in_time(bound: Duration) -> Duration {
    let begin = Instant::now();
    let ran = Command::new(env!("CARGO_BIN_EXE_homing")).arg("--version").output().unwrap();
    assert!(ran.status.success());
    bound + SLACK * begin.elapsed()
}

/// Whether one member knows what the other serves, as far as a visitor can ask it.
async fn knows(visitor: &Node, asked: &Member, other: &Member) -> bool {
    let both_live = [asked, other].iter().all(|one| one.lives.load(Ordering::Relaxed));
    let is_known = visitor.nodes().await.iter().any(|node| node.id == asked.id);
    if !(both_live && is_known) {
        return !both_live;
    }
    let told = visitor.explain_from(asked.id, &other.service).await.unwrap_or_default();
    let mut instances = told.iter().flat_map(|told| &told.instances);
    instances.any(|instance| instance.node == other.id)
}

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
        Self {
            code: output.status.code(),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }
}

impl Ran {
    /// That it worked, and printed this.
    #[track_caller]
    pub(crate) fn printed(&self, expect: &str) {
        assert_eq!((self.code, self.stdout.as_str()), (Some(0), expect), "{}", self.stderr);
    }

    /// That it failed with this code, without a result, and one line that has this in it.
    #[track_caller]
    pub(crate) fn failed(&self, code: i32, part: &str) {
        assert_eq!(self.code, Some(code), "{self:?}");
        assert_eq!(self.stdout, "");
        assert!(self.stderr.contains(part), "{}", self.stderr);
    }

    /// Its result as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> serde_json::Value {
        assert_eq!(self.code, Some(0), "{}", self.stderr);
        serde_json::from_str(&self.stdout).unwrap()
    }
}

/// A process under way. Dropped, it is killed.
pub(crate) struct Process {
    pub(crate) child: Child,
    lives: Arc<AtomicBool>,
    stdout: Receiver<String>,
    stderr: Receiver<String>,
}

impl Process {
    /// Its next line on stdout.
    #[track_caller]
    pub(crate) fn line(&self) -> String {
        self.stdout.recv_timeout(PATIENCE).expect("a line on stdout")
    }

    /// Reads its stdout up to a line that has this in it.
    #[track_caller]
    pub(crate) fn line_with(&self, part: &str) -> String {
        loop {
            let line = self.line();
            if line.contains(part) {
                return line;
            }
        }
    }

    /// Its next line on stderr.
    #[track_caller]
    pub(crate) fn note(&self) -> String {
        self.stderr.recv_timeout(PATIENCE).expect("a line on stderr")
    }

    /// `TERM`, `INT`, `KILL`, …
    pub(crate) fn signal(&self, signal: &str) {
        self.lives.store(false, Ordering::Relaxed);
        let id = self.child.id().to_string();
        let status = Command::new("kill").args(["-s", signal, &id]).status().unwrap();
        assert!(status.success());
    }

    /// Waits for its end: exit code, and what it still printed.
    pub(crate) fn ended(mut self) -> Ran {
        let rest = |lines: &Receiver<String>| lines.iter().map(|line| line + "\n").collect();
        let (stdout, stderr) = (rest(&self.stdout), rest(&self.stderr));
        Ran { code: self.child.wait().unwrap().code(), stdout, stderr }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.lives.store(false, Ordering::Relaxed);
        let _ = self.child.kill(); // it may have ended
        let _ = self.child.wait();
    }
}

/// Starts it and follows what it prints.
pub(crate) fn start(mut command: Command) -> Process {
    let piped = command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = piped.spawn().unwrap();
    let stdout = lines(child.stdout.take().unwrap());
    let stderr = lines(child.stderr.take().unwrap());
    Process { child, lives: Arc::new(AtomicBool::new(true)), stdout, stderr }
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
