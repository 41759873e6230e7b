//! What can a peer do that does not keep to the rules?

use super::tests::Pair;
use super::*;
use crate::crypto::Proof;
use crate::limits::{
    CONTROL_WAITING_MAX, CONVERSATIONS_MAX, ITEM_COST, LINK_WINDOW, OUTBOX_MAX, WINDOW,
};
use crate::rng::Rng;
use crate::talk::{Encoding, Payload};
use crate::wire::{Callee, Piece, Target, Then};
use bytes::BytesMut;

fn target() -> Target {
    Target {
        namespace: "default".parse().unwrap(),
        offer: 1,
        service: "echo".parse().unwrap(),
        method: "".parse().unwrap(),
    }
}

fn piece(size: usize, then: Then) -> Piece {
    Piece { encoding: Encoding::Raw, options: None, bytes: vec![7; size].into(), then }
}

fn open(conversation: u32, piece: Piece) -> Frame {
    let callee = Callee::Named(Box::new(target()));
    Frame::Open { conversation, callee, deadline: None, piece }
}

fn chunk(conversation: u32) -> Frame {
    Frame::Data { conversation, piece: piece(CHUNK_MAX, Then::Rest) }
}

/// Puts frames into the acceptor in one read and says what it made of them; nothing it says is read.
#[track_caller]
fn check(frames: impl IntoIterator<Item = Frame>, expect: &str) {
    let mut pair = Pair::open();
    send(&mut pair, frames);
    assert_eq!(pair.acceptor.take_log(), expect);
}

fn send(pair: &mut Pair, frames: impl IntoIterator<Item = Frame>) {
    let mut bytes = Vec::new();
    frames.into_iter().for_each(|frame| frame.encode(&mut bytes));
    pair.acceptor.link.handle_input(pair.now, Input::Bytes(&mut BytesMut::from(&bytes[..])));
    pair.acceptor.note_outputs();
}

fn first_chunks(conversation: u32, count: usize) -> impl Iterator<Item = Frame> {
    [open(conversation, piece(CHUNK_MAX, Then::Rest))]
        .into_iter()
        .chain((1..count).map(move |_| chunk(conversation)))
}

const BROKE: &str = "closed(the peer broke the protocol: malformed";

#[test]
fn a_window_holds_and_one_chunk_more_ends_the_link() {
    let whole = WINDOW as usize / CHUNK_MAX;
    check(first_chunks(1, whole), "");
    check(first_chunks(1, whole + 1), &format!("{BROKE} chunk: beyond the window)"));
}

#[test]
fn the_window_of_the_link_holds_whatever_the_conversations() {
    let each = WINDOW as usize / CHUNK_MAX;
    let conversations = LINK_WINDOW / WINDOW;
    let all = || (0..conversations).flat_map(|slot| first_chunks(slot * 2 + 1, each));
    check(all(), "");
    let more = open(conversations * 2 + 1, piece(CHUNK_MAX, Then::Rest));
    check(all().chain([more]), &format!("{BROKE} chunk: beyond the window)"));
}

#[test]
fn items_that_nobody_takes_end_the_link_beyond_the_window_however_small_they_are() {
    for size in [0, CHUNK_MAX] {
        // The first is handed over with its request, and is counted until credit for it is written.
        let whole = WINDOW as usize / (size + ITEM_COST as usize);
        let items = |count| {
            let item = move |_| Frame::Data { conversation: 1, piece: piece(size, Then::Next) };
            [open(1, piece(size, Then::Next))].into_iter().chain((1..count).map(item))
        };
        let seen = format!("item({size}) ").repeat(whole - 1);
        check(items(whole), format!("asked({size}) {seen}").trim());
        let broke = format!("asked({size}) {seen}cancelled {BROKE} chunk: beyond the window)");
        let mut pair = Pair::open();
        send(&mut pair, items(whole + 1));
        assert_eq!(sorted(&pair.acceptor.take_log()), sorted(&broke));
    }
}

fn sorted(log: &str) -> Vec<&str> {
    let mut words: Vec<&str> = log.split(' ').collect();
    words.sort_unstable();
    words
}

#[test]
fn items_after_the_end_end_the_link() {
    let item = |then| Frame::Data { conversation: 1, piece: piece(2, then) };
    let frames = [open(1, piece(1, Then::Next)), item(Then::End), item(Then::Next)];
    let log = format!("asked(1) last(2) asked-all cancelled {BROKE} data: after the end)");
    check(frames, &log);
}

