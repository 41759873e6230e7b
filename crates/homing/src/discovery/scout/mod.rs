//! How does a node call out to everybody within earshot? With datagrams that the node machine wrote and reads.
//!
//! Without a key a node is heard on its host only: ears are bound to 127.255.255.255, never to an address of a network,
//! and calls go there from 127.0.0.1 (decisions B2). Where the system has no such address (it is Linux's), the
//! rendezvous directory has to do. With a key, unless it listens on loopback only, it calls on every interface, see [`interfaces`].
//!
//! What is heard may be anybody's and may be lost; neither is an error.

mod interfaces;
mod post;

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use homing_core::gate::Turnstile;
use homing_core::limits::{DATAGRAM_MAX, FINDINGS_MAX, SCOUTS};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

pub(crate) use self::interfaces::Reach;
use super::{Finding, Outcome, Source, Teller};
use crate::clock::Clock;
use crate::net::{Datagrams, Net};

/// Everybody on this host who listens there.
const EVERYBODY_HERE: Ipv4Addr = Ipv4Addr::new(127, 255, 255, 255);

/// Calls that wait to be sent; further ones are dropped, they are repeated anyway.
const CALLS_MAX: usize = 8;

/// Calls out and listens, until it is dropped.
pub(crate) struct Scout {
    calls: mpsc::Sender<Vec<u8>>,
    heard: mpsc::Receiver<Heard>,
    dropped: Arc<AtomicU64>,
    _tasks: JoinSet<()>,
}

/// A datagram that somebody sent to everybody; our own come back, too.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Heard {
    /// Which way it came.
    pub(crate) source: Source,
    /// Where it was heard, as in the verdict about that place.
    pub(crate) place: Arc<str>,
    /// Its sender's socket, which need not be the node's.
    pub(crate) from: SocketAddr,
    /// At most one byte more than [`DATAGRAM_MAX`].
    pub(crate) bytes: Vec<u8>,
}

/// Where what is heard is told.
#[derive(Clone)]
struct Earshot {
    heard: mpsc::Sender<Heard>,
    dropped: Arc<AtomicU64>,
}

/// A socket to call with, and whom it reaches.
struct Mouth {
    source: Source,
    socket: Box<dyn Datagrams>,
    to: SocketAddr,
}

impl Scout {
    /// Calls to everybody on this host at `port`. What does not work is a verdict, never an error.
    ///
    /// Must be called in a tokio runtime, as must [`Scout::on_network`].
    pub(crate) fn on_host(net: &Arc<dyn Net>, port: u16, findings: mpsc::Sender<Finding>) -> Self {
        let everybody = SocketAddr::from((EVERYBODY_HERE, port));
        let ear = net.bind(everybody);
        let mouth = net.bind((Ipv4Addr::LOCALHOST, 0).into());
        Self::start(|calls, ears, mut tasks| {
            let opened = match (ear, mouth) {
                (Ok(ear), Ok(socket)) => {
                    let place = everybody.to_string().into();
                    tasks.spawn(listen((Source::Broadcast, place), ear, ears));
                    Ok(Mouth { source: Source::Broadcast, socket, to: everybody })
                }
                (Err(error), _) | (_, Err(error)) => Err(error.to_string()),
            };
            let teller = Teller::new(Source::Broadcast, findings);
            tasks.spawn(call_here(opened, everybody, calls, teller));
            tasks
        })
    }

    /// Calls on every interface that `reach` allows, whoever may be there. For nodes that listen beyond their host only.
    pub(crate) fn on_network(reach: Reach, findings: mpsc::Sender<Finding>) -> Self {
        Self::start(|calls, ears, mut tasks| {
            tasks.spawn(interfaces::call_on_all(reach, calls, ears, findings));
            tasks
        })
    }

    /// Sends a datagram to everybody. When too many wait already it is dropped.
    pub(crate) fn send(&self, bytes: Vec<u8>) {
        let _ = self.calls.try_send(bytes);
    }

    /// The next datagram of anybody. Losing the future loses nothing. Never ends while the scout lives, unless it has
    /// no ears; then `None`.
    pub(crate) async fn hear(&mut self) -> Option<Heard> {
        self.heard.recv().await
    }

    /// How many datagrams were not told of: beyond [`SCOUTS`] of one source, or nobody kept up.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.load(Relaxed)
    }

    fn start(
        tasks: impl FnOnce(mpsc::Receiver<Vec<u8>>, Earshot, JoinSet<()>) -> JoinSet<()>,
    ) -> Self {
        let (calls, to_call) = mpsc::channel(CALLS_MAX);
        let (ears, heard) = mpsc::channel(FINDINGS_MAX);
        let dropped = Arc::<AtomicU64>::default();
        let ears = Earshot { heard: ears, dropped: Arc::clone(&dropped) };
        Self { calls, heard, dropped, _tasks: tasks(to_call, ears, JoinSet::new()) }
    }
}

