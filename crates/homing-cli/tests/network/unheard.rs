//! What if calls to everybody are not heard, or go out on the wrong interface?

use std::time::{Duration, Instant};

use super::doctor::{check, fine};
use super::hosts::{Host, Network};
use super::mesh::{give_key, run, serve};
use super::process::in_time;

/// From the start of a caller to its answer, where nothing has to be waited for.
const FOUND_WITHIN: Duration = Duration::from_secs(2);

#[track_caller]
fn check_answered(host: Host<'_>, service: &str, arguments: &str) {
    let begin = Instant::now();
    run(host, format!("call {service} hello {arguments}").trim_end()).printed("hello");
    let took = begin.elapsed();
    assert!(took < in_time(FOUND_WITHIN), "{took:?}");
}

#[test]
fn without_a_route_for_groups_hosts_find_each_other_and_the_doctor_names_it() {
    let Some(network) = Network::of(2) else { return };
    let [server, caller] = network.each();
    give_key(&[server, caller]);
    for (host, last) in [(server, 1), (caller, 2)] {
        host.ip("route add unreachable 224.0.0.0/4");
        host.ip(&format!("addr add fd64::{last}/64 dev eth0 nodad"));
        host.ip("-6 route del multicast ff00::/8 dev eth0 table local");
    }
    let _service = serve(server, "echo@1.0.0 --echo --name one --listen 0.0.0.0:0");
    check_answered(caller, "echo", "");
    let told = check(caller, "", (0, &[]));
    let place = fine(&told).into_iter().find(|(kind, _)| *kind == "no-route").unwrap().1;
    assert!(place.starts_with("eth0 IPv6: multicast to "), "{place}");
    // With nothing but IPv6 it stands in the way.
    caller.ip("-4 addr flush dev eth0");
    let nobody = "nobody answered calls on eth0";
    let no_route = "multicast does not leave eth0: there is no route";
    let expect: &[_] = &[
        ["problem nobody-found", "default", nobody, "--seed HOST:PORT"],
        ["warning no-route", "*", no_route, "ip -6 route add ff00::/8 dev eth0 … --seed HOST:PORT"],
    ];
    check(caller, "", (4, expect));
}

#[test]
fn where_a_switch_drops_groups_hosts_find_each_other_by_broadcast() {
    let Some(network) = Network::of(2) else { return };
    let [server, caller] = network.each();
    give_key(&[server, caller]);
    for host in [server, caller] {
        host.set("ipv6/conf/all/disable_ipv6", 1);
        host.switch_port("mcast_flood off");
    }
    let _service = serve(server, "echo@1.0.0 --echo --name one");
    check_answered(caller, "echo", "");
    let silent = "on eth0 others are heard by broadcast, and nobody by multicast";
    let expect = ["warning multicast-silent", "eth0", silent, "--discovery-group"];
    check(caller, "", (3, &[expect]));
}

#[test]
fn where_nothing_to_everybody_passes_the_doctor_asks_for_a_seed() {
    let Some(network) = Network::of(2) else { return };
    let [server, caller] = network.each();
    give_key(&[server, caller]);
    for host in [server, caller] {
        host.set("ipv6/conf/all/disable_ipv6", 1);
        host.switch_port("mcast_flood off");
    }
    // Ethernet asks everybody, too: without that, hosts have to know each other's address on it.
    run(caller, "nodes --seed 10.64.0.1:1");
    for host in [server, caller] {
        host.switch_port("bcast_flood off");
    }
    let _service = serve(server, "echo@1.0.0 --echo --name one --listen 10.64.0.1:7000");
    let nobody = "no other node of mesh default is reached";
    let expect = ["problem nobody-found", "default", nobody, "--seed HOST:PORT"];
    check(caller, "", (4, &[expect]));
    check_answered(caller, "echo", "--seed 10.64.0.1:7000");
    let unheard = "nobody answered multicast or broadcast on eth0, yet one is on its network";
    let expect = ["warning nobody-heard", "eth0", unheard, "--seed HOST:PORT"];
    check(caller, "--seed 10.64.0.1:7000", (3, &[expect]));
}

#[test]
fn an_interface_that_is_not_there_is_named() {
    let Some(network) = Network::of(2) else { return };
    let [server, caller] = network.each();
    give_key(&[server, caller]);
    let _service = serve(server, "echo@1.0.0 --echo --name one");
    let none = "there is no interface to call on";
    let nobody = "no other node of mesh default is reached";
    let expect: &[_] = &[
        ["problem nobody-found", "default", nobody, "--seed HOST:PORT"],
        ["problem no-interface", "interfaces", none, "--interface NAME"],
    ];
    check(caller, "--interface wlan7", (4, expect));
}

#[test]
fn an_interface_that_leads_elsewhere_is_told_with_where_was_looked() {
    let Some(network) = Network::of(2) else { return };
    let [server, caller] = network.each();
    give_key(&[server, caller]);
    network.add_switch("other");
    caller.join("other", "eth1");
    caller.ip("addr add 10.65.0.2/24 brd + dev eth1");
    let _service = serve(server, "echo@1.0.0 --echo --name one");
    let nobody = "no other node of mesh default is reached; nobody answered calls on eth1";
    let expect = ["problem nobody-found", "default", nobody, "--interface"];
    check(caller, "--interface eth1", (4, &[expect]));
    check_answered(caller, "echo", "--interface eth0");
}

#[test]
fn a_first_interface_that_goes_nowhere_is_in_nobodys_way() {
    let Some(network) = Network::of(2) else { return };
    let [server, caller] = network.each();
    give_key(&[server, caller]);
    for (host, last) in [(server, 1), (caller, 2)] {
        let switch = format!("nowhere{last}");
        network.add_switch(&switch);
        host.join(&switch, "aa0");
        // The same address at both: who dials it reaches itself.
        host.ip("addr add 172.17.0.1/16 brd + dev aa0");
    }
    let _service = serve(server, "echo@1.0.0 --echo --name one --listen 0.0.0.0:7000");
    check_answered(caller, "echo", "");
    let told = check(caller, "", (0, &[]));
    assert_eq!(fine(&told), [("address-unreachable", "172.17.0.1:7000")]);
}
