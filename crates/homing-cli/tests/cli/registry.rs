//! Can a person, and a script, put services into the registry, find them, wait for them and take them out?

use super::house::{House, Process, start};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::{Duration, Instant};

/// `homing register …`, once it says that it registered.
fn register(house: &House, arguments: &str) -> Process {
    let process = start(house.homing(&format!("register {arguments}")));
    let line = process.note();
    assert!(line.starts_with("registered "), "{line}");
    process
}

/// The records of a listing once there are so many: others learn of a change within a moment.
fn records(house: &House, count: usize) -> Vec<Value> {
    let end = Instant::now() + Duration::from_secs(20);
    loop {
        let listed = house.run("ls --json").json();
        let services = listed.as_array().unwrap();
        let found: Vec<Value> = services
            .iter()
            .flat_map(|service| service["records"].as_array().cloned().unwrap_or_default())
            .collect();
        if found.len() == count {
            return found;
        }
        assert!(Instant::now() < end, "{count} records, not {listed}");
    }
}

#[test]
fn what_is_registered_is_listed_until_its_command_ends() {
    let house = House::new();
    let _words = house.serve(&["words@1.2.0/count", "--echo"]);
    let mut command = house.homing("register db@15.2.0 --address 10.0.0.5:5432 --json --data");
    command.arg("{\"role\":\"primary\"}");
    let db = start(command);
    let line = db.note();
    assert!(line.starts_with("registered db@15.2.0 at 10.0.0.5:5432 ("), "{line}");
    let printed: Value = serde_json::from_str(&db.line()).unwrap();
    let record = records(&house, 1).remove(0);
    assert_eq!(record, printed);
    assert_eq!((&record["role"], &record["data"]), (&json!("db"), &json!({"role": "primary"})));
    assert_eq!((&record["persistent"], &record["ttl_ms"]), (&json!(false), &json!(15_000)));
    let table = house.run("ls").stdout;
    let row: Vec<&str> = table.lines().last().unwrap().split_whitespace().take(4).collect();
    assert_eq!(row, ["default", "db@15.2.0", "10.0.0.5:5432", "{\"role\":\"primary\"}"], "{table}");
    assert!(house.run("ls --all").stdout.contains(concat!(" homing@", env!("CARGO_PKG_VERSION"))));
    let id = record["id"].as_str().unwrap();
    house.run(&format!("free {id}")).failed(17, "only node ");
    db.signal("TERM");
    let ended = db.ended();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(ended.stderr, "SIGTERM: freeing db@15.2.0\n");
    records(&house, 0);
}

#[test]
fn a_record_lives_as_long_as_its_program_and_ends_with_its_code() {
    let house = House::new();
    let _witness = house.serve(&["witness", "--echo"]);
    let pipe = house.pipe("end");
    let mut command = house.homing("register db --port 5432 --exec");
    command.arg(format!("read line < {}; echo $line; exit 7", pipe.display()));
    let db = start(command);
    db.note();
    assert_eq!(records(&house, 1)[0]["port"], 5432);
    std::fs::write(&pipe, "over\n").unwrap();
    assert_eq!(db.line(), "over");
    let ended = db.ended();
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(7), ""));
    records(&house, 0);
    let mut command = house.homing("register db --port 5432 --exec");
    command.arg("trap 'echo asked; exit 3' TERM; echo ready; while :; do sleep 0.05; done");
    let db = start(command);
    assert_eq!(db.line(), "ready");
    db.signal("INT");
    assert_eq!(db.line(), "asked");
    assert_eq!(db.ended().code, Some(0), "it was ended on purpose");
}

#[test]
fn what_does_not_answer_is_freed_and_comes_back_when_it_does() {
    let house = House::new();
    let watch = start(house.homing("watch --json"));
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = server.local_addr().unwrap().port();
    let often = "--heartbeat-interval 100ms --registration-lifetime 300ms";
    let arguments = format!("cache --port {port} --address 127.0.0.1 --check tcp {often}");
    let cache = register(&house, &arguments);
    watch.line_with("\"registered\"");
    drop(server);
    let line = cache.note();
    assert!(
        line.starts_with("cache is freed, it was not well for 300ms: cannot connect to"),
        "{line}"
    );
    let freed: Value = serde_json::from_str(&watch.line_with("\"freed\"")).unwrap();
    assert_eq!((&freed["role"], &freed["port"]), (&json!("cache"), &json!(port)));
    let _server = TcpListener::bind(("127.0.0.1", port)).unwrap();
    let line = cache.note();
    assert!(line.starts_with("registered cache"), "{line}");
    watch.line_with("\"registered\"");
    cache.signal("INT");
    watch.line_with("\"freed\"");
}

#[test]
fn a_web_server_is_registered_when_it_answers_well() {
    let house = House::new();
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = server.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for (number, stream) in server.incoming().enumerate() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 1024]);
            let code = if number == 0 { "503 Busy" } else { "200 OK" };
            write!(stream, "HTTP/1.1 {code}\r\ncontent-length: 0\r\n\r\n").unwrap();
        }
    });
    let often = "--heartbeat-interval 100ms --registration-lifetime 1s";
    let url = format!("http://127.0.0.1:{port}/healthz");
    let web = start(house.homing(&format!("register web --port {port} --check {url} {often}")));
    let line = web.note();
    assert!(line.starts_with("web is registered as soon as it is well: GET http://127"), "{line}");
    assert!(line.ends_with("says 503 Service Unavailable"), "{line}");
    let line = web.note();
    assert!(line.starts_with("registered web at "), "{line}");
}

