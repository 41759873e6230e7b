//! Two links, joined byte by byte, in virtual time.

pub(super) use super::sample::config;
use super::*;
use crate::id::NodeId;
use crate::limits::{
    BEFORE_CLOSE, BEFORE_PING, CHUNK_MAX, CONVERSATIONS_MAX, HANDSHAKE_TIME, PAYLOAD_MAX, WINDOW,
};
use crate::talk::Payload;
use crate::wire::hello::{VERSION_MAX, VERSION_MIN};
use crate::wire::{Target, Then};
use bytes::BytesMut;

/// One side: its link, what it was told, and the bytes on their way to it.
pub(super) struct Side {
    pub(super) link: Link,
    log: Vec<String>,
    pub(super) requests: Vec<Request>,
    /// Items that came and were not taken.
    pub(super) items: VecDeque<Item>,
    inbox: BytesMut,
}

pub(super) struct Pair {
    pub(super) now: Time,
    pub(super) dialler: Side,
    pub(super) acceptor: Side,
    pub(super) budget: Arc<Budget>,
}

struct Setup {
    mesh: [u8; 8],
    keys: (u8, u8),
    expect: Option<NodeId>,
    budget: usize,
    versions: (u8, u8),
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            mesh: [7; 8],
            keys: (1, 1),
            expect: None,
            budget: 1 << 28,
            versions: (VERSION_MIN, VERSION_MAX),
        }
    }
}

impl Pair {
    fn new(setup: &Setup) -> Self {
        let budget = Arc::new(Budget::new(setup.budget));
        let side = |role, key: u8, mesh, versions, expect| {
            let mut config = config(role, key, Arc::clone(&budget));
            (config.hello.mesh, config.hello.versions, config.expect) = (mesh, versions, expect);
            Side {
                link: Link::new(config, Time::ZERO),
                log: vec![],
                requests: vec![],
                items: VecDeque::new(),
                inbox: BytesMut::new(),
            }
        };
        let current = (VERSION_MIN, VERSION_MAX);
        Self {
            now: Time::ZERO,
            dialler: side(Role::Dialler, setup.keys.0, [7; 8], current, setup.expect),
            acceptor: side(Role::Acceptor, setup.keys.1, setup.mesh, setup.versions, None),
            budget,
        }
    }

    /// A pair whose handshake is done.
    pub(super) fn open() -> Self {
        let mut pair = Self::new(&Setup::default());
        pair.settle();
        let up = "up rtt(0)".to_owned();
        assert_eq!((pair.dialler.take_log(), pair.acceptor.take_log()), (up.clone(), up));
        pair
    }

    /// Carries bytes both ways until nothing moves.
    pub(super) fn settle(&mut self) {
        loop {
            let moved = carry(self.now, &mut self.dialler, &mut self.acceptor);
            if !(carry(self.now, &mut self.acceptor, &mut self.dialler) || moved) {
                return;
            }
        }
    }

    pub(super) fn after(&mut self, millis: u64) {
        self.now += Duration::from_millis(millis);
        self.dialler.link.handle_timeout(self.now);
        self.acceptor.link.handle_timeout(self.now);
        self.settle();
    }

    pub(super) fn call(
        &mut self,
        token: u64,
        size: usize,
        time: Option<Duration>,
    ) -> Result<CallId, Status> {
        self.open_shaped(token, size, time, Shape::Call)
    }

    pub(super) fn open_shaped(
        &mut self,
        token: u64,
        size: usize,
        time: Option<Duration>,
        shape: Shape,
    ) -> Result<CallId, Status> {
        let target = Arc::new(Target {
            offer: 1,
            namespace: "default".parse().unwrap(),
            service: "echo".parse().unwrap(),
            method: "".parse().unwrap(),
        });
        let payload = Payload::raw(vec![7; size]);
        let deadline = time.map(|time| self.now + time);
        let (key, target, options) = (TargetKey(1), &target, None);
        let open = Open { token, key, target, deadline, payload, options, shape };
        self.dialler.link.open(self.now, open)
    }

    /// The acceptor answers everything it was asked with what it was given.
    pub(super) fn echo(&mut self) {
        for request in std::mem::take(&mut self.acceptor.requests) {
            let input =
                Input::Reply { request: request.id, payload: request.payload, options: None };
            self.acceptor.link.handle_input(self.now, input);
        }
        self.settle();
    }

