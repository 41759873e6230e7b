//! What does a subscription give?

use crate::encoding::from_payload;
use bytes::Bytes;
use homing_core::id::NodeId;
use homing_core::name::Topic;
use homing_core::talk::{Payload, Status};
use homing_core::topics::Message as Core;
use serde::de::DeserializeOwned;

/// A message that was published. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Message(Core);

impl Message {
    pub(super) const fn new(message: Core) -> Self {
        Self(message)
    }

    /// What it is about.
    pub const fn topic(&self) -> &Topic {
        &self.0.topic
    }

    /// Who published it.
    pub const fn from(&self) -> NodeId {
        self.0.from
    }

    /// What was published, as it came.
    pub const fn payload(&self) -> &Payload {
        &self.0.payload
    }

    /// What was published.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT`: the payload is no `T`.
    pub fn value<T: DeserializeOwned>(&self) -> Result<T, Status> {
        from_payload(&self.0.payload)
    }

    /// The publisher's metadata of this name; of several, the first.
    pub fn metadata(&self, name: &str) -> Option<&Bytes> {
        let all = self.0.options.as_ref()?.metadata.iter();
        all.into_iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    /// The foreign system on whose behalf it was published, as `bridge:NAME`.
    pub fn origin(&self) -> Option<&str> {
        let origin = &self.0.options.as_ref()?.origin;
        str::from_utf8(origin).ok().filter(|origin| !origin.is_empty())
    }
}
