//! Does everybody who listens get what is published, once and in order, and is what goes counted?

use super::outlet::{Counts, Outlet, Put, Report};
use super::queue::{Dropped, Queue};
use super::samples::{budget, message, run_of, sender, shown, text, topic};
use super::subscriptions::{Subscriber, SubscriptionId, Subscriptions, Wish};
use super::{Encoded, LaneName, Run, split};
use crate::id::Epoch;
use crate::limits::{
    CHUNK_MAX, OUTLET_MAX, PUBLISHED_MAX, RECORD_MAX, SUBSCRIPTION_BYTES,
    SUBSCRIPTION_PATTERNS_MAX, SUBSCRIPTIONS_MAX, TOPIC_MAX, UNCOUNTED_MAX,
};
use crate::name::{Namespace, TopicPattern};
use crate::registry::Slow;
use crate::talk::{Code, Encoding, Options, Payload};
use crate::wire::Malformed;
use bytes::Bytes;
use std::time::Duration;

const WAIT: Slow = Slow::Wait(Duration::from_secs(1));

/// What a lane's stream carries, batch by batch.
fn drained(outlet: &mut Outlet) -> Vec<(u32, Vec<String>)> {
    std::iter::from_fn(|| outlet.take())
        .map(|batch| split(sender(), &batch).unwrap())
        .map(|batch| (batch.lost, shown(batch.runs)))
        .collect()
}

#[test]
fn messages_go_together_and_are_told_apart_by_topic() {
    let mut outlet = Outlet::new(WAIT);
    for (topic, payload) in [("a", "1"), ("a", "2"), ("b.c", "3"), ("a", ""), ("a", "5")] {
        assert_eq!(outlet.put(&message(topic, payload)), Put::Taken);
    }
    let expect = ["a: 1 2", "b.c: 3", "a:  5"].map(str::to_owned).to_vec();
    assert_eq!(drained(&mut outlet), [(0, expect)]);
    assert!(outlet.is_empty());
    assert_eq!(outlet.counts(), Counts { sent: 5, ..Counts::default() });
}

#[test]
fn a_message_keeps_its_encoding_and_what_accompanies_it() {
    let options = Options { metadata: vec![("k".into(), "v".into())], ..Options::default() };
    let payload = Payload { encoding: Encoding::Json, bytes: "[1]".into() };
    let encoded = Encoded::new(topic("a"), payload.clone(), Some(&options)).unwrap();
    let mut outlet = Outlet::new(WAIT);
    outlet.put(&message("a", "plain"));
    outlet.put(&encoded);
    let mut batch = split(sender(), &outlet.take().unwrap()).unwrap();
    let messages: Vec<_> = batch.runs.remove(0).collect();
    assert_eq!((messages[0].options.clone(), &messages[1].payload), (None, &payload));
    assert_eq!(messages[1].options.as_deref(), Some(&options));
    assert_eq!((messages[1].from, messages[1].topic.as_str()), (sender(), "a"));
}

#[test]
fn what_is_published_for_a_foreign_system_comes_alone_to_be_judged() {
    let foreign = Options { origin: "bridge:cote".into(), ..Options::default() };
    let foreign = Encoded::new(topic("a"), Payload::raw("2"), Some(&foreign)).unwrap();
    let mut outlet = Outlet::new(WAIT);
    for encoded in [message("a", "1"), foreign, message("a", "3"), message("a", "4")] {
        outlet.put(&encoded);
    }
    let batch = split(sender(), &outlet.take().unwrap()).unwrap();
    let origins: Vec<_> = batch.runs.iter().map(|run| run.origin().is_some()).collect();
    assert_eq!(origins, [false, true, false]);
    assert_eq!(shown(batch.runs), ["a: 1", "a: 2", "a: 3 4"]);
}