    #[track_caller]
    pub(super) fn expect(&mut self, dialler: &str, acceptor: &str) {
        assert_eq!(self.dialler.take_log(), dialler, "the dialler's log");
        assert_eq!(self.acceptor.take_log(), acceptor, "the acceptor's log");
    }
}

fn carry(now: Time, from: &mut Side, to: &mut Side) -> bool {
    let mut bytes = Vec::new();
    while from.link.poll_transmit(now, &mut bytes) {}
    from.note_outputs();
    to.inbox.extend_from_slice(&bytes);
    if !bytes.is_empty() {
        to.link.handle_input(now, Input::Bytes(&mut to.inbox));
    }
    to.note_outputs();
    !bytes.is_empty()
}

impl Side {
    pub(super) fn take_log(&mut self) -> String {
        std::mem::take(&mut self.log).join(" ")
    }

    /// Pings are answered, and that is not what a test is about.
    pub(super) fn forget_round_trips(&mut self) {
        self.log.retain(|line| !line.starts_with("rtt"));
    }

    pub(super) fn note_outputs(&mut self) {
        while let Some(output) = self.link.poll_output() {
            let line = match output {
                Output::Established(_) => "up".into(),
                Output::Request(request) => {
                    let line = format!("asked({})", request.payload.bytes.len());
                    self.requests.push(request);
                    line
                }
                Output::Cancelled(_) => "cancelled".into(),
                Output::Ended { token, outcome } => match outcome {
                    Outcome::Reply(payload, _) => format!("{token}:reply({})", payload.bytes.len()),
                    Outcome::Failed(status) => format!("{token}:{}{}", status.code, mark(&status)),
                    Outcome::Nothing => format!("{token}:nothing"),
                    Outcome::NotSent => format!("{token}:not-sent"),
                    Outcome::Lost => format!("{token}:lost"),
                },
                Output::Item { item, .. } => {
                    let line = match item.then {
                        Then::Rest => format!("piece({})", item.payload.bytes.len()),
                        Then::Next => format!("item({})", item.payload.bytes.len()),
                        Then::End => format!("last({})", item.payload.bytes.len()),
                    };
                    self.items.push_back(item);
                    line
                }
                Output::AskedAll(_) => "asked-all".into(),
                Output::Room(_) => "room".into(),
                Output::Control(body) => format!("control({})", body.len()),
                Output::RoundTrip(span) => format!("rtt({})", span.as_millis()),
                Output::Draining => "draining".into(),
                Output::Idle => "idle".into(),
                Output::Closed(status) => format!("closed({})", status.message),
            };
            self.log.push(line);
        }
    }
}

fn mark(status: &Status) -> &'static str {
    match status.started {
        crate::talk::Started::No => "(not started)",
        crate::talk::Started::Maybe => "",
    }
}

/// Runs a handshake and says how it ended on either side.
#[track_caller]
fn check_handshake(setup: &Setup, dialler: &str, acceptor: &str) {
    let mut pair = Pair::new(setup);
    pair.settle();
    pair.expect(dialler, acceptor);
}

#[test]
fn nodes_of_different_meshes_or_keys_do_not_link() {
    let stranger = "closed(the other side is of another mesh)";
    check_handshake(&Setup { mesh: [8; 8], ..Setup::default() }, stranger, stranger);
    check_handshake(
        &Setup { keys: (1, 2), ..Setup::default() },
        "closed(no mesh key in common)",
        "closed(no mesh key in common)",
    );
}

#[test]
fn a_dialler_refuses_another_node_than_it_expects() {
    let expect = Some(NodeId::from_bytes([9; 16]));
    let mut pair = Pair::new(&Setup { expect, ..Setup::default() });
    pair.settle();
    assert!(pair.dialler.take_log().contains("lives here, not 09090909"));
    assert!(pair.acceptor.take_log().starts_with("closed("));
}

#[test]
fn versions_without_overlap_are_refused_with_both_ranges() {
    let message = "closed(the other side speaks protocol 7 to 9, this one 1 to 1)";
    check_handshake(&Setup { versions: (7, 9), ..Setup::default() }, message, message);
}

