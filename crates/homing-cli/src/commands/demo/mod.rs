//! What does a mesh look like at work? Real processes on this host, one of them killed and replaced again and again.

pub(crate) mod caller;
mod cast;
mod score;

use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep_until};

use self::cast::Cast;
use self::score::Score;
use crate::args::DemoArgs;
use crate::exit::Failure;
use crate::output::{Output, Paint};
use crate::runtime;
use crate::signals::{Signal, Signals};

/// From one scene (all is well, one is killed, one takes its place) to the next, unless the demo is too short for it.
const SCENE: Duration = Duration::from_secs(3);
/// Between two lines that say how the callers fare.
const LINE: Duration = Duration::from_secs(1);
/// More than anybody watches.
const FOR_EVER: Duration = Duration::from_hours(24);

/// Plays until the time is over or Ctrl-C, and sums up. All processes that it started are gone then.
pub(crate) fn run(args: &DemoArgs, output: Output) -> Result<(), Failure> {
    runtime::run_wide(async {
        let mut signals = Signals::new()?;
        let mut cast = signals.or(Cast::gathered(output)).await?;
        let span = args.seconds.map_or(FOR_EVER, Duration::from_secs);
        let mut score = Score::default();
        let outcome = tokio::select! {
            outcome = play(&mut cast, &mut score, span, output) => outcome,
            signal = signals.next() => match signal {
                Signal::Interrupt => Ok(()), // how a person ends it: it is summed up
                Signal::Terminate => Err(Failure::Signal(signal)),
            },
        };
        cast.dismissed().await;
        outcome?;
        score.sum_up(output)
    })
}

async fn play(
    cast: &mut Cast,
    score: &mut Score,
    span: Duration,
    output: Output,
) -> Result<(), Failure> {
    let begin = Instant::now();
    let scene = SCENE.min(span / 3);
    let mut scenes = interval_at(begin + scene, scene);
    scenes.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut lines = interval_at(begin + LINE, LINE);
    loop {
        tokio::select! {
            report = cast.report() => score.add(report?),
            _ = lines.tick() => {
                let second = begin.elapsed().as_secs();
                output.line(format_args!("{second:>4} s  {}", score.line(output)))?;
            }
            _ = scenes.tick() => cast.next_scene(output).await?,
            () = sleep_until(begin + span) => return Ok(()),
        }
    }
}

/// A line about who came or went.
fn tell(output: Output, paint: Paint, line: &str) -> Result<(), Failure> {
    output.line(output.painted(paint, line))
}
