//! Who gets a message that is published, and what becomes of it where there is no room?
//!
//! A node asks publishers for messages in [lanes](crate::registry::Lane), one for each set of patterns that its
//! subscriptions have ([`Subscriptions`]); they are in the registry. A publisher finds the lanes that match a topic
//! ([`Plan`]), puts the message, encoded once ([`Encoded`]), into the [`Outlet`] of each, and the driver sends what an
//! outlet holds as the items of one stream: each a batch of messages, under the stream's credit. At the other end a batch
//! is split into [`Run`]s, which wait in the [`Queue`] of each subscription until its program takes them.
//!
//! | where there is no room | [`Slow::Wait`](crate::registry::Slow::Wait) | `DropOldest` | `DropNewest` |
//! |---|---|---|---|
//! | in a subscription's queue | the batch waits, and so its stream's credit; where other subscriptions wait behind it, so long, then the message goes, and it is not waited for that subscription until it takes something | the first message of the queue goes | the message goes |
//! | in a publisher's outlet | the publisher waits, so long; then the message goes, and it is not waited for that lane until it takes something | the first batch goes | the message goes |
//!
//! At most once (decisions E11): nothing is sent again. What goes is counted where it goes, and told to the other side.

mod batch;
#[cfg(test)]
mod golden_tests;
#[cfg(test)]
mod model_tests;
mod outlet;
mod plan;
mod queue;
mod subscriptions;

#[cfg(test)]
mod samples;
#[cfg(test)]
mod tests;

pub use batch::{Batch, Encoded, Message, Run, split};
pub use outlet::{Counts, Outlet, Put, Report};
pub use plan::{Group, LaneName, Plan};
pub use queue::{Dropped, Queue};
pub use subscriptions::{Subscriber, SubscriptionId, Subscriptions, Wish};
