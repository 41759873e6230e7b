//! Do programs of the crate `homing` and commands of the binary understand each other?

use homing::{Config, Encoding, Node};
use serde_json::{Value, json};
use tokio::runtime::{Builder, Runtime};

use super::house::House;

fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

async fn join(house: &House, config: Config) -> Node {
    let config = config.mesh(house.name()).unwrap().rendezvous(house.rendezvous());
    Node::join(config).await.unwrap()
}

#[test]
fn two_nodes_of_one_process_serve_two_versions() {
    let house = House::new();
    let runtime = runtime();
    let (old, new) = runtime.block_on(async {
        let old = join(&house, Config::default().name("old").unwrap()).await;
        old.serve("v@1.4.0", |_: Option<String>| async { "one" }).await.unwrap();
        let new = join(&house, Config::default().name("new").unwrap()).await;
        new.serve("v@2.0.0", |_: Option<String>| async { "two" }).await.unwrap();
        let from_old: String = old.call("v@2", &None::<String>).await.unwrap();
        let from_new: String = new.call("v@1", &None::<String>).await.unwrap();
        assert_eq!((from_old.as_str(), from_new.as_str()), ("two", "one"));
        (old, new)
    });
    house.run("call v@1 null --who").printed("one");
    house.run("call v null").printed("two");
    runtime.block_on(old.close());
    house.run("call v@1 null --no-wait").failed(24, "no instance of v@1 (running: 2.0.0)");
    runtime.block_on(new.close());
}

#[test]
fn a_typed_service_reads_what_is_typed() {
    let house = House::new();
    let runtime = runtime();
    let node = runtime.block_on(async {
        let node = join(&house, Config::default()).await;
        let sum = |numbers: Vec<i64>| async move { numbers.iter().sum::<i64>() };
        node.serve("math/sum", sum).await.unwrap();
        node.serve("hello", |name: String| async move { format!("hello {name}") }).await.unwrap();
        node
    });
    house.run("call math/sum [1,2,39]").printed("42");
    house.run("call math/sum [1,2,39] --encoding json").printed("42");
    house.run("call hello you").printed("hello you");
    house.run("call math/sum two").failed(13, "INVALID_ARGUMENT");
    runtime.block_on(node.close());
}

#[test]
fn a_program_calls_a_command() {
    let house = House::new();
    let _words = house.serve(&["same", "--exec", "cat"]);
    let echoed: Value = runtime().block_on(async {
        let node = join(&house, Config::visitor()).await;
        let requester = node.requester().encoding(Encoding::Json).build();
        let echoed = requester.call("same", &json!({"a": [1, 2]})).await.unwrap();
        node.close().await;
        echoed
    });
    assert_eq!(echoed, json!({"a": [1, 2]}));
}
