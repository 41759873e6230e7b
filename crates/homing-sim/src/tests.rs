//! Do small worlds hold, and is every broken promise noticed?

use super::*;
use std::time::Duration;

#[track_caller]
fn check_plan(plan: &Plan) -> Summary {
    match check(plan, Listing::Silent) {
        Ok(summary) => summary,
        Err(failure) => panic!("{plan:?}, at {}: {}", failure.at, failure.what),
    }
}

#[test]
fn a_mesh_without_faults_answers_calls() {
    let summary = check_plan(&Plan::small(2, 3, &[]));
    assert!(summary.replies > summary.calls / 2, "{summary:?}");
    assert_eq!(summary.faults, 0);
}

#[test]
fn a_mesh_holds_whatever_goes_wrong_alone() {
    // The pauses of hours are for the command: here they would take too long.
    let short = |fault: &Fault| !matches!(fault, Fault::LongPause | Fault::EndlessPause);
    for (seed, fault) in (1..).zip(Fault::ALL.into_iter().filter(short)) {
        let summary = check_plan(&Plan::small(seed, 4, &[fault]));
        assert!(summary.faults > 0, "{fault:?}");
    }
}

#[test]
fn a_mesh_holds_when_all_goes_wrong_at_once() {
    let short = |fault: &Fault| !matches!(fault, Fault::LongPause | Fault::EndlessPause);
    let all: Vec<Fault> = Fault::ALL.into_iter().filter(short).collect();
    for (seed, hosts) in (101..).zip([2, 3, 3, 4, 5, 6]) {
        check_plan(&Plan::small(seed, hosts, &all));
    }
}

#[test]
fn a_visitor_sees_what_members_see() {
    let plan = Plan::small(7, 4, &[Fault::Crash, Fault::Reset, Fault::Stall]);
    check_plan(&Plan { visitors: 2, ..plan });
}

#[test]
fn no_call_is_lost_while_everybody_is_replaced() {
    // The thousand are for the command.
    for seed in 0..6 {
        let summary = check_upgrade(seed, Listing::Silent)
            .unwrap_or_else(|failure| panic!("seed {seed}, at {}: {}", failure.at, failure.what));
        assert!(summary.faults > 0 && summary.replies > 200, "{summary:?}");
    }
}

#[test]
fn calls_that_a_replaced_process_loses_are_noticed() {
    let failed = (0..3)
        .find_map(|seed| upgrades::replace(seed, Some(Sabotage::Kill), Listing::Silent).err());
    let what = failed.expect("somebody loses a call").what;
    assert!(what.contains("failed where nothing is wrong"), "{what}");
}

#[test]
fn a_simulator_that_does_wrong_is_caught() {
    let caught = [
        (Sabotage::LoseCall, "has no end"),
        (Sabotage::EndTwice, "ended twice"),
        (Sabotage::RunTwice, "worked on twice"),
        (Sabotage::KeepOffer, "sees"),
        (Sabotage::LeakBudget, "bytes at rest"),
        (Sabotage::Chance, "two runs"),
        (Sabotage::LoseItem, "stream "),
        // Its writer goes on, or what it says is for nobody: whichever comes first.
        (Sabotage::LeaveUntold, ""),
    ];
    for (sabotage, sign) in caught {
        check_caught(&Plan::small(3, 3, &[]).sabotaged(sabotage), sign);
    }
    // Only a stream that is larger than its window needs its credit back, and few are.
    let busy = |seed| Plan { between_deeds: Duration::from_millis(5), ..Plan::small(seed, 3, &[]) };
    let caught = (3..11)
        .filter_map(|seed| {
            check(&busy(seed).sabotaged(Sabotage::KeepCredit), Listing::Silent).err()
        })
        .any(|wrong| wrong.what.contains("does not end"));
    assert!(caught, "a stream that gets no credit does not end");
}

#[test]
fn a_simulator_that_does_wrong_to_messages_is_caught() {
    let caught = [
        (Sabotage::TakeTwice, "came twice"),
        (Sabotage::HearAll, "is not what it wants"),
        (Sabotage::LastFirst, "came after"),
        (Sabotage::TellGroup, "came to another of group"),
        (Sabotage::LoseMessage, "messages were put into"),
        (Sabotage::Impatience, "have to wait for"),
        // It makes its outlet seem busy, or is still there at rest: whichever is seen first.
        (Sabotage::KeepBatch, ""),
        (Sabotage::ListenSecretly, "listen, not"),
    ];
    for (sabotage, sign) in caught {
        check_caught(&talkative(3).sabotaged(sabotage), sign);
    }
}

#[test]
fn no_message_is_lost_where_nothing_goes_wrong() {
    for seed in 0..2 {
        let summary = check_plan(&talkative(seed));
        assert!(summary.messages > 1_000, "{summary:?}");
    }
}

/// A world in which much is published.
fn talkative(seed: u64) -> Plan {
    Plan { between_deeds: Duration::from_millis(8), ..Plan::small(seed, 4, &[]) }
}

/// What is wrong may have no effect in a world, but does in one of a few.
#[track_caller]
fn check_caught(plan: &Plan, sign: &str) {
    let sabotage = plan.sabotage;
    let of = |seed| check(&Plan { seed, ..plan.clone() }, Listing::Silent);
    let failure = (plan.seed..plan.seed + 5).find_map(|seed| of(seed).err());
    let failure = failure.unwrap_or_else(|| panic!("{sabotage:?} is not noticed"));
    assert!(failure.what.contains(sign), "{sabotage:?}: {}", failure.what);
}
