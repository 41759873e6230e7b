//! Frames, byte by byte and at random.

use super::*;
use crate::limits::BINDINGS_MAX;
use crate::wire::golden;
use crate::wire::options::tests::any_options;
use proptest::prelude::*;

fn encoded(frame: &Frame) -> Vec<u8> {
    let mut out = Vec::new();
    frame.encode(&mut out);
    out
}

fn target() -> Target {
    Target {
        offer: 1,
        namespace: "default".parse().unwrap(),
        service: "price".parse().unwrap(),
        method: "quote".parse().unwrap(),
    }
}

fn piece(bytes: &'static [u8], then: Then) -> Piece {
    Piece { encoding: Encoding::Json, options: None, bytes: Bytes::from_static(bytes), then }
}

fn with_options(piece: Piece) -> Piece {
    Piece { options: Some(Box::new(Options { attempt: 2, ..Options::default() })), ..piece }
}

fn nothing(then: Then) -> Piece {
    let options = Options { nothing: true, ..Options::default() };
    Piece { options: Some(Box::new(options)), encoding: Encoding::Raw, ..piece(b"", then) }
}

fn open(callee: Callee, millis: Option<u64>, piece: Piece) -> Frame {
    let deadline = millis.map(Duration::from_millis);
    Frame::Open { conversation: 8191, callee, deadline, piece }
}

fn full() -> Status {
    let details = Bytes::from_static(&[1, 2]);
    Status { details, ..Status::not_started(Code::ResourceExhausted, "full") }
        .retry_after(Duration::from_millis(250))
}

fn golden_frames() -> Vec<(&'static str, Frame)> {
    let named = || Callee::Named(Box::new(target()));
    let data = |piece| Frame::Data { conversation: 2, piece };
    let end = |status| Frame::End { conversation: 1, status: Box::new(status) };
    vec![
        ("proof", Frame::Proof(Box::new(Proof { mac: [0xab; 32], signature: [0xcd; 64] }))),
        ("bind", Frame::Bind { id: 1024, target: target() }),
        ("open-bound", open(Callee::Bound(1024), Some(5_000), piece(b"[1]", Then::End))),
        ("open-named", open(named(), None, piece(b"[1]", Then::End))),
        ("open-rest", open(Callee::Bound(1), Some(1), piece(b"[1", Then::Rest))),
        ("open-options", open(Callee::Bound(1), None, with_options(piece(b"1", Then::Next)))),
        ("data-end", data(piece(b"[1]", Then::End))),
        ("data-rest", data(piece(b"[1", Then::Rest))),
        ("data-next", data(piece(b"", Then::Next))),
        ("open-nothing", open(Callee::Bound(1), None, nothing(Then::Next))),
        ("data-item", data(piece(b"[1]", Then::Next))),
        ("data-nothing", data(nothing(Then::End))),
        ("data-options", data(with_options(piece(b"1", Then::End)))),
        ("end-ok", end(Status::new(Code::Ok, ""))),
        ("end-full", end(full())),
        ("reset", Frame::Reset { conversation: 1, code: Code::Cancelled }),
        ("credit", Frame::Credit { conversation: 3, bytes: 131_072 }),
        ("credit-link", Frame::Credit { conversation: 0, bytes: 8_388_608 }),
        ("ping", Frame::Ping(0x0102_0304_0506_0708)),
        ("pong", Frame::Pong(0x0102_0304_0506_0708)),
        ("drain", Frame::Drain),
        ("control", Frame::Control(Bytes::from_static(b"node"))),
        ("close", Frame::Close(Box::new(Status::new(Code::Unavailable, "bye")))),
        ("unknown", Frame::Unknown(31)),
    ]
}

#[test]
fn the_bytes_of_a_frame_are_what_they_were() {
    let all = golden_frames();
    let lines: Vec<_> = all.iter().map(|(name, frame)| (*name, encoded(frame))).collect();
    golden::check(include_str!("../../../testdata/wire/frame.txt"), &lines);
    for (name, frame) in all {
        let mut bytes = BytesMut::from(&encoded(&frame)[..]);
        assert_eq!(Frame::decode(&mut bytes), Ok(Some(frame)), "{name}");
        assert!(bytes.is_empty(), "{name}");
    }
}