#[test]
fn a_large_message_is_encoded_once_for_all_lanes() {
    let large = message("a", &"x".repeat(100_000));
    let mut outlets = [WAIT, Slow::DropOldest].map(Outlet::new);
    let batches = outlets.each_mut().map(|outlet| {
        outlet.put(&message("a", "before"));
        outlet.put(&large);
        outlet.put(&message("a", "after"));
        let [first, second, third] = [(); 3].map(|()| outlet.take().unwrap());
        assert_eq!(shown(split(sender(), &first).unwrap().runs), ["a: before"]);
        assert_eq!(shown(split(sender(), &third).unwrap().runs), ["a: after"]);
        second
    });
    assert_eq!(batches[0].as_ptr(), batches[1].as_ptr());
    let run = split(sender(), &batches[0]).unwrap().runs.remove(0);
    assert_eq!((run.len(), run.bytes() > 100_000), (1, true));
}

#[test]
fn a_payload_over_its_limit_is_refused() {
    let encode = |len: usize| Encoded::new(topic("a"), Payload::raw(vec![0; len]), None);
    assert!(encode(PUBLISHED_MAX).is_ok());
    assert_eq!(encode(PUBLISHED_MAX + 1).unwrap_err().code, Code::ResourceExhausted);
}

#[test]
fn bytes_that_are_no_batch_are_malformed() {
    #[track_caller]
    fn check(bytes: &[u8], expect: &str) {
        let Malformed(why) = split(sender(), &Bytes::copy_from_slice(bytes)).unwrap_err();
        assert_eq!(why, expect);
    }
    check(&[2, 0, 0, 0, 0], "batch: format");
    check(&[1, 0, 0, 0, 0, 0, 0], "batch: the first message has no topic");
    check(&[1, 0, 0, 0, 0, 0x10], "batch: flags of a message");
    check(&[1, 0, 0, 0, 0, 4, 1, b'*', 0], "batch: topic");
    for cut in 1..5 + 3 + 2 {
        let mut outlet = Outlet::new(WAIT);
        outlet.put(&message("a", "12"));
        let batch = outlet.take().unwrap();
        let is_whole = cut == batch.len() || cut == 5;
        assert_eq!(split(sender(), &batch.slice(..cut)).is_ok(), is_whole, "{cut}");
    }
}

#[test]
fn a_long_batch_is_one_message() {
    let mut batch = vec![1, 0, 0, 0, 0];
    while batch.len() <= 2 * CHUNK_MAX {
        batch.extend_from_slice(&[0b0110, 1, b"ab"[batch.len() / 4 % 2], 0]);
    }
    let refused = split(sender(), &batch.into()).err();
    assert_eq!(refused, Some(Malformed("batch: several messages in a long one")));
}

#[test]
fn a_small_run_does_not_hold_the_batch_that_it_came_in() {
    let mut outlet = Outlet::new(WAIT);
    // Beyond what is copied for each message alone.
    outlet.put(&message("small", &"x".repeat(UNCOUNTED_MAX + 1)));
    outlet.put(&message("large", &"x".repeat(3 * UNCOUNTED_MAX)));
    let batch = outlet.take().unwrap();
    let held = batch.as_ptr_range();
    let runs = split(sender(), &batch).unwrap().runs;
    let is_in = |run: &Run| held.contains(&run.clone().next().unwrap().payload.bytes.as_ptr());
    assert_eq!(runs.iter().map(is_in).collect::<Vec<_>>(), [false, true]);
}

/// Puts in messages of a hundred bytes until one is not taken; how many were.
fn fill(outlet: &mut Outlet) -> usize {
    (0..OUTLET_MAX)
        .find(|number| outlet.put(&message("a", &format!("{number:0100}"))) != Put::Taken)
        .unwrap()
}

