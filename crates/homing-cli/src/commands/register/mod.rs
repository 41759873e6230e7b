//! How does a service that knows nothing of homing get into the registry, and out of it again?

mod check;
mod child;
mod health;

use std::future::pending;
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use super::SYNC_TIME;
use super::serve::end_of_node;
use crate::args::RegisterArgs;
use crate::exit::Failure;
use crate::output::Output;
use crate::runtime;
use crate::settings::Settings;
use crate::signals::Signals;
use check::Look;
use child::Child;
use health::{Health, Step};
use homing::registry::Registered;
use homing::{Code, Node, Record, Status, Timings};

/// How many others are to hold a persistent record before the command ends (decisions A13).
const HOLDERS: usize = 3;
/// How often they are asked, 2 seconds each.
const ASKED_MAX: usize = 3;

/// Registers the service: until a signal or the end of the child, or for good.
pub(crate) fn run(args: &RegisterArgs, settings: &Settings, output: Output) -> Result<(), Failure> {
    let record = described(args);
    runtime::run_wide(async {
        let mut signals = Signals::new()?;
        let config = settings.member();
        let timings = config.timings;
        let node = signals.or(async { Ok(Node::join(config).await?) }).await?;
        let desk = Desk { node: &node, record: &record, args, output };
        let outcome = if args.persistent {
            signals.or(desk.leave_behind()).await
        } else {
            desk.hold(&timings, &mut signals).await
        };
        node.close().await;
        outcome
    })
}

fn described(args: &RegisterArgs) -> Record {
    let mut record = args.record.clone();
    if let Some(address) = &args.address {
        record = record.address(address);
    }
    if let Some(port) = args.port {
        record = record.port(port.get());
    }
    if let Some(data) = &args.data {
        record = record.data(data.clone());
    }
    if let Some(ttl) = args.ttl {
        record = record.ttl(ttl);
    }
    match args.right {
        Some(right) => record.persistent_until(right),
        None if args.persistent => record.persistent(),
        None => record,
    }
}

/// What is registered, and how that is told.
#[derive(Clone, Copy)]
struct Desk<'a> {
    node: &'a Node,
    record: &'a Record,
    args: &'a RegisterArgs,
    output: Output,
}

impl Desk<'_> {
    /// Keeps it in the registry until somebody, or its child, ends that.
    async fn hold(&self, timings: &Timings, signals: &mut Signals) -> Result<(), Failure> {
        self.node.registry().check(self.record)?;
        let look = match &self.args.check {
            None => None,
            Some(check) => {
                let look = Look::new(check, self.record.address.as_deref(), self.record.port);
                let right = "--check tcp connects to the service: say its --port";
                Some(look.ok_or_else(|| Failure::Usage(right.to_owned()))?)
            }
        };
        let mut child = self.args.exec.as_deref().map(Child::start).transpose()?;
        let outcome = tokio::select! {
            signal = signals.next() => {
                self.output.note(format_args!("{signal}: freeing {}", self.record.name()));
                Ok(())
            }
            ended = end_of(child.as_mut()) => ended,
            failure = end_of_node(self.node) => Err(failure),
            failure = self.keep(look, timings) => Err(failure),
        };
        if let Some(child) = child {
            // Nobody is to go there any more while it ends.
            let _ = timeout(SYNC_TIME, self.free_all()).await;
            child.end().await;
        }
        outcome
    }

    /// Registers it, for as long as it is well where that is looked at. Ends only with a failure.
    async fn keep(&self, look: Option<Look>, timings: &Timings) -> Failure {
        let kept = match look {
            None => self.register().await.map(drop),
            Some(look) => self.keep_while_well(&look, timings).await,
        };
        match kept {
            Ok(()) => pending().await,
            Err(failure) => failure,
        }
    }

    async fn keep_while_well(&self, look: &Look, timings: &Timings) -> Result<(), Failure> {
        let lifetime = self.record.ttl.unwrap_or(timings.registration_lifetime);
        let mut health = Health::new(lifetime);
        let mut registered = None;
        let mut looks = interval(timings.heartbeat_interval);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            looks.tick().await;
            let found = look.look(timings.heartbeat_interval).await;
            let why = found.as_ref().err().map_or("", String::as_str);
            match health.note(found.is_ok(), Instant::now()) {
                None => {}
                Some(Step::Register) => registered = Some(self.register().await?),
                Some(Step::Wait) => {
                    self.say(&format!("is registered as soon as it is well: {why}"));
                }
                Some(Step::Free) => {
                    if let Some(registered) = registered.take() {
                        registered.free().await?;
                    }
                    let span = shown(lifetime);
                    self.say(&format!("is freed, it was not well for {span}: {why}"));
                }
            }
        }
    }

    async fn register(&self) -> Result<Registered, Failure> {
        let registered = self.node.registry().register(self.record.clone()).await?;
        let record = registered.record();
        let place = record.place().map_or_else(String::new, |place| format!(" at {place}"));
        self.output.note(format_args!("registered {}{place} ({})", record.name(), registered.id()));
        if self.args.json {
            self.output.object(&record)?;
        }
        Ok(registered)
    }

    async fn free_all(&self) {
        let own = self.node.info().id;
        for record in self.node.registry().services() {
            if record.owner == Some(own) && record.is_registered() {
                let _ = self.node.registry().free(&record).await; // it goes with the node
            }
        }
    }

    /// Registers it for good: done when others hold it.
    async fn leave_behind(&self) -> Result<(), Failure> {
        let _ = timeout(SYNC_TIME, self.node.synced()).await; // late is told as what is known by then
        let registered = self.node.registry().register(self.record.clone()).await?;
        let mut spread = registered.spread().await;
        for _ in 1..ASKED_MAX {
            if spread.of > 0 && spread.acknowledged >= HOLDERS.min(spread.of) {
                break;
            }
            spread = registered.spread().await;
        }
        if spread.of == 0 || spread.acknowledged < HOLDERS.min(spread.of) {
            registered.free().await?;
            return Err(too_few(spread.acknowledged, spread.of).into());
        }
        if self.args.json {
            return self.output.object(&registered.record());
        }
        self.output.line(registered.id())
    }

    fn say(&self, what: &str) {
        self.output.note(format_args!("{} {what}", self.record.name()));
    }
}

/// Resolves when the child ends; never without one.
async fn end_of(child: Option<&mut Child>) -> Result<(), Failure> {
    match child {
        Some(child) => child.ended().await,
        None => pending().await,
    }
}

fn too_few(held: usize, of: usize) -> Status {
    let message = if of == 0 {
        "no other node is there to keep the record: it is freed again".to_owned()
    } else {
        let needed = HOLDERS.min(of);
        format!(
            "{held} of the {of} other nodes hold the record, {needed} are needed: it is freed again"
        )
    };
    Status::not_started(Code::Unavailable, message)
}

fn shown(span: Duration) -> String {
    format!("{span:?}")
}
