//! Does a key open the network to those who have it, and to nobody else?

use std::fs;
use std::io::Read;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::sync_channel;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use socket2::{Domain, Protocol, Socket, Type};

use super::hosts::{Host, Network};
use super::mesh::{give_key, run, serve, watch};

/// A word that must not be read on the wire.
const SECRET: &str = "pigeonhole";

#[test]
fn hosts_with_a_key_find_each_other_and_nobody_else_finds_them() {
    let Some(network) = Network::of(4) else { return };
    let [server, caller, other, none] = network.each();
    give_key(&[server, caller]);
    give_key(&[other]);
    let _service = serve(server, &format!("{SECRET}@1.0.0 --echo --name {SECRET}-one"));
    run(caller, &format!("call {SECRET} hello")).printed("hello");
    let nodes = run(caller, "nodes --json").rows();
    let one = nodes.iter().find(|node| node["name"] == format!("{SECRET}-one")).unwrap();
    assert_eq!(one["guard"], "keyed", "{one}");
    assert!(one["addresses"].to_string().contains("tcp://10.64.0.1:"), "{one}");

    // Each scouts on the same group, and is told where the service is.
    let seed =
        one["addresses"].as_array().unwrap().iter().find_map(|address| {
            Some(address.as_str()?.strip_prefix("tcp://10.64.0.1:")?.to_owned())
        });
    let seed = format!("10.64.0.1:{}", seed.unwrap());
    let strangers = [
        run(other, &format!("call {SECRET} x --timeout 2s --seed {seed}")),
        none.run(&format!("call {SECRET} x --timeout 2s --seed {seed}")),
        none.run_bare(&format!("call {SECRET} x --timeout 2s --seed {seed}")),
    ];
    for stranger in strangers {
        assert_ne!(stranger.code, Some(0), "{stranger:?}");
        assert_eq!(stranger.stdout, "", "{stranger:?}");
    }
    let listed = none.run(&format!("nodes --json --seed {seed}"));
    assert!(!listed.stdout.contains(SECRET), "{}", listed.stdout);
    run(caller, &format!("call {SECRET} again")).printed("again");
}

#[test]
fn members_with_a_key_find_each_other_in_whatever_order_they_start() {
    let Some(network) = Network::of(3) else { return };
    let hosts: [Host<'_>; 3] = network.each();
    give_key(&hosts);
    let watch = watch(hosts[2], "");
    let _services: Vec<_> = (0..2)
        .map(|number| serve(hosts[number], &format!("s{number}@1.0.0 --echo --name n{number}")))
        .collect();
    watch.lines_with(["+ s0@1.0.0 on n0", "+ s1@1.0.0 on n1"]);
    run(hosts[1], "call s0 hello").printed("hello");
    run(hosts[0], "call s1 hello").printed("hello");
}

#[test]
fn nothing_of_what_is_said_with_a_key_is_read_on_the_wire() {
    let Some(network) = Network::of(2) else { return };
    let [server, caller] = network.each();
    give_key(&[server, caller]);
    let capture = Capture::start(server);
    let _service = serve(server, &format!("{SECRET}@1.0.0 --echo --name {SECRET}-one"));
    let said = format!("{SECRET}-payload");
    run(caller, &format!("call {SECRET} {said}")).printed(&said);
    let heard = capture.end();
    let holds = |word: &str| heard.windows(word.len()).any(|part| part == word.as_bytes());
    assert!(heard.len() > 2_000, "{} bytes", heard.len());
    assert!(!holds(SECRET), "a name is read in {} bytes", heard.len());

    // That it would be seen if it were there: the same without a key.
    let capture = Capture::start(server);
    let _open = server.serve(&format!("{SECRET}@1.0.0 --echo --name open"));
    caller.run(&format!("call {SECRET} {said}")).printed(&said);
    let heard = capture.end();
    assert!(heard.windows(said.len()).any(|part| part == said.as_bytes()));
}

/// All that passes the interfaces of a host, until it is ended.
struct Capture {
    over: Arc<AtomicBool>,
    reader: JoinHandle<Vec<u8>>,
}

impl Capture {
    fn start(host: Host<'_>) -> Self {
        let space = fs::File::open(host.file()).unwrap();
        let over = Arc::new(AtomicBool::new(false));
        let (ready, is_ready) = sync_channel(1);
        let is_over = Arc::clone(&over);
        let reader = thread::spawn(move || {
            move_into_link_name_space(space.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
            let everything = Protocol::from(i32::from(0x0003_u16.to_be()));
            let mut socket = Socket::new(Domain::PACKET, Type::RAW, Some(everything)).unwrap();
            socket.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
            ready.send(()).unwrap();
            let (mut heard, mut frame) = (Vec::new(), vec![0; 1 << 17]);
            while !is_over.load(Ordering::Relaxed) {
                if let Ok(length) = socket.read(&mut frame) {
                    heard.extend_from_slice(&frame[..length]);
                }
            }
            heard
        });
        is_ready.recv().unwrap();
        Self { over, reader }
    }

    fn end(self) -> Vec<u8> {
        self.over.store(true, Ordering::Relaxed);
        self.reader.join().unwrap()
    }
}
