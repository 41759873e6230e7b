//! Does a program learn why its calls go where they go, and what other nodes think of it?

use crate::house::{join, know, until};
use homing::testing::Network;
use homing::why::{Asker, Reason, Verdict};
use homing::{Balancer, Code, Explanation, Node, Responder, Status};
use std::time::Duration;
use tokio::time::sleep;

async fn serve(node: &Node, offer: &str) -> Responder {
    node.responder(offer).concurrency(1).serve(|(): ()| async { 1 }).await.unwrap()
}

/// `NAME verdict reason`, one after the other.
fn told(explanation: &Explanation) -> String {
    let told = explanation.instances.iter().map(|instance| {
        let reason = instance.reason.map_or_else(String::new, |reason| format!(" {reason}"));
        format!("{} {}{reason}", instance.node_name, instance.verdict)
    });
    let mut told: Vec<String> = told.collect();
    told.sort_unstable();
    told.join(", ")
}

#[tokio::test(start_paused = true)]
async fn each_instance_is_told_with_its_verdict_and_nothing_is_called() {
    let network = Network::new(1);
    let (old, new) = (join(&network, "old").await, join(&network, "new").await);
    let _offers = (serve(&old, "words@1.0.0").await, serve(&new, "words@2.0.0").await);
    let caller = join(&network, "caller").await;
    know(&caller, "words", 2).await;
    let requester = caller.requester().build();
    let told_of = |address: &str| told(&requester.explain(address).unwrap());
    assert_eq!(told_of("words"), "new next, old excluded version");
    assert_eq!(told_of("words@1"), "new excluded version, old next");
    assert_eq!(told_of("words@*"), "new maybe, old maybe");
    assert_eq!(told_of("words/x"), "new excluded method, old excluded method");
    let nobody = requester.explain("wrods").unwrap();
    assert_eq!(nobody.absence.unwrap().code, Code::NotFound);
    assert_eq!(nobody.near, ["words".parse().unwrap()]);
    let surveyed = requester.to("words").unwrap().call(&()).survey().await;
    let next = surveyed.instances.iter().find(|one| one.verdict == Verdict::Next).unwrap();
    assert_eq!(next.load.unwrap().concurrency, 1);
}

