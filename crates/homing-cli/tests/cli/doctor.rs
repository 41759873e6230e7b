//! Does the doctor tell what is in the way, and how the host hears other meshes?

use serde_json::Value;

use super::house::{House, Ran};

/// What `homing doctor --json` says of the mesh: the outlook, the exit code, and the kinds of what is not all right.
#[track_caller]
fn check(house: &House, arguments: &str, expect: (&str, i32, &[&str])) -> Value {
    let ran = house.run(format!("doctor --json {arguments}").trim_end());
    let diagnosis: Value = serde_json::from_str(&ran.stdout).unwrap();
    let code = ran.code;
    let kinds = diagnosis["findings"].as_array().unwrap().iter();
    let kinds: Vec<&str> = kinds
        .filter(|finding| finding["severity"] != "ok")
        .map(|finding| finding["kind"].as_str().unwrap())
        .collect();
    let (outlook, number, problems) = expect;
    assert_eq!(diagnosis["outlook"], outlook, "{diagnosis:#}");
    assert_eq!((code, &kinds[..]), (Some(number), problems), "{diagnosis:#}");
    diagnosis
}

/// The verdicts on the addresses of the node of that name, by protocol.
fn verdicts<'a>(diagnosis: &'a Value, name: &str, protocol: &str) -> Vec<&'a str> {
    let nodes = diagnosis["nodes"].as_array().unwrap().iter();
    let node = nodes.filter(|node| node["name"] == name);
    let tried = node.flat_map(|node| node["tried"].as_array().unwrap());
    let by = tried.filter(|tried| tried["protocol"] == protocol);
    by.map(|tried| tried["verdict"].as_str().unwrap()).collect()
}

#[test]
fn who_is_alone_hears_what_to_do() {
    let house = House::new();
    check(&house, "", ("alone", 4, &["nobody-found"]));
    let told = house.run("doctor");
    assert_eq!(told.code, Some(4));
    assert!(
        told.stdout.contains("homing serve") && told.stdout.contains("nobody found"),
        "{}",
        told.stdout
    );
    assert!(
        !told.stdout.contains('\x1b') && told.stderr.is_empty(),
        "no colours, no progress: {}",
        told.stderr
    );
}

#[test]
fn two_nodes_that_see_each_other_are_well() {
    let house = House::new();
    let _one = house.serve(&["a", "--echo", "--name", "one"]);
    let _two = house.serve(&["b", "--echo", "--name", "two"]);
    let diagnosis = check(&house, "", ("well", 0, &[]));
    for name in ["one", "two"] {
        for protocol in ["unix", "tcp", "udp"] {
            let verdicts = verdicts(&diagnosis, name, protocol);
            let is_well =
                !verdicts.is_empty() && verdicts.iter().all(|verdict| *verdict == "reached");
            assert!(is_well, "{name} {protocol} {verdicts:?}");
        }
    }
    let told = house.run("doctor");
    assert_eq!(told.code, Some(0));
    assert!(
        told.stdout.lines().last().unwrap().starts_with("all is well: 2 of 2"),
        "{}",
        told.stdout
    );
}

#[test]
fn a_dead_seed_is_a_warning() {
    let house = House::new();
    let _one = house.serve(&["a", "--echo", "--name", "one"]);
    let diagnosis = check(&house, "--seed 127.0.0.1:1", ("warnings", 3, &["seed-dead"]));
    let seed =
        diagnosis["findings"].as_array().unwrap().iter().find(|found| found["kind"] == "seed-dead");
    assert_eq!(seed.unwrap()["place"], "127.0.0.1:1");
}

#[test]
fn a_seed_beyond_the_host_without_a_key_is_told_with_what_opens_the_network() {
    let house = House::new();
    let _one = house.serve(&["a", "--echo", "--name", "one"]);
    let told = house.run("doctor --seed 192.0.2.1:9"); // which nobody dials
    assert_eq!(told.code, Some(3), "{told:?}");
    for part in [
        "local: no key, this host only",
        "1 other node\n",
        "seed 192.0.2.1:9 is not tried",
        "homing key new mesh.key, and --key-file mesh.key here and there",
    ] {
        assert!(told.stdout.contains(part), "{part}: {}", told.stdout);
    }
}

