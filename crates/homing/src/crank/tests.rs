//! Does the crank keep every byte in its place and lose no call, whatever sockets, callers and wakers do?

mod aborts;
mod breaks;
mod secure;
mod streams;
mod world;

use super::*;
use bytes::{Bytes, BytesMut};
use homing_core::wire::Frame;
use std::future::poll_fn;
use std::sync::Weak;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Wake;
use tokio::task::JoinSet;
use tokio::time::{Duration, timeout};
use world::{Breakage, End, Over, Pair, call, payload};

/// Longer than anything here takes, by whichever clock.
const PATIENCE: Duration = Duration::from_secs(50);

async fn check_crowd(over: Over, seed: u64, callers: u32, calls: u32) -> Pair {
    let pair = Pair::over(over, seed, Breakage::Never).await;
    let mut crowd = JoinSet::new();
    for caller in 0..callers {
        let ends = [pair.dialler.cell.clone(), pair.acceptor.cell.clone()];
        crowd.spawn(async move {
            for number in 0..calls {
                let size = [7, 300, 20_000, 70_000][(caller + number) as usize % 4];
                let bytes = payload(caller * 1_000 + number, size);
                let outcome = call(&ends[(caller % 2) as usize], bytes.clone()).await;
                assert_eq!(world::replied(outcome), bytes);
            }
        });
    }
    timeout(PATIENCE, crowd.join_all()).await.expect("no call is lost");
    pair
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crowd_on_two_threads_gets_its_own_bytes_back_and_every_frame_is_whole() {
    check_crowds(Over::Plain, assert_whole_frames).await;
}

async fn check_crowds(over: Over, check: fn(&[u8])) {
    for seed in 0..3 {
        let pair = check_crowd(over, seed, 24, 12).await;
        timeout(PATIENCE, pair.all_read()).await.expect("nothing is left over");
        for (from, to) in [(&pair.dialler, &pair.acceptor), (&pair.acceptor, &pair.dialler)] {
            let (written, read) = (from.written(), to.read());
            assert!(written == read, "what was written was read, byte by byte");
            check(&written);
        }
    }
}

/// The stream of one side after its Hello: nothing but whole frames.
#[track_caller]
fn assert_whole_frames(stream: &[u8]) {
    let mut bytes = BytesMut::from(stream);
    let (_, length) = homing_core::wire::Hello::decode(&bytes).unwrap().unwrap();
    let _ = bytes.split_to(length);
    while Frame::decode(&mut bytes).expect("no byte is out of place").is_some() {}
    assert!(bytes.is_empty(), "{} bytes of a frame that is not whole", bytes.len());
}

#[tokio::test]
async fn a_lone_caller_writes_in_place() {
    check_lone(Over::Plain).await;
}

async fn check_lone(over: Over) {
    let pair = Pair::kind([over, over]).await;
    let before = pair.dialler.writes();
    let ticket = world::open(&pair.dialler.cell, Bytes::from_static(b"lone")).unwrap();
    assert_eq!(pair.dialler.writes(), before + 1, "nobody was waited for");
    assert_eq!(world::replied(world::wait(ticket).await), b"lone"[..]);
    assert_eq!(pair.dialler.writes(), before + 1, "and one call is one write");
}

#[tokio::test]
async fn a_crowd_shares_its_writes() {
    check_shared_writes(Over::Plain).await;
}

async fn check_shared_writes(over: Over) {
    let pair = Pair::kind([over, over]).await;
    let before = pair.dialler.writes();
    let mut crowd = JoinSet::new();
    for caller in 0..100 {
        let cell = pair.dialler.cell.clone();
        crowd.spawn(async move {
            for number in 0..100 {
                let bytes = payload(caller * 100 + number, 128);
                assert_eq!(world::replied(call(&cell, bytes.clone()).await), bytes);
            }
        });
    }
    timeout(PATIENCE, crowd.join_all()).await.expect("no call is lost");
    let writes = pair.dialler.writes() - before;
    assert!(writes <= 1_000, "{writes} writes for 10,000 calls");
}

#[tokio::test]
async fn a_share_of_a_crowd_is_written_before_the_rest_has_spoken() {
    let pair = Pair::kind([Over::Plain, Over::Plain]).await;
    let before = pair.dialler.writes();
    let open = |_| world::open(&pair.dialler.cell, Bytes::from_static(b"one of many")).unwrap();
    let mut tickets: Vec<Ticket> = (0..SHARE_LEAST).map(open).collect();
    assert_eq!(pair.dialler.writes(), before + 1, "the first was alone, the others wait");
    tickets.push(open(SHARE_LEAST));
    assert_eq!(pair.dialler.writes(), before + 2, "nobody was waited for");
    for ticket in tickets {
        assert_eq!(world::replied(world::wait(ticket).await), b"one of many"[..]);
    }
    assert_eq!(pair.dialler.writes(), before + 2, "the writer had nothing left to write");
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_calls_back_from_inside_a_batch_does_not_deadlock() {
    let pair = Pair::new(1, Breakage::Never).await;
    let (told, heard) = tokio::sync::oneshot::channel();
    let told = Mutex::new(Some(told));
    pair.acceptor.serve(move |link, request| {
        // Over the very link whose batch this is, and given up at once, which is said over it too.
        drop(world::open(link, Bytes::from_static(b"given up")));
        let ticket = world::open(link, Bytes::from_static(b"back")).unwrap();
        let told = told.lock().take();
        tokio::spawn(async move {
            let answer = world::replied(world::wait(ticket).await);
            let _ = told.expect("called once").send(answer);
        });
        link.answer(request.id, Ok((request.payload, None)));
    });
    let reply = timeout(PATIENCE, call(&pair.dialler.cell, Bytes::from_static(b"there"))).await;
    assert_eq!(world::replied(reply.unwrap()), b"there"[..]);
    assert_eq!(timeout(PATIENCE, heard).await.unwrap().unwrap(), b"back"[..]);
    timeout(PATIENCE, pair.at_rest()).await.expect("nothing is left over");
}

#[tokio::test(start_paused = true)]
async fn what_one_links_batch_gives_rise_to_on_another_is_written_at_once() {
    let plain = [Over::Plain; 2];
    let (near, far) = (Pair::kind(plain).await, Pair::kind(plain).await);
    far.acceptor.serve(|_, _| {}); // Never answers.
    let held = Mutex::new(Some(world::open(&far.dialler.cell, Bytes::new()).unwrap()));
    while far.acceptor.conversations() == 0 {
        tokio::task::yield_now().await;
    }
    near.acceptor.serve(move |link, request| {
        drop(held.lock().take()); // Says Reset on the far link, in a batch of the near one.
        link.answer(request.id, Ok((request.payload, None)));
    });
    let start = tokio::time::Instant::now();
    drop(call(&near.dialler.cell, Bytes::new()).await);
    timeout(PATIENCE, far.at_rest()).await.expect("the far call was given up");
    assert_eq!(start.elapsed(), Duration::ZERO, "and not by a timer");
}

/// A waker that does what wakers of strange executors may do: use the mesh, when woken and when dropped.
struct Busybody {
    link: Arc<LinkCell>,
    woken: AtomicUsize,
}

impl Wake for Busybody {
    fn wake(self: Arc<Self>) {
        self.woken.fetch_add(1, Ordering::Relaxed);
        drop(world::open(&self.link, Bytes::from_static(b"from a waker")));
    }
}

impl Drop for Busybody {
    fn drop(&mut self) {
        drop(world::open(&self.link, Bytes::from_static(b"from a waker's end")));
    }
}

#[tokio::test(start_paused = true)]
async fn a_waker_may_do_as_it_likes() {
    let pair = Pair::new(2, Breakage::Never).await;
    let link = &pair.dialler.cell;
    for polls in 0..3 {
        let busy = Arc::new(Busybody { link: Arc::clone(link), woken: AtomicUsize::new(0) });
        let mut ticket = world::open(link, Bytes::from_static(b"busy")).unwrap();
        let mut given_up = world::open(link, Bytes::from_static(b"given up")).unwrap();
        // The second poll's waker takes the place of the first's, which is dropped there.
        for _ in 0..polls {
            let another = Arc::new(Busybody { link: Arc::clone(link), woken: AtomicUsize::new(0) });
            let _ = given_up.poll(&mut Context::from_waker(&another.into()));
        }
        let waker = Waker::from(Arc::clone(&busy));
        assert!(ticket.poll(&mut Context::from_waker(&waker)).is_pending());
        drop(given_up);
        while busy.woken.load(Ordering::Relaxed) == 0 {
            tokio::task::yield_now().await;
        }
        assert!(ticket.poll(&mut Context::from_waker(&waker)).is_ready());
    }
    timeout(PATIENCE, pair.at_rest()).await.expect("nothing is left over");
}

#[tokio::test(start_paused = true)]
async fn a_token_that_is_free_again_never_gets_the_outcome_of_the_call_before() {
    let pair = Pair::new(3, Breakage::Never).await;
    for round in 0..200_u32 {
        let first = world::open(&pair.dialler.cell, payload(round, 40)).unwrap();
        for _ in 0..round % 7 {
            tokio::task::yield_now().await;
        }
        drop(first);
        let bytes = payload(round + 1_000, 50);
        assert_eq!(world::replied(call(&pair.dialler.cell, bytes.clone()).await), bytes);
    }
    timeout(PATIENCE, pair.at_rest()).await.expect("nothing is left over");
}

/// Ends a link in some way, and waits until nobody holds it any more.
async fn check_end(over: Over, end: impl FnOnce(&Pair)) {
    let pair = Pair::over(over, 4, Breakage::Never).await;
    let running = world::open(&pair.dialler.cell, Bytes::from_static(b"under way")).unwrap();
    end(&pair);
    let _ = timeout(PATIENCE, world::wait(running)).await.expect("a call ends with its link");
    let gone: [Weak<LinkCell>; 2] = pair.let_go();
    timeout(PATIENCE, async {
        while gone.iter().any(|cell| cell.strong_count() > 0) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await
    .expect("the tasks of a link end with it");
}

#[tokio::test(start_paused = true)]
async fn with_a_link_end_its_tasks() {
    check_ends(Over::Plain).await;
}

async fn check_ends(over: Over) {
    let status = || Status::new(homing_core::talk::Code::Ok, "over");
    check_end(over, |pair| pair.dialler.cell.handle(Input::Close(status()))).await;
    check_end(over, |pair| pair.acceptor.cell.handle(Input::Close(status()))).await;
    check_end(over, |pair| pair.dialler.cell.handle(Input::Drain)).await;
    check_end(over, |pair| pair.dialler.cell.handle(Input::Broken("cut".into()))).await;
    check_end(over, |pair| pair.acceptor.cell.socket.shutdown()).await;
    check_end(over, |pair| pair.network.cut("a", "b")).await;
    check_end(over, leave_unread).await;
}

/// A peer that reads nothing is given up although the writer is stuck.
fn leave_unread(pair: &Pair) {
    pair.acceptor.serve(|_, _| {});
    let crowd: Vec<Ticket> = (0..200)
        .map(|number| world::open(&pair.dialler.cell, payload(number, 16_000)).unwrap())
        .collect();
    tokio::spawn(async move {
        for ticket in crowd {
            drop(world::wait(ticket).await);
        }
    });
    pair.network.cut("a", "b");
}

#[tokio::test(start_paused = true)]
async fn a_call_runs_out_of_time_although_the_writer_is_stuck() {
    let pair = Pair::new(5, Breakage::Never).await;
    pair.network.cut("a", "b");
    let deadline = pair.dialler.cell.clock.now() + Duration::from_secs(1);
    let crowd: Vec<Ticket> = (0..20)
        .map(|number| {
            world::open_until(&pair.dialler.cell, payload(number, 16_000), Some(deadline)).unwrap()
        })
        .collect();
    let start = tokio::time::Instant::now();
    for ticket in crowd {
        let outcome = timeout(PATIENCE, world::wait(ticket)).await.expect("time goes on");
        assert_eq!(End::of(&outcome), End::Failed);
    }
    assert!(start.elapsed() < Duration::from_millis(1_100), "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn the_last_words_of_a_link_arrive() {
    check_last_words(Over::Plain).await;
}

async fn check_last_words(over: Over) {
    for seed in 0..50 {
        let pair = Pair::over(over, seed, Breakage::Never).await;
        let status = Status::new(homing_core::talk::Code::Aborted, "for a reason");
        pair.dialler.cell.handle(Input::Close(status.clone()));
        let closed = poll_fn(|cx| pair.acceptor.poll_closed(cx));
        assert_eq!(timeout(PATIENCE, closed).await.expect("it is told"), status);
    }
}