#[test]
fn a_silent_connection_is_closed_when_the_handshake_takes_too_long() {
    let mut pair = Pair::new(&Setup::default());
    pair.now = Time::ZERO + HANDSHAKE_TIME;
    pair.acceptor.link.handle_timeout(pair.now);
    pair.acceptor.note_outputs();
    assert_eq!(pair.acceptor.take_log(), "closed(the handshake took too long)");
}

#[test]
fn a_call_is_asked_and_answered_whatever_its_size() {
    for size in
        [0, 1, 128, CHUNK_MAX, CHUNK_MAX + 1, WINDOW as usize, WINDOW as usize * 3 + 5, PAYLOAD_MAX]
    {
        let mut pair = Pair::open();
        let before = pair.budget.left();
        pair.call(5, size, None).unwrap();
        pair.settle();
        pair.echo();
        pair.expect(&format!("5:reply({size})"), &format!("asked({size})"));
        assert_eq!(
            (pair.dialler.link.conversations(), pair.acceptor.link.conversations()),
            (0, 0),
            "{size}"
        );
        assert_eq!(pair.budget.left(), before, "{size}");
    }
}

#[test]
fn a_bound_call_adds_at_most_twelve_bytes() {
    let mut pair = Pair::open();
    pair.call(1, 128, Some(Duration::from_secs(5))).unwrap();
    pair.settle();
    pair.call(2, 128, Some(Duration::from_secs(5))).unwrap();
    let mut bytes = Vec::new();
    pair.dialler.link.poll_transmit(pair.now, &mut bytes);
    assert!(bytes.len() <= 128 + 12, "{}", bytes.len());
}

/// As it is when a requester has been at work for a while: the target has its number, and many calls go on at once.
#[test]
fn a_hundred_calls_add_at_most_twelve_bytes_each_in_either_direction() {
    const CALLS: usize = 100;
    const ALL_MAX: usize = CALLS * (128 + 12);
    let mut pair = Pair::open();
    for round in 0..3 {
        for token in 0..CALLS as u64 {
            pair.call(token, 128, Some(Duration::from_secs(5))).unwrap();
        }
        let there = written(pair.now, &mut pair.dialler, &mut pair.acceptor);
        for Request { id: request, payload, .. } in std::mem::take(&mut pair.acceptor.requests) {
            let input = Input::Reply { request, payload, options: None };
            pair.acceptor.link.handle_input(pair.now, input);
        }
        let back = written(pair.now, &mut pair.acceptor, &mut pair.dialler);
        assert_eq!(pair.dialler.take_log().matches("reply(128)").count(), CALLS);
        assert!(back <= ALL_MAX, "{back} bytes of replies");
        assert!(round == 0 || there <= ALL_MAX, "{there} bytes of calls");
    }
}

/// Carries what one side has to say; how many bytes that was.
fn written(now: Time, from: &mut Side, to: &mut Side) -> usize {
    let before = from.link.stats().bytes_out;
    while carry(now, from, to) {}
    usize::try_from(from.link.stats().bytes_out - before).unwrap()
}

#[test]
fn a_payload_over_the_limit_is_refused_before_anything_is_sent() {
    let mut pair = Pair::open();
    let status = pair.call(1, PAYLOAD_MAX + 1, None).unwrap_err();
    assert_eq!(
        status.to_string(),
        "RESOURCE_EXHAUSTED: the payload is over the limit of 16 MiB (PAYLOAD_MAX)"
    );
}

#[test]
fn one_conversation_more_than_the_peer_takes_is_refused() {
    let mut pair = Pair::open();
    for token in 0..u64::from(CONVERSATIONS_MAX) {
        pair.call(token, 1, None).unwrap();
    }
    assert_eq!(pair.call(0, 1, None).unwrap_err().code, Code::ResourceExhausted);
    pair.settle();
    pair.echo();
    pair.call(0, 1, None).unwrap();
}

#[test]
fn a_cancelled_call_stops_the_work_and_frees_its_id() {
    let mut pair = Pair::open();
    let call = pair.call(1, 10, None).unwrap();
    pair.settle();
    pair.dialler.link.handle_input(pair.now, Input::Cancel(call));
    pair.settle();
    pair.echo();
    pair.expect("", "asked(10) cancelled");
    assert_eq!((pair.dialler.link.conversations(), pair.acceptor.link.conversations()), (0, 0));
}

