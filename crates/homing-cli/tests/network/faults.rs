//! What do the others notice when a host is cut off, stands still, or loses its address to another? (Decisions C12.)

use std::thread;
use std::time::{Duration, Instant};

use super::hosts::{Host, Network};
use super::process::{Process, Ran, in_time};

/// From the fault until the others hold a member gone.
const EXCLUDED_WITHIN: Duration = Duration::from_secs(4);
/// From the end of the fault until it is a member again.
const BACK_WITHIN: Duration = Duration::from_secs(2);

/// A service on each of these hosts, named as the host is numbered: `s1` on `n1`.
fn serve<const N: usize>(hosts: [Host<'_>; N]) -> Vec<Process> {
    let numbered = (1..).zip(hosts);
    let serve = |(number, host): (usize, Host<'_>)| {
        host.serve_at(
            &format!("{}:7000", host.address()),
            &format!("s{number}@1.0.0 --echo --name n{number}"),
        )
    };
    numbered.map(serve).collect()
}

/// Tells what changes, as the member at `guide` sees it.
fn watch(host: Host<'_>, guide: Host<'_>, members: usize) -> Process {
    let seeded = format!("--insecure --interface lo --seed {}:7000", guide.address());
    let watch = Process::start(host.homing(&format!("watch {seeded}")));
    watch.lines_with((1..=members).map(|number| format!("+ s{number}@1.0.0 on n{number}")));
    watch
}

/// The first member is gone and back within the bounds, and nobody else, when `fault` is `heal`ed after `span`.
#[track_caller]
fn check(watch: &Process, fault: impl FnOnce(), (span, heal): (Duration, impl FnOnce())) {
    let begin = Instant::now();
    fault();
    let excluded = watch.line_with("- node n1 ");
    assert!(excluded <= in_time(EXCLUDED_WITHIN), "excluded after {excluded:?}");
    let news = watch.lines_until(begin + span);
    assert!(news.is_empty(), "{news:#?}");
    heal();
    let back = watch.line_with("+ node n1 ");
    assert!(back <= in_time(BACK_WITHIN), "back after {back:?}");
    eprintln!("excluded after {excluded:?}, back after {back:?}");
}

#[test]
fn a_member_that_stands_still_is_excluded_and_comes_back() {
    let Some(network) = Network::of(4) else { return };
    let [one, two, three, four] = network.each();
    let members = serve([one, two, three]);
    let watch = watch(four, three, 3);
    let wake = || members[0].signal("CONT");
    check(&watch, || members[0].signal("STOP"), (Duration::from_secs(6), wake));
    four.run("call s1 hello").printed("hello");
}

#[test]
fn a_member_that_is_cut_off_is_excluded_and_comes_back() {
    let Some(network) = Network::of(4) else { return };
    let [one, two, three, four] = network.each();
    let _members = serve([one, two, three]);
    let watch = watch(four, three, 3);
    let join = || one.ip("link set eth0 up");
    check(&watch, || one.ip("link set eth0 down"), (Duration::from_secs(10), join));
    // What it believed while it was alone harms nobody who was not.
    let news = watch.lines_until(Instant::now() + Duration::from_secs(2));
    assert!(!news.iter().any(|line| line.starts_with("- node")), "{news:#?}");
    four.run("call s1 hello").printed("hello");
}

#[test]
fn an_address_that_another_node_took_over_disturbs_nobody() {
    let Some(network) = Network::of(4) else { return };
    let [one, two, three, four] = network.each();
    let members = serve([one, two, three]);
    let watch = watch(four, three, 3);
    let call = "call s2 hello --insecure --interface lo --seed 10.64.0.3:7000";
    let calls = || (0..24).map(|_| four.run_bare(call)).collect::<Vec<Ran>>();
    thread::scope(|scope| {
        let bystander = scope.spawn(calls);
        members[0].signal("STOP");
        let _thief = take_over([one, two, three, four]);
        let begin = Instant::now();
        let failed = four.run("call s1 hello --no-wait");
        let took = begin.elapsed();
        assert!(took < in_time(Duration::from_secs(1)), "{took:?}: {failed:?}");
        assert_ne!(failed.code, Some(0));
        watch.lines_with(["+ s4@1.0.0 on thief", "- node n1 "]);
        let took = begin.elapsed();
        assert!(took < in_time(EXCLUDED_WITHIN), "excluded after {took:?}");
        four.run("call s4 hello").printed("hello");
        for ran in bystander.join().unwrap() {
            ran.printed("hello");
        }
    });
}

/// The address of the first host moves to the second, where a new node takes the same port.
fn take_over([from, to, others @ ..]: [Host<'_>; 4]) -> Process {
    from.ip("link set eth0 down");
    to.ip(&format!("addr add {}/24 dev eth0", from.address()));
    for other in others {
        other.ip("neigh flush dev eth0");
    }
    to.serve_at(&format!("{}:7000", from.address()), "s4@1.0.0 --echo --name thief")
}
