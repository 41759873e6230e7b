//! How do other processes of this program live and end with it? Children of the demo and of the benchmark.
//!
//! They are in a mesh of their own, told by their environment. Each is in a process group of its own, so that Ctrl-C
//! reaches us alone; holds the other end of a pipe as its stdin and ends when we are gone, however we went; and is
//! killed, by its number, when its [`Child`] is dropped.

use anyhow::{Context as _, anyhow};
use std::env;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::{self, Stdio};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader, Lines};
use tokio::process::{ChildStderr, ChildStdout, Command};
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::exit::Failure;
use crate::runtime::MEASURED_WORKERS;
use homing::{Config, MeshName};

/// How long a child may take to say its first line.
const START_TIME: Duration = Duration::from_secs(20);

/// How `homing serve` says that it is there.
pub(crate) const SERVING: &str = "serving";
/// How `homing sub` says that publishers know of it.
pub(crate) const LISTENING: &str = "listening to";

/// Resolves when stdin ends: for children, when their parent is gone.
pub(crate) async fn end_of_stdin() {
    // A thread of its own: a read of stdin cannot be given up, and must not hold up the end of the runtime.
    let (ended, end) = oneshot::channel::<()>();
    thread::spawn(move || {
        let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
        drop(ended);
    });
    let _ = end.await;
}

/// A mesh that nobody else is in, and its directory, removed in the end.
#[derive(Debug)]
pub(crate) struct PrivateMesh {
    name: MeshName,
    dir: PathBuf,
}

impl PrivateMesh {
    /// A fresh name and a fresh directory that only this user may enter.
    pub(crate) fn new(purpose: &str) -> Result<Self, Failure> {
        let nanos = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_nanos());
        let name = format!("{purpose}-{}-{:x}", process::id(), nanos & 0xffff_ffff);
        let dir = env::temp_dir().join(format!("homing-{name}"));
        DirBuilder::new()
            .mode(0o700)
            .create(&dir)
            .with_context(|| format!("cannot make the directory {}", dir.display()))?;
        let name = name.parse().context("no name for a mesh")?;
        Ok(Self { name, dir })
    }

    /// Moves a node of this process into it.
    pub(crate) fn applied_to(&self, config: Config) -> Config {
        let mut config = config.keyless();
        config.mesh = Some(self.name.clone());
        config.discovery.rendezvous = Some(self.dir.clone());
        config.discovery.seeds.clear();
        config.discovery.redis = None;
        config
    }

    /// Where files beside it may be put; they go with it.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Starts this program again, in this mesh, with these arguments.
    pub(crate) fn spawn(&self, arguments: &[&str]) -> Result<Child, Failure> {
        let program = env::current_exe().context("cannot find this program")?;
        let mut command = Command::new(program);
        command.args(arguments).process_group(0).kill_on_drop(true);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        for (name, _) in env::vars_os() {
            if name.as_encoded_bytes().starts_with(b"HOMING_") {
                command.env_remove(name);
            }
        }
        command.env("HOMING_MESH", self.name.to_string()).env("HOMING_RENDEZVOUS", &self.dir);
        command.env("TOKIO_WORKER_THREADS", MEASURED_WORKERS.to_string());
        let mut process = command.spawn().context("cannot start a second process")?;
        let id = process.id().context("a second process ended at once")?;
        let stdout = process.stdout.take().context("a second process has no stdout")?;
        let stderr = process.stderr.take().context("a second process has no stderr")?;
        Ok(Child {
            id,
            process,
            stdout: BufReader::new(stdout).lines(),
            stderr: BufReader::new(stderr).lines(),
        })
    }
}

impl Drop for PrivateMesh {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.dir); // left behind it does no harm
    }
}

/// One process that is ours. Dropped, it is killed.
#[derive(Debug)]
pub(crate) struct Child {
    id: u32,
    process: tokio::process::Child,
    stdout: Lines<BufReader<ChildStdout>>,
    stderr: Lines<BufReader<ChildStderr>>,
}

impl Child {
    /// Its process number, also when it has ended.
    pub(crate) fn id(&self) -> u32 {
        self.id
    }

    /// The next line of its stdout; `None` when it ended. Safe to give up.
    pub(crate) async fn line(&mut self) -> Option<String> {
        self.stdout.next_line().await.ok().flatten()
    }

    /// Waits for its first line on stdout.
    pub(crate) async fn first_line(&mut self) -> Result<String, Failure> {
        let line = first(&mut self.stdout).await;
        self.or_its_complaint(line).await
    }

    /// Waits until a service says that it is there.
    pub(crate) async fn serving(&mut self) -> Result<(), Failure> {
        let line = first(&mut self.stderr).await;
        match self.or_its_complaint(line).await? {
            line if line.starts_with(SERVING) => Ok(()),
            line => Err(anyhow!("a second process did not start: {line}").into()),
        }
    }

    /// SIGKILL, and waits until it is gone.
    pub(crate) async fn kill(&mut self) -> Result<(), Failure> {
        self.process.kill().await.with_context(|| format!("cannot kill process {}", self.id))?;
        Ok(())
    }

    async fn or_its_complaint(&mut self, line: Option<String>) -> Result<String, Failure> {
        if let Some(line) = line {
            return Ok(line);
        }
        self.process.start_kill().context("cannot end a process that does not start")?;
        let mut complaint = String::new();
        while let Ok(Some(line)) = self.stderr.next_line().await {
            complaint = line;
        }
        Err(anyhow!("a second process did not start: {complaint}").into())
    }
}

async fn first<R: AsyncRead + Unpin>(lines: &mut Lines<BufReader<R>>) -> Option<String> {
    timeout(START_TIME, lines.next_line()).await.ok()?.ok()?
}
