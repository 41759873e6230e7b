//! Does each thing that was seen lead to its conclusion, and to no other?

use super::*;
use crate::diagnosis::{LookState, THIS_NODE};
use crate::info::NodeState;
use homing_core::id::{Epoch, NodeId};
use homing_core::name::MeshName;

/// What was seen, written down as people would: sources `SOURCE PLACE +HEARD` or `SOURCE PLACE !WHY`, nodes `NAME
/// PROTOCOL ADDRESS VERDICT …`.
struct Sight {
    node: NodeInfo,
    sources: Vec<Looked>,
    nodes: Vec<Probed>,
    strangers: Vec<Audible>,
}

fn sight(guard: Guard) -> Sight {
    let node = NodeInfo {
        id: NodeId::from_bytes([9; 16]),
        name: "doctor".parse().unwrap(),
        mesh: MeshName::default(),
        namespace: homing_core::name::Namespace::default(),
        kind: Kind::Visitor,
        epoch: Epoch(1),
        addresses: vec![],
        guard,
    };
    Sight { node, sources: vec![], nodes: vec![], strangers: vec![] }
}

impl Sight {
    /// A place, which worked and where so many were heard, or failed and why.
    fn looked(mut self, source: &str, place: &str, outcome: Result<usize, &str>) -> Self {
        let interface = place.split_once(' ').filter(|_| place.contains(" to "));
        self.sources.push(Looked {
            source: source.to_owned(),
            place: place.to_owned(),
            interface: interface.map(|(name, _)| name.to_owned()),
            state: if outcome.is_ok() { LookState::Worked } else { LookState::Failed },
            said: outcome.err().unwrap_or("called").to_owned(),
            for_ms: 12_000,
            heard: outcome.unwrap_or(0),
        });
        self
    }

    fn resolved(mut self, seed: &str, said: &str) -> Self {
        self = self.looked("seed", seed, Ok(0));
        said.clone_into(&mut self.sources.last_mut().unwrap().said);
        self
    }

    /// A node of that name, or a place that is nobody's, and what came of its addresses.
    fn tried(mut self, name: &str, tried: &[(Protocol, &str, Reach)]) -> Self {
        let tried = tried.iter().map(|(protocol, address, verdict)| Tried {
            protocol: *protocol,
            address: (*address).to_owned(),
            verdict: *verdict,
            said: verdict.to_string(),
            took_us: Some(1),
        });
        let is_known = name != "?";
        self.nodes.push(Probed {
            id: is_known.then(|| NodeId::from_bytes([1; 16])),
            name: is_known.then(|| name.parse().unwrap()),
            found: "seed".to_owned(),
            state: is_known.then_some(NodeState::Alive),
            from: None,
            tried: tried.collect(),
        });
        self
    }

    fn well(self) -> Self {
        self.tried("b", &[(TCP, "10.0.0.8:1", Reach::Reached), (UDP, "10.0.0.8:1", Reach::Reached)])
    }

    fn stranger(mut self, guard: Guard) -> Self {
        self.strangers.push(Audible {
            mesh: MeshName::default(),
            id: NodeId::from_bytes([2; 16]),
            name: None,
            kind: None,
            guard,
            keys: vec![],
            held: false,
            heard: "multicast".to_owned(),
            place: String::new(),
            from: Some("10.0.0.5".parse().unwrap()),
            addresses: vec![],
        });
        self
    }

    /// The outlook, and each finding as `severity kind`.
    #[track_caller]
    fn check(&self, outlook: Outlook, expect: &[&str]) -> Vec<Finding> {
        let seen = Seen {
            node: &self.node,
            sources: &self.sources,
            nodes: &self.nodes,
            strangers: &self.strangers,
            networks: &[Network { ip: "10.0.0.7".parse().unwrap(), prefix: 24 }],
        };
        let (found, summary, findings) = conclude(seen);
        let told: Vec<_> = findings
            .iter()
            .filter(|finding| finding.kind != FindingKind::HostOnly)
            .map(|finding| format!("{} {}", finding.severity, finding.kind))
            .collect();
        assert_eq!(
            (found, told.iter().map(String::as_str).collect::<Vec<_>>()),
            (outlook, expect.to_vec())
        );
        assert!(!summary.is_empty());
        findings
    }
}

