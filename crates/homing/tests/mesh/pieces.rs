//! Are items that are read while they come the same as whole ones, and does who stops in the middle stop their writer?

use crate::house::{know, two};
use homing::testing::Network;
use homing::{
    Context, Item, ItemReader, Node, Payload, RawItems, RawWriter, Replies, Requests, Status,
};
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::sync::Notify;
use tokio::time::timeout;

/// Bytes of the items of a stream: none, some, a chunk, more than a window of bulk.
const SIZES: [usize; 6] = [0, 5, 16 * 1024, 16 * 1024 + 1, 3_000_000, 70_000];

fn item(number: usize) -> Vec<u8> {
    let first = u8::try_from(number).unwrap();
    (0..SIZES[number]).map(|at| first.wrapping_add(u8::try_from(at % 251).unwrap())).collect()
}

async fn serve_items(node: &Node) {
    let say = |_: RawItems, writer: RawWriter, _: Context| async move {
        for number in 0..SIZES.len() - 1 {
            writer.write(Payload::raw(item(number))).await?;
        }
        writer.end(Payload::raw(item(SIZES.len() - 1))).await
    };
    std::mem::forget(node.responder("items").serve_stream_raw(say).await.unwrap());
}

/// A stream of them, over a link and within a node; with what has to live as long.
async fn ways(seed: u64) -> [(Replies<()>, (Network, Node, Node)); 2] {
    let (network, server, client) = two(seed).await;
    let (other, alone, _) = two(seed + 100).await;
    for node in [&server, &alone] {
        serve_items(node).await;
    }
    know(&client, "items", 1).await;
    [(network, server, client), (other, alone.clone(), alone)].map(|held| {
        let callee = held.2.requester().build().to("items").unwrap();
        (callee.stream_raw(Payload::default()), held)
    })
}

/// Tells when a writer is gone.
struct AtWork(Arc<Notify>);

impl Drop for AtWork {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

async fn read<E: Debug>(mut reader: ItemReader<'_, E>) -> (Vec<u8>, bool) {
    let mut all = Vec::new();
    while let Some(chunk) = reader.chunk().await.unwrap() {
        assert!(!chunk.is_empty());
        all.extend_from_slice(&chunk);
    }
    assert!(reader.chunk().await.unwrap().is_none(), "again");
    (all, reader.is_final())
}

#[tokio::test(start_paused = true)]
async fn items_read_in_chunks_are_those_that_were_written() {
    for (mut replies, _held) in ways(41).await {
        for number in 0..SIZES.len() {
            let reader = replies.next_reader().await.unwrap().unwrap();
            let (bytes, is_final) = read(reader).await;
            assert!(bytes == item(number), "item {number}");
            assert_eq!(is_final, number == SIZES.len() - 1);
        }
        assert!(replies.next_reader().await.is_none());
    }
}

#[tokio::test(start_paused = true)]
async fn whole_items_and_readers_take_turns() {
    for (mut replies, _held) in ways(42).await {
        for number in 0..SIZES.len() {
            let bytes = if number % 2 == 0 {
                read(replies.next_reader().await.unwrap().unwrap()).await.0
            } else {
                replies.next_raw().await.unwrap().unwrap().into_inner().bytes.to_vec()
            };
            assert!(bytes == item(number), "item {number}");
        }
        assert!(replies.next_raw().await.is_none());
    }
}

#[tokio::test(start_paused = true)]
async fn the_rest_of_an_item_is_passed_over_when_its_reader_is_dropped() {
    for (mut replies, _held) in ways(43).await {
        for expect in (0..SIZES.len() - 1).map(item) {
            let mut reader = replies.next_reader().await.unwrap().unwrap();
            let mut some = vec![0; expect.len().min(7)];
            reader.read_exact(&mut some).await.unwrap();
            assert_eq!(some, expect[..some.len()]);
        }
        let last = replies.next_raw().await.unwrap().unwrap();
        assert!(last == Item::Final(Payload::raw(item(SIZES.len() - 1))), "the last");
    }
}

#[tokio::test(start_paused = true)]
async fn a_handler_reads_in_chunks_what_its_caller_streams() {
    let (_network, server, client) = two(44).await;
    let count = |mut asked: RawItems, writer: RawWriter, _: Context| async move {
        let mut number = 0;
        while let Some(reader) = asked.next_reader().await {
            assert!(read(reader?).await.0 == item(number), "item {number}");
            number += 1;
        }
        writer.end(Payload::raw(vec![u8::try_from(number).unwrap()])).await
    };
    let _counting = server.responder("count").serve_stream_raw(count).await.unwrap();
    know(&client, "count", 1).await;
    let callee = client.requester().build().to("count").unwrap();
    let (mut requests, mut replies): (Requests<()>, Replies<()>) =
        callee.open::<(), ()>().await.unwrap();
    for number in 0..SIZES.len() {
        requests.write_raw(Payload::raw(item(number))).await.unwrap();
    }
    requests.end_with_nothing();
    let counted = replies.next_raw().await.unwrap().unwrap().into_inner();
    assert_eq!(counted.bytes[0] as usize, SIZES.len());
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_leaves_in_the_middle_of_an_item_stops_its_writer() {
    let (_network, server, client) = two(45).await;
    let stopped = Arc::new(Notify::new());
    let told = Arc::clone(&stopped);
    let flood = move |_: RawItems, writer: RawWriter, _: Context| {
        let at_work = AtWork(Arc::clone(&told));
        async move {
            while writer.write(Payload::raw(vec![7; 4_000_000])).await.is_ok() {}
            drop(at_work);
            Ok::<_, Status>(())
        }
    };
    let _flooding = server.responder("flood").serve_stream_raw(flood).await.unwrap();
    know(&client, "flood", 1).await;
    let callee = client.requester().build().to("flood").unwrap();
    let mut replies: Replies<()> = callee.stream_raw(Payload::default());
    let mut reader = replies.next_reader().await.unwrap().unwrap();
    assert!(reader.chunk().await.unwrap().is_some());
    drop(replies);
    timeout(Duration::from_secs(1), stopped.notified()).await.expect("within a second");
}
