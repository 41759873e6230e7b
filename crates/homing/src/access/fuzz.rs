//! What must hold of tokens and settings, whatever text they are?
//!
//! The functions are called by the targets in `fuzz/` and by the tests here, as those of `homing_core::fuzz` are. Only
//! built for tests and with the feature `fuzzing`.

use super::list::{Asker, Wish};
use super::{Claims, Draft, IssuerKey};
use crate::config::file::FileSettings;
use homing_core::authorize::Action;
use homing_core::id::NodeId;
use homing_core::limits::{TOKEN_LEEWAY, TOKEN_MAX};
use std::sync::OnceLock;
use std::time::{Duration, SystemTime};

/// Bytes as a token, and as what a believed issuer has signed: nobody else's word counts, nor a changed one; what counts
/// is about somebody, and its time is now; it says the same when it is signed again.
pub fn token(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = Claims::unverified(text);
        let believed = Claims::verify(text, &[keys()[1].issuer()], now());
        assert!(believed.is_err(), "a token that its issuer never signed: {believed:?}");
    }
    let Some(token) = keys()[0].sign(bytes) else { return };
    let issuers = keys().each_ref().map(IssuerKey::issuer);
    match Claims::verify(&token, &issuers, now()) {
        Ok(claims) => {
            assert!(token.len() <= TOKEN_MAX, "a token of {} bytes counts", token.len());
            assert!(!claims.subject().is_empty(), "a token about nobody");
            assert!(claims.not_before() <= now() + TOKEN_LEEWAY, "a token from the future");
            assert!(claims.expires() + TOKEN_LEEWAY >= now(), "a token from the past");
            says_the_same_when_signed_again(&claims);
        }
        Err(refused) => assert!(refused.to_string().len() < 1_024, "a long refusal: {refused}"),
    }
    let mut changed = token.into_bytes();
    let at = changed.len() * 3 / 4;
    changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
    let changed = String::from_utf8(changed).expect("a token is ASCII");
    assert!(Claims::verify(&changed, &issuers, now()).is_err(), "a changed token counts");
}

fn says_the_same_when_signed_again(claims: &Claims) {
    let mut draft = Draft::new(claims.subject()).issued(now());
    for (name, value) in claims.iter() {
        draft = draft.claim(name, value);
    }
    if let Some(node) = claims.node() {
        draft = draft.bound_to(node);
    }
    let Ok(token) = draft.sign(&keys()[1]) else { return }; // It got too long by what was added.
    let again = Claims::verify(&token, &[keys()[1].issuer()], now()).expect("it was signed now");
    assert_eq!((again.subject(), again.node()), (claims.subject(), claims.node()));
    assert!(again.iter().eq(claims.iter()), "{again:?} is not {claims:?}");
}

/// Text as a configuration file: what is not known is refused and not ignored, comments change nothing, and an access
/// list allows nothing to a foreign peer whose node it does not name.
pub fn config(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(settings) = FileSettings::parse(text) else { return };
    let unknown = FileSettings::parse(&format!("not_a_setting = 1\n{text}"));
    assert!(unknown.is_err(), "a setting that is ignored");
    let again = FileSettings::parse(&format!("# a comment\n{text}\n# another"));
    let again = again.expect("a comment changes nothing");
    assert_eq!(again.texts(), settings.texts(), "a comment changes something");
    assert_eq!(again.access, settings.access, "a comment changes something");
    let Some(list) = settings.access else { return };
    let node = NodeId::from_bytes([1; 16]);
    let carriers = text.to_ascii_lowercase();
    for action in Action::ALL {
        for origin in [None, Some("bridge:cote"), Some("nonsense")] {
            let verdict = |name| {
                let asker = Asker { node, origin, claims: None };
                list.judge(&asker, &Wish { action, namespace: "default", name })
            };
            let (words, own) = (verdict("words"), verdict("$mesh"));
            let allowed = |verdict| verdict == super::list::Verdict::Allowed;
            let is_foreign = origin.is_some();
            let is_call = action == Action::Call;
            assert!(
                is_foreign || !is_call || allowed(own),
                "a member may not ask for the mesh's own"
            );
            let names_bridges = carriers.contains(&format!("@node:{node}")) || text.contains('\\');
            assert!(
                !is_foreign || names_bridges || !(allowed(words) || allowed(own)),
                "{origin:?} may"
            );
        }
    }
}

