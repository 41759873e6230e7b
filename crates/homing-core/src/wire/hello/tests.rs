//! The Hello, byte by byte and at random.

use super::*;
use crate::limits::ADDRESSES_MAX;
use crate::wire::golden;
use proptest::prelude::*;

fn encoded(hello: &Hello) -> Vec<u8> {
    let mut out = Vec::new();
    hello.encode(&mut out);
    out
}

fn id(byte: u8) -> NodeId {
    NodeId::from_bytes([byte; 16])
}

fn dialler() -> Hello {
    Hello {
        versions: (1, 1),
        features: 0,
        required: 0,
        mesh: *b"meshmesh",
        nonce: [0x99; 16],
        keys: vec![KeyId(0x0102_0304), KeyId(5)],
        peer: Peer {
            id: id(0xaa),
            key: [0xbb; 32],
            epoch: Epoch(3),
            kind: Kind::Member,
            name: "web-1".parse().unwrap(),
            agent: "homing/0.1.0".into(),
            addresses: vec![
                TransportAddr::Unix { host: 7, path: "/run/a".into() },
                TransportAddr::Tcp("127.0.0.1:7001".parse().unwrap()),
                TransportAddr::Tcp("[fe80::1%3]:7001".parse().unwrap()),
            ],
        },
        claim: DialClaim {
            number: 5,
            dead: Some(LinkName { dialler: id(0xcc), epoch: Epoch(2), number: 300 }),
        },
        windows: Windows::default(),
    }
}

fn visitor() -> Hello {
    let windows = Windows { conversations: 0, ..Windows::default() };
    let keys = vec![KeyId::NONE];
    let mut hello = Hello { claim: DialClaim::default(), windows, keys, ..dialler() };
    hello.peer.kind = Kind::Visitor;
    hello.peer.addresses.clear();
    hello
}

fn newer() -> Hello {
    Hello { versions: (1, 2), features: 5, required: 4, ..visitor() }
}

#[test]
fn the_bytes_of_a_hello_are_what_they_were() {
    let all = [("member", dialler()), ("visitor", visitor()), ("newer", newer())];
    let lines = all.each_ref().map(|(name, hello)| (*name, encoded(hello)));
    golden::check(include_str!("../../../testdata/wire/hello.txt"), &lines);
    for (_, hello) in all {
        let bytes = encoded(&hello);
        assert_eq!(Hello::decode(&bytes), Ok(Some((hello, bytes.len()))));
    }
}

#[test]
fn what_a_newer_peer_appends_is_passed_over() {
    let mut bytes = encoded(&dialler());
    bytes.extend_from_slice(b"more");
    let length = u16::try_from(bytes.len() - 6).unwrap();
    bytes[4..6].copy_from_slice(&length.to_be_bytes());
    assert_eq!(Hello::decode(&bytes), Ok(Some((dialler(), bytes.len()))));
}

#[test]
fn what_is_no_hello_is_known_by_its_first_wrong_byte_or_length() {
    let refused = |bytes: &[u8], why| assert_eq!(Hello::decode(bytes), Err(Malformed(why)));
    refused(b"G", "hello: not the homing protocol");
    refused(b"HMG2", "hello: not the homing protocol");
    refused(b"HMG1\x0f\xfb", "hello: over its limit");
    refused(b"HMG1\x00\x01\x01", "field: cut off");
}

#[test]
fn an_agent_over_its_limit_is_cut_at_a_whole_character() {
    let mut hello = visitor();
    hello.peer.agent = "é".repeat(70_000);
    hello.peer.agent.insert(0, 'x');
    let (heard, _) = Hello::decode(&encoded(&hello)).unwrap().unwrap();
    assert_eq!(heard.peer.agent, hello.peer.agent[..127]);
}

prop_compose! {
    fn any_claim()(number: u64, dead: Option<([u8; 16], u64, u64)>) -> DialClaim {
        let dead = dead.map(|(dialler, epoch, number)| LinkName {
            dialler: NodeId::from_bytes(dialler),
            epoch: Epoch(epoch),
            number,
        });
        DialClaim { number, dead }
    }
}

fn any_addr() -> impl Strategy<Value = TransportAddr> {
    prop_oneof![
        (any::<u64>(), "/[a-z/é]{0,50}")
            .prop_map(|(host, path)| TransportAddr::Unix { host, path: path.into() }),
        any::<([u8; 4], u16)>().prop_map(|addr| TransportAddr::Tcp(addr.into())),
        any::<([u8; 16], u16)>().prop_map(|addr| TransportAddr::Tcp(addr.into())),
    ]
}

prop_compose! {
    fn any_peer()(
        (id, key, epoch, visits) in any::<([u8; 16], [u8; 32], u64, bool)>(),
        name in "[a-z][a-z0-9]{0,60}",
        agent in ".{0,30}",
        addresses in proptest::collection::vec(any_addr(), 0..=ADDRESSES_MAX),
    ) -> Peer {
        let kind = if visits { Kind::Visitor } else { Kind::Member };
        let (id, epoch) = (NodeId::from_bytes(id), Epoch(epoch));
        Peer { id, key, epoch, kind, name: name.parse().unwrap(), agent, addresses }
    }
}

prop_compose! {
    fn any_hello()(
        peer in any_peer(),
        claim in any_claim(),
        (versions, features, required) in any::<((u8, u8), u64, u64)>(),
        (mesh, nonce, windows) in any::<([u8; 8], [u8; 16], (u32, u32, u32))>(),
        keys in proptest::collection::vec(any::<u32>().prop_map(KeyId), 0..=MESH_KEYS_MAX),
    ) -> Hello {
        let (conversations, conversation, link) = windows;
        let windows = Windows { conversations, conversation, link };
        Hello { versions, features, required, mesh, nonce, keys, peer, claim, windows }
    }
}

proptest! {
    #[test]
    fn every_hello_reads_back_once_it_is_whole(hello in any_hello()) {
        let bytes = encoded(&hello);
        prop_assert!(bytes.len() <= HELLO_MAX);
        for cut in 0..bytes.len() {
            prop_assert_eq!(Hello::decode(&bytes[..cut]), Ok(None));
        }
        prop_assert_eq!(Hello::decode(&bytes), Ok(Some((hello, bytes.len()))));
    }

    #[test]
    fn no_bytes_make_a_hello_panic(hello in any_hello(), at: prop::sample::Index, byte: u8, other: Vec<u8>) {
        let mut bytes = encoded(&hello);
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let _ = Hello::decode(&bytes);
        bytes.truncate(at);
        bytes.extend_from_slice(&other);
        let _ = Hello::decode(&bytes);
    }
}
