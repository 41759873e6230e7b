//! Do keys open the network to their mesh alone, and can they be exchanged without a stop?
//!
//! Keyed nodes listen on loopback here: nothing leaves this host.

use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use super::house::{House, Process, start};

/// What keeps a keyed node on this host.
const HERE: &str = "--listen 127.0.0.1:0";

/// The options of a node with that key file.
fn keyed(house: &House, file: &str) -> String {
    format!("--key-file {} {HERE}", house.path(file).display())
}

fn serve(house: &House, arguments: &str) -> Process {
    let service = start(house.homing(&format!("serve {arguments}")));
    let line = service.note();
    assert!(line.starts_with("serving "), "{line}");
    service
}

#[test]
fn a_key_is_made_in_a_file_of_its_own_or_on_stdout() {
    let house = House::new();
    let key = house.key("mesh.key");
    let file = house.path("mesh.key");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let again = house.run(&format!("key new {}", file.display()));
    again.failed(2, "--force replaces it");
    assert!(fs::read_to_string(&file).unwrap().contains(&key));
    assert_eq!(house.run(&format!("key new {} --force", file.display())).code, Some(0));
    assert!(!fs::read_to_string(&file).unwrap().contains(&key));

    let printed = house.run("key new").stdout;
    assert!(printed.starts_with("hmk1_") && printed.ends_with('\n') && printed.len() == 64);
    let id = house.run(&format!("key id {}", file.display())).stdout;
    assert!(id.len() == 9 && !printed.contains(id.trim()), "{id}");
    let given = house.homing("key id").env("HOMING_KEY_FILE", &file).output().unwrap();
    assert_eq!(String::from_utf8(given.stdout).unwrap(), id);
    house.run("key id").failed(2, "there is no key here");
}

#[test]
fn a_key_that_cannot_be_used_is_refused_and_not_shown() {
    let house = House::new();
    let key = house.key("mesh.key");
    let call = |variables: &[(&str, &str)]| {
        let mut command = house.homing("call echo -n --no-wait --listen 127.0.0.1:0");
        command.envs(variables.iter().copied());
        super::house::Ran::from(command.output().unwrap())
    };
    call(&[("HOMING_KEY", "sesame")]).failed(2, "a pass-phrase is none");
    let slip = format!("{}a", &key[..key.len() - 1]).replace("hmk1_a", "hmk1_b");
    let refused = call(&[("HOMING_KEY", &slip)]);
    refused.failed(2, "HOMING_KEY \"(not shown)\"");
    assert!(!refused.stderr.contains(&key[10..40]), "{refused:?}");
    let file = house.path("mesh.key").display().to_string();
    call(&[("HOMING_KEY", &key), ("HOMING_KEY_FILE", &file)])
        .failed(2, "keys are given by HOMING_KEY, too");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    call(&[("HOMING_KEY_FILE", &file)]).failed(2, "may be used by others (mode 644): chmod 600");
    call(&[("HOMING_KEY_FILE", "/no/such/file")]).failed(2, "cannot be read");
}

#[test]
fn who_has_another_key_or_none_sees_nothing() {
    let house = House::new();
    house.key("mesh.key");
    house.key("other.key");
    let _keyed = serve(&house, &format!("mine --echo --name mine {}", keyed(&house, "mesh.key")));
    let _local = serve(&house, "local --echo --name local");
    house.run(&format!("call mine x {}", keyed(&house, "mesh.key"))).printed("x");
    house.run("call local x").printed("x");
    let other = keyed(&house, "other.key");
    for (called, options) in [
        ("mine", other.as_str()),
        ("mine", "--transport auto"),
        ("local", keyed(&house, "mesh.key").as_str()),
        ("mine", "--insecure"),
    ] {
        let alone = house.run(&format!("call {called} x --timeout 2s {options}"));
        assert_eq!((alone.code, alone.stdout.as_str()), (Some(15), ""), "{options}: {alone:?}");
        let listed = house.run(&format!("nodes --json {options}")).json();
        assert!(!listed.to_string().contains(&format!("\"name\":\"{called}\"")), "{listed}");
    }
}

#[test]
fn who_finds_nothing_without_a_key_learns_how_to_open_the_network() {
    let house = House::new();
    for command in ["call nobody -n --no-wait", "ls", "nodes"] {
        let told = house.run(command).stderr;
        for part in ["without a key a node stays", "homing key new mesh.key", "HOMING_KEY_FILE="] {
            assert!(told.contains(part), "{command}: {told}");
        }
    }
    house.key("mesh.key");
    let told = house.run(&format!("call nobody -n --no-wait {}", keyed(&house, "mesh.key")));
    assert!(!told.stderr.contains("without a key"), "{told:?}");
    house.run("ls --listen 0.0.0.0:0").failed(2, "`homing key new mesh.key` makes one");
}

