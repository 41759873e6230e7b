//! How does a program serve?

use crate::error::ServeError;
use crate::handler::{ErasedHandler, Handler, RawHandler, RawStreamHandler, StreamHandler};
use crate::runtime::Runtime;
use crate::runtime::offers::OfferCell;
use bytes::Bytes;
use homing_core::limits::{LABELS_MAX, METADATA_MAX, OFFERS_MAX};
use homing_core::name::{Label, Namespace, OfferName};
use homing_core::registry::{OfferRecord, OfferState, OfferedMethod};
use homing_core::responder::{Capacity, Responder as Machine};
use homing_core::talk::{Code, Status};
use std::fmt;
use std::sync::Arc;

/// An offer that stands until the node closes, or it is withdrawn. Dropping this handle changes nothing.
#[derive(Clone)]
pub struct Offer {
    runtime: Arc<Runtime>,
    cell: Arc<OfferCell>,
}

impl Offer {
    /// No longer offers the service: requesters are told, what still arrives is refused as not started and tried
    /// elsewhere. Returns when what was under way has ended. Again is harmless.
    pub async fn withdraw(&self) {
        self.runtime.withdraw(&self.cell).await;
        self.cell.is_idle().await;
    }

    /// Handles so many calls at once from now on. With more, calls in the queue are let in at once; with fewer, those under
    /// way end as they would.
    pub fn set_concurrency(&self, calls: u32) {
        self.cell.set_concurrency(&self.runtime, calls);
    }

    /// A guard whose drop withdraws the offer.
    pub fn guard(self) -> Responder {
        Responder { offer: self }
    }
}

impl fmt::Debug for Offer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Offer({})", self.cell.record.service)
    }
}

/// An offer that ends with this guard: dropping it withdraws the service.
#[must_use = "dropping it withdraws the service"]
#[derive(Debug)]
pub struct Responder {
    offer: Offer,
}

impl Responder {
    /// Handles so many calls at once from now on ([`Offer::set_concurrency`]).
    pub fn set_concurrency(&self, calls: u32) {
        self.offer.set_concurrency(calls);
    }

    /// Withdraws, and returns when what was under way has ended.
    pub async fn withdraw(self) {
        self.offer.withdraw().await;
    }
}

impl Drop for Responder {
    fn drop(&mut self) {
        self.offer.runtime.withdraw_later(&self.offer.cell);
    }
}

/// Settings for an offer.
#[derive(Clone)]
pub struct ResponderBuilder {
    runtime: Arc<Runtime>,
    name: String,
    namespace: Namespace,
    labels: Vec<Label>,
    metadata: Bytes,
    capacity: Capacity,
    repeatable: bool,
}

impl ResponderBuilder {
    pub(crate) fn new(runtime: Arc<Runtime>, name: &str) -> Self {
        let namespace = runtime.settings.namespace.clone();
        Self {
            runtime,
            name: name.to_owned(),
            namespace,
            labels: Vec::new(),
            metadata: Bytes::new(),
            capacity: Capacity::default(),
            repeatable: false,
        }
    }

    /// Offers the service here instead of in the node's namespace.
    pub fn namespace(mut self, namespace: Namespace) -> Self {
        self.namespace = namespace;
        self
    }

    /// Adds a label, for people and for choosing; at most 16.
    pub fn label(mut self, label: Label) -> Self {
        self.labels.push(label);
        self
    }

    /// Says something beside, for whoever lists services; at most 512 bytes.
    pub fn metadata(mut self, metadata: impl Into<Bytes>) -> Self {
        self.metadata = metadata.into();
        self
    }

    /// Calls handled at once; what comes beyond is refused with `RESOURCE_EXHAUSTED` and tried elsewhere, or later.
    pub fn concurrency(mut self, calls: u32) -> Self {
        self.capacity.concurrency = calls;
        self
    }

    /// Calls that wait for their turn when all places are taken. Default: none, so that load shows where it is.
    pub fn queue(mut self, calls: u32) -> Self {
        self.capacity.queue = calls;
        self
    }

    /// The methods may safely run twice: a call that was lost is tried elsewhere.
    pub fn repeatable(mut self, repeatable: bool) -> Self {
        self.repeatable = repeatable;
        self
    }

    /// Offers the service.
    ///
    /// # Errors
    /// The name is none, a bound is reached, or the node is closed. Nothing is offered.
    pub async fn serve<M>(self, handler: impl Handler<M>) -> Result<Responder, ServeError> {
        self.offer(handler.erase()).await.map(Offer::guard)
    }

    /// Offers the service, by a handler of bytes.
    ///
    /// # Errors
    /// As [`serve`](Self::serve).
    pub async fn serve_raw(self, handler: impl RawHandler) -> Result<Responder, ServeError> {
        self.offer(handler.erase_raw()).await.map(Offer::guard)
    }

    /// Offers the service, by a handler that answers with a stream, takes one, or both.
    ///
    /// # Errors
    /// As [`serve`](Self::serve).
    pub async fn serve_stream<M>(
        self,
        handler: impl StreamHandler<M>,
    ) -> Result<Responder, ServeError> {
        self.offer(handler.erase_stream()).await.map(Offer::guard)
    }

    /// Offers the service, by a handler of streams of bytes.
    ///
    /// # Errors
    /// As [`serve`](Self::serve).
    pub async fn serve_stream_raw(
        self,
        handler: impl RawStreamHandler,
    ) -> Result<Responder, ServeError> {
        self.offer(handler.erase_raw_stream()).await.map(Offer::guard)
    }

    pub(crate) async fn offer(self, handler: ErasedHandler) -> Result<Offer, ServeError> {
        let record = Arc::new(self.record()?);
        if self.runtime.is_closing() {
            return Err(ServeError::Closed);
        }
        if self.runtime.offers.len() >= OFFERS_MAX {
            return Err(exhausted(format!("this node offers {OFFERS_MAX} services (OFFERS_MAX)")));
        }
        let key = self.runtime.offers.take_key();
        let cell = OfferCell::new(key, record, handler, Machine::new(self.capacity));
        self.runtime.offer(&cell).await.map_err(ServeError::Refused)?;
        Ok(Offer { runtime: self.runtime, cell })
    }

    fn record(&self) -> Result<OfferRecord, ServeError> {
        let name: OfferName = self.name.parse()?;
        if self.labels.len() > LABELS_MAX {
            return Err(exhausted(format!(
                "an offer has at most {LABELS_MAX} labels (LABELS_MAX)"
            )));
        }
        if self.metadata.len() > METADATA_MAX {
            let message =
                format!("an offer has at most {METADATA_MAX} bytes of metadata (METADATA_MAX)");
            return Err(exhausted(message));
        }
        let method = OfferedMethod { pattern: name.methods, repeatable: self.repeatable };
        Ok(OfferRecord {
            namespace: self.namespace.clone(),
            service: name.service,
            version: name.version,
            methods: vec![method],
            labels: self.labels.clone(),
            metadata: self.metadata.clone(),
            state: OfferState::Open,
            origin: None,
        })
    }
}

fn exhausted(message: String) -> ServeError {
    ServeError::Refused(Status::not_started(Code::ResourceExhausted, message))
}
