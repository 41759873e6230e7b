//! What is measured, for how long, and how often?

use std::time::Duration;

use crate::args::{Args, Asked};
use crate::report::{Case, Work};

/// The payload where nothing else is said.
pub(crate) const SIZE: u32 = 128;
/// Items of bulk.
const BULK: u32 = 1024 * 1024;
const CALLERS: [u32; 4] = [1, 10, 100, 1_000];
const SUBSCRIBERS: [u32; 3] = [1, 4, 16];
/// Besides [`SIZE`]; asked for by one caller and by a hundred, for a thousand of the largest are a gigabyte under way.
const SIZES: [u32; 4] = [16, 4 * 1024, 64 * 1024, BULK];
const CALLERS_OF_SIZES: [u32; 2] = [1, 100];

/// How much of it.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) cases: Vec<Case>,
    pub(crate) rounds: u32,
    /// Before the count: Node compiles what runs often, and queues fill.
    pub(crate) warm: Duration,
    pub(crate) span: Duration,
    /// The links to open for what one costs.
    pub(crate) links: &'static [u32],
}

impl Plan {
    pub(crate) fn new(args: &Args) -> Self {
        let cases = if args.quick { quick() } else { whole() };
        let wanted = |case: &Case| {
            args.wants(match case.work {
                Work::Call => Asked::Call,
                Work::Pub => Asked::Pub,
                Work::Stream => Asked::Stream,
            })
        };
        let (warm, span) = if args.quick { (300, 1_500) } else { (500, 2_000) };
        Self {
            cases: cases.into_iter().filter(wanted).collect(),
            rounds: args.rounds,
            warm: Duration::from_millis(warm),
            span: Duration::from_millis(args.span.unwrap_or(span)),
            links: if args.quick { &[100] } else { &[100, 1_000] },
        }
    }
}

fn quick() -> Vec<Case> {
    vec![
        Case { work: Work::Call, size: SIZE, concurrency: 1 },
        Case { work: Work::Call, size: SIZE, concurrency: 100 },
        Case { work: Work::Pub, size: SIZE, concurrency: 1 },
        Case { work: Work::Stream, size: BULK, concurrency: 1 },
    ]
}

fn whole() -> Vec<Case> {
    let case = |work, size, concurrency| Case { work, size, concurrency };
    let mut cases: Vec<Case> = CALLERS.map(|callers| case(Work::Call, SIZE, callers)).into();
    for size in SIZES {
        cases.extend(CALLERS_OF_SIZES.map(|callers| case(Work::Call, size, callers)));
    }
    cases.extend(SUBSCRIBERS.map(|subscribers| case(Work::Pub, SIZE, subscribers)));
    cases.extend([SIZE, BULK].map(|size| case(Work::Stream, size, 1)));
    cases
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser as _;

    #[test]
    fn the_quick_plan_ends_within_ten_minutes() {
        let args = Args::parse_from(["homing-bench", "--quick"]);
        let plan = Plan::new(&args);
        let systems = u32::try_from(args.systems().len()).unwrap();
        let starting = Duration::from_millis(500);
        let each = plan.warm + plan.span + starting;
        let cases = u32::try_from(plan.cases.len()).unwrap();
        assert!(each * plan.rounds * cases * systems < Duration::from_secs(500));
    }

    #[test]
    fn the_whole_plan_has_every_number_of_callers_and_every_size() {
        let plan = Plan::new(&Args::parse_from(["homing-bench"]));
        for callers in CALLERS {
            assert!(plan.cases.contains(&Case {
                work: Work::Call,
                size: SIZE,
                concurrency: callers
            }));
        }
        for size in SIZES {
            assert!(plan.cases.contains(&Case { work: Work::Call, size, concurrency: 1 }));
        }
        assert!(Plan::new(&Args::parse_from(["homing-bench", "--works", "cost"])).cases.is_empty());
    }
}
