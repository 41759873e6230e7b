//! What time is it for the machines? Nanoseconds since this clock was made, by tokio's clock.
//!
//! Tokio's, so that a test that pauses it has virtual time in the whole driver.

use homing_core::time::Time;
use tokio::time::Instant;

/// Turns tokio's instants into the core's numbers and back. Copies agree with each other.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    start: Instant,
}

impl Clock {
    /// A clock that starts now.
    pub(crate) fn new() -> Self {
        Self { start: Instant::now() }
    }

    /// Now; saturates after 584 years.
    pub(crate) fn now(&self) -> Time {
        Time::ZERO + self.start.elapsed()
    }

    /// The instant that `time` is, `None` where it lies beyond what the system can name: for ever.
    pub(crate) fn instant(&self, time: Time) -> Option<Instant> {
        self.start.checked_add(time.since(Time::ZERO))
    }

    /// The time that `instant` is; the start where it lies before.
    pub(crate) fn time(&self, instant: Instant) -> Time {
        Time::ZERO + instant.saturating_duration_since(self.start)
    }

    /// Sleeps until `time`; at once where it is past.
    pub(crate) async fn sleep_until(&self, time: Time) {
        match self.instant(time) {
            Some(instant) => tokio::time::sleep_until(instant).await,
            None => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn paused_time_is_virtual_time() {
        let clock = Clock::new();
        clock.sleep_until(Time::from_millis(3_600_000)).await;
        assert_eq!(clock.now().as_millis(), 3_600_000);
        clock.sleep_until(Time::ZERO).await;
        assert_eq!(clock.now().as_millis(), 3_600_000);
    }
}
