//! Which records are not taken, or not shown?

use super::*;
use crate::authorize::{Action, Who};
use crate::talk::Status;

#[test]
fn an_unsigned_or_forged_record_is_dropped_where_records_are_signed() {
    let (now, rng) = (Time::ZERO, Rng::from_seed(1));
    let owner = Fake::signing(5).id();
    let write = |crypto: Fake| {
        let mut own = Own::new(owner, Epoch(1), Arc::new(crypto));
        let held = own.write(RecordKey(1), offer_body("words")).unwrap();
        let mut message = vec![message::RUMOURS];
        crate::wire::put_bytes(&mut message, &held.bytes);
        message
    };
    let me = Arc::new(Fake::signing(1));
    let mut registry = Registry::new(Role::Member, Fake::signing(1).id(), Epoch(1), rng, me);
    registry.handle_input(now, Input::Members(vec![id(2)]));
    registry.handle_input(now, Input::Alive { node: owner, epoch: Epoch(1) });
    for (crypto, forged, known) in
        [(Fake::PLAIN, 1, 0), (Fake::signing(6), 2, 0), (Fake::signing(5), 2, 1)]
    {
        let bytes = &write(crypto);
        registry.handle_input(now, Input::Message { from: id(2), via: Via::Datagram, bytes });
        assert_eq!((registry.stats().forged, registry.records().count()), (forged, known));
    }
}

/// What a registry that signs makes of a record of its own, of a version that it never wrote: the disputes, and what
/// counts as forged.
#[track_caller]
fn hear_of_oneself(crypto: Fake, expect: (usize, u64)) {
    let (now, rng) = (Time::ZERO, Rng::from_seed(1));
    let (me, epoch) = (Fake::signing(1), Epoch(1));
    let mut own = Own::new(me.id(), epoch, Arc::new(crypto));
    let held = own.write(RecordKey(1), Body::Tombstone).unwrap();
    let mut message = vec![message::RUMOURS];
    crate::wire::put_bytes(&mut message, &held.bytes);
    let mut registry = Registry::new(Role::Member, me.id(), epoch, rng, Arc::new(me));
    registry.handle_input(now, Input::Members(vec![id(2)]));
    let heard = Input::Message { from: id(2), via: Via::Datagram, bytes: &message };
    registry.handle_input(now, heard);
    let outputs = std::iter::from_fn(|| registry.poll_output());
    let disputes = outputs.filter(|output| matches!(output, Output::Disputed { .. })).count();
    assert_eq!((disputes, registry.stats().forged), expect);
}

#[test]
fn an_identity_is_disputed_by_what_it_signed_elsewhere_and_not_by_a_forgery() {
    hear_of_oneself(Fake::signing(1), (1, 0));
    hear_of_oneself(Fake::signing(6), (0, 1));
    hear_of_oneself(Fake::PLAIN, (0, 1));
}

#[test]
fn what_may_not_be_offered_is_refused_and_nothing_changes() {
    let mut world = World::new(1, 1);
    let large = OfferRecord { metadata: vec![0; 513].into(), ..super::samples::offer("a") };
    let bodies = [(0, offer_body("a")), (1, node_body("a")), (1, Body::Offer(Arc::new(large)))];
    for (key, body) in bodies {
        world.input(id(0), Input::Offer { key: RecordKey(key), body });
    }
    let refused = world.node(0).refused.iter().map(|(_, status)| status.to_string());
    assert_eq!(
        refused.collect::<Vec<_>>(),
        [
            "INVALID_ARGUMENT: key 0 is for the node record, the last two are for topics and all others for offers and services: no offer under key 0",
            "INVALID_ARGUMENT: key 0 is for the node record, the last two are for topics and all others for offers and services: no node record under key 1",
            "RESOURCE_EXHAUSTED: the offer has too many bytes of metadata",
        ]
    );
    assert_eq!(world.node(0).registry.records().count(), 1);
}

