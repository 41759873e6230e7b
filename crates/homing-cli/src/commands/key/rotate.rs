//! How is the key of a running mesh exchanged? Step by step, and never before everybody is ready.

use crate::args::KeyRotateArgs;
use crate::exit::Failure;
use crate::output::Output;
use crate::runtime;
use crate::settings::Settings;
use crate::signals::Signals;
use homing::security::Rotation;
use homing::{Code, Key, KeyFile, KeyId, Kind, Node, NodeState, PeerInfo, Status};
use serde::Serialize;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How long nodes are given to become ready: longer than they take to see that their file has changed.
const READY_TIME: Duration = Duration::from_secs(8);
/// Between two looks at them.
const LOOK_PERIOD: Duration = Duration::from_millis(500);

/// What there is to do, and whether it may be done.
#[derive(Debug, Serialize)]
struct Report {
    /// The file.
    file: String,
    /// The next step, from 1 to 3; when it was made, that one.
    step: u8,
    /// Whether the step was made.
    made: bool,
    /// Whether every node is ready for it.
    ready: bool,
    /// The ids of the keys in the file, the one to send with first.
    keys: Vec<String>,
    /// Who is not.
    missing: Vec<Missing>,
    /// What a person has to do now.
    next: String,
}

/// A node that is not ready.
#[derive(Debug, Serialize)]
struct Missing {
    node: String,
    name: String,
    keys: Vec<String>,
}

/// A step, and what every node must hold before it.
struct Step {
    number: u8,
    needs: Needs,
}

enum Needs {
    Nothing,
    /// This key, in whatever place.
    Holding(Key),
    /// This key, in the first place.
    Sending(Key),
}

/// Makes the next step, or says why not.
pub(crate) fn run(
    args: &KeyRotateArgs,
    settings: &Settings,
    output: Output,
) -> Result<(), Failure> {
    let mut file = KeyFile::read(&args.file)?;
    let step = Step::after(&file.rotation()?);
    let missing = match (&step.needs, args.force) {
        (Needs::Nothing, _) | (_, true) => Ok(Vec::new()),
        (needs, false) => runtime::run_alone(ask(needs, args, settings)),
    };
    let (missing, silence) = match missing {
        Ok(missing) => (missing, None),
        Err(Failure::Mesh(status)) => (Vec::new(), Some(status)),
        Err(failure) => return Err(failure),
    };
    let ready = missing.is_empty() && silence.is_none();
    if ready && !args.check {
        file.advance()?;
    }
    let made = ready && !args.check;
    let report = Report {
        file: args.file.display().to_string(),
        step: step.number,
        made,
        ready,
        keys: file.keys().iter().map(|key| key.id().to_string()).collect(),
        next: next(&step, args, made, ready),
        missing,
    };
    tell(&report, args, output)?;
    match silence {
        _ if ready => Ok(()),
        Some(status) => Err(status.into()),
        None => {
            let names: Vec<&str> = report.missing.iter().map(|node| node.name.as_str()).collect();
            let why = format!("not ready for step {}: {}", step.number, names.join(", "));
            Err(Status::new(Code::FailedPrecondition, why).into())
        }
    }
}

impl Step {
    fn after(rotation: &Rotation) -> Self {
        match rotation {
            Rotation::Introduced { new, .. } => {
                Self { number: 2, needs: Needs::Holding(new.clone()) }
            }
            Rotation::Switched { key, .. } => {
                Self { number: 3, needs: Needs::Sending(key.clone()) }
            }
            _ => Self { number: 1, needs: Needs::Nothing },
        }
    }
}

impl Needs {
    fn are_met_by(&self, held: &[KeyId]) -> bool {
        match self {
            Self::Nothing => true,
            Self::Holding(key) => held.contains(&key.id()),
            Self::Sending(key) => held.first() == Some(&key.id()),
        }
    }
}

/// Joins the mesh of the file, and waits until everybody is ready or time is up; who is not then.
async fn ask(
    needs: &Needs,
    args: &KeyRotateArgs,
    settings: &Settings,
) -> Result<Vec<Missing>, Failure> {
    let mut signals = Signals::new()?;
    let settings = settings.with_key_file(&args.file);
    let node = signals.or(super::super::visit(&settings)).await?;
    let outcome = signals.or(async { Ok(wait_until_ready(&node, needs).await) }).await;
    node.close().await;
    let members = outcome?;
    if members.is_empty() {
        let why = "no node of the mesh is seen from here; --force makes the step all the same";
        return Err(Status::not_started(Code::FailedPrecondition, why).into());
    }
    Ok(members.iter().filter(|node| !needs.are_met_by(&node.keys)).map(Missing::of).collect())
}

/// The members, when all are ready or time is up.
async fn wait_until_ready(node: &Node, needs: &Needs) -> Vec<PeerInfo> {
    let until = Instant::now() + READY_TIME;
    loop {
        let members: Vec<PeerInfo> = node
            .nodes()
            .await
            .into_iter()
            .filter(|node| node.kind == Kind::Member && node.state != NodeState::Gone)
            .collect();
        let all = members.iter().all(|node| needs.are_met_by(&node.keys));
        if (all && !members.is_empty()) || Instant::now() >= until {
            return members;
        }
        sleep(LOOK_PERIOD).await;
    }
}

impl Missing {
    fn of(node: &PeerInfo) -> Self {
        Self {
            node: node.id.to_string(),
            name: node.name.to_string(),
            keys: node.keys.iter().map(ToString::to_string).collect(),
        }
    }
}

fn next(step: &Step, args: &KeyRotateArgs, made: bool, ready: bool) -> String {
    let file = args.file.display();
    match (made, ready, step.number) {
        (false, true, number) => format!("homing key rotate {file} makes step {number}"),
        (false, false, _) => {
            format!("copy {file} to the hosts of those that are not ready, then try again")
        }
        (true, _, 3) => format!("copy {file} to every other host: the key is exchanged"),
        (true, ..) => {
            format!("copy {file} to every other host, then: homing key rotate {file}")
        }
    }
}

fn tell(report: &Report, args: &KeyRotateArgs, output: Output) -> Result<(), Failure> {
    if args.json {
        return output.document(report);
    }
    let Report { file, step, keys, missing, next, .. } = report;
    let word = if report.made { "made" } else { "not made" };
    output.line(format_args!("step {step} of 3 {word}: {file} holds {}", keys.join(", ")))?;
    for node in missing {
        let held = node.keys.join(", ");
        output.line(format_args!("not ready: {} ({}) holds {held}", node.name, node.node))?;
    }
    output.line(format_args!("next: {next}"))
}
