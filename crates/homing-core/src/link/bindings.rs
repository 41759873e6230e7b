//! Which number stands for which method on this link?
//!
//! A method is named in full once, in a Bind just before its first Open, and by number from then on.

use crate::limits::BINDINGS_MAX;
use crate::wire::{Callee, Frame, Malformed, Target};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A process-wide number of a [`Target`], given out by the driver, so that the hot path compares no names.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct TargetKey(pub u32);

/// Both directions' numbers.
#[derive(Debug, Default)]
pub(super) struct Bindings {
    said: BTreeMap<TargetKey, u32>,
    heard: Vec<Option<Arc<Target>>>,
}

impl Bindings {
    /// How to name `target` now. Appends a Bind to `out` when it gets its number here; beyond
    /// [`BINDINGS_MAX`] names travel in full.
    pub(super) fn name(&mut self, key: TargetKey, target: &Target, out: &mut Vec<u8>) -> Callee {
        if let Some(id) = self.said.get(&key) {
            return Callee::Bound(*id);
        }
        let id = u32::try_from(self.said.len()).unwrap_or(u32::MAX).saturating_add(1);
        if id > BINDINGS_MAX {
            return Callee::Named(Box::new(target.clone()));
        }
        self.said.insert(key, id);
        Frame::Bind { id, target: target.clone() }.encode(out);
        Callee::Bound(id)
    }

    /// Notes what the peer bound.
    pub(super) fn bind(&mut self, id: u32, target: Target) -> Result<(), Malformed> {
        if id == 0 || id > BINDINGS_MAX {
            return Err(Malformed("bind: number out of range"));
        }
        let index = id as usize;
        if index >= self.heard.len() {
            self.heard.resize(index + 1, None);
        }
        self.heard[index] = Some(Arc::new(target));
        Ok(())
    }

    /// What the peer means.
    pub(super) fn resolve(&self, callee: Callee) -> Result<Arc<Target>, Malformed> {
        match callee {
            Callee::Named(target) => Ok(Arc::from(target)),
            Callee::Bound(id) => self
                .heard
                .get(id as usize)
                .and_then(Clone::clone)
                .ok_or(Malformed("open: a method that was never bound")),
        }
    }
}