#[track_caller]
fn refused(bytes: &[u8], why: &'static str) {
    assert_eq!(Frame::decode(&mut BytesMut::from(bytes)), Err(Malformed(why)));
}

#[test]
fn what_no_version_writes_is_malformed() {
    refused(&[0], "frame: empty");
    refused(&[0x81, 0x80, 0x02], "frame: over its limit");
    refused(&[0x80; 5], "frame: length");
    refused(&[4, 0x64, 1, 0, 0], "flags: more and last together");
    refused(&[3, 0x44, 1, 9], "encoding: unknown");
    refused(&[2, 0x44, 1], "field: cut off");
    refused(&[3, 5, 1, 0], "field: cut off");
    let mut long = Vec::new();
    put_varint(&mut long, CHUNK_MAX as u64 + 2);
    long.push(11);
    long.resize(long.len() + CHUNK_MAX + 1, 0);
    refused(&long, "payload: a piece over its limit");
}

#[test]
fn what_a_newer_peer_writes_behind_the_fields_or_as_a_new_kind_is_passed_over() {
    let mut bytes = BytesMut::from(&[4, 10, 1, 2, 3, 3, 0x3f, 9, 9, 1, 10][..]);
    for expect in [Frame::Drain, Frame::Unknown(0x3f), Frame::Drain] {
        assert_eq!(Frame::decode(&mut bytes), Ok(Some(expect)));
    }
}

#[test]
fn the_words_of_a_peer_are_one_line_without_commands_to_a_terminal() {
    let status = Status::new(Code::Internal, "red \u{1b}[31m\r\nnext\u{9b}");
    let mut bytes = BytesMut::from(&encoded(&Frame::Close(Box::new(status)))[..]);
    let Ok(Some(Frame::Close(heard))) = Frame::decode(&mut bytes) else { panic!("not a Close") };
    assert_eq!(heard.message, "red  [31m  next ");
}

#[test]
fn what_is_over_its_limit_is_cut_or_left_out() {
    let status = Status {
        details: vec![0; DETAILS_MAX + 1].into(),
        ..Status::new(Code::Internal, "é".repeat(MESSAGE_MAX))
    };
    let frame = Frame::End { conversation: 1, status: Box::new(status) };
    let Ok(Some(Frame::End { status, .. })) =
        Frame::decode(&mut BytesMut::from(&encoded(&frame)[..]))
    else {
        panic!("not an End")
    };
    assert_eq!((status.message.len(), status.details.len()), (MESSAGE_MAX, 0));
}

prop_compose! {
    fn any_target()(
        offer: u32,
        namespace in "[a-z][a-z0-9]{0,20}",
        service in "[a-z][a-z0-9]{0,20}",
        method in "([a-z]{1,8}(/[a-z]{1,8}){0,2})?",
    ) -> Target {
        Target {
            offer,
            namespace: namespace.parse().unwrap(),
            service: service.parse().unwrap(),
            method: method.parse().unwrap(),
        }
    }
}

fn any_callee() -> impl Strategy<Value = Callee> {
    prop_oneof![
        (1..=u32::MAX).prop_map(Callee::Bound),
        any_target().prop_map(|target| Callee::Named(Box::new(target))),
    ]
}

prop_compose! {
    fn any_piece()(
        encoding in 0_u8..4,
        options in proptest::option::weighted(0.2, any_options().prop_map(Box::new)),
        bytes: Vec<u8>,
        then in prop_oneof![Just(Then::Rest), Just(Then::Next), Just(Then::End)],
    ) -> Piece {
        let encoding = Encoding::from_number(encoding).unwrap();
        Piece { encoding, options, bytes: bytes.into(), then }
    }
}

fn any_span() -> impl Strategy<Value = Option<Duration>> {
    let max = u64::try_from(DEADLINE_MAX.as_millis()).unwrap();
    proptest::option::of((1..=max).prop_map(Duration::from_millis))
}

fn any_code() -> impl Strategy<Value = Code> {
    (0_u8..17).prop_map(Code::from_number)
}

prop_compose! {
    fn any_status()(
        code in any_code(),
        message in "[^\\p{Cc}]{0,80}",
        ran: bool,
        retry_after in any_span(),
        details: Vec<u8>,
    ) -> Status {
        let started = if ran { Started::Maybe } else { Started::No };
        Status { code, message, started, retry_after, details: details.into() }
    }
}

