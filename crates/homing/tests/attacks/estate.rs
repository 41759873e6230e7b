//! And who is of a mesh with a key, and has something to say of what lasts?

use super::bystander::{Victim, check_on, rest, until};
use super::insider::{Insider, Signed, pair, written};
use super::keyed::keyed;
use homing::limits::LASTING_MAX;
use homing::{Code, Node, NodeId, RegisterError, registry};
use homing_core::id::Epoch;
use homing_core::registry::{Body, Record, RecordKey, Right, ServiceRecord, WITHDRAWN_AS};
use homing_core::wire::put_bytes;
use ring::signature::{Ed25519KeyPair, KeyPair};
use std::sync::Arc;
use std::time::Duration;

/// Has an insider tell the victim something.
async fn with_insider(victim: &Victim, tell: impl AsyncFn(&mut Insider)) {
    let member = Node::join(victim.config.clone()).await.unwrap();
    let id = member.info().id;
    until(async || victim.node.nodes().await.iter().any(|node| node.id == id)).await;
    let mut insider = Insider::new(victim, &member).await;
    tell(&mut insider).await;
    member.close_now().await;
}

/// Who has these keys, whether it was ever heard of or not.
fn id_of(pair: &Ed25519KeyPair) -> NodeId {
    let digest = ring::digest::digest(&ring::digest::SHA256, pair.public_key().as_ref());
    NodeId::from_bytes(*digest.as_ref().first_chunk().unwrap())
}

/// A record that lasts until the holder of `heir` ends it.
fn lasting(owner: NodeId, (epoch, key): (u64, u32), heir: &Ed25519KeyPair) -> Record {
    let service = ServiceRecord {
        namespace: "default".parse().unwrap(),
        service: "vault".parse().unwrap(),
        version: None,
        hosts: vec!["10.0.0.9".parse().unwrap()],
        port: 9,
        data: b"{}"[..].into(),
        lifetime: Duration::from_secs(15),
        written: 0,
        origin: None,
        lasting: Some(Right::Key(heir.public_key().as_ref().try_into().unwrap())),
    };
    Record {
        owner,
        epoch: Epoch(epoch),
        key: RecordKey(key),
        version: 1,
        body: Body::Service(Arc::new(service)),
        signature: None,
    }
}

/// What ends a record, signed by this one.
fn withdrawal(record: &[u8], by: Option<&Ed25519KeyPair>) -> Vec<u8> {
    let mut bytes = vec![2, u8::from(by.is_some())];
    put_bytes(&mut bytes, record);
    if let Some(by) = by {
        bytes.extend_from_slice(by.sign(&[WITHDRAWN_AS, record].concat()).as_ref());
    }
    bytes
}

/// How many vaults the victim shows.
fn vaults(victim: &Victim) -> usize {
    victim.node.registry().get("vault").unwrap().len()
}

#[test]
fn what_lasts_is_neither_made_nor_ended_by_who_has_no_right_to() {
    let [owner, heir, stranger] = [[7; 32], [8; 32], [9; 32]].map(|seed| pair(&seed));
    let epochs = std::sync::atomic::AtomicU64::new(1);
    check_on(keyed(), async |victim| {
        let forged = async || victim.node.stats().await.registry.forged;
        // An attack may be made more than once, and what was ended does not return.
        let epoch = epochs.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        with_insider(victim, async |insider| {
            let before = forged().await;
            let record = lasting(id_of(&owner), (epoch, 1), &heir);
            let signed = written(&record, &Signed::By(&owner));
            let forgeries = [
                written(&record, &Signed::Not),
                written(&record, &Signed::By(&stranger)),
                written(&record, &Signed::InTheNameOf(&owner)),
                // What would end a record before anybody heard of it.
                withdrawal(&written(&record, &Signed::By(&stranger)), Some(&heir)),
                withdrawal(&signed, Some(&stranger)),
            ];
            for (told, forgery) in (1..).zip(&forgeries) {
                insider.tell(forgery).await;
                until(async || forged().await == before + told).await;
                assert_eq!(vaults(victim), 0);
            }
            insider.tell(&signed).await;
            until(async || vaults(victim) == 1).await;
            let before = forged().await;
            let other_right = lasting(id_of(&owner), (epoch, 1), &stranger);
            let other_right = written(&other_right, &Signed::By(&stranger));
            let forgeries = [
                withdrawal(&signed, None),
                withdrawal(&signed, Some(&stranger)),
                // Its owner gave the right to somebody else.
                withdrawal(&signed, Some(&owner)),
                withdrawal(&other_right, Some(&stranger)),
            ];
            for (told, forgery) in (1..).zip(&forgeries) {
                insider.tell(forgery).await;
                until(async || forged().await == before + told).await;
                assert_eq!(vaults(victim), 1);
            }
            insider.tell(&withdrawal(&signed, Some(&heir))).await;
            until(async || vaults(victim) == 0).await;
            insider.tell(&signed).await;
            rest(Duration::from_millis(50)).await;
            assert_eq!(vaults(victim), 0, "it does not return");
        })
        .await;
    });
}

#[test]
fn who_floods_what_lasts_fills_it_up_to_its_bound_and_nothing_else() {
    let flooder = pair(&[7; 32]);
    let places = (1..=5).flat_map(|epoch| (1..=1_000).map(move |key| (epoch, key)));
    let records: Vec<Vec<u8>> = places
        .map(|place| written(&lasting(id_of(&flooder), place, &flooder), &Signed::By(&flooder)))
        .collect();
    check_on(keyed(), async |victim| {
        with_insider(victim, async |insider| {
            // What a socket cannot hold is lost: all is told until there is too much of it.
            let full = async || victim.node.stats().await.registry.full > 0;
            let mut told = records.chunks(3).cycle();
            while !full().await {
                for few in told.by_ref().take(20) {
                    let mut news = vec![7];
                    for record in few {
                        put_bytes(&mut news, record);
                    }
                    insider.say(&news).await;
                }
            }
        })
        .await;
        assert_eq!(vaults(victim), LASTING_MAX);
        let registry = victim.node.registry();
        let record = registry::Record::new("db").unwrap();
        let heir = registry::Right([7; 32]);
        let lasting = registry.register(record.clone().persistent_until(heir)).await;
        let code = lasting.map(drop).map_err(|refused: RegisterError| refused.code());
        assert_eq!(code, Err(Code::ResourceExhausted));
        let freed = registry.register(record).await.unwrap().free().await.unwrap();
        assert!(freed.is_some(), "nobody is held back from what ends with its owner");
    });
}

#[test]
fn questions_about_what_lasts_are_answered_within_bounds() {
    check_on(keyed(), async |victim| {
        with_insider(victim, async |insider| {
            let id = [&[7; 16][..], &[1, 1]].concat();
            let unknown = [&[14][..], &id.repeat(50)].concat();
            let all_differ = [&[12][..], &[0xa5; 256]].concat();
            // Lists that cover everything and hold nothing: all that is here is to be told.
            let empty_list = [&[13][..], &[0xff; 8], &[0]].concat();
            for question in [unknown, all_differ, empty_list].iter().cycle().take(300) {
                insider.say(question).await;
            }
            let malformed = async || victim.node.stats().await.registry.malformed;
            let before = malformed().await;
            // What a socket cannot hold is lost: each is told until it was heard.
            for (heard, garbage) in (1..).zip([&[12, 1][..], &[13, 0xff], &[14, 1, 2]]) {
                while malformed().await < before + heard {
                    insider.say(garbage).await;
                }
            }
        })
        .await;
    });
}