#[test]
fn a_full_lane_is_waited_for_once_until_it_takes_something() {
    let mut outlet = Outlet::new(WAIT);
    let taken = fill(&mut outlet);
    assert!((1_000..OUTLET_MAX / 100).contains(&taken));
    assert_eq!(outlet.put(&message("a", &"x".repeat(100))), Put::Wait(Duration::from_secs(1)));
    outlet.give_up();
    assert_eq!(outlet.put(&message("a", &"x".repeat(100))), Put::Lost);
    assert_eq!(outlet.counts(), Counts { lost: 2, ..Counts::default() });
    let first = split(sender(), &outlet.take().unwrap()).unwrap();
    assert_eq!(first.lost, 2, "the other side is told");
    assert_eq!(outlet.put(&message("a", "y")), Put::Taken);
    assert!(drained(&mut outlet).iter().all(|(lost, _)| *lost == 0), "once");
}

#[test]
fn a_full_lane_drops_what_is_newest_or_oldest() {
    let mut newest = Outlet::new(Slow::DropNewest);
    let taken = fill(&mut newest);
    let all = drained(&mut newest);
    assert_eq!((all[0].0, all[0].1[0].starts_with(&format!("a: {:0100} ", 0))), (1, true));
    assert_eq!(newest.counts(), Counts { sent: taken as u64, lost: 1, dropped: 0 });

    let mut oldest = Outlet::new(Slow::DropOldest);
    let total = 2 * taken;
    for number in 0..total {
        assert_eq!(oldest.put(&message("a", &format!("{number:0100}"))), Put::Taken);
    }
    let all = drained(&mut oldest);
    let Counts { sent, lost, .. } = oldest.counts();
    assert_eq!((sent + lost, u64::from(all[0].0)), (total as u64, lost));
    assert!(
        all[0].1[0].starts_with(&format!("a: {lost:0100} ")),
        "the first of those that are left"
    );
}

#[test]
fn an_outlet_tells_what_was_lost_although_nothing_follows() {
    let mut outlet = Outlet::new(WAIT);
    fill(&mut outlet);
    let _ = drained(&mut outlet);
    outlet.give_up();
    assert!(!outlet.is_empty());
    assert_eq!(drained(&mut outlet), [(1, Vec::new())]);
    outlet.give_up();
    outlet.put(&message("a", &"x".repeat(50_000)));
    let told: Vec<u32> = drained(&mut outlet).into_iter().map(|(lost, _)| lost).collect();
    assert_eq!(told, [1, 0], "a batch that all lanes share says nothing of one");
}

#[test]
fn what_nobody_has_taken_is_pending_until_the_stream_ends() {
    let mut outlet = Outlet::new(WAIT);
    for _ in 0..5 {
        outlet.put(&message("a", "x"));
    }
    assert_eq!(outlet.pending(), 5);
    drop(outlet.take());
    outlet.put(&message("a", "x"));
    outlet.report(Report { taken: 3, dropped: 1 });
    assert_eq!((outlet.pending(), outlet.counts().dropped), (3, 1));
    outlet.report(Report { taken: 900, dropped: 0 });
    assert_eq!((outlet.pending(), outlet.counts().dropped), (1, 1), "no more than can be");
    outlet.restart();
    outlet.report(Report { taken: 0, dropped: 2 });
    assert_eq!((outlet.pending(), outlet.counts().dropped), (1, 3));
}

#[test]
fn a_report_reads_back() {
    let report = Report { taken: 300, dropped: u64::MAX };
    let mut bytes = Vec::new();
    report.encode(&mut bytes);
    assert_eq!(Report::decode(&bytes), Ok(report));
    assert!(Report::decode(&bytes[..1]).is_err());
}

fn taken(queue: &mut Queue) -> String {
    let all: Vec<String> =
        std::iter::from_fn(|| queue.take()).map(|message| text(&message.payload.bytes)).collect();
    all.join(" ")
}

