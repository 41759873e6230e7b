//! Does the network in memory keep its promises, and is it as unkind as it says?

use std::future::poll_fn;
use std::io::ErrorKind;
use std::time::Duration;

use bytes::BytesMut;
use homing_core::addr::TransportAddr;
use tokio::time::{Instant, timeout};

use crate::net::{Datagrams, Net, Socket, bind_pair};
use crate::testing::{Host, Network};

fn tcp(host: &Host) -> TransportAddr {
    TransportAddr::Tcp((host.ip(), 0).into())
}

/// A connection from the first host to the second.
async fn connected(from: &Host, to: &Host) -> (Box<dyn Socket>, Box<dyn Socket>) {
    let listener = to.listen(&tcp(to)).unwrap();
    let dialled = from.connect(&listener.local()).await.unwrap();
    let (accepted, _) = poll_fn(|cx| listener.poll_accept(cx)).await.unwrap();
    (dialled, accepted)
}

async fn write_all(socket: &dyn Socket, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        poll_fn(|cx| socket.poll_write_ready(cx)).await.unwrap();
        match socket.try_write(bytes) {
            Ok(taken) => bytes = &bytes[taken..],
            Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
        }
    }
}

/// Reads until `length` bytes are there or the peer has ended.
async fn read_up_to(socket: &dyn Socket, length: usize) -> Vec<u8> {
    let mut bytes = BytesMut::with_capacity(100);
    while bytes.len() < length {
        poll_fn(|cx| socket.poll_read_ready(cx)).await.unwrap();
        match socket.try_read(&mut bytes) {
            Ok(0) => break,
            Ok(_) => {}
            Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
        }
    }
    bytes.to_vec()
}

fn pattern(length: u32) -> Vec<u8> {
    (0..length).map(|i| (i % 253).to_le_bytes()[0]).collect()
}