#[test]
fn an_advertised_address_that_refuses_is_a_warning_with_one_that_leads_there() {
    let house = House::new();
    let _one = house.serve(&["a", "--echo", "--name", "one", "--advertise", "127.0.0.1:1"]);
    let diagnosis = check(&house, "", ("warnings", 3, &["address-unreachable"]));
    assert_eq!(verdicts(&diagnosis, "one", "tcp"), ["refused"]);
    assert_eq!(verdicts(&diagnosis, "one", "unix"), ["reached"]);
}

/// A key in a file of the house.
fn key(house: &House, name: &str) -> String {
    let file = house.file(name).display().to_string();
    assert_eq!(house.run(&format!("key new {file}")).code, Some(0));
    file
}

#[test]
fn who_holds_another_key_than_the_others_is_told() {
    let house = House::new();
    let (right, wrong) = (key(&house, "right"), key(&house, "wrong"));
    let _one = house.serve(&[
        "a",
        "--echo",
        "--name",
        "one",
        "--key-file",
        &right,
        "--listen",
        "127.0.0.1:0",
    ]);
    let keyed = |file: &str| format!("--key-file {file} --listen 127.0.0.1:0");
    check(&house, &keyed(&right), ("well", 0, &[]));
    let expect: &[_] = &["nobody-found", "wrong-key"];
    let diagnosis = check(&house, &keyed(&wrong), ("alone", 4, expect));
    assert_eq!(diagnosis["strangers"][0]["guard"], "keyed");
    check(&house, "", ("alone", 4, expect));
}

/// The nodes of every mesh that is heard from this house, without leaving the host.
fn everywhere(house: &House, arguments: &str) -> Vec<Value> {
    let ran: Ran = house.run(format!("nodes --all --json --interface lo {arguments}").trim_end());
    ran.json().as_array().unwrap().clone()
}

fn of_mesh<'a>(all: &'a [Value], mesh: &str) -> Option<&'a Value> {
    all.iter().find(|heard| heard["mesh"] == mesh)
}

#[test]
fn how_long_to_listen_is_said_of_every_mesh_only() {
    let house = House::new();
    house.run("nodes --timeout 1s").failed(2, "--all");
}

#[test]
fn nodes_of_every_mesh_of_this_user_are_listed_in_full() {
    let house = House::new();
    let _one = house.serve(&["a", "--echo", "--name", "one"]);
    let _other = house.serve(&[
        "b",
        "--echo",
        "--name",
        "other",
        "--mesh",
        "another",
        "--namespace",
        "blue",
    ]);
    let all = everywhere(&house, "");
    for (mesh, name) in [(house.name(), "one"), ("another", "other")] {
        let heard = of_mesh(&all, mesh).unwrap();
        assert_eq!((&heard["held"], &heard["nodes"][0]["name"]), (&true.into(), &name.into()));
    }
    let table = house.run("nodes --all --interface lo").stdout;
    assert!(table.starts_with("MESH") && table.contains("another"), "{table}");
}

#[cfg(target_os = "linux")]
#[test]
fn of_a_mesh_whose_key_is_not_held_name_and_address_are_listed() {
    let (here, elsewhere) = (House::new(), House::new());
    let file = key(&elsewhere, "mesh.key");
    let _one = elsewhere.serve(&[
        "a",
        "--echo",
        "--name",
        "one",
        "--key-file",
        &file,
        "--listen",
        "127.0.0.1:0",
    ]);
    let all = everywhere(&here, "");
    let shut = of_mesh(&all, elsewhere.name()).unwrap();
    assert_eq!(
        (&shut["guard"], &shut["held"], &shut["nodes"]),
        (&"keyed".into(), &false.into(), &Value::Array(vec![]))
    );
    let heard = &shut["heard"][0];
    assert_eq!((&heard["from"], &heard["addresses"]), (&"127.0.0.1".into(), &Value::Array(vec![])));
    let all = everywhere(&here, &format!("--key-file {file}"));
    let open = of_mesh(&all, elsewhere.name()).unwrap();
    assert_eq!((&open["held"], &open["nodes"][0]["name"]), (&true.into(), &"one".into()));
}