#[test]
fn what_is_insecure_says_so_for_ever() {
    let house = House::new();
    let listen = "--insecure --listen 127.0.0.1:0 --name open";
    let open = serve(&house, &format!("echo --echo {listen}"));
    assert!(open.note().starts_with("warning: --insecure: whoever reaches this node is let in"));
    let listed = house.run("nodes --json --insecure").json();
    let node = find(&listed, "open");
    assert_eq!(node["guard"], "insecure");
    let table = house.run("nodes --insecure").stdout;
    assert!(
        table.lines().any(|line| line.contains("open") && line.contains("insecure")),
        "{table}"
    );
    // No variable stands for the word.
    let told = house.homing("nodes --json").env("HOMING_INSECURE", "true").output().unwrap();
    assert!(!String::from_utf8(told.stdout).unwrap().contains("\"open\""));
    house.key("mesh.key");
    let both = house.run(&format!("ls --insecure {}", keyed(&house, "mesh.key")));
    both.failed(2, "there is a key, too");
}

#[test]
fn a_key_is_exchanged_in_three_steps_and_no_call_fails() {
    let house = House::new();
    house.key("a.key");
    let copy = || fs::copy(house.path("a.key"), house.path("b.key")).unwrap();
    copy();
    let _a = serve(&house, &format!("echo@1.0.0 --echo --name a {}", keyed(&house, "a.key")));
    let _b = serve(&house, &format!("echo@1.0.0 --echo --name b {}", keyed(&house, "b.key")));
    let first = ids(&house);
    let over = AtomicBool::new(false);
    let calls = thread::scope(|scope| {
        let callers =
            ["a.key", "b.key"].map(|file| scope.spawn(|| call_until(&house, file, &over)));
        rotate(&house, copy);
        over.store(true, Ordering::Relaxed);
        callers.map(|caller| caller.join().unwrap())
    });
    assert!(calls.iter().all(|count| *count > 20), "{calls:?}");
    assert_ne!(ids(&house), first);
    assert_eq!(ids(&house).lines().count(), 1);
}

/// Calls with that key file, each time as a program of its own, and fails where a call does; says how many there were.
fn call_until(house: &House, file: &str, over: &AtomicBool) -> usize {
    let call = format!("call echo x {}", keyed(house, file));
    let mut count = 0;
    while !over.load(Ordering::Relaxed) {
        house.run(&call).printed("x");
        count += 1;
    }
    count
}

fn rotate(house: &House, copy: impl Fn() -> u64) {
    let step = format!("key rotate {} {HERE}", house.path("a.key").display());
    assert!(house.run(&step).stdout.contains("step 1 of 3 made"));
    // Who did not get the file is named, and nothing is done.
    let early = house.run(&step);
    assert_eq!(early.code, Some(19), "{early:?}");
    assert!(early.stdout.contains("step 2 of 3 not made"), "{early:?}");
    assert!(early.stdout.contains("not ready: b ("), "{early:?}");
    assert!(!early.stdout.contains("not ready: a ("), "{early:?}");
    copy();
    let checked = house.run(&format!("{step} --check --json")).json();
    assert_eq!((&checked["ready"], &checked["made"]), (&true.into(), &false.into()), "{checked}");
    for number in [2, 3] {
        let made = house.run(&step);
        assert!(made.stdout.contains(&format!("step {number} of 3 made")), "{made:?}");
        copy();
    }
}

fn ids(house: &House) -> String {
    house.run(&format!("key id {}", house.path("a.key").display())).stdout
}

fn find<'a>(listed: &'a Value, name: &str) -> &'a Value {
    let node = listed.as_array().unwrap().iter().find(|node| node["name"] == name);
    node.unwrap_or_else(|| panic!("no {name} in {listed}"))
}

#[test]
fn a_step_that_nobody_can_be_asked_about_needs_a_word() {
    let house = House::new();
    house.key("mesh.key");
    let step = format!("key rotate {} {HERE}", house.path("mesh.key").display());
    assert!(house.run(&step).stdout.contains("step 1 of 3 made"));
    let alone = house.run(&step);
    assert_eq!(alone.code, Some(19), "{alone:?}");
    assert!(alone.stderr.contains("no node of the mesh is seen from here"), "{alone:?}");
    assert!(house.run(&format!("{step} --force")).stdout.contains("step 2 of 3 made"));
}
