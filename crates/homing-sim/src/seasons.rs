//! In which order do storm, calm and rest come, and what is checked in each?

use crate::event::Event;
use crate::invariants::Past;
use crate::plan::{Plan, Sabotage};
use crate::trace::Listing;
use crate::world::{Season, World};
use homing_core::limits::LEASE;
use homing_core::time::Time;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// From the last fault until everybody sees the same (decisions C12).
const CONVERGED: Duration = Duration::from_secs(5);
/// From the last fault until no link of the past is left: keep-alive has found it dead.
const CLEARED: Duration = Duration::from_secs(9);
/// How long all must be well.
const CALM: Duration = Duration::from_secs(6);
/// From the last handshake until a pair has one link (decisions C12).
const ONE_LINK: Duration = Duration::from_secs(1);
/// Beyond the lease of the last who went.
const FORGOTTEN: Duration = Duration::from_secs(8);
/// From the last call until nothing of it is left: a loser's drain, and the deadlines.
const RESTED: Duration = Duration::from_secs(12);
/// From the last message until all were read, and the last report of that has come.
const HUSHED: Duration = Duration::from_secs(4);
/// A process is excluded within this, and back within that (decisions C12).
const EXCLUDED: Duration = Duration::from_secs(4);
const PAUSED: Duration = Duration::from_secs(30);
const BACK: Duration = Duration::from_secs(2);

/// What a simulation came to.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Summary {
    /// Time that passed in the world.
    pub virtual_time: Duration,
    /// Things that happened.
    pub events: u64,
    /// Calls begun.
    pub calls: u64,
    /// Calls that got their answer.
    pub replies: u64,
    /// Messages that subscribers took.
    pub messages: u64,
    /// Things that went wrong.
    pub faults: u64,
    /// The sum of the trace.
    pub trace: u64,
}

/// What must not be, and when it was.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Failure {
    /// When.
    pub at: Time,
    /// What.
    pub what: String,
}

/// Simulates a plan once.
///
/// # Errors
/// The first thing that must not be.
pub fn simulate(plan: &Plan, listing: Listing) -> Result<Summary, Failure> {
    let mut world = World::new(plan.clone(), listing);
    match world.live() {
        Ok(()) => Ok(world.summary()),
        Err(what) => Err(Failure { at: world.now, what }),
    }
}

impl World {
    fn live(&mut self) -> Result<(), String> {
        self.net.queue.push(Time::from_millis(500), Event::Workload);
        for round in 0..self.plan.rounds {
            self.storm()?;
            self.calm()?;
            if round == 0 && self.misfortune.faults == 0 {
                self.hush()?;
            }
            if round == 0 && self.plan.hosts > 2 {
                self.absence()?;
            }
            self.rest()?;
        }
        Ok(())
    }

    fn storm(&mut self) -> Result<(), String> {
        self.season = Season::Storm;
        self.run(Duration::from_secs(2))?;
        for _ in 0..self.plan.hosts * 2 {
            let host = self.rng.index(self.plan.hosts);
            self.offer(host);
            if self.rng.chance(1, 2) {
                self.listen(host);
            }
        }
        self.net.queue.push(self.now, Event::Trouble);
        self.run(self.plan.storm)?;
        self.season = Season::Clearing;
        // Whoever is paused for long goes on first; others meanwhile live on.
        let wait = self.all_back().since(self.now);
        self.run(wait + Duration::from_millis(1))?;
        self.repair();
        if self.plan.sabotage == Some(Sabotage::Chance) {
            static CHANCE: AtomicU64 = AtomicU64::new(0);
            let chance = CHANCE.fetch_add(1, Ordering::Relaxed);
            self.tell(0, || chance.to_string());
        }
        Ok(())
    }

    fn calm(&mut self) -> Result<(), String> {
        self.season = Season::Clearing;
        self.run(CONVERGED)?;
        self.settle_drains()?;
        self.check_converged(Past::Marked)?;
        self.run(CLEARED.saturating_sub(CONVERGED))?;
        self.season = Season::Calm;
        let end = self.now + CALM;
        while self.now < end {
            self.run(Duration::from_millis(500))?;
            if self.now.since(self.misfortune.last_handshake) >= ONE_LINK {
                self.check_pairs()?;
            }
        }
        self.ledger.excuse_all();
        self.season = Season::Clearing;
        self.run((LEASE + FORGOTTEN).saturating_sub(CLEARED + CALM))?;
        self.check_converged(Past::Forgotten)
    }

    /// Who drains at the end of a storm may take its time; nothing is withdrawn after that.
    fn settle_drains(&mut self) -> Result<(), String> {
        for waited in 0..80 {
            let busy = self.hosts.iter().filter_map(|host| host.awake()).any(|process| {
                let mut offers = process.server.offers();
                process.is_ending() || offers.any(|(_, offer)| offer.is_draining())
            });
            match (busy, waited) {
                (false, 0) => return Ok(()),
                // The last withdrawal was a moment ago.
                (false, _) => return self.run(CONVERGED),
                (true, _) => self.run(Duration::from_millis(500))?,
            }
        }
        Err("somebody drains for ever".to_owned())
    }

    /// One member stands still while all else is well.
    fn absence(&mut self) -> Result<(), String> {
        self.season = Season::Clearing;
        let Some(node) = self.members().next().map(|process| process.who.id()) else {
            return Ok(());
        };
        let is_it = |process: &crate::process::Process| process.who.id() == node;
        let Some(host) = self.hosts.iter().position(|host| host.awake().is_some_and(is_it)) else {
            return Ok(());
        };
        self.tell(host, || "stands still, and all else is well".to_owned());
        self.hosts[host].pause(self.now);
        self.run(EXCLUDED)?;
        self.check_excluded(node)?;
        self.run(PAUSED.saturating_sub(EXCLUDED))?;
        self.resume(host);
        self.run(BACK)?;
        self.check_converged(Past::Forgotten)
    }

    /// Nothing ever went wrong: of the messages that were published none is missing.
    fn hush(&mut self) -> Result<(), String> {
        self.season = Season::Rest;
        self.run(HUSHED)?;
        self.check_messages()?;
        self.net.queue.push(self.now, Event::Workload);
        Ok(())
    }

    fn rest(&mut self) -> Result<(), String> {
        self.season = Season::Rest;
        if self.plan.sabotage == Some(Sabotage::LeakBudget)
            && let Some(process) = self.members().next()
        {
            process.wires.budget.take(1);
        }
        self.run(RESTED)?;
        self.check_rest()?;
        self.ledger.postings.forget();
        self.net.queue.push(self.now, Event::Workload);
        Ok(())
    }

    pub(crate) fn summary(&self) -> Summary {
        Summary {
            virtual_time: self.now.since(Time::ZERO),
            events: self.trace.events(),
            calls: self.ledger.counts.begun,
            replies: self.ledger.counts.replied,
            faults: self.misfortune.faults,
            messages: self.ledger.postings.taken,
            trace: self.trace.sum(),
        }
    }
}
