//! Who stands where in one measurement? A broker where there is one, a source, and sinks, all fresh, all gone in the end.

use anyhow::Context as _;
use std::env;
use std::path::PathBuf;
use std::time::Duration;
use tempfile::TempDir;
use tokio::process::Command;

use crate::args::Role;
use crate::child::Child;
use crate::peers::nats;
use crate::proc;
use crate::report::{Case, Round, Work, median};
use crate::system::{Program, System};

/// How long a sink may take beyond its count: the last call of each caller, and its start.
const PATIENCE: Duration = Duration::from_secs(15);

/// The scripts of the peers that run on Node.
pub(crate) fn scripts() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("node")
}

/// What the processes of one measurement have in common.
#[derive(Debug)]
pub(crate) struct Stage {
    system: System,
    case: Case,
    warm: Duration,
    span: Duration,
    dir: TempDir,
    pub(crate) broker: Option<Child>,
    pub(crate) source: Child,
    /// Where sinks go.
    at: String,
}

impl Stage {
    /// Starts the broker and the source, and waits until they are ready.
    pub(crate) async fn set(
        system: System,
        case: Case,
        warm: Duration,
        span: Duration,
    ) -> anyhow::Result<Self> {
        let dir = tempfile::Builder::new().prefix("homing-bench-").tempdir()?;
        let order = Ends { system, case, warm, span, dir: dir.path().to_owned() };
        let mut at = String::new();
        let mut broker = None;
        if system.has_broker() {
            let child = broker.insert(order.spawn(Role::Broker, "")?);
            at = order.broker_is_at(child).await.context("its broker")?;
        }
        let mut source = order.spawn(Role::Source, &at)?;
        let said = source.ready().await?;
        if broker.is_none() {
            at = said;
        }
        Ok(Self { system, case, warm, span, dir, broker, source, at })
    }

    /// One more process that goes to the source.
    pub(crate) fn spawn(&self, role: Role) -> anyhow::Result<Child> {
        let Self { system, case, warm, span, .. } = *self;
        let order = Ends { system, case, warm, span, dir: self.dir.path().to_owned() };
        order.spawn(role, &self.at)
    }

    /// Ends all.
    pub(crate) async fn clear(self) {
        self.source.end().await;
        if let Some(broker) = self.broker {
            broker.end().await;
        }
    }
}

/// How ends are started.
struct Ends {
    system: System,
    case: Case,
    warm: Duration,
    span: Duration,
    dir: PathBuf,
}

impl Ends {
    fn spawn(&self, role: Role, at: &str) -> anyhow::Result<Child> {
        let mut command = self.program()?;
        let callers = if self.case.work == Work::Call { self.case.concurrency } else { 1 };
        command.arg(role.name()).args(["--system", self.system.name()]);
        command.args(["--work", self.case.work.name(), "--size", &self.case.size.to_string()]);
        command.args(["--count", &callers.to_string(), "--at", at]);
        command.args(["--warm", &self.warm.as_millis().to_string()]);
        command.args(["--span", &self.span.as_millis().to_string()]);
        command.arg("--dir").arg(&self.dir);
        Child::spawn(command)
    }

    /// `nats-server` writes a file, PIGATO's broker is a script of ours.
    async fn broker_is_at(&self, broker: &mut Child) -> anyhow::Result<String> {
        match self.system.program() {
            Program::Node => broker.ready().await,
            Program::Own => tokio::select! {
                failed = broker.ready() => failed,
                at = nats::found(&self.dir) => at,
            },
        }
    }

    fn program(&self) -> anyhow::Result<Command> {
        if self.system.program() == Program::Own {
            let mut command = Command::new(env::current_exe().context("cannot find this program")?);
            command.arg("end");
            return Ok(command);
        }
        let mut command = Command::new("node");
        command.current_dir(scripts()).args(["--no-deprecation", "-r", "./loopback.js"]);
        command.arg(format!("./{}.js", self.system.name()));
        Ok(command)
    }
}

/// One measurement: all is started, warmed, counted, ended.
pub(crate) async fn measure(
    system: System,
    case: Case,
    warm: Duration,
    span: Duration,
) -> anyhow::Result<Round> {
    let mut stage = Stage::set(system, case, warm, span).await?;
    let mut sinks = Vec::new();
    let count = if case.work == Work::Call { 1 } else { case.concurrency };
    for _ in 0..count {
        sinks.push(stage.spawn(Role::Sink)?);
    }
    for sink in &mut sinks {
        sink.ready().await?;
    }
    stage.source.tell("go").await?;
    let round = count_all(&stage, &mut sinks).await;
    for sink in sinks {
        sink.end().await;
    }
    stage.clear().await;
    round
}

/// Tells all sinks to count, and adds up what they say. The processors' time is read from here, for the same span but for
/// a millisecond.
async fn count_all(stage: &Stage, sinks: &mut [Child]) -> anyhow::Result<Round> {
    for sink in sinks.iter_mut() {
        sink.tell("go").await?;
    }
    tokio::time::sleep(stage.warm).await;
    let before = cpu(stage, sinks)?;
    tokio::time::sleep(stage.span).await;
    let took = cpu(stage, sinks)?.saturating_sub(before);
    let mut rounds = Vec::new();
    for sink in sinks {
        let line = sink.line(PATIENCE).await?;
        rounds.push(serde_json::from_str(&line).with_context(|| format!("it said {line}"))?);
    }
    let mut round = together(&rounds);
    let items = round.per_second * stage.span.as_secs_f64();
    round.cpu_us = took.as_secs_f64() * 1e6 / items.max(1.0);
    Ok(round)
}

fn cpu(stage: &Stage, sinks: &[Child]) -> anyhow::Result<Duration> {
    let children = sinks.iter().chain([&stage.source]).chain(&stage.broker);
    children.map(|child| proc::cpu(child.id())).sum()
}

/// What several sinks did: items of all, and the middle of their times.
fn together(rounds: &[Round]) -> Round {
    let middle = |figure: fn(&Round) -> f64| median(rounds.iter().map(figure).collect());
    Round {
        per_second: rounds.iter().map(|round| round.per_second).sum(),
        p50_us: middle(|round| round.p50_us),
        p99_us: middle(|round| round.p99_us),
        p999_us: middle(|round| round.p999_us),
        lost: rounds.iter().map(|round| round.lost).sum(),
        cpu_us: 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sinks_are_added_up() {
        let one = Round {
            per_second: 10.0,
            p50_us: 1.0,
            p99_us: 2.0,
            p999_us: 3.0,
            lost: 1,
            cpu_us: 0.0,
        };
        let all = together(&[one, Round { per_second: 30.0, p50_us: 3.0, ..one }]);
        assert!((all.per_second - 40.0).abs() < 1e-9 && (all.p50_us - 2.0).abs() < 1e-9);
        assert_eq!(all.lost, 2);
    }
}
