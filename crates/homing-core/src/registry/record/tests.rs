//! Are records read as they were written, and refused when nobody wrote them?

use super::super::body::{OfferRecord, OfferState};
use super::super::interest::{Lane, Slow};
use super::super::samples::{
    declared_body, id, interest_body, lane, lasting_body, node_body, offer, service, service_body,
};
use super::super::service::{Right, ServiceRecord};
use super::*;
use crate::crypto::fake::Fake;
use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;
use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

/// The records of the golden file, by name.
fn golden_records() -> Vec<(&'static str, Record)> {
    let record = |key, version, body| Record {
        owner: id(1),
        epoch: Epoch(1_700_000_000_000),
        key: RecordKey(key),
        version,
        body,
        signature: None,
    };
    let full = Body::Offer(Arc::new(offer("words")));
    let least = OfferRecord {
        version: None,
        methods: Vec::new(),
        labels: Vec::new(),
        metadata: Bytes::new(),
        state: OfferState::Draining,
        origin: Some("bridge:cote".into()),
        ..offer("price")
    };
    let group = Some("workers".parse().unwrap());
    let lanes = vec![
        lane(1, &["orders.*", "orders.eu.**"]),
        Lane { group, slow: Slow::DropOldest, ..lane(2, &["a"]) },
        Lane { slow: Slow::DropNewest, ..lane(300, &["**"]) },
    ];
    let signature = Signature { key: [0xaa; 32], bytes: [0xbb; 64] };
    vec![
        ("node", record(0, 1, node_body("words@host:4711"))),
        ("offer", record(1, 2, full)),
        ("draining", record(300, 3, Body::Offer(Arc::new(least)))),
        ("interest", record(u32::MAX, 6, interest_body(lanes))),
        ("declared", record(u32::MAX - 1, 7, declared_body(&["orders.**", "a"]))),
        ("tombstone", record(1, 4, Body::Tombstone)),
        ("service", record(2, 8, service_body("db"))),
        ("lasting", record(3, 9, lasting_body("db", Right::Key([0xcc; 32])))),
        ("signed", Record { signature: Some(signature), ..record(1, 5, Body::Tombstone) }),
    ]
}

