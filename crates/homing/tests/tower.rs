//! Do tower's layers do around both ends of a call what they do elsewhere?

#![expect(clippy::unwrap_used, reason = "a test that fails")]

use homing::service::{BoxError, CallRequest, Request};
use homing::testing::Network;
use homing::{Annotated, CallError, Code, Config, Encoding, Node, Payload, Reply, Started, Status};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};
use tower::timeout::error::Elapsed;
use tower::{Service, ServiceBuilder, ServiceExt, service_fn};

const SECOND: Duration = Duration::from_secs(1);

/// So many nodes on one network, named `node-0` and on.
async fn join<const N: usize>(seed: u64) -> (Network, [Node; N]) {
    let network = Network::new(seed);
    let mut nodes = Vec::new();
    for number in 0..N {
        let name = format!("node-{number}");
        let config = Config::testing(&network, &name).name(&name).unwrap();
        nodes.push(Node::join(config).await.unwrap());
    }
    (network, nodes.try_into().expect("as many as were joined"))
}

#[tokio::test(start_paused = true)]
async fn a_timeout_around_a_callee_ends_the_work_behind_it() {
    let (_network, [server, client]) = join(1).await;
    let at_work = Arc::new(());
    let held = Arc::downgrade(&at_work);
    let work = move |seconds: u64| {
        let at_work = Arc::clone(&at_work);
        async move {
            sleep(SECOND * u32::try_from(seconds).unwrap()).await;
            drop(at_work);
            seconds
        }
    };
    let _responder = server.responder("work").serve(work).await.unwrap();
    let callee = client.requester().timeout(Duration::from_mins(5)).build().to("work").unwrap();
    let mut timed = ServiceBuilder::new().timeout(2 * SECOND).service(callee);
    assert_eq!(timed.call(1_u64).await.unwrap().decode::<u64>().unwrap(), 1);
    let error = timed.call(60_u64).await.unwrap_err();
    assert!(error.is::<Elapsed>(), "{error}");
    timeout(SECOND, async {
        while held.strong_count() > 1 {
            sleep(SECOND / 100).await;
        }
    })
    .await
    .expect("the handler is stopped");
}

