//! Does a program answer, and does it end when nobody wants its answer any more?

use super::*;
use std::fs::File;
use std::io::Read;
use tokio::sync::oneshot;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, timeout};

const PATIENCE: Duration = Duration::from_secs(20);

fn job(input: &[u8]) -> Job<'_> {
    Job {
        method: "admin/count",
        caller: "00010203",
        remaining: Some(Duration::from_millis(1_500)),
        input,
    }
}

#[track_caller]
fn check(line: &str, input: &[u8], expect: Result<&str, &str>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let found = runtime.block_on(Program::new(line).run(job(input)));
    let found = found.map(|reply| String::from_utf8(reply).unwrap()).map_err(|e| e.to_string());
    match (found, expect) {
        (Ok(found), Ok(expect)) => assert_eq!(found, expect),
        (Err(found), Err(part)) => assert!(found.contains(part), "{found}"),
        (found, expect) => panic!("{line}: {found:?}, not {expect:?}"),
    }
}

#[test]
fn the_payload_is_stdin_and_stdout_is_the_reply() {
    check("wc -w | tr -d ' '", b"four words of input", Ok("4\n"));
    check("printf abc", b"", Ok("abc"));
}

#[test]
fn a_program_learns_of_its_call() {
    let line = "echo $HOMING_METHOD $HOMING_CALLER $HOMING_DEADLINE_MS";
    check(line, b"", Ok("admin/count 00010203 1500\n"));
}

#[test]
fn a_program_that_does_not_read_its_stdin_is_fine() {
    check("echo done", &vec![b'x'; 1024 * 1024], Ok("done\n"));
}

#[test]
fn more_than_the_pipes_hold_goes_through() {
    let input = "x".repeat(1024 * 1024);
    check("cat", input.as_bytes(), Ok(&input));
}

#[test]
fn a_bad_end_is_told_by_the_last_line_of_stderr() {
    check("echo first >&2; echo 'second  ' >&2; echo >&2; exit 3", b"", Err("second"));
    check("exit 3", b"", Err("the program ended with status 3"));
    check("kill -9 $$", b"", Err("signal: 9"));
    check("no-such-program-here", b"", Err("no such program: "));
}

#[test]
fn a_long_last_line_is_cut_between_characters() {
    let cut = last_line("ä".repeat(MESSAGE_MAX).as_bytes()).unwrap();
    assert_eq!(cut.len(), MESSAGE_MAX);
    assert_eq!(last_line(b"\n \n"), None);
}

#[test]
fn output_above_the_limit_fails_and_ends_the_program() {
    check("yes", b"", Err("longer than"));
}

#[tokio::test]
async fn who_drops_the_run_ends_the_whole_group() {
    check_end("exec 3>alive; sleep 600 & echo >&3; wait").await;
}

#[tokio::test]
async fn a_group_that_ignores_sigterm_is_killed() {
    let begin = Instant::now();
    check_end("trap '' TERM; exec 3>alive; sleep 600 & echo >&3; wait").await;
    assert!(begin.elapsed() >= GRACE);
}

/// Runs the line until it wrote to the named pipe `alive`, drops the run, and waits until no process has the pipe open.
async fn check_end(line: &str) {
    let dir = tempfile::tempdir().unwrap();
    let pipe = dir.path().join("alive");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let (tell, told) = oneshot::channel();
    let watcher = spawn_blocking(move || {
        let mut alive = File::open(pipe).unwrap();
        alive.read_exact(&mut [0]).unwrap();
        tell.send(()).unwrap();
        alive.read_to_end(&mut Vec::new()).unwrap();
    });
    let program = Program::new(format!("cd '{}'; {line}", dir.path().display()));
    tokio::select! {
        outcome = program.run(job(b"")) => panic!("it ended by itself: {outcome:?}"),
        heard = told => heard.unwrap(),
    }
    timeout(PATIENCE, watcher).await.expect("its processes end").unwrap();
}
