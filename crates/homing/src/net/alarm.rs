//! What wakes a task when its time has come, once and no more often?
//!
//! tokio keeps its timers in a wheel: one that is due in more than 64 ms wakes the process on the way, only to be moved
//! to a finer part of the wheel. For the timers of an idle node that is every second wake. A descriptor of the system's
//! own wakes when it is due.

use std::future::Future as _;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::time::{Instant, Sleep, sleep_until};

/// Wakes one task at a time.
pub trait Alarm: Send {
    /// Ready once `due` has come; never, where there is none. A later call may name another time, which replaces it.
    fn poll_due(&mut self, cx: &mut Context<'_>, due: Option<Instant>) -> Poll<()>;
}

/// By tokio's wheel, and so in its virtual time where a test has paused it.
#[derive(Default)]
pub(crate) struct Wheel {
    armed: Option<Pin<Box<Sleep>>>,
}

impl Alarm for Wheel {
    fn poll_due(&mut self, cx: &mut Context<'_>, due: Option<Instant>) -> Poll<()> {
        let Some(due) = due else {
            self.armed = None;
            return Poll::Pending;
        };
        let sleep = self.armed.get_or_insert_with(|| Box::pin(sleep_until(due)));
        if sleep.deadline() != due {
            sleep.as_mut().reset(due);
        }
        sleep.as_mut().poll(cx)
    }
}

#[cfg(target_os = "linux")]
pub(super) use self::timerfd::Descriptor;

#[cfg(target_os = "linux")]
mod timerfd {
    use std::io;
    use std::os::fd::OwnedFd;
    use std::task::{Context, Poll, ready};
    use std::time::Duration;

    use rustix::time::{
        Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
        timerfd_settime,
    };
    use tokio::io::unix::AsyncFd;
    use tokio::time::Instant;

    use super::Alarm;
    use crate::net::tokio::readable;

    /// By a descriptor of the system's clock.
    pub(crate) struct Descriptor {
        fd: AsyncFd<OwnedFd>,
        armed: Option<Instant>,
    }

    impl Descriptor {
        /// Must be called in a tokio runtime with IO.
        ///
        /// # Errors
        /// The process has no descriptors left.
        pub(crate) fn open() -> io::Result<Self> {
            let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
            let fd = timerfd_create(TimerfdClockId::Monotonic, flags)?;
            Ok(Self { fd: readable(fd)?, armed: None })
        }

        /// Setting it takes back what it has not told yet.
        fn arm(&mut self, due: Option<Instant>, span: Duration) -> io::Result<()> {
            if self.armed != due {
                timerfd_settime(&self.fd, TimerfdTimerFlags::empty(), &once_after(span))?;
                self.armed = due;
            }
            Ok(())
        }

        fn poll_once(&mut self, cx: &mut Context<'_>, due: Instant) -> Poll<io::Result<()>> {
            loop {
                let now = Instant::now();
                if due <= now {
                    return Poll::Ready(Ok(()));
                }
                self.arm(Some(due), due - now)?;
                ready!(self.fd.poll_read_ready(cx))?.clear_ready();
                // It was of an earlier time, or a moment early.
                self.armed = None;
            }
        }
    }

    impl Alarm for Descriptor {
        fn poll_due(&mut self, cx: &mut Context<'_>, due: Option<Instant>) -> Poll<()> {
            let Some(due) = due else {
                // Left as it is, it would wake once for nothing.
                let _ = self.arm(None, Duration::ZERO);
                return Poll::Pending;
            };
            match self.poll_once(cx, due) {
                Poll::Ready(Ok(())) => Poll::Ready(()),
                // The runtime is shutting down: nobody waits any more.
                Poll::Pending | Poll::Ready(Err(_)) => Poll::Pending,
            }
        }
    }

    /// A span of nothing disarms.
    fn once_after(span: Duration) -> Itimerspec {
        let spec = |span: Duration| Timespec {
            tv_sec: span.as_secs().try_into().unwrap_or(i64::MAX),
            tv_nsec: span.subsec_nanos().into(),
        };
        Itimerspec { it_interval: spec(Duration::ZERO), it_value: spec(span) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;
    use std::time::Duration;

    /// The alarm wakes in the order of the times that it is told, and for a time that is past at once.
    async fn check(mut alarm: impl Alarm) {
        let start = Instant::now();
        for after in [30, 10, 100, 100] {
            let due = start + Duration::from_millis(after);
            poll_fn(|cx| alarm.poll_due(cx, Some(due))).await;
            assert!(Instant::now() >= due);
        }
        let far = start + Duration::from_hours(1);
        let near = Instant::now() + Duration::from_millis(10);
        poll_fn(|cx| {
            assert!(alarm.poll_due(cx, Some(far)).is_pending());
            assert!(alarm.poll_due(cx, None).is_pending());
            alarm.poll_due(cx, Some(near))
        })
        .await;
        assert!(Instant::now() >= near && Instant::now() < far);
    }

    #[tokio::test(start_paused = true)]
    async fn the_wheel_wakes_in_virtual_time() {
        check(Wheel::default()).await;
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn a_descriptor_wakes_in_real_time() {
        check(Descriptor::open().expect("a descriptor is free")).await;
    }
}