const TCP: Protocol = Protocol::Tcp;
const UDP: Protocol = Protocol::Udp;
const NO_ROUTE: &str = "Network is unreachable (os error 101)";
const MULTICAST: &str = "eth0 10.0.0.7: multicast to 239.1.2.3:7";
const BROADCAST: &str = "eth0 10.0.0.7: broadcast to 10.0.0.255:7";
const MULTICAST_V6: &str = "eth0 IPv6: multicast to [ff02::1%2]:7";

#[test]
fn nothing_in_the_way_is_well_and_nobody_is_not() {
    sight(Guard::Keyed).well().looked("multicast", MULTICAST, Ok(1)).check(Outlook::Well, &[]);
    sight(Guard::Local).well().check(Outlook::Well, &[]);
    let alone = sight(Guard::Local).check(Outlook::Alone, &["problem nobody-found"]);
    assert!(alone[0].remedy.contains("homing serve") && alone[0].remedy.contains("key"));
}

#[test]
fn calls_that_do_not_leave_an_interface_name_it_and_the_way_out() {
    let found = sight(Guard::Keyed)
        .well()
        .looked("multicast", MULTICAST, Err(NO_ROUTE))
        .looked("broadcast", BROADCAST, Ok(1))
        .check(Outlook::Warnings, &["warning no-route"]);
    assert!(found[0].what.starts_with("multicast does not leave eth0"), "{}", found[0].what);
    assert!(found[0].remedy.contains("ip route add 239.0.0.0/8 dev eth0"), "{}", found[0].remedy);
    sight(Guard::Keyed)
        .well()
        .looked("multicast", MULTICAST_V6, Err(NO_ROUTE))
        .looked("multicast", MULTICAST, Ok(1))
        .check(Outlook::Well, &["ok no-route"]);
    sight(Guard::Keyed)
        .well()
        .looked("broadcast", BROADCAST, Err("Operation not permitted (os error 1)"))
        .check(Outlook::Warnings, &["warning not-called"]);
    sight(Guard::Keyed)
        .well()
        .looked("multicast", "interfaces", Err("none to call on"))
        .check(Outlook::Warnings, &["problem no-interface"]);
    sight(Guard::Local)
        .well()
        .looked("broadcast", "127.255.255.255:7", Err("no such address"))
        .check(Outlook::Well, &["ok not-called"]);
}

#[test]
fn silence_counts_where_somebody_should_have_been_heard() {
    let silent = || {
        sight(Guard::Keyed).looked("multicast", MULTICAST, Ok(0)).looked(
            "broadcast",
            BROADCAST,
            Ok(0),
        )
    };
    let found = silent().well().check(Outlook::Warnings, &["warning nobody-heard"]);
    assert!(found[0].what.contains("eth0") && found[0].what.contains("b is on its network"));
    let elsewhere = [(TCP, "10.9.0.8:1", Reach::Reached), (UDP, "10.9.0.8:1", Reach::Reached)];
    silent().tried("b", &elsewhere).check(Outlook::Well, &[]);
    sight(Guard::Keyed)
        .well()
        .looked("multicast", MULTICAST, Ok(0))
        .looked("broadcast", BROADCAST, Ok(1))
        .check(Outlook::Warnings, &["warning multicast-silent"]);
    sight(Guard::Keyed)
        .well()
        .looked("multicast", MULTICAST, Ok(0))
        .looked("multicast", MULTICAST_V6, Ok(1))
        .looked("broadcast", BROADCAST, Ok(1))
        .check(Outlook::Well, &[]);
}

#[test]
fn an_address_that_leads_nowhere_is_told_with_one_that_does() {
    let some = [(TCP, "10.0.0.6:4000", Reach::Refused), (TCP, "10.0.0.8:1", Reach::Reached)];
    let found = sight(Guard::Keyed)
        .tried("b", &some)
        .check(Outlook::Warnings, &["warning address-unreachable"]);
    assert_eq!(found[0].what, "b tells 10.0.0.6:4000: refused; reached at 10.0.0.8:1");
    let loopback =
        [(TCP, "127.0.0.1:4000", Reach::Refused), (UDP, "127.0.0.1:4000", Reach::Silent)];
    let found = sight(Guard::Keyed)
        .well()
        .tried("c", &loopback)
        .check(Outlook::Warnings, &["problem node-unreachable"]);
    assert!(found[0].remedy.contains("tells only addresses of loopback"), "{}", found[0].remedy);
    let not_tried = [(TCP, "10.0.0.8:1", Reach::NotTried)];
    sight(Guard::Local)
        .well()
        .tried("c", &not_tried)
        .check(Outlook::Well, &["ok node-unreachable"]);
    sight(Guard::Local)
        .tried("c", &not_tried)
        .check(Outlook::Alone, &["problem nobody-found", "ok node-unreachable"]);
}

