//! And who kept what was said to a node, and repeats it to the node's next life?

use super::attacker::ELSEWHERE;
use super::bystander::{address, check_own, rest, soon, until, within_reach};
use super::keyed::keyed;
use super::tap::{Tap, join};
use homing::limits::ANSWERS_PER_SECOND;
use homing::{Config, Node};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::net::UdpSocket;

/// The kinds of datagrams that are meant for one life: membership, registry, goodbye.
const FOR_ONE_LIFE: std::ops::RangeInclusive<u8> = 2..=4;
/// The kind that tells its receiver which nonce is the right one, and its length: a header and a tag.
const NONCE: (u8, usize) = (5, 64 + 16);

/// What a member says to a node with this identity, which ends after that.
fn kept_from_a_life(config: &Config, identity: &Path) -> Vec<Vec<u8>> {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let config = within_reach(config.clone());
        let first = Node::join(config.clone().identity(identity)).await.unwrap();
        let (tap, at) = (Arc::new(Tap::default()), address(&first));
        let member = join(config, &tap).await;
        let kept = || {
            let mut letters = tap.sent(at);
            letters.retain(|letter| FOR_ONE_LIFE.contains(&letter[1]));
            letters
        };
        until(async || kept().len() >= 6).await;
        member.close_now().await;
        first.close_now().await;
        kept()
    })
}

/// What comes within a while.
async fn answers(socket: &UdpSocket, patience: Duration) -> Vec<Vec<u8>> {
    rest(patience).await;
    let (mut all, mut buffer) = (Vec::new(), [0; 2_048]);
    while let Ok(length) = socket.try_recv(&mut buffer) {
        all.push(buffer[..length].to_vec());
    }
    all
}

#[test]
fn what_was_said_to_a_former_life_is_stale_and_answered_seldom_and_briefly() {
    let (files, config) = (TempDir::new().unwrap(), keyed());
    let identity = files.path().join("identity");
    let kept = kept_from_a_life(&config, &identity);
    let own = |config: Config| config.identity(&identity);
    let outcome = check_own(config, own, async |victim| {
        let socket = UdpSocket::bind((ELSEWHERE, 0)).await.unwrap();
        socket.connect(victim.at).await.unwrap();
        // What comes too often from one address is dropped before it is looked at.
        let dropped = async || {
            let datagrams = victim.node.stats().await.datagrams;
            datagrams.stale + datagrams.strangers_over_rate
        };
        let before = dropped().await;
        for letter in &kept {
            socket.send(letter).await.unwrap();
        }
        let count = kept.len() as u64;
        until(async || dropped().await >= before + count).await;
        let heard = answers(&socket, Duration::from_millis(50)).await;
        assert!(heard.len() <= kept.len(), "{} answers to {count}", heard.len());
        assert!(heard.iter().all(|answer| (answer[1], answer.len()) == NONCE), "{heard:?}");
        // And over and over.
        let (begun, mut sent) = (Instant::now(), 0);
        while sent < 300 {
            for letter in &kept {
                soon(socket.send(letter)).await.unwrap();
                sent += 1;
            }
            rest(Duration::from_millis(2)).await;
        }
        let heard = answers(&socket, Duration::from_millis(50)).await;
        // A second in which they are counted may begin at any time.
        let seconds = usize::try_from(begun.elapsed().as_secs()).unwrap() + 2;
        assert!(heard.len() <= seconds * ANSWERS_PER_SECOND, "{} in {seconds} s", heard.len());
        count
    });
    let datagrams = outcome.stats.datagrams;
    assert!(datagrams.stale >= 2 * outcome.found, "{datagrams:?}");
    assert_eq!(datagrams.forged + datagrams.foreign, 0, "{datagrams:?}");
}
