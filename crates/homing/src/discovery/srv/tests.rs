//! Are service records found? Those of a tiny name server on loopback.

use super::*;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::op::{Message, ResponseCode};
use hickory_resolver::proto::rr::Record;
use hickory_resolver::proto::rr::rdata::A;
use std::net::Ipv4Addr;
use tokio::net::UdpSocket;
use tokio::task::JoinSet;

/// What the name server knows: a name, and a target or an address.
enum Known {
    Target { priority: u16, weight: u16, port: u16, host: &'static str },
    Address(Ipv4Addr),
}

fn target(priority: u16, weight: u16, port: u16, host: &'static str) -> Known {
    Known::Target { priority, weight, port, host }
}

async fn serve(socket: UdpSocket, zone: Vec<(&'static str, Known)>) {
    let mut buffer = [0; 1_024];
    while let Ok((length, asker)) = socket.recv_from(&mut buffer).await {
        let question = Message::from_vec(&buffer[..length]).unwrap();
        let asked = question.queries[0].clone();
        let mut answer = Message::response(question.metadata.id, question.metadata.op_code);
        answer.add_query(asked.clone());
        let of_name = zone.iter().filter(|(name, _)| asked.name().to_ascii() == *name);
        if of_name.clone().count() == 0 {
            answer.metadata.response_code = ResponseCode::NXDomain;
        }
        for (_, known) in of_name {
            let data = match (asked.query_type(), known) {
                (RecordType::SRV, Known::Target { priority, weight, port, host }) => {
                    let host = host.parse().unwrap();
                    RData::SRV(SRV::new(*priority, *weight, *port, host))
                }
                (RecordType::A, Known::Address(ip)) => RData::A(A(*ip)),
                _ => continue,
            };
            answer.add_answer(Record::from_rdata(asked.name().clone(), 1, data));
        }
        socket.send_to(&answer.to_vec().unwrap(), asker).await.unwrap();
    }
}

/// Asks a name server that knows this zone.
async fn check(zone: Vec<(&'static str, Known)>, expect: Result<&[&str], &str>) {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let at = socket.local_addr().unwrap();
    let mut serving = JoinSet::new();
    serving.spawn(serve(socket, zone));
    let mut way = ConnectionConfig::udp();
    way.port = at.port();
    let server = NameServerConfig::new(at.ip(), true, vec![way]);
    let config = ResolverConfig::from_parts(None, vec![], vec![server]);
    let mut builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
    builder.options_mut().use_hosts_file = ResolveHosts::Never;
    let found = ask(&builder.build().unwrap(), "_homing._tcp.example.org.".to_owned()).await;
    match (&found, expect) {
        (Ok(found), Ok(expect)) => {
            let found: Vec<_> = found.iter().map(ToString::to_string).collect();
            assert_eq!(found, expect);
        }
        (Err(why), Err(part)) => assert!(why.contains(part), "{why}"),
        _ => panic!("{found:?}"),
    }
}

const SERVICE: &str = "_homing._tcp.example.org.";

fn host(name: &'static str, last: u8) -> (&'static str, Known) {
    (name, Known::Address(Ipv4Addr::new(10, 0, 0, last)))
}

#[tokio::test]
async fn targets_are_found_the_preferred_first() {
    let zone = vec![
        (SERVICE, target(20, 0, 7_003, "c.example.org.")),
        (SERVICE, target(10, 1, 7_002, "b.example.org.")),
        (SERVICE, target(10, 9, 7_001, "a.example.org.")),
        host("a.example.org.", 1),
        host("b.example.org.", 2),
        host("c.example.org.", 3),
    ];
    check(zone, Ok(&["10.0.0.1:7001", "10.0.0.2:7002", "10.0.0.3:7003"])).await;
}

#[tokio::test]
async fn a_target_without_an_address_does_not_hold_up_the_others() {
    let zone = vec![
        (SERVICE, target(1, 0, 7_001, "gone.example.org.")),
        (SERVICE, target(2, 0, 7_002, "b.example.org.")),
        host("b.example.org.", 2),
    ];
    check(zone, Ok(&["10.0.0.2:7002"])).await;
}

#[tokio::test]
async fn what_is_not_there_is_said() {
    check(vec![], Err("no such record")).await;
    check(vec![(SERVICE, target(0, 0, 0, "."))], Err("names no target")).await;
    let gone = vec![(SERVICE, target(0, 0, 7, "gone.example.org."))];
    check(gone, Err("gone.example.org.: no such record")).await;
}
