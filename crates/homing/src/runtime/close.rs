//! How does a node go, so that nobody is hurt?
//!
//! Offers are withdrawn first, so that requesters look elsewhere; those that are at work are told to drain, so that others
//! see why nothing more goes there. What is under way ends; what still arrives is refused as not started (decisions D6). Then the node says goodbye, its links drain, and every task ends.

use super::offers::OfferCell;
use super::{Runtime, Said, packets};
use crate::events::Event;
use homing_core::limits::GOING_DRAIN_TIME;
use homing_core::link::Input;
use homing_core::registry::{OfferRecord, OfferState};
use homing_core::talk::{Code, Status};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;

/// How long the goodbye itself may take.
const GOODBYE: Duration = Duration::from_secs(1);

impl Runtime {
    /// Goes in peace: waits for calls under way up to `drain`, returns when every socket is shut.
    pub(crate) async fn close(self: &Arc<Self>, drain: Duration) {
        if self.life.over.is_cancelled() {
            return self.life.tasks.wait().await;
        }
        let offers = self.offers.all();
        for offer in &offers {
            self.say_surely(parting(offer)).await;
            offer.drain(self);
        }
        let all_idle = async {
            for offer in &offers {
                offer.is_idle().await;
            }
        };
        // Who is not done by then is stopped with its link.
        let _ = tokio::time::timeout(drain, all_idle).await;
        self.topics.outlets.finish().await;
        self.life.closing.cancel();
        packets::rest_all(self, GOODBYE.min(drain)).await;
        self.say_goodbye().await;
        for link in self.links.all() {
            link.handle(Input::Drain);
        }
        let drain_links = drain.min(GOING_DRAIN_TIME);
        let _ = tokio::time::timeout(drain_links, self.links.all_closed()).await;
        self.end().await;
    }

    /// Goes at once.
    pub(crate) async fn close_now(self: &Arc<Self>) {
        self.life.closing.cancel();
        self.say_goodbye().await;
        self.end().await;
    }

    /// The last handle is gone: everything ends at once, and nobody waits for it.
    pub(crate) fn abandon(&self) {
        self.life.closing.cancel();
        for link in self.links.all() {
            link.handle(Input::Close(Status::new(Code::Unavailable, "the node is gone")));
        }
        self.topics.board.end();
        self.end_life();
    }

    async fn say_goodbye(&self) {
        let (asker, left) = oneshot::channel();
        self.say(Said::Leave(asker));
        let _ = tokio::time::timeout(GOODBYE, left).await;
    }

    async fn end(&self) {
        self.topics.board.end();
        for link in self.links.all() {
            link.handle(Input::Close(Status::new(Code::Unavailable, "the node is closing")));
        }
        let _ = tokio::time::timeout(GOODBYE, self.links.all_closed()).await;
        self.end_life();
        self.life.tasks.wait().await;
        self.events.tell(Event::Closed);
    }
}

/// What is said of an offer whose node goes: nothing more, or that it ends what it is at. The goodbye ends both.
fn parting(offer: &OfferCell) -> Said {
    let key = offer.key;
    if offer.load().running == 0 {
        return Said::Withdraw { key };
    }
    let record = OfferRecord { state: OfferState::Draining, ..OfferRecord::clone(&offer.record) };
    // Where it is refused there is nobody who would see it.
    let (answer, _) = oneshot::channel();
    Said::Offer { key, offer: Arc::new(record), answer }
}
