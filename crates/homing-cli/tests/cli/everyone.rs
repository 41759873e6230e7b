//! Does `call --all` tell what every instance says, and by its exit code whether all did?

use super::house::House;
use serde_json::Value;

#[test]
fn every_instance_has_a_line() {
    let house = House::new();
    let _a = house.serve(&["who@1.0.0", "--reply", "ay", "--name", "a"]);
    let _b = house.serve(&["who@1.1.0", "--exec", "echo bee; echo hive", "--name", "b"]);
    let _c = house.serve(&["who@2.0.0", "--reply", "sea", "--name", "c"]);
    let ran = house.run("call who@1 -n --all");
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{ran:?}");
    let mut said: Vec<_> = ran
        .stdout
        .lines()
        .map(|line| {
            let (who, text) = line.split_once("): ").unwrap();
            (who.split(' ').next().unwrap().to_owned(), text.to_owned())
        })
        .collect();
    said.sort();
    let expect = [("a@1.0.0", "ay"), ("b@1.1.0", "bee"), ("b@1.1.0", "hive")];
    assert_eq!(said, expect.map(|(who, text)| (who.to_owned(), text.to_owned())));
    let ran = house.run("call who -n --all");
    assert!(ran.stdout.starts_with("c@2.0.0 (") && ran.stdout.ends_with("): sea\n"), "{ran:?}");
}

#[test]
fn one_that_fails_is_told_of_and_gives_its_exit_code() {
    let house = House::new();
    let _a = house.serve(&["who@1.0.0", "--reply", "ay", "--name", "a"]);
    let _b = house.serve(&["who@1.0.0", "--exec", "echo torn >&2; exit 3", "--name", "b"]);
    let ran = house.run("call who -n --all --json");
    assert_eq!(ran.code, Some(23), "{ran:?}");
    assert!(ran.stderr.starts_with("1 of 2 failed, the first with INTERNAL: torn"), "{ran:?}");
    let mut said: Vec<Value> =
        ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    said.sort_by_key(|line| line["name"].to_string());
    assert_eq!((&said[0]["reply"], &said[0]["version"]), (&"ay".into(), &"1.0.0".into()));
    assert_eq!(said[1]["error"]["code"], "INTERNAL");
    house.run("call nobody -n --all --no-wait").failed(15, "NOT_FOUND");
}
