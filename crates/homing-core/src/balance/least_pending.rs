//! Who has the least to do?

use super::{Candidates, Cursor};

/// The one with the fewest calls under way; among equals the next in turn. Nobody has fewer than none: who has none ends the
/// search, so that while most are idle the first that is looked at is picked. Else all are, which [`Loads`](super::Loads) spare.
pub(super) fn pick(candidates: &(impl Candidates + ?Sized), cursor: &mut Cursor) -> Option<usize> {
    let mut least: Option<(u32, usize)> = None;
    for index in cursor.turns(candidates.len()) {
        let Some(pending) = candidates.pending(index) else { continue };
        if least.is_none_or(|(fewest, _)| pending < fewest) {
            least = Some((pending, index));
        }
        if pending == 0 {
            break;
        }
    }
    let (_, picked) = least?;
    cursor.pass(picked);
    Some(picked)
}