#[test]
fn a_full_queue_does_as_its_subscription_says() {
    #[track_caller]
    fn check(slow: Slow, runs: &[&[&str]], expect: (&str, usize, u64)) {
        let mut queue = Queue::new(slow, 3, budget());
        let left: usize = runs
            .iter()
            .filter_map(|run| queue.put(run_of("a", run)))
            .map(|rest| rest.len() as usize)
            .sum();
        let dropped = queue.dropped();
        assert_eq!((&*taken(&mut queue), left, dropped.here), expect);
    }
    check(WAIT, &[&["1", "2"], &["3", "4", "5"]], ("1 2 3", 2, 0));
    check(Slow::DropNewest, &[&["1", "2"], &["3", "4", "5"]], ("1 2 3", 0, 2));
    check(Slow::DropOldest, &[&["1", "2"], &["3", "4", "5"]], ("3 4 5", 0, 2));
    check(Slow::DropOldest, &[&["1"], &["2", "3", "4", "5", "6", "7"]], ("5 6 7", 0, 4));
}

#[test]
fn a_queue_is_bounded_in_bytes_and_takes_one_message_whatever_its_size() {
    let large = "x".repeat(SUBSCRIPTION_BYTES / 2);
    let mut queue = Queue::new(WAIT, 10, std::sync::Arc::new(crate::budget::Budget::new(1 << 30)));
    for expect in [true, false] {
        assert_eq!(queue.put(run_of("a", &[&large])).is_none(), expect);
    }
    queue.take();
    assert!(queue.put(run_of("a", &[&"x".repeat(SUBSCRIPTION_BYTES + 1)])).is_none());
    assert!(queue.put(run_of("a", &["y"])).is_some());
}

#[test]
fn a_queue_gives_back_what_it_holds_of_the_budget() {
    let budget = budget();
    let before = budget.left();
    let mut queue = Queue::new(Slow::DropOldest, 2, std::sync::Arc::clone(&budget));
    queue.put(run_of("a", &["1", "2", "3"]));
    assert!(budget.left() < before);
    assert_eq!(
        queue.take_run(u32::MAX).unwrap().len(),
        1,
        "the rest is in the reach of what drops it"
    );
    queue.put(run_of("b", &["4"]));
    drop(queue);
    assert_eq!(budget.left(), before);
}

#[test]
fn a_queue_counts_what_was_taken_and_what_publishers_lost() {
    let mut queue = Queue::new(WAIT, 10, budget());
    queue.put(run_of("a", &["1", "2", "3"]));
    queue.note_lost(4);
    assert_eq!((queue.take_run(u32::MAX).unwrap().len(), queue.taken(), queue.len()), (3, 3, 0));
    assert_eq!(queue.dropped(), Dropped { here: 0, there: 4 });
}

fn wish(patterns: &[&str], group: Option<&str>) -> Wish {
    Wish {
        namespace: Namespace::default(),
        patterns: patterns.iter().map(|pattern| pattern.parse().unwrap()).collect(),
        group: group.map(|group| group.parse().unwrap()),
        slow: WAIT,
    }
}

/// The lanes, as `number: patterns`.
fn lanes(subscriptions: &Subscriptions) -> Vec<String> {
    let lanes = subscriptions.interest().unwrap_or_default().lanes;
    lanes
        .iter()
        .map(|lane| {
            let patterns: Vec<&str> = lane.patterns.iter().map(TopicPattern::as_str).collect();
            format!("{}: {}", lane.id, patterns.join(" "))
        })
        .collect()
}

