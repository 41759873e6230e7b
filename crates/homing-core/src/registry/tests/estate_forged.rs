//! What can a member do to records that last, where records are signed?

use super::super::samples::lasting_body;
use super::super::withdrawal::{Withdrawal, withdrawn_bytes};
use super::*;
use crate::crypto::Crypto;
use crate::wire::put_bytes;

const HEIR: Fake = Fake::signing(6);
const LIAR: Fake = Fake::signing(9);

/// A registry that signs and knows nobody but the liar.
fn member() -> Registry {
    let me = Fake::signing(1);
    let mut registry =
        Registry::new(Role::Member, me.id(), Epoch(1), Rng::from_seed(1), Arc::new(me));
    registry.handle_input(Time::ZERO, Input::Members(vec![LIAR.id()]));
    registry
}

/// A record of owner 5, which nobody knows, by this key.
fn record(crypto: Fake, right: Right) -> Vec<u8> {
    let mut own = Own::new(Fake::signing(5).id(), Epoch(1), Arc::new(crypto));
    own.write(RecordKey(7), lasting_body("db", right)).unwrap().bytes.to_vec()
}

fn withdrawal(by: Option<Fake>, record: &[u8]) -> Vec<u8> {
    let signature = by.and_then(|by| by.sign(&withdrawn_bytes(record)));
    Withdrawal { record, signature }.encode()
}

fn hear(registry: &mut Registry, record: &[u8]) {
    let mut bytes = vec![message::RUMOURS];
    put_bytes(&mut bytes, record);
    let from = LIAR.id();
    registry.handle_input(Time::ZERO, Input::Message { from, via: Via::Datagram, bytes: &bytes });
}

fn count(registry: &mut Registry) -> usize {
    registry.snapshot().registered().count()
}

fn heirs() -> Right {
    Right::Key(HEIR.public_key())
}

#[test]
fn a_lasting_record_of_an_unknown_owner_is_taken_on_its_signature_alone() {
    let mut registry = member();
    hear(&mut registry, &record(LIAR, heirs()));
    assert_eq!((count(&mut registry), registry.stats().forged), (0, 1));
    hear(&mut registry, &record(Fake::PLAIN, heirs()));
    assert_eq!((count(&mut registry), registry.stats().forged), (0, 2));
    hear(&mut registry, &record(Fake::signing(5), heirs()));
    assert_eq!((count(&mut registry), registry.stats().forged), (1, 2));
}

#[test]
fn a_forged_withdrawal_is_refused_and_one_by_the_right_is_not() {
    let target = record(Fake::signing(5), heirs());
    for knows_target in [true, false] {
        let mut registry = member();
        if knows_target {
            hear(&mut registry, &target);
        }
        for by in [Some(LIAR), Some(Fake::signing(5)), None] {
            let before = registry.stats().forged;
            hear(&mut registry, &withdrawal(by, &target));
            assert_eq!(registry.stats().forged, before + 1, "{by:?}");
        }
        // The liar makes a record of its own that is called the same and that it may end.
        let own = record(LIAR, Right::Key(LIAR.public_key()));
        hear(&mut registry, &withdrawal(Some(LIAR), &own));
        assert_eq!(count(&mut registry), usize::from(knows_target));
        hear(&mut registry, &target);
        assert_eq!(count(&mut registry), 1, "nothing that the liar said stands in its way");
        hear(&mut registry, &withdrawal(Some(HEIR), &target));
        hear(&mut registry, &target);
        assert_eq!(count(&mut registry), 0);
    }
}

#[test]
fn a_withdrawal_that_comes_before_what_it_ends_wins() {
    let target = record(Fake::signing(5), heirs());
    let mut registry = member();
    hear(&mut registry, &withdrawal(Some(HEIR), &target));
    hear(&mut registry, &target);
    assert_eq!(count(&mut registry), 0);
}

#[test]
fn who_does_not_hold_the_right_is_refused_before_anything_is_said() {
    let mut registry = member();
    hear(&mut registry, &record(Fake::signing(5), heirs()));
    while registry.poll_output().is_some() {}
    let id = registry.snapshot().registered().next().unwrap().id;
    registry.handle_input(Time::ZERO, Input::Free { token: 3, id });
    let Some(Output::Freed { token: 3, outcome: Err(status) }) = registry.poll_output() else {
        panic!("it is answered");
    };
    assert_eq!(status.code, Code::PermissionDenied);
    assert_eq!(count(&mut registry), 1);
}

#[test]
fn the_record_and_its_end_are_as_long_as_a_record_may_be() {
    let longest = |len: usize| {
        let record = ServiceRecord {
            data: vec![b' '; 512].into(),
            hosts: vec!["h".repeat(len).parse().unwrap(), "h".repeat(200).parse().unwrap()],
            lasting: Some(heirs()),
            ..super::super::samples::service("db")
        };
        let mut own = Own::new(Fake::signing(5).id(), Epoch(1), Arc::new(Fake::signing(5)));
        own.write(RecordKey(7), Body::Service(Arc::new(record))).map(|held| held.bytes)
    };
    let target = (1..250).rev().find_map(longest).unwrap();
    let end = withdrawal(Some(HEIR), &target);
    assert_eq!(end.len(), crate::limits::RECORD_MAX);
    let mut registry = member();
    hear(&mut registry, &target);
    assert_eq!(count(&mut registry), 1);
    hear(&mut registry, &end);
    assert_eq!(count(&mut registry), 0);
}

#[test]
fn bytes_that_are_no_withdrawal_are_counted() {
    let target = record(Fake::signing(5), heirs());
    let end = withdrawal(Some(HEIR), &target);
    let mut registry = member();
    for bytes in [&end[..end.len() - 1], &[&end[..], &[0]].concat(), &[2], &[2, 2, 0], &[2, 0, 0]] {
        let before = registry.stats().malformed;
        hear(&mut registry, bytes);
        assert_eq!(registry.stats().malformed, before + 1, "{bytes:?}");
    }
}
