//! Do the examples do what they show, as processes that find each other?

#![allow(clippy::unwrap_used, reason = "a test's own surroundings")]

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;
use std::time::Duration;
use tempfile::TempDir;

/// How long a test waits for what must come. Only a broken one waits so long.
const PATIENCE: Duration = Duration::from_secs(30);

/// A mesh that nobody else on this host is in.
struct Mesh(TempDir);

impl Mesh {
    fn new() -> Self {
        Self(tempfile::Builder::new().prefix("hx").tempdir().unwrap())
    }

    /// Starts an example, by its name and what it is told beside.
    fn start(&self, example: &str, seconds: &str) -> Process {
        let mut words = example.split(' ');
        let mut command = Command::new(built(words.next().unwrap()));
        command.args(words);
        for (name, _) in std::env::vars_os() {
            if name.as_encoded_bytes().starts_with(b"HOMING_") {
                command.env_remove(name);
            }
        }
        let mesh = self.0.path().file_name().unwrap().to_str().unwrap().replace('.', "-");
        command.env("HOMING_MESH", mesh).env("HOMING_RENDEZVOUS", self.0.path());
        command.args(["--seconds", seconds]).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let stdout = child.stdout.take().unwrap();
        let (sender, lines) = sync_channel(10_000);
        thread::spawn(move || {
            BufReader::new(stdout).lines().map_while(Result::ok).try_for_each(|l| sender.send(l))
        });
        Process { child, lines }
    }
}

/// The example's binary: cargo puts it beside the folder that this test is in.
fn built(example: &str) -> PathBuf {
    let this = std::env::current_exe().unwrap();
    let path = this.ancestors().nth(2).unwrap().join("examples").join(example);
    let missing = "is not built; do so with: cargo build --package homing --examples";
    assert!(path.is_file(), "the example {} {missing}", path.display());
    path
}

/// An example under way. Dropped, it is killed.
struct Process {
    child: Child,
    lines: Receiver<String>,
}

impl Process {
    /// Its next line that has all of this in it.
    #[track_caller]
    fn line_with(&self, parts: &[&str]) -> String {
        loop {
            let line = self.lines.recv_timeout(PATIENCE);
            let line = line.unwrap_or_else(|_| panic!("no line with {parts:?}"));
            if parts.iter().all(|part| line.contains(part)) {
                return line;
            }
        }
    }

    /// Waits for its end, and says whether it was content.
    fn ended(mut self) -> bool {
        self.child.wait().unwrap().success()
    }

    /// Ends it as Ctrl-C does, and says whether it was content.
    fn interrupt(mut self) -> bool {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", "INT", &id]).status().unwrap().success());
        self.child.wait().unwrap().success()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill(); // it may have ended
        let _ = self.child.wait();
    }
}

#[test]
fn requester_responder_and_monitor_find_each_other() {
    let mesh = Mesh::new();
    let monitor = mesh.start("monitor", "120");
    let requester = mesh.start("requester", "120");
    let responder = mesh.start("responder", "120");
    requester.line_with(&["ready"]);
    for _ in 0..2 {
        requester.line_with(&["RandomRequest { val: ", " answer ", " by randomRep"]);
        responder.line_with(&["request ", " answering with "]);
    }
    monitor.line_with(&["+ service randomRep@1.0.0 in default on randomRep"]);
    assert!(responder.interrupt() && requester.interrupt() && monitor.interrupt());
}

#[test]
fn a_monitor_shows_who_comes_and_who_goes() {
    let mesh = Mesh::new();
    let monitor = mesh.start("monitor", "120");
    let requester = mesh.start("requester", "120");
    monitor.line_with(&["+ node randomReq ("]);
    let responder = mesh.start("responder", "120");
    monitor.line_with(&["+ service randomRep@1.0.0 in default on randomRep"]);
    assert!(responder.interrupt());
    monitor.line_with(&["- service randomRep@1.0.0 in default on randomRep"]);
    drop(requester); // Killed: nobody says goodbye.
    monitor.line_with(&["- node randomReq ("]);
}

