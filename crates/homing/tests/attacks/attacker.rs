//! What has an attacker? Addresses of this host that are not the others', and sockets.

use super::bystander::soon;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{Interval, MissedTickBehavior, interval};

/// One address of its own.
pub(crate) const ELSEWHERE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

/// A connection from this address.
pub(crate) async fn connect(from: Ipv4Addr, to: SocketAddr) -> io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind((from, 0).into())?;
    soon(socket.connect(to)).await
}

/// So many addresses of its own, over and over.
pub(crate) fn addresses(count: u32) -> impl Iterator<Item = Ipv4Addr> {
    (0..count).map(|number| Ipv4Addr::from(0x7f00_0100 + number)).cycle()
}

/// Says this on a connection of its own, and nothing more; what it hears until the other side ends it.
pub(crate) async fn say(from: Ipv4Addr, to: SocketAddr, words: &[u8]) -> Vec<u8> {
    let mut stream = connect(from, to).await.unwrap();
    // It may be closed already, unread.
    let _ = stream.write_all(words).await;
    let _ = stream.shutdown().await;
    hear(&mut stream).await
}

/// What comes until the other side ends the connection.
pub(crate) async fn hear(stream: &mut TcpStream) -> Vec<u8> {
    let mut heard = Vec::new();
    // A reset is an end, too.
    let _ = soon(stream.read_to_end(&mut heard)).await;
    heard
}

/// Whether the other side has ended a connection on which it has said nothing.
pub(crate) fn is_ended(stream: &TcpStream) -> bool {
    match stream.try_read(&mut [0; 64]) {
        Ok(length) => length == 0,
        Err(error) => error.kind() != io::ErrorKind::WouldBlock,
    }
}

/// A beat, so that an attacker does not take the processor from those whom it does not attack.
pub(crate) fn beat(period: Duration) -> Interval {
    let mut beat = interval(period);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    beat
}

/// Bytes that mean nothing, others with each number.
pub(crate) fn noise(number: u64, length: usize) -> Vec<u8> {
    let mut state = number.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut byte = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    (0..length).map(|_| byte()).collect()
}

/// As many descriptors as this process may have.
pub(crate) fn take_descriptors() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    // Who may not has what it has: the attack uses fewer at once then.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
}
