//! What happens to calls when processes end, kindly or not?

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use super::house::{House, Process, in_time, start};

/// A program that says that it runs by writing to the pipe, keeps it open, and answers when the gate opens.
fn gated(alive: &Path, gate: &Path) -> String {
    format!(
        "exec 3>'{}'; echo >&3; timeout 60 cat '{}'; echo done",
        alive.display(),
        gate.display()
    )
}

/// A program that never answers.
fn endless(alive: &Path) -> String {
    format!("exec 3>'{}'; echo >&3; sleep 60 & wait", alive.display())
}

/// Waits until the program runs. Whoever reads on learns when the last of its processes is gone.
fn runs(alive: &Path) -> File {
    let mut alive = File::open(alive).unwrap();
    alive.read_exact(&mut [0]).unwrap();
    alive
}

#[track_caller]
fn wait_until_gone(mut alive: File) {
    let begin = Instant::now();
    alive.read_to_end(&mut Vec::new()).unwrap();
    assert!(begin.elapsed() < Duration::from_secs(20), "it was not ended, it ended by itself");
}

#[test]
fn time_that_runs_out_ends_the_program_and_all_its_processes() {
    let house = House::new();
    let pipe = house.pipe("alive");
    let _slow = house.serve(&["slow", "--exec", &endless(&pipe)]);
    let call = start(house.homing("call slow -n --timeout 1s"));
    let alive = runs(&pipe);
    call.ended().failed(14, "DEADLINE_EXCEEDED");
    wait_until_gone(alive);
}

#[test]
fn a_caller_that_is_interrupted_ends_the_program() {
    let house = House::new();
    let pipe = house.pipe("alive");
    let _slow = house.serve(&["slow", "--exec", &endless(&pipe)]);
    for (signal, code) in [("INT", Some(130)), ("TERM", Some(143)), ("KILL", None)] {
        let call = start(house.homing("call slow -n --timeout 50s"));
        let alive = runs(&pipe);
        call.signal(signal);
        assert_eq!(call.ended().code, code);
        wait_until_gone(alive);
    }
}

#[test]
fn an_interrupt_or_a_deadline_travels_through_a_program_in_the_middle() {
    let house = House::new();
    let pipe = house.pipe("alive");
    let _last = house.serve(&["last", "--exec", &endless(&pipe)]);
    let homing = env!("CARGO_BIN_EXE_homing");
    let through = format!("'{homing}' call last -n --timeout 50s --mesh {}", house.name());
    let _middle = house.serve(&["middle", "--exec", &through]);
    let call = start(house.homing("call middle -n --timeout 50s"));
    let alive = runs(&pipe);
    call.signal("INT");
    assert_eq!(call.ended().code, Some(130));
    wait_until_gone(alive);
    let call = start(house.homing("call middle -n --timeout 5s"));
    let alive = runs(&pipe);
    assert_eq!(call.ended().code, Some(14));
    wait_until_gone(alive);
}

#[test]
fn what_was_in_flight_to_a_killed_instance_fails_within_a_second() {
    let house = House::new();
    let (pipe, gate) = (house.pipe("alive"), house.pipe("gate"));
    let service = house.serve(&["slow", "--exec", &gated(&pipe, &gate)]);
    let call = start(house.homing("call slow -n --timeout 50s"));
    let _alive = runs(&pipe);
    service.signal("KILL");
    let begin = Instant::now();
    call.ended().failed(24, "UNAVAILABLE");
    let took = begin.elapsed();
    assert!(took < in_time(Duration::from_secs(1)), "{took:?}");
    fs::write(gate, "").unwrap(); // its program is left behind: SIGKILL cannot be seen coming
}

#[test]
fn repeatable_calls_survive_the_death_of_an_instance() {
    let house = House::new();
    let serve = ["echo@1.0.0", "--echo", "--repeatable"];
    let (first, _second) = (house.serve(&serve), house.serve(&serve));
    thread::scope(|scope| {
        let callers: Vec<_> = (0..2)
            .map(|_| scope.spawn(|| (0..15).map(|_| house.run("call echo x")).collect::<Vec<_>>()))
            .collect();
        house.run("call echo x").printed("x");
        first.signal("KILL");
        for caller in callers {
            caller.join().unwrap().iter().for_each(|ran| ran.printed("x"));
        }
    });
}

#[test]
fn sigterm_lets_running_calls_end_and_sends_new_ones_elsewhere() {
    let house = House::new();
    let (pipe, gate) = (house.pipe("alive"), house.pipe("gate"));
    let first = house.serve(&["work@1.0.0", "--exec", &gated(&pipe, &gate)]);
    let call = start(house.homing("call work -n --timeout 50s"));
    let _alive = runs(&pipe);
    first.signal("TERM");
    assert!(first.note().contains("draining"));
    let _second = house.serve(&["work@1.0.0", "--reply", "elsewhere"]);
    house.run("call work -n").printed("elsewhere");
    fs::write(gate, "").unwrap();
    call.ended().printed("done\n");
    assert_eq!(first.ended().code, Some(0));
}

#[test]
fn no_caller_sees_an_error_when_instances_drain_and_are_replaced() {
    let house = House::new();
    let serve = ["echo@1.0.0", "--echo"];
    let mut eldest = house.serve(&serve);
    thread::scope(|scope| {
        let callers: Vec<_> = (0..2)
            .map(|_| scope.spawn(|| (0..15).map(|_| house.run("call echo x")).collect::<Vec<_>>()))
            .collect();
        for _ in 0..3 {
            let next: Process = house.serve(&serve);
            eldest.signal("TERM");
            assert_eq!(std::mem::replace(&mut eldest, next).ended().code, Some(0));
        }
        for caller in callers {
            caller.join().unwrap().iter().for_each(|ran| ran.printed("x"));
        }
    });
}

#[test]
fn a_second_signal_ends_at_once() {
    let house = House::new();
    let pipe = house.pipe("alive");
    for (signal, code) in [("TERM", 143), ("INT", 130)] {
        let service = house.serve(&["slow", "--exec", &endless(&pipe)]);
        let call = start(house.homing("call slow -n --timeout 50s"));
        let alive = runs(&pipe);
        service.signal(signal);
        assert!(service.note().contains("draining"));
        service.signal(signal);
        assert_eq!(service.ended().code, Some(code));
        wait_until_gone(alive);
        call.ended().failed(24, "UNAVAILABLE");
    }
}

#[test]
fn a_service_for_a_parent_ends_with_it() {
    let house = House::new();
    let mut command = house.homing("serve echo --echo --while-stdin");
    command.stdin(std::process::Stdio::piped());
    let mut service = start(command);
    assert!(service.note().starts_with("serving "));
    drop(service.child.stdin.take());
    assert_eq!(service.ended().code, Some(0));
}

#[test]
fn a_reply_that_nobody_reads_is_no_error() {
    let house = House::new();
    let _echo = house.serve(&["echo", "--echo"]);
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut call = house.homing("call echo something");
    assert_eq!(call.stdout(writer).status().unwrap().code(), Some(0));
}
