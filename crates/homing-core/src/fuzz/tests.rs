//! Do the promises hold for what proptest thinks of? The same functions as the fuzz targets, a bounded number of cases.

use super::*;
use arbitrary::{Arbitrary, Unstructured};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

const CASES: u32 = 2_000;

/// Runs a target over arbitrary bytes, and over its seeds with a few bytes changed, cut out or put in.
#[track_caller]
fn check(name: &str, target: fn(&[u8])) {
    let (_, seeds) = seeds().into_iter().find(|(found, _)| *found == name).unwrap();
    for seed in &seeds {
        target(seed);
    }
    let bytes = proptest::collection::vec(any::<u8>(), 0..300);
    run(&prop_oneof![1 => bytes, 4 => damaged(seeds)], target);
}

#[track_caller]
fn run(strategy: &impl Strategy<Value = Vec<u8>>, target: impl Fn(&[u8])) {
    let config = Config { cases: CASES, failure_persistence: None, ..Config::default() };
    let outcome = TestRunner::new(config).run(strategy, |bytes| {
        target(&bytes);
        Ok(())
    });
    outcome.unwrap();
}

fn damaged(seeds: Vec<Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    let change =
        (any::<prop::sample::Index>(), 0_usize..4, proptest::collection::vec(any::<u8>(), 0..4));
    let changes = proptest::collection::vec(change, 0..4);
    (prop::sample::select(seeds), changes).prop_map(|(mut bytes, changes)| {
        for (at, removed, put) in changes {
            let at = at.index(bytes.len() + 1);
            let end = (at + removed).min(bytes.len());
            bytes.splice(at..end, put);
        }
        bytes
    })
}

#[test]
fn frames_keep_their_promises() {
    check("frame", frame);
}

#[test]
fn hellos_keep_their_promises() {
    check("hello", hello);
}

#[test]
fn options_keep_their_promises() {
    check("options", options);
}

#[test]
fn letters_about_slots_keep_their_promises() {
    check("slots", slots);
}

#[test]
fn batches_of_messages_keep_their_promises() {
    check("batch", batch);
}

#[test]
fn datagrams_keep_their_promises() {
    check("datagram", datagram);
}

#[test]
fn addresses_keep_their_promises() {
    check("addresses", addresses);
}

#[test]
fn records_keep_their_promises() {
    check("record", record);
}

#[test]
fn messages_of_registries_keep_their_promises() {
    check("registry", registry);
}

#[test]
fn words_of_members_keep_their_promises() {
    check("membership", membership);
}

#[test]
fn names_keep_their_promises() {
    check("name", name);
}

#[test]
fn messages_of_nodes_keep_their_promises() {
    check("control", control);
}

#[test]
fn links_keep_their_promises() {
    run(&proptest::collection::vec(any::<u8>(), 10..1_000), |bytes| {
        link(&Script::arbitrary(&mut Unstructured::new(bytes)).unwrap());
    });
}

#[test]
fn nodes_keep_their_promises() {
    run(&proptest::collection::vec(any::<u8>(), 10..1_000), |bytes| {
        node(&Post::arbitrary(&mut Unstructured::new(bytes)).unwrap());
    });
}
