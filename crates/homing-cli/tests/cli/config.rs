//! Does `homing config` say what is set, by whom, and what is wrong where?

use serde_json::Value;
use std::fs;

use super::house::{House, Ran};

/// What is told of a setting.
#[track_caller]
fn told<'a>(settings: &'a Value, name: &str) -> &'a Value {
    settings.as_array().unwrap().iter().find(|one| one["name"] == name).unwrap()
}

#[test]
fn a_flag_comes_before_the_environment_and_that_before_the_file() {
    let house = House::new();
    let file = house.file("homing.toml");
    fs::write(&file, "namespace = \"file\"\n[timings]\nidle = \"5m\"\ndial = \"2s\"\n").unwrap();
    let run = |arguments: &str, namespace: &str| {
        let mut command = house.homing(arguments);
        command.env("HOMING_CONFIG", &file).env("HOMING_NAMESPACE", namespace);
        Ran::from(command.output().unwrap()).json()
    };
    let by_file = run("config --json", "");
    let place = |line: usize| format!("{}:{line}", file.display());
    let namespace = told(&by_file, "namespace");
    assert_eq!((&namespace["value"], &namespace["set_by"]), (&"file".into(), &"file".into()));
    assert_eq!(namespace["place"], place(1));
    assert_eq!(told(&by_file, "timings.idle")["place"], place(3));
    assert_eq!(told(&by_file, "mesh")["place"], "HOMING_MESH");
    assert_eq!(told(&by_file, "timings.call")["set_by"], "default");

    let by_environment = run("config --json", "env");
    assert_eq!(told(&by_environment, "namespace")["value"], "env");
    let by_flag = run("config --json --namespace flag --idle-time 1m", "env");
    let namespace = told(&by_flag, "namespace");
    assert_eq!((&namespace["value"], &namespace["place"]), (&"flag".into(), &"--namespace".into()));
    let idle = told(&by_flag, "timings.idle");
    assert_eq!((&idle["value"], &idle["set_by"]), (&"1m".into(), &"flag".into()), "as typed");
}

#[test]
fn people_get_a_table_of_what_they_ask_for() {
    let house = House::new();
    let table = house.run("config transport timings --redial-max 7s");
    assert_eq!(table.code, Some(0), "{table:?}");
    assert_eq!(table.stdout.lines().count(), 1 + 1 + 11, "{}", table.stdout);
    let row = table.stdout.lines().find(|line| line.starts_with("timings.redial_max")).unwrap();
    let cells: Vec<&str> = row.split_whitespace().take(4).collect();
    assert_eq!(cells, ["timings.redial_max", "7s", "--redial-max", "5s"]);
    house.run("config timing").failed(2, "there is no setting timing");
}

#[test]
fn what_is_wrong_is_named_with_file_and_line() {
    let house = House::new();
    let file = house.file("homing.toml");
    for (text, expect) in [
        (
            "mesh = \"a\"\ntransprot = \"tcp\"",
            "line 2: there is no setting transprot: transport may be meant",
        ),
        ("[timings]\nidle = \"soon\"", "line 2: timings.idle \"soon\": it is a number with a unit"),
        ("\n[limits]\nlinks = 5000", "line 3: limits.links \"5000\": it is 1 to 4096"),
    ] {
        fs::write(&file, text).unwrap();
        for command in ["config", "ls"] {
            let ran = house.run(&format!("{command} --config {}", file.display()));
            ran.failed(2, expect);
            assert!(ran.stderr.contains("homing.toml"), "{}", ran.stderr);
        }
    }
}

#[test]
fn secrets_are_not_shown() {
    let house = House::new();
    let key = house.key("mesh.key");
    let mut command = house.homing("config --json");
    let told_with = command.env("HOMING_KEY", &key).env("HOMING_TOKEN", "sesame").output().unwrap();
    let ran = Ran::from(told_with);
    assert!(!ran.stdout.contains(&key) && !ran.stdout.contains("sesame"), "{}", ran.stdout);
    let settings = ran.json();
    for name in ["key", "token"] {
        assert_eq!(told(&settings, name)["value"], "set");
    }
}
