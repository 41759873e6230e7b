//! What if a firewall lets one protocol through and not the other?

use std::thread;
use std::time::{Duration, Instant};

use super::doctor::{Named, check};
use super::hosts::{Host, Network};
use super::mesh::{give_key, run, serve, watch};
use super::process::in_time;

/// How a firewall turns away what comes in.
#[derive(Clone, Copy)]
enum Wall {
    /// As if nobody were there.
    Silent,
    /// It says so.
    Telling,
}

const UNHEARD: Named<'_> = [
    "warning nobody-heard",
    "eth0",
    "nobody answered multicast or broadcast on eth0, yet … is on its network",
    "keep a seed (--seed HOST:PORT, HOMING_SEEDS)",
];

/// From now on nothing of this protocol comes in on the network. Only IPv4 is left, and groups are not heard.
fn block(host: Host<'_>, protocol: &str, wall: Wall) {
    let action = match wall {
        Wall::Silent => "blackhole",
        Wall::Telling => "prohibit",
    };
    // Only who forwards says what it turned away; each time, and not once a second.
    host.set("ipv4/ip_forward", 1);
    host.set("ipv4/icmp_ratelimit", 0);
    host.set("ipv6/conf/all/disable_ipv6", 1);
    host.switch_port("mcast_flood off");
    // What is for this host is looked up after the wall.
    host.ip("rule add pref 100 lookup local");
    host.ip("rule del pref 0");
    host.ip(&format!("rule add pref 1 iif eth0 ipproto {protocol} {action}"));
}

#[test]
fn where_udp_is_blocked_a_seed_is_enough_and_the_doctor_says_so() {
    let Some(network) = Network::of(2) else { return };
    let [server, caller] = network.each();
    give_key(&[server, caller]);
    for host in [server, caller] {
        block(host, "udp", Wall::Silent);
    }
    let _service = serve(server, "echo@1.0.0 --echo --name one --listen 10.64.0.1:7000");
    let seeded = "--seed 10.64.0.1:7000";
    let begin = Instant::now();
    run(caller, &format!("call echo hello {seeded}")).printed("hello");
    let took = begin.elapsed();
    assert!(took < in_time(Duration::from_secs(2)), "{took:?}");
    check(
        caller,
        seeded,
        (
            3,
            &[
                [
                    "warning udp-blocked",
                    "one",
                    "links reach one, datagrams do not: UDP is blocked",
                    "open UDP to the ports that its TCP addresses have",
                ],
                UNHEARD,
            ],
        ),
    );
}

#[test]
fn members_between_which_udp_is_blocked_lose_each_other_and_the_doctor_says_why() {
    let Some(network) = Network::of(3) else { return };
    let hosts @ [one, two, three] = network.each();
    give_key(&hosts);
    for host in hosts {
        block(host, "udp", Wall::Silent);
    }
    let _one = serve(one, "s1@1.0.0 --echo --name one --listen 10.64.0.1:7000");
    let _two =
        serve(two, "s2@1.0.0 --echo --name two --listen 10.64.0.2:7000 --seed 10.64.0.1:7000");
    let watch = watch(three, "--seed 10.64.0.1:7000");
    watch.lines_with(["+ s1@1.0.0 on one", "+ s2@1.0.0 on two", "- node two"]);
    let seeded = "--seed 10.64.0.1:7000,10.64.0.2:7000";
    let blocked = |name| {
        ["warning udp-blocked", name, "links reach … datagrams do not: UDP is blocked", "open UDP"]
    };
    check(three, seeded, (3, &[blocked("one"), blocked("two"), UNHEARD]));
}

#[test]
fn where_tcp_is_blocked_the_doctor_says_so() {
    thread::scope(|scope| {
        for wall in [Wall::Silent, Wall::Telling] {
            scope.spawn(move || check_without_tcp(wall));
        }
    });
}

fn check_without_tcp(wall: Wall) {
    let Some(network) = Network::of(2) else { return };
    let [server, caller] = network.each();
    give_key(&[server, caller]);
    for host in [server, caller] {
        block(host, "tcp", wall);
    }
    let _service = serve(server, "echo@1.0.0 --echo --name one --listen 10.64.0.1:7000");
    let said = match wall {
        Wall::Silent => "10.64.0.1:7000: nothing came back in time",
        Wall::Telling => "10.64.0.1:7000: the host cannot be reached",
    };
    let blocked = format!("heard from 10.64.0.1, links do not: TCP is blocked … {said}");
    let expect: &[_] = &[
        ["problem nobody-found", "default", "no other node of mesh default", "beside this"],
        ["problem tcp-blocked", "*", &blocked, "open TCP to its addresses"],
        ["warning multicast-silent", "eth0", "others are heard by broadcast", "let the groups"],
    ];
    check(caller, "", (4, expect));
    let failed = run(caller, "call echo hello --timeout 1s");
    assert_ne!(failed.code, Some(0), "{failed:?}");
}