/// Lets nobody offer a service of this name.
struct Not(&'static str);

impl Authorize for Not {
    fn authorize(&self, _: &Who<'_>, action: Action, _: &str, name: &str) -> Result<(), Status> {
        match action {
            Action::Offer if name == self.0 => {
                Err(Status::new(Code::PermissionDenied, "not that name"))
            }
            _ => Ok(()),
        }
    }
}

#[test]
fn an_offer_that_its_owner_may_not_make_is_held_but_not_shown() {
    let mut world = World::new(2, 1);
    world.node(0).registry.set_authorize(Arc::new(Not("gold")));
    world.offer(1, 1, "gold");
    world.offer(1, 2, "words");
    world.run(SECOND);
    let snapshot = world.node(0).registry.snapshot();
    let shown = snapshot.services().map(|(_, service, _)| service.to_string());
    assert_eq!(shown.collect::<Vec<_>>(), ["words"]);
    assert_eq!(world.node(0).registry.records_of(&id(1)).count(), 3, "its node and both offers");
}

/// Lets offer who has a token, until it was told that the time of tokens is over.
struct WithToken(std::sync::atomic::AtomicBool);

impl Authorize for WithToken {
    fn authorize(&self, who: &Who<'_>, _: Action, _: &str, _: &str) -> Result<(), Status> {
        let over = self.0.load(std::sync::atomic::Ordering::Relaxed);
        match who.token {
            Some(_) if !over => Ok(()),
            _ => Err(Status::new(Code::Unauthenticated, "a token is missing")),
        }
    }
}

#[test]
fn offers_come_and_go_with_the_token_of_their_owner() {
    let mut world = World::new(2, 1);
    let rule = Arc::new(WithToken(false.into()));
    world.node(0).registry.set_authorize(Arc::clone(&rule) as Arc<dyn Authorize>);
    world.offer(1, 1, "words");
    world.run(SECOND);
    let shown = |world: &mut World| {
        let snapshot = world.node(0).registry.snapshot();
        snapshot.services().map(|(_, service, _)| service.to_string()).collect::<Vec<_>>()
    };
    assert!(shown(&mut world).is_empty());
    let Body::Node(record) = node_body("b") else { unreachable!("asked for a node") };
    let record = NodeRecord { token: Some("t".into()), ..(*record).clone() };
    let body = Body::Node(Arc::new(record));
    world.input(id(1), Input::Offer { key: RecordKey::NODE, body });
    world.run(SECOND);
    assert_eq!(shown(&mut world), ["words"]);
    rule.0.store(true, std::sync::atomic::Ordering::Relaxed);
    world.input(id(0), Input::Reconsider);
    assert!(shown(&mut world).is_empty(), "its time is over");
    let told = services(&world.node(0).changes);
    assert!(told.ends_with("+1 -1"), "{told}");
}

#[test]
fn what_lasts_is_judged_by_the_last_token_of_its_owner_and_ends_by_right_even_when_it_is_hidden() {
    let mut world = World::new(3, 1);
    let rule = Arc::new(WithToken(false.into()));
    for number in [0, 2] {
        let rule = Arc::clone(&rule) as Arc<dyn Authorize>;
        world.node(number).registry.set_authorize(rule);
    }
    let Body::Node(record) = node_body("b") else { unreachable!("asked for a node") };
    let record = NodeRecord { token: Some("t".into()), ..(*record).clone() };
    let body = Body::Node(Arc::new(record));
    world.input(id(1), Input::Offer { key: RecordKey::NODE, body });
    let record = world.bequeath(1, 7);
    world.run(SECOND);
    assert_eq!(world.shown(0).len(), 1);
    world.set(1, Awake::Crashed);
    (0..3).for_each(|number| world.input(id(number), Input::Left { node: id(1) }));
    world.tell_membership();
    world.input(id(0), Input::Reconsider);
    assert_eq!(world.shown(0).len(), 1, "its owner is gone, with a token");
    rule.0.store(true, std::sync::atomic::Ordering::Relaxed);
    world.input(id(0), Input::Reconsider);
    assert!(world.shown(0).is_empty());
    assert_eq!(world.free(0, record), Ok(()));
    world.run(SECOND);
    rule.0.store(false, std::sync::atomic::Ordering::Relaxed);
    world.input(id(2), Input::Reconsider);
    assert!(world.shown(2).is_empty(), "it was ended while it was hidden");
}
