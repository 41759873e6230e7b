//! And who is of a mesh with a key, and tells of others what they did not say?

use super::bystander::{Victim, check_on, until};
use super::insider::{Insider, Signed, listing, pair, secret, written};
use super::keyed::keyed;
use homing::limits::RECORD_MAX;
use homing::{Context, Node, NodeId, Payload};
use homing_core::registry::{Body, Record, RecordKey};
use homing_core::wire::put_varint;
use ring::signature::Ed25519KeyPair;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A member that offers `gold`, and what it signs with.
struct Owner {
    node: Node,
    _offer: homing::Responder,
    pair: Ed25519KeyPair,
    _files: TempDir,
}

impl Owner {
    async fn join(victim: &Victim) -> Self {
        let files = TempDir::new().unwrap();
        let identity = files.path().join("identity");
        let node = Node::join(victim.config.clone().identity(&identity)).await.unwrap();
        let dig = |payload: Payload, _: Context| async move { Ok(payload) };
        let offer = node.responder("gold@1.0.0").serve_raw(dig).await.unwrap();
        let pair = pair(&secret(&std::fs::read_to_string(&identity).unwrap()));
        Self { node, _offer: offer, pair, _files: files }
    }

    fn is_shown_by(&self, victim: &Victim) -> bool {
        listing(&victim.node).contains(&("gold".into(), vec![self.node.info().id]))
    }
}

/// That nothing is offered any more under this node's first key, and that this is its latest word.
fn withdrawal(node: &Node) -> Record {
    Record {
        owner: node.info().id,
        epoch: node.info().epoch,
        key: RecordKey(1),
        version: 1_000,
        body: Body::Tombstone,
        signature: None,
    }
}

async fn knows(victim: &Victim, member: NodeId) -> bool {
    victim.node.nodes().await.iter().any(|node| node.id == member)
}

/// Has an insider tell the victim something, with an owner of an offer beside.
async fn with_insider(victim: &Victim, tell: impl AsyncFn(&Owner, &mut Insider)) {
    let (owner, member) = (Owner::join(victim).await, Node::join(victim.config.clone()).await);
    let member = member.unwrap();
    until(async || owner.is_shown_by(victim) && knows(victim, member.info().id).await).await;
    let mut insider = Insider::new(victim, &member).await;
    tell(&owner, &mut insider).await;
    member.close_now().await;
    // An owner that met its own word from elsewhere has ended, and its links with it.
    let begun = Instant::now();
    owner.node.close_now().await;
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
}

#[test]
fn a_forged_record_is_dropped_and_counted_and_changes_no_listing() {
    let stranger = pair(&[7; 32]);
    check_on(keyed(), async |victim| {
        let forged = async || victim.node.stats().await.registry.forged;
        with_insider(victim, async |owner, insider| {
            let before = forged().await;
            let listed = listing(&victim.node);
            let mut told = 0;
            // Of another, and of the victim itself: each word would be later than any of theirs.
            for record in [withdrawal(&owner.node), withdrawal(&victim.node)] {
                for signed in [
                    Signed::Not,
                    Signed::By(&stranger),
                    Signed::InTheNameOf(&owner.pair),
                    Signed::InTheNameOf(&stranger),
                ] {
                    insider.tell(&written(&record, &signed)).await;
                    told += 1;
                    until(async || forged().await == before + told).await;
                    assert_eq!(listing(&victim.node), listed);
                }
            }
            // It is the signature that was missing.
            let true_word = written(&withdrawal(&owner.node), &Signed::By(&owner.pair));
            insider.tell(&true_word).await;
            until(async || !owner.is_shown_by(victim)).await;
            assert_eq!(forged().await, before + told);
        })
        .await;
    });
}

#[test]
fn a_record_that_is_too_long_is_malformed() {
    check_on(keyed(), async |victim| {
        let malformed = async || victim.node.stats().await.registry.malformed;
        with_insider(victim, async |owner, insider| {
            let (before, listed) = (malformed().await, listing(&victim.node));
            let mut long = written(&withdrawal(&owner.node), &Signed::By(&owner.pair));
            long.resize(RECORD_MAX + 1, 0);
            insider.tell(&long).await;
            // And one whose length says what is not there.
            insider.say(&[7, 0xff, 0xff, 0xff, 0xff, 0x0f, 1]).await;
            insider.say(&[7, 0x80, 0x08, 1, 0]).await;
            until(async || malformed().await >= before + 3).await;
            assert_eq!(listing(&victim.node), listed);
        })
        .await;
    });
}

/// What a member says of a node's records: a list without any, and a sum of a life that cannot have been.
fn made_up(node: &Node) -> [Vec<u8>; 2] {
    let (id, mut epoch) = (node.info().id, Vec::new());
    put_varint(&mut epoch, node.info().epoch.0);
    let all_keys: &[u8] = &[0, 0xff, 0xff, 0xff, 0xff, 0x0f];
    let list = [&[4, 0], id.as_bytes().as_slice(), &epoch, all_keys, &[0]].concat();
    let all_owners: &[u8] = &[0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff];
    let late: &[u8] = &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1];
    let sum = [&[3], all_owners, &[0xff; 32], id.as_bytes(), late, &[7; 8]].concat();
    [list, sum]
}

#[test]
fn what_a_member_says_of_the_records_of_others_withdraws_nothing_and_stops_nobody() {
    check_on(keyed(), async |victim| {
        let unknown = async || victim.node.stats().await.registry.unknown;
        let malformed = async || victim.node.stats().await.registry.malformed;
        with_insider(victim, async |owner, insider| {
            let (heard, bad, listed) = (unknown().await, malformed().await, listing(&victim.node));
            for lie in [made_up(&owner.node), made_up(&victim.node)].concat() {
                insider.say(&lie).await;
            }
            // It hears one after the other, and this last.
            insider.say(&[200]).await;
            until(async || unknown().await > heard).await;
            assert_eq!(malformed().await, bad);
            assert_eq!(listing(&victim.node), listed);
        })
        .await;
    });
}
