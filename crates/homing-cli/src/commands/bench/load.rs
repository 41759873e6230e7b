//! How many calls a second do so many callers make, and how long do they wait?
//!
//! Each caller is a spawned task that waits for its answer before it asks again. Each keeps its own histogram, so that
//! measuring takes no lock; in a crowd it times one call in [`SAMPLE`], so that measuring takes no time either.

use anyhow::Context as _;
use hdrhistogram::Histogram;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::time::sleep;

use crate::exit::Failure;

/// In a crowd one call in so many is timed.
const SAMPLE: u64 = 16;
/// From so many callers on it is a crowd.
const CROWD: usize = 8;
/// Decimal digits that a latency keeps.
const DIGITS: u8 = 3;

/// Something that can be asked again and again.
pub(super) trait Caller: Send + 'static {
    /// Asks once and waits for the answer.
    fn call(&mut self) -> impl Future<Output = Result<(), Failure>> + Send;
}

/// What one system did in one round.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Round {
    pub(super) per_second: f64,
    pub(super) p50_us: f64,
    pub(super) p99_us: f64,
    pub(super) p999_us: f64,
    /// Messages that were said and never came.
    pub(super) lost: u64,
}

/// Lets all callers call for this long. The first failure of a call is the failure of the whole.
pub(super) async fn measure<C: Caller>(callers: Vec<C>, span: Duration) -> Result<Round, Failure> {
    let stop = Arc::new(AtomicBool::new(false));
    let every = if callers.len() < CROWD { 1 } else { SAMPLE };
    let begin = Instant::now();
    let tasks: Vec<_> = callers
        .into_iter()
        .map(|caller| tokio::spawn(repeat(caller, every, Arc::clone(&stop))))
        .collect();
    sleep(span).await;
    stop.store(true, Ordering::Relaxed);
    let elapsed = begin.elapsed();
    let mut all = Tally::new()?;
    for task in tasks {
        all.add(&task.await.context("a caller of the benchmark panicked")??)?;
    }
    Ok(all.round(elapsed))
}

async fn repeat<C: Caller>(
    mut caller: C,
    every: u64,
    stop: Arc<AtomicBool>,
) -> Result<Tally, Failure> {
    let mut tally = Tally::new()?;
    while !stop.load(Ordering::Relaxed) {
        let begin = Instant::now();
        caller.call().await?;
        tally.record(begin.elapsed());
        for _ in 1..every {
            caller.call().await?;
        }
        tally.calls += every;
    }
    Ok(tally)
}

/// Calls, and the nanoseconds that the timed ones of them took.
pub(super) struct Tally {
    pub(super) calls: u64,
    /// Of what should have come.
    pub(super) lost: u64,
    nanos: Histogram<u64>,
}

impl Tally {
    pub(super) fn new() -> Result<Self, Failure> {
        let nanos = Histogram::new(DIGITS).context("no histogram of so many digits")?;
        Ok(Self { calls: 0, lost: 0, nanos })
    }

    pub(super) fn record(&mut self, took: Duration) {
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        let _ = self.nanos.record(nanos); // it grows as far as it must
    }

    pub(super) fn add(&mut self, other: &Self) -> Result<(), Failure> {
        self.calls += other.calls;
        self.lost += other.lost;
        self.nanos.add(&other.nanos).context("histograms differ")?;
        Ok(())
    }

    pub(super) fn round(&self, elapsed: Duration) -> Round {
        let micros = |quantile| as_f64(self.nanos.value_at_quantile(quantile)) / 1e3;
        Round {
            per_second: as_f64(self.calls) / elapsed.as_secs_f64(),
            p50_us: micros(0.5),
            p99_us: micros(0.99),
            p999_us: micros(0.999),
            lost: self.lost,
        }
    }
}

/// Exact for all that is counted here.
#[expect(clippy::cast_precision_loss, reason = "counts and nanoseconds of minutes are below 2^53")]
fn as_f64(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::task::yield_now;

    struct Ready;

    impl Caller for Ready {
        async fn call(&mut self) -> Result<(), Failure> {
            yield_now().await;
            Ok(())
        }
    }

    struct Failing;

    impl Caller for Failing {
        async fn call(&mut self) -> Result<(), Failure> {
            Err(Failure::Usage("no".to_owned()))
        }
    }

    #[tokio::test]
    async fn calls_are_counted_and_timed() {
        let callers = (0..20).map(|_| Ready).collect();
        let round = measure(callers, Duration::from_millis(20)).await.unwrap();
        assert!(round.per_second > 1_000.0, "{round:?}");
        assert!(
            round.p50_us > 0.0 && round.p50_us <= round.p99_us && round.p99_us <= round.p999_us
        );
    }

    #[tokio::test]
    async fn a_failed_call_fails_the_measurement() {
        let failure = measure(vec![Failing], Duration::from_millis(1)).await.unwrap_err();
        assert_eq!(failure.to_string(), "no");
    }

    #[test]
    fn percentiles_are_of_what_was_recorded() {
        let mut tally = Tally::new().unwrap();
        (1..=1000).for_each(|micros| tally.record(Duration::from_micros(micros)));
        tally.calls = 1000;
        let round = tally.round(Duration::from_secs(2));
        assert!((round.per_second - 500.0).abs() < 1e-9);
        for (found, expect) in
            [(round.p50_us, 500.0), (round.p99_us, 990.0), (round.p999_us, 999.0)]
        {
            assert!((found / expect - 1.0).abs() < 0.002, "{found}, not {expect}");
        }
    }
}
