//! How does a program publish messages, and listen to them?
//!
//! ```
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! # let node = homing::Node::join(homing::Config::isolated()).await?;
//! let mut orders = node.subscribe(["orders.*"]).await?;
//! node.publish("orders.created", &17).await?;
//! let message = orders.next().await.expect("the node is not closed");
//! assert_eq!(message.topic().as_str(), "orders.created");
//! assert_eq!(message.value::<u32>()?, 17);
//! # node.close().await;
//! # Ok(())
//! # }
//! # tokio::runtime::Runtime::new().unwrap().block_on(example()).unwrap();
//! ```
//!
//! A message reaches each subscription at most once, and nothing is sent again: what has to arrive is a job for a queue,
//! or a call. It goes to nodes that listen, and to no others; a [`Publisher`] remembers which.
//!
//! - A subscription hears what is published after it is made: here at once, elsewhere as soon as the others know of it,
//!   which [`Subscription::ready`] waits for.
//! - Messages of one publisher on one topic come in their order; not to members of a [group](Subscribe::group), and not
//!   while a node puts what it asks for in other words, as when it has too many subscriptions for one record.
//! - Where a subscription has no room, [`Slow`](crate::Slow) says whether publishers wait or messages are dropped.
//!   [`Subscription::dropped`] and [`Publisher::listeners`] count what did not come.
//! - An [access list](crate::AccessList) says who may publish what to a node, and who may hear what it publishes. Who may
//!   not is no error for a publisher: its messages count as dropped.

mod message;
mod publisher;
mod subscription;

pub use message::Message;
pub use publisher::{Listener, Published, Publisher};
pub use subscription::{Subscribe, Subscription};
