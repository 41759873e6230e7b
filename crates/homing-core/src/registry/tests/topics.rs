//! Who is known to listen and to publish, by whom, and when is that news?

use super::*;
use crate::authorize::{Action, Who};
use crate::name::TopicPattern;
use crate::talk::Status;

fn listen(world: &mut World, number: u8, lanes: Vec<Lane>) {
    let (key, body) = (RecordKey::INTEREST, interest_body(lanes));
    world.input(id(number), Input::Offer { key, body });
}

fn declare(world: &mut World, number: u8, patterns: &[&str]) {
    let (key, body) = (RecordKey::DECLARED, declared_body(patterns));
    world.input(id(number), Input::Offer { key, body });
}

/// What a node knows of topics: `number<patterns` of listeners, `number>patterns` of publishers, `?` behind those that
/// cannot be reached.
fn known(world: &mut World, number: u8) -> String {
    let snapshot = world.node(number).registry.snapshot();
    let number_of = |node| (0..=u8::MAX).find(|number| id(*number) == node).unwrap();
    let reach = |reach| if reach == Reach::Reachable { "" } else { "?" };
    let listeners = snapshot.listeners().iter().map(|listener| {
        let patterns = listener.lanes.iter().flat_map(|lane| &lane.patterns);
        let patterns = patterns.map(TopicPattern::as_str).collect::<Vec<_>>().join(",");
        format!("{}<{patterns}{}", number_of(listener.node), reach(listener.reach))
    });
    let publishers = snapshot.publishers().iter().map(|publisher| {
        let topics = publisher.topics.iter().map(|(_, topic)| topic.as_str());
        let topics = topics.collect::<Vec<_>>().join(",");
        format!("{}>{topics}{}", number_of(publisher.node), reach(publisher.reach))
    });
    let mut all = listeners.chain(publishers).collect::<Vec<_>>();
    all.sort();
    all.join(" ")
}

fn version(world: &mut World, number: u8) -> u64 {
    world.node(number).registry.snapshot().topics_version()
}

#[test]
fn all_know_who_listens_and_who_publishes() {
    let mut world = World::new(3, 1);
    world.run(SECOND * 3);
    listen(&mut world, 0, vec![lane(1, &["a.*"]), lane(2, &["b"])]);
    listen(&mut world, 1, vec![lane(1, &["**"])]);
    declare(&mut world, 2, &["a.b", "c.**"]);
    world.run(SECOND);
    for number in 0..3 {
        assert_eq!(known(&mut world, number), "0<a.*,b 1<** 2>a.b,c.**", "one's own included");
        assert!(services(&world.node(number).changes).split(' ').all(|change| change == "n0"));
    }
    listen(&mut world, 0, vec![lane(2, &["b"])]);
    listen(&mut world, 1, Vec::new());
    world.withdraw(2, RecordKey::DECLARED.0);
    world.run(SECOND);
    (0..3).for_each(|number| assert_eq!(known(&mut world, number), "0<b"));
    world.assert_same();
}

#[test]
fn who_is_gone_is_not_reachable_and_then_forgotten() {
    let mut world = World::new(2, 2);
    listen(&mut world, 1, vec![lane(1, &["a"])]);
    declare(&mut world, 1, &["b"]);
    world.run(SECOND * 3);
    world.input(id(0), Input::Reached { node: id(1), reach: Reach::Unreachable });
    assert_eq!(known(&mut world, 0), "1<a? 1>b?");
    world.input(id(0), Input::Reached { node: id(1), reach: Reach::Reachable });
    assert_eq!(known(&mut world, 0), "1<a 1>b");
    world.set(1, Awake::Crashed);
    world.tell_membership();
    assert_eq!(known(&mut world, 0), "1<a? 1>b?");
    world.run(LEASE + SECOND);
    assert_eq!(known(&mut world, 0), "");
}

#[test]
fn the_version_of_topics_changes_with_them_only() {
    let mut world = World::new(2, 3);
    world.run(SECOND * 3);
    assert_eq!(version(&mut world, 0), 0);
    listen(&mut world, 1, vec![lane(1, &["a"])]);
    world.run(SECOND);
    assert_eq!(version(&mut world, 0), 1);
    let written = world.node(1).registry.records_of(&id(1)).last().unwrap().version;
    listen(&mut world, 1, vec![lane(1, &["a"])]);
    world.offer(1, 1, "words");
    world.run(SECOND);
    assert_eq!(version(&mut world, 0), 1);
    let last = world.node(1).registry.records_of(&id(1)).last().unwrap().version;
    assert_eq!(last, written, "what is said already is not said again");
    let body = interest_body(vec![lane(1, &["a"])]);
    let (now, key) = (world.now, RecordKey::INTEREST);
    let registry = &mut world.node(1).registry;
    let before = registry.snapshot();
    registry.handle_input(now, Input::Withdraw { key });
    registry.handle_input(now, Input::Offer { key, body });
    let after = registry.snapshot();
    assert_eq!(before.topics_version(), after.topics_version(), "as before");
    assert_eq!(before.listeners(), after.listeners());
    declare(&mut world, 1, &["b"]);
    world.run(SECOND);
    assert_eq!(version(&mut world, 0), 2);
}