#[test]
fn subscribers_hear_what_a_publisher_says_whoever_came_first() {
    let mesh = Mesh::new();
    let first = mesh.start("subscriber", "120");
    let publisher = mesh.start("publisher", "120");
    let late = mesh.start("subscriber", "120");
    publisher.line_with(&["emitting RandomUpdate { val: ", " to 2"]);
    for subscriber in [&first, &late] {
        subscriber.line_with(&["randomUpdate: ", " from "]);
    }
    assert!(late.interrupt());
    publisher.line_with(&["emitting ", " to 1"]);
    assert!(first.interrupt() && publisher.interrupt());
}

#[test]
fn stocks_come_in_parts_and_the_last_is_told_apart() {
    let mesh = Mesh::new();
    let client = mesh.start("stocks client", "120");
    let worker = mesh.start("stocks worker", "120");
    worker.line_with(&["5 days of HMNG are asked for"]);
    for day in 1..5 {
        client.line_with(&[&format!("day {day}: "), "."]);
    }
    client.line_with(&["last, day 5: "]);
    assert!(client.ended() && worker.interrupt());
}

#[test]
fn balanced_requesters_spare_the_slow_and_a_plain_one_does_not() {
    let mesh = Mesh::new();
    let balanced = mesh.start("balanced", "120");
    let share = |line: String| -> u32 {
        let (_, rest) = line.split_once("slow ").unwrap();
        rest.split_once(',').unwrap().0.parse().unwrap()
    };
    assert_eq!(share(balanced.line_with(&["in turn: "])), 50);
    for name in ["by what is pending: ", "by time and what is pending: "] {
        let line = balanced.line_with(&[name]);
        assert!(share(line.clone()) < 30, "{line}");
    }
    assert!(balanced.ended());
}

#[test]
fn two_nodes_count_in_turn_by_packets() {
    let mesh = Mesh::new();
    let counter = mesh.start("counter", "120");
    counter.line_with(&["right is connected to "]);
    for number in 0..4 {
        let who = if number % 2 == 0 { "left" } else { "right" };
        assert_eq!(counter.line_with(&[" counts "]), format!("{who} counts {number}"));
    }
    assert!(counter.interrupt());
}

#[test]
fn a_rover_holds_the_lowest_slots_of_all_there_are() {
    let mesh = Mesh::new();
    let first = mesh.start("responder", "120");
    let rover = mesh.start("rover", "120");
    rover.line_with(&["new connection with slot number 0 to "]);
    rover.line_with(&[" answered by "]);
    rover.line_with(&["holds [0, 1, 2, 3]"]);
    rover.line_with(&["slot number 4 is too high"]);
    let second = mesh.start("responder", "120");
    rover.line_with(&["new connection with slot number 0 to "]);
    rover.line_with(&["holds [0, 0, 1, 1]"]);
    drop(second); // Killed: nobody gives anything back.
    rover.line_with(&["holds [0, 1, 2, 3]"]);
    drop(first);
    rover.line_with(&[" is unreachable at "]);
    assert!(rover.interrupt());
}

#[test]
fn a_client_finds_what_a_server_registered_and_both_follow_the_registry() {
    let mesh = Mesh::new();
    let server = mesh.start("registry_server", "120");
    server.line_with(&["registered example@0.1.2 as "]);
    server.line_with(&["register example@0.1.2"]);
    let client = mesh.start("registry_client", "120");
    for (query, count) in
        [("example", 1), ("example@0.1.2", 1), ("example@^0.1", 1), ("example@^2", 0)]
    {
        client.line_with(&[&format!("{query}: {count} found")]);
    }
    client.line_with(&["example@0.1.2 is at 127.0.0.1:5678"]);
    client.line_with(&["synced"]);
    server.line_with(&["register client@1.0.0"]);
    server.line_with(&["heartbeat"]);
    assert!(server.interrupt());
    client.line_with(&["remove example@0.1.2"]);
    assert!(client.interrupt());
}

#[test]
fn every_example_ends_by_itself_when_told_how_long() {
    let mesh = Mesh::new();
    let examples = [
        "counter",
        "monitor",
        "publisher",
        "registry_client",
        "registry_server",
        "requester",
        "responder",
        "rover",
        "stocks worker",
        "subscriber",
    ];
    for example in examples {
        assert!(mesh.start(example, "1").ended(), "{example}");
    }
}
