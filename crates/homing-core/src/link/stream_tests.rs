//! Do streams keep their order, their credit and their ends? Two links, joined byte by byte, in virtual time.

use super::tests::Pair;
use super::*;
use crate::limits::{
    BEFORE_PING, CHUNK_MAX, ITEM_COST, LOSER_DRAIN_TIME, LOSER_QUIET_TIME, PAYLOAD_MAX,
    STREAM_QUEUE, WINDOW,
};
use crate::talk::Payload;

const ASK: Shape = Shape::Stream { asks: Asks::All, idle: None };
const OPEN: Shape = Shape::Stream { asks: Asks::Nothing, idle: None };

/// A stream of the dialler's, seen from both ends.
struct Stream {
    pair: Pair,
    call: CallId,
    request: RequestId,
}

impl Stream {
    /// Has a stream opened; what came with it is logged.
    fn begin(shape: Shape, time: Option<Duration>) -> Self {
        let mut pair = Pair::open();
        let call = pair.open_shaped(1, 3, time, shape).unwrap();
        pair.settle();
        let request = pair.acceptor.requests.pop().unwrap().id;
        Self { pair, call, request }
    }

    fn answer(&mut self, size: usize, place: Place) {
        let conversation = Conversation::Request(self.request);
        say(&mut self.pair.acceptor.link, self.pair.now, conversation, (size, place));
        self.pair.settle();
    }

    /// Says items until there is no room; how many that were.
    fn fill(&mut self, size: usize) -> usize {
        let conversation = Conversation::Request(self.request);
        let mut count = 0;
        while self.pair.acceptor.link.room(conversation) == Room::Open {
            self.answer(size, Place::Partial);
            count += 1;
            assert!(count < 100_000, "a writer that is never told to wait");
        }
        count
    }

    fn ask(&mut self, size: usize, place: Place) {
        let conversation = Conversation::Call(self.call);
        say(&mut self.pair.dialler.link, self.pair.now, conversation, (size, place));
        self.pair.settle();
    }

    /// The dialler's program takes one item; its bytes.
    fn take(&mut self) -> Option<usize> {
        let item = self.pair.dialler.items.pop_front()?;
        let conversation = Conversation::Call(self.call);
        let taken = Input::Taken { conversation, receipt: item.receipt };
        self.pair.dialler.link.handle_input(self.pair.now, taken);
        self.pair.settle();
        Some(item.payload.bytes.len())
    }

    /// The acceptor's program takes one.
    fn take_asked(&mut self) -> Option<usize> {
        let item = self.pair.acceptor.items.pop_front()?;
        let conversation = Conversation::Request(self.request);
        let taken = Input::Taken { conversation, receipt: item.receipt };
        self.pair.acceptor.link.handle_input(self.pair.now, taken);
        self.pair.settle();
        Some(item.payload.bytes.len())
    }

    fn input(&mut self, side: Role, input: Input<'_>) {
        let side = match side {
            Role::Dialler => &mut self.pair.dialler,
            Role::Acceptor => &mut self.pair.acceptor,
        };
        side.link.handle_input(self.pair.now, input);
        side.note_outputs();
        self.pair.settle();
    }

    /// Nothing is left of the stream at either end, nor held for it.
    #[track_caller]
    fn expect_over(mut self, budget: usize) {
        self.pair.dialler.items.clear();
        self.pair.acceptor.items.clear();
        let (dialler, acceptor) = (&mut self.pair.dialler.link, &mut self.pair.acceptor.link);
        assert_eq!((dialler.conversations(), acceptor.conversations()), (0, 0));
        assert_eq!(dialler.room(Conversation::Call(self.call)), Room::Over);
        assert_eq!(acceptor.room(Conversation::Request(self.request)), Room::Over);
        assert_eq!(self.pair.budget.left(), budget, "what is held for nobody");
    }
}

fn say(link: &mut Link, now: Time, conversation: Conversation, (size, place): (usize, Place)) {
    let payload = Payload::raw(vec![7; size]);
    link.handle_input(now, Input::Item { conversation, payload, options: None, place });
}

