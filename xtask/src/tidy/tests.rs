//! Does each rule see what breaks it, and leave the rest alone?

use super::*;

/// Applies a rule to files, given as path and text, and compares what it says, a line each.
#[track_caller]
fn check(rule: Rule, files: &[(&str, &str)], expect: &[&str]) {
    let mut tree = Tree::default();
    for (path, text) in files {
        tree.add(path, text);
    }
    let said: Vec<String> = rule(&tree).iter().map(ToString::to_string).collect();
    assert_eq!(said, expect);
}

#[test]
fn the_checkout_is_tidy() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let said: Vec<String> =
        all(&Tree::read(root).unwrap()).iter().map(ToString::to_string).collect();
    assert!(said.is_empty(), "\n{}", said.join("\n"));
}

#[test]
fn a_file_starts_with_its_question() {
    let complaint = "a.rs:1: start with `//! ` and the question this file answers";
    check(shape::files_ask_a_question, &[("a.rs", "//! What is here?\n")], &[]);
    check(shape::files_ask_a_question, &[("a.rs", "use std::fmt;\n//! Late.\n")], &[complaint]);
}

#[test]
fn a_long_file_is_several_files_but_its_tests_do_not_count() {
    let code = "fn f() {}\n".repeat(600);
    let tests = format!("{code}#[cfg(test)]\nmod tests {{\n{code}}}\n");
    check(shape::files_stay_short, &[("a.rs", &tests), ("tests/b.rs", &code.repeat(2))], &[]);
    let complaint = "a.rs:601: 602 lines without tests, at most 600: give a part its own file";
    let elsewhere = format!("#[cfg(test)]\nmod tests;\n{code}");
    check(shape::files_stay_short, &[("a.rs", &elsewhere)], &[complaint]);
}

#[test]
fn fields_are_counted_however_they_are_written() {
    let twelve = "pub struct A<F: Fn(u8, u8) -> u8> where F: Clone {\n    // a, comment, with, commas\n    #[a(b, c)]\n    \
         f: fn(u8) -> u8,\n    b: (u8, u8), c: [u8; 2], d: Map<u8, u8>,\n    e: u8, g: u8, h: u8, i: u8,\n    j: u8, k: u8, l: \
         u8, m: u8,\n}\nstruct Unit;\nstruct Tuple(u8, u8);\n";
    check(shape::structs_stay_small, &[("a.rs", twelve)], &[]);
    let named = format!("\nstruct B {{ {} }}", "a: u8, ".repeat(13));
    check(
        shape::structs_stay_small,
        &[("a.rs", &named)],
        &["a.rs:2: B has 13 fields, at most 12: find the machine inside"],
    );
    let tuple = format!("struct C<T>({});", "u8, ".repeat(14));
    check(
        shape::structs_stay_small,
        &[("a.rs", &tuple)],
        &["a.rs:1: C has 14 fields, at most 12: find the machine inside"],
    );
}

#[test]
fn unfinished_work_is_found_in_comments_and_code_but_not_in_messages() {
    let clean = "let said = \"TODO\"; // a TODOLIST is a word of its own\nlet raw = r#\"todo!() \" // FIXME\"#;\n";
    check(words::nothing_is_left_to_do, &[("a.rs", clean)], &[]);
    let advice = "finish it, or open an issue and say here what holds until then";
    let dirty = "// TODO: later\nfn f() { todo!() }\n/* FIXME */";
    let expect = [
        format!("a.rs:1: TODO: {advice}"),
        format!("a.rs:3: FIXME: {advice}"),
        format!("a.rs:2: todo!: {advice}"),
    ];
    check(words::nothing_is_left_to_do, &[("a.rs", dirty)], &expect.each_ref().map(String::as_str));
}

