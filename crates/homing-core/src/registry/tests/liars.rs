//! What can a member do that lies about others, where records are signed?

use super::super::index::{ALL_KEYS, Index};
use super::super::message::{OWNERS, Tone, Wanted, put_digest};
use super::*;
use crate::crypto::fake::Fake;
use crate::registry::digest::OwnerDigest;
use crate::wire::put_bytes;

const LIAR: u8 = 9;

/// A registry that signs, and what it says.
struct Seat {
    registry: Registry,
    said: Vec<Output>,
}

impl Seat {
    /// Member 1, which knows owner 5 with an offer, and the liar.
    fn new() -> Self {
        let me = Fake::signing(1);
        let rng = Rng::from_seed(1);
        let registry = Registry::new(Role::Member, me.id(), Epoch(1), rng, Arc::new(me));
        let mut seat = Self { registry, said: Vec::new() };
        seat.input(Input::Offer { key: RecordKey::NODE, body: node_body("me") });
        seat.input(Input::Members(vec![id(LIAR), owner()]));
        seat.input(Input::Alive { node: owner(), epoch: Epoch(1) });
        for (key, body) in [(0, node_body("owner")), (1, offer_body("gold"))] {
            seat.hear(&rumour(Fake::signing(5), Epoch(1), key, body));
        }
        assert_eq!(seat.registry.records_of(&owner()).count(), 2);
        seat
    }

    fn input(&mut self, input: Input<'_>) {
        self.registry.handle_input(Time::ZERO, input);
        self.said.extend(std::iter::from_fn(|| self.registry.poll_output()));
    }

    /// The liar says this over its link.
    fn hear(&mut self, bytes: &[u8]) {
        self.input(Input::Message { from: id(LIAR), via: Via::Link, bytes });
    }

    fn is_disputed(&self) -> bool {
        self.said.iter().any(|output| matches!(output, Output::Disputed { .. }))
    }

    fn has_asked_for(&self, owner: NodeId, epoch: Epoch, key: RecordKey) -> bool {
        let mut want = vec![message::WANT];
        Wanted { owner, epoch, keys: vec![key] }.encode(&mut want);
        self.said
            .iter()
            .any(|output| matches!(output, Output::Send { bytes, .. } if *bytes == want))
    }
}

fn owner() -> NodeId {
    Fake::signing(5).id()
}

fn rumour(crypto: Fake, epoch: Epoch, key: u32, body: Body) -> Vec<u8> {
    let mut own = Own::new(crypto.id(), epoch, Arc::new(crypto));
    if key > 0 {
        own.write(RecordKey::NODE, Body::Tombstone).unwrap(); // So that it is not its first.
    }
    let held = own.write(RecordKey(key), body).unwrap();
    let mut message = vec![message::RUMOURS];
    put_bytes(&mut message, &held.bytes);
    message
}

fn index(owner: NodeId, epoch: Epoch, listed: &[(u32, u64)]) -> Vec<u8> {
    let listing = listed.iter().map(|(key, version)| (RecordKey(*key), *version)).collect();
    let mut message = vec![message::INDEXES, Tone::Question as u8];
    Index::pages((owner, epoch), listing, (ALL_KEYS, 1_000))[0].encode(&mut message);
    message
}

fn digest(owner: NodeId, epoch: Epoch) -> Vec<u8> {
    let mut message = vec![OWNERS];
    message.extend_from_slice(&[0; 4]);
    message.extend_from_slice(&[0xff; 4 + 32]);
    put_digest(&mut message, &OwnerDigest { owner, epoch, sum: u64::MAX });
    message
}

#[test]
fn an_index_of_somebody_else_withdraws_nothing() {
    let mut seat = Seat::new();
    let before = seat.registry.hash();
    for listed in [vec![], vec![(7, u64::MAX)], vec![(0, u64::MAX), (1, u64::MAX)]] {
        seat.hear(&index(owner(), Epoch(1), &listed));
        assert_eq!(seat.registry.hash(), before, "{listed:?}");
    }
    assert_eq!(seat.registry.records_of(&owner()).count(), 2);
}

