//! Is a program that prints lines a stream, and does it end with who reads it?

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};
use std::time::Instant;

use super::house::{House, PATIENCE, start};

#[test]
fn each_line_of_a_program_is_an_item() {
    let house = House::new();
    let _count = house.serve(&["count", "--exec", "seq 1 5", "--stream"]);
    house.run("stream count -n").printed("1\n2\n3\n4\n5\n");
    let _cat = house.serve(&["cat", "--exec", "cat", "--stream"]);
    house.run_with("stream cat", b"one\ntwo\nno end").printed("one\ntwo\nno end\n");
    let _many = house.serve(&["many", "--exec", "seq 1 200000", "--stream"]);
    let many: String = (1..=200_000).map(|number: u32| number.to_string() + "\n").collect();
    house.run("stream many -n --timeout 20s").printed(&many);
}

#[test]
fn items_come_while_the_program_runs() {
    let house = House::new();
    let pipe = house.pipe("go");
    let line = format!("echo first; read go < {}; echo $go", pipe.display());
    let _slow = house.serve(&["slow", "--exec", &line, "--stream"]);
    let reader = start(house.homing("stream slow -n"));
    assert_eq!(reader.line(), "first");
    fs::write(&pipe, "second\n").unwrap();
    assert_eq!(reader.line(), "second");
    assert_eq!(reader.ended().code, Some(0));
}

#[test]
fn an_answer_of_one_payload_is_a_stream_of_one() {
    let house = House::new();
    let _motd = house.serve(&["motd", "--reply", "all is well"]);
    house.run("stream motd -n").printed("all is well\n");
}

#[test]
fn a_failure_has_its_code_after_what_was_printed() {
    let house = House::new();
    let _torn = house.serve(&["torn", "--exec", "echo one; echo torn >&2; exit 3", "--stream"]);
    let ran = house.run("stream torn -n");
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(23), "one\n"), "{}", ran.stderr);
    assert!(ran.stderr.contains("INTERNAL: torn"), "{}", ran.stderr);
    house.run("stream nobody -n --no-wait").failed(15, "NOT_FOUND");
}

/// A service that prints some lines and is then silent, and a pipe whose reader learns of its end.
fn silent(house: &House) -> (super::house::Process, std::path::PathBuf) {
    let pipe = house.pipe("alive");
    let line = format!("exec 3>{}; seq 1 3; sleep 1000", pipe.display());
    (house.serve(&["log", "--exec", &line, "--stream"]), pipe)
}

/// Waits until the program behind a stream is gone.
#[track_caller]
fn gone(alive: std::path::PathBuf) -> std::thread::JoinHandle<()> {
    std::thread::spawn(move || {
        let mut nothing = Vec::new();
        fs::File::open(alive).unwrap().read_to_end(&mut nothing).unwrap();
    })
}

#[test]
fn a_reader_of_the_output_that_goes_away_ends_the_program() {
    let house = House::new();
    let (_log, alive) = silent(&house);
    let gone = gone(alive);
    let mut stream = house.homing("stream log -n");
    let mut stream = stream.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let head = Command::new("head").arg("-2").stdin(stream.stdout.take().unwrap()).output();
    assert_eq!(head.unwrap().stdout, b"1\n2\n");
    let began = Instant::now();
    assert_eq!(stream.wait().unwrap().code(), Some(0), "a reader that goes away is no error");
    gone.join().unwrap();
    assert!(began.elapsed() < PATIENCE / 4, "{:?}", began.elapsed());
}

#[test]
fn ctrl_c_ends_the_program_and_is_told_by_the_exit_code() {
    let house = House::new();
    let (_log, alive) = silent(&house);
    let gone = gone(alive);
    let reader = start(house.homing("stream log -n"));
    for expect in ["1", "2", "3"] {
        assert_eq!(reader.line(), expect);
    }
    reader.signal("INT");
    assert_eq!(reader.ended().code, Some(130));
    gone.join().unwrap();
}

#[test]
fn a_stream_that_is_silent_for_too_long_fails_where_that_was_bounded() {
    let house = House::new();
    let (_log, alive) = silent(&house);
    let gone = gone(alive);
    let ran = house.run("stream log -n --idle 300ms");
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(14), "1\n2\n3\n"), "{}", ran.stderr);
    gone.join().unwrap();
}

#[test]
fn several_readers_have_a_program_each() {
    let house = House::new();
    let _ticks =
        house.serve(&["ticks", "--exec", "while :; do date; sleep 0.01; done", "--stream"]);
    let mut readers: Vec<_> = (0..3)
        .map(|_| {
            let mut command = house.homing("stream ticks -n");
            command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap()
        })
        .collect();
    for reader in &mut readers {
        let lines = BufReader::new(reader.stdout.take().unwrap()).lines();
        assert_eq!(lines.take(5).map(Result::unwrap).count(), 5);
    }
    for mut reader in readers {
        assert_eq!(reader.wait().unwrap().code(), Some(0));
    }
}
