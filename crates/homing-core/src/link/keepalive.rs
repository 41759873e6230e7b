//! Is the peer at the other end of a link still there?
//!
//! Any frame proves it, so a busy link costs nothing; a silent one is asked once, then given up.
//! The caller owns the socket and the clock. This module only decides.

use crate::time::Time;
use std::time::Duration;

/// The liveness of one link.
#[derive(Debug)]
pub struct Keepalive {
    patience: Patience,
    state: State,
}

/// How long a peer may stay silent. The sum bounds the time it takes to notice a dead one.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// Until we ask for a sign of life.
    pub before_ping: Duration,
    /// From asking until we give up.
    pub before_close: Duration,
}

/// What the caller must do now.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Action {
    /// Send a ping.
    Ping,
    /// Close the link: the peer is gone.
    Close,
}

impl Keepalive {
    /// Starts with the benefit of the doubt: a fresh link counts as just heard from.
    pub fn new(patience: Patience, now: Time) -> Self {
        Self { patience, state: State::Heard { at: now } }
    }

    /// Notes that bytes arrived. Too late is too late: a link given up stays given up.
    pub fn handle_bytes(&mut self, now: Time) {
        if !matches!(self.state, State::Gone) {
            self.state = State::Heard { at: now };
        }
    }

    /// Decides what silence until `now` calls for. Early and repeated calls are harmless.
    pub fn handle_timeout(&mut self, now: Time) -> Option<Action> {
        if now < self.poll_timeout()? {
            return None;
        }
        let (next, action) = match self.state {
            State::Heard { .. } => (State::Asked { at: now }, Action::Ping),
            State::Asked { .. } => (State::Gone, Action::Close),
            State::Gone => return None,
        };
        self.state = next;
        Some(action)
    }

    /// When to call [`handle_timeout`](Self::handle_timeout) next; `None` once the peer is gone.
    pub fn poll_timeout(&self) -> Option<Time> {
        match self.state {
            State::Heard { at } => Some(at + self.patience.before_ping),
            State::Asked { at } => Some(at + self.patience.before_close),
            State::Gone => None,
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum State {
    Heard { at: Time },
    Asked { at: Time },
    Gone,
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Patience =
        Patience { before_ping: Duration::from_secs(5), before_close: Duration::from_secs(2) };

    /// Replays bytes heard at the given seconds and reports what happened in `[0, 30]`, as text.
    #[track_caller]
    fn check(heard: &[u64], expect: &str) {
        let mut keepalive = Keepalive::new(PATIENCE, Time::ZERO);
        let mut log = Vec::new();
        for second in 0..=30 {
            let now = Time::from_millis(second * 1_000);
            if heard.contains(&second) {
                keepalive.handle_bytes(now);
            }
            if let Some(action) = keepalive.handle_timeout(now) {
                log.push(format!("{second}:{action:?}"));
            }
        }
        assert_eq!(log.join(" "), expect);
    }

    #[test]
    fn a_silent_peer_is_asked_once_then_given_up() {
        check(&[], "5:Ping 7:Close");
    }

    #[test]
    fn a_sign_of_life_after_the_question_starts_anew() {
        check(&[6, 10, 12], "5:Ping 17:Ping 19:Close");
    }

    #[test]
    fn a_late_answer_does_not_revive_the_link() {
        check(&[8, 9], "5:Ping 7:Close");
    }
}