#[test]
fn an_example_is_compiled_or_it_is_no_example() {
    let clean = "/// ```no_run\n/// let a = \"```ignore\";\n/// ```\n/// The word ```ignore``` in a line is none.\n";
    check(words::examples_compile, &[("a.rs", clean), ("a.md", "```text\nignore\n```\n")], &[]);
    let advice =
        "an ignored example: make it compile (`no_run` if it must not run), or mark it `text`";
    let expect = [format!("a.rs:2: {advice}"), format!("a.md:1: {advice}")];
    let expect = expect.each_ref().map(String::as_str);
    check(
        words::examples_compile,
        &[("a.rs", "\n//! ```ignore\n"), ("a.md", "```rust,ignore\n")],
        &expect,
    );
}

#[test]
fn a_number_with_a_meaning_is_a_type() {
    let clean = "type Count = u64;\npub type Table = Map<u64, u64>;\npub struct Count(u64);\n";
    check(words::numbers_have_types, &[("a.rs", clean)], &[]);
    let dirty = "pub type Count = u64;\npub(crate) type Size = usize;\n";
    let advice = "an alias of a number: make it a type of its own";
    let expect = [format!("a.rs:1: {advice}"), format!("a.rs:2: {advice}")];
    check(words::numbers_have_types, &[("a.rs", dirty)], &expect.each_ref().map(String::as_str));
}

#[test]
fn no_path_of_one_machine_is_written_down() {
    let folder = concat!("/wo", "rk/");
    check(
        words::no_machine_is_named,
        &[("a.md", &format!("words{folder}count, ./{folder}, ${{HOME}}{folder}"))],
        &[],
    );
    let complaint =
        format!("a.toml:1: names {folder} of one machine: write a path inside the repository");
    check(
        words::no_machine_is_named,
        &[("a.toml", &format!("path = \"{folder}main\""))],
        &[&complaint],
    );
}

#[test]
fn a_test_that_does_not_run_is_none() {
    check(proofs::every_test_runs, &[("a.rs", "#[test]\nfn f() { g(\"#[ignore]\"); }\n")], &[]);
    let complaint = "a.rs:2: an ignored test: make it pass, or take it away";
    check(
        proofs::every_test_runs,
        &[("a.rs", "#[test]\n#[ignore = \"slow\"]\nfn f() {}\n")],
        &[complaint],
    );
}

#[test]
fn a_test_waits_for_events_not_for_time() {
    let driver = "async fn drive() { tokio::time::sleep(due).await; }\n#[cfg(test)]\nmod tests {\n";
    let clean =
        format!("{driver}fn f() {{ net.sleep(due); run(\"sleep (1)\"); }}\nfn sleep() {{}}\n}}");
    check(proofs::no_test_sleeps, &[("a.rs", &clean)], &[]);
    let advice =
        "a sleeping test: use virtual time (`start_paused`), or wait for the event with a deadline";
    let paused =
        "#[tokio::test(start_paused = true)]\nasync fn g() {\ntokio::time::sleep(due).await;\n";
    check(proofs::no_test_sleeps, &[("tests/a.rs", paused)], &[]);
    let hurried = format!(
        "{paused}thread::sleep(due);\n}}\n#[tokio::test]\nasync fn h() {{ sleep(due).await }}"
    );
    let expect = [format!("tests/a.rs:4: {advice}"), format!("tests/a.rs:7: {advice}")];
    check(
        proofs::no_test_sleeps,
        &[("tests/a.rs", &hurried)],
        &expect.each_ref().map(String::as_str),
    );
    let dirty = format!("{driver}fn f() {{ thread::sleep(due); }}\n}}");
    let expect = [format!("a.rs:4: {advice}"), format!("tests/b.rs:1: {advice}")];
    let files = [("a.rs", dirty.as_str()), ("tests/b.rs", "async fn g() { sleep(due).await }")];
    check(proofs::no_test_sleeps, &files, &expect.each_ref().map(String::as_str));
}

