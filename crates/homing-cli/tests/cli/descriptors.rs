//! What if somebody takes all descriptors that a process may have?

use super::house::{House, PATIENCE, start};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::Command;
use tokio::net::{TcpSocket, TcpStream};
use tokio::runtime::Builder;
use tokio::time::timeout;

/// What the node may have open, and what is opened to it, from few enough at a time of each address.
const DESCRIPTORS: &str = "ulimit -n 80 && exec \"$0\" \"$@\"";
const ADDRESSES: u8 = 10;
const FROM_EACH: usize = 30;

/// Opens connections and says nothing on them, for as long as they are held.
async fn hold(from: Ipv4Addr, to: SocketAddr) -> Vec<TcpStream> {
    let mut held = Vec::new();
    for _ in 0..FROM_EACH {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind((from, 0).into()).unwrap();
        held.push(timeout(PATIENCE, socket.connect(to)).await.unwrap().unwrap());
    }
    held
}

#[test]
fn calls_get_in_although_half_open_connections_take_every_descriptor() {
    let house = House::new();
    let serve = house.homing("serve echo@1.0.0 --echo --transport tcp");
    let mut limited = Command::new("sh");
    limited.arg("-c").arg(DESCRIPTORS).arg(serve.get_program()).args(serve.get_args());
    for (name, value) in serve.get_envs() {
        match value {
            Some(value) => limited.env(name, value),
            None => limited.env_remove(name),
        };
    }
    let node = start(limited);
    assert!(node.note().starts_with("serving "));
    let nodes = house.run("nodes --json").json();
    let address = nodes[1]["addresses"][0].as_str().unwrap();
    let at: SocketAddr =
        address.trim_start_matches("tcp:").trim_start_matches("//").parse().unwrap();
    let attacker = Builder::new_current_thread().enable_all().build().unwrap();
    let held = attacker.block_on(async {
        let mut held = Vec::new();
        for last in 2..2 + ADDRESSES {
            held.extend(hold(Ipv4Addr::new(127, 0, 0, last), at).await);
        }
        held
    });
    for _ in 0..5 {
        house.run("call echo still-here").printed("still-here");
    }
    drop(held);
}