#[test]
fn a_call_cancelled_before_it_was_written_is_never_seen() {
    let mut pair = Pair::open();
    let call = pair.call(1, 10, None).unwrap();
    pair.dialler.link.handle_input(pair.now, Input::Cancel(call));
    pair.settle();
    pair.expect("", "");
}

#[test]
fn an_answer_that_crosses_a_cancel_does_not_meet_the_next_call() {
    let mut pair = Pair::open();
    let call = pair.call(1, 10, None).unwrap();
    pair.settle();
    let request = pair.acceptor.requests.pop().unwrap();
    let reply = Input::Reply { request: request.id, payload: request.payload, options: None };
    pair.acceptor.link.handle_input(pair.now, reply);
    pair.dialler.link.handle_input(pair.now, Input::Cancel(call));
    pair.call(2, 20, None).unwrap();
    pair.settle();
    pair.echo();
    pair.expect("2:reply(20)", "asked(10) asked(20)");
}

#[test]
fn time_runs_out_on_both_sides_and_the_work_is_stopped() {
    let mut pair = Pair::open();
    pair.call(1, 10, Some(Duration::from_millis(100))).unwrap();
    pair.settle();
    pair.after(50);
    pair.expect("", "asked(10)");
    pair.after(60);
    pair.expect("1:DEADLINE_EXCEEDED", "cancelled");
    assert_eq!((pair.dialler.link.conversations(), pair.acceptor.link.conversations()), (0, 0));
}

#[test]
fn a_failure_keeps_its_code_and_says_whether_anything_ran() {
    let mut pair = Pair::open();
    pair.call(1, 10, None).unwrap();
    pair.settle();
    let request = pair.acceptor.requests.pop().unwrap().id;
    let status =
        Status::not_started(Code::ResourceExhausted, "full").retry_after(Duration::from_millis(7));
    pair.acceptor.link.handle_input(pair.now, Input::Fail { request, status });
    pair.settle();
    pair.expect("1:RESOURCE_EXHAUSTED(not started)", "asked(10)");
}

#[test]
fn a_broken_link_tells_calls_that_were_sent_from_those_that_were_not() {
    let mut pair = Pair::open();
    pair.call(1, 10, None).unwrap();
    pair.settle();
    pair.call(2, 10, None).unwrap();
    pair.dialler.link.handle_input(pair.now, Input::Broken("reset".into()));
    pair.acceptor.link.handle_input(pair.now, Input::Broken("reset".into()));
    pair.settle();
    pair.expect("1:lost 2:not-sent closed(reset)", "asked(10) cancelled closed(reset)");
}

#[test]
fn a_drained_link_ends_its_calls_first_and_takes_no_new_ones() {
    let mut pair = Pair::open();
    pair.call(1, 10, None).unwrap();
    pair.settle();
    pair.dialler.link.handle_input(pair.now, Input::Drain);
    pair.settle();
    assert_eq!(pair.call(2, 10, None).unwrap_err().code, Code::Unavailable);
    pair.expect("draining", "asked(10) draining");
    pair.echo();
    pair.expect("1:reply(10) closed(the link was drained)", "closed(the link was drained)");
}

#[test]
fn a_call_that_crosses_a_drain_is_answered() {
    let mut pair = Pair::open();
    pair.acceptor.link.handle_input(pair.now, Input::Drain);
    pair.call(1, 10, None).unwrap();
    pair.settle();
    pair.echo();
    pair.expect(
        "draining 1:reply(10) closed(the link was drained)",
        "draining asked(10) closed(the link was drained)",
    );
}

#[test]
fn a_silent_peer_is_pinged_then_given_up() {
    let mut pair = Pair::open();
    pair.after(2_500);
    pair.expect("rtt(0)", "rtt(0)");
    pair.now += BEFORE_PING;
    pair.dialler.link.handle_timeout(pair.now);
    pair.now += BEFORE_CLOSE;
    pair.dialler.link.handle_timeout(pair.now);
    pair.dialler.note_outputs();
    assert_eq!(pair.dialler.take_log(), "closed(the peer fell silent)");
}

#[test]
fn an_exhausted_budget_refuses_the_call_and_nothing_else() {
    let mut pair = Pair::new(&Setup { budget: 100_000, ..Setup::default() });
    pair.settle();
    pair.call(1, 200_000, None).unwrap();
    pair.call(2, 128, None).unwrap();
    pair.settle();
    pair.echo();
    pair.expect("up rtt(0) 1:RESOURCE_EXHAUSTED(not started) 2:reply(128)", "up rtt(0) asked(128)");
    assert_eq!(pair.budget.left(), 100_000);
}

