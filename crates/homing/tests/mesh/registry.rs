//! Can everyone trust the registry: what is registered by hand, how it is found, followed and freed?

use crate::house::{PATIENCE, config, join, join_many, two, until};
use homing::registry::{Change, RegistryEvent, RegistryEvents, Which};
use homing::testing::Network;
use homing::{Code, Config, Node, Record, RecordId, Registry};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::{Instant, timeout};

/// Waits until a node finds so many records, and gives them.
async fn found(node: &Node, query: Value, count: usize) -> Vec<Record> {
    let registry = node.registry();
    until(format!("{count} records like {query}"), || async {
        Some(registry.get(query.clone()).unwrap()).filter(|records| records.len() == count)
    })
    .await
}

fn db() -> Record {
    Record::new("db@15.2.0").unwrap().address("10.0.0.5:5432").data(json!({"zone": "eu"}))
}

#[tokio::test(start_paused = true)]
async fn what_one_registers_all_read_with_everything_it_says() {
    let network = Network::new(1);
    let nodes = join_many(&network, 3).await;
    let registered = nodes[0].registry().register(db()).await.unwrap();
    for node in &nodes {
        let record = found(node, json!({"role": "db"}), 1).await.remove(0);
        let shown = serde_json::to_value(&record).unwrap();
        let expect = json!({
            "id": registered.id().to_string(), "role": "db", "version": "15.2.0", "namespace": "default",
            "address": "10.0.0.5", "port": 5432, "data": {"zone": "eu"}, "owner": nodes[0].info().id.to_string(),
            "timestamp": shown["timestamp"], "persistent": false, "origin": null, "ttl_ms": 15000,
        });
        assert_eq!(shown, expect);
        assert!(shown["timestamp"].as_u64() > Some(1_600_000_000_000));
        assert_eq!(record, registered.record());
    }
}

#[tokio::test(start_paused = true)]
async fn a_name_a_version_a_range_or_any_field_finds_a_record() {
    let (_network, server, client) = two(2).await;
    let registry = server.registry();
    registry.register(db()).await.unwrap();
    registry.register(("db@14.0.0", json!({"zone": "us"}))).await.unwrap();
    registry.register("cache").await.unwrap();
    found(&client, json!({}), 3).await;
    let registry = client.registry();
    for (query, count) in
        [("db", 2), ("db@15.2.0", 1), ("db@^14", 1), ("db@*", 2), ("cache", 1), ("web", 0)]
    {
        assert_eq!(registry.get(query).unwrap().len(), count, "{query}");
    }
    for (query, count) in [
        (json!({"role": "db", "data.zone": "eu"}), 1),
        (json!({"data": {"zone": "us"}}), 1),
        (json!({"port": 5432}), 1),
        (json!({"owner": server.info().id.to_string()}), 3),
    ] {
        assert_eq!(registry.get(query.clone()).unwrap().len(), count, "{query}");
    }
    assert!(registry.get("db@!").is_err() && registry.get(json!(5)).is_err());
    let names: Vec<_> = registry.services().iter().map(Record::name).collect();
    assert_eq!(names, ["cache", "db@14.0.0", "db@15.2.0"]);
}

