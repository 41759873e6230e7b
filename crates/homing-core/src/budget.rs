//! How much does a process hold for its peers, all links together?

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// Bytes held for peers, against one bound (decisions A6). Shared by all links of a node.
#[derive(Debug)]
pub struct Budget {
    left: AtomicUsize,
    refused: AtomicU64,
}

impl Budget {
    /// A budget of `bytes`.
    pub const fn new(bytes: usize) -> Self {
        Self { left: AtomicUsize::new(bytes), refused: AtomicU64::new(0) }
    }

    /// Takes `bytes` out, or nothing when fewer are left.
    pub fn take(&self, bytes: usize) -> bool {
        let taken = self
            .left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(bytes))
            .is_ok();
        if !taken {
            self.refused.fetch_add(1, Ordering::Relaxed);
        }
        taken
    }

    /// Puts `bytes` back.
    pub fn give(&self, bytes: usize) {
        self.left.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Bytes left.
    pub fn left(&self) -> usize {
        self.left.load(Ordering::Relaxed)
    }

    /// How often there was not enough left.
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }
}