/// A megabyte each way at once, every direction on a task of its own.
async fn check_both_ways(seed: u64) {
    let network = Network::new(seed);
    let (a, b) = connected(&network.host("a"), &network.host("b")).await;
    let (a, b): (std::sync::Arc<dyn Socket>, std::sync::Arc<dyn Socket>) = (a.into(), b.into());
    let given = pattern(1 << 20);
    let mut tasks = tokio::task::JoinSet::new();
    for (from, to) in [(a.clone(), b.clone()), (b, a)] {
        let bytes = given.clone();
        tasks.spawn(async move {
            write_all(&*from, &bytes).await;
            true
        });
        let bytes = given.clone();
        tasks.spawn(async move { read_up_to(&*to, bytes.len()).await == bytes });
    }
    assert!(tasks.join_all().await.into_iter().all(|same| same));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bytes_keep_their_order_over_random_parts_on_two_threads() {
    for seed in 0..4 {
        timeout(Duration::from_secs(30), check_both_ways(seed)).await.expect("a wake-up was lost");
    }
}

#[tokio::test(start_paused = true)]
async fn bytes_keep_their_order_on_one_thread_under_virtual_time() {
    check_both_ways(4).await;
}

#[tokio::test(start_paused = true)]
async fn the_end_is_read_after_the_last_byte_and_writing_then_fails() {
    let network = Network::new(1);
    let (a, b) = connected(&network.host("a"), &network.host("b")).await;
    write_all(&*a, b"last words").await;
    a.shutdown();
    assert_eq!(read_up_to(&*b, usize::MAX).await, b"last words");
    assert_eq!(b.try_write(b"x").unwrap_err().kind(), ErrorKind::BrokenPipe);
    assert_eq!(a.try_write(b"x").unwrap_err().kind(), ErrorKind::BrokenPipe);
}

#[tokio::test(start_paused = true)]
async fn dropping_an_end_wakes_the_other() {
    let network = Network::new(2);
    let (a, b) = connected(&network.host("a"), &network.host("b")).await;
    let reader = tokio::spawn(async move { read_up_to(&*b, usize::MAX).await });
    tokio::task::yield_now().await;
    drop(a);
    assert!(reader.await.unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_cut_holds_bytes_and_connections_back_until_healed() {
    let network = Network::new(3);
    let (a, b) = (network.host("a"), network.host("b"));
    let (ours, theirs) = connected(&a, &b).await;
    let listener = b.listen(&tcp(&b)).unwrap();
    let at = listener.local();
    network.cut("b", "a");
    write_all(&*ours, b"held").await;
    let hour = Duration::from_hours(1);
    assert!(timeout(hour, read_up_to(&*theirs, 4)).await.is_err());
    assert!(timeout(hour, a.connect(&at)).await.is_err());
    let healing = async {
        tokio::time::sleep(hour).await;
        network.heal("a", "b");
    };
    let (read, dialled, ()) = tokio::join!(read_up_to(&*theirs, 4), a.connect(&at), healing);
    assert_eq!(read, b"held");
    assert!(dialled.is_ok());
}

#[tokio::test(start_paused = true)]
async fn an_isolated_host_reaches_itself_only() {
    let network = Network::new(4);
    network.isolate("a");
    let a = network.host("a");
    connected(&a, &a).await;
    let later = network.host("later");
    assert!(timeout(Duration::from_secs(1), connected(&a, &later)).await.is_err());
    network.heal_all();
    connected(&a, &later).await;
}

#[tokio::test(start_paused = true)]
async fn nobody_listening_is_refused_and_no_such_host_is_unreachable() {
    let network = Network::new(5);
    let (a, b) = (network.host("a"), network.host("b"));
    let kind = async |addr: TransportAddr| a.connect(&addr).await.err().map(|error| error.kind());
    assert_eq!(kind(tcp(&b)).await, Some(ErrorKind::ConnectionRefused));
    let nowhere = TransportAddr::Tcp("10.9.9.9:1".parse().unwrap());
    assert_eq!(kind(nowhere).await, Some(ErrorKind::HostUnreachable));
    let foreign = b.listen(&tcp(&a)).err().map(|error| error.kind());
    assert_eq!(foreign, Some(ErrorKind::AddrNotAvailable));
}

#[tokio::test(start_paused = true)]
async fn ports_are_paired_and_loopback_and_paths_stay_on_their_host() {
    let network = Network::new(6);
    let (a, b) = (network.host("a"), network.host("b"));
    let localhost = "127.0.0.1".parse().unwrap();
    let (listener, datagrams) = bind_pair(&a, localhost, 0).unwrap();
    let at = datagrams.local().unwrap();
    assert_eq!(listener.local(), TransportAddr::Tcp(at));
    assert!(bind_pair(&a, localhost, at.port()).is_err(), "taken");
    assert!(bind_pair(&b, localhost, at.port()).is_ok(), "another host's loopback");
    let path = TransportAddr::Unix { host: 1, path: "/run/a".into() };
    let door = a.listen(&path).unwrap();
    assert!(a.connect(&path).await.is_ok());
    assert!(b.connect(&path).await.is_err());
    drop(door);
    assert!(a.connect(&path).await.is_err());
}

async fn receive(socket: &dyn Datagrams) -> Vec<u8> {
    let mut buffer = [0; 100];
    let (length, _) = poll_fn(|cx| socket.poll_recv(cx, &mut buffer)).await.unwrap();
    buffer[..length].to_vec()
}

#[tokio::test(start_paused = true)]
async fn datagrams_travel_for_their_latency_and_overtake_each_other() {
    let network = Network::new(7);
    network.set_latency(Duration::from_millis(10), Duration::from_millis(20));
    let [a, b] = ["a", "b"].map(|name| {
        let host = network.host(name);
        host.bind((host.ip(), 0).into()).unwrap()
    });
    let start = Instant::now();
    let to = b.local().unwrap();
    (0..50).for_each(|number: u8| a.try_send(&[number], to).unwrap());
    let mut arrived = Vec::new();
    while arrived.len() < 50 {
        arrived.extend(receive(&*b).await);
        assert!(start.elapsed() >= Duration::from_millis(10));
    }
    assert!(start.elapsed() <= Duration::from_millis(22), "{:?}", start.elapsed());
    assert!(!arrived.is_sorted());
}

#[tokio::test(start_paused = true)]
async fn lost_and_cut_datagrams_do_not_arrive() {
    let network = Network::new(8);
    let (a, b) = (network.host("a"), network.host("b"));
    let [a, b] = [a, b].map(|host| host.bind((host.ip(), 0).into()).unwrap());
    let to = b.local().unwrap();
    network.set_loss(100);
    a.try_send(b"lost", to).unwrap();
    network.set_loss(0);
    network.cut("a", "b");
    a.try_send(b"cut", to).unwrap();
    network.heal("a", "b");
    a.try_send(b"there", to).unwrap();
    assert_eq!(receive(&*b).await, b"there");
}

#[tokio::test(start_paused = true)]
async fn a_broadcast_reaches_all_who_are_bound_to_it() {
    let network = Network::new(9);
    let everybody = "127.255.255.255:7000".parse().unwrap();
    let hearing = ["a", "a", "b"].map(|name| network.host(name).bind(everybody).unwrap());
    let speaking = network.host("c").bind("127.0.0.1:0".parse().unwrap()).unwrap();
    speaking.try_send(b"here I am", everybody).unwrap();
    for socket in &hearing {
        assert_eq!(receive(&**socket).await, b"here I am");
    }
}
