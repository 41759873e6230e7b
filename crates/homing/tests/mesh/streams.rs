//! Do streams keep their order, slow down for a slow reader, and end where nobody listens, hops away too?

use crate::house::{join_many, know, two, until};
use homing::limits::WINDOW;
use homing::testing::Network;
use homing::{CallError, Code, Context, Item, Items, Node, Payload, Replies, Status, Writer};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::time::{sleep, timeout};

/// Counts from 1, for ever if need be; the last number is final.
async fn serve_count(node: &Node, written: &Arc<AtomicUsize>) {
    let written = Arc::clone(written);
    let count = move |to: usize, writer: Writer<Vec<u8>>, _: Context| {
        let written = Arc::clone(&written);
        async move {
            for number in 1..to {
                writer.write(&number.to_be_bytes().repeat(500)).await?;
                written.store(number, Ordering::Relaxed);
            }
            writer.end(&to.to_be_bytes().to_vec()).await
        }
    };
    // The guard is held by nobody: the offer stays as long as its node.
    std::mem::forget(node.responder("count").serve_stream(count).await.unwrap());
}

fn number(item: &[u8]) -> usize {
    usize::from_be_bytes(*item.first_chunk().unwrap())
}

/// Two nodes, and one alone: both ways a stream can go.
async fn ways(seed: u64) -> [(Network, Node, Node); 2] {
    let (network, server, client) = two(seed).await;
    let (other, alone, _) = two(seed + 100).await;
    [(network, server, client), (other, alone.clone(), alone)]
}

#[tokio::test(start_paused = true)]
async fn items_come_in_order_and_the_final_one_is_told_apart() {
    for (_network, server, client) in ways(1).await {
        serve_count(&server, &Arc::default()).await;
        know(&client, "count", 1).await;
        let mut replies: Replies<Vec<u8>> =
            client.requester().build().to("count").unwrap().stream(&300);
        for expect in 1..300 {
            let Some(Ok(Item::Partial(item))) = replies.next_item().await else {
                panic!("{expect}")
            };
            assert_eq!(number(&item), expect);
        }
        let Some(Ok(Item::Final(item))) = replies.next_item().await else { panic!("no final") };
        assert_eq!(number(&item), 300);
        assert!(replies.next_item().await.is_none());
        let last: Replies<Vec<u8>> = client.requester().build().to("count").unwrap().stream(&20);
        assert_eq!(number(&last.last().await.unwrap().unwrap()), 20);
    }
}

