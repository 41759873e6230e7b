//! Does what is published in one shell come out in others?

use std::fmt::Debug;
use std::time::Instant;

use super::house::{House, PATIENCE, Process, start};

/// `homing sub …`, once publishers know of it.
fn sub(house: &House, arguments: &str) -> Process {
    let process = start(house.homing(&format!("sub {arguments}")));
    let line = process.note();
    assert!(line.starts_with("listening to "), "{line}");
    process
}

#[test]
fn what_is_published_is_printed_by_all_who_listen() {
    let house = House::new();
    let exact = sub(&house, "orders.created --payload --count 1");
    let wild = sub(&house, "orders.* payments.** --count 2");
    let json = sub(&house, "** --json --count 3");
    house.run("pub orders.created {\"id\":17} --encoding json").printed("");
    house.run("pub other.topic text").printed("");
    house.run("pub payments -n").printed("");
    assert_eq!(exact.line(), r#"{"id":17}"#);
    assert_eq!([wild.line(), wild.line()], ["orders.created {\"id\":17}", "payments "]);
    for expect in [
        r#""encoding":"json","payload":{"id":17}"#,
        r#""encoding":"text","payload":"text""#,
        r#""encoding":"text","payload":"""#,
    ] {
        let line = json.line();
        assert!(line.starts_with("{\"topic\":\"") && line.contains(expect), "{line}");
    }
    for process in [exact, wild, json] {
        assert_eq!(process.ended().code, Some(0));
    }
}

#[test]
fn that_nobody_listens_is_said_and_no_failure() {
    let house = House::new();
    let _other = sub(&house, "other");
    let ran = house.run("pub orders.created x");
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), "nobody listens to orders.created\n"));
}

#[test]
fn each_line_of_stdin_is_a_message_and_none_is_lost() {
    let house = House::new();
    let reader = sub(&house, "lines --payload --count 20000");
    let lines: String = (1..=20_000).map(|number: u32| number.to_string() + "\n").collect();
    house.run_with("pub lines --lines", lines.as_bytes()).printed("");
    for number in 1..=20_000 {
        assert_eq!(reader.line(), number.to_string());
    }
    assert_eq!(reader.ended().code, Some(0));
}

#[test]
fn a_group_shares_what_is_published() {
    let house = House::new();
    let members = [(); 2].map(|()| sub(&house, "work --payload --group billing --count 50"));
    house.run("pub work job --count 100").printed("");
    for member in members {
        assert_eq!(member.ended().code, Some(0), "each gets half");
    }
}

/// What is told once it is as it should be: members learn of each other within a moment.
fn once<T: Debug>(mut tell: impl FnMut() -> T, is_right: impl Fn(&T) -> bool) -> T {
    let begun = Instant::now();
    loop {
        let told = tell();
        if is_right(&told) {
            return told;
        }
        assert!(begun.elapsed() < PATIENCE, "{told:?}");
    }
}

#[test]
fn topics_are_listed_with_who_publishes_and_who_listens() {
    let house = House::new();
    let _listener = sub(&house, "orders.* --group billing --name bill");
    let _all = sub(&house, "** --name all");
    let publisher =
        start(house.homing("pub orders.created x --count 1000 --every 1s --declare --name shop"));
    // Each listing asks whom it finds first, and that one may have heard of some only.
    let expect = "TOPIC           PUBLISHERS  LISTENERS
**              shop        all bill (billing)
orders.*        shop        all bill (billing)
orders.created  shop        all bill (billing)
";
    once(|| house.run("ls --topics").stdout, |table| table == expect);
    let listed = once(
        || house.run("ls --topics --json").json(),
        |topics| {
            let topic = &topics[2];
            topic["publishers"].as_array().is_some_and(|all| all.len() == 1)
                && topic["listeners"].as_array().is_some_and(|all| all.len() == 2)
        },
    );
    assert_eq!(listed[2]["topic"], "orders.created");
    assert_eq!(listed[2]["publishers"][0]["node_name"], "shop");
    let elsewhere = house.run("ls --topics --json --namespace elsewhere");
    assert_eq!(elsewhere.json(), serde_json::json!([]), "as the table has it");
    drop(publisher);
}

#[test]
fn what_cannot_be_a_topic_is_a_matter_of_usage() {
    let house = House::new();
    house.run("pub a..b x").failed(2, "a segment is empty");
    house.run("sub a.*b").failed(2, "a segment is *, ** or has no * at all");
    house.run("pub $mesh x").failed(2, "reserved");
    house.run("sub a --slow drop-oldest --wait 3s").failed(2, "--wait is for --slow wait");
}
