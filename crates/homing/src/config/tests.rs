//! What becomes of wishes, environment and defaults?

use super::settings::named_after;
use super::*;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::Path;
use std::time::Duration;

/// Decides in an environment with these variables.
fn decide(config: &Config, environment: &[(&str, &str)]) -> Result<Settings, ConfigError> {
    config.resolve_in(&|variable| {
        environment
            .iter()
            .find(|(name, _)| *name == variable)
            .map_or_else(OsString::new, |(_, value)| value.into())
    })
}

#[track_caller]
fn check_refused(config: &Config, environment: &[(&str, &str)], expect: &str) {
    let refused = decide(config, environment).err().expect("it should be refused");
    assert_eq!(refused.to_string(), expect);
}

fn at(address: &str) -> SocketAddr {
    address.parse().unwrap()
}

#[test]
fn the_default_is_the_users_own_mesh_on_this_host() {
    let settings = decide(&Config::default(), &[]).unwrap();
    assert_eq!(settings.mesh.as_str(), "default");
    assert_eq!(settings.namespace.as_str(), "default");
    assert!(settings.name.as_str().ends_with(&format!("-{}", std::process::id())));
    assert_eq!(settings.kind, Kind::Member);
    assert_eq!(settings.listen, Listen::Loopback);
    assert_eq!(settings.discovery.rendezvous, Rendezvous::Usual);
    assert_eq!(settings.discovery.groups, [GROUP, GROUP_V6]);
    assert!(settings.discovery.scouting && settings.discovery.seeds.is_empty());
    assert_eq!(decide(&Config::visitor(), &[]).unwrap().kind, Kind::Visitor);
}

#[test]
fn the_environment_fills_in_what_was_not_said() {
    let environment = [
        ("HOMING_MESH", "shop"),
        ("HOMING_NAMESPACE", "eu"),
        ("HOMING_SEEDS", "a.example:1, 10.0.0.7,"),
        ("HOMING_RENDEZVOUS", "/run/shop"),
    ];
    let settings = decide(&Config::default(), &environment).unwrap();
    assert_eq!((settings.mesh.as_str(), settings.namespace.as_str()), ("shop", "eu"));
    assert_eq!(settings.discovery.seeds, ["a.example:1", "10.0.0.7"]);
    assert_eq!(settings.discovery.rendezvous, Rendezvous::Under("/run/shop".into()));

    let said = Config::default().mesh("m").unwrap().namespace("n").unwrap().seed("b");
    let settings = decide(&said.rendezvous("/r"), &environment).unwrap();
    assert_eq!((settings.mesh.as_str(), settings.namespace.as_str()), ("m", "n"));
    assert_eq!(settings.discovery.seeds, ["b"]);
    assert_eq!(settings.discovery.rendezvous, Rendezvous::Under("/r".into()));
}

#[test]
fn a_value_that_cannot_be_used_is_named_with_its_place() {
    let plain = Config::default;
    check_refused(
        &plain(),
        &[("HOMING_MESH", "a/b")],
        "HOMING_MESH \"a/b\": '/' at byte 1 is wrong, right is a letter, a digit or one of - _ . :",
    );
    assert_eq!(
        plain().name("a b").unwrap_err().to_string(),
        "name \"a b\": ' ' at byte 1 is wrong, right is a letter, a digit or one of - _ . : @",
    );
    check_refused(
        &plain(),
        &[("HOMING_RENDEZVOUS", "here")],
        "HOMING_RENDEZVOUS \"here\": it is not an absolute path: programs started elsewhere would not meet",
    );
    let mut config = plain();
    config.discovery.group = Some("10.0.0.1".parse().unwrap());
    check_refused(
        &config,
        &[],
        "discovery.group \"10.0.0.1\": it is no multicast group, such as 239.255.46.64",
    );
    check_refused(
        &plain(),
        &[("HOMING_SEEDS", "a.example, :99")],
        "discovery.seeds \":99\": it names no host",
    );
    check_refused(
        &plain().seed("a.example:http"),
        &[],
        "discovery.seeds \"a.example:http\": it is not host:port with a port from 1 to 65535",
    );
    let mut config = plain();
    config.timings.idle = Duration::ZERO;
    check_refused(&config, &[], "timings.idle \"0s\": it is more than nothing");
    let mut config = plain();
    config.timings.redial_min = Duration::from_secs(9);
    check_refused(&config, &[], "timings.redial_min \"9s\": it is at most redial_max, 5s");
}

