//! Who finds whom, by which means, and who must not?

use super::hosts::{Host, Network};

/// A call from the second host to a service on the first is answered, each started with options of its own.
#[track_caller]
fn check_found([server, caller]: [Host<'_>; 2], serving: &str, calling: &str) {
    let _service = server.serve(&format!("echo@1.0.0 --echo {serving}"));
    caller.run(&format!("call echo hello {calling}")).printed("hello");
}

#[test]
fn hosts_find_each_other_by_broadcast() {
    let Some(network) = Network::of(2) else { return };
    // Neither hears the other's group.
    check_found(network.each(), "--discovery-group 239.255.1.1", "--discovery-group 239.255.1.2");
}

#[test]
fn hosts_of_which_nothing_is_said_find_each_other() {
    let Some(network) = Network::of(2) else { return };
    let [server, caller] = network.each();
    // No address, port, group, seed or name: only that the network is meant.
    let _service = server.serve_at("0.0.0.0:0", "echo@1.0.0 --echo");
    caller.run_bare("call echo hello --insecure --listen 0.0.0.0:0").printed("hello");
}

#[test]
fn who_scouts_on_another_port_is_not_found() {
    let Some(network) = Network::of(3) else { return };
    let [server, same, other] = network.each();
    let _service = server.serve("echo@1.0.0 --echo --discovery-port 24700");
    same.run("call echo hello --discovery-port 24700").printed("hello");
    let alone = other.run("call echo hello --timeout 2s");
    assert_ne!(alone.code, Some(0), "{alone:?}");
    assert_eq!(alone.stdout, "");
}

#[test]
fn hosts_without_a_broadcast_address_find_each_other_by_multicast() {
    let Some(network) = Network::bare(2) else { return };
    for host in network.hosts() {
        host.ip(&format!("addr add {}/32 dev eth0", host.address()));
        host.ip("route add 10.64.0.0/24 dev eth0");
    }
    check_found(network.each(), "--discovery-group 239.255.1.1", "--discovery-group 239.255.1.1");
}

#[test]
fn hosts_that_only_speak_ipv6_find_each_other() {
    let Some(network) = Network::bare(2) else { return };
    let [server, caller] = network.each();
    for (host, last) in [(server, 1), (caller, 2)] {
        host.ip(&format!("addr add fd64::{last}/64 dev eth0 nodad"));
    }
    let _service = server.serve_at("[fd64::1]:0", "echo@1.0.0 --echo");
    let call = "call echo hello --insecure --listen [fd64::2]:0";
    caller.run_bare(call).printed("hello");
}

#[test]
fn a_seed_is_enough() {
    let Some(network) = Network::of(2) else { return };
    let [server, caller] = network.each();
    let _service = server.serve_at("10.64.0.1:7000", "echo@1.0.0 --echo --name one --interface lo");
    let seeded = "--insecure --interface lo --seed 10.64.0.1:7000";
    caller.run_bare(&format!("call echo hello {seeded}")).printed("hello");

    let nodes = caller.run_bare(&format!("nodes --json {seeded}")).rows();
    let one = nodes.iter().find(|node| node["name"] == "one").unwrap();
    assert_eq!((&one["found"], &one["guard"]), (&"seed".into(), &"insecure".into()), "{one}");
    assert_eq!((&one["state"], &one["links"][0]["transport"]), (&"alive".into(), &"tcp".into()));
    assert_eq!(one["links"][0]["direction"], "out");
}

#[test]
fn a_listing_says_how_a_node_was_found() {
    let Some(network) = Network::of(2) else { return };
    let [server, caller] = network.each();
    let _service = server.serve("echo@1.0.0 --echo --name one");
    let nodes = caller.run("nodes --json").rows();
    let one = nodes.iter().find(|node| node["name"] == "one").unwrap();
    // Either it heard our call and dialled us, or we heard one of its own.
    let how = (one["found"].as_str().unwrap(), one["links"][0]["direction"].as_str().unwrap());
    let ways = [("itself", "in"), ("broadcast", "out"), ("multicast", "out")];
    assert!(ways.contains(&how), "{how:?}");
    assert_eq!(one["guard"], "insecure");
}

#[test]
fn beyond_its_host_a_node_goes_only_when_told_that_this_is_meant() {
    let Some(network) = Network::of(2) else { return };
    let [server, caller] = network.each();
    for listen in ["10.64.0.1:0", "0.0.0.0:7000", "[::]:0"] {
        let refused = server.run_bare(&format!("serve echo --echo --listen {listen}"));
        refused.failed(2, "without a key a node stays on this host");
    }
    // Who did not say so is neither found nor let in.
    let _service = server.serve("echo@1.0.0 --echo");
    let alone = caller.run_bare("call echo x --timeout 2s --seed 10.64.0.1:7000");
    assert_eq!(alone.stdout, "", "{alone:?}");
    assert_ne!(alone.code, Some(0));
}

#[test]
fn nodes_of_different_meshes_never_link() {
    let Some(network) = Network::of(2) else { return };
    let [server, caller] = network.each();
    let _service = server.serve_at("10.64.0.1:7000", "echo@1.0.0 --echo --mesh red --name red-one");
    caller.run("call echo hello --mesh red").printed("hello");

    let _other = caller.serve("other@1.0.0 --echo --mesh blue --seed 10.64.0.1:7000");
    let nodes = caller.run("nodes --json --mesh blue --seed 10.64.0.1:7000");
    assert!(!nodes.stdout.contains("red-one"), "{}", nodes.stdout);
    let refused = caller.run("call echo hello --mesh blue --timeout 2s --seed 10.64.0.1:7000");
    assert_ne!(refused.code, Some(0), "{refused:?}");
    assert_eq!(server.run("nodes --json --mesh red").rows().len(), 2, "itself and one member");
}
