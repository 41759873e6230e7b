//! How is a program a service? It is run once per call: payload in, stdout out, and its end is ours to bring about.
//!
//! `sh -c` runs in a process group of its own (decisions E5). Whoever drops [`Program::run`] before it is done ends the
//! whole group: SIGTERM, two seconds of grace, SIGKILL. The leader is not waited for before that, so that the number of
//! its group cannot become somebody else's.

use rustix::process::{Pid, Signal, kill_process_group};
use std::env;
use std::future::Future;
use std::io;
use std::mem;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, Command};
use tokio::runtime::Handle;
use tokio::time::sleep;

use homing::limits::{MESSAGE_MAX, PAYLOAD_MAX};
use homing::{Code, Item, RawItems, Status};

/// Between asking a group to end and ending it.
const GRACE: Duration = Duration::from_secs(2);
/// What is kept of the end of stderr: room for its last line.
const STDERR_KEPT: usize = 4 * MESSAGE_MAX;
/// What a shell says when there is no such program.
const NO_SUCH_PROGRAM: i32 = 127;

/// A command line that answers calls.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    line: String,
}

/// One call, as a program is told of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Job<'a> {
    /// `HOMING_METHOD`.
    pub(crate) method: &'a str,
    /// `HOMING_CALLER`.
    pub(crate) caller: &'a str,
    /// `HOMING_DEADLINE_MS`, where there is a deadline.
    pub(crate) remaining: Option<Duration>,
    /// Its stdin.
    pub(crate) input: &'a [u8],
}

impl Program {
    /// A line for `sh -c`. Whether it can run is found out at each call.
    pub(crate) fn new(line: impl Into<String>) -> Self {
        Self { line: line.into() }
    }

    /// Runs it once. Dropping this future ends all its processes. A program that ends badly, or cannot run, is
    /// `INTERNAL`; one that says more than a payload may be is `RESOURCE_EXHAUSTED`.
    pub(crate) async fn run(&self, job: Job<'_>) -> Result<Vec<u8>, Status> {
        let mut group = Group::start(self.command(job))?;
        let Pipes { stdin, stdout, stderr } = group.pipes();
        let ((), reply, complaint) =
            tokio::try_join!(feed(stdin, job.input), read_reply(stdout), read_end(stderr))?;
        let status = group.wait().await.map_err(broken)?;
        if status.success() { Ok(reply) } else { Err(failed(status, &complaint)) }
    }

    /// Runs it once; what is asked is its stdin, as lines where it is several items, and each line of its stdout goes to
    /// `write` as it comes. Dropping this future ends all its processes. Fails as [`run`](Self::run) does, or as `write`.
    pub(crate) async fn follow<F>(
        &self,
        job: Job<'_>,
        items: RawItems,
        write: impl FnMut(Vec<u8>) -> F,
    ) -> Result<(), Status>
    where
        F: Future<Output = Result<(), Status>>,
    {
        let mut group = Group::start(self.command(job))?;
        let Pipes { stdin, stdout, stderr } = group.pipes();
        let ((), (), complaint) =
            tokio::try_join!(feed_items(stdin, items), lines(stdout, write), read_end(stderr))?;
        let status = group.wait().await.map_err(broken)?;
        if status.success() { Ok(()) } else { Err(failed(status, &complaint)) }
    }

    fn command(&self, job: Job<'_>) -> Command {
        let mut command = Command::new("sh");
        command.arg("-c").arg(&self.line).process_group(0);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        for (name, _) in env::vars_os() {
            if name.as_encoded_bytes().starts_with(b"HOMING_") {
                command.env_remove(name); // keys and settings of ours are none of its business (decisions B8)
            }
        }
        command.env("HOMING_METHOD", job.method).env("HOMING_CALLER", job.caller);
        if let Some(remaining) = job.remaining {
            command.env("HOMING_DEADLINE_MS", remaining.as_millis().to_string());
        }
        command
    }
}

/// The processes of one call. Dropped before they are done, they are ended.
#[derive(Debug)]
struct Group {
    state: State,
}

#[derive(Debug)]
enum State {
    Running(Child),
    /// Asked to end.
    Ending(Child),
    /// Waited for: its number may be another's by now.
    Over,
}

struct Pipes<O, E> {
    stdin: ChildStdin,
    stdout: O,
    stderr: E,
}

impl Group {
    fn start(mut command: Command) -> Result<Self, Status> {
        let child = command
            .spawn()
            .map_err(|error| Status::new(Code::Internal, format!("cannot run sh: {error}")))?;
        Ok(Self { state: State::Running(child) })
    }

    fn pipes(&mut self) -> Pipes<impl AsyncRead + Unpin + use<>, impl AsyncRead + Unpin + use<>> {
        let State::Running(child) = &mut self.state else { unreachable!("a group starts running") };
        Pipes {
            stdin: child.stdin.take().expect("stdin was asked for, and is taken once"),
            stdout: child.stdout.take().expect("stdout was asked for, and is taken once"),
            stderr: child.stderr.take().expect("stderr was asked for, and is taken once"),
        }
    }

