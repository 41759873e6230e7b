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
fn people_get_a_table_and_of_what_they_ask_for_how_it_is_said() {
    let house = House::new();
    let table = house.run("config --redial-max 7s");
    let row = |name: &str| {
        let row = table.stdout.lines().find(|line| line.starts_with(name)).unwrap();
        row.split_whitespace().take(4).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(row("timings.redial_max"), ["timings.redial_max", "7s", "--redial-max", "5s"]);
    assert_eq!(row("timings.call"), ["timings.call", "5s", "default", "-"], "not said twice");
    let asked = house.run("config transport timings.redial_max --redial-max 7s").stdout;
    assert_eq!(
        asked.lines().skip(4).collect::<Vec<_>>(),
        [
            "timings.redial_max = 7s",
            "  set by   --redial-max",
            "  default  5s",
            "  why      the longest such pause, so that a healed network is used again soon",
            "  say it   --redial-max, or HOMING_TIMINGS_REDIAL_MAX, or redial_max under [timings] in the file",
        ],
        "{asked}"
    );
    assert!(house.run("config timings").stdout.matches("say it").count() > 8, "all of the table");
    house.run("config timing").failed(2, "the table timings may be meant");
}

#[test]
fn what_is_of_the_command_alone_is_listed_too() {
    let house = House::new();
    let file = house.file("homing.toml");
    fs::write(&file, "").unwrap();
    let mut command = house.homing("config config log color --json");
    command.env("HOMING_CONFIG", &file).env("HOMING_LOG", "warn");
    let settings = Ran::from(command.output().unwrap()).json();
    let said = |name: &str| {
        let told = told(&settings, name);
        (told["value"].as_str().unwrap().to_owned(), told["place"].as_str().map(str::to_owned))
    };
    assert_eq!(said("config"), (file.display().to_string(), Some("HOMING_CONFIG".into())));
    assert_eq!(said("log"), ("warn".into(), Some("HOMING_LOG".into())));
    assert_eq!(said("color"), ("auto".into(), None));
}

#[test]
fn a_variable_counts_as_one_and_another_that_nobody_reads_is_told() {
    let house = House::new();
    let mut command = house.homing("config --json");
    command.env("HOMING_REDIS", "redis://:sesame@127.0.0.1:1").env("HOMING_SEED", "a");
    let ran = Ran::from(command.output().unwrap());
    assert!(ran.stderr.contains("HOMING_SEED is set, and no setting has this variable"));
    assert!(!ran.stdout.contains("sesame"), "{}", ran.stdout);
    let settings = ran.json();
    assert_eq!(told(&settings, "redis")["place"], "HOMING_REDIS");
    house.run("config redis --redis redis://h:0").failed(2, "right is redis://");
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
