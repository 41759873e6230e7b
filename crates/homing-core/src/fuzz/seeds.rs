//! Where does the search start? At bytes that are right.

use super::registry::{LIFE, ME, PEER};
use crate::addr::TransportAddr;
use crate::crypto::KeyId;
use crate::crypto::fake::Fake;
use crate::id::NodeId;
use crate::membership::{Identity, Input as Told, Membership, Output as Tells};
use crate::name::Namespace;
use crate::node::Wish;
use crate::node::control::{After, Control};
use crate::registry::estate::{ESTATE_BUCKETS, Rank};
use crate::registry::estate_list::{EstateList, put_id};
use crate::registry::message::{ESTATE_LIST, ESTATE_WANT, estate_sums};
use crate::registry::{
    Body, DeclaredRecord, Filter, Guard, Input, InterestRecord, Lane, NodeRecord, Output, RecordId,
    RecordKey, Registry, Right, Role, ServiceRecord, Slow, Topics,
};
use crate::rng::Rng;
use crate::time::Time;
use crate::wire::addr::put_addrs;
use std::sync::Arc;
use std::time::Duration;

macro_rules! golden {
    ($name:literal) => {
        golden(include_str!(concat!("../../testdata/wire/", $name, ".txt")))
    };
}

/// Bytes that each target takes, by its name. A link has none: its scripts are short to find.
pub fn seeds() -> Vec<(&'static str, Vec<Vec<u8>>)> {
    vec![
        ("addresses", addresses()),
        ("batch", golden!("batch")),
        ("control", control()),
        ("datagram", golden!("datagram")),
        ("frame", golden!("frame")),
        ("hello", golden!("hello")),
        ("membership", membership()),
        ("name", NAMES.iter().map(|name| name.as_bytes().to_vec()).collect()),
        ("options", golden!("options")),
        ("record", [golden!("record"), golden!("withdrawal")].concat()),
        ("registry", registry()),
        ("slots", golden!("slots")),
    ]
}

const NAMES: &[&str] = &[
    "words@^1/admin/count",
    "words@1.2.0-rc.1+5/admin/*",
    "price%20list@>=1 <3 || 1.0.0 - 2.x",
    "zone=a",
    "words@host:4711",
    "admin/*\nadmin/count",
    "~1.2\n1.2.9\n1.2.3-a",
    "000102030405060708090a0b0c0d0eff",
    "orders.**.eu\norders.1.eu",
];

/// The bytes in a file of golden ones: each line a name and hexadecimal digits.
fn golden(text: &str) -> Vec<Vec<u8>> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| line.split_once(' ')).map(|(_, digits)| from_hex(digits)).collect()
}

fn from_hex(digits: &str) -> Vec<u8> {
    let digits: String = digits.split_whitespace().collect();
    let pairs = digits.as_bytes().as_chunks::<2>().0.iter();
    let byte = |pair: &[u8; 2]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    pairs.map(|pair| byte(pair).expect("golden bytes are hexadecimal")).collect()
}

fn addresses() -> Vec<Vec<u8>> {
    let of = |addresses: &[TransportAddr]| {
        let mut out = Vec::new();
        put_addrs(&mut out, addresses);
        out
    };
    let tcp = |text: &str| TransportAddr::Tcp(text.parse().expect("an address"));
    let unix = TransportAddr::Unix { host: 7, path: "/run/homing/default/a.sock".into() };
    vec![of(&[tcp("127.0.0.1:4711"), unix]), of(&[tcp("[fe80::1%3]:443")])]
}

fn control() -> Vec<Vec<u8>> {
    let service = |name: &str| ("default".parse().expect("a name"), name.parse().expect("a name"));
    let services = [service("words"), service("price")].into();
    let filter = Filter::Part { services, topics: Topics::Wanted };
    let mut all = vec![
        Control::Sync { filter, after: After::Follow }.encode(),
        Control::Goodbye.encode(),
        Control::Keep(Wish::Keep).encode(),
    ];
    all.extend(membership().iter().map(|dump| Control::Dump(dump).encode()));
    all.extend(registry());
    all
}