    /// Waits for the leader, after its pipes are closed.
    async fn wait(&mut self) -> io::Result<ExitStatus> {
        let (State::Running(child) | State::Ending(child)) = &mut self.state else {
            unreachable!("a group is waited for once");
        };
        let status = child.wait().await?;
        self.state = State::Over;
        Ok(status)
    }

    /// The second half of the end.
    async fn end(mut self) {
        sleep(GRACE).await;
        if let State::Ending(child) = &self.state {
            signal(child, Signal::KILL);
        }
        let _ = self.wait().await; // reaped; how it ended is of no interest
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        match mem::replace(&mut self.state, State::Over) {
            State::Over => {}
            State::Running(child) => {
                signal(&child, Signal::TERM);
                let ending = Self { state: State::Ending(child) };
                if let Ok(runtime) = Handle::try_current() {
                    runtime.spawn(ending.end()); // a runtime that ends drops it, and the group is killed at once
                }
            }
            State::Ending(child) => signal(&child, Signal::KILL),
        }
    }
}

fn signal(leader: &Child, signal: Signal) {
    let number = leader.id().and_then(|id| i32::try_from(id).ok());
    if let Some(pid) = number.and_then(Pid::from_raw) {
        let _ = kill_process_group(pid, signal); // nobody left is what was wanted
    }
}

/// A program that does not read its stdin is fine.
async fn feed(mut stdin: ChildStdin, input: &[u8]) -> Result<(), Status> {
    match stdin.write_all(input).await {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(broken(error)),
        _ => Ok(()),
    }
}

async fn feed_items(mut stdin: ChildStdin, mut items: RawItems) -> Result<(), Status> {
    while let Some(item) = items.next().await {
        let (bytes, end) = match item? {
            Item::Partial(payload) if payload.bytes.last() != Some(&b'\n') => {
                (payload.bytes, &b"\n"[..])
            }
            Item::Partial(payload) | Item::Final(payload) => (payload.bytes, &b""[..]),
        };
        for part in [&bytes[..], end] {
            match stdin.write_all(part).await {
                Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                    return Err(broken(error));
                }
                _ => {}
            }
        }
    }
    Ok(())
}

/// Hands on each line without its end; the last one may have none.
async fn lines<F>(
    stdout: impl AsyncRead + Unpin,
    mut write: impl FnMut(Vec<u8>) -> F,
) -> Result<(), Status>
where
    F: Future<Output = Result<(), Status>>,
{
    let mut stdout = BufReader::new(stdout);
    let max = u64::try_from(PAYLOAD_MAX).unwrap_or(u64::MAX);
    loop {
        let mut line = Vec::new();
        (&mut stdout).take(max + 1).read_until(b'\n', &mut line).await.map_err(broken)?;
        if line.is_empty() {
            return Ok(());
        }
        if line.last() == Some(&b'\n') {
            line.pop();
        } else if line.len() > PAYLOAD_MAX {
            let message = format!("a line of the program is longer than {PAYLOAD_MAX} bytes");
            return Err(Status::new(Code::ResourceExhausted, message));
        }
        write(line).await?;
    }
}

async fn read_reply(stdout: impl AsyncRead + Unpin) -> Result<Vec<u8>, Status> {
    let mut reply = Vec::new();
    let max = u64::try_from(PAYLOAD_MAX).unwrap_or(u64::MAX);
    stdout.take(max + 1).read_to_end(&mut reply).await.map_err(broken)?;
    if reply.len() > PAYLOAD_MAX {
        let message = format!("the program's output is longer than {PAYLOAD_MAX} bytes");
        return Err(Status::new(Code::ResourceExhausted, message));
    }
    Ok(reply)
}

async fn read_end(mut stderr: impl AsyncRead + Unpin) -> Result<Vec<u8>, Status> {
    let mut end = Vec::new();
    let mut buffer = [0; 1024];
    loop {
        match stderr.read(&mut buffer).await.map_err(broken)? {
            0 => return Ok(end),
            read => end.extend_from_slice(&buffer[..read]),
        }
        let surplus = end.len().saturating_sub(STDERR_KEPT);
        end.drain(..surplus);
    }
}

fn failed(status: ExitStatus, complaint: &[u8]) -> Status {
    let line = last_line(complaint);
    let message = match (status.code(), line) {
        (Some(NO_SUCH_PROGRAM), Some(line)) => format!("no such program: {line}"),
        (Some(NO_SUCH_PROGRAM), None) => "no such program".to_owned(),
        (_, Some(line)) => line,
        (Some(code), None) => format!("the program ended with status {code}"),
        (None, None) => format!("the program was ended: {status}"),
    };
    Status::new(Code::Internal, message)
}

/// A pipe that broke in an unexpected way.
#[expect(clippy::needless_pass_by_value, reason = "it stands in `map_err`")]
fn broken(error: io::Error) -> Status {
    Status::new(Code::Internal, format!("cannot talk to the program: {error}"))
}

/// The last line that says something, cut to what travels in a status.
fn last_line(complaint: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(complaint);
    let line = text.lines().rev().map(str::trim).find(|line| !line.is_empty())?;
    Some(line[..line.floor_char_boundary(MESSAGE_MAX)].to_owned())
}

#[cfg(test)]
mod tests;