/// All that the pair may hold.
const BUDGET: usize = 1 << 28;

#[test]
fn items_come_in_order_and_the_last_is_told_apart() {
    let mut stream = Stream::begin(ASK, None);
    for size in [1, 0, CHUNK_MAX, CHUNK_MAX + 1, 2] {
        stream.answer(size, Place::Partial);
    }
    stream.answer(9, Place::Last);
    let items = format!("item(1) item(0) item({CHUNK_MAX}) item({}) item(2)", CHUNK_MAX + 1);
    stream.pair.expect(&format!("{items} 1:reply(9)"), "asked(3)");
    stream.expect_over(BUDGET);
}

#[test]
fn a_stream_may_end_with_nothing_or_fail_after_some_items() {
    let mut stream = Stream::begin(ASK, None);
    let end = Input::EndItems(Conversation::Request(stream.request));
    stream.answer(1, Place::Partial);
    stream.input(Role::Acceptor, end);
    stream.pair.expect("item(1) 1:nothing", "asked(3)");
    stream.expect_over(BUDGET);

    let mut stream = Stream::begin(ASK, None);
    let end = Input::EndItems(Conversation::Request(stream.request));
    stream.input(Role::Acceptor, end);
    stream.pair.expect("1:nothing", "asked(3)");
    stream.expect_over(BUDGET);

    let mut stream = Stream::begin(ASK, None);
    let status = Status::new(Code::NotFound, "no more");
    let fail = Input::Fail { request: stream.request, status };
    stream.answer(1, Place::Partial);
    stream.input(Role::Acceptor, fail);
    stream.pair.expect("item(1) 1:NOT_FOUND", "asked(3)");
    stream.expect_over(BUDGET);
}

#[test]
fn an_answer_of_one_payload_does_for_a_stream() {
    let mut stream = Stream::begin(ASK, None);
    let (request, payload) = (stream.request, Payload::raw(vec![7; 5]));
    stream.input(Role::Acceptor, Input::Reply { request, payload, options: None });
    stream.pair.expect("1:reply(5)", "asked(3)");
    stream.expect_over(BUDGET);
}

#[test]
fn an_answer_of_several_fails_a_call() {
    let mut stream = Stream::begin(Shape::Call, None);
    stream.answer(1, Place::Partial);
    stream.pair.expect("1:UNIMPLEMENTED", "asked(3) cancelled");
    stream.expect_over(BUDGET);
}

#[test]
fn a_failure_waits_for_what_was_said_before_it() {
    let mut stream = Stream::begin(ASK, None);
    let count = stream.fill(1_000);
    let status = Status::new(Code::DataLoss, "torn");
    stream.input(Role::Acceptor, Input::Fail { request: stream.request, status });
    let mut taken = 0;
    while stream.take().is_some() {
        taken += 1;
    }
    assert_eq!(taken, count);
    assert!(stream.pair.dialler.take_log().ends_with("item(1000) 1:DATA_LOSS"));
    stream.expect_over(BUDGET);
}

#[test]
fn items_may_be_given_back_together() {
    let mut stream = Stream::begin(ASK, None);
    let count = stream.fill(4_000);
    let mut taken = 0;
    while let Some(first) = stream.pair.dialler.items.pop_front() {
        let mut receipt = first.receipt;
        let others: Vec<_> = (0..9).map_while(|_| stream.pair.dialler.items.pop_front()).collect();
        taken += 1 + others.len();
        for item in others {
            receipt.add(item.receipt);
        }
        let conversation = Conversation::Call(stream.call);
        stream.input(Role::Dialler, Input::Taken { conversation, receipt });
    }
    assert_eq!(taken, count, "the writer got all its credit back");
    stream.answer(1, Place::Last);
    stream.expect_over(BUDGET);
}