#[test]
fn a_small_call_does_not_wait_behind_a_big_one() {
    let mut pair = Pair::open();
    pair.call(1, PAYLOAD_MAX, None).unwrap();
    let mut bytes = Vec::new();
    pair.dialler.link.poll_transmit(pair.now, &mut bytes);
    pair.call(2, 100, None).unwrap();
    bytes.clear();
    pair.dialler.link.poll_transmit(pair.now, &mut bytes);
    pair.acceptor.inbox.clear();
    assert!(bytes.len() < 128 * 1024, "at most a round of bulk beside it: {}", bytes.len());
    assert_eq!(bytes[2] & 0x1f, 3, "the small call's Open comes first");
}

#[test]
fn a_small_call_does_not_wait_behind_the_beginnings_of_big_ones() {
    let mut pair = Pair::open();
    for token in 0..100 {
        pair.call(token, CHUNK_MAX + 1, None).unwrap();
    }
    pair.call(100, 100, None).unwrap();
    let mut bytes = Vec::new();
    pair.dialler.link.poll_transmit(pair.now, &mut bytes);
    assert!(bytes.len() < crate::limits::BULK_IN_FLIGHT + 2 * CHUNK_MAX, "{}", bytes.len());
    pair.acceptor.link.handle_input(pair.now, Input::Bytes(&mut BytesMut::from(&bytes[..])));
    pair.acceptor.note_outputs();
    assert_eq!(pair.acceptor.take_log(), "asked(100)");
}

#[test]
fn a_big_answer_that_crosses_a_cancel_does_not_stay() {
    let mut pair = Pair::open();
    let call = pair.call(1, 10, None).unwrap();
    pair.settle();
    let request = pair.acceptor.requests.pop().unwrap().id;
    let payload = Payload::raw(vec![7; WINDOW as usize * 2]);
    let reply = Input::Reply { request, payload, options: None };
    pair.acceptor.link.handle_input(pair.now, reply);
    let mut bytes = Vec::new();
    pair.dialler.link.handle_input(pair.now, Input::Cancel(call));
    pair.dialler.link.poll_transmit(pair.now, &mut bytes);
    pair.acceptor.link.handle_input(pair.now, Input::Bytes(&mut BytesMut::from(&bytes[..])));
    pair.settle();
    assert_eq!((pair.dialler.link.conversations(), pair.acceptor.link.conversations()), (0, 0));
}

#[test]
fn bytes_are_counted_once_however_they_are_cut() {
    let mut pair = Pair::open();
    pair.call(1, 100, None).unwrap();
    let mut bytes = Vec::new();
    pair.dialler.link.poll_transmit(pair.now, &mut bytes);
    let mut input = BytesMut::new();
    for byte in bytes {
        input.extend_from_slice(&[byte]);
        pair.acceptor.link.handle_input(pair.now, Input::Bytes(&mut input));
    }
    let (sent, heard) = (pair.dialler.link.stats().bytes_out, pair.acceptor.link.stats().bytes_in);
    assert_eq!(sent, heard);
}

#[test]
fn control_messages_pass_unread() {
    let mut pair = Pair::open();
    pair.dialler.link.handle_input(pair.now, Input::Control(Bytes::from_static(b"hello")));
    pair.settle();
    pair.expect("", "control(5)");
}

proptest::proptest! {
    #[test]
    fn no_bytes_make_a_link_panic(bytes: Vec<u8>, cut in 0_usize..64) {
        let mut pair = Pair::open();
        let mut input = BytesMut::from(&bytes[..]);
        pair.acceptor.link.handle_input(pair.now, Input::Bytes(&mut input));
        let mut stranger = Pair::new(&Setup::default());
        let mut said = Vec::new();
        stranger.dialler.link.poll_transmit(Time::ZERO, &mut said);
        said.truncate(cut.min(said.len()));
        said.extend_from_slice(&bytes);
        let mut input = BytesMut::from(&said[..]);
        stranger.acceptor.link.handle_input(Time::ZERO, Input::Bytes(&mut input));
    }
}