#[test]
fn a_refused_conversation_is_not_a_hole_in_the_window() {
    let mut pair = Pair::open();
    let taken = pair.acceptor.link.budget.left();
    assert!(pair.acceptor.link.budget.take(taken));
    let whole = WINDOW as usize / CHUNK_MAX;
    for frame in first_chunks(1, whole) {
        send(&mut pair, [frame]);
        while pair.acceptor.link.poll_transmit(pair.now, &mut Vec::new()) {}
    }
    assert_eq!(pair.acceptor.take_log(), "");
    send(&mut pair, [chunk(1)]);
    assert_eq!(pair.acceptor.take_log(), format!("{BROKE} chunk: beyond the window)"));
    pair.acceptor.link.budget.give(taken);
}

#[test]
fn pings_whose_answers_nobody_reads_end_the_link() {
    let pings = |count| (0..count).map(|token| Frame::Ping(token as u64));
    check(pings(OUTBOX_MAX), "");
    check(pings(OUTBOX_MAX + 1), "closed(the peer does not read what it is sent (OUTBOX_MAX))");
}

#[test]
fn control_messages_that_nobody_reads_end_the_link() {
    let mut pair = Pair::open();
    let body = Bytes::from(vec![0; CHUNK_MAX]);
    for _ in 0..CONTROL_WAITING_MAX / CHUNK_MAX {
        pair.acceptor.link.handle_input(pair.now, Input::Control(body.clone()));
    }
    pair.acceptor.note_outputs();
    assert_eq!(pair.acceptor.take_log(), "");
    pair.acceptor.link.handle_input(pair.now, Input::Control(body));
    pair.acceptor.note_outputs();
    let expect = "closed(the peer does not read what it is sent (CONTROL_WAITING_MAX))";
    assert_eq!(pair.acceptor.take_log(), expect);
}

#[test]
fn an_id_is_not_free_before_our_last_word_on_it_is_written() {
    let turn = || [open(1, piece(5, Then::End)), Frame::Reset { conversation: 1, code: Code::Ok }];
    let mut pair = Pair::open();
    for _ in 0..3 {
        send(&mut pair, turn());
        assert_eq!(pair.acceptor.take_log(), "asked(5) cancelled");
        while pair.acceptor.link.poll_transmit(pair.now, &mut Vec::new()) {}
    }
    check(
        turn().into_iter().chain(turn()),
        &format!("asked(5) cancelled {BROKE} open: an id in use)"),
    );
}

#[test]
fn frames_out_of_turn_end_the_link() {
    let end = |conversation| Frame::End {
        conversation,
        status: Box::new(Status::new(Code::Internal, "")),
    };
    for (frame, what) in [
        (open(2, piece(0, Then::End)), "open: an id of the other side"),
        (
            open(CONVERSATIONS_MAX * 2 + 1, piece(0, Then::End)),
            "open: more conversations than agreed",
        ),
        (chunk(1), "data: no such conversation"),
        (chunk(2), "data: no such conversation"),
        (chunk(0), "conversation: 0 is the link itself"),
        (end(1), "end: of a conversation of the peer's own"),
        (end(2), "end: no such conversation"),
        (Frame::Reset { conversation: 2, code: Code::Ok }, "reset: of a conversation of ours"),
        (Frame::Bind { id: 0, target: target() }, "bind: number out of range"),
        (Frame::Proof(Box::new(Proof { mac: [0; 32], signature: [0; 64] })), "proof: out of turn"),
    ] {
        check([frame], &format!("{BROKE} {what})"));
    }
}

#[test]
fn frames_and_credit_of_nothing_that_is_known_are_passed_over() {
    check(
        [
            Frame::Unknown(29),
            Frame::Credit { conversation: 7, bytes: u32::MAX },
            Frame::Credit { conversation: 0, bytes: u32::MAX },
            Frame::Reset { conversation: 7, code: Code::Ok },
            Frame::Pong(3),
        ],
        "",
    );
}

#[test]
fn an_option_that_must_be_understood_refuses_the_call_and_not_the_link() {
    let mut pair = Pair::open();
    let mut bytes = Vec::new();
    open(1, piece(0, Then::End)).encode(&mut bytes);
    // The same Open with an option of key 33, empty: more length, the flag, and the list.
    bytes[0] += 3;
    bytes[1] |= 0x80;
    bytes.extend_from_slice(&[2, 33, 0]);
    let mut input = BytesMut::from(&bytes[..]);
    pair.acceptor.link.handle_input(pair.now, Input::Bytes(&mut input));
    let mut said = Vec::new();
    pair.acceptor.link.poll_transmit(pair.now, &mut said);
    let Ok(Some(Frame::End { status, .. })) = Frame::decode(&mut BytesMut::from(&said[..])) else {
        panic!("not an End: {said:?}")
    };
    let message = "UNIMPLEMENTED: option 33 has to be understood, and is not known here";
    assert_eq!(status.to_string(), message);
    assert_eq!(pair.acceptor.take_log(), "");
}

