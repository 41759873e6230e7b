//! Does a gate say yes and no, and does what it says hold no longer than it should?

use super::super::{Draft, IssuerKey};
use super::*;
use std::cell::Cell;
use std::time::Duration;

thread_local! {
    static NOW: Cell<u64> = const { Cell::new(1_800_000_000) };
}

fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(NOW.get())
}

fn wait(seconds: u64) {
    NOW.set(NOW.get() + seconds);
}

const ME: NodeId = NodeId::from_bytes([9; 16]);
const PEER: NodeId = NodeId::from_bytes([1; 16]);

const LIST: &str = r#"
[[access]]
who = "claim:team=shop"
may = ["call", "offer"]
on = "words"

[[access]]
who = "anyone"
may = "call"
on = "motd"
"#;

fn gate(key: &IssuerKey) -> Gate {
    let gate = Gate { now, ..Gate::new(ME, vec![key.issuer()], None) };
    gate.set_list(Some(LIST.parse().unwrap()));
    gate
}

fn shop(key: &IssuerKey) -> String {
    Draft::new("till-3").claim("team", "shop").issued(now()).sign(key).unwrap()
}

/// What a call of this service by that node with that token comes to: the subject that is believed, or the refusal.
fn call(gate: &Gate, node: NodeId, token: Option<&str>, name: &str) -> String {
    let who = Who { node, token, origin: None };
    match gate.check_call(&who, ("default", name), || None) {
        Ok(claims) => claims.map_or_else(|| "yes".into(), |claims| claims.subject().to_owned()),
        Err(status) => status.to_string(),
    }
}

#[test]
fn a_token_opens_what_is_closed_without() {
    let key = IssuerKey::generate();
    let gate = gate(&key);
    let token = shop(&key);
    for _ in 0..2 {
        assert_eq!(call(&gate, PEER, Some(&token), "words"), "till-3");
        assert_eq!(call(&gate, PEER, Some(&token), "motd"), "till-3");
        assert_eq!(call(&gate, PEER, None, "motd"), "yes");
        assert_eq!(
            call(&gate, PEER, None, "words"),
            "UNAUTHENTICATED: node 01010101 may not call words in namespace default without a token: \
             give one by --token-file or HOMING_TOKEN"
        );
        assert_eq!(
            call(&gate, PEER, Some(&token), "gold"),
            "PERMISSION_DENIED: node 01010101 (till-3) may not call gold in namespace default: \
             whoever runs the node that says so has to allow it in its access list"
        );
    }
    assert_eq!(gate.stats(), RefusalStats { denied: 2, unauthenticated: 2, unlogged: 0 });
}

#[test]
fn what_was_decided_ends_with_the_token() {
    let key = IssuerKey::generate();
    let gate = gate(&key);
    let token = shop(&key);
    assert_eq!(call(&gate, PEER, Some(&token), "words"), "till-3");
    wait(929);
    assert_eq!(call(&gate, PEER, Some(&token), "words"), "till-3");
    wait(2);
    let refused = call(&gate, PEER, Some(&token), "words");
    assert!(refused.starts_with("UNAUTHENTICATED: node 01010101 may not call words"), "{refused}");
    assert!(refused.contains("its token does not count: it expired at"), "{refused}");
    assert_eq!(call(&gate, PEER, Some(&token), "motd"), "yes", "open to all, and no claims");
}

#[test]
fn a_token_that_is_not_valid_yet_is_when_its_time_comes() {
    let key = IssuerKey::generate();
    let gate = gate(&key);
    let later = now() + Duration::from_secs(100);
    let draft = Draft::new("till-3").claim("team", "shop").issued(later);
    let token = draft.sign(&key).unwrap();
    assert!(call(&gate, PEER, Some(&token), "words").contains("not valid before"));
    wait(71);
    assert_eq!(call(&gate, PEER, Some(&token), "words"), "till-3");
}

#[test]
fn another_list_decides_at_once() {
    let key = IssuerKey::generate();
    let gate = gate(&key);
    assert_eq!(call(&gate, PEER, None, "motd"), "yes");
    gate.set_list(Some(AccessList::default()));
    assert!(call(&gate, PEER, None, "motd").starts_with("PERMISSION_DENIED"));
    gate.set_list(None);
    assert_eq!(call(&gate, PEER, None, "gold"), "yes");
}

#[test]
fn a_node_may_do_with_itself_what_it_likes_but_its_bridge_may_not() {
    let gate = gate(&IssuerKey::generate());
    assert_eq!(call(&gate, ME, None, "gold"), "yes");
    let who = Who { origin: Some("bridge:cote"), ..Who::node(ME) };
    let refused = gate.check_call(&who, ("default", "gold"), || None).unwrap_err().to_string();
    assert!(
        refused.starts_with("PERMISSION_DENIED: bridge:cote behind node 09090909 may"),
        "{refused}"
    );
}

