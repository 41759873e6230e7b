//! Does the mesh keep its promises, whatever happens? Many nodes, one thread, one seed, virtual time.
//!
//! Each node has all four machines of `homing-core`, and those of topics, moved by hosts as the driver moves them, over a network that
//! delays, loses, repeats and cuts. While things go wrong ([`Fault`]) some promises must hold at every step; once nothing
//! goes wrong any more, all of them must, within their bounds. The same [`Plan`] always is the same run: [`check`] makes
//! it twice and compares.

mod caller;
mod dice;
mod event;
mod faults;
mod host;
mod invariants;
mod keys;
mod ledger;
mod mesh;
mod net;
pub mod output;
mod plan;
mod process;
mod queue;
pub mod scale;
mod script;
mod seasons;
mod server;
mod speech;
mod stream;
mod topics;
mod trace;
mod travel;
mod upgrades;
mod voice;
mod weather;
mod wires;
mod workload;
mod world;

#[cfg(test)]
mod tests;

pub use plan::{Fault, HOSTS, Plan, Sabotage};
pub use seasons::{Failure, Summary, simulate};
pub use trace::Listing;
pub use upgrades::upgrade;

use homing_core::time::Time;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Simulates a plan twice.
///
/// # Errors
/// The first thing that must not be: a broken promise, a panic, or a second run that differs from the first.
pub fn check(plan: &Plan, listing: Listing) -> Result<Summary, Failure> {
    check_twice(listing, |listing| simulate(plan, listing))
}

/// Simulates a sequence of upgrades twice.
///
/// # Errors
/// As [`check`].
pub fn check_upgrade(seed: u64, listing: Listing) -> Result<Summary, Failure> {
    check_twice(listing, |listing| upgrade(seed, listing))
}

fn check_twice(
    listing: Listing,
    run: impl Fn(Listing) -> Result<Summary, Failure>,
) -> Result<Summary, Failure> {
    let first = guarded(|| run(listing))?;
    let second = guarded(|| run(Listing::Silent))?;
    if first == second {
        return Ok(first);
    }
    let what = format!("the same seed made two runs: {first:?} and {second:?}");
    Err(Failure { at: Time::ZERO, what })
}

/// A panic is a failure like any other; the seed must be told.
fn guarded(run: impl Fn() -> Result<Summary, Failure>) -> Result<Summary, Failure> {
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| {
        let text = panic
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| panic.downcast_ref::<&str>().copied())
            .unwrap_or("no words");
        Err(Failure { at: Time::ZERO, what: format!("panicked: {text}") })
    })
}
