//! What does a requester hear that no call says? Snapshots, time, the ends of links, and what its machine wishes of slots.

use super::Desk;
use homing_core::registry::Snapshot;
use homing_core::requester::Input;
use homing_core::time::Time;
use std::sync::Arc;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// How a node's snapshots come.
type Snapshots = watch::Receiver<Arc<Snapshot>>;

/// Tells the machine of snapshots and of time, and grants its wishes, until the last handle is gone.
pub(super) async fn follow(
    desk: Arc<Desk>,
    mut snapshots: Snapshots,
    last_handle: CancellationToken,
) {
    let clock = desk.runtime.clock;
    loop {
        // Before the look, so that no end of a link can be missed.
        let link_changed = desk.runtime.links.changed();
        if desk.max_slots.is_some() {
            desk.look_after_links();
        }
        let (due, wishes) = desk.with_state(|state| {
            state.armed = state.machine.poll_timeout().unwrap_or(Time::MAX);
            (state.armed, std::mem::take(&mut state.wishes))
        });
        for wish in wishes {
            desk.grant(wish);
        }
        tokio::select! {
            () = last_handle.cancelled() => break,
            () = desk.rearm.notified() => {}
            () = clock.sleep_until(due) => desk.handle_time(clock.now()),
            () = link_changed, if desk.max_slots.is_some() => {}
            changed = snapshots.changed() => match changed {
                Ok(()) => {
                    let snapshot = snapshots.borrow_and_update().clone();
                    desk.turn(|_| Input::Snapshot(snapshot));
                }
                Err(_) => break,
            },
        }
    }
    if desk.max_slots.is_some() {
        desk.give_up_slots();
    }
}
