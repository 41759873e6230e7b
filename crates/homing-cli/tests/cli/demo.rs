//! Does the demo show what it promises, and leave nothing behind?

use std::fs;
use std::thread::yield_now;
use std::time::Instant;

use super::house::{House, PATIENCE, start};

#[test]
fn the_demo_kills_a_service_and_calls_go_on() {
    let house = House::new();
    let ran = house.run("demo --seconds 6");
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    for part in ["killed (SIGKILL)", "west", " calls, 0 failed", "answered by "] {
        assert!(ran.stdout.contains(part), "no {part:?} in\n{}", ran.stdout);
    }
    nobody_is_left(&ran.stdout);
}

#[test]
fn an_interrupted_demo_sums_up_and_leaves_nothing_behind() {
    let house = House::new();
    let demo = start(house.homing("demo"));
    let mut seen = String::new();
    while !seen.contains(" s  ") {
        seen += &(demo.line() + "\n");
    }
    demo.signal("INT");
    let ran = demo.ended();
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stdout.contains(" calls, "), "{}", ran.stdout);
    nobody_is_left(&seen);
}

/// That none of the processes whose numbers were printed runs this program any more.
#[track_caller]
fn nobody_is_left(printed: &str) {
    let numbers = printed.split("process ").skip(1).filter_map(|rest| rest.split(' ').next());
    let numbers: Vec<&str> = numbers.collect();
    assert!(numbers.len() >= 4, "{printed}");
    let runs = |number: &&str| {
        let line = fs::read_to_string(format!("/proc/{number}/cmdline")).unwrap_or_default();
        line.contains("homing")
    };
    // Who is told to end, and does, needs its turn on a busy machine.
    let patience = Instant::now() + PATIENCE;
    while numbers.iter().any(runs) && Instant::now() < patience {
        yield_now();
    }
    let left: Vec<_> = numbers.iter().filter(|number| runs(number)).collect();
    assert!(left.is_empty(), "processes {left:?} are left behind");
}
