//! Do small worlds hold, and is every broken promise noticed?

use super::*;

#[track_caller]
fn check_small(seed: u64, hosts: usize, faults: &[Fault]) -> Summary {
    match check(&Plan::small(seed, hosts, faults), Listing::Silent) {
        Ok(summary) => summary,
        Err(failure) => panic!("seed {seed}, {} : {}", failure.at, failure.what),
    }
}

#[test]
fn a_mesh_without_faults_answers_calls() {
    let summary = check_small(1, 3, &[]);
    assert!(summary.replies > summary.calls / 2, "{summary:?}");
}
