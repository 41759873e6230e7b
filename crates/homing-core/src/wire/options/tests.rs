//! Options, byte by byte and at random.

use super::*;
use crate::wire::golden;
use proptest::prelude::*;

/// Options of every kind, at random, at most about a quarter of what may be sent.
pub(crate) fn any_options() -> impl Strategy<Value = Options> {
    let bytes = || proptest::collection::vec(any::<u8>(), 0..60).prop_map(Bytes::from);
    let metadata = proptest::collection::vec((".{0,20}", bytes()), 0..6);
    let slot = proptest::option::of(
        (any::<u64>(), any::<u32>()).prop_map(|(holder, number)| OnSlot { holder, number }),
    );
    (bytes(), bytes(), bytes(), bytes(), any::<u8>(), metadata, any::<bool>(), slot).prop_map(
        |(trace, token, idempotency_key, origin, attempt, metadata, nothing, slot)| Options {
            trace,
            token,
            idempotency_key,
            attempt,
            metadata,
            nothing,
            origin,
            slot,
            not_understood: None,
        },
    )
}

fn encoded(options: &Options) -> Vec<u8> {
    let mut out = Vec::new();
    put_options(&mut out, options);
    out
}

fn read(bytes: &[u8]) -> Result<Options, Malformed> {
    read_options(&mut Reader::new(bytes))
}

fn golden_options() -> Vec<(&'static str, Options)> {
    let none = Options::default;
    let trace = Bytes::from_static(b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    let metadata = vec![("a".into(), Bytes::from_static(b"one")), ("b".into(), Bytes::new())];
    vec![
        ("none", none()),
        ("trace", Options { trace, ..none() }),
        ("token", Options { token: Bytes::from_static(b"tok"), ..none() }),
        ("idempotency-key", Options { idempotency_key: Bytes::from_static(b"key"), ..none() }),
        ("attempt", Options { attempt: 2, ..none() }),
        ("metadata", Options { metadata, ..none() }),
        ("nothing", Options { nothing: true, ..none() }),
        ("slot", Options { slot: Some(OnSlot { holder: 300, number: 7 }), ..none() }),
        ("origin", Options { origin: Bytes::from_static(b"bridge:cote"), ..none() }),
    ]
}

#[test]
fn the_bytes_of_options_are_what_they_were() {
    let all = golden_options();
    let lines: Vec<_> = all.iter().map(|(name, options)| (*name, encoded(options))).collect();
    golden::check(include_str!("../../../testdata/wire/options.txt"), &lines);
    for (_, options) in all {
        assert_eq!(read(&encoded(&options)), Ok(options));
    }
}

#[test]
fn an_even_key_of_a_newer_peer_is_skipped_and_the_first_odd_one_told() {
    let options = read(&[10, 62, 1, 7, 63, 0, 65, 0, 8, 1, 3, 99]).unwrap();
    assert_eq!((options.not_understood, options.attempt), (Some(63), 3));
    assert_eq!(read(&[3, 62, 1, 7]), Ok(Options::default()));
}

#[test]
fn options_over_their_limit_are_refused_unread() {
    let mut out = Vec::new();
    put_varint(&mut out, OPTIONS_MAX as u64 + 1);
    assert_eq!(read(&out), Err(Malformed("length: over its limit")));
}

proptest! {
    #[test]
    fn all_options_read_back(options in any_options()) {
        let bytes = encoded(&options);
        let length = options_len(&options);
        prop_assert_eq!(bytes.len(), crate::wire::codec::varint_len(length as u64) + length);
        prop_assert_eq!(read(&bytes), Ok(options));
    }

    #[test]
    fn no_bytes_make_options_panic(bytes: Vec<u8>) {
        let _ = read(&bytes);
        let mut framed = Vec::new();
        put_bytes(&mut framed, &bytes);
        let _ = read(&framed);
    }
}