/// What a member says of itself to one that links to it and follows it.
fn registry() -> Vec<Vec<u8>> {
    let crypto = Arc::new(Fake::PLAIN);
    let mut registry = Registry::new(Role::Member, PEER, LIFE, Rng::from_seed(1), crypto);
    let node = NodeRecord {
        name: "node".parse().expect("a name"),
        addresses: vec![TransportAddr::Tcp("127.0.0.1:4711".parse().expect("an address"))],
        agent: "fuzz".into(),
        guard: Guard::Keyed,
        keys: vec![KeyId(7)],
        token: Some("token".into()),
    };
    let key = RecordKey::NODE;
    let mut now = Time::ZERO;
    registry.handle_input(now, Input::Offer { key, body: Body::Node(Arc::new(node)) });
    let topics = vec![(Namespace::default(), "orders.**".parse().expect("a pattern"))];
    let body = Body::Declared(Arc::new(DeclaredRecord { topics }));
    registry.handle_input(now, Input::Offer { key: RecordKey::DECLARED, body });
    let body = Body::Interest(Arc::new(interest()));
    registry.handle_input(now, Input::Offer { key: RecordKey::INTEREST, body });
    let lasting = Some(Right::Anybody);
    for (key, lasting) in
        [(1, None), (2, lasting), (3, lasting)].map(|(key, it)| (RecordKey(key), it))
    {
        let body = Body::Service(Arc::new(service(lasting)));
        registry.handle_input(now, Input::Offer { key, body });
    }
    registry.handle_input(now, Input::Withdraw { key: RecordKey(3) });
    registry.handle_input(now, Input::Members(vec![ME]));
    registry.handle_input(now, Input::Alive { node: ME, epoch: LIFE });
    registry.handle_input(now, Input::SyncAsked { to: ME, filter: Filter::All, follow: true });
    let until = now + Duration::from_secs(1);
    registry.handle_input(now, Input::Spread { token: 1, key: RecordKey::INTEREST, until });
    let mut said = Vec::new();
    for _ in 0..5 {
        registry.handle_timeout(now);
        while let Some(output) = registry.poll_output() {
            if let Output::Send { bytes, .. } = output {
                said.push(bytes);
            }
        }
        now += Duration::from_secs(1);
    }
    said.extend(estate());
    let together = said.iter().flat_map(|bytes| {
        let len = u16::try_from(bytes.len()).expect("a message is below 64 KiB");
        len.to_be_bytes().into_iter().chain(bytes.iter().copied())
    });
    let together = together.collect();
    said.push(together);
    said
}

fn service(lasting: Option<Right>) -> ServiceRecord {
    ServiceRecord {
        namespace: Namespace::default(),
        service: "db".parse().expect("a name"),
        version: None,
        hosts: ["10.0.0.5", "::1", "db.example"].map(|host| host.parse().expect("a host")).into(),
        port: 5432,
        data: "{}".into(),
        lifetime: Duration::from_secs(15),
        written: 7,
        origin: None,
        lasting,
    }
}

/// What members that know other things that last ask and answer.
fn estate() -> Vec<Vec<u8>> {
    let id = RecordId { owner: PEER, epoch: LIFE, key: RecordKey(2) };
    let entries = vec![(id, Rank::holds(5))];
    let list = EstateList { buckets: u64::MAX, after: None, to: Some(id), entries };
    let (mut listed, mut wanted) = (vec![ESTATE_LIST], vec![ESTATE_WANT]);
    list.encode(&mut listed);
    put_id(&mut wanted, &id);
    vec![estate_sums(&[7; ESTATE_BUCKETS]), listed, wanted]
}

fn interest() -> InterestRecord {
    let lane = |id, slow, patterns: &[&str]| Lane {
        id,
        namespace: Namespace::default(),
        group: Some("workers".parse().expect("a name")),
        slow,
        patterns: patterns.iter().map(|text| text.parse().expect("a pattern")).collect(),
    };
    InterestRecord {
        lanes: vec![
            lane(1, Slow::default(), &["orders.*", "**"]),
            lane(2, Slow::DropOldest, &["a.b"]),
        ],
    }
}

/// What a member says that was told of another, in packets and as a dump.
fn membership() -> Vec<Vec<u8>> {
    let identity = |number: u8| {
        let udp = [([127, 0, 0, number], 4711).into()];
        Identity::new(NodeId::from_bytes([number; 16]), LIFE, 9, &udp)
    };
    let mut machine = Membership::new(identity(2), Rng::from_seed(1));
    let mut now = Time::ZERO;
    machine.handle_input(now, Told::Announce(identity(1)));
    let mut said = Vec::new();
    for _ in 0..5 {
        machine.handle_timeout(now);
        while let Some(output) = machine.poll_output() {
            if let Tells::Send { bytes, .. } = output {
                said.push(bytes);
            }
        }
        now += Duration::from_secs(1);
    }
    said.extend(machine.dump());
    said
}
