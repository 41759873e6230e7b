//! Does an access list decide who calls and who offers, from one moment to the next?

use crate::house::{config, join, know, ready, until};
use homing::access::{Draft, IssuerKey};
use homing::testing::Network;
use homing::{AccessList, Balancer, Code, Context, Node, Replies, TokenSource};
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

const LIST: &str = r#"
[[access]]
who = "claim:team=shop"
may = "call"
on = "words"

[[access]]
who = "bridge:cote@claim:role=bridge"
may = "call"
on = "legacy*"

[[access]]
who = "anyone"
may = ["call", "offer"]
on = "motd"
"#;

/// A server that has the list and believes the issuer, and a client who has nothing.
async fn guarded(seed: u64) -> (Network, Node, Node, IssuerKey) {
    let network = Network::new(seed);
    let key = IssuerKey::generate();
    let mut wish = config(&network, "server");
    wish.access = Some(LIST.parse().unwrap());
    wish.issuers = vec![key.issuer()];
    let server = Node::join(wish).await.unwrap();
    let subject = |(): (), context: Context| async move {
        context.claims().map_or_else(|| "nobody".to_owned(), |claims| claims.subject().to_owned())
    };
    for service in ["words", "motd", "legacy.a"] {
        server.serve(service, subject).await.unwrap();
    }
    let client = join(&network, "client").await;
    for service in ["words", "motd", "legacy.a"] {
        know(&client, service, 1).await;
    }
    (network, server, client, key)
}

/// What a call comes to: the answer, or the code.
async fn call(requester: &homing::Requester, service: &str) -> Result<String, Code> {
    requester.call(service, &()).await.map_err(|error| error.code())
}

#[tokio::test(start_paused = true)]
async fn a_call_is_judged_by_who_makes_it() {
    let (_network, server, client, key) = guarded(1).await;
    let token = |draft: Draft| draft.sign(&key).unwrap();
    let plain = client.requester().build();
    let shop = client.requester().token(token(Draft::new("till-3").claim("team", "shop"))).build();
    let other = client.requester().token(token(Draft::new("till-4").claim("team", "bar"))).build();
    let carrier = token(Draft::new("gate").claim("role", "bridge"));
    let bridge = client.requester().token(carrier.clone()).bridge("cote").build();
    let liar = client.requester().bridge("cote").build();
    let itself = client.requester().token(carrier).build();
    let themselves = server.requester().build();
    for _ in 0..2 {
        assert_eq!(call(&plain, "words").await, Err(Code::Unauthenticated));
        assert_eq!(call(&plain, "legacy.a").await, Err(Code::PermissionDenied));
        assert_eq!(call(&plain, "motd").await.as_deref(), Ok("nobody"));
        assert_eq!(call(&shop, "words").await.as_deref(), Ok("till-3"));
        assert_eq!(call(&shop, "motd").await.as_deref(), Ok("till-3"));
        assert_eq!(call(&other, "words").await, Err(Code::PermissionDenied));
        assert_eq!(call(&bridge, "legacy.a").await.as_deref(), Ok("nobody"));
        assert_eq!(call(&bridge, "motd").await, Err(Code::PermissionDenied));
        assert_eq!(call(&liar, "legacy.a").await, Err(Code::Unauthenticated));
        assert_eq!(call(&itself, "legacy.a").await, Err(Code::PermissionDenied));
        assert_eq!(call(&themselves, "legacy.a").await.as_deref(), Ok("nobody"));
    }
    let refused = server.refusals();
    assert_eq!((refused.unauthenticated, refused.denied), (4, 8));
}

#[tokio::test(start_paused = true)]
async fn a_stream_is_judged_as_a_call_is() {
    let (_network, _server, client, key) = guarded(5).await;
    let token = Draft::new("till-3").claim("team", "shop").sign(&key).unwrap();
    let shop = client.requester().token(token).build();
    let mut answer: Replies<String> = shop.to("words").unwrap().stream(&());
    assert_eq!(answer.next().await.unwrap().unwrap(), "till-3");
    let plain = client.requester().build();
    let mut refused: Replies<String> = plain.to("words").unwrap().stream(&());
    assert_eq!(refused.next().await.unwrap().unwrap_err().code(), Code::Unauthenticated);
    let (_requests, mut refused) = plain.to("words").unwrap().open::<(), String>().await.unwrap();
    assert_eq!(refused.next().await.unwrap().unwrap_err().code(), Code::Unauthenticated);
}

