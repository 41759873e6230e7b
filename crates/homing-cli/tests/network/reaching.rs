//! At which of its addresses is a node reached?

use std::time::{Duration, Instant};

use super::hosts::{Host, Network};
use super::process::Process;

/// The addresses by which `name` is known on a host, unix sockets left out.
fn addresses(host: Host<'_>, arguments: &str, name: &str) -> Vec<String> {
    let nodes = host.run_bare(&format!("nodes --json {arguments}")).rows();
    let node = nodes.iter().find(|node| node["name"] == name);
    let node = node.unwrap_or_else(|| panic!("no {name} in {nodes:#?}"));
    let addresses = node["addresses"].as_array().unwrap().iter();
    let addresses = addresses.map(|address| address.as_str().unwrap().to_owned());
    addresses.filter(|address| address.starts_with("tcp://")).collect()
}

/// Host 1 is on two networks, hosts 2 and 3 on one each; there is no way from one to the other.
fn with_a_host_between() -> Option<Network> {
    let network = Network::bare(3)?;
    let [between, left, right] = network.each();
    for (host, address) in
        [(between, "10.64.0.1"), (between, "10.65.0.1"), (left, "10.64.0.2"), (right, "10.65.0.3")]
    {
        host.ip(&format!("addr add {address}/24 brd + dev eth0"));
    }
    Some(network)
}

#[test]
fn who_listens_everywhere_is_told_of_with_every_address() {
    let Some(network) = with_a_host_between() else { return };
    let [between, left, _] = network.each();
    let _service = between.serve_at("0.0.0.0:7000", "echo@1.0.0 --echo --name one");
    let known = addresses(left, "--insecure --listen 10.64.0.2:0", "one");
    assert_eq!(known, ["tcp://10.64.0.1:7000", "tcp://10.65.0.1:7000"]);
}

#[test]
fn of_several_addresses_one_that_leads_there_is_enough() {
    let Some(network) = with_a_host_between() else { return };
    let [between, left, right] = network.each();
    let _service = between.serve_at("0.0.0.0:7000", "echo@1.0.0 --echo --name one");
    for (host, listen) in [(left, "10.64.0.2:0"), (right, "10.65.0.3:0")] {
        let call = host.run_bare(&format!("call echo hello --insecure --listen {listen}"));
        call.printed("hello");
    }
    // The first address leads nowhere; the second is tried 50 ms later.
    let seeds = "--insecure --interface lo --seed 10.64.0.1:7000,10.65.0.1:7000";
    right.run_bare(&format!("call echo hello {seeds}")).printed("hello");
}

#[test]
fn members_on_two_networks_stay_members() {
    let Some(network) = with_a_host_between() else { return };
    let [between, left, right] = network.each();
    let _between = between.serve_at("0.0.0.0:7000", "middle@1.0.0 --echo --name middle");
    let _right = right.serve_at("10.65.0.3:0", "right@1.0.0 --echo --name right");
    let watch = right.homing("watch --insecure --interface lo --seed 10.65.0.1:7000");
    let watch = Process::start(watch);
    watch.line_with("+ right@1.0.0 on right");
    let news = watch.lines_until(Instant::now() + Duration::from_secs(5));
    assert!(!news.iter().any(|line| line.starts_with("- ")), "{news:#?}");
    // Whoever is linked to the one between learns of both; the one out of reach is not called from here.
    let listed = left.run_bare("ls --insecure --listen 10.64.0.2:0");
    assert!(listed.stdout.contains("middle") && listed.stdout.contains("right"), "{listed:?}");
}

#[test]
fn what_is_advertised_is_what_others_are_told() {
    let Some(network) = with_a_host_between() else { return };
    let [between, left, right] = network.each();
    let serve = "echo@1.0.0 --echo --name one --advertise 10.65.0.1:7000";
    let _service = between.serve_at("0.0.0.0:7000", serve);
    let known = addresses(right, "--insecure --listen 10.65.0.3:0", "one");
    assert_eq!(known, ["tcp://10.65.0.1:7000"]);
    // It can still be dialled where it listens by who knows.
    let known = addresses(left, "--insecure --interface lo --seed 10.64.0.1:7000", "one");
    assert_eq!(known, ["tcp://10.65.0.1:7000"]);
}
