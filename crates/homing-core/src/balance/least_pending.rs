//! Who has the least to do?

use super::{Candidates, Cursor};

/// The one with the fewest calls under way; among equals the next in turn.
pub(super) fn pick(candidates: &impl Candidates, cursor: &mut Cursor) -> Option<usize> {
    let (_, picked) = cursor
        .turns(candidates.len())
        .filter_map(|index| Some((candidates.pending(index)?, index)))
        .min_by_key(|&(pending, _)| pending)?;
    cursor.pass(picked);
    Some(picked)
}
