//! Does the whole of it run, from the processes to the page, with the systems that need nothing installed?

use std::fs;
use std::process::{Command, Stdio};

/// A moment of each: what the figures are does not matter here.
fn compare(words: &[&str], out: &tempfile::TempDir) -> serde_json::Value {
    let mut command = Command::new(env!("CARGO_BIN_EXE_homing-bench"));
    command.args(["--quick", "--json", "--rounds", "1", "--span", "100"]).args(words);
    command.arg("--out").arg(out.path()).stdin(Stdio::null());
    let output = command.output().expect("the comparison was built");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    serde_json::from_slice(&output.stdout).expect(&said)
}

#[test]
fn homing_and_the_floor_have_a_row_for_each_work_and_a_page_tells_of_them() {
    let out = tempfile::tempdir().unwrap();
    let systems = "tcp,tcp-batched,tcp-oneway,unix,homing,homing-unix,homing-keyed";
    let document = compare(&["--only", systems, "--works", "call,pub,stream"], &out);
    let rows = document["rows"].as_array().unwrap();
    for row in rows {
        assert!(row["per_second"].as_f64().is_some_and(|rate| rate > 0.0), "{row}");
        assert!(row["lost"].as_u64().is_none_or(|lost| lost == 0), "{row}");
    }
    let of = |work: &str| rows.iter().filter(|row| row["work"] == work).count();
    assert_eq!([of("call"), of("pub"), of("stream")], [5 + 6, 4, 4]);
    let page = fs::read_to_string(out.path().join("comparison.md")).unwrap();
    assert!(page.contains("## Calls: 100 callers, 128 B") && page.contains("| homing-keyed |"));
    assert!(page.contains("| one caller, p50 | tcp |"), "{page}");
    assert!(fs::read_to_string(out.path().join("calls-1.svg")).unwrap().contains("homing-unix"));
}

#[test]
fn what_a_peer_cannot_do_has_a_row_that_says_why() {
    let out = tempfile::tempdir().unwrap();
    let document = compare(&["--only", "grpc", "--works", "pub"], &out);
    let reason = document["rows"][0]["reason"].as_str().unwrap();
    assert!(reason.contains("no topics"), "{reason}");
}
