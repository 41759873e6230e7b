//! Is refused who should be, and let in who may, by the files and tokens that a person makes?

use super::house::{House, PATIENCE};
use homing::access::{Draft, IssuerKey};
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

/// A file of the house that only its owner can read.
fn file(house: &House, name: &str, text: &str) -> PathBuf {
    let path = house.file(name);
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    path
}

/// An issuer's key, and a configuration that lets its shop call `words`.
fn shop(house: &House) -> (IssuerKey, PathBuf) {
    let key = house.file("issuer.key");
    let public = house.run(&format!("token key {}", key.display())).stdout;
    assert!(public.starts_with("hmt1_"), "{public}");
    assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    let config = format!(
        "[tokens]\nissuers = \"{}\"\n[[access]]\nwho = \"claim:team=shop\"\nmay = \"call\"\non = \"words\"\n",
        public.trim()
    );
    (IssuerKey::read(&key).unwrap(), file(house, "homing.toml", &config))
}

/// The lines of a log, once it has so many: they are written after the refusal is answered.
fn written(log: &Path, count: usize) -> Vec<serde_json::Value> {
    let end = Instant::now() + PATIENCE;
    loop {
        let text = fs::read_to_string(log).unwrap();
        if text.matches('\n').count() >= count || Instant::now() >= end {
            return text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        }
        thread::yield_now();
    }
}

#[test]
fn a_caller_is_let_in_by_its_token_and_everybody_else_is_refused_and_written_down() {
    let house = House::new();
    let (key, config) = shop(&house);
    let (config, audit) = (config.display().to_string(), house.file("audit"));
    let log = audit.display().to_string();
    let _words = house.serve(&["words", "--reply", "yes", "--config", &config, "--audit", &log]);
    house.run("call words -n").failed(26, "UNAUTHENTICATED: node ");
    let new =
        format!("token new --key {} --subject till-3 --claim", house.file("issuer.key").display());
    let token = |claim: &str| file(&house, claim, &house.run(&format!("{new} {claim}")).stdout);
    let call = |claim| {
        house.run(&format!("call words -n --name me --token-file {}", token(claim).display()))
    };
    call("team=shop").printed("yes");
    call("team=bar").failed(17, "PERMISSION_DENIED: node ");
    let past = SystemTime::now() - Duration::from_hours(1);
    let old = Draft::new("till-3").claim("team", "shop").issued(past).sign(&key).unwrap();
    let expired = house.homing("call words -n").env("HOMING_TOKEN", old).output().unwrap();
    super::house::Ran::from(expired).failed(26, "its token does not count: it expired at ");
    let lines = written(&audit, 3);
    let codes: Vec<_> = lines.iter().map(|line| line["code"].as_str().unwrap()).collect();
    assert_eq!(codes, ["UNAUTHENTICATED", "PERMISSION_DENIED", "UNAUTHENTICATED"]);
    let denied = &lines[1];
    for (key, value) in
        [("node_name", "me"), ("subject", "till-3"), ("action", "call"), ("name", "words")]
    {
        assert_eq!(denied[key], value, "{denied}");
    }
}

#[test]
fn what_a_node_may_not_offer_is_in_no_listing_of_who_has_the_list() {
    let house = House::new();
    let rule = "[[access]]\nwho = \"anyone\"\nmay = [\"offer\", \"call\"]\non = \"words\"\n";
    let config = file(&house, "homing.toml", rule).display().to_string();
    let _words = house.serve(&["words", "--reply", "yes", "--config", &config]);
    let _gold = house.serve(&["gold", "--reply", "fool's"]);
    let names = |arguments: &str| -> Vec<String> {
        let listed = house.run(arguments).json();
        let services = listed.as_array().unwrap().iter();
        services.map(|service| service["service"].as_str().unwrap().to_owned()).collect()
    };
    // Whichever of the two is asked may not have heard of the other yet.
    let begun = Instant::now();
    while names("ls --json") != ["gold", "words"] {
        assert!(begun.elapsed() < PATIENCE, "both are listed");
    }
    let lawful = || names(&format!("ls --json --config {config}"));
    while lawful() != ["words"] {
        assert!(begun.elapsed() < PATIENCE, "words are listed, and nothing else");
    }
    house.run(&format!("call gold -n --no-wait --config {config}")).failed(15, "NOT_FOUND");
    house.run(&format!("call words -n --config {config}")).printed("yes");
}

#[test]
fn a_mistake_in_the_configuration_is_named_with_its_line() {
    let house = House::new();
    let config = file(&house, "homing.toml", "mesh = \"a\"\nmush = \"b\"\n");
    let list = format!("ls --config {}", config.display());
    house.run(&list).failed(2, "line 2: there is no setting mush");
    fs::set_permissions(&config, Permissions::from_mode(0o666)).unwrap();
    house.run(&list).failed(2, "chmod go-w makes it safe");
    let path = config.display().to_string();
    let from_environment = house.homing("ls").env("HOMING_CONFIG", path).output().unwrap();
    super::house::Ran::from(from_environment).failed(2, "chmod go-w");
    house.run("ls --token-file nowhere").failed(2, "nowhere");
}

#[test]
fn a_token_says_what_it_says_and_who_vouches_for_it() {
    let house = House::new();
    let (key, _) = shop(&house);
    let (file, issuer) = (house.file("issuer.key"), key.issuer().to_string());
    let node = "0a1b2c3d4e5f60718293a4b5c6d7e8f9";
    let new = format!("token new --key {} --subject till-3", file.display());
    let token = house.run(&format!("{new} --claim team=shop --for {node} --lifetime 1h")).stdout;
    let shown = house.run_with("token show -", token.as_bytes());
    for line in
        ["subject till-3", "claim   team=shop", &format!("for     {node}"), "state   not checked"]
    {
        assert!(shown.stdout.contains(line), "{}", shown.stdout);
    }
    let shown = house.run(&format!("token show {} --issuer {issuer}", token.trim()));
    assert!(shown.stdout.contains("state   valid"), "{}", shown.stdout);
    let other = IssuerKey::generate().issuer();
    let shown = house.run(&format!("token show {} --issuer {other}", token.trim()));
    assert_eq!(shown.code, Some(26), "{}", shown.stderr);
    house.run("token show nonsense").failed(26, "it is no token");
    house.run(&format!("{new} --lifetime 25h")).failed(2, "a token lives for 1 s to 24 hours");
    house.run(&format!("token key {}", file.display())).failed(1, "File exists");
    fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
    house.run(&new).failed(2, "may be used by others (mode 644): chmod 600");
}