#[test]
fn a_slow_reader_parks_its_writer_and_nobody_else() {
    let mut stream = Stream::begin(ASK, None);
    let size = 4_000;
    let count = stream.fill(size);
    let (held, each) = (BUDGET - stream.pair.budget.left(), size + ITEM_COST as usize);
    assert!(count * each <= WINDOW as usize + STREAM_QUEUE + 2 * each, "{count} items were said");
    assert!(held <= WINDOW as usize + STREAM_QUEUE + 2 * each, "{held} bytes are held");
    stream.pair.dialler.take_log();
    stream.pair.acceptor.take_log();

    // A call, and another stream, on the same link.
    stream.pair.call(2, 100_000, None).unwrap();
    stream.pair.settle();
    stream.pair.echo();
    stream.pair.expect("2:reply(100000)", "asked(100000)");
    stream.pair.open_shaped(3, 1, None, ASK).unwrap();
    stream.pair.settle();
    let request = stream.pair.acceptor.requests.pop().unwrap().id;
    let link = &mut stream.pair.acceptor.link;
    say(link, stream.pair.now, Conversation::Request(request), (77, Place::Partial));
    stream.pair.settle();
    stream.pair.expect("item(77)", "asked(1)");
    stream.pair.dialler.items.pop_back();

    for _ in 0..count {
        assert_eq!(stream.take(), Some(size));
    }
    assert!(stream.pair.acceptor.take_log().contains("room"));
    assert_eq!(stream.pair.acceptor.link.room(Conversation::Request(stream.request)), Room::Open);
}

#[test]
fn streams_that_nobody_takes_do_not_fill_the_window_of_the_link() {
    let mut pair = Pair::open();
    for token in 0..80 {
        pair.open_shaped(token, 1, None, ASK).unwrap();
    }
    pair.settle();
    for request in std::mem::take(&mut pair.acceptor.requests) {
        let conversation = Conversation::Request(request.id);
        while pair.acceptor.link.room(conversation) == Room::Open {
            say(&mut pair.acceptor.link, pair.now, conversation, (CHUNK_MAX, Place::Partial));
            pair.settle();
        }
    }
    let held = pair.dialler.items.len() * CHUNK_MAX;
    assert!(held > crate::limits::LINK_WINDOW as usize, "more than the link's window: {held}");
    pair.dialler.take_log();
    pair.acceptor.take_log();
    pair.call(99, 100_000, None).unwrap();
    pair.settle();
    pair.echo();
    pair.expect("99:reply(100000)", "asked(100000)");
}

#[test]
fn items_beyond_every_window_come_whole_one_after_the_other() {
    let mut stream = Stream::begin(ASK, None);
    for _ in 0..3 {
        stream.answer(PAYLOAD_MAX, Place::Partial);
    }
    assert_eq!(stream.pair.dialler.items.len(), 1, "the next is not whole before this is taken");
    let held = BUDGET - stream.pair.budget.left();
    assert!(held <= 4 * PAYLOAD_MAX + WINDOW as usize, "{held} at both ends");
    for _ in 0..3 {
        assert_eq!(stream.take(), Some(PAYLOAD_MAX));
    }
    stream.answer(1, Place::Last);
    assert!(stream.pair.dialler.take_log().ends_with("1:reply(1)"));
    stream.expect_over(BUDGET);
}

#[test]
fn an_item_over_the_limit_ends_its_stream() {
    let mut stream = Stream::begin(ASK, None);
    stream.answer(PAYLOAD_MAX + 1, Place::Partial);
    stream.pair.expect("1:RESOURCE_EXHAUSTED", "asked(3) cancelled");
    stream.expect_over(BUDGET);
}

#[test]
fn requests_stream_too_and_are_answered_when_they_have_ended() {
    let mut stream = Stream::begin(OPEN, None);
    for size in [1, CHUNK_MAX + 1] {
        stream.ask(size, Place::Partial);
    }
    stream.ask(5, Place::Last);
    let asked = format!("asked(0) item(1) item({}) last(5) asked-all", CHUNK_MAX + 1);
    stream.pair.expect("", &asked);
    while stream.take_asked().is_some() {}
    stream.answer(8, Place::Last);
    stream.pair.expect("1:reply(8)", "");
    stream.expect_over(BUDGET);

    let mut stream = Stream::begin(Shape::Stream { asks: Asks::First, idle: None }, None);
    stream.input(Role::Dialler, Input::EndItems(Conversation::Call(stream.call)));
    stream.answer(8, Place::Last);
    stream.pair.expect("1:reply(8)", "asked(3) asked-all");
    stream.expect_over(BUDGET);
}

