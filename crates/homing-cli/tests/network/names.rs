//! What if a name stands for other addresses than before, while nodes run?

use std::fs::{self, File};
use std::net::{Ipv4Addr, UdpSocket};
use std::os::fd::AsFd;
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::doctor::check;
use super::hosts::{Host, Network};
use super::mesh::{give_key, run, serve, watch};
use super::process::in_time;

/// A name is asked for every 15 s.
const FOUND_WITHIN: Duration = Duration::from_secs(17);

const A: u16 = 1;
const SRV: u16 = 33;

#[test]
fn when_a_name_leads_elsewhere_who_is_there_now_is_found() {
    // Both wait most of the time.
    thread::scope(|scope| {
        scope.spawn(follow_the_hosts_file);
        scope.spawn(follow_service_records);
    });
}

fn follow_the_hosts_file() {
    let Some(network) = Network::of(3) else { return };
    let hosts @ [one, two, three] = network.each();
    give_key(&hosts);
    let names = three.etc("hosts", "10.64.0.1 mesh.test\n");
    let first = serve(one, "s1@1.0.0 --echo --name one --listen 10.64.0.1:7000 --interface lo");
    let _second = serve(two, "s2@1.0.0 --echo --name two --listen 10.64.0.2:7000 --interface lo");
    let seeded = "--interface lo --seed mesh.test:7000";
    let watch = watch(three, seeded);
    watch.line_with("+ s1@1.0.0 on one");
    fs::write(names, "10.64.0.2 mesh.test\n").unwrap();
    drop(first);
    let found = watch.line_with("+ s2@1.0.0 on two");
    assert!(found < in_time(FOUND_WITHIN), "{found:?}");
    run(three, &format!("call s2 hello {seeded}")).printed("hello");
    check(three, seeded, (0, &[]));
}

fn follow_service_records() {
    let Some(network) = Network::of(3) else { return };
    let hosts @ [one, two, three] = network.each();
    give_key(&hosts);
    let zone = NameServer::start(three, [10, 64, 0, 1]);
    three.etc("resolv.conf", "nameserver 10.64.0.3\n");
    let first = serve(one, "s1@1.0.0 --echo --name one --listen 10.64.0.1:7000 --interface lo");
    let _second = serve(two, "s2@1.0.0 --echo --name two --listen 10.64.0.2:7000 --interface lo");
    let seeded = "--interface lo --seed srv:mesh.test";
    run(three, &format!("call s1 hello {seeded}")).printed("hello");
    check(three, seeded, (0, &[]));
    let watch = watch(three, seeded);
    watch.line_with("+ s1@1.0.0 on one");
    zone.leads_to(Some([10, 64, 0, 2]));
    drop(first);
    let found = watch.line_with("+ s2@1.0.0 on two");
    assert!(found < in_time(FOUND_WITHIN), "{found:?}");
    zone.leads_to(None);
    let unresolved = [
        "warning unresolved",
        "srv:mesh.test",
        "srv srv:mesh.test stands for no address: no such record",
        "dig +short SRV _homing._tcp.mesh.test",
    ];
    let nobody = "no other node of mesh default is reached";
    let expect: &[_] =
        &[["problem nobody-found", "default", nobody, "--seed HOST:PORT"], unresolved];
    check(three, seeded, (4, expect));
}

#[test]
fn a_name_that_leads_to_nobody_is_named() {
    let Some(network) = Network::of(2) else { return };
    let [one, two] = network.each();
    give_key(&[one, two]);
    two.etc("hosts", "10.64.0.1 mesh.test\n");
    let nobody = "no other node of mesh default is reached";
    let expect: &[_] = &[
        ["problem nobody-found", "default", nobody, "--seed HOST:PORT"],
        [
            "warning seed-dead",
            "mesh.test:7000",
            "no node of this mesh is at dns mesh.test:7000 (10.64.0.1:7000: refused",
            "start a node there (--listen with that port), or leave mesh.test:7000 out",
        ],
    ];
    check(two, "--interface lo --seed mesh.test:7000", (4, expect));
}

/// Knows one service, at port 7000 of one host. It ends with the test.
struct NameServer(Arc<Mutex<Option<[u8; 4]>>>);

impl NameServer {
    fn start(host: Host<'_>, at: [u8; 4]) -> Self {
        let target = Arc::new(Mutex::new(Some(at)));
        let (known, space) = (Arc::downgrade(&target), File::open(host.file()).unwrap());
        let (ready, is_ready) = sync_channel(1);
        let address = host.address();
        thread::spawn(move || {
            move_into_link_name_space(space.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
            let socket = UdpSocket::bind((address.as_str(), 53)).unwrap();
            socket.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
            ready.send(()).unwrap();
            let mut buffer = [0; 512];
            while let Some(target) = known.upgrade() {
                if let Ok((length, asker)) = socket.recv_from(&mut buffer) {
                    let target = *target.lock().unwrap();
                    socket.send_to(&answer(&buffer[..length], target), asker).unwrap();
                }
            }
        });
        is_ready.recv().unwrap();
        Self(target)
    }

    fn leads_to(&self, target: Option<[u8; 4]>) {
        *self.0.lock().unwrap() = target;
    }
}

/// RFC 1035, 4.1, with one question: its name ends with an empty label, then come type and class.
fn answer(question: &[u8], target: Option<[u8; 4]>) -> Vec<u8> {
    let end = 12 + question[12..].iter().position(|byte| *byte == 0).unwrap() + 5;
    let asked = u16::from_be_bytes([question[end - 4], question[end - 3]]);
    let data = match (asked, target) {
        // Priority, weight, port 7000, `target.test`.
        (SRV, Some(_)) => Some(b"\0\0\0\0\x1b\x58\x06target\x04test\0".to_vec()),
        (A, Some(ip)) => Some(Ipv4Addr::from(ip).octets().to_vec()),
        _ => None,
    };
    let mut answer = question[..2].to_vec();
    // An answer of who knows best; no such name where there is no target. One question, so many answers.
    answer.extend([0x84, if target.is_some() { 0 } else { 3 }, 0, 1, 0, u8::from(data.is_some())]);
    answer.extend([0; 4]);
    answer.extend(&question[12..end]);
    if let Some(data) = data {
        answer.extend([0xc0, 12]); // The name that was asked for.
        answer.extend([asked.to_be_bytes(), [0, 1], [0, 0], [0, 1]].concat());
        answer.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
        answer.extend(data);
    }
    answer
}
