//! And who is of the mesh, where a list says who may say and hear what? It publishes what it may not, listens to all, and
//! goes on when its token has ended.

use super::bystander::{Victim, check_own, rest, until};
use homing::access::{Draft, IssuerKey};
use homing::{Config, Node, Subscription, TokenSource};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};
use tokio::task::JoinHandle;

const LIST: &str = r#"
[[access]]
who = "claim:team=shop"
may = "publish"
on = "orders.**"

[[access]]
who = "anyone"
may = ["call", "offer"]
on = "*"

[[access]]
who = "anyone"
may = ["publish", "subscribe"]
on = "news"
"#;

/// Attacks a node that has the list, and that all others may tell the news.
#[expect(clippy::needless_pass_by_value, reason = "an attack is written where it is made")]
fn check(attack: impl AsyncFn(&Victim, &IssuerKey)) {
    let key = IssuerKey::generate();
    let own = |mut config: Config| {
        config.access = Some(LIST.parse().unwrap());
        config.issuers = vec![key.issuer()];
        config
    };
    check_own(Config::isolated(), own, async |victim| attack(victim, &key).await);
}

/// A member that tells the news and hears them from the victim: each time what it told is heard, it tells the next.
struct Bystander {
    node: Node,
    heard: Arc<AtomicU32>,
    talk: JoinHandle<()>,
}

impl Bystander {
    async fn start(victim: &Victim) -> Self {
        let node = Node::join(victim.config.clone()).await.unwrap();
        let mut there = victim.node.subscribe(["news"]).await.unwrap();
        let (publisher, heard) = (node.publisher("news").unwrap(), Arc::<AtomicU32>::default());
        let (count, id) = (Arc::clone(&heard), node.info().id);
        let talk = tokio::spawn(async move {
            loop {
                if publisher.publish(&"well").await.unwrap().reached == 0 {
                    rest(Duration::from_millis(5)).await;
                    continue;
                }
                while there.next().await.unwrap().from() != id {}
                count.fetch_add(1, Ordering::Relaxed);
            }
        });
        let bystander = Self { node, heard, talk };
        bystander.goes_on().await;
        bystander
    }

    /// Waits until some more of it is heard.
    async fn goes_on(&self) {
        let before = self.heard.load(Ordering::Relaxed);
        until(async || self.heard.load(Ordering::Relaxed) >= before + 20).await;
    }

    async fn stop(self) {
        assert!(!self.talk.is_finished(), "it was never refused");
        self.talk.abort();
        self.node.close_now().await;
    }
}

/// Publishes until the victim has dropped some of it, and none was lost on the way.
async fn is_dropped(node: &Node, topic: &str) {
    let publisher = node.publisher(topic).unwrap();
    let dropped = || publisher.listeners().iter().map(|listener| listener.dropped).sum::<u64>();
    let before = dropped();
    until(async || {
        publisher.publish(&"hear me").await.unwrap();
        dropped() >= before + 100
    })
    .await;
}

/// Who wants to hear everything, and counts what it hears of a topic.
fn count(mut messages: Subscription, topic: &'static str) -> (Arc<AtomicU32>, JoinHandle<()>) {
    let heard = Arc::new(AtomicU32::default());
    let counted = Arc::clone(&heard);
    let counting = tokio::spawn(async move {
        while let Some(message) = messages.next().await {
            if message.topic().as_str() == topic {
                counted.fetch_add(1, Ordering::Relaxed);
            }
        }
    });
    (heard, counting)
}

#[test]
fn who_publishes_what_it_may_not_is_not_heard_and_the_others_are() {
    check(async |victim, _| {
        let bystander = Bystander::start(victim).await;
        let (heard, counting) = count(victim.node.subscribe(["**"]).await.unwrap(), "orders.new");
        let thief = Node::join(victim.config.clone()).await.unwrap();
        let before = victim.node.refusals().unauthenticated;
        is_dropped(&thief, "orders.new").await;
        bystander.goes_on().await;
        is_dropped(&thief, "orders.new").await;
        assert_eq!(heard.load(Ordering::Relaxed), 0);
        let refused = victim.node.refusals().unauthenticated - before;
        assert_eq!(refused, 1, "it is told once, not for each message");
        counting.abort();
        thief.close_now().await;
        bystander.stop().await;
    });
}

#[test]
fn who_listens_to_all_hears_what_it_may_and_holds_up_nobody() {
    check(async |victim, _| {
        let bystander = Bystander::start(victim).await;
        let mut spy = Vec::new();
        let thief = Node::join(victim.config.clone()).await.unwrap();
        for patterns in [&["**"][..], &["orders.**"], &["*.new", "news.**"]] {
            spy.push(count(thief.subscribe(patterns).await.unwrap(), "orders.new"));
        }
        let (news, counting) = count(thief.subscribe(["news"]).await.unwrap(), "news");
        let orders = victim.node.publisher("orders.new").unwrap();
        until(async || {
            assert_eq!(orders.publish(&"a secret").await.unwrap().reached, 0);
            victim.node.publish("news", &"known to all").await.unwrap();
            news.load(Ordering::Relaxed) >= 20
        })
        .await;
        bystander.goes_on().await;
        for (heard, counting) in spy {
            assert_eq!(heard.load(Ordering::Relaxed), 0);
            counting.abort();
        }
        counting.abort();
        thief.close_now().await;
        bystander.stop().await;
    });
}

#[test]
fn who_publishes_with_a_token_that_ends_is_heard_no_more() {
    // Its last 2 s: it counts 30 s beyond its time.
    let ending = |key: &IssuerKey| {
        let (hour, left) = (Duration::from_hours(1), Duration::from_secs(28));
        let draft = Draft::new("till-3").claim("team", "shop");
        draft.issued(SystemTime::now() - hour - left).life(hour).sign(key).unwrap()
    };
    check(async |victim, key| {
        let bystander = Bystander::start(victim).await;
        let (heard, counting) = count(victim.node.subscribe(["**"]).await.unwrap(), "orders.new");
        let mut config = victim.config.clone();
        config.token = Some(TokenSource::Text(ending(key)));
        let thief = Node::join(config).await.unwrap();
        until(async || {
            thief.publish("orders.new", &"heard").await.unwrap();
            heard.load(Ordering::Relaxed) > 0
        })
        .await;
        let publisher = thief.publisher("orders.new").unwrap();
        let dropped = || publisher.listeners().iter().map(|listener| listener.dropped).sum::<u64>();
        until(async || {
            // It is asked again when somebody else listens, and after half a minute.
            drop(victim.node.subscribe(["other"]).await.unwrap());
            publisher.publish(&"heard no more").await.unwrap();
            dropped() >= 20
        })
        .await;
        let last = heard.load(Ordering::Relaxed);
        is_dropped(&thief, "orders.new").await;
        assert_eq!(heard.load(Ordering::Relaxed), last);
        bystander.goes_on().await;
        counting.abort();
        thief.close_now().await;
        bystander.stop().await;
    });
}