#[test]
fn both_directions_go_on_at_once() {
    let mut stream = Stream::begin(OPEN, None);
    for _ in 0..2_000 {
        stream.ask(300, Place::Partial);
        assert_eq!(stream.take_asked(), Some(300));
        stream.answer(400, Place::Partial);
        assert_eq!(stream.take(), Some(400));
    }
    stream.input(Role::Dialler, Input::EndItems(Conversation::Call(stream.call)));
    stream.answer(1, Place::Last);
    stream.expect_over(BUDGET);
}

#[test]
fn a_request_stream_whose_answer_came_is_over_for_its_writer() {
    let mut stream = Stream::begin(OPEN, None);
    stream.ask(300, Place::Partial);
    stream.answer(1, Place::Last);
    stream.pair.expect("1:reply(1)", "asked(0) item(300)");
    stream.expect_over(BUDGET);
}

#[test]
fn items_that_the_answerer_discards_cost_its_caller_nothing() {
    let mut stream = Stream::begin(OPEN, None);
    for _ in 0..10 {
        stream.ask(10_000, Place::Partial);
    }
    stream.pair.acceptor.items.clear();
    stream.input(Role::Acceptor, Input::Discard(stream.request));
    stream.pair.acceptor.take_log();
    for _ in 0..1_000 {
        assert_eq!(stream.pair.dialler.link.room(Conversation::Call(stream.call)), Room::Open);
        stream.ask(10_000, Place::Partial);
    }
    stream.pair.expect("", "");
    stream.answer(1, Place::Last);
    stream.expect_over(BUDGET);
}

#[test]
fn a_reader_that_leaves_stops_its_writer_within_one_round_trip() {
    let mut stream = Stream::begin(ASK, None);
    stream.fill(4_000);
    stream.pair.acceptor.take_log();
    stream.input(Role::Dialler, Input::Cancel(stream.call));
    assert_eq!(stream.pair.acceptor.take_log(), "cancelled");
    assert!(!stream.pair.acceptor.link.is_running(stream.request));
    stream.expect_over(BUDGET);
}

#[test]
fn the_deadline_bounds_the_first_item_and_then_the_idle_time_each_next() {
    let soon = Some(Duration::from_millis(100));
    let idle = Shape::Stream { asks: Asks::All, idle: Some(Duration::from_millis(500)) };
    let mut stream = Stream::begin(idle, soon);
    stream.pair.after(110);
    stream.pair.expect("1:DEADLINE_EXCEEDED", "asked(3) cancelled");
    stream.expect_over(BUDGET);

    let mut stream = Stream::begin(ASK, soon);
    stream.answer(1, Place::Partial);
    stream.take();
    stream.pair.after(2_000);
    stream.pair.expect("item(1)", "asked(3)");

    let mut stream = Stream::begin(idle, soon);
    stream.answer(1, Place::Partial);
    stream.pair.after(600);
    stream.pair.expect("item(1)", "asked(3)"); // It waits for its reader, who is not to be blamed on the writer.
    stream.take();
    stream.pair.after(400);
    stream.answer(1, Place::Partial);
    stream.take();
    stream.pair.after(400);
    stream.pair.expect("item(1)", "");
    stream.pair.after(110);
    stream.pair.expect("1:DEADLINE_EXCEEDED", "cancelled");
    stream.expect_over(BUDGET);
}

#[test]
fn a_link_that_breaks_in_the_middle_says_that_it_may_have_run() {
    let mut stream = Stream::begin(ASK, None);
    stream.answer(1, Place::Partial);
    stream.input(Role::Dialler, Input::Broken("cut".into()));
    stream.input(Role::Acceptor, Input::Broken("cut".into()));
    stream.pair.expect("item(1) 1:lost closed(cut)", "asked(3) cancelled closed(cut)");
    stream.expect_over(BUDGET);
}