/// The issuers: the first signs what is arbitrary, the second only what it made itself.
fn keys() -> &'static [IssuerKey; 2] {
    static KEYS: OnceLock<[IssuerKey; 2]> = OnceLock::new();
    KEYS.get_or_init(|| [IssuerKey::generate(), IssuerKey::generate()])
}

/// Always the same, so that a finding stays one.
fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_790_000_000)
}

/// Bytes that each target takes, by its name.
pub fn seeds() -> Vec<(&'static str, Vec<Vec<u8>>)> {
    let draft = Draft::new("till-3").claim("team", "shop").issued(now());
    let signed = draft.sign(&keys()[0]).expect("it is short and lives for minutes");
    let tokens = TOKENS.iter().map(|text| text.as_bytes().to_vec());
    let configs = CONFIGS.iter().map(|text| text.as_bytes().to_vec());
    vec![("token", tokens.chain([signed.into_bytes()]).collect()), ("config", configs.collect())]
}

const TOKENS: &[&str] = &[
    r#"{"sub":"till-3","iat":"2026-09-21T14:13:20Z","exp":"2026-09-21T14:23:20Z","team":"shop"}"#,
    r#"{"sub":"a","iat":"2026-09-21T14:13:20Z","nbf":"2026-09-21T14:13:20+01:00","exp":"2026-09-21T15:13:20.5Z","for":"000102030405060708090a0b0c0d0eff","level":7,"admin":true,"no":null}"#,
];

const CONFIGS: &[&str] = &[
    "mesh = \"shop\"\nnamespace = \"eu\"\nlisten = [\"127.0.0.1:0\", \"[::1]:7000\"]\nseeds = \"host:7000\"\nkey_file = \"k\"\n\
     audit = \"-\"\n",
    "[[access]]\nwho = [\"claim:team=shop\", \"node:0a1b2c3d4e5f60718293a4b5c6d7e8f9\"]\nmay = [\"call\", \"offer\"]\non = [\"words\", \"price*\"]\n\
     namespaces = \"ns-*\"\n[[access]]\nwho = \"bridge:cote@node:01010101010101010101010101010101\"\nmay = \"publish\"\non = \"legacy.**\"\n\
     [[access]]\nwho = \"anyone\"\nmay = \"subscribe\"\non = \"news.*\"\n",
];

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use proptest::test_runner::{Config, TestRunner};

    /// Runs a target over its seeds, and over them with a few bytes put in the place of others.
    #[track_caller]
    fn check(name: &str, target: fn(&[u8]), cases: u32) {
        let (_, seeds) = seeds().into_iter().find(|(found, _)| *found == name).unwrap();
        for seed in &seeds {
            target(seed);
        }
        let change = (any::<prop::sample::Index>(), 0_usize..4, "\\PC{0,4}");
        let changes = proptest::collection::vec(change, 0..4);
        let config = Config { cases, failure_persistence: None, ..Config::default() };
        let strategy = (prop::sample::select(seeds), changes);
        let outcome = TestRunner::new(config).run(&strategy, |(mut bytes, changes)| {
            for (at, removed, put) in changes {
                let at = at.index(bytes.len() + 1);
                let end = (at + removed).min(bytes.len());
                bytes.splice(at..end, put.bytes());
            }
            target(&bytes);
            Ok(())
        });
        outcome.unwrap();
    }

    /// Fewer than of others: signatures take their time without optimization.
    #[test]
    fn tokens_keep_their_promises() {
        check("token", token, 1_000);
    }

    #[test]
    fn settings_keep_their_promises() {
        check("config", config, 2_000);
    }
}