#[test]
fn testdata_that_nobody_reads_is_found() {
    let reader = ("a.rs", "check(\"ping\"); include_str!(\"../testdata/wire/pong.txt\");");
    let files = [
        reader,
        ("testdata/wire/ping.txt", ""),
        ("testdata/wire/pong.txt", ""),
        ("testdata/wire/lost.txt", ""),
    ];
    check(proofs::testdata_is_read, &files[..3], &[]);
    let complaint =
        "testdata/wire/lost.txt:1: no Rust source names this file: test it, or take it away";
    check(proofs::testdata_is_read, &files, &[complaint]);
}

#[test]
fn every_crate_has_the_lints_of_the_workspace() {
    check(
        manifests::lints_are_inherited,
        &[("xtask/Cargo.toml", "[lints]\nworkspace = true\n")],
        &[],
    );
    let complaint = "xtask/Cargo.toml:1: the lints of the workspace do not hold here: add `[lints]` with `workspace = true`";
    check(
        manifests::lints_are_inherited,
        &[("xtask/Cargo.toml", "[package]\nname = \"xtask\"\n")],
        &[complaint],
    );
}

#[test]
fn unsafe_code_is_forbidden_inside_and_outside_of_the_workspace() {
    let forbids = "unsafe_code = \"forbid\"\n";
    let root = ("Cargo.toml", &*format!("[workspace]\n[workspace.lints.rust]\n{forbids}"));
    let outside = ("fuzz/Cargo.toml", &*format!("[workspace]\n[lints.rust]\n{forbids}"));
    check(manifests::unsafe_is_forbidden, &[root, outside], &[]);
    check(manifests::lints_are_inherited, &[outside], &[]);
    let what = "unsafe code is not forbidden: add `unsafe_code = \"forbid\"` to the lints of Rust";
    let denies = "[workspace]\n[lints.rust]\nunsafe_code = \"deny\"\n";
    check(
        manifests::unsafe_is_forbidden,
        &[("Cargo.toml", denies), ("fuzz/Cargo.toml", denies)],
        &[&format!("Cargo.toml:1: {what}"), &format!("fuzz/Cargo.toml:1: {what}")],
    );
}

#[test]
fn a_dependency_is_chosen_for_its_crate() {
    let core = "crates/homing-core/Cargo.toml";
    let clean = "[dependencies]\nbytes.workspace = true\n# tokio = \"1\"\n[dev-dependencies]\nproptest = \"1\"\nbytes = \"1\"\n";
    check(manifests::dependencies_are_chosen, &[(core, clean)], &[]);
    let dirty = "[dependencies]\ntokio = \"1\"\nproptest = \"1\"\n[target.'cfg(unix)'.dependencies.nix]\nversion = \"1\"\n";
    let not_chosen = |line, name| {
        format!(
            "{core}:{line}: {name} is not among the dependencies chosen in xtask/src/tidy/manifests.rs"
        )
    };
    let expect = [not_chosen(2, "tokio"), not_chosen(3, "proptest"), not_chosen(4, "nix")];
    check(
        manifests::dependencies_are_chosen,
        &[(core, dirty)],
        &expect.each_ref().map(String::as_str),
    );
    let unknown = "crates/new/Cargo.toml:1: no list of allowed dependencies: add one to xtask/src/tidy/manifests.rs";
    check(manifests::dependencies_are_chosen, &[("crates/new/Cargo.toml", "")], &[unknown]);
}

#[test]
fn lifetimes_and_quotes_do_not_end_the_code() {
    let text = "fn f<'a>(c: &'a u8) { g('\"', '\\'', b'x', \"// \\\" \"); } // it's\nstruct S; /* a /* b */ c */ fn h() {}";
    let views = scan::split(text);
    assert_eq!(
        views.code.split_whitespace().collect::<Vec<_>>().join(" "),
        "fn f<'a>(c: &'a u8) { g( , , b , ); } struct S; fn h() {}"
    );
    assert_eq!(
        views.comments.split_whitespace().collect::<Vec<_>>().join(" "),
        "// it's /* a /* b */ c */"
    );
    assert_eq!(views.code.lines().count(), text.lines().count());
}
