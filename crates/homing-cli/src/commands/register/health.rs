//! Is a service well enough to stay in the registry?
//!
//! It is registered at its first success, freed when there was none for its lifetime, and registered again at the next.

use std::time::Duration;
use tokio::time::Instant;

/// What is known of the health of one service.
#[derive(Debug)]
pub(super) struct Health {
    lifetime: Duration,
    state: State,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    /// It was never well, and nobody was told that.
    Unknown,
    /// It is registered.
    Well { last: Instant },
    /// It is not registered, and that was told.
    Ill,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Step {
    Register,
    Free,
    /// Say that it waits for the first success.
    Wait,
}

impl Health {
    pub(super) const fn new(lifetime: Duration) -> Self {
        Self { lifetime, state: State::Unknown }
    }

    /// Notes what came of a look at it.
    pub(super) fn note(&mut self, is_well: bool, now: Instant) -> Option<Step> {
        match (self.state, is_well) {
            (State::Well { .. }, true) => {
                self.state = State::Well { last: now };
                None
            }
            (State::Unknown | State::Ill, true) => {
                self.state = State::Well { last: now };
                Some(Step::Register)
            }
            (State::Unknown, false) => {
                self.state = State::Ill;
                Some(Step::Wait)
            }
            (State::Well { last }, false) if now.duration_since(last) >= self.lifetime => {
                self.state = State::Ill;
                Some(Step::Free)
            }
            (State::Well { .. } | State::Ill, false) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Looks every 5 s at a service with a lifetime of 15 s: `+` it is well, `-` it is not.
    #[track_caller]
    fn check(looks: &str, expect: &str) {
        let start = Instant::now();
        let mut health = Health::new(Duration::from_secs(15));
        let mut steps = Vec::new();
        for (number, look) in (0_u32..).zip(looks.chars()) {
            let now = start + Duration::from_secs(5) * number;
            if let Some(step) = health.note(look == '+', now) {
                steps.push(format!("{}:{step:?}", number * 5));
            }
        }
        assert_eq!(steps.join(" "), expect);
    }

    #[test]
    fn it_is_registered_at_its_first_success() {
        check("+++", "0:Register");
        check("--+", "0:Wait 10:Register");
    }

    #[test]
    fn a_failure_or_two_end_nothing() {
        check("+--+--+--+", "0:Register");
    }

    #[test]
    fn without_success_for_its_lifetime_it_is_freed_until_the_next() {
        check("+-----++", "0:Register 15:Free 30:Register");
    }
}
