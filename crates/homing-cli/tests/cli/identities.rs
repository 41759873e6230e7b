//! Is a node with an identity of its own the same after a restart, and only once?

use std::fs;
use std::os::unix::fs::DirBuilderExt;

use super::house::{House, Process, start};

fn serve(house: &House, name: &str) -> Process {
    let file = house.path("node.id");
    let command = house.homing(&format!("serve {name} --echo --identity {}", file.display()));
    start(command)
}

/// The id in `serving words as NAME (ID)`.
fn id(line: &str) -> String {
    let id = line.rsplit_once('(').and_then(|(_, id)| id.strip_suffix(')'));
    id.unwrap_or_else(|| panic!("{line}")).to_owned()
}

/// The life that the mesh knows of the node with this service.
fn epoch(house: &House, id: &str) -> u64 {
    let nodes = house.run("nodes --json").json();
    let node = nodes.as_array().unwrap().iter().find(|node| node["id"] == id);
    node.unwrap_or_else(|| panic!("no {id} in {nodes}"))["epoch"].as_u64().unwrap()
}

#[test]
fn a_node_has_its_id_after_a_restart_and_after_a_crash() {
    let house = House::new();
    let first = serve(&house, "words");
    let before = id(&first.note());
    let lived = epoch(&house, &before);
    first.signal("KILL");
    assert_eq!(first.ended().code, None);
    let again = serve(&house, "words");
    assert_eq!(id(&again.note()), before);
    assert!(epoch(&house, &before) > lived);
    house.run("call words x").printed("x");
}

#[test]
fn one_identity_is_one_node() {
    let house = House::new();
    let first = serve(&house, "words");
    first.note();
    let second = serve(&house, "words").ended();
    second.failed(1, "node.id is in use: another process runs with it");
}

#[test]
fn an_identity_that_came_back_from_a_backup_rises_above_its_last_life() {
    let house = House::new();
    let _witness = house.serve(&["witness", "--echo"]);
    // The clock of the last life was ahead by a day, and its file is from before that.
    let ahead = 86_400_000 + milliseconds();
    fs::write(house.path("node.id.epoch"), format!("{ahead}\n")).unwrap();
    let first = serve(&house, "words");
    let node = id(&first.note());
    assert_eq!(epoch(&house, &node), ahead + 1);
    first.signal("TERM");
    assert_eq!(first.ended().code, Some(0));
    fs::remove_file(house.path("node.id.epoch")).unwrap();

    let again = serve(&house, "words");
    assert_eq!(id(&again.note()), node);
    house.run("call words x").printed("x");
    assert_eq!(epoch(&house, &node), ahead + 2);
    let written = fs::read_to_string(house.path("node.id.epoch")).unwrap();
    assert_eq!(written.trim(), (ahead + 2).to_string());
    drop(again);
}

#[test]
fn a_copy_of_an_identity_that_is_alive_elsewhere_is_refused() {
    let house = House::new();
    let _witness = house.serve(&["witness", "--echo"]);
    let ahead = 86_400_000 + milliseconds();
    fs::write(house.path("node.id.epoch"), format!("{ahead}\n")).unwrap();
    let first = serve(&house, "words");
    first.note();
    house.run("call words x").printed("x");
    let copy = house.path("copy.id");
    fs::copy(house.path("node.id"), &copy).unwrap();
    // In a rendezvous directory of its own it is not seen that it runs; the mesh knows.
    let seeds = house.run("nodes --json").json();
    let address = seeds.as_array().unwrap().iter().find_map(|node| {
        let addresses = node["addresses"].as_array()?;
        addresses.iter().find_map(|address| address.as_str()?.strip_prefix("tcp://"))
    });
    let elsewhere = format!("serve words --echo --identity {}", copy.display());
    let mut command = house.homing(&format!("{elsewhere} --seed {}", address.unwrap()));
    let other = house.path("other").join(house.name());
    for dir in [house.path("other"), other.clone()] {
        fs::DirBuilder::new().mode(0o700).create(dir).unwrap();
    }
    fs::copy(house.rendezvous().join(house.name()).join("key"), other.join("key")).unwrap();
    command.env("HOMING_RENDEZVOUS", house.path("other"));
    let ended = start(command).ended();
    assert_eq!(ended.code, Some(16), "{ended:?}");
    assert!(
        ended.stderr.contains("ALREADY_EXISTS: this identity runs elsewhere (tcp://"),
        "{ended:?}"
    );
    house.run("call words x").printed("x");
}

fn milliseconds() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    u64::try_from(since.as_millis()).unwrap()
}
