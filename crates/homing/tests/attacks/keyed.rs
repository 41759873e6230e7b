//! And of a mesh with a key, where links are TLS from the first byte?

use super::attacker::{ELSEWHERE, noise, say};
use super::bystander::{Outcome, Victim, call_once, check_on, visitor};
use super::forged::is_refused;
use super::tap::record;
use homing::{Config, Key, Node};

/// A mesh with a key, of which nothing leaves this host.
pub(crate) fn keyed() -> Config {
    Config::isolated().key(Key::generate())
}

/// Says this to a node with a key; nobody gets in by it.
fn say_to_keyed(words: &impl AsyncFn(&Victim) -> Vec<u8>) -> Outcome<Vec<u8>> {
    let outcome =
        check_on(keyed(), async |victim| say(ELSEWHERE, victim.at, &words(victim).await).await);
    let connections = outcome.stats.connections;
    assert!(connections.unfit + connections.unauthenticated + connections.broken >= 1);
    assert_eq!(connections.half_open, 0, "{connections:?}");
    outcome
}

#[test]
fn plain_words_to_a_port_with_a_key_are_not_answered() {
    let mut hello = b"HMG1\x00\x80\x01\x01".to_vec();
    hello.extend(noise(9, 126));
    let heard = say_to_keyed(&async |_: &Victim| hello.clone()).found;
    assert!(!heard.windows(4).any(|words| words == b"HMG1"), "a keyed node spoke plainly");
}

#[test]
fn an_older_tls_is_refused() {
    let mut hello = b"\x16\x03\x01\x00\x2f\x01\x00\x00\x2b\x03\x03".to_vec();
    hello.extend(noise(1, 32));
    // No session, one suite of TLS 1.2, no compression, no extensions: nothing newer is offered.
    hello.extend(b"\x00\x00\x02\xc0\x2f\x01\x00\x00\x00");
    let heard = say_to_keyed(&async |_: &Victim| hello.clone()).found;
    // The alert may be lost: a connection that is closed before all was read is reset.
    assert!(matches!(heard.first(), None | Some(0x15)), "no handshake: {heard:?}");
}

#[test]
fn a_replayed_handshake_over_tls_proves_nothing() {
    say_to_keyed(&record);
}

#[test]
fn who_has_another_key_does_not_get_in() {
    let outcome = check_on(keyed(), async |victim| {
        let mut stranger = visitor(victim).seed(victim.at.to_string());
        stranger.key = vec![Key::generate()];
        let node = Node::join(stranger).await.unwrap();
        assert!(is_refused(&node).await);
        node.close_now().await;
    });
    assert!(outcome.stats.connections.unauthenticated >= 1, "{:?}", outcome.stats.connections);
}

#[test]
fn who_has_an_old_key_gets_in_while_it_is_held_and_not_after() {
    let (old, new) = (Key::generate(), Key::generate());
    let both = Config::isolated().key(new.clone()).key(old.clone());
    let calls_with = async |victim: &Victim, key: &Key| {
        let mut config = visitor(victim);
        config.key = vec![key.clone()];
        let node = Node::join(config).await.unwrap();
        let refused = is_refused(&node).await;
        node.close_now().await;
        !refused
    };
    check_on(both, async |victim| {
        let node = Node::join(visitor(victim)).await.unwrap();
        call_once(&node).await;
        node.close_now().await;
        assert!(calls_with(victim, &old).await, "the old key is held still");
    });
    check_on(Config::isolated().key(new.clone()), async |victim| {
        assert!(!calls_with(victim, &old).await, "the old key is held no longer");
        assert!(calls_with(victim, &new).await);
    });
}
