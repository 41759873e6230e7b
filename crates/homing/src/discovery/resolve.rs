//! Who says where a name is?

use crate::net::BoxFuture;
use std::net::SocketAddr;

/// Whoever knows names; the system, except in tests.
pub(crate) trait Resolve: Send + Sync + 'static {
    /// The addresses of a host, with this port.
    ///
    /// # Errors
    /// Why there are none, for people.
    fn addresses(&self, host: String, port: u16) -> BoxFuture<'static, Found>;

    /// The addresses of the targets of a service record, the preferred first.
    ///
    /// # Errors
    /// Why there are none, for people.
    fn service(&self, name: String) -> BoxFuture<'static, Found>;
}

/// What came of asking.
pub(crate) type Found = Result<Vec<SocketAddr>, String>;

/// Whether service records can be asked for.
pub(crate) const KNOWS_SERVICES: bool = cfg!(feature = "srv");

/// The system's resolver: the hosts file, the name servers, and whatever else the system was told to ask.
pub(crate) struct System;

impl Resolve for System {
    fn addresses(&self, host: String, port: u16) -> BoxFuture<'static, Found> {
        Box::pin(async move {
            let found = tokio::net::lookup_host((host, port)).await;
            found.map(Iterator::collect).map_err(|error| error.to_string())
        })
    }

    #[cfg(feature = "srv")]
    fn service(&self, name: String) -> BoxFuture<'static, Found> {
        Box::pin(super::srv::look_up(name))
    }

    #[cfg(not(feature = "srv"))]
    fn service(&self, _: String) -> BoxFuture<'static, Found> {
        Box::pin(std::future::ready(Err("this program was built without the feature srv".into())))
    }
}