#[test]
fn a_later_life_that_nobody_signed_drops_nothing() {
    let mut seat = Seat::new();
    let before = seat.registry.hash();
    for epoch in [Epoch(2), Epoch(u64::MAX)] {
        seat.input(Input::Alive { node: owner(), epoch });
        seat.hear(&digest(owner(), epoch));
        seat.hear(&index(owner(), epoch, &[(0, 1)]));
        seat.hear(&rumour(Fake::signing(6), epoch, 0, node_body("owner")));
    }
    assert_eq!(seat.registry.hash(), before);
    assert!(seat.has_asked_for(owner(), Epoch(2), RecordKey::NODE));
}

#[test]
fn a_later_life_begins_with_its_first_signed_record_and_an_earlier_one_does_not_return() {
    let mut seat = Seat::new();
    seat.hear(&rumour(Fake::signing(5), Epoch(2), 3, offer_body("silver")));
    let keys = |seat: &Seat| {
        seat.registry.records_of(&owner()).map(|record| record.key.0).collect::<Vec<_>>()
    };
    assert_eq!(keys(&seat), [3]);
    seat.hear(&rumour(Fake::signing(5), Epoch(1), 1, offer_body("gold")));
    assert_eq!(keys(&seat), [3]);
    assert_eq!(seat.registry.epoch_of(&owner()), Some(Epoch(2)));
}

#[test]
fn a_life_that_is_known_by_hearsay_alone_does_not_hide_the_true_one() {
    let mut seat = Seat::new();
    let other = Fake::signing(7);
    seat.input(Input::Alive { node: other.id(), epoch: Epoch(u64::MAX) });
    seat.hear(&rumour(other, Epoch(1), 1, offer_body("tin")));
    assert_eq!(seat.registry.records_of(&other.id()).count(), 1);
}

#[test]
fn nothing_that_somebody_else_says_of_a_node_stops_it() {
    let mut seat = Seat::new();
    let me = Fake::signing(1).id();
    seat.input(Input::Linked(id(LIAR)));
    for epoch in [Epoch(1), Epoch(2), Epoch(u64::MAX)] {
        seat.hear(&digest(me, epoch));
        seat.hear(&index(me, epoch, &[(0, u64::MAX), (4, 70)]));
        seat.input(Input::Alive { node: me, epoch });
        seat.input(Input::Outlived { epoch });
        seat.hear(&rumour(Fake::signing(6), epoch, 0, node_body("me")));
    }
    assert!(!seat.is_disputed());
    assert!(seat.has_asked_for(me, Epoch(1), RecordKey::NODE), "who says so is asked to show it");
    assert!(seat.has_asked_for(me, Epoch(2), RecordKey::NODE));
    assert!(!seat.has_asked_for(me, Epoch(u64::MAX), RecordKey::NODE), "that cannot have been");
}

#[test]
fn a_record_that_a_node_signed_in_a_later_life_stops_it_when_it_is_shown() {
    let mut seat = Seat::new();
    seat.hear(&rumour(Fake::signing(1), Epoch(2), 0, node_body("me")));
    assert!(seat.is_disputed());
}

#[test]
fn a_node_is_shown_its_latest_life_even_when_it_is_forgotten() {
    for is_forgotten in [false, true] {
        let mut seat = Seat::new();
        if is_forgotten {
            seat.input(Input::Left { node: owner() });
        }
        seat.said.clear();
        let mut want = vec![message::WANT];
        let keys = vec![RecordKey::NODE];
        Wanted { owner: owner(), epoch: Epoch(1), keys }.encode(&mut want);
        seat.input(Input::Message { from: owner(), via: Via::Datagram, bytes: &want });
        let shown = |output: &Output| matches!(output, Output::Send { bytes, .. } if bytes[0] == message::RECORDS);
        assert!(seat.said.iter().any(shown), "forgotten: {is_forgotten}");
    }
}