#[test]
fn an_address_that_is_for_others_or_of_this_host_is_in_nobodys_way() {
    for address in ["10.9.0.6:1", "10.0.0.7:1", "[fd00::6]:1"] {
        let some = [(TCP, address, Reach::Silent), (TCP, "10.0.0.8:1", Reach::Reached)];
        let expect = ["ok address-unreachable"];
        let found = sight(Guard::Keyed).tried("b", &some).check(Outlook::Well, &expect);
        assert_eq!(found[0].remedy, "", "{address}");
    }
}

#[test]
fn who_is_heard_from_an_address_that_it_does_not_tell_is_to_tell_it() {
    let check = |from: &str, remedy: &str| {
        let tried = [(TCP, "10.9.0.6:1", Reach::NoRoute), (UDP, "10.9.0.6:1", Reach::NoRoute)];
        let mut sight = sight(Guard::Keyed).well().tried("c", &tried);
        sight.nodes.last_mut().unwrap().from = Some(from.parse().unwrap());
        let found = sight.check(Outlook::Warnings, &["problem node-unreachable"]);
        assert!(found[0].what.contains(&format!("c is known, heard from {from}")));
        assert!(found[0].remedy.contains(remedy), "{}", found[0].remedy);
    };
    check("10.0.0.6", "c runs at 10.0.0.6 and does not tell so");
    check("10.9.0.6", "a firewall lets TCP and UDP through");
}

#[test]
fn who_is_alone_hears_where_it_called() {
    let found = sight(Guard::Keyed)
        .looked("multicast", MULTICAST, Ok(0))
        .check(Outlook::Alone, &["problem nobody-found"]);
    assert!(found[0].what.ends_with("; nobody answered calls on eth0"), "{}", found[0].what);
    assert!(found[0].remedy.contains("--interface"), "{}", found[0].remedy);
}

#[test]
fn what_lets_one_protocol_through_and_not_the_other_is_named() {
    let no_udp = [(TCP, "10.0.0.8:1", Reach::Reached), (UDP, "10.0.0.8:1", Reach::Silent)];
    sight(Guard::Keyed).tried("b", &no_udp).check(Outlook::Warnings, &["warning udp-blocked"]);
    let no_tcp = [(TCP, "10.0.0.8:1", Reach::Silent), (UDP, "10.0.0.8:1", Reach::Reached)];
    sight(Guard::Keyed)
        .tried("b", &no_tcp)
        .check(Outlook::Alone, &["problem nobody-found", "problem tcp-blocked"]);
    let of_two = [
        (TCP, "10.0.0.8:1", Reach::Reached),
        (UDP, "10.0.0.8:1", Reach::Silent),
        (TCP, "[fd00::8]:1", Reach::Reached),
        (UDP, "[fd00::8]:1", Reach::Reached),
    ];
    sight(Guard::Keyed).tried("b", &of_two).check(Outlook::Well, &[]);
}

#[test]
fn seeds_and_sources_that_fail_are_warnings_beside_what_works() {
    let well = || sight(Guard::Keyed).well();
    well()
        .looked("dns", "a.example:1", Err("no such name"))
        .check(Outlook::Warnings, &["warning unresolved"]);
    let found = well()
        .looked("seed", "a:0", Err("is not host:port with a port from 1 to 65535"))
        .check(Outlook::Warnings, &["warning unresolved"]);
    assert!(
        found[0].what.starts_with("the seed a:0 is not") && found[0].remedy.contains("HOST:PORT")
    );
    let found = well()
        .looked("redis", "redis://10.0.0.9", Err("connection refused"))
        .check(Outlook::Warnings, &["warning source-down"]);
    assert!(found[0].what.contains("for 12 s"), "{}", found[0].what);
    well()
        .resolved("10.0.0.5:1", "10.0.0.5:1")
        .tried("?", &[(TCP, "10.0.0.5:1", Reach::Refused)])
        .check(Outlook::Warnings, &["warning seed-dead"]);
    well()
        .resolved("a.example:1", "10.0.0.5:1, 10.0.0.8:1")
        .tried("?", &[(TCP, "10.0.0.5:1", Reach::Refused)])
        .check(Outlook::Well, &[]);
}