#[tokio::test(start_paused = true)]
async fn a_full_instance_says_so_when_it_is_asked() {
    let network = Network::new(2);
    let server = join(&network, "server").await;
    let handler = |(): ()| std::future::pending::<u8>();
    let _offer = server.responder("slow").concurrency(1).queue(0).serve(handler).await.unwrap();
    let caller = join(&network, "caller").await;
    know(&caller, "slow", 1).await;
    let other = caller.clone();
    tokio::spawn(async move { other.call::<_, u8>("slow", &()).await });
    let requester = caller.requester().build();
    until("the call is at work", || async {
        let surveyed = requester.to("slow").unwrap().call(&()).survey().await;
        let instance = &surveyed.instances[0];
        (instance.reason == Some(Reason::Full) && instance.why.contains("1 of 1")).then_some(())
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn slots_are_had_before_they_are_told() {
    let network = Network::new(3);
    let server = join(&network, "server").await;
    let _offer = serve(&server, "words").await;
    let caller = join(&network, "caller").await;
    know(&caller, "words", 1).await;
    let requester = caller.requester().balancer(Balancer::Slots).build();
    let surveyed = requester.to("words").unwrap().call(&()).survey().await;
    assert_eq!(
        (told(&surveyed), &surveyed.instances[0].figures.as_ref().unwrap().slots),
        ("server next".into(), &vec![0])
    );
}

#[tokio::test(start_paused = true)]
async fn an_instance_of_another_namespace_is_told_as_such() {
    let network = Network::new(6);
    let (here, blue) = (join(&network, "here").await, join(&network, "blue").await);
    let _offer = serve(&here, "words").await;
    let offer = blue.responder("words").namespace("blue".parse().unwrap());
    let _other = offer.serve(|(): ()| async { 1 }).await.unwrap();
    let caller = join(&network, "caller").await;
    know(&caller, "words", 2).await;
    let explained = caller.requester().build().explain("words").unwrap();
    assert_eq!(told(&explained), "blue excluded namespace, here next");
    assert_eq!(explained.instances[1].why, "it is offered in namespace blue");
}

#[tokio::test(start_paused = true)]
async fn an_instance_that_fails_again_and_again_is_told_as_ejected() {
    let network = Network::new(8);
    let (bad, good) = (join(&network, "bad").await, join(&network, "good").await);
    let failing = |(): ()| async { Err::<u8, _>(Status::new(Code::Internal, "no")) };
    let _bad = bad.responder("words").serve(failing).await.unwrap();
    let _good = serve(&good, "words").await;
    let caller = join(&network, "caller").await;
    know(&caller, "words", 2).await;
    let requester = caller.requester().build();
    let words = requester.to("words").unwrap();
    for _ in 0..5 {
        words.call(&()).instance(bad.info().id).await.unwrap_err();
    }
    let explained = requester.explain("words").unwrap();
    assert_eq!(told(&explained), "bad later ejected, good next");
    let bad = explained.instances.iter().find(|one| one.reason == Some(Reason::Ejected)).unwrap();
    assert!(bad.why.contains("set aside for another "), "{}", bad.why);
}

#[tokio::test(start_paused = true)]
async fn an_instance_without_a_route_is_told_with_what_dialling_it_came_to() {
    let network = Network::new(9);
    let (far, near) = (join(&network, "far").await, join(&network, "near").await);
    let _offers = (serve(&far, "words").await, serve(&near, "words").await);
    let caller = join(&network, "caller").await;
    know(&caller, "words", 2).await;
    network.cut("caller", "far");
    let requester = caller.requester().build();
    let words = requester.to("words").unwrap();
    until("the way is known to be none", || async {
        let surveyed = words.call(&()).survey().await;
        let far = surveyed.instances.iter().find(|one| one.node_name.as_str() == "far").unwrap();
        let is_told = matches!(far.reason, Some(Reason::NoRoute | Reason::Unreachable));
        (is_told && far.why.ends_with(')') && told(&surveyed).contains("near next")).then_some(())
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn who_is_over_the_limit_of_slots_is_told_with_the_limit() {
    let network = Network::new(10);
    let (one, two) = (join(&network, "one").await, join(&network, "two").await);
    let _offers = (serve(&one, "words").await, serve(&two, "words").await);
    let caller = join(&network, "caller").await;
    know(&caller, "words", 2).await;
    let requester = caller.requester().balancer(Balancer::Slots).max_slots(1).build();
    let surveyed = requester.to("words").unwrap().call(&()).survey().await;
    let excluded = surveyed.instances.iter().find(|one| one.verdict == Verdict::Later).unwrap();
    assert_eq!(excluded.reason, Some(Reason::Slotless));
    assert_eq!(excluded.why, "no slot of it is held: the requester holds 1, and at most 1");
}

#[tokio::test(start_paused = true)]
async fn where_nobody_is_nobody_is_waited_for() {
    let network = Network::new(11);
    let caller = join(&network, "caller").await;
    let requester = caller.requester().balancer(Balancer::Slots).build();
    let begun = tokio::time::Instant::now();
    let surveyed = requester.to("words").unwrap().call(&()).survey().await;
    assert_eq!(surveyed.absence.unwrap().code, Code::NotFound);
    assert!(begun.elapsed() < std::time::Duration::from_secs(1), "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_node_tells_what_its_requesters_think() {
    let network = Network::new(4);
    let server = join(&network, "server").await;
    let _offer = serve(&server, "words@1.0.0").await;
    let (caller, asker) = (join(&network, "caller").await, join(&network, "asker").await);
    know(&caller, "words", 1).await;
    let id = caller.info().id;
    let explained = asker.explain_from(id, "words").await.unwrap();
    assert_eq!(explained[0].asker, Asker::Newcomer);
    caller.call::<_, u8>("words@1", &()).await.unwrap();
    let explained = asker.explain_from(id, "words").await.unwrap();
    assert_eq!(explained.len(), 1);
    assert_eq!((explained[0].asker, explained[0].node), (Asker::Caller, id));
    assert_eq!(explained[0].address.to_string(), "words@1");
    assert_eq!(told(&explained[0]), "server next");
    assert!(explained[0].instances[0].figures.as_ref().unwrap().latency_us.is_some());
    let error = asker.explain_from(id, "wo rds").await.unwrap_err();
    assert_eq!(error.code(), Code::InvalidArgument);
}

#[tokio::test(start_paused = true)]
async fn who_is_not_known_is_not_waited_for_for_ever() {
    let network = Network::new(14);
    let asker = join(&network, "asker").await;
    let stranger = join(&Network::new(15), "stranger").await.info().id;
    let begun = tokio::time::Instant::now();
    let error = asker.explain_from(stranger, "words").await.unwrap_err();
    assert_eq!(error.code(), Code::Unavailable);
    assert!(error.to_string().contains("could not be reached"), "{error}");
    assert!(begun.elapsed() < std::time::Duration::from_secs(6), "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn who_may_not_call_is_told_so_and_nothing_else() {
    let network = Network::new(5);
    let server = join(&network, "server").await;
    let _offer = serve(&server, "words").await;
    let caller = join(&network, "caller").await;
    know(&caller, "words", 1).await;
    let nobody = "[[access]]\nwho = \"anyone\"\nmay = \"offer\"\non = \"*\"";
    server.set_access(Some(nobody.parse().unwrap()));
    let surveyed = caller.requester().build().to("words").unwrap().call(&()).survey().await;
    let instance = &surveyed.instances[0];
    assert_eq!((instance.reason, instance.load), (Some(Reason::Refused), None));
    assert!(instance.why.contains("PERMISSION_DENIED"), "{}", instance.why);
    let error = caller.explain_from(server.info().id, "words").await.unwrap_err();
    assert_eq!(error.code(), Code::PermissionDenied);
}

#[tokio::test(start_paused = true)]
async fn a_node_that_goes_and_is_at_work_is_told_to_drain() {
    let network = Network::new(11);
    let server = join(&network, "server").await;
    let handler = |(): ()| async {
        sleep(Duration::from_secs(10)).await;
        7_u8
    };
    let _offer = server.responder("slow").serve(handler).await.unwrap();
    let caller = join(&network, "caller").await;
    know(&caller, "slow", 1).await;
    let call = caller.requester().timeout(Duration::from_mins(1)).build().to("slow").unwrap();
    let answered = tokio::spawn(call.call(&()).into_future());
    let requester = caller.requester().build();
    until("the call is at work", || async {
        let surveyed = requester.to("slow").unwrap().call(&()).survey().await;
        (surveyed.instances[0].load?.running == 1).then_some(())
    })
    .await;
    let going = tokio::spawn(async move { server.close().await });
    until("it drains", || async {
        (told(&requester.explain("slow").unwrap()) == "server excluded draining").then_some(())
    })
    .await;
    assert_eq!(answered.await.unwrap().unwrap().decode::<u8>().unwrap(), 7);
    going.await.unwrap();
}
