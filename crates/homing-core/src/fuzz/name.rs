//! What must hold of text that is to become a name?

use crate::id::NodeId;
use crate::name::{
    Address, BadName, Group, Label, MeshName, Method, MethodPattern, Namespace, NodeName,
    OfferName, Range, ServiceName, Topic, TopicPattern, Version,
};
use std::fmt::{Debug, Display};
use std::str::FromStr;

/// Bytes of a refusal at most: it is shown to people, whatever was typed.
const REFUSAL_MAX: usize = 2_048;

/// Text as it comes from a user, a peer or another system: what is taken reads back from its canonical text, what is
/// refused is said in few words, and what was escaped unescapes.
pub fn name(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    reads_back::<MeshName>(text);
    reads_back::<Namespace>(text);
    reads_back::<NodeName>(text);
    reads_back::<ServiceName>(text);
    reads_back::<Method>(text);
    reads_back::<MethodPattern>(text);
    reads_back::<Topic>(text);
    reads_back::<TopicPattern>(text);
    reads_back::<Group>(text);
    reads_back::<OfferName>(text);
    reads_back::<Address>(text);
    reads_back::<Label>(text);
    reads_back::<Version>(text);
    reads_back::<Range>(text);
    if let Ok(id) = text.parse::<NodeId>() {
        assert_eq!(id.to_string().parse(), Ok(id));
    }
    a_peers_service_reads_back(text);
    a_range_means_the_same_when_read_again(text);
    foreign_names_return(text);
    patterns_match_themselves(text);
    topics_match_themselves(text);
}

fn reads_back<N: FromStr<Err = BadName> + Display + Debug + PartialEq>(text: &str) {
    match text.parse::<N>() {
        Ok(name) => {
            let canonical = name.to_string();
            assert_eq!(canonical.parse().as_ref(), Ok(&name), "{text:?} does not read back");
            assert!(canonical.len() <= text.len() + 1, "{text:?} grew to {canonical:?}");
        }
        Err(refused) => {
            let len = refused.to_string().len();
            assert!(len <= REFUSAL_MAX, "a refusal of {len} bytes");
        }
    }
}

fn a_peers_service_reads_back(text: &str) {
    if let Ok(service) = ServiceName::from_peer(text) {
        assert_eq!(ServiceName::from_peer(service.as_str()), Ok(service));
    }
}

/// The first line a range, the others versions.
fn a_range_means_the_same_when_read_again(text: &str) {
    let mut lines = text.lines();
    let Some(Ok(range)) = lines.next().map(str::parse::<Range>) else { return };
    let again: Range = range.to_string().parse().expect("it reads back");
    for version in lines.filter_map(|line| line.parse::<Version>().ok()) {
        assert_eq!(range.contains(&version), again.contains(&version), "{range} and {version}");
        assert!(Range::from(version.clone()).contains(&version), "{version} is not itself");
    }
}

fn foreign_names_return(text: &str) {
    if let Ok(service) = ServiceName::escape_foreign(text) {
        assert_eq!(service.unescape(), text);
        assert_eq!(service.to_string().parse(), Ok(service));
    }
    if let Ok(topic) = Topic::escape_foreign(text) {
        assert_eq!(topic.unescape(), text);
        assert_eq!(topic.to_string().parse(), Ok(topic));
    }
    if let Ok(method) = Method::escape_foreign(text) {
        assert_eq!(method.unescape(), text);
        assert_eq!(method.to_string().parse(), Ok(method));
    }
}

/// The first line a pattern, the second a method; a method as a pattern matches itself.
fn patterns_match_themselves(text: &str) {
    let Some((pattern, method)) = text.split_once('\n') else { return };
    let Ok(method) = method.parse::<Method>() else { return };
    if let Ok(pattern) = pattern.parse::<MethodPattern>() {
        let _ = pattern.matches(&method);
    }
    let itself: MethodPattern = method.as_str().parse().expect("a method is a pattern of one");
    assert!(itself.matches(&method), "{method} does not match itself");
}

/// The first line a pattern of topics, the second a topic, both as a peer tells them.
fn topics_match_themselves(text: &str) {
    let Some((pattern, topic)) = text.split_once('\n') else { return };
    let Ok(topic) = Topic::from_peer(topic) else { return };
    if let Ok(pattern) = TopicPattern::from_peer(pattern) {
        let _ = pattern.matches(&topic);
        assert_eq!(TopicPattern::from_peer(pattern.as_str()), Ok(pattern));
    }
    let itself = TopicPattern::from_peer(topic.as_str()).expect("a topic is a pattern of one");
    assert!(itself.matches(&topic), "{topic} does not match itself");
}
