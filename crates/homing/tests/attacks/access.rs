//! And who is of the mesh, where a list says who may do what? It offers what is another's, and shows tokens that do not
//! count.

use super::bystander::{Victim, call_once, check_own, rest, until, visitor, within_reach};
use super::insider::listing;
use homing::access::{Draft, IssuerKey};
use homing::{Code, Config, Context, Node, NodeId, Payload, TokenSource};
use std::path::Path;
use std::time::{Duration, SystemTime};
use tempfile::TempDir;

/// The id that a node with this file will have.
fn id_of(file: &Path) -> NodeId {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let node = Node::join(within_reach(Config::isolated()).identity(file)).await.unwrap();
        let id = node.info().id;
        node.close_now().await;
        id
    })
}

#[test]
fn who_offers_in_anothers_name_is_not_listed_and_callers_go_on_to_the_other() {
    let files = TempDir::new().unwrap();
    let identity = files.path().join("identity");
    let id = id_of(&identity);
    let mut config = Config::isolated();
    let list = format!(
        "[[access]]\nwho = \"anyone\"\nmay = \"call\"\non = \"*\"\n\
         [[access]]\nwho = \"node:{id}\"\nmay = \"offer\"\non = \"echo\"\n"
    );
    config.access = Some(list.parse().unwrap());
    let own = |config: Config| config.identity(&identity);
    let outcome = check_own(config, own, async |victim| {
        let mut lawless = victim.config.clone();
        lawless.access = None;
        let thief = Node::join(lawless).await.unwrap();
        let answer = |_: Payload, _: Context| async move { Ok(Payload::raw("stolen")) };
        let _offer = thief.responder("echo@1.0.0").serve_raw(answer).await.unwrap();
        until(async || victim.node.stats().await.registry.refused >= 1).await;
        let caller = Node::join(visitor(victim)).await.unwrap();
        until(async || caller.nodes().await.iter().any(|node| node.id == thief.info().id)).await;
        until(async || caller.stats().await.registry.refused >= 1).await;
        for _ in 0..50 {
            // It fails on any other answer than the victim's.
            call_once(&caller).await;
        }
        for node in [&victim.node, &caller] {
            assert_eq!(listing(node), [("echo".to_owned(), vec![id])]);
        }
        // Who has no list sees both: the offer is there.
        until(async || listing(&thief).iter().any(|(_, nodes)| nodes.len() == 2)).await;
        caller.close_now().await;
        thief.close_now().await;
    });
    assert!(outcome.stats.registry.refused >= 1, "{:?}", outcome.stats.registry);
}

const BY_CLAIM: &str = r#"
[[access]]
who = "claim:team=shop"
may = "call"
on = "echo"

[[access]]
who = "anyone"
may = "offer"
on = "*"
"#;

/// What the victim's audit log says, line by line.
fn audited(file: &Path) -> Vec<serde_json::Value> {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    whole.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Calls the victim with this token, and with none where there is none; what came of it.
async fn call_with(node: &Node, token: Option<&str>) -> Result<(), Code> {
    let requester = node.requester().timeout(Duration::from_secs(5));
    let requester = match token {
        Some(token) => requester.token(token),
        None => requester,
    };
    let callee = requester.build().to("echo").unwrap();
    let called = callee.call_raw(Payload::raw("let me in")).await;
    called.map(drop).map_err(|error| error.code())
}

/// Calls with a token that does not count, which the victim's log gives this reason for.
#[track_caller]
fn does_not_count(token: impl Fn(&IssuerKey, &Victim) -> Option<String>, why: &str) {
    let (files, key) = (TempDir::new().unwrap(), IssuerKey::generate());
    let log = files.path().join("audit");
    let draft = || Draft::new("till-3").claim("team", "shop");
    let mut config = Config::isolated();
    config.token = Some(TokenSource::Text(draft().sign(&key).unwrap()));
    let own = |mut config: Config| {
        config.access = Some(BY_CLAIM.parse().unwrap());
        config.issuers = vec![key.issuer()];
        config.audit = Some(log.clone());
        config
    };
    check_own(config, own, async |victim| {
        let mut config = visitor(victim);
        config.token = None;
        let node = Node::join(config).await.unwrap();
        let (id, before) = (node.info().id.to_string(), victim.node.refusals().unauthenticated);
        for _ in 0..10 {
            let called = call_with(&node, token(&key, victim).as_deref()).await;
            assert_eq!(called, Err(Code::Unauthenticated));
            // The log takes 100 lines in a second; of the others it says how many.
            rest(Duration::from_millis(15)).await;
        }
        assert_eq!(victim.node.refusals().unauthenticated, before + 10);
        let is_told = |line: &serde_json::Value| {
            line["node"] == id
                && line["code"] == "UNAUTHENTICATED"
                && line["why"].as_str().is_some_and(|text| text.contains(why))
        };
        until(async || audited(&log).iter().filter(|line| is_told(line)).count() == 10).await;
        assert_eq!(call_with(&node, Some(&draft().sign(&key).unwrap())).await, Ok(()));
        node.close_now().await;
    });
}

fn shop() -> Draft {
    Draft::new("till-4").claim("team", "shop")
}

#[test]
fn a_call_without_a_token_is_unauthenticated_and_logged() {
    does_not_count(|_, _| None, "without a token");
}

#[test]
fn a_token_by_another_issuer_is_unauthenticated_and_logged() {
    let other = IssuerKey::generate();
    does_not_count(|_, _| Some(shop().sign(&other).unwrap()), "no issuer");
}

#[test]
fn a_token_changed_in_one_letter_is_unauthenticated_and_logged() {
    let changed = |key: &IssuerKey, _: &Victim| {
        let mut token = shop().sign(key).unwrap().into_bytes();
        let middle = token.len() / 2;
        token[middle] = if token[middle] == b'A' { b'B' } else { b'A' };
        Some(String::from_utf8(token).unwrap())
    };
    does_not_count(changed, "no issuer");
}

#[test]
fn an_expired_token_is_unauthenticated_and_logged() {
    let hour = Duration::from_hours(1);
    let expired = |key: &IssuerKey, _: &Victim| {
        Some(shop().issued(SystemTime::now() - 2 * hour).life(hour).sign(key).unwrap())
    };
    does_not_count(expired, "it expired at");
}

#[test]
fn another_nodes_token_is_unauthenticated_and_logged() {
    let bound = |key: &IssuerKey, victim: &Victim| {
        Some(shop().bound_to(victim.node.info().id).sign(key).unwrap())
    };
    does_not_count(bound, "it is bound to node");
}
