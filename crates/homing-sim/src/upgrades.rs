//! Does anybody lose a call while all who answer are replaced, one after the other?
//!
//! Nothing is wrong with the network here. Teams of processes offer services between them; again and again a new one is
//! started for an old one, before or after that is told to leave, and several such changes overlap. Whatever is called or
//! streamed meanwhile, and by whomever, has to end well.

use crate::dice::between;
use crate::event::{Command, Event, OfferOrder, Stimulus};
use crate::host::{Off, State};
use crate::mesh;
use crate::plan::{Plan, Sabotage};
use crate::seasons::{Failure, Summary};
use crate::trace::Listing;
use crate::workload::WIDE;
use crate::world::{Season, World};
use homing_core::registry::RecordKey;
use homing_core::rng::Rng;
use homing_core::time::Time;
use std::time::Duration;

/// Processes that only call.
const CALLERS: usize = 2;
/// How long before or after its successor starts somebody is told to leave, at most.
const GAP: Duration = Duration::from_millis(600);
/// From one change to the next, at most.
const BETWEEN: Duration = Duration::from_secs(2);
/// Until everybody knows everybody at first.
const SETTLED: Duration = Duration::from_secs(2);
/// From the last change until the last call was answered.
const ANSWERED: Duration = Duration::from_secs(1);
/// From the last call until nothing of it is left.
const RESTED: Duration = Duration::from_secs(6);

/// Those who offer the same.
struct Team {
    services: Vec<usize>,
    /// The hosts whose processes are not told to leave.
    hosts: Vec<usize>,
}

/// What is done to a process, and when.
#[derive(Clone, Copy, Debug)]
enum Change {
    Start { host: usize, team: usize },
    Leave { host: usize },
}

/// Runs one random sequence of upgrades.
///
/// # Errors
/// The first thing that must not be: above all, a call that was lost.
pub fn upgrade(seed: u64, listing: Listing) -> Result<Summary, Failure> {
    replace(seed, None, listing)
}

/// The same, by a simulator that may do wrong.
pub(crate) fn replace(
    seed: u64,
    sabotage: Option<Sabotage>,
    listing: Listing,
) -> Result<Summary, Failure> {
    let mut rng = Rng::from_seed(seed ^ 0x0972_ade5);
    let teams = 2 + rng.index(3);
    let plan = Plan {
        between_deeds: between(&mut rng, Duration::from_millis(2), Duration::from_millis(12)),
        sabotage,
        ..Plan::small(seed, CALLERS + teams * 4, &[])
    };
    let mut world = World::new(plan, listing);
    match world.replace_all(&mut rng, teams) {
        Ok(()) => Ok(world.summary()),
        Err(what) => Err(Failure { at: world.now, what }),
    }
}

impl World {
    fn replace_all(&mut self, rng: &mut Rng, count: usize) -> Result<(), String> {
        self.season = Season::Upgrade;
        (0..CALLERS).for_each(|host| self.start(host));
        let mut teams = assemble(rng, count);
        let mut free = CALLERS;
        for team in &mut teams {
            for _ in 0..=rng.index(2) {
                team.hosts.push(free);
                self.enlist(free, &team.services);
                free += 1;
            }
        }
        self.run(SETTLED)?;
        self.net.queue.push(self.now, Event::Workload);
        let mut changes: Vec<(Time, Change)> = Vec::new();
        let mut next = self.now;
        for _ in 0..3 + rng.index(6) {
            next += between(rng, Duration::ZERO, BETWEEN);
            self.carry_out_until(&mut changes, &teams, next)?;
            self.plan_change(rng, &mut teams, &mut changes);
        }
        let last = self.now + GAP * 2;
        self.carry_out_until(&mut changes, &teams, last)?;
        self.run(ANSWERED)?;
        self.season = Season::Rest;
        self.run(RESTED)?;
        self.check_rest()
    }

    /// Somebody of a team is replaced, where there is a host for who comes.
    fn plan_change(
        &mut self,
        rng: &mut Rng,
        teams: &mut [Team],
        changes: &mut Vec<(Time, Change)>,
    ) {
        let index = rng.index(teams.len());
        let promised = |host: usize| {
            let mut starts = changes.iter();
            starts.any(
                |(_, change)| matches!(change, Change::Start { host: one, .. } if *one == host),
            )
        };
        let is_free =
            |host: &usize| matches!(self.hosts[*host].state, State::Off(_)) && !promised(*host);
        let Some(host) = (CALLERS..self.hosts.len()).find(is_free) else { return };
        let team = &mut teams[index];
        let old = team.hosts.remove(rng.index(team.hosts.len()));
        team.hosts.push(host);
        let (early, late) = (self.now, self.now + between(rng, Duration::ZERO, GAP));
        // The old one is there, or is promised to be: it has to start before it can leave.
        let due = changes
            .iter()
            .filter(|(_, change)| matches!(change, Change::Start { host, .. } if *host == old));
        let there = due.map(|(at, _)| *at).max().unwrap_or(early);
        let (start, leave) = if rng.chance(1, 2) { (early, late) } else { (late, early) };
        changes.push((start, Change::Start { host, team: index }));
        changes.push((leave.max(there + Duration::from_millis(1)), Change::Leave { host: old }));
    }

    fn carry_out_until(
        &mut self,
        changes: &mut Vec<(Time, Change)>,
        teams: &[Team],
        end: Time,
    ) -> Result<(), String> {
        loop {
            let due = changes.iter().enumerate().min_by_key(|(_, (at, _))| *at);
            let Some((index, at)) =
                due.map(|(index, (at, _))| (index, *at)).filter(|(_, at)| *at <= end)
            else {
                return self.run(end - self.now);
            };
            let (_, change) = changes.remove(index);
            self.run(at - self.now)?;
            match change {
                Change::Start { host, team } => self.enlist(host, &teams[team].services),
                Change::Leave { host } => {
                    self.misfortune.faults += 1;
                    if self.plan.sabotage == Some(Sabotage::Kill) {
                        self.end(host, Off::Killed);
                    }
                    self.stimulate(host, Stimulus::Command(Command::Leave));
                }
            }
        }
    }

    /// Starts a process that offers these services.
    fn enlist(&mut self, host: usize, services: &[usize]) {
        self.start(host);
        for (key, service) in (1..).map(RecordKey).zip(services) {
            let (service, serial) = (*service, self.ledger.serial());
            let order = OfferOrder { key, service, serial, concurrency: WIDE };
            self.stimulate(host, Stimulus::Command(Command::Offer(order)));
        }
    }
}

/// All services, divided between so many teams, of which nobody serves yet.
fn assemble(rng: &mut Rng, count: usize) -> Vec<Team> {
    let mut teams: Vec<Team> =
        (0..count).map(|_| Team { services: Vec::new(), hosts: Vec::new() }).collect();
    for service in 0..mesh::SERVICES {
        // Every team has something to do.
        let team = if service < count { service } else { rng.index(count) };
        teams[team].services.push(service);
    }
    teams
}
