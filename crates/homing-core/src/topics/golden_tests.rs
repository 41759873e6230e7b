//! Are batches and reports what they always were?

use super::Encoded;
use super::outlet::{Outlet, Report};
use super::samples::{message, topic};
use crate::registry::Slow;
use crate::talk::{Encoding, Options, Payload};
use crate::wire::golden;

/// The batch of these messages, after so many others were lost.
fn batch(lost: usize, messages: &[Encoded]) -> Vec<u8> {
    let mut outlet = Outlet::new(Slow::default());
    (0..lost).for_each(|_| outlet.give_up());
    for message in messages {
        outlet.put(message);
    }
    outlet.take().unwrap().to_vec()
}

fn report(taken: u64, dropped: u64) -> Vec<u8> {
    let mut out = Vec::new();
    Report { taken, dropped }.encode(&mut out);
    out
}

#[test]
fn batches_and_reports_are_what_they_always_were() {
    let json = Payload { encoding: Encoding::Json, bytes: "[1]".into() };
    let metadata = vec![("k".to_owned(), "v".into())];
    let with = Options { metadata, ..Options::default() };
    let with = Encoded::new(topic("a"), json.clone(), Some(&with)).unwrap();
    let foreign = Options { origin: "bridge:cote".into(), ..Options::default() };
    let foreign = Encoded::new(topic("a"), json, Some(&foreign)).unwrap();
    let empty = || message("a.b", "");
    let all = [
        ("message", batch(0, &[message("orders.eu", "12")])),
        ("messages", batch(0, &[empty(), message("a.b", "1"), message("a", "2"), empty()])),
        ("options", batch(0, &[message("a", "1"), with])),
        ("foreign", batch(0, &[foreign])),
        ("lost", batch(300, &[])),
        ("lost-before", batch(2, &[message("a", "3")])),
        ("report", report(300, 1)),
        ("report-none", report(0, 0)),
    ];
    golden::check(include_str!("../../testdata/wire/batch.txt"), &all);
}
