//! Which of the places where somebody should be lead there, and which are told as dead?

use std::time::{Duration, Instant};

use super::doctor::{check, fine};
use super::hosts::Network;
use super::mesh::{give_key, run, serve};
use super::process::in_time;

#[test]
fn who_is_on_two_networks_is_reached_from_both() {
    let Some(network) = Network::bare(3) else { return };
    let [middle, left, right] = network.each();
    give_key(&[middle, left, right]);
    network.add_switch("other");
    for host in [middle, right] {
        host.join("other", "eth1");
    }
    for (host, address, interface) in [
        (middle, "10.64.0.1", "eth0"),
        (left, "10.64.0.2", "eth0"),
        (middle, "10.65.0.1", "eth1"),
        (right, "10.65.0.3", "eth1"),
    ] {
        host.ip(&format!("addr add {address}/24 brd + dev {interface}"));
    }
    right.ip("link set eth0 down");
    let _middle = serve(middle, "middle@1.0.0 --echo --name middle --listen 0.0.0.0:7000");
    for host in [left, right] {
        let begin = Instant::now();
        run(host, "call middle hello").printed("hello");
        let took = begin.elapsed();
        assert!(took < in_time(Duration::from_secs(2)), "{took:?}");
    }
    // Each is told of both addresses, and knows that the one is for others.
    let for_others = [(left, "10.65.0.1:7000"), (right, "10.64.0.1:7000")];
    for (host, address) in for_others {
        let told = check(host, "", (0, &[]));
        assert_eq!(fine(&told), [("address-unreachable", address)]);
    }
    // Who is at home on one of them alone is known to the others, and out of their reach.
    let _right = serve(right, "right@1.0.0 --echo --name right");
    run(left, "call middle hello").printed("hello");
    let away = [
        "problem node-unreachable",
        "right",
        "right is known … none of its addresses leads to it (10.65.0.3:",
        "check that right runs",
    ];
    check(left, "", (3, &[away]));
}

#[test]
fn of_two_networks_one_that_is_dead_is_named_and_the_other_is_enough() {
    let Some(network) = Network::of(2) else { return };
    let [server, caller] = network.each();
    give_key(&[server, caller]);
    // The second looks alive to both, and nothing passes.
    for (host, switch, last) in [(server, "one", 1), (caller, "two", 2)] {
        network.add_switch(switch);
        host.join(switch, "eth1");
        host.ip(&format!("addr add 10.65.0.{last}/24 brd + dev eth1"));
    }
    let _service = serve(server, "echo@1.0.0 --echo --name one --listen 0.0.0.0:7000");
    for arguments in ["", "--seed 10.65.0.1:7000,10.64.0.1:7000"] {
        let begin = Instant::now();
        run(caller, format!("call echo hello {arguments}").trim_end()).printed("hello");
        let took = begin.elapsed();
        assert!(took < in_time(Duration::from_secs(2)), "{took:?}");
    }
    let dead = "one tells 10.65.0.1:7000: … reached at 10.64.0.1:7000";
    let remedy = "start one with --advertise … open the way to this one";
    check(caller, "", (3, &[["warning address-unreachable", "10.65.0.1:7000", dead, remedy]]));
}

#[test]
fn an_advertised_address_where_nobody_is_is_told_with_what_to_do() {
    let Some(network) = Network::of(2) else { return };
    let [server, caller] = network.each();
    give_key(&[server, caller]);
    let serving = "echo@1.0.0 --echo --name one --listen 0.0.0.0:7000 --advertise 10.99.0.1:7000";
    let _service = serve(server, serving);
    let nobody = "no other node of mesh default is reached";
    let unreachable = "heard from 10.64.0.1, and none of its addresses leads to it (10.99.0.1:7000: there is no route to it)";
    let expect: &[_] = &[
        ["problem nobody-found", "default", nobody, "beside this"],
        [
            "problem node-unreachable",
            "*",
            unreachable,
            "runs at 10.64.0.1 … --advertise 10.64.0.1:PORT",
        ],
    ];
    check(caller, "", (4, expect));
    // A member is found all the same, for the other dials it; and whoever is told where it listens finds it.
    let _member = serve(caller, "other@1.0.0 --echo --name two");
    run(server, "call other hello").printed("hello");
    run(caller, "call echo hello --seed 10.64.0.1:7000").printed("hello");
}

#[test]
fn of_seeds_one_that_lives_is_enough_and_the_others_are_named() {
    let Some(network) = Network::of(3) else { return };
    let [server, caller, silent] = network.each();
    give_key(&[server, caller]);
    silent.ip("rule add pref 100 lookup local");
    silent.ip("rule del pref 0");
    silent.ip("rule add pref 1 iif eth0 ipproto tcp blackhole");
    let _service =
        serve(server, "echo@1.0.0 --echo --name one --listen 10.64.0.1:7000 --interface lo");
    let seeded =
        "--interface lo --seed 10.64.0.1:1,10.64.0.3:7000,no-such.invalid:7000,10.64.0.1:7000";
    let begin = Instant::now();
    run(caller, &format!("call echo hello {seeded}")).printed("hello");
    let took = begin.elapsed();
    assert!(took < in_time(Duration::from_secs(2)), "{took:?}");
    let dead = |place, why| ["warning seed-dead", place, why, "start a node there"];
    let unresolved = "stands for no address: failed to lookup address information";
    let expect: &[_] = &[
        dead("10.64.0.1:1", "no node of this mesh is at seed … refused: nobody listens there"),
        dead("10.64.0.3:7000", "no node of this mesh is at seed … nothing came back in time"),
        ["warning unresolved", "no-such.invalid:7000", unresolved, "getent hosts no-such.invalid"],
    ];
    check(caller, seeded, (3, expect));
}
