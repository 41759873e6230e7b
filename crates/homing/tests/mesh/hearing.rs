//! Does an access list decide who is heard on a topic, and who hears it, from one moment to the next?

use crate::house::{config, join, until};
use crate::topics::{heard, listening, silent};
use homing::access::{Draft, IssuerKey};
use homing::testing::Network;
use homing::{AccessList, Message, Node, Publisher, Subscription, TokenSource};
use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};

const LIST: &str = r#"
[[access]]
who = "claim:team=shop"
may = ["publish", "subscribe"]
on = "orders.**"

[[access]]
who = "bridge:cote@claim:role=bridge"
may = "publish"
on = "legacy.*"

[[access]]
who = "anyone"
may = ["publish", "subscribe"]
on = "news.**"
"#;

/// A mesh with one node that has the list and believes the issuer.
struct Guarded {
    network: Network,
    key: IssuerKey,
    node: Node,
    audit: tempfile::TempDir,
}

impl Guarded {
    async fn new(seed: u64) -> Self {
        let network = Network::new(seed);
        let (key, audit) = (IssuerKey::generate(), tempfile::tempdir().unwrap());
        let mut wish = config(&network, "guarded");
        wish.access = Some(LIST.parse().unwrap());
        wish.issuers = vec![key.issuer()];
        wish.audit = Some(audit.path().join("refused"));
        let node = Node::join(wish).await.unwrap();
        Self { network, key, node, audit }
    }

    /// A node without a list, that shows this token.
    async fn with_token(&self, host: &str, draft: Draft) -> Node {
        let mut wish = config(&self.network, host);
        wish.token = Some(TokenSource::Text(draft.sign(&self.key).unwrap()));
        Node::join(wish).await.unwrap()
    }

    /// How often the audit log speaks of this node.
    async fn audited(&self, node: &Node, times: usize) {
        let id = node.info().id.to_string();
        until(format!("{times} lines of {id}"), || async {
            let log = fs::read_to_string(self.audit.path().join("refused")).unwrap_or_default();
            (log.lines().filter(|line| line.contains(&id)).count() == times).then_some(())
        })
        .await;
    }
}

fn list(text: &str) -> AccessList {
    text.parse().unwrap()
}

fn shop() -> Draft {
    Draft::new("till-3").claim("team", "shop")
}

/// What the node at the other end has dropped of what was published here.
async fn dropped(publisher: &Publisher, times: u64) {
    until(format!("{times} dropped"), || async {
        let all = publisher.listeners();
        (all.iter().map(|listener| listener.dropped).sum::<u64>() == times).then_some(())
    })
    .await;
}

/// How often each topic was heard from this node, until nothing comes any more.
async fn heard_from(node: &Node, messages: &mut Subscription) -> BTreeMap<String, u32> {
    let mut all = BTreeMap::new();
    while let Ok(Some(message)) = timeout(Duration::from_secs(3), messages.next()).await {
        assert_eq!(message.from(), node.info().id);
        *all.entry(message.topic().to_string()).or_default() += 1;
    }
    all
}

