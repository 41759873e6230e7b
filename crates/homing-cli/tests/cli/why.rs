//! Does `homing why` say where a call would go, and what keeps the others from it?

use super::house::House;

#[test]
fn the_next_call_is_told_and_what_excludes_the_others() {
    let house = House::new();
    let _new = house.serve(&["words@2.0.0/count", "--echo", "--name", "new"]);
    let _old = house.serve(&["words@1.0.0/count", "--echo", "--name", "old"]);
    let told = house.run("why words@^2/count");
    assert_eq!(told.code, Some(0), "{told:?}");
    assert!(told.stdout.starts_with("NODE"), "{}", told.stdout);
    let row = |name: &str| told.stdout.lines().find(|line| line.starts_with(name)).unwrap();
    assert!(row("new").contains("100 %") && row("new").contains("0 of "), "{}", told.stdout);
    assert!(row("old").contains("its version is not in ^2"), "{}", told.stdout);
    let last = told.stdout.lines().last().unwrap();
    assert!(last.starts_with("the next call goes to new ("), "{last}");

    let json = house.run("why words@*/count --json").json();
    let instances = json["instances"].as_array().unwrap();
    assert!(instances.iter().all(|one| one["verdict"] == "maybe" && one["chance"] == 50.0));
    assert_eq!((&json["address"], &json["balancer"]), (&"words@*/count".into(), &"p2c".into()));
}

#[test]
fn where_nobody_would_get_it_the_exit_code_is_that_of_the_call() {
    let house = House::new();
    let _one = house.serve(&["words@1.0.0", "--echo", "--namespace", "blue"]);
    let _two = house.serve(&["swords@1.0.0", "--echo"]);
    let told = house.run("why words");
    assert_eq!(told.code, Some(15), "{told:?}");
    assert!(told.stderr.contains("NOT_FOUND"), "{}", told.stderr);
    for part in ["did you mean swords?", "namespaces: blue", "the next call goes to nobody"] {
        assert!(told.stdout.contains(part), "{}", told.stdout);
    }
    let told = house.run("why swords@^2");
    assert_eq!(told.code, Some(24), "{told:?}");
    assert!(told.stdout.contains("its version is not in ^2"), "{}", told.stdout);
    assert_eq!(house.run("why swords --instance nobody").code, Some(15));
}

#[test]
fn the_options_of_a_call_count() {
    let house = House::new();
    let label = ["--label", "zone=a"];
    let _one = house.serve(&[&["words@1.0.0", "--echo", "--name", "one"], &label[..]].concat());
    let _two = house.serve(&["words@1.0.0", "--echo", "--name", "two"]);
    for (options, expect) in [
        ("--subset zone=a", "it is not labelled zone=a"),
        ("--instance one", "another instance was named"),
    ] {
        let told = house.run(&format!("why words {options}"));
        assert!(told.stdout.contains(expect), "{}", told.stdout);
        let last = told.stdout.lines().last().unwrap();
        assert!(last.starts_with("the next call goes to one ("), "{}", told.stdout);
    }
    let slots = house.run("why words --balancer slots --json").json();
    let held = slots["instances"].as_array().unwrap().iter();
    assert!(
        held.filter(|one| one["figures"]["slots"] == serde_json::json!([0])).count() >= 1,
        "{slots}"
    );
}

#[test]
fn a_running_node_is_asked_for_its_view() {
    let house = House::new();
    let _one = house.serve(&["words@1.0.0", "--echo", "--name", "one"]);
    let _two = house.serve(&["price@1.0.0", "--echo", "--name", "two"]);
    let told = house.run("why words --from two");
    assert_eq!(told.code, Some(0), "{told:?}");
    assert!(told.stdout.starts_with("words from two by p2c: nothing there calls it"), "{told:?}");
    assert!(told.stdout.contains("the next call goes to one ("), "{told:?}");
    house.run("why words --from three").failed(15, "no node is called three");
}

#[test]
fn an_instance_of_another_namespace_is_listed_and_a_name_comes_before_the_start_of_an_id() {
    let house = House::new();
    let _here = house.serve(&["words@1.0.0", "--echo", "--name", "here"]);
    let _blue = house.serve(&["words@1.0.0", "--echo", "--name", "blue", "--namespace", "blue"]);
    // Each is what an id may start with.
    let names = ["0", "5", "a", "f"];
    let serve = |name| house.serve(&["price", "--echo", "--name", name]);
    let _some: Vec<_> = names.into_iter().map(serve).collect();
    let told = house.run("why words");
    let row = told.stdout.lines().find(|line| line.starts_with("blue")).unwrap();
    assert!(row.contains("it is offered in namespace blue"), "{}", told.stdout);
    assert!(told.stdout.contains("the next call goes to here ("), "{}", told.stdout);
    for name in names {
        let told = house.run(&format!("why price --from {name}"));
        assert!(told.stdout.starts_with(&format!("price from {name} by p2c")), "{told:?}");
    }
    let named = house.run("why words --instance blue");
    assert_eq!(named.code, Some(24), "{named:?}");
}