#[tokio::test(start_paused = true)]
async fn after_its_end_a_writer_says_so_and_takes_nothing_more() {
    for (_network, server, client) in ways(12).await {
        let (said, mut heard) = tokio::sync::mpsc::channel(1);
        let ended = move |(): (), writer: Writer<u32>, _: Context| {
            let said = said.clone();
            async move {
                assert!(writer.is_active());
                writer.end(&1).await?;
                let late = writer.write(&2).await.map_err(|status| status.code);
                said.send((writer.is_active(), late)).await.unwrap();
                Ok::<_, Status>(())
            }
        };
        let _ended = server.responder("ended").serve_stream(ended).await.unwrap();
        let callee = client.requester().build().to("ended").unwrap();
        let mut replies: Replies<u32> = callee.stream(&());
        assert_eq!(replies.next_item().await.unwrap().unwrap(), Item::Final(1));
        assert!(replies.next_item().await.is_none());
        assert_eq!(heard.recv().await, Some((false, Err(Code::Cancelled))));
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_reader_slows_its_writer_and_nobody_else() {
    for (_network, server, client) in ways(2).await {
        let written = Arc::new(AtomicUsize::new(0));
        serve_count(&server, &written).await;
        server.serve("echo", |text: String| async move { text }).await.unwrap();
        know(&client, "count", 1).await;
        know(&client, "echo", 1).await;
        let mut replies: Replies<Vec<u8>> =
            client.requester().build().to("count").unwrap().stream(&1_000_000);
        replies.next().await.unwrap().unwrap();
        sleep(Duration::from_secs(5)).await;
        let count = written.load(Ordering::Relaxed);
        assert!(count > 10 && count * 4_000 < 3 * WINDOW as usize, "{count} items were written");
        let reply: String = client.call("echo", "not behind it").await.unwrap();
        assert_eq!(reply, "not behind it");
        for _ in 0..200 {
            replies.next().await.unwrap().unwrap();
        }
        until("it writes on", || async {
            (written.load(Ordering::Relaxed) > count + 50).then_some(())
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_reader_gets_every_item_and_the_final_one() {
    for (_network, server, client) in ways(13).await {
        serve_count(&server, &Arc::default()).await;
        let mut replies: Replies<Vec<u8>> =
            client.requester().build().to("count").unwrap().stream(&200);
        for expect in 1..=200 {
            let item = replies.next_item().await.unwrap().unwrap();
            assert_eq!(number(&item.into_inner()), expect);
            sleep(Duration::from_secs(1)).await;
        }
        assert!(replies.next_item().await.is_none());
    }
}

/// Tells when its writer sees that nobody listens, and when its future is gone.
#[derive(Clone, Default)]
struct Seen {
    closed: Arc<AtomicUsize>,
    dropped: Arc<AtomicUsize>,
    at_work: Arc<AtomicUsize>,
}

struct AtWork(Seen);

impl Drop for AtWork {
    fn drop(&mut self) {
        self.0.dropped.fetch_add(1, Ordering::Relaxed);
    }
}

async fn serve_ticks(node: &Node, seen: &Seen) {
    let seen = seen.clone();
    let ticks = move |(): (), writer: Writer<u32>, context: Context| {
        let seen = seen.clone();
        async move {
            let at_work = AtWork(seen.clone());
            seen.at_work.fetch_add(1, Ordering::Relaxed);
            tokio::spawn(async move {
                context.closed().await;
                assert!(!context.is_active());
                seen.closed.fetch_add(1, Ordering::Relaxed);
            });
            for number in 0_u32.. {
                writer.write(&number).await?;
                sleep(Duration::from_millis(10)).await;
            }
            drop(at_work);
            Ok::<_, Status>(())
        }
    };
    std::mem::forget(node.responder("ticks").serve_stream(ticks).await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_leaves_stops_its_writer_and_its_writer_sees_it() {
    for (_network, server, client) in ways(3).await {
        let seen = Seen::default();
        serve_ticks(&server, &seen).await;
        know(&client, "ticks", 1).await;
        let mut replies: Replies<u32> = client.requester().build().to("ticks").unwrap().stream(&());
        for expect in 0..5 {
            assert_eq!(replies.next().await.unwrap().unwrap(), expect);
        }
        drop(replies);
        let both = until("both are told", || async {
            let (closed, dropped) = (&seen.closed, &seen.dropped);
            (closed.load(Ordering::Relaxed) == 1 && dropped.load(Ordering::Relaxed) == 1)
                .then_some(())
        });
        timeout(Duration::from_secs(1), both).await.expect("within a second");
    }
}

#[tokio::test(start_paused = true)]
async fn an_end_travels_through_a_service_in_the_middle() {
    let network = Network::new(4);
    let nodes = join_many(&network, 3).await;
    let seen = Seen::default();
    serve_ticks(&nodes[2], &seen).await;
    know(&nodes[1], "ticks", 1).await;
    let through = nodes[1].requester().build().to("ticks").unwrap();
    let pass = move |(): (), _: Context| -> Replies<u32> { through.stream(&()) };
    let _pass = nodes[1].responder("pass").serve_stream(pass).await.unwrap();
    know(&nodes[0], "pass", 1).await;
    let mut replies: Replies<u32> = nodes[0].requester().build().to("pass").unwrap().stream(&());
    for expect in 0..5 {
        assert_eq!(replies.next().await.unwrap().unwrap(), expect);
    }
    drop(replies);
    let stopped = until("the last one stops", || async {
        (seen.dropped.load(Ordering::Relaxed) == 1).then_some(())
    });
    timeout(Duration::from_secs(1), stopped).await.expect("within a second");
}

async fn sum(mut numbers: Items<u64>, _: Context) -> Result<u64, Status> {
    let mut sum = 0;
    while let Some(number) = numbers.next().await {
        sum += number?;
    }
    Ok(sum)
}

async fn double(mut numbers: Items<u64>, writer: Writer<u64>, _: Context) -> Result<(), Status> {
    while let Some(number) = numbers.next().await {
        writer.write(&(number? * 2)).await?;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn requests_stream_and_both_directions_at_once() {
    for (_network, server, client) in ways(5).await {
        let _sum = server.responder("sum").serve_stream(sum).await.unwrap();
        let _double = server.responder("double").serve_stream(double).await.unwrap();
        let requester = client.requester().build();
        requester.ready("sum").await.unwrap();
        requester.ready("double").await.unwrap();

        let (mut requests, replies) =
            requester.to("sum").unwrap().open::<u64, u64>().await.unwrap();
        for number in 0..20_000 {
            requests.write(&number).await.unwrap();
        }
        requests.end(&1).await.unwrap();
        assert_eq!(replies.last().await.unwrap(), Some(19_999 * 10_000 + 1));
        let alone: u64 = requester.call("sum", &7).await.unwrap();
        assert_eq!(alone, 7, "a call is a stream of one");

        let (mut requests, mut replies) =
            requester.to("double").unwrap().open::<u64, u64>().await.unwrap();
        for number in 0..1_000 {
            requests.write(&number).await.unwrap();
            assert_eq!(replies.next().await.unwrap().unwrap(), number * 2);
        }
        requests.end_with_nothing();
        assert!(replies.next().await.is_none());
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_asked_and_not_ended_is_cut_off_at_both_ends() {
    for (_network, server, client) in ways(6).await {
        let cut = Arc::new(AtomicUsize::new(0));
        let seen = Arc::clone(&cut);
        let listen = move |mut numbers: Items<u64>, _: Context| {
            let at_work = AtWork(Seen { dropped: Arc::clone(&seen), ..Seen::default() });
            async move {
                while let Some(number) = numbers.next().await {
                    number?;
                }
                drop(at_work);
                Ok::<_, Status>(())
            }
        };
        let _listen = server.responder("listen").serve_stream(listen).await.unwrap();
        know(&client, "listen", 1).await;
        let callee = client.requester().build().to("listen").unwrap();
        let (mut requests, mut replies) = callee.open::<u64, ()>().await.unwrap();
        requests.write(&1).await.unwrap();
        sleep(Duration::from_millis(100)).await;
        drop(requests);
        let error = replies.next().await.unwrap().unwrap_err();
        assert_eq!(error.code(), Code::Cancelled, "{error}");
        let stopped =
            until("it stops", || async { (cut.load(Ordering::Relaxed) == 1).then_some(()) });
        timeout(Duration::from_secs(1), stopped).await.expect("within a second");
    }
}

#[tokio::test(start_paused = true)]
async fn a_failure_comes_after_what_was_written() {
    for (_network, server, client) in ways(7).await {
        let torn = |(): (), writer: Writer<u32>, _: Context| async move {
            for number in 0..1_000 {
                writer.write(&number).await?;
            }
            Err::<(), _>(Status::new(Code::DataLoss, "torn"))
        };
        let _torn = server.responder("torn").serve_stream(torn).await.unwrap();
        know(&client, "torn", 1).await;
        let mut replies: Replies<u32> = client.requester().build().to("torn").unwrap().stream(&());
        for expect in 0..1_000 {
            assert_eq!(replies.next().await.unwrap().unwrap(), expect);
        }
        let error = replies.next().await.unwrap().unwrap_err();
        assert_eq!(error.to_string(), "DATA_LOSS: torn");
        assert!(error.instance().is_some());
        assert!(replies.next().await.is_none());
    }
}

#[tokio::test(start_paused = true)]
async fn calls_and_streams_that_do_not_fit_each_other_say_so() {
    for (_network, server, client) in ways(8).await {
        server.serve("plain", |number: u64| async move { number + 1 }).await.unwrap();
        serve_count(&server, &Arc::default()).await;
        know(&client, "plain", 1).await;
        know(&client, "count", 1).await;
        let requester = client.requester().build();
        let mut replies: Replies<u64> = requester.to("plain").unwrap().stream(&1);
        assert_eq!(replies.next_item().await.unwrap().unwrap(), Item::Final(2));
        assert!(replies.next_item().await.is_none());
        let (_requests, mut replies) =
            requester.to("plain").unwrap().open::<u64, u64>().await.unwrap();
        let error = replies.next().await.unwrap().unwrap_err();
        assert_eq!(error.code(), Code::Unimplemented, "{error}");
        let many: Result<Vec<u8>, CallError> = requester.call("count", &5).await;
        let one: Vec<u8> = requester.call("count", &1).await.unwrap();
        assert_eq!(number(&one), 1);
        assert_eq!(many.unwrap_err().code(), Code::Unimplemented);
    }
}

#[tokio::test(start_paused = true)]
async fn whatever_can_be_read_is_piped() {
    for (_network, server, client) in ways(9).await {
        let text: Vec<u8> =
            (0..200_000_u32).map(|number| u8::try_from(number % 251).unwrap()).collect();
        let given = text.clone();
        let file = move |(): (), writer: Writer<()>, _: Context| {
            let given = given.clone();
            async move {
                let count = writer.raw().pipe(&given[..]).await?;
                writer.raw().end(Payload::raw(count.to_string())).await
            }
        };
        let _file = server.responder("file").serve_stream(file).await.unwrap();
        know(&client, "file", 1).await;
        let mut replies: Replies<()> = client.requester().build().to("file").unwrap().stream(&());
        let mut got = Vec::new();
        loop {
            match replies.next_raw().await.unwrap().unwrap() {
                Item::Partial(payload) => got.extend_from_slice(&payload.bytes),
                Item::Final(count) => break assert_eq!(&count.bytes[..], b"200000"),
            }
        }
        assert!(got == text);
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_falls_silent_ends_when_it_was_bounded() {
    let (_network, server, client) = two(10).await;
    let once = |(): (), writer: Writer<u32>, _: Context| async move {
        writer.write(&1).await?;
        sleep(Duration::from_hours(1)).await;
        Ok::<_, Status>(())
    };
    let _once = server.responder("once").serve_stream(once).await.unwrap();
    know(&client, "once", 1).await;
    let callee = client.requester().build().to("once").unwrap();
    let mut replies: Replies<u32> = callee.stream(&()).idle(Duration::from_secs(2));
    assert_eq!(replies.next().await.unwrap().unwrap(), 1);
    let ended = timeout(Duration::from_secs(3), replies.next()).await.expect("after two seconds");
    assert_eq!(ended.unwrap().unwrap_err().code(), Code::DeadlineExceeded);
    let mut patient: Replies<u32> = callee.stream(&());
    assert_eq!(patient.next().await.unwrap().unwrap(), 1);
    assert!(timeout(Duration::from_mins(1), patient.next()).await.is_err(), "no limit by default");
}

#[tokio::test(start_paused = true)]
async fn a_stream_is_tried_elsewhere_until_its_first_item_and_not_after() {
    let network = Network::new(11);
    let nodes = join_many(&network, 3).await;
    let seen = Seen::default();
    for node in &nodes[..2] {
        let (seen, name) = (seen.clone(), node.info().name.to_string());
        let slow = move |(): (), writer: Writer<String>, _: Context| {
            let (seen, name) = (seen.clone(), name.clone());
            async move {
                seen.at_work.fetch_add(1, Ordering::Relaxed);
                sleep(Duration::from_secs(2)).await;
                writer.write(&name).await?;
                sleep(Duration::from_hours(1)).await;
                Ok::<_, Status>(())
            }
        };
        std::mem::forget(node.responder("slow").repeatable(true).serve_stream(slow).await.unwrap());
    }
    know(&nodes[2], "slow", 2).await;
    let callee = nodes[2].requester().timeout(Duration::from_mins(1)).build().to("slow").unwrap();
    let (first, second) = (callee.stream::<_, String>(&()), callee.stream::<_, String>(&()));
    let reading = [first, second].map(|mut replies| {
        tokio::spawn(async move {
            let name = replies.next().await.unwrap().unwrap();
            (name, replies)
        })
    });
    until("both are at work", || async {
        (seen.at_work.load(Ordering::Relaxed) == 2).then_some(())
    })
    .await;
    network.isolate("host-0");
    for reading in reading {
        let (name, mut replies) = reading.await.unwrap();
        assert_eq!(name, "host-1");
        if seen.closed.fetch_add(1, Ordering::Relaxed) == 0 {
            continue;
        }
        network.isolate("host-1");
        let error = replies.next().await.unwrap().unwrap_err();
        assert_eq!(error.code(), Code::Unavailable, "{error}");
        assert!(replies.next().await.is_none());
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_dropped_at_any_poll_stops_its_work_and_disturbs_no_other() {
    for (_network, server, client) in ways(12).await {
        let seen = Seen::default();
        serve_ticks(&server, &seen).await;
        serve_count(&server, &Arc::default()).await;
        know(&client, "ticks", 1).await;
        know(&client, "count", 1).await;
        let requester = client.requester().build();
        let (ticks, count) = (requester.to("ticks").unwrap(), requester.to("count").unwrap());
        for turns in 0..60 {
            let mut dropped: Replies<u32> = ticks.stream(&());
            let other: Replies<Vec<u8>> = count.stream(&50);
            let other = tokio::spawn(other.last());
            {
                let mut next = Box::pin(dropped.next());
                for _ in 0..turns {
                    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
                    if next.as_mut().poll(&mut cx).is_ready() {
                        break;
                    }
                    tokio::task::yield_now().await;
                }
            }
            drop(dropped);
            let last = other.await.unwrap().unwrap().unwrap();
            assert_eq!(number(&last), 50, "after {turns} turns");
        }
        let (begun, dropped) = (&seen.at_work, &seen.dropped);
        until("all work is stopped", || async {
            (begun.load(Ordering::Relaxed) == dropped.load(Ordering::Relaxed)).then_some(())
        })
        .await;
    }
}