#[tokio::test(start_paused = true)]
async fn an_offer_is_seen_where_its_owner_may_make_it() {
    let (network, server, client, _key) = guarded(2).await;
    client.serve("motd", |(): ()| async move {}).await.unwrap();
    client.serve("gold", |(): ()| async move {}).await.unwrap();
    know(&server, "motd", 2).await;
    let third = join(&network, "third").await;
    know(&third, "gold", 1).await;
    assert_eq!(ready(&server, "gold"), 0);
    let by_claim = "[[access]]\nwho = \"claim:role=miner\"\nmay = \"offer\"\non = \"gold\"\n";
    server.set_access(Some(by_claim.parse::<AccessList>().unwrap()));
    until("no longer what only the old list allowed", || async {
        (ready(&server, "motd") == 1).then_some(())
    })
    .await;
    assert_eq!(ready(&server, "gold"), 0, "nobody has shown a token");
    server.set_access(None);
    know(&server, "gold", 1).await;
}

#[tokio::test(start_paused = true)]
async fn a_node_offers_by_a_token_that_is_bound_to_it_and_renewed_in_its_file() {
    let network = Network::new(4);
    let (dir, key) = (tempfile::tempdir().unwrap(), IssuerKey::generate());
    let path = dir.path().join("token");
    let write = |draft: Draft| {
        let token = draft.claim("role", "miner").sign(&key).unwrap();
        std::fs::write(&path, token).unwrap();
        std::fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    };
    let mut wish = config(&network, "server");
    let by_claim = "[[access]]\nwho = \"claim:role=miner\"\nmay = \"offer\"\non = \"gold\"\n";
    wish.access = Some(by_claim.parse().unwrap());
    wish.issuers = vec![key.issuer()];
    let server = Node::join(wish).await.unwrap();
    write(Draft::new("m"));
    let mut wish = config(&network, "miner");
    wish.token = Some(TokenSource::File(path.clone()));
    let miner = Node::join(wish).await.unwrap();
    miner.serve("gold", |(): ()| async move {}).await.unwrap();
    let third = join(&network, "third").await;
    know(&third, "gold", 1).await;
    assert_eq!(ready(&server, "gold"), 0, "the token is bound to nobody");
    write(Draft::new("miner").bound_to(miner.info().id));
    know(&server, "gold", 1).await;
}

#[tokio::test(start_paused = true)]
async fn what_was_refused_is_refused_by_each_node_for_itself_and_at_once() {
    let (_network, server, client, _key) = guarded(3).await;
    let plain = client.requester().build();
    assert_eq!(call(&plain, "motd").await.as_deref(), Ok("nobody"));
    server.set_access(Some(AccessList::default()));
    let start = tokio::time::Instant::now();
    assert_eq!(call(&plain, "motd").await, Err(Code::PermissionDenied));
    assert!(start.elapsed() < Duration::from_millis(100), "nobody waits for another instance");
}

#[tokio::test(start_paused = true)]
async fn who_may_not_call_is_given_no_slot_either() {
    let (_network, _server, client, key) = guarded(9).await;
    let token = Draft::new("till-3").claim("team", "shop").sign(&key).unwrap();
    let slots = || client.requester().balancer(Balancer::Slots);
    let (plain, shop) = (slots().build(), slots().token(token).build());
    assert_eq!(call(&plain, "words").await, Err(Code::Unauthenticated));
    assert_eq!(call(&plain, "legacy.a").await, Err(Code::PermissionDenied));
    assert_eq!(plain.slots(), []);
    assert_eq!(call(&shop, "words").await.as_deref(), Ok("till-3"));
    assert!(!shop.slots().is_empty());
}