#[test]
fn a_bridge_is_let_through_by_its_own_token_which_says_nothing_of_who_is_behind_it() {
    let key = IssuerKey::generate();
    let gate = gate(&key);
    let list = "[[access]]\nwho = \"bridge:cote@claim:role=bridge\"\nmay = [\"call\", \"offer\"]\non = \"gold\"\n";
    gate.set_list(Some(list.parse().unwrap()));
    let draft = Draft::new("b").claim("role", "bridge").issued(now()).bound_to(PEER);
    let token = draft.sign(&key).unwrap();
    let ask = |node, token| {
        let who = Who { node, token, origin: Some("bridge:cote") };
        gate.check_call(&who, ("default", "gold"), || None).map_err(|status| status.to_string())
    };
    let refused = ask(PEER, None).unwrap_err();
    assert!(refused.starts_with("UNAUTHENTICATED: bridge:cote behind node 01010101"), "{refused}");
    assert_eq!(ask(PEER, Some(&token)), Ok(None), "no claims: they are the bridge's");
    let thief = ask(NodeId::from_bytes([2; 16]), Some(&token)).unwrap_err();
    assert!(thief.contains("it is bound to node 01010101"), "{thief}");
    let offer = |token| {
        let who = Who { node: PEER, token, origin: Some("bridge:cote") };
        gate.authorize(&who, Action::Offer, "default", "gold").is_ok()
    };
    assert_eq!((offer(Some(&token)), offer(None)), (true, false));
}

#[test]
fn a_bound_token_is_its_nodes_alone_and_only_such_a_one_offers() {
    let key = IssuerKey::generate();
    let gate = gate(&key);
    let draft = Draft::new("till-3").claim("team", "shop").issued(now());
    let bound = draft.clone().bound_to(PEER).sign(&key).unwrap();
    let unbound = draft.sign(&key).unwrap();
    let other = NodeId::from_bytes([2; 16]);
    assert_eq!(call(&gate, PEER, Some(&bound), "words"), "till-3");
    assert!(call(&gate, other, Some(&bound), "words").contains("it is bound to node 01010101"));
    let offer = |node, token| {
        let who = Who { node, token: Some(token), origin: None };
        gate.authorize(&who, Action::Offer, "default", "words").map_err(|status| status.message)
    };
    assert_eq!(offer(PEER, &bound), Ok(()));
    assert!(offer(PEER, &unbound).unwrap_err().contains("it is bound to no node"));
    assert!(offer(other, &bound).unwrap_err().contains("it is bound to node 01010101"));
}

#[test]
fn only_a_bound_token_listens_and_its_refusal_is_told_once() {
    let key = IssuerKey::generate();
    let gate = gate(&key);
    let list = "[[access]]\nwho = \"claim:team=shop\"\nmay = \"subscribe\"\non = \"news.**\"\n";
    gate.set_list(Some(list.parse().unwrap()));
    let draft = Draft::new("till-3").claim("team", "shop").issued(now());
    let bound = draft.clone().bound_to(PEER).sign(&key).unwrap();
    let unbound = draft.sign(&key).unwrap();
    let listen = |token: &str, pattern| {
        let who = Who { node: PEER, token: Some(token), origin: None };
        let asked = gate.authorize(&who, Action::Subscribe, "default", pattern);
        asked.map_err(|status| status.message)
    };
    for _ in 0..2 {
        assert_eq!(listen(&bound, "news.*"), Ok(()));
        assert_eq!(listen(&bound, "news.**"), Ok(()));
        assert!(listen(&bound, "**").unwrap_err().contains("may not subscribe to ** in namespace"));
        assert!(listen(&unbound, "news.*").unwrap_err().contains("it is bound to no node"));
    }
    assert_eq!(gate.stats(), RefusalStats { denied: 1, unauthenticated: 1, unlogged: 0 });
}

#[test]
fn who_publishes_is_judged_until_its_token_ends_and_its_refusal_is_told_once() {
    let key = IssuerKey::generate();
    let gate = gate(&key);
    let list = "[[access]]\nwho = \"claim:team=shop\"\nmay = \"publish\"\non = \"news.**\"\n";
    gate.set_list(Some(list.parse().unwrap()));
    let token = shop(&key);
    let publish = |token: Option<&str>, origin, topic| {
        let who = Who { node: PEER, token, origin };
        let asked = gate.check_publish(&who, ("default", topic), || None);
        asked.map_err(|status| status.to_string())
    };
    for _ in 0..3 {
        assert_eq!(publish(Some(&token), None, "news.today"), Ok(()), "bound to nobody");
        let refused = publish(Some(&token), None, "orders.new").unwrap_err();
        assert!(
            refused.contains("may not publish to orders.new in namespace default"),
            "{refused}"
        );
        assert!(publish(None, None, "news.today").unwrap_err().contains("without a token"));
        assert!(publish(Some(&token), Some("bridge:cote"), "news.today").is_err());
    }
    assert_eq!(gate.stats(), RefusalStats { denied: 2, unauthenticated: 1, unlogged: 0 });
    wait(931);
    for _ in 0..3 {
        assert!(publish(Some(&token), None, "news.today").unwrap_err().contains("it expired at"));
    }
    assert_eq!(gate.stats().unauthenticated, 2);
}

#[test]
fn what_is_no_token_is_refused_as_such_where_it_matters() {
    let gate = gate(&IssuerKey::generate());
    assert!(call(&gate, PEER, Some("?"), "words").contains("it is no token"));
    let long = "x".repeat(4_000);
    assert!(call(&gate, PEER, Some(&long), "words").contains("4000 bytes, at most 512"));
    assert_eq!(call(&gate, PEER, Some("?"), "motd"), "yes");
}

#[test]
fn claims_are_read_where_there_is_no_list() {
    let key = IssuerKey::generate();
    let gate = Gate { now, ..Gate::new(ME, vec![key.issuer()], None) };
    assert_eq!(call(&gate, PEER, Some(&shop(&key)), "gold"), "till-3");
    assert_eq!(call(&gate, PEER, Some("?"), "gold"), "yes");
}
