//! Many at once: connections that say nothing, datagrams that mean nothing.

use super::attacker::{ELSEWHERE, addresses, beat, connect, is_ended, noise, take_descriptors};
use super::bystander::{check, rest};
use homing::limits::{HALF_OPEN_MAX, HALF_OPEN_PER_SOURCE_MAX};
use std::collections::VecDeque;
use std::iter::repeat;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;
use tokio::net::{TcpStream, UdpSocket};

/// Connections that an attacker holds; it lets go of older ones, open or not.
const HELD: usize = 700;

/// Opens so many connections, says nothing on any, and tells how many are still open at the end.
async fn knock(to: SocketAddr, count: usize, from: impl Iterator<Item = Ipv4Addr>) -> usize {
    take_descriptors();
    let mut held: VecDeque<TcpStream> = VecDeque::new();
    let mut beat = beat(Duration::from_millis(2));
    for (number, from) in (0..count).zip(from) {
        if number % 8 == 0 {
            beat.tick().await;
        }
        held.push_back(connect(from, to).await.unwrap());
        if held.len() > HELD {
            // The older ones of one address are those that were let in: they are kept.
            let closed = held.iter().position(is_ended).unwrap_or(0);
            drop(held.remove(closed));
        }
    }
    // The last ones may not have been looked at.
    rest(Duration::from_millis(100)).await;
    held.iter().filter(|stream| !is_ended(stream)).count()
}

#[test]
fn ten_thousand_half_open_connections_of_one_address_are_closed_but_for_a_few() {
    let outcome = check(async |victim| knock(victim.at, 10_000, repeat(ELSEWHERE)).await);
    let open = outcome.found;
    assert!((1..=HALF_OPEN_PER_SOURCE_MAX).contains(&open), "{open} are open");
    let connections = outcome.stats.connections;
    let refused = connections.refused_by_source + connections.over_rate;
    assert!(refused >= 9_000, "{connections:?}");
    assert_eq!(connections.displaced, 0, "{connections:?}");
}

#[test]
fn half_open_connections_of_many_addresses_push_each_other_out() {
    let outcome = check(async |victim| knock(victim.at, 2_000, addresses(200)).await);
    let open = outcome.found;
    assert!(open <= HALF_OPEN_MAX, "{open} are open");
    let connections = outcome.stats.connections;
    assert!(connections.displaced >= 1_000, "{connections:?}");
    assert_eq!(connections.refused_by_source, 0, "{connections:?}");
}

#[test]
fn a_flood_of_garbage_datagrams_is_dropped_unread() {
    let outcome = check(async |victim| {
        let socket = UdpSocket::bind((ELSEWHERE, 0)).await.unwrap();
        let mut beat = beat(Duration::from_millis(1));
        for number in 0..15_000_u64 {
            if number % 15 == 0 {
                beat.tick().await;
            }
            let length = usize::try_from(number % 1_400).unwrap();
            // What finds no room in the system's buffers is lost, as on any network.
            let _ = socket.try_send_to(&noise(number, length), victim.at);
        }
    });
    let datagrams = outcome.stats.datagrams;
    assert!(datagrams.strangers_over_rate >= 5_000, "{datagrams:?}");
    assert!(datagrams.malformed + datagrams.forged >= 100, "{datagrams:?}");
    assert_eq!(datagrams.over_rate + datagrams.no_room, 0, "{datagrams:?}");
}
