//! Either program may let go of a stream at any moment. Who else suffers, and what is left behind?

use super::super::{Came, Exchange, LinkCell};
use super::world::{Breakage, Over, Pair, payload};
use super::{JoinSet, PATIENCE};
use bytes::Bytes;
use homing_core::link::{Asks, Open, Outcome, Place, Request, Room, Shape, TargetKey};
use homing_core::talk::{Code, Payload, Status};
use homing_core::wire::Target;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use tokio::time::timeout;

/// What goes each way.
#[derive(Clone, Copy, Debug)]
struct Talk {
    items: u32,
    size: usize,
}

/// So little that no window matters.
const SMALL: Talk = Talk { items: 6, size: 100 };
/// More than a window and what waits behind it.
const LARGE: Talk = Talk { items: 12, size: 40_000 };

/// Who lets go.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Abandoner {
    Caller,
    Answerer,
}

/// Items there and back; what came back, or `None` where the answerer failed.
async fn talk(cell: Arc<LinkCell>, first: u32, talk: Talk) -> Option<Vec<Bytes>> {
    let exchange = open(&cell, payload(first, talk.size));
    let ask = async {
        for number in 1..talk.items {
            if !say(&exchange, Payload::raw(payload(first + number, talk.size))).await {
                return;
            }
        }
        exchange.end();
    };
    let listen = async {
        let mut heard = Vec::new();
        loop {
            match poll_fn(|cx| exchange.poll_next(cx)).await {
                Came::Item(payload, _) => heard.push(payload.bytes),
                Came::Ended(ended) => {
                    return matches!(ended.outcome, Outcome::Nothing).then_some(heard);
                }
                Came::All | Came::Cut => return None,
            }
        }
    };
    let ((), heard) = tokio::join!(ask, listen);
    heard
}

/// Says every item back.
async fn echo(exchange: Exchange, first: Payload) {
    let mut goes_on = say(&exchange, first).await;
    while goes_on {
        goes_on = match poll_fn(|cx| exchange.poll_next(cx)).await {
            Came::Item(payload, _) => say(&exchange, payload).await,
            Came::All => {
                exchange.end();
                false
            }
            Came::Cut | Came::Ended(_) => false,
        };
    }
}

async fn say(exchange: &Exchange, payload: Payload) -> bool {
    let mut said = exchange.try_say(payload, Place::Partial);
    while let Err(payload) = said {
        if poll_fn(|cx| exchange.poll_room(cx)).await == Room::Over {
            return false;
        }
        said = exchange.try_say(payload, Place::Partial);
    }
    true
}

fn open(cell: &Arc<LinkCell>, first: Bytes) -> Exchange {
    let target = Arc::new(Target {
        offer: 1,
        namespace: "test".parse().unwrap(),
        service: "echo".parse().unwrap(),
        method: "talk".parse().unwrap(),
    });
    let shape = Shape::Stream { asks: Asks::First, idle: None };
    let (key, payload) = (TargetKey(0), Payload::raw(first));
    let (target, deadline, options) = (&target, None, None);
    let open = Open { token: 0, key, target, deadline, payload, options, shape };
    cell.open_stream(cell.clock.now(), open).unwrap()
}

/// Lets a future live for so many turns of everybody else; whether it ended before.
async fn live(future: impl Future<Output = ()>, turns: usize) -> bool {
    let mut future = pin!(future);
    for _ in 0..turns {
        if let Poll::Ready(()) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return true;
        }
        tokio::task::yield_now().await;
    }
    false
}

/// Answers each stream; the one that begins with nothing but zeros is let go of after so many turns, and then answered
/// with a failure, as is done for a handler that is gone. `ended` counts those that were not.
fn serve(pair: &Pair, turns: usize, ended: &Arc<AtomicUsize>) {
    let ended = Arc::clone(ended);
    let answer = move |link: &Arc<LinkCell>, request: Request| {
        let (link, ended) = (Arc::clone(link), Arc::clone(&ended));
        let work = echo(link.exchange(request.id), request.payload.clone());
        let is_abandoned = request.payload.bytes.starts_with(&[0; 4]);
        tokio::spawn(async move {
            if !is_abandoned {
                return work.await;
            }
            let whole = live(work, turns).await;
            ended.fetch_add(usize::from(whole), Ordering::Relaxed);
            link.answer(request.id, Err(Status::new(Code::Internal, "the handler is gone")));
        });
    };
    pair.acceptor.serve(answer);
}

