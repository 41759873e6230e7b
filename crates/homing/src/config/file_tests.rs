//! Does a file say what it should, and where it is wrong?

use super::super::Config;
use super::super::settings::Listen;
use std::ffi::OsString;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

const ISSUER: &str = "hmt1_";

fn written(text: &str, mode: u32) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("homing.toml");
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
    (dir, path)
}

#[track_caller]
fn check_refused(text: &str, expect: &str) {
    let (_dir, path) = written(text, 0o600);
    let error = Config::from_file(&path).unwrap_err().to_string();
    let start = format!("config {:?}: {expect}", path.display().to_string());
    assert!(error.starts_with(&start), "{error}\nis not\n{start}");
}

#[test]
fn what_is_wrong_is_named_with_its_line() {
    check_refused("mesh = \"a b\"", "line 1: mesh \"a b\": ' ' at byte 1 is wrong");
    check_refused("\nmush = \"a\"", "line 2: there is no setting mush: mesh may be meant");
    check_refused("mesh = 7", "line 1: mesh is a text: \"…\"");
    check_refused("mesh = \"a\"\nmesh = \"b\"", "line 2: duplicate key");
    check_refused(
        "listen = [\n\"127.0.0.1:0\",\n\"home\"\n]",
        "line 3: listen \"home\": it is an address and a port, like 127.0.0.1:0",
    );
    check_refused(
        "[tokens]\nissuers = \"hmk1_x\"",
        "line 2: tokens.issuers \"hmk1_x\": it begins otherwise: an issuer's key is hmt1_ and 58 letters",
    );
    check_refused(
        "[tokens]\nissuer = \"x\"",
        "line 2: there is no setting tokens.issuer: tokens.issuers may be meant",
    );
    check_refused(
        "[[access]]\nwho = \"anyone\"\nmay = \"fly\"\non = \"a\"",
        "line 3: nobody can \"fly\"",
    );
    check_refused("[timings]\nidle = 5", "line 2: timings.idle is a text with a number and a unit");
    check_refused(
        "[timings]\n\nidle = \"5\"",
        "line 3: timings.idle \"5\": it is a number with a unit",
    );
    check_refused("timings = 5", "line 1: timings is a table: [timings]");
    check_refused("idle = \"5s\"", "line 1: there is no setting idle: timings.idle may be meant");
    check_refused("[limits]\nlinks = \"9\"", "line 2: limits.links is a whole number");
    check_refused("[discovery]\nscouting = 1", "line 2: discovery.scouting is true or false");
    check_refused(
        "key = \"hmk1_x\"",
        "line 1: key cannot be said in a file: key_file names the file that has it",
    );
    check_refused(
        "insecure = true",
        "line 1: insecure cannot be said in a file: by --insecure only",
    );
    check_refused("a = \"x", "line 1: ");
    check_refused(
        &format!("[tokens]\nissuers = [\"{ISSUER}\"]"),
        "line 2: tokens.issuers \"hmt1_\": it is too long or too short",
    );
}

#[test]
fn a_file_that_others_can_write_is_refused_and_one_that_they_can_read_is_not() {
    for (mode, expect) in [(0o644, None), (0o660, Some("mode 660")), (0o602, Some("mode 602"))] {
        let (_dir, path) = written("mesh = \"a\"", mode);
        let error = Config::from_file(&path).err().map(|error| error.to_string());
        assert_eq!(error.is_some(), expect.is_some());
        assert!(error.unwrap_or_default().contains(expect.unwrap_or_default()));
    }
}

#[test]
fn a_file_that_is_none_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let error = Config::from_file(dir.path()).unwrap_err().to_string();
    assert!(error.ends_with("it is no plain file"), "{error}");
    let error = Config::from_file(dir.path().join("none")).unwrap_err().to_string();
    assert!(error.contains("No such file"), "{error}");
}

#[test]
fn code_counts_more_than_the_environment_and_that_more_than_the_file() {
    let text = "mesh = \"file\"\nnamespace = \"file\"\nseeds = \"file\"\nlisten = \"127.0.0.1:7000\"\n\
                audit = \"log\"\ntoken_file = \"/t\"\n[[access]]\nwho = \"anyone\"\nmay = \"call\"\non = \"a\"";
    let (dir, path) = written(text, 0o600);
    let environment = |name: &'static str| match name {
        "HOMING_NAMESPACE" | "HOMING_SEEDS" => OsString::from("env"),
        "HOMING_CONFIG" => path.clone().into(),
        _ => OsString::new(),
    };
    for config in [Config::from_file(&path).unwrap(), Config::default()] {
        let settings = config.clone().resolve_in(&environment).unwrap();
        assert_eq!((settings.mesh.as_str(), settings.namespace.as_str()), ("file", "env"));
        assert_eq!(settings.discovery.seeds, ["env"]);
        assert_eq!(settings.listen, Listen::At(vec!["127.0.0.1:7000".parse().unwrap()]));
        assert_eq!(settings.access.audit, Some(dir.path().join("log")), "beside the file");
        assert!(settings.access.list.is_some());
        let settings = config.mesh("code").unwrap().resolve_in(&environment).unwrap();
        assert_eq!(settings.mesh.as_str(), "code");
    }
}

#[test]
fn files_of_keys_and_certificates_are_beside_the_file() {
    let text =
        "key_file = \"mesh.key\"\nidentity = \"/id\"\nca = \"ca\"\ncert = \"c\"\ncert_key = \"k\"";
    let (dir, path) = written(text, 0o600);
    let config = Config::from_file(&path).unwrap();
    let unset = |_: &'static str| OsString::new();
    let merged = config.layered(&unset).unwrap();
    assert_eq!(merged.key_file, Some(dir.path().join("mesh.key")));
    assert_eq!(merged.identity, Some("/id".into()));
    assert_eq!(merged.tls.unwrap().cert, dir.path().join("c"));
    let key = crate::security::Key::generate().to_string();
    let keyed =
        |name: &'static str| OsString::from(if name == "HOMING_KEY" { key.as_str() } else { "" });
    assert_eq!(config.layered(&keyed).unwrap().key_file, None, "the environment has the keys");
    let (_dir, path) = written("ca = \"ca\"\ncert = \"c\"", 0o600);
    let refused = Config::from_file(&path).unwrap().layered(&unset).unwrap_err();
    assert_eq!(refused.setting(), "cert_key");
}

#[test]
fn what_the_file_opens_is_checked_as_if_it_were_typed() {
    let (_dir, path) = written("listen = \"0.0.0.0:0\"", 0o600);
    let refused = Config::from_file(&path).unwrap().resolve_in(&|_| OsString::new());
    let error = refused.err().expect("it opens the network without a key").to_string();
    assert!(error.contains("line 1: listen \"0.0.0.0:0\": without a key"), "{error}");
}
