//! Where does foca put what it wants? Into three lists, which are carried out after it returns.

use super::identity::Identity;
use foca::{Notification, OwnedNotification, Runtime, Timer, TimerToken};
use std::time::Duration;

/// What foca asked for during one call.
#[derive(Debug, Default)]
pub(super) struct Sink {
    pub(super) sends: Vec<(Identity, Vec<u8>)>,
    pub(super) timers: Vec<(Duration, Timer<Identity>)>,
    pub(super) notes: Vec<OwnedNotification<Identity>>,
    /// The token that foca's live timers carry.
    pub(super) token: TimerToken,
}

impl Runtime<Identity> for Sink {
    fn notify(&mut self, notification: Notification<'_, Identity>) {
        self.notes.push(notification.to_owned());
    }

    fn send_to(&mut self, to: Identity, data: &[u8]) {
        self.sends.push((to, data.to_vec()));
    }

    fn submit_after(&mut self, timer: Timer<Identity>, after: Duration) {
        if let Timer::ProbeRandomMember(token) = timer {
            self.token = token;
        }
        self.timers.push((after, timer));
    }
}