#[tokio::test(start_paused = true)]
async fn a_limit_around_a_callee_holds_for_all_its_clones() {
    let (_network, [server, client]) = join(2).await;
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let seen = Arc::clone(&most);
    let work = move |(): ()| {
        let (now, most) = (Arc::clone(&now), Arc::clone(&most));
        async move {
            most.fetch_max(now.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
            sleep(SECOND).await;
            now.fetch_sub(1, Ordering::Relaxed);
        }
    };
    server.serve("work", work).await.unwrap();
    let callee = client.requester().build().to("work").unwrap();
    let limited = ServiceBuilder::new().concurrency_limit(2).service(callee);
    let began = Instant::now();
    let calls: Vec<_> = (0..6).map(|_| tokio::spawn(limited.clone().oneshot(()))).collect();
    for call in calls {
        let reply: Reply = call.await.unwrap().unwrap();
        assert_eq!(reply.instance().name.as_str(), "node-0");
    }
    assert_eq!(seen.load(Ordering::Relaxed), 2);
    assert!(began.elapsed() >= 3 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn a_service_that_is_not_ready_refuses_and_others_take_the_call() {
    let (_network, [one, other, client]) = join(3).await;
    let limited = || ServiceBuilder::new().concurrency_limit(2).service_fn(after);
    let _one = one.responder("wait").serve_service(limited()).await.unwrap();
    let hasty = client.requester().no_wait().build();
    hasty.ready("wait").await.unwrap();
    let callee = hasty.to("wait").unwrap();
    let busy: Vec<_> = (0..2).map(|_| tokio::spawn(callee.call(&2_u64).into_future())).collect();
    sleep(SECOND / 10).await;
    let full = callee.call(&0_u64).await.unwrap_err();
    assert_eq!((full.code(), full.started()), (Code::ResourceExhausted, Started::No), "{full}");
    let patient = client.requester().build();
    let waited: u64 = patient.call("wait", &0_u64).await.unwrap();
    assert_eq!(waited, 0, "who waits has its turn");
    for call in busy {
        call.await.unwrap().unwrap();
    }
    let _other = other.responder("wait").serve_service(limited()).await.unwrap();
    while client.services()[0].instances.len() < 2 {
        sleep(SECOND / 10).await;
    }
    let calls: Vec<_> = (0..4).map(|_| tokio::spawn(callee.call(&2_u64).into_future())).collect();
    for call in calls {
        call.await.unwrap().expect("there are four places on two nodes");
    }
}

/// What a caller is told when a service with this layer around it fails so.
async fn check(error: BoxError, code: Code, message: &str) {
    let (_network, [server, client]) = join(5).await;
    let error = Arc::new(parking_lot::Mutex::new(Some(error)));
    let failing = service_fn(move |_: Request<()>| {
        let error = error.lock().take().expect("it is called once");
        async move { Err::<(), _>(error) }
    });
    let _responder = server.responder("fail").serve_service(failing).await.unwrap();
    let error = client.call::<_, ()>("fail", &()).await.unwrap_err();
    assert_eq!((error.code(), error.status().message.as_str()), (code, message));
}

#[derive(Debug, thiserror::Error)]
#[error("it failed")]
struct Caused(#[source] Status);

#[tokio::test(start_paused = true)]
async fn a_failure_keeps_its_code_through_layers_and_others_are_unknown() {
    let status = || Status::new(Code::OutOfRange, "nothing is left");
    check(status().into(), Code::OutOfRange, "nothing is left").await;
    check(Caused(status()).into(), Code::OutOfRange, "nothing is left").await;
    let inner = CallError::from("a b".parse::<homing::Address>().unwrap_err());
    let message = inner.status().message.clone();
    check(inner.into(), Code::InvalidArgument, &message).await;
    check("whatever".into(), Code::Unknown, "whatever").await;
    check(Box::new(Elapsed::new()), Code::Unknown, "request timed out").await;
}

#[tokio::test(start_paused = true)]
async fn a_timeout_around_a_served_service_is_told_as_was_said() {
    let (_network, [server, client]) = join(6).await;
    let slow = || Status::new(Code::DeadlineExceeded, "too slow");
    let coded = move |error: BoxError| if error.is::<Elapsed>() { slow().into() } else { error };
    let timed = ServiceBuilder::new().map_err(coded).timeout(SECOND).service_fn(after);
    let _responder = server.responder("wait").serve_service(timed).await.unwrap();
    let error = client.call::<_, u64>("wait", &3_u64).await.unwrap_err();
    assert_eq!(error.to_string(), "DEADLINE_EXCEEDED: too slow");
    assert_eq!(client.call::<_, u64>("wait", &0_u64).await.unwrap(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_service_that_is_broken_is_passed_over() {
    let (_network, [broken, well, client]) = join(7).await;
    let (buffer, worker) = tower::buffer::Buffer::pair(service_fn(after), 4);
    drop(worker); // With it the service behind the buffer is gone.
    let _broken = broken.responder("wait").serve_service(buffer).await.unwrap();
    let hasty = client.requester().no_wait().build();
    hasty.ready("wait").await.unwrap();
    let error = hasty.call::<_, u64>("wait", &0_u64).await.unwrap_err();
    assert_eq!((error.code(), error.started()), (Code::Unavailable, Started::No), "{error}");
    let _well = well.responder("wait").serve_service(service_fn(after)).await.unwrap();
    for number in 0..20_u64 {
        let answer: u64 = client.call("wait", &(number % 2)).await.unwrap();
        assert_eq!(answer, number % 2);
    }
}

#[tokio::test(start_paused = true)]
async fn a_requester_calls_whom_it_is_asked_to_with_what_goes_along() {
    let (_network, [server, client]) = join(8).await;
    let shout = service_fn(|request: Request<Payload>| async move {
        let name = request.context.metadata("name").cloned().unwrap_or_default();
        let text = [&request.value.bytes[..], b" ", &name].concat();
        let payload = Payload { encoding: Encoding::Text, bytes: text.to_ascii_uppercase().into() };
        Ok::<_, Status>(Annotated::new(payload).with("by", "shout"))
    });
    let _responder = server.responder("shout").serve_service_raw(shout).await.unwrap();
    let mut requester = ServiceBuilder::new().load_shed().service(client.requester().build());
    let hello = Payload { encoding: Encoding::Text, bytes: "hello".into() };
    let metadata = vec![("name".to_owned(), "you".into())];
    let address = "shout".parse().unwrap();
    let request = CallRequest { address, payload: hello, metadata };
    let reply = requester.ready().await.unwrap().call(request).await.unwrap();
    assert_eq!((&reply.payload.bytes[..], reply.metadata[0].0.as_str()), (&b"HELLO YOU"[..], "by"));
    assert!(CallRequest::new("a b", &()).is_err());
}

#[tokio::test(start_paused = true)]
async fn a_callee_is_served_as_it_is_and_its_time_shrinks() {
    let (_network, [server, middle, client]) = join(9).await;
    let left =
        service_fn(
            |request: Request<()>| async move { Ok::<_, Status>(request.context.remaining()) },
        );
    let _responder = server.responder("left").serve_service(left).await.unwrap();
    let callee = middle.requester().timeout(Duration::from_mins(1)).build().to("left").unwrap();
    let through = ServiceBuilder::new()
        .map_request(|request: Request<()>| request.value)
        .service(callee)
        .and_then(|reply: Reply| async move { reply.decode::<Option<Duration>>() });
    let _through = middle.responder("through").serve_service(through).await.unwrap();
    let callee = client.requester().build().to("through").unwrap();
    let reply = callee.call(&()).timeout(4 * SECOND).await.unwrap();
    let left: Option<Duration> = reply.decode().unwrap();
    assert!(left.expect("there is a deadline") <= 4 * SECOND);
}

/// Answers after so many seconds, with how many.
async fn after(request: Request<u64>) -> Result<u64, Status> {
    sleep(SECOND * u32::try_from(request.value).unwrap()).await;
    Ok(request.value)
}