#[tokio::test(start_paused = true)]
async fn who_may_not_publish_is_not_heard_and_both_sides_can_tell() {
    let guarded = Guarded::new(1).await;
    let plain = join(&guarded.network, "plain").await;
    let other = guarded.with_token("other", Draft::new("till-4").claim("team", "bar")).await;
    let till = guarded.with_token("till", shop()).await;
    let mut messages = listening(&guarded.node, &["**"]).await;
    for (node, expect, lines) in [(&plain, 0, 1), (&other, 0, 1), (&till, 100, 0)] {
        let orders = node.publisher("orders.created").unwrap();
        for number in 0..100_u32 {
            assert_eq!(orders.publish(&number).await.unwrap().reached, 1);
        }
        node.publish("news.today", &1_u32).await.unwrap();
        let all = heard_from(node, &mut messages).await;
        assert_eq!(all.get("orders.created").copied().unwrap_or_default(), expect);
        assert_eq!(all["news.today"], 1);
        dropped(&orders, 100 - u64::from(expect)).await;
        guarded.audited(node, lines).await;
    }
    let refused = guarded.node.refusals();
    assert_eq!((refused.unauthenticated, refused.denied), (1, 1), "once, not for each message");
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_what_nobody_may_publish_holds_up_nobody_else() {
    let guarded = Guarded::new(2).await;
    let [flood, calm] = ["flood", "calm"].map(|host| join(&guarded.network, host));
    let (flood, calm) = (flood.await, calm.await);
    let mut messages = listening(&guarded.node, &["**"]).await;
    let flooding = tokio::spawn(async move {
        let publisher = flood.publisher("orders.created").unwrap();
        loop {
            publisher.publish("a hundred bytes or so").await.unwrap();
        }
    });
    for number in 0..100_u32 {
        let began = Instant::now();
        calm.publish("news.today", &number).await.unwrap();
        assert_eq!(heard(&mut messages, 1).await, [format!("news.today {number}")]);
        assert!(began.elapsed() < Duration::from_millis(500), "{:?}", began.elapsed());
    }
    flooding.abort();
}

#[tokio::test(start_paused = true)]
async fn each_message_of_a_bridge_is_judged_as_the_bridges() {
    let guarded = Guarded::new(3).await;
    let bridge = guarded.with_token("bridge", shop().claim("role", "bridge")).await;
    let liar = guarded.with_token("liar", shop()).await;
    let mut messages = listening(&guarded.node, &["**"]).await;
    let topics = ["legacy.a", "orders.created", "news.today"];
    for (node, expect) in [
        (&bridge, vec!["legacy.a as bridge:cote", "news.today", "orders.created"]),
        (&liar, vec!["news.today", "orders.created"]),
        // A node may always do with itself what it likes, and what is behind it may not.
        (&guarded.node, vec!["legacy.a", "news.today", "orders.created"]),
    ] {
        // One batch has them all, from the bridge and from what is behind it.
        for topic in topics {
            let publisher = node.publisher(topic).unwrap();
            publisher.publish(&1_u32).await.unwrap();
            publisher.clone().bridge("cote").publish(&1_u32).await.unwrap();
            publisher.bridge("other").publish(&1_u32).await.unwrap();
        }
        let mut all = Vec::new();
        while let Ok(Some(message)) = timeout(Duration::from_secs(3), messages.next()).await {
            all.push(shown(&message));
        }
        all.sort();
        assert_eq!(all, expect);
    }
}

fn shown(message: &Message) -> String {
    let origin = message.origin().map(|origin| format!(" as {origin}"));
    format!("{}{}", message.topic(), origin.unwrap_or_default())
}

#[tokio::test(start_paused = true)]
async fn who_may_not_listen_is_sent_nothing_however_wide_it_asks() {
    let guarded = Guarded::new(4).await;
    let plain = join(&guarded.network, "plain").await;
    let reached = async |topic: &str| guarded.node.publish(topic, &7_u32).await.unwrap().reached;
    let mut news = listening(&plain, &["news.*"]).await;
    // Nobody may listen to all of what these are like.
    let mut wide = Vec::new();
    for patterns in [&["**"][..], &["*.today"], &["orders.created"], &["orders.**", "*.*"]] {
        wide.push(plain.subscribe(patterns).await.unwrap());
    }
    let mut both = plain.subscribe(["**", "news.**"]).await.unwrap();
    until("the wide one that is narrow, too", || async {
        (reached("news.a.b").await == 1).then_some(())
    })
    .await;
    assert_eq!(heard(&mut both, 1).await, ["news.a.b 7"]);
    assert_eq!(reached("orders.created").await, 0);
    assert_eq!(reached("elsewhere").await, 0);
    assert_eq!(reached("news.today").await, 2);
    assert_eq!(heard(&mut news, 1).await, ["news.today 7"]);
    assert_eq!(heard(&mut both, 1).await, ["news.today 7"]);
    for messages in wide.iter_mut().chain([&mut news, &mut both]) {
        assert!(silent(messages).await);
    }
    let listed: Vec<_> = guarded.node.topics().iter().map(|t| t.topic.to_string()).collect();
    assert_eq!(listed, ["news.*", "news.**"], "what it may not hear is not shown");
    // Who has no list judges nobody.
    assert_eq!(plain.publish("orders.created", &7_u32).await.unwrap().reached, 4);
}

#[tokio::test(start_paused = true)]
async fn of_a_group_only_members_that_may_listen_are_chosen() {
    let guarded = Guarded::new(5).await;
    let [member, outsider] = ["member", "outsider"].map(|host| join(&guarded.network, host));
    let (member, outsider) = (member.await, outsider.await);
    let only = format!(
        "[[access]]\nwho = \"node:{}\"\nmay = \"subscribe\"\non = \"work\"\n",
        member.info().id
    );
    guarded.node.set_access(Some(list(&only)));
    let mut work = member.subscribe(["work"]).group("workers").await.unwrap();
    let mut none = outsider.subscribe(["work"]).group("workers").await.unwrap();
    until("the member is known", || async {
        (guarded.node.publish("work", &0_u32).await.unwrap().reached == 1).then_some(())
    })
    .await;
    for number in 1..50_u32 {
        assert_eq!(guarded.node.publish("work", &number).await.unwrap().reached, 1);
    }
    assert_eq!(heard(&mut work, 50).await[49], "work 49");
    assert!(silent(&mut none).await);
}

#[tokio::test(start_paused = true)]
async fn rules_that_change_count_for_subscriptions_that_stand() {
    let guarded = Guarded::new(6).await;
    let plain = join(&guarded.network, "plain").await;
    let mut there = listening(&plain, &["news.**"]).await;
    let mut here = listening(&guarded.node, &["news.**"]).await;
    let (out, back) = (guarded.node.publisher("news.x").unwrap(), plain.publisher("news.x"));
    let back = back.unwrap();
    out.publish(&1_u32).await.unwrap();
    assert_eq!(heard(&mut there, 1).await, ["news.x 1"]);
    assert_eq!(heard(&mut here, 1).await, ["news.x 1"]);
    back.publish(&2_u32).await.unwrap();
    assert_eq!(heard(&mut here, 1).await, ["news.x 2"]);
    assert_eq!(heard(&mut there, 1).await, ["news.x 2"]);

    guarded.node.set_access(Some(AccessList::default()));
    back.publish(&3_u32).await.unwrap();
    assert_eq!(heard(&mut there, 1).await, ["news.x 3"]);
    assert!(silent(&mut here).await, "what comes after that is judged by it");
    until("only itself", || async {
        (out.publish(&4_u32).await.unwrap().reached == 1).then_some(())
    })
    .await;
    while !silent(&mut there).await {}
    out.publish(&5_u32).await.unwrap();
    assert!(silent(&mut there).await);

    let only =
        "[[access]]\nwho = \"anyone\"\nmay = [\"publish\", \"subscribe\"]\non = \"news.x\"\n";
    guarded.node.set_access(Some(list(only)));
    while !silent(&mut here).await {}
    back.publish(&6_u32).await.unwrap();
    assert_eq!(heard(&mut here, 1).await, ["news.x 6"]);
    assert_eq!(heard(&mut there, 1).await, ["news.x 6"]);
    assert_eq!(out.publish(&7_u32).await.unwrap().reached, 1, "news.** is more than news.x");
    guarded.node.set_access(None);
    until("both again", || async {
        (out.publish(&8_u32).await.unwrap().reached == 2).then_some(())
    })
    .await;
    assert_eq!(heard(&mut there, 1).await, ["news.x 8"]);
}

fn write(path: &Path, token: &str) {
    fs::write(path, token).unwrap();
    fs::set_permissions(path, Permissions::from_mode(0o600)).unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_renewed_token_counts_for_topics_that_are_in_use() {
    let guarded = Guarded::new(7).await;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("token");
    write(&path, &Draft::new("nobody").sign(&guarded.key).unwrap());
    let mut wish = config(&guarded.network, "till");
    wish.token = Some(TokenSource::File(path.clone()));
    let till = Node::join(wish).await.unwrap();
    let mut here = listening(&guarded.node, &["orders.*"]).await;
    let mut there = till.subscribe(["orders.*"]).await.unwrap();
    let publisher = till.publisher("orders.created").unwrap();
    publisher.publish(&1_u32).await.unwrap();
    assert_eq!(heard(&mut there, 1).await, ["orders.created 1"]);
    assert!(silent(&mut here).await);
    assert_eq!(guarded.node.publish("orders.created", &2_u32).await.unwrap().reached, 1);
    assert_eq!(heard(&mut here, 1).await, ["orders.created 2"]);

    write(&path, &shop().bound_to(till.info().id).sign(&guarded.key).unwrap());
    let publishing = tokio::spawn(async move {
        loop {
            publisher.publish(&3_u32).await.unwrap();
            sleep(Duration::from_millis(100)).await;
        }
    });
    heard(&mut here, 1).await;
    publishing.abort();
    until("told by its new token", || async {
        (guarded.node.publish("orders.created", &4_u32).await.unwrap().reached == 2).then_some(())
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn what_is_dropped_counts_on_when_another_stream_begins() {
    let guarded = Guarded::new(8).await;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("token");
    let token = |subject: &str| Draft::new(subject).sign(&guarded.key).unwrap();
    write(&path, &token("somebody"));
    let mut wish = config(&guarded.network, "till");
    wish.token = Some(TokenSource::File(path.clone()));
    let till = Node::join(wish).await.unwrap();
    let _here = listening(&guarded.node, &["orders.*"]).await;
    let publisher = till.publisher("orders.created").unwrap();
    for (round, subject) in (1..).zip(["a second", "a third", "the last"]) {
        for number in 0..10_u32 {
            assert_eq!(publisher.publish(&number).await.unwrap().reached, 1);
        }
        dropped(&publisher, round * 10).await;
        write(&path, &token(subject));
        sleep(2 * homing::limits::TOKEN_POLL).await;
    }
    guarded.audited(&till, 3).await;
}