#[test]
fn equal_subscriptions_share_a_lane_and_others_do_not() {
    let mut subscriptions = Subscriptions::default();
    let [first, second, third] =
        [wish(&["a", "b.*"], None), wish(&["b.*", "a", "a"], None), wish(&["a"], None)]
            .map(|wish| subscriptions.add(wish).unwrap());
    subscriptions.add(wish(&["a"], Some("g"))).unwrap();
    assert_eq!(lanes(&subscriptions), ["1: a b.*", "2: a", "3: a"]);
    assert_eq!(subscriptions.route(1, &topic("b.c")), Subscriber::All(vec![first, second]));
    assert_eq!(subscriptions.route(2, &topic("b.c")), Subscriber::All(vec![]));
    subscriptions.remove(first);
    assert_eq!(subscriptions.route(1, &topic("a")), Subscriber::All(vec![second]));
    subscriptions.remove(second);
    assert_eq!(lanes(&subscriptions), ["2: a", "3: a"], "who stays keeps its number");
    subscriptions.add(wish(&["a", "b.*"], None)).unwrap();
    assert_eq!(lanes(&subscriptions), ["2: a", "3: a", "4: a b.*"], "a number is used once");
    assert_eq!(subscriptions.route(2, &topic("a")), Subscriber::All(vec![third]));
}

#[test]
fn what_comes_in_a_lane_that_is_gone_reaches_who_was_in_it() {
    let mut subscriptions = Subscriptions::default();
    let first = subscriptions.add(wish(&["first.**"], None)).unwrap();
    for number in 0..SUBSCRIPTION_PATTERNS_MAX {
        subscriptions.add(wish(&[&format!("other{number}.*")], None)).unwrap();
    }
    let lane = &subscriptions.interest().unwrap().lanes[0];
    assert!(lane.id > 1 && lane.patterns.len() == 1, "all are in one lane now");
    assert_eq!(subscriptions.route(1, &topic("first.a")), Subscriber::All(vec![first]));
    assert_eq!(subscriptions.route(lane.id, &topic("first.a")), Subscriber::All(vec![first]));
    assert_eq!(
        subscriptions.route(lane.id, &topic("other7.a")),
        Subscriber::All(vec![SubscriptionId(8)])
    );
    assert_eq!(subscriptions.route(9_999, &topic("first.a")), Subscriber::All(vec![]));
}

#[test]
fn a_lane_that_others_join_from_their_own_is_another_lane() {
    let mut subscriptions = Subscriptions::default();
    let wide: Vec<String> = (0..40).map(|number| format!("wide{number}")).collect();
    let wide: Vec<&str> = wide.iter().map(String::as_str).chain(["a.*"]).collect();
    let [all, one] =
        [&wide[..], &["a.*"]].map(|patterns| subscriptions.add(wish(patterns, None)).unwrap());
    // There are too many patterns for a lane each, and those of all are what the first has.
    let last = subscriptions.add(wish(&wide[..30], None)).unwrap();
    let lane = subscriptions.interest().unwrap().lanes[0].id;
    let of = |lane| subscriptions.route(lane, &topic("a.b"));
    assert_eq!((of(lane), of(1), of(2)), {
        let [joined, first, second] = [vec![all, one], vec![all], vec![one]];
        (Subscriber::All(joined), Subscriber::All(first), Subscriber::All(second))
    });
    subscriptions.remove(last);
    assert_eq!(subscriptions.route(lane, &topic("a.b")), Subscriber::All(vec![all, one]));
    assert_eq!(lanes(&subscriptions).len(), 2);
}

#[test]
fn whatever_is_subscribed_to_fits_a_record_and_every_message_is_still_sent() {
    let mut subscriptions = Subscriptions::default();
    let patterns: Vec<String> = (0..2 * SUBSCRIPTION_PATTERNS_MAX)
        .map(|n| format!("shop.room{}.shelf{n}.*", n % 7))
        .collect();
    for pattern in &patterns {
        subscriptions.add(wish(&[pattern], None)).unwrap();
        let interest = subscriptions.interest().unwrap();
        assert!(interest.fits(), "at most {RECORD_MAX} bytes");
    }
    let interest = subscriptions.interest().unwrap();
    for (number, pattern) in (0..).zip(&patterns) {
        let about = topic(&pattern.replace('*', "sold"));
        let lanes = interest.lanes.iter();
        let lane = lanes.filter(|lane| lane.patterns.iter().any(|pattern| pattern.matches(&about)));
        let routed: Vec<_> = lane.map(|lane| subscriptions.route(lane.id, &about)).collect();
        assert_eq!(routed, [Subscriber::All(vec![SubscriptionId(number)])]);
    }
}