#[test]
fn a_persistent_record_stays_until_somebody_frees_it() {
    let house = House::new();
    let alone = house.run("register printer --address 10.0.0.9 --persistent");
    alone.failed(24, "no other node is there to keep the record");
    let _one = house.serve(&["one", "--echo"]);
    let _two = house.serve(&["two", "--echo"]);
    let ran = house.run("register printer --address 10.0.0.9:631 --persistent");
    let id = ran.stdout.trim().to_owned();
    ran.printed(&format!("{id}\n"));
    let _other = house.run("register printer@2.0.0 --port 632 --persistent --json").json();
    let found = records(&house, 2);
    assert!(found.iter().any(|record| record["id"] == id && record["persistent"] == true));
    house.run("free 0123456789abcdef-").failed(15, "no record is registered whose id begins");
    house.run("free --port 9").failed(15, "at port 9");
    let start = &id[..id.len() - 2];
    let freed = house.run(&format!("free {start}"));
    assert_eq!(freed.stdout, format!("freed {id}  printer  10.0.0.9:631\n"), "{freed:?}");
    records(&house, 1);
    let freed = house.run("free --port 632 --json").json();
    assert_eq!(freed["version"], "2.0.0");
    records(&house, 0);
    house.run(&format!("free {id}")).failed(15, "NOT_FOUND");
}

#[test]
fn of_several_that_are_meant_all_are_named() {
    let house = House::new();
    let _one = house.serve(&["one", "--echo"]);
    house.run("register printer --port 631 --persistent");
    house.run("register printer --port 631 --persistent");
    records(&house, 2);
    let ran = house.run("free --port 631");
    ran.failed(2, "2 records are meant: give more of the id of one\n");
    assert_eq!(ran.stderr.matches("  printer  ").count(), 2, "{}", ran.stderr);
}

#[test]
fn in_a_mesh_with_a_key_only_who_has_the_right_frees_a_persistent_record() {
    let house = House::new();
    house.key("mesh.key");
    let here = format!("--key-file {} --listen 127.0.0.1:0", house.path("mesh.key").display());
    let run = |what: &str| house.run(&format!("{what} {here}"));
    let _one = {
        let mut arguments = vec!["one", "--echo"];
        arguments.extend(here.split(' '));
        house.serve(&arguments)
    };
    let printer = "register printer --address 10.0.0.9 --persistent";
    run(printer).failed(19, "nobody could free it once this node is gone");
    let (mine, other) = (house.path("mine.id"), house.path("other.id"));
    let id = run(&format!("{printer} --identity {}", mine.display()));
    assert_eq!(id.code, Some(0), "{id:?}");
    let id = id.stdout.trim().to_owned();
    run(&format!("free {id}")).failed(17, "");
    run(&format!("free {id} --identity {}", other.display())).failed(17, "");
    let freed = run(&format!("free {id} --identity {}", mine.display()));
    assert_eq!(freed.code, Some(0), "{freed:?}");
    let right = house.run(&format!("key right {}", other.display())).stdout;
    let id = run(&format!("{printer} --right {}", right.trim()));
    assert_eq!(id.code, Some(0), "{id:?}");
    let freed = run(&format!("free {} --identity {}", id.stdout.trim(), other.display()));
    assert_eq!(freed.code, Some(0), "{freed:?}");
}

#[test]
fn a_script_waits_until_all_is_there_or_is_told_what_is_missing() {
    let house = House::new();
    let _payments = register(&house, "payments@1.0.0 --port 1");
    let late = house.run("wait orders payments@^2 --timeout 1s");
    late.failed(14, "DEADLINE_EXCEEDED: after 1s orders, payments@^2 (there: 1.0.0) are missing");
    house.run("wait payments@^1").printed("");
    let waiting = start(house.homing("wait orders payments@^2"));
    let _orders = house.serve(&["orders", "--echo"]);
    let _payments = register(&house, "payments@2.1.0 --port 1");
    let ended = waiting.ended();
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "nobody watches the progress");
    house.run("wait orders/count").failed(2, "names a method");
}

#[test]
fn what_cannot_be_registered_is_refused_with_the_reason() {
    let house = House::new();
    for (arguments, part) in [
        ("db --ttl 14s", "a lifetime of 14s: it is at least 15s, 3 heartbeat intervals of 5s"),
        ("db@x", "db@x"),
        ("db --data {", "it is no JSON"),
        ("db --check tcp", "say its --port"),
        ("db --check https://a", "https is not looked at"),
        ("db --persistent --right 00", "64 hexadecimal digits"),
        ("db --address 0.0.0.0:1", "it is every address of a host"),
        ("db --exec true --persistent", "cannot be used with"),
    ] {
        house.run(&format!("register {arguments}")).failed(2, part);
    }
    let long = format!("db --data \"{}\"", "x".repeat(511));
    house.run(&format!("register {long}")).failed(2, "data of 513 bytes: a record has at most 512");
    let right = "00".repeat(32);
    house.run(&format!("register db --right {right}")).failed(2, "--persistent");
}
