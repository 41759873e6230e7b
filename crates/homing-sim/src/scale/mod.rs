//! Does a mesh of a thousand keep its promises, too? Node machines and links of the core, virtual time, one seed.
//!
//! What is left out against the world of few: calls, streams, topics, and looking around by broadcast; stations know
//! three seeds. What is measured stands in [`Row`]s, each with its target.

mod cables;
mod faults;
mod field;
mod hand;
mod meter;
mod plain;
mod report;
mod station;
mod stock;
mod trials;
mod watch;

#[cfg(test)]
mod tests;

pub use report::{Row, Verdict, json, table};

/// One question, or several in a row, asked of a mesh of so many nodes.
pub type Trial = fn(usize, u64) -> Vec<Row>;

/// Everything that is asked, in the order in which it is told.
pub const TRIALS: [Trial; 3] = [trials::life, trials::stalls, trials::halves];
