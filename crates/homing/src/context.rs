//! What may a handler know about the call it answers?

use crate::access::Claims;
use crate::runtime::talk::{Line, Talk};
use bytes::Bytes;
use homing_core::id::NodeId;
use homing_core::link::Asks;
use homing_core::name::{Method, Namespace, ServiceName, Version};
use homing_core::talk::{Encoding, Options};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// The circumstances of one call, for the handler that answers it.
///
/// A handler that wants it takes it as its second argument. Cheap to clone; it may outlive the call.
///
/// When the caller goes away or its time is up, the handler's future is dropped; what it started elsewhere can see that
/// by [`is_active`](Self::is_active) and [`closed`](Self::closed).
#[derive(Clone, Debug)]
pub struct Context {
    caller: Caller,
    asked: Arc<Asked>,
    encoding: Encoding,
    deadline: Option<Instant>,
    /// `None` for the many calls that bring no options, so that they cost no allocation.
    options: Option<Arc<Options>>,
    line: Line,
    asks: Asks,
}

/// Who calls.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) node: NodeId,
    /// What its token says, verified.
    pub(crate) claims: Option<Arc<Claims>>,
}

/// What was asked for: the same for all calls of one method over one link, and shared by them.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Asked {
    pub(crate) namespace: Namespace,
    pub(crate) service: ServiceName,
    /// Of the offer that answers; not what the caller asked for.
    pub(crate) version: Option<Version>,
    pub(crate) method: Method,
}

impl Context {
    /// Allocates only if there are options. `deadline`: `None` when the caller set none.
    pub(crate) fn new(
        caller: Caller,
        asked: Arc<Asked>,
        encoding: Encoding,
        deadline: Option<Instant>,
        options: Options,
    ) -> Self {
        let options = (!options.is_empty()).then(|| Arc::new(options));
        Self { caller, asked, encoding, deadline, options, line: Line::Answer, asks: Asks::All }
    }

    /// The same, with what its caller can be reached by, and whether it says more than one payload.
    pub(crate) fn over(self, line: Line, asks: Asks) -> Self {
        Self { line, asks, ..self }
    }

    /// The stream to and from the caller; `None` where there is no caller.
    pub(crate) fn talk(&self) -> Option<Talk> {
        self.line.talk()
    }

    pub(crate) const fn asks(&self) -> Asks {
        self.asks
    }

    /// Whether the caller still waits for something: an answer, or the next item of it.
    ///
    /// A handler's own future is dropped when its caller leaves; this is for what outlives it, a task or a thread that it
    /// started.
    pub fn is_active(&self) -> bool {
        self.line.is_active()
    }

    /// Returns when the caller waits for nothing any more. See [`is_active`](Self::is_active).
    pub async fn closed(&self) {
        match self.talk() {
            Some(talk) => talk.closed().await,
            None => std::future::pending().await,
        }
    }

    /// The node that calls.
    pub const fn caller(&self) -> NodeId {
        self.caller.node
    }

    /// What the caller's token says, where it showed one that counts: an issuer that this node believes
    /// ([`Config::issuers`](crate::Config::issuers)) has signed it, and its time is now. Never of a call from
    /// [behind a bridge](Self::origin): a bridge's token says nothing of who is behind it.
    pub fn claims(&self) -> Option<&Claims> {
        self.caller.claims.as_deref()
    }

    /// The foreign system on whose behalf the caller calls, as `bridge:NAME`; `None` for a caller of the mesh's own. It
    /// is what the caller says; whether it may say so, an access list knows.
    pub fn origin(&self) -> Option<&str> {
        let origin = self.options.as_ref().map(|options| &options.origin);
        origin.filter(|origin| !origin.is_empty()).and_then(|origin| str::from_utf8(origin).ok())
    }

    /// The namespace the call came in.
    pub fn namespace(&self) -> &Namespace {
        &self.asked.namespace
    }

    /// The service that was called.
    pub fn service(&self) -> &ServiceName {
        &self.asked.service
    }

    /// The version of the offer that answers, if it has one.
    pub fn version(&self) -> Option<&Version> {
        self.asked.version.as_ref()
    }

    /// The method that was called: what stood there, also where the offer is of a pattern.
    pub fn method(&self) -> &Method {
        &self.asked.method
    }

    /// How the request is encoded. A typed reply goes back in the same.
    pub const fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// How long the caller still waits: zero when the time is up, `None` when it waits for ever.
    ///
    /// Calls that the handler makes get no more than this by themselves, whatever timeout they have; not so those of a task
    /// that it spawns, which may outlive the call.
    pub fn remaining(&self) -> Option<Duration> {
        self.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()))
    }

    /// The caller's metadata of this name; of several, the first.
    pub fn metadata(&self, name: &str) -> Option<&Bytes> {
        self.all_metadata().iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    /// All metadata of the caller, in its order.
    pub fn all_metadata(&self) -> &[(String, Bytes)] {
        self.options.as_ref().map_or(&[], |options| &options.metadata)
    }

    /// How often the mesh tried this call before, elsewhere; 0 the first time.
    pub fn attempt(&self) -> u8 {
        self.options.as_ref().map_or(0, |options| options.attempt)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A call of `echo/say` from node 1 with these circumstances.
    pub(crate) fn context(deadline: Option<Instant>, options: Options) -> Context {
        let asked = Asked {
            namespace: Namespace::default(),
            service: "echo".parse().unwrap(),
            version: Some("1.2.0".parse().unwrap()),
            method: "say".parse().unwrap(),
        };
        let caller = Caller { node: NodeId::from_bytes([1; 16]), claims: None };
        Context::new(caller, Arc::new(asked), Encoding::Json, deadline, options)
    }

    #[test]
    fn it_tells_who_calls_what() {
        let context = context(None, Options::default());
        assert_eq!(context.caller(), NodeId::from_bytes([1; 16]));
        assert_eq!(context.namespace().as_str(), "default");
        assert_eq!(context.service().to_string(), "echo");
        assert_eq!(context.version().map(ToString::to_string).as_deref(), Some("1.2.0"));
        assert_eq!(context.method().to_string(), "say");
        assert_eq!(context.encoding(), Encoding::Json);
        assert_eq!(context.attempt(), 0);
    }

    #[test]
    fn metadata_is_found_by_name_and_the_first_of_a_name_counts() {
        let pair = |name: &str, value| (name.to_owned(), Bytes::from_static(value));
        let metadata = vec![pair("a", b"1"), pair("b", b"2"), pair("a", b"3")];
        let context = context(None, Options { metadata, attempt: 2, ..Options::default() });
        assert_eq!(context.metadata("a"), Some(&Bytes::from_static(b"1")));
        assert_eq!(context.metadata("c"), None);
        assert_eq!(context.all_metadata().len(), 3);
        assert_eq!(context.attempt(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn remaining_time_shrinks_to_zero_and_not_below() {
        let now = Instant::now();
        let seconds = Duration::from_secs;
        let context = context(Some(now + seconds(5)), Options::default());
        let mut seen = Vec::new();
        for second in [0, 2, 5, 9] {
            tokio::time::sleep_until(now + seconds(second)).await;
            seen.push(context.remaining());
        }
        assert_eq!(seen, [5, 3, 0, 0].map(|left| Some(seconds(left))));
        assert_eq!(super::tests::context(None, Options::default()).remaining(), None);
    }
}
