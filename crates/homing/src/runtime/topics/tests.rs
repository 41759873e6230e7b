//! Do the parts of a lane keep to what is told of them, whatever happens when?

use super::outlet::{OutletCell, Stage};
use homing_core::id::{Epoch, NodeId};
use homing_core::registry::Slow;
use homing_core::talk::Payload;
use homing_core::topics::{Encoded, LaneName, Report};
use std::sync::Arc;

fn cell() -> Arc<OutletCell> {
    let node = NodeId::from_bytes([7; 16]);
    let name = LaneName { node, epoch: Epoch(1), lane: 1, slow: Slow::default() };
    OutletCell::new(name, "n".parse().unwrap())
}

fn message() -> Encoded {
    Encoded::new("t".parse().unwrap(), Payload::raw("x"), None).unwrap()
}

#[test]
fn what_was_said_over_another_link_is_no_burden_on_a_new_one() {
    let (cell, message) = (cell(), message());
    cell.enter(Stage::Flowing);
    for _ in 0..100 {
        cell.put(&message);
    }
    drop(cell.take());
    cell.report(Report { taken: 100, dropped: 0 });
    cell.enter(Stage::Flowing);
    cell.put(&message);
    drop(cell.take());
    assert_eq!(cell.pending(&message), Some(1));
    cell.report(Report { taken: 1, dropped: 0 });
    assert_eq!(cell.pending(&message), Some(0));
}

#[test]
fn who_waits_too_long_for_a_stream_does_not_break_one_that_was_opened() {
    let (cell, message) = (cell(), message());
    cell.enter(Stage::Flowing);
    cell.give_up_opening();
    assert_eq!(cell.pending(&message), Some(0));
    let fresh = self::cell();
    fresh.give_up_opening();
    assert_eq!(fresh.pending(&message), None);
}