#[tokio::test(start_paused = true)]
async fn what_is_offered_is_in_the_registry_and_nodes_are_for_who_asks() {
    let (_network, server, client) = two(3).await;
    server.serve("words@1.2.0/count", |text: String| async move { text.len() }).await.unwrap();
    let words = found(&client, json!({"role": "words"}), 1).await.remove(0);
    assert_eq!(words.data, json!({"methods": ["count"]}));
    let at = words.place().unwrap();
    assert_eq!(format!("tcp://{at}"), server.info().addresses[0].to_string());
    let registry = client.registry();
    assert_eq!(registry.services(), [words]);
    let nodes = registry.get("homing").unwrap();
    assert_eq!(nodes.len(), 2);
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(registry.get(format!("homing@{version}")).unwrap(), nodes);
    assert_eq!(registry.everything().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn an_address_left_out_is_that_of_the_node() {
    let (_network, server, client) = two(4).await;
    server.registry().register(Record::new("cache").unwrap().port(6379)).await.unwrap();
    let record = found(&client, json!({"role": "cache"}), 1).await.remove(0);
    let address = server.info().addresses[0].tcp().unwrap().ip().to_string();
    assert_eq!((record.address, record.port), (Some(address), Some(6379)));
}

#[tokio::test(start_paused = true)]
async fn what_is_freed_is_returned_and_gone_everywhere_within_two_seconds() {
    let network = Network::new(5);
    let nodes = join_many(&network, 5).await;
    let registry = nodes[0].registry();
    let by_id = registry.register(db()).await.unwrap();
    registry.register(db().port(1)).await.unwrap();
    let by_handle = registry.register(db().port(2)).await.unwrap();
    for node in &nodes {
        found(node, json!({"role": "db"}), 3).await;
    }
    let start = Instant::now();
    let record = by_id.record();
    assert_eq!(registry.free(by_id.id()).await.unwrap(), Some(record));
    assert_eq!(registry.free(1).await.unwrap().unwrap().port, Some(1));
    assert_eq!(by_handle.free().await.unwrap().unwrap().port, Some(2));
    for node in &nodes {
        found(node, json!({}), 0).await;
    }
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
    for again in [Which::Id(by_id.id()), Which::Port(1), Which::None] {
        assert_eq!(registry.free(again).await.unwrap(), None);
    }
    assert_eq!(by_handle.free().await.unwrap(), None);
}

#[tokio::test(start_paused = true)]
async fn only_the_owner_frees_its_record() {
    let (_network, server, client) = two(6).await;
    let registered = server.registry().register(db()).await.unwrap();
    let record = found(&client, json!({"role": "db"}), 1).await.remove(0);
    let refused = client.registry().free(&record).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied, "{refused}");
    assert_eq!(client.registry().free(5432).await.unwrap(), None, "it has none at this port");
    assert_eq!(found(&server, json!({"role": "db"}), 1).await, [registered.record()]);
}

#[tokio::test(start_paused = true)]
async fn a_record_ends_with_its_owner_at_once_or_after_its_lifetime() {
    let network = Network::new(7);
    let reader = join(&network, "reader").await;
    let quits = join(&network, "quits").await;
    let dies = join(&network, "dies").await;
    let ttl = Duration::from_mins(1);
    quits.registry().register("quits").await.unwrap();
    dies.registry().register(Record::new("dies").unwrap().ttl(ttl)).await.unwrap();
    found(&reader, json!({}), 2).await;
    quits.close().await;
    let start = Instant::now();
    found(&reader, json!({"role": "quits"}), 0).await;
    assert!(start.elapsed() < Duration::from_secs(2));
    network.isolate("dies");
    let start = Instant::now();
    found(&reader, json!({"role": "dies"}), 0).await;
    let taken = start.elapsed();
    assert!(taken >= ttl && taken < ttl + Duration::from_secs(10), "{taken:?}");
}

#[tokio::test(start_paused = true)]
async fn a_record_on_a_healthy_link_never_flaps() {
    let network = Network::new(8);
    let mut server = config(&network, "server");
    server.timings.heartbeat_interval = Duration::from_secs(1);
    server.timings.registration_lifetime = Duration::from_secs(3);
    let server = Node::join(server).await.unwrap();
    let client = join(&network, "client").await;
    server.registry().register(db()).await.unwrap();
    found(&client, json!({"role": "db"}), 1).await;
    let mut watch = client.registry().watch();
    assert!(matches!(watch.next().await, Some(Change::Insert(_))));
    assert_eq!(watch.next().await, Some(Change::Synced));
    let quiet = timeout(Duration::from_mins(10), watch.next()).await;
    assert!(quiet.is_err(), "{quiet:?}");
}

#[tokio::test(start_paused = true)]
async fn a_lifetime_under_three_heartbeats_is_refused_with_the_reason() {
    let network = Network::new(9);
    let node = join(&network, "node").await;
    let short = Record::new("db").unwrap().ttl(Duration::from_secs(14));
    let refused = node.registry().register(short).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    let said = refused.to_string();
    assert!(
        said.starts_with("a lifetime of 14s: it is at least 15s, 3 heartbeat intervals"),
        "{said}"
    );
    let mut config = config(&network, "other");
    config.timings.registration_lifetime = Duration::from_secs(5);
    let refused = Node::join(config).await.unwrap_err().to_string();
    assert!(
        refused.starts_with("timings.registration_lifetime \"5s\": it is at least 15s"),
        "{refused}"
    );
}

#[tokio::test(start_paused = true)]
async fn what_can_never_be_registered_is_refused_and_nothing_is() {
    let (_network, server, _client) = two(10).await;
    let registry = server.registry();
    let record = || Record::new("db").unwrap();
    for (bad, code, part) in [
        (
            record().data("x".repeat(511)),
            Code::InvalidArgument,
            "data of 513 bytes: a record has at most 512",
        ),
        (record().address("0.0.0.0:80"), Code::InvalidArgument, "every address of a host"),
        (record().address("no host"), Code::InvalidArgument, "a host is an IP address"),
        (record().ttl(Duration::from_hours(25)), Code::InvalidArgument, "at most 86400s"),
    ] {
        let refused = registry.register(bad).await.unwrap_err();
        assert_eq!(refused.code(), code, "{refused}");
        assert!(refused.to_string().contains(part), "{refused}");
    }
    assert!(registry.register("a b").await.is_err());
    assert_eq!(registry.services(), []);
    server.close().await;
    assert!(registry.register("db").await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_watch_begins_with_what_is_there_and_tells_each_change_once() {
    let (_network, server, client) = two(11).await;
    let registered = server.registry().register(db()).await.unwrap();
    found(&client, json!({"role": "db"}), 1).await;
    let mut watch = client.registry().watch();
    let before = registered.record();
    assert_eq!(watch.next().await, Some(Change::Insert(before.clone())));
    assert_eq!(watch.next().await, Some(Change::Synced));
    registered.update(&db()).await.unwrap(); // The same again is no news.
    registered.update(&db().data(json!({"zone": "us"}))).await.unwrap();
    let Some(Change::Update(now)) = watch.next().await else { panic!("no update") };
    assert_eq!((now.id, &now.data), (before.id, &json!({"zone": "us"})));
    registered.free().await.unwrap();
    assert_eq!(watch.next().await, Some(Change::Remove(now)));
    client.close().await;
    assert_eq!(watch.next().await, None);
    assert!(registered.update(&db()).await.is_err(), "it was freed");
}

/// The first event that is asked for.
async fn first<T>(events: &mut RegistryEvents, wanted: impl Fn(RegistryEvent) -> Option<T>) -> T {
    let looking = async {
        loop {
            let event = events.next().await.expect("the events end without it");
            if let Some(found) = wanted(event) {
                return found;
            }
        }
    };
    timeout(PATIENCE, looking).await.expect("it happens")
}

#[tokio::test(start_paused = true)]
async fn the_events_are_those_of_tallships_page() {
    let network = Network::new(12);
    let server = join(&network, "server").await;
    let registered = server.registry().register(db()).await.unwrap();
    let client = join(&network, "client").await;
    let mut heard = [server.registry().events(), client.registry().events()];
    let synced = first(&mut heard[1], |event| match event {
        RegistryEvent::Synced { peer } => Some(peer),
        _ => None,
    });
    assert_eq!(synced.await, server.info().id);
    let db = |event| match event {
        RegistryEvent::Free { record } if record.role.to_string() == "db" => Some(record),
        _ => None,
    };
    let record = registered.record();
    registered.free().await.unwrap();
    for events in &mut heard {
        assert_eq!(first(events, db).await, record);
    }
    let shop = client.registry().register("shop").await.unwrap();
    let expect = shop.record();
    let registers = |event| match event {
        RegistryEvent::Register { record } => Some(record),
        _ => None,
    };
    assert_eq!(first(&mut heard[0], registers).await.id, expect.id);
    client.close().await;
    first(&mut heard[1], |event| (event == RegistryEvent::Closed).then_some(())).await;
    assert_eq!(heard[1].next().await, None);
}

#[tokio::test(start_paused = true)]
async fn who_dials_hears_connect_and_who_is_dialled_connection() {
    let network = Network::new(13);
    let mut quiet = ["dialler", "listener"].map(|name| config(&network, name));
    for config in &mut quiet {
        config.discovery.scouting = false;
    }
    let [dialler, listener] = quiet;
    let (dialler, listener) =
        (Node::join(dialler).await.unwrap(), Node::join(listener).await.unwrap());
    let mut heard = [dialler.registry().events(), listener.registry().events()];
    let at = listener.info().addresses[0].tcp().unwrap().to_string();
    assert_eq!(dialler.registry().connect(&at).await.unwrap(), listener.info().id);
    let connect = |event| match event {
        RegistryEvent::Connect { node } => Some(node),
        _ => None,
    };
    let connection = |event| match event {
        RegistryEvent::Connection { node } => Some(node),
        _ => None,
    };
    assert_eq!(first(&mut heard[0], connect).await, listener.info().id);
    assert_eq!(first(&mut heard[1], connection).await, dialler.info().id);
}

#[tokio::test(start_paused = true)]
async fn the_heart_beats_once_what_was_registered_is_known_elsewhere_and_never_alone() {
    let network = Network::new(14);
    let server = join(&network, "server").await;
    let registry = server.registry();
    let mut events = registry.events();
    registry.register(db()).await.unwrap();
    let beat = |event| (event == RegistryEvent::Heartbeat).then_some(());
    let alone = timeout(Duration::from_mins(1), first(&mut events, beat)).await;
    assert!(alone.is_err(), "it beats although nobody is there");
    let client = join(&network, "client").await;
    first(&mut events, beat).await;
    assert_eq!(client.registry().get("db").unwrap().len(), 1, "it is known there by then");
    // What nobody confirms holds it up.
    registry.register("late").await.unwrap();
    first(&mut events, beat).await;
    assert_eq!(client.registry().get("late").unwrap().len(), 1);
    let start = Instant::now();
    first(&mut events, beat).await;
    first(&mut events, beat).await;
    let taken = start.elapsed().as_secs_f64();
    assert!((9.0..12.0).contains(&taken), "two intervals take {taken} s");
}

#[tokio::test(start_paused = true)]
async fn who_waits_goes_on_when_all_is_there_and_is_told_what_is_missing() {
    let (_network, server, client) = two(15).await;
    let registry = client.registry();
    let second = Duration::from_secs(1);
    server.registry().register("payments@1.0.0").await.unwrap();
    found(&client, json!({"role": "payments"}), 1).await;
    let late = registry.wait_for(["orders", "payments@^2"], 3 * second).await.unwrap_err();
    assert_eq!(late.code(), Code::DeadlineExceeded);
    assert_eq!(late.to_string(), "after 3s orders, payments@^2 (there: 1.0.0) are missing");
    let waiting =
        tokio::spawn(async move { registry.wait_for(["orders", "payments@^2"], PATIENCE).await });
    tokio::time::sleep(second).await;
    server.registry().register("payments@2.1.0").await.unwrap();
    tokio::time::sleep(second).await;
    assert!(!waiting.is_finished());
    let _orders = server.responder("orders").serve(|(): ()| async {}).await.unwrap();
    timeout(PATIENCE, waiting).await.unwrap().unwrap().unwrap();
    assert!(client.registry().wait_for(["a b"], second).await.is_err());
    let registry = client.registry();
    client.close().await;
    assert!(registry.wait_for(["nothing"], PATIENCE).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn records_freed_during_a_partition_do_not_come_back_and_none_is_lost() {
    let network = Network::new(16);
    let nodes = join_many(&network, 4).await;
    let mut kept = Vec::new();
    for node in &nodes {
        kept.push(node.registry().register(("kept", 1)).await.unwrap());
        node.registry().register(Record::new("freed").unwrap().port(7)).await.unwrap();
    }
    for node in &nodes {
        found(node, json!({}), 8).await;
    }
    for (one, other) in [(0, 2), (0, 3), (1, 2), (1, 3)] {
        network.cut(&format!("host-{one}"), &format!("host-{other}"));
    }
    tokio::time::sleep(Duration::from_secs(30)).await;
    for node in &nodes {
        node.registry().free(7).await.unwrap().unwrap();
    }
    tokio::time::sleep(Duration::from_secs(30)).await;
    network.heal_all();
    let start = Instant::now();
    for node in &nodes {
        found(node, json!({"role": "kept"}), 4).await;
        found(node, json!({"role": "freed"}), 0).await;
    }
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_registry_that_closed_is_closed_for_good() {
    let (_network, server, client) = two(17).await;
    let registry: Registry = server.registry();
    registry.register(db()).await.unwrap();
    found(&client, json!({"role": "db"}), 1).await;
    registry.close().await;
    found(&client, json!({}), 0).await;
    tokio::time::sleep(Duration::from_mins(1)).await;
    assert_eq!(client.registry().get("homing").unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_record_is_found_by_the_text_of_its_id() {
    let network = Network::new(18);
    let node = Node::join(Config::testing(&network, "node")).await.unwrap();
    let registered = node.registry().register(db()).await.unwrap();
    let id = registered.id().to_string();
    assert_eq!(id.parse::<RecordId>(), Ok(registered.id()));
    assert_eq!(found(&node, json!({"id": id}), 1).await, [registered.record()]);
}

#[tokio::test(start_paused = true)]
async fn a_node_that_is_alone_forgets_the_dead_as_well() {
    let network = Network::new(19);
    let (reader, owner) = (join(&network, "reader").await, join(&network, "owner").await);
    owner.registry().register(db()).await.unwrap();
    found(&reader, json!({"role": "db"}), 1).await;
    network.isolate("reader");
    let start = Instant::now();
    found(&reader, json!({"role": "db"}), 0).await;
    assert!(start.elapsed() < Duration::from_secs(30), "{:?}", start.elapsed());
    network.heal_all();
    found(&reader, json!({"role": "db"}), 1).await;
}

#[tokio::test(start_paused = true)]
async fn a_persistent_record_outlives_its_owner_and_stays_freed() {
    let network = Network::new(20);
    let nodes = join_many(&network, 3).await;
    let owner = join(&network, "owner").await;
    let registered = owner.registry().register(db().persistent()).await.unwrap();
    let id = registered.id();
    let mut spread = registered.spread().await;
    while spread.acknowledged < 3 {
        spread = registered.spread().await;
    }
    owner.close().await;
    tokio::time::sleep(Duration::from_mins(30)).await;
    for node in &nodes {
        let record = found(node, json!({"id": id.to_string()}), 1).await.remove(0);
        assert!(record.lasting.is_lasting() && record.ttl.is_none(), "{record:?}");
    }
    let late = join(&network, "late").await;
    found(&late, json!({"role": "db"}), 1).await;
    network.isolate("host-2");
    let freed = nodes[0].registry().free(id).await.unwrap().unwrap();
    assert_eq!(freed.place(), db().place());
    tokio::time::sleep(Duration::from_mins(30)).await;
    network.heal_all();
    for node in nodes.iter().chain([&late]) {
        found(node, json!({"role": "db"}), 0).await;
    }
    tokio::time::sleep(Duration::from_mins(1)).await;
    for node in &nodes {
        assert_eq!(node.registry().free(id).await.unwrap(), None);
        assert_eq!(node.registry().services(), []);
    }
}

#[tokio::test(start_paused = true)]
async fn who_registers_and_frees_sees_it_at_once() {
    let network = Network::new(21);
    let node = join(&network, "node").await;
    let registry = node.registry();
    for round in 0..3 {
        let registered = registry.register(db()).await.unwrap();
        assert_eq!(registry.services(), [registered.record()], "{round}");
        registered.update(&db().data(round)).await.unwrap();
        assert_eq!(registry.get("db").unwrap()[0].data, json!(round));
        registered.free().await.unwrap();
        assert_eq!(registry.services(), [], "{round}");
    }
}
