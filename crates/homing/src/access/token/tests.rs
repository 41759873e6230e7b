//! Does a token count when it should, and never otherwise?

use super::*;
use proptest::prelude::*;

fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_hours(500_000)
}

/// Signs this JSON as it stands.
fn signed(key: &IssuerKey, json: &str) -> String {
    key.sign(json.as_bytes()).unwrap()
}

/// What becomes of a token that was issued then, for so long.
fn check(issued: i64, life: u64, expect: Result<(), &str>) {
    let key = IssuerKey::generate();
    let shift = Duration::from_secs(issued.unsigned_abs());
    let issued = if issued < 0 { now() - shift } else { now() + shift };
    let draft = Draft::new("me").issued(issued).life(Duration::from_secs(life));
    let read = Claims::verify(&draft.sign(&key).unwrap(), &[key.issuer()], now());
    assert_eq!(read.map(drop).map_err(|bad| bad.to_string()), expect.map_err(str::to_owned));
}

#[test]
fn a_token_counts_in_its_time_and_a_little_around_it() {
    check(0, 900, Ok(()));
    check(-900, 900, Ok(()));
    check(-930, 900, Ok(()));
    check(-931, 900, Err("it expired at 2027-01-15T07:59:29Z: make a new one"));
    check(30, 900, Ok(()));
    check(31, 900, Err("it is not valid before 2027-01-15T08:00:31Z: wait, or set the clocks"));
}

#[test]
fn only_a_believed_issuer_counts() {
    let (key, other) = (IssuerKey::generate(), IssuerKey::generate());
    let token = Draft::new("me").issued(now()).sign(&key).unwrap();
    let both = [other.issuer(), key.issuer()];
    assert!(Claims::verify(&token, &both, now()).is_ok());
    assert_eq!(Claims::verify(&token, &both[..1], now()), Err(BadToken::Issuer));
    assert_eq!(Claims::verify(&token, &[], now()), Err(BadToken::Issuer));
    assert_eq!(Claims::unverified(&token).unwrap().subject(), "me");
}

#[test]
fn a_changed_token_does_not_count_whichever_sign_was_changed() {
    let key = IssuerKey::generate();
    let token = Draft::new("me").claim("team", "shop").issued(now()).sign(&key).unwrap();
    // The last sign has bits that are not used; all others have none.
    for at in 0..token.len() - 1 {
        let other = if token.as_bytes()[at] == b'A' { "B" } else { "A" };
        let changed = format!("{}{other}{}", &token[..at], &token[at + 1..]);
        assert!(Claims::verify(&changed, &[key.issuer()], now()).is_err(), "{at}");
    }
    for end in 0..token.len() {
        assert!(Claims::verify(&token[..end], &[key.issuer()], now()).is_err(), "{end}");
    }
}

#[test]
fn it_says_what_it_was_made_to_say() {
    let key = IssuerKey::generate();
    let node = NodeId::from_bytes([7; 16]);
    let draft = Draft::new("me").claim("team", "shop").bound_to(node).issued(now());
    let claims = Claims::unverified(&draft.sign(&key).unwrap()).unwrap();
    assert_eq!((claims.subject(), claims.node()), ("me", Some(node)));
    assert_eq!(claims.iter().collect::<Vec<_>>(), [("team", "shop")]);
    assert_eq!((claims.not_before(), claims.expires()), (now(), now() + TOKEN_TIME));
    assert_eq!(claims.get("sub"), None, "what has a meaning of its own is no claim of the user's");
}

#[test]
fn what_is_signed_must_also_make_sense() {
    let key = IssuerKey::generate();
    let whole = r#"{"sub":"me","iat":"2027-01-15T08:00:00Z","exp":"2027-01-15T09:00:00Z"}"#;
    for (json, expect) in [
        (whole.to_owned(), None),
        (whole.replace("sub", "x"), Some(BadToken::Claim("sub"))),
        (whole.replace("me", ""), Some(BadToken::Claim("sub"))),
        (whole.replace("exp", "x"), Some(BadToken::Claim("exp"))),
        (whole.replace("2027-01-15T09", "soon"), Some(BadToken::Claim("exp"))),
        (whole.replace("iat", "x"), Some(BadToken::Claim("iat"))),
        (whole.replace('{', r#"{"for":"me","#), Some(BadToken::Claim("for"))),
        (whole.replace('{', r#"{"for":7,"#), Some(BadToken::Claim("for"))),
        (whole.replace('{', r#"{"nbf":7,"#), Some(BadToken::Claim("nbf"))),
        (whole.replace("2027-01-15T09", "2027-01-16T09"), Some(BadToken::LivesLong)),
        (whole.replace("2027-01-15T09", "9999-01-15T09"), Some(BadToken::Claim("exp"))),
        ("[]".to_owned(), Some(BadToken::Foreign)),
    ] {
        let read = Claims::verify(&signed(&key, &json), &[key.issuer()], now());
        assert_eq!(read.err(), expect, "{json}");
    }
}

#[test]
fn a_token_that_cannot_be_is_not_made() {
    let key = IssuerKey::generate();
    let long = "x".repeat(TOKEN_MAX);
    for (draft, expect) in [
        (Draft::new(""), "a token is about somebody: give it a subject"),
        (Draft::new("a").life(Duration::ZERO), "a token lives for 1 s to 24 hours, not 0ns"),
        (
            Draft::new("a").life(TOKEN_TIME_MAX * 2),
            "a token lives for 1 s to 24 hours, not 172800s",
        ),
        (
            Draft::new("a").claim("exp", "x"),
            "the claim \"exp\" has a meaning of its own: give it another name",
        ),
    ] {
        assert_eq!(draft.sign(&key).unwrap_err().to_string(), expect);
    }
    assert!(matches!(Draft::new("a").claim("b", &long).sign(&key), Err(BadDraft::TooLong(_))));
    let too_long = format!("v4.public.{long}");
    assert_eq!(Claims::unverified(&too_long), Err(BadToken::TooLong(too_long.len())));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn no_text_makes_reading_panic(text in ".{0,600}", inner in ".{0,200}") {
        let _ = Claims::unverified(&text);
        let key = IssuerKey::generate();
        if let Some(token) = key.sign(inner.as_bytes()) {
            let _ = Claims::verify(&token, &[key.issuer()], now());
        }
    }
}