/// A stream whose link drains, from its first item on.
fn drained() -> Stream {
    let mut stream = Stream::begin(ASK, None);
    stream.input(Role::Dialler, Input::Drain);
    stream.answer(1, Place::Partial);
    stream.pair.expect("draining item(1)", "asked(3) draining");
    stream
}

/// Time passes, and both sides answer pings meanwhile.
fn pass(stream: &mut Stream, span: Duration) {
    for _ in 0..span.as_secs() {
        stream.pair.after(1_000);
    }
    stream.pair.dialler.forget_round_trips();
    stream.pair.acceptor.forget_round_trips();
}

/// The link has ended, and the stream with it.
fn expect_cut(mut stream: Stream) {
    let log = stream.pair.dialler.take_log();
    assert!(log.contains("1:lost closed(the link was drained, and time is up)"), "{log}");
    assert!(stream.pair.acceptor.take_log().contains("cancelled closed("));
    stream.expect_over(BUDGET);
}

#[test]
fn a_silent_stream_keeps_a_draining_link_for_a_while_and_not_longer() {
    let mut stream = drained();
    pass(&mut stream, LOSER_QUIET_TIME.saturating_sub(Duration::from_secs(1)));
    stream.answer(1, Place::Partial);
    pass(&mut stream, LOSER_QUIET_TIME.saturating_sub(Duration::from_secs(1)));
    stream.pair.expect("item(1)", "");
    pass(&mut stream, Duration::from_secs(1));
    expect_cut(stream);
}

#[test]
fn a_stream_that_goes_on_keeps_a_draining_link_for_long_and_not_for_ever() {
    let mut stream = drained();
    let begin = stream.pair.now;
    while stream.pair.now + LOSER_QUIET_TIME < begin + LOSER_DRAIN_TIME {
        pass(&mut stream, LOSER_QUIET_TIME / 2);
        stream.answer(1, Place::Partial);
        stream.take();
        assert_eq!(stream.pair.dialler.take_log(), "item(1)");
    }
    stream.pair.acceptor.take_log();
    pass(&mut stream, LOSER_QUIET_TIME);
    expect_cut(stream);
}

#[test]
fn a_silent_call_with_a_deadline_keeps_a_draining_link() {
    let time = LOSER_QUIET_TIME * 3;
    let mut stream = Stream::begin(ASK, Some(time));
    stream.input(Role::Dialler, Input::Drain);
    pass(&mut stream, LOSER_QUIET_TIME * 2);
    stream.pair.expect("draining", "asked(3) draining");
    stream.answer(1, Place::Last);
    stream.pair.expect("1:reply(1) closed(the link was drained)", "closed(the link was drained)");
    stream.expect_over(BUDGET);
}

#[test]
fn a_stream_that_ends_lets_its_draining_link_close() {
    let mut stream = Stream::begin(ASK, None);
    stream.input(Role::Dialler, Input::Drain);
    stream.answer(1, Place::Last);
    stream.pair.expect(
        "draining 1:reply(1) closed(the link was drained)",
        "asked(3) draining closed(the link was drained)",
    );
    stream.expect_over(BUDGET);
}

/// Lets both sides wake as their timers say for a while; gives how often they did. Each time what is due is done: the
/// next time is later.
#[track_caller]
fn wakes(stream: &mut Stream, span: Duration) -> usize {
    let (end, mut count) = (stream.pair.now + span, 0);
    let next = |pair: &Pair| {
        [&pair.dialler, &pair.acceptor].iter().filter_map(|side| side.link.poll_timeout()).min()
    };
    while let Some(at) = next(&stream.pair).filter(|at| *at <= end) {
        stream.pair.now = stream.pair.now.max(at);
        stream.pair.after(0);
        count += 1;
        let due = next(&stream.pair);
        assert!(due.is_none_or(|due| due > stream.pair.now), "due again at once, after {count}");
    }
    stream.pair.now = end;
    count
}

