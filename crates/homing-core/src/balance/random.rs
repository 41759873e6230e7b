//! Who is drawn?

use crate::rng::Rng;

/// Draws before all are looked at. Where half of them are closed, one pick in 256 looks at all.
const DRAWS: usize = 8;

/// Any of `count` that is open, each as likely as the others while few are closed.
pub(super) fn pick(count: usize, rng: &mut Rng, is_open: impl Fn(usize) -> bool) -> Option<usize> {
    if count == 0 {
        return None;
    }
    for _ in 0..DRAWS {
        let index = rng.index(count);
        if is_open(index) {
            return Some(index);
        }
    }
    let first = rng.index(count);
    (first..count).chain(0..first).find(|&index| is_open(index))
}