#[test]
fn topics_out_of_their_bounds_are_refused_and_nothing_changes() {
    let mut world = World::new(1, 4);
    listen(&mut world, 0, vec![lane(1, &["a"])]);
    let long = format!("{}.**", "a".repeat(100));
    listen(&mut world, 0, (0..65).map(|id| lane(id, &["b"])).collect());
    listen(&mut world, 0, vec![lane(1, &[long.as_str(); 10])]);
    declare(&mut world, 0, &["b"; 65]);
    let offered = Input::Offer { key: RecordKey::INTEREST, body: offer_body("words") };
    world.input(id(0), offered);
    let misplaced = Input::Offer { key: RecordKey(7), body: interest_body(Vec::new()) };
    world.input(id(0), misplaced);
    let refused = world.node(0).refused.iter().map(|(_, status)| status.to_string());
    let keys = "INVALID_ARGUMENT: key 0 is for the node record, the last two are for topics and all others for offers and services";
    assert_eq!(
        refused.collect::<Vec<_>>(),
        [
            "RESOURCE_EXHAUSTED: the interest has more lanes than 64",
            "RESOURCE_EXHAUSTED: the interest is too large: a record has at most 1024 bytes, signature included",
            "RESOURCE_EXHAUSTED: the declaration has more patterns than 64",
            &format!("{keys}: no offer under key 4294967295"),
            &format!("{keys}: no interest under key 7"),
        ]
    );
    assert_eq!(known(&mut world, 0), "0<a");
}

#[test]
fn a_full_house_of_offers_leaves_room_for_topics() {
    let mut world = World::new(2, 5);
    for key in 1..=u32::try_from(OFFERS_MAX).unwrap() {
        world.offer(1, key, "words");
    }
    listen(&mut world, 1, vec![lane(1, &["a"])]);
    declare(&mut world, 1, &["b"]);
    world.run(SECOND * 20);
    assert_eq!(known(&mut world, 0), "1<a 1>b");
    assert_eq!(world.assert_same().len(), 1 + 1 + OFFERS_MAX + 2);
}

#[test]
fn a_visitor_listens_to_nothing_and_hears_who_does() {
    let mut world = World::new(2, 6);
    listen(&mut world, 1, vec![lane(1, &["a"])]);
    world.offer(1, 1, "words");
    world.run(SECOND * 3);
    world.add_visitor(9);
    listen(&mut world, 9, vec![lane(1, &["b"])]);
    let refused = &world.node(9).refused;
    assert_eq!(refused[0].0, RecordKey::INTEREST);
    assert_eq!(refused[0].1.code, Code::FailedPrecondition);
    world.link(id(0), id(9));
    let filter = Filter::Part { services: BTreeSet::new(), topics: Topics::Wanted };
    world.ask_sync(id(9), id(0), filter);
    world.run(SECOND);
    assert_eq!((world.node(9).synced, &*known(&mut world, 9)), (1, "1<a"));
    assert_eq!(world.node(9).registry.snapshot().nodes().count(), 1, "only who listens");
    assert_eq!(world.node(9).registry.snapshot().services().count(), 0);
    declare(&mut world, 0, &["c"]);
    listen(&mut world, 1, vec![lane(1, &["d"])]);
    world.run(SECOND);
    assert_eq!(known(&mut world, 9), "0>c 1<d");
    listen(&mut world, 1, Vec::new());
    world.run(SECOND);
    assert_eq!(known(&mut world, 9), "0>c");
}

/// Lets publish and subscribe below `open` only, and whom a token says more.
struct Open;

impl Authorize for Open {
    fn authorize(&self, who: &Who<'_>, action: Action, _: &str, name: &str) -> Result<(), Status> {
        let is_about_topics = matches!(action, Action::Publish | Action::Subscribe);
        if !is_about_topics || who.token.is_some() || name.starts_with("open.") {
            return Ok(());
        }
        Err(Status::new(Code::PermissionDenied, "not that topic"))
    }
}

#[test]
fn what_a_node_may_not_hear_or_publish_is_passed_on_but_not_shown() {
    let mut world = World::new(3, 7);
    for number in [0, 1] {
        world.node(number).registry.set_authorize(Arc::new(Open));
    }
    listen(&mut world, 1, vec![lane(1, &["**", "open.*"]), lane(2, &["closed"])]);
    declare(&mut world, 1, &["open.a", "b"]);
    listen(&mut world, 2, vec![lane(1, &["closed"])]);
    world.run(SECOND * 3);
    assert_eq!(known(&mut world, 0), "1<open.* 1>open.a");
    assert_eq!(known(&mut world, 1), "1<**,open.*,closed 1>open.a,b", "others judge it");
    assert_eq!(known(&mut world, 2), "1<**,open.*,closed 1>open.a,b 2<closed");
    assert!(world.knows(0, 2, RecordKey::INTEREST.0), "held");
    let Body::Node(record) = node_body("b") else { unreachable!("asked for a node") };
    let record = NodeRecord { token: Some("t".into()), ..(*record).clone() };
    let body = Body::Node(Arc::new(record));
    world.input(id(1), Input::Offer { key: RecordKey::NODE, body });
    world.run(SECOND);
    assert_eq!(known(&mut world, 0), "1<**,open.*,closed 1>open.a,b", "by its token");
    world.node(0).registry.set_authorize(Arc::new(crate::authorize::AllowAll));
    world.input(id(0), Input::Reconsider);
    assert_eq!(known(&mut world, 0), "1<**,open.*,closed 1>open.a,b 2<closed");
}
