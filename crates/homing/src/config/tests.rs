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
        "HOMING_SEEDS \":99\": it names no host",
    );
    check_refused(
        &plain().seed("a.example:http"),
        &[],
        "seeds \"a.example:http\": it is not host:port with a port from 1 to 65535",
    );
    let mut config = plain();
    config.timings.idle = Duration::ZERO;
    check_refused(&config, &[], "timings.idle \"0s\": it is more than nothing");
    let mut config = plain();
    config.timings.redial_min = Duration::from_secs(9);
    check_refused(&config, &[], "timings.redial_min \"9s\": it is at most redial_max, 5s");
}

#[test]
fn a_redis_is_given_by_the_config_or_the_environment_and_its_password_never_shown() {
    let variable = [("HOMING_REDIS", "redis://:s3cret@a")];
    let chosen = |config: &Config| {
        let settings = decide(config, &variable).map_err(|error| error.to_string());
        settings.map(|settings| settings.discovery.redis.map(|url| url.to_string()))
    };
    let plain = Config::default();
    let set = plain.clone().redis("redis://:s3cret@b/1").unwrap();
    if cfg!(feature = "redis") {
        assert_eq!(chosen(&plain), Ok(Some("redis://:***@a:6379/0".to_owned())));
        assert_eq!(chosen(&set), Ok(Some("redis://:***@b:6379/1".to_owned())));
    } else {
        let refused = decide(&plain, &variable).err().unwrap().to_string();
        assert!(refused.contains("built with the feature redis"), "{refused}");
    }
    assert_eq!(chosen(&plain.clone().keyless()), Ok(None));
    assert!(!format!("{set:?}").contains("s3cret"));
    check_refused(
        &plain,
        &[("HOMING_REDIS", "redis://s3cret@a")],
        "HOMING_REDIS \"redis://***@a\": it has a user without a password; right is redis://[[USER]:PASSWORD@]HOST[:PORT][/DATABASE]",
    );
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
    let config = Config::default().listen(at("0.0.0.0:0"));
    let refused = decide(&config, &[]).err().expect("it is refused").to_string();
    for command in ["`homing key new mesh.key`", "`--key-file mesh.key` (HOMING_KEY_FILE)"] {
        assert!(refused.contains(command), "{refused}");
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
fn a_key_opens_the_network() {
    let (one, other) = (Key::generate(), Key::generate());
    let settings = decide(&Config::default().key(one.clone()), &[]).unwrap();
    assert_eq!(settings.keys, Keys::Given(vec![one.clone()]));
    assert_eq!(settings.listen, Listen::Everywhere);
    assert!(settings.leaves_host());
    let both = format!(" {one}, {other}");
    let settings = decide(&Config::default(), &[("HOMING_KEY", &both)]).unwrap();
    assert_eq!(settings.keys, Keys::Given(vec![one.clone(), other]));
    let settings = decide(&Config::default(), &[("HOMING_KEY_FILE", "mesh.key")]).unwrap();
    assert_eq!(
        (settings.keys, settings.listen),
        (Keys::File("mesh.key".into()), Listen::Everywhere)
    );

    // What is said goes before the environment, and who listens on loopback stays there.
    let said = Config::default().key(one.clone()).listen(at("127.0.0.1:0"));
    let settings = decide(&said, &[("HOMING_KEY", &both)]).unwrap();
    assert_eq!(settings.keys, Keys::Given(vec![one.clone()]));
    assert!(!settings.leaves_host());
    let isolated = Config::isolated().key(one.clone()).resolve().unwrap();
    assert_eq!((isolated.listen, isolated.keys), (Listen::Loopback, Keys::Given(vec![one])));
    let keyless = decide(&Config::default().keyless(), &[("HOMING_KEY", &both)]).unwrap();
    assert_eq!((keyless.listen, keyless.keys), (Listen::Loopback, Keys::Local));
}

#[test]
fn keys_from_two_places_and_no_keys_are_refused_without_being_shown() {
    let key = Key::generate().to_string();
    check_refused(
        &Config::default().key_file("mesh.key"),
        &[("HOMING_KEY", &key)],
        "key_file \"mesh.key\": keys are given by HOMING_KEY, too: leave out one of the two",
    );
    check_refused(
        &Config::default(),
        &[("HOMING_KEY", &key), ("HOMING_KEY_FILE", "mesh.key")],
        "HOMING_KEY_FILE \"mesh.key\": keys are given by HOMING_KEY, too: leave out one of the two",
    );
    check_refused(
        &Config::default(),
        &[("HOMING_KEY", "sesame")],
        "HOMING_KEY \"(not shown)\": it does not begin with hmk1_: a key is made by `homing key new`, a pass-phrase \
         is none",
    );
    check_refused(
        &Config::default().insecure(),
        &[("HOMING_KEY", &key)],
        "insecure \"true\": there is a key, too (HOMING_KEY): leave out one of the two",
    );
}

#[test]
fn nothing_but_a_word_of_the_program_makes_a_node_insecure() {
    for (variable, value) in [("HOMING_INSECURE", "1"), ("HOMING_KEY", "")] {
        assert_eq!(decide(&Config::default(), &[(variable, value)]).unwrap().keys, Keys::Local);
    }
    let settings = decide(&Config::default().insecure(), &[]).unwrap();
    assert_eq!((settings.keys, settings.listen), (Keys::Insecure, Listen::Loopback));
}

#[test]
fn an_identity_is_kept_where_the_program_or_the_environment_says() {
    let environment = [("HOMING_IDENTITY", "/var/lib/node.id")];
    let settings = decide(&Config::default(), &environment).unwrap();
    assert_eq!(settings.identity, Some("/var/lib/node.id".into()));
    let settings = decide(&Config::default().identity("here.id"), &environment).unwrap();
    assert_eq!(settings.identity, Some("here.id".into()));
    assert_eq!(decide(&Config::default(), &[]).unwrap().identity, None);
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

#[test]
fn bounds_that_no_node_could_live_with_are_refused() {
    let with = |change: &dyn Fn(&mut Bounds)| {
        let mut config = Config::default();
        change(&mut config.limits);
        config
    };
    assert_eq!(decide(&Config::default(), &[]).unwrap().limits, Bounds::default());
    let refused = [
        (with(&|limits| limits.links = 4_097), "limits.links \"4097\": it is 1 to 4096"),
        (with(&|limits| limits.budget = 0), "limits.budget \"0\": it is 1 to"),
        (
            with(&|limits| limits.half_open = 100),
            "limits.half_open_per_source \"128\": it is 1 to 100",
        ),
    ];
    for (config, expect) in refused {
        let why = decide(&config, &[]).err().expect("it should be refused").to_string();
        assert!(why.starts_with(expect), "{why}");
    }
}

/// The names of the fields of a value, from how it prints itself.
fn fields(value: &impl std::fmt::Debug) -> Vec<String> {
    let shown = format!("{value:#?}");
    let inner = |line: &str| Some(line.strip_prefix("    ")?.split_once(": ")?.0.to_owned());
    shown.lines().filter_map(inner).filter(|name| !name.starts_with(' ')).collect()
}

#[test]
fn every_field_is_a_setting_and_none_is_two() {
    /// Fields that are no settings, or several.
    const OTHERS: [&str; 8] =
        ["kind", "tls", "discovery", "timings", "limits", "issuers", "file", "sources"];
    let config = Config::default();
    let within = |table: &str, names: Vec<String>| {
        names.into_iter().map(|name| format!("{table}.{name}")).collect::<Vec<_>>()
    };
    let parts = [
        within("timings", fields(&config.timings)),
        within("limits", fields(&config.limits)),
        within("discovery", fields(&config.discovery)),
        fields(&config).into_iter().filter(|name| !OTHERS.contains(&name.as_str())).collect(),
        ["ca", "cert", "cert_key", "tokens.issuers", "token_file"].map(str::to_owned).to_vec(),
    ];
    let mut expect = parts.concat();
    // They are at the top, where people look for them.
    for top in ["seeds", "redis"] {
        let nested = format!("discovery.{top}");
        expect.iter_mut().filter(|name| **name == nested).for_each(|name| *name = top.into());
    }
    let mut told: Vec<&str> = table::SETTINGS.iter().map(|setting| setting.name).collect();
    told.sort_unstable();
    expect.sort_unstable();
    assert_eq!(told, expect);
}

/// A value that each setting can have, and that is not its default.
fn sample(setting: &table::Setting) -> Option<String> {
    use table::Form;
    let key = Key::generate().to_string();
    Some(match (setting.name, setting.form) {
        ("key", _) => key,
        ("tokens.issuers", _) => crate::access::IssuerKey::generate().issuer().to_string(),
        ("listen", _) => "127.0.0.1:7001".into(),
        ("advertise", _) => "127.0.0.1:7002".into(),
        ("transport", _) => "tcp".into(),
        ("discovery.group", _) => "239.255.1.1".into(),
        ("timings.registration_lifetime", _) => "20s".into(),
        (_, Form::Url) => "redis://other:6379/0".into(),
        (_, Form::Text | Form::List | Form::Secret) => "other".into(),
        (_, Form::File) => "/other".into(),
        (_, Form::Number) => "9".into(),
        (_, Form::Span) => "1250ms".into(),
        (_, Form::Switch) => "false".into(),
        (_, Form::Program | Form::Rules) => return None,
    })
}

#[test]
fn the_program_comes_before_the_environment_and_that_before_the_file() {
    for setting in table::SETTINGS {
        let Some(value) = sample(setting) else { continue };
        let told = |config: &Config, environment: &[(&str, &str)]| {
            let settings = config.settings_in(&|variable| {
                let said = environment.iter().find(|(name, _)| *name == variable);
                said.map_or_else(OsString::new, |(_, value)| value.into())
            });
            let found = settings.unwrap().into_iter().find(|one| one.name == setting.name).unwrap();
            (found.value, found.set_by, found.place)
        };
        let default = setting.default();
        assert_eq!(told(&Config::default(), &[]), (default.clone(), SetBy::Default, None));
        let shown = if setting.form == table::Form::Secret { "set".into() } else { value.clone() };

        let mut file = Config::default();
        let quoted = match setting.form {
            table::Form::Number | table::Form::Switch => value.clone(),
            _ => format!("{value:?}"),
        };
        let text = format!("# one\n{} = {quoted}\n", setting.name);
        let is_certificate = ["ca", "cert", "cert_key"].contains(&setting.name);
        if setting.is_for_files() && !is_certificate {
            file.file = Some(Arc::new(file::FileSettings::parse(&text).unwrap()));
            let place = Some(":2".to_owned());
            assert_eq!(told(&file, &[]), (shown.clone(), SetBy::File, place), "{text}");
        } else if !is_certificate {
            assert!(file::FileSettings::parse(&text).is_err(), "{text}");
        }
        if let Some(variable) = setting.variable.filter(|_| !is_certificate) {
            let said = [(variable, value.as_str())];
            let place = Some(variable.to_owned());
            assert_eq!(told(&file, &said), (shown.clone(), SetBy::Environment, place), "{text}");
            let mut insisting = file.clone();
            if !matches!(setting.form, table::Form::List | table::Form::Secret) {
                let usual = (setting.read)(&Config::default());
                let typed = usual.first().map_or("/typed", String::as_str);
                let typed = match (setting.name, setting.form) {
                    ("discovery.group", _) => "239.255.2.2",
                    ("redis", _) => "redis://typed:6379/0",
                    (_, table::Form::Text) => typed.trim_start_matches('/'),
                    _ => typed,
                };
                insisting.set(setting.name, typed).unwrap();
                assert_eq!(told(&insisting, &said), (typed.to_owned(), SetBy::Program, None));
            }
        }
    }
}

#[test]
fn a_setting_can_be_said_by_name_and_no_other() {
    let mut config = Config::default();
    config.set("timings.idle", "5m").unwrap();
    assert_eq!(config.timings.idle, Duration::from_mins(5));
    for (name, value, expect) in [
        (
            "timings.idel",
            "5m",
            "setting \"timings.idel\": there is no setting timings.idel: timings.idle may be meant",
        ),
        ("idle", "5m", "setting \"idle\": there is no setting idle: timings.idle may be meant"),
        (
            "nonsense",
            "1",
            "setting \"nonsense\": there is no setting nonsense: `homing config` lists them",
        ),
        (
            "timings.idle",
            "5",
            "timings.idle \"5\": it is a number with a unit, like 250ms, 5s or 2m",
        ),
        ("discovery.ttl", "256", "discovery.ttl \"256\": it is a whole number up to 255"),
        (
            "key",
            "sesame",
            "key \"(not shown)\": it does not begin with hmk1_: a key is made by `homing key new`, a pass-phrase is none",
        ),
        ("access", "x", "access \"x\": rules are tables of a configuration file: [[access]]"),
    ] {
        assert_eq!(config.set(name, value).unwrap_err().to_string(), expect);
    }
}

#[test]
fn what_the_settings_come_to_is_wrong_where_it_was_said() {
    let file = file::FileSettings::parse("mesh = \"a\"\n[timings]\nredial_min = \"9s\"").unwrap();
    let config = Config { file: Some(Arc::new(file)), ..Config::default() };
    check_refused(
        &config,
        &[],
        "config \"\": line 3: timings.redial_min \"9s\": it is at most redial_max, 5s",
    );
    check_refused(
        &Config::default(),
        &[("HOMING_TIMINGS_REDIAL_MIN", "9s")],
        "HOMING_TIMINGS_REDIAL_MIN \"9s\": it is at most redial_max, 5s",
    );
}