fn any_frame() -> impl Strategy<Value = Frame> {
    prop_oneof![
        any::<([u8; 32], [u8; 32])>().prop_map(|(mac, half)| {
            let mut signature = [0; 64];
            signature[..32].copy_from_slice(&half);
            Frame::Proof(Box::new(Proof { mac, signature }))
        }),
        (any::<u32>(), any_target()).prop_map(|(id, target)| Frame::Bind { id, target }),
        (any::<u32>(), any_callee(), any_span(), any_piece()).prop_map(
            |(conversation, callee, deadline, piece)| Frame::Open {
                conversation,
                callee,
                deadline,
                piece
            }
        ),
        (any::<u32>(), any_piece())
            .prop_map(|(conversation, piece)| Frame::Data { conversation, piece }),
        (any::<u32>(), any_status()).prop_map(|(conversation, status)| Frame::End {
            conversation,
            status: Box::new(status)
        }),
        (any::<u32>(), any_code())
            .prop_map(|(conversation, code)| Frame::Reset { conversation, code }),
        any::<(u32, u32)>().prop_map(|(conversation, bytes)| Frame::Credit { conversation, bytes }),
        any::<u64>().prop_map(Frame::Ping),
        any::<u64>().prop_map(Frame::Pong),
        Just(Frame::Drain),
        any::<Vec<u8>>().prop_map(|body| Frame::Control(body.into())),
        (any_code(), "[^\\p{Cc}]{0,80}")
            .prop_map(|(code, message)| Frame::Close(Box::new(Status::new(code, message)))),
        (13_u8..32).prop_map(Frame::Unknown),
    ]
}

proptest! {
    #[test]
    fn frames_read_back_in_order_however_their_bytes_are_cut(
        frames in proptest::collection::vec(any_frame(), 1..5),
    ) {
        let mut buffer = BytesMut::new();
        for frame in frames {
            let bytes = encoded(&frame);
            for byte in bytes {
                prop_assert_eq!(Frame::decode(&mut buffer), Ok(None));
                buffer.extend_from_slice(&[byte]);
            }
            prop_assert_eq!(Frame::decode(&mut buffer), Ok(Some(frame)));
        }
        prop_assert!(buffer.is_empty());
    }

    #[test]
    fn frames_that_arrive_at_once_read_back_in_order(
        frames in proptest::collection::vec(any_frame(), 1..10),
    ) {
        let mut bytes = Vec::new();
        for frame in &frames {
            frame.encode(&mut bytes);
        }
        let mut buffer = BytesMut::from(&bytes[..]);
        for frame in frames {
            prop_assert_eq!(Frame::decode(&mut buffer), Ok(Some(frame)));
        }
        prop_assert_eq!(Frame::decode(&mut buffer), Ok(None));
    }

    #[test]
    fn no_bytes_make_a_frame_panic(
        frame in any_frame(),
        at: prop::sample::Index,
        byte: u8,
        other: Vec<u8>,
    ) {
        let mut bytes = encoded(&frame);
        let at = at.index(bytes.len());
        bytes[at] = byte;
        bytes.extend_from_slice(&other);
        let mut buffer = BytesMut::from(&bytes[..]);
        while let Ok(Some(_)) = Frame::decode(&mut buffer) {}
        let mut buffer = BytesMut::from(&other[..]);
        while let Ok(Some(_)) = Frame::decode(&mut buffer) {}
    }

    /// Ids, methods and deadlines as large as the limits let them be; the deadline is up to 34 minutes.
    #[test]
    fn a_bound_open_adds_at_most_twelve_bytes_to_its_payload(
        conversation in 1..=2 * crate::limits::CONVERSATIONS_MAX,
        method in 1..=BINDINGS_MAX,
        millis in 0_u64..1 << 21,
        size in prop_oneof![0..200_usize, CHUNK_MAX - 200..=CHUNK_MAX],
    ) {
        let piece = Piece { bytes: vec![0; size].into(), ..piece(b"", Then::End) };
        let deadline = Some(millis).filter(|millis| *millis > 0).map(Duration::from_millis);
        let head = OpenHead { conversation, callee: &Callee::Bound(method), deadline };
        let mut out = Vec::new();
        put_open(&mut out, &head, &piece);
        prop_assert!(out.len() <= size + 12, "{} for {size}", out.len());
    }
}