/// Hears until nobody wants to know. When too much waits already, or comes from one source, what comes is dropped.
async fn listen((source, place): (Source, Arc<str>), ear: Box<dyn Datagrams>, ears: Earshot) {
    let clock = Clock::new();
    let mut turnstile = Turnstile::new(SCOUTS);
    let mut buffer = [0; DATAGRAM_MAX + 1];
    loop {
        let heard = tokio::select! {
            heard = poll_fn(|cx| ear.poll_recv(cx, &mut buffer)) => heard,
            () = ears.heard.closed() => return,
        };
        // An error is of some earlier datagram; each read clears one.
        if let Ok((length, from)) = heard {
            let told = turnstile.lets(clock.now(), from.ip().into()) && {
                let bytes = buffer[..length].to_vec();
                let place = Arc::clone(&place);
                ears.heard.try_send(Heard { source, place, from, bytes }).is_ok()
            };
            ears.dropped.fetch_add(u64::from(!told), Relaxed);
        }
    }
}

async fn call_here(
    mouth: Result<Mouth, String>,
    everybody: SocketAddr,
    mut calls: mpsc::Receiver<Vec<u8>>,
    mut teller: Teller,
) {
    let mut outcome = match &mouth {
        Ok(_) => Outcome::Worked("called".to_owned()),
        Err(why) => Outcome::Failed(why.clone()),
    };
    let tried = everybody.to_string();
    while teller.judge(BTreeMap::from([(tried.clone(), outcome.clone())])).await.is_ok() {
        let Some(call) = calls.recv().await else { return };
        if let Ok(mouth) = &mouth {
            outcome = mouth.call(&call);
        }
    }
}

impl Mouth {
    fn call(&self, bytes: &[u8]) -> Outcome {
        match self.socket.try_send(bytes, self.to) {
            Ok(()) => Outcome::Worked("called".to_owned()),
            Err(error) => Outcome::Failed(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;
    use crate::discovery::Verdict;
    use crate::net::TokioNet;
    use crate::testing::Network;

    /// Two scouts hear each other's calls and their own, on whatever network.
    async fn check_pair(nets: [Arc<dyn Net>; 2], port: u16) {
        let (findings, mut found) = mpsc::channel(64);
        let [mut a, mut b] = nets.map(|net| Scout::on_host(&net, port, findings.clone()));
        for (caller, words) in [(&a, b"from a"), (&b, b"from b")] {
            caller.send(words.to_vec());
        }
        for scout in [&mut a, &mut b] {
            let mut heard = Vec::new();
            for _ in 0..2 {
                let next = scout.hear().await.unwrap();
                assert!(next.from.ip().is_loopback() && next.source == Source::Broadcast);
                heard.push(next.bytes);
            }
            heard.sort();
            assert_eq!(heard, [b"from a", b"from b"]);
        }
        assert_eq!(
            found.recv().await,
            Some(Finding::Verdict(Verdict {
                source: Source::Broadcast,
                tried: format!("127.255.255.255:{port}"),
                outcome: Outcome::Worked("called".to_owned()),
            }))
        );
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn two_scouts_of_one_host_hear_each_other() {
        // A port that is free now for one socket is free for several that share it.
        let net: Arc<dyn Net> = Arc::new(TokioNet);
        let port = net.bind("127.255.255.255:0".parse().unwrap()).unwrap().local().unwrap().port();
        let hearing = check_pair([Arc::clone(&net), net], port);
        timeout(Duration::from_secs(10), hearing).await.expect("a call was not heard");
    }

    #[tokio::test(start_paused = true)]
    async fn scouts_on_a_network_in_memory_hear_each_other() {
        let network = Network::new(1);
        check_pair([Arc::new(network.host("a")), Arc::new(network.host("b"))], 7000).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_scout_without_an_ear_says_why_and_is_silent() {
        struct NoNet;
        impl Net for NoNet {
            fn listen(
                &self,
                _: &homing_core::addr::TransportAddr,
            ) -> std::io::Result<Box<dyn crate::net::Listener>> {
                Err(std::io::ErrorKind::Unsupported.into())
            }
            fn connect<'a>(
                &'a self,
                _: &'a homing_core::addr::TransportAddr,
            ) -> crate::net::BoxFuture<'a, std::io::Result<Box<dyn crate::net::Socket>>>
            {
                Box::pin(std::future::ready(Err(std::io::ErrorKind::Unsupported.into())))
            }
            fn bind(&self, _: SocketAddr) -> std::io::Result<Box<dyn Datagrams>> {
                Err(std::io::ErrorKind::Unsupported.into())
            }
        }
        let (findings, mut found) = mpsc::channel(64);
        let net: Arc<dyn Net> = Arc::new(NoNet);
        let mut scout = Scout::on_host(&net, 7000, findings);
        scout.send(b"anybody?".to_vec());
        let Some(Finding::Verdict(verdict)) = found.recv().await else { panic!("no verdict") };
        assert!(matches!(verdict.outcome, Outcome::Failed(_)));
        assert_eq!(scout.hear().await, None);
    }
}