#[test]
fn a_node_has_so_many_subscriptions() {
    let mut subscriptions = Subscriptions::default();
    for _ in 0..SUBSCRIPTIONS_MAX {
        subscriptions.add(wish(&["a"], None)).unwrap();
    }
    assert_eq!(lanes(&subscriptions), ["1: a"]);
    let refused = subscriptions.add(wish(&["a"], None)).unwrap_err();
    assert_eq!(refused.code, Code::ResourceExhausted);
}

#[test]
fn what_a_group_wants_is_never_told_more_coarsely() {
    let mut subscriptions = Subscriptions::default();
    let refused = (0..).find_map(|number| {
        subscriptions.add(wish(&[&format!("jobs.kind{number}.*")], Some("g"))).err()
    });
    assert_eq!(refused.unwrap().code, Code::ResourceExhausted);
    let lane = &subscriptions.interest().unwrap().lanes[0];
    assert!(lane.patterns.iter().all(|pattern| pattern.segments().count() == 3));
    assert_eq!(subscriptions.add(wish(&[], None)).unwrap_err().code, Code::InvalidArgument);
}

#[test]
fn a_lane_is_called_by_the_life_of_its_node_too() {
    let name = |epoch| LaneName { node: sender(), epoch: Epoch(epoch), lane: 3, slow: WAIT };
    assert_eq!(name(u64::MAX).method().as_str(), "18446744073709551615/3");
    for epoch in [1, 1_795_260_474_492] {
        assert_eq!(LaneName::of_method(&name(epoch).method()), Some((Epoch(epoch), 3)));
    }
    for other in ["", "3", "1/x", "1/4294967296", "-1/3"] {
        assert_eq!(LaneName::of_method(&other.parse().unwrap()), None, "{other}");
    }
}

#[test]
fn no_message_of_any_pattern_comes_twice_to_a_subscription() {
    let mut subscriptions = Subscriptions::default();
    let id = subscriptions.add(wish(&["a.*", "*.b", "**"], None)).unwrap();
    let interest = subscriptions.interest().unwrap();
    let routed: Vec<_> =
        interest.lanes.iter().map(|lane| subscriptions.route(lane.id, &topic("a.b"))).collect();
    assert_eq!(routed, [Subscriber::All(vec![id])]);
}

#[test]
fn a_pattern_as_long_as_may_be_is_told_more_coarsely_too() {
    let mut subscriptions = Subscriptions::default();
    for number in 0..10 {
        let long = format!("{number}{}.x", "a".repeat(TOPIC_MAX - 3));
        subscriptions.add(wish(&[&long], None)).unwrap();
        assert!(subscriptions.interest().unwrap().fits());
        let matches = |pattern: &TopicPattern| pattern.matches(&topic(&long));
        let lanes = subscriptions.interest().unwrap().lanes;
        assert!(lanes.iter().any(|lane| lane.patterns.iter().any(matches)));
    }
}

#[test]
fn interest_fits_its_record_however_often_it_has_changed() {
    let mut subscriptions = Subscriptions::default();
    for _ in 0..200 {
        let id = subscriptions.add(wish(&["fleeting"], None)).unwrap();
        subscriptions.remove(id);
    }
    let mut ids = Vec::new();
    for number in 0..60 {
        let patterns = [format!("p{number}"), "x".repeat(number)];
        ids.push(
            subscriptions.add(wish(&[&patterns[usize::from(number % 9 == 8)]], None)).unwrap(),
        );
        assert!(subscriptions.interest().unwrap().fits(), "{number}");
    }
    for id in ids {
        subscriptions.remove(id);
        assert!(subscriptions.interest().is_none_or(|interest| interest.fits()));
    }
}