#[test]
fn a_reader_that_gives_no_credit_back_keeps_no_timer_busy() {
    const SPAN: Duration = Duration::from_mins(5);
    let idle = Some(Duration::from_secs(3));
    let silent = Shape::Stream { asks: Asks::All, idle };
    let time = Some(Duration::from_secs(90));
    for (shape, time) in [(ASK, None), (ASK, time), (OPEN, time), (silent, None)] {
        for drains in [false, true] {
            let mut stream = Stream::begin(shape, time);
            stream.fill(CHUNK_MAX);
            if drains {
                stream.input(Role::Dialler, Input::Drain);
            }
            // A sign of life each few seconds, and what becomes of the stream.
            let most = 2 * usize::try_from(SPAN.as_secs() / BEFORE_PING.as_secs()).unwrap() + 20;
            let count = wakes(&mut stream, SPAN);
            assert!(count <= most, "{count} wakes: {shape:?}, {time:?}, drains: {drains}");
        }
    }
}

#[test]
fn a_draining_link_whose_last_deadline_goes_ends_with_the_next_timer() {
    let mut stream = Stream::begin(ASK, None);
    let time = Some(LOSER_QUIET_TIME * 3);
    let other = stream.pair.open_shaped(2, 3, time, Shape::Call).unwrap();
    stream.fill(CHUNK_MAX);
    stream.input(Role::Dialler, Input::Drain);
    wakes(&mut stream, LOSER_QUIET_TIME * 2);
    assert_eq!(stream.pair.dialler.link.conversations(), 2, "it waits for what has a deadline");
    // What is left was silent for too long by then: that is due now, and once.
    stream.input(Role::Dialler, Input::Cancel(other));
    assert!(stream.pair.dialler.link.poll_timeout().is_some_and(|at| at <= stream.pair.now));
    assert!(wakes(&mut stream, Duration::ZERO) <= 2);
    assert_eq!(stream.pair.dialler.link.conversations(), 0);
}

/// Tells the reader's link of the answer to put out pieces.
fn put_out_pieces(stream: &mut Stream) {
    stream.input(Role::Dialler, Input::InPieces(Conversation::Call(stream.call)));
}

#[test]
fn an_item_read_in_pieces_comes_as_it_arrives_and_never_more_than_a_window_of_it() {
    let mut stream = Stream::begin(ASK, None);
    put_out_pieces(&mut stream);
    let (size, most) = (16 * WINDOW as usize, WINDOW as usize);
    stream.answer(size, Place::Partial);
    let mut taken = 0;
    while taken < size {
        let waits: usize =
            stream.pair.dialler.items.iter().map(|item| item.payload.bytes.len()).sum();
        assert!(0 < waits && waits <= most, "{waits} bytes wait");
        taken += stream.take().unwrap();
    }
    assert_eq!((taken, stream.take()), (size, None));
    let held = BUDGET - stream.pair.budget.left();
    assert_eq!(held, 0);
    stream.answer(5, Place::Last);
    stream.expect_over(BUDGET);
}

#[test]
fn an_item_that_is_coming_in_goes_on_in_pieces_once_they_are_asked_for() {
    let mut stream = Stream::begin(ASK, None);
    stream.answer(1, Place::Partial);
    // What follows waits for the first to be taken once it has filled the window.
    stream.answer(2 * WINDOW as usize, Place::Partial);
    put_out_pieces(&mut stream);
    assert_eq!(stream.take(), Some(1));
    let first = stream.take().unwrap();
    assert!(first > CHUNK_MAX, "all that was gathered comes with the next piece: {first}");
    let mut rest = 0;
    while let Some(piece) = stream.take() {
        rest += piece;
    }
    assert_eq!(first + rest, 2 * WINDOW as usize);
}

#[test]
fn the_last_item_in_pieces_ends_with_the_outcome() {
    let mut stream = Stream::begin(ASK, None);
    put_out_pieces(&mut stream);
    stream.answer(2 * CHUNK_MAX + 3, Place::Last);
    assert_eq!(
        (stream.take(), stream.take(), stream.take()),
        (Some(CHUNK_MAX), Some(CHUNK_MAX), None)
    );
    let log = stream.pair.dialler.take_log();
    assert!(log.ends_with("reply(3)"), "{log}");
    stream.expect_over(BUDGET);
}
