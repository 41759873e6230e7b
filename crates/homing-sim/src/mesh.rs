//! Which services does the simulated world know, and how are they called?

use homing_core::link;
use homing_core::name::{Address, MethodPattern, Namespace, ServiceName, Version};
use homing_core::registry::{OfferRecord, OfferState, OfferedMethod, RecordKey};
use homing_core::wire::Target;
use std::sync::Arc;

/// Services that nodes offer.
pub(crate) const SERVICES: usize = 8;
/// The first of those that answer with streams; the ones before it are called.
pub(crate) const STREAMED: usize = 6;

/// The name of a service. Those with even numbers may be repeated.
pub(crate) fn service(number: usize) -> ServiceName {
    format!("service-{number}").parse().expect("a name of plain letters")
}

/// Whether it is one of the services that answer with streams.
pub(crate) fn is_streamed(name: &ServiceName) -> bool {
    (STREAMED..SERVICES).any(|number| service(number) == *name)
}

/// Whether calls of a service may run twice, by the word of all who offer it.
pub(crate) fn is_repeatable(number: usize) -> bool {
    number.is_multiple_of(2)
}

/// How a service is called: by its name, or by a range of versions that all instances satisfy.
pub(crate) fn address(number: usize) -> Address {
    let text = match number % 3 {
        0 => service(number).to_string(),
        1 => format!("{}@^1", service(number)),
        _ => format!("{}@1/deep/method", service(number)),
    };
    text.parse().expect("an address of plain letters")
}

/// What is said on the wire for a call of a service, by this offer of a node, and the number that links know it by.
pub(crate) fn target(number: u32, offer: RecordKey) -> (link::TargetKey, Arc<Target>) {
    let Address { service, method, .. } = address(number as usize);
    let target = Target { offer: offer.0, namespace: Namespace::default(), service, method };
    (link::TargetKey(number << 8 | offer.0), Arc::new(target))
}

/// An offer of a service. `serial` tells it from every other offer ever made.
pub(crate) fn offer(number: usize, serial: u64, state: OfferState) -> OfferRecord {
    let version = format!("1.{}.0", serial % 3);
    let method = |pattern: &str| OfferedMethod {
        pattern: pattern.parse::<MethodPattern>().expect("a pattern of plain letters"),
        repeatable: is_repeatable(number),
    };
    OfferRecord {
        namespace: Namespace::default(),
        service: service(number),
        version: Some(version.parse::<Version>().expect("three numbers")),
        methods: vec![method(""), method("deep/*")],
        labels: Vec::new(),
        metadata: serial.to_be_bytes().to_vec().into(),
        state,
        origin: None,
    }
}

/// The serial number of an offer.
pub(crate) fn serial(offer: &OfferRecord) -> u64 {
    offer.metadata.first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes))
}
