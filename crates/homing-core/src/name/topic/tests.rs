//! What is a topic, and which patterns stand for it?

use proptest::prelude::*;
use std::fmt::Display;

use super::*;
use crate::name::pattern::plainly;

#[track_caller]
fn check<N: FromStr<Err = BadName> + Display>(rows: &[(&str, &str)]) {
    for (text, expect) in rows {
        let found =
            text.parse::<N>().map_or_else(|error| error.to_string(), |name| name.to_string());
        assert_eq!(&found, expect);
    }
}

const RIGHT: &str = "a letter, a digit or one of - _ . : $";

#[test]
fn a_topic_is_segments_between_dots() {
    check::<Topic>(&[
        ("orders", "orders"),
        ("orders.eu.created", "orders.eu.created"),
        ("Aa0-_:$.x$", "Aa0-_:$.x$"),
        ("", &format!(r#"topic "": it ends at byte 0, where {RIGHT} is missing"#)),
        (
            "a..b",
            r#"topic "a..b": at byte 2, a segment is empty, write something between two dots"#,
        ),
        (".a", r#"topic ".a": at byte 0, a segment is empty, write something between two dots"#),
        ("a.", r#"topic "a.": at byte 2, a segment is empty, write something between two dots"#),
        ("a.b c", &format!(r#"topic "a.b c": ' ' at byte 3 is wrong, right is {RIGHT}"#)),
        ("a.*", &format!(r#"topic "a.*": '*' at byte 2 is wrong, right is {RIGHT}"#)),
        ("$mesh.x", r#"topic "$mesh.x": at byte 0, a first $ is reserved to the mesh"#),
    ]);
    assert!("a".repeat(TOPIC_MAX).parse::<Topic>().is_ok());
    assert!("a".repeat(TOPIC_MAX + 1).parse::<Topic>().is_err());
}

#[test]
fn a_first_dollar_is_the_meshs_own() {
    let own = Topic::from_peer("$mesh.nodes").unwrap();
    assert!(own.is_reserved());
    assert_eq!(own.segments().collect::<Vec<_>>(), ["$mesh", "nodes"]);
    assert_eq!(Topic::from_peer("a.b"), "a.b".parse());
    assert!(TopicPattern::from_peer("$mesh.*").unwrap().matches(&own));
    assert!("$mesh.*".parse::<TopicPattern>().is_err());
    assert!("a.$b".parse::<TopicPattern>().unwrap().matches("a.$b"));
}

#[test]
fn a_foreign_topic_returns_as_it_came() {
    for (foreign, text) in [
        ("a.b", "a.b"),
        ("price list.eu", "price%20list.eu"),
        ("$a.$b", "%24a.$b"),
        ("a.zoë", "a.zo%C3%AB"),
    ] {
        let topic = Topic::escape_foreign(foreign).unwrap();
        assert_eq!(topic.as_str(), text);
        assert_eq!(topic.unescape(), foreign);
        assert_eq!(TopicPattern::from_peer(text), Ok(topic.into()));
    }
    assert!(Topic::escape_foreign("a..b").is_err());
    assert!("a.%24b".parse::<Topic>().is_err(), "needless");
    assert!("%24a.%FF".parse::<TopicPattern>().is_err(), "not UTF-8");
}

#[test]
fn a_star_inside_a_segment_is_refused() {
    let stars = "a segment is *, ** or has no * at all";
    check::<TopicPattern>(&[
        ("a.*.**", "a.*.**"),
        ("**", "**"),
        ("a.b*", &format!(r#"topic pattern "a.b*": at byte 3, {stars}"#)),
        ("a.***", &format!(r#"topic pattern "a.***": at byte 2, {stars}"#)),
        (
            "a.b/c",
            r#"topic pattern "a.b/c": '/' at byte 3 is wrong, right is a letter, a digit, one of - _ . : $ or a segment * or **"#,
        ),
        (
            "*.",
            r#"topic pattern "*.": at byte 2, a segment is empty, write something between two dots"#,
        ),
    ]);
}

#[test]
fn a_group_is_called_as_a_service_is() {
    check::<Group>(&[
        ("workers.eu", "workers.eu"),
        ("price%20list", "price%20list"),
        ("", &format!(r#"group "": it ends at byte 0, where {RIGHT} is missing"#)),
        ("a b", &format!(r#"group "a b": ' ' at byte 1 is wrong, right is {RIGHT}"#)),
        ("$a", r#"group "$a": at byte 0, a first $ is reserved to the mesh"#),
    ]);
}

#[test]
fn only_a_pattern_without_stars_is_a_topic() {
    assert_eq!("a.b".parse::<TopicPattern>().unwrap().as_topic(), "a.b".parse().ok());
    assert_eq!("a.**".parse::<TopicPattern>().unwrap().as_topic(), None);
}

#[test]
fn a_star_is_one_segment_and_two_are_any_number() {
    #[track_caller]
    fn check(pattern: &str, yes: &[&str], no: &[&str]) {
        let pattern: TopicPattern = pattern.parse().unwrap();
        for (topics, expect) in [(yes, true), (no, false)] {
            for topic in topics {
                assert_eq!(pattern.matches(*topic), expect, "{pattern} and {topic:?}");
                let topic: Topic = topic.parse().unwrap();
                assert_eq!(pattern.matches(&topic), expect, "{pattern} and {topic:?}");
            }
        }
    }
    check("a.b", &["a.b"], &["a", "b", "a.b.c", "A.b"]);
    check("*", &["a"], &["a.b"]);
    check("a.*", &["a.b"], &["a", "a.b.c", "b.b"]);
    check("**", &["a", "a.b.c"], &[]);
    check("a.**", &["a", "a.b", "a.b.c"], &["b", "ab"]);
    check("**.z", &["z", "a.z", "a.z.z"], &["a", "z.a"]);
    check("a.**.z", &["a.z", "a.b.z", "a.z.b.z"], &["a", "z", "a.z.b"]);
    check("**.a.**.b", &["a.b", "x.a.a.x.b"], &["b.a", "a", "a.b.c"]);
    check("**.*", &["a", "a.b"], &[]);
    check("**.**", &["a", "a.b"], &[]);
}

#[test]
fn a_pattern_of_many_stars_is_judged_at_once() {
    let pattern: TopicPattern = format!("{}b", "**.".repeat(42)).parse().unwrap();
    assert!(!pattern.matches(&format!("{}a", "a.".repeat(63))));
    let text = format!("{}b", "a.".repeat(63));
    assert!(pattern.matches(&text));
}

proptest! {
    #[test]
    fn matching_means_what_it_plainly_means(
        pattern in proptest::collection::vec(prop_oneof!["[ab]", "\\*{1,2}"], 1..6),
        topic in proptest::collection::vec("[ab]", 1..8),
    ) {
        let parsed: TopicPattern = pattern.join(".").parse().unwrap();
        let pattern: Vec<&str> = pattern.iter().map(String::as_str).collect();
        let segments: Vec<&str> = topic.iter().map(String::as_str).collect();
        prop_assert_eq!(parsed.matches(&topic.join(".")), plainly(&pattern, &segments));
    }

    #[test]
    fn patterns_overlap_where_some_topic_is_like_both(
        one in proptest::collection::vec(prop_oneof!["[ab]", "\\*{1,2}"], 1..4),
        other in proptest::collection::vec(prop_oneof!["[ab]", "\\*{1,2}"], 1..4),
    ) {
        let [one, other] = [one, other].map(|text| text.join(".").parse::<TopicPattern>().unwrap());
        // Of topics of so few segments one is like both, if any is: `c` stands for whatever is not named.
        let mut topics: Vec<String> = vec![];
        for length in 1..=6_u32 {
            topics.extend((0..3_u32.pow(length)).map(|number| {
                let sign = |at| ["a", "b", "c"][(number / 3_u32.pow(at) % 3) as usize];
                (0..length).map(sign).collect::<Vec<_>>().join(".")
            }));
        }
        let found = topics.iter().any(|topic| one.matches(topic) && other.matches(topic));
        prop_assert_eq!(one.overlaps(&other), found);
        prop_assert_eq!(other.overlaps(&one), found);
    }

    #[test]
    fn whatever_is_taken_reads_back(text in prop_oneof![any::<String>(), "[ab*$%24.]{0,9}"]) {
        if let Ok(topic) = Topic::from_peer(&text) {
            prop_assert_eq!(Topic::from_peer(topic.as_str()), Ok(topic.clone()));
            prop_assert!(TopicPattern::from(topic.clone()).matches(&topic));
            prop_assert_eq!(text.parse::<Topic>().is_ok(), !topic.is_reserved());
            if !topic.is_reserved() {
                prop_assert_eq!(Topic::escape_foreign(&topic.unescape()), Ok(topic));
            }
        }
        if let Ok(pattern) = TopicPattern::from_peer(&text) {
            prop_assert_eq!(pattern.as_str(), &text);
            prop_assert_eq!(pattern.as_topic().is_some(), Topic::from_peer(&text).is_ok());
        }
    }
}
