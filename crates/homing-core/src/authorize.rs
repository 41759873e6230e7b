//! May somebody do this? The seam at which rules are asked; the rules themselves come from outside (crate `homing`).

use crate::id::NodeId;
use crate::talk::Status;

/// Who wants to do something.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Who<'a> {
    /// The node, as its link's handshake or its record's signature shows.
    pub node: NodeId,
    /// What it showed beside: the token of a call, or for an offer that of its owner's node record. Not verified.
    pub token: Option<&'a str>,
    /// On behalf of a foreign system behind the node, `bridge:NAME`. What is foreign is never the node itself.
    pub origin: Option<&'a str>,
}

impl Who<'_> {
    /// A node that speaks for itself and shows nothing.
    pub const fn node(node: NodeId) -> Self {
        Self { node, token: None, origin: None }
    }
}

/// What somebody wants to do.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum Action {
    /// Start a call or a stream.
    Call,
    /// Offer a service under a name.
    Offer,
    /// Publish to a topic.
    Publish,
    /// Listen to a topic.
    Subscribe,
    /// Put a job into a queue.
    Submit,
    /// Take jobs out of a queue.
    Work,
}

impl Action {
    /// Every action there is.
    pub const ALL: [Self; 6] =
        [Self::Call, Self::Offer, Self::Publish, Self::Subscribe, Self::Submit, Self::Work];

    /// The word for it, in access lists and messages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Call => "call",
            Self::Offer => "offer",
            Self::Publish => "publish",
            Self::Subscribe => "subscribe",
            Self::Submit => "submit",
            Self::Work => "work",
        }
    }
}

/// Asked before a wish is granted (decisions D10). Answers must not take long: some are waited for under a lock.
pub trait Authorize: Send + Sync {
    /// Whether `who` may do `action` on `name` (service, topic or queue) in `namespace`.
    ///
    /// # Errors
    /// The refusal that the peer is to see.
    fn authorize(
        &self,
        who: &Who<'_>,
        action: Action,
        namespace: &str,
        name: &str,
    ) -> Result<(), Status>;
}

/// Says yes to everyone.
#[derive(Clone, Copy, Debug, Default)]
pub struct AllowAll;

impl Authorize for AllowAll {
    fn authorize(&self, _: &Who<'_>, _: Action, _: &str, _: &str) -> Result<(), Status> {
        Ok(())
    }
}
