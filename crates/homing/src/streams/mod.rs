//! How does a program read and write streams?
//!
//! A method may answer with several values, take several, or both at once. Items come in order. A reader that is slow
//! slows its writer: what waits for it stays within a window of 256 KiB and one item, at either end. A reader that goes
//! away stops its writer within a round trip, through services in the middle too. Who need not have a large item whole
//! reads it while it comes, and holds no more than the window: [`Replies::next_reader`], [`Items::next_reader`].
//!
//! ```
//! use homing::testing::Network;
//! use homing::{Config, Context, Node, Replies, Status, Writer};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! # let network = Network::new(1);
//! # let node = Node::join(Config::testing(&network, "one")).await?;
//! let count = |to: u32, writer: Writer<u32>, _: Context| async move {
//!     for number in 1..to {
//!         writer.write(&number).await?;
//!     }
//!     writer.end(&to).await
//! };
//! let _serving = node.responder("count").serve_stream(count).await?;
//!
//! let callee = node.requester().build().to("count")?;
//! let mut numbers: Replies<u32> = callee.stream(&3);
//! while let Some(number) = numbers.next().await {
//!     println!("{}", number?);
//! }
//! # Ok(())
//! # }
//! # let mut runtime = tokio::runtime::Builder::new_current_thread();
//! # runtime.enable_all().start_paused(true).build().unwrap().block_on(example()).unwrap();
//! ```

mod items;
mod open;
mod pieces;
mod replies;
mod writer;

pub use items::{Item, Items, RawItems};
pub use open::{Opening, Requests};
pub use pieces::ItemReader;
pub(crate) use replies::Plan;
pub use replies::Replies;
pub use writer::{RawWriter, Writer};

use homing_core::limits::CHUNK_MAX;
use homing_core::talk::{Code, Payload, Status};
use std::future::Future;
use tokio::io::{AsyncRead, AsyncReadExt};

/// Hands what is read to `write`, as raw items of what each read gave, until there is no more; the bytes in all.
async fn pipe<R, F>(mut from: R, mut write: impl FnMut(Payload) -> F) -> Result<u64, Status>
where
    R: AsyncRead + Unpin,
    F: Future<Output = Result<(), Status>>,
{
    let mut total = 0;
    loop {
        let mut room = bytes::BytesMut::with_capacity(CHUNK_MAX);
        let count = from
            .read_buf(&mut room)
            .await
            .map_err(|why| Status::new(Code::DataLoss, format!("reading: {why}")))?;
        if count == 0 {
            return Ok(total);
        }
        total += count as u64;
        write(Payload::raw(room)).await?;
    }
}
