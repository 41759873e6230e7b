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
//! or a call. A node hears only of topics that it listens to.

mod message;
mod publisher;
mod subscription;

pub use message::Message;
pub use publisher::{Listener, Published, Publisher};
pub use subscription::{Subscribe, Subscription};
