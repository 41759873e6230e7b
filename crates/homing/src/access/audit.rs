//! Who was refused what? One line of JSON for each refusal, in a file that can be rotated.
//!
//! Lines are written by a thread of their own; a call never waits for one. What comes faster than
//! [`AUDIT_LINES_PER_SECOND`] is counted, and the log says how many lines are missing.

use super::token::rfc3339;
use homing_core::authorize::Action;
use homing_core::id::NodeId;
use homing_core::limits::{AUDIT_LINES_PER_SECOND, AUDIT_WAITING_MAX};
use homing_core::registry::Snapshot;
use homing_core::talk::Code;
use serde_json::{Value, json};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant, SystemTime};
use tokio::sync::watch;

/// The span in which lines are counted.
const SECOND: Duration = Duration::from_secs(1);

/// The way to the log.
#[derive(Debug)]
pub(crate) struct Audit {
    lines: SyncSender<Line>,
    unlogged: Arc<AtomicU64>,
}

/// One refusal.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) time: SystemTime,
    pub(super) node: NodeId,
    /// As its link said; otherwise it is looked up.
    pub(super) node_name: Option<String>,
    pub(super) origin: Option<String>,
    pub(super) subject: Option<String>,
    pub(super) action: Action,
    pub(super) namespace: String,
    pub(super) name: String,
    pub(super) code: Code,
    pub(super) why: String,
}

/// How nodes are named now.
pub(crate) type Snapshots = watch::Receiver<Arc<Snapshot>>;

impl Audit {
    /// Opens the log, `-` for stderr, and starts the thread that writes it; it ends with this value.
    ///
    /// # Errors
    /// The file cannot be written, or no thread can be had.
    pub(crate) fn start(path: &Path, snapshots: Snapshots) -> io::Result<Self> {
        let out = if path == Path::new("-") { Out::Stderr } else { Out::file(path)? };
        let (lines, waiting) = sync_channel(AUDIT_WAITING_MAX);
        let unlogged = Arc::new(AtomicU64::new(0));
        let log = Log { out, pace: Pace::new(Instant::now()), told: 0, unlogged: unlogged.clone() };
        thread::Builder::new()
            .name("homing-audit".into())
            .spawn(move || log.run(&waiting, &snapshots))?;
        Ok(Self { lines, unlogged })
    }

    /// Lines that were not written.
    pub(super) fn unlogged(&self) -> u64 {
        self.unlogged.load(Ordering::Relaxed)
    }

