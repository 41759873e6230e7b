//! What does a program see of slots? Which its requester holds, and what it hears of them.

use crate::info::Instance;
use homing_core::addr::TransportAddr;
use homing_core::name::Address;
use std::fmt;
use tokio::sync::broadcast::{self, error::RecvError};

/// A slot that a requester holds ([`Balancer::Slots`](crate::Balancer::Slots)).
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct HeldSlot {
    /// For calls to this address.
    pub address: Address,
    /// Its number. Low ones are used first.
    pub number: u32,
    /// Whose it is.
    pub instance: Instance,
}

/// Something that happened to a requester that balances by slots.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum RequesterEvent {
    /// A slot is held from now on.
    Connection {
        /// For calls to this address.
        address: Address,
        /// Its number.
        slot: u32,
        /// Of this instance.
        instance: Instance,
    },
    /// An instance that was asked for a slot could not be reached, or gave none. It is asked again.
    Unreachable {
        /// For calls to this address.
        address: Address,
        /// Which instance.
        instance: Instance,
        /// Where its node is said to be.
        addresses: Vec<TransportAddr>,
    },
    /// The listener was too far behind: so many are lost to it.
    Missed(u64),
}

/// One listener's place in the events of a requester. It hears what happens after it was made.
///
/// A listener may be slow or stop listening; neither holds up the requester.
pub struct RequesterEvents(pub(crate) broadcast::Receiver<RequesterEvent>);

impl RequesterEvents {
    /// Waits for the next event; `None` once the requester is gone and all was heard.
    ///
    /// May be dropped while it waits (in a `select!`): no event is lost by that.
    pub async fn next(&mut self) -> Option<RequesterEvent> {
        match self.0.recv().await {
            Ok(event) => Some(event),
            Err(RecvError::Lagged(missed)) => Some(RequesterEvent::Missed(missed)),
            Err(RecvError::Closed) => None,
        }
    }
}

impl fmt::Debug for RequesterEvents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequesterEvents").field("behind", &self.0.len()).finish_non_exhaustive()
    }
}
