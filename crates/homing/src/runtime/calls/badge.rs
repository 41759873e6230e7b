//! Who says a requester that it is?

use crate::access::OwnToken;
use crate::runtime::Runtime;
use bytes::Bytes;
use homing_core::talk::Options;

/// Who calls, beside its node.
#[derive(Clone, Debug, Default)]
pub(crate) struct Badge {
    /// Instead of the node's own.
    pub(crate) token: Option<Bytes>,
    /// The foreign system behind it.
    pub(crate) origin: Option<Bytes>,
}

impl Badge {
    /// Puts it in: the foreign system, if any, and the token, the node's where there is no other.
    pub(crate) fn show(&self, runtime: &Runtime, options: &mut Option<Box<Options>>) {
        if let Some(origin) = &self.origin {
            options.get_or_insert_default().origin = origin.clone();
        }
        let own = || runtime.access.token.as_ref().map(OwnToken::current);
        if let Some(token) = self.token.clone().or_else(own) {
            options.get_or_insert_default().token = token;
        }
    }
}