    pub(super) fn tell(&self, line: Line) {
        if self.lines.try_send(line).is_err() {
            self.unlogged.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// What the thread has.
struct Log {
    out: Out,
    pace: Pace,
    /// Of the lines that were not written, those that the log speaks of.
    told: u64,
    unlogged: Arc<AtomicU64>,
}

impl Log {
    fn run(mut self, waiting: &Receiver<Line>, snapshots: &Snapshots) {
        loop {
            match waiting.recv_timeout(SECOND) {
                Ok(line) => self.take(Instant::now(), line, snapshots),
                Err(RecvTimeoutError::Timeout) => self.confess(SystemTime::now()),
                Err(RecvTimeoutError::Disconnected) => return self.confess(SystemTime::now()),
            }
        }
    }

    fn take(&mut self, now: Instant, mut line: Line, snapshots: &Snapshots) {
        match self.pace.admit(now) {
            Admission::Over => {
                self.unlogged.fetch_add(1, Ordering::Relaxed);
                return;
            }
            Admission::NewSecond => self.confess(line.time),
            Admission::Within => {}
        }
        line.node_name = line.node_name.or_else(|| {
            let snapshot = snapshots.borrow();
            snapshot.node(&line.node).map(|known| known.record.name.to_string())
        });
        self.write(&line.json());
    }

    /// Says how many lines are missing since it was last said.
    fn confess(&mut self, time: SystemTime) {
        let unlogged = self.unlogged.load(Ordering::Relaxed);
        if unlogged > self.told {
            self.write(&json!({ "time": rfc3339(time), "suppressed": unlogged - self.told }));
            self.told = unlogged;
        }
    }

    fn write(&mut self, line: &Value) {
        if let Err(error) = self.out.write(&format!("{line}\n")) {
            self.unlogged.fetch_add(1, Ordering::Relaxed);
            tracing::warn!(%error, "the audit log cannot be written");
        }
    }
}

impl Line {
    fn json(&self) -> Value {
        json!({
            "time": rfc3339(self.time),
            "node": self.node.to_string(),
            "node_name": self.node_name,
            "origin": self.origin,
            "subject": self.subject,
            "action": self.action.name(),
            "namespace": self.namespace,
            "name": self.name,
            "code": self.code.name(),
            "why": self.why,
        })
    }
}

/// How many lines were written in this second.
#[derive(Debug)]
struct Pace {
    second: Instant,
    lines: u32,
}

#[derive(Debug, Eq, PartialEq)]
enum Admission {
    Within,
    NewSecond,
    Over,
}

impl Pace {
    const fn new(now: Instant) -> Self {
        Self { second: now, lines: 0 }
    }

    fn admit(&mut self, now: Instant) -> Admission {
        if now.saturating_duration_since(self.second) >= SECOND {
            *self = Self { second: now, lines: 1 };
            return Admission::NewSecond;
        }
        if self.lines >= AUDIT_LINES_PER_SECOND {
            return Admission::Over;
        }
        self.lines += 1;
        Admission::Within
    }
}

/// Where lines go.
enum Out {
    Stderr,
    File { path: PathBuf, file: File },
}

impl Out {
    fn file(path: &Path) -> io::Result<Self> {
        Ok(Self::File { path: path.to_owned(), file: open(path)? })
    }

    fn write(&mut self, line: &str) -> io::Result<()> {
        match self {
            Self::Stderr => io::stderr().lock().write_all(line.as_bytes()),
            Self::File { path, file } => {
                if !is_at(file, path) {
                    *file = open(path)?;
                }
                file.write_all(line.as_bytes())
            }
        }
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).mode(0o600).open(path)
}

/// Whether the file is still the one of this name, and was not moved away.
fn is_at(file: &File, path: &Path) -> bool {
    let (Ok(open), Ok(named)) = (file.metadata(), fs::metadata(path)) else { return false };
    (open.dev(), open.ino()) == (named.dev(), named.ino())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn line(name: &str) -> Line {
        Line {
            time: SystemTime::UNIX_EPOCH,
            node: NodeId::from_bytes([1; 16]),
            node_name: Some("till-3".into()),
            origin: None,
            subject: None,
            action: Action::Call,
            namespace: "default".into(),
            name: name.into(),
            code: Code::PermissionDenied,
            why: "no".into(),
        }
    }

    fn log(path: &Path, now: Instant) -> Log {
        let out = Out::file(path).unwrap();
        Log { out, pace: Pace::new(now), told: 0, unlogged: Arc::default() }
    }

    fn lines(path: &Path) -> Vec<Value> {
        let text = fs::read_to_string(path).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn each_refusal_is_one_line_for_its_owner_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("audit");
        let (_sender, snapshots) = watch::channel(Arc::default());
        log(&path, Instant::now()).take(Instant::now(), line("a\nb"), &snapshots);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(
            lines(&path),
            [json!({
                "time": "1970-01-01T00:00:00Z", "node": "01010101010101010101010101010101",
                "node_name": "till-3", "origin": null, "subject": null, "action": "call",
                "namespace": "default", "name": "a\nb", "code": "PERMISSION_DENIED", "why": "no",
            })]
        );
    }

    #[test]
    fn a_flood_is_counted_and_the_log_says_how_many_are_missing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("audit");
        let (_sender, snapshots) = watch::channel(Arc::default());
        let start = Instant::now();
        let mut log = log(&path, start);
        for _ in 0..AUDIT_LINES_PER_SECOND + 7 {
            log.take(start, line("a"), &snapshots);
        }
        log.take(start + SECOND, line("b"), &snapshots);
        let lines = lines(&path);
        assert_eq!(lines.len(), AUDIT_LINES_PER_SECOND as usize + 2);
        assert_eq!(lines[lines.len() - 2]["suppressed"], 7);
        assert_eq!(lines[lines.len() - 1]["name"], "b");
    }

    #[test]
    fn a_log_that_was_moved_away_begins_anew() {
        let dir = tempfile::tempdir().unwrap();
        let (path, old) = (dir.path().join("audit"), dir.path().join("audit.1"));
        let (_sender, snapshots) = watch::channel(Arc::default());
        let mut log = log(&path, Instant::now());
        log.take(Instant::now(), line("a"), &snapshots);
        fs::rename(&path, &old).unwrap();
        log.take(Instant::now(), line("b"), &snapshots);
        assert_eq!(
            (lines(&old)[0]["name"].as_str(), lines(&path)[0]["name"].as_str()),
            (Some("a"), Some("b"))
        );
    }
}
