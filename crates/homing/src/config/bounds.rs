//! How much may others make a node hold?

use crate::error::ConfigError;
use homing_core::gate::{HalfOpenBounds, Rate};
use homing_core::limits;
use homing_core::wire::Windows;

/// What others may make a node hold or do. Everything else that is bounded is a constant of [`limits`], for all nodes
/// of a mesh have to agree on it. How often a bound was reached is in [`Node::stats`](crate::Node::stats).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Bounds {
    /// Connections that others made and that have not proven themselves yet. Beyond, the source that has the most of
    /// them loses its oldest. Default: 512, half of the descriptors that a process usually has.
    pub half_open: usize,
    /// Of these, from one IPv4 address or one IPv6 network of 64 bits. Beyond, a connection is closed unread. Default:
    /// 128; raise it for hundreds of nodes behind one address that start within a moment.
    pub half_open_per_source: usize,
    /// Links, those half open included. Beyond, a connection is closed unread. Default, and the most: 4,096.
    pub links: usize,
    /// Calls that a peer may have under way on one link; it is told so, and refuses further ones itself. Default, and
    /// the most: 4,096.
    pub conversations: u32,
    /// Datagrams heeded in a second from one address that has proven to be of the mesh; twice as many at once. Beyond,
    /// they are dropped. Default: 10,000, which hundreds of nodes behind one address do not reach. Strangers have 200
    /// each and 2,000 together.
    pub datagrams_per_second: u32,
    /// Bytes held for peers, of all links together: requests and answers that are on their way. Beyond, calls are
    /// refused with `RESOURCE_EXHAUSTED`, not started. Default: 256 MiB.
    pub budget: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            half_open: limits::HALF_OPEN_MAX,
            half_open_per_source: limits::HALF_OPEN_PER_SOURCE_MAX,
            links: limits::LINKS_MAX,
            conversations: limits::CONVERSATIONS_MAX,
            datagrams_per_second: limits::DATAGRAMS.per_second,
            budget: limits::BUDGET,
        }
    }
}

impl Bounds {
    /// Refuses what no node could live with.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let most = [
            ("limits.half_open", self.half_open, limits::LINKS_MAX),
            ("limits.half_open_per_source", self.half_open_per_source, self.half_open),
            ("limits.links", self.links, limits::LINKS_MAX),
            (
                "limits.conversations",
                self.conversations as usize,
                limits::CONVERSATIONS_MAX as usize,
            ),
            ("limits.datagrams_per_second", self.datagrams_per_second as usize, 1_000_000),
            ("limits.budget", self.budget, usize::MAX),
        ];
        match most.into_iter().find(|(_, given, most)| *given == 0 || given > most) {
            None => Ok(()),
            Some((setting, given, most)) => {
                Err(ConfigError::new(setting, &given, format!("it is 1 to {most}")))
            }
        }
    }

    pub(crate) fn of_half_open(&self) -> HalfOpenBounds {
        HalfOpenBounds { total: self.half_open, per_source: self.half_open_per_source }
    }

    pub(crate) fn of_datagrams(&self) -> Rate {
        let per_second = self.datagrams_per_second;
        Rate { per_second, burst: per_second.saturating_mul(2) }
    }

    pub(crate) fn windows(&self) -> Windows {
        Windows { conversations: self.conversations, ..Windows::default() }
    }
}
