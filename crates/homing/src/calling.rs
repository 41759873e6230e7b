//! What is it that a caller awaits?

use crate::error::CallError;
use crate::requester::{Call, Reply, Shared, replied};
use crate::runtime::calls::{Journey, Made};
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

/// A [`Call`] that is awaited. Dropping it stops the work behind it; after its end it is pending for ever.
#[must_use = "nothing is called until it is awaited"]
pub struct Calling(Stage);

enum Stage {
    /// Nothing was done yet.
    Planned(Call),
    Made(Arc<Shared>, Journey),
    Over,
}

impl Calling {
    pub(crate) const fn planned(call: Call) -> Self {
        Self(Stage::Planned(call))
    }
}

impl Stage {
    fn set_out(&mut self, cx: &mut Context<'_>) -> Poll<Made> {
        let Self::Planned(call) = std::mem::replace(self, Self::Over) else {
            unreachable!("a call sets out once");
        };
        let (shared, journey, made) = call.set_out(cx);
        *self = Self::Made(shared, journey);
        made
    }
}

impl Future for Calling {
    type Output = Result<Reply, CallError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let stage = &mut self.get_mut().0;
        let made = match stage {
            Stage::Planned(_) => stage.set_out(cx),
            Stage::Made(_, journey) => journey.poll(cx),
            Stage::Over => return Poll::Pending,
        };
        let Poll::Ready(made) = made else { return Poll::Pending };
        let Stage::Made(shared, _) = std::mem::replace(stage, Stage::Over) else {
            unreachable!("only what was made ends");
        };
        Poll::Ready(replied(shared, made))
    }
}

impl fmt::Debug for Calling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Stage::Planned(call) => call.fmt(f),
            Stage::Made(..) => f.write_str("Calling(under way)"),
            Stage::Over => f.write_str("Calling(over)"),
        }
    }
}