/// One stream is let go of after so many turns, beside another that is left alone. Whether it ended before.
async fn check_abort(over: Over, who: Abandoner, seed: u64, (turns, of): (usize, Talk)) -> bool {
    let why = format!("{who:?}, seed {seed}, {turns} turns, {of:?}");
    let pair = Pair::over(over, seed, Breakage::Never).await;
    let cell = pair.dialler.cell.clone();
    let ended = Arc::<AtomicUsize>::default();
    let (caller_turns, answerer_turns) = match who {
        Abandoner::Caller => (turns, usize::MAX),
        Abandoner::Answerer => (usize::MAX, turns),
    };
    serve(&pair, answerer_turns, &ended);
    let mut other = JoinSet::new();
    other.spawn(talk(cell.clone(), 100, of));
    let abandoned = timeout(PATIENCE, live(async { _ = talk(cell, 0, of).await }, caller_turns));
    let caller_ended = abandoned.await.unwrap_or_else(|_| panic!("nobody is told: {why}"));
    let heard = timeout(PATIENCE, other.join_all()).await;
    let heard = heard.unwrap_or_else(|_| panic!("the other hangs: {why}"));
    let whole: Vec<Bytes> = (100..100 + of.items).map(|number| payload(number, of.size)).collect();
    assert!(heard == [Some(whole)], "the other is not whole: {why}");
    let rest = timeout(PATIENCE, pair.at_rest()).await;
    assert!(rest.is_ok(), "left over: {why}");
    match who {
        Abandoner::Caller => caller_ended,
        Abandoner::Answerer => ended.load(Ordering::Relaxed) > 0,
    }
}

/// Every number of turns, up to the one in which the stream ends by itself.
async fn check_all_aborts(over: Over, who: Abandoner, seed: u64, of: Talk) {
    for turns in 0.. {
        if check_abort(over, who, seed, (turns, of)).await {
            return;
        }
    }
}

#[tokio::test]
async fn a_small_stream_that_its_caller_drops_at_any_poll_leaves_nothing_behind() {
    for seed in 0..4 {
        check_all_aborts(Over::Plain, Abandoner::Caller, seed, SMALL).await;
    }
}

#[tokio::test]
async fn a_large_stream_that_its_caller_drops_at_any_poll_leaves_nothing_behind() {
    check_all_aborts(Over::Plain, Abandoner::Caller, 1, LARGE).await;
}

#[tokio::test]
async fn a_stream_whose_handler_is_dropped_at_any_poll_ends_for_its_caller() {
    for seed in 0..4 {
        check_all_aborts(Over::Plain, Abandoner::Answerer, seed, SMALL).await;
    }
    check_all_aborts(Over::Plain, Abandoner::Answerer, 1, LARGE).await;
}

#[tokio::test]
async fn a_stream_over_tls_that_is_dropped_at_any_poll_leaves_nothing_behind() {
    for who in [Abandoner::Caller, Abandoner::Answerer] {
        check_all_aborts(Over::Tls, who, 2, SMALL).await;
    }
}

#[tokio::test]
async fn items_in_a_row_share_their_writes_and_one_alone_waits_for_nobody() {
    let pair = Pair::kind([Over::Plain, Over::Plain]).await;
    serve(&pair, usize::MAX, &Arc::default());
    let exchange = open(&pair.dialler.cell, payload(1, 100));
    let mut heard = 0;
    while heard < 1 {
        let came = poll_fn(|cx| exchange.poll_next(cx)).await;
        heard += u32::from(matches!(came, Came::Item(..)));
    }
    let before = pair.dialler.writes();
    say(&exchange, Payload::raw(payload(2, 100))).await;
    assert_eq!(pair.dialler.writes(), before + 1, "nobody was waited for");
    for number in 0..100 {
        assert!(say(&exchange, Payload::raw(payload(number, 100))).await);
    }
    exchange.end();
    while heard < 102 {
        let came = poll_fn(|cx| exchange.poll_next(cx)).await;
        heard += u32::from(matches!(came, Came::Item(..)));
    }
    let writes = pair.dialler.writes() - before;
    // A machine that stands still between two items makes a write of it.
    assert!(writes <= 20, "{writes} writes for 101 items");
}
