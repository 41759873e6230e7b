//! What must hold of what members tell each other?

use crate::id::{Epoch, NodeId};
use crate::limits::BODY_MAX;
use crate::membership::codec::{put_header, put_members, read_header, read_members};
use crate::membership::{Identity, Input, Membership, Output};
use crate::rng::Rng;
use crate::time::Time;
use crate::wire::Reader;
use std::time::Duration;

/// Output after one packet and the seconds after it, at most; a real one makes a handful.
const OUTPUTS_MAX: usize = 1_000;

/// A packet or a dump: it reads back, nobody else's word makes us somebody else, and the machine neither panics nor
/// talks without end or beyond a datagram.
pub fn membership(bytes: &[u8]) {
    header_reads_back(bytes);
    dump_reads_back(bytes);
    machine_stays_itself(bytes);
}

fn header_reads_back(bytes: &[u8]) {
    let Ok(header) = read_header(&mut Reader::new(bytes)) else { return };
    let mut out = Vec::new();
    put_header(&mut out, &header);
    let again = read_header(&mut Reader::new(&out));
    // As text, because identities are equal whatever their addresses.
    assert_eq!(format!("{again:?}"), format!("Ok({header:?})"), "a head that does not read back");
}

fn dump_reads_back(bytes: &[u8]) {
    let Ok(members) = read_members(&mut Reader::new(bytes)) else { return };
    let mut out = Vec::new();
    put_members(&mut out, &members);
    let again = read_members(&mut Reader::new(&out));
    assert_eq!(format!("{again:?}"), format!("Ok({members:?})"), "a dump that does not read back");
}

fn machine_stays_itself(bytes: &[u8]) {
    let me = Identity::new(
        NodeId::from_bytes([1; 16]),
        Epoch(7),
        9,
        &["127.0.0.1:1".parse().expect("an address")],
    );
    let mut machine = Membership::new(me.clone(), Rng::from_seed(1));
    let mut now = Time::ZERO;
    machine.handle_input(now, Input::Packet(bytes));
    machine.handle_input(now, Input::Apply(bytes));
    machine.handle_input(now, Input::Learn(bytes));
    let mut outputs = 0;
    for _ in 0..20 {
        while let Some(output) = machine.poll_output() {
            outputs += 1;
            if let Output::Send { bytes, .. } = output {
                assert!(bytes.len() <= BODY_MAX, "a packet of {} bytes", bytes.len());
            }
        }
        now += Duration::from_millis(500);
        machine.handle_timeout(now);
        assert!(machine.poll_timeout().is_none_or(|due| due > now), "a timer that is always due");
    }
    assert!(outputs < OUTPUTS_MAX, "{outputs} outputs");
    assert_eq!((machine.me().id, machine.me().epoch), (me.id, me.epoch), "somebody else's life");
}
