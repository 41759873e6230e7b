//! What do callers and handlers get to see of each other?

use crate::house::{know, two};
use homing::{Annotated, Code, Context, Encoding, Payload, Started, Status};
use serde::{Deserialize, Serialize};
use std::time::Duration;

#[derive(Debug, Deserialize, PartialEq, Serialize)]
struct Quote {
    item: String,
    count: u32,
}

#[tokio::test(start_paused = true)]
async fn a_typed_call_is_answered_with_a_type() {
    let (_network, server, client) = two(1).await;
    server.serve("price@1.4.0/quote", |quote: Quote| async move { quote.count * 7 }).await.unwrap();
    let quote = Quote { item: "bread".into(), count: 6 };
    let price: u32 = client.call("price@^1/quote", &quote).await.unwrap();
    assert_eq!(price, 42);
}

#[tokio::test(start_paused = true)]
async fn a_reply_comes_in_the_encoding_of_the_request() {
    let (_network, server, client) = two(2).await;
    server.serve("double", |number: u32| async move { number * 2 }).await.unwrap();
    let rows: [(Encoding, &[u8], &[u8]); 3] = [
        (Encoding::Json, b"21", b"42"),
        (Encoding::Text, b"21", b"42"),
        (Encoding::MessagePack, &[21], &[42]),
    ];
    let callee = client.requester().build().to("double").unwrap();
    for (encoding, request, expect) in rows {
        let payload = Payload { encoding, bytes: request.to_vec().into() };
        let reply = callee.call_raw(payload).await.unwrap();
        assert_eq!((reply.payload.encoding, &reply.payload.bytes[..]), (encoding, expect));
    }
    let typed = client.requester().encoding(Encoding::Json).build();
    let reply = typed.to("double").unwrap().call(&4).await.unwrap();
    assert_eq!((reply.payload.encoding, &reply.payload.bytes[..]), (Encoding::Json, &b"8"[..]));
}

#[tokio::test(start_paused = true)]
async fn a_handler_learns_all_about_a_call() {
    let (_network, server, client) = two(3).await;
    let told = |(): (), context: Context| async move {
        let Context { .. } = &context;
        let remaining = context.remaining().unwrap().as_millis();
        assert!((900..=1_000).contains(&remaining), "{remaining}");
        let trail =
            context.metadata("trail").map(|value| String::from_utf8_lossy(value).into_owned());
        let version = context.version().map(ToString::to_string);
        (
            context.caller().to_string(),
            format!("{} {} {}", context.namespace(), context.service(), context.method()),
            version,
            trail.unwrap_or_default(),
        )
    };
    server.serve("who@1.0.0/is/*", told).await.unwrap();
    let callee = client.requester().build().to("who/is/it").unwrap();
    let call = callee.call(&()).timeout(Duration::from_secs(1)).metadata("trail", "from the test");
    let reply = call.await.unwrap();
    let told: (String, String, Option<String>, String) = reply.decode().unwrap();
    assert_eq!(told.0, client.info().id.to_string());
    assert_eq!(told.1, "default who is/it");
    assert_eq!(told.2.as_deref(), Some("1.0.0"));
    assert_eq!(told.3, "from the test");
    let instance = reply.instance();
    assert_eq!((instance.node, instance.name.to_string()), (server.info().id, "server".into()));
    assert_eq!(instance.version.unwrap().to_string(), "1.0.0");
}

#[tokio::test(start_paused = true)]
async fn a_reply_brings_metadata_and_a_failure_its_code() {
    let (_network, server, client) = two(4).await;
    let measured = |text: String| async move { Annotated::new(text.len()).with("unit", "bytes") };
    server.serve("text/length", measured).await.unwrap();
    let refuse = |(): ()| async move { Err::<(), _>(Status::new(Code::NotFound, "no such item")) };
    server.serve("shop/find", refuse).await.unwrap();
    let requester = client.requester().build();
    let reply = requester.to("text/length").unwrap().call("four").await.unwrap();
    assert_eq!(reply.decode::<usize>().unwrap(), 4);
    assert_eq!(reply.metadata, [("unit".to_owned(), "bytes".into())]);
    let error = client.call::<_, ()>("shop/find", &()).await.unwrap_err();
    assert_eq!(error.to_string(), "NOT_FOUND: no such item");
    assert_eq!(error.instance().unwrap().name.to_string(), "server");
}

#[tokio::test(start_paused = true)]
async fn what_does_not_fit_is_the_callers_mistake_and_reaches_no_handler() {
    let (_network, server, client) = two(5).await;
    server.serve("double", |number: u32| async move { number * 2 }).await.unwrap();
    let error = client.call::<_, u32>("double", "two").await.unwrap_err();
    assert_eq!((error.code(), error.started()), (Code::InvalidArgument, Started::No), "{error}");
    let error = client.call::<_, String>("double", &2).await.unwrap_err();
    assert_eq!(error.code(), Code::InvalidArgument, "{error}");
    let error = client.call::<_, u32>("dou ble", &2).await.unwrap_err();
    assert_eq!(error.code(), Code::InvalidArgument, "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_the_failure_of_its_call_alone() {
    let (_network, server, client) = two(6).await;
    let at_once = |number: u32| async move {
        assert_ne!(number, 3, "three");
        number
    };
    let later = |number: u32| async move {
        tokio::time::sleep(Duration::from_millis(u64::from(number))).await;
        assert_ne!(number, 3, "three");
        number
    };
    server.serve("odd/at-once", at_once).await.unwrap();
    server.serve("odd/later", later).await.unwrap();
    know(&client, "odd", 2).await;
    for address in ["odd/at-once", "odd/later"] {
        let calls = (0..6).map(|number| {
            let client = client.clone();
            tokio::spawn(async move { client.call::<_, u32>(address, &number).await })
        });
        for (number, call) in (0..6).zip(calls.collect::<Vec<_>>()) {
            match call.await.unwrap() {
                Ok(reply) => assert_eq!(reply, number),
                Err(error) => {
                    assert_eq!(error.to_string(), "INTERNAL: the handler panicked");
                    assert_eq!(number, 3);
                }
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_calls_back_over_the_same_link_does_not_deadlock() {
    let (_network, server, client) = two(7).await;
    client.serve("name", |(): ()| async move { "client".to_owned() }).await.unwrap();
    let back = server.clone();
    let greet = move |greeting: String| {
        let back = back.clone();
        async move {
            let name: String = back.call("name", &()).await?;
            Ok::<_, homing::CallError>(format!("{greeting}, {name}"))
        }
    };
    server.serve("greet", greet).await.unwrap();
    let calls = (0..50).map(|_| {
        let client = client.clone();
        tokio::spawn(async move { client.call::<_, String>("greet", "hello").await })
    });
    for call in calls.collect::<Vec<_>>() {
        assert_eq!(call.await.unwrap().unwrap(), "hello, client");
    }
    server.close().await;
}