fn encoded(record: &Record) -> Vec<u8> {
    let mut bytes = Vec::new();
    record.encode(&mut bytes);
    bytes
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

#[track_caller]
fn refused(change: impl Fn(&mut Vec<u8>), why: &'static str) {
    let mut bytes = encoded(&golden_records()[1].1);
    change(&mut bytes);
    assert_eq!(Record::decode(&bytes), Err(Malformed(why).into()));
}

#[test]
fn the_bytes_of_a_record_are_what_they_were() {
    let golden = include_str!("../../../testdata/wire/record.txt");
    let golden = golden.lines().filter(|line| !line.starts_with('#')).collect::<Vec<_>>();
    let written = golden_records();
    let lines = written.iter().map(|(name, record)| format!("{name} {}", hex(&encoded(record))));
    assert_eq!(lines.collect::<Vec<_>>(), golden);
    for (_, record) in written {
        assert_eq!(Record::decode(&encoded(&record)), Ok(record));
    }
}

#[test]
fn the_bytes_of_a_withdrawal_are_what_they_were() {
    let golden = include_str!("../../../testdata/wire/withdrawal.txt");
    let golden = golden.lines().filter(|line| !line.starts_with('#')).collect::<Vec<_>>();
    let record = |name| golden_records().into_iter().find(|(other, _)| *other == name).unwrap().1;
    let target = encoded(&record("lasting"));
    let written = [("unsigned", None), ("signed", Some([0xdd; 64]))];
    let lines = written.map(|(name, signature)| {
        let withdrawal = Withdrawal { record: &target, signature };
        let bytes = withdrawal.encode();
        assert_eq!(Withdrawal::decode(&bytes), Ok(withdrawal));
        format!("{name} {}", hex(&bytes))
    });
    assert_eq!(lines.as_slice(), golden);
}

#[test]
fn what_no_version_writes_is_malformed() {
    refused(|bytes| bytes.push(0), "record: bytes behind its end");
    refused(|bytes| bytes[1] = 2, "record: flags");
    refused(|bytes| bytes[1] = 1, "field: cut off"); // Signed, it says, and is not.
    refused(|bytes| bytes[25] = 0, "record: version 0, the first is 1");
    refused(|bytes| bytes[24] = 0, "record: a body under a key of another kind");
    refused(|bytes| bytes.resize(RECORD_MAX + 1, 0), "record: over its limit");
}

#[test]
fn what_a_newer_version_may_write_is_told_from_it() {
    let bytes = encoded(&golden_records()[1].1);
    let changed = |at: usize| {
        let mut bytes = bytes.clone();
        bytes[at] = 9;
        Record::decode(&bytes)
    };
    assert_eq!(changed(0), Err(BadRecord::Newer(9)));
    assert_eq!(changed(26), Err(BadRecord::Newer(9)));
}

#[test]
fn a_signature_is_by_the_owner_over_all_of_the_record() {
    let crypto = Fake::signing(3);
    let mut record = golden_records().remove(1).1;
    record.owner = Fake::signing(3).id();
    let bytes = record.seal(&crypto).unwrap();
    assert!(is_vouched_for(&Record::decode(&bytes).unwrap(), &bytes, &crypto));
    let mut changed = bytes.clone();
    changed[24] += 1;
    assert!(!is_vouched_for(&Record::decode(&changed).unwrap(), &changed, &crypto));
    record.owner = Fake::signing(4).id();
    let bytes = record.seal(&crypto).unwrap();
    assert!(!is_vouched_for(&record, &bytes, &crypto), "signed by somebody else than its owner");
}

#[test]
fn a_record_leaves_room_for_a_signature() {
    let fits = |len| {
        let mut record = golden_records().remove(1).1;
        record.body = Body::Offer(Arc::new(OfferRecord {
            labels: vec![format!("k={}", "x".repeat(100)).parse().unwrap(); 4],
            metadata: Bytes::from(vec![0; len]),
            ..offer("words")
        }));
        record.seal(&Fake::PLAIN).map(|bytes| bytes.len())
    };
    let longest = (0..512).filter_map(fits).max().unwrap();
    assert_eq!(longest, RECORD_MAX - SIGNATURE_LEN);
    assert_eq!(fits(512), None);
}

proptest! {
    #[test]
    fn every_offer_reads_back(
        key in 1..u32::MAX - 1,
        version in 1_u64..,
        metadata in vec(any::<u8>(), 0..300),
        draining: bool,
    ) {
        let mut record = golden_records().remove(1).1;
        let state = if draining { OfferState::Draining } else { OfferState::Open };
        record.body = Body::Offer(Arc::new(OfferRecord { metadata: metadata.into(), state, ..offer("a") }));
        (record.key, record.version) = (RecordKey(key), version);
        prop_assert_eq!(Record::decode(&encoded(&record)), Ok(record));
    }

    #[test]
    fn every_service_reads_back(
        (port, written, lifetime) in any::<(u16, u64, u32)>(),
        (key, has_key) in any::<([u8; 32], Option<bool>)>(),
        data in "[ -~]{0,400}",
        hosts in vec("[a-z0-9.:-]{1,20}", 0..8),
    ) {
        let mut record = golden_records().remove(1).1;
        let hosts = hosts.iter().filter_map(|host| host.parse().ok()).collect();
        let lifetime = Duration::from_millis(u64::from(lifetime) % 86_400_001);
        let lasting = has_key.map(|has| if has { Right::Key(key) } else { Right::Anybody });
        let data = Bytes::from(data);
        record.body = Body::Service(Arc::new(ServiceRecord {
            hosts, port, data, lifetime, written, lasting, ..service("db")
        }));
        prop_assert_eq!(Record::decode(&encoded(&record)), Ok(record));
    }

    #[test]
    fn no_bytes_make_a_decoder_panic(at in 0_usize..80, byte: u8, rest: Vec<u8>) {
        let mut bytes = encoded(&golden_records()[1].1);
        let at = at.min(bytes.len() - 1);
        bytes[at] = byte;
        let _ = Record::decode(&bytes);
        bytes.truncate(at);
        bytes.extend(rest);
        let _ = Record::decode(&bytes);
    }
}
