//! Does each command take what its help says, and refuse the rest?

use super::*;
use clap::CommandFactory;
use clap::error::ErrorKind;

#[track_caller]
fn refused(line: &str) -> clap::Error {
    Args::try_parse_from(line.split(' ')).expect_err(line)
}

#[test]
fn the_definition_of_the_arguments_is_consistent() {
    Args::command().debug_assert();
}

#[test]
fn every_visible_command_shows_an_example() {
    let command = whole();
    let written_here = |sub: &&clap::Command| !sub.is_hide_set() && sub.get_name() != "help";
    for sub in command.get_subcommands().filter(written_here) {
        assert!(sub.get_about().is_some(), "{}", sub.get_name());
        let help = sub.get_after_help().map(ToString::to_string).unwrap_or_default();
        assert!(help.contains(&format!("  homing {}", sub.get_name())), "{}", sub.get_name());
    }
}

#[test]
fn a_service_answers_in_exactly_one_way() {
    assert!(Args::try_parse_from("homing serve echo@1.0.0 --echo".split(' ')).is_ok());
    assert_eq!(refused("homing serve echo").kind(), ErrorKind::MissingRequiredArgument);
    assert_eq!(refused("homing serve echo --echo --reply x").kind(), ErrorKind::ArgumentConflict);
}

#[test]
fn wrong_values_are_refused_where_they_are_typed() {
    refused("homing call words --timeout 5");
    refused("homing call words x -n");
    refused("homing call words --metadata novalue");
    refused("homing call words --json");
    refused("homing call words --all --instance me");
    refused("homing bench call --concurrency 0");
    refused("homing bench call --duration 0s");
    refused("homing ls --transport pigeon");
    refused("homing token new --key issuer.key --subject me --claim a");
    refused("homing token new --key issuer.key --subject me --for me");
    refused("homing token show x --issuer hmk1_x");
}

#[test]
fn mesh_options_may_stand_after_the_command() {
    let args = Args::try_parse_from("homing ls --mesh blue --seed a:1,b:2".split(' ')).unwrap();
    assert_eq!(args.mesh.mesh.map(|mesh| mesh.to_string()).as_deref(), Some("blue"));
    assert_eq!(args.mesh.seed, ["a:1", "b:2"]);
}

#[test]
fn a_password_is_not_in_what_is_logged_of_the_arguments() {
    let args = Args::try_parse_from("homing ls --redis redis://:s3cret@h".split(' ')).unwrap();
    assert_eq!(args.mesh.redis.as_ref().unwrap().0, "redis://:s3cret@h");
    assert!(!format!("{args:?}").contains("s3cret"));
}

#[test]
fn each_command_takes_its_least() {
    for line in [
        "homing serve words@1.2.0/count --reply x",
        "homing call words",
        "homing why words",
        "homing config",
        "homing call words@1/count -n --name me",
        "homing call words --all --json --subset zone=a",
        "homing ls",
        "homing nodes --json",
        "homing nodes --all --timeout 3s",
        "homing doctor --timeout 3s --json",
        "homing watch",
        "homing key new",
        "homing key new mesh.key --force",
        "homing key id",
        "homing key rotate mesh.key --check --json",
        "homing ls --key-file mesh.key --identity node.id",
        "homing demo --seconds 3",
        "homing demo-caller words x --every 1s",
        "homing bench call",
        "homing token key issuer.key",
        "homing token new --key issuer.key --subject me --claim a=b --lifetime 1h",
        "homing token show v4.public.x",
        "homing ls --config homing.toml --token-file t --audit -",
        "homing bench-echo --size 1 --socket x",
    ] {
        assert!(Args::try_parse_from(line.split(' ')).is_ok(), "{line}");
    }
}

#[test]
fn the_flags_of_settings_are_those_that_the_table_of_settings_names() {
    /// Flags of every command that say no setting: where settings are, and what is seen.
    const OTHERS: [&str; 3] = ["config", "verbose", "color"];
    let command = whole();
    let flags = command.get_arguments().filter_map(|flag| flag.get_long());
    let flags = flags.filter(|flag| !OTHERS.contains(flag) && !["help", "version"].contains(flag));
    let mut typed: Vec<String> = flags.map(|flag| format!("--{flag}")).collect();
    let settings = homing::Config::isolated().settings().unwrap();
    let mut told: Vec<&str> = settings.iter().filter_map(|setting| setting.flag).collect();
    typed.sort_unstable();
    told.sort_unstable();
    assert_eq!(typed, told);
}
