//! Does a list allow what it says, and nothing else?

use super::super::{Draft, IssuerKey};
use super::*;
use std::time::SystemTime;

const LIST: &str = r#"
[[access]]
who = "claim:team=shop"
may = "call"
on = ["words", "price*"]

[[access]]
who = ["node:0a0A0a0a", "subject:till-3"]
may = ["call", "offer"]
on = "gold"
namespaces = "ns-*"

[[access]]
who = "bridge:cote"
may = ["call", "publish"]
on = "legacy.**"

[[access]]
who = "anyone"
may = ["subscribe", "submit"]
on = ["news.*", "jobs"]
"#;

/// Asks the list: `WHO ACTION NAME [NAMESPACE]`. WHO is node:BYTE, claim:…, subject:… or bridge:….
fn ask(list: &str, question: &str) -> Verdict {
    let list: AccessList = list.parse().unwrap();
    let words: Vec<&str> = question.split(' ').collect();
    let claims = |draft: Draft| {
        let key = IssuerKey::generate();
        Claims::verify(&draft.sign(&key).unwrap(), &[key.issuer()], SystemTime::now()).unwrap()
    };
    let (kind, rest) = words[0].split_once(':').unwrap();
    let claims = match kind {
        "claim" => {
            rest.split_once('=').map(|(key, value)| claims(Draft::new("x").claim(key, value)))
        }
        "subject" => Some(claims(Draft::new(rest))),
        _ => None,
    };
    let byte = if kind == "node" { u8::from_str_radix(rest, 16).unwrap() } else { 1 };
    let asker = Asker {
        node: NodeId::from_bytes([byte; 16]),
        origin: (kind == "bridge" || kind == "foreign").then_some(words[0]),
        claims: claims.as_ref(),
    };
    let action = Action::ALL.into_iter().find(|action| action.name() == words[1]).unwrap();
    let namespace = words.get(3).copied().unwrap_or("default");
    list.judge(&asker, &Wish { action, namespace, name: words[2] })
}

#[track_caller]
fn check(list: &str, question: &str, expect: Verdict) {
    assert_eq!(ask(list, question), expect, "{question}");
}

#[test]
fn a_claim_of_a_token_allows() {
    check(LIST, "claim:team=shop call words", Verdict::Allowed);
    check(LIST, "claim:team=shop call price.now", Verdict::Allowed);
    check(LIST, "claim:team=shop call wordsmith", Verdict::Denied);
    check(LIST, "claim:team=shop offer words", Verdict::Denied);
    check(LIST, "claim:team=shops call words", Verdict::WithToken);
    check(LIST, "node:01 call words", Verdict::WithToken);
}

#[test]
fn a_node_and_a_subject_allow_where_their_rule_says() {
    check(LIST, "node:0a call gold ns-1", Verdict::Allowed);
    check(LIST, "node:0a offer gold ns-", Verdict::Allowed);
    check(LIST, "node:0a call gold", Verdict::Denied);
    check(LIST, "node:0b call gold ns-1", Verdict::WithToken);
    check(LIST, "subject:till-3 offer gold ns-1", Verdict::Allowed);
    check(LIST, "subject:till-4 offer gold ns-1", Verdict::WithToken);
}

#[test]
fn what_is_foreign_is_of_its_bridge_and_of_no_other_class() {
    check(LIST, "bridge:cote call legacy.x", Verdict::Allowed);
    check(LIST, "bridge:cote publish legacy.x.y", Verdict::Allowed);
    check(LIST, "bridge:cot call legacy.x", Verdict::Denied);
    check(LIST, "foreign:cote call legacy.x", Verdict::Denied);
    check(LIST, "bridge:cote subscribe news.a", Verdict::Denied);
    check(LIST, "bridge:cote call $describe", Verdict::Denied);
    check(LIST, "node:01 call legacy.x", Verdict::Denied);
}

#[test]
fn topics_are_read_by_segments_and_queues_by_signs() {
    check(LIST, "node:01 subscribe news.a", Verdict::Allowed);
    check(LIST, "node:01 subscribe news.a.b", Verdict::Denied);
    check(LIST, "node:01 subscribe news.**", Verdict::Denied);
    check(LIST, "node:01 publish news.a", Verdict::Denied);
    check(LIST, "node:01 submit jobs", Verdict::Allowed);
    check(LIST, "node:01 work jobs", Verdict::Denied);
}

#[test]
fn an_empty_list_allows_only_what_is_the_meshs_own() {
    check("", "node:01 call words", Verdict::Denied);
    check("", "node:01 call $describe", Verdict::Allowed);
}

#[test]
fn what_is_no_rule_is_refused_with_its_line() {
    let rule = "[[access]]\nwho = \"anyone\"\nmay = \"call\"\non = \"a\"\n";
    for (text, expect) in [
        (rule.replace("anyone", "all"), "line 2: \"all\" is nobody: it is node:ID"),
        (rule.replace("anyone", "node:0a0a"), "line 2: \"node:0a0a\" is no node: give 8 to 32"),
        (rule.replace("anyone", "claim:x"), "line 2: \"claim:x\" is no claim"),
        (rule.replace("anyone", "bridge:a b"), "line 2: \"bridge:a b\" is no bridge"),
        (
            rule.replace("\"call\"", "[\"call\",\n\"shout\"]"),
            "line 4: nobody can \"shout\": it is one of call, offer",
        ),
        (rule.replace("\"call\"", "[]"), "line 3: an empty list"),
        (rule.replace("\"a\"", "\"a b\""), "line 4: \"a b\" is no pattern of names"),
        (
            rule.replace("\"a\"", "7"),
            "line 4: invalid type: integer `7`, expected a text or a list of texts",
        ),
        (
            rule.replace("on =", "in ="),
            "line 4: unknown field `in`, expected one of `who`, `may`, `on`, `namespaces`",
        ),
        (rule.replace("on = \"a\"", ""), "line 1: missing field `on`"),
        (format!("{rule}mesh = \"x\""), "line 5: unknown field `mesh`"),
    ] {
        let error = text.parse::<AccessList>().unwrap_err().to_string();
        assert!(error.contains(expect), "{error}\n{text}");
    }
}
