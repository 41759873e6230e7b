//! On how many threads does a command run?

use anyhow::Context as _;
use std::future::Future;
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};

use crate::exit::Failure;

/// How long work that cannot be interrupted (a lookup of a name) may hold up the end of the process.
const LEFTOVERS: Duration = Duration::from_millis(100);

/// For one-shot commands: this thread alone. It starts in microseconds.
pub(crate) fn run_alone<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    run(Builder::new_current_thread(), work)
}

/// For services: a worker for each core, or as many as `TOKIO_WORKER_THREADS` says.
pub(crate) fn run_wide(work: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    run(Builder::new_multi_thread(), work)
}

/// For measurements: two workers, so that figures of different machines can be compared (decisions C1).
pub(crate) fn run_measured(work: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(MEASURED_WORKERS);
    run(builder, work)
}

/// The workers of both ends of a measurement.
pub(crate) const MEASURED_WORKERS: usize = 2;

fn run<T>(
    mut builder: Builder,
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    let runtime: Runtime = builder.enable_all().build().context("cannot start the runtime")?;
    let outcome = runtime.block_on(work);
    runtime.shutdown_timeout(LEFTOVERS);
    outcome
}
