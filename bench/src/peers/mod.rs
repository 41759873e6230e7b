//! How is each system used? As its own documentation says; the fast way where there are two.

pub(crate) mod grpc;
pub(crate) mod homing;
pub(crate) mod nats;
pub(crate) mod sockets;
pub(crate) mod zenoh;
pub(crate) mod zeromq;

use crate::args::Order;
use anyhow::Context as _;
use std::net::TcpListener;

/// A port of loopback that was free a moment ago: for systems that cannot be told to take any and to say which.
fn free_port() -> anyhow::Result<u16> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).context("no free port")?;
    Ok(listener.local_addr().context("no free port")?.port())
}

/// The callers of a crowd. Each has a payload of its own, as programs have: one that all share is counted by all cores.
fn each<C>(order: &Order, caller: impl FnMut() -> C) -> Vec<C> {
    std::iter::repeat_with(caller).take(order.count).collect()
}

/// A reply must be as long as what was asked.
fn whole(length: usize, size: usize) -> anyhow::Result<u64> {
    anyhow::ensure!(length == size, "{length} bytes came back of {size}");
    Ok(1)
}
