//! What follows from an attempt that failed? The call fails, or another attempt is right, at once or later.

use super::Outcome;
use crate::id::NodeId;
use crate::limits::{BROKEN_REST, RETRY_WAIT_MAX, RETRY_WAIT_MIN, UNREACHABLE_REST};
use crate::rng::Rng;
use crate::talk::{Code, Started, Status};
use std::time::Duration;

/// What follows from a failed attempt.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Verdict {
    /// It would fail anywhere, or an answer came that is not ours to repeat.
    Final(Status),
    /// Nothing ran: another attempt is always right.
    Safe { status: Status, rest: Duration, again: Again },
    /// It may have run: another attempt is right if the call may be repeated and the budget allows.
    Risky { status: Status, rest: Duration },
}

/// Where another attempt makes sense.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Again {
    /// Only at another instance.
    Elsewhere,
    /// Also at the same one, later.
    Anywhere,
}

/// Judges an attempt at `node` that did not end with a reply.
pub(super) fn judge(outcome: Outcome, node: NodeId) -> Verdict {
    match outcome {
        Outcome::Replied => unreachable!("a reply is not a failure"),
        Outcome::NotSent => Verdict::Safe {
            status: Status::not_started(
                Code::Unavailable,
                format!("node {} could not be reached before the call was sent", node.short()),
            ),
            rest: BROKEN_REST,
            again: Again::Anywhere,
        },
        Outcome::Lost => Verdict::Risky {
            status: Status::new(
                Code::Unavailable,
                format!(
                    "the link to node {} broke before an answer: the call may have run",
                    node.short()
                ),
            ),
            rest: BROKEN_REST,
        },
        Outcome::Failed(status) if status.started == Started::No => refused(status),
        Outcome::Failed(status) if status.code == Code::Unavailable => {
            Verdict::Risky { rest: rest(&status, BROKEN_REST), status }
        }
        Outcome::Failed(status) => Verdict::Final(status),
    }
}

/// Judges a failure before anything ran.
fn refused(status: Status) -> Verdict {
    match status.code {
        // Full: it empties by itself.
        Code::ResourceExhausted => {
            Verdict::Safe { rest: rest(&status, RETRY_WAIT_MIN), status, again: Again::Anywhere }
        }
        // Draining, or its link cannot take it: the snapshot will soon tell more.
        Code::Unavailable => {
            Verdict::Safe { rest: rest(&status, UNREACHABLE_REST), status, again: Again::Anywhere }
        }
        // About the caller or its call: the same everywhere.
        Code::InvalidArgument
        | Code::PermissionDenied
        | Code::Unauthenticated
        | Code::DeadlineExceeded
        | Code::Cancelled => Verdict::Final(status),
        // About this instance, say one that has just lost the method.
        _ => Verdict::Safe { rest: rest(&status, BROKEN_REST), status, again: Again::Elsewhere },
    }
}

/// How long an instance that said this is passed over while there are others.
fn rest(status: &Status, usual: Duration) -> Duration {
    status.retry_after.unwrap_or(usual).clamp(RETRY_WAIT_MIN, RETRY_WAIT_MAX)
}

/// How long to wait before the attempt after so many: doubling, jittered, never shorter than what was asked for.
pub(super) fn pause(attempts: u8, last: Option<&Status>, rng: &mut Rng) -> Duration {
    let doubled = RETRY_WAIT_MIN.saturating_mul(1 << attempts.saturating_sub(1).min(16));
    let asked = last.and_then(|status| status.retry_after).unwrap_or_default();
    let span = doubled.max(asked).min(RETRY_WAIT_MAX);
    let half = u64::try_from(span.as_nanos() / 2).expect("half a second at most");
    span + Duration::from_nanos(rng.below(half))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_bound_and_honour_what_was_asked() {
        let mut rng = Rng::from_seed(1);
        let full = Status::not_started(Code::ResourceExhausted, "full")
            .retry_after(Duration::from_millis(300));
        for (attempts, asked, least) in
            [(1, None, 5), (2, None, 10), (5, None, 80), (255, None, 1_000), (1, Some(&full), 300)]
        {
            let pause = pause(attempts, asked, &mut rng).as_millis();
            assert!((least..least + least / 2 + 1).contains(&pause), "{attempts}: {pause}");
        }
    }
}
