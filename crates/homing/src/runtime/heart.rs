//! Is what this node registered known elsewhere by now? The heart beats when it is.
//!
//! Once each interval some members are asked for every own record that none has confirmed yet. When none is left, and
//! somebody else is there at all, it beats. A record that was confirmed once is not asked for again, so that at rest a
//! beat costs nothing. The heart stands still until somebody listens.

use super::{Runtime, Said};
use homing_core::limits::SPREADS_MAX;
use homing_core::registry::{NodeState, RecordKey};
use parking_lot::Mutex;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::{oneshot, watch};

/// When it beats, and what it need not ask for any more.
#[derive(Default)]
pub(crate) struct Heart {
    beats: watch::Sender<u64>,
    is_beating: AtomicBool,
    /// Records of this node that others hold.
    arrived: Mutex<BTreeSet<RecordKey>>,
}

impl Heart {
    /// What is said under this key is something else now, or nothing.
    pub(crate) fn forget(&self, key: RecordKey) {
        self.arrived.lock().remove(&key);
    }

    fn missing(&self, keys: Vec<RecordKey>) -> Vec<RecordKey> {
        let arrived = self.arrived.lock();
        keys.into_iter().filter(|key| !arrived.contains(key)).collect()
    }
}

impl Runtime {
    /// Another number with each beat from now on.
    pub(crate) fn beats(self: &Arc<Self>) -> watch::Receiver<u64> {
        let heart = &self.offers.heart;
        if !heart.is_beating.swap(true, Ordering::AcqRel) && !self.is_over() {
            self.life.tasks.spawn_on(beat(Arc::clone(self)), &self.life.threads);
        }
        let mut beats = heart.beats.subscribe();
        beats.mark_unchanged();
        beats
    }

    fn is_alone(&self) -> bool {
        let snapshot = self.snapshots.borrow();
        !snapshot.nodes().any(|known| known.id != self.me.id && known.state == NodeState::Alive)
    }
}

async fn beat(runtime: Arc<Runtime>) {
    let interval = runtime.settings.timings.heartbeat_interval;
    let over = runtime.over_token();
    loop {
        let beating = async {
            tokio::time::sleep(interval).await;
            if !runtime.is_alone() && have_all_arrived(&runtime).await {
                runtime.offers.heart.beats.send_modify(|beat| *beat += 1);
            }
        };
        tokio::select! {
            () = beating => {}
            () = over.cancelled() => return,
        }
    }
}

async fn have_all_arrived(runtime: &Runtime) -> bool {
    let heart = &runtime.offers.heart;
    let missing = heart.missing(runtime.offers.keys());
    for few in missing.chunks(SPREADS_MAX / 2) {
        // All of them are asked for before the first answer is waited for.
        let mut asked = Vec::new();
        for key in few {
            let (answer, known) = oneshot::channel();
            runtime.say_surely(Said::Sample { key: *key, answer }).await;
            asked.push((*key, known));
        }
        for (key, known) in asked {
            if known.await.is_ok_and(|spread| spread.acknowledged > 0) {
                heart.arrived.lock().insert(key);
            }
        }
    }
    heart.missing(missing).is_empty()
}
