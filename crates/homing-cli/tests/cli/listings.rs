//! Do the listings show what there is?

use serde_json::Value;
use std::time::Instant;

use super::house::{House, PATIENCE, start};

#[test]
fn ls_lists_services_with_versions_methods_and_labels() {
    let house = House::new();
    let label = ["--label", "zone=a"];
    let _one =
        house.serve(&[&["words@1.2.0/count", "--echo", "--name", "one"], &label[..]].concat());
    let _two = house.serve(&["words@1.2.0/count", "--echo", "--name", "two"]);
    let _old = house.serve(&["words@1.0.0/count", "--echo", "--namespace", "blue"]);
    let table = house.run("ls");
    let row: Vec<&str> = table.stdout.lines().nth(1).unwrap().split_whitespace().collect();
    assert_eq!(row, ["words", "1.2.0", "count", "2", "zone=a"]);
    assert_eq!(table.stdout.lines().count(), 2, "{}", table.stdout);
    let all = house.run("ls --all").stdout;
    let (instances, nodes) = all.split_once("\n\n").unwrap();
    assert_eq!(instances.lines().count(), 1 + 3, "{all}");
    assert_eq!(nodes.matches(concat!(" homing@", env!("CARGO_PKG_VERSION"))).count(), 3, "{all}");

    let listed = house.run("ls --json").json();
    let services = listed.as_array().unwrap();
    assert_eq!(services.len(), 1);
    assert_eq!(services[0]["service"], "words");
    assert_eq!(services[0]["version"], "1.2.0");
    let instances = services[0]["instances"].as_array().unwrap();
    assert_eq!(instances.len(), 2);
    assert!(instances.iter().all(|instance| instance["state"] == "ready"));
}

#[test]
fn each_entry_of_the_json_has_all_its_fields_whatever_is_empty() {
    let house = House::new();
    let _words = house.serve(&["words@1.2.0/count", "--echo"]);
    let db = start(house.homing("register db --port 5432"));
    db.note();
    let begun = Instant::now();
    let listed = loop {
        let listed = house.run("ls --all --json").json();
        if listed.as_array().unwrap().len() == 3 {
            break listed;
        }
        assert!(begun.elapsed() < PATIENCE, "{listed}");
    };
    let fields = ["instances", "methods", "namespace", "records", "service", "version"];
    let counts = listed.as_array().unwrap().iter().map(|entry| {
        let entry = entry.as_object().unwrap();
        let mut names: Vec<&String> = entry.keys().collect();
        names.sort_unstable();
        assert_eq!(names, fields);
        let count = |field: &str| entry[field].as_array().unwrap().len();
        (&entry["service"], &entry["namespace"], count("instances"), count("records"))
    });
    let space = Value::from("default");
    assert_eq!(
        counts.collect::<Vec<_>>(),
        [
            (&"words".into(), &space, 1, 0),
            (&"db".into(), &space, 0, 1),
            (&"homing".into(), &Value::Null, 0, 2)
        ]
    );
}

#[test]
fn an_empty_mesh_lists_nothing() {
    let house = House::new();
    house.run("ls").printed("");
    assert_eq!(house.run("ls --json").json(), Value::Array(vec![]));
}

#[test]
fn nodes_lists_members_with_their_names() {
    let house = House::new();
    let _one = house.serve(&["a", "--echo", "--name", "one"]);
    let _two = house.serve(&["b", "--echo", "--name", "two"]);
    let listed = house.run("nodes --json").json();
    let mut names: Vec<&str> = listed
        .as_array()
        .unwrap()
        .iter()
        .filter(|node| node["state"] == "alive")
        .map(|node| node["name"].as_str().unwrap())
        .collect();
    names.sort_unstable();
    assert_eq!(names, ["one", "two"]);
    let table = house.run("nodes").stdout;
    assert!(table.starts_with("NAME") && table.contains("two"), "{table}");
}

#[test]
fn watch_tells_what_appears_and_what_goes() {
    let house = House::new();
    let _first = house.serve(&["first", "--echo", "--name", "first"]);
    let watch = start(house.homing("watch --json"));
    let offered = watch.line_with("\"offered\"");
    let object: Value = serde_json::from_str(&offered).unwrap();
    assert_eq!(object["service"], "first");
    let second = house.serve(&["second@2.0.0", "--echo", "--name", "second"]);
    let object: Value = serde_json::from_str(&watch.line_with("\"offered\"")).unwrap();
    assert_eq!((&object["service"], &object["version"]), (&"second".into(), &"2.0.0".into()));
    second.signal("TERM");
    let object: Value = serde_json::from_str(&watch.line_with("\"withdrawn\"")).unwrap();
    assert_eq!(object["service"], "second");
    watch.line_with("\"left\"");
    watch.signal("INT");
    assert_eq!(watch.ended().code, Some(130));
}

#[test]
fn watch_tells_people_a_line_each() {
    let house = House::new();
    let watch = start(house.homing("watch"));
    let service = house.serve(&["words@1.2.0/count", "--echo", "--name", "one"]);
    watch.line_with("+ words@1.2.0/count on one (");
    service.signal("KILL");
    watch.line_with("- words@1.2.0/count on one (");
}
