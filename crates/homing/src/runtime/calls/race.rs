//! How do two attempts at one call come to one end?

use super::seat::{Seat, Which};
use super::state::Order;
use crate::crank::Ended;
use homing_core::id::NodeId;
use homing_core::link;
use homing_core::registry::RecordKey;
use homing_core::requester::Outcome;
use homing_core::talk::{Options, Payload, Status};
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::Poll;

/// The end of an attempt.
pub(super) struct End {
    pub(super) ended: Ended,
    pub(super) which: Which,
    pub(super) at: (NodeId, RecordKey),
}

/// Runs both attempts until one is answered, or the last of them has failed; that one's end is not reported yet. The other
/// is dropped, and so cancelled.
///
/// # Errors
/// The requester ended the call.
pub(super) async fn race<F, S>(
    (mut first, first_at): (Pin<&mut F>, (NodeId, RecordKey)),
    (second, second_at): (S, (NodeId, RecordKey)),
    seat: &mut Seat,
) -> Result<End, Status>
where
    F: Future<Output = Ended>,
    S: Future<Output = Ended>,
{
    let mut second = pin!(second);
    let mut left = Left::Both;
    loop {
        let event = poll_fn(|cx| {
            if left != Left::Only(Which::Second)
                && let Poll::Ready(ended) = first.as_mut().poll(cx)
            {
                return Poll::Ready(Ok(End { ended, which: Which::First, at: first_at }));
            }
            if left != Left::Only(Which::First)
                && let Poll::Ready(ended) = second.as_mut().poll(cx)
            {
                return Poll::Ready(Ok(End { ended, which: Which::Second, at: second_at }));
            }
            seat.poll_order(cx).map(Err)
        })
        .await;
        let end = match event {
            Ok(end) => end,
            Err(Order::Fail(status)) => return Err(status),
            Err(Order::Start { .. } | Order::Hedge { .. }) => {
                unreachable!("two attempts are enough")
            }
        };
        if left != Left::Both || is_answer(&end.ended) {
            return Ok(end);
        }
        left = Left::Only(match end.which {
            Which::First => Which::Second,
            Which::Second => Which::First,
        });
        if let Err(outcome) = settled(end.ended.outcome) {
            seat.report(end.which, outcome);
        }
    }
}

/// Which attempts are under way.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Left {
    Both,
    Only(Which),
}

fn is_answer(ended: &Ended) -> bool {
    matches!(ended.outcome, link::Outcome::Reply(..))
}

/// The reply, or what the requester is told of the failure.
pub(super) fn settled(outcome: link::Outcome) -> Result<(Payload, Option<Box<Options>>), Outcome> {
    match outcome {
        link::Outcome::Reply(payload, options) => Ok((payload, options)),
        link::Outcome::Nothing => unreachable!("a call is not a stream"),
        link::Outcome::Failed(status) => Err(Outcome::Failed(*status)),
        link::Outcome::NotSent => Err(Outcome::NotSent),
        link::Outcome::Lost => Err(Outcome::Lost),
    }
}
