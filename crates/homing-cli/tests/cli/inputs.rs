//! Does bad input give one clear line, and the code that a script expects?

use super::house::House;

#[track_caller]
fn refused(arguments: &str, part: &str) {
    let ran = House::new().run(arguments);
    ran.failed(2, part);
    assert!(!ran.stderr.contains("panicked"), "{}", ran.stderr);
}

#[test]
fn addresses_and_ranges_are_refused_where_they_are_wrong() {
    refused("call wo!rds -n", "'!' at byte 2 is wrong");
    refused("call words@ -n", "after @ comes a version range");
    refused("call words@one.two -n", "words@one.two");
    refused("serve words@^1 --echo", "words@^1");
    refused("serve /count --echo", "/count");
}

#[test]
fn settings_are_refused_by_name() {
    refused("ls --mesh a/b", "a/b");
    refused("call words -n --timeout soon", "soon");
    refused("serve words --echo --label zone", "zone");
    refused("call words -n --balancer dice", "dice");
    refused("serve words --echo --listen here", "like 127.0.0.1:0");
    refused("ls --seed :99", "seeds \":99\": it names no host");
    refused("ls --redis http://h", "redis \"http://h\": it does not begin with redis://");
    refused("ls --redis redis://:s3cret@h:0", "redis://***@h:0");
    let house = House::new();
    let ran = house.homing("ls").env("HOMING_REDIS", "redis://:s3cret@h/x").output().unwrap();
    assert_eq!(ran.status.code(), Some(2));
    let said = String::from_utf8_lossy(&ran.stderr);
    assert!(said.contains("a database that is no number") && !said.contains("s3cret"), "{said}");
    let ran = house.homing("ls").env("HOMING_NAMESPACE", "a b").output().unwrap();
    assert_eq!(ran.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&ran.stderr).contains("a b"));
}

#[test]
fn a_payload_that_is_not_what_it_is_said_to_be_is_refused() {
    let house = House::new();
    house.run_with("call words --encoding json", b"{a").failed(2, "the payload is not JSON");
    house.run_with("call words --encoding text", b"\xff").failed(2, "the payload is not UTF-8");
}

#[test]
fn a_payload_above_the_limit_is_refused_and_the_limit_named() {
    let house = House::new();
    let payload = vec![b'x'; 16 * 1024 * 1024 + 1];
    house.run_with("call words", &payload).failed(18, "16777216 bytes");
    let _large = house.serve(&["large", "--exec", "head -c 16777217 /dev/zero"]);
    house.run("call large -n --timeout 30s").failed(18, "16777216 bytes");
}

#[test]
fn listening_beyond_this_host_needs_a_key() {
    refused("serve words --echo --listen 0.0.0.0:0", "homing key new");
}

#[test]
fn no_command_shows_those_there_are() {
    let house = House::new();
    let ran = house.homing_of(["--color", "never"]).output().unwrap();
    assert_eq!(ran.status.code(), Some(2));
    let shown = String::from_utf8_lossy(&ran.stderr);
    assert!(shown.contains("Usage: homing") && shown.contains("nodes"), "{shown}");
    assert!(!shown.contains("demo-caller"), "{shown}");
}
