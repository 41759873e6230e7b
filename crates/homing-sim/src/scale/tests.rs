//! Does a mesh of ten keep what one of a thousand is asked?

use super::*;

fn check(trial: Trial) {
    let rows = trial(10, 3);
    assert!(rows.iter().all(|row| row.verdict != Verdict::Missed), "\n{}", table(&rows));
    assert_eq!(rows, trial(10, 3), "the same seed is the same run");
}

#[test]
fn a_mesh_of_ten_joins_changes_rests_and_loses_one_in_time() {
    check(trials::life);
}

#[test]
fn stalls_throw_no_healthy_node_out_of_ten() {
    check(trials::stalls);
}

#[test]
fn two_halves_of_ten_find_each_other_again() {
    check(trials::halves);
}
