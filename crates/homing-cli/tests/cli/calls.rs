//! Do calls reach who they should, and say so when they cannot?

use super::house::{House, Ran, start};
use std::process::Command;

#[test]
fn any_program_is_a_service() {
    let house = House::new();
    let _words = house.serve(&["words@1.2.0/count", "--exec", "wc -w | tr -d ' '"]);
    house.run_with("call words/count", b"four words of input").printed("4\n");
    house.run("call words@1/count two\twords").printed("2\n");
}

#[test]
fn an_echo_returns_any_bytes_and_adds_none() {
    let house = House::new();
    let _echo = house.serve(&["echo@1.0.0", "--echo"]);
    house.run_with("call echo", b"no newline").printed("no newline");
    house.run("call echo -n").printed("");
    let large = "x".repeat(4 * 1024 * 1024);
    house.run_with("call echo --timeout 30s", large.as_bytes()).printed(&large);
}

#[test]
fn a_range_chooses_among_versions() {
    let house = House::new();
    let _old = house.serve(&["v@1.2.0", "--reply", "old"]);
    let _new = house.serve(&["v@2.0.0", "--reply", "new"]);
    house.run("call v@1 -n").printed("old");
    house.run("call v@^2 -n").printed("new");
    house.run("call v -n").printed("new");
    house
        .run("call v@^3 -n --no-wait")
        .failed(24, "UNAVAILABLE: no instance of v@^3 (running: 1.2.0, 2.0.0)");
}

#[test]
fn who_is_nowhere_is_not_found() {
    let house = House::new();
    house.run("call nobody -n --timeout 300ms").failed(15, "NOT_FOUND");
    house.run("call nobody -n --no-wait").failed(15, "NOT_FOUND");
}

#[test]
fn a_method_that_nobody_serves_is_unimplemented_and_the_others_are_named() {
    let house = House::new();
    let _words = house.serve(&["words/count", "--echo"]);
    house.run("call words/spell x --timeout 1s").failed(22, "count");
}

#[test]
fn a_call_waits_for_its_service() {
    let house = House::new();
    let call = start(house.homing("call late -n --timeout 30s"));
    let _late = house.serve(&["late", "--reply", "here"]);
    call.ended().printed("here\n");
}

#[test]
fn a_program_fails_with_the_last_line_of_its_stderr() {
    let house = House::new();
    let _bad = house.serve(&["bad", "--exec", "echo reason >&2; exit 3"]);
    house.run("call bad -n").failed(23, "INTERNAL: reason");
    let _none = house.serve(&["none", "--exec", "no-such-program-here"]);
    house.run("call none -n").failed(23, "INTERNAL: no such program: ");
}

#[test]
fn a_program_is_told_of_its_call_and_of_no_secret() {
    let house = House::new();
    let key = house.key("mesh.key");
    let line = "echo $HOMING_METHOD ${HOMING_MESH-none} ${HOMING_DEADLINE_MS:+limited}; env | grep -c ^HOMING_";
    let _told = start({
        let mut serve =
            house.homing_of(["serve", "told/**", "--listen", "127.0.0.1:0", "--exec", line]);
        serve.env("HOMING_KEY", &key).env("HOMING_IDENTITY", house.path("node.id"));
        serve.env("HOMING_SECRET", "x");
        serve
    });
    // Method, caller and deadline, and nothing else of ours.
    let keyed = format!("--key-file {} --listen 127.0.0.1:0", house.path("mesh.key").display());
    house.run(&format!("call told/a/b -n {keyed}")).printed("a/b none limited\n3\n");
}

#[test]
fn a_caller_chooses_its_instance_and_learns_who_answered() {
    let house = House::new();
    let _north = house.serve(&["who@1.0.0", "--reply", "n", "--name", "north"]);
    let _south = house.serve(&["who@1.0.0", "--reply", "s", "--name", "south"]);
    for _ in 0..3 {
        let ran = house.run("call who -n --instance south --who");
        ran.printed("s");
        assert!(ran.stderr.starts_with("answered by south@1.0.0 ("), "{}", ran.stderr);
    }
    house.run("call who -n --instance east").failed(15, "no instance is called east");
}

#[test]
fn namespaces_separate_services() {
    let house = House::new();
    let _blue = house.serve(&["colour", "--reply", "blue", "--namespace", "blue"]);
    house.run("call colour -n --namespace blue").printed("blue");
    house.run("call colour -n --no-wait").failed(15, "NOT_FOUND");
}

#[test]
fn meshes_never_meet() {
    let house = House::new();
    let _here = house.serve(&["colour", "--reply", "red"]);
    let _there = house.serve(&["colour", "--reply", "blue", "--mesh", "there"]);
    house.run("call colour -n").printed("red");
    house.run("call colour -n --mesh there").printed("blue");
    house.run("call colour -n --mesh nowhere --no-wait").failed(15, "NOT_FOUND");
    assert_eq!(house.run("nodes --json").json().as_array().unwrap().len(), 2);
}

#[test]
fn who_takes_long_is_not_waited_for_where_another_may_be_asked() {
    let house = House::new();
    let _stuck = house.serve(&["who", "--exec", "sleep 60", "--repeatable"]);
    let _quick = house.serve(&["who", "--reply", "quick", "--repeatable"]);
    for _ in 0..5 {
        house.run("call who -n --hedge 50ms").printed("quick");
    }
}

#[test]
fn nothing_is_said_beside_the_result_unless_it_is_asked_for() {
    let house = House::new();
    let _echo = house.serve(&["echo", "--echo"]);
    let said = |command: &mut Command| Ran::from(command.output().unwrap()).stderr;
    assert_eq!(said(&mut house.homing("call echo x")), "");
    assert_ne!(said(&mut house.homing("call echo x -vv")), "");
    assert_ne!(said(house.homing("call echo x").env("HOMING_LOG", "debug")), "");
}

#[test]
fn labels_weights_and_keys_choose_among_instances() {
    let house = House::new();
    let _old = house.serve(&["v@1.2.0", "--reply", "old", "--label", "zone=a"]);
    let _new = house.serve(&["v@2.0.0", "--reply", "new", "--label", "zone=b"]);
    house.run("call v -n --subset zone=a").printed("old");
    house.run("call v -n --weight ^1=1 --weight ^2=0").printed("old");
    house.run("call v@1 -n --key user7").printed("old");
    house.run("call v@* -n --balancer random --near --subset zone=b").printed("new");
    house.run("call v@* -n --balancer slots --max-slots 1 --subset zone=b").printed("new");
    house.run("call w -n --balancer slots --no-wait").failed(15, "NOT_FOUND");
    house.run("call v -n --max-slots 0").failed(2, "1..=4096");
    house.run("call v -n --balancer hash").failed(2, "--key");
    house.run("call v -n --weight ^1").failed(2, "it is written RANGE=N");
    house
        .run("call v -n --no-wait --subset zone=c")
        .failed(24, "no instance of v with zone=c (with: zone=a, zone=b)");
}