#[test]
fn a_variable_that_is_not_text_is_refused() {
    let error = Config::default()
        .resolve_in(&|variable| match variable {
            "HOMING_CONFIG" => OsString::new(),
            _ => OsString::from_vec(vec![b'a', 0xff]),
        })
        .err()
        .expect("0xff is not UTF-8");
    assert_eq!(error.setting(), "HOMING_MESH");
    assert_eq!(error.problem(), "it is not UTF-8");
}

#[test]
fn beyond_this_host_only_with_a_word_that_it_is_meant() {
    for address in ["0.0.0.0:0", "10.0.0.1:7000", "[::]:0", "[fe80::1]:7", "[::ffff:10.0.0.1]:7"] {
        let config = Config::default().listen(at(address));
        let error = decide(&config, &[]).err().expect("it is refused");
        assert_eq!((error.setting(), error.value()), ("listen", address));
        assert!(error.problem().starts_with("without a key a node stays on this host"));
        assert!(decide(&config.insecure(), &[]).is_ok());
    }
    for address in ["127.0.0.1:0", "127.8.8.8:7", "[::1]:0", "[::ffff:127.0.0.1]:7"] {
        let settings = decide(&Config::default().listen(at(address)), &[]).unwrap();
        assert_eq!(settings.listen, Listen::At(vec![at(address)]));
    }
    check_refused(
        &Config::default().insecure().advertise(at("0.0.0.0:7")),
        &[],
        "advertise \"0.0.0.0:7\": nobody can dial it: it is an address and a port of this host",
    );
}

#[test]
fn an_isolated_mesh_is_its_own_whatever_the_environment_says() {
    let config = Config::isolated();
    let settings = config.resolve().unwrap();
    assert_ne!(settings.mesh, Config::isolated().resolve().unwrap().mesh);
    assert_eq!(settings.mesh, config.clone().resolve().unwrap().mesh);
    assert!(settings.discovery.seeds.is_empty() && !settings.discovery.scouting);
    let Rendezvous::Under(base) = settings.discovery.rendezvous.clone() else {
        unreachable!("an isolated mesh has a directory of its own");
    };

    std::fs::create_dir_all(base.join("entry")).unwrap();
    drop(config);
    assert!(base.exists(), "the node still needs it");
    drop(settings);
    assert!(!base.exists(), "nobody needs it any more");
}

#[test]
fn a_node_of_a_network_in_memory_looks_at_nothing_of_the_system() {
    let network = Network::new(1);
    let settings = Config::testing(&network, "a").resolve().unwrap();
    assert_eq!(settings.discovery.rendezvous, Rendezvous::Nowhere);
    assert_eq!(settings.listen, Listen::At(vec![SocketAddr::new(network.host("a").ip(), 0)]));
}

#[test]
fn a_program_of_any_name_gives_a_nodes_name() {
    let long = "x".repeat(300);
    for (program, expect) in [
        ("/usr/bin/words", "words-7"),
        ("words.exe", "words-7"),
        ("my program", "my-program-7"),
        ("näh", "n-h-7"),
        ("", "node-7"),
        ("...", "node-7"),
        (&long, &format!("{}-7", "x".repeat(126))),
    ] {
        assert_eq!(named_after(Path::new(program), 7).as_str(), expect);
    }
}