#[test]
fn windows_too_small_for_bulk_are_refused_in_the_handshake() {
    let chunk = u32::try_from(CHUNK_MAX).unwrap();
    for (conversation, link) in [(0, LINK_WINDOW), (WINDOW, chunk * 2 - 1)] {
        let mut config = tests::config(Role::Dialler, 1, Arc::new(Budget::new(0)));
        config.hello.windows = Windows { conversations: 1, conversation, link };
        let mut said = Vec::new();
        config.hello.encode(&mut said);
        let acceptor = tests::config(Role::Acceptor, 1, Arc::new(Budget::new(0)));
        let mut acceptor = Link::new(acceptor, Time::ZERO);
        acceptor.handle_input(Time::ZERO, Input::Bytes(&mut BytesMut::from(&said[..])));
        let Some(Output::Closed(status)) = acceptor.poll_output() else { panic!("not refused") };
        assert_eq!(status.message, "the other side's windows are smaller than two chunks");
    }
}

/// A frame that may be in or out of turn.
fn any_frame(rng: &mut Rng) -> Frame {
    let conversation = u32::try_from(1 + rng.below(6)).unwrap();
    let then = [Then::Rest, Then::End, Then::End, Then::Next][rng.index(4)];
    let piece = piece(rng.index(CHUNK_MAX), then);
    match rng.below(9) {
        0..=2 => open(conversation, piece),
        3 | 4 => Frame::Data { conversation, piece },
        5 => {
            let status = Box::new(Status::new(Code::Internal, "so"));
            Frame::End { conversation, status }
        }
        6 => Frame::Reset { conversation, code: Code::Cancelled },
        7 => Frame::Credit { conversation: conversation - 1, bytes: 1 << rng.below(32) },
        _ => [Frame::Drain, Frame::Ping(1), Frame::Pong(1)][rng.index(3)].clone(),
    }
}

#[test]
fn no_order_of_frames_makes_a_link_panic_or_keep_what_it_held() {
    for seed in 0..2_000 {
        let mut rng = Rng::from_seed(seed);
        let mut pair = Pair::open();
        let budget = Arc::clone(&pair.dialler.link.budget);
        let before = budget.left();
        for token in 0..2 {
            let asks = [Asks::All, Asks::First, Asks::Nothing][rng.index(3)];
            let shape = [Shape::Call, Shape::Stream { asks, idle: None }][rng.index(2)];
            let time = Some(Duration::from_millis(20));
            pair.open_shaped(token, [10, 40_000][rng.index(2)], time, shape).unwrap();
        }
        for _ in 0..20 {
            let side = if rng.chance(1, 2) { &mut pair.dialler } else { &mut pair.acceptor };
            let mut bytes = BytesMut::new();
            let mut frame = Vec::new();
            any_frame(&mut rng).encode(&mut frame);
            bytes.extend_from_slice(&frame);
            side.link.handle_input(pair.now, Input::Bytes(&mut bytes));
            side.note_outputs();
            if rng.chance(1, 2) {
                side.link.poll_transmit(pair.now, &mut Vec::new());
            }
            for request in &side.requests {
                let (request, conversation) = (request.id, Conversation::Request(request.id));
                let payload = Payload::raw(vec![0; 30_000]);
                let place = Place::Partial;
                side.link.handle_input(
                    pair.now,
                    match rng.below(6) {
                        0 => Input::Reply { request, payload, options: None },
                        1 => Input::Item { conversation, payload, options: None, place },
                        2 => Input::EndItems(conversation),
                        3 => Input::Discard(request),
                        _ => match side.items.pop_front() {
                            Some(Item { receipt, .. }) => Input::Taken { conversation, receipt },
                            None => continue,
                        },
                    },
                );
            }
            pair.now += Duration::from_millis(rng.below(4));
            side.link.handle_timeout(pair.now);
            side.note_outputs();
        }
        drop(pair);
        assert_eq!(budget.left(), before, "seed {seed}");
    }
}