#[test]
fn a_seed_that_is_not_tried_is_told_with_what_lets_it_be() {
    let not_tried = [(TCP, "10.0.0.5:1", Reach::NotTried)];
    let seed = |guard| sight(guard).well().resolved("10.0.0.5:1", "10.0.0.5:1");
    for (guard, remedy) in [(Guard::Local, "homing key new"), (Guard::Keyed, "--transport")] {
        let found =
            seed(guard).tried("?", &not_tried).check(Outlook::Warnings, &["warning seed-dead"]);
        assert!(found[0].what.contains("is not tried"), "{}", found[0].what);
        assert!(found[0].remedy.contains(remedy), "{}", found[0].remedy);
    }
    // All nodes may have one list of seeds, and be in it.
    let mut itself = seed(Guard::Keyed).tried("?", &not_tried);
    THIS_NODE.clone_into(&mut itself.nodes.last_mut().unwrap().tried[0].said);
    itself.check(Outlook::Well, &[]);
}

#[test]
fn a_name_is_asked_for_by_hand_as_the_node_asks() {
    for (seed, question) in [
        ("a.example:1", "getent hosts a.example"),
        ("srv:a.example", "dig +short SRV _homing._tcp.a.example"),
        ("_b._tcp.a.example", "dig +short SRV _b._tcp.a.example"),
    ] {
        let found = sight(Guard::Keyed)
            .well()
            .looked("srv", seed, Err("no such record"))
            .check(Outlook::Warnings, &["warning unresolved"]);
        assert!(found[0].remedy.contains(&format!("({question})")), "{}", found[0].remedy);
    }
}

#[test]
fn who_is_alone_hears_which_meshes_there_are() {
    let mut other = sight(Guard::Local).stranger(Guard::Local);
    other.strangers[0].mesh = "prod".parse().unwrap();
    let found = other.check(Outlook::Alone, &["problem nobody-found"]);
    assert!(
        found[0].remedy.ends_with("other meshes are heard (--mesh): prod"),
        "{}",
        found[0].remedy
    );
}

#[test]
fn what_helps_a_source_that_is_down_depends_on_why() {
    for (source, why, remedy) in [
        ("redis", "no connection: Connection refused", "is up and reached"),
        ("redis", "it does not take the password: WRONGPASS", "give the password"),
        ("custom", "it panicked: at the disco", "of the program itself"),
    ] {
        let found = sight(Guard::Keyed)
            .well()
            .looked(source, "somewhere", Err(why))
            .check(Outlook::Warnings, &["warning source-down"]);
        assert!(found[0].remedy.contains(remedy), "{}", found[0].remedy);
    }
}

#[test]
fn entries_of_other_namespaces_and_bad_ones_are_told() {
    use crate::discovery::rendezvous::{OTHER_HOST, OTHER_KEY, OTHER_NAMESPACE};
    let entry = |why| sight(Guard::Keyed).well().looked("rendezvous", "/run/x", Err(why));
    entry(OTHER_NAMESPACE).check(Outlook::Warnings, &["warning other-namespace"]);
    entry(OTHER_HOST).check(Outlook::Well, &["ok bad-entry"]);
    entry("may be used by others (mode 644)").check(Outlook::Warnings, &["warning bad-entry"]);
    entry(OTHER_KEY).check(Outlook::Well, &[]);
}

#[test]
fn a_namesake_with_another_key_is_a_problem_for_who_is_alone() {
    let alone = ["problem nobody-found", "problem wrong-key"];
    sight(Guard::Keyed).stranger(Guard::Keyed).check(Outlook::Alone, &alone);
    sight(Guard::Local).stranger(Guard::Keyed).check(Outlook::Alone, &alone);
    sight(Guard::Keyed)
        .well()
        .stranger(Guard::Keyed)
        .check(Outlook::Warnings, &["warning wrong-key"]);
    sight(Guard::Keyed).well().stranger(Guard::Local).check(Outlook::Well, &["ok wrong-key"]);
    sight(Guard::Local).stranger(Guard::Local).check(Outlook::Alone, &["problem nobody-found"]);
}

#[test]
fn a_member_that_tells_loopback_alone_hears_of_it() {
    let mut sight = sight(Guard::Keyed).well();
    sight.node.kind = Kind::Member;
    sight.node.addresses =
        vec![homing_core::addr::TransportAddr::Tcp("127.0.0.1:7".parse().unwrap())];
    sight.check(Outlook::Warnings, &["warning loopback-told"]);
}
